"""Operations on pictures and maps that more than one room needs. Foundation: torch only, nothing of the core above it.

Shapes are [..., H, W]; nothing here changes its arguments unless it says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

LEAST_WEIGHT = 1e-9
"""Weights are raised to this before they divide. A larger one darkens what is known by a few faint pixels only."""

LEAST_CELL_WEIGHT = 1e-6
"""The same for `fill_holes`, whose weights are shares of cells and never smaller unless they are 0."""

SMALLEST_FFT = 16
"""Least length that `reusable_fft_length` returns: transforms of shorter ones are no quicker."""

REUSABLE_SIXTEENTHS = (8, 9, 10, 12, 14, 16, 18)
"""Lengths of `reusable_fft_length` between a power of two and the next, in sixteenths of the latter. More of them pad less, but
spectra that are kept by length are then used less often."""

GAUSSIAN_REACH = 3.0
"""Where a normal distribution is cut, in standard deviations. A larger one changes less than a hundredth of its weight."""

RESIZES = ("cpu", "cuda")
"""Types of devices that resize in every way in every version of torch."""

SMOOTH_PRIMES = (2, 3, 5)
"""Prime factors of a length that transforms quickly."""


# ------------------------------------------------------------------------------------------------------------- windows


def _windowed(x: Tensor, radius_px: int, op: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """`op` over a square window, one axis after the other, each by windows of doubled width."""
    size, r = 2 * radius_px + 1, radius_px
    out = x.reshape(-1, 1, *x.shape[-2:])
    for dim, pad in ((-1, (r, r, 0, 0)), (-2, (0, 0, r, r))):
        out, width = F.pad(out, pad, mode="replicate"), 1
        while width < size:
            step = min(width, size - width)
            n = out.shape[dim] - step
            out = op(out.narrow(dim, 0, n), out.narrow(dim, step, n))
            width += step
    return out.view(x.shape)


def window_max(x: Tensor, radius_px: int) -> Tensor:
    """Maximum of [...,H,W] over the square window of side 2*radius_px+1 around each pixel (van Herk's idea, by doubling)."""
    return _windowed(x, radius_px, torch.maximum)


def window_min(x: Tensor, radius_px: int) -> Tensor:
    """Minimum of [...,H,W] over the square window of side 2*radius_px+1 around each pixel."""
    return _windowed(x, radius_px, torch.minimum)


def window_range(x: Tensor, radius_px: int) -> Tensor:
    """Maximum less minimum of [...,H,W] over the square window of side 2*radius_px+1 around each pixel."""
    return window_max(x, radius_px) - window_min(x, radius_px)


def box_mean(x: Tensor, side_px: int) -> Tensor:
    """Mean of [C,H,W] over square windows of an odd side; at the border over what lies inside the picture."""
    half = side_px // 2
    mean = F.avg_pool2d(x[None], (side_px, 1), 1, (half, 0), count_include_pad=False)
    return F.avg_pool2d(mean, (1, side_px), 1, (0, half), count_include_pad=False)[0]


# --------------------------------------------------------------------------------------------------------------- areas


def disc(x: float, y: float, radius: float, like: Tensor) -> Tensor:
    """[1,H,W] bool: pixels of `like` [...,H,W] whose centres lie within a disc, and the pixel that holds its middle.

    Args:
        x, y: its middle, in 0..1 of the width from the left and of the height from the top.
        radius: as a fraction of the long edge.
    """
    h, w = like.shape[-2:]
    row = torch.arange(h, device=like.device).view(-1, 1) + 0.5 - y * h
    column = torch.arange(w, device=like.device).view(1, -1) + 0.5 - x * w
    inside = column.square() + row.square() <= (radius * max(h, w)) ** 2
    inside[min(int(y * h), h - 1), min(int(x * w), w - 1)] = True
    return inside[None]


def fit_mask(mask: Tensor, height: int, width: int, name: str) -> Tensor:
    """A mask [B,h,w] at another size of the same shape: means where it shrinks, the nearest pixel where it grows.

    Raises:
        ValueError: if its aspect ratio is another one by more than the rounding of a resized picture's edge.
    """
    h, w = mask.shape[-2:]
    if (h, w) == (height, width):
        return mask
    if abs(w * height - h * width) > max(width, height, w, h) * 1.5:
        raise ValueError(
            f"The {name} ({w} x {h}) and the depth map ({width} x {height}) have different aspect ratios. "
            "Use a mask made on the same picture."
        )
    mode = "area" if h * w > height * width else "nearest-exact"
    return F.interpolate(mask[:, None], (height, width), mode=mode)[:, 0]


# -------------------------------------------------------------------------------------------------------- lists of pixels


def gaussian(x: Tensor, deviation_px: float) -> Tensor:
    """[B,H,W] blurred by a normal distribution; the picture goes on beyond its border as it ends."""
    reach = math.ceil(GAUSSIAN_REACH * deviation_px)
    at = torch.arange(-reach, reach + 1, dtype=x.dtype, device=x.device)
    weight = torch.exp(at.square() / (-2 * deviation_px**2))
    weight = weight / weight.sum()
    for _ in range(2):  # down, then across
        padded = F.pad(x[:, None], (0, 0, reach, reach), mode="replicate")
        x = F.conv2d(padded, weight.view(1, 1, -1, 1))[:, 0].transpose(1, 2)
    return x.contiguous()


def neighbour_pairs() -> list[tuple[tuple[slice, slice], tuple[slice, slice]]]:
    """Index pairs (here, there) of all horizontally and vertically adjacent pixels of [H,W], in both directions."""
    first, last, full = slice(None, -1), slice(1, None), slice(None)
    pairs = [((full, first), (full, last)), ((first, full), (last, full))]
    return pairs + [(q, p) for p, q in pairs]


def take(x: Tensor, index: Tensor) -> Tensor:
    """[...,*index.shape] values of x [...,n] at flat indices. (On a CPU several times as quick as indexing with a tensor.)"""
    return x.index_select(-1, index.flatten()).view(*x.shape[:-1], *index.shape)


def put(x: Tensor, index: Tensor, values: Tensor) -> None:
    """x [...,n] at flat indices [m] = values [...,m], in place; quicker than indexing with a tensor, too."""
    x.scatter_(-1, index.expand(values.shape), values)


def window_indices(index: Tensor, h: int, w: int, radius_px: int) -> tuple[Tensor, Tensor, Tensor]:
    """Square windows around listed pixels of a picture of h x w px, clamped to it.

    Args:
        index: [n,2] row and column of each.

    Returns:
        [n,k] flat indices, and the offsets [k] along y and x.
    """
    offsets = torch.arange(-radius_px, radius_px + 1, device=index.device)
    oy, ox = (o.flatten() for o in torch.meshgrid(offsets, offsets, indexing="ij"))
    rows, columns = (index[:, :1] + offsets).clamp_(0, h - 1).mul_(w), (index[:, 1:] + offsets).clamp_(0, w - 1)
    return (rows[:, :, None] + columns[:, None]).flatten(1), oy, ox


# ---------------------------------------------------------------------------------------------------------------- resizing


def resized(x: Tensor, size: tuple[int, int], mode: str = "bilinear", *, antialias: bool = True) -> Tensor:
    """[B,C,H,W] at another size (height, width).

    Computed on the CPU where the device may lack the operator: MPS gained bicubic and antialiased resizing late (torch 2.7).

    Args:
        mode: "bilinear" or "bicubic".
        antialias: whether all pixels count where it becomes smaller.
    """
    here = x if x.device.type in RESIZES else x.cpu().float()
    return F.interpolate(here, size, mode=mode, align_corners=False, antialias=antialias).to(x)


def magnified(x: Tensor, scale: float) -> Tensor:
    """[...,H,W] imaged `scale` times as large about the centre, in the same frame; beyond its border it goes on as it ends.

    Between pixels values are interpolated by Catmull-Rom splines, held within the two pixels beside, so that no light gets a dark
    rim.
    """
    return _magnified_along(_magnified_along(x, scale).mT, scale).mT.contiguous()


def _magnified_along(x: Tensor, scale: float) -> Tensor:
    """[...,n] the last axis magnified about its middle."""
    n = x.shape[-1]
    at = ((torch.arange(n, dtype=torch.float64) + 0.5 - n / 2) / scale + n / 2 - 0.5).clamp_(0, n - 1)
    low = at.long().clamp_max_(max(n - 2, 0))
    t = (at - low).to(x)

    def tap(step: int) -> Tensor:
        return x.index_select(-1, (low + step).clamp_(0, n - 1).to(x.device))

    before, a, b, after = (tap(step) for step in (-1, 0, 1, 2))
    cubic = a + 0.5 * t * (b - before + t * (2 * before - 5 * a + 4 * b - after + t * (3 * (a - b) + after - before)))
    return cubic.maximum(torch.minimum(a, b)).minimum(torch.maximum(a, b))


# ------------------------------------------------------------------------------------------------------- filling of holes


def push_pull(values: Tensor, weight: Tensor) -> Tensor:
    """Fill holes of [C,H,W] by a pyramid of weighted means (Gortler et al., SIGGRAPH 1996).

    Args:
        weight: [H,W] in 0..1, 0 in a hole.
    """
    return pull([torch.cat([values * weight, weight[None]])])


def pull(levels: list[Tensor]) -> Tensor:
    """[C,H,W] the first of `levels` with its holes filled from coarser ones, which are appended to `levels`.

    Args:
        levels: [C+1,H,W] weighted values and their weight in 0..1, finest first; see `weighted_level`.
    """
    while max(levels[-1].shape[1:]) > 1:
        levels.append(_halved(levels[-1]))
    filled = levels[-1][:-1] / levels[-1][-1:].clamp_min(LEAST_WEIGHT)
    for level in reversed(levels[:-1]):
        filled = torch.addcmul(level[:-1], 1 - level[-1:], doubled(filled, *level.shape[1:]))
    return filled


def weighted_level(total: Tensor) -> Tensor:
    """A level for `pull` from sums [C+1,H,W] of weighted values and weights over blocks: means, their weight 1 at most."""
    return total * (1 / total[-1:].clamp_min(LEAST_WEIGHT)).clamp_max_(1)


def _halved(level: Tensor) -> Tensor:
    """[C+1,H,W] a level at half the resolution; a mean of no weight stays a hole."""
    h, w = level.shape[1:]
    padded = F.pad(level, (0, w % 2, 0, h % 2)) if h % 2 or w % 2 else level
    return weighted_level(F.avg_pool2d(padded[None], 2, divisor_override=1)[0])


def doubled(x: Tensor, h: int, w: int) -> Tensor:
    """[C,h,w] twice the size of x [C,(h+1)//2,(w+1)//2], bilinear."""
    return F.interpolate(x[None], scale_factor=2, mode="bilinear", align_corners=False)[0, :, :h, :w]


def repeated(x: Tensor, h: int, w: int) -> Tensor:
    """[h,w] twice the size of x [(h+1)//2,(w+1)//2], each pixel repeated."""
    return x.repeat_interleave(2, 0).repeat_interleave(2, 1)[:h, :w]


def fill_holes(values: Tensor, weight: Tensor) -> Tensor:
    """Replace [C,H,W] where `weight` [1,H,W] is 0 by a smooth continuation of the rest: weighted means, coarse to fine.

    Unlike in `push_pull`, a pixel of any weight above 0 keeps its value.
    """
    cell = [min(n, 2) for n in values.shape[-2:]]  # a long and narrow picture goes on being halved along its length
    if max(cell) < 2 or bool((weight > 0).all()):
        return values
    coarse_weight = F.avg_pool2d(weight[None], cell, ceil_mode=True)[0]
    coarse = F.avg_pool2d((values * weight)[None], cell, ceil_mode=True)[0] / coarse_weight.clamp_min(LEAST_CELL_WEIGHT)
    coarse = fill_holes(coarse, (coarse_weight > 0).float())
    smooth = F.interpolate(coarse[None], size=values.shape[-2:], mode="bilinear", align_corners=False)[0]
    return torch.where(weight > 0, values, smooth)


# ----------------------------------------------------------------------------------------------------- tiles, transforms


def crossfade(pixels: slice, rise_px: float, fall_px: float, width_px: int, length: int, like: Tensor) -> Tensor:
    """[n] weights of `pixels` of an axis for one of the tiles that overlap on it.

    Weights rise from 0 at `rise_px` to 1 over `width_px`, and fall to 0 at `fall_px`; at an end of the axis (a start at or before
    0, a stop at or beyond `length`) they stay 1. Where one tile's fall is the next one's rise, they sum to 1.

    Args:
        rise_px, fall_px: coordinates of pixel edges, as `pixels`.
        like: gives device and dtype.
    """
    p = torch.arange(pixels.start, pixels.stop, device=like.device, dtype=like.dtype) + 0.5
    weight = torch.ones_like(p)
    if rise_px > 0:
        weight = weight * ((p - rise_px) / width_px).clamp(0, 1)
    if fall_px < length:
        weight = weight * ((fall_px - p) / width_px).clamp(0, 1)
    return weight


def fast_fft_length(n: int) -> int:
    """The next length at or above n that has no prime factors above 5."""
    while True:
        rest = n
        for prime in SMOOTH_PRIMES:
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return n
        n += 1


def reusable_fft_length(n: int) -> int:
    """A length at or above n that transforms quickly, one of few, so that spectra kept by length are used more than once."""
    if n <= SMALLEST_FFT:
        return SMALLEST_FFT
    unit = 1 << (n.bit_length() - 4)  # n lies in 8..16 units
    return next(unit * k for k in REUSABLE_SIXTEENTHS if unit * k >= n)
