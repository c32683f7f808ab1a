"""The shape of the aperture."""

from __future__ import annotations

from .records import Choice, Number, Option, Switch

IMAGE = "image"
"""Shape that only ComfyUI has: a connected picture or mask."""
SHAPE = Choice(
    "shape",
    "circle",
    dict.fromkeys(("circle", "polygon", "ring", "heart", "star"), ""),
    "Shape of the aperture.",
    flag="--aperture",
)
BLADES = Number("blades", 6, (3, 24), 1, "", "Blades (corners) of the polygon.", when=({"shape": ("polygon",)},))
CURVATURE = Number(
    "curvature",
    0.0,
    (0.0, 1.0),
    0.05,
    "",
    "Roundness of the polygon's blades: 0 straight, 1 a full circle.",
    when=({"shape": ("polygon",)},),
)
ROTATION_DEG = Number(
    "rotation_deg",
    0.0,
    (-360.0, 360.0),
    1.0,
    "degrees",
    "Rotation of the named shapes in degrees, clockwise. 0: a corner or tip points up.",
    flag="--rotation",
    when=({"shape": ("polygon", "heart", "star")},),
)
INNER = Number(
    "inner",
    0.5,
    (0.0, 0.95),
    0.01,
    "",
    "Ring: radius of the dark middle (mirror lens). Star: radius of the notches, at least 0.1. As a share of the outer radius.",
    when=({"shape": ("ring", "star")},),
)
POINTS = Number("points", 5, (3, 24), 1, "", "Tips of the star.", when=({"shape": ("star",)},))
SOFTNESS = Number(
    "softness",
    0.0,
    (0.0, 1.0),
    0.05,
    "",
    "Soft edge: transmission rises over this share of the way from the edge to the middle. 0: hard edge.",
)
COLOR = Switch(
    "color",
    False,
    "Image only. On: a coloured aperture fringes highlights in its colours (no channel may be black). Off: its brightness.",
    when=({"shape": (IMAGE,)},),
)
CENTER = Switch(
    "center",
    False,
    "Image or mask only. On: move its centre of gravity to the lens axis. Off: keep it; off-centre shapes shift the blur.",
    when=({"shape": (IMAGE,)},),
)
OPTIONS: tuple[Option, ...] = (SHAPE, BLADES, CURVATURE, ROTATION_DEG, INNER, POINTS, SOFTNESS, COLOR, CENTER)
"""Of Bokeh Kernel."""
