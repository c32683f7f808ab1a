"""Where a map changes from one surface to another over several pixels, as a network's depth does.

A soft step is steep against what it rises by in all; a slope is not. It is looked for at several resolutions, so that a
transition of any width is a few pixels wide at one of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ...images import box_mean, repeated, window_max, window_min, window_range
from ...progress import shares, silent
from ...types import Progress
from .spreading import spread

SCALES = 3
"""Resolutions, each half of the one before, at which transitions are looked for. One more finds transitions twice as wide."""

LEAST_STEP_PX = 3.0
"""Least change of the circle of confusion that counts as a step between two surfaces. A smaller one finds fainter edges, and
takes the curve of a surface for one."""

LEAST_STEP_GROWTH = 1.5
"""How much larger that is at every coarser scale, where a transition is twice as wide and its halo fainter."""

WINDOW_PX = 5
"""Half the side of the window, in pixels of the scale, that a transition must fit in."""

STEEPNESS = {WINDOW_PX: 2.0, 3: 1.7}
"""Half the side of a window in px of the scale, and the least slope of a transition in the middle against the mean slope over
that window (1 on a plane). A larger one misses wide transitions at their finest scale, a smaller one takes curved surfaces for
steps. The smaller window tells edges apart that lie close to one another."""

TAIL = 0.08
"""A transition ends where its slope falls below this part of its steepest. A smaller one leaves more pixels to be solved for."""

NARROW = 4.5
"""Steepness in the larger window, times the root of half the width that `snap` deals with, from which on a transition is left to
its votes, which are better where several edges lie close together. A larger one leaves fewer to it."""

UNDECIDED = 0.2
"""Part by which the steepness of a transition may fall short of that where most of it along the edge reaches it."""

TOGETHER_PX = 8
"""Half the side of the window in which transitions are left to votes together."""

THIN_PX = 3
"""Half the width of structures that are left to the matte: votes take their depth for that of what is behind them."""

SAME_SIDES = 0.3
"""Most by which the two sides of such a structure differ, as part of its step. A larger one takes corners for thin structures."""

LEAST_THIN = 30
"""Pixels of such structures there are at least within TOGETHER_PX. A smaller one takes corners for them, too."""

THIRD_PX = 10
"""How far from a transition a third surface is looked for, where a matte of two is wrong. A larger one leaves more to votes."""

THIRD = (0.05, 0.95)
"""Part of the way from the least to the largest depth there at which a pixel is of neither of those surfaces."""

EVEN = 0.12
"""Change of depth over a pixel, as a part of the same, up to which it lies on a surface and not on the transition itself."""

SEVERAL_PX = 20
"""How far around such a pixel transitions are left to votes. A smaller one leaves mattes that end beside three surfaces."""

SOLVED_PX = 8
"""How far beyond the end of a band the transition that goes on there is solved for as well: held at the map's blurred depth it
would bend the end of the matte."""

LIKE = 1.5
"""Most by which its step may exceed that of the band: a larger one beside it is another transition."""

HARD = 0.75
"""A step of which one pair of neighbours makes up this part is exact: the map itself says where it is."""

BESIDE_PX = 3
"""How far from a band pixels show the depth of the side that they lie on."""

LEAST_RISE_PX = 0.5
"""Least by which the map rises, or falls, from such a pixel into the band. A smaller one is a surface's unevenness, too."""

ENLARGED_PX = 1
"""How far around a band both sides are told as well: enlarging a map looks as far beyond each pixel."""

BLOCK_PX = 8
"""Side of the blocks in which it is found how far a band goes on."""

MOST_BLOCKS = 5
"""How far along a band, in blocks, a thin structure takes the depth of the surface that it hangs on, as hair that of a head."""

SETTLED_PX = 3
"""How far around the middle of a transition no other one is looked for at a coarser scale. A smaller one finds the outer slopes
of thin structures again, where the scale is too coarse for them; a larger one misses wide transitions beside narrow ones."""

DIRECTIONS = ((0, 1), (1, 0), (1, 1), (1, -1))
"""Lines through a pixel along which thin structures and ridges are looked for: steps of a row and a column."""

MOST_DIRECTIONS = 3
"""Along how many of them a ridge is one. All four leave out what rises or falls along itself, two take curved surfaces for it."""

RIDGE_PX = 2
"""How far around a pixel the steepest slope, and the largest step, are looked for."""

MARGIN_PX = (2, 1)
"""How far beyond its ends a transition is widened at the finest scale, and at the others: maps are some pixels off."""


@dataclass(frozen=True, eq=False)
class Transitions:
    """Bands of one scale.

    Attributes:
        band: [h,w] bool, transitions that are resolved at this scale.
        voted: [h,w] bool, the part of it that is left to votes all the same.
        finer, coarser: [h,w] bool, where bands of a finer or coarser scale lie.
    """

    band: Tensor
    voted: Tensor
    finer: Tensor
    coarser: Tensor


def dilated(mask: Tensor, radius_px: int) -> Tensor:
    """[h,w] bool, true within a square window of a true pixel."""
    return window_max(mask.float(), radius_px) > 0


def halved_mask(mask: Tensor) -> Tensor:
    """[(h+1)//2,(w+1)//2] bool, true where any of the 2 x 2 px is."""
    h, w = mask.shape
    return F.max_pool2d(F.pad(mask.float()[None, None], (0, w % 2, 0, h % 2)), 2)[0, 0] > 0


def find_transitions(maps: list[Tensor], votes_px: int, progress: Progress = silent) -> list[Transitions]:
    """Transitions of a map, each at the finest scale that holds it.

    Args:
        maps: [h,w] px of blur, larger = farther, at full size and at half the size of the one before.
        votes_px: half the width of the transitions that `snap` deals with, which are left out.
        progress: called after each scale, which take a quarter of the time of the one before.
    """
    bands: list[Tensor] = []
    voted = torch.zeros_like(maps[0], dtype=torch.bool)
    told = settled = torch.zeros_like(maps[0], dtype=torch.bool)
    parts = shares(progress, [coc.numel() for coc in maps])
    for scale, (coc, part) in enumerate(zip(maps, parts, strict=True)):
        slope = 0.5 * window_range(coc, 1)
        if scale:
            told, settled = halved_mask(told), halved_mask(settled)
        else:
            told = dilated(_told_by_map_or_votes(coc, slope, votes_px), 1)
        every = _middles(coc, slope, LEAST_STEP_PX * LEAST_STEP_GROWTH**scale)
        middle = every & ~settled & ~dilated(told, WINDOW_PX + 2 * scale)
        band = _around(middle, slope, MARGIN_PX[min(scale, 1)]) & ~told
        if not scale:
            rise = window_range(coc, WINDOW_PX)
            alike = rise < LIKE * window_max(rise * middle, SOLVED_PX + WINDOW_PX)
            voted = _around(every, slope, MARGIN_PX[0]) & dilated(band, SOLVED_PX) & alike & ~band
        bands.append(band if scale else band | voted)
        settled = settled | dilated(middle, SETTLED_PX)
        part(1, 1)
    return _nested(bands, voted)


def _around(middle: Tensor, slope: Tensor, margin_px: int) -> Tensor:
    """[h,w] bool, transitions of these middles up to where their slopes fall off, and a margin."""
    steepest = window_max(slope * middle, WINDOW_PX)
    return dilated((slope > TAIL * steepest) & dilated(middle, WINDOW_PX), margin_px)


def _middles(coc: Tensor, slope: Tensor, least_px: float) -> Tensor:
    """[h,w] bool, the steepest parts of transitions."""
    middle = torch.zeros_like(coc, dtype=torch.bool)
    for window_px, steepness in STEEPNESS.items():
        rise = window_range(coc, window_px)
        middle |= (rise > least_px) & (2 * window_px * slope > steepness * rise)
    return middle


def _told_by_map_or_votes(coc: Tensor, slope: Tensor, votes_px: int) -> Tensor:
    """[h,w] bool, exact steps, and transitions narrow enough for `snap` where more than two surfaces meet."""
    rise = window_range(coc, WINDOW_PX)
    exact = _largest_step(coc) >= HARD * rise
    steepness = 2 * WINDOW_PX * math.sqrt(votes_px) * slope / rise.clamp_min(LEAST_RISE_PX)
    # What is left to the votes in one place and to the matte in the next has crumbs in between.
    ridge = (rise > LEAST_STEP_PX) & (slope >= window_max(slope, RIDGE_PX))
    several = _several(coc)
    narrow, all_of_it = box_mean(torch.stack([ridge & several & (steepness > NARROW), ridge]).float(), 2 * TOGETHER_PX + 1)
    least = torch.where(narrow > 0.5 * all_of_it, NARROW * (1 - UNDECIDED), NARROW)
    return (rise > LEAST_STEP_PX) & (exact | ((steepness > least) & several & ~_thin(coc)))


def _several(coc: Tensor) -> Tensor:
    """[h,w] bool, around places where a surface lies between the nearest and the farthest one."""
    least = window_min(coc, THIRD_PX)
    span = window_max(coc, THIRD_PX) - least
    part = (coc - least) / span.clamp_min(LEAST_RISE_PX)
    third = (part > THIRD[0]) & (part < THIRD[1]) & (window_range(coc, 1) < EVEN * span)
    return dilated(third & (span > LEAST_STEP_PX), SEVERAL_PX)


def _thin(coc: Tensor) -> Tensor:
    """[h,w] bool, on and beside structures no wider than 2 THIN_PX px that have one surface on both sides."""
    thin = torch.zeros_like(coc, dtype=torch.bool)
    for dy, dx in DIRECTIONS:
        for sign in (1, -1):
            before, after = (_farthest(sign * coc, side * dy, side * dx) for side in (1, -1))
            depth = torch.minimum(before, after) - sign * coc
            thin |= (depth > LEAST_STEP_PX) & ((before - after).abs() < SAME_SIDES * depth)
    side_px = 2 * TOGETHER_PX + 1
    return dilated(thin & (box_mean(thin[None].float(), side_px)[0] * side_px**2 >= LEAST_THIN), TOGETHER_PX)


def _farthest(coc: Tensor, dy: int, dx: int) -> Tensor:
    """[h,w] largest value among the next THIN_PX + 1 pixels in a direction."""
    h, w = coc.shape
    reach = THIN_PX + 1
    padded = F.pad(coc[None, None], (reach,) * 4, mode="replicate")[0, 0]
    largest = coc
    for step in range(1, reach + 1):
        y, x = reach + step * dy, reach + step * dx
        largest = torch.maximum(largest, padded[y : y + h, x : x + w])
    return largest


def _nested(bands: list[Tensor], voted: Tensor) -> list[Transitions]:
    """Every band at its own scale only, with where the others lie, and what of the first one is `voted`."""
    finer, coarser = [torch.zeros_like(bands[0])], [torch.zeros_like(bands[-1])]
    for band in bands[:-1]:
        finer.append(halved_mask(finer[-1] | band))
    for scale in range(len(bands) - 2, -1, -1):
        h, w = bands[scale].shape
        coarser.insert(0, repeated(coarser[0] | bands[scale + 1], h, w))
    votes = [voted, *(torch.zeros_like(band) for band in bands[1:])]
    return [Transitions(b & ~c, v, f, c) for b, v, f, c in zip(bands, votes, finer, coarser, strict=True)]


def _largest_step(coc: Tensor) -> Tensor:
    """[h,w] largest difference of two adjacent pixels within 2 px."""
    largest = torch.zeros_like(coc)
    for dim in (0, 1):
        step = coc.diff(dim=dim).abs_()
        n = step.shape[dim]
        for start in (0, 1):
            part = largest.narrow(dim, start, n)
            torch.maximum(part, step, out=part)
    return window_max(largest, RIDGE_PX)


@dataclass(frozen=True, eq=False)
class Sides:
    """What a map is on either side of its transitions.

    Attributes:
        near, far: [h,w] px of blur of both sides within bands and ENLARGED_PX around them, elsewhere the map itself.
        near_ridge, far_ridge: [h,w] bool, the middle of structures so thin that the map never reaches their depth.
    """

    near: Tensor
    far: Tensor
    near_ridge: Tensor
    far_ridge: Tensor


def sides(coc: Tensor, known: Tensor, band: Tensor, guide: Tensor) -> Sides:
    """The levels of both sides of each band, spread from the pixels beside it.

    Args:
        coc: [h,w] px of blur, larger = farther.
        known: [h,w] bool, pixels on no transition.
        band: [h,w] bool, the transitions.
        guide: [3,h,w] display values.
    """
    beside = dilated(band, BESIDE_PX) & known
    above, below = (
        sign * (edge(torch.where(band, coc, blank), BESIDE_PX + 1) - coc)
        for sign, edge, blank in ((1, window_max, -torch.inf), (-1, window_min, torch.inf))
    )
    # Beside a band the map goes on to the other side: up from the near one, down from the far one.
    is_near, is_far = beside & (above > below + LEAST_RISE_PX), beside & (below > above + LEAST_RISE_PX)
    thin_near, thin_far = (band & ~_reached(band, side) for side in (is_near, is_far))
    near_ridge = thin_near & _on_ridge(coc) & (window_max(coc, WINDOW_PX) - coc > LEAST_STEP_PX)
    far_ridge = thin_far & _on_ridge(-coc) & (coc - window_min(coc, WINDOW_PX) > LEAST_STEP_PX)
    near = spread(coc, is_near | near_ridge, guide, window_min(coc, WINDOW_PX))
    far = spread(coc, is_far | far_ridge, guide, window_max(coc, WINDOW_PX))
    near, far = torch.minimum(near, far), torch.maximum(near, far)
    told = dilated(band, ENLARGED_PX)
    return Sides(torch.where(told, near, coc), torch.where(told, far, coc), near_ridge, far_ridge)


def _on_ridge(coc: Tensor) -> Tensor:
    """[h,w] bool, where a map has its least along most lines through a pixel, and rises by a step to both sides."""
    least = torch.zeros_like(coc, dtype=torch.uint8)
    between = torch.zeros_like(least)
    h, w = coc.shape
    padded = F.pad(coc[None, None], (1, 1, 1, 1), mode="replicate")[0, 0]
    for dy, dx in DIRECTIONS:
        before, after = (padded[1 + s * dy : 1 + s * dy + h, 1 + s * dx : 1 + s * dx + w] for s in (-1, 1))
        least += (coc <= before) & (coc <= after)
        before, after = (_farthest(coc, s * dy, s * dx) for s in (-1, 1))
        between += torch.minimum(before, after) - coc > LEAST_STEP_PX
    return (least >= MOST_DIRECTIONS) & (between >= MOST_DIRECTIONS)


def _reached(band: Tensor, start: Tensor) -> Tensor:
    """[h,w] bool, where the pixels `start` beside a band lead along it, in blocks."""
    h, w = band.shape

    def blocks(mask: Tensor) -> Tensor:
        return F.max_pool2d(mask.float()[None, None], BLOCK_PX, ceil_mode=True)

    within, reached = blocks(band), blocks(start)
    for _ in range(MOST_BLOCKS):
        grown = torch.maximum(reached, F.max_pool2d(reached, 3, 1, 1) * within)
        if torch.equal(grown, reached):
            break
        reached = grown
    return (reached[0, 0] > 0).repeat_interleave(BLOCK_PX, 0).repeat_interleave(BLOCK_PX, 1)[:h, :w]
