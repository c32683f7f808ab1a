"""sRGB transfer function and luminance. Light is only ever added in linear light."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .checks import check_number

LUMA_WEIGHTS = (0.2126, 0.7152, 0.0722)
"""Rec. 709 luminance weights, for linear-light RGB."""


def srgb_to_linear(image: Tensor) -> Tensor:
    """Decode sRGB (IEC 61966-2-1) to linear light.

    Any shape, floating point. Values above 1 follow the same curve and are not clamped; negative values are mirrored.
    """
    a = image.abs()
    return torch.where(a <= 0.04045, a / 12.92, a.add(0.055).div_(1.055).pow(2.4)).copysign_(image)


def linear_to_srgb(image: Tensor) -> Tensor:
    """Encode linear light as sRGB (IEC 61966-2-1); the inverse of `srgb_to_linear`, equally without clamping."""
    a = image.abs()
    return torch.where(a <= 0.0031308, a * 12.92, a.pow(1 / 2.4).mul_(1.055).sub_(0.055)).copysign_(image)


def exposed(image_srgb: Tensor, stops: float) -> Tensor:
    """Brighten or darken a picture as a longer or shorter exposure would: linear light times 2^stops.

    Args:
        image_srgb: colours of any shape, sRGB, without alpha; values above 1 are scaled as the others, and nothing is clamped.
        stops: in f-stops. 0 returns the picture itself.

    Raises:
        TypeError, ValueError: if `stops` is no finite number, or the picture holds NaN or infinity.
    """
    if not image_srgb.is_floating_point() or not bool(torch.isfinite(image_srgb).all()):
        raise ValueError("image must be floating point without NaN or infinity. Repair the picture before this step.")
    check_number(stops, "exposure")
    if not math.isfinite(stops):
        raise ValueError(f"exposure must be a finite number of f-stops, got {stops}. 0 leaves the picture as it is.")
    return image_srgb if stops == 0 else linear_to_srgb(srgb_to_linear(image_srgb) * 2.0**stops)


def luminance(image_linear: Tensor) -> Tensor:
    """Rec. 709 luminance of linear RGB: [B,3,H,W] -> [B,1,H,W]."""
    w = image_linear.new_tensor(LUMA_WEIGHTS).view(1, 3, 1, 1)
    return (image_linear * w).sum(1, keepdim=True)


def display_values(linear: Tensor) -> Tensor:
    """Linear light by a plain gamma of 2.2, in which equal steps count equally in shadows and lights; negative values become 0.

    Quicker than sRGB, and near enough to compare colours; not for pictures that anyone looks at.
    """
    return linear.clamp_min(0).pow(1 / 2.2)
