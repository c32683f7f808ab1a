"""What the pairs show: pieces of photos reduced until they are sharp to the pixel, drawn shapes, and outlines of foregrounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ... import color
from ..common import photos

Array = NDArray[np.float32]
"""Pictures here are [H,W,C] float32, in linear light."""

_LONG_EDGE_PX = (500, 2000)
"""Range of the long edge of the reduced photos: smaller ones show more of the scene to the pixel, larger ones more texture."""
_LEVEL_STEP = 1.5
"""Factor from one size of a photo to the next; also the least reduction, as no photo is sharp at its own size."""
_TRIES = 5
"""Pieces of which the most detailed one is taken; more leave out more sky and bokeh."""
_ANY_PIECE = 0.1
"""Share of the pieces that are taken as they come."""
_CONTRAST_FLOOR = 0.05
"""Added to a piece's contrast before its detail is divided by it: larger makes flat pieces count less."""
_SUPERSAMPLING = 3
"""Drawings are made this many times larger and averaged, for antialiased edges."""


@dataclass(frozen=True)
class Source:
    """Photos reduced until they are sharp to the pixel: linear light [H,W,3] float16, several sizes of each."""

    levels: tuple[NDArray[np.float16], ...]

    @classmethod
    def of(cls, files: Sequence[Path], least_px: int) -> Source:
        """Reduced by area in linear light, to all sizes in `_LONG_EDGE_PX` whose short edge has `least_px`.

        Raises:
            ValueError: if none of the photos is so large.
        """
        levels: list[NDArray[np.float16]] = []
        shortest, longest = _LONG_EDGE_PX
        for file in files:
            picture = photos.load(file)
            long_edge = max(picture.shape[1:])
            linear = color.srgb_to_linear(picture[None].float() / 255)
            factor = max(_LEVEL_STEP, long_edge / longest)
            while long_edge / factor >= shortest:
                size = [round(n / factor) for n in picture.shape[1:]]
                if min(size) >= least_px:
                    small = F.interpolate(linear, tuple(size), mode="bilinear", antialias=True)
                    levels.append(small[0].permute(1, 2, 0).numpy().astype(np.float16))
                factor *= _LEVEL_STEP
        if not levels:
            raise ValueError("None of the photos is large enough to take pieces from.")
        return cls(tuple(levels))

    def piece(self, rng: np.random.Generator, side: int) -> Array:
        """A square piece [side,side,3] of linear light, mostly a detailed one, turned, mirrored and tinted at random."""
        tries: list[tuple[float, Array]] = []
        for _ in range(_TRIES if rng.random() < 1 - _ANY_PIECE else 1):
            level = self.levels[rng.integers(len(self.levels))]
            h, w = level.shape[:2]
            y, x = int(rng.integers(h - side + 1)), int(rng.integers(w - side + 1))
            part = level[y : y + side, x : x + side].astype(np.float32)
            tries.append((_detail(part), part))
        part = max(tries, key=lambda t: t[0])[1]
        part = np.rot90(part, int(rng.integers(4)))
        if rng.random() < 0.5:
            part = part[:, ::-1]
        if rng.random() < 0.2:
            part = part[..., rng.permutation(3)]
        gain = np.exp(rng.normal(0, 0.25)) * np.exp(rng.normal(0, 0.12, 3))
        return np.clip(part * gain, 0, 1).astype(np.float32)


def _detail(part: Array) -> float:
    """Fine detail next to contrast: high where the photo is in focus."""
    grey = np.sqrt(np.clip(part[..., 1], 0, 1))
    fine = np.abs(grey[1:-1, 1:-1] * 4 - grey[:-2, 1:-1] - grey[2:, 1:-1] - grey[1:-1, :-2] - grey[1:-1, 2:]).mean()
    return float(fine / (grey.std() + _CONTRAST_FLOOR))


def shapes(rng: np.random.Generator, side: int) -> Array:
    """Drawn discs, polygons and lines of power-law size [side,side,3]: edges of every contrast, which photos have few of."""
    n = side * _SUPERSAMPLING
    canvas = Image.new("RGB", (n, n), tuple(int(v) for v in rng.integers(0, 256, 3)))
    draw = ImageDraw.Draw(canvas)
    grey = rng.random() < 0.3
    for _ in range(int(rng.integers(40, 220))):
        r = _SUPERSAMPLING * min(2.0 / max(rng.random(), 0.01) ** 0.9, side)
        x, y = rng.random(2) * n
        fill = tuple(int(v) for v in (np.full(3, rng.integers(0, 256)) if grey else rng.integers(0, 256, 3)))
        _draw_shape(draw, rng, (x, y), r, fill)
    small = torch.from_numpy(np.asarray(canvas).copy()).permute(2, 0, 1)[None].float() / 255
    linear = F.avg_pool2d(color.srgb_to_linear(small), _SUPERSAMPLING)[0].permute(1, 2, 0).numpy()
    if rng.random() < 0.6:  # texture inside the shapes
        noise = np.clip(1 + rng.uniform(0.03, 0.25) * rng.standard_normal((side, side, 1)), 0.2, 2)
        linear = linear * noise
    return np.clip(linear, 0, 1).astype(np.float32)


def _draw_shape(
    draw: ImageDraw.ImageDraw, rng: np.random.Generator, centre: tuple[float, float], r: float, fill: tuple[int, ...]
) -> None:
    """A disc, a polygon or a line of about the radius r."""
    x, y = centre
    kind = rng.random()
    if kind < 0.4:
        draw.ellipse((x - r, y - r, x + r, y + r), fill=fill)
    elif kind < 0.8:
        angles = np.sort(rng.random(int(rng.integers(3, 6)))) * 2 * np.pi
        draw.polygon([(float(x + r * np.cos(a)), float(y + r * np.sin(a))) for a in angles], fill=fill)
    else:
        a = rng.random() * 2 * np.pi
        dx, dy = 4 * r * np.cos(a), 4 * r * np.sin(a)
        width = max(int(_SUPERSAMPLING * rng.uniform(0.7, 3)), 1)
        draw.line((x - dx, y - dy, x + dx, y + dy), fill=fill, width=width)


def smooth_field(rng: np.random.Generator, side: int, cells: int) -> Array:
    """A smooth random field [side,side] in 0..1."""
    grid = torch.from_numpy(rng.standard_normal((1, 1, cells, cells)).astype(np.float32))
    field = F.interpolate(grid, (side, side), mode="bicubic", align_corners=True)[0, 0].numpy()
    return (field - field.min()) / (np.ptp(field) + 1e-6)


def coverage(rng: np.random.Generator, side: int) -> Array:
    """Coverage of a foreground [side,side,1]: a blob, a polygon or blades, with antialiased edges."""
    n = side * _SUPERSAMPLING
    kind = rng.random()
    if kind < 0.35:
        field = smooth_field(rng, n, int(rng.integers(3, 9)))
        inside = (field > np.quantile(field, rng.uniform(0.35, 0.75))).astype(np.float32)
    else:
        canvas = Image.new("L", (n, n), 0)
        (_draw_polygon if kind < 0.75 else _draw_blades)(ImageDraw.Draw(canvas), rng, n)
        inside = np.asarray(canvas, np.float32) / 255
    cells = inside.reshape(side, _SUPERSAMPLING, side, _SUPERSAMPLING)
    return cells.mean((1, 3))[..., None].astype(np.float32)


def _draw_polygon(draw: ImageDraw.ImageDraw, rng: np.random.Generator, n: int) -> None:
    x, y = rng.uniform(0, n, 2)
    points = int(rng.integers(3, 12))
    angles = np.arange(points) / points * 2 * np.pi + rng.random()
    radii = n * rng.uniform(0.15, 0.6) * rng.uniform(0.6, 1.2, points)
    corners = [(float(x + r * np.cos(a)), float(y + r * np.sin(a))) for a, r in zip(angles, radii, strict=True)]
    draw.polygon(corners, fill=255)


def _draw_blades(draw: ImageDraw.ImageDraw, rng: np.random.Generator, n: int) -> None:
    for _ in range(int(rng.integers(2, 12))):
        x, y = rng.uniform(0, n, 2)
        a = rng.random() * 2 * np.pi
        dx, dy = n * np.cos(a), n * np.sin(a)
        draw.line((x - dx, y - dy, x + dx, y + dy), fill=255, width=int(_SUPERSAMPLING * rng.uniform(1, 9)))
