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
from .from_lens import from_lens, lens_for
from .keyframes import Key, Keyframes, parse_keyframes
from .preview import preview
from .thumbnail import DepthThumbnail, shown_frames, thumbnail

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
    "focus_disparity",
    "focus_half_width",
    "from_lens",
    "lens_for",
    "parse_keyframes",
    "preview",
    "shown_frames",
    "thumbnail",
]
