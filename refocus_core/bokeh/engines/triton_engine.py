"""Blurring and compositing of layers with Triton kernels on a GPU: the fast twin of `tiles.TileEngine`.

A window is rendered in four launches and some arithmetic on small tables. (1) Which bins occur in each cell of 16 x 16 px. From
this follow the strips of content of every bin, the bins that reach each tile of 32 x 32 px, and which tiles need the aperture
cut into pieces. (2) The strips: running sums of a bin's content along the rows. A blur with a hard-edged aperture is then a sum
over the pixels where a row of its kernel changes, about 12 times the radius in number, instead of over its area, and exact for
any shape; apertures without flat parts, and very small blurs, are summed directly. (3) Bins at reduced resolution are blurred.
(4) Every tile composites its bins from near to far in registers, blurring those at full resolution on the way.

Scratch memory is 16 bytes for each pixel of a strip, one strip pixel for each bin that a pixel falls into, and 16 bytes for each
blurred coarse pixel; a window that would need more than `SCRATCH_MIB` is rendered in parts. Beside it there are 8 bytes for each
pixel of the window. All sums are float32.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ... import psf
from ..bins import STEP, square
from ..plan import GROUP_GAP, PRESENT, Piece, Plan
from ..surfaces.layers import Layers
from .torch_engine import TileEngine, tile_count

log = logging.getLogger(__name__)

SCRATCH_MIB = 1024
"""Most scratch memory for strips and blurred coarse tiles at a time."""

_SLACK = 3e-5
"""A share up to this in a neighbouring bin does not count when occupied cells are looked for."""

_TABLE_ELEMENTS = 1 << 22
"""Kernel elements that are worked out at a time."""


def kernels() -> Any:
    """The module of kernels; ImportError where there is no Triton."""
    return importlib.import_module(".triton_kernels", __package__)


@dataclass(frozen=True, eq=False)
class _Taps:
    """What is summed for each set of taps (bin * (1 + pieces) + piece), on the device.

    Attributes:
        rows: first row in `starts`; halves: n, a set has 2n+GROUP rows; starts: first tap of each row, one more at the end.
        dx, weight: four times the column [T], and the weights [T,GROUP] ([T,GROUP,4] for a coloured aperture) of each tap.
        direct: [bins] whether the bin is summed directly.
        count: taps of the whole aperture for each bin, unpadded, on the host.
    """

    rows: Tensor
    halves: Tensor
    starts: Tensor
    dx: Tensor
    weight: Tensor
    direct: Tensor
    count: list[int]


def _kernel_tables(pieces: list[Piece], radii: list[float], half: int) -> Tensor:
    """[b,Q,C,2*half+1,2*half+1] float64: each piece's normalised blur at each radius, point-mirrored (as it is read).

    The overlap of raster cells and pixels (`psf.rasterize`) as differences of the raster's bilinear summed-area table: on the
    raster's device and for all radii at once.
    """
    raster = torch.stack([p.raster.double() / p.weight.double().view(-1, 1, 1) for p in pieces])
    n = raster.shape[-1]
    both = torch.stack([raster.flip(-2, -1), raster])  # behind focus the blur is upright, so it is read mirrored
    area = F.pad(both.cumsum(-1).cumsum(-2), (1, 0, 1, 0))
    r = torch.tensor([abs(v) for v in radii], dtype=torch.float64, device=raster.device)
    near = torch.tensor([int(v < 0) for v in radii], device=raster.device)
    edges = torch.arange(2 * half + 2, dtype=torch.float64, device=raster.device) - half - 0.5
    at = ((edges[None] / r[:, None] + 1) * (n / 2)).clamp(0, n)
    low = at.long().clamp_max(n - 1)
    share = at - low
    b, q, c, m = len(radii), raster.shape[0], raster.shape[1], edges.numel()
    own = area[near]
    rows = low.view(b, 1, 1, m, 1).expand(b, q, c, m, n + 1)
    upper, lower = own.gather(3, rows), own.gather(3, rows + 1)
    own = upper + share.view(b, 1, 1, m, 1) * (lower - upper)
    columns = low.view(b, 1, 1, 1, m).expand(b, q, c, m, m)
    left, right = own.gather(4, columns), own.gather(4, columns + 1)
    return (left + share.view(b, 1, 1, 1, m) * (right - left)).diff(dim=-1).diff(dim=-2)


def _make_taps(plan: Plan, pieces: list[Piece], group: int, unroll: int) -> _Taps:
    device = plan.whole[0].raster.device
    sets, bins = len(pieces), len(plan.radii)
    rows, halves = torch.zeros(bins * sets, dtype=torch.int32), torch.zeros(bins * sets, dtype=torch.int32)
    direct, count = torch.zeros(bins, dtype=torch.int32), [0] * bins
    lengths: list[Tensor] = []
    dxs: list[Tensor] = []
    weights: list[Tensor] = []
    row_total = 0
    for chunk, half in _chunks(plan, sets * plan.whole[0].raster.shape[0]):
        kernel = _kernel_tables(pieces, [plan.radii[i] for i in chunk], half)
        uncut = [j for j, i in enumerate(chunk) if not plan.is_cut(i)]
        if uncut:
            kernel[uncut] = _kernel_tables(plan.whole, [plan.radii[chunk[j]] for j in uncut], half)
        side = 2 * half + 1
        padded = F.pad(kernel, (1, 1))
        plain = padded[..., :-1]
        # Content is read as the difference of two running sums; so is the kernel.
        change = padded[..., :-1] - padded[..., 1:]
        floor = 1e-8 * kernel.abs().amax((-3, -2, -1), keepdim=True)
        plain, change = (t * (t.abs() > floor) for t in (plain, change))
        numbers = torch.stack([(t[:, 0] != 0).any(1).sum((1, 2)) for t in (plain, change)]).tolist()
        for j, i in enumerate(chunk):
            # Up to 7 x 7 px the plain sum is as short, and closer: running sums carry the rounding of all that lies left.
            direct[i] = int(psf.size_px(plan.radii[i]) <= 7 or numbers[0][j] <= numbers[1][j])
            count[i] = int(numbers[0][j] if direct[i] else numbers[1][j])
            own = psf.size_px(plan.radii[i]) // 2
            for q in range(sets):
                rows[i * sets + q] = row_total + (j * sets + q) * (side + group - 1) + half - own
                halves[i * sets + q] = own
        is_direct = direct[chunk].to(device).bool().view(-1, 1, 1, 1, 1)
        taps = torch.where(is_direct, plain, change).float()  # [b,Q,C,side,side+1]
        # Row r, as seen from the first pixel of a group, is row r - k for the one k below it.
        taps = F.pad(taps, (0, 0, group - 1, group - 1)).unfold(3, group, 1).flip(-1).movedim(2, -1)  # [b,Q,rows,side+1,GROUP,C]
        lit = (taps != 0).flatten(-2).any(-1).flatten(0, 2)
        row, column = lit.nonzero(as_tuple=True)
        number = lit.sum(1)
        length = -(-number // unroll) * unroll
        place = torch.arange(row.numel(), device=device) + ((length.cumsum(0) - length) - (number.cumsum(0) - number))[row]
        total = int(length.sum())
        dx = torch.zeros(total, dtype=torch.int32, device=device)
        dx[place] = 4 * (column - half).int()
        weight = torch.zeros(total, group, taps.shape[-1], device=device)
        weight[place] = taps.flatten(0, 2)[row, column]
        lengths.append(length)
        dxs.append(dx)
        weights.append(weight)
        row_total += length.numel()
    none = torch.zeros(0, dtype=torch.int32, device=device)
    weight = torch.cat(weights) if weights else torch.zeros(0, group, 1, device=device)
    starts = F.pad(torch.cat([none.long(), *lengths]).cumsum(0), (1, 0)).int()
    return _Taps(
        rows.to(device),
        halves.to(device),
        starts,
        _never_empty(torch.cat([none, *dxs])),
        _never_empty(F.pad(weight, (0, 1)).contiguous() if plan.colour else weight[..., 0].contiguous()),
        direct.to(device),
        count,
    )


def _chunks(plan: Plan, planes: int) -> list[tuple[list[int], int]]:
    """Bins that are blurred, in groups of like size: (bins, half the side of the largest kernel)."""
    blurred = sorted((psf.size_px(r) // 2, i) for i, r in enumerate(plan.radii) if not plan.is_sharp(i))
    out: list[tuple[list[int], int]] = []
    for half, i in blurred:
        if out and (len(out[-1][0]) + 1) * planes * (2 * half + 2) * max(2 * half + 2, 257) <= _TABLE_ELEMENTS:
            out[-1] = ([*out[-1][0], i], half)
        else:
            out.append(([i], half))
    return out


def _never_empty(t: Tensor) -> Tensor:
    """A kernel needs a valid address, even of nothing."""
    return t if t.numel() else t.new_zeros(4)


@dataclass(frozen=True, eq=False)
class _Schedule:
    """What the kernels are to do in one window; tensors on the device. See the kernels for their shapes."""

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
class _Window:
    """Layers of a window (front and back [4,H,W], the others [H,W]), squared radii, cells with back elements, what is
    opaque (`Plan.opaque_to`), the output."""

    front: Tensor
    front_radius: Tensor
    front_v: Tensor
    back: Tensor
    back_v: Tensor
    backs: Tensor
    edge: Tensor
    opaque: Tensor
    out: Tensor
    nearer: Tensor | None


class _Geometry:
    """The grid over one window (see `triton_kernels`)."""

    def __init__(
        self,
        plan: Plan,
        tile: int,
        cell: int,
        window: tuple[int, int],
        reach: tuple[int, int],
        origin: tuple[int, int],
        size: tuple[int, int],
    ) -> None:
        step = max(tile, 2 * max(plan.scales))  # a margin, so that coarse pixels beyond the border have indices >= 0
        corner = [(o // step - 1) * step for o in origin]
        self.top, self.left = (o - c for o, c in zip(origin, corner, strict=True))
        self.out_top, self.out_left = self.top + reach[0], self.left + reach[1]
        self.tile_top, self.tile_left = self.out_top // tile, self.out_left // tile
        self.tiles_y = (self.out_top + size[0] - 1) // tile - self.tile_top + 1
        self.tiles_x = (self.out_left + size[1] - 1) // tile - self.tile_left + 1
        self.cells_y = -(-(self.top + window[0]) // tile) * tile // cell
        self.cells_x = -(-(self.left + window[1]) // tile) * tile // cell
        bottom, right = (self.tile_top + self.tiles_y) * tile, (self.tile_left + self.tiles_x) * tile
        self.lines = max(self.cells_y * cell // tile, -(-bottom // tile)) + 1
        self.columns = -(-right // tile) + 2
        # Tiles of coarse pixels, for each scale: those that the output reads, with a spare one for addresses that are not read.
        self.coarse = {s: (-(-bottom // (s * tile)) + 2, -(-right // (s * tile)) + 2) for s in sorted(set(plan.scales)) if s > 1}


class TritonEngine:
    """Blurs and composites windows of layers by one plan, as `tiles.TileEngine` does, with Triton kernels.

    The layers must be on the device of the plan's kernel: a GPU, or the CPU with TRITON_INTERPRET=1 (for tests; slow).

    Raises:
        ImportError: if the package triton is missing.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._jit = kernels()
        self._out_of_resources: type[Exception] = importlib.import_module("triton.runtime.errors").OutOfResources
        self._tile, self._cell = int(self._jit.TILE), int(self._jit.CELL)
        self._cut = plan.pieces if len(plan.pieces) > 1 else []
        pieces = [plan.whole[0], *self._cut]
        self.device = device = plan.whole[0].raster.device
        self._taps = _make_taps(plan, pieces, int(self._jit.GROUP), int(self._jit.UNROLL))
        bins = len(plan.radii)
        self._scales = [0 if plan.is_sharp(i) else plan.scales[i] for i in range(bins)]
        self._support = [plan.support(i) for i in range(bins)]
        edges, self._members = self._intervals()
        ramps = [(-1e30, 1.0), *plan.bins.ramps, (1e30, 1.0)]
        self._scale_table = torch.tensor(self._scales, dtype=torch.int32, device=device)
        self._edges, self._ramps = torch.tensor(edges, device=device), torch.tensor(ramps, device=device)
        sheets = [(n, plan.positions[a], plan.positions[b - 1]) for n, (a, b) in enumerate(plan.sheets) for _ in range(a, b)]
        self._sheets = torch.tensor([n for n, *_ in sheets], dtype=torch.int32, device=device)
        self._places = torch.tensor([p for _, *p in sheets], dtype=torch.float32, device=device)
        self._supports = torch.tensor(self._support, device=device)
        self._piece_weights = F.pad(
            torch.stack([p.weight.float().expand(3 if plan.colour else 1) for p in pieces]), (0, 1 if plan.colour else 3)
        ).contiguous()

    @property
    def largest(self) -> int:
        """Taps of the longest blur through the whole aperture."""
        return max(self._taps.count)

    def composite(
        self,
        layers: Layers,
        reach: tuple[int, int],
        origin: tuple[int, int],
        out: Tensor,
        advance: Callable[[int], None],
        nearer: Tensor | None = None,
    ) -> None:
        """Render the middle of a window of layers; arguments as of `tiles.TileEngine.composite`."""
        size = (out.shape[1], out.shape[2])
        self._render(layers, self.plan.opaque_to(layers), reach, origin, out, nearer)
        advance(tile_count(*size))

    def _render(
        self,
        layers: Layers,
        opaque: Tensor,
        reach: tuple[int, int],
        origin: tuple[int, int],
        out: Tensor,
        nearer: Tensor | None,
    ) -> None:
        h, w = out.shape[1:]
        if out.stride(2) != 1 or out.dtype != torch.float32:
            raise ValueError(f"out must be float32 with contiguous rows, got {out.dtype} with strides {out.stride()}.")
        if all(s == 0 for s in self._scales):
            return  # `out` already holds the picture
        rows = [_rows(t.float()) for t in (layers.front, layers.back, layers.front_radius, layers.back_radius)]
        front, back, front_radius, back_radius = rows
        height, width = front_radius.shape
        grid = _Geometry(self.plan, self._tile, self._cell, (height, width), reach, origin, (h, w))
        front_v, back_v, backs, occupied = self._occupancy(front_radius, back_radius, back[3], grid)
        todo = self._schedule(occupied, backs, grid)

        def in_two() -> None:
            middle = h // 2 // self._tile * self._tile
            for a, b in ((0, middle), (middle, h)):
                y0, y1 = max(reach[0] + a - self.plan.reach, 0), min(reach[0] + b + self.plan.reach, height)
                front_part = None if nearer is None else nearer[:, a:b]
                part = Layers(*(t[..., y0:y1, :] for t in (front, front_radius, back, back_radius, layers.edge)))
                self._render(
                    part, opaque[y0:y1], (reach[0] + a - y0, reach[1]), (origin[0] + y0, origin[1]), out[:, a:b], front_part
                )

        splits = h >= 2 * self._tile
        if splits and todo.quads + todo.coarse_tiles * self._coarse_quads() > SCRATCH_MIB * 2**20 // 16:
            in_two()
            return
        window = _Window(front, front_radius, front_v, back, back_v, backs, layers.edge, opaque, out, nearer)
        try:
            self._launch(window, todo, grid)
        except torch.OutOfMemoryError:
            if not splits:
                raise
            log.warning("Not enough memory on %s for %d rows at a time: rendering them in two parts.", self.device, h)
        except self._out_of_resources as error:
            # The last launch is the one that writes, so `out` still holds the photo.
            log.warning("%s cannot run a kernel (%s): plain torch renders instead.", self.device, error)
            TileEngine(self.plan).composite(layers, reach, origin, out, lambda _: None, nearer)
            return
        else:
            return
        in_two()

    def _launch(self, window: _Window, todo: _Schedule, grid: _Geometry) -> None:
        front, back, front_v, back_v = window.front, window.back, window.front_v, window.back_v
        front_radius, backs, edge = window.front_radius, window.backs, window.edge
        out, nearer = window.out, window.nearer
        height, width = front_radius.shape
        h, w = out.shape[1:]
        jit, plan, taps, tile = self._jit, self.plan, self._taps, self._tile
        bins, pieces = len(plan.radii), len(self._cut)
        scratch = torch.empty(max(todo.quads, 1), 4, device=self.device)
        scratch[0].zero_()
        jit.strips[(bins, grid.lines * (tile // jit.ROWS))](
            front, back, front_v, back_v, backs, self._ramps, self._scale_table, taps.direct, todo.strips, scratch,
            front.stride(0), front.stride(1), back.stride(0), back.stride(1),
            height, width, grid.top, grid.left, grid.cells_x, grid.lines, todo.strips.shape[2],
            TILE=tile, CELL=self._cell, ROWS=jit.ROWS, CHUNK=jit.CHUNK, num_warps=4,
        )  # fmt: skip
        shape = (max(todo.coarse_tiles, 1), tile * tile, 4)
        light = torch.empty(shape, device=self.device)
        cover = torch.empty(shape, device=self.device) if plan.colour else light
        first = [0] * bins
        widths = [1] * bins
        entry = 0
        for s, (ty, tx) in grid.coarse.items():
            members = [i for i in range(bins) if self._scales[i] == s]
            if todo.coarse_tiles and members:
                jit.coarse[(ty * tx, len(members), 1 + pieces)](
                    scratch, todo.table, taps.rows, taps.halves, taps.starts, taps.dx, taps.weight,
                    torch.tensor(members, dtype=torch.int32, device=self.device), todo.slots, light, cover,
                    grid.lines, grid.columns, ty, tx, entry, pieces,
                    COLOUR=plan.colour, TILE=tile, GROUP=jit.GROUP, UNROLL=jit.UNROLL, num_warps=8,
                )  # fmt: skip
            for i in members:
                first[i], widths[i] = entry, tx
                entry += ty * tx
        first_and_width = torch.tensor([first, widths], dtype=torch.int32, device=self.device)
        # 128 registers a thread let two programs share a processor; a coloured aperture needs more.
        registers = {"maxnreg": 128} if self.device.type == "cuda" and torch.version.hip is None and not plan.colour else {}
        edge, opaque = _rows(edge), _rows(window.opaque)
        jit.composite[(grid.tiles_x, grid.tiles_y)](
            scratch, todo.table, taps.rows, taps.halves, taps.starts, taps.dx, taps.weight,
            light, cover, todo.slots, first_and_width[0], first_and_width[1],
            front, back, front_v, back_v, front_radius, edge.view(torch.uint8), opaque,
            self._ramps, self._sheets, self._places, self._scale_table, self._piece_weights,
            todo.lists, todo.counts, todo.cut, out, out if nearer is None else nearer,
            front.stride(0), front.stride(1), back.stride(0), back.stride(1), front_radius.stride(0), edge.stride(0),
            opaque.stride(0), out.stride(0), out.stride(1), *((0, 0) if nearer is None else nearer.stride()[:2]),
            height, width, grid.top, grid.left, grid.out_top, grid.out_left, h, w,
            grid.tiles_x, grid.tile_top, grid.tile_left, bins, grid.lines, grid.columns, pieces,
            COLOUR=plan.colour, WATCH=nearer is not None, GAP=GROUP_GAP, PRESENT=PRESENT, TILE=tile, GROUP=jit.GROUP,
            UNROLL=jit.UNROLL, num_warps=8, **registers,
        )  # fmt: skip

    def _coarse_quads(self) -> int:
        return self._tile * self._tile * (2 if self.plan.colour else 1)

    def _intervals(self) -> tuple[list[float], Tensor]:
        """Ascending edges of the radius' signed square, and [intervals, bins] which bins get a share of what lies between two."""
        centres, ramps = self.plan.bins.centres, self.plan.bins.ramps
        edges: list[float] = []
        members: list[list[int]] = [[0]]
        for i, (start, slope) in enumerate(ramps):
            if slope >= STEP:
                edges.append(start)
                members.append([i + 1])
            else:
                edges += [start + _SLACK / slope, start + (1 - _SLACK) / slope]
                members += [[i, i + 1], [i + 1]]
        if not edges:
            edges, members = [0.0], [[0], [0]]
        table = torch.zeros(len(members), len(centres))
        for row, found in enumerate(members):
            table[row, found] = 1
        return edges, table.to(self.device)

    def _occupancy(
        self, front_radius: Tensor, back_radius: Tensor, back_alpha: Tensor, grid: _Geometry
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Signed squares of the radii of front and back [H,W], cells with back elements, and [bins, cells_y, cells_x] bool."""
        height, width = front_radius.shape
        front_v, back_v = torch.empty(2, height, width, device=self.device)
        intervals = self._members.shape[0]
        cells = grid.cells_y * grid.cells_x
        marks = torch.zeros(cells * (intervals + 1), dtype=torch.int8, device=self.device)
        found, backs = marks[: cells * intervals], marks[cells * intervals :]
        span = 4 * self._cell
        self._jit.occupancy[(-(-grid.cells_x * self._cell // span), grid.cells_y)](
            front_radius, back_radius, back_alpha, self._edges, front_v, back_v, found, backs,
            front_radius.stride(0), back_radius.stride(0), back_alpha.stride(0), height, width, grid.top, grid.left,
            grid.cells_x, self._edges.numel(), SEARCH=intervals.bit_length(), CELL=self._cell, SPAN=span, num_warps=4,
        )  # fmt: skip
        occupied = (found.view(cells, intervals).float() @ self._members > 0).T
        return front_v, back_v, backs.view(grid.cells_y, grid.cells_x), occupied.view(-1, grid.cells_y, grid.cells_x)

    def _schedule(self, occupied: Tensor, backs: Tensor, grid: _Geometry) -> _Schedule:
        tile, cell, device = self._tile, self._cell, self.device
        bins = occupied.shape[0]
        rows = torch.arange(grid.tile_top, grid.tile_top + grid.tiles_y, device=device) * tile
        cols = torch.arange(grid.tile_left, grid.tile_left + grid.tiles_x, device=device) * tile
        # Bins that reach a tile: any occupied cell within the reach of their blur.
        d = self._supports[:, None]
        hits = _any_within(occupied, rows - d, rows + tile + d, cols - d, cols + tile + d, cell)
        blurred = self._scale_table > 0
        active = (hits & blurred[:, None, None]).any(0)
        hits &= active
        counts = hits.sum(0, dtype=torch.int32)
        order = hits.cumsum(0) - 1
        tiles = grid.tiles_y * grid.tiles_x
        lists = torch.zeros(tiles, bins + 1, dtype=torch.int32, device=device)
        # Those that do not reach a tile are written into the spare column.
        target = torch.where(hits, order, bins).view(bins, tiles).T
        lists.scatter_(1, target, torch.arange(bins, dtype=torch.int32, device=device).expand(tiles, bins))
        lists = lists[:, :bins].contiguous()
        cut = torch.zeros_like(active)
        if self._cut:
            far = (hits * self._supports[:, None, None]).amax(0)
            y, x = rows.view(1, -1, 1), cols.view(1, 1, -1)
            cut = _any_in(backs[None], y - far, y + tile + far, x - far, x + tile + far, cell)[0] & active

        slots, coarse_tiles = self._coarse_slots(hits, cut, grid)
        table, strips, quads = self._strip_tables(occupied, active, grid)
        numbers = torch.stack([quads, coarse_tiles]).tolist()  # the one time the host waits
        if numbers[0] >= 2**29 and grid.tiles_y <= 2:
            raise RuntimeError("The rendered strip of picture is too wide for 32-bit addresses.")
        return _Schedule(table, strips, slots, lists, counts, cut, hits, int(numbers[0]), int(numbers[1]))

    def _coarse_slots(self, hits: Tensor, cut: Tensor, grid: _Geometry) -> tuple[Tensor, Tensor]:
        """Places of the coarse tiles [entries, 2] (whole aperture, first piece; -1 where not needed), and their number."""
        tile, device = self._tile, self.device
        needed: list[Tensor] = []
        for s, (ty, tx) in grid.coarse.items():
            members = [i for i, own in enumerate(self._scales) if own == s]
            if not members:
                continue
            there = hits[members]
            both = torch.cat([there & ~cut, there & cut])
            # A coarse pixel is read up to 2 coarse pixels away.
            y0, y1 = _coarse_span(ty, s, tile, grid.tile_top, device)
            x0, x1 = _coarse_span(tx, s, tile, grid.tile_left, device)
            none = torch.zeros(1, 1, dtype=torch.long, device=device)
            found = _any_within(both, y0 + none, y1 + none, x0 + none, x1 + none, 1)
            needed.append(found.view(2, len(members) * ty * tx).T)
        if not needed:
            return torch.full((4, 2), -1, dtype=torch.int32, device=device), torch.zeros((), dtype=torch.long, device=device)
        wanted = torch.cat(needed)
        size = wanted * torch.tensor([1, max(len(self._cut), 1)], device=device)
        end = size.flatten().cumsum(0)
        slots = torch.where(wanted, end.view_as(size) - size, -1).int()
        return slots.contiguous(), end[-1]

    def _strip_tables(self, occupied: Tensor, active: Tensor, grid: _Geometry) -> tuple[Tensor, Tensor, Tensor]:
        """Strips as tiles see them [bins, lines, columns, 4], as they are written [bins, lines, most, 4], and their quads in all.

        See `triton_kernels` for what the numbers are.
        """
        tile, cell, device = self._tile, self._cell, self.device
        bins, cells_x = occupied.shape[0], grid.cells_x
        # Content that no rendered tile can see needs no strip.
        cell_rows = torch.arange(grid.cells_y, device=device) * cell
        cell_cols = torch.arange(cells_x, device=device) * cell
        d = self._supports[:, None]
        shown = active[None].expand(bins, -1, -1)
        y, x = cell_rows - grid.tile_top * tile, cell_cols - grid.tile_left * tile
        seen = (occupied & _any_within(shown, y - d, y + cell + d, x - d, x + cell + d, tile)).float()
        there = torch.zeros(bins, grid.lines, cells_x, dtype=torch.bool, device=device)
        for s in sorted(set(self._scales) - {0}):
            members = [i for i, own in enumerate(self._scales) if own == s]
            # Shrinking spreads content by half a coarse pixel up and down.
            more = -(-(s // 2) // cell)
            step = tile // cell * s
            lines = -(-grid.cells_y // step) + (1 if s > 1 else 0)
            rows = F.pad(seen[members], (0, 0, more, lines * step + more - grid.cells_y))
            found = F.max_pool2d(rows[:, None], (step + 2 * more, 1), (step, 1))[:, 0] > 0
            there[members, : min(lines, grid.lines)] = found[:, : grid.lines]

        # A strip ends before a gap that no tile with its surroundings can span. Columns are cells of the full resolution here.
        scale = self._scale_table.clamp_min(1).view(-1, 1, 1)
        half = self._taps.halves[:: 1 + len(self._cut)].view(-1, 1, 1)
        spread = (scale > 1).int()
        window = -(-(tile + 2 * half + 4 + 2 * spread) * scale // cell) + 2
        column = torch.arange(cells_x, device=device, dtype=torch.int32)
        before = torch.where(there, column, -(1 << 20)).cummax(-1).values
        after = torch.where(there, column, 1 << 20).flip(-1).cummin(-1).values.flip(-1)
        begins = there & (column - F.pad(before[..., :-1], (1, 0), value=-(1 << 20)) > window)
        ends = there & (F.pad(after[..., 1:], (0, 1), value=1 << 20) - column > window)
        first_cell = torch.where(begins, column, 0).cummax(-1).values
        last_cell = torch.where(ends, column, 1 << 20).flip(-1).cummin(-1).values.flip(-1)
        first = torch.div(first_cell * cell, scale, rounding_mode="floor") - spread
        last = torch.div((last_cell + 1) * cell - 1, scale, rounding_mode="floor") + spread
        index = last - first + 1 + self._taps.direct.view(-1, 1, 1)
        size = (index.long() + 1) * tile * begins
        end = size.flatten().cumsum(0) + 1  # quad 0 stays empty
        base = (end.view_as(size) - size).int()
        entry = torch.stack([base.gather(-1, first_cell.long()), first, index, torch.zeros_like(first)], -1)

        # What each tile sees: the strip of the first content within its reach.
        left = torch.arange(grid.columns, device=device, dtype=torch.int32) * tile
        low = torch.div((left - half - 2 - spread) * scale, cell, rounding_mode="floor")
        high = torch.div((left + tile + half + 2 + spread) * scale, cell, rounding_mode="floor")
        reach = [v.clamp(0, cells_x - 1).expand(-1, grid.lines, -1).long() for v in (low, high)]
        next_cell = after.gather(-1, reach[0])
        sees = (next_cell <= reach[1]) & (low < cells_x) & (high >= 0)
        chosen = next_cell.clamp_max(cells_x - 1).long()[..., None].expand(-1, -1, -1, 4)
        table = entry.gather(2, chosen) * sees[..., None]

        most = cells_x // (int((tile + 6) // cell) + 1) + 2
        strips = torch.zeros(bins, grid.lines, most + 1, 4, dtype=torch.int32, device=device)
        rank = torch.where(begins, begins.cumsum(-1) - 1, most)[..., None].expand(-1, -1, -1, 4)
        strips.scatter_(2, rank, entry.int() * begins[..., None])
        return table.int().contiguous(), strips[:, :, :most].contiguous(), end[-1]

    def work(self, layers: Layers, reach: tuple[int, int], origin: tuple[int, int], size: tuple[int, int]) -> dict[str, float]:
        """Count what rendering a window takes, for estimates. Runs no kernel, so it works on any device.

        Args:
            layers, reach, origin: as of `composite`; size: height and width of its `out`.

        Returns:
            tiles: rendered tiles; cut_tiles: those of them where the aperture is cut; bins_per_tile: bins that reach one, mean.
            taps_per_tile: taps of full-resolution bins for each tile of the output; coarse_taps_per_tile: those of other bins. A
            tap serves GROUP pixels. Rows of taps that meet no strip are not taken off, so these are upper bounds.
            taps: in the tables. strip_px_per_px: strip pixels for each pixel of the output; coarse_tiles: blurred coarse tiles.
            scratch_bytes: memory for strips and coarse tiles.
        """
        window = (layers.front.shape[1], layers.front.shape[2])
        grid = _Geometry(self.plan, self._tile, self._cell, window, reach, origin, size)
        backs, occupied = self._occupancy_plain(layers, grid)
        todo = self._schedule(occupied, backs, grid)
        starts, sets = self._taps.starts.long(), 1 + len(self._cut)
        row, half = self._taps.rows.long().view(-1, sets), self._taps.halves.long().view(-1, sets)
        taps = starts[row + 2 * half + int(self._jit.GROUP)] - starts[row]
        full = self._scale_table == 1
        whole, pieces = ((taps[:, :1].sum(1) * full)[:, None, None], (taps[:, 1:].sum(1) * full)[:, None, None])
        per_tile = torch.where(todo.cut, (todo.hits * pieces).sum(0), (todo.hits * whole).sum(0))
        active, area, pixels = float((todo.counts > 0).sum()), float(self._tile**2), float(size[0] * size[1])
        coarse_taps, entry = 0.0, 0
        for s, (ty, tx) in grid.coarse.items():
            for i in (i for i, own in enumerate(self._scales) if own == s):
                wanted = (todo.slots[entry : entry + ty * tx] >= 0).sum(0)
                coarse_taps += float(wanted[0] * taps[i, 0] + wanted[1] * taps[i, 1:].sum())
                entry += ty * tx
        return {
            "tiles": active,
            "cut_tiles": float(todo.cut.sum()),
            "bins_per_tile": float(todo.counts.sum()) / max(active, 1.0),
            "taps_per_tile": float(per_tile.sum()) * area / pixels,
            "coarse_taps_per_tile": coarse_taps * area / pixels,
            "taps": float(starts[-1]),
            "strip_px_per_px": todo.quads / pixels,
            "coarse_tiles": float(todo.coarse_tiles),
            "scratch_bytes": 16.0 * (todo.quads + todo.coarse_tiles * self._coarse_quads()),
        }

    def _occupancy_plain(self, layers: Layers, grid: _Geometry) -> tuple[Tensor, Tensor]:
        """Cells with back elements and [bins, cells_y, cells_x], as `_occupancy`, without a kernel."""
        intervals, cells = self._members.shape[0], grid.cells_y * grid.cells_x
        found = torch.zeros(cells, intervals, dtype=torch.bool, device=self.device)
        h, w = layers.front_radius.shape
        y = (torch.arange(h, device=self.device) + grid.top) // self._cell
        x = (torch.arange(w, device=self.device) + grid.left) // self._cell
        cell = y[:, None] * grid.cells_x + x
        lies = layers.back[3] > 0
        for radius, there in ((layers.front_radius, torch.ones_like(lies)), (layers.back_radius, lies)):
            interval = torch.bucketize(square(radius), self._edges)
            found.view(-1)[(cell * intervals + interval)[there]] = True
        backs = torch.zeros(cells, dtype=torch.bool, device=self.device)
        backs[cell[lies]] = True
        occupied = (found.float() @ self._members > 0).T
        return backs.view(grid.cells_y, grid.cells_x), occupied.view(-1, grid.cells_y, grid.cells_x)


def _rows(t: Tensor) -> Tensor:
    return t if t.stride(-1) == 1 else t.contiguous()


def _coarse_span(tiles: int, s: int, tile: int, first: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Half-open range of output tiles (0 = `first` on the grid) that read each tile of coarse pixels."""
    t = torch.arange(tiles, device=device)
    low = torch.div((t * tile - 2) * s, tile, rounding_mode="floor") - first
    high = torch.div(((t + 1) * tile + 2) * s - 1, tile, rounding_mode="floor") + 1 - first
    return low, high


def _any_within(found: Tensor, y0: Tensor, y1: Tensor, x0: Tensor, x1: Tensor, cell: int) -> Tensor:
    """[n,Y,X] whether any of `found` [n,h,w], cells of side `cell`, lies in rows y0..y1-1 and columns x0..x1-1 ([n,Y], [n,X])."""
    return _any_in(found, y0[:, :, None], y1[:, :, None], x0[:, None, :], x1[:, None, :], cell)


def _any_in(found: Tensor, y0: Tensor, y1: Tensor, x0: Tensor, x1: Tensor, cell: int) -> Tensor:
    n, h, w = found.shape
    area = F.pad(found.cumsum(1, dtype=torch.int32).cumsum(2, dtype=torch.int32), (1, 0, 1, 0)).flatten()
    y0, x0 = (torch.div(v, cell, rounding_mode="floor").clamp(0, m) for v, m in ((y0, h), (x0, w)))
    y1, x1 = (torch.div(v + cell - 1, cell, rounding_mode="floor").clamp(0, m) for v, m in ((y1, h), (x1, w)))
    base = torch.arange(n, device=found.device).view(n, 1, 1) * ((h + 1) * (w + 1))
    upper, lower = base + y0 * (w + 1), base + y1 * (w + 1)
    inside = area[lower + x1] - area[lower + x0] - area[upper + x1] + area[upper + x0]
    return (inside > 0) & (y1 > y0) & (x1 > x0)
