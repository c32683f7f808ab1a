"""The stages of the Triton engine in plain torch, slow and obvious: what each kernel must write. For tests."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ...bins import Bins, square
from ...surfaces.layers import Layers
from ..fourier import shrunk
from .grid import Grid
from .schedule import Scheduler
from .taps import Taps


def occupancy(layers: Layers, scheduler: Scheduler, grid: Grid) -> tuple[Tensor, Tensor]:
    """Cells with back elements [cells_y,cells_x], and which bins have content in which cell [bins,cells_y,cells_x], both bool."""
    intervals, cells = scheduler.members.shape[0], grid.cells_y * grid.cells_x
    device = layers.front.device
    occurs = torch.zeros(cells, intervals, dtype=torch.bool, device=device)
    h, w = layers.front_radius.shape
    y = (torch.arange(h, device=device) + grid.top) // grid.cell
    x = (torch.arange(w, device=device) + grid.left) // grid.cell
    cell = y[:, None] * grid.cells_x + x
    has_background = layers.back[3] > 0
    for radius, there in ((layers.front_radius, torch.ones_like(has_background)), (layers.back_radius, has_background)):
        interval = torch.bucketize(square(radius), scheduler.edges)
        occurs.view(-1)[(cell * intervals + interval)[there]] = True
    backs = torch.zeros(cells, dtype=torch.bool, device=device)
    backs[cell[has_background]] = True
    occupied = (occurs.float() @ scheduler.members > 0).T
    return backs.view(grid.cells_y, grid.cells_x), occupied.view(-1, grid.cells_y, grid.cells_x)


def content(layers: Layers, bins: Bins, grid: Grid, i: int, s: int) -> Tensor:
    """[4,h,w] what falls into bin i, on the grid at 1/s of the resolution from its corner on."""
    own = layers.front * Bins.tent_weight(bins.coordinate(layers.front_radius), i)
    own += layers.back * Bins.tent_weight(bins.coordinate(layers.back_radius), i)
    h, w = own.shape[1:]
    beyond = s if s > 1 else 0  # shrinking spreads by up to a coarse pixel
    own = F.pad(own, (grid.left, -(grid.left + w) % s + beyond, grid.top, -(grid.top + h) % s + beyond))
    return shrunk(own, s) if s > 1 else own


def strip(plane: Tensor, line: int, first: int, last: int, direct: bool, tile: int) -> Tensor:
    """[tile, last+1, 4] quads of one strip of a bin.

    Args:
        plane: [4,h,w] see `content`.
        line: which line of strips; first: column of its first pixel; last: index of its last quad.
    """
    count = last - 1 if direct else last
    wide = F.pad(plane, (max(-first, 0), max(first + count - plane.shape[2], 0), 0, max((line + 1) * tile - plane.shape[1], 0)))
    pixels = wide[:, line * tile : (line + 1) * tile, max(first, 0) :][..., :count].permute(1, 2, 0)
    if direct:
        return F.pad(pixels, (0, 0, 1, 1))
    return F.pad(pixels.double().cumsum(1).float(), (0, 0, 1, 0))


def blurred(plane: Tensor, taps: Taps, entry: int, group: int) -> Tensor:
    """[4 or 6,h,w] light and coverage of a bin's content [4,h,w] blurred by a set of taps, which is read back as a kernel."""
    kernel = kernel_of(taps, entry, group).to(plane.dtype)  # [C,m,m], as it is read
    half = kernel.shape[-1] // 2
    padded = F.pad(plane, (half,) * 4)
    if len(kernel) == 1:
        return F.conv2d(padded[:, None], kernel[:, None])[:, 0]
    light = [F.conv2d(p[None, None], k[None, None])[0, 0] for p, k in zip(padded[:3], kernel, strict=True)]
    coverage = [F.conv2d(padded[3][None, None], k[None, None])[0, 0] for k in kernel]
    return torch.stack([*light, *coverage])


def kernel_of(taps: Taps, entry: int, group: int, k: int = 0) -> Tensor:
    """[C,m,m] float64 kernel, point-mirrored, that a set of taps stands for, as seen from the pixel `k` of a group."""
    half, row = int(taps.halves[entry]), int(taps.rows[entry])
    coloured = taps.weight.ndim == 3
    table = torch.zeros(3 if coloured else 1, 2 * half + group, 2 * half + 2, dtype=torch.float64)
    for r in range(2 * half + group):
        for t in range(int(taps.starts[row + r]), int(taps.starts[row + r + 1])):
            weight = taps.weight[t, k, :3] if coloured else taps.weight[t, k]
            table[:, r, int(taps.dx[t]) // 4 + half] += weight.double()
    bin_number = entry // (len(taps.rows) // len(taps.direct))
    read = table[..., 1:] if int(taps.direct[bin_number]) else -table.cumsum(-1)[..., :-1]
    return read[:, k : k + 2 * half + 1]
