"""The scale on which surfaces are found: disparity in px of blur, which does not know where the focus is."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from ...optics import BlurLaw

_POWER_TOLERANCE = 1e-6
"""In powers of two: a slope that rounding lifts above a power of two still counts as that power."""

_GAIN_RANGE = (1e-30, 1e30)
"""Gains beyond this would leave the range of float32."""


@dataclass(frozen=True, eq=False)
class Scale:
    """Reference circle of confusion of one picture, -gain * disparity, and the law that makes radii of it.

    Attributes:
        gain: a power of two, px per unit of disparity, not below the law's steeper slope.
        law: of this one frame.
    """

    gain: float
    law: BlurLaw

    def radius(self, reference_coc: Tensor) -> Tensor:
        """Signed radius in px of reference circles of confusion of any shape."""
        return self.law.radius_px((reference_coc / -self.gain)[None])[0]

    def reduced(self, by: int) -> Scale:
        """The same for a picture of 1/by of the size."""
        return Scale(self.gain / by, self.law.scaled(1 / by))

    @classmethod
    def of(cls, law: BlurLaw | None) -> Scale | None:
        """The scale of one frame; None where the radius itself is the reference: it follows no law, or nothing is blurred."""
        steeper = 0.0 if law is None else max(float(law.front_px), float(law.behind_px))
        if law is None or not steeper > 0:
            return None
        gain = 2.0 ** math.ceil(math.log2(steeper) - _POWER_TOLERANCE)
        return cls(gain, law) if _GAIN_RANGE[0] < gain < _GAIN_RANGE[1] else None
