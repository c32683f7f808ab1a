"""Defocus room: from depth, a lens and a point of focus to the signed blur radius of every pixel."""

from __future__ import annotations

from .focus import Focus, FocusAuto, FocusDisparity, FocusDistance, FocusLike, FocusMask, FocusPoint, as_focus, focus_disparity
from .mapping import from_lens, lens_for, to_metric
from .preview import preview

__all__ = [
    "Focus",
    "FocusAuto",
    "FocusDisparity",
    "FocusDistance",
    "FocusLike",
    "FocusMask",
    "FocusPoint",
    "as_focus",
    "focus_disparity",
    "from_lens",
    "lens_for",
    "preview",
    "to_metric",
]
