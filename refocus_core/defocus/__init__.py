"""Defocus room: from depth, a lens and a point of focus to the signed blur radius of every pixel."""

from __future__ import annotations

from .focus import (
    Focus,
    FocusAuto,
    FocusBetween,
    FocusDisparity,
    FocusDistance,
    FocusLike,
    FocusMask,
    FocusPoint,
    as_focus,
    focus_disparity,
    focus_half_width,
)
from .keyframes import Key, Keyframes, parse_keyframes
from .mapping import from_lens, lens_for, to_metric
from .preview import preview
from .thumbnail import DepthThumbnail, extremes, shown_frames, thumbnail

__all__ = [
    "DepthThumbnail",
    "Focus",
    "FocusAuto",
    "FocusBetween",
    "FocusDisparity",
    "FocusDistance",
    "FocusLike",
    "FocusMask",
    "FocusPoint",
    "Key",
    "Keyframes",
    "as_focus",
    "extremes",
    "focus_disparity",
    "focus_half_width",
    "from_lens",
    "lens_for",
    "parse_keyframes",
    "preview",
    "shown_frames",
    "thumbnail",
    "to_metric",
]
