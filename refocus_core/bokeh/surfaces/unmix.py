"""Pixels beside a depth edge show both of its sides: how much of each, and of which colour."""

from __future__ import annotations

import torch
from torch import Tensor

from ...images import neighbour_pairs, take, window_indices
from ..parallel import WINDOWS_AT_A_TIME, side_by_side
from .layers import JUMP_PX

UNMIX_WINDOW_PX = 3
"""How far around a mixed pixel the colours of its two sides are looked for. A larger one finds them beside softer edges, and
mixes in what lies farther off."""

WINDOW_SPREAD_PX = 1.6
"""Standard deviation of the distance at which pixels of the window count."""

SAME_SURFACE = 0.5
"""Part of the step within which a pixel of the window is on one of its sides."""

NOISE = (2.0, 1e-5)
"""How much the spread of the colours of each side, and rounding, count against the contrast of the two."""

SURE = (0.5, 0.4)
"""Contrast, as part of contrast and spread, from which on colour tells, and over how much more it is believed in full."""

LEAST_CLEAN = 1e-3
"""Weight of clean pixels from which on a side is taken from them alone."""


PRIOR_SPREAD = 0.3
"""Share of a pixel's coverage that is taken from its neighbours' sides where colour does not tell."""


def unmix(image: Tensor, radius: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Split pixels beside a jump into near and far side.

    Returns:
        index [n,2] of the pixels, alpha [n] of the near side, near colour [3,n], far colour [3,n], near radius [n],
        far radius [n].
    """
    beside = torch.zeros_like(radius, dtype=torch.bool)
    for here, there in neighbour_pairs():
        beside[here] |= (radius[there] - radius[here]).abs() > JUMP_PX
    index = beside.nonzero()
    parts = list(side_by_side(lambda p: _unmixed(image, radius, beside, p), index.split(WINDOWS_AT_A_TIME), radius.device))
    alpha, near_c, far_c, near_r, far_r = (torch.cat(t, -1) for t in zip(*parts, strict=True))
    return index, alpha, near_c, far_c, near_r, far_r


def _unmixed(image: Tensor, radius: Tensor, beside: Tensor, index: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """`unmix` of the listed pixels."""
    h, w = radius.shape
    flat, oy, ox = window_indices(index, h, w, UNMIX_WINDOW_PX)
    r = take(radius.flatten(), flat)
    own_r = radius[index[:, 0], index[:, 1]]
    ring = (oy.abs() <= 1) & (ox.abs() <= 1)
    nearest = r[:, ring].amin(1)
    farthest = r[:, ring].amax(1)
    # the two surfaces of this pixel: its own, and the one across its largest jump
    own_is_near = (farthest - own_r) >= (own_r - nearest)
    near_r = torch.where(own_is_near, own_r, nearest)
    far_r = torch.where(own_is_near, farthest, own_r)
    tolerance = SAME_SURFACE * (far_r - near_r)[:, None]
    is_near = (r - near_r[:, None]).abs() < tolerance
    is_far = (r - far_r[:, None]).abs() < tolerance
    pure = ~take(beside.flatten(), flat)
    weight = torch.exp(-(oy**2 + ox**2).to(r) / (2 * WINDOW_SPREAD_PX**2))
    colors = take(image.flatten(1), flat)

    def side(mask: Tensor) -> tuple[Tensor, Tensor]:
        clean = weight * (mask & pure)
        usable = clean.sum(1, keepdim=True) > LEAST_CLEAN
        # a structure thinner than two pixels has no clean pixels: take what there is
        ww = torch.where(usable, clean, weight * mask * 1.0)
        total = ww.sum(1).clamp_min(1e-9)
        mean = (colors * ww).sum(2) / total
        variance = ((colors - mean[:, :, None]).square() * ww).sum(2).sum(0) / total
        return mean, variance

    near_c, near_v = side(is_near)
    far_c, far_v = side(is_far)
    own = take(image.flatten(1), index[:, 0] * w + index[:, 1])
    axis = near_c - far_c
    length2 = axis.square().sum(0)
    estimate = ((own - far_c) * axis).sum(0) / length2.clamp_min(1e-9)
    # The map says where the edge lies; maps are jagged, so a share of the neighbours softens its word.
    cross = (oy.abs() + ox.abs()) == 1
    hard = (1 - PRIOR_SPREAD) * own_is_near.float() + PRIOR_SPREAD * is_near[:, cross].float().mean(1)
    # Colour says by how much, and may overrule the map where it is sure.
    estimate = estimate.clamp(0, 1)
    confidence = length2 / (length2 + NOISE[0] * (near_v + far_v) + NOISE[1])
    confidence = ((confidence - SURE[0]) / SURE[1]).clamp(0, 1)
    alpha = hard + confidence * (estimate - hard)
    return alpha, near_c, far_c, near_r, far_r
