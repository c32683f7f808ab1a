"""Soft bins of like radius, placed where the picture has content."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

LINEAR_PX = 0.75
KNEE_PX = 5.0
RATIO = 1.2

_PX_AT_A_TIME = 1 << 20


def bin_position(radius_px: Tensor, step: float = 1.0) -> Tensor:
    """Signed bin coordinate of a radius: bins LINEAR_PX apart up to KNEE_PX, then growing by RATIO, all times `step`."""
    a = radius_px.abs()
    u = torch.where(a <= KNEE_PX, a / LINEAR_PX, KNEE_PX / LINEAR_PX + (a.clamp_min(KNEE_PX) / KNEE_PX).log() / math.log(RATIO))
    return u.copysign(radius_px) / step


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
    def of(cls, radius_px: Tensor, step: float = 1.0) -> Bins:
        """Bins for a radius map of any shape."""
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
        means = (nominal + offset / counts.clamp_min(1)).double().cpu()
        merged: list[list[float]] = []
        for i, count in enumerate(counts.tolist()):
            if count == 0:
                continue
            mean = 0.0 if i + low == 0 else float(means[i])
            u = float(bin_position(torch.tensor(mean), step))
            if merged and u - merged[-1][1] < 0.5 and merged[-1][0] != 0 and mean != 0:
                both = merged[-1][2] + count
                mean = (merged[-1][0] * merged[-1][2] + mean * count) / both
                merged[-1] = [mean, float(bin_position(torch.tensor(mean), step)), both]
                continue
            merged.append([mean, u, float(count)])
        return cls(tuple(m[0] for m in merged), tuple(m[1] for m in merged), step)

    def place(self, radius_px: Tensor) -> Tensor:
        """Between which bins a radius lies: 2.25 is a share of 0.75 in bin 2 and of 0.25 in bin 3.

        Linear between neighbouring bins; in a gap, where nothing lies, whichever bin is nearer.
        """
        u = bin_position(radius_px, self.step)
        p = torch.tensor(self.positions, device=u.device, dtype=u.dtype)
        if len(p) == 1:
            return torch.zeros_like(u)
        lower = (torch.bucketize(u, p, out_int32=True, right=True) - 1).clamp_(0, len(p) - 2)
        gap = p.diff()
        share = ((u - p[lower]) / gap.clamp_min(1e-9)[lower]).clamp_(0, 1)
        return torch.where(gap[lower] > 2.0, share.round(), share).add_(lower)

    @staticmethod
    def share(place: Tensor, i: int) -> Tensor:
        """How much of the content at a `place` is in bin i."""
        return (place - i).abs_().neg_().add_(1).clamp_min_(0)


def _radius_of(u: Tensor) -> Tensor:
    """Inverse of `bin_position` at step 1."""
    a = u.abs().float()
    knee = KNEE_PX / LINEAR_PX
    r = torch.where(a <= knee, a * LINEAR_PX, KNEE_PX * torch.exp((a - knee).clamp_min(0) * math.log(RATIO)))
    return r * u.sign()
