"""Scenes by their number: what kind, what is in them, and whether a frame of them is worth learning from."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ...common.seeds import generator
from .bodies import Scene, Vec, rotation
from .creatures import animal, figure
from .frame import Frame, pick_by_weight
from .indoor import indoor, room, table_top
from .outdoor import daylight, foliage, landscape, street
from .outlines import outlines
from .shading import Rendered, render
from .textures import pick_textures

Composer = Callable[[Scene, random.Random], None]
"""Fills an empty scene."""

_FIELD_OF_VIEW_DEG = (28, 80)
"""Range of the horizontal angle of view, from a short telephoto to a wide angle."""
_EXPOSURE = (0.2, 0.7)
"""Range of `Scene.exposure`."""
_FLASH = 0.1
"""Share of the scenes that are lit from the camera."""
_NEAREST_PER_M = 8.0
"""A frame is not used if 2 % of its pixels have more disparity, 1/m: something stands right before the lens."""
_LEAST_RATIO = 1.25
"""A frame is not used if its near disparity (90th percentile) is less than this times its far one (10th)."""
_ATTEMPTS = 20
"""How often a scene that is not used is replaced by another one."""

_COMPOSE_STREAM = 7
"""Key of the random numbers that compose a scene; what a seed means depends on it."""
_TEXTURE_STREAM = 8
"""Key of those that pick its textures; likewise fixed."""


def _backdrop_room(s: Scene, r: random.Random) -> None:
    room(s, r, things=r.randint(1, 5))


_BACKDROPS: Mapping[str, tuple[Composer, int]] = {
    "room": (_backdrop_room, 45),
    "landscape": (landscape, 35),
    "street": (street, 20),
}
"""What is behind a portrait, and its weight."""


def portrait(s: Scene, r: random.Random) -> None:
    """One to three people, or animals on something of table height, close to the camera."""
    pick_by_weight(r, _BACKDROPS)(s, r)
    distance = r.uniform(0.6, 3.0)
    f = Frame(s, r)
    for i in range(r.choice((1, 1, 1, 2, 3))):
        x = 0.0 if i == 0 else r.uniform(-0.8, 0.8)
        person = f.sub((x, 0, distance + 0.6 * i), r.gauss(0, 0.6))
        if r.random() < 0.85:
            figure(person)
        else:
            animal(f.sub((x, 0.7, distance), r.gauss(0, 0.8), 1.2))
    s.camera = (r.uniform(-0.25, 0.25), r.uniform(1.2, 1.75), 0.0)
    s.camera_axes = rotation(r.uniform(-0.15, 0.15), r.gauss(0.0, 0.1), r.gauss(0, 0.04))
    s.focal_widths = r.uniform(0.9, 2.0)


@dataclass(frozen=True)
class _Clutter:
    """A place for a body without meaning: centre, mean half size and half sizes in m, rotation [3,3]."""

    centre: Vec
    size: float
    half_size: Vec
    turn: Tensor


def _clutter_box(f: Frame, at: _Clutter) -> None:
    f.box(at.centre, at.half_size, f.paint(), at.turn)


def _clutter_sphere(f: Frame, at: _Clutter) -> None:
    f.sphere(at.centre, at.half_size, f.paint(), at.turn)


def _clutter_tube(f: Frame, at: _Clutter) -> None:
    r, size = f.r, at.size
    end = tuple(c + r.uniform(-2, 2) * size for c in at.centre)
    f.tube(at.centre, end, size * r.uniform(0.05, 0.6), size * r.uniform(0.05, 0.6), f.paint())


def _clutter_card(f: Frame, at: _Clutter) -> None:
    half_size = (at.half_size[0] * 1.5, at.half_size[1] * 1.5)
    paint = replace(f.paint(), texture_m=at.size * 2)
    f.card(at.centre, half_size, paint, at.turn, f.r.randrange(len(outlines().masks)))


_CLUTTER: Mapping[str, tuple[Callable[[Frame, _Clutter], None], int]] = {
    "box": (_clutter_box, 30),
    "sphere": (_clutter_sphere, 20),
    "tube": (_clutter_tube, 15),
    "card": (_clutter_card, 35),
}
"""Bodies of a scene without meaning, and their weight."""


def clutter(s: Scene, r: random.Random) -> None:
    """Bodies of all kinds and sizes in the air: depth that no knowledge of the world helps with."""
    f = Frame(s, r)
    if r.random() < 0.6:
        f.ground(r.uniform(0.5, 5), r.uniform(-2, 0))
    if r.random() < 0.6:
        wall = (0, 0, r.uniform(4, 20))
        f.card(wall, (40, 40), replace(f.paint(), texture_m=r.uniform(2, 20)), rotation(), outlines().whole[0])
    for _ in range(r.randint(10, 40)):
        z = 0.6 * 20 ** r.random()
        centre = (r.uniform(-0.7, 0.7) * z, 1 + r.uniform(-0.6, 0.6) * z, z)
        size = z * r.uniform(0.03, 0.25)
        half_size = tuple(size * r.uniform(0.3, 1.3) for _ in range(3))
        turn = rotation(*(r.uniform(-3, 3) for _ in range(3)))
        pick_by_weight(r, _CLUTTER)(f, _Clutter(centre, size, half_size, turn))
    s.camera = (0.0, 1.0, 0.0)
    s.camera_axes = rotation(0, r.gauss(0.05, 0.15), r.gauss(0, 0.1))
    daylight(s, r)


KINDS: Mapping[str, tuple[Composer, float]] = {
    "indoor": (indoor, 0.22),
    "outdoor": (landscape, 0.15),
    "street": (street, 0.12),
    "table-top": (table_top, 0.18),
    "portrait": (portrait, 0.14),
    "foliage": (foliage, 0.12),
    "clutter": (clutter, 0.07),
}
"""Kinds of scenes: composer and share."""


def compose(seed: int, index: int, attempt: int = 0, kind: str | None = None) -> Scene:
    """Scene `index` of `seed`: always the same. `attempt` gives another one in its place, `kind` one of `KINDS`."""
    g = generator(seed, index, attempt, _COMPOSE_STREAM)
    r = random.Random(int(torch.randint(2**62, (1,), generator=g)))  # noqa: S311 - scenes, not secrets
    s = Scene()
    s.focal_widths = 0.5 / math.tan(math.radians(r.uniform(*_FIELD_OF_VIEW_DEG)) / 2)
    s.exposure = r.uniform(*_EXPOSURE)
    kind = kind or r.choices(list(KINDS), [share for _, share in KINDS.values()])[0]
    KINDS[kind][0](s, r)
    if r.random() < _FLASH:
        s.light, s.light_is_near, s.light_color = s.camera, True, (1.0, 1.0, 1.0)
    return s


def usable(disparity: Tensor) -> bool:
    """Whether a frame [H,W] is worth learning from: nothing right before the lens, and depth that varies."""
    near = disparity.flatten().kthvalue(int(disparity.numel() * 0.98)).values
    low, high = disparity.flatten()[::7].quantile(disparity.new_tensor([0.1, 0.9]))
    return bool((near < _NEAREST_PER_M) & (high > _LEAST_RATIO * low + 1e-6))


def example(photos: Sequence[Tensor], seed: int, index: int, side_px: int, device: torch.device | str = "cpu") -> Rendered:
    """Scene `index` drawn square, [1,...]; frames that are not `usable` are replaced by another attempt.

    Args:
        photos: [3,h,w] uint8 sRGB, for the surfaces; may be empty.
        seed, index: which scene.
        side_px: of the picture.
        device: where it is drawn.

    Raises:
        RuntimeError: if no attempt gives a usable frame.
    """
    for attempt in range(_ATTEMPTS):
        scene = compose(seed, index, attempt)
        textures = pick_textures(photos, generator(seed, index, attempt, _TEXTURE_STREAM))[None].to(device)
        out = render([scene], textures, side_px, side_px)
        if usable(out.disparity[0]):
            return out
    raise RuntimeError(f"Scene {index} of seed {seed} has no usable frame in {_ATTEMPTS} attempts.")
