"""Pixels beside a depth edge show both of its sides: how much of each, and of which colour."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...images import neighbour_pairs, take, window_indices
from ...progress import counted, silent
from ...types import Progress
from ..parallel import WINDOWS_AT_A_TIME, side_by_side
from .hidden import sampled
from .layers import JUMP_PX
from .matting import EdgeMatte

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


MOSTLY = 0.5
"""Share of a mixed pixel from which on one side holds most of it, and what is left of the pixel's colour."""

PURE = 0.01
"""Coverage up to which a pixel of a matte shows one side alone."""


@dataclass(frozen=True, eq=False)
class Mixed:
    """Pixels that show both sides of an edge.

    Attributes:
        at: [n] flat index; alpha: [n] share of the near side.
        near, far: [3,n] colour of the near side, premultiplied by alpha, and of the far side.
        near_depth, far_depth: [n].
    """

    at: Tensor
    alpha: Tensor
    near: Tensor
    far: Tensor
    near_depth: Tensor
    far_depth: Tensor

    def where(self, mask: Tensor) -> Mixed:
        """Those of them for which `mask` [n] is true."""
        return Mixed(*(t[..., mask] for t in self._fields()))

    def and_also(self, other: Mixed) -> Mixed:
        """Both lists."""
        return Mixed(*(torch.cat(pair, -1) for pair in zip(self._fields(), other._fields(), strict=True)))

    def _fields(self) -> list[Tensor]:
        return [self.at, self.alpha, self.near, self.far, self.near_depth, self.far_depth]


def unmix(image: Tensor, radius: Tensor, besides: Tensor | None = None, progress: Progress = silent) -> Mixed:
    """Split pixels beside a jump into near and far side, by the colours of the pixels around them.

    Args:
        image: [3,H,W] linear; radius: [H,W].
        besides: [H,W] bool, pixels that are left out.
        progress: called after each few thousand pixels.
    """
    beside = torch.zeros_like(radius, dtype=torch.bool)
    for here, there in neighbour_pairs():
        beside[here] |= (radius[there] - radius[here]).abs() > JUMP_PX
    index = (beside if besides is None else beside & ~besides).nonzero()
    tasks = index.split(WINDOWS_AT_A_TIME)
    split = side_by_side(lambda p: _unmixed(image, radius, beside, p), tasks, radius.device)
    parts = list(counted(split, len(tasks), progress))
    alpha, near_c, far_c, near_d, far_d = (torch.cat(t, -1) for t in zip(*parts, strict=True))
    at = index[:, 0] * radius.shape[1] + index[:, 1]
    own = take(image.flatten(1), at)
    mostly_far = alpha < MOSTLY
    # What is left of the pixel for the side that holds most of it; a misjudged share must not make it brighter than both.
    near_left = (own - (1 - alpha) * far_c).clamp_min(0).minimum(alpha * torch.maximum(own, near_c))
    far_left = ((own - alpha * near_c) / (1 - alpha).clamp_min(MOSTLY)).clamp_min(0).minimum(torch.maximum(own, far_c))
    near, far = torch.where(mostly_far, alpha * near_c, near_left), torch.where(mostly_far, far_left, far_c)
    return Mixed(at, alpha, near, far, near_d, far_d)


def unmix_matte(image: Tensor, matte: EdgeMatte) -> Mixed:
    """Split the pixels of a matte: both colours spread from where a side shows alone, so changed that their mixture is the photo.

    Of all such pairs that is the one next to the spread colours (least squares).

    Args:
        image: [3,H,W] linear.
    """
    shown = matte.band & (matte.coverage > PURE) & (matte.coverage < 1 - PURE) & (matte.far - matte.near > JUMP_PX)
    at = shown.flatten().nonzero()[:, 0]
    alpha, near_d, far_d = (take(t.flatten(), at) for t in (matte.coverage, matte.near, matte.far))
    near_c, far_c = (
        sampled(colors, at // image.shape[-1], at % image.shape[-1]) for colors in (matte.near_color, matte.far_color)
    )
    own = take(image.flatten(1), at)
    missing = (own - alpha * near_c - (1 - alpha) * far_c) / (alpha.square() + (1 - alpha).square())
    near = alpha * (near_c + alpha * missing).clamp_min(0)
    far = (far_c + (1 - alpha) * missing).clamp_min(0)
    return Mixed(at, alpha, near, far, near_d, far_d)


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
