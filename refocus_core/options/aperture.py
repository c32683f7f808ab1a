"""The shape of the aperture."""

from __future__ import annotations

from .records import ON, Choice, Number, Option, Switch

IMAGE = "image"
"""Shape that only ComfyUI has: a connected picture or mask."""
OWN = "none"
"""The word of `PRESET` for the options themselves."""
_OWN = {"preset": (OWN,)}
"""Where no preset stands for the options."""


def _of(*shapes: str) -> tuple[dict[str, tuple[str, ...]], ...]:
    """Where one of these shapes is chosen."""
    return ({"shape": shapes, **_OWN},)


SHAPE = Choice(
    "shape",
    "circle",
    dict.fromkeys(("circle", "polygon", "ring", "heart", "star", "triangle"), ""),
    "Shape of the aperture.",
    flag="--aperture",
    when=(_OWN,),
)
BLADES = Number("blades", 6, (3, 24), 1, "", "Blades (corners) of the polygon.", when=_of("polygon"))
CURVATURE = Number(
    "curvature",
    0.0,
    (0.0, 1.0),
    0.05,
    "",
    "Roundness of the blades of polygon and triangle: 0 straight, 1 a full circle.",
    when=_of("polygon", "triangle"),
)
ROTATION_DEG = Number(
    "rotation_deg",
    0.0,
    (-360.0, 360.0),
    1.0,
    "degrees",
    "Rotation of the named shapes in degrees, clockwise. 0: a corner or tip points up.",
    flag="--rotation",
    when=_of("polygon", "heart", "star", "triangle"),
)
INNER = Number(
    "inner",
    0.5,
    (0.0, 0.95),
    0.01,
    "",
    "Ring: radius of the dark middle (mirror lens). Star: radius of the notches, at least 0.1. As a share of the outer radius.",
    when=_of("ring", "star"),
)
POINTS = Number("points", 5, (3, 24), 1, "", "Tips of the star.", when=_of("star"))
SOFTNESS = Number(
    "softness",
    0.0,
    (0.0, 1.0),
    0.05,
    "",
    "Soft edge (apodisation): transmission rises over this share of the way from the edge to the middle. 0: hard edge.",
    when=(_OWN,),
)
SQUEEZE = Number(
    "squeeze",
    1.0,
    (0.5, 2.0),
    0.05,
    "",
    "Anamorphic lens: how much higher than wide the blur is. 2: the classic oval. Below 1: wider than high.",
    when=(_OWN,),
)
SPHERICAL = Number(
    "spherical",
    0.0,
    (-1.0, 1.0),
    0.05,
    "",
    "Spherical aberration. Above 0: bright rims (soap bubbles) behind the focal plane, soft ones in front of it. Below 0: the "
    "other way round, a creamy background.",
    when=(_OWN,),
)
FRINGE = Number(
    "fringe",
    0.0,
    (-1.0, 1.0),
    0.05,
    "",
    "Axial chromatic aberration: above 0, blurred edges are green behind the focal plane and magenta in front of it. Below 0: "
    "the other way round.",
    when=(_OWN,),
)
ONION = Number(
    "onion",
    0.0,
    (0.0, 1.0),
    0.05,
    "",
    "Onion rings, as moulded aspheric lenses draw them: contrast of the rings within a blurred light.",
    when=(_OWN,),
)
FIELD = Switch(
    "field",
    False,
    "On: towards the corners the lens draws otherwise, by cat_eye, barn_doors, swirl and coma.",
    when=(_OWN,),
)
_IN_FIELD = ({"field": (ON,), **_OWN},)
"""Where the aperture changes over the picture."""
CAT_EYE = Number(
    "cat_eye",
    0.0,
    (0.0, 1.0),
    0.05,
    "",
    "Cat's eyes: towards the corners the lens barrel covers part of the aperture, and lights become lens-shaped and smaller. The "
    "picture stays as bright.",
    when=_IN_FIELD,
)
SWIRL = Number(
    "swirl",
    0.0,
    (-1.0, 1.0),
    0.05,
    "",
    "Astigmatism towards the corners. Above 0: the background swirls around the centre, the foreground is drawn towards it. "
    "Below 0: the other way round.",
    when=_IN_FIELD,
)
COMA = Number(
    "coma",
    0.0,
    (-1.0, 1.0),
    0.05,
    "",
    "Coma towards the corners: above 0, blurred lights have a bright tip towards the centre and a tail away from it. Below 0: "
    "the other way round.",
    when=_IN_FIELD,
)
BARN_DOORS = Number(
    "barn_doors",
    0.0,
    (0.0, 1.0),
    0.05,
    "",
    "Cat's eyes with straight edges, as a matte box or a rectangular hood cuts them: at the sides from the side, in the corners "
    "from two.",
    when=_IN_FIELD,
)
COLOR = Switch(
    "color",
    False,
    "Image only. On: a coloured aperture fringes highlights in its colours (no channel may be black). Off: its brightness.",
    when=_of(IMAGE),
)
CENTER = Switch(
    "center",
    False,
    "Image or mask only. On: move its centre of gravity to the lens axis. Off: keep it; off-centre shapes shift the blur.",
    when=_of(IMAGE),
)
PRESET = Choice(
    "preset",
    OWN,
    {
        OWN: "the options above.",
        "soft portrait": "an apodised lens, whose blur has no edge.",
        "bright-edged bubbles": "an overcorrected lens: rims like soap bubbles' in the background.",
        "creamy background": "an undercorrected lens: soft behind the focal plane, rims in front of it.",
        "mirror lens": "doughnuts, from the mirror in the middle.",
        "classic five blades": "soft pentagons.",
        "modern nine blades": "nearly round.",
        "old triplet": "strong rims and colour.",
        "swirling portrait": "an old Petzval lens: a background that turns around the subject.",
        "cinema prime": "round in the middle, cat's eyes towards the corners.",
        "fast prime wide open": "green and magenta edges.",
        "moulded aspheric": "onion rings.",
        "anamorphic": "upright ovals, of half the width.",
    },
    "A ready-made lens, in place of the options above; none: those.",
    flag="--aperture-preset",
)
OPTIONS: tuple[Option, ...] = (
    SHAPE,
    BLADES,
    CURVATURE,
    ROTATION_DEG,
    INNER,
    POINTS,
    SOFTNESS,
    COLOR,
    CENTER,
    SQUEEZE,
    SPHERICAL,
    FRINGE,
    ONION,
    PRESET,
    FIELD,
    CAT_EYE,
    SWIRL,
    COMA,
    BARN_DOORS,
)
"""Of Bokeh Kernel."""
