"""Photographs of single things, cut out along their outline: cards that stand on the ground before the camera."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from .geometry import POSITION, Array
from .meshes import card, moved, turn

LEFT_OUT = (
    "cartoon",
    "symbols",
    "alphabet",
    "flags",
    "roadsigns",
    "space",
    "shapes",
    "naturalforces",
    "seasonal",
    "fish",
    "sea_life",
)
"""Folders of drawings, and of what never stands on the ground."""

CUTOUT_PX = 400
"""Longest side that a picture keeps."""

SMALLEST_PX = 60
"""Shorter side below which a picture is too coarse to stand in the foreground."""

COVERED = (0.12, 0.93)
"""Share of its frame that a thing must fill: less is a scatter of small things, more is no outline."""


@dataclass(frozen=True)
class Cutout:
    """A picture with an outline; `aspect` is width by height."""

    name: str
    picture: Image.Image

    @property
    def aspect(self) -> float:
        return self.picture.width / self.picture.height


def read(path: Path) -> Cutout | None:
    """A picture without its empty margin; None where it is too small or has no outline."""
    picture = Image.open(path).convert("RGBA")
    frame = Image.fromarray(np.asarray(picture)[..., 3] > 127).getbbox()
    if frame is None:
        return None
    picture = picture.crop(frame)
    picture.thumbnail((CUTOUT_PX, CUTOUT_PX))
    covered = float((np.asarray(picture)[..., 3] > 127).mean())
    if min(picture.size) < SMALLEST_PX or not COVERED[0] <= covered <= COVERED[1]:
        return None
    return Cutout(path.stem, picture)


def collection(files: Iterable[Path]) -> Sequence[Cutout]:
    """What can be used of these pictures, by name."""
    wanted = [f for f in sorted(files) if not set(LEFT_OUT) & set(f.parts)]
    return [c for c in map(read, wanted) if c is not None]


def standing(cutout: Cutout, foot: Array, height_m: float, towards: Array, random: np.random.Generator) -> Array:
    """Its card [6,13] on the point `foot` [3], turned to the camera at `towards` [3] but for some random turn."""
    away = towards - foot
    yaw = float(np.arctan2(away[0], -away[1])) + random.normal(0, 0.35)
    out = moved(card(height_m * cutout.aspect, height_m), foot, turn(yaw, random.normal(0, 0.06)))
    out[:, POSITION][:, 2] -= 0.01 * height_m  # no slit of light under it
    return out
