"""Bloom: the veil of light around what is bright, scattered by glass, dust, a diffusion filter or the sensor's cover.

Of the light of every point the share `amount` is scattered. It falls off as a sum of normal distributions, one an octave, all of
the same light: between the narrowest and the widest about as 1/distance^2, which is how glare is found to fall off (Vos,
Disability glare, 1984; McCann and Rizzi, The Art and Science of HDR Imaging, 2012). Widths are shares of the long edge.

The picture goes on beyond its border as its mirror image. So all light that leaves it comes back: energy is kept to the last
pixel, and an even picture stays as it is. Both hold exactly, as cells of a coarser grid share a pixel's light by area, come back
by linear interpolation integrated over pixels (each the other's mirror of sums), and cosines diagonalise mirrored blurs.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..checks import check_image, check_map, check_number, match_batch, same_size
from ..color import linear_to_srgb, srgb_to_linear

NARROWEST, OCTAVES = 1 / 320, 6
"""Standard deviation of the narrowest part as a share of the long edge, and how many there are, each twice as wide."""

LEAST_DEVIATION_PX = 1.0
"""Standard deviation of any part at least, in px of the picture. Smaller ones would ring in small pictures."""

GRID_CELLS = 960
"""Cells along the long edge at most: three to the narrowest deviation. More are smoother and take longer, by the square."""

LEAST_COVERAGE = 1e-4
"""Alpha below which a pixel gives no light."""


@torch.no_grad()
def bloomed(image_srgb: Tensor, amount: float, alpha: Tensor | None = None) -> Tensor:
    """A picture with the light scattered that its lens scatters.

    Args:
        image_srgb: [B,3,H,W] sRGB; values above 1 are lights, and nothing is clamped.
        amount: 0..1 of all light is scattered. 0 returns the picture itself.
        alpha: [B,1,H,W] or [1,1,H,W] coverage in 0..1: colours count as much as they cover. It does not change.

    Returns:
        [B,3,H,W] sRGB.

    Raises:
        TypeError, ValueError: on wrong shapes or sizes, or an amount outside 0..1.
    """
    batch, _, h, w = check_image(image_srgb, "image").shape
    check_number(amount, "bloom")
    if not 0 <= amount <= 1:
        raise ValueError(f"bloom must lie in 0..1, got {amount}. 0 scatters none of the light, 1 all of it.")
    if amount == 0:
        return image_srgb
    coverage = None
    if alpha is not None:
        check_map(alpha[:, 0], "alpha")
        coverage = match_batch(same_size(alpha, h, w, "alpha"), batch, "alpha").to(image_srgb.device, torch.float32).clamp(0, 1)
    out = torch.empty_like(image_srgb)
    for b in range(batch):
        light = srgb_to_linear(image_srgb[b].float())
        if coverage is None:
            shown = torch.lerp(light, scattered(light), amount)
        else:
            a = coverage[b]
            seen = torch.cat([light * a, a])
            mixed = torch.lerp(seen, scattered(seen), amount)
            shown = torch.where(mixed[3:] > LEAST_COVERAGE, mixed[:3] / mixed[3:].clamp_min(LEAST_COVERAGE), light)
        out[b] = linear_to_srgb(shown).to(out)
    return out


def scattered(light: Tensor) -> Tensor:
    """[C,H,W] linear light, all of it scattered."""
    h, w = light.shape[-2:]
    long_edge = max(h, w)
    scale = max(1.0, long_edge / GRID_CELLS)
    rows, columns = (max(1, round(n / scale)) for n in (h, w))
    down, across = (_cosines(n, light) for n in (rows, columns))
    cells = _gathered(_gathered(light, columns).mT, rows).mT
    spectrum = down @ cells @ across.mT * _transmitted((h, w), (rows, columns), light)
    return _spread(_spread(down.mT @ spectrum @ across, w).mT, h).mT.contiguous()


def _cosines(n: int, like: Tensor) -> Tensor:
    """[n,n] the orthonormal cosine transform: row k is the k-th even wave of a mirrored axis."""
    k = torch.arange(n, dtype=torch.float64)
    waves = torch.cos(math.pi / n * k[:, None] * (k + 0.5)) * math.sqrt(2 / n)
    waves[0] /= math.sqrt(2)
    return waves.to(like)


def _transmitted(size: tuple[int, int], cells: tuple[int, int], like: Tensor) -> Tensor:
    """[rows,columns] what scattering leaves of every wave: the mean of normal distributions' spectra; 1 for the mean light."""
    total = torch.zeros(cells, dtype=torch.float64)
    for octave in range(OCTAVES):
        deviation_px = max(max(size) * NARROWEST * 2.0**octave, LEAST_DEVIATION_PX)
        one, other = (_spectrum(deviation_px, n, m) for n, m in zip(size, cells, strict=True))
        total += one[:, None] * other / OCTAVES
    return total.to(like)


def _spectrum(deviation_px: float, n: int, cells: int) -> Tensor:
    """[cells] of a normal distribution along an axis of n px, less what going to cells and back spreads by itself."""
    variance = deviation_px**2 - ((n / cells) ** 2 / 4 if cells < n else 0)  # a box of variance 1/12, a tent of 1/6
    return torch.exp(-0.5 * variance * (math.pi / n * torch.arange(cells, dtype=torch.float64)).square())


def _gathered(x: Tensor, cells: int) -> Tensor:
    """[...,cells] means of [...,n] over cells of equal length, a pixel counts by the part of it that lies in the cell."""
    n = x.shape[-1]
    if cells == n:
        return x
    edges = torch.arange(cells + 1, dtype=torch.float64) * n / cells
    pixel = edges[:-1].floor()[:, None] + torch.arange(math.ceil(n / cells) + 1)
    inside = torch.minimum(pixel + 1, edges[1:, None]) - torch.maximum(pixel, edges[:-1, None])
    return _weighted(x, pixel, inside.clamp_min(0) * cells / n)


def _spread(x: Tensor, n: int) -> Tensor:
    """[...,n] pixels' means of the linear interpolation between the middles of [...,cells]; even beyond the outer ones."""
    cells = x.shape[-1]
    if cells == n:
        return x
    left = torch.arange(n, dtype=torch.float64)[:, None] * cells / n - 0.5  # in cells, 0 is the middle of the first one
    cell = left.floor() + torch.arange(3)
    weight = (_tent_below(left + cells / n - cell) - _tent_below(left - cell)) * n / cells
    return _weighted(x, cell, weight)


def _tent_below(z: Tensor) -> Tensor:
    """Integral of the tent 1 - |z| over all below z."""
    z = z.clamp(-1, 1)
    return torch.where(z < 0, (1 + z).square() / 2, 1 - (1 - z).square() / 2)


def _weighted(x: Tensor, index: Tensor, weight: Tensor) -> Tensor:
    """[...,m] sums of [...,n] at an index [m,taps], held within 0..n-1, by weights of the same shape."""
    held = index.long().clamp_(0, x.shape[-1] - 1).to(x.device)
    total = torch.zeros(*x.shape[:-1], len(index), dtype=x.dtype, device=x.device)
    for tap in range(index.shape[1]):
        total += x.index_select(-1, held[:, tap]) * weight[:, tap].to(x)
    return total
