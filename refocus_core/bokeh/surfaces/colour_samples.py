"""To which side of a soft depth edge a pixel belongs by its colour, beside samples of both sides ("Optimized Color Sampling for
Robust Matting", Wang and Cohen, CVPR 2007, for the part of the samples)."""

from __future__ import annotations

import math

from torch import Tensor

from ...images import take, window_max, window_min

REACH_PX = 6
"""How far around a pixel samples are taken, at the scale whose bands are a few pixels wide."""

STRIDE_PX = 2
"""Distance of one sample from the next. A larger one is quicker, and misses what is thin."""

SPREAD_PX = 3.0
"""Standard deviation of the distance at which samples count. A larger one reaches over wider bands, and mixes surfaces."""

SAMPLE = 0.25
"""Coverage, or 1 - coverage, by the map up to which a pixel is a sample of that side; the less, the more it counts."""

ALIKE = 0.04
"""Standard deviation of display values within which a sample counts as alike."""

UNSEEN, UNSEEN_WEIGHT = 0.02, 0.5
"""Likeness to what no sample shows, and how many samples that is worth: a thin thing may have none of its own colour."""

LEAST_LIKENESS = 1e-3
"""Likeness that both sides have, so that where neither is alike the map decides."""

MIDDLE = 0.05
"""How much coverage by the map differs at least from 0 and 1, so that colour can overrule it."""


def side_by_colour(guide: Tensor, coverage: Tensor, at: Tensor) -> tuple[Tensor, Tensor]:
    """How likely pixels lie on the near side, by Bayes' rule from their colours and the map.

    Args:
        guide: [3,h,w] display values.
        coverage: [h,w] of the near side by the map, 0..1.
        at: [n] flat index of the pixels that are asked for.

    Returns:
        [n] probability of the near side, and [n] how sure that is, 0 (even) to 1.
    """
    _, h, w = guide.shape
    row, column = at // w, at % w
    colours, cover = guide.flatten(1), coverage.flatten()
    own = take(colours, at)
    near_alike, near_samples, far_alike, far_samples = sums = own.new_zeros(4, len(at))
    for dy in range(-REACH_PX, REACH_PX + 1, STRIDE_PX):
        for dx in range(-REACH_PX, REACH_PX + 1, STRIDE_PX):
            there = (row + dy).clamp_(0, h - 1).mul_(w).add_((column + dx).clamp_(0, w - 1))
            closeness = math.exp(-(dy * dy + dx * dx) / (2 * SPREAD_PX**2))
            difference2 = (take(colours, there) - own).square_().sum(0)
            alike = difference2.mul_(-1 / (2 * ALIKE**2)).exp_()
            covered = take(cover, there)
            for side_alike, side_samples, other in ((near_alike, near_samples, 1 - covered), (far_alike, far_samples, covered)):
                sample = other.div_(-SAMPLE).add_(1).clamp_min_(0).mul_(closeness)
                side_samples += sample
                side_alike.addcmul_(alike, sample)
    near_like, far_like = (
        (alike + UNSEEN * UNSEEN_WEIGHT) / (samples + UNSEEN_WEIGHT) + LEAST_LIKENESS for alike, samples in (sums[:2], sums[2:])
    )
    by_map = take(cover, at).clamp(MIDDLE, 1 - MIDDLE)
    near = near_like * by_map
    share = near / (near + far_like * (1 - by_map))
    return share, _sureness(share, near_like / (near_like + far_like), at, (h, w))


def _sureness(share: Tensor, by_colour: Tensor, at: Tensor, size: tuple[int, int]) -> Tensor:
    """[n] how far colour and map together, and colour alone, are from even; 0 beside a pixel of the other side.

    Where both sides are alike the map alone would say which, and may be off by more than its blur. Pixels that mix both sides lie
    between pixels of either, and are left to what the Laplacian makes of them.
    """
    side = share.new_zeros(size).flatten()
    side[at] = (share - 0.5).sign()
    side = side.view(size)
    agreed = (window_min(side, 1) >= 0) | (window_max(side, 1) <= 0)
    return ((2 * share - 1) * (2 * by_colour - 1)).abs_() * take(agreed.flatten(), at)
