"""Scenes under the sky. Composers fill a scene with bodies, a camera and light; lengths are in m, angles in radians."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import replace

from .bodies import Primitive, Scene, Vec, rotation
from .buildings import car, house
from .creatures import animal, figure
from .frame import Frame, pick_by_weight
from .outlines import outlines
from .plants import bush, flower, plant, tree, undergrowth
from .tabletop import small_thing

_STREET_END = 70.0
"""Houses line a street up to this distance."""
_ODD_SKY = 0.15
"""Share of the skies that have colours of their own."""

Place = Callable[[Frame, Vec, float], None]
"""(frame of the scene, place on the ground, yaw) -> puts something there."""


def daylight(s: Scene, r: random.Random) -> None:
    """The sun anywhere above the horizon, from overcast to hard, and a sky."""
    bearing, elevation = r.uniform(-math.pi, math.pi), r.uniform(0.15, 1.4)
    s.light = (
        math.cos(elevation) * math.sin(bearing),
        math.sin(elevation),
        math.cos(elevation) * math.cos(bearing),
    )
    s.light_is_near = False
    strength = r.choice((0.2, 1.0, 2.0))
    warmth = r.uniform(-0.15, 0.15)
    s.light_color = (strength * (1 + warmth), strength, strength * (1 - warmth))
    s.ambient = (r.uniform(0.3, 0.8) * (1 - warmth), 0.55, 0.55 * (1 + warmth))
    if r.random() < _ODD_SKY:
        horizon = (r.uniform(0.4, 1), r.uniform(0.4, 1), r.uniform(0.4, 1))
        s.sky = (horizon, (r.uniform(0.1, 1), r.uniform(0.2, 1), r.uniform(0.3, 1)))
    s.sky_texture = r.choice((0.0, 0.5, 1.0))


def _on_the_ground(r: random.Random, near: float, far: float, spread: float) -> Vec:
    """A place before the camera, which looks along z; nearer ones more often, evenly in the logarithm of z."""
    z = near * (far / near) ** r.random()
    return (r.uniform(-spread, spread) * z, 0.0, z)


def _tree(f: Frame, at: Vec, yaw: float) -> None:
    tree(f.sub(at, yaw))


def _bush(f: Frame, at: Vec, _yaw: float) -> None:
    bush(f.sub((at[0], 0.5, at[2])))


def _person(f: Frame, at: Vec, yaw: float) -> None:
    figure(f.sub(at, yaw))


def _animal(f: Frame, at: Vec, yaw: float) -> None:
    animal(f.sub(at, yaw, f.r.uniform(0.7, 2.5)))


def _rock(f: Frame, at: Vec, yaw: float) -> None:
    size = f.r.uniform(0.2, 1.2)
    f.sphere((at[0], size * 0.3, at[2]), (size, size * 0.7, size * 1.2), f.paint(0.2), rotation(yaw))


def _fence(f: Frame, at: Vec, yaw: float) -> None:
    numbers = (*outlines().grid, *outlines().rails)
    f.card((at[0], 0.6, at[2]), (f.r.uniform(1, 4), 0.6), f.paint(), rotation(yaw), f.r.choice(numbers))


def _car(f: Frame, at: Vec, yaw: float) -> None:
    car(f.sub(at, yaw))


def _distant_house(f: Frame, at: Vec, yaw: float) -> None:
    r = f.r
    house(f.sub((at[0] * 1.5, 0, at[2] + 12), yaw), r.uniform(4, 10), r.uniform(3, 7), r.uniform(4, 9))


LANDSCAPE: Mapping[str, tuple[Place, int]] = {
    "tree": (_tree, 30),
    "bush": (_bush, 15),
    "person": (_person, 15),
    "animal": (_animal, 10),
    "rock": (_rock, 10),
    "fence": (_fence, 7),
    "car": (_car, 6),
    "house": (_distant_house, 7),
}
"""What stands in a landscape, and its weight."""


def landscape(s: Scene, r: random.Random) -> None:
    """Ground, hills, and things on it up to 60 m away."""
    f = Frame(s, r)
    if r.random() < 0.75:
        f.ground(r.uniform(1, 6))
    for _ in range(r.choice((0, 0, 2, 5))):
        z = r.uniform(15, 300)
        size = z * r.uniform(0.2, 0.8)
        centre = (r.uniform(-1, 1) * z, -size * r.uniform(0.1, 0.7), z)
        f.sphere(centre, (size * 2, size, size), replace(f.green(), texture_m=size / 4))
    if not any(b.primitive == Primitive.CARD for b in s.bodies):  # no level ground: the top of a large hill is it
        f.sphere((0, -400.0, 60), (900, 400, 400), replace(f.green(), texture_m=4.0))
    for _ in range(r.randint(4, 12)):
        at, yaw = _on_the_ground(r, 2.5, 60, 0.7), r.uniform(-3, 3)
        pick_by_weight(r, LANDSCAPE)(f, at, yaw)
    s.camera = (0.0, r.uniform(0.4, 2.2), 0.0)
    s.camera_axes = rotation(0, r.gauss(0.05, 0.12), r.gauss(0, 0.03))
    s.haze_per_m = r.choice((0, 0.001, 0.004, 0.02))
    daylight(s, r)


def _street_car(f: Frame, at: Vec, _half_width: float) -> None:
    car(f.sub(at, f.r.choice((0, math.pi, f.r.uniform(-3, 3)))))


def _street_person(f: Frame, at: Vec, _half_width: float) -> None:
    figure(f.sub(at, f.r.uniform(-3, 3)))


def _pole(f: Frame, at: Vec, _half_width: float) -> None:
    f.tube(at, (at[0], f.r.uniform(1, 6), at[2]), 0.06, 0.05, f.paint())


def _street_tree(f: Frame, at: Vec, half_width: float) -> None:
    tree(f.sub((math.copysign(half_width * 0.8, at[0]), 0, at[2])))


STREET: Mapping[str, tuple[Callable[[Frame, Vec, float], None], int]] = {
    "car": (_street_car, 35),
    "person": (_street_person, 35),
    "pole": (_pole, 15),
    "tree": (_street_tree, 15),
}
"""What stands in a street, and its weight: (frame of the scene, place, half the street's width) -> puts it there."""


def street(s: Scene, r: random.Random) -> None:
    """Houses on both sides, and what is on the road and the pavements."""
    f = Frame(s, r)
    f.ground(r.uniform(1, 4))
    half = r.uniform(3, 9)
    for side in (-1, 1):
        f.box((side * (half - r.uniform(0.8, 2)), 0.07, 50), (1.0, 0.07, 60), f.paint(0.1))
        _row_of_houses(f, side, half)
    for _ in range(r.randint(2, 9)):
        x, _, z = _on_the_ground(r, 3, 50, 0.3)
        pick_by_weight(r, STREET)(f, (max(-half, min(half, x * 2)), 0, z), half)
    s.camera = (r.uniform(-0.5, 0.5) * half, r.uniform(1.0, 2.5), 0.0)
    s.camera_axes = rotation(r.uniform(-0.35, 0.35), r.gauss(-0.02, 0.1), r.gauss(0, 0.02))
    s.haze_per_m = r.choice((0, 0, 0.003, 0.01))
    daylight(s, r)


def _row_of_houses(f: Frame, side: int, half_width: float) -> None:
    r = f.r
    z = r.uniform(-2, 6)
    while z < _STREET_END and r.random() < 0.93:
        length, depth = r.uniform(5, 14), r.uniform(5, 10)
        at = f.sub((side * (half_width + depth / 2), 0, z + length / 2), math.pi / 2 * -side)
        house(at, length, r.uniform(3, 16), depth)
        z += length + r.choice((0, 0, 1.5, 6))


CLOSE_UP: Mapping[str, tuple[Callable[[Frame], None], int]] = {
    "plant": (plant, 35),
    "flower": (flower, 30),
    "leaves": (undergrowth, 30),
    "thing": (small_thing, 5),
}
"""What grows, or lies, close to the camera, and its weight."""


def foliage(s: Scene, r: random.Random) -> None:
    """Plants from close up, perhaps before a hedge."""
    f = Frame(s, r)
    if r.random() < 0.7:
        f.ground(r.uniform(0.1, 1))
    if r.random() < 0.5:
        hedge = (0, 2, r.uniform(1.5, 6))
        f.box(hedge, (8, 4, 0.1), replace(f.green(), texture_m=r.uniform(0.5, 4)), casts_shadow=False)
    distance = r.uniform(0.25, 1.2)
    for _ in range(r.randint(4, 10)):
        z = distance * 5 ** r.random()
        at = f.sub((r.uniform(-0.6, 0.6) * z, r.uniform(0, 0.35), z), r.uniform(-3, 3), r.uniform(0.5, 1.6))
        pick_by_weight(r, CLOSE_UP)(at)
    s.camera = (0.0, r.uniform(0.2, 0.8), -0.05)
    s.camera_axes = rotation(0, r.uniform(-0.1, 0.8), r.gauss(0, 0.06))
    daylight(s, r)
