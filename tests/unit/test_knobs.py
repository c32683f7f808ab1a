"""No knob is wired to nothing: every option of an aperture, of a focal plane and of the renderer changes what comes out."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

import pytest
import torch
from torch import Tensor

from refocus_core import bokeh, defocus, options
from refocus_core.cli.networks import Networks
from refocus_core.cli.stages import Stages, blurred
from refocus_core.optics import SENSORS_MM, Blur, Gain, Strength
from refocus_core.types import DefocusMap, DepthMap

OF_NODE = ("color", "center", "preset", "field")
"""Options of Bokeh Kernel that the settings do not have: for connected pictures, or switches that the node asks itself
(`tests/comfy/test_nodes.py`)."""
APERTURE: dict[str, tuple[dict[str, Any], Any]] = {
    "shape": ({}, "ring"),
    "blades": ({"shape": "polygon"}, 5),
    "curvature": ({"shape": "triangle"}, 0.5),
    "rotation_deg": ({"shape": "heart"}, 30.0),
    "inner": ({"shape": "ring"}, 0.7),
    "points": ({"shape": "star"}, 7),
    "softness": ({}, 0.5),
    "squeeze": ({}, 1.5),
    "spherical": ({}, 0.5),
    "fringe": ({}, 0.5),
    "onion": ({}, 0.5),
    "cat_eye": ({}, 0.5),
    "swirl": ({}, 0.5),
    "coma": ({}, 0.5),
    "barn_doors": ({}, 0.5),
}
"""Option -> settings in which it has an effect, and another value."""
FOCUS: dict[str, tuple[dict[str, Any], Any]] = {
    "focus": ({}, "auto"),
    "x": ({}, 0.8),
    "y": ({}, 0.9),
    "distance_m": ({"focus": "distance"}, 3.0),
    "strength": ({}, "camera"),
    "percent": ({}, 3.0),
    "f_number": ({"strength": "camera"}, 4.0),
    "focal_mm": ({"strength": "camera"}, 85.0),
    "sensor": ({"strength": "camera"}, "APS-C (23.6 mm)"),
    "near_gain": ({}, 0.5),
    "far_gain": ({}, 0.5),
    "focus_range": ({}, 0.2),
    "focus_radius": ({}, 0.3),
    "sensor_mm": ({"strength": "camera", "sensor": options.defocus.OTHER_SENSOR}, 20.0),
    "x2": ({"focus": "two points"}, 0.9),
    "y2": ({"focus": "two points"}, 0.9),
    "keyframes": ({}, '{"keys": [{"frame": 0, "x": 0.9, "y": 0.9}]}'),
    "tilt_deg": ({}, 30.0),
    "swing_deg": ({}, 30.0),
    "field_curvature": ({}, 0.3),
    "genfocus_k": ({"strength": options.defocus.GENFOCUS}, 40.0),
    "mask_blur": ({}, -2.0),
}
"""The same of Defocus Map."""
OF_CLIPS = ("breathing",)
"""Options of Defocus Map that change the size of a clip's frames, not their radii (`tests/unit/defocus/test_breathing.py`)."""
OF_FLUX = ("method", "redraw")
"""Options of Reblur that need models (`tests/comfy/test_generative.py`)."""
OF_REBLUR = ("glass",)
"""Switches that the node asks itself (`tests/comfy/test_nodes.py`)."""
RENDERER: dict[str, tuple[dict[str, Any], Any]] = {
    "quality": ({}, "best"),
    "highlight_boost": ({}, 3.0),
    "exposure": ({}, 1.0),
    "grain": ({}, 1.0),
    "highlight_recovery": ({}, 1.0),
    "recover_in_focus": ({"highlight_recovery": 1.0, "exposure": -2.0}, True),
    "bloom": ({}, 0.2),
    "lateral_color": ({}, 1.0),
}
"""The same of Reblur."""


def _both_sides(settings: dict[str, Any]) -> Tensor:
    """What it does in a corner of the picture, where a field has its effect."""
    kernel = bokeh.kernel_at(bokeh.ApertureSettings(**settings).kernel(), 0.8, -0.6)
    return torch.cat([kernel.raster.expand(3, -1, -1), kernel.side(-1).expand(3, -1, -1)])


def test_every_option_is_asked() -> None:
    listed = {o.name for o in options.aperture.OPTIONS} - {*OF_NODE}
    assert set(APERTURE) == listed and {*FOCUS, *OF_CLIPS} == {o.name for o in options.defocus.OPTIONS}
    assert {*RENDERER, *OF_FLUX, *OF_REBLUR} == {o.name for o in options.blur.OPTIONS}


@pytest.mark.parametrize("name", APERTURE)
def test_every_option_of_an_aperture_changes_it(name: str) -> None:
    settings, other = APERTURE[name]
    assert float((_both_sides(settings) - _both_sides({**settings, name: other})).abs().sum()) > 0.1


def _radius(**changed: Any) -> Tensor:
    """The defocus map of a scene from 1.5 to 8 m, as the node calls the core."""
    s: dict[str, Any] = {o.name: o.default for o in options.defocus.OPTIONS} | {"focus": "point", "x2": 0.6, "y2": 0.7} | changed
    hills = torch.rand(1, 1, 5, 6, generator=torch.Generator().manual_seed(2))
    disparity = torch.nn.functional.interpolate(hills, (40, 60), mode="bilinear")[:, 0]
    scene = DepthMap(disparity, metric=False).with_range(1.5, 8.0)
    point = defocus.FocusPoint(s["x"], s["y"], s["focus_radius"])
    focus = {
        "auto": defocus.FocusAuto(),
        "point": point,
        "distance": defocus.FocusDistance(s["distance_m"]),
        "two points": defocus.FocusBetween(point, defocus.FocusPoint(s["x2"], s["y2"], s["focus_radius"])),
    }[s["focus"]]
    lens: Strength = Gain(s["genfocus_k"]) if s["strength"] == options.defocus.GENFOCUS else Blur(s["percent"])
    if s["strength"] == options.defocus.CAMERA:
        lens = defocus.lens_for(scene, s["f_number"], s["focal_mm"], SENSORS_MM.get(s["sensor"], s["sensor_mm"]))
    made = defocus.from_lens(
        scene,
        lens,
        focus,
        tilt=defocus.Tilt(s["tilt_deg"], s["swing_deg"], s["x"], s["y"]),
        keyframes=defocus.parse_keyframes(s["keyframes"]),
        **{name: s[name] for name in ("focus_range", "near_gain", "far_gain", "field_curvature")},
    )
    return defocus.painted(made, torch.ones(40, 60), s["mask_blur"]).radius_px


@pytest.mark.parametrize("name", FOCUS)
def test_every_option_of_a_focal_plane_changes_the_defocus(name: str) -> None:
    settings, other = FOCUS[name]
    assert float((_radius(**settings) - _radius(**{**settings, name: other})).abs().max()) > 0.02


def _rendered(**changed: Any) -> Tensor:
    """A picture with lights, blurred on both sides of the focus, as the command line calls the core."""
    s: dict[str, Any] = {o.name: o.default for o in options.blur.OPTIONS} | changed
    noise = torch.rand(1, 3, 96, 128, generator=torch.Generator().manual_seed(3))
    radius = torch.linspace(-6, 6, 128).expand(1, 96, -1).clone()
    radius[:, 10:30, 20:40] = -8.0
    noise[:, :, 40:60, 52:80] = 0.1
    noise[:, :, 48:51, 63:66] = torch.tensor([0.8, 1.0, 0.8])
    args = Namespace(**s, highlights=s["highlight_boost"])
    made = DefocusMap.from_radius(radius)
    return blurred(args, noise, None, made, bokeh.make_kernel("circle"), Networks(), Stages(quiet=True), taken=noise)[0]


@pytest.mark.parametrize("name", RENDERER)
def test_every_option_of_the_renderer_changes_the_picture(name: str) -> None:
    settings, other = RENDERER[name]
    assert float((_rendered(**settings) - _rendered(**{**settings, name: other})).abs().max()) > 0.02


def test_grain_is_that_of_the_photo_and_not_of_its_deblurred_copy() -> None:
    smooth = torch.full((1, 3, 256, 256), 0.4)
    taken = smooth + 0.03 * torch.randn(smooth.shape, generator=torch.Generator().manual_seed(4))
    made, still = DefocusMap.from_radius(torch.full((1, 256, 256), 9.0)), {o.name: o.default for o in options.blur.OPTIONS}
    args = Namespace(**{**still, "grain": 1.0, "highlights": 0.0})
    out, _ = blurred(args, smooth, None, made, bokeh.make_kernel("circle"), Networks(), Stages(quiet=True), taken=taken)
    assert float(out.std()) == pytest.approx(0.03, rel=0.15)
