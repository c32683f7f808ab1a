"""A clip from file to file: focus, lens and renderer of the single steps in one place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TypeVar

from . import blur, defocus, depth, restore
from .records import ON, Choice, Number, Option, Switch, Text

KEYFRAMED = "keyframes"
"""The word of `FOCUS` for what the keys say."""
Tuned = TypeVar("Tuned", Number, Switch)

FOCUS = replace(
    defocus.FOCUS,
    values={
        "auto": "under the focus mask if one is connected, else the nearest large thing in the middle of each frame.",
        "point": "at x, y.",
        "mask": "median depth under the mask.",
        "distance": "at distance_m metres.",
        "two points": "from x, y to x2, y2.",
        KEYFRAMED: "as keyframes say.",
    },
    text="What is sharp, measured anew in each frame.",
)
"""Without a picture to click on, and with keys as a way of its own."""
DISTANCE_M = replace(defocus.DISTANCE_M, limits=(0.01, 1e5))
"""No lens data stand for 0."""
STRENGTH = replace(
    defocus.STRENGTH,
    values={
        defocus.PERCENT_OF_LONG_EDGE: "set by 'percent'.",
        defocus.CAMERA: "by f_number, focal_mm and sensor, as that lens would blur; needs depth in metres (near_m and far_m make "
        "it so).",
    },
)
"""Of this node's own inputs."""
F_NUMBER = replace(defocus.F_NUMBER, limits=(defocus.SMALLEST_F_NUMBER, 64.0))
"""No lens data stand for 0."""
FOCAL_MM = replace(
    defocus.FOCAL_MM, text="Focal length of the camera in mm. Longer blurs more. 0: what the depth model finds, where it does."
)
"""No lens data stand for 0."""
KEYFRAMES = Text(
    "keyframes",
    "Focus and aperture over the frames, as JSON. Easiest made with Timeline of Defocus Map on some frames, and copied here.",
    when=({"focus": (KEYFRAMED,)},),
)
DEBLUR = Choice(
    "deblur",
    "none",
    {word: restore.METHOD.values[word] for word in ("none", "refocus-deblur-s", "blind-deconvolution")},
    "How each frame is made sharp before it is blurred. It takes most of the time.",
    flag="--deblur",
)
SHIPPED = "refocus-depth-s"
"""The depth model that comes with the pack."""
MODEL = Choice(
    "model",
    SHIPPED,
    {SHIPPED: "", "auto": ""},
    "Model that estimates the depth. Its scale is aligned from frame to frame, and all frames share one range.",
    flag="--depth",
)
ALLOW_DOWNLOAD = replace(depth.ALLOW_DOWNLOAD, when=())
"""A model always runs."""
_METRES = ({"strength": (defocus.CAMERA,)}, {"focus": ("distance", KEYFRAMED)})
"""Where distances count."""
NEAR_M, FAR_M = (replace(option, advanced=False, when=_METRES) for option in (depth.NEAR_M, depth.FAR_M))
"""Ends of the clip's depth."""
FINE_TUNING = Switch(
    "fine_tuning",
    False,
    "On: more inputs, of the lens and of the picture. Off: these are at their defaults, whatever they were set to.",
)
_TUNED = ({"fine_tuning": (ON,)},)
"""Where they count."""


def _tuned(options: Iterable[Tuned]) -> tuple[Tuned, ...]:
    """Options that `FINE_TUNING` shows."""
    return tuple(replace(option, advanced=False, when=_TUNED) for option in options)


OF_LENS = _tuned((defocus.FOCUS_RANGE, defocus.NEAR_GAIN, defocus.FAR_GAIN, defocus.FIELD_CURVATURE))
"""Of the lens, by the names of `refocus_core.clip.ClipOptions`."""
BREATHING = replace(
    defocus.BREATHING,
    advanced=False,
    text="Focus breathing: a focus that comes nearer by keyframes shows the scene larger. 1: as a thin lens does. 0: not at all, "
    "as cine lenses.",
    when=({"fine_tuning": (ON,), "strength": (defocus.CAMERA,), "focus": (KEYFRAMED,)},),
)
"""Goes by the keys."""
OF_PICTURE: tuple[Option, ...] = (
    *_tuned((blur.HIGHLIGHT_BOOST, blur.HIGHLIGHT_RECOVERY)),
    *_tuned((blur.RECOVER_IN_FOCUS,)),
    *_tuned((blur.BLOOM, blur.LATERAL_COLOR, blur.EXPOSURE, blur.GRAIN)),
)
"""Of the renderer, by the names of `refocus_core.clip.Rendering`."""
REFINE = _tuned((depth.REFINE,))[0]
"""Of the depth."""
STEADY_FRAMES = _tuned((depth.STEADY_FRAMES,))[0]
"""Of the depth, too."""
OPTIONS: tuple[Option, ...] = (
    FOCUS,
    defocus.X,
    defocus.Y,
    DISTANCE_M,
    STRENGTH,
    defocus.PERCENT,
    F_NUMBER,
    FOCAL_MM,
    defocus.SENSOR,
    KEYFRAMES,
    MODEL,
    ALLOW_DOWNLOAD,
    NEAR_M,
    FAR_M,
    DEBLUR,
    replace(blur.QUALITY, when=()),
    FINE_TUNING,
    defocus.SENSOR_MM,
    defocus.FOCUS_RADIUS,
    defocus.X2,
    defocus.Y2,
    defocus.TILT_DEG,
    defocus.SWING_DEG,
    *OF_LENS,
    BREATHING,
    *OF_PICTURE,
    REFINE,
    STEADY_FRAMES,
)
"""Of Refocus Video."""
