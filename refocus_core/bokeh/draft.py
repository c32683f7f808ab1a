"""Rendering at half the resolution, for drafts: what is blurred loses little by it, what is in focus is put back in full.

A block of 2 x 2 px becomes one pixel of the surface that most of it shows. Once that picture is rendered, the pixels in focus are
taken out of it and composited anew, at full resolution, over what is left of it and below what is nearer.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..color import display_values
from ..images import doubled, window_max, window_range
from .surfaces.layers import JUMP_PX
from .surfaces.snap import VOTE_COLOR

VARIANCE_PX2 = 0.75
"""Variance along an axis, in px^2, that halving and bilinear enlarging add to a blur: the best on a photo of 0.25 to 1."""

SNAP_REACH_PX = 2
"""As in `layers`: transitions are half as wide."""

_CONTEXT = 4
"""Rows beyond those restored at a time that are looked at."""

_REACH, _SOFT = 1, 2
"""Blocks around a pixel that are compared with it, and up to how many off the edge of what is in focus a map may rise softly."""

_UNTRUSTED = 1e-3
"""Weight of a block that lies across the edge of what is in focus when it is asked what lies beside that edge."""

_LEAST_FREE = 0.02
"""Where nearer blur leaves less free, it does not tell how bright it is behind it."""

_UNTOUCHED = 1e-4
"""Up to this coverage by nearer blur a pixel in focus counts as free of it."""


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


def halved(image: Tensor, rho: Tensor, radius: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Picture [3,H,W], reference depth [H,W] and signed radius [H,W] at half the size, rounded up.

    Every block takes the depth that most of its pixels have (of two that are even, the nearer one), in px of the small picture,
    and the mean colour of those that have it, or nearly: where the focus is plays no part in that.

    Args:
        rho: see `surfaces.scale.Scale`; larger = farther, and `radius` must not fall where it rises.
    """
    depths = _corners(rho)
    chosen = _second_smallest(depths)
    share = [(d - chosen).abs_().neg_().add_(1.5 * JUMP_PX).clamp_(0, 1) for d in depths]
    colour = torch.stack([c * s for c, s in zip(_corners(image), share, strict=True)]).sum(0) / torch.stack(share).sum(0)
    return colour, 0.5 * chosen, 0.5 * _second_smallest(_corners(radius))


def _in_focus(radius: Tensor) -> Tensor:
    """Share 0..1 of each pixel that enlarging blurs more than the lens does."""
    return (1 - radius.square() / (4 * VARIANCE_PX2)).clamp_min_(0)


def restore(
    image: Tensor,
    radius: Tensor,
    small: tuple[Tensor, Tensor],
    rendered: Tensor,
    nearer: Tensor,
    out: Tensor,
    rows_at_a_time: int,
) -> None:
    """Enlarge a rendering of the halved picture, with what is in focus at full resolution.

    Args:
        image: [3,H,W] and radius: [H,W], at full size.
        small: [3,h,w] and [h,w] the halved picture and its radius, soft transitions sharpened.
        rendered: [3,h,w], by a plan whose blur is narrower by `VARIANCE_PX2`; nearer: [4,h,w] light and coverage of what is
            blurred and nearer than the focus.
        out: [3,H,W], overwritten.
        rows_at_a_time: rows of the halved picture that are restored together.
    """
    rows = rendered.shape[1]
    for top in range(0, rows, rows_at_a_time):
        stop = min(top + rows_at_a_time, rows)
        y0, y1 = max(top - _CONTEXT, 0), min(stop + _CONTEXT, rows)
        at, part = slice(2 * top, 2 * stop), slice(2 * y0, 2 * y1)
        focus = _focus(image[:, part], radius[part], small[0][:, y0:y1], 2 * small[1][y0:y1])
        wide = _restored(image[:, part], focus, rendered[:, y0:y1], nearer[:, y0:y1])
        out[:, at] = wide[:, 2 * (top - y0) :][:, : out[:, at].shape[1]]


def _focus(image: Tensor, radius: Tensor, colour: Tensor, levels: Tensor) -> Tensor:
    """[H,W] which share of each pixel is in focus.

    Beside the edge of what is in focus every pixel belongs to one side of it: the one that has the more similar colour, and the
    nearer radius. Where a map rises softly across that edge, its radius says little and colour decides.

    Args:
        colour: [3,h,w] and levels: [h,w] of the blocks, in px of the full size.
    """
    h, w = radius.shape
    focus, shares = _in_focus(radius), _in_focus(levels)

    def widened(x: Tensor) -> Tensor:
        return x.repeat_interleave(2, 0).repeat_interleave(2, 1)[:h, :w]

    def across(reach: int) -> tuple[Tensor, Tensor]:
        """The step of the radius around every block, and where it leads out of focus."""
        step, change = (window_range(t, reach) for t in (levels, shares))
        return step, (step > 1.5 * JUMP_PX) & (change > 0.5)

    # A pixel whose radius is not its block's lies in a soft transition, which may pass through the focus, or is asked below.
    step, around = across(_SOFT)
    off = (radius - widened(levels)).abs()
    focus = torch.where((off > JUMP_PX) | (widened(around) & (off < 0.5 * widened(step))), widened(shares), focus)
    beside = across(1)[1]
    y, x = widened(beside).nonzero().unbind(1)
    if len(y) == 0:
        return focus
    display = display_values(colour).flatten(1)
    own = display_values(image[:, y, x])
    rows, columns = levels.shape
    n = _REACH
    sums = radius.new_zeros(2, 4, len(y))  # of either side: weight, likeness, radius, share
    for dy in range(-n, n + 1):
        for dx in range(-n, n + 1):
            at = (y // 2 + dy).clamp(0, rows - 1) * columns + (x // 2 + dx).clamp(0, columns - 1)
            distance2 = (2 * (y // 2 + dy) + 0.5 - y).square() + (2 * (x // 2 + dx) + 0.5 - x).square()
            weight = torch.exp(distance2 / (-2 * (1.2 * n) ** 2))
            difference2 = (display.index_select(1, at) - own).square_().sum(0)
            alike = torch.exp(difference2 / (-2 * VOTE_COLOR**2)) * weight
            share, level = shares.flatten().index_select(0, at), levels.flatten().index_select(0, at)
            is_in = (share > 0.5).float()
            for side, there in ((0, is_in), (1, 1 - is_in)):
                sums[side, 0].addcmul_(there, weight)
                sums[side, 1].addcmul_(there, alike)
                sums[side, 2].addcmul_(there * weight, level)
                sums[side, 3].addcmul_(there * weight, share)
    total = sums[:, 0].clamp_min(1e-6)
    alike, level, share = (sums[:, i] / total for i in (1, 2, 3))
    middle = ((radius[y, x] - level[1]) / (level[0] - level[1])).nan_to_num(0.5).clamp(0.05, 0.95)
    is_in = (alike[0] + 1e-4) * middle > (alike[1] + 1e-4) * (1 - middle)
    both = sums[:, 0].amin(0) > 0
    focus[y, x] = torch.where(both, torch.where(is_in, share[0], share[1]), focus[y, x])
    return focus


def _restored(image: Tensor, focus: Tensor, rendered: Tensor, nearer: Tensor) -> Tensor:
    """The nearer blur, over what is in focus, over what lies beside and behind that."""
    h, w = focus.shape
    if not bool(focus.any()):
        return doubled(rendered, h, w)
    nearer = torch.where(nearer[3] > _UNTOUCHED, nearer, 0)
    free = (1 - nearer[3]).clamp_min_(0)
    shares = torch.stack(_corners(focus))
    light = torch.stack(_corners(image * focus)).mean(0)
    # A halved picture shows only one side of the edge of what is in focus: beside it, neighbours are asked.
    trust = (1 - (shares.amax(0) - shares.amin(0))).square_().clamp_min_(_UNTRUSTED)
    share = shares.mean(0)
    cover = (1 - share) * free
    behind = rendered - nearer[:3]
    rest = torch.addcmul(behind, free, light, value=-1).clamp_min_(0)
    # Where the two disagree on what is in focus, much light may be left with next to no coverage: no more than around it.
    seen = torch.maximum(rendered, behind / free.clamp_min(_LEAST_FREE) * (share < 0.5))
    rest = rest.minimum(window_max(seen, 1) * cover)
    wide = doubled(torch.cat([nearer[:3], free[None], rest * trust, (cover * trust)[None]]), h, w)
    beside = torch.where(wide[7] > 1e-6, wide[4:7] / wide[7].clamp_min(1e-6), image)  # blocks around may know of nothing
    return torch.lerp(beside, image, focus).mul_(wide[3]).add_(wide[:3])  # the photo bit for bit where all is in focus
