"""What the kernels are to do in one window: which bins each tile blurs, and where the strips of their content lie."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ...bins import STEP_SLOPE
from ...plan import Plan
from .grid import Grid, any_in, any_within
from .taps import Taps

SLACK = 3e-5
"""A share up to this in a neighbouring bin does not count when occupied cells are looked for."""

MOST_QUADS = 2**29
"""Quads of scratch memory, four floats each, that 32-bit addresses reach."""

BYTES_PER_QUAD = 16
"""RGBA in float32."""

NOWHERE = 1 << 20
"""A column of cells beyond any picture."""


@dataclass(frozen=True, eq=False)
class Schedule:
    """The tables of one window, tensors on the device.

    Attributes:
        table: [bins, lines, columns, 4] the strip that a column of tiles sees in each line: first quad, first column, last index.
        strips: [bins, lines, most, 4] the strips of a line as they are written; the same numbers.
        slots: [entries, 2] where coarse tiles lie: that of the whole aperture, the first of its segments'; -1: not needed.
        lists: [tiles, bins] the bins that reach a tile, nearest first; counts: [tiles_y, tiles_x] how many (0: all in focus).
        cut: [tiles_y, tiles_x] bool, whether the aperture is cut there; hits: [bins, tiles_y, tiles_x] bool, see `lists`.
        quads, coarse_tiles: how much scratch memory that takes.
    """

    table: Tensor
    strips: Tensor
    slots: Tensor
    lists: Tensor
    counts: Tensor
    cut: Tensor
    hits: Tensor
    quads: int
    coarse_tiles: int


@dataclass(frozen=True, eq=False)
class _Strips:
    """Strips of every bin and line [bins, lines, cells_x]: cells where one begins, cell where the one of each cell begins, its
    entry (first quad, first column, last index, 0), quads in all, and the next cell with content."""

    begins: Tensor
    entry: Tensor
    next_cell: Tensor
    quads: Tensor


class Scheduler:
    """Makes schedules for windows of one plan.

    Attributes:
        downscales: [bins] 1/s at which each bin is blurred, 0 for those that are not; on the device.
        edges, members: ascending edges of the radius' signed square, and [intervals, bins] which bins get a share of what lies
            between two of them.
    """

    def __init__(self, plan: Plan, taps: Taps, device: torch.device) -> None:
        bins = range(len(plan.radii))
        self.plan, self.taps, self.device = plan, taps, device
        self.segments = len(plan.segments) if len(plan.segments) > 1 else 0
        self.scales = [0 if plan.is_sharp(i) else plan.downscales[i] for i in bins]
        self.downscales = torch.tensor(self.scales, dtype=torch.int32, device=device)
        self.supports = torch.tensor([plan.support(i) for i in bins], device=device)
        edges, members = _intervals(plan)
        self.edges, self.members = torch.tensor(edges, device=device), members.to(device)

    def members_of(self, s: int) -> list[int]:
        """The bins that are blurred at 1/s of the resolution."""
        return [i for i, own in enumerate(self.scales) if own == s]

    def schedule(self, occupied: Tensor, backs: Tensor, grid: Grid) -> Schedule:
        """The schedule for a window.

        Args:
            occupied: [bins, cells_y, cells_x] bool, which bins have content where.
            backs: [cells_y, cells_x], not 0 where something lies behind something.
        """
        rows = torch.arange(grid.tile_top, grid.tile_top + grid.tiles_y, device=self.device) * grid.tile
        cols = torch.arange(grid.tile_left, grid.tile_left + grid.tiles_x, device=self.device) * grid.tile
        hits, active = self._hits(occupied, rows, cols, grid)
        cut = self._cut(hits, active, backs, rows, cols, grid)
        slots, coarse_tiles = self._coarse_slots(hits, cut, grid)
        strips = self._strips(self._content_in_lines(self._seen(occupied, active, grid), grid), grid)
        table, written = self._seen_by_tiles(strips, grid), _as_written(strips, grid)
        numbers = torch.stack([strips.quads, coarse_tiles]).tolist()  # the one time the host waits
        if numbers[0] >= MOST_QUADS and grid.tiles_y <= 2:
            raise RuntimeError("The rendered strip of picture is too wide for 32-bit addresses.")
        counts = hits.sum(0, dtype=torch.int32)
        return Schedule(table, written, slots, _lists(hits), counts, cut, hits, int(numbers[0]), int(numbers[1]))

    # ---------------------------------------------------------------------------------------------------------- tiles

    def _hits(self, occupied: Tensor, rows: Tensor, cols: Tensor, grid: Grid) -> tuple[Tensor, Tensor]:
        """[bins, tiles_y, tiles_x] the bins that reach a tile: any occupied cell within their support of it; and [tiles_y,
        tiles_x] the tiles that a blurred one reaches, as no others are rendered."""
        d = self.supports[:, None]
        hits = any_within(occupied, rows - d, rows + grid.tile + d, cols - d, cols + grid.tile + d, grid.cell)
        active = (hits & (self.downscales > 0)[:, None, None]).any(0)
        return hits & active, active

    def _cut(self, hits: Tensor, active: Tensor, backs: Tensor, rows: Tensor, cols: Tensor, grid: Grid) -> Tensor:
        """[tiles_y, tiles_x] whether something lies behind something within reach of a tile's blur."""
        if not self.segments:
            return torch.zeros_like(active)
        halo = (hits * self.supports[:, None, None]).amax(0)
        y, x = rows.view(1, -1, 1), cols.view(1, 1, -1)
        near = any_in(backs[None], y - halo, y + grid.tile + halo, x - halo, x + grid.tile + halo, grid.cell)
        return near[0] & active

    def _coarse_slots(self, hits: Tensor, cut: Tensor, grid: Grid) -> tuple[Tensor, Tensor]:
        """Places of the coarse tiles [entries, 2], by downscale, bin and tile, and their number."""
        needed: list[Tensor] = []
        for s, (ty, tx) in grid.coarse.items():
            members = self.members_of(s)
            if not members:
                continue
            there = hits[members]
            both = torch.cat([there & ~cut, there & cut])
            wanted = any_within(both, *grid.coarse_readers(s, self.device), 1)
            needed.append(wanted.view(2, len(members) * ty * tx).T)
        if not needed:
            none = torch.full((4, 2), -1, dtype=torch.int32, device=self.device)
            return none, torch.zeros((), dtype=torch.long, device=self.device)
        wanted = torch.cat(needed)
        size = wanted * torch.tensor([1, max(self.segments, 1)], device=self.device)
        end = size.flatten().cumsum(0)
        slots = torch.where(wanted, end.view_as(size) - size, -1).int()
        return slots.contiguous(), end[-1]

    # --------------------------------------------------------------------------------------------------------- strips

    def _seen(self, occupied: Tensor, active: Tensor, grid: Grid) -> Tensor:
        """[bins, cells_y, cells_x] bool, the content that a rendered tile can see: no other needs a strip."""
        cell, tile = grid.cell, grid.tile
        y = torch.arange(grid.cells_y, device=self.device) * cell - grid.tile_top * tile
        x = torch.arange(grid.cells_x, device=self.device) * cell - grid.tile_left * tile
        d = self.supports[:, None]
        shown = active[None].expand(occupied.shape[0], -1, -1)
        return occupied & any_within(shown, y - d, y + cell + d, x - d, x + cell + d, tile)

    def _content_in_lines(self, seen: Tensor, grid: Grid) -> Tensor:
        """[bins, lines, cells_x] bool: whether a bin has content in the TILE rows (of its own pixels) of a line."""
        there = torch.zeros(len(seen), grid.lines, grid.cells_x, dtype=torch.bool, device=self.device)
        for s in sorted(set(self.scales) - {0}):
            members = self.members_of(s)
            # Shrinking spreads content by half a coarse pixel up and down.
            more = -(-(s // 2) // grid.cell)
            step = grid.tile // grid.cell * s
            lines = -(-grid.cells_y // step) + (1 if s > 1 else 0)
            rows = F.pad(seen[members].float(), (0, 0, more, lines * step + more - grid.cells_y))
            some = F.max_pool2d(rows[:, None], (step + 2 * more, 1), (step, 1))[:, 0] > 0
            there[members, : min(lines, grid.lines)] = some[:, : grid.lines]
        return there

    def _reach(self) -> tuple[Tensor, Tensor, Tensor]:
        """[bins,1,1] each: downscale, half the side of the kernel, and 1 where shrinking spreads content by a coarse pixel."""
        scale = self.downscales.clamp_min(1).view(-1, 1, 1)
        half = self.taps.halves[:: 1 + self.segments].view(-1, 1, 1)
        return scale, half, (scale > 1).int()

    def _strips(self, there: Tensor, grid: Grid) -> _Strips:
        """Strips of the content `there` [bins, lines, cells_x]: one ends before a gap that no tile with its halo can span.

        cells     . . # # # . # . . . . . . . . . # # .        # content, . none
        begins        ^                           ^            more than `window` cells after the last content
        strip         |<------->|                 |<->|
        """
        scale, half, spread = self._reach()
        window = -(-(grid.tile + 2 * half + 4 + 2 * spread) * scale // grid.cell) + 2
        column = torch.arange(grid.cells_x, device=self.device, dtype=torch.int32)
        before = torch.where(there, column, -NOWHERE).cummax(-1).values
        after = torch.where(there, column, NOWHERE).flip(-1).cummin(-1).values.flip(-1)
        begins = there & (column - F.pad(before[..., :-1], (1, 0), value=-NOWHERE) > window)
        ends = there & (F.pad(after[..., 1:], (0, 1), value=NOWHERE) - column > window)
        first_cell = torch.where(begins, column, 0).cummax(-1).values
        last_cell = torch.where(ends, column, NOWHERE).flip(-1).cummin(-1).values.flip(-1)
        first = torch.div(first_cell * grid.cell, scale, rounding_mode="floor") - spread
        last = torch.div((last_cell + 1) * grid.cell - 1, scale, rounding_mode="floor") + spread
        index = last - first + 1 + self.taps.direct.view(-1, 1, 1)
        size = (index.long() + 1) * grid.tile * begins
        end = size.flatten().cumsum(0) + 1  # quad 0 stays empty
        base = (end.view_as(size) - size).int()
        entry = torch.stack([base.gather(-1, first_cell.long()), first, index, torch.zeros_like(first)], -1)
        return _Strips(begins, entry, after, end[-1])

    def _seen_by_tiles(self, strips: _Strips, grid: Grid) -> Tensor:
        """`Schedule.table`: what each column of tiles sees is the strip of the first content within its reach."""
        scale, half, spread = self._reach()
        left = torch.arange(grid.columns, device=self.device, dtype=torch.int32) * grid.tile
        low = torch.div((left - half - 2 - spread) * scale, grid.cell, rounding_mode="floor")
        high = torch.div((left + grid.tile + half + 2 + spread) * scale, grid.cell, rounding_mode="floor")
        last = grid.cells_x - 1
        begin, end = (v.clamp(0, last).expand(-1, grid.lines, -1).long() for v in (low, high))
        next_cell = strips.next_cell.gather(-1, begin)
        sees = (next_cell <= end) & (low <= last) & (high >= 0)
        cell = next_cell.clamp_max(last).long()[..., None].expand(-1, -1, -1, 4)
        return (strips.entry.gather(2, cell) * sees[..., None]).int().contiguous()


def _as_written(strips: _Strips, grid: Grid) -> Tensor:
    """`Schedule.strips`: the entries of those cells where a strip begins, side by side."""
    most = grid.cells_x // (int((grid.tile + 6) // grid.cell) + 1) + 2
    bins, lines = strips.begins.shape[:2]
    written = torch.zeros(bins, lines, most + 1, 4, dtype=torch.int32, device=strips.entry.device)
    rank = torch.where(strips.begins, strips.begins.cumsum(-1) - 1, most)[..., None].expand(-1, -1, -1, 4)
    written.scatter_(2, rank, strips.entry.int() * strips.begins[..., None])
    return written[:, :, :most].contiguous()


def _lists(hits: Tensor) -> Tensor:
    """[tiles, bins] the bins that reach a tile, those of lower number first."""
    bins = hits.shape[0]
    tiles = hits[0].numel()
    lists = torch.zeros(tiles, bins + 1, dtype=torch.int32, device=hits.device)
    # Those that do not reach a tile are written into the spare column.
    target = torch.where(hits, hits.cumsum(0) - 1, bins).view(bins, tiles).T
    lists.scatter_(1, target, torch.arange(bins, dtype=torch.int32, device=hits.device).expand(tiles, bins))
    return lists[:, :bins].contiguous()


def _intervals(plan: Plan) -> tuple[list[float], Tensor]:
    """See `Scheduler.edges` and `Scheduler.members`."""
    edges: list[float] = []
    members: list[list[int]] = [[0]]
    for i, (start, slope) in enumerate(plan.bins.ramps):
        if slope >= STEP_SLOPE:
            edges.append(start)
            members.append([i + 1])
        else:
            edges += [start + SLACK / slope, start + (1 - SLACK) / slope]
            members += [[i, i + 1], [i + 1]]
    if not edges:
        edges, members = [0.0], [[0], [0]]
    table = torch.zeros(len(members), len(plan.bins.centres))
    for row, bins in enumerate(members):
        table[row, bins] = 1
    return edges, table
