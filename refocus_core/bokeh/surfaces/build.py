"""From one picture and its signed radius map to a layered picture: what is seen, and what lies behind it near depth edges.

Every pixel has a front element (colour, coverage, radius) and, within reach of a depth jump on its nearer side, a back element
with the farther side's radius and a colour filled in from that side (a layered depth image: Shade et al., SIGGRAPH 1998).
Pixels that mix both sides of a jump are split between the two.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..parallel import side_by_side

JUMP_PX = 1.0
JUMP_RELATIVE = 0.12
"""Neighbours belong to different surfaces when their radii differ by more than JUMP_PX + JUMP_RELATIVE * the smaller |radius|."""

SNAP_REACH_PX = 3
"""Half the width of the soft transitions that `snap` looks for."""

SNAP_PX = 3.0
"""Least change of radius that `snap` takes for an edge. (A halo of a smaller one is hardly seen; surfaces curve by as much.)"""

_LEVEL_PX = 2
"""How far beyond a transition the two sides are looked for."""

FLOOD_GRAIN_PX = 8
"""Side of the blocks that share one search for the far side of an edge, if it reaches farther than that. Finer ones score a
little less: they fill less calmly."""


@dataclass(frozen=True, eq=False)
class Layers:
    """Front and back elements of one picture; colours are premultiplied by coverage.

    Attributes:
        front: [4,H,W] RGBA, front_radius: [H,W] px.
        back: [4,H,W] RGBA (coverage 0 where nothing lies behind), back_radius: [H,W] px.
        edge: [H,W] bool, pixels that were split or have a back element.
    """

    front: Tensor
    front_radius: Tensor
    back: Tensor
    back_radius: Tensor
    edge: Tensor


def jump_threshold(a: Tensor, b: Tensor) -> Tensor:
    """Smallest difference of radius that separates two surfaces, for radii a and b of neighbouring pixels."""
    return JUMP_PX + JUMP_RELATIVE * torch.minimum(a.abs(), b.abs())


def _neighbours(x: Tensor) -> list[tuple[tuple[slice, slice], tuple[slice, slice]]]:
    """Index pairs of all horizontally and vertically adjacent pixels of [..., H, W], in both directions."""
    a, z, full = slice(None, -1), slice(1, None), slice(None)
    pairs = [((full, a), (full, z)), ((a, full), (z, full))]
    return pairs + [(q, p) for p, q in pairs]


def window_extreme(x: Tensor, reach: int, largest: bool) -> Tensor:
    """Maximum (or minimum) of [H,W] over the square window of side 2*reach+1, as two separable passes of shifted extremes."""
    op = torch.maximum if largest else torch.minimum
    for dim in (-1, -2):
        done, span = x, 1
        # doubling: a window of width w from windows of width about w/2
        size = 2 * reach + 1
        pad = [reach, reach, 0, 0] if dim == -1 else [0, 0, reach, reach]
        done = F.pad(x[None, None], pad, mode="replicate")[0, 0]
        while span < size:
            step = min(span, size - span)
            n = done.shape[dim]
            done = op(done.narrow(dim, 0, n - step), done.narrow(dim, step, n - step))
            span += step
        x = done
    return x


def snap(image: Tensor, radius: Tensor, reach: int) -> Tensor:
    """Turn soft transitions between two surfaces into a step at the photo's edge.

    Where the radius changes steeply over several pixels and the photo's colours differ, every pixel takes the radius beside the
    transition of the side whose colour is more similar. Sharp steps and smooth slopes are left as they are.

    Args:
        image: [3,H,W] linear; radius: [H,W] px.
        reach: half the width of such a transition, in px; 0 changes nothing.

    Returns:
        [H,W] radius.
    """
    around = reach + _LEVEL_PX
    span = window_extreme(radius, around, True) - window_extreme(radius, around, False)
    wide = span > SNAP_PX
    if not bool(wide.any()):
        return radius
    # A soft transition rises on both sides of some pixel; an exact step is flat on one. A slope rises everywhere.
    steep = torch.zeros_like(radius)
    for dim in (0, 1):
        rise = radius.diff(dim=dim)
        n = rise.shape[dim]
        if n < 2:
            continue
        before, after = rise.narrow(dim, 0, n - 1), rise.narrow(dim, 1, n - 1)
        both = torch.where(before * after > 0, torch.minimum(before.abs(), after.abs()), torch.zeros_like(before))
        middle = steep.narrow(dim, 1, n - 1)
        torch.maximum(middle, both, out=middle)
    ramp = wide & (steep > 0.1 * span)
    if not bool(ramp.any()):
        return radius
    k = 2 * reach + 1
    share = F.avg_pool2d(F.pad(ramp.float()[None, None], (reach,) * 4, mode="replicate"), k, 1)[0, 0]
    soft = wide & (share > 0.02) & (share < 0.75)
    index = soft.nonzero()
    if index.numel() == 0:
        return radius
    return _vote(image, radius, steep <= 0.02 * span, index, around)


def _at(x: Tensor, index: Tensor) -> Tensor:
    """[...,*index.shape] values of x [...,n] at flat indices. (On a CPU several times as quick as indexing with a tensor.)"""
    return x.index_select(-1, index.flatten()).view(*x.shape[:-1], *index.shape)


def _put(x: Tensor, index: Tensor, values: Tensor) -> None:
    """x [...,n] at flat indices [m] = values [...,m]; quicker, too."""
    x.scatter_(-1, index.expand(values.shape), values)


def _window(index: Tensor, h: int, w: int, reach: int) -> tuple[Tensor, Tensor, Tensor]:
    """Flat indices [n,k] of the square window around each listed pixel, and the offsets [k] along y and x."""
    offsets = torch.arange(-reach, reach + 1, device=index.device)
    oy, ox = (o.flatten() for o in torch.meshgrid(offsets, offsets, indexing="ij"))
    rows, columns = (index[:, :1] + offsets).clamp_(0, h - 1).mul_(w), (index[:, 1:] + offsets).clamp_(0, w - 1)
    return (rows[:, :, None] + columns[:, None]).flatten(1), oy, ox


VOTE_COLOR = 0.05
"""Standard deviation of display values (gamma 2.2, 0..1) within which a neighbour counts as alike."""
EDGE_COLOR = 0.08
"""Least difference of the mean display values of two sides that is an edge of the photo."""
_BESIDE_PX = 1.5
"""Standard deviation of the distance at which the radius of a side is taken."""
_THIN_GAIN = 3.0
_WINDOWS_AT_A_TIME = 4096
"""Windows of pixels that are looked at together: they stay in the processor's cache, and memory stays bounded."""


def display_values(linear: Tensor) -> Tensor:
    """Of linear light: equal steps count equally in shadows and lights. (Quicker than sRGB, near enough to compare colours.)"""
    return linear.clamp_min(0).pow(1 / 2.2)


def _vote(image: Tensor, radius: Tensor, calm: Tensor, index: Tensor, reach: int) -> Tensor:
    """Assign each listed pixel to the near or far side of its window, whichever has the more similar colour.

    Args:
        calm: [H,W] bool, pixels that are not on a transition.
        reach: of the window, px.
    """
    h, w = radius.shape
    display = display_values(image).flatten(1)
    flat, calm = radius.flatten(), calm.flatten()
    out = flat.clone()
    parts = [(part, part[:, 0] * w + part[:, 1]) for part in index.split(_WINDOWS_AT_A_TIME)]
    levels: list[tuple[Tensor, Tensor, Tensor]] = []
    for (_, at), level in zip(
        parts, side_by_side(lambda p: _side(display, flat, calm, p[0], p[1], (h, w), reach), parts, flat.device), strict=True
    ):
        near_level, far_level, is_near = level
        out[at] = torch.where(is_near, near_level, far_level)
        levels.append(level)
    snapped = out.view(h, w)
    flatness = window_extreme(snapped, 2, True) - window_extreme(snapped, 2, False)
    thick = (flatness < JUMP_PX).flatten()
    listed = [(part, level) for (part, _), level in zip(parts, levels, strict=True)]
    corrected = list(side_by_side(lambda p: _thin(flat, out, thick, p[0], p[1], (h, w), reach), listed, flat.device))
    for (_, at), value in zip(parts, corrected, strict=True):
        out[at] = value
    return out.view(h, w)


def _side(
    display: Tensor, flat: Tensor, calm: Tensor, index: Tensor, own_at: Tensor, size: tuple[int, int], reach: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Near level, far level, and whether it belongs to the near one, of each listed pixel; its own radius twice where the photo
    shows no edge."""
    there, oy, ox = _window(index, *size, reach)
    distance2 = (oy**2 + ox**2).float()
    weight = torch.exp(distance2 / (-2 * (0.6 * reach) ** 2))
    r, own = _at(flat, there), _at(flat, own_at)
    near, far = r.amin(1, keepdim=True), r.amax(1, keepdim=True)
    span = (far - near).clamp_min(1e-6)
    level = (r - near) / span
    near_side, far_side = (level < 0.25).float(), (level > 0.75).float()
    near_weight, far_weight = near_side * weight, far_side * weight
    near_total, far_total = near_weight.sum(1).clamp_min(1e-6), far_weight.sum(1).clamp_min(1e-6)
    across = near_weight / near_total[:, None] - far_weight / far_total[:, None]
    difference2, contrast2 = torch.zeros_like(r), torch.zeros_like(own)
    for channel in display:
        value = _at(channel, there)
        contrast2 += (value * across).sum(1).square_()
        difference2 += value.sub_(_at(channel, own_at)[:, None]).square_()
    alike = difference2.mul_(-1 / (2 * VOTE_COLOR**2)).exp_()
    near_like, far_like = ((alike * w).sum(1) / t + 1e-4 for w, t in ((near_weight, near_total), (far_weight, far_total)))
    middle = ((own - near[:, 0]) / span[:, 0]).clamp(0.05, 0.95)
    is_near = near_like / far_like * ((1 - middle) / middle) > 1

    # The radius that a side has beside the transition: where a side slopes, or a third surface is near, not its extreme.
    close = torch.exp(distance2 / (-2 * _BESIDE_PX**2)) * _at(calm, there)
    edge = contrast2 > EDGE_COLOR**2

    def beside(side: Tensor, extreme: Tensor) -> Tensor:
        part = side * close
        total = part.sum(1)
        found = torch.where(total > 1e-12, (part * r).sum(1) / total.clamp_min(1e-12), extreme[:, 0])
        return torch.where(edge, found, own)

    return beside(level < 0.5, near), beside(level > 0.5, far), is_near


def _thin(
    flat: Tensor,
    snapped: Tensor,
    thick: Tensor,
    index: Tensor,
    levels: tuple[Tensor, Tensor, Tensor],
    size: tuple[int, int],
    reach: int,
) -> Tensor:
    """The level of each listed pixel, corrected on structures that are thinner than the blur of the map.

    Blur keeps the sum: such a structure never reaches its level, but over the window its deviation from the other side adds up
    to (true step) x (its share of the window).
    """
    there, _, _ = _window(index, *size, reach)
    near_level, far_level, is_near = levels
    r, labels = _at(flat, there), _at(snapped, there)
    is_near_there = labels < 0.5 * (near_level + far_level)[:, None]
    near_share = is_near_there.float().mean(1)
    far_share = 1 - near_share
    step = (far_level - near_level).clamp_min(1e-6)
    near_step = ((far_level[:, None] - r).clamp_min(0).mean(1) / near_share.clamp_min(1e-3)).minimum(_THIN_GAIN * step)
    far_step = ((r - near_level[:, None]).clamp_min(0).mean(1) / far_share.clamp_min(1e-3)).minimum(_THIN_GAIN * step)
    thick_there = _at(thick, there)
    beside = 0.2 * step[:, None]
    one_far = (((labels - far_level[:, None]).abs() < beside) | is_near_there).all(1) & (near_share < 0.5)
    one_near = (((labels - near_level[:, None]).abs() < beside) | ~is_near_there).all(1) & (far_share < 0.5)
    thin_near = is_near & one_far & (near_step > step) & ~(thick_there & is_near_there).any(1)
    thin_far = ~is_near & one_near & (far_step > step) & ~(thick_there & ~is_near_there).any(1)
    corrected = torch.where(thin_near, far_level - near_step, torch.where(is_near, near_level, far_level))
    return torch.where(thin_far, near_level + far_step, corrected)


_RIM_PX = 3.0
"""Added to distances when jumps are compared, so that a small step loses also right beside it."""


def _far_side(radius: Tensor, reach: int) -> tuple[Tensor, Tensor]:
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
    for here, there in _neighbours(radius):
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


def push_pull(values: Tensor, weight: Tensor) -> Tensor:
    """Fill holes by a pyramid of weighted means (Gortler et al., SIGGRAPH 1996): [C,H,W] values with [H,W] weights 0..1."""
    return _pull([torch.cat([values * weight, weight[None]])])


def _halved(level: Tensor) -> Tensor:
    """[C+1,H,W] weighted values and their weight at half the resolution; a mean of no weight stays a hole."""
    h, w = level.shape[1:]
    padded = F.pad(level, (0, w % 2, 0, h % 2)) if h % 2 or w % 2 else level
    return _weighed(F.avg_pool2d(padded[None], 2, divisor_override=1)[0])


def _weighed(total: Tensor) -> Tensor:
    """Sums over a block -> means, with a weight of 1 at most."""
    return total * (1 / total[-1:].clamp_min(1e-9)).clamp_max_(1)


def _doubled(filled: Tensor, h: int, w: int) -> Tensor:
    return F.interpolate(filled[None], scale_factor=2, mode="bilinear", align_corners=False)[0, :, :h, :w]


def _pull(levels: list[Tensor]) -> Tensor:
    """[C,H,W] the first of `levels` (see `_halved`) with its holes filled from coarser ones."""
    while max(levels[-1].shape[1:]) > 1:
        levels.append(_halved(levels[-1]))
    filled = levels[-1][:-1] / levels[-1][-1:].clamp_min(1e-9)
    for level in reversed(levels[:-1]):
        filled = torch.addcmul(level[:-1], 1 - level[-1:], _doubled(filled, *level.shape[1:]))
    return filled


_UNMIX_REACH_PX = 3
_PRIOR_SPREAD = 0.3
"""Share of a pixel's coverage that is taken from its neighbours' sides where colour does not tell."""


def _unmix(image: Tensor, radius: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Split pixels beside a jump into near and far side.

    Returns:
        index [n,2] of the pixels, alpha [n] of the near side, near colour [3,n], far colour [3,n], near radius [n],
        far radius [n].
    """
    beside = torch.zeros_like(radius, dtype=torch.bool)
    for here, there in _neighbours(radius):
        beside[here] |= (radius[there] - radius[here]).abs() > JUMP_PX
    index = beside.nonzero()
    parts = list(side_by_side(lambda p: _unmixed(image, radius, beside, p), index.split(_WINDOWS_AT_A_TIME), radius.device))
    alpha, near_c, far_c, near_r, far_r = (torch.cat(t, -1) for t in zip(*parts, strict=True))
    return index, alpha, near_c, far_c, near_r, far_r


def _unmixed(image: Tensor, radius: Tensor, beside: Tensor, index: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """`_unmix` of the listed pixels."""
    h, w = radius.shape
    flat, oy, ox = _window(index, h, w, _UNMIX_REACH_PX)
    r = _at(radius.flatten(), flat)
    own_r = radius[index[:, 0], index[:, 1]]
    ring = (oy.abs() <= 1) & (ox.abs() <= 1)
    nearest = r[:, ring].amin(1)
    farthest = r[:, ring].amax(1)
    # the two surfaces of this pixel: its own, and the one across its largest jump
    own_is_near = (farthest - own_r) >= (own_r - nearest)
    near_r = torch.where(own_is_near, own_r, nearest)
    far_r = torch.where(own_is_near, farthest, own_r)
    tolerance = 0.5 * (far_r - near_r)[:, None]
    is_near = (r - near_r[:, None]).abs() < tolerance
    is_far = (r - far_r[:, None]).abs() < tolerance
    pure = ~_at(beside.flatten(), flat)
    weight = torch.exp(-(oy**2 + ox**2).to(r) / (2 * 1.6**2))
    colors = _at(image.flatten(1), flat)

    def side(mask: Tensor) -> tuple[Tensor, Tensor]:
        clean = weight * (mask & pure)
        usable = clean.sum(1, keepdim=True) > 1e-3
        # a structure thinner than two pixels has no clean pixels: take what there is
        ww = torch.where(usable, clean, weight * mask * 1.0)
        total = ww.sum(1).clamp_min(1e-9)
        mean = (colors * ww).sum(2) / total
        variance = ((colors - mean[:, :, None]).square() * ww).sum(2).sum(0) / total
        return mean, variance

    near_c, near_v = side(is_near)
    far_c, far_v = side(is_far)
    own = _at(image.flatten(1), index[:, 0] * w + index[:, 1])
    axis = near_c - far_c
    length2 = axis.square().sum(0)
    estimate = ((own - far_c) * axis).sum(0) / length2.clamp_min(1e-9)
    # The map says where the edge lies; maps are jagged, so a share of the neighbours softens its word.
    cross = (oy.abs() + ox.abs()) == 1
    hard = (1 - _PRIOR_SPREAD) * own_is_near.float() + _PRIOR_SPREAD * is_near[:, cross].float().mean(1)
    # Colour says by how much, and may overrule the map where it is sure.
    estimate = estimate.clamp(0, 1)
    confidence = length2 / (length2 + 2.0 * (near_v + far_v) + 1e-5)
    confidence = ((confidence - 0.5) / 0.4).clamp(0, 1)
    alpha = hard + confidence * (estimate - hard)
    return alpha, near_c, far_c, near_r, far_r


@dataclass(frozen=True, eq=False)
class Surfaces:
    """What differs from the photo alone: the pixels that mix two surfaces, and those behind which another one goes on.

    Attributes:
        index: [n] flat index of each pixel, ascending.
        front, back: [4,n] premultiplied RGBA; front_depth, back_depth: [n] in the units of what was split.
        distance: [n] px to the edge across which the back element was found; 0 where it is seen through a mixed pixel.
    """

    index: Tensor
    front: Tensor
    front_depth: Tensor
    back: Tensor
    back_depth: Tensor
    distance: Tensor


def split(image: Tensor, depth: Tensor) -> Surfaces:
    """Find the surfaces behind depth edges of a picture [3,H,W] (linear).

    Args:
        depth: [H,W] px of blur, larger = farther: a signed radius, or disparity at the largest gain it is wanted for.
    """
    span = float(depth.max() - depth.min())
    far_depth, dist = _far_side(depth, math.ceil(span) + 2)
    w = depth.shape[1]
    if not bool((dist < float("inf")).any()):
        none, colors = depth.new_zeros(0), image.new_zeros(4, 0)
        return Surfaces(torch.zeros(0, dtype=torch.long, device=depth.device), colors, none, colors, none, none)
    hidden = dist <= far_depth - depth + 2
    mixed = _unmix(image, depth)
    y, x = mixed[0].unbind(1)
    # A small step with a larger one beyond it is part of one surface: split there, nothing would lie behind that pixel.
    beyond = torch.where(hidden[y, x], far_depth[y, x] - mixed[5], 0)
    whole = beyond > mixed[5] - mixed[4]
    index, (alpha, near_c, far_c, near_d, far_d) = mixed[0][~whole], (t[..., ~whole] for t in mixed[1:])
    y, x = index.unbind(1)
    own = _at(image.flatten(1), y * w + x)
    mostly_far = alpha < 0.5
    # What is left of the pixel for the side that holds most of it; a misjudged share must not make it brighter than both.
    near_left = (own - (1 - alpha) * far_c).clamp_min(0).minimum(alpha * torch.maximum(own, near_c))
    far_left = ((own - alpha * near_c) / (1 - alpha).clamp_min(0.5)).clamp_min(0).minimum(torch.maximum(own, far_c))
    near_part = torch.where(mostly_far, alpha * near_c, near_left)
    far_color = torch.where(mostly_far, far_left, far_c)

    # Far colours, seen: all pixels, and the far part of mixed ones. Filled behind near surfaces slab by slab of far depth.
    seen_color, seen_weight, seen_depth = image.clone(), torch.ones_like(depth), depth.clone()
    of = y * w + x
    _put(seen_color.flatten(1), of, far_color)
    _put(seen_depth.flatten(), of, far_d)
    _put(seen_weight.flatten(), of, (1 - alpha).clamp_min(0))
    behind = hidden.flatten().nonzero()[:, 0]
    calm = (_at(dist.flatten(), behind) / FLOOD_GRAIN_PX).clamp_(0, 1)
    behind_depth = _evened(_at(far_depth.flatten(), behind), _at(depth.flatten(), behind), calm, behind, depth.shape)
    filled = _fill(seen_color, seen_weight, seen_depth, behind_depth, behind)
    filled = torch.lerp(filled, _around(filled, behind, depth.shape, FLOOD_GRAIN_PX // 2), calm)

    listed = hidden.clone()
    listed[y, x] = True
    at = listed.flatten().nonzero()[:, 0]
    slot = torch.zeros(depth.numel(), dtype=torch.int32, device=depth.device)
    slot[at] = torch.arange(len(at), dtype=torch.int32, device=depth.device)
    front = torch.cat([_at(image.flatten(1), at), image.new_ones(1, len(at))])
    back = front.new_zeros(4, len(at))
    front_depth, back_depth, distance = (_at(t.flatten(), at) for t in (depth, depth, dist))
    of = slot[behind].long()
    back[:3, of], back[3, of], back_depth[of] = filled, 1.0, behind_depth
    of = slot[y * w + x].long()
    front[:3, of], front[3, of], front_depth[of] = near_part, alpha, near_d
    # mixed pixels: the far part is seen and fills the whole pixel behind the near part
    seen = alpha < 1
    of = of[seen]
    back[:3, of], back[3, of], back_depth[of], distance[of] = far_color[:, seen], 1.0, far_d[seen], 0.0
    return Surfaces(at, front, front_depth, back, back_depth, distance)


def compose(image: Tensor, radius: Tensor, index: Tensor, surfaces: Surfaces) -> Layers:
    """Layers of a picture [3,H,W] with signed radius [H,W].

    Args:
        surfaces: its n elements, whose depths are signed radii now; where they are no jump any more, the photo stays as it is.
        index: [n] flat index of each.
    """
    front = torch.cat([image, torch.ones_like(image[:1])])
    front_radius, back, back_radius = radius.clone(), torch.zeros_like(front), radius.clone()
    edge = torch.zeros_like(radius, dtype=torch.bool)
    step = surfaces.back_depth - surfaces.front_depth
    there = step > jump_threshold(surfaces.front_depth, surfaces.back_depth)
    there &= surfaces.distance <= step + 2
    chosen = there.nonzero()[:, 0]
    at = _at(index, chosen)
    _put(front.flatten(1), at, _at(surfaces.front, chosen))
    _put(front_radius.flatten(), at, _at(surfaces.front_depth, chosen))
    _put(back.flatten(1), at, _at(surfaces.back, chosen))
    _put(back_radius.flatten(), at, _at(surfaces.back_depth, chosen))
    edge.flatten()[at] = True
    return Layers(front, front_radius, back, back_radius, edge)


def build_with_plate(image: Tensor, radius: Tensor, plate: Tensor, plate_radius: Tensor | None, matte: Tensor | None) -> Layers:
    """Layers of a picture whose hidden background is given.

    Args:
        image: [3,H,W]; radius: [H,W].
        plate: [3,H,W] linear, the picture without its foreground.
        plate_radius: [H,W], or None to continue the radius seen beside the foreground.
        matte: [H,W] coverage of the foreground, or None to split edges by colour.
    """
    if matte is None:
        surfaces = split(image, radius)
        layers = compose(image, radius, surfaces.index, surfaces)
        lies = layers.back[3] > 0
        mixed = (layers.front[3] < 1) | ~lies
        back = torch.where(mixed, layers.back, torch.cat([plate, torch.ones_like(plate[:1])]))
        back_radius = layers.back_radius if plate_radius is None else torch.where(lies & ~mixed, plate_radius, layers.back_radius)
        return Layers(layers.front, layers.front_radius, back, back_radius, layers.edge)
    solid = (matte > 0.95).float()
    empty = (matte < 0.02).float()
    if float(solid.sum()) == 0:
        solid = (matte >= 0.5 * matte.max()).float()
    # Where nothing of the foreground lies, the radius stays the photo's: it tells what is in focus there.
    near_radius = torch.where(solid > 0, radius, push_pull(radius[None], solid)[0])
    front_radius = torch.where(matte > 0, near_radius, radius)
    if plate_radius is None:
        plate_radius = torch.where(empty > 0, radius, push_pull(radius[None], empty)[0])
    front_color = (image - (1 - matte) * plate).clamp_min(0) * (matte > 0)
    # where the plate is seen alone, the photo itself is the better plate
    back_color = torch.where(matte <= 0, image, plate)
    front = torch.cat([front_color, matte[None]])
    back = torch.cat([back_color, torch.ones_like(matte[None])])
    return Layers(front, front_radius, back, plate_radius, matte > 0)


MAX_SLABS = 8


def _hat(depth: Tensor, centre: float, width: float) -> Tensor:
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
        """The first level of a pyramid (see `_halved`) of the values, weighted by `share(depth)`."""
        total = self._total * share(self._depth)
        y, x = self._mixed.unbind(1)
        total[:, y, x] = (self._values * share(self._quads)).sum(2)
        return _weighed(total)


def _sampled(level: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """[C,n] values of `level` [C,h,w], doubled in size, at the pixels (y, x): bilinear."""
    fy, fx = (y + 0.5) / 2 - 0.5, (x + 0.5) / 2 - 0.5
    h, w = level.shape[1:]
    flat = level.flatten(1)
    y0, x0 = fy.floor().clamp_(0), fx.floor().clamp_(0)
    ty, tx = (fy - y0).clamp_(0), (fx - x0).clamp_(0)
    y0, x0 = y0.long(), x0.long()
    y1, x1 = (y0 + 1).clamp_max(h - 1), (x0 + 1).clamp_max(w - 1)
    top = torch.lerp(_at(flat, y0 * w + x0), _at(flat, y0 * w + x1), tx)
    return torch.lerp(top, torch.lerp(_at(flat, y1 * w + x0), _at(flat, y1 * w + x1), tx), ty)


def _around(values: Tensor, index: Tensor, size: Sequence[int], reach: int) -> Tensor:
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


_POINTS_AT_A_TIME = 1 << 16
_ALIKE = 0.25
"""Of the step to what lies behind: depths behind it that differ by less are taken for one surface."""


def _evened(far: Tensor, near: Tensor, share: Tensor, index: Tensor, size: Sequence[int]) -> Tensor:
    """Depths [n] behind near surfaces at depth `near` [n], without the steps between the blocks they were found by; by a `share`
    [n] of the way."""
    for _ in range(2):
        change = _around(far[None], index, size, FLOOD_GRAIN_PX // 2)[0] - far
        far = far + change * share * (change.abs() < _ALIKE * (far - near))
    return far


def _fill(color: Tensor, weight: Tensor, depth: Tensor, values: Tensor, index: Tensor) -> Tensor:
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
        supply = _at(weight.flatten(), at) * _hat(_at(depth.flatten(), at), c, width)
        coarse = _sampled(_pull([blocks.level(lambda d, c=c: _hat(d, c, width))]), at // w, at % w)
        out[:, among] += share[among] * torch.lerp(coarse, _at(flat, at), supply)
        total[among] += share[among]
    return out / total.clamp_min(1e-6)
