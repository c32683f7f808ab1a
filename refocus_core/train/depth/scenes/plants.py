"""What grows. Builders put it at a frame's origin, on the ground; lengths are in m."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from .bodies import Vec, rotation
from .frame import Frame
from .outlines import outlines


def crown_outlines() -> tuple[int, ...]:
    """Outlines of trees and bushes from afar."""
    return (*outlines().foliage, *outlines().blob)


def leaves(f: Frame, count: int, spread: Vec, size: float, outline_numbers: Sequence[int]) -> None:
    """Cards turned in all directions, gathered around the origin.

    Args:
        f: the frame.
        count: of the cards.
        spread: twice the standard deviation of their places along each axis.
        size: mean half side.
        outline_numbers: what their outlines may be.
    """
    r = f.r
    paints = [f.green() for _ in range(3)]
    for _ in range(count):
        at = tuple(r.gauss(0, 0.5) * s for s in spread)
        turn = rotation(r.uniform(-math.pi, math.pi), r.uniform(-1.2, 1.2), r.uniform(-math.pi, math.pi))
        side = size * r.uniform(0.6, 1.4)
        f.card(at, (side, side), r.choice(paints), turn, r.choice(tuple(outline_numbers)))


def tree(f: Frame) -> None:
    """2.5 to 9 m: a cone, balls, or a crown of cards, or two of these."""
    r = f.r
    height, trunk = r.uniform(2.5, 9), f.paint(0.2)
    f.tube((0, 0, 0), (r.uniform(-0.3, 0.3), height * 0.7, 0), height * 0.035, height * 0.015, trunk)
    kind = r.random()
    top = f.sub((0, height * 0.75, 0))
    if kind < 0.3:
        f.tube((0, height * 0.25, 0), (0, height * 1.1, 0), height * 0.25, 0.05, f.green())
    elif kind < 0.6:
        green = f.green()
        for _ in range(r.randint(3, 6)):
            centre = tuple(r.gauss(0, 0.14) * height for _ in range(3))
            top.sphere(centre, (height * r.uniform(0.12, 0.22),) * 3, green)
    if kind > 0.45:
        leaves(top, r.randint(6, 12), (height * 0.35, height * 0.3, height * 0.35), height * 0.22, crown_outlines())


def bush(f: Frame) -> None:
    leaves(f, f.r.randint(4, 9), (0.8, 0.5, 0.8), 0.6, crown_outlines())


def plant(f: Frame) -> None:
    """0.5 m: long leaves from one root, perhaps in a pot."""
    r, cut = f.r, outlines()
    if r.random() < 0.6:
        f.tube((0, 0, 0), (0, 0.25, 0), 0.1, 0.14, f.paint())
    root = f.sub((0, 0.25, 0))
    numbers = r.choice(((*cut.leaf,), (*cut.leaf, *cut.fern), (*cut.fern, *cut.grass), (*cut.foliage,)))
    paint = f.green()
    for _ in range(r.randint(5, 12)):
        yaw, lean, length = r.uniform(-math.pi, math.pi), r.uniform(0.1, 1.3), r.uniform(0.12, 0.3)
        turn = rotation(yaw, lean)
        axis = (turn @ torch.tensor([0.0, length, 0.0])).tolist()
        root.card((axis[0], abs(axis[1]), axis[2]), (length * r.uniform(0.3, 0.8), length), paint, turn, r.choice(numbers))


def flower(f: Frame) -> None:
    """15 to 50 cm, with a few leaves at its stalk."""
    r, cut = f.r, outlines()
    height, paint = r.uniform(0.15, 0.5), f.paint(0.9)
    head = (r.uniform(-0.1, 0.1), height, r.uniform(-0.1, 0.1))
    f.tube((0, 0, 0), head, 0.006, 0.005, f.green())
    tilt = rotation(r.uniform(-3, 3), r.uniform(-1.4, 0.4))
    f.card(head, (0.09, 0.09), paint, tilt, r.choice((*cut.star, *cut.star, *cut.lobed, *cut.disc)))
    f.sphere(head, 0.022, f.paint(0.9))
    leaves(f.sub((0, height * 0.4, 0)), r.randint(1, 4), (0.05, 0.1, 0.05), 0.07, cut.leaf)


def undergrowth(f: Frame) -> None:
    """Leaves of one kind, as they hang before a camera close to them."""
    r, cut = f.r, outlines()
    leaves(f, r.randint(4, 12), (0.4, 0.3, 0.4), 0.14, r.choice((cut.leaf, cut.foliage, cut.fern, (*cut.leaf, *cut.grass))))
