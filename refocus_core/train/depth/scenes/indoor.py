"""Scenes in rooms. Composers fill a scene with bodies, a camera and light; lengths are in m, angles in radians."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace

from .bodies import Scene, rotation
from .frame import Frame
from .furniture import piece_of_furniture
from .tabletop import small_thing

_WALL = 0.1
"""Half the thickness of walls."""
_WALL_PIECE = 0.03
"""Half the thickness of pictures, windows and doors."""
_MISSING_WALL = (None, None, 2, 3, 4, 1)
"""Which of the room's faces is left out (see `_walls`): a third of the rooms are whole, the others open somewhere."""
_TABLE_HEIGHT = 0.75
"""Of the table that table-top scenes are set on."""
_HEAD_ROOM = 0.08
"""The camera of a table-top scene is at least so far above the table."""


@dataclass(frozen=True)
class Room:
    """Half the width, the height, and z of the far wall."""

    half_width: float
    height: float
    far: float


def room(s: Scene, r: random.Random, *, things: int) -> Room:
    """Walls around the camera, pictures on them, and `things` pieces of furniture."""
    size = Room(r.uniform(1.5, 4.5), r.uniform(2.3, 3.5), r.uniform(2.5, 9))
    f = Frame(s, r)
    _walls(f, size)
    _wall_pieces(f, size)
    for _ in range(things):
        z = r.uniform(1.2, size.far - 0.4)
        x = r.uniform(-size.half_width + 0.3, size.half_width - 0.3)
        yaw = r.choice((0, math.pi / 2, math.pi, -math.pi / 2, r.uniform(-3, 3)))
        piece_of_furniture(f.sub((x, 0, z), yaw))
    s.light_is_near = r.random() < 0.7
    if s.light_is_near:
        x = r.uniform(-size.half_width, size.half_width) * 0.8
        s.light = (x, r.uniform(0.7, 0.95) * size.height, r.uniform(-0.5, 0.8 * size.far))
    s.ambient = (r.uniform(0.3, 0.8),) * 3
    return size


def _walls(f: Frame, size: Room) -> None:
    """Floor, ceiling, left, right, far and near wall; where one is missing, the ground outside shows."""
    r = f.r
    half, height, far = size.half_width, size.height, size.far
    near = -r.uniform(0.5, 3)
    wall = replace(f.paint(0.3), texture_m=r.uniform(1, 4))
    middle, half_length = (near + far) / 2, (far - near) / 2
    faces = (
        ((0, -_WALL, middle), (half, _WALL, half_length), replace(f.paint(0.4), texture_m=r.uniform(0.5, 3))),
        ((0, height + _WALL, middle), (half, _WALL, half_length), f.paint(0.1)),
        ((-half - _WALL, height / 2, middle), (_WALL, height / 2, half_length), wall),
        ((half + _WALL, height / 2, middle), (_WALL, height / 2, half_length), wall if r.random() < 0.6 else f.paint(0.3)),
        ((0, height / 2, far + _WALL), (half, height / 2, _WALL), wall if r.random() < 0.6 else f.paint(0.3)),
        ((0, height / 2, near - _WALL), (half, height / 2, _WALL), wall),
    )
    missing = r.choice(_MISSING_WALL)
    for i, (centre, half_size, paint) in enumerate(faces):
        if i != missing:
            f.box(centre, half_size, paint, casts_shadow=False)
    if missing is not None:
        f.ground(r.uniform(0.5, 3), -0.02)


def _wall_pieces(f: Frame, size: Room) -> None:
    """Pictures, windows, doors."""
    r = f.r
    for _ in range(r.randrange(5)):
        side = r.choice((-1, 0, 1))
        half_width, half_height = r.uniform(0.2, 0.9), r.uniform(0.2, 1.0)
        y = r.uniform(1.0, 2.0)
        if side:
            at = (side * (size.half_width - 0.02), y, r.uniform(0.5, size.far))
            f.box(at, (_WALL_PIECE, half_height, half_width), f.paint(0.8))
        else:
            at = (r.uniform(-size.half_width, size.half_width), y, size.far - 0.02)
            f.box(at, (half_width, half_height, _WALL_PIECE), f.paint(0.8))


def indoor(s: Scene, r: random.Random) -> None:
    """A furnished room, seen by someone who stands or sits in it."""
    size = room(s, r, things=r.randint(3, 9))
    s.camera = (r.uniform(-0.7, 0.7) * size.half_width, r.uniform(0.4, 0.8) * size.height, r.uniform(-0.4, 0.3))
    s.camera_axes = rotation(r.uniform(-0.5, 0.5), r.gauss(0.12, 0.15), r.gauss(0, 0.03))


def table_top(s: Scene, r: random.Random) -> None:
    """Small things on a table close to the camera, which looks down on them."""
    f = Frame(s, r)
    size = room(s, r, things=r.randint(1, 4))
    distance = r.uniform(0.25, 0.9)
    if r.random() < 0.8:
        half_size = (r.uniform(0.5, 1.5), 0.03, r.uniform(0.3, 0.7))
        f.box((0, _TABLE_HEIGHT - 0.03, 0.75), half_size, replace(f.paint(), texture_m=r.uniform(0.2, 1)))
    else:  # a counter as large as the room
        half_size = (size.half_width, _TABLE_HEIGHT / 2, size.far / 2)
        f.box((0, _TABLE_HEIGHT / 2, size.far / 2), half_size, f.paint(), casts_shadow=False)
    for _ in range(r.randint(3, 11)):
        z = distance * 4 ** r.random()
        at = (r.uniform(-0.55, 0.55) * z, _TABLE_HEIGHT, 0.1 + z)
        small_thing(f.sub(at, r.uniform(-3, 3), r.uniform(0.7, 1.5)))
    pitch = r.uniform(0.05, 0.9)
    height = _TABLE_HEIGHT + _HEAD_ROOM + distance * math.tan(pitch) * 0.8
    s.camera = (r.uniform(-0.1, 0.1), height, 0.1 - distance * 0.3)
    s.camera_axes = rotation(r.uniform(-0.2, 0.2), pitch, r.gauss(0, 0.04))
