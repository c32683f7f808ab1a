"""Radii sorted into bins: each bin is solved by one blur, and the results are blended by radius.

tent weight of a bin     /\\      1 at its own radius, 0 at its neighbours', over the logarithm of the radius:
                        /  \\     the weights of all bins sum to 1
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ...optics import SHARP_RADIUS_PX

FIRST_RADIUS_PX = 0.75
"""Radius of the first bin; from `SHARP_RADIUS_PX` up to it the result fades in. A larger one changes less of what is
nearly sharp."""
BIN_RATIO = 1.25
"""Radii of neighbouring bins. Finer bins measure no better: each is solved at the mean radius of its pixels."""
MERGE_RATIO = 1.04
"""Neighbouring bins whose pixels have mean radii closer than this are solved as one. A larger one saves time and is
less exact."""
LEAST_PX = 1e-6
"""Radii are raised to this before their logarithm is taken."""


@dataclass(frozen=True)
class Bin:
    """Radii solved as one. The tent weight is 1 between `full_from_px` and `full_to_px`, 0 outside `above_px` and `below_px`.

    Attributes:
        side: +1 behind the focal plane, -1 in front of it, 0 both.
        radius_px: mean radius of the frame's pixels in the bin, by weight.
        total: sum of the weights.
    """

    above_px: float
    full_from_px: float
    full_to_px: float
    below_px: float
    side: int
    radius_px: float = 0.0
    total: float = 0.0

    @property
    def signed_radius_px(self) -> float:
        """The blur that is undone: in front of the focal plane the aperture appears point-mirrored."""
        return -self.radius_px if self.side < 0 else self.radius_px


def tent_weight(radius: Tensor, bin_: Bin) -> Tensor:
    """[h,w] in 0..1, how much of the result comes from this bin, by signed radius [h,w]."""
    size = radius.abs().clamp_min(LEAST_PX)
    up = (size / bin_.above_px).log() / math.log(bin_.full_from_px / bin_.above_px)
    down = (bin_.below_px / size).log() / math.log(bin_.below_px / bin_.full_to_px)
    weight = torch.minimum(up, down).clamp(0, 1)
    return weight if bin_.side == 0 else weight * (radius * bin_.side > 0)


def used_bins(radius: Tensor, mirrored: bool) -> list[Bin]:
    """The bins that a frame [H,W] needs; neighbours whose pixels are of nearly the same radius are merged.

    Args:
        mirrored: whether the aperture differs from its point mirror, so that front and back are solved apart.
    """
    largest = float(radius.abs().max())
    if largest <= SHARP_RADIUS_PX:
        return []
    used: list[Bin] = []
    for side in (1, -1) if mirrored else (0,):
        adjacent = False
        for above, full, below in _scale(largest):
            bin_ = _measured(Bin(above, full, full, below, side), radius)
            if bin_ is None:
                adjacent = False
                continue
            if adjacent and bin_.radius_px < used[-1].radius_px * MERGE_RATIO:
                bin_ = _merged(used.pop(), bin_)
            used.append(bin_)
            adjacent = True
    return used


def _scale(largest_px: float) -> list[tuple[float, float, float]]:
    """(where its weight starts, where it is full, where it ends), on one fixed scale so that no frame depends on another."""
    count = max(math.ceil(math.log(max(largest_px, FIRST_RADIUS_PX) / FIRST_RADIUS_PX) / math.log(BIN_RATIO)), 0) + 1
    radii = [SHARP_RADIUS_PX, *(FIRST_RADIUS_PX * BIN_RATIO**i for i in range(count + 1))]
    return list(zip(radii, radii[1:], radii[2:], strict=False))


def _measured(bin_: Bin, radius: Tensor) -> Bin | None:
    """The bin with what the frame has in it; None if that is nothing."""
    weight = tent_weight(radius, bin_)
    total = _sum(weight)
    if total == 0:
        return None
    mean = _sum(weight.mul_(radius.abs())) / total
    return replace(bin_, radius_px=mean, total=total)


def _sum(values: Tensor) -> float:
    """Of [h,w], row by row, then in float64 on the CPU: some devices have none."""
    return float(values.sum(-1).cpu().double().sum())


def _merged(lower: Bin, upper: Bin) -> Bin:
    """Two neighbours as one, whose weight is full from the one's radius to the other's."""
    total = upper.total + lower.total
    mean = (lower.radius_px * lower.total + upper.radius_px * upper.total) / total
    return replace(upper, above_px=lower.above_px, full_from_px=lower.full_from_px, radius_px=mean, total=total)
