"""Textures of surfaces: pieces of photographs and drawn patterns, and their sampling at the right size."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ....color import srgb_to_linear

TEXTURE_PX = 128
"""Side of a texture, a power of two; a larger one shows more detail on near surfaces and takes memory by its square."""
TEXTURES = 14
"""Textures of a scene; more make its surfaces more different from each other and take as much more memory."""
_SMALLEST_LEVEL_PX = 4
"""Side at which a pyramid ends: far surfaces keep the rough colours of their texture."""
_PHOTO_SHARE = 0.6
"""Share of the textures that are cut from photos, where there are any."""
_PHOTO_SIDE = (0.15, 1.0)
"""Range of a cut's side, as a share of the photo's short side."""
_SMALLEST_CUT_PX = 8
"""A photo gives no smaller cut than this."""
_GRAIN = 0.15
"""Amplitude of the white noise over a drawn pattern: without it, far patterns would be flat colours."""

Number = Callable[[float, float], float]
"""(low, high) -> an even number between them."""


class Pyramid(NamedTuple):
    """Means over squares of 1, 2, 4, ... texels of T textures.

    texels: [B,3, all texels of all levels]; starts, sizes: [levels] first texel and side of each level.
    """

    texels: Tensor
    starts: Tensor
    sizes: Tensor


def build_pyramid(textures: Tensor) -> Pyramid:
    """The pyramid of [B,T,3,S,S]."""
    b, t = textures.shape[:2]
    levels, starts, sizes, first = [], [], [], 0
    level = textures.flatten(0, 1)
    while True:
        s = level.shape[-1]
        levels.append(level.view(b, t, 3, s * s).transpose(1, 2).reshape(b, 3, -1))
        starts.append(first)
        sizes.append(s)
        first += t * s * s
        if s <= _SMALLEST_LEVEL_PX:
            break
        level = F.avg_pool2d(level, 2)
    device = textures.device
    return Pyramid(torch.cat(levels, 2), torch.tensor(starts, device=device), torch.tensor(sizes, device=device))


def sample(pyramid: Pyramid, texture: Tensor, uv: Tensor, level: Tensor) -> Tensor:
    """Colour [B,3,X] of textures [B,X] at uv [B,2,X] (mirrored beyond 0..1), bilinear at the nearest level [B,X]."""
    level = level.round().long().clamp(0, len(pyramid.sizes) - 1)
    size = pyramid.sizes[level]
    uv = 1 - ((uv % 2) - 1).abs()
    texel = uv * (size[:, None] - 1)
    whole = texel.floor()
    part = texel - whole
    x0, y0 = whole.long().unbind(1)
    x1, y1 = torch.minimum(x0 + 1, size - 1), torch.minimum(y0 + 1, size - 1)
    base = pyramid.starts[level] + texture * size * size
    fx, fy = part[:, 0:1], part[:, 1:2]

    def take(x: Tensor, y: Tensor) -> Tensor:
        return pyramid.texels.gather(2, (base + y * size + x)[:, None].expand(-1, 3, -1))

    top = torch.lerp(take(x0, y0), take(x1, y0), fx)
    return torch.lerp(top, torch.lerp(take(x0, y1), take(x1, y1), fx), fy)


def pick_textures(photos: Sequence[Tensor], g: torch.Generator) -> Tensor:
    """[T,3,S,S] linear light: squares cut from photos ([3,h,w] uint8, sRGB) and drawn patterns.

    The first one is cut from a photo if there is any.
    """

    def number(low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=g))

    out: list[Tensor] = []
    while len(out) < TEXTURES:
        share = number(0, 1) if out else 0.0
        out.append(_cut(photos, g, number) if share < _PHOTO_SHARE and photos else _pattern(g, number))
    return torch.stack(out)


def _cut(photos: Sequence[Tensor], g: torch.Generator, number: Number) -> Tensor:
    photo = photos[int(torch.randint(len(photos), (1,), generator=g))]
    side = max(_SMALLEST_CUT_PX, int(min(photo.shape[1:]) * number(*_PHOTO_SIDE)))
    top, left = (int(number(0, n - side + 0.999)) for n in photo.shape[1:])
    cut = photo[None, :, top : top + side, left : left + side].float() / 255
    return srgb_to_linear(F.interpolate(cut, (TEXTURE_PX, TEXTURE_PX), mode="bilinear", antialias=True))[0]


def _pattern(g: torch.Generator, number: Number) -> Tensor:
    """[3,S,S] linear light: two colours mixed by a pattern drawn by chance, under a fine grain."""
    n = TEXTURE_PX
    y, x = torch.meshgrid(torch.arange(n) / n, torch.arange(n) / n, indexing="ij")
    first, second = (_color(g, number) for _ in range(2))
    kind = list(_PATTERNS)[int(number(0, len(_PATTERNS)))]
    count = round(number(2, 12))
    if kind == "plaster":
        second = first * number(0.6, 1.2)
    mix = _PATTERNS[kind](x, y, count, g)
    grain = 1 + _GRAIN * (torch.rand(1, n, n, generator=g) - 0.5)
    return (torch.lerp(second.expand(3, n, n), first.expand(3, n, n), mix) * grain).clamp(0, 1)


def _color(g: torch.Generator, number: Number) -> Tensor:
    """[3,1,1] linear light, mostly greyish."""
    grey, color = torch.rand(1, 1, 1, generator=g).expand(3, 1, 1), torch.rand(3, 1, 1, generator=g)
    return torch.lerp(grey, color, number(0, 0.7)) * number(0.2, 1.0)


def _noise(rows: int, columns: int, mode: str, g: torch.Generator) -> Tensor:
    n = TEXTURE_PX
    return F.interpolate(torch.rand(1, 1, rows, columns, generator=g), (n, n), mode=mode)[0, 0]


def _plaster(_x: Tensor, _y: Tensor, count: int, g: torch.Generator) -> Tensor:
    return _noise(count * 3, count * 3, "bicubic", g).clamp(0, 1)


def _tiles(x: Tensor, y: Tensor, count: int, _g: torch.Generator) -> Tensor:
    return (((x * count) % 1 < 0.94) & ((y * count) % 1 < 0.94)).float()


def _bricks(x: Tensor, y: Tensor, count: int, _g: torch.Generator) -> Tensor:
    return (((x * count + (y * count * 2).floor() * 0.5) % 1 < 0.92) & ((y * count * 2) % 1 < 0.86)).float()


def _boards(x: Tensor, _y: Tensor, count: int, g: torch.Generator) -> Tensor:
    return _noise(4, 64, "bilinear", g) * ((x * count) % 1 < 0.95)


def _windows(x: Tensor, y: Tensor, count: int, _g: torch.Generator) -> Tensor:
    return 1 - (((x * count) % 1 - 0.5).abs() < 0.28).float() * (((y * count) % 1 - 0.5).abs() < 0.33)


def _gravel(_x: Tensor, _y: Tensor, _count: int, g: torch.Generator) -> Tensor:
    return _noise(TEXTURE_PX // 2, TEXTURE_PX // 2, "bilinear", g)


_PATTERNS: Mapping[str, Callable[[Tensor, Tensor, int, torch.Generator], Tensor]] = {
    "plaster": _plaster,
    "tiles": _tiles,
    "bricks": _bricks,
    "boards": _boards,
    "windows": _windows,
    "gravel": _gravel,
}
"""Patterns, equally frequent: (x, y [S,S] in 0..1, repeats, generator) -> share of the first colour [S,S]. Their order is part of
what a seed means."""
