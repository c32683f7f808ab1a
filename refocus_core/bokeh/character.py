"""What a lens does to the light within its blur: spherical and chromatic aberration, anamorphic squeeze, onion rings, dust.

A ray through the pupil at the radius rho (0..1) of a point out of focus by r meets the picture at r * t(rho). Without
aberrations t is rho and the disc is even. Primary spherical aberration adds a displacement that grows with rho^3 and keeps its
sign through the focus, while r changes it (Welford, Aberrations of Optical Systems, 1986, chapter 6). In units of the blur's own
radius:

    t(rho) = (rho + a rho^3) / (1 + a),    light per area = (rho d rho) / (t d t) = (1 + a)^2 / ((1 + a rho^2)(1 + 3 a rho^2))

with a < 0 where the rim is bright and a > 0 where the middle is; a has the other sign on the other side of the focus.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ..checks import check_map
from ..types import Kernel
from .apertures import within

MOST_SPHERICAL = 0.3
"""Cubic share a of the ray's displacement at full spherical aberration. At 1/3 the rim becomes a caustic, infinitely bright."""

MOST_FRINGE = 0.1
"""Share by which a colour's radius is smaller at full fringe."""

ONION_RINGS = 9
"""Rings from the middle to the rim. More are lost in all but the largest blurs."""

SAMPLES = 2
"""Samples along a side of a cell of the raster. More of them smooth thin rims and take longer."""

NEWTON_STEPS = 6
"""Steps that invert t(rho); the last changes nothing that float32 holds."""

LEAST_SQUEEZE, MOST_SQUEEZE = 0.5, 2.0
"""Limits of the anamorphic squeeze."""


@dataclass(frozen=True, eq=False)
class Character:
    """How a lens draws what is out of focus, whatever the shape of its opening.

    Attributes:
        squeeze: height over width of the blur, 0.5..2: 2 as an anamorphic lens of that squeeze; below 1 it is wider than high.
        spherical: -1..1, spherical aberration. Above 0 (overcorrected) the rim is bright behind the focal plane and soft in front
            of it; below 0 the other way round.
        fringe: -1..1, axial chromatic aberration as it colours the rim: above 0 green behind the focal plane and magenta in front
            of it. In proportion to the blur, so what is in focus stays neutral.
        onion: 0..1, contrast of the rings that the moulds of aspheric lenses leave.
        texture: [h,w] or [1,h,w] transmission of dust or scratches over the aperture's square, not negative; None is clear.

    Raises:
        TypeError, ValueError: on a value out of range or a texture that is none.
    """

    squeeze: float = 1.0
    spherical: float = 0.0
    fringe: float = 0.0
    onion: float = 0.0
    texture: Tensor | None = None

    def __post_init__(self) -> None:
        within("squeeze", self.squeeze, LEAST_SQUEEZE, MOST_SQUEEZE)
        within("spherical", self.spherical, -1, 1)
        within("fringe", self.fringe, -1, 1)
        within("onion", self.onion, 0, 1)
        if self.texture is not None:
            t = self.texture[None] if self.texture.ndim == 2 else self.texture
            check_map(t, "aperture texture")
            if t.shape[0] != 1 or float(t.min()) < 0 or float(t.max()) <= 0:
                raise ValueError(f"The aperture texture must be [1,h,w], not negative, with some light, got {list(t.shape)}.")

    @property
    def is_neutral(self) -> bool:
        """Whether it leaves the opening as it is."""
        return self.squeeze == 1 and not (self.spherical or self.fringe or self.onion) and self.texture is None

    @property
    def differs_in_front(self) -> bool:
        """Whether the blur in front of the focal plane is another one than behind it."""
        return bool(self.spherical or self.fringe)


def through_lens(kernel: Kernel, character: Character) -> Kernel:
    """An aperture as a lens of this character draws it.

    Returns:
        A kernel of the same size, with three channels if there is a fringe, and with `near` where the sides of the focus differ.

    Raises:
        ValueError: if the texture leaves no light.
    """
    if character.is_neutral:
        return kernel
    raster = kernel.raster.cpu().double() * _texture(character, kernel.raster.shape[-1])
    if bool((raster.sum((1, 2)) <= 0).any()):
        raise ValueError("The aperture texture covers the whole opening: no light would pass. Use a brighter texture.")
    behind = _drawn(raster, character, 1.0)
    near = _drawn(raster, character, -1.0) if character.differs_in_front else None
    return replace(kernel, raster=behind, near=near).to(kernel.raster.device)


def _texture(character: Character, n: int) -> Tensor | float:
    if character.texture is None:
        return 1.0
    texture = character.texture.cpu().double()
    texture = texture[None] if texture.ndim == 2 else texture
    return F.interpolate(texture[None], (n, n), mode="area" if max(texture.shape) > n else "bilinear")[0]


def _drawn(raster: Tensor, character: Character, side: float) -> Tensor:
    """[C,n,n] float32, sum 1: the raster [C,n,n] of the pupil as it is drawn behind (side 1) or in front (-1) of the focus."""
    channels = radii_of_colours(character.fringe * side) if character.fringe else (1.0,)
    planes = raster.expand(max(len(raster), len(channels)), -1, -1)
    drawn = [_plane(p, character, side, channels[i % len(channels)]) for i, p in enumerate(planes)]
    return torch.stack([p / p.sum() for p in drawn]).float()


def radii_of_colours(fringe: float) -> tuple[float, float, float]:
    """Radius of red, green and blue on one side of the focus, the largest 1; green is the largest where fringe is above 0."""
    smaller = 1 - MOST_FRINGE * abs(fringe)
    return (smaller, 1.0, smaller) if fringe > 0 else (1.0, smaller, 1.0)


def _plane(raster: Tensor, character: Character, side: float, radius: float) -> Tensor:
    n = raster.shape[-1]
    axis = ((torch.arange(n * SAMPLES, dtype=torch.float64) + 0.5) * 2 / (n * SAMPLES) - 1) / radius
    y, x = axis[:, None] / min(character.squeeze, 1.0), axis[None] * max(character.squeeze, 1.0)
    distance = torch.hypot(*torch.broadcast_tensors(x, y))
    a = -MOST_SPHERICAL * character.spherical * side
    rho = pupil_radius(distance, a)
    density = (1 + a) ** 2 / ((1 + a * rho.square()) * (1 + 3 * a * rho.square()))
    light = torch.where(distance <= 1, density, 1.0) * (1 + character.onion * (2 * math.pi * ONION_RINGS * rho).cos()) / 2
    ratio = rho / distance.clamp_min(1e-12)
    grid = torch.stack([x * ratio, y * ratio], -1)[None]
    looked_up = F.grid_sample(raster[None, None], grid, mode="bilinear", align_corners=False)[0, 0]
    return F.avg_pool2d((looked_up * light)[None, None], SAMPLES)[0, 0].clamp_min(0)


def pupil_radius(distance: Tensor, a: float) -> Tensor:
    """rho, where t(rho) is `distance`; beyond the unit circle, where only pictures reach, rays go straight."""
    if a == 0:
        return distance
    t = distance.clamp_max(1) * (1 + a)
    rho = distance.clamp_max(1)
    for _ in range(NEWTON_STEPS):
        rho = (rho - (rho + a * rho**3 - t) / (1 + 3 * a * rho.square())).clamp(0, 1)
    return torch.where(distance <= 1, rho, distance)
