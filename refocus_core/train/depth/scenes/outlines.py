"""Outlines that cards are cut out along: leaves, grass, fences, rings and other things that are thin or full of holes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

OUTLINE_PX = 64
"""Side of an outline's raster; a larger one has finer edges on cards near the camera and takes more memory."""
_SEED = 11
"""Of the outlines that are drawn by chance: all scenes share them."""
_BLADES = 16
"""Blades of a tuft of grass."""
_LEAF_WIDTHS = (0.25, 0.45, 0.7)
"""Half widths of the leaves, as shares of their half length."""
_BLOB_NOISE = ((3, 0.0), (4, -0.1), (5, 0.1))
"""Cells of the noise along a side, and the level that is cut: closed shapes of few lobes. A lower level gives a larger shape."""
_FOLIAGE_NOISE = ((9, 0.1), (14, 0.0), (20, 0.25))
"""As `_BLOB_NOISE`, for shapes that break up into many parts, as a crown of leaves does."""
_LOBED = 4
"""How many round outlines with lobes there are."""


@dataclass(frozen=True)
class Outlines:
    """All outlines, and the numbers of those of each kind.

    Attributes:
        masks: [M,S,S] bool, True inside; rows run along y from -1 to 1, columns along x.
        whole: the whole card.
        leaf: their stalk at y = -1.
        fern, grass: rooted at y = -1.
        blob, foliage: closed and broken-up clouds.
        grid, rails: fences.
        ring, star, disc, lobed: round ones; `lobed` also serves as petals and as torn pieces.
    """

    masks: Tensor
    whole: Sequence[int]
    leaf: Sequence[int]
    fern: Sequence[int]
    grass: Sequence[int]
    blob: Sequence[int]
    foliage: Sequence[int]
    grid: Sequence[int]
    rails: Sequence[int]
    ring: Sequence[int]
    star: Sequence[int]
    disc: Sequence[int]
    lobed: Sequence[int]


@lru_cache(maxsize=1)
def outlines() -> Outlines:
    """The outlines; drawn once, the same in every process."""
    g = torch.Generator().manual_seed(_SEED)
    y, x = torch.meshgrid(torch.linspace(-1, 1, OUTLINE_PX), torch.linspace(-1, 1, OUTLINE_PX), indexing="ij")
    r, angle = (x * x + y * y).sqrt(), torch.atan2(y, x)
    # The order is part of what a seed means: scenes hold numbers of outlines, and some are drawn from one generator.
    drawn: Mapping[str, list[Tensor]] = {
        "whole": [torch.ones(OUTLINE_PX, OUTLINE_PX, dtype=torch.bool)],
        "leaf": [x.abs() < width * torch.cos(y * math.pi / 2).clamp_min(0) ** 0.8 for width in _LEAF_WIDTHS],
        "fern": [(x.abs() < 0.9 * (1 - (y + 1) / 2)) & ((torch.sin((y + x.abs() * 0.6) * 28) > -0.2) | (x.abs() < 0.04))],
        "grass": [_grass(x, y, g)],
        "blob": [_cloud(r, cells, level, 1.2, g) for cells, level in _BLOB_NOISE],
        "foliage": [_cloud(r, cells, level, 0.7, g) for cells, level in _FOLIAGE_NOISE],
        "grid": [(x * 4 % 1 < 0.16) | (y * 4 % 1 < 0.16)],
        "rails": [(x * 5 % 1 < 0.3) | ((y - 0.6).abs() < 0.07) | ((y + 0.6).abs() < 0.07)],
        "ring": [(r < 0.98) & (r > 0.7)],
        "star": [r < 0.6 + 0.3 * torch.cos(5 * angle)],
        "disc": [r < 0.98],
        "lobed": [_lobed(r, angle, g) for _ in range(_LOBED)],
    }
    numbers: dict[str, tuple[int, ...]] = {}
    for name, masks in drawn.items():
        first = sum(len(n) for n in numbers.values())
        numbers[name] = tuple(range(first, first + len(masks)))
    return Outlines(torch.stack([m for masks in drawn.values() for m in masks]), **numbers)


def _grass(x: Tensor, y: Tensor, g: torch.Generator) -> Tensor:
    """A tuft of blades that rise from y = -1, lean to one side and taper."""
    tuft = torch.zeros_like(x, dtype=torch.bool)
    for _ in range(_BLADES):
        root, lean, height, width = (torch.rand(4, generator=g) * torch.tensor([1.8, 0.8, 1.4, 0.1])).tolist()
        rise = (y + 1) / (0.5 + height)
        tuft |= ((x - (root - 0.9) - (lean - 0.4) * rise**2).abs() < (0.03 + width) * (1 - rise)) & (rise <= 1)
    return tuft


def _cloud(r: Tensor, cells: int, level: float, pull: float, g: torch.Generator) -> Tensor:
    """Where smooth noise exceeds `level`; `pull` gathers it around the middle."""
    noise = F.interpolate(torch.randn(1, 1, cells, cells, generator=g), list(r.shape), mode="bicubic")[0, 0]
    return noise - level + (0.8 - 1.6 * r) * pull > 0


def _lobed(r: Tensor, angle: Tensor, g: torch.Generator) -> Tensor:
    """A disc whose radius varies by a few waves around it."""
    waves = torch.rand(5, 2, generator=g) * 0.3
    lobes = sum(float(a) * torch.cos(k * angle + float(phase)) for k, (a, phase) in enumerate(waves, 2))
    return r < 0.72 + lobes * torch.tensor(0.35)
