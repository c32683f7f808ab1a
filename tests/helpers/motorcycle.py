"""The bundled photograph with measured depth, in metres. Sources and licence: LICENSES.md."""

from __future__ import annotations

import torch
from torch import Tensor

from refocus_core.files import pictures
from refocus_core.types import DepthMap
from tests.helpers import paths

FOLDER = paths.DATA
PHOTO = FOLDER / "motorcycle.png"
DISPARITY = FOLDER / "motorcycle_disparity.png"
NEAR_BRIGHT = FOLDER / "motorcycle_near_bright.png"

FOCAL_PX = 994.978
BASELINE_M = 0.193001
DOFFS_PX = 31.086
"""Difference of the principal points of the two cameras."""
STEPS_PER_PX = 1024
"""Stereo disparity in px is the 16-bit value of DISPARITY divided by this; 0 = not measured."""
NEAR_M, FAR_M = 2.1103559, 5.01685
"""Distances of white and black in NEAR_BRIGHT (whose unmeasured pixels are filled)."""


def photo() -> Tensor:
    """[1,3,500,741] sRGB."""
    return pictures.load(PHOTO).image


def depth_m() -> tuple[Tensor, Tensor]:
    """Measured distance in metres [1,500,741] (NaN where unknown) and where it is known (bool)."""
    disparity_px = pictures.load_map(DISPARITY)[:, 0] * 65535 / STEPS_PER_PX
    known = disparity_px > 0
    metres = FOCAL_PX * BASELINE_M / (disparity_px + DOFFS_PX)
    return torch.where(known, metres, torch.nan), known


def depth_map() -> DepthMap:
    """The measured depth, metric, holes filled from the surface behind them and marked in `valid`."""
    metres, known = depth_m()
    v = pictures.load_map(NEAR_BRIGHT)[:, 0]
    filled = 1 / FAR_M + v * (1 / NEAR_M - 1 / FAR_M)
    return DepthMap(torch.where(known, 1 / metres, filled), True, torch.tensor([FOCAL_PX]), known, "Middlebury 2014, Motorcycle")
