"""What lies hidden behind a near surface: which surface goes on there (a jump flood), and in which colours (a fill by slabs)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ...images import neighbour_pairs, pull, take, weighted_level
from ...progress import counted, silent
from ...types import Progress
from ..parallel import side_by_side
from .layers import JUMP_PX

FLOOD_GRAIN_PX = 8
"""Side of the blocks that share one search for the far side of an edge, if it reaches farther than that. Finer ones score a
little less: they fill less calmly."""

RIM_PX = 3.0
"""Added to distances when jumps are compared, so that a small step loses also right beside it. A larger one hides more of the
small steps at the rims of surfaces."""

MAX_SLABS = 8
"""Most slabs of depth that colours are filled in from. More of them mix fewer surfaces and take longer."""

SLAB_PX = 3.0
"""Least distance of two slabs, in px of blur."""

ONE_SLAB_PX = 2.0
"""Range of depths, in px of blur, that one slab holds alone."""

TENT = 1.5
"""Half-width of a slab's supply, in slabs, where it falls to 0; it is full up to half a slab from the middle. A larger one fills
from more of the surfaces beside the one that is wanted."""

BLOCK_TOLERANCE = 0.25
"""Part of a slab by which the depths of a block may differ to be weighted as one. A larger one is quicker and less exact."""

ALIKE = 0.25
"""Of the step to what lies behind: depths behind it that differ by less are taken for one surface."""

SMOOTHINGS = 2
"""Times that the steps between blocks are smoothed."""

LEAST_WEIGHT = 1e-6
"""Sums of weights are raised to this before they divide."""

POINTS_AT_A_TIME = 1 << 16
"""Pixels that are read or written together: they stay in the processor's cache, and memory stays bounded."""

INFINITY = float("inf")
"""Cost of, and distance to, what is not there."""


# ----------------------------------------------------------------------------------------------------------- which surface


@dataclass(eq=False)
class _Seeds:
    """The best seed of every pixel (or block) so far.

    Attributes:
        radius: [H,W] of the pixel itself.
        seed: [3,H,W] row, column and radius of the seed.
        cost: [H,W] (distance + RIM_PX) / step of the radius; infinite where there is no seed.
        ys, xs: [H,1], [1,W] rows and columns of the pixels.
    """

    radius: Tensor
    seed: Tensor
    cost: Tensor
    ys: Tensor
    xs: Tensor

    def offer(self, here: tuple[slice, slice], candidate: Tensor, candidate_cost: Tensor) -> None:
        """Take candidates [3,h,w] at the pixels `here` where they cost less, and are farther away in depth."""
        step = candidate[2] - self.radius[here]
        d = (candidate[0] - self.ys[here[0]]).square_().add_((candidate[1] - self.xs[:, here[1]]).square_())
        d = d.sqrt_().add_(RIM_PX).div_(step)
        better = (d < self.cost[here]) & (step > JUMP_PX) & (candidate_cost < INFINITY)
        seed = self.seed[:, here[0], here[1]]
        self.seed[:, here[0], here[1]] = torch.where(better, candidate, seed)
        self.cost[here] = torch.where(better, d, self.cost[here])

    def flood(self, steps: list[int], progress: Progress = silent) -> None:
        """Offer every pixel the seeds of the eight pixels around it, at each of these distances (jump flooding)."""
        h, w = self.radius.shape
        for step in counted(steps, len(steps), progress):
            for dy in (-step, 0, step):
                for dx in (-step, 0, step):
                    if dy == dx == 0 or abs(dy) >= h or abs(dx) >= w:
                        continue
                    here = (slice(max(-dy, 0), h - max(dy, 0)), slice(max(-dx, 0), w - max(dx, 0)))
                    rows, cols = slice(max(dy, 0), h - max(-dy, 0)), slice(max(dx, 0), w - max(-dx, 0))
                    self.offer(here, self.seed[:, rows, cols], self.cost[rows, cols])


def far_side(radius: Tensor, halo_px: int, progress: Progress = silent) -> tuple[Tensor, Tensor]:
    """For pixels on the near side of a jump, and those behind it up to `halo_px` deep: the far side that goes on behind them.

    Of several jumps that is the one whose distance is the smallest part of its step: a blurred edge opens the view on what
    lies behind as far as its step. A small step at the rim of a surface must not hide the large one beyond it.

    A jump flood (Rong & Tan, I3D 2006) over blocks of pixels that only accepts seeds farther away than the pixel itself.

    Returns:
        [H,W] radius of the far side, and [H,W] distance to it in px (infinite where there is none within reach).
    """
    seeds, rise = _seeds(radius)
    edge = torch.where(rise > 0, seeds.seed[2], torch.nan)
    if not bool(rise.any()):
        return radius, torch.full_like(radius, INFINITY)
    f = FLOOD_GRAIN_PX
    while f > 1 and halo_px <= f:
        f //= 2
    if f > 1 and min(radius.shape) >= f:
        _offer_blocks(seeds, _flooded_blocks(seeds, rise, f, halo_px, progress), f)
    else:
        seeds.flood([1], progress)
    distance = ((seeds.seed[0] - seeds.ys).square_() + (seeds.seed[1] - seeds.xs).square_()).sqrt_()
    far = torch.where(seeds.cost < INFINITY, seeds.seed[2], radius)
    if f > 1:  # a block's one seed may lie a block farther off than the edge: too far, and nothing would lie behind
        squared, beyond = _next_edge(edge, f)
        same = (beyond - far).abs() < ALIKE * (far - radius)
        distance = torch.where(same, torch.minimum(distance, squared.sqrt_() + 1), distance)
    return far, torch.where(seeds.cost < INFINITY, distance, INFINITY)


def _next_edge(far: Tensor, reach_px: int) -> tuple[Tensor, Tensor]:
    """Squared distance of every pixel to the next edge, and the depth beyond it there.

    far: [H,W], NaN where there is no edge. The distance is infinite beyond `reach_px` along a row or a column.
    """
    squared, beyond = torch.where(far.isnan(), INFINITY, 0.0), far.clone()
    for dim in (1, 0):
        from_squared, from_beyond = squared.clone(), beyond.clone()
        n = far.shape[dim]
        for k in range(1, min(reach_px, n - 1) + 1):
            for at, source in ((k, 0), (0, k)):
                here, there = squared.narrow(dim, at, n - k), from_squared.narrow(dim, source, n - k) + k * k
                nearer = there < here
                torch.where(nearer, there, here, out=here)
                into = beyond.narrow(dim, at, n - k)
                torch.where(nearer, from_beyond.narrow(dim, source, n - k), into, out=into)
    return squared, beyond


def _seeds(radius: Tensor) -> tuple[_Seeds, Tensor]:
    """Seeds of the pixels at a jump, the farthest of their neighbours; and [H,W] the rise of the radius to it, else 0."""
    h, w = radius.shape
    ys = torch.arange(h, device=radius.device, dtype=torch.float32).view(h, 1)
    xs = torch.arange(w, device=radius.device, dtype=torch.float32).view(1, w)
    seed, best = radius.new_zeros(3, h, w), torch.zeros_like(radius)
    position = torch.stack([ys.expand(h, w), xs.expand(h, w), radius])
    for here, there in neighbour_pairs():
        rise = radius[there] - radius[here]
        larger = (rise > JUMP_PX) & (rise > best[here])
        seed[:, here[0], here[1]] = torch.where(larger, position[:, there[0], there[1]], seed[:, here[0], here[1]])
        best[here] = torch.where(larger, rise, best[here])
    return _Seeds(radius, seed, (1 + RIM_PX) / best, ys, xs), best


def _flooded_blocks(seeds: _Seeds, rise: Tensor, f: int, halo_px: int, progress: Progress) -> _Seeds:
    """The seeds of blocks of f x f px, flooded up to `halo_px`.

    Every block is represented by the pixel at its largest jump, else by the nearest one in depth; seeds keep their place.
    """
    radius = seeds.radius
    h, w = radius.shape
    low, high = torch.aminmax(radius)
    worth = torch.where(rise > 0, rise + (high - low), high - radius)
    padded = F.pad(worth[None, None], (0, -w % f, 0, -h % f), mode="replicate")[0, 0]
    pixel = padded.unfold(0, f, f).unfold(1, f, f).flatten(2).argmax(2)
    rows, cols = (torch.arange(0, n, f, device=radius.device) for n in (h, w))
    y, x = (rows[:, None] + pixel // f).clamp_max(h - 1), (cols + pixel % f).clamp_max(w - 1)
    middle = (f - 1) / 2
    blocks = _Seeds(radius[y, x], seeds.seed[:, y, x], seeds.cost[y, x], seeds.ys[::f] + middle, seeds.xs[:, ::f] + middle)
    step = 1 << math.ceil(math.log2(max(halo_px / f, 1)))
    blocks.flood([1, *(step >> i for i in range(step.bit_length()))], progress)
    return blocks


def _offer_blocks(seeds: _Seeds, blocks: _Seeds, f: int) -> None:
    """Offer every pixel the seed of its block of f x f px."""
    h, w = seeds.radius.shape
    height = f if seeds.radius.device.type == "cpu" else h  # a row of blocks stays in the processor's cache

    def offer(top: int) -> None:
        stop = min(top + height, h)
        part = (..., slice(top // f, -(-stop // f)), slice(None))
        wide = [
            t[part].repeat_interleave(f, -1).repeat_interleave(f, -2)[..., : stop - top, :w] for t in (blocks.seed, blocks.cost)
        ]
        seeds.offer((slice(top, stop), slice(0, w)), wide[0], wide[1])

    for _ in side_by_side(offer, range(0, h, height), seeds.radius.device):
        pass


# -------------------------------------------------------------------------------------------------------- of which colour


def _supplied(depth: Tensor, limit: Tensor, centre: float, width: float) -> Tensor:
    """How much of what lies at `depth` supplies the slab at `centre`: nothing from `limit` on."""
    return (TENT - (depth - centre).abs() / width).clamp_(0, 1).mul_(limit > centre)


class _Blocks:
    """Weighted values [C+1,H,W] in blocks of 2 x 2 px, to be weighted again by functions of depth that are quickly made.

    Within a block whose depths differ by no more than `tolerance` the function is taken at their mean.
    """

    def __init__(self, level: Tensor, depth: Tensor, limit: Tensor, tolerance: float) -> None:
        h, w = depth.shape
        odd = (0, w % 2, 0, h % 2)
        padded = F.pad(level, odd) if any(odd) else level
        depth, limit = F.pad(torch.stack([depth, limit])[None], odd, mode="replicate")[0] if any(odd) else (depth, limit)
        self._total = F.avg_pool2d(padded[None], 2, divisor_override=1)[0]
        self._depth = F.avg_pool2d(depth[None], 2)[0]
        self._limit = -F.max_pool2d(-limit[None], 2)[0]
        quads = depth.unfold(0, 2, 2).unfold(1, 2, 2).flatten(2)
        self._mixed = ((quads.amax(2) - quads.amin(2)) > tolerance).nonzero()
        y, x = self._mixed.unbind(1)
        self._quads = quads[y, x]
        self._quad_limits = limit.unfold(0, 2, 2).unfold(1, 2, 2).flatten(2)[y, x]
        self._values = padded.unfold(1, 2, 2).unfold(2, 2, 2)[:, y, x].flatten(2)

    def level(self, share: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """The first level of a pyramid (see `images.pull`) of the values, weighted by `share(depth, limit)`."""
        total = self._total * share(self._depth, self._limit)
        y, x = self._mixed.unbind(1)
        total[:, y, x] = (self._values * share(self._quads, self._quad_limits)).sum(2)
        return weighted_level(total)


def sampled(level: Tensor, y: Tensor, x: Tensor) -> Tensor:
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


def local_mean(values: Tensor, index: Tensor, size: Sequence[int], half_width: int) -> Tensor:
    """Means [C,n] of the values [C,n] at a flat index that lie within about 2 * half_width px, rows and columns apart."""
    h, w = ((n + 1) // 2 for n in size)
    places = [(part // size[1], part % size[1]) for part in index.split(POINTS_AT_A_TIME)]
    small = values.new_zeros(len(values) + 1, h * w)
    for (y, x), part in zip(places, values.split(POINTS_AT_A_TIME, -1), strict=True):
        cell = (y // 2).mul_(w).add_(x // 2)
        for plane, add in zip(small, [*part, part.new_ones(len(cell))], strict=True):
            plane.scatter_add_(0, cell, add)
    side = 2 * half_width + 1
    small = F.avg_pool2d(F.avg_pool2d(small.view(1, -1, h, w), (side, 1), 1, (half_width, 0)), (1, side), 1, (0, half_width))[0]
    mean = torch.empty_like(values)
    for (y, x), part in zip(places, mean.split(POINTS_AT_A_TIME, -1), strict=True):
        there = sampled(small, y, x)
        torch.div(there[:-1], there[-1:].clamp_min_(LEAST_WEIGHT), out=part)
    return mean


def smoothed_depth(far: Tensor, near: Tensor, share: Tensor, index: Tensor, size: Sequence[int]) -> Tensor:
    """Depths [n] behind near surfaces at depth `near` [n], without the steps between the blocks they were found by; by a `share`
    [n] of the way."""
    for _ in range(SMOOTHINGS):
        change = local_mean(far[None], index, size, FLOOD_GRAIN_PX // 2)[0] - far
        far = far + change * share * (change.abs() < ALIKE * (far - near))
    return far


def fill_colour(
    color: Tensor,
    weight: Tensor,
    depth: Tensor,
    limit: Tensor,
    values: Tensor,
    index: Tensor,
    progress: Progress = silent,
) -> Tensor:
    """Colours [3,n] at a flat index of the surface at the depths `values` [n], spread from pixels of like depth (soft slabs).

    limit: [H,W] depth from which on a pixel supplies nothing. Slabs get thicker the deeper the scene is, and a pixel in front of
    an edge would else colour what lies behind it.
    """
    if len(values) == 0:
        return color.new_zeros(3, 0)
    low, high = float(values.min()), float(values.max())
    if high - low < ONE_SLAB_PX:
        centres = torch.tensor([(low + high) / 2])
    else:
        centres = torch.linspace(low, high, min(MAX_SLABS, max(2, math.ceil((high - low) / SLAB_PX))))
    width = float(centres[1] - centres[0]) if len(centres) > 1 else max(ONE_SLAB_PX, high - low)
    # Only the listed pixels are wanted at full resolution; the pyramid starts at half of it.
    w = weight.shape[1]
    both = torch.cat([color, torch.ones_like(weight)[None]])
    blocks = _Blocks(both * weight, depth, limit, BLOCK_TOLERANCE * width)
    flat = color.flatten(1)
    out = color.new_zeros(color.shape[0], len(index))
    total = color.new_zeros(len(index))
    for c in counted(centres.tolist(), len(centres), progress):  # one after the other: a slab takes much memory
        share = (1 - (values - c).abs() / width).clamp_min(0) if len(centres) > 1 else torch.ones_like(total)
        among = share.nonzero()[:, 0]
        if len(among) == 0:
            continue
        at = index[among]
        supply = take(weight.flatten(), at) * _supplied(take(depth.flatten(), at), take(limit.flatten(), at), c, width)
        coarse = sampled(pull([blocks.level(lambda d, most, c=c: _supplied(d, most, c, width))]), at // w, at % w)
        out[:, among] += share[among] * torch.lerp(coarse, take(flat, at), supply)
        total[among] += share[among]
    return out / total.clamp_min(LEAST_WEIGHT)
