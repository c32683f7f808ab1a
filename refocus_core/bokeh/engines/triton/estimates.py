"""How much there is to do in a window, counted from its schedule."""

from __future__ import annotations

import torch

from .grid import Grid
from .schedule import BYTES_PER_QUAD, Schedule, Scheduler


def work(scheduler: Scheduler, todo: Schedule, grid: Grid, pixels: int, group: int, coarse_quads: int) -> dict[str, float]:
    """See `engine.TritonEngine.work`. pixels: of the output; group: pixels that share a tap; coarse_quads: of a coarse tile."""
    taps, sets = scheduler.taps, 1 + scheduler.segments
    starts = taps.starts.long()
    row, half = taps.rows.long().view(-1, sets), taps.halves.long().view(-1, sets)
    numbers = starts[row + 2 * half + group] - starts[row]
    full = scheduler.downscales == 1
    whole, segments = ((n * full)[:, None, None] for n in (numbers[:, :1].sum(1), numbers[:, 1:].sum(1)))
    per_tile = torch.where(todo.cut, (todo.hits * segments).sum(0), (todo.hits * whole).sum(0))
    active, area = float((todo.counts > 0).sum()), float(grid.tile**2)
    coarse_taps, entry = 0.0, 0
    for s, (ty, tx) in grid.coarse.items():
        for i in scheduler.members_of(s):
            wanted = (todo.slots[entry : entry + ty * tx] >= 0).sum(0)
            coarse_taps += float(wanted[0] * numbers[i, 0] + wanted[1] * numbers[i, 1:].sum())
            entry += ty * tx
    return {
        "tiles": active,
        "cut_tiles": float(todo.cut.sum()),
        "bins_per_tile": float(todo.counts.sum()) / max(active, 1.0),
        "taps_per_tile": float(per_tile.sum()) * area / pixels,
        "coarse_taps_per_tile": coarse_taps * area / pixels,
        "taps": float(starts[-1]),
        "strips_per_line": float((todo.strips[..., 2] > 0).sum(-1).amax()),
        "strip_px_per_px": todo.quads / pixels,
        "coarse_tiles": float(todo.coarse_tiles),
        "scratch_bytes": BYTES_PER_QUAD * (todo.quads + todo.coarse_tiles * coarse_quads),
    }
