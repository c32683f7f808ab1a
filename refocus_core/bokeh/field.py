"""How the pupil changes over the picture: cat's eye, barn doors, swirl and coma.

A place in the picture is p: (0, 0) at the centre, |p| = 1 in the corners. A ray through the pupil point u of a blur of radius r
meets the picture at r * v, and what follows is in the blur's upright coordinates, as of `types.Kernel`.

- **Cat's eye** (mechanical vignetting, as of optics texts such as Ray, Applied Photographic Optics): the rim of the lens barrel
  in front of the pupil is a second disc, as large as the pupil, which seen from p is moved towards the centre: a ray passes where

      |u + cat_eye * p| <= 1

  So behind the focal plane the side of the blur that points away from the centre is cut off, in front of it, where blur is
  point-mirrored, the side towards the centre. The light of a pixel is divided by what its pupil passes: lights become
  smaller, the picture no darker.
- **Barn doors** (a matte box, a rectangular hood) cut with straight edges, seen from p moved alike: a ray passes where

      |u_x + barn_doors * p_x| <= 1  and  |u_y + barn_doors * p_y| <= 1

- **Swirl** is astigmatism, whose focal planes along and across the radius part with |p|^2 (Welford, Aberrations of Optical
  Systems, 1986). With s = MOST_SWIRL * swirl * |p|^2, negative in front of the focus:

      v_radial : v_tangential = (1 - s) u_radial : (1 + s) u_tangential,  the larger of the two as long as u

- **Coma** displaces rays by a part of the blur, in proportion to |p| and rho^2 (the same). With c = MOST_COMA * coma *
  |p|, negative in front of the focus, so that there the tail has the same direction in the picture:

      v = (u + c (3 u_radial^2 + u_tangential^2, 2 u_radial u_tangential)) / (1 + 3 |c|)

The pupil that counts is that of the pixel that collects the light: it lets through or stops the rays that end there. So a uniform
picture stays uniform, and the light of one point is kept up to about r over the half diagonal: where blurs move towards the
centre, their surroundings thin out as well. Every one of them keeps the blur within the aperture's square.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ..types import Kernel

MOST_SWIRL = 1 / 3
"""Share s of the astigmatism in the corners at full swirl: blurs are twice as long as wide there."""

MOST_COMA = 0.12
"""Share c of the coma in the corners at full coma. From 1/6 on rays would cross, and the tip be infinitely bright."""

SAMPLES = 2
"""Samples along a side of a cell. More of them smooth the rims and take longer."""

NEWTON_STEPS = 4
"""Steps that invert the coma, up to 1e-4 at the most of it."""

LEAST_AREA = 0.05
"""Least area, relative to the pupil's, into which coma may draw light together. It is 0.2 at the most of it."""

MOST_MISS = 0.01
"""By how much, in radii, a ray may miss the place that it was sought for."""

OUTSIDE = 3.0
"""A coordinate outside of every pupil."""

DARK = 1e-6
"""Share of its light up to which a channel counts as stopped altogether."""


class Pupil:
    """The aperture seen from any place in the picture.

    Args:
        kernel: with a `field`.
        cells: side of the rasters that are made, in cells; None is that of the kernel's.

        rim: over which width, in radii of the pupil, the shadow of the barrel fades; at least a cell.

    Attributes:
        kernel, cells: as given.
        differs_in_front: whether the aperture in front of the focus is another one than behind it.
    """

    def __init__(self, kernel: Kernel, cells: int | None = None, rim: float = 0.0) -> None:
        assert kernel.field is not None
        self.kernel, self._field = kernel, kernel.field
        self.cells = cells or kernel.raster.shape[-1]
        self._rim = max(rim, 1 / self.cells)
        self.differs_in_front = kernel.near is not None or bool(self._field.swirl or self._field.coma)
        n = self.cells * SAMPLES
        axis = ((torch.arange(n) + 0.5) * 2 / n - 1).to(kernel.raster.device)
        self._x, self._y = axis[None].expand(n, n), axis[:, None].expand(n, n)
        self._behind = _looked_up(kernel.raster, self._x, self._y)
        self._front = self._behind if kernel.near is None else _looked_up(kernel.near, self._x, self._y)
        self._reach = _reach(kernel)

    def at(self, px: float, py: float) -> Kernel:
        """The aperture at a place, without a field of its own; errors as of `raster`."""
        near = self.raster(px, py, -1) if self.differs_in_front else None
        return replace(self.kernel, raster=self.raster(px, py, 1), near=near, field=None)

    def raster(self, px: float, py: float, side: int) -> Tensor:
        """[C,cells,cells] the aperture at a place, upright, behind the focus (side 1) or in front of it (-1).

        Raises:
            ValueError: if the barrel leaves none of it open there.
        """
        distance = math.hypot(px, py)
        s = MOST_SWIRL * self._field.swirl * distance**2 * side
        c = MOST_COMA * self._field.coma * distance * side
        light, x, y = self._behind if side > 0 else self._front, self._x, self._y
        all_light = light.sum((1, 2), keepdim=True) / SAMPLES**2
        if s or c:
            cos, sin = px / distance, py / distance
            along, across = (cos * x + sin * y) / min(1, (1 - s) / (1 + s)), (cos * y - sin * x) / min(1, (1 + s) / (1 - s))
            along, across, area = _without_coma(along, across, c)
            x, y = cos * along - sin * across, sin * along + cos * across
            light = _looked_up(self.kernel.side(side), x, y) / area
        light = self._let_through(light, x, y, px, py)
        seen = F.avg_pool2d(light[None], SAMPLES)[0]
        left = seen.sum((1, 2), keepdim=True)
        if bool((left <= DARK * all_light).any()):
            raise ValueError(
                f"With cat_eye {self._field.cat_eye:g} and barn_doors {self._field.barn_doors:g} the barrel covers all of the "
                f"aperture at ({px:.2f}, {py:.2f}) of the picture, so no light would pass there. Use less, or an aperture that "
                "is open in the middle."
            )
        return seen / left

    def _let_through(self, light: Tensor, x: Tensor, y: Tensor, px: float, py: float) -> Tensor:
        """[C,n,n] what the barrel and the doors let through at a place, of the light at pupil points [n,n]."""
        field = self._field
        if field.cat_eye:
            from_rim = self._reach - torch.hypot(x + field.cat_eye * px, y + field.cat_eye * py)
            light = light * (from_rim / self._rim + 0.5).clamp(0, 1)
        if field.barn_doors:
            for at, p in ((x, px), (y, py)):
                if p:
                    light = light * ((1 - (at + field.barn_doors * p).abs()) / self._rim + 0.5).clamp(0, 1)
        return light


def kernel_at(kernel: Kernel, px: float, py: float) -> Kernel:
    """The aperture as it is at a place of the picture: (0, 0) is the centre, (0.8, -0.6) the upper right corner of a 4:3 picture.

    Returns:
        A kernel without a field; itself, if it has none.

    Raises:
        ValueError: if the lens barrel leaves none of it open there.
    """
    return kernel if kernel.field is None else Pupil(kernel).at(px, py)


def _looked_up(raster: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """[C,n,n] transmission of a raster [C,m,m] at places of its square; none outside of it."""
    return F.grid_sample(raster[None], torch.stack([x, y], -1)[None], mode="bilinear", align_corners=False)[0]


def _reach(kernel: Kernel) -> float:
    """Radius of the barrel's rim: that of the pupil, and as far as a picture of an aperture reaches into its square's corners."""
    n = kernel.raster.shape[-1]
    axis = (torch.arange(n, device=kernel.raster.device) + 0.5) * 2 / n - 1
    lit = kernel.raster.amax(0) > DARK * kernel.raster.max()
    return max(1.0, float(torch.hypot(axis[:, None], axis[None])[lit].max()) - 1 / n)


def _without_coma(along: Tensor, across: Tensor, c: float) -> tuple[Tensor, Tensor, Tensor]:
    """Pupil points (along and across the radius) of the rays that coma brings to these places; how it enlarges areas there."""
    if c == 0:
        return along, across, torch.ones_like(along)
    target_a, target_b = along * (1 + 3 * abs(c)), across * (1 + 3 * abs(c))
    a, b = along, across
    for _ in range(NEWTON_STEPS):
        aa, ab, bb = 1 + 6 * c * a, 2 * c * b, 1 + 2 * c * a
        miss_a, miss_b = a + c * (3 * a * a + b * b) - target_a, b * bb - target_b
        area = (aa * bb - ab * ab).clamp_min(LEAST_AREA)
        a = a - (bb * miss_a - ab * miss_b) / area
        b = b - (aa * miss_b - ab * miss_a) / area
    aa, bb = 1 + 6 * c * a, 1 + 2 * c * a
    area = aa * bb - 4 * c * c * b * b
    # Beyond the blur the equation may have no solution, or one behind the caustic: no ray of the pupil comes there.
    met = (aa > 0) & (area > LEAST_AREA) & ((a + c * (3 * a * a + b * b) - target_a).abs() < MOST_MISS)
    return torch.where(met, a, OUTSIDE), torch.where(met, b, OUTSIDE), torch.where(met, area, 1.0)


def place(y_px: float, x_px: float, size: tuple[int, int]) -> tuple[float, float]:
    """(px, py) of a point of a picture of this height and width, in px from its upper left corner."""
    h, w = size
    half_diagonal = math.hypot(h, w) / 2
    return (x_px - w / 2) / half_diagonal, (y_px - h / 2) / half_diagonal
