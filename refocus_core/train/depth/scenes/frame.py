"""Where a part of a scene is put together: bodies are added in a frame of their own, and surfaces are drawn by chance."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from .bodies import Body, Paint, Primitive, Scene, Vec, rotation
from .textures import TEXTURES

T = TypeVar("T")

_PLAIN_M = 3000.0
"""Half side of a ground that has no end."""
_GLOSSY = 0.25
"""Share of the surfaces that have a highlight."""


class Frame:
    """A place in a scene: turned about the vertical and scaled. Everything it adds is given in its own metres.

    Attributes:
        scene: where bodies are added.
        r: the scene's random numbers. The order in which they are drawn is part of what a seed means.
        origin: in the world, in m.
        yaw: about the vertical, in radians.
        scale: metres of the world for each of the frame.
    """

    def __init__(
        self, scene: Scene, r: random.Random, origin: Vec = (0.0, 0.0, 0.0), yaw: float = 0.0, scale: float = 1.0
    ) -> None:
        self.scene, self.r, self.origin, self.yaw, self.scale = scene, r, origin, yaw, scale
        self._rotation = rotation(yaw)

    def sub(self, at: Vec, yaw: float = 0.0, scale: float = 1.0) -> Frame:
        """A frame at a place of this one."""
        return Frame(self.scene, self.r, self.world(at), self.yaw + yaw, self.scale * scale)

    def world(self, p: Vec) -> Vec:
        """A place of this frame, in the world."""
        c, s = math.cos(self.yaw), math.sin(self.yaw)
        x, y, z = (v * self.scale for v in p)
        return (self.origin[0] + c * x + s * z, self.origin[1] + y, self.origin[2] - s * x + c * z)

    def paint(self, saturation: float = 0.25) -> Paint:
        """A random surface; the same for all bodies it is given to."""
        r = self.r
        grey = r.uniform(0.35, 1.3)
        tint = tuple(max(0.05, grey * (1 + saturation * r.uniform(-1, 1))) for _ in range(3))
        return Paint(
            texture=r.randrange(TEXTURES),
            texture_m=r.choice((0.2, 0.5, 1.0, 2.0)) * r.uniform(0.7, 1.4) * max(self.scale, 0.3),
            tint=tint,
            gloss=r.uniform(0, 0.8) if r.random() < _GLOSSY else 0.0,
        )

    def green(self) -> Paint:
        """A surface as plants have it, now and then of any colour."""
        r, paint = self.r, self.paint()
        if r.random() < 0.8:
            return replace(paint, tint=(r.uniform(0.3, 0.9), r.uniform(0.6, 1.3), r.uniform(0.15, 0.5)))
        return paint

    def add(
        self, primitive: Primitive, centre: Vec, half_size: Vec, paint: Paint, turn: Tensor | None = None, **more: Any
    ) -> None:
        """Add a body; `turn` [3,3] turns it in this frame, `more` are further attributes of `Body`."""
        own = self._rotation if turn is None else self._rotation @ turn
        size = tuple(max(h * self.scale, 1e-4) for h in half_size)
        self.scene.bodies.append(Body(primitive, self.world(centre), size, own, paint, **more))

    def box(self, centre: Vec, half_size: Vec, paint: Paint, turn: Tensor | None = None, *, casts_shadow: bool = True) -> None:
        self.add(Primitive.BOX, centre, half_size, paint, turn, casts_shadow=casts_shadow)

    def sphere(self, centre: Vec, half_size: Vec | float, paint: Paint, turn: Tensor | None = None) -> None:
        """A sphere, or an ellipsoid by three numbers."""
        self.add(Primitive.SPHERE, centre, half_size if isinstance(half_size, tuple) else (half_size,) * 3, paint, turn)

    def card(self, centre: Vec, half_size: tuple[float, float], paint: Paint, turn: Tensor, outline: int) -> None:
        self.add(Primitive.CARD, centre, (*half_size, min(half_size)), paint, turn, outline=outline)

    def tube(self, start: Vec, end: Vec, start_radius: float, end_radius: float, paint: Paint) -> None:
        """A tapered tube between two points."""
        a, b = torch.tensor(start), torch.tensor(end)
        axis = b - a
        length = float(axis.norm())
        up = axis / max(length, 1e-9)
        side = torch.linalg.cross(up, torch.tensor([0.0, 0.0, 1.0] if abs(float(up[2])) < 0.9 else [1.0, 0.0, 0.0]))
        side = side / side.norm()
        turn = torch.stack([side, up, torch.linalg.cross(side, up)], 1)
        middle = tuple(((a + b) / 2).tolist())
        mean = max((start_radius + end_radius) / 2, 1e-4)
        taper = (end_radius - start_radius) / (start_radius + end_radius)
        self.add(Primitive.TUBE, middle, (mean, length / 2, mean), paint, turn, taper=taper)

    def ground(self, texture_m: float, height: float = 0.0) -> None:
        """A level ground without an end, on which shadows fall and which casts none."""
        paint = replace(self.paint(0.4), texture_m=texture_m)
        level = rotation(0, math.pi / 2)
        self.add(Primitive.CARD, (0, height, 0), (_PLAIN_M, _PLAIN_M, _PLAIN_M), paint, level, outline=0, casts_shadow=False)


def pick_evenly(r: random.Random, choices: Mapping[str, T]) -> T:
    """One of the choices, all of them as often. Their order is part of what a seed means."""
    return list(choices.values())[r.randrange(len(choices))]


def pick_by_weight(r: random.Random, choices: Mapping[str, tuple[T, int]]) -> T:
    """One of the choices, each as often as its share of the weights. Their order is part of what a seed means."""
    number, total, reached = r.random(), sum(weight for _, weight in choices.values()), 0
    for choice, weight in choices.values():
        reached += weight
        if number < reached / total:
            return choice
    raise AssertionError("unreachable: the last share ends at 1")
