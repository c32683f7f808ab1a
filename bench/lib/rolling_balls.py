"""A procedural clip whose depth and motion are known at every pixel: three balls on a floor before a wall.

One ball rolls from far to near all the time; the camera stands still in the first half and moves to the right in the second one,
so that what is near moves more than what is far.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.lib.layered_scenes import texture
from refocus_core.color import linear_to_srgb

SIZE = (162, 288)
"""Height and width in px."""
FRAMES = 240
"""Of the whole clip."""
NOISE = 2 / 255
"""Of each frame: standard deviation, sRGB."""
FAR, NEAR = 0.1, 1.0
"""Disparity of the wall, and of the floor at the lower edge."""
HORIZON = 0.42
"""Where the floor meets the wall, from the top."""
MOVE_PX = 60
"""How far the camera moves in the second half: px of what has disparity 1."""
BALL_PX = 48
"""Radius of a ball at disparity 1."""
_FINE = 2
"""Samples of a pixel in each direction."""
_LIGHT = (-0.45, -0.7, 0.55)
"""Where the light comes from: right, down, towards the camera."""
_CANVAS = 512
"""Side of the textures in px."""


@dataclass(frozen=True)
class Ball:
    """A ball in one frame: middle and radius in px, and its disparity."""

    x: float
    y: float
    radius: float
    disparity: float


@dataclass(frozen=True)
class BallFrame:
    """One frame and what is known of it.

    Attributes:
        image: [1,3,H,W] sRGB, with noise; clean: without.
        disparity: [1,H,W].
        came_from: [2,H,W] row and column in the frame before, between pixels; -1 where that does not show it.
        shown: [H,W] which ball, from 0; -1 is floor or wall.
        balls: all three; the last one rolls.
    """

    image: Tensor
    clean: Tensor
    disparity: Tensor
    came_from: Tensor
    shown: Tensor
    balls: tuple[Ball, ...]


def frame(number: int) -> BallFrame:
    """The clip's frame of that number, from 0."""
    colours, disparity, shown = _drawn(number, _FINE)
    clean = linear_to_srgb(F.avg_pool2d(colours[None], _FINE))
    chance = torch.Generator().manual_seed(number)
    noisy = (clean + NOISE * torch.randn(clean.shape, generator=chance)).clamp(0, 1)
    _, disparity, shown = _drawn(number, 1)
    return BallFrame(noisy, clean, disparity[None], _came_from(number, disparity, shown), shown, _balls(number))


def _smooth(t: float) -> float:
    t = min(max(t, 0.0), 1.0)
    return t * t * (3 - 2 * t)


def _camera(number: int) -> float:
    return MOVE_PX * _smooth((number - FRAMES / 2) / (FRAMES / 2))


def _balls(number: int) -> tuple[Ball, ...]:
    t = number / (FRAMES - 1)
    rolling = 0.2 * (0.72 / 0.2) ** _smooth(t)  # by the same factor in the same time
    placed = ((0.78, 0.85), (0.24, 0.3), (0.62 - 0.2 * _smooth(t), rolling))
    return tuple(_ball(x, d, _camera(number)) for x, d in placed)


def _ball(x: float, disparity: float, camera: float) -> Ball:
    h, w = SIZE
    ground = h * (HORIZON + (1 - HORIZON) * (disparity - FAR) / (NEAR - FAR))
    radius = BALL_PX * disparity
    return Ball(x * w - camera * disparity, ground - radius, radius, disparity)


@cache
def _canvas(seed: int, tint: tuple[float, float, float]) -> Tensor:
    return texture(seed, _CANVAS, _CANVAS, tint)


def _looked_up(seed: int, tint: tuple[float, float, float], x: Tensor, y: Tensor) -> Tensor:
    """[3,h,w] of a texture that goes on mirrored."""
    grid = torch.stack([2 * x / _CANVAS - 1, 2 * y / _CANVAS - 1], -1)[None]
    return F.grid_sample(_canvas(seed, tint)[None], grid, padding_mode="reflection", align_corners=False)[0]


def _drawn(number: int, fine: int) -> tuple[Tensor, Tensor, Tensor]:
    """Linear light [3,h,w], disparity [h,w] and the ball that is shown [h,w], at `fine` samples a pixel."""
    h, w = SIZE
    y = ((torch.arange(h * fine) + 0.5) / fine)[:, None].expand(h * fine, w * fine)
    x = ((torch.arange(w * fine) + 0.5) / fine).expand(h * fine, w * fine)
    camera = _camera(number)
    floor = y >= HORIZON * h
    disparity = torch.where(floor, FAR + (NEAR - FAR) * (y / h - HORIZON) / (1 - HORIZON), FAR)
    wall = _looked_up(1, (0.32, 0.36, 0.42), x + camera * FAR + 40, y * 1.3)
    across = (x - w / 2) / disparity + camera  # seen in perspective
    ground = _looked_up(2, (0.42, 0.35, 0.26), 256 + across * 0.6, 20 / disparity)
    plain = ground.mean((1, 2))[:, None, None]
    ground = plain + (ground - plain) * ((disparity - 0.15) / 0.3).clamp(0, 1)  # what is too fine to be seen
    colours = torch.where(floor, ground, wall)
    shown = torch.full_like(floor, -1, dtype=torch.int64)
    for index, ball in sorted(enumerate(_balls(number)), key=lambda item: item[1].disparity):
        below = ball.y + ball.radius
        shadow = ((x - ball.x) / (1.1 * ball.radius)).square() + ((y - below) / (0.25 * ball.radius)).square()
        colours = colours * torch.where(floor, 1 - 0.6 * torch.exp(-1.5 * shadow), 1.0)
        u, v = (x - ball.x) / ball.radius, (y - ball.y) / ball.radius
        inside = u.square() + v.square() <= 1
        towards = (1 - u.square() - v.square()).clamp_min(0).sqrt()
        length = math.sqrt(sum(c * c for c in _LIGHT))
        lit = ((u * _LIGHT[0] + v * _LIGHT[1] + towards * _LIGHT[2]) / length).clamp_min(0)
        tint = ((0.62, 0.2, 0.14), (0.16, 0.4, 0.55), (0.62, 0.5, 0.12))[index]
        paint = _looked_up(3 + index, tint, 256 + 90 * u, 256 + 90 * v) * (0.25 + 0.9 * lit)
        colours = torch.where(inside, paint, colours)
        disparity = torch.where(inside, ball.disparity * (1 + 0.08 * towards), disparity)
        shown = torch.where(inside, index, shown)
    return colours.clamp(0, 1), disparity, shown


def _came_from(number: int, disparity: Tensor, shown: Tensor) -> Tensor:
    h, w = SIZE
    row = torch.arange(h)[:, None].expand(h, w).float()
    column = torch.arange(w).expand(h, w).float()
    if number == 0:
        return torch.full((2, h, w), -1.0)
    old_row, old_column = row.clone(), column + disparity * (_camera(number) - _camera(number - 1))
    for index, (now, old) in enumerate(zip(_balls(number), _balls(number - 1), strict=True)):
        on, size = shown == index, old.radius / now.radius
        old_row = torch.where(on, old.y + (row + 0.5 - now.y) * size - 0.5, old_row)
        old_column = torch.where(on, old.x + (column + 0.5 - now.x) * size - 0.5, old_column)
    _, _, before = _drawn(number - 1, 1)
    known = (old_row >= 0) & (old_row <= h - 1) & (old_column >= 0) & (old_column <= w - 1)
    for r, c in ((r, c) for r in (old_row.floor(), old_row.ceil()) for c in (old_column.floor(), old_column.ceil())):
        known &= before[r.long().clamp(0, h - 1), c.long().clamp(0, w - 1)] == shown
    return torch.where(known, torch.stack([old_row, old_column]), -1.0)
