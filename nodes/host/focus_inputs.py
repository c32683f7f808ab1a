"""What is to be sharp, by the widgets of that name and what is connected beside them."""

from __future__ import annotations

import torch

from ...refocus_core import defocus
from ...refocus_core.files.pictures import CameraData
from .tensors import to_bhw


def focus_of(
    focus: str,
    x: float,
    y: float,
    distance_m: float,
    focus_radius: float,
    x2: float,
    y2: float,
    camera: CameraData | None = None,
    focus_mask: torch.Tensor | None = None,
) -> defocus.Focus | None:
    """The focus; None is for automatic focus to find.

    Raises:
        ValueError: if a mask is missing or empty, or a distance of 0 has no camera that knows it.
    """
    point = defocus.FocusPoint(x, y, focus_radius)
    if focus == "mask" or (focus == "auto" and focus_mask is not None):
        return defocus.FocusMask(_painted(focus_mask))
    if focus == "point":
        return point
    if focus == "two points":
        return defocus.FocusBetween(point, defocus.FocusPoint(x2, y2, focus_radius))
    if focus == "distance":
        return defocus.FocusDistance(distance_m) if distance_m else defocus.subject_distance(camera)
    return None


def _painted(focus_mask: torch.Tensor | None) -> torch.Tensor:
    if focus_mask is None:
        raise ValueError("focus is set to mask, but nothing is connected to focus_mask. Connect a mask, or choose another focus.")
    mask = to_bhw(focus_mask, "focus_mask")
    if float(mask.max()) == 0:
        raise ValueError(
            "The focus mask is empty. Paint it over what shall be sharp (right-click the Load Image node, Open in MaskEditor): "
            "without that, Load Image gives an empty mask. Or set focus to point."
        )
    return mask
