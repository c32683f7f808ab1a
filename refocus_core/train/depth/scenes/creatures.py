"""People and animals, in any posture. Builders put them at a frame's origin, on the ground, facing -z; lengths are in m."""

from __future__ import annotations

import math

from .bodies import Paint, rotation
from .frame import Frame
from .outlines import outlines
from .textures import TEXTURES


def figure(f: Frame, *, sitting: bool = False) -> None:
    """A person of about 1.7 m."""
    r = f.r
    skin = Paint(texture=r.randrange(TEXTURES), texture_m=3.0, tint=(r.uniform(0.9, 1.4), r.uniform(0.6, 0.9), 0.6))
    shirt, trousers, hair = f.paint(0.8), f.paint(), f.paint(0.3)
    hip = 0.5 if sitting else 0.9
    _legs(f, hip, trousers, sitting=sitting)
    f.sphere((0, hip + 0.08, 0), (0.19, 0.16, 0.13), trousers)
    f.tube((0, hip + 0.05, 0), (0, hip + 0.5, 0), 0.15, 0.19, shirt)
    f.sphere((0, hip + 0.47, 0), (0.22, 0.12, 0.13), shirt)
    _arms(f, hip, shirt, skin)
    _head(f, hip, skin)
    if r.random() < 0.9:
        _hair(f, hip, hair)


def _legs(f: Frame, hip: float, trousers: Paint, *, sitting: bool) -> None:
    for x in (-0.1, 0.1):
        step = f.r.uniform(-0.25, 0.25)
        knee = (x, 0.5, -0.45) if sitting else (x, 0.47, step * 0.5)
        f.tube((x, hip, 0), knee, 0.085, 0.06, trousers)
        f.tube(knee, (x, 0.05, knee[2] + (0.0 if sitting else step * 0.5)), 0.06, 0.045, trousers)
        f.sphere((x, 0.04, knee[2] - 0.06), (0.05, 0.04, 0.12), f.paint())


def _arms(f: Frame, hip: float, shirt: Paint, skin: Paint) -> None:
    r = f.r
    for x in (-1, 1):
        elbow = (x * r.uniform(0.24, 0.45), hip + r.uniform(0.15, 0.55), r.uniform(-0.25, 0.1))
        hand = (elbow[0] + x * r.uniform(-0.25, 0.15), elbow[1] + r.uniform(-0.25, 0.25), elbow[2] - r.uniform(0, 0.25))
        f.tube((x * 0.2, hip + 0.48, 0), elbow, 0.06, 0.045, shirt)
        f.tube(elbow, hand, 0.045, 0.035, r.choice((skin, shirt)))
        f.sphere(hand, 0.05, skin)


def _head(f: Frame, hip: float, skin: Paint) -> None:
    f.tube((0, hip + 0.5, 0), (0, hip + 0.65, 0), 0.065, 0.06, skin)
    nod = rotation(f.r.uniform(-0.7, 0.7), f.r.uniform(-0.3, 0.3))
    f.sphere((0, hip + 0.75, -0.01), (0.085, 0.125, 0.1), skin, nod)
    f.sphere((0, hip + 0.72, -0.11), (0.017, 0.03, 0.03), skin)


def _hair(f: Frame, hip: float, hair: Paint) -> None:
    r = f.r
    f.sphere((0, hip + 0.79, 0.025), (0.098, 0.115, 0.105), hair)
    if r.random() < 0.4:  # long
        f.sphere((0, hip + 0.66, 0.06), (0.11, 0.2, 0.07), hair)
    for _ in range(r.choice((0, 0, 3, 6))):  # strands
        turn = rotation(r.uniform(-1.5, 1.5), r.uniform(-0.4, 0.4), r.uniform(-0.6, 0.6) + math.pi)
        root = (r.uniform(-0.1, 0.1), hip + r.uniform(0.7, 0.9), r.uniform(-0.05, 0.08))
        f.card(root, (0.1, 0.15), hair, turn, outlines().grass[0])


def animal(f: Frame) -> None:
    """Four legs, two ears and a tail, 0.7 m high."""
    r, fur = f.r, f.paint(0.2)
    f.sphere((0, 0.38, 0), (0.14, 0.15, 0.33), fur)
    f.sphere((0, 0.55, -0.36), (0.1, 0.11, 0.12), fur)
    f.sphere((0, 0.51, -0.47), (0.05, 0.05, 0.07), f.paint(0.2))
    for x in (-0.08, 0.08):
        f.tube((x, 0.6, -0.34), (x * 1.3, 0.73, -0.33), 0.04, 0.008, fur)
        for z in (-0.22, 0.22):
            f.tube((x, 0, z + r.uniform(-0.05, 0.05)), (x, 0.33, z), 0.03, 0.05, fur)
    f.tube((0, 0.42, 0.3), (r.uniform(-0.2, 0.2), r.uniform(0.3, 0.75), 0.55), 0.035, 0.015, fur)
