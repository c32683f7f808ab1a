"""Give clipped highlights back some of the light that the camera's white point cut off."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..color import srgb_to_linear

FULL_EFFECT_PX = 4.0


def boost_highlights(image_linear: Tensor, radius_px: Tensor, stops: float, threshold: float = 0.9) -> Tensor:
    """Raise out-of-focus pixels near white, so that their blur reads as a light and not as a grey disc.

    Args:
        image_linear: [B,3,H,W] linear light.
        radius_px: [B,H,W] signed radius; nothing changes in focus, the effect is full from FULL_EFFECT_PX on.
        stops: how much a fully white pixel gains, in f-stops, 0..8.
        threshold: sRGB value of the brightest channel (0..1) from which on pixels gain; smooth up to white.

    Returns:
        [B,3,H,W] linear; values above 1 gain the full amount, and those already above `2**stops` nothing.

    Raises:
        ValueError: if `stops` or `threshold` is out of range.
    """
    if not (math.isfinite(stops) and 0 <= stops <= 8):
        raise ValueError(f"Highlight boost must lie in 0..8 stops, got {stops}.")
    if not 0 <= threshold < 1:
        raise ValueError(f"Highlight threshold must lie in 0..1 (below 1), got {threshold}.")
    if stops == 0:
        return image_linear
    peak = image_linear.amax(1, keepdim=True)
    low = float(srgb_to_linear(torch.tensor(threshold)))
    bright = ((peak - low) / (1 - low)).clamp(0, 1)
    bright = bright * bright * (3 - 2 * bright)
    blurred = ((radius_px.abs()[:, None] - 0.5) / (FULL_EFFECT_PX - 0.5)).clamp(0, 1)
    # real HDR values are lights already: raise them only up to what a clipped white would get
    headroom = (2.0**stops / peak.clamp_min(1)).clamp_min(1)
    return image_linear * torch.exp2(bright * blurred * stops).minimum(headroom)
