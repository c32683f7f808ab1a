"""Lateral colour: a lens whose magnification differs by colour, so that edges are fringed the more the nearer a corner is.

Red is imaged larger than green about the optical centre and blue smaller, by the same share of the distance from it (the linear
term, which leads in most designs: Kingslake, Lens Design Fundamentals, 1978). It is the same in focus and out of it, unlike axial
colour, which is part of the aperture (`character`).
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..checks import check_image, check_number
from ..color import linear_to_srgb, srgb_to_linear
from ..images import magnified

MOST_PERCENT = 2.0
"""Largest shift against green in percent of the distance from the centre. Lenses have 0.02 to 0.2."""


@torch.no_grad()
def with_lateral_colour(image_srgb: Tensor, percent: float) -> Tensor:
    """A picture whose red and blue are imaged larger and smaller than its green.

    Args:
        image_srgb: [B,3,H,W] sRGB; nothing is clamped.
        percent: -2..2 percent of the distance from the middle by which red lies farther out and blue farther in; below 0 the
            other way round. 0 returns the picture itself.

    Returns:
        [B,3,H,W] sRGB; green stays bit for bit. What lies beyond the border goes on as it ends.

    Raises:
        TypeError, ValueError: on a wrong shape, or a percentage out of range.
    """
    check_number(percent, "lateral_color")
    if not -MOST_PERCENT <= percent <= MOST_PERCENT:
        raise ValueError(f"lateral_color must lie in -{MOST_PERCENT:g}..{MOST_PERCENT:g} percent, got {percent}. 0 is none.")
    check_image(image_srgb, "image")
    if percent == 0:
        return image_srgb
    out = image_srgb.clone()
    for channel, sign in ((0, 1), (2, -1)):
        light = srgb_to_linear(image_srgb[:, channel].float())
        out[:, channel] = linear_to_srgb(magnified(light, 1 + sign * percent / 100)).to(out)
    return out
