"""What a scene is made of: bodies with a surface, one camera, one light and a sky."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import IntEnum

import torch
from torch import Tensor

Vec = tuple[float, ...]
"""Three numbers: a place or a size in m (x right, y up, z away from the camera), or a colour in linear light."""


class Primitive(IntEnum):
    """The solids that rays meet in closed form, each in a space of its own.

    SPHERE is the unit sphere, BOX the cube -1..1, TUBE runs along y in -1..1 with the radius 1 + taper·y, CARD is flat: -1..1
    at z = 0, cut out along an outline.
    """

    SPHERE = 0
    BOX = 1
    TUBE = 2
    CARD = 3


@dataclass(frozen=True)
class Paint:
    """How a surface looks.

    Attributes:
        texture: number of the texture in the scene's set (see `textures.pick_textures`).
        texture_m: length in m that one repeat of the texture covers.
        tint: factor of the texture's colour.
        gloss: strength of the highlight, 0 = matt.
    """

    texture: int = 0
    texture_m: float = 1.0
    tint: Vec = (1.0, 1.0, 1.0)
    gloss: float = 0.0


@dataclass
class Body:
    """One solid, placed by an affine map from its own space.

    Attributes:
        primitive: which solid.
        centre: in m.
        half_size: half the extent along its own axes, in m.
        rotation: [3,3] its own axes in the world, as columns.
        paint: its surface.
        taper: of a tube, -1..1.
        outline: number of a card's outline (see `outlines`); 0 is the whole card.
        casts_shadow: whether it keeps the light off others.
    """

    primitive: Primitive
    centre: Vec
    half_size: Vec
    rotation: Tensor
    paint: Paint = field(default_factory=Paint)
    taper: float = 0.0
    outline: int = 0
    casts_shadow: bool = True


@dataclass
class Scene:
    """Bodies, camera, light and air.

    Attributes:
        bodies: the solids.
        camera: place of the camera in m.
        camera_axes: [3,3] its axes (right, up, forward) in the world, as columns.
        focal_widths: focal length in widths of the picture.
        light: place of the light in m if `light_is_near`, else the direction towards it.
        light_is_near: a lamp or a flash, whose light falls off with distance; else the sun.
        light_color, ambient: in linear light, before exposure.
        haze_per_m: share of the light that a metre of air replaces by the sky's.
        sky: colours of the horizon and of the zenith.
        sky_texture: how much the first texture shows as clouds, 0..1.
        exposure: mean of the picture in linear light, times two.
    """

    bodies: list[Body] = field(default_factory=list[Body])
    camera: Vec = (0.0, 1.5, 0.0)
    camera_axes: Tensor = field(default_factory=lambda: torch.eye(3))
    focal_widths: float = 1.0
    light: Vec = (0.3, 1.0, -0.3)
    light_is_near: bool = False
    light_color: Vec = (1.0, 1.0, 1.0)
    ambient: Vec = (0.4, 0.4, 0.4)
    haze_per_m: float = 0.0
    sky: tuple[Vec, Vec] = ((0.8, 0.85, 0.9), (0.3, 0.5, 0.8))
    sky_texture: float = 0.0
    exposure: float = 0.4


def rotation(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> Tensor:
    """[3,3]: roll about z, then pitch about x (positive looks down), then yaw about y; radians."""
    cy, sy, cp, sp, cr, sr = (f(a) for a in (yaw, pitch, roll) for f in (math.cos, math.sin))
    y = torch.tensor([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    x = torch.tensor([[1.0, 0, 0], [0, cp, -sp], [0, sp, cp]])
    z = torch.tensor([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1.0]])
    return y @ x @ z
