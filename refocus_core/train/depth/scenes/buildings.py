"""Houses, cars and what else stands along streets. Builders put it at a frame's origin, on the ground; lengths are in m."""

from __future__ import annotations

import math
from dataclasses import replace

from .bodies import Paint, rotation
from .frame import Frame
from .textures import TEXTURES

_ROOF_SLOPE = 0.6
"""Of gabled roofs, in radians."""
_WHEEL = (0.33, 0.12)
"""Radius and half width of a car's wheel."""


def house(f: Frame, width: float, height: float, depth: float) -> None:
    """A block, perhaps with a gabled roof and what sticks out of its front."""
    r = f.r
    wall = replace(f.paint(0.3), texture_m=r.uniform(2, 6))
    f.box((0, height / 2, 0), (width / 2, height / 2, depth / 2), wall)
    if r.random() < 0.5:
        side = width / 2 / math.cos(_ROOF_SLOPE)
        for x in (-1, 1):
            centre = (x * width / 4, height + width / 4 * math.tan(_ROOF_SLOPE), 0)
            f.box(centre, (side / 2, 0.08, depth / 2 + 0.3), f.paint(0.3), rotation(0, 0, -x * _ROOF_SLOPE))
    for _ in range(r.randrange(4)):  # bays, balconies, signs
        at = (r.uniform(-0.4, 0.4) * width, r.uniform(0.1, 0.8) * height, -depth / 2)
        f.box(at, (r.uniform(0.3, 1.0), r.uniform(0.4, 1.0), r.uniform(0.05, 0.6)), f.paint(0.4))


def car(f: Frame) -> None:
    r, paint = f.r, f.paint(0.7)
    glass = Paint(texture=r.randrange(TEXTURES), tint=(0.1, 0.12, 0.15), gloss=0.8)
    rubber = Paint(texture=paint.texture, tint=(0.08, 0.08, 0.08))
    half_height = r.uniform(0.25, 0.6)
    f.box((0, 0.55, 0), (0.85, 0.3, 2.1), replace(paint, gloss=0.4))
    f.box((0, 0.85 + half_height, r.uniform(-0.1, 0.5)), (0.75, half_height, r.uniform(0.9, 1.4)), paint)
    f.box((0, 0.95 + half_height, 0.2), (0.77, half_height * 0.6, 0.9), glass)
    radius, half_width = _WHEEL
    for x in (-0.8, 0.8):
        for z in (-1.3, 1.3):
            f.tube((x - half_width, radius, z), (x + half_width, radius, z), radius, radius, rubber)
