"""What the page computes is what the core computes: defocus, its colours, keyframes, aperture shapes."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
import torch

from refocus_core import bokeh, defocus, optics
from refocus_core.files.pictures import CameraData
from refocus_core.optics import Blur, Gain, Strength
from refocus_core.types import DepthMap, PupilField
from tests.helpers import rig
from tests.helpers.page import Page

W, H = 96, 64
SETTINGS: dict[str, Any] = {
    "focus": "point",
    "x": 0.3,
    "y": 0.4,
    "x2": 0.8,
    "y2": 0.7,
    "distance_m": 2.5,
    "strength": "percent of long edge",
    "percent": 3.0,
    "f_number": 2.0,
    "focal_mm": 85.0,
    "sensor_mm": 36.0,
    "near_gain": 1.0,
    "far_gain": 1.0,
    "focus_range": 0.0,
    "focus_radius": 0.03,
    "keyframes": "",
    "tilt_deg": 0.0,
    "swing_deg": 0.0,
    "field_curvature": 0.0,
    "genfocus_k": 20.0,
}
CAMERA = {"strength": "camera"}
PHOTO = CameraData(focal_mm=56.0, f_number=1.9, sensor_mm=23.6, subject_m=1.7)
"""Lens data, connected in these cases."""
WITH_PHOTO = ("as the photo", "the photo's view at full frame")
OPEN = {"f_number": 0.0, "focal_mm": 0.0, "sensor_mm": 0.0, "distance_m": 0.0}
METRIC = (
    "camera",
    "tilt of a camera",
    "bent and tilted, of a camera",
    "distance",
    "own focal length",
    *WITH_PHOTO,
    "percent in metres",
    "keys of a camera",
    "K of Genfocus",
)
"""Cases whose depth is in metres."""
CASES: dict[str, dict[str, Any]] = {
    "point": {},
    "far corner": {"x": 1.0, "y": 1.0, "focus_radius": 0.02},
    "auto": {"focus": "auto"},
    "two points": {"focus": "two points", "focus_range": 0.1},
    "range and gains": {"focus_range": 0.3, "near_gain": 0.5, "far_gain": 1.7},
    "camera": CAMERA,
    "K of Genfocus": {"strength": "K of Genfocus", "genfocus_k": 33.0, "focus_range": 0.1},
    "tilt and swing": {"tilt_deg": -50.0, "swing_deg": 20.0, "focus_range": 0.05, "far_gain": 0.7},
    "tilt of a camera": {**CAMERA, "tilt_deg": 70.0},
    "bent": {"field_curvature": 0.4, "focus": "auto", "near_gain": 0.6},
    "bent and tilted, of a camera": {**CAMERA, "field_curvature": -0.3, "swing_deg": 30.0},
    "no tilt without a point": {"focus": "auto", "tilt_deg": 60.0},
    "distance": {**CAMERA, "focus": "distance", "f_number": 1.4, "focus_range": 0.2},
    "own focal length": {**CAMERA, "focal_mm": 0.0},
    "as the photo": {**CAMERA, **OPEN, "focus": "distance"},
    "the photo's view at full frame": {**CAMERA, "focal_mm": 0.0},
    "percent in metres": {"focus": "distance"},
    "keys": {"keyframes": '{"keys": [{"frame": 0, "x": 0.2, "y": 0.5}, {"frame": 2, "x": 0.9, "y": 0.1, "percent": 1}]}'},
    "keys of a camera": {
        **CAMERA,
        "keyframes": '{"keys": [{"frame": 0, "f_number": 1.4, "ease": "linear"}, {"frame": 3, "distance_m": 4, "f_number": 8}]}',
    },
}


@pytest.fixture(scope="module")
def page(ui_page: Callable[[str], Page]) -> Page:
    return ui_page("own")


def depth(metric: bool) -> DepthMap:
    """Three frames of smooth hills with holes of unknown depth, relative or from 1.2 to 9 m."""
    g = torch.Generator().manual_seed(3)
    d = torch.nn.functional.interpolate(torch.rand(3, 1, 5, 7, generator=g), (H, W), mode="bicubic")[:, 0].clamp(0, 1)
    valid = torch.rand(3, H, W, generator=g) > 0.1
    made = DepthMap(d.contiguous(), False, focal_px=torch.tensor([100.0, 110.0, 120.0]), valid=valid)
    # Without the range that it was given: the page must go by what is valid.
    return replace(made.with_range(1.2, 9.0), known_range=None) if metric else made


def by_the_core(depth_map: DepthMap, s: dict[str, Any], camera: CameraData | None) -> Any:
    first = defocus.FocusPoint(s["x"], s["y"], s["focus_radius"])
    focus: Any = {
        "point": first,
        "auto": defocus.FocusAuto(),
        "two points": defocus.FocusBetween(first, defocus.FocusPoint(s["x2"], s["y2"], s["focus_radius"])),
        "distance": defocus.FocusDistance(s["distance_m"] or PHOTO.subject_m or 0.0),
    }[s["focus"]]
    lens: Strength = Gain(s["genfocus_k"]) if s["strength"] == "K of Genfocus" else Blur(s["percent"])
    if s["strength"] == "camera":
        lens = defocus.lens_for(depth_map, s["f_number"] or None, s["focal_mm"] or None, s["sensor_mm"] or None, camera)
    tilt = defocus.Tilt(s["tilt_deg"], s["swing_deg"], s["x"], s["y"])
    return defocus.from_lens(
        depth_map,
        lens,
        focus,
        focus_range=s["focus_range"],
        near_gain=s["near_gain"],
        far_gain=s["far_gain"],
        keyframes=defocus.parse_keyframes(s["keyframes"]),
        tilt=tilt if s["focus"] == "point" else None,
        field_curvature=s["field_curvature"],
    )


@pytest.mark.parametrize("case", CASES)
def test_defocus_and_its_colours(page: Page, case: str) -> None:
    settings = {**SETTINGS, **CASES[case]}
    source = depth(case in METRIC)
    small = defocus.thumbnail(source.disparity, max(W, H), valid=source.valid)
    assert small.codes.shape == (3, H, W)
    known = torch.from_numpy(small.codes < 32768)
    values = small.low + torch.from_numpy((small.codes & 32767).astype(np.float32)) / 32767 * (small.high - small.low)
    source = replace(source, disparity=values, valid=known)
    camera = PHOTO if case in WITH_PHOTO else None
    photo = (torch.rand(1, 3, H, W, generator=torch.Generator().manual_seed(4)) * 255).round() / 255
    numbers = {
        "width": W,
        "height": H,
        "frames": 3,
        "shown": [0, 1, 2],
        "size": [W, H],
        "low": small.low,
        "high": small.high,
        "metric": source.metric,
        "nearest": source.extremes()[1].tolist(),
        "span": source.span().tolist(),
        "auto": defocus.focus_disparity(source).tolist(),
        "mask": None,
        "focal_px": float(source.focal_px.median()) if source.focal_px is not None else None,
        "camera": asdict(camera) if camera else None,
    }
    rgba = torch.cat([photo[0].movedim(0, -1) * 255, torch.full((H, W, 1), 255.0)], -1).round().to(torch.uint8)
    found = page.page.evaluate(
        """async ([pack, packed, numbers, settings, rgba]) => {
          const { law } = await import(`/extensions/${pack}/refocus.js`);
          const bytes = (text) => Uint8Array.from(atob(text), c => c.charCodeAt(0));
          const raw = new Blob([bytes(packed)]).stream().pipeThrough(new DecompressionStream('deflate'));
          const map = law.unpack(await new Response(raw).arrayBuffer(), numbers);
          const grey = law.greyOf(new Uint8ClampedArray(bytes(rgba)));
          const largest = law.largestRadiusPx(numbers, map, settings);
          return numbers.shown.map((_, i) => {
            const solved = law.solve(numbers, map, settings, i);
            const radius = law.radiiPx(map.values[i], solved, settings, map);
            const out = new Uint8ClampedArray(4 * radius.length);
            law.paintDefocus(radius, grey, largest, map, out);
            const { focusDisparity: focus, gainPx: gain, field } = solved;
            return { focus, gain, field, radius: [...radius], picture: [...out] };
          });
        }""",
        [
            rig.PACK,
            base64.b64encode(small.packed()).decode(),
            numbers,
            settings,
            base64.b64encode(rgba.numpy().tobytes()).decode(),
        ],
    )
    made = by_the_core(source, settings, camera)
    assert float(made.radius_px.abs().max()) > 0.3
    assert [f["focus"] for f in found] == pytest.approx(made.focus_disparity.tolist(), rel=1e-4, abs=1e-5)
    assert [f["gain"] for f in found] == pytest.approx(made.gain_px.tolist(), rel=1e-4)
    if settings["strength"] == "camera":
        field = [
            optics.depth_of_field_m(k, d, max(W, H))
            for k, d in zip(made.gain_px.tolist(), made.focus_disparity.tolist(), strict=True)
        ]
        assert [f["field"]["nearM"] for f in found] == pytest.approx([near for near, _ in field], rel=1e-3)
        assert [f["field"]["farM"] or float("inf") for f in found] == pytest.approx([far for _, far in field], rel=1e-2)
    radius = torch.tensor([f["radius"] for f in found]).view(3, H, W)
    assert float((radius - made.radius_px).abs().max()) < 2e-3
    colours = torch.tensor([f["picture"] for f in found]).view(3, H, W, 4)[..., :3] / 255
    expected = defocus.preview(made, photo).movedim(1, -1)
    # Rounding to 8 bits is half a step; a pixel on the very border of what is sharp may fall on either side.
    differ = ((colours - expected).abs() > 1.1 / 255).any(-1)
    assert float(differ.float().mean()) < 5e-4


SHAPES: list[dict[str, Any]] = [
    {"shape": "circle"},
    {"shape": "circle", "softness": 0.4},
    *(
        {"shape": "polygon", "blades": blades, "curvature": curvature, "rotation_deg": 11}
        for blades, curvature in itertools.product((3, 6, 9), (0, 0.35, 1))
    ),
    {"shape": "polygon", "blades": 7, "softness": 0.7, "rotation_deg": -200},
    {"shape": "ring", "inner": 0.55},
    {"shape": "ring", "inner": 0.3, "softness": 0.25},
    {"shape": "star", "points": 5, "inner": 0.4},
    {"shape": "star", "points": 8, "inner": 0.1, "rotation_deg": 20, "softness": 0.2},
    {"shape": "heart"},
    {"shape": "heart", "rotation_deg": 33},
    {"shape": "heart", "rotation_deg": -90, "softness": 0.5},
    {"shape": "triangle", "curvature": 0.3, "rotation_deg": 20},
    {"shape": "circle", "onion": 0.7},
    {"shape": "polygon", "blades": 5, "squeeze": 1.6},
    {"shape": "ring", "squeeze": 0.6, "rotation_deg": 30},
    {"shape": "star", "spherical": 0.8, "rotation_deg": 12},
    {"shape": "heart", "spherical": -1.0, "fringe": 0.6},
    {"shape": "polygon", "blades": 9, "fringe": -0.9, "softness": 0.2, "onion": 0.3},
]


FIELDS: list[dict[str, Any]] = [
    {"cat_eye": 0.8},
    {"shape": "polygon", "blades": 5, "swirl": 0.7, "cat_eye": 0.4},
    {"shape": "star", "swirl": -1.0},
    {"coma": 1.0, "spherical": 0.4},
    {"barn_doors": 1.0},
    {"shape": "polygon", "blades": 7, "barn_doors": 0.6, "cat_eye": 0.5, "coma": 0.4},
    {"shape": "ring", "coma": -0.6, "swirl": 0.3, "cat_eye": 0.5, "fringe": 0.5},
]


def test_apertures_towards_a_corner(page: Page) -> None:
    """Behind the focal plane, and beside it in front of it, where the pupil changes over the picture."""
    usual = asdict(bokeh.ApertureSettings())
    asked = [{**usual, **s} for s in FIELDS]
    found = page.page.evaluate(
        """async ([pack, shapes]) => {
          const { kernel } = await import(`/extensions/${pack}/refocus.js`);
          return shapes.map(s => [1, -1].map(side => { const out = new Uint8ClampedArray(4 * 96 * 96);
            kernel.paintKernel(kernel.planesAt(s, 96, side, 0.6, -0.6), out); return [...out]; }));
        }""",
        [rig.PACK, asked],
    )
    for options, sides in zip(asked, found, strict=True):
        settings = bokeh.ApertureSettings(**options)
        outline = {k: v for k, v in options.items() if not hasattr(bokeh.Character(), k) and not hasattr(PupilField(), k)}
        made = bokeh.kernel_at(settings.drawn(bokeh.make_kernel(**outline, size=96)), 0.6, -0.6)
        expected = bokeh.kernel_preview(replace(made, near=made.side(-1)), 96)[0]
        behind, front = (torch.tensor(s).view(96, 96, 4)[..., :3].movedim(-1, 0) / 255 for s in sides)
        off = (torch.cat([behind, front.flip(-2, -1)], -1) - expected).abs()
        assert float((off > 2.5 / 255).float().mean()) < 4e-3, options
        assert float(off.mean()) < 2e-3, options


def test_aperture_shapes(page: Page) -> None:
    """Behind the focal plane, and beside it in front of it."""
    usual = asdict(bokeh.ApertureSettings())
    asked = [{**usual, **s} for s in SHAPES]
    found = page.page.evaluate(
        """async ([pack, shapes]) => {
          const { kernel } = await import(`/extensions/${pack}/refocus.js`);
          return shapes.map(s => [1, -1].map(side => { const out = new Uint8ClampedArray(4 * 96 * 96);
            kernel.paintKernel(kernel.planes(s, 96, side), out); return [...out]; }));
        }""",
        [rig.PACK, asked],
    )
    for options, sides in zip(asked, found, strict=True):
        settings = bokeh.ApertureSettings(**options)
        outline = {k: v for k, v in options.items() if not hasattr(bokeh.Character(), k) and not hasattr(PupilField(), k)}
        made = bokeh.through_lens(bokeh.make_kernel(**outline, size=96), settings.character())
        expected = bokeh.kernel_preview(replace(made, near=made.side(-1)), 96)[0]
        behind, front = (torch.tensor(s).view(96, 96, 4)[..., :3].movedim(-1, 0) / 255 for s in sides)
        off = (torch.cat([behind, front.flip(-2, -1)], -1) - expected).abs()
        # A sample on the very edge may fall on either side, which is 1/16 of a cell.
        assert float((off > 1.5 / 255).float().mean()) < 2e-3, options
        assert float(off.mean()) < 1e-3, options
