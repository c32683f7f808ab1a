"""Soft transitions of a map between two surfaces become steps at the photo's edges."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ...color import display_values
from ...images import take, window_indices, window_range
from ...progress import counted, shares, silent
from ...types import Progress
from ..parallel import WINDOWS_AT_A_TIME, side_by_side
from .layers import JUMP_PX

SNAP_HALF_WIDTH_PX = 3
"""Half the width of the soft transitions that `snap` looks for."""

SNAP_PX = 3.0
"""Least change of radius that `snap` takes for an edge. (A halo of a smaller one is hardly seen; surfaces curve by as much.)"""

LEVEL_PX = 2
"""How far beyond a transition the two sides are looked for."""

VOTE_COLOR = 0.05
"""Standard deviation of display values (gamma 2.2, 0..1) within which a neighbour counts as alike."""

EDGE_COLOR = 0.08
"""Least difference of the mean display values of two sides that is an edge of the photo."""

BESIDE_PX = 1.5
"""Standard deviation of the distance at which the radius of a side is taken."""

WINDOW_SPREAD = 0.6
"""Standard deviation of the distance, in half-widths of the window, at which pixels vote. A larger one lets farther ones vote."""

SIDE_LEVEL = 0.25
"""Part of the step from either end within which a pixel of the window is clearly on that side."""

STEEP = 0.1
"""Rise from pixel to pixel, as part of the whole step, from which on a pixel lies on a transition."""

CALM = 0.02
"""The same, up to which a pixel lies beside it."""

SOFT_SHARE = (0.02, 0.75)
"""Share of such pixels in a window that is a soft transition: fewer are noise, more are a slope."""

MIDDLE = (0.05, 0.95)
"""Limits of what a radius may say on which side a pixel lies, between 0 and 1, so that colour can overrule it."""

LEAST_LIKENESS = 1e-4
"""Likeness that both sides have, so that where neither is alike the radius decides."""

LEAST_WEIGHT = 1e-6
"""Sums of weights, and steps, are raised to this before they divide."""

FLAT_PX = 2
"""Half-width of the window within which a surface that does not change is thick."""

SAME_LEVEL = 0.2
"""Part of the step within which radii in a window count as one side's level."""

THIN_GAIN = 3.0
"""Most by which the step at a thin structure is raised above what the blurred map shows of it."""


def snap(image: Tensor, radius: Tensor, half_width: int, progress: Progress = silent) -> Tensor:
    """Turn soft transitions between two surfaces into a step at the photo's edge.

    Where the radius changes steeply over several pixels and the photo's colours differ, every pixel takes the radius beside the
    transition of the side whose colour is more similar. Sharp steps and smooth slopes are left as they are.

    Args:
        image: [3,H,W] linear; radius: [H,W] px.
        half_width: of such a transition, in px; 0 changes nothing.
        progress: called after each few thousand pixels, in two passes.

    Returns:
        [H,W] radius.
    """
    around = half_width + LEVEL_PX
    span = window_range(radius, around)
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
    ramp = wide & (steep > STEEP * span)
    if not bool(ramp.any()):
        return radius
    k = 2 * half_width + 1
    share = F.avg_pool2d(F.pad(ramp.float()[None, None], (half_width,) * 4, mode="replicate"), k, 1)[0, 0]
    soft = wide & (share > SOFT_SHARE[0]) & (share < SOFT_SHARE[1])
    index = soft.nonzero()
    if index.numel() == 0:
        return radius
    return _vote(image, radius, steep <= CALM * span, index, around, progress)


def _vote(image: Tensor, radius: Tensor, calm: Tensor, index: Tensor, half_width: int, progress: Progress) -> Tensor:
    """Assign each listed pixel to the near or far side of its window, whichever has the more similar colour.

    Args:
        calm: [H,W] bool, pixels that are not on a transition.
        half_width: of the window, px.
    """
    h, w = radius.shape
    display = display_values(image).flatten(1)
    flat, calm = radius.flatten(), calm.flatten()
    out = flat.clone()
    parts = [(part, part[:, 0] * w + part[:, 1]) for part in index.split(WINDOWS_AT_A_TIME)]
    voting, correcting = shares(progress, (1, 1))
    levels: list[tuple[Tensor, Tensor, Tensor]] = []
    voted = side_by_side(lambda p: _side(display, flat, calm, p[0], p[1], (h, w), half_width), parts, flat.device)
    for (_, at), level in zip(parts, counted(voted, len(parts), voting), strict=True):
        near_level, far_level, is_near = level
        out[at] = torch.where(is_near, near_level, far_level)
        levels.append(level)
    snapped = out.view(h, w)
    flatness = window_range(snapped, FLAT_PX)
    thick = (flatness < JUMP_PX).flatten()
    listed = [(part, level) for (part, _), level in zip(parts, levels, strict=True)]
    thin = side_by_side(lambda p: _thin(flat, out, thick, p[0], p[1], (h, w), half_width), listed, flat.device)
    corrected = list(counted(thin, len(listed), correcting))
    for (_, at), value in zip(parts, corrected, strict=True):
        out[at] = value
    return out.view(h, w)


def _side(
    display: Tensor, flat: Tensor, calm: Tensor, index: Tensor, own_at: Tensor, size: tuple[int, int], half_width: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Near level, far level, and whether it belongs to the near one, of each listed pixel; its own radius twice where the photo
    shows no edge."""
    there, oy, ox = window_indices(index, *size, half_width)
    distance2 = (oy**2 + ox**2).float()
    weight = torch.exp(distance2 / (-2 * (WINDOW_SPREAD * half_width) ** 2))
    r, own = take(flat, there), take(flat, own_at)
    near, far = r.amin(1, keepdim=True), r.amax(1, keepdim=True)
    span = (far - near).clamp_min(LEAST_WEIGHT)
    level = (r - near) / span
    near_side, far_side = (level < SIDE_LEVEL).float(), (level > 1 - SIDE_LEVEL).float()
    near_weight, far_weight = near_side * weight, far_side * weight
    near_total, far_total = near_weight.sum(1).clamp_min(LEAST_WEIGHT), far_weight.sum(1).clamp_min(LEAST_WEIGHT)
    across = near_weight / near_total[:, None] - far_weight / far_total[:, None]
    difference2, contrast2 = torch.zeros_like(r), torch.zeros_like(own)
    for channel in display:
        value = take(channel, there)
        contrast2 += (value * across).sum(1).square_()
        difference2 += value.sub_(take(channel, own_at)[:, None]).square_()
    alike = difference2.mul_(-1 / (2 * VOTE_COLOR**2)).exp_()
    near_like, far_like = (
        (alike * w).sum(1) / t + LEAST_LIKENESS for w, t in ((near_weight, near_total), (far_weight, far_total))
    )
    middle = ((own - near[:, 0]) / span[:, 0]).clamp(*MIDDLE)
    is_near = near_like / far_like * ((1 - middle) / middle) > 1

    # The radius that a side has beside the transition: where a side slopes, or a third surface is near, not its extreme.
    close = torch.exp(distance2 / (-2 * BESIDE_PX**2)) * take(calm, there)
    edge = contrast2 > EDGE_COLOR**2

    def beside(side: Tensor, extreme: Tensor) -> Tensor:
        part = side * close
        total = part.sum(1)
        level_there = torch.where(total > 1e-12, (part * r).sum(1) / total.clamp_min(1e-12), extreme[:, 0])
        return torch.where(edge, level_there, own)

    return beside(level < 0.5, near), beside(level > 0.5, far), is_near


def _thin(
    flat: Tensor,
    snapped: Tensor,
    thick: Tensor,
    index: Tensor,
    levels: tuple[Tensor, Tensor, Tensor],
    size: tuple[int, int],
    half_width: int,
) -> Tensor:
    """The level of each listed pixel, corrected on structures that are thinner than the blur of the map.

    Blur keeps the sum: such a structure never reaches its level, but over the window its deviation from the other side adds up
    to (true step) x (its share of the window).
    """
    there, _, _ = window_indices(index, *size, half_width)
    near_level, far_level, is_near = levels
    r, labels = take(flat, there), take(snapped, there)
    is_near_there = labels < 0.5 * (near_level + far_level)[:, None]
    near_share = is_near_there.float().mean(1)
    far_share = 1 - near_share
    step = (far_level - near_level).clamp_min(LEAST_WEIGHT)
    near_step = ((far_level[:, None] - r).clamp_min(0).mean(1) / near_share.clamp_min(1e-3)).minimum(THIN_GAIN * step)
    far_step = ((r - near_level[:, None]).clamp_min(0).mean(1) / far_share.clamp_min(1e-3)).minimum(THIN_GAIN * step)
    thick_there = take(thick, there)
    beside = SAME_LEVEL * step[:, None]
    one_far = (((labels - far_level[:, None]).abs() < beside) | is_near_there).all(1) & (near_share < 0.5)
    one_near = (((labels - near_level[:, None]).abs() < beside) | ~is_near_there).all(1) & (far_share < 0.5)
    thin_near = is_near & one_far & (near_step > step) & ~(thick_there & is_near_there).any(1)
    thin_far = ~is_near & one_near & (far_step > step) & ~(thick_there & ~is_near_there).any(1)
    corrected = torch.where(thin_near, far_level - near_step, torch.where(is_near, near_level, far_level))
    return torch.where(thin_far, near_level + far_step, corrected)
