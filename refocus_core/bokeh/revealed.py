"""Which part of a rendering the photo could not show."""

from __future__ import annotations

import torch
from torch import Tensor

from ..checks import check_kind
from ..types import DefocusMap, Kernel
from .plan import Quality
from .renderer import render


def revealed(defocus_map: DefocusMap, kernel: Kernel | None = None, *, quality: str | Quality = "draft") -> Tensor:
    """Share of each pixel's light that comes from background which the photo hides, behind the blurred edge of a foreground.

    It is the rendering of a black scene before a white plate.

    Args:
        defocus_map, kernel, quality: as for `render`.

    Returns:
        [B,H,W] in 0..1.

    Raises:
        TypeError, ValueError: as `render`.
    """
    check_kind(defocus_map, DefocusMap, "defocus_map")
    black = torch.zeros_like(defocus_map.radius_px)[:, None].repeat(1, 3, 1, 1)
    return render(black, defocus_map, kernel, quality=quality, background=black + 1).mean(1).clamp(0, 1)
