"""Furniture, people, animals, plants, small things: each stands on 0 of a stage's frame and faces -y. Lengths in metres."""

from __future__ import annotations

import math

import numpy as np

from .geometry import Array
from .meshes import box, cylinder, ellipsoid, moved, turn, turned
from .stage import Dress, Stage


def _box(stage: Stage, size: tuple[float, float, float], dress: Dress, at: tuple[float, float, float], yaw: float = 0.0) -> None:
    """A box whose foot has its middle at `at`."""
    stage.put(box(np.array(size, np.float32)), dress, (at[0], at[1], at[2] + size[2] / 2), turn(yaw))


def _legs(stage: Stage, width: float, depth: float, height: float, dress: Dress) -> None:
    thick = stage.between(0.03, 0.08)
    for x in (-1, 1):
        for y in (-1, 1):
            _box(stage, (thick, thick, height), dress, (x * (width - thick) / 2, y * (depth - thick) / 2, 0))


def table(stage: Stage, width: float | None = None, depth: float | None = None, height: float | None = None) -> float:
    """A table, empty; returns the height of its top."""
    width, depth = width or stage.between(0.6, 2.0), depth or stage.between(0.5, 1.0)
    height, thick = height or stage.between(0.4, 0.8), stage.between(0.02, 0.06)
    top = stage.dress(1.0)
    _box(stage, (width, depth, thick), top, (0, 0, height - thick))
    legs = top if stage.chance(0.6) else stage.dress(0.5, 0.8)
    if stage.chance(0.7):
        _legs(stage, width, depth, height - thick, legs)
    else:
        stage.put(cylinder(0.06, height - thick, 1.0, 0.04), legs)
        stage.put(cylinder(min(width, depth) * 0.35, 0.03), legs)
    return height


def laid_table(stage: Stage) -> None:
    """A table with small things on it."""
    width, depth = stage.between(0.7, 1.6), stage.between(0.5, 0.9)
    height = table(stage, width, depth)
    for _ in range(int(stage.random.integers(1, 7))):
        x, y = stage.between(-0.42, 0.42) * width, stage.between(-0.4, 0.4) * depth
        small(stage.at((x, y, height), stage.between(0, 6.3)), stage.about(0.06, 0.3))


def chair(stage: Stage) -> None:
    width, seat, dress = stage.between(0.38, 0.5), stage.between(0.4, 0.48), stage.dress(0.5)
    _box(stage, (width, width, 0.05), dress, (0, 0, seat))
    _legs(stage, width, width, seat, dress)
    back = stage.between(0.3, 0.55)
    _box(stage, (width, 0.04, back), dress, (0, width / 2, seat + stage.between(0.05, 0.25)))


def sofa(stage: Stage) -> None:
    width, depth, dress = stage.between(0.8, 2.2), stage.between(0.7, 0.9), stage.dress(0.8)
    _box(stage, (width, depth, 0.42), dress, (0, 0, 0))
    _box(stage, (width, 0.22, stage.between(0.7, 0.95)), dress, (0, depth / 2, 0))
    for side in (-1, 1):
        _box(stage, (0.18, depth, 0.6), dress, (side * (width / 2 + 0.09), 0, 0))
    for _ in range(int(stage.random.integers(0, 4))):
        cushion = ellipsoid(np.array([0.42, 0.16, 0.36], np.float32))
        stage.put(cushion, stage.dress(0.3), (stage.between(-0.4, 0.4) * width, depth * 0.2, 0.58), turn(0, -0.3))


def shelf(stage: Stage) -> None:
    width, height, depth = stage.between(0.6, 1.6), stage.between(0.8, 2.1), stage.between(0.22, 0.42)
    boards, dress = int(stage.random.integers(2, 6)), stage.dress(1.0)
    for side in (-1, 1):
        _box(stage, (0.03, depth, height), dress, (side * width / 2, 0, 0))
    if stage.chance(0.8):
        _box(stage, (width, 0.02, height), dress if stage.chance(0.6) else stage.dress(1.0), (0, depth / 2, 0))
    for i in range(boards + 1):
        _box(stage, (width, depth, 0.03), dress, (0, 0, i * (height - 0.03) / boards))
    for i in range(boards):
        x = -width / 2 + 0.05
        while x < width / 2 - 0.12:
            thick, tall = stage.between(0.02, 0.12), stage.between(0.35, 0.85) * height / boards
            if stage.chance(0.75):
                _box(stage, (thick, depth * 0.7, tall), stage.dress(0.2), (x + thick / 2, 0, i * (height - 0.03) / boards + 0.03))
            x += thick + (stage.between(0, 0.2) if stage.chance(0.4) else 0.004)


def cabinet(stage: Stage) -> None:
    width, depth, height = stage.between(0.4, 1.4), stage.between(0.35, 0.6), stage.between(0.5, 2.1)
    _box(stage, (width, depth, height), stage.dress(1.0), (0, 0, 0))
    for i in range(doors := int(stage.random.integers(1, 4))):
        x = (i + 0.5) / doors * width - width / 2
        _box(stage, (width / doors * 0.94, 0.02, height * 0.92), stage.dress(1.0), (x, -depth / 2, height * 0.04))
    if stage.chance(0.4):
        small(stage.at((0, 0, height)), stage.about(0.1, 0.35))


def lamp(stage: Stage) -> None:
    height, dress = stage.between(0.9, 1.8), stage.dress(0.2, 0.9)
    stage.put(cylinder(0.15, 0.03), dress)
    stage.put(cylinder(0.015, height), dress)
    shade = stage.between(0.12, 0.25)
    stage.put(
        cylinder(shade, stage.between(0.2, 0.35), 1.0, shade * stage.between(0.4, 1)), stage.dress(0.3, 0.8), (0, 0, height - 0.1)
    )


def person(stage: Stage) -> None:
    """Somebody of rounded bodies, standing or sitting."""
    size = stage.between(1.2, 1.95) / 1.75
    skin = Dress(stage.scene.canvas.white, 1.0, (np.array([0.86, 0.66, 0.55]) * stage.between(0.35, 1.1)).astype(np.float32))
    hair, top, legs = stage.dress(0.2, 0.8), stage.dress(0.6, 0.5), stage.dress(0.6, 0.6)
    sits = stage.chance(0.25)
    drop = -0.42 if sits else 0.0

    def body(s: tuple[float, float, float], at: tuple[float, float, float], dress: Dress, rotation: Array | None = None) -> None:
        stage.put(ellipsoid(np.array(s, np.float32) * size), dress, np.array([at[0], at[1], at[2] + drop]) * size, rotation)

    body((0.17, 0.2, 0.25), (0, -0.01, 1.62), skin)
    body((0.2, 0.21, 0.24), (0, 0.03, 1.67), hair)
    body((0.1, 0.1, 0.2), (0, 0, 1.47), skin)
    wide = stage.between(0.85, 1.2)
    body((0.42 * wide, 0.26 * wide, 0.62), (0, 0, 1.18), top)
    body((0.46 * wide, 0.2 * wide, 0.2), (0, 0, 1.38), top)
    body((0.36 * wide, 0.26 * wide, 0.34), (0, 0, 0.93), legs)
    for side in (-1, 1):
        arm = turn(0, stage.between(-0.9, 0.4), side * stage.between(-0.1, 0.5))
        hand = np.array([side * 0.23 * wide, 0, 1.36]) + arm @ np.array([0, 0, -0.27])
        body((0.1, 0.1, 0.6), (hand[0], hand[1], hand[2]), top if stage.chance(0.6) else skin, arm)
        if sits:
            body((0.16, 0.5, 0.17), (side * 0.1, -0.24, 0.92), legs)
            body((0.13, 0.14, 0.52), (side * 0.1, -0.44, 0.68), legs)
        else:
            leg = turn(0, stage.between(-0.3, 0.3))
            hip = np.array([side * 0.1, 0, 0.9]) + leg @ np.array([0, 0, -0.44])
            body((0.16, 0.17, 0.96), (hip[0], hip[1], hip[2]), legs, leg)


def animal(stage: Stage) -> None:
    size, dress = stage.between(0.3, 1.0), stage.dress(0.4)
    parts = [((0.32, 0.84, 0.4), (0, 0, 0.55)), ((0.24, 0.34, 0.26), (0, -0.42, 0.8)), ((0.12, 0.2, 0.12), (0, -0.6, 0.74))]
    parts += [((0.07, 0.1, 0.2), (x, -0.38, 0.94)) for x in (-0.08, 0.08)]
    parts += [((0.1, 0.1, 0.56), (x, y, 0.26)) for x in (-0.1, 0.1) for y in (-0.28, 0.28)]
    for s, at in parts:
        stage.put(ellipsoid(np.array(s, np.float32) * size), dress, np.array(at) * size)


def plant(stage: Stage, size: float | None = None) -> None:
    """Leaves over a pot."""
    size = size or stage.between(0.3, 1.3)
    stage.put(cylinder(0.11 * size, 0.28 * size, 1.0, 0.15 * size), stage.dress(0.3))
    green = Dress(
        stage.scene.canvas.white, 1.0, (np.array([0.25, 0.5, 0.18]) * stage.between(0.4, 1.5)).clip(0, 1).astype(np.float32)
    )
    dress = green if stage.chance(0.7) else stage.dress(0.3)
    for _ in range(int(stage.random.integers(6, 26))):
        length, width = stage.between(0.2, 0.6) * size, stage.between(0.05, 0.2) * size
        leaf = moved(ellipsoid(np.array([width, 0.01 * size, length], np.float32)), (0, 0, length / 2))
        lean = turn(stage.between(0, 6.3), stage.between(0.1, 1.3))
        stage.put(leaf, dress, (0, 0, stage.between(0.25, 0.6) * size), lean)


def small(stage: Stage, size: float) -> None:
    """A thing of about `size`, as they stand on tables."""
    kind, dress = stage.random.random(), stage.dress(size * 2)
    if kind < 0.25:
        _box(
            stage, (size * stage.between(0.3, 1), size * stage.between(0.2, 1), size * stage.between(0.2, 1.3)), dress, (0, 0, 0)
        )
    elif kind < 0.36:
        stage.put(ellipsoid(np.full(3, size * 0.8, np.float32)), dress, (0, 0, size * 0.4))
    elif kind < 0.55:  # bottle, vase, glass, bowl
        rim = [(0.0, 0.0)] + [(stage.between(0.08, 0.4) * size, z * size) for z in (0, 0.25, 0.5, 0.75, 1.0)]
        fine = np.interp(np.linspace(0, 1, 14), np.linspace(0, 1, 6), [r for r, _ in rim])
        heights = np.interp(np.linspace(0, 1, 14), np.linspace(0, 1, 6), [z for _, z in rim])
        stage.put(turned(np.stack([fine, heights], 1).astype(np.float32)), dress)
    elif kind < 0.68:
        stage.put(cylinder(size * stage.between(0.15, 0.4), size * stage.between(0.3, 1.2), 1.0), dress)
    elif kind < 0.82:  # a pile of books
        z = 0.0
        for _ in range(int(stage.random.integers(1, 6))):
            thick = size * stage.between(0.08, 0.25)
            _box(
                stage,
                (size * stage.between(0.7, 1), size * stage.between(0.5, 0.8), thick),
                stage.dress(size),
                (0, 0, z),
                stage.between(-0.3, 0.3),
            )
            z += thick
    elif kind < 0.92:
        plant(stage, size * 1.4)
    else:  # a picture that leans
        stage.put(
            box(np.array([size * 0.8, 0.02 * size, size], np.float32)),
            stage.dress(size, 0.1),
            (0, 0, size * 0.47),
            turn(0, -0.25),
        )


def tree(stage: Stage) -> None:
    height = stage.between(2.5, 8)
    stage.put(cylinder(stage.between(0.08, 0.22), height * 0.7, 1.0, 0.06), stage.dress(1.0))
    green = (np.array([0.22, 0.42, 0.15]) * stage.between(0.4, 1.6)).clip(0, 1).astype(np.float32)
    leaves = stage.dress(1.5, 0.2)
    dress = Dress(leaves.texture, leaves.repeat * 2, green)
    for _ in range(int(stage.random.integers(3, 10))):
        blob = ellipsoid(np.array([stage.between(0.15, 0.45) * height for _ in range(3)], np.float32))
        spread = 0.14 * height
        at = (stage.between(-spread, spread), stage.between(-spread, spread), height * stage.between(0.5, 0.95))
        stage.put(blob, dress, at, turn(stage.between(0, 6.3), stage.between(-1, 1)))


def rock(stage: Stage) -> None:
    size = stage.about(0.2, 2.0)
    stage.put(
        ellipsoid(np.array([size, size * stage.between(0.6, 1.2), size * stage.between(0.4, 1)], np.float32)),
        stage.dress(size),
        (0, 0, size * 0.2),
        turn(stage.between(0, 6.3)),
    )


def fence(stage: Stage) -> None:
    count, step, height, dress = (
        int(stage.random.integers(5, 14)),
        stage.between(0.12, 0.5),
        stage.between(0.6, 1.6),
        stage.dress(0.5),
    )
    for i in range(count):
        _box(stage, (0.05, 0.03, height), dress, ((i - count / 2) * step, 0, 0))
    for z in (0.3, 0.85):
        _box(stage, (count * step, 0.04, 0.06), dress, (-step / 2, 0, z * height))


def car(stage: Stage) -> None:
    length, width, dress = stage.between(3.4, 4.6), stage.between(1.6, 1.9), stage.dress(2.0, 0.8)
    _box(stage, (width, length, 0.62), dress, (0, 0, 0.3))
    _box(stage, (width * 0.86, length * 0.5, 0.5), stage.dress(1.0, 0.7), (0, length * 0.04, 0.92))
    black = Dress(stage.scene.canvas.white, 1.0, np.full(3, 0.06, np.float32))
    for x in (-1, 1):
        for y in (-1, 1):
            stage.put(
                moved(cylinder(0.32, 0.22), (0, 0, -0.11)),
                black,
                (x * width * 0.48, y * length * 0.31, 0.32),
                turn(0, 0, math.pi / 2),
            )


def house(stage: Stage) -> None:
    width, depth, height = stage.between(4, 14), stage.between(4, 12), stage.about(3, 16)
    _box(stage, (width, depth, height), stage.dress(6.0, 0.25), (0, 0, 0))
    window = stage.dress(1.0, 0.8)
    for x in np.arange(-width / 2 + 1.2, width / 2 - 1, 2.2):
        for z in np.arange(1.0, height - 1.4, 2.8):
            _box(stage, (1.1, 0.08, 1.4), window, (float(x), -depth / 2, float(z)))


def pole(stage: Stage) -> None:
    height = stage.between(1, 5)
    stage.put(cylinder(stage.between(0.02, 0.1), height), stage.dress(0.3, 0.8))
    if stage.chance(0.4):
        _box(stage, (stage.between(0.2, 0.9), 0.04, stage.between(0.2, 0.7)), stage.dress(0.6), (0, -0.06, height - 0.5))


INDOORS = (laid_table, laid_table, chair, chair, sofa, shelf, shelf, cabinet, cabinet, lamp, person, plant, animal)
"""What stands in rooms; what is named twice is twice as common."""
OUTDOORS = (tree, tree, tree, person, person, fence, car, rock, pole, animal, plant, house)
"""What stands under the sky; as `INDOORS`."""
