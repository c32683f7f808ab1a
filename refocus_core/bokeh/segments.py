"""The aperture cut into segments that are composited each by itself."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ..types import Kernel

DARK = 1e-6
"""Share of an aperture's light up to which a segment counts as dark."""


@dataclass(frozen=True, eq=False)
class ApertureSegment:
    """A part of the aperture: [C,n,n] raster, its share of the light [C], and the raster in front of the focus if it differs."""

    raster: Tensor
    weight: Tensor
    near: Tensor | None = None

    def side(self, radius_px: float) -> Tensor:
        """The raster [C,n,n] of a signed radius, upright."""
        return self.near if self.near is not None and radius_px < 0 else self.raster

    def to(self, device: torch.device | str) -> ApertureSegment:
        """The same on another device."""
        near = None if self.near is None else self.near.to(device)
        return ApertureSegment(self.raster.to(device), self.weight.to(device), near)


def cut_aperture(kernel: Kernel, count: int) -> list[ApertureSegment]:
    """Cut the aperture into `count` segments: a square grid if that is a square number, else sectors.

    Those that pass no light are left out. A coloured aperture of which a segment is dark in one channel only is not cut. Where
    the aperture in front of the focus differs, its segments hold the same shares of the light: rays that pass one part of the
    lens are spread differently, not lost.
    """
    raster = kernel.raster
    whole = ApertureSegment(raster, raster.sum((1, 2)), kernel.near)
    parts = raster * _masks(raster.shape[-1], count, raster.device)
    weights = parts.sum((2, 3))  # [count,C]
    lit = weights > DARK
    if bool((lit.any(1) & ~lit.all(1)).any()) or not bool(lit.any()):
        return [whole]
    kept = lit.all(1).nonzero().flatten().tolist()
    total = weights[kept].sum(0)
    nears = [None] * count if kernel.near is None else list(_like(kernel.near, weights * lit, grid=_is_grid(count)))
    return [ApertureSegment(parts[i], weights[i] / total * whole.weight, _scaled(nears[i], weights[i], total)) for i in kept]


def cut_raster(raster: Tensor, count: int) -> Tensor:
    """[count,C,n,n] all segments of an aperture [C,n,n], dark ones too."""
    return raster * _masks(raster.shape[-1], count, raster.device)


def cut_alike(near: Tensor, behind: Tensor) -> Tensor:
    """[count,C,n,n] segments of the aperture in front of the focus [C,n,n], with the light of those behind it [count,C,n,n]."""
    return _like(near, behind.sum((2, 3)), grid=_is_grid(len(behind))).to(near)


def _is_grid(count: int) -> bool:
    return math.isqrt(count) ** 2 == count


def _masks(n: int, count: int, device: torch.device) -> Tensor:
    """[count,1,n,n] bool: the cells of each segment."""
    if _is_grid(count):
        side = math.isqrt(count)
        line = ((torch.arange(n, device=device) + 0.5) / n * side).long()
        index = line[:, None] * side + line[None]
    else:
        index = (_turn(n, device) * count).long().clamp_max(count - 1)
    return (index == torch.arange(count, device=device).view(-1, 1, 1))[:, None]


def _scaled(near: Tensor | None, weight: Tensor, total: Tensor) -> Tensor | None:
    """A part of the near aperture with the light of its segment: the rasters of a segment are divided by one weight."""
    if near is None:
        return None
    return near * (weight / total / near.sum((1, 2)).clamp_min(DARK)).view(-1, 1, 1)


def _turn(n: int, device: torch.device) -> Tensor:
    """[n,n] direction of every cell as a share 0..1 of a full turn."""
    cell = (torch.arange(n, device=device) + 0.5) / n
    return torch.atan2(cell[:, None] - 0.5, cell[None] - 0.5) / (2 * math.pi) + 0.5


def _like(near: Tensor, weights: Tensor, *, grid: bool) -> Tensor:
    """[count,C,n,n] the near aperture in parts that hold the light `weights` [count,C]: sectors, or rows of rectangles."""
    n = near.shape[-1]
    columns = torch.arange(n, device=near.device, dtype=near.dtype).expand(n, n)
    out: list[Tensor] = []
    for raster, share in zip(near, weights.T, strict=True):
        if not grid:
            out.append(_split(raster, _turn(n, near.device), share))
            continue
        rows = share.view(math.isqrt(len(share)), -1)
        bands = _split(raster, columns.T, rows.sum(1))
        out.append(torch.cat([_split(band, columns, row) for band, row in zip(bands, rows, strict=True)]))
    return torch.stack(out, 1)


def _split(raster: Tensor, order: Tensor, shares: Tensor) -> Tensor:
    """[parts,n,n]: a raster [n,n] in parts by rising `order` [n,n], with light in proportion to `shares`; cells are divided."""
    by = order.flatten().argsort(stable=True)
    light = raster.flatten()[by].cpu().double()  # float64 on the CPU: sums of many small numbers, and some devices have none
    end = light.cumsum(0)
    limits = torch.cat([shares.new_zeros(1), shares]).cpu().double().cumsum(0)
    limits = limits / limits[-1].clamp_min(DARK) * end[-1]
    inside = torch.minimum(end, limits[1:, None]) - torch.maximum(end - light, limits[:-1, None])
    parts = torch.zeros_like(inside).index_copy_(1, by.cpu(), inside.clamp_min(0))
    return parts.view(-1, *raster.shape).to(raster)
