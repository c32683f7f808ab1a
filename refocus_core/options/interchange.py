"""Depth and defocus as pictures, from other programs and for them."""

from __future__ import annotations

from .records import Choice, Number, Option

SIGNS_READ = Choice(
    "signs",
    "signed",
    {
        "signed": "0 is in focus; the sides have signs (floating point, such as EXR).",
        "grey": "middle grey is in focus; the sides are brighter and darker.",
        "unsigned": "black is in focus; depth tells the sides.",
    },
    "How the picture tells what lies in front of the focal plane and what behind it.",
)
SIGNS_WRITTEN = Choice(
    "signs",
    "signed",
    {
        "signed": "0 is in focus; the sides have signs. Save it as floating point, such as EXR.",
        "grey": "middle grey is in focus; the sides are brighter and darker.",
        "unsigned": "black is in focus; both sides are bright.",
    },
    "How the picture tells what lies in front of the focal plane and what behind it.",
)
MEASURE = Choice(
    "measure", "radius", dict.fromkeys(("radius", "diameter"), ""), "Which size of the circle of confusion the picture holds."
)
UNIT = Choice("unit", "px", {"px": "of this picture.", "percent": "of its width."}, "In which unit.")
WHITE_READ = Number(
    "white",
    1.0,
    (0.01, 1e5),
    0.01,
    "",
    "What a value of 1 stands for, in that measure and unit. 1: the numbers are it, as in an EXR in px. For pictures of 8 or 16 "
    "bits the size at white, such as 40.",
)
WHITE_WRITTEN = Number(
    "white",
    1.0,
    (0.0, 1e5),
    0.01,
    "",
    "What a value of 1 stands for, in that measure and unit. 1: the numbers as they are. 0: the largest of all frames, which "
    "uses the whole range; the output white_value says what it is.",
)
_SIGNED = ({"signs": ("signed", "grey")},)
"""Where values tell the sides."""
_AT_POINT = ({"signs": ("unsigned",), "focus": ("point",)},)
"""Where a point says what is in focus."""
ABOVE = Choice(
    "above",
    "behind",
    dict.fromkeys(("behind", "in front"), ""),
    "For signed and grey: on which side of the focal plane values above 0, or brighter than middle grey, lie.",
    when=_SIGNED,
)
FOCUS = Choice(
    "focus",
    "sharpest",
    {"sharpest": "the median depth of what is darkest in the picture.", "point": "the depth at x, y."},
    "For unsigned: where the focal plane lies. What is nearer is in front of it.",
    when=({"signs": ("unsigned",)},),
)
X = Number("x", 0.5, (0.0, 1.0), 0.001, "", "For focus = point: 0 is the left edge, 1 the right edge.", when=_AT_POINT)
Y = Number("y", 0.5, (0.0, 1.0), 0.001, "", "For focus = point: 0 is the top edge, 1 the bottom edge.", when=_AT_POINT)
VALUES = Choice(
    "values",
    "near bright",
    {
        "near bright": "from 0 far to 1 near over all frames, as ControlNet and most packs take it.",
        "near dark": "the same, inverted.",
        "numbers": "disparity as it is, in 1/m where depth is in metres. Save it as floating point.",
        "metres": "distance; needs depth in metres. Save it as floating point, such as EXR.",
    },
    "What the picture holds.",
)
FARTHEST_M = Number(
    "farthest_m",
    0.0,
    (0.0, 1e6),
    1.0,
    "m",
    "For metres: what lies farther, such as sky, is put at this distance. 0: no limit, infinity stays infinite.",
    when=({"values": ("metres",)},),
)
DEFOCUS_FROM_IMAGE: tuple[Option, ...] = (SIGNS_READ, MEASURE, UNIT, WHITE_READ, ABOVE, FOCUS, X, Y)
"""Of Defocus from Image."""
DEFOCUS_TO_IMAGE: tuple[Option, ...] = (SIGNS_WRITTEN, MEASURE, UNIT, WHITE_WRITTEN, ABOVE)
"""Of Defocus to Image."""
DEPTH_TO_IMAGE: tuple[Option, ...] = (VALUES, FARTHEST_M)
"""Of Depth to Image."""
