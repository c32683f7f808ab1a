"""Dense motion between two frames: where each pixel of one is in the other one, and how sure that is.

From coarse to fine (pyramid by halves). On each level a pixel takes, of its own motion, its neighbours' and none, the one whose
surroundings fit best, which keeps motions apart at the outline of what moves; then it is refined below a pixel by iterations of
Lucas and Kanade ("An iterative image registration technique", IJCAI 1981; over the pyramid as Bouguet, 2000), and a median takes
out the odd ones (Sun et al., "Secrets of optical flow estimation", CVPR 2010).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..images import box_mean, gaussian

CUT_SHARE = 0.15
"""Share of a frame that must be found in the next one; below it they are of two scenes. Larger takes fast motion for cuts."""
SMALLEST_PX = 12
"""Short side of the coarsest level. Larger misses long ways; smaller finds ways that are none."""
SEARCH_PX = 3
"""How far the coarsest level searches to each side, in its pixels. More follows faster motion, and takes longer."""
WINDOW_PX = 5
"""Side of the surroundings that are compared. Larger bears more noise; smaller keeps to finer outlines."""
NEIGHBOURS_PX = (2, 5)
"""How far away on each level the neighbours are whose motion is tried. Farther ones let an outline move farther a level."""
ROUNDS = 3
"""Iterations of Lucas and Kanade a level. More changes little."""
MEDIAN_PX = 5
"""Side of the median over the motion. Larger is smoother, and loses small things."""
_STAY = 0.3 / 255
"""How much worse no motion may fit than another one, in sRGB, and is still taken: where nothing is seen, nothing moves."""
_MOST_STEP_PX = 1.0
"""Most that one iteration moves a pixel; the linear model knows no more."""
_DAMPING = 1e-4
"""Added to the squared gradients: where they are smaller, a pixel stays where the coarser level has it."""
RETURN_PX = 0.7
"""How far there and back may end from where it began, as a standard deviation. More is less strict."""
RETURN_SHARE = 0.05
"""The same as a share of the way: long ways are found less exactly."""
_NOISE = (1.5 / 255, 12 / 255)
"""Least and most difference of two frames that is taken for noise, sRGB. More of the latter takes other things for the same."""
_NOISES = 2.5
"""How many times the noise surroundings may differ, as a standard deviation. More is less strict."""


@dataclass(frozen=True)
class Motion:
    """Where the pixels of a frame are in another one.

    Attributes:
        way: [2,h,w] in px, to the right and down: what is at x is in the other frame at x + way.
        sure: [h,w] 0..1: 0 where it is hidden there, outside, or cannot be found.
    """

    way: Tensor
    sure: Tensor


def warped(values: Tensor, way: Tensor) -> Tensor:
    """What lies where each pixel has gone: values [C,h,w], way [2,h,w] in px -> [C,h,w], linear, the border goes on outside."""
    h, w = values.shape[-2:]
    x = torch.arange(w, device=way.device, dtype=way.dtype) + way[0]
    y = torch.arange(h, device=way.device, dtype=way.dtype)[:, None] + way[1]
    grid = torch.stack([(2 * x + 1) / w - 1, (2 * y + 1) / h - 1], -1)[None]
    return F.grid_sample(values[None], grid, mode="bilinear", padding_mode="border", align_corners=False)[0]


def inside(way: Tensor) -> Tensor:
    """[h,w] bool: whether a pixel is in the frame where it has gone."""
    h, w = way.shape[-2:]
    x = torch.arange(w, device=way.device) + way[0]
    y = torch.arange(h, device=way.device)[:, None] + way[1]
    return (x >= -0.5) & (x <= w - 0.5) & (y >= -0.5) & (y <= h - 0.5)


def both_ways(one: Tensor, other: Tensor) -> tuple[Motion, Motion]:
    """From `one` [3,h,w] to `other` and back, sRGB, as sure as it agrees with the way back and with the colours.

    Nothing is sure over a cut.
    """
    there, back = way_of(one, other), way_of(other, one)
    sure = _sure(one, other, there, back), _sure(other, one, back, there)
    if min(float(s.mean()) for s in sure) < CUT_SHARE:
        sure = torch.zeros_like(sure[0]), torch.zeros_like(sure[1])
    return Motion(there, sure[0]), Motion(back, sure[1])


def onward(motion: Motion, step: Motion) -> Motion:
    """A motion, and from where it ends on by another one: from a frame to the one after the next."""
    sure = motion.sure * warped(step.sure[None], motion.way)[0] * inside(motion.way)
    return Motion(motion.way + warped(step.way, motion.way), sure)


def way_of(one: Tensor, other: Tensor) -> Tensor:
    """Motion [2,h,w] in px from `one` to `other`, [3,h,w] sRGB each."""
    ones, others = _pyramid(one), _pyramid(other)
    way = _searched(ones[-1], others[-1])
    for a, b in zip(reversed(ones), reversed(others), strict=True):
        if way.shape[-2:] != a.shape[-2:]:
            h, w = a.shape[-2:]
            way = 2 * way.repeat_interleave(2, -1).repeat_interleave(2, -2)[:, :h, :w]
        way = _median(_refined(a, b, _best(a, b, way)))
    return way


def fits(one: Tensor, other: Tensor, way: Tensor) -> Tensor:
    """[h,w] 0..1: how well the surroundings of a pixel look where it has gone, beside the frames' noise."""
    off = box_mean((one - warped(other, way)).abs().mean(0, keepdim=True), WINDOW_PX)[0]
    noise = off.median().clamp(*_NOISE)
    return torch.exp(-0.5 * (off / (_NOISES * noise)).square()) * inside(way)


def _sure(one: Tensor, other: Tensor, there: Tensor, back: Tensor) -> Tensor:
    off = (there + warped(back, there)).square().sum(0)
    allowed = (RETURN_PX + RETURN_SHARE * there.square().sum(0).sqrt()).square()
    return torch.exp(-0.5 * off / allowed) * fits(one, other, there)


def _pyramid(image: Tensor) -> list[Tensor]:
    levels = [image]
    while min(levels[-1].shape[-2:]) >= 2 * SMALLEST_PX:
        levels.append(F.avg_pool2d(levels[-1][None], 2, ceil_mode=True, count_include_pad=False)[0])
    return levels


def _cost(one: Tensor, other: Tensor, way: Tensor) -> Tensor:
    """[h,w]: mean absolute difference of a pixel's surroundings."""
    off = (one - warped(other, way)).abs().mean(0, keepdim=True)
    return box_mean(off, WINDOW_PX)[0]


def _searched(one: Tensor, other: Tensor) -> Tensor:
    """Whole steps on the coarsest level, [2,h,w]."""
    h, w = one.shape[-2:]
    best = one.new_zeros(2, h, w)
    least = _cost(one, other, best) - _STAY
    for dy in range(-SEARCH_PX, SEARCH_PX + 1):
        for dx in range(-SEARCH_PX, SEARCH_PX + 1):
            step = one.new_tensor([dx, dy])[:, None, None].expand(2, h, w)
            best, least = _better(one, other, step, best, least)
    return best


def _better(one: Tensor, other: Tensor, tried: Tensor, best: Tensor, least: Tensor) -> tuple[Tensor, Tensor]:
    cost = _cost(one, other, tried)
    return torch.where(cost < least, tried, best), torch.minimum(cost, least)


def _best(one: Tensor, other: Tensor, way: Tensor) -> Tensor:
    """Of a pixel's own motion, its neighbours' and none, the one that fits best."""
    best, least = way, _cost(one, other, way)
    for step in NEIGHBOURS_PX:
        padded = F.pad(way[None], [step] * 4, mode="replicate")[0]
        h, w = way.shape[-2:]
        for dy, dx in ((0, 1), (1, 0), (0, -1), (-1, 0)):
            top, left = step * (1 + dy), step * (1 + dx)
            best, least = _better(one, other, padded[:, top : top + h, left : left + w], best, least)
    still = torch.zeros_like(way)
    return torch.where(_cost(one, other, still) <= least + _STAY, still, best)


def _refined(one: Tensor, other: Tensor, way: Tensor) -> Tensor:
    """Lucas and Kanade: the step that explains what is left of the difference in a pixel's surroundings, several times."""
    smooth = gaussian(one, 0.7)
    padded = F.pad(smooth[None], [1] * 4, mode="replicate")[0]
    gx = (padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]) / 2
    gy = (padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]) / 2
    xx, xy, yy = (box_mean((a * b).sum(0, keepdim=True), WINDOW_PX)[0] for a, b in ((gx, gx), (gx, gy), (gy, gy)))
    xx, yy = xx + _DAMPING, yy + _DAMPING
    determinant = xx * yy - xy * xy
    for _ in range(ROUNDS):
        off = one - warped(other, way)
        bx, by = (box_mean((g * off).sum(0, keepdim=True), WINDOW_PX)[0] for g in (gx, gy))
        step = torch.stack([yy * bx - xy * by, xx * by - xy * bx]) / determinant
        way = way + step.clamp(-_MOST_STEP_PX, _MOST_STEP_PX)
    return way


def _median(way: Tensor) -> Tensor:
    h, w = way.shape[-2:]
    half = MEDIAN_PX // 2
    around = F.unfold(F.pad(way[:, None], [half] * 4, mode="replicate"), MEDIAN_PX)
    return around.median(1).values.view(2, h, w)
