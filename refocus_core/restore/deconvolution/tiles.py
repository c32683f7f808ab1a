"""A whole picture by its defocus map: tiles and bins, each solved within a window of what surrounds it.

window: what the box can tell from its surroundings (`CONTEXT_RADII` radii and `CONTEXT_PX` more)
+------------------------------+
|     box: pixels of the tile that the bin has a share of
|     +------------------+     |
|     |  tile ...........|..   |   tiles fade into each other over `BLEND_PX` on either side of their common edge
|     +------------------+     |
+------------------------------+
"""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ... import color, images, psf
from ...checks import check_image, check_map, check_number, match_batch, same_size
from ...optics import SHARP_RADIUS_PX
from ...progress import shares
from ...types import Kernel, Progress, Restored
from ..request import Request
from ..tiling import check_tile
from .bins import Bin, tent_weight, used_bins
from .noise import noise_level
from .solver import solve

log = logging.getLogger(__name__)

MISMATCH = (0.2, 0.5)
"""A pixel whose radius differs from the bin's by this fraction counts in full ... not at all. Wider limits use more of the photo,
and ring where the radius changes."""
MIN_SUPPORT = 0.25
"""Fraction of the surrounding pixels that must be of the radius in question; with fewer the result fades to the photo. A larger
one leaves more around depth edges as it is."""
MODEL_ERROR_PER_PX = 0.0015
"""sRGB units per px of radius. A map is never exact and its error grows with the radius: added to the noise as if it were noise.
A compromise: exact maps want less of it, maps that are wrong by 10 % and real photos a little more."""
MODEL_ERROR_MAX = 0.009
"""sRGB units, beyond which that error does not grow. A larger one smooths strong blur more."""
CLIP_LEVEL = 0.995
"""sRGB value from which a pixel of a picture without values above 1 counts as clipped by the sensor."""
UNCLIPPED_ABOVE = 1.001
"""sRGB value above which a picture holds highlights that were measured, so that nothing in it was clipped at 1."""
SYMMETRIC = 1e-3
"""Difference to its point mirror, relative to its peak, up to which an aperture counts as symmetric: then
front and back are solved as one."""
CONTEXT_RADII = 4
"""How far a window looks beyond its box, in radii: the blur reaches one, the inverse of the blur some more."""
CONTEXT_PX = 8
"""And so many px more."""
TILE_PX = 512
"""Side of a tile where none is given. Larger ones need more memory and compute less twice."""
BLEND_PX = 16
"""Neighbouring tiles fade into each other over twice this width. A wider blend hides the seam better and computes more twice."""


def run(request: Request) -> Restored:
    """`all_in_focus` by this method."""
    radius = request.radius_px()
    assert radius is not None  # `methods.choose` refuses it without a defocus map
    result = deconvolve(
        request.image,
        radius,
        kernel=request.kernel,
        strength=request.strength,
        noise=request.noise,
        tile_px=request.tile_px,
        progress=request.progress,
    )
    return Restored(result, radius.abs())


def _checked(image: Tensor, radius_px: Tensor, doubt: float | Sequence[float]) -> tuple[Tensor, Sequence[float]]:
    """Radii and doubt for each frame."""
    batch, _, h, w = check_image(image).shape
    radius_px = match_batch(same_size(check_map(radius_px, "radius_px"), h, w, "radius_px"), batch, "radius_px")
    doubts = [doubt] * batch if isinstance(doubt, int | float) else doubt
    if not isinstance(doubts, (list, tuple)) or len(doubts) != batch:
        raise ValueError(f"doubt must be a number, or one for each of the {batch} frames, got {doubt!r:.80}.")
    for value in doubts:
        _check_not_negative(value, "doubt")
    return radius_px, doubts


def _check_not_negative(value: float, name: str) -> None:
    check_number(value, name)
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{name} must be 0 or more and finite, got {value}.")


def deconvolve(
    image_srgb: Tensor,
    radius_px: Tensor,
    *,
    kernel: Kernel | None = None,
    strength: float = 1.0,
    noise: float | None = None,
    doubt: float | Sequence[float] = 1.0,
    tile_px: int | None = None,
    progress: Progress | None = None,
) -> Tensor:
    """Sharpen a photo by its defocus map.

    Args:
        image_srgb: [B,3,H,W] float32, sRGB-encoded, finite; values above 1 are light that was measured.
        radius_px: [B,H,W] float32, signed radius of the blur *in this photo* (see `types.DefocusMap`).
        kernel: the aperture that made the blur; None is a disc.
        strength: >= 0. 1 weighs sharpness against noise by the measured noise; above 1 sharper and noisier; below 1 the
            result is mixed with the photo in linear light, 0 is the photo.
        noise: standard deviation in sRGB units (0..1), or None to measure it in each frame.
        doubt: >= 0, how far the radii may be wrong, for all frames or for each: 1 for a map from depth (a tenth), 0 for exact
            ones.
        tile_px: side of the tiles that bound the memory; None chooses.
        progress: called after each iteration of each tile and bin.

    Returns:
        [B,3,H,W] float32, sRGB-encoded, not negative where it changed. Pixels of radius <= 0.5 px are the photo's, bit for bit.

    Raises:
        TypeError, ValueError: on a wrong picture, map or number; the message names it.
    """
    radius_px, doubts = _checked(image_srgb, radius_px, doubt)
    _check_not_negative(strength, "strength")
    if noise is not None:
        _check_not_negative(noise, "noise")
    tile_px = check_tile(tile_px, TILE_PX)
    if strength == 0:
        return image_srgb.clone()
    mirrored = kernel is not None and (kernel.near is not None or not _symmetric(kernel.raster))
    plans = [_plan(r, tile_px, mirrored) for r in radius_px]
    steps = iter(shares(progress, [_work(tile, bin_) for plan in plans for tile, bin_ in plan]))
    out = image_srgb.clone()
    for frame, plan in enumerate(plans):
        if not plan:
            continue
        image, radius = image_srgb[frame], radius_px[frame]
        sigma = noise_level(image, radius) if noise is None else noise
        log.debug("deconvolution: noise %.4f, %d tiles and bins", sigma, len(plan))
        photo = _Photo(color.srgb_to_linear(image), _clipped(image), radius)
        change = torch.zeros_like(photo.linear)
        for tile, bin_ in plan:
            blur = _point_spread(kernel, bin_.signed_radius_px).to(image)
            error = _error_level(sigma, bin_.radius_px, doubts[frame]) / max(strength, 1.0)
            step = next(steps)
            _add_bin(change, photo, tile, bin_, blur, error, step)
            step(1, 1)
        restored = color.linear_to_srgb(change.mul_(min(strength, 1.0)).add_(photo.linear).clamp_min_(0))
        out[frame] = torch.where((radius.abs() <= SHARP_RADIUS_PX)[None], image, restored)
    return out


@dataclass(frozen=True, eq=False)
class _Photo:
    """One frame: linear light [3,H,W], where it is a lower bound [3,H,W], signed radii [H,W]."""

    linear: Tensor
    clipped: Tensor
    radius: Tensor


@dataclass(frozen=True)
class _Box:
    """Rows top..bottom-1 and columns left..right-1."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def area(self) -> tuple[slice, slice]:
        """Index of these pixels in [...,H,W]."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def grown(self, by_px: int, height: int, width: int) -> _Box:
        """Larger on every side, within a picture of that size."""
        top, bottom = max(self.top - by_px, 0), min(self.bottom + by_px, height)
        return _Box(top, bottom, max(self.left - by_px, 0), min(self.right + by_px, width))

    def within(self, outer: _Box) -> tuple[slice, slice]:
        """Index of these pixels in what was cut out by `outer`."""
        rows = slice(self.top - outer.top, self.bottom - outer.top)
        return rows, slice(self.left - outer.left, self.right - outer.left)


def _symmetric(raster: Tensor) -> bool:
    return bool(((raster - raster.flip(-2, -1)).abs().max() <= SYMMETRIC * raster.max()).item())


def _clipped(image: Tensor) -> Tensor:
    """[3,H,W], where a frame's sensor clipped."""
    if float(image.max()) <= UNCLIPPED_ABOVE:
        return image >= CLIP_LEVEL
    return torch.zeros_like(image, dtype=torch.bool)


def _point_spread(kernel: Kernel | None, signed_radius_px: float) -> Tensor:
    return psf.disc(signed_radius_px) if kernel is None else psf.rasterize(kernel.side(signed_radius_px), signed_radius_px)


def _error_level(sigma: float, radius_px: float, doubt: float) -> float:
    """Noise and what a wrong radius makes, in sRGB units."""
    return math.hypot(sigma, doubt * min(MODEL_ERROR_PER_PX * radius_px, MODEL_ERROR_MAX))


def _plan(radius: Tensor, tile_px: int, mirrored: bool) -> list[tuple[_Box, Bin]]:
    """The tiles and bins of a frame [H,W] that have any pixel to give."""
    h, w = radius.shape
    bins = used_bins(radius, mirrored)
    jobs: list[tuple[_Box, Bin]] = []
    for (top, bottom), (left, right) in itertools.product(_steps(h, tile_px), _steps(w, tile_px)):
        tile = _Box(top, bottom, left, right)
        part = radius[tile.grown(BLEND_PX, h, w).area]
        jobs += [(tile, b) for b in bins if bool((tent_weight(part, b) > 0).any())]
    return jobs


def _work(box: _Box, bin_: Bin) -> float:
    """What a box and bin of a plan take, in proportion: pixels with their surroundings."""
    around = 2 * (CONTEXT_RADII * bin_.radius_px + CONTEXT_PX)
    return (box.bottom - box.top + around) * (box.right - box.left + around)


def _steps(length: int, tile_px: int) -> list[tuple[int, int]]:
    n = math.ceil(length / tile_px)
    edges = [round(i * length / n) for i in range(n + 1)]
    return list(itertools.pairwise(edges))


def _add_bin(change: Tensor, photo: _Photo, tile: _Box, bin_: Bin, blur: Tensor, sigma: float, progress: Progress) -> None:
    """Add this bin's share of (result - photo) to `change` [3,H,W], in linear light."""
    h, w = photo.radius.shape
    box, share = _share(photo.radius, tile, bin_)
    if box is None:
        return
    window = box.grown(math.ceil(CONTEXT_RADII * bin_.radius_px) + CONTEXT_PX, h, w)
    inner = box.within(window)
    trust = _trust(photo.radius[window.area], bin_)
    # With hardly any pixel around that tells of this blur, the photo is a better guess than a continuation of nothing.
    support = images.box_mean(trust[None], 2 * math.ceil(bin_.radius_px) + 1)[0]
    share = share * (support[inner] / MIN_SUPPORT).clamp(0, 1)
    x = solve(photo.linear[(..., *window.area)], trust, photo.clipped[(..., *window.area)], blur, sigma, progress=progress)
    difference = x[(..., *inner)] - photo.linear[(..., *box.area)]
    # How light is spread inside a clipped area is not in the data: no hole may open there.
    difference = torch.where(photo.clipped[(..., *box.area)], difference.clamp_min(0), difference)
    change[(..., *box.area)] += share * difference


def _share(radius: Tensor, tile: _Box, bin_: Bin) -> tuple[_Box | None, Tensor]:
    """The smallest box of a tile that holds all pixels of a bin, and how much each takes of the bin's result [h,w]."""
    h, w = radius.shape
    whole = tile.grown(BLEND_PX, h, w)
    weight = tent_weight(radius[whole.area], bin_)
    rows, columns = (weight > 0).any(1).nonzero(), (weight > 0).any(0).nonzero()
    if rows.numel() == 0:
        return None, weight
    box = _Box(
        whole.top + int(rows[0]), whole.top + int(rows[-1]) + 1, whole.left + int(columns[0]), whole.left + int(columns[-1]) + 1
    )
    weight = tent_weight(radius[box.area], bin_)
    fade_y, fade_x = (
        images.crossfade(pixels, start - BLEND_PX, end + BLEND_PX, 2 * BLEND_PX, length, weight)
        for pixels, start, end, length in zip(box.area, (tile.top, tile.left), (tile.bottom, tile.right), (h, w), strict=True)
    )
    return box, weight * fade_y[:, None] * fade_x[None]


def _trust(radius: Tensor, bin_: Bin) -> Tensor:
    """[h,w] in 0..1, how far each pixel of a window is a witness of this bin's blur."""
    mismatch = (radius.abs() - bin_.radius_px).abs() / bin_.radius_px
    trust = ((MISMATCH[1] - mismatch) / (MISMATCH[1] - MISMATCH[0])).clamp(0, 1)
    if bin_.side:
        trust = trust * (radius * bin_.side >= 0)
    return trust * _unmixed(radius, bin_.radius_px)


def _unmixed(radius: Tensor, radius_px: float) -> Tensor:
    """[h,w], 0 where a blurred surface in front of the focal plane lets the sharper one behind it show through its soft edge.

    There the photo is a mixture that no single blur explains; the pixels do not count, and the result is continued into them.
    """
    if float(radius.min()) > -SHARP_RADIUS_PX:
        return torch.ones_like(radius)
    behind = (radius > -(1 - MISMATCH[1]) * radius_px).float()
    seen_behind = images.window_max(behind, math.ceil(radius_px))
    return 1 - min(max(radius_px - 1, 0.0), 1.0) * seen_behind * (radius < 0)
