"""A tilted focal plane: what a tilted lens makes of it (Scheimpflug's rule)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ..checks import check_number

MOST_DEG = 89.0
"""Largest angle; at 90 degrees the focal plane would be seen edge-on."""


@dataclass(frozen=True)
class Tilt:
    """How the focal plane leans, around a point of the picture whose focus it keeps.

    A plane in space is linear in disparity: 1/z = a + b x + c y over the picture. The angles are those of a plane in a box whose
    sides are the picture's long edge and whose depth is the scene's whole span of disparity: at 45 degrees the focal plane
    crosses all of that span over the length of the long edge.

    Attributes:
        tilt_deg: about the horizontal axis, -89..89: above 0 the focal plane is nearer at the bottom, as the ground is.
        swing_deg: about the vertical axis: above 0 it is nearer at the right.
        x, y: the point that stays in focus, 0..1 from the left and from the top.

    Raises:
        ValueError: if an angle or the point is out of range.
    """

    tilt_deg: float = 0.0
    swing_deg: float = 0.0
    x: float = 0.5
    y: float = 0.5

    def __post_init__(self) -> None:
        limits = {"tilt_deg": (-MOST_DEG, MOST_DEG), "swing_deg": (-MOST_DEG, MOST_DEG), "x": (0.0, 1.0), "y": (0.0, 1.0)}
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            check_number(value, f"Tilt.{name}")
            if not (math.isfinite(value) and low <= value <= high):
                raise ValueError(f"Tilt.{name} must lie in {low:g}..{high:g}, got {value}.")

    def offset(self, disparity: Tensor, span: Tensor) -> Tensor:
        """[B,H,W] disparity of the focal plane over that at the point, for maps of that shape and spans [B] of disparity."""
        h, w = disparity.shape[-2:]
        x = (torch.arange(w, device=disparity.device, dtype=disparity.dtype) + 0.5 - self.x * w) / max(h, w)
        y = (torch.arange(h, device=disparity.device, dtype=disparity.dtype) + 0.5 - self.y * h) / max(h, w)
        along_x, along_y = math.tan(math.radians(self.swing_deg)), math.tan(math.radians(self.tilt_deg))
        return span.view(-1, 1, 1) * (along_x * x[None, None, :] + along_y * y[None, :, None])
