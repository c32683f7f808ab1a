"""From the light that was drawn to the pixels of a photo: what is behind everything, exposure, tone curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .geometry import Array

GAMMA = 2.2
"""Games multiply textures and light as encoded values; the camera adds light, so both are decoded by this power."""

HIGHLIGHTS = 0.97
"""Share of the pixels that the camera keeps from burning out: a larger one makes darker pictures."""


def background(skies: Sequence[Image.Image], side_px: int, random: np.random.Generator) -> Array:
    """What is seen where nothing was drawn [S,S,3], encoded: a part of a photo, or a clear sky paler towards the ground."""
    if skies and random.random() < 0.75:
        photo = skies[int(random.integers(len(skies)))]
        share = random.uniform(0.55, 1.0)
        side = min(photo.size) * share
        left, top = random.uniform(0, photo.width - side), random.uniform(0, photo.height - side)
        part = photo.resize((side_px, side_px), Image.Resampling.BILINEAR, (left, top, left + side, top + side))
        out = np.asarray(part.convert("RGB"), np.float32) / 255
        return out[:, ::-1].copy() if random.random() < 0.5 else out
    top, bottom = np.array([0.35, 0.55, 0.85]) * random.uniform(0.5, 1.2), np.full(3, random.uniform(0.6, 1.0))
    if random.random() < 0.5:  # overcast
        top = bottom * random.uniform(0.75, 1.05)
    t = np.linspace(0, 1, side_px, dtype=np.float32)[:, None, None] ** random.uniform(0.6, 1.6)
    return np.broadcast_to((top * (1 - t) + bottom * t).clip(0, 1), (side_px, side_px, 3)).astype(np.float32)


@dataclass(frozen=True)
class Exposure:
    """How bright the middle grey comes out (0..1, encoded), and the power of the contrast."""

    grey: float
    contrast: float

    @staticmethod
    def drawn(random: np.random.Generator) -> Exposure:
        """As a camera's automatic exposure varies."""
        return Exposure(random.uniform(0.34, 0.56), random.uniform(0.65, 1.05))


def developed(light: Array, exposure: Exposure) -> NDArray[np.uint8]:
    """A photo [S,S,3] of light [S,S,3] (encoded, not clipped): as bright as wanted, highlights rolled off."""
    linear = np.maximum(light, 0) ** GAMMA
    brightness = linear.mean(2)
    middle = float(np.exp(np.log(brightness + 1e-3).mean()))
    gain = exposure.grey**GAMMA / middle
    bright = float(np.quantile(brightness, HIGHLIGHTS)) * gain
    gain *= min(1.0, 1.6 / max(bright, 1e-6))
    x = (linear * gain) ** exposure.contrast * (exposure.grey**GAMMA) ** (1 - exposure.contrast)
    rolled = x * (1 + x / 4) / (1 + x)  # Reinhard et al. 2002, white at 2
    return (rolled.clip(0, 1) ** (1 / GAMMA) * 255).round().astype(np.uint8)
