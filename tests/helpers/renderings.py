"""Pictures, radii and renderings for tests of the renderer."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from refocus_core import bokeh
from refocus_core.types import DefocusMap, Kernel

QUALITIES = list(bokeh.QUALITIES)
CHEAP = ["draft", "normal"]


def radius_map(radius: Tensor) -> DefocusMap:
    """Signed radii as a defocus map."""
    return DefocusMap.from_radius(radius)


def render(image: Tensor, radius: Tensor, *args: object, **options: object) -> Tensor:
    return bokeh.render(image, radius_map(radius), *args, **options)  # pyright: ignore[reportArgumentType]


def noise(h: int, w: int, seed: int = 0, batch: int = 1) -> Tensor:
    """Smooth coloured texture."""
    g = torch.Generator().manual_seed(seed)
    coarse = torch.rand(batch, 3, h // 4 + 2, w // 4 + 2, generator=g)
    return F.interpolate(coarse, (h, w), mode="bilinear", align_corners=False)


def impulse(n: int, value: float = 100.0) -> Tensor:
    image = torch.zeros(1, 3, n, n)
    image[..., n // 2, n // 2] = value
    return image


def centroid(picture: Tensor) -> tuple[float, float]:
    """(x, y) of [n,n] from the middle pixel, px."""
    p = picture.double()
    c = torch.arange(p.shape[-1]).double() - p.shape[-1] // 2
    return float((p.sum(0) * c).sum() / p.sum()), float((p.sum(1) * c).sum() / p.sum())


def iou(a: Tensor, b: Tensor) -> float:
    """Overlap of the lit areas, threshold half the mean of the brightest."""
    level = 0.5 * float(b.max())
    return float(((a > level) & (b > level)).sum() / ((a > level) | (b > level)).sum())


def mixed_radii(h: int, w: int) -> Tensor:
    """Both signs, slopes, and jumps."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, h), torch.linspace(-1, 1, w), indexing="ij")
    r = 9 * x + 3 * y
    r = torch.where((x + 0.3).square() + y.square() < 0.15, torch.tensor(-11.0), r)
    return torch.where((x - 0.4).abs() + (y - 0.2).abs() < 0.3, torch.tensor(0.0), r)[None]


OFF_AXIS = torch.zeros(32, 32)
OFF_AXIS[4:14, 18:30] = 1


def named_kernel(name: str) -> Kernel:
    """A named shape, or "off axis"."""
    return bokeh.kernel_from_image(OFF_AXIS) if name == "off axis" else bokeh.make_kernel(name)
