"""A level as a place to take photos in: cameras as people hold them, people and things set before them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from . import bsp, md3
from .archive import Archive
from .camera import Camera
from .cutouts import Cutout, standing
from .drawing import Canvas, Item, Light, Lit
from .geometry import COLOUR, POSITION, Array, Rays, corners
from .meshes import moved, turn
from .view import Scene

HOLDS = ("standing", "low", "down", "up", "along", "near", "portrait")
"""Ways to hold the camera: at eye height; as over a table; down; up; along the nearest wall; close to a surface; at somebody who
stands 1 to 3 m away."""
SHARES = (0.31, 0.19, 0.09, 0.06, 0.10, 0.08, 0.17)
"""How often each way is chosen; they sum to 1."""

MET = 0.75
"""Share of the views in which something is set before the camera."""

LONGEST_WALK_M = 12.0
"""How far a camera is carried from a known place: farther shows more of a level, and ends more tries where there is no floor."""
DEEPEST_FALL_M = 6.0
"""How far down the floor is looked for: a larger one keeps more tries, and puts more things far below the camera."""

DARK = 20
"""Baked light (0..255) up to here is unused space between the parts of a lightmap."""

CLEAR_M = 0.3
"""Distance that a camera keeps from walls."""


@dataclass(frozen=True)
class Cast:
    """Who and what can be set before a camera."""

    cutouts: Sequence[Cutout]
    figures: Sequence[str]
    things: Sequence[str]


class Visit:
    """A level on a canvas. Release it before the next one is loaded."""

    def __init__(self, canvas: Canvas, archive: Archive, name: str) -> None:
        level = bsp.read(archive.read(name))
        self._canvas, self._archive, self.places = canvas, archive, level.places
        baked_light = _baked_light(archive, name, level)
        self._lightmaps = [canvas.lightmap(pixels) for pixels in baked_light]
        self._items: list[Item] = []
        solid: list[Array] = []
        for surfaces in level.surfaces:
            material = archive.materials.get(surfaces.material)
            texture = None
            if material is None or not (material.sky or material.hidden):
                texture = canvas.named_texture(surfaces.material, partial(archive.image, surfaces.material))
            if texture is None:
                continue
            baked = surfaces.lightmap if 0 <= surfaces.lightmap < len(self._lightmaps) else None
            lit, lightmap = (Lit.VERTICES, None) if baked is None else (Lit.LIGHTMAP, self._lightmaps[baked])
            self._items.append(Item(canvas.mesh(surfaces.rows), texture, lit, lightmap))
            solid.append(corners(surfaces.rows))
        if not solid:
            raise ValueError(f"{name} has no surface that can be drawn.")
        self._rays = Rays(np.concatenate(solid))
        lit = [pixels[pixels.max(-1) > DARK] for pixels in baked_light]
        self._brightness = 2 * float(np.median(np.concatenate(lit))) / 255 if any(map(len, lit)) else 0.8

    def release(self) -> None:
        """Give the device's memory back."""
        for item in self._items:
            item.mesh.release()
        for texture in self._lightmaps:
            texture.release()
        self._canvas.forget()

    # --- cameras ------------------------------------------------------------------------------------------------------

    def floor_m(self, point: Array) -> float:
        """Height of the floor below a point [3]; -inf if there is none near."""
        fall = self._rays.distance_m(point, np.array([0, 0, -1], np.float32), DEEPEST_FALL_M)
        return float(point[2]) - fall

    def camera(self, hold: str, random: np.random.Generator) -> Camera | None:
        """Somewhere in the level; None where this try ended in a wall."""
        start = self.places[int(random.integers(len(self.places)))] + np.array([0, 0, 0.4], np.float32)
        heading = random.uniform(0, 2 * math.pi)
        free = self._free_m(start, heading)
        if free < 0.8:
            return None
        walked = random.uniform(0, min(free - 0.5, LONGEST_WALK_M))
        point = start + walked * _level(heading)
        floor = self.floor_m(point)
        if not math.isfinite(floor):
            return None
        heights = {"low": (0.2, 1.0), "near": (0.3, 1.7), "portrait": (1.1, 1.65), "up": (0.5, 1.7)}
        point[2] = floor + random.uniform(*heights.get(hold, (1.25, 1.8)))
        if self._rays.distance_m(np.array([*point[:2], floor + 0.05], np.float32), _UP, float(point[2] - floor) + CLEAR_M) < 1e3:
            return None
        yaw = self._yaw(hold, point, random)
        pitch = math.radians(_pitch_deg(hold, random))
        field = math.radians(random.uniform(34, 62) if hold == "portrait" else random.uniform(42, 85))
        if hold == "near":
            ahead = self._free_m(point, yaw)
            if not math.isfinite(ahead) or ahead < 0.4:
                return None
            point = point + max(0.0, ahead - math.exp(random.uniform(math.log(0.35), math.log(1.6)))) * _level(yaw)
        if min(self._free_m(point, yaw + turned) for turned in (0, 1.2, -1.2)) < CLEAR_M:
            return None
        return Camera.looking(point, yaw, pitch, math.radians(random.normal(0, 2)), field)

    def _free_m(self, point: Array, yaw: float) -> float:
        return self._rays.distance_m(point, _level(yaw), 60.0)

    def _yaw(self, hold: str, point: Array, random: np.random.Generator) -> float:
        """Any direction; "along": far ahead and near beside; else one in which there is room."""
        tries = [random.uniform(0, 2 * math.pi) for _ in range(5)]
        if hold == "along":
            beside = [min(self._free_m(point, t + math.pi / 2), self._free_m(point, t - math.pi / 2)) for t in tries]
            ahead = [min(self._free_m(point, t), 20.0) for t in tries]
            return max(zip(ahead, beside, tries, strict=True), key=lambda t: t[0] / (t[1] + 0.5))[2]
        if hold == "near":
            return tries[0]
        return next((t for t in tries if self._free_m(point, t) > 2.0), tries[0])

    # --- scenes -------------------------------------------------------------------------------------------------------

    def scene(self, cast: Cast, random: np.random.Generator) -> Scene | None:
        """A camera and what stands before it; None where this try led nowhere."""
        hold = str(random.choice(HOLDS, p=SHARES))
        camera = self.camera(hold, random)
        if camera is None:
            return None
        side, height = random.uniform(0, 2 * math.pi), random.uniform(0.5, 1.4)
        towards = np.array([math.cos(side) * math.cos(height), math.sin(side) * math.cos(height), math.sin(height)], np.float32)
        bright = self._brightness * random.uniform(0.7, 1.3)
        tint = np.clip(1 + random.normal(0, 0.06, 3), 0.8, 1.2).astype(np.float32)
        light = Light(towards, 0.7 * bright * tint, 0.45 * bright * tint, shade=random.uniform(0.2, 0.6))
        scene = Scene(self._canvas, camera, light, list(self._items))
        if hold == "portrait":
            self._person(scene, cast, random, random.uniform(1.0, 3.0), random.uniform(-0.45, 0.45))
        for _ in range(int(random.integers(1, 7)) if random.random() < MET else 0):
            depth_m = math.exp(random.uniform(math.log(0.5), math.log(8.0)))
            x = random.uniform(-0.95, 0.95)
            if random.random() < 0.2:
                self._person(scene, cast, random, depth_m, x)
            elif random.random() < 0.3 and cast.things:
                self._thing(scene, cast, random, depth_m, x)
            else:
                self._cutout(scene, cast, random, depth_m, x)
        return scene

    def _foot(self, scene: Scene, depth_m: float, x: float) -> Array | None:
        """Where something stands on the floor, [3]: in the column `x` of the picture, and not behind a wall."""
        camera = scene.camera
        head = camera.point(x, 0.0, depth_m)
        away = head - camera.position
        distance = float(np.linalg.norm(away))
        if self._rays.distance_m(camera.position, away / distance, distance + 0.2) < distance + 0.2:
            return None
        floor = self.floor_m(head)
        return np.array([head[0], head[1], floor], np.float32) if math.isfinite(floor) else None

    def _cutout(self, scene: Scene, cast: Cast, random: np.random.Generator, depth_m: float, x: float) -> None:
        foot = self._foot(scene, depth_m, x)
        if foot is None or not cast.cutouts:
            return
        cutout = cast.cutouts[int(random.integers(len(cast.cutouts)))]
        share = math.exp(random.uniform(math.log(0.12), math.log(0.8)))  # of the picture's height
        height_m = min(share * 2 * depth_m * scene.camera.half_tan, 2.5, 2.5 / cutout.aspect)
        texture = self._canvas.named_texture(f"cutout {cutout.name}", lambda: cutout.picture)
        rows = standing(cutout, foot, height_m, scene.camera.position, random)
        rows[:, COLOUR] = self._brightness * random.uniform(0.8, 1.3)
        if texture is not None:
            scene.stand(rows, texture, Lit.EVENLY)

    def _person(self, scene: Scene, cast: Cast, random: np.random.Generator, depth_m: float, x: float) -> None:
        foot = self._foot(scene, depth_m, x)
        if foot is None or not cast.figures:
            return
        parts = md3.figure(self._archive, cast.figures[int(random.integers(len(cast.figures)))], random)
        facing = scene.camera.position - foot
        yaw = math.atan2(facing[1], facing[0]) + random.normal(0, 0.9)
        self._dress(scene, parts, foot, turn(yaw))

    def _thing(self, scene: Scene, cast: Cast, random: np.random.Generator, depth_m: float, x: float) -> None:
        foot = self._foot(scene, depth_m, x)
        parts = md3.read(self._archive.read(cast.things[int(random.integers(len(cast.things)))])).parts
        if foot is None or not parts:
            return
        rows = np.concatenate([p.rows[:, POSITION] for p in parts])
        low, high = rows.min(0), rows.max(0)
        largest = float((high - low).max())
        if not 0.05 < largest < 20:
            return
        scale = min(math.exp(random.uniform(math.log(0.12), math.log(0.8))) * 2 * depth_m * scene.camera.half_tan, 2.0) / largest
        middle = np.array([(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2]])
        for part in parts:
            part.rows[:, POSITION] = (part.rows[:, POSITION] - middle) * scale
        self._dress(scene, parts, foot, turn(random.uniform(0, 2 * math.pi)))

    def _opaque(self, name: str) -> Image.Image | None:
        """A model's texture: it uses alpha for shine."""
        picture = self._archive.image(name) if name else None
        return None if picture is None else picture.convert("RGB")

    def _dress(self, scene: Scene, parts: Sequence[md3.Part], foot: Array, rotation: Array) -> None:
        for part in parts:
            texture = self._canvas.named_texture(f"opaque {part.shader}", partial(self._opaque, part.shader))
            if texture is not None:
                scene.stand(moved(part.rows, foot, rotation), texture, Lit.LAMP)


def _baked_light(archive: Archive, name: str, level: bsp.Level) -> list[NDArray[np.uint8]]:
    """Lightmaps [h,w,3]: the level's own, or those that lie as pictures beside it."""
    if len(level.lightmaps):
        return list(level.lightmaps)
    out: list[NDArray[np.uint8]] = []
    while (picture := archive.image(f"{name.removesuffix('.bsp')}/lm_{len(out):04d}")) is not None:
        out.append(np.asarray(picture.convert("RGB")))
    return out


_UP = np.array([0, 0, 1], np.float32)
"""Unit vector against gravity."""


def _level(yaw: float) -> Array:
    return np.array([math.cos(yaw), math.sin(yaw), 0], np.float32)


def _pitch_deg(hold: str, random: np.random.Generator) -> float:
    """Upwards, in degrees."""
    if hold == "down":
        return random.uniform(-78, -22)
    if hold == "up":
        return random.uniform(14, 55)
    return random.normal(-12 if hold == "low" else -4, 8)
