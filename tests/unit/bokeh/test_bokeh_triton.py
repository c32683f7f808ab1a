"""The Triton engine against the plain one, in Triton's interpreter on the CPU; that it compiles for GPUs; and who is chosen.

No GPU is needed. The interpreter runs a kernel's program by program in numpy, so its pictures are small. It is switched on for
this file alone: nothing else here uses Triton.
"""

from __future__ import annotations

import json
import logging
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.helpers.paths import REPO

_BEFORE = os.environ.get("TRITON_INTERPRET")
os.environ["TRITON_INTERPRET"] = "1"  # read where kernels are defined
pytest.importorskip("triton", reason="needs the package triton (Linux; scripts/requirements-tests.txt)")

from refocus_core import bokeh  # noqa: E402 - after the interpreter is switched on
from refocus_core.bokeh.bins import Bins  # noqa: E402
from refocus_core.bokeh.engines import choose as engines  # noqa: E402
from refocus_core.bokeh.engines import triton_engine, triton_kernels  # noqa: E402
from refocus_core.bokeh.engines.torch_engine import TileEngine, tile_count  # noqa: E402
from refocus_core.bokeh.engines.triton_engine import TritonEngine  # noqa: E402
from refocus_core.bokeh.plan import Plan, Quality  # noqa: E402
from refocus_core.bokeh.surfaces.layers import Layers  # noqa: E402
from refocus_core.types import DefocusMap, Kernel  # noqa: E402

if _BEFORE is None:
    del os.environ["TRITON_INTERPRET"]
else:
    os.environ["TRITON_INTERPRET"] = _BEFORE


WORST, MEAN, MOST, SHARE = 2e-4, 2e-6, 2e-6, 0.98
"""Largest and mean difference of two engines, and the one that a SHARE of the values keeps to, relative to the brightest pixel.
Rounding alone gives 1e-6. What a bin adds where it covers less than `PRESENT` may count to one group or the next."""


@pytest.fixture(autouse=True)
def _few_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The interpreter takes its time for each program, however small."""
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    monkeypatch.setattr(triton_kernels, "ROWS", triton_kernels.TILE)


def _texture(h: int, w: int, seed: int) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    return torch.rand(3, h, w, generator=g)


def _grid(h: int, w: int) -> tuple[Tensor, Tensor]:
    y, x = torch.meshgrid(torch.linspace(0, 1, h), torch.linspace(0, 1, w), indexing="ij")
    return y, x


def _layered(h: int, w: int, low: float, high: float, *, plate: bool = False, hdr: bool = False) -> Layers:
    """A slope of radii with a near disc and a focused bar, and a second surface behind the disc, or everywhere."""
    y, x = _grid(h, w)
    radius = low + (high - low) * (0.8 * x + 0.2 * y)
    radius = torch.where((x - 0.5).square() + (y - 0.45).square() < 0.06, torch.tensor(low), radius)
    radius = torch.where((x - 0.7).abs() < 0.06, torch.tensor(0.0), radius)
    image = _texture(h, w, 1)
    if hdr:
        image[:, h // 2, w // 2] = 1e4
        image[0, h // 3, w // 3] = 1e4
    alpha = torch.where(((x - 0.5).square() + (y - 0.45).square() - 0.06).abs() < 0.02, 0.6 + 0.4 * image[2].clamp_max(1), 1.0)
    lies = torch.ones(h, w) if plate else ((x - 0.5).square() + (y - 0.45).square() < 0.09).float()
    alpha = torch.where(lies > 0, alpha, torch.ones(()))
    back_radius = torch.where(lies > 0, 0.3 * radius + 0.7 * high, radius)
    back = torch.cat([_texture(h, w, 2), torch.ones(1, h, w)]) * lies
    return Layers(torch.cat([image * alpha, alpha[None]]), radius, back, back_radius, (lies > 0) & (radius == low))


def _both(
    layers: Layers, kernel: Kernel, quality: Quality, size: tuple[int, int], origin: tuple[int, int]
) -> tuple[Tensor, Tensor, Tensor]:
    """The photo, and what each engine makes of it in the middle of the window."""
    every = torch.cat([layers.front_radius, layers.back_radius])
    plan = Plan(kernel, Bins.of(every, quality.bin_step), quality)
    h, w = layers.front_radius.shape
    reach = ((h - size[0]) // 2, (w - size[1]) // 2)
    photo = layers.front[:3, reach[0] : reach[0] + size[0], reach[1] : reach[1] + size[1]].clone()
    pictures: list[Tensor] = []
    covers: list[Tensor] = []
    for engine in (TileEngine(plan), TritonEngine(plan)):
        out, nearer, steps = photo.clone(), torch.zeros(4, *size), []
        engine.composite(layers, reach, origin, out, steps.append, nearer)
        assert sum(steps) == tile_count(*size)
        pictures.append(out)
        covers.append(nearer)
        alone = photo.clone()
        engine.composite(layers, reach, origin, alone, lambda _: None)
        assert torch.equal(alone, out), "asking for the coverage changes the picture"
    _assert_alike(covers[1], covers[0])
    assert bool((covers[0][3] > 0.5).any()) == bool((every < -1).any()), "of what is nearer than the focus"
    return photo, pictures[0], pictures[1]


def _assert_alike(ours: Tensor, theirs: Tensor) -> None:
    difference, peak = (ours - theirs).abs(), float(theirs.max())
    assert bool(torch.isfinite(ours).all())
    assert float(difference.max()) <= WORST * peak
    assert float(difference.mean()) <= MEAN * peak
    assert float(difference.flatten().quantile(SHARE)) <= MOST * peak


def _colour_kernel() -> Kernel:
    raster = torch.rand(3, 12, 12, generator=torch.Generator().manual_seed(3))
    raster[0, :, :5] = 0
    raster[1, :4] = 0
    return bokeh.kernel_from_image(raster)


def _off_axis() -> Kernel:
    raster = torch.zeros(16, 16)
    raster[2:8, 7:15] = 1
    return bokeh.kernel_from_image(raster)


CASES = {
    # kernel, quality (resolution_px, bin_step, pieces), radii, size of the output, origin, options of the layers
    "sub-pixel": (bokeh.make_kernel("circle"), Quality(100, 1.0, 1), (-1.3, 1.4), (25, 27), (0, 0), {}),
    "circle, both sides": (bokeh.make_kernel("circle"), Quality(100, 2.5, 1), (-4.6, 4.2), (14, 22), (-9, -9), {}),
    "heart, 1/2 and 1/4": (bokeh.make_kernel("heart"), Quality(2, 3.5, 1), (-5.0, 8.4), (12, 30), (23, -31), {}),
    "off axis, 4 pieces": (_off_axis(), Quality(100, 2.5, 4), (-5.0, 4.0), (18, 33), (64, 7), {"plate": True}),
    "polygon, 4 pieces, 1/2": (
        bokeh.make_kernel("polygon", blades=5, rotation_deg=20),
        Quality(3, 4.0, 4),
        (-6.2, 3.0),
        (13, 30),
        (5, 130),
        {"plate": True},
    ),
    "heart, 16 pieces": (bokeh.make_kernel("heart"), Quality(100, 3.0, 16), (-5.5, 5.0), (11, 13), (0, 0), {"plate": True}),
    "soft, 1/2": (
        bokeh.make_kernel("circle", softness=0.7),
        Quality(3, 4.0, 1),
        (-6.2, 1.0),
        (9, 33),
        (0, 0),
        {"plate": True},
    ),
    "colour, 1/2": (_colour_kernel(), Quality(3, 3.0, 1), (-6.5, 5.0), (33, 20), (-3, 3), {}),
    "colour, 4 pieces": (_colour_kernel(), Quality(100, 3.0, 4), (-5.0, 3.0), (21, 33), (0, 0), {"plate": True}),
    "joined": (bokeh.make_kernel("circle"), Quality(100, 1.0, 1, join=2.1), (-4.6, 4.2), (14, 22), (-9, -9), {}),
    "joined, 4 pieces, 1/2": (
        bokeh.make_kernel("heart"),
        Quality(3, 2.0, 4, join=4.5),
        (-6.2, 7.0),
        (13, 30),
        (5, 130),
        {"plate": True},
    ),
    "joined, colour": (_colour_kernel(), Quality(3, 2.0, 1, join=2.5), (-6.5, 5.0), (20, 24), (-3, 3), {}),
    "lights of 1e4": (bokeh.make_kernel("heart"), Quality(3, 3.5, 1), (-4.0, 6.2), (14, 20), (0, 0), {"hdr": True}),
}


@pytest.mark.parametrize("name", CASES)
def test_same_picture_as_the_plain_engine(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "circle, both sides":
        monkeypatch.setattr(triton_kernels, "CHUNK", 16)  # rows of several parts in a small picture
    kernel, quality, radii, size, origin, options = CASES[name]
    reach = math.ceil(max(map(abs, radii))) + 2
    layers = _layered(size[0] + 2 * reach, size[1] + 2 * reach, *radii, **options)
    photo, theirs, ours = _both(layers, kernel, quality, size, origin)
    _assert_alike(ours, theirs)
    # The scene is blurred, and what is in focus and untouched is the photo itself.
    assert float((ours - photo).abs().mean()) > 0.01
    assert torch.equal((ours == photo).all(0), (theirs == photo).all(0))


def test_a_faint_pixel_beside_a_light_keeps_its_value() -> None:
    """Running sums carry what lies left of a pixel; its rounding must not show."""
    reach, size = 11, (6, 36)
    h, w = size[0] + 2 * reach, size[1] + 2 * reach
    front = torch.full((4, h, w), 0.01)
    front[3] = 1
    front[:3, h // 2, reach] = 1e4
    radius = torch.full((h, w), 9.0)
    layers = Layers(front, radius, torch.zeros_like(front), radius, torch.zeros(h, w, dtype=torch.bool))
    _, _, ours = _both(layers, bokeh.make_kernel("circle"), Quality(100, 1.0, 1), size, (0, 0))
    assert float((ours[:, :, 12:] - 0.01).abs().max()) < 5e-5
    assert float(ours[:, size[0] // 2, 0].min()) > 1


def test_layers_of_a_photo_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """As they come: most of the window without a second surface."""
    h, w = 40, 52
    y, x = _grid(h, w)
    radius = torch.where((x - 0.5).square() + (y - 0.5).square() < 0.05, torch.tensor(-4.0), 5 + 2 * y)
    calls: list[tuple[Plan, Layers, tuple[int, int], tuple[int, int], Tensor, Tensor]] = []
    plain = TileEngine.composite

    def noted(self: TileEngine, layers: Layers, reach: Any, origin: Any, out: Tensor, advance: Any, nearer: Any) -> None:
        photo = out.clone()
        plain(self, layers, reach, origin, out, advance, nearer)
        calls.append((self.plan, layers, reach, origin, photo, out.clone()))

    monkeypatch.setattr(TileEngine, "composite", noted)
    bokeh.render(
        _texture(h, w, 5)[None], DefocusMap.from_radius(radius[None]), bokeh.make_kernel("polygon"), quality=Quality(3, 2.5, 1)
    )
    assert calls
    for plan, layers, reach, origin, out, theirs in calls:
        TritonEngine(plan).composite(layers, reach, origin, out, lambda _: None)
        _assert_alike(out, theirs)


def test_content_far_apart_lies_in_strips_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blurred columns at both ends and in the middle of a long focused picture: little memory, the same picture."""
    reach, size = 7, (10, 420)
    h, w = size[0] + 2 * reach, size[1] + 2 * reach
    x = torch.arange(w).expand(h, w)
    radius = torch.where((x < 30) | ((x - 230).abs() < 5) | (x > 400), torch.tensor(4.5), torch.tensor(0.0))
    front = torch.cat([_texture(h, w, 7), torch.ones(1, h, w)])
    layers = Layers(front, radius, torch.zeros_like(front), radius, torch.zeros(h, w, dtype=torch.bool))
    launch, found = TritonEngine._launch, []

    def noted(self: TritonEngine, window: Any, todo: Any, grid: Any) -> None:
        found.append(((todo.strips[..., 2] > 0).sum(-1).amax(), todo.quads))
        launch(self, window, todo, grid)

    monkeypatch.setattr(TritonEngine, "_launch", noted)
    photo, theirs, ours = _both(layers, bokeh.make_kernel("heart"), Quality(24, 1.0, 1), size, (0, 0))
    _assert_alike(ours, theirs)
    strips, quads = found[0]
    assert strips == 3 and quads < 2 * 32 * 32 * 8
    assert torch.equal(ours[..., 100:200], photo[..., 100:200])


def test_rendered_in_parts_it_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    layers = _layered(82, 32, -0.4, 5.0)
    plan = Plan(bokeh.make_kernel("circle"), Bins.of(layers.front_radius, 4.0), Quality(2, 4.0, 1))
    assert set(plan.scales) == {1, 2}
    pictures: list[Tensor] = []
    launch, heights = TritonEngine._launch, []

    def noted(self: TritonEngine, window: Any, todo: Any, grid: Any) -> None:
        heights.append(window.out.shape[1])
        launch(self, window, todo, grid)

    monkeypatch.setattr(TritonEngine, "_launch", noted)
    for limit in (1024, 0.1):
        monkeypatch.setattr(triton_engine, "SCRATCH_MIB", limit)
        picture = layers.front[:3].clone()
        out = picture[:, 6:76, 6:26]  # a part of a larger picture
        TritonEngine(plan).composite(layers, (6, 6), (3, 0), out, lambda _: None)
        assert torch.equal(picture[:, :6], layers.front[:3, :6])
        pictures.append(picture)
    assert heights[0] == 70 and len(heights) > 2 and sum(heights[1:]) == 70
    assert float((pictures[0] - pictures[1]).abs().max()) < 2e-6


def test_where_all_is_sharp_nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    layers = _layered(40, 40, -0.4, 0.3)
    plan = Plan(bokeh.make_kernel("circle"), Bins.of(layers.front_radius), Quality(24, 1.0, 4))
    engine = TritonEngine(plan)
    monkeypatch.setattr(engine, "_occupancy", None)
    out = layers.front[:3, 4:36, 4:36].clone()
    engine.composite(layers, (4, 4), (0, 0), out, lambda _: None)
    assert torch.equal(out, layers.front[:3, 4:36, 4:36])


@pytest.mark.parametrize("radius", [-7.3, -2.0, 0.6, 3.4, 40.0])
@pytest.mark.parametrize("count", [1, 4])
def test_taps_are_the_kernel(radius: float, count: int) -> None:
    """Summed up along each row where they are differences, they give the plan's kernel, point-mirrored."""
    plan = Plan(bokeh.make_kernel("heart"), Bins((radius,), (radius,)), Quality(100, 1.0, count))
    pieces = plan.pieces if count > 1 else plan.whole
    taps = triton_engine._make_taps(plan, pieces, 4, 2)
    for q, piece in enumerate(pieces):
        kernel = plan.kernel(0, piece)[0]
        half = int(taps.halves[q])
        assert kernel.shape[0] == 2 * half + 1
        for k in range(4):  # as seen from each pixel of a group
            found = torch.zeros(2 * half + 4, 2 * half + 2, dtype=torch.float64)
            for r in range(2 * half + 4):
                for t in range(int(taps.starts[taps.rows[q] + r]), int(taps.starts[taps.rows[q] + r + 1])):
                    found[r, int(taps.dx[t]) // 4 + half] += float(taps.weight[t, k])
            read = found[:, 1:] if int(taps.direct[0]) else -found.cumsum(1)[:, :-1]
            own = read[k : k + 2 * half + 1]
            assert float((own.flip(0, 1) - kernel).abs().max()) < 1e-7
            assert float(read.abs().sum() - own.abs().sum()) < 1e-6
        if abs(radius) > 10:  # what differences are for
            assert taps.count[0] < 0.3 * int((plan.kernel(0, plan.whole[0]) > 0).sum())


def test_out_of_memory_halves_the_window_and_says_so(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    layers = _layered(80, 32, -2.0, 2.5)
    plan = Plan(bokeh.make_kernel("circle"), Bins.of(layers.front_radius, 3.0), Quality(24, 3.0, 1))
    launch, heights = TritonEngine._launch, []

    def small_device(self: TritonEngine, window: Any, todo: Any, grid: Any) -> None:
        heights.append(window.out.shape[1])
        if window.out.shape[1] > 40:
            raise torch.OutOfMemoryError("no memory left")
        launch(self, window, todo, grid)

    expected, out = (layers.front[:3, 6:74, 6:26].clone() for _ in range(2))
    TileEngine(plan).composite(layers, (6, 6), (0, 0), expected, lambda _: None)
    monkeypatch.setattr(TritonEngine, "_launch", small_device)
    TritonEngine(plan).composite(layers, (6, 6), (0, 0), out, lambda _: None)
    assert heights == [68, 32, 36]
    assert "memory" in caplog.text
    _assert_alike(out, expected)


def test_a_kernel_that_does_not_fit_is_replaced_and_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from triton.runtime.errors import OutOfResources

    layers = _layered(40, 44, -3.0, 4.0)
    plan = Plan(bokeh.make_kernel("circle"), Bins.of(layers.front_radius, 3.0), Quality(2, 3.0, 1))
    expected, out = (layers.front[:3, 6:34, 6:38].clone() for _ in range(2))
    TileEngine(plan).composite(layers, (6, 6), (0, 0), expected, lambda _: None)

    def too_large(*_: object) -> None:
        raise OutOfResources(99, 10, "registers")

    monkeypatch.setattr(TritonEngine, "_launch", too_large)
    TritonEngine(plan).composite(layers, (6, 6), (0, 0), out, lambda _: None)
    assert torch.equal(out, expected)
    assert "registers" in caplog.text and "plain torch" in caplog.text

    def broken(*_: object) -> None:
        raise RuntimeError("anything else")

    monkeypatch.setattr(TritonEngine, "_launch", broken)
    with pytest.raises(RuntimeError, match="anything else"):
        TritonEngine(plan).composite(layers, (6, 6), (0, 0), out, lambda _: None)


# ---------------------------------------------------------------------------------------------------------------- compiler

COMPILE = """
import json, re, sys, warnings
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from refocus_core.bokeh.engines import triton_kernels as K

warnings.simplefilter("ignore")
floats = "scratch tap_weight light_in cover_in light_out cover_out front back front_v back_v front_radius back_radius back_alpha"
floats += " opaque ramps places piece_weights edges out nearer"
bytes_ = "found backs"
pointers = {n: "*fp32" for n in floats.split()} | {n: "*i8" for n in bytes_.split()} | {"edge": "*u8", "cut": "*i1"}
integers = "table row_of half_of tap_starts tap_dx slots slot_first slot_width scales lists counts direct members"
integers += " written sheets"
pointers |= {n: "*i32" for n in integers.split()}
constants = dict(TILE=K.TILE, CELL=K.CELL, ROWS=K.ROWS, CHUNK=K.CHUNK, GROUP=K.GROUP, UNROLL=K.UNROLL, GAP=2.0, PRESENT=1e-3,
                 WATCH=False, SEARCH=7, SPAN=4 * K.CELL)

def build(name, capability, warps, **more):
    kernel, known = getattr(K, name), constants | {k: v for k, v in more.items() if k.isupper()}
    options = {"num_warps": warps} | {k: v for k, v in more.items() if not k.isupper()}
    signature, values, attributes = {}, {}, {}
    for i, n in enumerate(kernel.arg_names):
        if n in known:
            signature[n], values[(i,)] = "constexpr", known[n]
        elif n in pointers:
            signature[n] = pointers[n]
            if n != "out" or name != "composite":
                attributes[(i,)] = [["tt.divisibility", 16]]
        else:
            signature[n] = "i32"
    target = GPUTarget("cuda", capability, 32)
    built = triton.compile(ASTSource(kernel, signature, values, attributes), target=target, options=options)
    return {"cubin": len(built.asm["cubin"]), "quads": len(re.findall(r"ld\\.global\\S*\\.v4", built.asm["ptx"])),
            "local": len(re.findall(r"(?:ld|st)\\.local", built.asm["ptx"])), "shared": built.metadata.shared}

found = {}
for capability in (80, 90):
    found[f"occupancy {capability}"] = build("occupancy", capability, 4)
    found[f"strips {capability}"] = build("strips", capability, 4)
    for colour in (False, True):
        found[f"coarse {capability} {colour}"] = build("coarse", capability, 8, COLOUR=colour)
        limit = {} if colour else {"maxnreg": 128}
        found[f"composite {capability} {colour}"] = build("composite", capability, 8, COLOUR=colour, **limit)
print(json.dumps(found))
"""


def test_every_kernel_compiles_for_gpus(tmp_path: Path) -> None:
    """To machine code for A100 and H100, without one. Content is read as whole RGBA quads, and no array is in local memory."""
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"} | {"TRITON_CACHE_DIR": str(tmp_path)}
    environment["PYTHONPATH"] = os.pathsep.join([str(REPO), environment.get("PYTHONPATH", "")])
    script = tmp_path / "compile_all.py"  # Triton reads a kernel's source from its file
    script.write_text(COMPILE.replace("\\\\", "\\"))
    result = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stderr[-3000:]
    found = json.loads(result.stdout)
    assert len(found) == 12
    for name, numbers in found.items():
        assert numbers["cubin"] > 1000 and numbers["local"] == 0 and numbers["shared"] <= 48 * 1024, name
        assert not name.startswith(("coarse", "composite")) or numbers["quads"] >= 4, name


# ---------------------------------------------------------------------------------------------------------------- choice


@pytest.fixture
def choices(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Devices are judged anew; the log from INFO on."""
    monkeypatch.delenv("REFOCUS_TRITON", raising=False)
    engines.forget_choices()
    caplog.set_level(logging.INFO, logger="refocus_core")
    yield caplog
    engines.forget_choices()


def _plan(**kernel: Any) -> Plan:
    return Plan(bokeh.make_kernel("circle", **kernel), Bins((-3.0, 4.0), (-4.0, 5.3)), Quality(24, 1.0, 1))


def _pretend_cuda(monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int] = (9, 0)) -> torch.device:
    """What is asked of a CUDA device before anything runs on it."""
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "NVIDIA H100")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    return torch.device("cuda", 0)


def test_cpu_gets_plain_torch_without_a_word(choices: pytest.LogCaptureFixture) -> None:
    assert isinstance(engines.choose_engine(_plan(), torch.device("cpu")), TileEngine)
    assert choices.text == ""


def test_interpreter_is_chosen_after_a_self_test(choices: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole of it, on the CPU: the self-test passes, the line says so once, and the engine is Triton's."""
    monkeypatch.setenv("REFOCUS_TRITON", "interpret")
    for _ in range(2):
        assert isinstance(engines.choose_engine(_plan(), torch.device("cpu")), TritonEngine)
    (line,) = choices.messages
    assert "Triton kernels (self-test difference" in line
    assert choices.records[0].levelno == logging.INFO


def test_wrong_kernels_are_found_and_not_used(choices: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that reads its taps one pixel off fails the self-test."""
    monkeypatch.setenv("REFOCUS_TRITON", "interpret")
    right = triton_engine._make_taps

    def off_by_one(*args: Any) -> Any:
        taps = right(*args)
        return replace(taps, dx=taps.dx + 4)

    monkeypatch.setattr(triton_engine, "_make_taps", off_by_one)
    assert isinstance(engines.choose_engine(_plan(), torch.device("cpu")), TileEngine)
    (record,) = choices.records
    assert record.levelno == logging.WARNING and "wrong picture" in record.message and "plain torch" in record.message


@pytest.mark.parametrize("setting", ["0", "off"])
def test_switched_off(setting: str, choices: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFOCUS_TRITON", setting)
    device = _pretend_cuda(monkeypatch)
    assert not engines._uses_triton(device, setting)
    assert isinstance(engines.choose_engine(_plan(), device), TileEngine)
    (record,) = choices.records
    assert record.levelno == logging.INFO and f"REFOCUS_TRITON={setting}" in record.message and "H100" in record.message


def test_missing_triton_is_named(choices: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise ModuleNotFoundError("No module named 'triton'")

    monkeypatch.setattr(engines, "kernels", missing)
    assert isinstance(engines.choose_engine(_plan(), _pretend_cuda(monkeypatch)), TileEngine)
    (record,) = choices.records
    assert record.levelno == logging.WARNING and "No module named 'triton'" in record.message


@pytest.mark.parametrize("error", [RuntimeError("ptxas is not there"), AssertionError("no GPU")])
def test_a_failing_compiler_is_named(
    error: Exception, choices: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: torch.device) -> None:
        raise error

    monkeypatch.setattr(engines, "self_test", fails)
    assert isinstance(engines.choose_engine(_plan(), _pretend_cuda(monkeypatch)), TileEngine)
    (record,) = choices.records
    assert record.levelno == logging.WARNING and str(error) in record.message


def test_old_and_unproven_gpus_get_plain_torch(choices: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    device = _pretend_cuda(monkeypatch, (7, 0))
    assert isinstance(engines.choose_engine(_plan(), device), TileEngine)
    engines.forget_choices()
    monkeypatch.setattr(torch.version, "hip", "6.4")
    assert isinstance(engines.choose_engine(_plan(), device), TileEngine)
    assert ["capability" in m for m in choices.messages] == [True, False]
    assert "ROCm" in choices.messages[1]


def test_a_soft_aperture_at_a_huge_radius_stays_with_transforms(
    choices: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "_uses_triton", lambda *_: True)
    monkeypatch.setattr(engines, "MOST_TAPS", 20)
    assert isinstance(engines.choose_engine(_plan(softness=1.0), torch.device("cpu")), TileEngine)
    assert "flat" in choices.text
    monkeypatch.setattr(engines, "MOST_TAPS", 1000)
    assert isinstance(engines.choose_engine(_plan(softness=1.0), torch.device("cpu")), TritonEngine)


def test_transforms_are_right_here(choices: pytest.LogCaptureFixture) -> None:
    assert engines.fft_works(torch.device("cpu"))
    assert choices.text == ""


@pytest.mark.parametrize("name", ["irfft2", "ifft2"])
def test_broken_transforms_are_found_and_rendered_around(
    name: str, choices: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stands in for a Mac, which nobody could test on: a transform that mixes up rows, and a device of type "mps" on paper."""
    right = getattr(torch.fft, name)
    with monkeypatch.context() as broken:
        broken.setattr(torch.fft, name, lambda *a, **k: right(*a, **k).roll(1, -2))
        assert not engines.fft_works(torch.device("cpu"))
        assert not engines.fft_works(torch.device("cpu"))
    (record,) = choices.records
    assert record.levelno == logging.WARNING and "on the CPU" in record.message

    monkeypatch.setattr(engines, "fft_works", lambda _: False)
    layers = _layered(40, 44, -3.0, 4.0)
    plan = Plan(bokeh.make_kernel("heart"), Bins.of(layers.front_radius, 3.0), Quality(2, 3.0, 4))
    expected, out = (layers.front[:3, 6:34, 6:38].clone() for _ in range(2))
    TileEngine(plan).composite(layers, (6, 6), (0, 0), expected, lambda _: None)
    engine = engines.choose_engine(plan, torch.device("mps"))
    assert not isinstance(engine, TileEngine)
    steps: list[int] = []
    engine.composite(layers, (6, 6), (0, 0), out, steps.append)
    assert torch.equal(out, expected) and sum(steps) == 1


@pytest.mark.parametrize("quality", list(bokeh.QUALITIES))
def test_the_benchmark_times_the_calls_of_a_render(quality: str) -> None:
    from bench.run import gpu  # imports the kernels: after TRITON_INTERPRET is set

    scene = gpu.Scene.of(96, 72, 8.0, torch.device("cpu"))
    calls = gpu.calls_of(scene, quality, TileEngine)
    made: list[Tensor] = []

    class Watched(TileEngine):
        def composite(self, layers, reach, origin, out, advance, nearer=None) -> None:  # pyright: ignore
            super().composite(layers, reach, origin, out, advance, nearer)
            made.append(out.clone() if nearer is None else torch.cat([out, nearer]))

    with gpu.engine_is(Watched):
        scene.render(quality)
    assert len(calls) == len(made) > 0
    for call, picture in zip(calls, made, strict=True):
        assert torch.equal(call.run(TileEngine(call.plan), call.photo.clone()), picture)
