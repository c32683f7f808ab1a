"""Windows of layers for tests of the engines: what a picture is cut into, made up."""

from __future__ import annotations

import torch
from torch import Tensor

from refocus_core import bokeh
from refocus_core.bokeh.surfaces.layers import Layers
from refocus_core.types import Kernel


def texture(h: int, w: int, seed: int) -> Tensor:
    """[3,H,W] noise."""
    return torch.rand(3, h, w, generator=torch.Generator().manual_seed(seed))


def unit_grid(h: int, w: int) -> tuple[Tensor, Tensor]:
    """Rows and columns [H,W] in 0..1."""
    y, x = torch.meshgrid(torch.linspace(0, 1, h), torch.linspace(0, 1, w), indexing="ij")
    return y, x


def layered(h: int, w: int, low: float, high: float, *, plate: bool = False, hdr: bool = False) -> Layers:
    """A slope of radii with a near disc and a focused bar, and a second surface behind the disc, or everywhere (`plate`)."""
    y, x = unit_grid(h, w)
    radius = low + (high - low) * (0.8 * x + 0.2 * y)
    radius = torch.where((x - 0.5).square() + (y - 0.45).square() < 0.06, torch.tensor(low), radius)
    radius = torch.where((x - 0.7).abs() < 0.06, torch.tensor(0.0), radius)
    image = texture(h, w, 1)
    if hdr:
        image[:, h // 2, w // 2] = 1e4
        image[0, h // 3, w // 3] = 1e4
    alpha = torch.where(((x - 0.5).square() + (y - 0.45).square() - 0.06).abs() < 0.02, 0.6 + 0.4 * image[2].clamp_max(1), 1.0)
    background = torch.ones(h, w) if plate else ((x - 0.5).square() + (y - 0.45).square() < 0.09).float()
    alpha = torch.where(background > 0, alpha, torch.ones(()))
    back_radius = torch.where(background > 0, 0.3 * radius + 0.7 * high, radius)
    back = torch.cat([texture(h, w, 2), torch.ones(1, h, w)]) * background
    return Layers(torch.cat([image * alpha, alpha[None]]), radius, back, back_radius, (background > 0) & (radius == low))


def one_surface(front: Tensor, radius: Tensor) -> Layers:
    """Layers of [3,H,W] with radius [H,W] and nothing behind."""
    front = torch.cat([front, torch.ones_like(front[:1])])
    return Layers(front, radius, torch.zeros_like(front), radius, torch.zeros_like(radius, dtype=torch.bool))


def coloured_aperture() -> Kernel:
    """Another shape for each colour, none of them flat."""
    raster = torch.rand(3, 12, 12, generator=torch.Generator().manual_seed(3))
    raster[0, :, :5] = 0
    raster[1, :4] = 0
    return bokeh.kernel_from_image(raster)


def off_axis_aperture() -> Kernel:
    """A rectangle beside the optical axis."""
    raster = torch.zeros(16, 16)
    raster[2:8, 7:15] = 1
    return bokeh.kernel_from_image(raster)
