"""Give clipped highlights back some of the light that the camera's white point cut off."""

from __future__ import annotations

import functools
import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ..checks import check_image, check_map, check_number, match_batch, same_size
from ..color import srgb_to_linear
from ..optics import SHARP_RADIUS_PX

FULL_EFFECT_PX = 4.0
"""Radius from which on the boost has its full effect. With a larger one small blurs gain less and the step to what is in focus is
softer."""

MOST_STOPS = 8.0
"""Most that a highlight may gain, in f-stops."""

CELL_PX = 8
"""Side of the cells in which lights are looked for. Larger ones take several lights for one."""

SURROUND_CELLS = 5
"""Side, in cells, of the surroundings of a light."""

ABOVE = 4.0
"""Times the surroundings above which light counts as a light's."""

STANDS_OUT = 1.0
"""Times the surroundings that the disc of a light must be as bright as, to stand out. A larger one leaves fainter discs a rim."""


def boost_highlights(image_linear: Tensor, radius_px: Tensor, stops: float, threshold: float = 0.9) -> Tensor:
    """Raise out-of-focus pixels near white, so that their blur reads as a light and not as a grey disc.

    Args:
        image_linear: [B,3,H,W] linear light.
        radius_px: [B,H,W] or [1,H,W] signed radius; nothing changes in focus, the effect is full from FULL_EFFECT_PX on.
        stops: how much a fully white pixel gains, in f-stops, 0..8.
        threshold: sRGB value of the brightest channel (0..1) from which on pixels gain; smooth up to white.

    Returns:
        [B,3,H,W] linear; values above 1 gain the full amount, and those already above `2**stops` nothing.

    Raises:
        TypeError, ValueError: on wrong shapes or sizes, or `stops` or `threshold` out of range.
    """
    batch, _, h, w = check_image(image_linear, "image_linear").shape
    radius = match_batch(same_size(check_map(radius_px, "radius_px"), h, w, "defocus map"), batch, "The defocus map")
    check_number(stops, "stops")
    check_number(threshold, "threshold")
    if not (math.isfinite(stops) and 0 <= stops <= MOST_STOPS):
        raise ValueError(f"Highlight boost must lie in 0..8 stops, got {stops}.")
    if not 0 <= threshold < 1:
        raise ValueError(f"Highlight threshold must lie in 0..1 (below 1), got {threshold}.")
    if stops == 0:
        return image_linear
    peak = image_linear.amax(1, keepdim=True)
    low = float(srgb_to_linear(torch.tensor(threshold)))
    bright = ((peak - low) / (1 - low)).clamp(0, 1)
    bright = bright * bright * (3 - 2 * bright)
    blurred = blurred_share(radius)[:, None]
    # real HDR values are lights already: raise them only up to what a clipped white would get
    headroom = (2.0**stops / peak.clamp_min(1)).clamp_min(1)
    return image_linear * torch.exp2(bright * blurred * stops).minimum(headroom)


def blurred_share(radius_px: Tensor) -> Tensor:
    """How much of its effect what is done to highlights has at a radius: none in focus, all of it from FULL_EFFECT_PX on."""
    return ((radius_px.abs() - SHARP_RADIUS_PX) / (FULL_EFFECT_PX - SHARP_RADIUS_PX)).clamp(0, 1)


def lights(image_linear: Tensor, radius_px: Tensor) -> tuple[Tensor, Tensor]:
    """Small lights whose blur will stand out as a disc.

    In each cell, what is ABOVE times brighter than the surroundings counts as a light. It stands out where that light, spread
    over the area of its blur, is brighter than the surroundings.

    Args:
        image_linear: [3,H,W]; radius_px: [H,W] signed.

    Returns:
        [n] signed radius in px and [n] light (above the surroundings, summed over its cell) of each cell that holds one.
    """
    peak = image_linear.amax(0)[None, None]
    mean = functools.partial(F.avg_pool2d, kernel_size=CELL_PX, ceil_mode=True)

    def around(x: Tensor) -> Tensor:
        return F.avg_pool2d(mean(x), SURROUND_CELLS, 1, SURROUND_CELLS // 2, count_include_pad=False)

    def wide(cells: Tensor) -> Tensor:
        return F.interpolate(cells, scale_factor=CELL_PX)[..., : peak.shape[-2], : peak.shape[-1]]

    surroundings = around(peak.minimum(ABOVE * wide(around(peak))))  # without the lights themselves
    excess = torch.sub(peak, wide(surroundings), alpha=ABOVE).clamp_min_(0)
    light = mean(excess)[0, 0] * CELL_PX**2
    radius = mean(excess * radius_px)[0, 0] * CELL_PX**2 / light.clamp_min(1e-12)
    stands_out = (light > STANDS_OUT * math.pi * radius.square() * surroundings[0, 0]) & (light > 0)
    return radius[stands_out], light[stands_out]
