"""The thin lens. The only place where the law of the circle of confusion is written.

For focal length f, f-number N and focus distance s_f (f and s_f in mm), a point at disparity d = 1/s makes, in an image of
`px_per_mm` pixels per sensor millimetre, a disc of signed radius

    radius_px = K * (d_f - d),    K [px*m] = f^2 * s_f / (2 N (s_f - f)) * px_per_mm / 1000

positive behind the focal plane, negative in front of it (Potmesil & Chakravarty, SIGGRAPH 1981).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from .checks import check_number

SENSORS_MM: dict[str, float] = {
    "full frame (36 mm)": 36.0,
    "medium format 44x33 (43.8 mm)": 43.8,
    "APS-C (23.6 mm)": 23.6,
    "APS-C Canon (22.3 mm)": 22.3,
    "Super 35 (24.9 mm)": 24.9,
    "Micro Four Thirds (17.3 mm)": 17.3,
    "1 inch (13.2 mm)": 13.2,
    "phone main camera (9.8 mm)": 9.8,
}
"""Long side of common sensors in mm."""

SHARP_PRINT = 1 / 1200
"""Diameter of the circle of confusion that still looks sharp in a print, as a share of the long edge: 0.03 mm on full frame, as
in the usual tables of depth of field. A larger one makes it deeper."""

SHARP_RADIUS_PX = 0.5
"""Largest radius of blur that counts as sharp: the whole disc lies within its pixel. A larger one keeps more of the photo bit for
bit and lets a step be seen where blur sets in."""


@dataclass(frozen=True)
class Lens:
    """A real lens: focal length, f-number and the long side of the sensor, all > 0.

    Raises:
        ValueError: if a value is not finite and positive.
    """

    focal_mm: float = 50.0
    f_number: float = 1.8
    sensor_mm: float = 36.0

    def __post_init__(self) -> None:
        for name in ("focal_mm", "f_number", "sensor_mm"):
            value = getattr(self, name)
            check_number(value, f"Lens.{name}")
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"Lens.{name} must be a positive number, got {value}.")


@dataclass(frozen=True)
class Blur:
    """Strength without a camera: how blurred the nearest thing is with the focus on the farthest, or the other way round.

    It is the aperture of the picture: K times the scene's whole span of disparity is `percent` (0..50) of the long edge. Moving
    the focus does not change it.

    Raises:
        ValueError: if `percent` is not within 0..50.
    """

    percent: float = 1.5

    def __post_init__(self) -> None:
        check_number(self.percent, "Blur.percent")
        if not (math.isfinite(self.percent) and 0 <= self.percent <= 50):
            raise ValueError(f"Blur.percent must lie in 0..50 (percent of the long edge), got {self.percent}.")


@dataclass(frozen=True)
class Gain:
    """Strength by K of the law above itself, in px*m, as the published settings of Genfocus give it (arXiv 2512.16923, eq. 2).

    Raises:
        ValueError: if it is negative or not finite.
    """

    px_m: float = 20.0

    def __post_init__(self) -> None:
        check_number(self.px_m, "Gain.px_m")
        if not (math.isfinite(self.px_m) and self.px_m >= 0):
            raise ValueError(f"Gain.px_m must be 0 or more and finite, got {self.px_m}.")


Strength = Lens | Blur | Gain
"""Whatever says how strong the blur is."""


def lens_gain_px(lens: Lens, focus_disparity: Tensor, long_edge_px: int) -> Tensor:
    """K in px*m for focus disparities [B] in 1/m (0 = infinity) in an image whose long edge has `long_edge_px` pixels.

    Raises:
        ValueError: if a focus distance is not beyond the focal length.
    """
    gain = lens.focal_mm**2 / (2.0 * lens.f_number) * image_distance(lens, focus_disparity)
    return (gain * (long_edge_px / lens.sensor_mm) / 1000.0).to(focus_disparity)


def image_distance(lens: Lens, focus_disparity: Tensor) -> Tensor:
    """How far behind the lens the image lies for focus disparities [B] in 1/m, in focal lengths: s_f / (s_f - f), [B] float64 on
    the CPU. The picture of a scene is as many times as large as with the focus at infinity.

    Raises:
        ValueError: if a focus distance is not beyond the focal length.
    """
    remaining = 1.0 - lens.focal_mm * focus_disparity.cpu().double() / 1000.0  # (s_f - f) / s_f; MPS has no float64
    if bool((remaining <= 0).any()):
        nearest = float(1.0 / focus_disparity.max())
        raise ValueError(
            f"The focus distance ({nearest:.4g} m) must be larger than the focal length ({lens.focal_mm:g} mm). "
            "Focus farther away or choose a shorter focal length."
        )
    return 1 / remaining


def depth_of_field_m(gain_px: float, focus_disparity: float, long_edge_px: int) -> tuple[float, float]:
    """Nearest and farthest distance in metres that look sharp; the farthest is infinite from the hyperfocal distance on.

    With H = f^2 / (N c) + f and c = `SHARP_PRINT` of the sensor's long side these are s (H - f) / (H + s - 2 f) and
    s (H - f) / (H - s) (Ray, Applied Photographic Optics, 3rd ed. 2002, chapter 22), written in disparity.

    Args:
        gain_px: K of the lens, px * m, above 0; focus_disparity: 1/m, not negative.
    """
    half = SHARP_PRINT / 2 * long_edge_px / gain_px
    beyond = focus_disparity - half
    return 1 / (focus_disparity + half), 1 / beyond if beyond > 0 else math.inf


def hyperfocal_m(gain_px: float, focus_disparity: float, focal_mm: float, long_edge_px: int) -> float:
    """The nearest focus distance in metres with which infinity looks sharp: f^2 / (N c) + f.

    Args:
        gain_px: K of the lens in px * m with the focus at `focus_disparity` in 1/m.
    """
    gain_at_infinity = gain_px * (1 - focal_mm / 1000 * focus_disparity)
    return gain_at_infinity / (SHARP_PRINT / 2 * long_edge_px) + focal_mm / 1000


def blur_gain_px(blur: Blur, span: Tensor, long_edge_px: int) -> Tensor:
    """K in px per unit of disparity, so that K times the scene's span of disparity is `blur.percent` of the long edge.

    Args:
        span: [B], above 0, in the unit of the depth map.
    """
    return blur.percent / 100.0 * long_edge_px / span


@dataclass(frozen=True, eq=False)
class BlurLaw:
    """How disparity becomes signed radius, for each frame: a line in front, a zone that stays sharp, a line behind.

        radius_px = behind_px * max(sharp_far - disparity, 0) + front_px * min(sharp_near - disparity, 0)

    A frame in which all four values are NaN follows no such law.

    Attributes:
        front_px, behind_px: [B] slopes in front of and behind the focal plane, in px per unit of disparity, not negative.
        sharp_near, sharp_far: [B] disparities of the nearer and the farther end of the sharp zone; equal for a thin lens.

    Raises:
        ValueError: if the shapes differ.
    """

    front_px: Tensor
    behind_px: Tensor
    sharp_near: Tensor
    sharp_far: Tensor

    def __post_init__(self) -> None:
        shapes = [list(value.shape) for value in self._values()]
        if len(shapes[0]) != 1 or any(shape != shapes[0] for shape in shapes):
            raise ValueError(f"BlurLaw needs four values of shape [B], one for each frame, got {shapes}.")

    @classmethod
    def thin_lens(
        cls,
        gain_px: Tensor,
        focus_disparity: Tensor,
        *,
        half_width: Tensor | float = 0.0,
        near_gain: float = 1.0,
        far_gain: float = 1.0,
    ) -> BlurLaw:
        """The law of a lens: `gain_px * (focus_disparity - disparity)`.

        Args:
            gain_px: [B], K in px per unit of disparity.
            focus_disparity: [B].
            half_width: of the zone around the focal plane that stays sharp, in the unit of disparity, [B] or one for all.
            near_gain, far_gain: factors on the blur in front of and behind the focal plane.
        """
        return cls(gain_px * near_gain, gain_px * far_gain, focus_disparity + half_width, focus_disparity - half_width)

    @classmethod
    def fit(cls, radius_px: Tensor, disparity: Tensor) -> BlurLaw | None:
        """The law that a map from outside follows; None if no frame follows one within `FIT_TOLERANCE_PX`.

        Args:
            radius_px, disparity: [B,H,W].
        """
        frames = [_fit_frame(r, d) for r, d in zip(radius_px, disparity, strict=True)]
        if all(frame is None for frame in frames):
            return None
        columns = zip(*(frame or (math.nan,) * 4 for frame in frames), strict=True)
        return cls(*(radius_px.new_tensor(column) for column in columns))

    def radius_px(self, disparity: Tensor) -> Tensor:
        """Signed radius in px of disparities [B,...]."""
        front, behind, near, far = (v.view(-1, *[1] * (disparity.ndim - 1)) for v in self._values())
        return behind * (far - disparity).clamp_min(0) + front * (near - disparity).clamp_max(0)

    def scaled(self, factor: float) -> BlurLaw:
        """The law of the same picture at `factor` times its size in px."""
        return BlurLaw(self.front_px * factor, self.behind_px * factor, self.sharp_near, self.sharp_far)

    def frame(self, index: int) -> BlurLaw | None:
        """The law of one frame; None if it follows none."""
        one = BlurLaw(*(value[index : index + 1] for value in self._values()))
        return None if bool(one.front_px.isnan()) else one

    def to(self, device: torch.device | str) -> BlurLaw:
        """The same law on another device."""
        return BlurLaw(*(value.to(device) for value in self._values()))

    def _values(self) -> list[Tensor]:
        return [getattr(self, field.name) for field in fields(self)]


FIT_TOLERANCE_PX = 0.02
"""Largest difference between a radius map and the law that describes it. A larger one lets maps that other programs rounded pass
for exact and moves their blur by as much."""

_LEAST_EXTENT_PX = 1e-3
"""A side of the focal plane whose radii differ by less than this is one plane: the slope there cannot be measured."""

_CHUNK_PX = 1 << 20
"""Pixels that are compared with a law at a time; more is quicker and takes more memory."""


def _fit_frame(radius_px: Tensor, disparity: Tensor) -> tuple[float, float, float, float] | None:
    """The values of `BlurLaw` for one frame [H,W], or None."""
    r, d = radius_px.flatten(), disparity.flatten()
    rough = extreme_slope_px(r, d)
    front, behind = (_fit_side(r, d, side, rough) for side in (-1.0, 1.0))
    # Where nothing lies on one side, the line of the other side goes on.
    front, behind = front or behind, behind or front
    if front is None or behind is None or not all(math.isfinite(k) and k > 0 for k in (front[0], behind[0])):
        return None
    near, far = front[1], behind[1]
    if far > near:
        near = far = 0.5 * (far + near)
    law = BlurLaw(*(r.new_tensor([value]) for value in (front[0], behind[0], near, far)))
    chunks = zip(r.split(_CHUNK_PX), d.split(_CHUNK_PX), strict=True)
    close = all(float((law.radius_px(dc[None])[0] - rc).abs().max()) <= FIT_TOLERANCE_PX for rc, dc in chunks)
    return (front[0], behind[0], near, far) if close else None


def extreme_slope_px(radius_px: Tensor, disparity: Tensor) -> float:
    """Px per unit of disparity between the pixels of the least and the greatest signed radius of one frame; 0 for one plane."""
    lowest, highest = int(radius_px.flatten().argmin()), int(radius_px.flatten().argmax())
    (r0, d0), (r1, d1) = ((float(radius_px.flatten()[i]), float(disparity.flatten()[i])) for i in (lowest, highest))
    return abs((r1 - r0) / (d1 - d0)) if d1 != d0 else 0.0


def _fit_side(radius_px: Tensor, disparity: Tensor, side: float, rough_px: float) -> tuple[float, float] | None:
    """(K, d0) of radius = K * (d0 - disparity) through the extremes of one side of the focus; None if nothing lies there."""
    extent = side * radius_px
    far = int(extent.argmax())
    if float(extent[far]) <= 0:
        return None
    near = int(torch.where(extent > 0, extent, math.inf).argmin())
    (r0, d0), (r1, d1) = ((float(radius_px[i]), float(disparity[i])) for i in (near, far))
    k = -(r1 - r0) / (d1 - d0) if abs(d1 - d0) * rough_px > _LEAST_EXTENT_PX else rough_px
    return (k, d0 + r0 / k) if k > 0 else (k, 0.0)


def focal_px_to_mm(focal_px: float, sensor_mm: float, long_edge_px: int) -> float:
    """Focal length in mm from pixels, for a sensor whose long side is `sensor_mm` and spans `long_edge_px` pixels."""
    return focal_px * sensor_mm / long_edge_px


_FILM_DIAGONAL_MM = math.hypot(36.0, 24.0)
"""Diagonal of a frame of 35 mm film."""


def film_equivalent_sensor_mm(focal_mm: float, film_focal_mm: float, width_px: int, height_px: int) -> float:
    """Long side of a sensor in mm from the focal length and its 35 mm equivalent.

    The equivalent compares diagonals (CIPA DCG-001), so the long side depends on the picture's shape: a sensor of 3:2 has
    `36 * focal / equivalent`, one of 4:3 four hundredths less.

    Args:
        width_px, height_px: of the uncropped picture.
    """
    return _FILM_DIAGONAL_MM * focal_mm / film_focal_mm * max(width_px, height_px) / math.hypot(width_px, height_px)
