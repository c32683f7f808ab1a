"""What stands in rooms. Builders put a thing at a frame's origin, on the ground y = 0, facing -z; lengths are in m."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from .creatures import figure
from .frame import Frame, pick_evenly
from .plants import plant
from .tabletop import small_thing

_MOST_BODIES = 110
"""A shelf gets no more books once the scene has so many bodies: each costs every ray a test."""


def table(f: Frame, width: float, depth: float, height: float) -> None:
    top, legs = f.paint(), f.paint()
    f.box((0, height - 0.02, 0), (width / 2, 0.02, depth / 2), top)
    for x in (-1, 1):
        for z in (-1, 1):
            foot = (x * (width / 2 - 0.05), 0.0, z * (depth / 2 - 0.05))
            f.tube(foot, (foot[0], height - 0.03, foot[2]), 0.025, 0.03, legs)


def chair(f: Frame) -> None:
    paint = f.paint()
    f.box((0, 0.45, 0), (0.22, 0.025, 0.22), paint)
    f.box((0, 0.75, 0.21), (0.21, 0.22, 0.02), paint)
    for x in (-0.19, 0.19):
        for z in (-0.19, 0.19):
            f.tube((x, 0, z), (x, 0.44 if z < 0 else 0.9, z), 0.018, 0.018, paint)


def sofa(f: Frame) -> None:
    r = f.r
    paint, width = f.paint(), r.uniform(0.7, 1.1)
    f.box((0, 0.22, 0), (width, 0.2, 0.4), paint)
    f.box((0, 0.55, 0.36), (width, 0.35, 0.1), paint)
    for x in (-1, 1):
        f.box((x * width, 0.33, 0), (0.1, 0.3, 0.42), paint)
    for _ in range(r.randrange(3)):  # cushions
        f.sphere((r.uniform(-0.8, 0.8) * width, 0.55, 0.15), (0.22, 0.2, 0.1), f.paint())


def shelf(f: Frame) -> None:
    r, paint = f.r, f.paint()
    width, height = r.uniform(0.35, 0.8), r.uniform(0.8, 2.1)
    for x in (-1, 1):
        f.box((x * width, height / 2, 0), (0.015, height / 2, 0.15), paint)
    f.box((0, height / 2, 0.15), (width, height / 2, 0.01), paint)
    boards = r.randint(2, 5)
    for i in range(boards + 1):
        y = height * i / boards
        f.box((0, y, 0), (width, 0.012, 0.15), paint)
        x = -width + 0.05
        while i < boards and x < width - 0.1 and r.random() < 0.8 and len(f.scene.bodies) < _MOST_BODIES:
            half_width, half_height = r.uniform(0.015, 0.09), r.uniform(0.3, 0.8) * height / boards / 2
            book = (x + half_width, y + half_height + 0.012, r.uniform(-0.08, 0.05))
            f.box(book, (half_width, half_height, 0.09), f.paint(0.8))
            x += 2 * half_width + r.choice((0.0, 0.01, 0.15))


def bed(f: Frame) -> None:
    blanket = f.paint()
    f.box((0, 0.15, 0), (0.8, 0.13, 1.0), f.paint())
    f.box((0, 0.36, 0), (0.78, 0.1, 0.97), blanket)
    f.box((0, 0.55, 1.0), (0.82, 0.5, 0.04), f.paint())
    for x in (-0.4, 0.4):  # pillows
        f.sphere((x, 0.52, 0.7), (0.3, 0.1, 0.2), f.paint())


def floor_lamp(f: Frame) -> None:
    height, paint = f.r.uniform(0.3, 1.6), f.paint()
    f.tube((0, 0, 0), (0, 0.02, 0), 0.14, 0.14, paint)
    f.tube((0, 0, 0), (0, height, 0), 0.012, 0.012, paint)
    f.tube((0, height, 0), (0, height + 0.25, 0), 0.2, 0.1, f.paint(0.2))


def dining_table(f: Frame) -> None:
    """A table with what lies on it, and perhaps chairs."""
    r = f.r
    width, depth, height = r.uniform(0.8, 1.8), r.uniform(0.6, 1.0), r.uniform(0.4, 0.8)
    table(f, width, depth, height)
    for _ in range(r.randint(0, 4)):
        small_thing(f.sub((r.uniform(-0.4, 0.4) * width, height, r.uniform(-0.4, 0.4) * depth), r.uniform(-3, 3)))
    for x in (-1, 1):
        if r.random() < 0.5:
            chair(f.sub((x * width * 0.4, 0, -depth * 0.6), math.pi + r.uniform(-0.5, 0.5)))


def large_plant(f: Frame) -> None:
    plant(f.sub((0, 0, 0), scale=f.r.uniform(1, 3)))


def cabinet(f: Frame) -> None:
    r = f.r
    height = r.uniform(0.4, 2.0)
    f.box((0, height / 2, 0), (r.uniform(0.2, 0.8), height / 2, r.uniform(0.2, 0.4)), f.paint())


def person(f: Frame) -> None:
    figure(f, sitting=f.r.random() < 0.4)


FURNITURE: Mapping[str, Callable[[Frame], None]] = {
    "table": dining_table,
    "chair": chair,
    "sofa": sofa,
    "shelf": shelf,
    "bed": bed,
    "lamp": floor_lamp,
    "plant": large_plant,
    "cabinet": cabinet,
    "person": person,
}
"""What a room is furnished with, all as often."""


def piece_of_furniture(f: Frame) -> None:
    """Any of `FURNITURE`."""
    pick_evenly(f.r, FURNITURE)(f)
