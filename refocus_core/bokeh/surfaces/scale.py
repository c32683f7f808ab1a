"""The law between disparity and radius, found from a map."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

_FIT_PX = 0.02
_PX_AT_A_TIME = 1 << 20


@dataclass(frozen=True, eq=False)
class Scale:
    """The radius as a function of reference depth rho = -gain * disparity: a slope in front, a zone in focus, a slope behind.

    Attributes:
        gain: a power of two, px per unit of disparity.
        near, far: (radius per rho, rho where the zone in focus ends). `radius = far[0] * max(rho - far[1], 0) + near[0] *
            min(rho - near[1], 0)`.
    """

    gain: float
    near: tuple[float, float]
    far: tuple[float, float]

    def radius(self, rho: Tensor) -> Tensor:
        """Signed radius in px of reference depths of any shape."""
        return self.far[0] * (rho - self.far[1]).clamp_min(0) + self.near[0] * (rho - self.near[1]).clamp_max(0)

    def reduced(self, by: int) -> Scale:
        """The same for a picture of 1/by of the size."""
        return Scale(self.gain / by, (self.near[0], self.near[1] / by), (self.far[0], self.far[1] / by))

    @classmethod
    def of(cls, radius: Tensor, disparity: Tensor, gain: float) -> Scale | None:
        """The scale of a defocus map [H,W]; None where its radius is not such a function of disparity.

        Args:
            gain: |px per unit of disparity| of the map, roughly.
        """
        radius, disparity = radius.flatten(), disparity.flatten()
        fits = [_line(disparity, radius, side, gain) for side in (-1.0, 1.0)]
        slopes = [f[0] for f in fits if f is not None]
        if not slopes or min(slopes) <= 0 or not all(map(math.isfinite, slopes)):
            return None
        unit = 2.0 ** math.ceil(math.log2(max(slopes)) - 1e-6)
        if not 1e-30 < unit < 1e30:
            return None
        # where one side is empty, the other one's line goes on
        slope_near, zero_near = fits[0] or fits[1] or (0.0, 0.0)
        slope_far, zero_far = fits[1] or fits[0] or (0.0, 0.0)
        if zero_far > zero_near:
            zero_far = zero_near = 0.5 * (zero_far + zero_near)
        scale = cls(unit, (slope_near / unit, -unit * zero_near), (slope_far / unit, -unit * zero_far))
        parts = zip(radius.split(_PX_AT_A_TIME), disparity.split(_PX_AT_A_TIME), strict=True)
        return scale if all(float((scale.radius(-unit * d) - r).abs().max()) <= _FIT_PX for r, d in parts) else None


def _line(disparity: Tensor, radius: Tensor, side: float, gain: float) -> tuple[float, float] | None:
    """(K, d0) of radius = K * (d0 - disparity) through the extremes of one side of the focus; None if nothing lies there."""
    extent = side * radius
    far = int(extent.argmax())
    if float(extent[far]) <= 0:
        return None
    near = int(torch.where(extent > 0, extent, math.inf).argmin())
    (r0, d0), (r1, d1) = ((float(radius[i]), float(disparity[i])) for i in (near, far))
    k = -(r1 - r0) / (d1 - d0) if abs(d1 - d0) * gain > 1e-3 else gain
    return (k, d0 + r0 / k) if k > 0 else (k, 0.0)
