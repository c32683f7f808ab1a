"""Depth of a photo."""

from __future__ import annotations

from .records import CONNECTED, OPEN, Case, Choice, Number, Option, Switch

INPUTS = ("da3_geometry", "moge_geometry", "depth_image")
"""Sockets that may bring the depth."""


def _from(*inputs: str) -> tuple[Case, ...]:
    """Where the depth comes from one of these sockets."""
    chosen: Case = {"source": inputs}
    return chosen, *({"source": ("auto",), name: (CONNECTED,)} for name in inputs)


_BY_MODEL: tuple[Case, ...] = ({"source": ("model",)}, {"source": ("auto",), **dict.fromkeys(INPUTS, (OPEN,))})
"""Where a model runs."""
SOURCE = Choice(
    "source",
    "auto",
    dict.fromkeys(("auto", "model", *INPUTS), ""),
    "Where the depth comes from. auto: the input below that is connected, else a model run here.",
)
MODEL = Choice("model", "auto", {"auto": ""}, "Model to run.", flag="--depth", when=_BY_MODEL)
ALLOW_DOWNLOAD = Switch(
    "allow_download",
    False,
    "On: fetch a missing model from Hugging Face into models/refocus (resumed, hash checked). Off: no network.",
    when=_BY_MODEL,
)
REFINE = Number(
    "refine", 1.0, (0.0, 1.0), 0.05, "", "Move depth edges onto the photo's edges. 0: leave the depth as it is, 1: full effect."
)
FOCAL_PX = Number(
    "focal_px",
    0.0,
    (0.0, 1e6),
    1.0,
    "px",
    "Focal length in pixels of this picture, where you know it. 0: unknown, take what the source says.",
)
GEOMETRY_UNITS = Choice(
    "geometry_units",
    "auto",
    dict.fromkeys(("auto", "metres", "relative"), ""),
    "What the connected geometry holds. auto: metres for MoGe-2, and for Depth Anything 3 if focal_px is given and the model is "
    "Mono or Metric. Choose metres for DA3 Metric, relative for DA3 Mono.",
    when=_from("da3_geometry", "moge_geometry"),
)
DA3_RESOLUTION = Number(
    "da3_resolution",
    504,
    (0, 16384),
    1,
    "px",
    "Long side in px at which Depth Anything 3 ran: 'resolution' of its node. Metres depend on it. "
    "0: it ran at the picture's own size.",
    when=_from("da3_geometry"),
)
DEPTH_KIND = Choice(
    "depth_kind",
    "disparity",
    {"disparity": "inverse depth, as most depth maps.", "depth": "distance, as a render's Z pass."},
    "What the depth picture holds.",
    when=_from("depth_image"),
)
DEPTH_NEAR = Choice(
    "depth_near",
    "auto",
    dict.fromkeys(("auto", "bright", "dark"), ""),
    "Which end of the depth picture is near; swap to invert. auto: bright for disparity, dark for depth.",
    when=_from("depth_image"),
)
NEAR_M = Number(
    "near_m",
    0.0,
    (0.0, 1e6),
    0.01,
    "m",
    "Distance in metres of the nearest thing. Gives relative depth, a model's or a picture's, a scale. 0: unknown. Needs far_m.",
    advanced=True,
)
FAR_M = Number(
    "far_m",
    0.0,
    (0.0, 1e6),
    0.1,
    "m",
    "Distance in metres of the farthest thing. Gives relative depth, a model's or a picture's, a scale. 0: unknown. "
    "Needs near_m.",
    advanced=True,
)
METRES_PER_UNIT = Number(
    "metres_per_unit",
    0.0,
    (0.0, 1e6),
    0.001,
    "m",
    "For a depth picture that holds distance in real units, such as an EXR: metres per 1.0. 0: unknown.",
    when=_from("depth_image"),
)
STEADY_FRAMES = Number(
    "steady_frames",
    8,
    (0, 24),
    1,
    "frames",
    "For a clip: how many frames before and after each one steady its depth, along the motion seen between them, so that it does "
    "not flicker. 0: each frame by itself.",
    flag="--steady-frames",
    when=_BY_MODEL,
)
OPTIONS: tuple[Option, ...] = (
    SOURCE,
    MODEL,
    ALLOW_DOWNLOAD,
    REFINE,
    FOCAL_PX,
    GEOMETRY_UNITS,
    DA3_RESOLUTION,
    DEPTH_KIND,
    DEPTH_NEAR,
    NEAR_M,
    FAR_M,
    METRES_PER_UNIT,
    STEADY_FRAMES,
)
"""Of Depth Estimate."""
