"""What lies hidden behind a near surface: which surface goes on there (a jump flood), and in which colours (a fill by slabs)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ...images import neighbour_pairs, pull, take, weighted_level
from ..parallel import side_by_side
from .layers import JUMP_PX

FLOOD_GRAIN_PX = 8
"""Side of the blocks that share one search for the far side of an edge, if it reaches farther than that. Finer ones score a
little less: they fill less calmly."""

_RIM_PX = 3.0
"""Added to distances when jumps are compared, so that a small step loses also right beside it."""

MAX_SLABS = 8

_POINTS_AT_A_TIME = 1 << 16

_ALIKE = 0.25
"""Of the step to what lies behind: depths behind it that differ by less are taken for one surface."""


def far_side(radius: Tensor, reach: int) -> tuple[Tensor, Tensor]:
    """For pixels on the near side of a jump, and those behind it up to `reach` deep: the far side that goes on behind them.

    Of several jumps that is the one whose distance is the smallest part of its step: a blurred edge opens the view on what
    lies behind as far as its step. A small step at the rim of a surface must not hide the large one beyond it.

    A jump flood (Rong & Tan, I3D 2006) over blocks of pixels that only accepts seeds farther away than the pixel itself.

    Returns:
        [H,W] radius of the far side, and [H,W] distance to it in px (infinite where there is none within reach).
    """
    h, w = radius.shape
    infinity = float("inf")
    ys = torch.arange(h, device=radius.device, dtype=torch.float32).view(h, 1)
    xs = torch.arange(w, device=radius.device, dtype=torch.float32).view(1, w)
    # channels: row, column and radius of the best seed so far; its cost is (distance + _RIM_PX) / step
    seed = radius.new_zeros(3, h, w)
    best = torch.zeros_like(radius)
    position = torch.stack([ys.expand(h, w), xs.expand(h, w), radius])
    for here, there in neighbour_pairs():
        rise = radius[there] - radius[here]
        take = (rise > JUMP_PX) & (rise > best[here])
        seed[:, here[0], here[1]] = torch.where(take, position[:, there[0], there[1]], seed[:, here[0], here[1]])
        best[here] = torch.where(take, rise, best[here])
    if not bool(best.any()):
        return radius, torch.full_like(radius, infinity)
    cost = (1 + _RIM_PX) / best  # infinite where there is none

    f = FLOOD_GRAIN_PX
    while f > 1 and reach <= f:
        f //= 2
    if f > 1 and min(h, w) >= f:
        # Every block is represented by the pixel at its largest jump, else by the nearest one in depth; seeds keep their place.
        low, high = torch.aminmax(radius)
        worth = torch.where(best > 0, best + (high - low), high - radius)
        padded = F.pad(worth[None, None], (0, -w % f, 0, -h % f), mode="replicate")[0, 0]
        place = padded.unfold(0, f, f).unfold(1, f, f).flatten(2).argmax(2)
        rows, cols = (torch.arange(0, n, f, device=radius.device) for n in (h, w))
        y, x = (rows[:, None] + place // f).clamp_max(h - 1), (cols + place % f).clamp_max(w - 1)
        coarse_radius, coarse_seed, coarse_cost = radius[y, x], seed[:, y, x], cost[y, x]
        step = 1 << math.ceil(math.log2(max(reach / f, 1)))
        steps: list[int] = [1]
        while step >= 1:
            steps.append(step)
            step //= 2
        middle = (f - 1) / 2
        found, known = _flood(coarse_radius, coarse_seed, coarse_cost, ys[::f] + middle, xs[:, ::f] + middle, steps)
        height = f if radius.device.type == "cpu" else h  # a row of blocks stays in the processor's cache

        def offer(top: int) -> None:
            stop = min(top + height, h)
            part = (..., slice(top // f, -(-stop // f)), slice(None))
            wide = [t[part].repeat_interleave(f, -1).repeat_interleave(f, -2)[..., : stop - top, :w] for t in (found, known)]
            _offer(radius, seed, cost, (slice(top, stop), slice(0, w)), wide[0], wide[1], ys, xs)

        for _ in side_by_side(offer, range(0, h, height), radius.device):
            pass
    else:
        seed, cost = _flood(radius, seed, cost, ys, xs, [1])
    distance = ((seed[0] - ys).square_() + (seed[1] - xs).square_()).sqrt_()
    return torch.where(cost < infinity, seed[2], radius), torch.where(cost < infinity, distance, infinity)


def _offer(
    radius: Tensor,
    seed: Tensor,
    cost: Tensor,
    here: tuple[slice, slice],
    candidate: Tensor,
    known: Tensor,
    ys: Tensor,
    xs: Tensor,
) -> None:
    """Take `candidate` seeds at the pixels `here` where they cost less than what is there, and are farther away in depth."""
    step = candidate[2] - radius[here]
    d = (candidate[0] - ys[here[0]]).square_().add_((candidate[1] - xs[:, here[1]]).square_())
    d = d.sqrt_().add_(_RIM_PX).div_(step)
    take = (d < cost[here]) & (step > JUMP_PX) & (known < float("inf"))
    seed[:, here[0], here[1]] = torch.where(take, candidate, seed[:, here[0], here[1]])
    cost[here] = torch.where(take, d, cost[here])


def _flood(radius: Tensor, seed: Tensor, cost: Tensor, ys: Tensor, xs: Tensor, steps: list[int]) -> tuple[Tensor, Tensor]:
    h, w = radius.shape
    seed, cost = seed.clone(), cost.clone()
    for step in steps:
        for dy in (-step, 0, step):
            for dx in (-step, 0, step):
                if dy == dx == 0 or abs(dy) >= h or abs(dx) >= w:
                    continue
                here = (slice(max(-dy, 0), h - max(dy, 0)), slice(max(-dx, 0), w - max(dx, 0)))
                rows, cols = slice(max(dy, 0), h - max(-dy, 0)), slice(max(dx, 0), w - max(-dx, 0))
                _offer(radius, seed, cost, here, seed[:, rows, cols], cost[rows, cols], ys, xs)
    return seed, cost


def _tent_weight(depth: Tensor, centre: float, width: float) -> Tensor:
    """How much of what lies at `depth` supplies the slab at `centre`."""
    return (1.5 - (depth - centre).abs() / width).clamp_(0, 1)


class _Blocks:
    """Weighted values [C+1,H,W] in blocks of 2 x 2 px, to be weighted again by functions of depth that are quickly made.

    Within a block whose depths differ by no more than `tolerance` the function is taken at their mean.
    """

    def __init__(self, level: Tensor, depth: Tensor, tolerance: float) -> None:
        h, w = depth.shape
        odd = (0, w % 2, 0, h % 2)
        padded = F.pad(level, odd) if any(odd) else level
        depth = F.pad(depth[None, None], odd, mode="replicate")[0, 0] if any(odd) else depth
        self._total = F.avg_pool2d(padded[None], 2, divisor_override=1)[0]
        self._depth = F.avg_pool2d(depth[None], 2)[0]
        quads = depth.unfold(0, 2, 2).unfold(1, 2, 2).flatten(2)
        self._mixed = ((quads.amax(2) - quads.amin(2)) > tolerance).nonzero()
        y, x = self._mixed.unbind(1)
        self._quads = quads[y, x]
        self._values = padded.unfold(1, 2, 2).unfold(2, 2, 2)[:, y, x].flatten(2)

    def level(self, share: Callable[[Tensor], Tensor]) -> Tensor:
        """The first level of a pyramid (see `images.pull`) of the values, weighted by `share(depth)`."""
        total = self._total * share(self._depth)
        y, x = self._mixed.unbind(1)
        total[:, y, x] = (self._values * share(self._quads)).sum(2)
        return weighted_level(total)


def _sampled(level: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """[C,n] values of `level` [C,h,w], doubled in size, at the pixels (y, x): bilinear."""
    fy, fx = (y + 0.5) / 2 - 0.5, (x + 0.5) / 2 - 0.5
    h, w = level.shape[1:]
    flat = level.flatten(1)
    y0, x0 = fy.floor().clamp_(0), fx.floor().clamp_(0)
    ty, tx = (fy - y0).clamp_(0), (fx - x0).clamp_(0)
    y0, x0 = y0.long(), x0.long()
    y1, x1 = (y0 + 1).clamp_max(h - 1), (x0 + 1).clamp_max(w - 1)
    top = torch.lerp(take(flat, y0 * w + x0), take(flat, y0 * w + x1), tx)
    return torch.lerp(top, torch.lerp(take(flat, y1 * w + x0), take(flat, y1 * w + x1), tx), ty)


def local_mean(values: Tensor, index: Tensor, size: Sequence[int], reach: int) -> Tensor:
    """Means [C,n] of the values [C,n] at a flat index that lie within about 2 * reach px, rows and columns apart."""
    h, w = ((n + 1) // 2 for n in size)
    places = [(part // size[1], part % size[1]) for part in index.split(_POINTS_AT_A_TIME)]
    small = values.new_zeros(len(values) + 1, h * w)
    for (y, x), part in zip(places, values.split(_POINTS_AT_A_TIME, -1), strict=True):
        cell = (y // 2).mul_(w).add_(x // 2)
        for plane, add in zip(small, [*part, part.new_ones(len(cell))], strict=True):
            plane.scatter_add_(0, cell, add)
    side = 2 * reach + 1
    small = F.avg_pool2d(F.avg_pool2d(small.view(1, -1, h, w), (side, 1), 1, (reach, 0)), (1, side), 1, (0, reach))[0]
    mean = torch.empty_like(values)
    for (y, x), part in zip(places, mean.split(_POINTS_AT_A_TIME, -1), strict=True):
        there = _sampled(small, y, x)
        torch.div(there[:-1], there[-1:].clamp_min_(1e-6), out=part)
    return mean


def smoothed_depth(far: Tensor, near: Tensor, share: Tensor, index: Tensor, size: Sequence[int]) -> Tensor:
    """Depths [n] behind near surfaces at depth `near` [n], without the steps between the blocks they were found by; by a `share`
    [n] of the way."""
    for _ in range(2):
        change = local_mean(far[None], index, size, FLOOD_GRAIN_PX // 2)[0] - far
        far = far + change * share * (change.abs() < _ALIKE * (far - near))
    return far


def fill_colour(color: Tensor, weight: Tensor, depth: Tensor, values: Tensor, index: Tensor) -> Tensor:
    """Colours [3,n] at a flat index of the surface at the depths `values` [n], spread from pixels of like depth (soft slabs)."""
    if len(values) == 0:
        return color.new_zeros(3, 0)
    low, high = float(values.min()), float(values.max())
    if high - low < 2:
        centres = torch.tensor([(low + high) / 2])
    else:
        centres = torch.linspace(low, high, min(MAX_SLABS, max(2, math.ceil((high - low) / 3))))
    width = float(centres[1] - centres[0]) if len(centres) > 1 else max(2.0, high - low)
    # Only the listed pixels are wanted at full resolution; the pyramid starts at half of it.
    w = weight.shape[1]
    both = torch.cat([color, torch.ones_like(weight)[None]])
    blocks = _Blocks(both * weight, depth, width / 4)
    flat = color.flatten(1)
    out = color.new_zeros(color.shape[0], len(index))
    total = color.new_zeros(len(index))
    for c in centres.tolist():  # one after the other: a slab takes much memory
        share = (1 - (values - c).abs() / width).clamp_min(0) if len(centres) > 1 else torch.ones_like(total)
        among = share.nonzero()[:, 0]
        if len(among) == 0:
            continue
        at = index[among]
        supply = take(weight.flatten(), at) * _tent_weight(take(depth.flatten(), at), c, width)
        coarse = _sampled(pull([blocks.level(lambda d, c=c: _tent_weight(d, c, width))]), at // w, at % w)
        out[:, among] += share[among] * torch.lerp(coarse, take(flat, at), supply)
        total[among] += share[among]
    return out / total.clamp_min(1e-6)
