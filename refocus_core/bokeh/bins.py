"""Soft bins of like radius, placed where the picture has content."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

LINEAR_PX = 0.75
KNEE_PX = 5.0
RATIO = 1.15


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
    """

    centres: tuple[float, ...]
    positions: tuple[float, ...]

    @classmethod
    def of(cls, radius_px: Tensor, step: float = 1.0) -> Bins:
        """Bins for a radius map of any shape."""
        r = radius_px.flatten()
        index = bin_position(r, step).round().long()
        low = int(index.min())
        counts = torch.bincount(index - low)
        # Means relative to a value of each bin: float32 sums of millions of equal radii would drift.
        nominal = _radius_of(torch.arange(low, low + len(counts), device=r.device) * step)
        offset = torch.zeros(len(counts), device=r.device).index_add_(0, index - low, r - nominal[index - low])
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
        return cls(tuple(m[0] for m in merged), tuple(m[1] for m in merged))

    def share(self, u: Tensor, i: int) -> Tensor:
        """How much of content at bin coordinate `u` goes to bin i; the shares of all bins sum to 1."""
        p = self.positions
        out = torch.ones_like(u)
        if i > 0:
            out = _ramp(u, p[i - 1], p[i])
        if i + 1 < len(p):
            falling = 1 - _ramp(u, p[i], p[i + 1])
            out = torch.minimum(out, falling)
        return out

    def occupied(self, u: Tensor) -> Tensor:
        """[bins] bool: which bins get a share of content at the coordinates `u`."""
        edges = torch.tensor(self.positions, device=u.device, dtype=u.dtype)
        right = torch.bucketize(u.reshape(-1), edges)  # content lies between right-1 and right
        count = torch.bincount(right, minlength=len(edges) + 1)
        inside = count > 0
        return inside[:-1] | inside[1:]


def _ramp(u: Tensor, a: float, b: float) -> Tensor:
    """0 at a, 1 at b; linear between neighbouring bins, a step in the middle of a gap (nothing lies there)."""
    if b - a > 2.0:
        return (u > 0.5 * (a + b)).to(u.dtype)
    return ((u - a) / max(b - a, 1e-9)).clamp(0, 1)


def _radius_of(u: Tensor) -> Tensor:
    """Inverse of `bin_position` at step 1."""
    a = u.abs().float()
    knee = KNEE_PX / LINEAR_PX
    r = torch.where(a <= knee, a * LINEAR_PX, KNEE_PX * torch.exp((a - knee).clamp_min(0) * math.log(RATIO)))
    return r * u.sign()
