"""Photographs behind everything: those parts of free photos that can be a sky or a far view."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

SKY_PX = 448
"""Short side that a photo keeps."""

GREENEST = 1.06
"""Green by the larger of red and blue: above it a sky looks like grass."""

REDDEST = 1.35
"""Red by blue: above it a sky is a meadow of flowers. Sunsets stay below."""

DARKEST = 0.28
"""Mean brightness (0..1) below which no sky by day is."""


def usable(picture: Image.Image) -> bool:
    """Whether the picture can be a sky: bright enough, neither green nor red."""
    r, g, b = np.asarray(picture.convert("RGB"), np.float32).mean((0, 1)) / 255
    return (r + g + b) / 3 > DARKEST and g < GREENEST * max(r, b) and r < REDDEST * b


def pieces(files: Sequence[Path]) -> list[Image.Image]:
    """Photos with the short side at `SKY_PX`, upright."""
    out: list[Image.Image] = []
    for file in files:
        with Image.open(file) as photo:
            photo.draft("RGB", (2 * SKY_PX, 2 * SKY_PX))  # JPEG is decoded at a part of its size
            picture = ImageOps.exif_transpose(photo).convert("RGB")
        scale = SKY_PX / min(picture.size)
        out.append(picture.resize((round(picture.width * scale), round(picture.height * scale)), Image.Resampling.BOX))
    return out


def collection(photos: Sequence[Image.Image]) -> list[Image.Image]:
    """The upper halves of photos, where they can be skies."""
    halves = [p.crop((0, 0, p.width, p.height // 2)) for p in photos]
    return [p for p in halves if usable(p)]
