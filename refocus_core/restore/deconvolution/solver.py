"""Non-blind deconvolution whose blur changes from pixel to pixel, driven by a defocus map of the photo.

Light that a lens spreads over a disc is gathered again in linear light. The radii of the map are sorted into bins; for each bin
the picture that explains the pixels of about that radius is sought, and the results are blended by radius. For one bin it is

    min_x  1/2 sum_p w_p ((k * x)_p - y_p)^2  +  lambda * sum_p |grad x_p|,    lambda ~ noise level^1.5

where |grad x| is taken over both directions and all three colours at once (edges of the colours coincide), and w_p is

    0   outside the picture: what lies there is unknown and found along with the rest, so nothing rings at the border
    0   where the radius is another one: the sharp subject does not ring into the blurred background behind it. A pixel beside a
        subject in focus sees the whole background through the lens, also the part that the subject hides, so this is exact there
    one-sided where the sensor clipped: there the light was this much *or more*, and nothing becomes darker
    small where no picture explains the pixel, as the iterations find out: a hair in focus that the map does not know, a radius
    that is wrong. There the photo stays, and its surroundings do not ring (iteratively reweighted least squares with the
    weights of Geman & McClure, 1987)

The minimum is found by the alternating direction method of multipliers with the splittings v = k * x and d = grad x, which keep w
out of the Fourier domain: Almeida & Figueiredo, "Deconvolving images with unknown boundaries using the alternating direction
method of multipliers", IEEE TIP 2013. The total variation is that of Rudin, Osher & Fatemi (1992), over colours as in Bresson &
Chan (2008).
"""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ... import color, psf
from ...optics import SHARP_RADIUS_PX
from ...types import Kernel, Progress

log = logging.getLogger(__name__)

FIRST_RADIUS_PX = 0.75
"""Radius of the first bin; from `SHARP_RADIUS_PX` up to it the result fades in."""
BIN_RATIO = 1.25
"""Radii of neighbouring bins. Finer bins measure no better: each is solved at the mean radius of its pixels."""
MERGE_RATIO = 1.04
"""Neighbouring bins whose pixels have mean radii closer than this are solved as one."""
MISMATCH = (0.2, 0.5)
"""A pixel whose radius differs from the bin's by this fraction counts in full ... not at all."""
NOISE_FLOOR = 0.002
"""sRGB units. Less noise than half an 8-bit step is never claimed: the model of the blur is not that good."""
MIN_SUPPORT = 0.25
"""Fraction of the surrounding pixels that must be of the radius in question; with fewer the result fades to the photo."""
MODEL_ERROR_PER_PX = 0.0015
MODEL_ERROR_MAX = 0.009
"""sRGB units. A map is never exact and its error grows with the radius: added to the noise as if it were noise. A compromise:
exact maps want less of it, maps that are wrong by 10 % and real photos a little more."""
CLIP_LEVEL = 0.995
"""sRGB value from which a pixel of a picture without values above 1 counts as clipped by the sensor."""
REGULARISATION = 0.6
"""Times the noise level to the power of 1.5: measured to be near the best for noise from 0.002 to 0.02 and radii from 2 to 8 px.
The level itself would smooth clean photos by far too much, its square noisy ones."""
ITERATIONS = 20
DATA_PENALTY = 0.3
GRADIENT_PENALTY = 0.012
POSITIVE_PENALTY = 0.01
RELAXATION = 1.7
OUTLIER_SRGB, OUTLIER_NOISE = 0.03, 6.0
"""A pixel that is off by this, or by so many times the noise level, counts a quarter."""
EXPLAINED = (0.5, 0.85)
"""Share of the pixels around, over the width of the blur, that must be explained: below the first the photo stays."""
FIRST_REWEIGHTED, REWEIGHTED_EVERY = 3, 2
"""Iterations in which pixels are weighted anew: before that nothing is explained yet."""
TILE_PX = 512
BLEND_PX = 16
"""Neighbouring tiles fade into each other over twice this width."""


def noise_level(image_srgb: Tensor, radius_px: Tensor | None = None) -> float:
    """Standard deviation of the noise of one frame in sRGB units (0..1).

    The median magnitude of a second-difference filter that is blind to slopes (Immerkaer, "Fast noise variance estimation",
    CVIU 1996), over blurred pixels where there are enough of them: what is left there at the finest scale is noise.

    Args:
        image_srgb: [3,H,W].
        radius_px: [H,W], signed or not.
    """
    h, w = image_srgb.shape[-2:]
    if h < 3 or w < 3:
        return NOISE_FLOOR
    d = torch.tensor([1.0, -2.0, 1.0], device=image_srgb.device)
    response = F.conv2d(image_srgb[:, None], (d[:, None] * d[None])[None, None])[:, 0].abs() / 6.0
    middle = image_srgb[:, 1:-1, 1:-1]
    usable = (middle > 0.02) & (middle < 0.98)
    if radius_px is not None:
        blurred = usable & (radius_px[None, 1:-1, 1:-1].abs() > 1.5)
        if int(blurred.sum()) >= 1000:
            usable = blurred
    if int(usable.sum()) < 20:
        return NOISE_FLOOR
    return max(1.4826 * float(response[usable].median()), NOISE_FLOOR)


@dataclass(frozen=True)
class _Bin:
    """Radii solved as one. Their share is 1 between `full_from_px` and `full_to_px`, 0 outside `above_px` and `below_px`."""

    above_px: float
    full_from_px: float
    full_to_px: float
    below_px: float
    side: int
    """+1 behind the focal plane, -1 in front of it, 0 both"""
    radius_px: float = 0.0
    """Mean radius of the frame's pixels in the bin, by share."""
    total: float = 0.0
    """Sum of the shares."""


_Tile = tuple[int, int, int, int]
"""[top, bottom) x [left, right)"""


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
        progress: called after each tile and bin.

    Returns:
        [B,3,H,W] float32, sRGB-encoded, not negative where it changed. Pixels of radius <= 0.5 px are the photo's, bit for bit.
    """
    if strength == 0:
        return image_srgb.clone()
    tile = TILE_PX if tile_px is None else tile_px
    mirrored = kernel is not None and not _symmetric(kernel.raster)
    plans = [_plan(r, tile, mirrored) for r in radius_px]
    total, done = sum(len(p) for p in plans), 0
    out = image_srgb.clone()
    doubts = [doubt] * len(plans) if isinstance(doubt, int | float) else doubt
    for frame, (image, radius, plan, wrong) in enumerate(zip(image_srgb, radius_px, plans, doubts, strict=True)):
        if not plan:
            continue
        sigma = noise_level(image, radius) if noise is None else noise
        log.debug("deconvolution: noise %.4f, %d tiles and bins", sigma, len(plan))
        linear = color.srgb_to_linear(image)
        # A picture that holds values above 1 was not clipped at 1.
        clipped = image >= CLIP_LEVEL if float(image.max()) <= 1.001 else torch.zeros_like(image, dtype=torch.bool)
        change = torch.zeros_like(linear)
        for tile_box, bin_ in plan:
            signed = -bin_.radius_px if bin_.side < 0 else bin_.radius_px
            level = math.hypot(sigma, wrong * min(MODEL_ERROR_PER_PX * bin_.radius_px, MODEL_ERROR_MAX))
            spot = (psf.disc(signed) if kernel is None else psf.rasterize(kernel.raster, signed)).to(image)
            _solve_into(change, linear, clipped, radius, tile_box, bin_, spot, level / max(strength, 1.0))
            done += 1
            if progress is not None:
                progress(done, total)
        restored = color.linear_to_srgb(change.mul_(min(strength, 1.0)).add_(linear).clamp_min_(0))
        out[frame] = torch.where((radius.abs() <= SHARP_RADIUS_PX)[None], image, restored)
    return out


def _symmetric(raster: Tensor) -> bool:
    return bool(((raster - raster.flip(-2, -1)).abs().max() <= 1e-3 * raster.max()).item())


def _scale(largest_px: float) -> list[tuple[float, float, float]]:
    """(where its share starts, where it is full, where it ends), on one fixed scale so that no frame depends on another."""
    count = max(math.ceil(math.log(max(largest_px, FIRST_RADIUS_PX) / FIRST_RADIUS_PX) / math.log(BIN_RATIO)), 0) + 1
    radii = [SHARP_RADIUS_PX, *(FIRST_RADIUS_PX * BIN_RATIO**i for i in range(count + 1))]
    return list(zip(radii, radii[1:], radii[2:], strict=False))


def _share(radius: Tensor, bin_: _Bin) -> Tensor:
    """How much of the result comes from this bin: a hat over the logarithm of the radius; the hats of all bins sum to 1."""
    size = radius.abs().clamp_min(1e-6)
    up = (size / bin_.above_px).log() / math.log(bin_.full_from_px / bin_.above_px)
    down = (bin_.below_px / size).log() / math.log(bin_.below_px / bin_.full_to_px)
    share = torch.minimum(up, down).clamp(0, 1)
    return share if bin_.side == 0 else share * (radius * bin_.side > 0)


def _steps(length: int, tile: int) -> list[tuple[int, int]]:
    n = math.ceil(length / tile)
    edges = [round(i * length / n) for i in range(n + 1)]
    return list(itertools.pairwise(edges))


def _used_bins(radius: Tensor, mirrored: bool) -> list[_Bin]:
    """The bins that a frame [H,W] needs; neighbours whose pixels are of nearly the same radius are merged."""
    largest = float(radius.abs().max())
    if largest <= SHARP_RADIUS_PX:
        return []
    used: list[_Bin] = []
    for side in (1, -1) if mirrored else (0,):
        adjacent = False
        for above, full, below in _scale(largest):
            bin_ = _Bin(above, full, full, below, side)
            share = _share(radius, bin_)
            total = float(share.sum(dtype=torch.float64))
            if total == 0:
                adjacent = False
                continue
            bin_ = replace(bin_, radius_px=float(share.mul_(radius.abs()).sum(dtype=torch.float64)) / total, total=total)
            if adjacent and bin_.radius_px < used[-1].radius_px * MERGE_RATIO:
                last = used.pop()
                total += last.total
                mean = (last.radius_px * last.total + bin_.radius_px * bin_.total) / total
                bin_ = replace(bin_, above_px=last.above_px, full_from_px=last.full_from_px, radius_px=mean, total=total)
            used.append(bin_)
            adjacent = True
    return used


def _plan(radius: Tensor, tile: int, mirrored: bool) -> list[tuple[_Tile, _Bin]]:
    """The tiles and bins of a frame [H,W] that have any pixel to give."""
    h, w = radius.shape
    bins = _used_bins(radius, mirrored)
    jobs: list[tuple[_Tile, _Bin]] = []
    for (top, bottom), (left, right) in itertools.product(_steps(h, tile), _steps(w, tile)):
        part = radius[max(top - BLEND_PX, 0) : bottom + BLEND_PX, max(left - BLEND_PX, 0) : right + BLEND_PX]
        jobs += [((top, bottom, left, right), b) for b in bins if bool((_share(part, b) > 0).any())]
    return jobs


def _fade(start: int, end: int, length: int, lo: int, hi: int, like: Tensor) -> Tensor:
    """Weights of the pixels lo..hi-1 for the tile start..end: neighbouring tiles' weights sum to 1 everywhere."""
    p = torch.arange(lo, hi, device=like.device, dtype=like.dtype) + 0.5
    one = torch.ones_like(p)
    rise = one if start == 0 else ((p - start) / (2 * BLEND_PX) + 0.5).clamp(0, 1)
    fall = one if end == length else ((end - p) / (2 * BLEND_PX) + 0.5).clamp(0, 1)
    return rise * fall


def _solve_into(
    change: Tensor, linear: Tensor, clipped: Tensor, radius: Tensor, tile: _Tile, bin_: _Bin, kernel: Tensor, sigma: float
) -> None:
    """Add this bin's share of (result - photo) to `change` [3,H,W], in linear light."""
    h, w = radius.shape
    top, bottom, left, right = tile
    y0, y1 = max(top - BLEND_PX, 0), min(bottom + BLEND_PX, h)
    x0, x1 = max(left - BLEND_PX, 0), min(right + BLEND_PX, w)
    share = _share(radius[y0:y1, x0:x1], bin_)
    rows, cols = (share > 0).any(1).nonzero(), (share > 0).any(0).nonzero()
    if rows.numel() == 0:
        return
    y0, y1 = y0 + int(rows[0]), y0 + int(rows[-1]) + 1
    x0, x1 = x0 + int(cols[0]), x0 + int(cols[-1]) + 1
    share = _share(radius[y0:y1, x0:x1], bin_)
    share = share * _fade(top, bottom, h, y0, y1, share)[:, None] * _fade(left, right, w, x0, x1, share)[None]

    # What this box can tell from its surroundings: the blur reaches r, and the inverse of the blur some radii farther.
    context = math.ceil(4 * bin_.radius_px) + 8
    a, b, c, d = max(y0 - context, 0), min(y1 + context, h), max(x0 - context, 0), min(x1 + context, w)
    near = radius[a:b, c:d]
    mismatch = (near.abs() - bin_.radius_px).abs() / bin_.radius_px
    trust = ((MISMATCH[1] - mismatch) / (MISMATCH[1] - MISMATCH[0])).clamp(0, 1)
    if bin_.side:
        trust = trust * (near * bin_.side >= 0)
    trust = trust * _unmixed(near, bin_.radius_px)
    # With hardly any pixel around that tells of this blur, the photo is a better guess than a continuation of nothing.
    window = 2 * math.ceil(bin_.radius_px) + 1
    support = _around(trust[None], window)[0]
    share = share * (support[y0 - a : y1 - a, x0 - c : x1 - c] / MIN_SUPPORT).clamp(0, 1)
    x = _solve(linear[:, a:b, c:d], trust, clipped[:, a:b, c:d], kernel, sigma)
    inner = x[:, y0 - a : y1 - a, x0 - c : x1 - c] - linear[:, y0:y1, x0:x1]
    # How light is spread inside a clipped area is not in the data: no hole may open there.
    inner = torch.where(clipped[:, y0:y1, x0:x1], inner.clamp_min(0), inner)
    change[:, y0:y1, x0:x1] += share * inner


def _unmixed(radius: Tensor, radius_px: float) -> Tensor:
    """[h,w], 0 where a blurred surface in front of the focal plane lets the sharper one behind it show through its soft edge.

    There the photo is a mixture that no single blur explains; the pixels do not count, and the result is continued into them.
    """
    if float(radius.min()) > -SHARP_RADIUS_PX:
        return torch.ones_like(radius)
    behind = (radius > -(1 - MISMATCH[1]) * radius_px).float()[None, None]
    reach = math.ceil(radius_px)
    spread = F.max_pool2d(F.max_pool2d(behind, (2 * reach + 1, 1), 1, (reach, 0)), (1, 2 * reach + 1), 1, (0, reach))[0, 0]
    return 1 - min(max(radius_px - 1, 0.0), 1.0) * spread * (radius < 0)


def _around(values: Tensor, window: int) -> Tensor:
    """Mean of [C,h,w] over windows of an odd side; less at the border."""
    mean = F.avg_pool2d(values[None], (window, 1), 1, (window // 2, 0), count_include_pad=False)
    return F.avg_pool2d(mean, (1, window), 1, (0, window // 2), count_include_pad=False)[0]


def _fast_length(n: int) -> int:
    """The next length at or above n without prime factors above 5."""
    while True:
        m = n
        for p in (2, 3, 5):
            while m % p == 0:
                m //= p
        if m == 1:
            return n
        n += 1


def _fill(values: Tensor, weight: Tensor) -> Tensor:
    """Replace [C,H,W] where `weight` [1,H,W] is 0 by a smooth continuation of the rest (weighted averages, coarse to fine)."""
    if min(values.shape[-2:]) < 2 or bool((weight > 0).all()):
        return values
    coarse_weight = F.avg_pool2d(weight[None], 2, ceil_mode=True)[0]
    coarse = F.avg_pool2d((values * weight)[None], 2, ceil_mode=True)[0] / coarse_weight.clamp_min(1e-6)
    coarse = _fill(coarse, (coarse_weight > 0).float())
    smooth = F.interpolate(coarse[None], size=values.shape[-2:], mode="bilinear", align_corners=False)[0]
    return torch.where(weight > 0, values, smooth)


def _solve(y: Tensor, trust: Tensor, clipped: Tensor, kernel: Tensor, sigma: float) -> Tensor:
    """Minimise the functional of the module's docstring for one radius.

    Args:
        y: [3,h,w] linear light.
        trust: [h,w] in 0..1, the weight of the pixels.
        clipped: [3,h,w] bool, where y is a lower bound.
        kernel: [1 or 3,m,m], sum 1, m odd.
        sigma: noise level, sRGB units.

    Returns:
        [3,h,w] the picture, and y where it explains nothing.
    """
    h, w = y.shape[-2:]
    m = kernel.shape[-1]
    # An unknown band so wide that opposite borders do not meet through the periodic Fourier transform.
    gap = m + 1
    height, width = _fast_length(h + gap), _fast_length(w + gap)
    top, left = (height - h) // 2, (width - w) // 2
    pad = (left, width - w - left, top, height - h - top)
    weight = F.pad(trust[None], pad)
    y = _fill(F.pad(y, pad), weight)
    clipped = F.pad(clipped, pad)

    transfer = torch.zeros(kernel.shape[0], height, width, device=y.device)
    transfer[:, :m, :m] = kernel
    transfer = torch.fft.rfft2(transfer.roll((-(m // 2), -(m // 2)), (-2, -1)))
    freq_y = torch.arange(height, device=y.device)[:, None] * (2 * math.pi / height)
    freq_x = torch.arange(transfer.shape[-1], device=y.device)[None] * (2 * math.pi / width)
    laplacian = 4 - 2 * freq_y.cos() - 2 * freq_x.cos()
    inverse = 1 / (DATA_PENALTY * transfer.abs().square() + GRADIENT_PENALTY * laplacian + POSITIVE_PENALTY)
    from_data = DATA_PENALTY * transfer.conj() * inverse
    seen, new = weight * y / (weight + DATA_PENALTY), DATA_PENALTY / (weight + DATA_PENALTY)
    threshold = REGULARISATION * sigma**1.5 / GRADIENT_PENALTY * math.sqrt(3)
    any_clipped = bool(clipped.any())
    # A difference of light, in units of the largest that noise would make of it there.
    unit = y.clamp(1e-3, 1).pow(1 / 2.2 - 1).mul_(1 / 2.2 / max(OUTLIER_SRGB, OUTLIER_NOISE * sigma))
    explained = torch.ones_like(weight)

    # In place: the time goes into memory traffic.
    v, v_dual = y.clone(), torch.zeros_like(y)
    d = _gradient(y)
    d_dual = torch.zeros_like(d)
    positive, positive_dual = y.clone(), torch.zeros_like(y)
    x = y
    for i in range(ITERATIONS):
        prior = _gradient_adjoint(d.sub_(d_dual)).mul_(GRADIENT_PENALTY)
        prior.add_(positive.sub_(positive_dual), alpha=POSITIVE_PENALTY)
        spectrum = torch.fft.rfft2(prior).mul_(inverse)
        spectrum.add_(torch.fft.rfft2(v - v_dual).mul_(from_data))
        x = _picture(spectrum, width)
        z = _picture(spectrum.mul_(transfer), width)
        if i >= FIRST_REWEIGHTED and (i - FIRST_REWEIGHTED) % REWEIGHTED_EVERY == 0:
            off = z - y
            if any_clipped:
                off = torch.where(clipped, off.clamp_max(0), off)
            explained = off.mul_(unit).square_().amax(0, keepdim=True).add_(1).square_().reciprocal_()
            heard = weight * explained
            seen, new = heard * y / (heard + DATA_PENALTY), DATA_PENALTY / (heard + DATA_PENALTY)
        z.mul_(RELAXATION).add_(v, alpha=1 - RELAXATION).add_(v_dual)
        v = torch.addcmul(seen, z, new)
        if any_clipped:
            v = torch.where(clipped & (z > y), z, v)
        v_dual = z.sub_(v)
        # `d` and `positive` lack their duals already: (1 - a) d + dual = (1 - a) (d - dual) + (2 - a) dual
        z = _gradient(x).mul_(RELAXATION).add_(d, alpha=1 - RELAXATION).add_(d_dual, alpha=2 - RELAXATION)
        length = z[0, 0].square()
        for part in z.flatten(0, 1)[1:]:
            length.addcmul_(part, part)
        length.sqrt_()
        d = z * (1 - threshold / length.clamp_min_(1e-12)).clamp_min_(0)
        d_dual = z.sub_(d)
        z = (x * RELAXATION).add_(positive, alpha=1 - RELAXATION).add_(positive_dual, alpha=2 - RELAXATION)
        positive = z.clamp_min(0)
        positive_dual = z.sub_(positive)
    # Between many such pixels little is known, however well the rest is explained.
    share = _around(weight * explained, m) / _around(weight, m).clamp_min(1e-6)
    explained = explained.minimum(_around(explained, 3))
    explained *= ((share - EXPLAINED[0]) / (EXPLAINED[1] - EXPLAINED[0])).clamp_(0, 1)
    x = torch.lerp(x, y, weight * (1 - explained))
    return x[:, top : top + h, left : left + w]


def _picture(spectrum: Tensor, width: int) -> Tensor:
    """`torch.fft.irfft2`, which is slower at both axes at once."""
    return torch.fft.irfft(torch.fft.ifft(spectrum, dim=-2), n=width)


def _gradient(x: Tensor) -> Tensor:
    """Forward differences on the torus: [C,H,W] -> [2,C,H,W]."""
    return torch.stack([x.roll(-1, -1), x.roll(-1, -2)]).sub_(x)


def _gradient_adjoint(d: Tensor) -> Tensor:
    """The adjoint of `_gradient`: [2,C,H,W] -> [C,H,W]."""
    return d[0].roll(1, -1).sub_(d[0]).add_(d[1].roll(1, -2)).sub_(d[1])
