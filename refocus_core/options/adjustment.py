"""Depth mended by hand."""

from __future__ import annotations

from .records import CONNECTED, ON, Case, Choice, Number, Option, Switch

_MASKED: Case = {"mask": (CONNECTED,)}
"""Where there is something to do an action on."""
_ACTING: tuple[Case, ...] = ({**_MASKED, "action": ("flatten", "plane", "pull", "move")},)
"""Where one is done."""
_ISOLATING: Case = {"isolate": (ON,)}
"""Where a depth is isolated."""
_AIMED: tuple[Case, ...] = ({**_MASKED, "action": ("pull", "move")}, _ISOLATING)
"""Where a target is asked for."""


def _target(word: str) -> tuple[Case, ...]:
    """Where the target is this one."""
    return tuple({**case, "target": (word,)} for case in _AIMED)


FAR_LIMIT = Number(
    "far_limit",
    0.0,
    (0.0, 1.0),
    0.01,
    "",
    "Nothing is farther than this: 0 is the farthest of the scene, 1 the nearest. 0: no limit. Raise it to bring a background "
    "closer.",
)
NEAR_LIMIT = Number(
    "near_limit",
    1.0,
    (0.0, 1.0),
    0.01,
    "",
    "Nothing is nearer than this: 0 is the farthest of the scene, 1 the nearest. 1: no limit. Above far_limit.",
)
GAMMA = Number(
    "gamma",
    1.0,
    (0.1, 10.0),
    0.05,
    "",
    "Above 1 the middle of the scene comes nearer, below 1 it goes farther away. The ends stay. 1: no change.",
)
SMOOTH = Number(
    "smooth",
    0.0,
    (0.0, 10.0),
    0.05,
    "percent",
    "Smooths uneven depth over this distance, in percent of the long edge. With the photo connected to image it stops at the "
    "photo's edges; without it edges of depth soften, too. 0: off.",
)
ACTION = Choice(
    "action",
    "flatten",
    {
        "none": "the mask is not used.",
        "flatten": "all of it at its own median depth.",
        "plane": "the flat surface that fits it best: a wall, a floor, a window.",
        "pull": "towards the depth that target says; with amount 1 it is flat there.",
        "move": "as a whole to the depth that target says, so that its relief stays.",
    },
    "What is done where the mask is white. Without a mask: nothing.",
    when=(_MASKED,),
)
AMOUNT = Number("amount", 1.0, (0.0, 1.0), 0.05, "", "How much of the action is done. 0: nothing, 1: all of it.", when=_ACTING)
TARGET = Choice(
    "target",
    "point",
    {
        "point": "the depth at x, y.",
        "level": "by the input of that name.",
        "distance": "distance_m metres; needs depth in metres.",
    },
    "The depth that pull and move go to, and that isolate takes.",
    when=_AIMED,
)
X = Number("x", 0.5, (0.0, 1.0), 0.001, "", "For target = point: 0 is the left edge, 1 the right edge.", when=_target("point"))
Y = Number("y", 0.5, (0.0, 1.0), 0.001, "", "For target = point: 0 is the top edge, 1 the bottom edge.", when=_target("point"))
LEVEL = Number(
    "level",
    0.5,
    (0.0, 1.0),
    0.01,
    "",
    "For target = level: 0 is the farthest of the scene, 1 the nearest, evenly in 1/distance.",
    when=_target("level"),
)
DISTANCE_M = Number(
    "distance_m", 2.0, (0.01, 1e5), 0.01, "m", "For target = distance: metres from the camera.", when=_target("distance")
)
INVERT = Switch("invert", False, "On: what is near becomes far. For depth that was read the wrong way round.", advanced=True)
FEATHER = Number(
    "feather",
    0.0,
    (0.0, 10.0),
    0.05,
    "percent",
    "Softens the edge of the mask over this distance, in percent of the long edge. 0: as painted. A soft edge leaves depths "
    "between both surfaces.",
    advanced=True,
    when=_ACTING,
)
ISOLATE = Switch(
    "isolate",
    False,
    "On: the output isolated is white at the depth that target says, in the adjusted map. Off: it is black.",
    advanced=True,
)
TOLERANCE = Number(
    "tolerance",
    0.05,
    (0.0, 1.0),
    0.01,
    "",
    "For isolate: how far to both sides all is white, as a share of the scene's depth (in 1/distance).",
    when=(_ISOLATING,),
)
SOFTNESS = Number(
    "softness",
    0.05,
    (0.0, 1.0),
    0.01,
    "",
    "For isolate: over which further share white falls to black. 0: a hard edge.",
    when=(_ISOLATING,),
)
OPTIONS: tuple[Option, ...] = (
    FAR_LIMIT,
    NEAR_LIMIT,
    GAMMA,
    SMOOTH,
    ACTION,
    TARGET,
    X,
    Y,
    AMOUNT,
    LEVEL,
    DISTANCE_M,
    INVERT,
    FEATHER,
    ISOLATE,
    TOLERANCE,
    SOFTNESS,
)
"""Of Adjust Depth."""
