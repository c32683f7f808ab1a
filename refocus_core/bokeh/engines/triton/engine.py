"""The Triton engine: launches of the kernels for one window, and what happens where memory is short. See the package."""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ...limits import Limits
from ...plan import PRESENT, SURFACE_GAP, Plan
from ...surfaces.layers import Layers
from ..torch_engine import TileEngine
from . import estimates, twins
from .grid import Grid
from .schedule import BYTES_PER_QUAD, Schedule, Scheduler
from .taps import make_taps

log = logging.getLogger(__name__)

OCCUPANCY_CELLS = 4
"""Cells side by side that a program of `kernels.occupancy` looks at."""

REGISTERS = 128
"""Most registers of a thread of `kernels.composite`: at 128 two programs share a processor. A coloured aperture needs more."""

FAR_AWAY = 1e30
"""Start of the ramps before the first bin and beyond the last one (in signed squares of radii, px^2)."""


def kernels() -> Any:
    """The package of kernels; ImportError where there is no Triton."""
    return importlib.import_module(".kernels", __package__)


@dataclass(frozen=True, eq=False)
class Window:
    """Layers of a window (front and back [4,H,W], the others [H,W]) with contiguous rows, squared radii, cells with back
    elements, `Plan.hidden_from`, the output."""

    front: Tensor
    front_radius: Tensor
    front_v: Tensor
    back: Tensor
    back_v: Tensor
    backs: Tensor
    edge: Tensor
    hidden_from: Tensor
    out: Tensor
    near_blur: Tensor | None


@dataclass(frozen=True, eq=False)
class _Coarse:
    """Blurred coarse tiles: light and coverage, and where in `Schedule.slots` those of each bin begin, and columns of them."""

    light: Tensor
    cover: Tensor
    first: Tensor
    width: Tensor


class TritonEngine:
    """Blurs and composites windows of layers by one plan, as `torch_engine.TileEngine` does, with Triton kernels.

    The layers must be on the device of the plan's kernel: a GPU, or the CPU with TRITON_INTERPRET=1 (for tests; slow).

    Raises:
        ImportError: if the package triton is missing.
    """

    def __init__(self, plan: Plan, limits: Limits | None = None) -> None:
        self.plan, self.limits = plan, limits or Limits()
        self._jit = kernels()
        self._out_of_resources: type[Exception] = importlib.import_module("triton.runtime.errors").OutOfResources
        self._tile, self._cell = int(self._jit.TILE), int(self._jit.CELL)
        # The interpreter takes its time for each program, however small.
        self._rows = self._tile if os.environ.get("TRITON_INTERPRET") == "1" else int(self._jit.ROWS)
        self._segments = plan.segments if len(plan.segments) > 1 else []
        segments = [plan.whole[0], *self._segments]
        self.device = device = plan.whole[0].raster.device
        self.taps = make_taps(plan, segments, int(self._jit.GROUP), int(self._jit.UNROLL))
        self.scheduler = Scheduler(plan, self.taps, device)
        self._ramps = torch.tensor([(-FAR_AWAY, 1.0), *plan.bins.ramps, (FAR_AWAY, 1.0)], device=device)
        groups = [(n, plan.positions[a], plan.positions[b - 1]) for n, (a, b) in enumerate(plan.bin_groups) for _ in range(a, b)]
        self._groups = torch.tensor([n for n, *_ in groups], dtype=torch.int32, device=device)
        self._positions = torch.tensor([p for _, *p in groups], dtype=torch.float32, device=device)
        self._segment_weights = F.pad(
            torch.stack([p.weight.float().expand(3 if plan.colour else 1) for p in segments]), (0, 1 if plan.colour else 3)
        ).contiguous()

    @property
    def most_taps(self) -> int:
        """Taps of the longest blur through the whole aperture."""
        return max(self.taps.count)

    def composite(
        self,
        layers: Layers,
        halo_px: tuple[int, int],
        origin: tuple[int, int],
        out: Tensor,
        advance: Callable[[int], None],
        near_blur: Tensor | None = None,
    ) -> None:
        """Render the middle of a window of layers; arguments as of `torch_engine.TileEngine.composite`."""
        size = (out.shape[1], out.shape[2])
        if out.stride(2) != 1 or out.dtype != torch.float32:
            raise ValueError(f"out must be float32 with contiguous rows, got {out.dtype} with strides {out.stride()}.")
        if any(self.scheduler.scales):  # else `out` already holds the picture
            front, front_radius, back, back_radius = (_rows(t.float()) for t in _fields(layers)[:4])
            layers = Layers(front, front_radius, back, back_radius, layers.edge)
            self._render(layers, self.plan.hidden_from(layers), halo_px, origin, out, near_blur)
        advance(self.limits.tile_count(*size))

    def _render(
        self,
        layers: Layers,
        hidden_from: Tensor,
        halo_px: tuple[int, int],
        origin: tuple[int, int],
        out: Tensor,
        near_blur: Tensor | None,
    ) -> None:
        """Render in one go, or in two parts where memory is too short for that."""
        h, w = out.shape[1:]
        height, width = layers.front_radius.shape
        grid = Grid(self.plan, self._tile, self._cell, (height, width), halo_px, origin, (h, w))
        front_v, back_v, backs, occupied = self.occupancy(layers, grid)
        todo = self.scheduler.schedule(occupied, backs, grid)
        splits = h >= 2 * self._tile
        quads = todo.quads + todo.coarse_tiles * self._coarse_quads()
        if not (splits and quads > self.limits.scratch_mib * 2**20 // BYTES_PER_QUAD):
            window = Window(
                layers.front, layers.front_radius, front_v, layers.back, back_v, backs, layers.edge, hidden_from, out, near_blur
            )
            try:
                self._launch(window, todo, grid)
                return
            except torch.OutOfMemoryError:
                if not splits:
                    raise
                log.warning("Not enough memory on %s for %d rows at a time: rendering them in two parts.", self.device, h)
            except self._out_of_resources as error:
                # The last launch is the one that writes, so `out` still holds the photo.
                log.warning("%s cannot run a kernel (%s): plain torch renders instead.", self.device, error)
                TileEngine(self.plan, self.limits).composite(layers, halo_px, origin, out, lambda _: None, near_blur)
                return
        middle = h // 2 // self._tile * self._tile
        for a, b in ((0, middle), (middle, h)):
            y0, y1 = max(halo_px[0] + a - self.plan.halo_px, 0), min(halo_px[0] + b + self.plan.halo_px, height)
            part = Layers(*(t[..., y0:y1, :] for t in _fields(layers)))
            near_part = None if near_blur is None else near_blur[:, a:b]
            corner = (halo_px[0] + a - y0, halo_px[1])
            self._render(part, hidden_from[y0:y1], corner, (origin[0] + y0, origin[1]), out[:, a:b], near_part)

    # -------------------------------------------------------------------------------------------------------- launches

    def occupancy(self, layers: Layers, grid: Grid) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Signed squares of the radii of front and back [H,W], cells with back elements, and [bins, cells_y, cells_x] bool."""
        front_radius, back_radius, back_alpha = layers.front_radius, layers.back_radius, layers.back[3]
        height, width = front_radius.shape
        front_v, back_v = torch.empty(2, height, width, device=self.device)
        edges, members = self.scheduler.edges, self.scheduler.members
        intervals = members.shape[0]
        cells = grid.cells_y * grid.cells_x
        marks = torch.zeros(cells * (intervals + 1), dtype=torch.int8, device=self.device)
        occurs, backs = marks[: cells * intervals], marks[cells * intervals :]
        span = OCCUPANCY_CELLS * self._cell
        self._jit.occupancy[(-(-grid.cells_x * self._cell // span), grid.cells_y)](
            front_radius, back_radius, back_alpha, edges, front_v, back_v, occurs, backs,
            front_radius.stride(0), back_radius.stride(0), back_alpha.stride(0), height, width, grid.top, grid.left,
            grid.cells_x, edges.numel(), SEARCH=intervals.bit_length(), CELL=self._cell, SPAN=span, num_warps=4,
        )  # fmt: skip
        occupied = (occurs.view(cells, intervals).float() @ members > 0).T
        return front_v, back_v, backs.view(grid.cells_y, grid.cells_x), occupied.view(-1, grid.cells_y, grid.cells_x)

    def _launch(self, window: Window, todo: Schedule, grid: Grid) -> None:
        scratch = self.strips(window, todo, grid)
        self._composite(window, todo, grid, scratch, self.coarse(todo, grid, scratch))

    def strips(self, window: Window, todo: Schedule, grid: Grid) -> Tensor:
        """[quads,4] the strips of all bins."""
        front, back, jit, tile = window.front, window.back, self._jit, self._tile
        height, width = window.front_radius.shape
        scratch = torch.empty(max(todo.quads, 1), 4, device=self.device)
        scratch[0].zero_()
        jit.strips[(len(self.plan.radii), grid.lines * (tile // self._rows))](
            front, back, window.front_v, window.back_v, window.backs, self._ramps, self.scheduler.downscales, self.taps.direct,
            todo.strips, scratch, front.stride(0), front.stride(1), back.stride(0), back.stride(1),
            height, width, grid.top, grid.left, grid.cells_x, grid.lines, todo.strips.shape[2],
            TILE=tile, CELL=self._cell, ROWS=self._rows, CHUNK=jit.CHUNK, num_warps=4,
        )  # fmt: skip
        return scratch

    def coarse(self, todo: Schedule, grid: Grid, scratch: Tensor) -> _Coarse:
        """The blurred tiles of bins at reduced resolution."""
        plan, jit, taps, tile = self.plan, self._jit, self.taps, self._tile
        shape = (max(todo.coarse_tiles, 1), tile * tile, 4)
        light = torch.empty(shape, device=self.device)
        cover = torch.empty(shape, device=self.device) if plan.colour else light
        first, widths, entry = [0] * len(plan.radii), [1] * len(plan.radii), 0
        for s, (ty, tx) in grid.coarse.items():
            members = self.scheduler.members_of(s)
            if todo.coarse_tiles and members:
                jit.coarse[(ty * tx, len(members), 1 + len(self._segments))](
                    scratch, todo.table, taps.rows, taps.halves, taps.starts, taps.dx, taps.weight,
                    torch.tensor(members, dtype=torch.int32, device=self.device), todo.slots, light, cover,
                    grid.lines, grid.columns, ty, tx, entry, len(self._segments),
                    COLOUR=plan.colour, TILE=tile, GROUP=jit.GROUP, UNROLL=jit.UNROLL, num_warps=8,
                )  # fmt: skip
            for i in members:
                first[i], widths[i] = entry, tx
                entry += ty * tx
        first_and_width = torch.tensor([first, widths], dtype=torch.int32, device=self.device)
        return _Coarse(light, cover, first_and_width[0], first_and_width[1])

    def _composite(self, window: Window, todo: Schedule, grid: Grid, scratch: Tensor, coarse: _Coarse) -> None:
        plan, jit, taps = self.plan, self._jit, self.taps
        front, back, out, near_blur = window.front, window.back, window.out, window.near_blur
        front_radius, edge, hidden_from = window.front_radius, _rows(window.edge), _rows(window.hidden_from)
        height, width = front_radius.shape
        limited = self.device.type == "cuda" and torch.version.hip is None and not plan.colour
        jit.composite[(grid.tiles_x, grid.tiles_y)](
            scratch, todo.table, taps.rows, taps.halves, taps.starts, taps.dx, taps.weight,
            coarse.light, coarse.cover, todo.slots, coarse.first, coarse.width,
            front, back, window.front_v, window.back_v, front_radius, edge.view(torch.uint8), hidden_from,
            self._ramps, self._groups, self._positions, self.scheduler.downscales, self._segment_weights,
            todo.lists, todo.counts, todo.cut, out, out if near_blur is None else near_blur,
            front.stride(0), front.stride(1), back.stride(0), back.stride(1), front_radius.stride(0), edge.stride(0),
            hidden_from.stride(0), out.stride(0), out.stride(1), *((0, 0) if near_blur is None else near_blur.stride()[:2]),
            height, width, grid.top, grid.left, grid.out_top, grid.out_left, *out.shape[1:],
            grid.tiles_x, grid.tile_top, grid.tile_left, len(plan.radii), grid.lines, grid.columns, len(self._segments),
            COLOUR=plan.colour, NEAR_BLUR=near_blur is not None, GAP=SURFACE_GAP, PRESENT=PRESENT, TILE=self._tile,
            GROUP=jit.GROUP, UNROLL=jit.UNROLL, num_warps=8, **({"maxnreg": REGISTERS} if limited else {}),
        )  # fmt: skip

    def _coarse_quads(self) -> int:
        return self._tile * self._tile * (2 if self.plan.colour else 1)

    # -------------------------------------------------------------------------------------------------------- estimates

    def work(self, layers: Layers, halo_px: tuple[int, int], origin: tuple[int, int], size: tuple[int, int]) -> dict[str, float]:
        """Count what rendering a window takes, for estimates. Runs no kernel, so it works on any device.

        Args:
            layers, halo_px, origin: as of `composite`; size: height and width of its `out`.

        Returns:
            tiles: rendered tiles; cut_tiles: those of them where the aperture is cut; bins_per_tile: bins that reach one, mean.
            taps_per_tile: taps of full-resolution bins for each tile of the output; coarse_taps_per_tile: those of other bins. A
            tap serves GROUP pixels. Rows of taps that meet no strip are not taken off, so these are upper bounds.
            taps: in the tables. strips_per_line: most strips of a bin in a line. strip_px_per_px: strip pixels for each pixel of
            the output; coarse_tiles: blurred coarse tiles. scratch_bytes: memory for strips and coarse tiles.
        """
        window = (layers.front.shape[1], layers.front.shape[2])
        grid = Grid(self.plan, self._tile, self._cell, window, halo_px, origin, size)
        backs, occupied = twins.occupancy(layers, self.scheduler, grid)
        todo = self.scheduler.schedule(occupied, backs, grid)
        return estimates.work(self.scheduler, todo, grid, size[0] * size[1], int(self._jit.GROUP), self._coarse_quads())


def _fields(layers: Layers) -> tuple[Tensor, ...]:
    return layers.front, layers.front_radius, layers.back, layers.back_radius, layers.edge


def _rows(t: Tensor) -> Tensor:
    """The same with contiguous rows, as the kernels read them."""
    return t if t.stride(-1) == 1 else t.contiguous()
