"""Point-spread functions on the pixel grid. Foundation module: the rooms that blur and the rooms that deblur share it.

A pixel collects the light that falls on its square, so a point-spread function is integrated over each pixel (box filter),
never sampled at its centre: the sum is exact and the kernel changes smoothly with the radius, down to radius 0.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .checks import check_map


def size_px(radius_px: float) -> int:
    """Odd side m of the smallest pixel grid, centred on a pixel, that holds a blur of this (signed) radius in px.

    Raises:
        ValueError: if the radius is not finite.
    """
    if not math.isfinite(radius_px):
        raise ValueError(f"radius_px must be a finite number, got {radius_px}.")
    return 2 * max(math.ceil(abs(radius_px) - 0.5), 0) + 1


def _overlap(n: int, m: int, radius_px: float) -> Tensor:
    """[m,n] float64: which fraction of source cell i (n of them across [-r,r]) falls on pixel j (m of them around 0)."""
    cells = torch.linspace(-radius_px, radius_px, n + 1, dtype=torch.float64)
    edges = torch.arange(m + 1, dtype=torch.float64) - m / 2
    left = torch.maximum(edges[:-1, None], cells[None, :-1])
    right = torch.minimum(edges[1:, None], cells[None, 1:])
    return (right - left).clamp_min(0) / (2 * radius_px / n)


def rasterize(kernel_raster: Tensor, radius_px: float) -> Tensor:
    """The blur of radius `radius_px` that an aperture makes, integrated over each pixel.

    Every cell of the raster is a square of constant transmission. The area it shares with each pixel is separable, so two
    interval-overlap matrices give the exact result for any radius, also far below one pixel and far above the raster's size.

    Args:
        kernel_raster: [C,n,n] transmission over [-1,1]^2, row 0 up; the optical axis is its centre (see `types.Kernel`).
        radius_px: half the side of that square in px. > 0: upright; < 0: point-mirrored; 0: a single 1.

    Returns:
        [C,m,m] in the dtype of `kernel_raster`, m odd (`size_px`), the optical axis in the middle pixel, each channel with the
        same sum as the channel of `kernel_raster` (1 for a `Kernel`). It is the picture of a point light: an image is blurred
        by convolution with it, or by correlation with its point mirror (`flip(-2, -1)`).

    Raises:
        TypeError, ValueError: if the raster is not a finite floating-point [C,n,n] tensor, or the radius is not finite.
    """
    check_map(kernel_raster, "kernel_raster")
    if kernel_raster.shape[1] != kernel_raster.shape[2]:
        raise ValueError(f"kernel_raster must have the shape [C,n,n], got {list(kernel_raster.shape)}.")
    m = size_px(radius_px)
    if m == 1:  # the whole blur lies within the middle pixel
        return kernel_raster.sum((1, 2), keepdim=True)
    raster = kernel_raster.flip(-2, -1) if radius_px < 0 else kernel_raster
    # float64 on the CPU (some devices have none): the matrices are small, and the sum stays exact to float32.
    weights = _overlap(raster.shape[-1], m, abs(radius_px))
    kernel = weights @ raster.detach().cpu().double() @ weights.T
    return kernel.to(kernel_raster)


def disc(radius_px: float) -> Tensor:
    """A uniform disc of this radius with exact pixel coverage: [1,m,m] float32, sum 1, m odd, centred; radius 0 is a single 1.

    The coverage is the area that circle and pixel share, from the integral of the chord `sqrt(r^2 - x^2)`.

    Raises:
        ValueError: if the radius is not finite.
    """
    m = size_px(radius_px)
    if m == 1:
        return torch.ones(1, 1, 1)
    r = abs(radius_px)
    edges = torch.arange(m + 1, dtype=torch.float64) - m / 2
    quadrant = _quadrant_area(edges.abs()[None, :], edges.abs()[:, None], r) * edges.sign()[None, :] * edges.sign()[:, None]
    area = quadrant[1:, 1:] - quadrant[:-1, 1:] - quadrant[1:, :-1] + quadrant[:-1, :-1]
    area = torch.where(area > 1e-12, area, torch.zeros_like(area))  # rounding of the differences, not coverage
    return (area / area.sum())[None].float()


def _quadrant_area(x: Tensor, y: Tensor, r: float) -> Tensor:
    """Area shared by the disc of radius r around 0 and the rectangle [0,x] x [0,y], for x, y >= 0."""
    x, y = x.clamp_max(r), y.clamp_max(r)

    def chord_integral(t: Tensor) -> Tensor:  # integral of sqrt(r^2 - t^2) from 0 to t
        return 0.5 * (t * (r * r - t * t).clamp_min(0).sqrt() + r * r * (t / r).asin())

    corner = torch.minimum((r * r - y * y).clamp_min(0).sqrt(), x)  # up to here the rectangle's top lies inside the disc
    return corner * y + chord_integral(x) - chord_integral(corner)
