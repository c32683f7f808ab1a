"""What is drawn for a synthetic pair: recipes say from which ranges, a `PairSpec` what came of it.

Units: `gain_px` is K of the lens law at the pair's own size, in px per unit of its disparity (1/m where depth is metric), and
`radius_px` is the signed radius of the circle of confusion in px of the pair.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from torch import Tensor

from ...types import Kernel

VERSION = 1
"""Of the description of a pair; raised when the same numbers no longer give the same pair."""

Range = tuple[float, float]
"""Least and largest."""


@dataclass(frozen=True)
class Aperture:
    """One choice of aperture.

    Attributes:
        shape: as in `bokeh.make_kernel`.
        weight: how often, relative to the others.
        options: of `make_kernel`; a list of two numbers is a range to draw from (whole numbers if both are whole).
    """

    shape: str = "circle"
    weight: float = 1.0
    options: Mapping[str, float | Range] = field(default_factory=dict[str, float | Range])


@dataclass(frozen=True)
class LensRange:
    """Real lenses, for photos with metric depth. Focal length and f-number are drawn evenly in their logarithm."""

    focal_mm: Range = (24.0, 135.0)
    f_number: Range = (1.2, 8.0)
    sensor_mm: float = 36.0


@dataclass(frozen=True)
class Lights:
    """Point lights laid onto the photo before it is blurred, and a darker photo under them.

    Attributes:
        count: how many.
        intensity: of their middle, in linear light (1 = white).
        size_px: standard deviation of a light.
        dim: factor on the photo's light.
    """

    count: tuple[int, int] = (20, 120)
    intensity: Range = (4.0, 60.0)
    size_px: Range = (0.5, 1.2)
    dim: Range = (0.05, 0.4)


@dataclass(frozen=True)
class Recipe:
    """How pairs are drawn.

    Attributes:
        size_px: side of the square pair.
        crop: side of the part of the photo that is taken, as a share of its short side; never enlarged beyond 1:1 if the photo
            is large enough.
        flip: chance to mirror.
        largest_radius_px: range of the strongest blur in the pair (drawn evenly in its logarithm), where `lens` is None.
        lens: draw a real lens instead; photos must have metric depth.
        limit_px: with `lens`, pairs with a stronger blur than this are drawn again with a smaller aperture.
        sharp: share of pairs without blur (K = 0).
        apertures: what the aperture may be.
        chromatic: range of the difference in the kernel's size between red and blue (0.02 = red 1 % larger, blue 1 % smaller).
        highlight_boost: range of `bokeh.render`'s, in stops.
        lights: point lights, or None.
        quality: of `bokeh.render`.
    """

    size_px: int = 512
    crop: Range = (0.5, 1.0)
    flip: float = 0.5
    largest_radius_px: Range = (1.0, 40.0)
    lens: LensRange | None = None
    limit_px: float = 80.0
    sharp: float = 0.02
    apertures: tuple[Aperture, ...] = (Aperture(),)
    chromatic: Range = (0.0, 0.0)
    highlight_boost: Range = (0.0, 0.0)
    lights: Lights | None = None
    quality: str = "normal"

    def __post_init__(self) -> None:
        if not self.apertures or sum(a.weight for a in self.apertures) <= 0:
            raise ValueError("A recipe needs at least one aperture with a weight above 0.")
        if self.size_px < 16 or self.size_px % 16:
            raise ValueError(f"size_px must be a multiple of 16 (FLUX works on 16 px tokens), got {self.size_px}.")
        if not 0 < self.largest_radius_px[0] <= self.largest_radius_px[1]:
            raise ValueError(f"largest_radius_px must be a range above 0, got {self.largest_radius_px}.")
        if not 0 < self.crop[0] <= self.crop[1] <= 1:
            raise ValueError(f"crop must be a range within 0..1, got {self.crop}.")


@dataclass(frozen=True)
class PointLight:
    """A light at (x, y) px of the pair, colour in linear light."""

    x: float
    y: float
    size_px: float
    colour: tuple[float, float, float]


@dataclass(frozen=True)
class FileId:
    """A file of the source folder, by its path below it, and what it must contain."""

    file: str
    sha256: str


@dataclass(frozen=True)
class PairSpec:
    """Everything about a pair; see the module's docstring for units.

    Attributes:
        photo, depth: the files.
        metric: whether the disparity is in 1/m.
        crop: top, left, side in px of the photo.
        size_px: side of the pair.
        flip: mirrored left to right after cropping.
        focus_disparity, gain_px: focus and K.
        aperture, aperture_options: of `bokeh.make_kernel`.
        chromatic, highlight_boost, quality: see `Recipe`.
        dim, lights: see `Lights`; 1 and none without them.
        lens: the lens that `gain_px` comes from, or None.
        seed, index: what it was drawn from, for people.
        version: of this description.
    """

    photo: FileId
    depth: FileId
    metric: bool
    crop: tuple[int, int, int]
    size_px: int
    flip: bool
    focus_disparity: float
    gain_px: float
    aperture: str = "circle"
    aperture_options: Mapping[str, float] = field(default_factory=dict[str, float])
    chromatic: float = 0.0
    highlight_boost: float = 0.0
    quality: str = "normal"
    dim: float = 1.0
    lights: tuple[PointLight, ...] = ()
    lens: tuple[float, float, float] | None = None
    seed: int = 0
    index: int = 0
    version: int = VERSION

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Pair:
    """A finished pair.

    Attributes:
        sharp, blurred: [3,S,S] uint8, sRGB-encoded.
        radius_px: [S,S] float32, signed.
        disparity: [S,S] float32.
        kernel: the aperture.
        spec: how it was made.
    """

    sharp: Tensor
    blurred: Tensor
    radius_px: Tensor
    disparity: Tensor
    kernel: Kernel
    spec: PairSpec
