"""Defocus: from depth, a lens and a focus to the signed blur radius of every pixel.

focus          the disparity in focus, from a point, a mask, a distance, two points, or found automatically
from_lens      depth + lens + focus -> DefocusMap; the law itself is `optics.BlurLaw`
encoded        maps as pictures of numbers, from other programs and for them
keyframes      focus and aperture over the frames of a clip
tilt, curvature      a focal plane that leans;  one that is bent towards the corners
painted        blur added or taken away under a mask
breathing      the size at which a lens shows the scene as its focus moves
preview, thumbnail      a picture of the map for people;  depth made small for the page
"""

from __future__ import annotations

from .breathing import imaged
from .encoded import SIGNS, Encoding, from_image, to_image
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
from .from_lens import from_lens, lens_for, subject_distance
from .keyframes import Key, Keyframes, parse_keyframes
from .painted import painted
from .preview import preview
from .thumbnail import DepthThumbnail, shown_frames, thumbnail
from .tilt import Tilt

__all__ = [
    "SIGNS",
    "DepthThumbnail",
    "Encoding",
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
    "Tilt",
    "as_focus",
    "focus_disparity",
    "focus_half_width",
    "from_image",
    "from_lens",
    "imaged",
    "lens_for",
    "painted",
    "parse_keyframes",
    "preview",
    "shown_frames",
    "subject_distance",
    "thumbnail",
    "to_image",
]
