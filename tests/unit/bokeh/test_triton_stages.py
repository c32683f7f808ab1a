"""Each stage of the Triton engine against its twin in plain torch, interpreted; and that the kernels compile for GPUs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from refocus_core import bokeh
from refocus_core.bokeh.bins import Bins
from refocus_core.bokeh.engines.triton import twins
from refocus_core.bokeh.engines.triton.engine import TritonEngine, Window
from refocus_core.bokeh.engines.triton.grid import Grid, any_within
from refocus_core.bokeh.engines.triton.schedule import Schedule
from refocus_core.bokeh.engines.triton.taps import make_taps
from refocus_core.bokeh.plan import Plan, Quality
from refocus_core.bokeh.surfaces.layers import Layers
from refocus_core.types import Kernel
from tests.helpers.layered import coloured_aperture, layered
from tests.helpers.paths import REPO

TILE, GROUP = 32, 4


@dataclass(frozen=True, eq=False)
class Stage:
    """A window up to its schedule."""

    engine: TritonEngine
    layers: Layers
    grid: Grid
    backs: Tensor
    occupied: Tensor
    todo: Schedule
    window: Window

    @classmethod
    def of(cls, kernel: Kernel, quality: Quality, radii: tuple[float, float]) -> Stage:
        size, halo, origin = (21, 44), 9, (-3, 70)
        layers = layered(size[0] + 2 * halo, size[1] + 2 * halo, *radii)
        every = torch.cat([layers.front_radius, layers.back_radius])
        engine = TritonEngine(Plan(kernel, Bins.of(every, quality.bin_step), quality))
        h, w = layers.front_radius.shape
        grid = Grid(engine.plan, TILE, 16, (h, w), (halo, halo), origin, size)
        front_v, back_v, backs, occupied = engine.occupancy(layers, grid)
        todo = engine.scheduler.schedule(occupied, backs, grid)
        out = layers.front[:3, halo:-halo, halo:-halo].clone()
        hidden = engine.plan.hidden_from(layers)
        window = Window(layers.front, layers.front_radius, front_v, layers.back, back_v, backs, layers.edge, hidden, out, None)
        return cls(engine, layers, grid, backs, occupied, todo, window)


STAGES = {
    "full resolution": (bokeh.make_kernel("heart"), Quality(100, 3.0, 1), (-5.0, 6.0)),
    "1/2 and 1/4": (bokeh.make_kernel("circle"), Quality(2, 3.5, 1), (-5.0, 8.4)),
    "coloured, 1/2": (coloured_aperture(), Quality(3, 3.0, 1), (-6.5, 5.0)),
}


@pytest.fixture(params=STAGES)
def stage(request: pytest.FixtureRequest, interpreted: Any) -> Stage:
    return Stage.of(*STAGES[request.param])


def test_occupancy_is_its_twin(stage: Stage) -> None:
    backs, occupied = twins.occupancy(stage.layers, stage.engine.scheduler, stage.grid)
    assert torch.equal(stage.backs != 0, backs) and torch.equal(stage.occupied, occupied)
    torch.testing.assert_close(stage.window.front_v, stage.layers.front_radius * stage.layers.front_radius.abs())
    assert bool(backs.any()) and not bool(backs.all())


def test_strips_are_their_twin_and_hold_all_content_that_is_seen(stage: Stage) -> None:
    scratch = stage.engine.strips(stage.window, stage.todo, stage.grid)
    assert torch.equal(scratch[0], torch.zeros(4))
    plan, scales = stage.engine.plan, stage.engine.scheduler.scales
    compared = 0
    for i in (i for i, s in enumerate(scales) if s):
        plane = twins.content(stage.layers, plan.bins, stage.grid, i, scales[i])
        direct = bool(stage.engine.taps.direct[i])
        for line, entries in enumerate(stage.todo.strips[i].tolist()):
            for base, first, last, _ in (e for e in entries if e[2]):
                ours = scratch[base : base + TILE * (last + 1)].view(TILE, last + 1, 4)
                theirs = twins.strip(plane, line, first, last, direct, TILE)
                torch.testing.assert_close(ours, theirs, atol=2e-5, rtol=1e-5)
                compared += 1
    assert compared > 2


def test_coarse_tiles_are_their_twin(stage: Stage) -> None:
    scratch = stage.engine.strips(stage.window, stage.todo, stage.grid)
    made = stage.engine.coarse(stage.todo, stage.grid, scratch)
    plan, scales, compared = stage.engine.plan, stage.engine.scheduler.scales, 0
    for i in (i for i, s in enumerate(scales) if s > 1):
        plane = twins.content(stage.layers, plan.bins, stage.grid, i, scales[i])
        blurred = twins.blurred(plane, stage.engine.taps, i, GROUP)
        tiles_y, tiles_x = stage.grid.coarse[scales[i]]
        for number in range(tiles_y * tiles_x):
            slot = int(stage.todo.slots[int(made.first[i]) + number, 0])
            if slot < 0:
                continue
            y, x = number // tiles_x * TILE, number % tiles_x * TILE
            theirs = blurred[:, y : y + TILE, x : x + TILE]
            h, w = theirs.shape[1:]
            light = made.light[slot].view(TILE, TILE, 4)[:h, :w].permute(2, 0, 1)
            torch.testing.assert_close(light[:3], theirs[:3], atol=2e-5, rtol=1e-5)
            cover = made.cover[slot].view(TILE, TILE, 4)[:h, :w].permute(2, 0, 1)
            ours = cover[:3] if plan.colour else light[3:]
            torch.testing.assert_close(ours, theirs[3:], atol=2e-5, rtol=1e-5)
            compared += h * w > 0
    assert (compared > 0) == any(s > 1 for s in scales)


def test_every_tile_lists_the_bins_within_their_support_and_no_other_blurred_one(stage: Stage) -> None:
    plan, grid, todo = stage.engine.plan, stage.grid, stage.todo
    for ty in range(grid.tiles_y):
        for tx in range(grid.tiles_x):
            reaching: list[int] = []
            for i in range(len(plan.radii)):
                d = plan.support(i)
                y, x = (grid.tile_top + ty) * TILE, (grid.tile_left + tx) * TILE
                rows = slice(max((y - d) // 16, 0), max(-(-(y + TILE + d) // 16), 0))
                cols = slice(max((x - d) // 16, 0), max(-(-(x + TILE + d) // 16), 0))
                if bool(stage.occupied[i, rows, cols].any()):
                    reaching.append(i)
            count = int(todo.counts[ty, tx])
            assert todo.lists[ty * grid.tiles_x + tx, :count].tolist() == reaching


def test_summed_areas_find_any_cell_of_a_range() -> None:
    mask = torch.rand(2, 5, 7, generator=torch.Generator().manual_seed(0)) > 0.8
    low, high = torch.tensor([[-9, 0, 8, 30]]), torch.tensor([[-2, 8, 25, 99]])  # pixels, in cells of 8
    there = any_within(mask, low, high, low, high, 8)
    cells = [slice(0, 0), slice(0, 1), slice(1, 4), slice(3, 13)]
    for n in range(2):
        assert there[n].tolist() == [[bool(mask[n, rows, cols].any()) for cols in cells] for rows in cells]


@pytest.mark.parametrize("radius", [-7.3, -2.0, 0.6, 3.4, 40.0])
@pytest.mark.parametrize("count", [1, 4])
def test_taps_are_the_kernel(radius: float, count: int) -> None:
    """Summed up along each row where they are differences, they give the plan's kernel, point-mirrored."""
    plan = Plan(bokeh.make_kernel("heart"), Bins((radius,), (radius,)), Quality(100, 1.0, count))
    segments = plan.segments if count > 1 else plan.whole
    taps = make_taps(plan, segments, GROUP, 2)
    for q, segment in enumerate(segments):
        kernel = plan.kernel(0, segment)[0]
        assert kernel.shape[0] == 2 * int(taps.halves[q]) + 1
        for k in range(GROUP):  # as seen from each pixel of a group
            read = twins.kernel_of(taps, q, GROUP, k)[0]
            assert float((read.flip(0, 1) - kernel).abs().max()) < 1e-7
    if abs(radius) > 10:  # what differences are for
        assert taps.count[0] < 0.3 * int((plan.kernel(0, plan.whole[0]) > 0).sum())


# ---------------------------------------------------------------------------------------------------------------- compiler

COMPILE = """
import json, re, sys, warnings
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from refocus_core.bokeh.engines.triton import kernels as K

warnings.simplefilter("ignore")
floats = "scratch tap_weight light_in cover_in light_out cover_out front back front_v back_v front_radius back_radius back_alpha"
floats += " hidden_from ramps positions segment_weights edges out near_blur"
bytes_ = "occurs backs"
pointers = {n: "*fp32" for n in floats.split()} | {n: "*i8" for n in bytes_.split()} | {"edge": "*u8", "cut": "*i1"}
integers = "table row_of half_of tap_starts tap_dx slots slot_first slot_width downscales lists counts direct members"
integers += " written groups"
pointers |= {n: "*i32" for n in integers.split()}
constants = dict(TILE=K.TILE, CELL=K.CELL, ROWS=K.ROWS, CHUNK=K.CHUNK, GROUP=K.GROUP, UNROLL=K.UNROLL, GAP=2.0, PRESENT=1e-3,
                 NEAR_BLUR=False, SEARCH=7, SPAN=4 * K.CELL)

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
