"""Scenes by rules: furnished rooms, table-tops, clutter, open places. The camera stands over 0 and looks along y."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .camera import Camera
from .cutouts import Cutout, standing
from .drawing import Canvas, Light, Lit
from .geometry import COLOUR, Array
from .meshes import box, card, cylinder, ellipsoid, turn
from .props import INDOORS, OUTDOORS, house, person, small, table
from .stage import Dress, Stage, Wardrobe
from .view import Scene

KINDS = ("room", "open", "table", "clutter")
"""Kinds of scenes: a furnished room, a place under the sky, a table-top, a room full of bodies of all shapes."""
SHARES = (0.38, 0.20, 0.32, 0.10)
"""How often each kind is made; they sum to 1."""

HOUSE_NEAREST_M, NEAREST_M = 9.0, 1.1
"""Houses and other things of a scene stand no nearer to the camera."""


class Rooms:
    """Scenes by rules, without end."""

    def __init__(self, canvas: Canvas, wardrobe: Wardrobe, cutouts: Sequence[Cutout]) -> None:
        self.canvas, self._wardrobe, self._cutouts = canvas, wardrobe, cutouts

    def scene(self, random: np.random.Generator) -> Scene:
        """The next one; release it when it is drawn."""
        kind = str(random.choice(KINDS, p=SHARES))
        height = random.uniform(0.9, 1.5) if kind == "table" else random.uniform(0.7, 1.85)
        field = math.radians(random.uniform(36, 82))
        pitch = math.radians(random.normal(-6, 9))
        top = height - math.exp(random.uniform(math.log(0.1), math.log(0.75)))
        first = math.exp(random.uniform(math.log(0.3), math.log(1.2)))
        if kind == "table":
            pitch = -math.atan2((height - top) * 0.8, first + 0.15) + random.normal(0, 0.09)
        camera = Camera.looking(
            np.array([0, 0, height], np.float32), math.pi / 2, pitch, math.radians(random.normal(0, 2)), field
        )
        scene = Scene(self.canvas, camera, _light(random, outdoors=kind == "open"))
        stage = Stage(scene, self._wardrobe, random)
        if kind == "open":
            self._open(stage)
        else:
            low, high, yaw = _room(stage, height)
            if kind == "room":
                self._furnish(stage, low, high, yaw)
            elif kind == "table":
                self._table(stage, top, first)
            else:
                self._clutter(stage, high)
        return scene

    def _cutout(self, stage: Stage, foot: Array, height_m: float) -> None:
        """A cut-out photograph that stands on a point of the scene."""
        random = stage.random
        cutout = self._cutouts[int(random.integers(len(self._cutouts)))]
        texture = self.canvas.named_texture(f"cutout {cutout.name}", lambda: cutout.picture)
        if texture is not None:
            height_m = min(height_m, 1.5 * height_m / cutout.aspect)
            rows = standing(cutout, foot, height_m, stage.scene.camera.position, random)
            rows[:, COLOUR] = random.uniform(0.55, 1.0) * float(np.mean(stage.scene.light.ambient + 0.5 * stage.scene.light.lamp))
            stage.scene.stand(rows, texture, Lit.EVENLY)

    def _spot(self, stage: Stage, nearest_m: float, farthest_m: float) -> tuple[float, float, float]:
        """A point of the floor before the camera."""
        y = stage.about(nearest_m, max(farthest_m, nearest_m * 1.1))
        return stage.between(-1.05, 1.05) * y * stage.scene.camera.half_tan, y, 0.0

    def _furnish(self, stage: Stage, low: Array, high: Array, yaw: float) -> None:
        reach = float(high[1]) - 0.3
        for _ in range(int(stage.random.integers(3, 11))):
            spot = self._spot(stage, NEAREST_M, reach)
            turned = yaw + math.pi / 2 * int(stage.random.integers(4)) if stage.chance(0.5) else stage.between(0, 6.3)
            if low[0] + 0.3 < spot[0] < high[0] - 0.3:
                stage.one_of(INDOORS)(stage.at(spot, turned))
        if stage.chance(0.35):
            spot = self._spot(stage, 0.9, 2.2)
            person(stage.at((spot[0] * 0.5, spot[1], 0), stage.random.normal(0, 0.7)))
        for _ in range(int(stage.random.integers(0, 3))):
            self._cutout(stage, np.array(self._spot(stage, 0.9, reach), np.float32), stage.between(0.25, 1.6))

    def _table(self, stage: Stage, top: float, first: float) -> None:
        """Things on a table before the camera, whose edge is `first` away."""
        depth, width = stage.about(0.4, 1.6), stage.about(0.6, 2.6)
        here = stage.at((stage.between(-0.2, 0.2), first + depth / 2, 0), stage.random.normal(0, 0.25))
        table(here, width, depth, top)
        size = stage.about(0.06, 0.22) * math.sqrt(first + 0.3)
        for _ in range(int(stage.random.integers(3, 16))):
            on = here.at((stage.between(-0.47, 0.47) * width, stage.between(-0.45, 0.45) * depth, top), stage.between(0, 6.3))
            if stage.chance(0.3):
                self._cutout(stage, on.offset, size * stage.about(0.6, 2.2))
            else:
                small(on, size * stage.about(0.5, 1.9))
        if stage.chance(0.3):  # boards behind the things
            for _ in range(int(stage.random.integers(1, 6))):
                at = (
                    stage.between(-1, 1) * width / 2,
                    first + depth * stage.between(0.6, 1.5),
                    top + stage.between(-0.2, 0.4) * depth,
                )
                board = np.array([stage.between(0.2, 0.9) * width / 2, 0.02, stage.between(0.3, 1.4) * depth], np.float32)
                lean = turn(stage.random.normal(0, 0.5), stage.random.normal(0, 0.2), stage.random.normal(0, 0.3))
                stage.put(box(board), stage.dress(0.6), at, lean)
        for _ in range(int(stage.random.integers(0, 4))):
            spot = self._spot(stage, first + depth + 0.6, first + depth + 3)
            stage.one_of(INDOORS)(stage.at(spot, stage.between(0, 6.3)))

    def _clutter(self, stage: Stage, high: Array) -> None:
        """Bodies of all shapes everywhere: depth from sizes and overlaps alone."""
        for _ in range(int(stage.random.integers(10, 40))):
            y = stage.about(0.8, max(1.0, float(high[1]) - 0.2))
            at = stage.scene.camera.point(stage.between(-1.1, 1.1), stage.between(-1.1, 1.1), y)
            s = np.array([0.24 * y * stage.about(0.2, 2.0) for _ in range(3)], np.float32)
            body = (box(s), ellipsoid(s), cylinder(float(s[0]) / 2, float(s[1])), card(float(s[0]), float(s[1]), 1.0))
            lean = turn(*(stage.between(0, 6.3) for _ in range(3)))
            stage.put(body[int(stage.random.integers(4))], stage.dress(float(s.max())), at, lean)

    def _open(self, stage: Stage) -> None:
        """A field, a garden or a street under the sky."""
        ground = stage.dress(stage.about(1.5, 8.0), 0.1)
        stage.put(card(900, 900, 1.0), ground, (0, -5, 0), turn(0, -math.pi / 2), casts=False)
        if stage.chance(0.4):
            half = stage.between(3, 9)
            for _ in range(int(stage.random.integers(3, 10))):
                side = -1 if stage.chance(0.5) else 1
                house(stage.at((side * (half + 4), stage.about(5, 70), 0), side * math.pi / 2))
        for _ in range(int(stage.random.integers(4, 15))):
            prop = stage.one_of(OUTDOORS)
            if prop is house:
                nearest, farthest = HOUSE_NEAREST_M, 90.0
            else:
                nearest, farthest = (1.6 if prop is person else 3.5), 40.0
            prop(stage.at(self._spot(stage, nearest, farthest), stage.between(0, 6.3)))
        for _ in range(int(stage.random.integers(0, 4))):  # hills far away
            y = stage.between(60, 300)
            hill = ellipsoid(np.array([y * stage.between(0.6, 1.6), y * 0.5, y * stage.between(0.1, 0.5)], np.float32))
            stage.put(hill, stage.dress(40.0, 0.3), (y * stage.between(-0.9, 0.9), y, 0), casts=False)
        if stage.chance(0.45):
            spot = self._spot(stage, 0.9, 3.0)
            person(stage.at((spot[0] * 0.5, spot[1], 0), stage.random.normal(0, 0.7)))
        for _ in range(int(stage.random.integers(0, 4))):
            self._cutout(stage, np.array(self._spot(stage, 1.0, 12.0), np.float32), stage.about(0.25, 2.0))


def _light(random: np.random.Generator, *, outdoors: bool) -> Light:
    around, height = random.uniform(0, 2 * math.pi), random.uniform(0.35, 1.4)
    towards = np.array([math.cos(around) * math.cos(height), math.sin(around) * math.cos(height), math.sin(height)], np.float32)
    tint = (1 + random.normal(0, 0.07, 3)).clip(0.75, 1.25).astype(np.float32)
    ambient = np.full(3, random.uniform(0.3, 0.7), np.float32)
    fog = 1 / math.exp(random.uniform(math.log(20), math.log(300))) if outdoors and random.random() < 0.5 else 0.0
    return Light(towards, random.uniform(0.2, 0.9) * tint, ambient, random.uniform(0.2, 0.6), fog=fog)


def _room(stage: Stage, camera_m: float) -> tuple[Array, Array, float]:
    """Walls, floor and ceiling around the camera; the lowest and highest corner of what is free before it, and the walls' yaw."""
    random = stage.random
    width, length, height = stage.about(2.2, 9), stage.about(2.2, 12), max(stage.between(2.2, 3.6), camera_m + 0.3)
    ahead = stage.between(min(1.6, length * 0.6), length - 0.2)
    aside = stage.between(0.15, 0.85) * width
    yaw = random.normal(0, 0.06) if stage.chance(0.35) else stage.between(-0.75, 0.75)
    low, high = np.array([-aside, ahead - length, 0]), np.array([width - aside, ahead, height])
    wall = stage.dress(2.0, 0.6)
    walls = [wall] * 4 if stage.chance(0.65) else [stage.dress(2.0, 0.6) for _ in range(4)]
    floor, ceiling = stage.dress(1.5, 0.15), stage.dress(2.0, 0.85)
    middle = (low + high) / 2
    sides = ((0, high[1], 0, width, walls[0]), (0, low[1], math.pi, width, walls[1]))
    sides += ((high[0], 0, -math.pi / 2, length, walls[2]), (low[0], 0, math.pi / 2, length, walls[3]))
    here = stage.at((0, 0, 0), yaw)
    for x, y, turned, wide, dress in sides:
        at = (x or middle[0], y or middle[1], 0.0)
        here.put(card(wide, height, 1.0), dress, at, turn(turned), casts=False)
        _pictures(here.at(at, turned), wide, height)
    for z, dress in ((0.0, floor), (height, ceiling)):
        here.put(card(width, length, 1.0), dress, (middle[0], high[1], z), turn(0, math.pi / 2), casts=False)
    return low.astype(np.float32), high.astype(np.float32), yaw


def _pictures(stage: Stage, width: float, height: float) -> None:
    """Pictures, windows and doors on a wall over x, which faces -y."""
    for _ in range(int(stage.random.integers(0, 3))):
        w, h, thick = stage.about(0.2, 1.4), stage.about(0.2, 1.2), stage.about(0.01, 0.12)
        x = stage.between(-0.45, 0.45) * (width - w)
        z = stage.between(0.9, max(1.0, height - 0.8))
        if stage.chance(0.2):
            w, h, z = 0.9, 2.0, 1.0
        if stage.chance(0.6):
            frame = stage.dress(0.3, 0.9)
            stage.put(box(np.array([w + 0.1, thick, h + 0.1], np.float32)), frame, (x, 0, z), casts=False)
        picture: Dress = stage.dress(max(w, h), 0.15)
        stage.put(box(np.array([w, thick * 1.2, h], np.float32)), picture, (x, 0, z), casts=False)
