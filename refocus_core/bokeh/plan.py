"""What the rendering of one picture consists of: quality, bins of radius, their resolution, the aperture cut into pieces.

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
from .surfaces.layers import Layers


@dataclass(frozen=True)
class Quality:
    """What a quality preset means.

    Attributes:
        resolution_px: a bin of radius r is blurred at 1/s of the resolution, s a power of two with r/s >= resolution_px.
        bin_step: spacing of the bins, 1 = 0.75 px near focus and 20 % of the radius farther out.
        pieces: parts of the aperture that are composited separately near depth edges: a square grid of them if it is a square
            number, else sectors.
        join: bins at most so far apart (in bins at step 1) are composited as one. Each is blurred by its own radius, but brought
            back from its transform together with the others; 0 keeps all apart.
        snap: sharpen soft depth transitions to the photo's edges first.
        half: render at half the resolution, with what is in focus put back at full resolution; not with a background plate.
    """

    resolution_px: float
    bin_step: float
    pieces: int
    join: float = 0.0
    snap: bool = True
    half: bool = False

    def __post_init__(self) -> None:
        if self.pieces < 1:
            raise ValueError(f"Quality.pieces must be at least 1, got {self.pieces}.")
        if not (self.resolution_px > 0 and self.bin_step > 0):
            raise ValueError(f"Quality.resolution_px and bin_step must be above 0, got {self.resolution_px} and {self.bin_step}.")
        if not self.join >= 0:
            raise ValueError(f"Quality.join must be at least 0, got {self.join}.")


QUALITIES: dict[str, Quality] = {
    "draft": Quality(resolution_px=12, bin_step=1.5, pieces=1, half=True),
    "normal": Quality(resolution_px=24, bin_step=1.25, pieces=3, join=1.6),
    "best": Quality(resolution_px=64, bin_step=0.5, pieces=16),
}

GROUP_GAP = 2.0
"""Bins (at bin_step 1) without coverage that separate two surfaces at a pixel."""

PRESENT = 1e-3
"""Coverage from which on a bin counts as present at a pixel."""

CUT_PX = 1.0
"""Radius up to which a bin is blurred through the whole aperture at once: its pieces would hardly differ. (At 3 px the views
through two pieces lie more than a pixel apart, which costs 0.8 dB on a real photo; cutting everything gains no more.)"""


OPAQUE_PX = (1, 2, 4, 8, 16)
"""Sizes of blur, in px, up to which a surface is known to be opaque where nothing else lies within its blur."""


def opaque_reach(largest: float) -> int:
    """How far `Plan.opaque_to` looks around a pixel where no radius is larger than `largest`, in px."""
    return next((size for size in OPAQUE_PX if largest <= size), OPAQUE_PX[-1]) + 1


@dataclass(frozen=True, eq=False)
class Piece:
    """A part of the aperture: [C,n,n] raster, and its share of the light [C]."""

    raster: Tensor
    weight: Tensor


class Plan:
    """Bins and aperture of one picture.

    Args:
        variance: px^2 along an axis that the picture is blurred by already, or will be: every blur is narrower by it.

    Attributes:
        bins: the bins of radius, nearest first.
        positions: where each lies, in bins at bin_step 1 (what GROUP_GAP counts).
        sheets: the bins that are composited as one, nearest first: (first, one beyond the last).
        scales: bin i is blurred at 1/scales[i] of the resolution.
        radii: signed radius of bin i at that resolution.
        whole, pieces: the aperture as one piece, and cut up.
        colour: whether the aperture differs between the colour channels.
    """

    def __init__(self, kernel: Kernel, bins: Bins, quality: Quality, variance: float = 0.0) -> None:
        self.bins, self.quality = bins, quality
        self.positions = [p * quality.bin_step for p in bins.positions]
        self.whole = cut_aperture(kernel.raster, 1)
        self.pieces = cut_aperture(kernel.raster, quality.pieces)
        self.colour = kernel.raster.shape[0] == 3
        self.scales: list[int] = []
        self.radii: list[float] = []
        for c in bins.centres:
            r, s = abs(c), 1
            while r / s >= 2 * quality.resolution_px:
                s *= 2
            self.scales.append(s)
            # A disc of radius r has the variance r^2/4 along an axis. The tent that shrinks adds s^2/6, and the kernel's larger
            # pixels (s^2-1)/12: the radius gives that back.
            added = variance + (s * s / 6 + (s * s - 1) / 12 if s > 1 else 0.0)
            self.radii.append(math.copysign(math.sqrt(max(r * r - 4 * added, 0.0)) / s, c) if r > 0 else 0.0)
        self.reach = max(self.support(i) for i in range(len(bins.centres)))
        self.sheets: list[tuple[int, int]] = []
        for i in range(len(bins.centres)):
            if self.sheets and self._joins(self.sheets[-1][0], i):
                self.sheets[-1] = (self.sheets[-1][0], i + 1)
            else:
                self.sheets.append((i, i + 1))

    def _joins(self, first: int, i: int) -> bool:
        """Whether bin i is composited together with the nearer bin `first`."""
        alike = self.scales[i] == self.scales[first] and self.is_nearer(i) == self.is_nearer(first)
        blurred = not self.is_sharp(i) and not self.is_sharp(first) and self.is_cut(i) == self.is_cut(first)
        return alike and blurred and self.positions[i] - self.positions[first] <= self.quality.join

    def support(self, i: int) -> int:
        """How far bin i spreads, in full-resolution pixels."""
        s = self.scales[i]
        return 0 if self.is_sharp(i) else (math.ceil(abs(self.radii[i])) + (3 if s > 1 else 0)) * s

    def is_sharp(self, i: int) -> bool:
        """Whether the blur of bin i stays within its pixel."""
        return self.kernel_size(i) == 1

    def is_nearer(self, i: int) -> bool:
        """Whether bin i is blurred and nearer than the focus."""
        return self.bins.centres[i] < 0 and not self.is_sharp(i)

    def opaque_to(self, layers: Layers) -> Tensor:
        """[H,W] position behind which nothing shows at a pixel.

        A pixel shows what lies within its blur, and what is nearer. So where only one surface lies there, it hides all behind
        it, even if the blurred bins of a slope do not quite add up: without this, what lies behind would shine through them.
        """
        lies = layers.back[3] > 0
        if not bool(lies.any()):
            return torch.full_like(layers.front_radius, math.inf)
        mixed = (layers.front[3] < 1) & lies
        farthest = torch.where(mixed, torch.maximum(layers.front_radius, layers.back_radius), layers.front_radius)
        size, out = layers.front_radius.abs(), farthest
        largest = max(map(abs, self.bins.centres))
        reach, smaller = 0, 0.0
        for most in OPAQUE_PX:
            farthest = window_max(farthest, most + 1 - reach)
            out = torch.where(size > smaller, farthest, out) if smaller else farthest
            reach, smaller = most + 1, float(most)
            if largest <= most:
                break
        limit = bin_position(out).add_(GROUP_GAP)
        return limit.masked_fill_(size > smaller, math.inf)

    def kernel_size(self, i: int) -> int:
        """Odd side of bin i's blur at its resolution."""
        return psf.size_px(self.radii[i])

    def is_cut(self, i: int) -> bool:
        """Whether bin i is blurred through each piece of the aperture by itself; small blurs are not worth it."""
        return abs(self.bins.centres[i]) > CUT_PX

    def kernel(self, i: int, piece: Piece) -> Tensor:
        """[C,m,m] normalised blur of bin i through a piece, at the bin's resolution."""
        if not self.is_cut(i):
            (piece,) = self.whole
        return psf.rasterize(piece.raster, self.radii[i]) / piece.weight.view(-1, 1, 1)


def cut_aperture(raster: Tensor, count: int) -> list[Piece]:
    """Cut the aperture [C,n,n] into `count` pieces (see `Quality`); those that pass no light are left out."""
    side = math.isqrt(count)
    n = raster.shape[-1]
    cell = (torch.arange(n, device=raster.device) + 0.5) / n
    if side * side == count:
        index = (cell * side).long()[:, None] * side + (cell * side).long()[None]
    else:
        turn = torch.atan2(cell[:, None] - 0.5, cell[None] - 0.5) / (2 * math.pi) + 0.5
        index = (turn * count).long().clamp_max(count - 1)
    whole = Piece(raster, raster.sum((1, 2)))
    out: list[Piece] = []
    for i in range(count):
        piece = raster * (index == i)
        weight = piece.sum((1, 2))
        if bool((weight > 1e-6).all()):
            out.append(Piece(piece, weight))
        elif bool((weight > 1e-6).any()):  # a coloured aperture whose piece is dark in one channel only: do not cut it
            return [whole]
    if not out:
        return [whole]
    total = torch.stack([p.weight for p in out]).sum(0)
    return [Piece(p.raster, p.weight / total * whole.weight) for p in out]
