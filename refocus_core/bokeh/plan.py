"""What the rendering of one picture consists of: quality, bins of radius, their resolution, the aperture cut into segments.

Every engine that blurs and composites follows the same plan, so that they agree.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from .. import psf
from ..images import window_max
from ..types import Kernel
from .bins import Bins, bin_position
from .lattice import FieldAperture, Lattice
from .segments import ApertureSegment, cut_aperture
from .surfaces.layers import Layers


@dataclass(frozen=True)
class Quality:
    """What a quality preset means.

    Attributes:
        resolution_px: a bin of radius r is blurred at 1/s of the resolution, s a power of two with r/s >= resolution_px.
        bin_step: spacing of the bins, 1 = 0.75 px near focus and 20 % of the radius farther out.
        segments: parts of the aperture that are composited separately near depth edges: a square grid of them if it is a square
            number, else sectors.
        join: bins at most so far apart (in bins at step 1) are composited as one. Each is blurred by its own radius, but brought
            back from its transform together with the others; 0 keeps all apart.
        snap: sharpen soft depth transitions to the photo's edges first.
        half: render at half the resolution, with what is in focus put back at full resolution; not with a background plate or a
            coloured aperture.
        field_step: distance of the places at which an aperture that changes over the picture is taken, in half diagonals, for a
            field of full strength; it is blended between them. An edge that moves with the place is that part of the radius wide.
    """

    resolution_px: float
    bin_step: float
    segments: int
    join: float = 0.0
    snap: bool = True
    half: bool = False
    field_step: float = 0.16

    def __post_init__(self) -> None:
        if self.segments < 1:
            raise ValueError(f"Quality.segments must be at least 1, got {self.segments}.")
        if not (self.resolution_px > 0 and self.bin_step > 0):
            raise ValueError(f"Quality.resolution_px and bin_step must be above 0, got {self.resolution_px} and {self.bin_step}.")
        if not self.field_step > 0:
            raise ValueError(f"Quality.field_step must be above 0, got {self.field_step}.")
        if not self.join >= 0:
            raise ValueError(f"Quality.join must be at least 0, got {self.join}.")


QUALITIES: dict[str, Quality] = {
    "draft": Quality(resolution_px=12, bin_step=1.5, segments=1, half=True, field_step=0.35),
    "normal": Quality(resolution_px=24, bin_step=1.25, segments=3, join=1.6),
    "best": Quality(resolution_px=64, bin_step=0.5, segments=16, field_step=0.1),
}
"""The presets by name: a draft while one looks for the focus, a normal picture in seconds, the best one in many times that."""

SURFACE_GAP = 2.0
"""Bins (at bin_step 1) without coverage that separate two surfaces at a pixel. With a larger one near things are less often taken
for occluders; with a smaller one the bins of one slope occlude each other."""

PRESENT = 1e-3
"""Coverage from which on a bin counts as present at a pixel."""

CUT_PX = 1.0
"""Radius up to which a bin is blurred through the whole aperture at once: its segments would hardly differ. (At 3 px the views
through two segments lie more than a pixel apart, which costs 0.8 dB on a real photo; cutting everything gains no more.)"""

OPAQUE_SIZES_PX = (1, 2, 4, 8, 16)
"""Sizes of blur, in px, up to which a surface is known to be opaque where nothing else lies within its blur. Larger ones look
farther around every pixel."""

WIDEST_WINDOW_PX = 12e6
"""Pixels of a window up to which a blur that reaches beyond the picture is computed. A larger one takes memory in proportion."""

FIELD_CELLS = 2.5
"""Side of the rasters of an aperture that changes over the picture, in cells for each px of the largest radius. A larger one
draws rims more sharply, and takes longer."""

LEAST_FIELD_CELLS = 31
"""Least such side."""

ENLARGING_HALO = 3
"""Coarse pixels that shrinking and enlarging look beyond a blur."""


def even_from_px(h: int, w: int) -> float:
    """Radius from which on a blur spreads light evenly over a picture of h x w px.

    The picture goes on beyond its border as its mirror image, with a period of twice its side. A disc of radius r leaves of its
    slowest wave 2 J1(x) / x, x = pi r / side, which is less than 1.6 x^-1.5 and falls on: 8e-4 at 50 sides, 1e-4 at 200. What
    is left is that part of the picture's largest contrast between its halves. It is never below the long edge, so a large
    picture keeps at most 0.18 of it, and its blur takes no more memory than one of that radius.
    """
    side = max(h, w)
    return max(float(side), (math.sqrt(WIDEST_WINDOW_PX) - side) / 2)


def opaque_halo_px(largest: float) -> int:
    """How far `Plan.hidden_from` looks around a pixel where no radius is larger than `largest`, in px."""
    return next((size for size in OPAQUE_SIZES_PX if largest <= size), OPAQUE_SIZES_PX[-1]) + 1


class Plan:
    """Bins and aperture of one picture.

    Args:
        variance: px^2 along an axis that the picture is blurred by already, or will be: every blur is narrower by it.
        size: height and width of the picture; without it, every blur is computed, however large (see `even_from_px`), and the
            aperture is everywhere that of the centre.

    Attributes:
        bins: the bins of radius, nearest first.
        positions: where each lies, in bins at bin_step 1 (what SURFACE_GAP counts).
        bin_groups: the bins that are composited as one, nearest first: (first, one beyond the last).
        downscales: bin i is blurred at 1/downscales[i] of the resolution.
        radii: signed radius of bin i, in pixels of that resolution.
        whole, segments: the aperture as one segment, and cut up.
        colour: whether the aperture differs between the colour channels.
        colours: how many channels differ from one another: 2 of 3 where blue is as red (see `alike`).
        field: the aperture where it changes over the picture, else None. Its segments are as many as `segments`.
        halo_px: how far the largest blur spreads.
        size: of the picture.
    """

    def __init__(
        self, kernel: Kernel, bins: Bins, quality: Quality, variance: float = 0.0, size: tuple[int, int] | None = None
    ) -> None:
        self.size, self._even_from = size or (0, 0), even_from_px(*size) if size else math.inf
        self.bins, self.quality = bins, quality
        self.positions = [p * quality.bin_step for p in bins.positions]
        self.whole = cut_aperture(kernel, 1)
        self.segments = cut_aperture(kernel, quality.segments)
        self.colour = kernel.raster.shape[0] == 3
        self.colours = alike(kernel)
        self.downscales = [_downscale(c, quality.resolution_px) for c in bins.centres]
        self.radii = [_coarse_radius(c, s, variance) for c, s in zip(bins.centres, self.downscales, strict=True)]
        self.field: FieldAperture | None = None
        if kernel.field is not None and size is not None:
            cells = max(2 * math.ceil(FIELD_CELLS / 2 * max(map(abs, self.radii))) + 1, LEAST_FIELD_CELLS)
            count = quality.segments if len(self.segments) > 1 else 1
            self.field = FieldAperture(kernel, Lattice(size, kernel.field, quality.field_step), count, cells)
        self.halo_px = max(self.support(i) for i in range(len(bins.centres)))
        self.bin_groups: list[tuple[int, int]] = []
        for i in range(len(bins.centres)):
            if self.bin_groups and self._joins(self.bin_groups[-1][0], i):
                self.bin_groups[-1] = (self.bin_groups[-1][0], i + 1)
            else:
                self.bin_groups.append((i, i + 1))

    def _joins(self, first: int, i: int) -> bool:
        """Whether bin i is composited together with the nearer bin `first`."""
        if self.is_even(i) or self.is_even(first):
            return False
        alike = self.downscales[i] == self.downscales[first] and self.is_nearer(i) == self.is_nearer(first)
        blurred = not self.is_sharp(i) and not self.is_sharp(first) and self.is_segmented(i) == self.is_segmented(first)
        return alike and blurred and self.positions[i] - self.positions[first] <= self.quality.join

    def support(self, i: int) -> int:
        """How far bin i spreads, in full-resolution pixels."""
        if self.is_even(i):
            return max(self.size)
        s = self.downscales[i]
        return 0 if self.is_sharp(i) else (math.ceil(abs(self.radii[i])) + (ENLARGING_HALO if s > 1 else 0)) * s

    def is_sharp(self, i: int) -> bool:
        """Whether the blur of bin i stays within its pixel."""
        return self.kernel_size(i) == 1

    def is_even(self, i: int) -> bool:
        """Whether the blur of bin i is so large that its light lies evenly over the picture (see `even_from_px`)."""
        return abs(self.bins.centres[i]) > self._even_from

    @property
    def any_even(self) -> bool:
        """Whether any bin is."""
        return any(map(self.is_even, range(len(self.bins.centres))))

    def is_nearer(self, i: int) -> bool:
        """Whether bin i is blurred and nearer than the focus."""
        return self.bins.centres[i] < 0 and not self.is_sharp(i)

    def hidden_from(self, layers: Layers) -> Tensor:
        """[H,W] position behind which nothing shows at a pixel.

        A pixel shows what lies within its blur, and what is nearer. So where only one surface lies there, it hides all behind
        it, even if the blurred bins of a slope do not quite add up: without this, what lies behind would shine through them.
        """
        has_background = layers.back[3] > 0
        if not bool(has_background.any()):
            return torch.full_like(layers.front_radius, math.inf)
        mixed = (layers.front[3] < 1) & has_background
        farthest = torch.where(mixed, torch.maximum(layers.front_radius, layers.back_radius), layers.front_radius)
        size, out = layers.front_radius.abs(), farthest
        largest = max(map(abs, self.bins.centres))
        halo, smaller = 0, 0.0
        for most in OPAQUE_SIZES_PX:
            farthest = window_max(farthest, most + 1 - halo)  # the windows grow
            out = torch.where(size > smaller, farthest, out) if smaller else farthest
            halo, smaller = most + 1, float(most)
            if largest <= most:
                break
        limit = bin_position(out).add_(SURFACE_GAP)
        return limit.masked_fill_(size > smaller, math.inf)

    def kernel_size(self, i: int) -> int:
        """Odd side of bin i's blur at its resolution."""
        return psf.size_px(self.radii[i])

    def is_segmented(self, i: int) -> bool:
        """Whether bin i is blurred through each segment of the aperture by itself; small blurs are not worth it."""
        return abs(self.bins.centres[i]) > CUT_PX

    def kernel(self, i: int, segment: ApertureSegment) -> Tensor:
        """[C,m,m] normalised blur of bin i through a segment, at the bin's resolution."""
        if not self.is_segmented(i):
            (segment,) = self.whole
        return psf.rasterize(segment.side(self.radii[i]), self.radii[i]) / segment.weight.view(-1, 1, 1)

    def kernels_at(self, i: int, node: tuple[int, int], whole: bool) -> Tensor:
        """[Q,C,m,m] blur of bin i through each segment of the aperture at a node of the lattice, together of sum 1."""
        assert self.field is not None
        rasters = self.field.rasters(node, whole or not self.is_segmented(i), -1 if self.radii[i] < 0 else 1)
        made = psf.rasterize(rasters[:, : self.colours].flatten(0, 1), self.radii[i]).unflatten(0, (len(rasters), -1))
        return made if self.colours == rasters.shape[1] else made[:, [0, 1, 0]]


def alike(kernel: Kernel) -> int:
    """Channels of an aperture to compute: 2 if that of blue is that of red, as in all fringes of a lens; else all."""
    sides = [kernel.raster] if kernel.near is None else [kernel.raster, kernel.near]
    return 2 if len(kernel.raster) == 3 and all(torch.equal(r[0], r[2]) for r in sides) else len(kernel.raster)


def _downscale(radius_px: float, resolution_px: float) -> int:
    """Power of two by which a bin's resolution is divided (see `Quality.resolution_px`)."""
    s = 1
    while abs(radius_px) / s >= 2 * resolution_px:
        s *= 2
    return s


def _coarse_radius(radius_px: float, s: int, variance: float) -> float:
    """Signed radius of a bin's blur at 1/s of the resolution, in pixels of it, less what blurs the picture besides.

    A disc of radius r has the variance r^2/4 along an axis. The tent that shrinks adds s^2/6, and the kernel's larger pixels
    (s^2-1)/12.
    """
    r = abs(radius_px)
    if r == 0:
        return 0.0
    added = variance + (s * s / 6 + (s * s - 1) / 12 if s > 1 else 0.0)
    return math.copysign(math.sqrt(max(r * r - 4 * added, 0.0)) / s, radius_px)
