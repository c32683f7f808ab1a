"""What a depth matte selects."""

from __future__ import annotations

from .records import Choice, Number, Option

POINT, LIMITS = "point", "limits"
"""Words of `SELECT`."""
SELECT = Choice(
    "select",
    POINT,
    {POINT: "what is as far as the surface at x, y, give or take tolerance.", LIMITS: "what lies between near and far."},
    "How the depths are chosen.",
)
_AT_POINT = ({"select": (POINT,)},)
"""Where a point gives the depth."""
_BY_LIMITS = ({"select": (LIMITS,)},)
"""Where two depths do."""
X = Number("x", 0.5, (0.0, 1.0), 0.001, "", "Point to take the depth from: 0 is the left edge, 1 the right edge.", when=_AT_POINT)
Y = Number("y", 0.5, (0.0, 1.0), 0.001, "", "Point to take the depth from: 0 is the top edge, 1 the bottom edge.", when=_AT_POINT)
TOLERANCE = Number(
    "tolerance",
    0.15,
    (0.0, 1.0),
    0.01,
    "",
    "How much nearer or farther than the point still counts, as a share of the scene's whole depth (in disparity).",
    when=_AT_POINT,
)
NEAR = Number(
    "near",
    1.0,
    (0.0, 1.0),
    0.01,
    "",
    "Nearer limit, as a share of the scene's depth (in disparity): 1 is the nearest.",
    when=_BY_LIMITS,
)
FAR = Number(
    "far",
    0.5,
    (0.0, 1.0),
    0.01,
    "",
    "Farther limit, as a share of the scene's depth (in disparity): 0 is the farthest.",
    when=_BY_LIMITS,
)
SOFTNESS = Number(
    "softness",
    0.05,
    (0.001, 1.0),
    0.01,
    "",
    "Over how much more depth selection ends on a slope, as a share of the scene's depth. Outlines are as sharp as in the photo.",
)
OPTIONS: tuple[Option, ...] = (SELECT, X, Y, TOLERANCE, NEAR, FAR, SOFTNESS)
"""Of Depth Matte."""
