"""K of a real photo without usable EXIF, by comparing it with renders: K* = argmax_K SSIM(render(sharp, K), real).

For aperture series (one scene, several f-numbers): the frame of the smallest aperture is the sharp picture. Frames are moved by
part pixels and matched in exposure first: refocusing and stopping down shift a real picture by a little.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from ... import bokeh
from ...color import linear_to_srgb
from ...optics import BlurLaw
from ...types import DefocusMap, Kernel
from .measure import exposure_between, shift_between, shifted, ssim

_WORSE_POINTS = 3
"""Points of the grid, one after the other, that are worse than the best: beyond them nothing is searched, as the larger the blur
is, the longer it takes."""


@dataclass(frozen=True)
class GainFit:
    """Result of a search.

    Attributes:
        gain_px: the best K, in px per unit of disparity at the picture's own size.
        ssim: of the render with it; `ssim_sharp` that of the sharp picture itself (K = 0).
        curve: (K, SSIM) of everything that was tried, by K.
        accepted: whether `ssim` reaches the threshold and the maximum lies inside the range.
        why: why not, or "".
    """

    gain_px: float
    ssim: float
    ssim_sharp: float
    curve: tuple[tuple[float, float], ...]
    accepted: bool
    why: str = ""


def maximise(
    score: Callable[[float], float], bounds: tuple[float, float], *, coarse: int = 9, tolerance: float = 0.01
) -> tuple[float, float, tuple[tuple[float, float], ...]]:
    """The number above 0 with the best score: a geometric grid from the small end, then a golden-section search around its best.

    Args:
        score: of a number; asked once for each.
        bounds: where to search.
        coarse: points of the grid. It ends early after three that are worse than the best.
        tolerance: relative width of the interval at which the search ends; from 1 on, the grid is all there is.

    Returns:
        The number, its score, and all (number, score) that were tried, by number.
    """
    tried: dict[float, float] = {}

    def at(log_number: float) -> float:
        number = math.exp(log_number)
        if number not in tried:
            tried[number] = score(number)
        return tried[number]

    low, high = (math.log(b) for b in bounds)
    grid = [low + i * (high - low) / (coarse - 1) for i in range(coarse)]
    best = 0
    for i in range(1, coarse):
        if at(grid[i]) > at(grid[best]):
            best = i
        elif i - best == _WORSE_POINTS:
            break
    if tolerance < 1:
        _golden_section(at, grid[max(best - 1, 0)], grid[min(best + 1, coarse - 1)], tolerance)
    number, value = max(tried.items(), key=lambda item: item[1])
    return number, value, tuple(sorted(tried.items()))


def _golden_section(at: Callable[[float], float], a: float, b: float, tolerance: float) -> None:
    """Ask for numbers between a and b, ever closer to where they are largest (Kiefer 1953)."""
    ratio = (math.sqrt(5) - 1) / 2
    c, d = b - ratio * (b - a), a + ratio * (b - a)
    while b - a > tolerance:
        if at(c) >= at(d):
            b, d = d, c
            c = b - ratio * (b - a)
        else:
            a, c = c, d
            d = a + ratio * (b - a)


def search_gain(
    sharp_linear: Tensor,
    disparity: Tensor,
    focus_disparity: float,
    real_linear: Tensor,
    *,
    kernel: Kernel | None = None,
    radius_px: tuple[float, float] = (0.5, 60.0),
    threshold: float = 0.85,
    coarse: int = 9,
    tolerance: float = 0.01,
    quality: str = "normal",
) -> GainFit:
    """K by a geometric grid and then a golden-section search around its best point.

    Args:
        sharp_linear, real_linear: [3,H,W], aligned and of equal exposure (see `align`).
        disparity: [H,W].
        focus_disparity: in the same unit.
        kernel: of the lens; None is a circle.
        radius_px: largest radius in the picture at the ends of the search.
        threshold: smallest SSIM that is accepted (that of the paper is not published; this one is ours).
        coarse: points of the grid.
        tolerance: relative width of the interval at which the search ends.
        quality: of the renderer.

    Raises:
        ValueError: if everything lies in the focal plane.
    """
    spread = float((disparity - focus_disparity).abs().max())
    if spread == 0:
        raise ValueError("All of the picture lies in the focal plane, so that no K blurs anything.")
    target = linear_to_srgb(real_linear).clamp(0, 1)
    cache = bokeh.SurfaceCache()
    ones = disparity.new_ones(1)

    def score(k: float) -> float:
        defocus_map = DefocusMap.from_law(disparity[None], BlurLaw.thin_lens(ones * k, ones * focus_disparity))
        out = bokeh.render(sharp_linear[None], defocus_map, kernel, quality=quality, cache=cache)[0]
        return ssim(linear_to_srgb(out).clamp(0, 1), target)

    k, value, curve = maximise(score, (radius_px[0] / spread, radius_px[1] / spread), coarse=coarse, tolerance=tolerance)
    sharp = ssim(linear_to_srgb(sharp_linear).clamp(0, 1), target)
    why = ""
    if value < threshold:
        why = f"SSIM {value:.3f} is below {threshold:g}"
    elif value <= sharp:
        k, value, why = 0.0, sharp, "no blur fits better than none"
    elif abs(math.log(k * spread / radius_px[1])) < tolerance:
        why = f"K lies at the upper end of the search (radius {radius_px[1]:g} px)"
    return GainFit(k, value, sharp, curve, not why, why)


@dataclass(frozen=True, eq=False)
class Aligned:
    """A frame on the sharp picture's grid [3,H,W] linear, the shift (down, right) in px that was undone, exposure factors [3]."""

    frame: Tensor
    shift_px: tuple[float, float]
    exposure: Tensor


def align(real_linear: Tensor, sharp_linear: Tensor, largest_shift_px: float = 8.0) -> Aligned:
    """Move and expose a real frame like the sharp picture.

    Raises:
        ValueError: if sizes differ, the shift is larger than `largest_shift_px`, or exposure cannot be compared.
    """
    if real_linear.shape != sharp_linear.shape:
        raise ValueError(f"The frame {list(real_linear.shape)} and the sharp picture {list(sharp_linear.shape)} differ in size.")
    down, right, _ = shift_between(real_linear, sharp_linear)
    if math.hypot(down, right) > largest_shift_px:
        raise ValueError(f"The frame is shifted by {math.hypot(down, right):.1f} px: not the same view.")
    moved = shifted(real_linear, -down, -right).clamp_min(0) if down or right else real_linear
    factor = exposure_between(moved, sharp_linear)
    return Aligned(moved * factor.view(3, 1, 1), (down, right), factor)
