"""What a blur reads: its kernel, or the changes along the kernel's rows, as lists of taps for the GPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .... import psf
from ...plan import Plan
from ...segments import ApertureSegment

TABLE_ELEMENTS = 1 << 22
"""Kernel elements that are worked out at a time; bounds memory."""

TABLE_SIDE = 257
"""Least side that is counted for a kernel in this, as the aperture's raster has about as many cells."""

DIRECT_PX = 7
"""Up to this side a kernel is summed directly: that is as short, and closer, as running sums carry the rounding of all that lies
left."""

NEGLIGIBLE = 1e-8
"""Weights below this part of the largest one are rounding and left out."""


@dataclass(frozen=True, eq=False)
class Taps:
    """What is summed for each set of taps (bin * (1 + segments) + segment), on the device.

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


def make_taps(plan: Plan, segments: list[ApertureSegment], group: int, unroll: int) -> Taps:
    """Taps of a plan's bins through each of Q segments.

    Args:
        group: pixels below one another that share a tap: it has a weight for each.
        unroll: taps of a row come in multiples of this.
    """
    device = plan.whole[0].raster.device
    sets, bins = len(segments), len(plan.radii)
    rows, halves = torch.zeros(bins * sets, dtype=torch.int32), torch.zeros(bins * sets, dtype=torch.int32)
    direct, count = torch.zeros(bins, dtype=torch.int32), [0] * bins
    lists: list[tuple[Tensor, Tensor, Tensor]] = []
    row_total = 0
    for chunk, half in _chunks(plan, sets * plan.whole[0].raster.shape[0]):
        plain, change = _weights(plan, segments, chunk, half)
        numbers = torch.stack([(t[:, 0] != 0).any(1).sum((1, 2)) for t in (plain, change)]).tolist()
        rows_of_set = 2 * half + group
        for j, i in enumerate(chunk):
            own = psf.size_px(plan.radii[i]) // 2
            direct[i] = int(2 * own + 1 <= DIRECT_PX or numbers[0][j] <= numbers[1][j])
            count[i] = int(numbers[0][j] if direct[i] else numbers[1][j])
            for q in range(sets):
                rows[i * sets + q] = row_total + (j * sets + q) * rows_of_set + half - own
                halves[i * sets + q] = own
        is_direct = direct[chunk].to(device).bool().view(-1, 1, 1, 1, 1)
        lists.append(_listed(torch.where(is_direct, plain, change).float(), half, group, unroll))
        row_total += lists[-1][0].numel()
    lengths, dx, weight = _joined(lists, group, device)
    starts = F.pad(lengths.cumsum(0), (1, 0)).int()
    weight = F.pad(weight, (0, 1)).contiguous() if plan.colour else weight[..., 0].contiguous()
    return Taps(rows.to(device), halves.to(device), starts, _never_empty(dx), _never_empty(weight), direct.to(device), count)


def _chunks(plan: Plan, planes: int) -> list[tuple[list[int], int]]:
    """Bins that are blurred, in groups of like size: (bins, half the side of the largest kernel)."""
    blurred = sorted((psf.size_px(r) // 2, i) for i, r in enumerate(plan.radii) if not plan.is_sharp(i))
    out: list[tuple[list[int], int]] = []
    for half, i in blurred:
        if out and (len(out[-1][0]) + 1) * planes * (2 * half + 2) * max(2 * half + 2, TABLE_SIDE) <= TABLE_ELEMENTS:
            out[-1] = ([*out[-1][0], i], half)
        else:
            out.append(([i], half))
    return out


def _weights(plan: Plan, segments: list[ApertureSegment], chunk: list[int], half: int) -> tuple[Tensor, Tensor]:
    """[b,Q,C,side,side+1] float64 kernels of the bins in `chunk`, and their changes along the rows."""
    kernel = kernel_tables(segments, [plan.radii[i] for i in chunk], half)
    uncut = [j for j, i in enumerate(chunk) if not plan.is_segmented(i)]
    if uncut:
        kernel[uncut] = kernel_tables(plan.whole, [plan.radii[chunk[j]] for j in uncut], half)
    padded = F.pad(kernel, (1, 1))
    # Content is read as the difference of two running sums; so is the kernel.
    plain, change = padded[..., :-1], padded[..., :-1] - padded[..., 1:]
    least = NEGLIGIBLE * kernel.abs().amax((-3, -2, -1), keepdim=True)
    return plain * (plain.abs() > least), change * (change.abs() > least)


def kernel_tables(segments: list[ApertureSegment], radii: Sequence[float], half: int) -> Tensor:
    """[b,Q,C,2*half+1,2*half+1] float64: each segment's normalised blur at each radius, point-mirrored (as it is read).

    The overlap of raster cells and pixels (`psf.rasterize`) as differences of the raster's bilinear summed-area table: on the
    raster's device and for all radii at once.
    """
    behind, front = (
        torch.stack([p.side(sign).double() / p.weight.double().view(-1, 1, 1) for p in segments]) for sign in (1, -1)
    )
    n = behind.shape[-1]
    both = torch.stack([behind.flip(-2, -1), front])  # behind focus the blur is upright, so it is read mirrored
    area = F.pad(both.cumsum(-1).cumsum(-2), (1, 0, 1, 0))
    r = torch.tensor([abs(v) for v in radii], dtype=torch.float64, device=behind.device)
    near = torch.tensor([int(v < 0) for v in radii], device=behind.device)
    edges = torch.arange(2 * half + 2, dtype=torch.float64, device=behind.device) - half - 0.5
    at = ((edges[None] / r[:, None] + 1) * (n / 2)).clamp(0, n)
    low = at.long().clamp_max(n - 1)
    share = at - low
    b, q, c, m = len(radii), behind.shape[0], behind.shape[1], edges.numel()
    own = area[near]
    rows = low.view(b, 1, 1, m, 1).expand(b, q, c, m, n + 1)
    upper, lower = own.gather(3, rows), own.gather(3, rows + 1)
    own = upper + share.view(b, 1, 1, m, 1) * (lower - upper)
    columns = low.view(b, 1, 1, 1, m).expand(b, q, c, m, m)
    left, right = own.gather(4, columns), own.gather(4, columns + 1)
    return (left + share.view(b, 1, 1, 1, m) * (right - left)).diff(dim=-1).diff(dim=-2)


def _listed(taps: Tensor, half: int, group: int, unroll: int) -> tuple[Tensor, Tensor, Tensor]:
    """Weights [b,Q,C,side,side+1] as lists: number of taps in each row, padded to `unroll`; four times the column [T]; weights
    [T,group,C]."""
    device = taps.device
    # Row r, as seen from the first pixel of a group, is row r - k for the one k below it.
    taps = F.pad(taps, (0, 0, group - 1, group - 1)).unfold(3, group, 1).flip(-1).movedim(2, -1)  # [b,Q,rows,side+1,GROUP,C]
    lit = (taps != 0).flatten(-2).any(-1).flatten(0, 2)
    row, column = lit.nonzero(as_tuple=True)
    number = lit.sum(1)
    length = -(-number // unroll) * unroll
    at = torch.arange(row.numel(), device=device) + ((length.cumsum(0) - length) - (number.cumsum(0) - number))[row]
    total = int(length.sum())
    dx = torch.zeros(total, dtype=torch.int32, device=device)
    dx[at] = 4 * (column - half).int()
    weight = torch.zeros(total, group, taps.shape[-1], device=device)
    weight[at] = taps.flatten(0, 2)[row, column]
    return length, dx, weight


def _joined(lists: list[tuple[Tensor, Tensor, Tensor]], group: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    if not lists:
        none = torch.zeros(0, dtype=torch.int32, device=device)
        return none.long(), none, torch.zeros(0, group, 1, device=device)
    lengths, dxs, weights = zip(*lists, strict=True)
    return torch.cat(lengths), torch.cat(dxs), torch.cat(weights)


def _never_empty(t: Tensor) -> Tensor:
    """A kernel needs a valid address, even of nothing."""
    return t if t.numel() else t.new_zeros(4)
