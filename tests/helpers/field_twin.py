"""The slow, obvious twin of an aperture that changes over the picture: at each pixel, the rays through its own pupil, one by one.

Rays are followed from the pupil to the picture (the renderer looks back from the picture to the pupil), and nothing is blended.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from refocus_core.bokeh.field import MOST_COMA, MOST_SWIRL
from refocus_core.types import PupilField


@dataclass(frozen=True, eq=False)
class Layer:
    """A plane that faces the camera: [3,h,w] premultiplied light, [h,w] coverage, signed radius in px."""

    light: Tensor
    alpha: Tensor
    radius_px: float


def disc_points(count: int) -> Tensor:
    """[n,2] about `count` evenly spread points (x, y) of the unit disc: the R2 sequence of Roberts (2018)."""
    g = 1.32471795724474602596
    i = torch.arange(1, int(count * 4 / torch.pi) + 1, dtype=torch.float64)
    points = torch.stack([(0.5 + i / g) % 1, (0.5 + i / g**2) % 1], 1) * 2 - 1
    return points[points.square().sum(1) <= 1].float()


def places(h: int, w: int) -> tuple[Tensor, Tensor]:
    """px and py [h,w] of every pixel: 0 at the centre, 1 away from it in the corners."""
    half_diagonal = (h * h + w * w) ** 0.5 / 2
    y, x = torch.meshgrid(torch.arange(h) + 0.5 - h / 2, torch.arange(w) + 0.5 - w / 2, indexing="ij")
    return x / half_diagonal, y / half_diagonal


def ray(u: Tensor, field: PupilField, px: Tensor, py: Tensor, side: int) -> tuple[Tensor, Tensor, Tensor]:
    """Where the ray through u meets the picture, (x, y) in blurs' radii, and whether it passes, for all places."""
    distance = torch.hypot(px, py).clamp_min(1e-9)
    cos, sin = px / distance, py / distance
    a, b = u[0] * cos + u[1] * sin, u[1] * cos - u[0] * sin
    c = MOST_COMA * field.coma * distance * side
    a, b = (a + c * (3 * a * a + b * b)) / (1 + 3 * c.abs()), (b + 2 * c * a * b) / (1 + 3 * c.abs())
    s = MOST_SWIRL * field.swirl * distance.square() * side
    a, b = a * ((1 - s) / (1 + s)).clamp_max(1), b * ((1 + s) / (1 - s)).clamp_max(1)
    passes = torch.hypot(u[0] + field.cat_eye * px, u[1] + field.cat_eye * py) <= 1
    for at, p in ((u[0], px), (u[1], py)):
        passes &= (at + field.barn_doors * p).abs() <= 1
    return cos * a - sin * b, sin * a + cos * b, passes.float()


def rendered(layers: list[Layer], field: PupilField, samples: int = 256) -> Tensor:
    """[3,h,w] the layers, nearest first, through a round pupil. The last one must be opaque; pictures go on as mirror images."""
    h, w = layers[0].alpha.shape
    px, py = places(h, w)
    total, light = torch.zeros(h, w), torch.zeros(3, h, w)
    for u in disc_points(samples):
        transmittance, seen = torch.ones(h, w), torch.zeros(3, h, w)
        passes = ray(u, field, px, py, 1)[2]
        for layer in layers:
            r = layer.radius_px
            x, y, _ = ray(u, field, px, py, 1 if r > 0 else -1)
            hit = _at(torch.cat([layer.light, layer.alpha[None]]), x * r, y * r)
            seen += transmittance * hit[:3]
            transmittance = transmittance * (1 - hit[3])
        light += passes * seen
        total += passes
    return light / total


def _at(picture: Tensor, dx: Tensor, dy: Tensor) -> Tensor:
    """[C,h,w] of the picture at (x - dx, y - dy)."""
    _, h, w = picture.shape
    y, x = torch.meshgrid(torch.arange(h) + 0.5, torch.arange(w) + 0.5, indexing="ij")
    grid = torch.stack([(x - dx) * 2 / w - 1, (y - dy) * 2 / h - 1], -1)
    return F.grid_sample(picture[None], grid[None], mode="bilinear", padding_mode="reflection", align_corners=False)[0]
