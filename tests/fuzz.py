"""Generated calls of the core's public functions: right values, values at and beyond the limits, and wrong types.

A call either gives finite values of the right shape, or raises an error of ours: TypeError or ValueError that names the argument.

.venv/bin/python -m tests.fuzz --cases 100000 --seed 1
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from torch import Tensor

from refocus_core import bokeh, defocus, depth, restore
from refocus_core.optics import Blur, Lens
from refocus_core.types import DefocusMap, DepthMap

SIDES = st.integers(1, 14)
"""Sides of the pictures in px: small, so that many cases are tried."""
WRONG = (None, "soft", b"1", [1.0], {"x": 1}, float("nan"), float("inf"), -float("inf"), -1.0, 10**400, True, torch.ones(2, 2))
"""What stands in the place of an argument now and then; as a tuple: a value among others must not be changed by a call."""
BAD_TENSORS = ("integer", "empty", "flat", "nan", "channels")
"""Ways in which a tensor is wrong."""


@dataclass(frozen=True)
class Target:
    """A public function and what it takes.

    Attributes:
        call: the function.
        tensors: arguments that are pictures or maps, made from a case's size by a name of `_MAKERS`.
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


_MAKERS: dict[str, Callable[[int, int, int], Any]] = {
    "image": lambda h, w, seed: _noise(1, 3, h, w, seed=seed) * (1 + seed % 3),
    "map": lambda h, w, seed: _noise(1, h, w, seed=seed),
    "grey": lambda h, w, seed: _noise(1, 1, h, w, seed=seed).expand(1, 3, h, w).contiguous(),
    "depth": _depth,
    "defocus": _defocus,
}

_QUALITY = st.sampled_from(["draft", "normal", "best", "better"])
_UNIT = st.floats(-0.5, 1.5)
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
        },
    ),
    "bokeh.kernel_from_image": Target(
        bokeh.kernel_from_image, {"raster": "image"}, {"softness": _UNIT, "center": st.booleans()}, ("aperture",)
    ),
    "defocus.from_lens": Target(
        defocus.from_lens,
        {"depth_map": "depth"},
        {
            "lens": st.one_of(st.builds(Blur, st.floats(0, 50)), st.builds(Lens, st.floats(1, 500), st.floats(0.5, 64))),
            "focus": st.one_of(st.none(), st.tuples(_UNIT, _UNIT), st.floats(0.01, 1e4)),
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


@dataclass
class Case:
    """One call.

    Attributes:
        target: name in `TARGETS`; seed and size: of its pictures.
        values: of the other arguments.
        wrong: argument and what stands in its place, or None.
    """

    target: str
    size: tuple[int, int]
    seed: int
    values: dict[str, Any]
    wrong: tuple[str, Any] | None


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Calls of all targets; in one of three an argument is of another kind."""
    name = draw(st.sampled_from(sorted(TARGETS)))
    target = TARGETS[name]
    values = {key: draw(strategy) for key, strategy in target.values.items()}
    wrong = None
    if draw(st.integers(0, 2)) == 0:
        key = draw(st.sampled_from([*target.tensors, *target.values]))
        wrong = (key, draw(st.sampled_from(BAD_TENSORS if key in target.tensors else WRONG)))
    return Case(name, (draw(SIDES), draw(SIDES)), draw(st.integers(0, 99)), values, wrong)


def _damaged(value: Any, how: str) -> Any:
    """A tensor that is wrong, or None in the place of a map."""
    if not isinstance(value, Tensor):
        return None
    broken = value.clone()
    broken.view(-1)[0] = math.nan
    return {
        "integer": (value * 9).int(),
        "empty": value[..., :0],
        "flat": value.flatten(),
        "nan": broken,
        "channels": torch.cat([value, value], 1),
    }[how]


def run(case: Case) -> None:
    """Make the call and judge it.

    Raises:
        AssertionError: if it gives NaN, or fails in another way than in words of ours.
    """
    target = TARGETS[case.target]
    arguments = {key: _MAKERS[kind](*case.size, case.seed) for key, kind in target.tensors.items()} | case.values
    if case.wrong is not None:
        key, value = case.wrong
        arguments[key] = _damaged(arguments[key], value) if key in target.tensors else value
    kept = [(key, value, value.clone()) for key, value in arguments.items() if isinstance(value, Tensor)]
    try:
        result = target.call(**arguments)
    except (TypeError, ValueError) as error:
        words = str(error).lower().replace("_", " ")
        names = [key.replace("_", " ").split(" ")[0] for key in arguments] + [*target.words]
        assert any(name in words for name in names), f"{case}: the error names no argument: {error!r}"
    except Exception as error:
        raise AssertionError(f"{case}: {error!r}") from error
    else:
        for tensor in _tensors(result):
            assert not bool(tensor.isnan().any()), f"{case}: NaN in the result"
    for key, value, before in kept:
        assert torch.equal(value.nan_to_num(-9), before.nan_to_num(-9)), f"{case}: {key} was changed"


def _tensors(value: Any) -> Iterator[Tensor]:
    """All floating-point tensors in a result."""
    if isinstance(value, Tensor) and value.is_floating_point():
        yield value
    elif is_dataclass(value):
        for f in fields(value):
            yield from _tensors(getattr(value, f.name))
    elif isinstance(value, tuple):
        yield from itertools.chain.from_iterable(map(_tensors, value))


def campaign(count: int, seed: int) -> dict[str, int]:
    """Run `count` cases from a seed; how many there were of each target.

    Raises:
        AssertionError: on the first one that fails, made as small as possible.
    """
    seen: dict[str, int] = {}

    @seeded(seed)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )
    @given(cases())
    def judge(case: Case) -> None:
        seen[case.target] = seen.get(case.target, 0) + 1
        run(case)

    judge()
    return seen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=100_000, help="how many calls")
    parser.add_argument("--seed", type=int, default=1, help="where the generator begins")
    args = parser.parse_args()
    start = time.perf_counter()
    seen = campaign(args.cases, args.seed)
    for name, count in sorted(seen.items()):
        sys.stdout.write(f"{count:8d}  {name}\n")
    sys.stdout.write(f"{sum(seen.values()):8d}  cases, seed {args.seed}, {time.perf_counter() - start:.0f} s, none failed\n")


if __name__ == "__main__":
    main()
