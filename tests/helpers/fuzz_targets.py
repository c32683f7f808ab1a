"""What generated calls are made of: the core's public functions and what they take. See `tests/fuzz.py`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor

from refocus_core import bokeh, color, defocus, depth, restore
from refocus_core.optics import Blur, Gain, Lens
from refocus_core.types import DefocusMap, DepthMap


@dataclass(frozen=True)
class Target:
    """A public function and what it takes.

    Attributes:
        call: the function.
        tensors: arguments that are pictures or maps, made from a case's size by a name of `MAKERS`.
        values: other arguments, by strategy.
        words: other names that errors may give an argument: those of the page.
    """

    call: Callable[..., Any]
    tensors: dict[str, str] = field(default_factory=dict[str, str])
    values: dict[str, st.SearchStrategy[Any]] = field(default_factory=dict[str, Any])
    words: tuple[str, ...] = ()


def _noise(*shape: int, seed: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def _depth(h: int, w: int, seed: int) -> DepthMap:
    return DepthMap(_noise(1, h, w, seed=seed), bool(seed % 2), None, None, "generated")


def _defocus(h: int, w: int, seed: int) -> DefocusMap:
    return DefocusMap.from_radius((_noise(1, h, w, seed=seed) - 0.5) * (seed % 5) * 4)


MAKERS: dict[str, Callable[[int, int, int], Any]] = {
    "image": lambda h, w, seed: _noise(1, 3, h, w, seed=seed) * (1 + seed % 3),
    "map": lambda h, w, seed: _noise(1, h, w, seed=seed),
    "grey": lambda h, w, seed: _noise(1, 1, h, w, seed=seed).expand(1, 3, h, w).contiguous(),
    "depth": _depth,
    "defocus": _defocus,
}

_QUALITY = st.sampled_from(["draft", "normal", "best", "better"])
_UNIT = st.floats(-0.5, 1.5)
_SIGNED = st.floats(-1.5, 1.5)
_KEYFRAMES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-2, 10**30), st.floats(), st.sampled_from(["1,2", "linear"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["frame", "focus", "x", "y", "f_number", "blur"]), inner)
    ),
    max_leaves=8,
)
"""JSON that resembles keyframes."""

TARGETS: dict[str, Target] = {
    "bokeh.render": Target(
        bokeh.render,
        {"image_linear": "image", "defocus_map": "defocus", "matte": "map"},
        {"quality": _QUALITY, "highlight_boost": st.floats(-1, 6)},
    ),
    "bokeh.make_kernel": Target(
        bokeh.make_kernel,
        values={
            "shape": st.sampled_from([*bokeh.SHAPES, "blob"]),
            "rotation_deg": st.floats(-400, 400),
            "softness": _UNIT,
            "blades": st.integers(-1, 20),
            "curvature": _SIGNED,
            "inner": _UNIT,
            "points": st.integers(-1, 20),
            "size": st.sampled_from([1, 2, 17, 64]),
        },
    ),
    "bokeh.kernel_from_image": Target(
        bokeh.kernel_from_image, {"raster": "image"}, {"softness": _UNIT, "center": st.booleans()}, ("aperture",)
    ),
    "defocus.from_lens": Target(
        defocus.from_lens,
        {"depth_map": "depth"},
        {
            "lens": st.one_of(
                st.builds(Blur, st.floats(0, 50)),
                st.builds(Lens, st.floats(1, 500), st.floats(0.5, 64)),
                st.builds(Gain, st.floats(0, 1e4)),
            ),
            "focus": st.one_of(st.none(), st.tuples(_UNIT, _UNIT), st.floats(0.01, 1e4)),
            "tilt": st.one_of(st.none(), st.builds(defocus.Tilt, st.floats(-89, 89), st.floats(-89, 89))),
            "field_curvature": _SIGNED,
            "breathing": _UNIT,
            "focus_range": _UNIT,
            "near_gain": st.floats(-1, 4),
            "far_gain": st.floats(-1, 4),
        },
    ),
    "depth.refine": Target(
        depth.refine,
        {"depth_map": "depth", "image_srgb": "image"},
        {"strength": _UNIT, "radius_px": st.integers(-1, 9)},
    ),
    "depth.adjust": Target(
        depth.adjust,
        {"depth_map": "depth"},
        {
            "gamma": st.floats(-1, 5),
            "far_limit": _UNIT,
            "near_limit": _UNIT,
            "smooth": st.floats(-1, 11),
            "invert": st.booleans(),
        },
    ),
    "depth.from_image": Target(
        depth.from_image,
        {"image": "grey"},
        {
            "kind": st.sampled_from(["disparity", "depth", "height"]),
            "near": st.sampled_from(["bright", "dark", None]),
            "near_m": st.one_of(st.none(), st.floats(-1, 9)),
            "far_m": st.one_of(st.none(), st.floats(-1, 99)),
            "metres_per_unit": st.one_of(st.none(), st.floats(-1, 100)),
            "unknown": st.one_of(st.none(), st.floats(-1, 1)),
        },
        ("depth picture",),
    ),
    "depth.to_image": Target(depth.to_image, {"depth_map": "depth"}, {"values": st.sampled_from([*depth.EXPORTS, "far"])}),
    "defocus.from_image": Target(defocus.from_image, {"image": "grey"}, words=("defocus picture",)),
    "defocus.to_image": Target(
        defocus.to_image, {"defocus_map": "defocus"}, {"encoding": st.none(), "fill_range": st.booleans()}
    ),
    "defocus.preview": Target(defocus.preview, {"defocus_map": "defocus", "image_srgb": "image"}),
    "defocus.parse_keyframes": Target(
        defocus.parse_keyframes, values={"text": st.one_of(st.text(max_size=30), _KEYFRAMES.map(json.dumps))}, words=("key",)
    ),
    "bokeh.boost_highlights": Target(
        bokeh.boost_highlights,
        {"image_linear": "image", "radius_px": "map"},
        {"stops": st.floats(-1, 9), "threshold": _UNIT},
        ("highlight", "defocus map"),
    ),
    "bokeh.recover_highlights": Target(
        bokeh.recover_highlights,
        {"image_linear": "image", "radius_px": "map"},
        {"amount": st.floats(-0.5, 1.5), "in_focus": st.booleans()},
        ("highlight", "defocus map"),
    ),
    "bokeh.depth_matte": Target(
        lambda image_linear, depth_map, near, far, softness: bokeh.depth_matte(
            image_linear, depth_map, *bokeh.between(depth_map, near, far), softness=softness
        ),
        {"image_linear": "image", "depth_map": "depth"},
        {"near": _UNIT, "far": _UNIT, "softness": _UNIT},
    ),
    "depth.in_metres": Target(depth.in_metres, {"depth_map": "depth"}, {"near_m": st.floats(-1, 9), "far_m": st.floats(-1, 99)}),
    "bokeh.bloomed": Target(bokeh.bloomed, {"image_srgb": "image"}, {"amount": _UNIT}, ("bloom",)),
    "bokeh.with_lateral_colour": Target(
        bokeh.with_lateral_colour, {"image_srgb": "image"}, {"percent": st.floats(-3, 3)}, ("lateral",)
    ),
    "bokeh.put_grain_back": Target(
        bokeh.put_grain_back,
        {"result_srgb": "image", "photo_srgb": "image", "radius_px": "map"},
        {"amount": _UNIT},
        ("grain", "photo", "defocus map"),
    ),
    "bokeh.Character": Target(
        bokeh.Character, values={"squeeze": st.floats(0, 3), "spherical": _SIGNED, "fringe": _SIGNED, "onion": _UNIT}
    ),
    "bokeh.revealed": Target(bokeh.revealed, {"defocus_map": "defocus"}, {"quality": _QUALITY}),
    "color.exposed": Target(color.exposed, {"image_srgb": "image"}, {"stops": st.floats(-20, 20)}, ("exposure",)),
    "defocus.FocusPoint": Target(defocus.FocusPoint, values={"x": _UNIT, "y": _UNIT, "radius": _UNIT}),
    "defocus.FocusDistance": Target(defocus.FocusDistance, values={"distance_m": st.floats(-1, 1e9)}),
    "defocus.FocusDisparity": Target(defocus.FocusDisparity, values={"disparity": st.floats(-1, 1e9)}),
    "defocus.FocusAuto": Target(defocus.FocusAuto, values={"prominence": _UNIT}),
    "defocus.Tilt": Target(
        defocus.Tilt, values={"tilt_deg": st.floats(-100, 100), "swing_deg": st.floats(-100, 100), "x": _UNIT, "y": _UNIT}
    ),
    "defocus.Encoding": Target(
        defocus.Encoding, values={"signs": st.sampled_from([*defocus.SIGNS, "minus"]), "white": st.floats(-1, 1e9)}
    ),
    "defocus.Key": Target(
        defocus.Key,
        values={
            "frame": st.integers(-2, 10**30),
            "x": _UNIT,
            "y": _UNIT,
            "distance_m": st.one_of(st.none(), st.floats(-1, 1e9)),
            "f_number": st.floats(-1, 64),
            "percent": st.floats(-1, 60),
            "ease": st.sampled_from(["ease", "linear", "jump"]),
        },
    ),
    "defocus.painted": Target(
        defocus.painted, {"defocus_map": "defocus", "mask": "map"}, {"percent": st.floats(-60, 60)}, ("blur",)
    ),
    "defocus.imaged": Target(defocus.imaged, {"defocus_map": "defocus", "picture_srgb": "image"}),
    "depth.At": Target(
        depth.At,
        values={"level": st.one_of(st.none(), _UNIT), "point": st.none(), "distance_m": st.one_of(st.none(), st.floats(-1, 1e9))},
    ),
    "depth.Area": Target(
        depth.Area,
        {"mask": "map"},
        {"action": st.sampled_from([*depth.AREA_WORDS, "lift"]), "amount": _UNIT, "feather": st.floats(-1, 20)},
        ("depth",),
    ),
    "depth.isolate": Target(
        depth.isolate,
        {"depth_map": "depth"},
        {"at": st.builds(depth.At, st.floats(0, 1)), "tolerance": _UNIT, "softness": _UNIT},
    ),
    "optics.Lens": Target(
        Lens, values={"focal_mm": st.floats(-1, 2000), "f_number": st.floats(-1, 99), "sensor_mm": st.floats(-1, 99)}
    ),
    "restore.deconvolve": Target(
        restore.deconvolve,
        {"image_srgb": "image", "radius_px": "map"},
        {"strength": st.floats(-0.5, 5), "noise": st.one_of(st.none(), st.floats(-0.1, 0.6)), "doubt": st.floats(-1, 9)},
    ),
    "restore.noise_level": Target(
        lambda image_srgb, radius_px: restore.noise_level(image_srgb[0], radius_px[0]),
        {"image_srgb": "image", "radius_px": "map"},
    ),
    "restore.all_in_focus": Target(
        restore.all_in_focus,
        {"image_srgb": "image", "defocus_map": "defocus"},
        {
            "method": st.sampled_from(["none", "deconvolution", "magic"]),
            "strength": st.floats(-0.5, 5),
            "noise": st.floats(-0.1, 0.6),
            "tile_px": st.sampled_from([63, 64, 1000]),
        },
    ),
}
"""What is called, by its public name."""
