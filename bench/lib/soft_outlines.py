"""Outlines before a wall, with the lens integrated as truth and a depth map as soft and as far off as a network's."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from refocus_core import bokeh
from refocus_core.bokeh.reference import SUBPIXELS, LayeredScene, Plane, pinhole, render_reference

COUNT = 12
"""Outlines; each has its own seed."""
SIZE_PX, MARGIN_PX = 256, 20
"""Side of the pictures, and what is known beyond their borders."""
RIM_PX = 8
"""Half the width of the rim that is scored."""
FRAME_PX = 16
"""Width of the frame that is not scored."""
SAMPLES = 160
"""Aperture samples of a sub-pixel."""
RADII_PX = ((-12.0, 0.0), (0.0, 14.0), (-8.0, 9.0), (-12.0, 14.0))
"""Signed radius of the shape and of the wall, by turns: wall in focus, shape in focus, neither."""
MEETING_RADII_PX = ((-9.0, 4.0, 14.0), (-12.0, 0.0, 10.0), (0.0, 7.0, 14.0), (-14.0, -6.0, 4.0))
"""Of two shapes that overlap and the wall, by turns: focus between the shapes, on the farther one, on the nearer one, between the
shapes and the wall."""
APART_PX = 90.0
"""Distance of the middles of such shapes."""
SIGMA_PX, SHIFT_PX = (2.0, 7.0), (0.0, 3.0)
"""Ranges of the blur and of the displacement of the map."""


@dataclass(frozen=True, eq=False)
class Outline:
    """image [3,H,W] linear, exact and soft radius [H,W], truth [3,H,W] and rim [H,W] bool."""

    image: Tensor
    exact: Tensor
    soft: Tensor
    truth: Tensor
    rim: Tensor


def _grid() -> tuple[Tensor, Tensor, int]:
    n = (SIZE_PX + 2 * MARGIN_PX) * SUBPIXELS
    axis = (torch.arange(n) + 0.5) / SUBPIXELS - MARGIN_PX - SIZE_PX / 2
    return (*torch.meshgrid(axis, axis, indexing="ij"), n)


def _noise(rng: np.random.Generator, n: int, falloff: float) -> np.ndarray:
    """[n,n] noise of unit deviation whose amplitude falls with frequency to the power of `falloff`."""
    frequency = np.maximum(np.hypot(np.fft.fftfreq(n)[:, None], np.fft.rfftfreq(n)[None]), 1 / n)
    noise = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((n, n))) / frequency**falloff, s=(n, n))
    return noise / noise.std()


def _texture(rng: np.random.Generator, tint: list[float], contrast: float) -> Tensor:
    n = _grid()[2]
    brightness = _noise(rng, n, 1.1)
    channels = [t * np.exp(contrast * (0.8 * brightness + 0.3 * _noise(rng, n, 1.5))) for t in tint]
    return torch.from_numpy(np.clip(np.stack(channels), 0.002, 1).astype(np.float32))


def _checks(angle: float, side_px: float, tint: list[float]) -> Tensor:
    y, x, _ = _grid()
    u, v = x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)
    white = ((u / side_px).floor() + (v / side_px).floor()) % 2
    return torch.stack([t * (0.35 + 0.65 * white) for t in tint])


def _shape(rng: np.random.Generator, toothed: bool, middle: tuple[float, float] = (0.0, 0.0)) -> Tensor:
    y, x, _ = _grid()
    y, x = y - middle[0], x - middle[1]
    angle = torch.atan2(y, x)
    radius = torch.full_like(x, rng.uniform(55, 85))
    for k in range(2, 9):
        radius = radius + rng.uniform(0, 9) / k**0.3 * torch.sin(k * angle + rng.uniform(0, 2 * math.pi))
    if toothed:
        radius = radius + rng.uniform(2, 7) * torch.sin(round(rng.uniform(14, 40)) * angle)
    return (torch.hypot(x, y) <= radius).float()


def soften(radius: Tensor, sigma_px: float, shift_px: float, direction: float) -> Tensor:
    """A radius map [H,W] blurred by a Gaussian, and moved by whole pixels in a direction (radians)."""
    reach = math.ceil(4 * sigma_px)
    k = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / sigma_px) ** 2)
    k = (k / k.sum()).view(1, 1, 1, -1)
    x = F.pad(radius[None, None], (reach,) * 4, mode="replicate")
    x = F.conv2d(F.conv2d(x, k), k.transpose(-1, -2))
    dy, dx = round(shift_px * math.sin(direction)), round(shift_px * math.cos(direction))
    most = math.ceil(shift_px)
    h, w = radius.shape
    return F.pad(x, (most,) * 4, mode="replicate")[0, 0, most + dy : most + dy + h, most + dx : most + dx + w].contiguous()


def make(seed: int) -> Outline:
    """The outline of a seed."""
    rng = np.random.default_rng(1000 + seed)
    hue = rng.uniform(0, 2 * math.pi)

    def tint(angle: float, brightness: float) -> list[float]:
        return [brightness * (0.6 + 0.4 * math.cos(angle + 2.09 * c)) for c in range(3)]

    lit = [rng.uniform(0.03, 0.15), rng.uniform(0.35, 0.8)]
    if rng.random() < 0.5:
        lit.reverse()
    front = _texture(rng, tint(hue, lit[0]), rng.uniform(0.15, 0.35))
    wall_tint = tint(hue + rng.uniform(1.5, 4.5), lit[1])
    wall = partial(_checks, 0.3 * seed, rng.uniform(5, 14)) if seed % 3 == 2 else None
    back = _texture(rng, wall_tint, rng.uniform(0.1, 0.35)) if wall is None else wall(wall_tint)
    alpha = _shape(rng, seed % 2 == 1)
    near, far = RADII_PX[seed % len(RADII_PX)]
    scene = LayeredScene((Plane(front, alpha, near), Plane(back, torch.ones_like(alpha), far)), MARGIN_PX, samples=SAMPLES)
    image, radius = pinhole(scene)
    truth, _ = render_reference(scene, bokeh.make_kernel("circle"))
    soft = soften(radius[0], rng.uniform(*SIGMA_PX), rng.uniform(*SHIFT_PX), rng.uniform(0, 2 * math.pi))
    return Outline(image[0], radius[0], soft, truth[0], rim_of(alpha))


def make_meeting(seed: int) -> Outline:
    """Two shapes that overlap before a wall: three surfaces meet where their outlines cross."""
    rng = np.random.default_rng(2000 + seed)
    hue, angle = rng.uniform(0, 2 * math.pi), rng.uniform(0, 2 * math.pi)
    tints = [[rng.uniform(0.05, 0.6) * (0.6 + 0.4 * math.cos(hue + 2.09 * (c + k))) for c in range(3)] for k in range(3)]
    colors = [_texture(rng, tint, rng.uniform(0.1, 0.35)) for tint in tints]
    y, x = (0.5 * APART_PX * f(angle) for f in (math.sin, math.cos))
    near, middle = (_shape(rng, seed % 2 == k, (sign * y, sign * x)) for k, sign in enumerate((1, -1)))
    alphas = (near, middle, torch.ones_like(near))
    planes = tuple(Plane(c, a, r) for c, a, r in zip(colors, alphas, MEETING_RADII_PX[seed % 4], strict=True))
    scene = LayeredScene(planes, MARGIN_PX, samples=SAMPLES)
    image, radius = pinhole(scene)
    truth, _ = render_reference(scene, bokeh.make_kernel("circle"))
    soft = soften(radius[0], rng.uniform(*SIGMA_PX), rng.uniform(*SHIFT_PX), rng.uniform(0, 2 * math.pi))
    return Outline(image[0], radius[0], soft, truth[0], rim_of(near) | (rim_of(middle)))


def rim_of(alpha: Tensor) -> Tensor:
    """[H,W] bool, what is scored: around the outline of a coverage on the sub-pixel grid, without the frame."""
    m = SUBPIXELS * MARGIN_PX
    cover = F.avg_pool2d(alpha[None, None, m:-m, m:-m], SUBPIXELS)
    side = 2 * RIM_PX + 1
    rim = (F.max_pool2d(cover, side, 1, RIM_PX) > 0) & (F.max_pool2d(1 - cover, side, 1, RIM_PX) > 0)
    inner = torch.zeros_like(rim)
    inner[..., FRAME_PX:-FRAME_PX, FRAME_PX:-FRAME_PX] = True
    return (rim & inner)[0, 0]


def crumbs(picture: Tensor, rim: Tensor) -> float:
    """99th percentile of the Laplacian of a picture [3,H,W], as displayed, over a rim: specks that should be blurred."""
    kernel = torch.tensor([[[[0.0, 1, 0], [1, -4, 1], [0, 1, 0]]]])
    laplacian = F.conv2d(F.pad(picture[:, None], (1,) * 4, mode="replicate"), kernel)[:, 0].abs().amax(0)
    return float(torch.quantile(laplacian[rim], 0.99))
