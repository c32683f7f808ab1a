"""Layered scenes with known hidden parts, for `bench.run.render` and its tests. Everything is procedural and seeded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from refocus_core.bokeh.reference import SUBPIXELS, LayeredScene, Plane

SIZE = 320
"""Width and height of every scene, in px."""
MARGIN = 40
"""Content beyond the frame, in px: as far as the largest blur looks."""


def texture(seed: int, h: int, w: int, tint: tuple[float, float, float] = (0.5, 0.5, 0.5), contrast: float = 1.0) -> Tensor:
    """A photo-like linear-light texture [3,h,w]: 1/f noise plus dead leaves (discs of power-law size, one colour each)."""
    rng = np.random.default_rng(seed)
    img = np.zeros((h, w, 3), np.float32)
    img[:] = tint
    yy, xx = np.mgrid[0:h, 0:w].astype(np.float32)
    for _ in range(260):
        radius = 4.0 / max(rng.random(), 0.02) ** 0.85
        cy, cx = rng.random(2) * (h, w)
        y0, y1 = max(int(cy - radius), 0), min(int(cy + radius) + 2, h)
        x0, x1 = max(int(cx - radius), 0), min(int(cx + radius) + 2, w)
        if y1 <= y0 or x1 <= x0:
            continue
        cover = np.clip(radius - np.hypot(yy[y0:y1, x0:x1] - cy, xx[y0:y1, x0:x1] - cx) + 0.5, 0, 1)[..., None]
        color = np.clip(np.asarray(tint) * (0.35 + 1.3 * rng.random()) + 0.16 * contrast * rng.standard_normal(3), 0.01, 1)
        img[y0:y1, x0:x1] += cover * (color - img[y0:y1, x0:x1])
    fy, fx = np.fft.fftfreq(h)[:, None], np.fft.rfftfreq(w)[None]
    amp = 1 / np.maximum(np.hypot(fy, fx), 1 / max(h, w))
    noise = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((h, w))) * amp, s=(h, w))
    img *= (1 + 0.18 * contrast * noise / noise.std())[..., None]
    return torch.from_numpy(np.clip(img, 0.003, 1.0).astype(np.float32)).permute(2, 0, 1)


def _grid() -> tuple[Tensor, Tensor, int]:
    n = (SIZE + 2 * MARGIN) * SUBPIXELS
    axis = (torch.arange(n) + 0.5) / SUBPIXELS - MARGIN - SIZE / 2
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    return y, x, n


def _opaque() -> Tensor:
    n = _grid()[2]
    return torch.ones(n, n)


def _blob(cx: float, cy: float, r: float, wobble: float = 0.12, lobes: int = 5, phase: float = 0.0) -> Tensor:
    y, x, _ = _grid()
    theta = torch.atan2(y - cy, x - cx)
    edge = r * (1 + wobble * torch.sin(lobes * theta + phase))
    return (torch.hypot(x - cx, y - cy) <= edge).float()


def _card(cx: float, cy: float, w: float, h: float, angle_deg: float) -> Tensor:
    y, x, _ = _grid()
    a = torch.deg2rad(torch.tensor(angle_deg))
    u, v = (x - cx) * a.cos() + (y - cy) * a.sin(), (y - cy) * a.cos() - (x - cx) * a.sin()
    return ((u.abs() <= w / 2) & (v.abs() <= h / 2)).float()


def _wires(seed: int) -> Tensor:
    y, x, n = _grid()
    rng = np.random.default_rng(seed)
    alpha = torch.zeros(n, n)
    for width in (1.5, 2.0, 3.0, 4.0, 5.0, 1.5, 2.5):
        angle, offset = rng.uniform(0, np.pi), rng.uniform(-SIZE / 2.4, SIZE / 2.4)
        bend = rng.uniform(-0.0012, 0.0012)
        u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
        alpha = torch.maximum(alpha, ((u - offset - bend * v.square()).abs() <= width / 2).float())
    return alpha


def _hair(seed: int) -> Tensor:
    """A solid head with soft strands: alpha of thin lines below a pixel's width adds up."""
    y, x, n = _grid()
    rng = np.random.default_rng(seed)
    alpha = _blob(0, 20, 70, 0.06, 4)
    strands = torch.zeros(n, n)
    for _ in range(130):
        theta = rng.uniform(-np.pi, 0)
        cx, cy = 66 * np.cos(theta), 20 + 66 * np.sin(theta)
        direction = theta + rng.uniform(-0.5, 0.5)
        u = (x - cx) * np.cos(direction) + (y - cy) * np.sin(direction)
        v = (y - cy) * np.cos(direction) - (x - cx) * np.sin(direction) - 0.006 * rng.uniform(-1, 1) * u.square()
        length = rng.uniform(15, 55)
        strands = 1 - (1 - strands) * (1 - rng.uniform(0.4, 0.9) * ((v.abs() <= 0.5) & (u >= 0) & (u <= length)).float())
    return torch.maximum(alpha, F.avg_pool2d(strands[None, None], 3, 1, 1)[0, 0])


def _lit(color: Tensor, seed: int, count: int, strength: tuple[float, float], radius: float) -> Tensor:
    y, x, _ = _grid()
    rng = np.random.default_rng(seed)
    color = color.clone() * 0.25
    for _ in range(count):
        cx, cy = rng.uniform(-SIZE / 2, SIZE / 2, 2)
        spot = (torch.hypot(x - cx, y - cy) <= radius).float()
        tint = torch.tensor(0.6 + 0.4 * rng.random(3), dtype=torch.float32).view(3, 1, 1)
        color = color + spot * tint * float(rng.uniform(*strength))
    return color


@dataclass(frozen=True)
class Case:
    """One evaluated picture: a scene, the aperture shape, and a name `<scene>-<focus>[-shape]`."""

    name: str
    build: Callable[[], LayeredScene]
    shape: str = "circle"
    lights: bool = False


def _scene(*planes: Plane, sort: bool = False, samples: int = 1024) -> LayeredScene:
    return LayeredScene(planes, MARGIN, sort, samples)


def _tex(seed: int, tint: tuple[float, float, float]) -> Tensor:
    n = _grid()[2]
    return texture(seed, n, n, tint)


def two(front: float, back: float, seed: int = 0) -> LayeredScene:
    return _scene(
        Plane(_tex(11 + seed, (0.55, 0.33, 0.22)), _blob(-15, 10, 85, 0.16, 5, seed), front),
        Plane(_tex(12 + seed, (0.22, 0.34, 0.45)), _opaque(), back),
    )


def three(front: float, middle: float, back: float) -> LayeredScene:
    return _scene(
        Plane(_tex(21, (0.6, 0.42, 0.18)), _card(-75, 55, 120, 170, 20), front),
        Plane(_tex(22, (0.4, 0.2, 0.3)), _blob(40, 0, 80, 0.2, 4, 1.0), middle),
        Plane(_tex(23, (0.25, 0.4, 0.3)), _opaque(), back),
    )


def deep(front: float, back: float) -> LayeredScene:
    rng = np.random.default_rng(5)
    planes: list[Plane] = []
    for i in range(8):
        tint = tuple(float(v) for v in rng.uniform(0.15, 0.6, 3))
        alpha = _card(*(float(v) for v in rng.uniform(-130, 130, 2)), 70, 90, float(rng.uniform(0, 180)))
        planes.append(Plane(_tex(30 + i, tint), alpha, front + (back - front) * i / 8))  # pyright: ignore[reportArgumentType]
    return _scene(*planes, Plane(_tex(39, (0.4, 0.4, 0.42)), _opaque(), back), samples=640)


def thin(front: float, back: float) -> LayeredScene:
    return _scene(
        Plane(_tex(41, (0.12, 0.1, 0.1)) * 0.5, _wires(4), front),
        Plane(_tex(42, (0.5, 0.5, 0.42)), _opaque(), back),
    )


def hair(front: float, back: float) -> LayeredScene:
    return _scene(
        Plane(_tex(51, (0.3, 0.18, 0.1)), _hair(6), front),
        Plane(_tex(52, (0.4, 0.52, 0.6)), _opaque(), back),
    )


def slanted(offset: float) -> LayeredScene:
    """A floor that comes towards the camera, an oblique wall and an object between them; the radius at the centre is `offset`."""
    y, _, _ = _grid()
    return _scene(
        Plane(_tex(61, (0.5, 0.3, 0.2)), _blob(-10, 5, 62, 0.15, 5), offset - 4),
        Plane(_tex(62, (0.42, 0.4, 0.36)), (y > 40).float(), offset + 8, (0.0, -0.11)),
        Plane(_tex(63, (0.26, 0.34, 0.42)), _opaque(), offset + 14, (0.05, 0.02)),
        sort=True,
    )


def lights(front: float, back: float, seed: int = 7) -> LayeredScene:
    back_color = _lit(_tex(72, (0.2, 0.24, 0.34)), seed, 26, (60, 220), 1.5)
    return _scene(
        Plane(_tex(71, (0.42, 0.3, 0.25)), _blob(-30, 20, 75, 0.1, 4), front),
        Plane(back_color, _opaque(), back),
        samples=8192,
    )


CASES: tuple[Case, ...] = (
    Case("two-front", lambda: two(0, 24)),
    Case("two-back", lambda: two(-24, 0)),
    Case("two-middle", lambda: two(-16, 16)),
    Case("two-front-hexagon", lambda: two(0, 24, 1), "polygon"),
    Case("two-front-heart", lambda: two(0, 24, 2), "heart"),
    Case("two-back-hexagon", lambda: two(-24, 0, 1), "polygon"),
    Case("three-front", lambda: three(0, 12, 28)),
    Case("three-middle", lambda: three(-18, 0, 20)),
    Case("three-back", lambda: three(-28, -12, 0)),
    Case("deep-front", lambda: deep(0, 28)),
    Case("deep-middle", lambda: deep(-16, 16)),
    Case("deep-back", lambda: deep(-28, 0)),
    Case("thin-front", lambda: thin(0, 20)),
    Case("thin-back", lambda: thin(-20, 0)),
    Case("hair-front", lambda: hair(0, 22)),
    Case("hair-back", lambda: hair(-22, 0)),
    Case("slanted-front", lambda: slanted(16)),
    Case("slanted-middle", lambda: slanted(0)),
    Case("slanted-back", lambda: slanted(-16)),
    Case("lights-front", lambda: lights(0, 24), lights=True),
    Case("lights-front-hexagon", lambda: lights(0, 24), "polygon", lights=True),
    Case("lights-front-heart", lambda: lights(0, 24), "heart", lights=True),
)
"""What `bench.run.render` scores: every kind of scene with focus in front, in the middle and behind."""


def soften(radius: Tensor, seed: int = 0) -> Tensor:
    """What a depth network makes of a radius map [1,H,W]: blurred by 1.2 px, half a pixel off, 2 % of slow error.

    The error is relative to the focal plane, because focus is set on the estimated depth itself.
    """
    k = torch.exp(-0.5 * (torch.arange(-5, 6) / 1.2) ** 2)
    k = (k / k.sum()).view(1, 1, 1, -1)
    r = F.pad(radius[None], (5, 5, 5, 5), mode="replicate")
    r = F.conv2d(F.conv2d(r, k), k.transpose(-1, -2))
    shifted = F.pad(r, (1, 0, 1, 0), mode="replicate")
    r = 0.25 * (shifted[..., 1:, 1:] + shifted[..., :-1, 1:] + shifted[..., 1:, :-1] + shifted[..., :-1, :-1])
    g = torch.Generator().manual_seed(seed)
    drift = F.interpolate(torch.randn(1, 1, 5, 5, generator=g), r.shape[-2:], mode="bicubic", align_corners=True)
    return (r * (1 + 0.02 * drift / drift.abs().max()))[0]
