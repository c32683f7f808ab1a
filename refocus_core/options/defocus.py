"""What is sharp, and how strongly the rest blurs."""

from __future__ import annotations

from .records import Choice, Number, Option, Text

FOCUS = Choice(
    "focus",
    "auto",
    {
        "auto": "under the focus mask if one is connected, else the nearest large thing in the middle that is sharp in image.",
        "point": "at x, y.",
        "mask": "median depth under the mask.",
        "distance": "at distance_m metres.",
        "two points": "from x, y to x2, y2.",
    },
    "What is sharp. On the picture below: click, drag over what shall be sharp, Shift+click for the second point.",
)
_POINT = ({"focus": ("point", "two points")},)
"""Where a first point is measured."""
_SECOND_POINT = ({"focus": ("two points",)},)
"""Where a second one is."""
X = Number("x", 0.5, (0.0, 1.0), 0.001, "", "Focus point, for focus = point: 0 is the left edge, 1 the right edge.", when=_POINT)
Y = Number("y", 0.5, (0.0, 1.0), 0.001, "", "Focus point, for focus = point: 0 is the top edge, 1 the bottom edge.", when=_POINT)
DISTANCE_M = Number(
    "distance_m",
    2.0,
    (0.0, 1e5),
    0.01,
    "m",
    "Distance in metres from the camera. Needs depth in metres.",
    flag="--focus-distance",
    when=({"focus": ("distance",)},),
)
PERCENT_OF_LONG_EDGE, CAMERA, GENFOCUS = "percent of long edge", "camera", "K of Genfocus"
"""Words of `STRENGTH`."""
STRENGTH = Choice(
    "strength",
    PERCENT_OF_LONG_EDGE,
    {
        PERCENT_OF_LONG_EDGE: "set by 'percent'.",
        CAMERA: "by f_number, focal_mm and sensor, as that lens would blur; needs depth in metres (near_m and far_m of Depth "
        "Estimate make it so).",
        GENFOCUS: "set by 'genfocus_k'; needs depth in metres.",
    },
    "How strong the blur is.",
)
_OF_CAMERA = ({"strength": (CAMERA,)},)
"""Where a lens decides."""
PERCENT = Number(
    "percent",
    1.5,
    (0.0, 50.0),
    0.1,
    "percent",
    "Aperture: blur radius of the nearest thing with the focus on the farthest, in percent of the picture's long edge. Moving "
    "the focus does not change it. More is stronger; 1 = 20 px on a picture of 2000 px.",
    flag="--blur",
    when=({"strength": (PERCENT_OF_LONG_EDGE,)},),
)
SMALLEST_F_NUMBER = 0.5
"""No lens in air is faster."""
F_NUMBER = Number(
    "f_number",
    1.8,
    (0.0, 64.0),
    0.1,
    "",
    "Aperture of the camera, f/number. Smaller opens the lens: more blur.",
    when=_OF_CAMERA,
)
FOCAL_MM = Number(
    "focal_mm",
    50.0,
    (0.0, 2000.0),
    1.0,
    "mm",
    "Focal length of the camera in mm. Longer blurs more. 0: the photo's own, where its lens data or the depth know it.",
    when=_OF_CAMERA,
)
OWN_SENSOR = "the photo's own"
"""The word of `SENSOR` for what the photo's lens data say."""
OTHER_SENSOR = "other: sensor_mm"
"""The word of `SENSOR` for a number; the sensors before it are those of `optics`."""
SENSOR = Choice(
    "sensor",
    "full frame (36 mm)",
    {},
    "Size of the camera's sensor (its long side). With the same lens, a smaller sensor shows more blur.",
    when=_OF_CAMERA,
)
SENSOR_MM = Number(
    "sensor_mm",
    36.0,
    (1.0, 500.0),
    0.1,
    "mm",
    "Long side of the sensor in mm, where the list has no such sensor.",
    when=({"strength": (CAMERA,), "sensor": (OTHER_SENSOR,)},),
)
NEAR_GAIN = Number(
    "near_gain",
    1.0,
    (0.0, 4.0),
    0.05,
    "",
    "Factor on the blur in front of the focal plane. 0: none, 1: as the lens does.",
    advanced=True,
)
FAR_GAIN = Number(
    "far_gain",
    1.0,
    (0.0, 4.0),
    0.05,
    "",
    "Factor on the blur behind the focal plane. 0: none, 1: as the lens does.",
    advanced=True,
)
FOCUS_RANGE = Number(
    "focus_range",
    0.0,
    (0.0, 1.0),
    0.01,
    "",
    "Width of the zone around the focal plane that stays perfectly sharp, as a share of the scene's whole depth "
    "(in disparity). 0: a plane, as a lens has it. Blur starts softly at the zone's ends.",
)
FOCUS_RADIUS = Number(
    "focus_radius",
    0.01,
    (0.0, 0.5),
    0.005,
    "",
    "Radius of the area that the focus point measures, as a fraction of the long edge.",
    advanced=True,
    when=_POINT,
)
X2 = Number(
    "x2",
    0.5,
    (0.0, 1.0),
    0.001,
    "",
    "Second focus point, for focus = two points: 0 is the left edge, 1 the right edge.",
    when=_SECOND_POINT,
)
Y2 = Number(
    "y2",
    0.5,
    (0.0, 1.0),
    0.001,
    "",
    "Second focus point, for focus = two points: 0 is the top edge, 1 the bottom edge.",
    when=_SECOND_POINT,
)
_AT_POINT = ({"focus": ("point",)},)
"""Where the focal plane has a point to lean around."""
TILT_DEG = Number(
    "tilt_deg",
    0.0,
    (-89.0, 89.0),
    1.0,
    "degrees",
    "Tilt-shift lens: how the focal plane leans around the focus point. Above 0 it is nearer at the bottom, as the ground is; "
    "below 0 nearer at the top, which makes a miniature. 45: over the long edge it crosses the scene's whole depth.",
    flag="--tilt",
    when=_AT_POINT,
)
SWING_DEG = Number(
    "swing_deg",
    0.0,
    (-89.0, 89.0),
    1.0,
    "degrees",
    "The same to the side: above 0 the focal plane is nearer at the right.",
    flag="--swing",
    when=_AT_POINT,
)
KEYFRAMES = Text(
    "keyframes",
    "Focus and aperture over the frames of a clip, as JSON; empty: the same in all. Easiest made with Timeline below the "
    "picture.",
    advanced=True,
)
FIELD_CURVATURE = Number(
    "field_curvature",
    0.0,
    (-1.0, 1.0),
    0.05,
    "",
    "Field curvature: how much nearer the focus lies in the corners than in the middle, as a share of the scene's whole depth "
    "(in 1/distance). Below 0: farther away. 0: a flat focal plane.",
    advanced=True,
)
BREATHING = Number(
    "breathing",
    0.0,
    (0.0, 1.0),
    0.05,
    "",
    "Focus breathing: a focus that comes nearer over a clip shows the scene larger. 1: as a thin lens does. 0: not at all, as "
    "cine lenses.",
    advanced=True,
    when=_OF_CAMERA,
)
GENFOCUS_K = Number(
    "genfocus_k",
    20.0,
    (0.0, 1000.0),
    1.0,
    "px m",
    "K of Genfocus's published settings: blur radius in px is K times the difference of 1/distance in 1/m. It grows with the "
    "picture: twice as many px across need twice the K.",
    when=({"strength": (GENFOCUS,)},),
)
MASK_BLUR = Number(
    "mask_blur",
    1.5,
    (-50.0, 50.0),
    0.1,
    "percent",
    "Blur radius that is added where blur_mask is white, in percent of the long edge. Below 0: taken away, until it is sharp.",
    flag="--mask-blur",
    when=({"blur_mask": ("connected",)},),
)
OPTIONS: tuple[Option, ...] = (
    FOCUS,
    X,
    Y,
    DISTANCE_M,
    STRENGTH,
    PERCENT,
    F_NUMBER,
    FOCAL_MM,
    SENSOR,
    NEAR_GAIN,
    FAR_GAIN,
    FOCUS_RANGE,
    FOCUS_RADIUS,
    SENSOR_MM,
    X2,
    Y2,
    KEYFRAMES,
    TILT_DEG,
    SWING_DEG,
    FIELD_CURVATURE,
    BREATHING,
    GENFOCUS_K,
    MASK_BLUR,
)
"""Of Defocus Map."""
