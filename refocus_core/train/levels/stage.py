"""What scenes by rules are built with: surfaces to dress things in, and a place to put them together."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from .archive import IMAGES, Archive
from .drawing import Canvas, Lit
from .geometry import COLOUR, TEXTURE, Array
from .meshes import moved, turn
from .view import Scene

if TYPE_CHECKING:
    import moderngl

PLAIN = 0.38
"""Share of the surfaces of one colour; the others are textures of games, parts of photos, or both tinted."""

PHOTO = 0.4
"""Share of the textures that are parts of photos."""

PHOTO_PX = 320
"""Side of a part of a photo as a surface: a larger one is sharper close by and takes more memory."""


@dataclass(frozen=True)
class Dress:
    """A surface: its texture, how often it repeats in a metre, and its colour [3]."""

    texture: moderngl.Texture
    repeat: float
    tint: Array


class Wardrobe:
    """Textures of a game, and photos, as surfaces."""

    def __init__(self, canvas: Canvas, archive: Archive, photos: Sequence[Image.Image]) -> None:
        self._canvas, self._archive, self._photos = canvas, archive, photos
        wanted = [n for e in IMAGES for n in archive.names("textures/", e)]
        self._names = sorted(
            n for n in wanted if not any(w in n for w in ("sky", "effect", "sfx", "flare", "clouds", "env", "lm_"))
        )

    def dress(self, random: np.random.Generator, size_m: float, plain: float = PLAIN) -> Dress:
        """For a thing of about `size_m`: a plain colour, a texture, or a part of a photo."""
        if random.random() < plain:
            return Dress(self._canvas.white, 1.0, colour(random))
        texture, repeat = None, 1.0
        while texture is None:
            if self._photos and random.random() < PHOTO:
                number = int(random.integers(len(self._photos)))
                part = tuple(int(n) for n in random.integers(0, 3, 2))
                texture = self._canvas.named_texture(f"photo {number} {part}", partial(self._part, number, part))
                repeat = math.exp(random.uniform(math.log(0.3), math.log(1.5))) / size_m
            else:
                name = self._names[int(random.integers(len(self._names)))]
                texture = self._canvas.named_texture(f"surface {name}", partial(self._surface, name))
                repeat = math.exp(random.uniform(math.log(0.4), math.log(3.0))) / size_m
        strength = random.uniform(0, 0.8) if random.random() < 0.5 else 0.0
        return Dress(texture, repeat, (1 - strength + strength * colour(random)).astype(np.float32))

    def _part(self, number: int, part: tuple[int, ...]) -> Image.Image:
        photo = self._photos[number]
        side = min(photo.size) // 2
        left, top = (int((total - side) * p / 2) for total, p in zip(photo.size, part, strict=True))
        return photo.crop((left, top, left + side, top + side)).resize((PHOTO_PX, PHOTO_PX))

    def _surface(self, name: str) -> Image.Image | None:
        picture = self._archive.image(name)
        if picture is None or min(picture.size) < 64:
            return None
        opaque = picture.convert("RGB")
        return opaque if np.asarray(opaque).mean() > 25 else None


def colour(random: np.random.Generator) -> Array:
    """Of a plain thing [3]: greys and whites, woods, greens, and any other, as often as rooms have them."""
    kind = random.random()
    if kind < 0.42:
        out = random.uniform(0.12, 0.95) + random.normal(0, 0.03, 3)
    elif kind < 0.62:
        out = np.array([0.6, 0.42, 0.27]) * random.uniform(0.4, 1.5) + random.normal(0, 0.05, 3)
    elif kind < 0.72:
        out = np.array([0.3, 0.45, 0.2]) * random.uniform(0.4, 1.6) + random.normal(0, 0.05, 3)
    else:
        out = random.uniform(0.05, 0.95, 3)
        out = out.mean() + (out - out.mean()) * random.uniform(0.4, 1)
    return out.clip(0.03, 0.98).astype(np.float32)


@dataclass
class Stage:
    """A scene being built. `at` says where the next things stand: their frame is moved to `offset` and turned by `yaw`."""

    scene: Scene
    wardrobe: Wardrobe
    random: np.random.Generator
    offset: Array = field(default_factory=lambda: np.zeros(3, np.float32))
    rotation: Array = field(default_factory=lambda: np.eye(3, dtype=np.float32))

    def at(self, offset: Array | tuple[float, float, float], yaw: float = 0.0) -> Stage:
        """Another frame in the same scene; `offset` and `yaw` are in this one's."""
        place = self.rotation @ np.asarray(offset, np.float32) + self.offset
        return Stage(self.scene, self.wardrobe, self.random, place, self.rotation @ turn(yaw))

    def dress(self, size_m: float, plain: float = PLAIN) -> Dress:
        """A random surface for a thing of about this size."""
        return self.wardrobe.dress(self.random, size_m, plain)

    def put(
        self,
        rows: Array,
        dress: Dress,
        offset: Array | tuple[float, float, float] = (0.0, 0.0, 0.0),
        rotation: Array | None = None,
        *,
        casts: bool = True,
    ) -> None:
        """A body [n,13] (its texture coordinates count metres), turned and moved in this frame."""
        placed = moved(moved(rows, offset, rotation), self.offset, self.rotation)
        placed[:, COLOUR] *= dress.tint
        placed[:, TEXTURE] *= dress.repeat
        self.scene.stand(placed, dress.texture, Lit.LAMP, casts)

    def between(self, low: float, high: float) -> float:
        """A random number, evenly."""
        return float(self.random.uniform(low, high))

    def about(self, low: float, high: float) -> float:
        """A random number, evenly in its logarithm."""
        return math.exp(self.random.uniform(math.log(low), math.log(high)))

    def chance(self, share: float) -> bool:
        """True as often as `share` says."""
        return bool(self.random.random() < share)

    def one_of(self, things: Sequence[Callable[[Stage], None]]) -> Callable[[Stage], None]:
        """One of several."""
        return things[int(self.random.integers(len(things)))]
