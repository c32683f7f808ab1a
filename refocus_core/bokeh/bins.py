"""Soft bins of like radius, placed where the picture has content."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

LINEAR_PX = 0.75
"""Spacing of bins of small radius at step 1. A larger one blurs fewer times, but bins that share a radius show a rim."""

KNEE_PX = 5.0
"""Radius from which on the spacing grows with the radius, by RATIO from one bin to the next."""

RATIO = 1.2
"""Radius of a bin beyond KNEE_PX over the one before. A larger one blurs fewer times and draws large discs less exactly."""

LIGHT_STEP = 0.25
"""Lights within this of one another, in bins at step 1, share a bin of their own. A larger one spares bins and shows rims."""

MOST_LIGHTS = 12
"""Most bins for lights. Each costs one more blur of the picture; beyond these the faintest lights show a rim."""

NEAR_LIGHT = 0.35
"""How near to a light's bin, in bins, another bin may lie; nearer ones give way to it."""

MERGE_BELOW = 0.5
"""Bins whose mean radii lie closer than this, in bins, become one. A larger one blurs fewer times, less exactly."""

EMPTY_GAP = 2.0
"""Bins so far apart, in bin coordinates, share nothing: whatever lies between them belongs to the nearer one."""

STEP_SLOPE = 1e12
"""Slope of a ramp that is a step."""

_PX_AT_A_TIME = 1 << 20
"""Pixels that are counted at a time; bounds memory."""


def bin_position(radius_px: Tensor, step: float = 1.0) -> Tensor:
    """Signed bin coordinate of a radius: bins LINEAR_PX apart up to KNEE_PX, then growing by RATIO, all times `step`."""
    a = radius_px.abs()
    u = torch.where(a <= KNEE_PX, a / LINEAR_PX, KNEE_PX / LINEAR_PX + (a.clamp_min(KNEE_PX) / KNEE_PX).log() / math.log(RATIO))
    return u.copysign(radius_px) / step


def square(radius_px: Tensor) -> Tensor:
    """The square of a radius with its sign."""
    return radius_px * radius_px.abs()


@dataclass(frozen=True)
class Bins:
    """Bin centres, nearest first.

    Attributes:
        centres: signed radius of each bin in px: the mean radius of its content, so that a plane that faces the camera
            is blurred by its exact radius. Content at focus has a bin at exactly 0.
        positions: the same as bin coordinates.
        step: what the coordinates are divided by.
    """

    centres: tuple[float, ...]
    positions: tuple[float, ...]
    step: float = 1.0

    @classmethod
    def of(cls, radius_px: Tensor, step: float = 1.0, lights: tuple[Tensor, Tensor] | None = None) -> Bins:
        """Bins for a radius map of any shape.

        Args:
            lights: [n] radius and [n] strength of small lights (see `highlights.lights`): the strongest get bins of their own,
                because a disc that two bins share has a rim.
        """
        r = radius_px.flatten()
        low, high = (int(bin_position(x, step).round()) for x in torch.aminmax(r))
        nominal = _radius_of(torch.arange(low, high + 1, device=r.device) * step)
        counts = torch.zeros(len(nominal), dtype=torch.long, device=r.device)
        offset = torch.zeros(len(nominal), device=r.device)
        for part in r.split(_PX_AT_A_TIME):
            index = bin_position(part, step).round().long() - low
            counts += torch.bincount(index, minlength=len(nominal))
            # Means relative to a value of each bin: float32 sums of millions of equal radii would drift.
            offset.index_add_(0, index, part - nominal[index])
        means = (nominal + offset / counts.clamp_min(1)).cpu().double()
        centres = _merged([0.0 if i + low == 0 else float(mean) for i, mean in enumerate(means)], counts.tolist(), step)
        if lights is not None:
            centres = _with_lights(centres, *lights, step)
        return cls(tuple(centres), tuple(_position(c, step) for c in centres), step)

    @property
    def ramps(self) -> tuple[tuple[float, float], ...]:
        """(start, slope) for every pair of neighbours: the farther one's share is `slope * (square(radius) - start)`.

        Shared by the square of the radius, because the variance of a blur goes with it: two bins together blur as widely as the
        radius between them says.
        """
        out: list[tuple[float, float]] = []
        for (u0, r0), (u1, r1) in pairwise(zip(self.positions, self.centres, strict=True)):
            if u1 - u0 > EMPTY_GAP:
                middle = 0.5 * (r0 + r1)
                out.append((middle * abs(middle), STEP_SLOPE))
            else:
                out.append((r0 * abs(r0), 1 / (r1 * abs(r1) - r0 * abs(r0))))
        return tuple(out)

    def coordinate(self, radius_px: Tensor) -> Tensor:
        """Bin coordinate: between which bins a radius lies. 2.25 is a share of 0.75 in bin 2 and of 0.25 in bin 3.

        See `ramps`; in a gap, where nothing lies, it is whichever bin is nearer.
        """
        if len(self.centres) == 1:
            return torch.zeros_like(radius_px)
        starts, slopes = (torch.tensor(t, device=radius_px.device, dtype=radius_px.dtype) for t in zip(*self.ramps, strict=True))
        centres = torch.tensor(self.centres[1:-1], device=radius_px.device, dtype=radius_px.dtype)
        lower = torch.bucketize(radius_px, centres, out_int32=True, right=True)
        start, slope = (t.index_select(0, lower.flatten()).view_as(radius_px) for t in (starts, slopes))
        return square(radius_px).sub_(start).mul_(slope).clamp_(0, 1).add_(lower)

    @staticmethod
    def tent_weight(coordinate: Tensor, i: int) -> Tensor:
        """Share 0..1 of bin i in what lies at bin coordinates of any shape."""
        return (coordinate - i).abs_().neg_().add_(1).clamp_min_(0)


def _position(radius_px: float, step: float) -> float:
    return float(bin_position(torch.tensor(radius_px), step))


def _merged(means: list[float], counts: list[float], step: float) -> list[float]:
    """Mean radii of bins that hold something, those of one side of the focus that lie close together as one."""
    merged: list[tuple[float, float, float]] = []  # mean, position, count
    for mean, count in zip(means, counts, strict=True):
        if count == 0:
            continue
        position = _position(mean, step)
        if merged:
            last_mean, last_position, last_count = merged[-1]
            if position - last_position < MERGE_BELOW and last_mean != 0 and mean != 0:
                both = last_count + count
                mean = (last_mean * last_count + mean * count) / both
                merged[-1] = (mean, _position(mean, step), both)
                continue
        merged.append((mean, position, float(count)))
    return [mean for mean, *_ in merged]


def _radius_of(u: Tensor) -> Tensor:
    """Inverse of `bin_position` at step 1."""
    a = u.abs().float()
    knee = KNEE_PX / LINEAR_PX
    r = torch.where(a <= knee, a * LINEAR_PX, KNEE_PX * torch.exp((a - knee).clamp_min(0) * math.log(RATIO)))
    return r * u.sign()


def _with_lights(centres: list[float], radius: Tensor, strength: Tensor, step: float) -> list[float]:
    """Bin centres with those of lights added; they take the place of what lies close by."""
    radius, strength = radius.cpu().double(), strength.cpu().double()
    blurred = radius.abs() > KNEE_PX  # smaller discs hide their rim
    if not bool(blurred.any()):
        return centres
    radius, strength = radius[blurred], strength[blurred]
    cell = (bin_position(radius) / LIGHT_STEP).round().long()
    cell -= cell.min()
    total = torch.bincount(cell, strength)
    mean = torch.bincount(cell, strength * radius) / total
    strongest = mean[total.topk(min(MOST_LIGHTS, int((total > 0).sum()))).indices]
    others = torch.tensor(centres, dtype=torch.float64)
    distance = (bin_position(others, step)[:, None] - bin_position(strongest, step)).abs().amin(1)
    return torch.cat([others[distance > NEAR_LIGHT], strongest]).sort().values.tolist()
