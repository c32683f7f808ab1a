"""A second oracle, on a real photo: the views of many points of the aperture, warped by measured disparity, and averaged.

A view through the aperture point u shows content of signed radius r, seen by the photo at q, at p = q + r u. The photo is
enlarged, every small pixel is moved, the nearest one wins (z-buffer). Where nothing lands a view looks behind something: that is
filled from the farther side and counted, so that scores can leave it out. What the oracle cannot know either: the two parts of
pixels that mix near and far in the photo. It keeps them on one side.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from refocus_core.bokeh.reference import aperture_samples
from refocus_core.types import Kernel

ENLARGED = 3
"""Pixels of a view per pixel of the photo; more place what moves more exactly and take longer by their square."""


def average_views(image: Tensor, radius_px: Tensor, kernel: Kernel, samples: int = 144) -> tuple[Tensor, Tensor]:
    """Blur a linear picture [3,H,W] by its exact radius [H,W].

    Returns:
        [3,H,W] linear, and the share [H,W] of views that look at something the photo does not show.
    """
    h, w = radius_px.shape
    s = ENLARGED
    pad = int(radius_px.abs().max()) + 2
    radius = F.pad(radius_px[None, None], (pad,) * 4, mode="replicate")
    photo = F.pad(image[None], (pad,) * 4, mode="replicate")
    size = ((h + 2 * pad) * s, (w + 2 * pad) * s)
    fine = _enlarged(photo, radius, size)
    # smooth slopes stay smooth; at a jump a blend of two radii would belong to neither surface
    steps = F.interpolate(radius, size, mode="nearest")[0, 0]
    slopes = F.interpolate(radius, size, mode="bilinear", align_corners=False)[0, 0]
    r = torch.where((slopes - steps).abs() < 0.3, slopes, steps)
    order = r.flatten().argsort(stable=True).int()  # near to far, without ties
    rank = torch.empty_like(order)
    rank[order.long()] = torch.arange(order.numel(), dtype=torch.int32)
    points, weights = aperture_samples(kernel, samples)
    light, hidden = torch.zeros(3, h, w), torch.zeros(h, w)
    inner = slice(pad, pad + h), slice(pad, pad + w)
    for i in range(points.shape[0]):
        view, behind = _view(fine, r, order, rank, float(points[i, 0]) * s, float(points[i, 1]) * s)
        view = F.avg_pool2d(torch.cat([view, behind[None]])[None], s)[0][:, inner[0], inner[1]]
        light += weights[:, i].view(-1, 1, 1) * view[:3]
        hidden += weights[:, i].mean() * view[3]
    return light, hidden


def _enlarged(photo: Tensor, radius: Tensor, size: tuple[int, int]) -> Tensor:
    """The photo [1,3,h,w] in small pixels that average to it: [3,*size].

    Squares of one colour, when moved by parts of a pixel, would blur it by up to a pixel's width; a cubic does not. Beside a jump
    of the radius it would mix two surfaces, so there the squares stay.
    """
    squares = F.interpolate(photo, size, mode="nearest")
    cubic = F.interpolate(photo, size, mode="bicubic", align_corners=False)
    cubic = cubic + F.interpolate(photo - F.avg_pool2d(cubic, ENLARGED), size, mode="nearest")
    span = F.max_pool2d(radius, 5, 1, 2) + F.max_pool2d(-radius, 5, 1, 2)
    return torch.where(F.interpolate(span, size, mode="nearest") > 1, squares, cubic)[0]


def _view(fine: Tensor, r: Tensor, order: Tensor, rank: Tensor, ux: float, uy: float) -> tuple[Tensor, Tensor]:
    """One view [3,h,w], and where [h,w] it was filled from behind."""
    h, w = r.shape
    y = (torch.arange(h)[:, None] + r * uy).round().long()
    x = (torch.arange(w)[None] + r * ux).round().long()
    inside = ((y >= 0) & (y < h) & (x >= 0) & (x < w)).flatten()
    target = (y * w + x).flatten()[inside]
    nothing = rank.numel()
    best = torch.full((h * w,), nothing, dtype=torch.int32)
    best.scatter_reduce_(0, target, rank[inside], "amin")
    hit = best < nothing
    source = order[best.clamp_max(nothing - 1).long()].long()
    seen = hit.view(h, w)
    source = source.view(h, w)
    # holes: the nearest hits to the left and right, above and below; the farthest of the four is what lies behind
    flat_r = r.flatten()
    candidates = torch.stack([_last_hit(seen, source, dim, reverse) for dim in (0, 1) for reverse in (False, True)])
    radii = torch.where(candidates >= 0, flat_r[candidates.clamp_min(0)], torch.full((), -torch.inf))
    farthest, which = radii.max(0)
    nearest = torch.where(candidates >= 0, radii, torch.full((), torch.inf)).amin(0)
    fill = candidates.gather(0, which[None])[0].clamp_min(0)
    # a crack in a surface that the view stretches has the same surface on all sides: nothing hidden shows there
    behind = ~seen & (farthest - nearest > 1)
    chosen = torch.where(seen, source, fill)
    return fine.flatten(1)[:, chosen.flatten()].view(3, h, w), behind.float()


def _last_hit(seen: Tensor, source: Tensor, dim: int, reverse: bool) -> Tensor:
    """For every pixel the source of the last pixel that was hit before it along `dim`; -1 where there was none."""
    if reverse:
        return _last_hit(seen.flip(dim), source.flip(dim), dim, False).flip(dim)
    n = seen.shape[dim]
    index = torch.arange(n).view((n, 1) if dim == 0 else (1, n)).expand_as(seen)
    last = torch.where(seen, index, torch.full_like(index, -1)).cummax(dim).values
    return torch.where(last >= 0, source.gather(dim, last.clamp_min(0)), last)
