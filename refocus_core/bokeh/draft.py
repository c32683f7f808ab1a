"""Rendering at half the resolution, for drafts: what is blurred loses little by it, what is in focus is put back in full.

A block of 2 x 2 px becomes one pixel of the surface that most of it shows. Once that picture is rendered, the pixels in focus are
taken out of it and composited anew, at full resolution, over what is left of it and below what is nearer.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor

from ..color import display_values
from ..images import doubled, window_max, window_range
from ..optics import SHARP_RADIUS_PX
from .bins import Bins
from .frames import Frame, Job, largest_radius
from .highlights import lights
from .plan import Plan
from .surfaces.layers import JUMP_PX
from .surfaces.scale import Scale
from .surfaces.snap import VOTE_COLOR

VARIANCE_PX2 = 0.75
"""Variance along an axis, in px^2, that halving and bilinear enlarging add to a blur: the best on a photo of 0.25 to 1."""

SNAP_HALF_WIDTH_PX = 2
"""Half the width of the soft transitions that are snapped: about half of `snap.SNAP_HALF_WIDTH_PX`, as the picture is halved."""

SAME_SURFACE = 1.5
"""In JUMP_PX: pixels of a block, and blocks beside one another, whose circles of confusion differ by less show one surface."""

CONTEXT_ROWS = 4
"""Rows of the halved picture beyond those restored at a time that are looked at."""

SIDE_BLOCKS = 1
"""Blocks around a pixel whose colours tell to which side of the edge of the focus it belongs. More of them are calmer, and reach
past thin things."""

SIDE_SPREAD = 1.2
"""Standard deviation of the distance, in SIDE_BLOCKS, at which such blocks count."""

SOFT_BLOCKS = 2
"""Blocks off the edge of the focus within which a map may rise softly. With more of them slopes are taken for such edges."""

LEAVES_FOCUS = 0.5
"""Change of the share in focus from block to block that is an edge of the focus."""

HALFWAY = 0.5
"""Share of the step at an edge within which a radius off its block's counts as on the way across."""

MIDDLE = (0.05, 0.95)
"""Limits of what a radius may say on which side of an edge a pixel lies, between 0 and 1, so that colour can overrule it."""

LEAST_LIKENESS = 1e-4
"""Likeness that every side has, so that where neither is alike the radius decides."""

LEAST_WEIGHT = 1e-6
"""Sums of weights are raised to this before they divide."""

LEAST_TRUST = 1e-3
"""Weight, in what lies beside the edge of the focus, of a block that lies across that edge. It counts only where nothing else is
known; a larger one lets the colour of what is in focus bleed into the blur beside it."""

LEAST_FREE = 0.02
"""Share of a pixel that nearer blur must leave free for the pixel to tell how bright it is behind that blur. A smaller one
amplifies rounding."""

UNTOUCHED = 1e-4
"""Coverage by nearer blur up to which a pixel in focus counts as free of it."""


def render(frame: Frame, job: Job, out: Tensor) -> Tensor:
    """Fill and return `out` [3,H,W], or [4,H,W] with alpha, rendered at half the resolution."""
    if largest_radius(frame.radius) <= SHARP_RADIUS_PX:
        job.skip()
        return out.copy_(frame.shown)
    scale, quality = Scale.of(frame.law), job.quality
    reference_coc = frame.reference_coc(scale)
    image, reference, radius = halved(frame.image, reference_coc, frame.radius)
    alpha = None if frame.alpha is None else halved(frame.alpha[None], reference_coc, frame.radius)[0][0]
    scale = None if scale is None else scale.reduced(2)
    surfaces = job.surfaces(image, reference, scale, SNAP_HALF_WIDTH_PX if quality.snap else 0)
    plan = Plan(job.kernel, Bins.of(radius, quality.bin_step, lights(image, radius)), quality, VARIANCE_PX2 / 4, job.size)
    rendered = image.clone() if alpha is None else torch.cat([image * alpha, alpha[None]])
    near_blur = image.new_zeros(4 if alpha is None else 8, *radius.shape)
    layers = functools.partial(surfaces.layers, image, radius, scale)
    job.composite(plan, layers, largest_radius(radius), rendered, near_blur, alpha)
    small = (image, surfaces.radius(radius, scale))
    job.look()
    restore(frame, small, rendered, near_blur, out, job.limits.draft_rows, job.look)
    return out


def _corners(x: Tensor) -> list[Tensor]:
    """The four pixels of every block of 2 x 2 px of [...,H,W]; an odd border continues with its last row or column."""
    h, w = x.shape[-2:]
    if h % 2:
        x = torch.cat([x, x[..., -1:, :]], -2)
    if w % 2:
        x = torch.cat([x, x[..., -1:]], -1)
    return [x[..., i::2, j::2] for i in (0, 1) for j in (0, 1)]


def _second_smallest(parts: list[Tensor]) -> Tensor:
    a, b, c, d = parts
    return torch.minimum(
        torch.maximum(torch.minimum(a, b), torch.minimum(c, d)), torch.minimum(torch.maximum(a, b), torch.maximum(c, d))
    )


def halved(image: Tensor, reference_coc: Tensor, radius: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Picture [3,H,W], reference circle of confusion [H,W] and signed radius [H,W] at half the size, rounded up.

    Every block takes the depth that most of its pixels have (of two that are even, the nearer one), in px of the small picture,
    and the mean colour of those that have it, or nearly: where the focus is plays no part in that.

    Args:
        reference_coc: see `surfaces.scale.Scale`; larger = farther, and `radius` must not fall where it rises.
    """
    depths = _corners(reference_coc)
    majority = _second_smallest(depths)
    share = [(d - majority).abs_().neg_().add_(SAME_SURFACE * JUMP_PX).clamp_(0, 1) for d in depths]
    colour = torch.stack([c * s for c, s in zip(_corners(image), share, strict=True)]).sum(0) / torch.stack(share).sum(0)
    return colour, 0.5 * majority, 0.5 * _second_smallest(_corners(radius))


def _in_focus(radius: Tensor) -> Tensor:
    """Share 0..1 of each pixel that enlarging blurs more than the lens does."""
    return (1 - radius.square() / (4 * VARIANCE_PX2)).clamp_min_(0)


def restore(
    frame: Frame,
    small: tuple[Tensor, Tensor],
    rendered: Tensor,
    near_blur: Tensor,
    out: Tensor,
    rows_at_a_time: int,
    look: Callable[[], None],
) -> None:
    """Enlarge a rendering of the halved picture, with what is in focus at full resolution.

    Args:
        frame: picture and radius at full size.
        small: [3,h,w] and [h,w] the halved picture and its radius, soft transitions snapped.
        rendered: [3,h,w], by a plan whose blur is narrower by `VARIANCE_PX2`; near_blur: [4,h,w] light and coverage of what is
            blurred and nearer than the focus; [4,h,w] and [8,h,w] with alpha.
        out: [3,H,W] or [4,H,W], overwritten.
        rows_at_a_time: rows of the halved picture that are restored together.
        look: called after them; may raise to cancel.
    """
    rows, shown = rendered.shape[1], frame.shown
    for top in range(0, rows, rows_at_a_time):
        stop = min(top + rows_at_a_time, rows)
        y0, y1 = max(top - CONTEXT_ROWS, 0), min(stop + CONTEXT_ROWS, rows)
        at, part = slice(2 * top, 2 * stop), slice(2 * y0, 2 * y1)
        focus = focus_share(frame.image[:, part], frame.radius[part], small[0][:, y0:y1], 2 * small[1][y0:y1])
        for channels, near in zip((slice(3), slice(3, 4)), near_blur.split(4), strict=False):
            wide = _restored(shown[channels, part], focus, rendered[channels, y0:y1], _channels(near[:, y0:y1], channels))
            out[channels, at] = wide[:, 2 * (top - y0) :][:, : out[:, at].shape[1]]
        look()


def _channels(near_blur: Tensor, channels: slice) -> Tensor:
    """Light of the channels that are restored, and coverage: alpha is the same in all three."""
    return near_blur if channels.start is None else torch.cat([near_blur[:3].mean(0, keepdim=True), near_blur[3:]])


def focus_share(image: Tensor, radius: Tensor, colour: Tensor, levels: Tensor) -> Tensor:
    """[H,W] which share of each pixel is in focus.

    Beside the edge of what is in focus every pixel belongs to one side of it: the one that has the more similar colour, and the
    nearer radius. Where a map rises softly across that edge, its radius says little and colour decides.

    Args:
        image: [3,H,W]; radius: [H,W] px.
        colour: [3,h,w] and levels: [h,w] of the blocks, in px of the full size.
    """
    h, w = radius.shape
    focus, shares = _in_focus(radius), _in_focus(levels)
    # A pixel whose radius is not its block's lies in a soft transition, which may pass through the focus, or is asked below.
    step, is_edge = _edges_of_focus(levels, shares, SOFT_BLOCKS)
    off = (radius - _widened(levels, h, w)).abs()
    on_the_way = _widened(is_edge, h, w) & (off < HALFWAY * _widened(step, h, w))
    focus = torch.where((off > JUMP_PX) | on_the_way, _widened(shares, h, w), focus)
    _, is_edge = _edges_of_focus(levels, shares, 1)
    y, x = _widened(is_edge, h, w).nonzero().unbind(1)
    if len(y) > 0:
        focus[y, x] = _side_of_focus(image[:, y, x], radius[y, x], focus[y, x], colour, levels, shares, y, x)
    return focus


def _widened(x: Tensor, h: int, w: int) -> Tensor:
    """[h,w] every value for each pixel of its block."""
    return x.repeat_interleave(2, 0).repeat_interleave(2, 1)[:h, :w]


def _edges_of_focus(levels: Tensor, shares: Tensor, blocks: int) -> tuple[Tensor, Tensor]:
    """The step of the radius within some blocks of every block, and where it leads out of focus."""
    step, change = (window_range(t, blocks) for t in (levels, shares))
    return step, (step > SAME_SURFACE * JUMP_PX) & (change > LEAVES_FOCUS)


def _side_of_focus(
    image: Tensor, radius: Tensor, focus: Tensor, colour: Tensor, levels: Tensor, shares: Tensor, y: Tensor, x: Tensor
) -> Tensor:
    """[n] share in focus of the pixels (y, x) with colours [3,n], radii [n] and shares [n]: that of the side they belong to."""
    display, own = display_values(colour).flatten(1), display_values(image)
    rows, columns = levels.shape
    n = SIDE_BLOCKS
    sums = radius.new_zeros(2, 4, len(y))  # of either side, in focus and out of it: weight, likeness, radius, share
    for dy in range(-n, n + 1):
        for dx in range(-n, n + 1):
            at = (y // 2 + dy).clamp(0, rows - 1) * columns + (x // 2 + dx).clamp(0, columns - 1)
            distance2 = (2 * (y // 2 + dy) + 0.5 - y).square() + (2 * (x // 2 + dx) + 0.5 - x).square()
            weight = torch.exp(distance2 / (-2 * (SIDE_SPREAD * n) ** 2))
            difference2 = (display.index_select(1, at) - own).square_().sum(0)
            alike = torch.exp(difference2 / (-2 * VOTE_COLOR**2)) * weight
            share, level = shares.flatten().index_select(0, at), levels.flatten().index_select(0, at)
            is_in = (share > 0.5).float()
            for side, there in ((0, is_in), (1, 1 - is_in)):
                sums[side, 0].addcmul_(there, weight)
                sums[side, 1].addcmul_(there, alike)
                sums[side, 2].addcmul_(there * weight, level)
                sums[side, 3].addcmul_(there * weight, share)
    total = sums[:, 0].clamp_min(LEAST_WEIGHT)
    alike, level, share = (sums[:, i] / total for i in (1, 2, 3))
    middle = ((radius - level[1]) / (level[0] - level[1])).nan_to_num(0.5).clamp(*MIDDLE)
    is_in = (alike[0] + LEAST_LIKENESS) * middle > (alike[1] + LEAST_LIKENESS) * (1 - middle)
    has_both = sums[:, 0].amin(0) > 0
    return torch.where(has_both, torch.where(is_in, share[0], share[1]), focus)


def _restored(image: Tensor, focus: Tensor, rendered: Tensor, near_blur: Tensor) -> Tensor:
    """The nearer blur, over what is in focus, over what lies beside and behind that."""
    h, w = focus.shape
    if not bool(focus.any()):
        return doubled(rendered, h, w)
    near_blur = torch.where(near_blur[-1] > UNTOUCHED, near_blur, 0)
    free = (1 - near_blur[-1]).clamp_min_(0)
    shares = torch.stack(_corners(focus))
    light = torch.stack(_corners(image * focus)).mean(0)
    # A halved picture shows only one side of the edge of what is in focus: beside it, neighbours are asked.
    trust = (1 - (shares.amax(0) - shares.amin(0))).square_().clamp_min_(LEAST_TRUST)
    share = shares.mean(0)
    cover = (1 - share) * free
    behind = rendered - near_blur[:-1]
    rest = torch.addcmul(behind, free, light, value=-1).clamp_min_(0)
    # Where the two disagree on what is in focus, much light may be left with next to no coverage: no more than around it.
    brightest = torch.maximum(rendered, behind / free.clamp_min(LEAST_FREE) * (share < 0.5))
    rest = rest.minimum(window_max(brightest, 1) * cover)
    wide = doubled(torch.cat([near_blur[:-1], free[None], rest * trust, (cover * trust)[None]]), h, w)
    near, (free,), rest, (cover,) = wide.split([len(image), 1, len(image), 1])
    beside = torch.where(cover > LEAST_WEIGHT, rest / cover.clamp_min(LEAST_WEIGHT), image)
    return torch.lerp(beside, image, focus).mul_(free).add_(near)  # the photo bit for bit where all is in focus
