"""One view: what stands before a camera, its light, and the photo and depth that come of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image

from .camera import Camera
from .drawing import Canvas, Item, Light, Lit, Mesh
from .exposure import Exposure, background, developed
from .geometry import Array

if TYPE_CHECKING:
    import moderngl

LEAST_COVERED = 0.6
"""Share of the picture that must have a depth; the rest is sky."""

LEAST_CONTRAST = 12.0
"""Standard deviation of the pixels (0..255) below which nothing can be seen."""

LEAST_RELIEF = 0.08
"""Standard deviation of the disparity beside the plane that is nearest to it, by its median: less is a bare wall or floor."""

PLAIN_SHARE = 0.15
"""Share of the views of a bare surface that are kept all the same: photos of them exist."""


@dataclass
class Scene:
    """What a camera sees; `stand` adds things that belong to this picture alone."""

    canvas: Canvas
    camera: Camera
    light: Light
    items: list[Item] = field(default_factory=list)
    casters: list[Array] = field(default_factory=list)
    _own: list[Mesh] = field(default_factory=list)

    def stand(self, rows: Array, texture: moderngl.Texture, lit: Lit, casts: bool = True) -> None:
        """Put triangles [n,13] into the scene, dressed in a texture of the canvas."""
        mesh = self.canvas.mesh(rows)
        self._own.append(mesh)
        self.items.append(Item(mesh, texture, lit, None, casts))
        if casts:
            self.casters.append(rows)

    def release(self) -> None:
        """Forget what belongs to this picture."""
        for mesh in self._own:
            mesh.release()


@dataclass(frozen=True)
class View:
    """A photo [S,S,3] and its disparity [S,S] in 1/m, 0 where the sky is."""

    photo: NDArray[np.uint8]
    disparity: Array


def relief(disparity: Array) -> float:
    """How far from one plane a map [S,S] is: planes of space are planes of disparity."""
    part = disparity[::8, ::8]
    y, x = np.mgrid[: part.shape[0], : part.shape[1]]
    basis = np.stack([np.ones(part.size), x.ravel(), y.ravel()], 1)
    flat = part.ravel().astype(np.float64)
    rest = flat - basis @ np.linalg.lstsq(basis, flat, rcond=None)[0]
    return float(rest.std() / max(np.median(flat), 1e-6))


def smaller(picture: Array, side_px: int) -> Array:
    """[S,S,3] at [side_px,side_px,3], averaged."""
    channels = torch.from_numpy(picture).permute(2, 0, 1)[None]
    return F.interpolate(channels, (side_px, side_px), mode="bilinear", antialias=True)[0].permute(1, 2, 0).numpy()


def taken(scene: Scene, skies: Sequence[Image.Image], side_px: int, random: np.random.Generator) -> View | None:
    """The scene as a camera takes it at `side_px`, finer drawn and averaged; None where there is too little to see."""
    colour, disparity = scene.canvas.draw(scene.camera, scene.items, scene.light, scene.casters)
    behind = background(skies, scene.canvas.side_px, random)
    exposure = Exposure.drawn(random)
    solid = disparity > 0
    rows = ((np.arange(side_px) + 0.5) * scene.canvas.side_px / side_px).astype(int)
    if solid.mean() < LEAST_COVERED:
        return None
    # The sky is as bright as the brighter parts of what it lights.
    lit = float(np.quantile(colour[solid].mean(1), 0.8))
    level = max(lit, 0.05) / max(float(behind.mean()), 0.05) * random.uniform(0.9, 2.2)
    light = np.where(solid[..., None], colour, behind * level)
    photo = developed(smaller(light, side_px), exposure)
    disparity = disparity[rows][:, rows]
    if photo.std() < LEAST_CONTRAST or (relief(disparity) < LEAST_RELIEF and random.random() > PLAIN_SHARE):
        return None
    return View(photo, disparity)
