"""The thin lens. The only place where the law of the circle of confusion is written.

For focal length f, f-number N and focus distance s_f (f and s_f in mm), a point at disparity d = 1/s makes, in an image of
`px_per_mm` pixels per sensor millimetre, a disc of signed radius

    radius_px = K * (d_f - d),    K [px*m] = f^2 * s_f / (2 N (s_f - f)) * px_per_mm / 1000

positive behind the focal plane, negative in front of it (Potmesil & Chakravarty, SIGGRAPH 1981).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

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
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"Lens.{name} must be a positive number, got {value}.")


@dataclass(frozen=True)
class Blur:
    """Strength without a camera: radius of the blur of a point at infinity, in percent of the image's long edge (0..50).

    Raises:
        ValueError: if `percent` is not within 0..50.
    """

    percent: float = 1.5

    def __post_init__(self) -> None:
        if not (math.isfinite(self.percent) and 0 <= self.percent <= 50):
            raise ValueError(f"Blur.percent must lie in 0..50 (percent of the long edge), got {self.percent}.")


BLUR_FOCUS_FLOOR = 0.25
"""`Blur` keeps the blur at infinity constant down to a focus disparity of this fraction of the nearest one. Farther than
that K stays constant: with the focus at infinity a constant blur there would need an infinite aperture."""


def lens_gain_px(lens: Lens, focus_disparity: Tensor, long_edge_px: int) -> Tensor:
    """K in px*m for focus disparities [B] in 1/m (0 = infinity) in an image whose long edge has `long_edge_px` pixels.

    Raises:
        ValueError: if a focus distance is not beyond the focal length.
    """
    f_mm = lens.focal_mm
    remaining = 1.0 - f_mm * focus_disparity.double().cpu() / 1000.0  # (s_f - f) / s_f; float64 on the CPU: MPS has none
    if bool((remaining <= 0).any()):
        nearest = float(1.0 / focus_disparity.max())
        raise ValueError(
            f"The focus distance ({nearest:.4g} m) must be larger than the focal length ({f_mm:g} mm). "
            "Focus farther away or choose a shorter focal length."
        )
    gain = f_mm**2 / (2.0 * lens.f_number) / remaining * (long_edge_px / lens.sensor_mm) / 1000.0
    return gain.to(focus_disparity)


def blur_gain_px(blur: Blur, focus_disparity: Tensor, nearest_disparity: Tensor, long_edge_px: int) -> Tensor:
    """K in px per unit of disparity so that a point at disparity 0 is blurred by `blur.percent` of the long edge.

    Args:
        focus_disparity: [B], in the unit of the depth map.
        nearest_disparity: [B], the largest disparity of the scene in the same unit (see `BLUR_FOCUS_FLOOR`).
    """
    floor = (BLUR_FOCUS_FLOOR * nearest_disparity).clamp_min(torch.finfo(torch.float32).tiny)
    return blur.percent / 100.0 * long_edge_px / torch.maximum(focus_disparity, floor)


def coc_radius_px(disparity: Tensor, focus_disparity: Tensor, gain_px: Tensor) -> Tensor:
    """Signed circle-of-confusion radius [B,H,W] in px: `gain_px * (focus_disparity - disparity)`, both of shape [B]."""
    return gain_px.view(-1, 1, 1) * (focus_disparity.view(-1, 1, 1) - disparity)


def focal_px_to_mm(focal_px: float, sensor_mm: float, long_edge_px: int) -> float:
    """Focal length in mm from pixels, for a sensor whose long side is `sensor_mm` and spans `long_edge_px` pixels."""
    return focal_px * sensor_mm / long_edge_px


_FILM_DIAGONAL_MM = math.hypot(36.0, 24.0)


def film_equivalent_sensor_mm(focal_mm: float, film_focal_mm: float, width_px: int, height_px: int) -> float:
    """Long side of a sensor in mm from the focal length and its 35 mm equivalent.

    The equivalent compares diagonals (CIPA DCG-001), so the long side depends on the picture's shape: a sensor of 3:2 has
    `36 * focal / equivalent`, one of 4:3 four hundredths less.

    Args:
        width_px, height_px: of the uncropped picture.
    """
    return _FILM_DIAGONAL_MM * focal_mm / film_focal_mm * max(width_px, height_px) / math.hypot(width_px, height_px)
