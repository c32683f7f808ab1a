"""Depth of a surface beside a soft edge, spread into the band of the edge."""

from __future__ import annotations

import torch
from torch import Tensor

from ...images import box_mean, doubled, push_pull, put, repeated, take, window_indices, window_max, window_min
from ..parallel import WINDOWS_AT_A_TIME, side_by_side

SPREAD_PX = 12
"""How far into a band means of the depths beside it are spread, an even number. A larger one mixes what lies farther along it."""

ENOUGH = 0.01
"""Share of such pixels around another one from which on their mean is all that counts."""

LEAST_SHARE = 1e-4
"""Shares are raised to this before they divide."""

UNEVEN_PX = (1.5, 3.0)
"""Standard deviation of these depths from which on one surface among them is looked for, and at which it is all that counts. A
smaller one takes a slope for several surfaces."""

ALIKE = 0.35
"""Standard deviation of display values within which such a pixel counts as alike."""

UNLIKE = 1e-3
"""Likeness that all of them have, so that where none is alike their depths decide."""

SURFACE_PX = 5.0
"""Standard deviation of depths within which such a pixel counts as of the same surface."""

CLOSE_PX = 4.0
"""Standard deviation of the distance at which such a pixel counts."""

STEP_PX = 2.0
"""Least step of a level that stays one where it is enlarged."""

ONE_STEP = 0.75
"""Part of the range around a pixel that two neighbours make up there, at least; on a slope it is half."""

LEAST_TOTAL = 1e-12
"""Sums of weights are raised to this before they divide."""

AT_A_TIME = WINDOWS_AT_A_TIME // 4
"""Pixels that a task looks around at together."""

ROUNDS = 4
"""How often the mean of the depths on a surface is taken, each from those near the one found before."""


def spread(coc: Tensor, side: Tensor, guide: Tensor, otherwise: Tensor) -> Tensor:
    """Depths spread from the pixels on one side of a band.

    A pyramid alone drifts to the mean of all such surfaces within a few pixels, so those within SPREAD_PX come first. Where these
    are several surfaces, their mean lies on none of them, but perhaps in focus: then one alone counts, the nearest one, or one
    that is more like the pixel in colour.

    Args:
        coc: [h,w] px of blur; side: [h,w] bool.
        guide: [3,h,w] display values.
        otherwise: [h,w], returned where there are no such pixels.
    """
    if not bool(side.any()):
        return otherwise
    weight = side.float()
    total = torch.stack([coc * weight, coc.square() * weight, weight])
    for _ in range(2):
        total = box_mean(total, SPREAD_PX + 1)
    mean, square = total[:2] / total[2].clamp_min(LEAST_SHARE)
    deviation = (square - mean.square()).clamp_min(0).sqrt()
    value = torch.where(side, coc, mean)
    share = torch.where(side, 1.0, (total[2] / ENOUGH).clamp_max(1))
    uneven = (deviation > UNEVEN_PX[0]) & (total[2] > LEAST_SHARE) & ~side
    at = uneven.flatten().nonzero()[:, 0]
    if len(at):
        low, high = UNEVEN_PX
        part = ((take(deviation.flatten(), at) - low) / (high - low)).clamp(0, 1)
        surface = _surface(coc, side, guide, take(mean.flatten(), at), at)
        put(value.flatten(), at, torch.lerp(take(mean.flatten(), at), surface, part))
        put(value.flatten(), at, take(value.flatten(), _around(at, 1, coc.shape)).median(1).values)
        put(share.flatten(), at, torch.maximum(take(share.flatten(), at), part))
    return push_pull(value[None], share)[0]


def _surface(coc: Tensor, side: Tensor, guide: Tensor, mean: Tensor, at: Tensor) -> Tensor:
    """[n] depth of the surface that most pixels `side` around each listed one are on.

    The closer such a pixel is, and the more alike in colour, the more it counts.
    """
    offset = torch.arange(-SPREAD_PX, SPREAD_PX + 1, device=coc.device)
    close = torch.exp((offset[:, None].square() + offset.square()).flatten() / (-2 * CLOSE_PX**2))
    colours, depths, samples = guide.flatten(1), coc.flatten(), side.flatten().float()

    def of(part: tuple[Tensor, Tensor]) -> Tensor:
        here, level = part
        there = _around(here, SPREAD_PX, coc.shape)
        weight, depth = take(samples, there).mul_(close), take(depths, there)
        weight.mul_(_likeness(colours, here, there))
        total = weight.sum(1)
        mean = ((weight * depth).sum(1) / total.clamp_min(LEAST_TOTAL))[:, None]
        nearer = weight * (depth < mean)
        # Of what is nearer and farther than the mean, what counts more: from the mean itself two of a kind lead nowhere.
        like = torch.where(2 * nearer.sum(1, keepdim=True) >= total[:, None], nearer, weight - nearer)
        for _ in range(ROUNDS):
            total = like.sum(1)
            level = torch.where(total > 0, (like * depth).sum(1) / total.clamp_min(LEAST_TOTAL), level)
            like = weight * ((depth - level[:, None]).square() / (-2 * SURFACE_PX**2)).exp_()
        return level

    parts = list(zip(at.split(AT_A_TIME), mean.split(AT_A_TIME), strict=True))
    return torch.cat(list(side_by_side(of, parts, coc.device)))


def _around(at: Tensor, radius_px: int, size: tuple[int, ...]) -> Tensor:
    """[n,k] flat indices of the pixels in square windows around listed ones."""
    h, w = size
    return window_indices(torch.stack([at // w, at % w], 1), h, w, radius_px)[0]


def _likeness(colours: Tensor, here: Tensor, there: Tensor) -> Tensor:
    """[n,k] likeness of the colours [3,m] there to those here."""
    difference2 = torch.zeros(there.shape, device=colours.device)
    for colour in colours:
        difference2 += take(colour, there).sub_(take(colour, here)[:, None]).square_()
    return difference2.div_(-2 * ALIKE**2).exp_().add_(UNLIKE)


def enlarged(level: Tensor, h: int, w: int) -> Tensor:
    """[h,w] of a level [(h+1)//2,(w+1)//2], bilinear, except that steps stay steps.

    Between two surfaces there is none, but perhaps the focus: it would show the photo sharp in a line that belongs to neither.
    """
    low, high = window_min(level, 1), window_max(level, 1)
    step = torch.zeros_like(level)
    for dim in (0, 1):
        difference = level.diff(dim=dim).abs_()
        for start in (0, 1):
            part = step.narrow(dim, start, difference.shape[dim])
            torch.maximum(part, difference, out=part)
    is_step = (high - low > STEP_PX) & (window_max(step, 1) > ONE_STEP * (high - low))
    between = doubled(level[None], h, w)[0]
    low, high = repeated(low, h, w), repeated(high, h, w)
    return torch.where(repeated(is_step, h, w), torch.where(between < 0.5 * (low + high), low, high), between)
