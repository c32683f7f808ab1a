"""Depth made small for a page that shows defocus while a person moves the focus."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

LEVELS = 32767
"""Largest code of a quantised value. The 16th bit marks pixels without known depth."""


@dataclass(frozen=True)
class DepthThumbnail:
    """Codes 0..`LEVELS` of `low`..`high`, plus 32768 where the depth is not known.

    Attributes:
        codes: [F,h,w] uint16.
        low, high: disparity of code 0 and of code `LEVELS`.
    """

    codes: NDArray[np.uint16]
    low: float
    high: float

    def packed(self) -> bytes:
        """Differences along the rows (modulo 65536, little-endian), compressed with zlib."""
        wide = self.codes.astype(np.int64)
        wide[..., 1:] -= self.codes.astype(np.int64)[..., :-1]
        return zlib.compress((wide % 65536).astype("<u2").tobytes(), 6)


def shown_frames(batch: int, most: int = 12) -> list[int]:
    """Up to `most` frames, evenly spread over a clip, with its first and last one."""
    if batch <= most:
        return list(range(batch))
    return [round(i * (batch - 1) / (most - 1)) for i in range(most)]


def thumbnail(values: Tensor, long_edge_px: int = 512, *, valid: Tensor | None = None) -> DepthThumbnail:
    """A map [F,H,W] with its long edge at most `long_edge_px`.

    Pixels are picked, not averaged: a mean across a depth edge would be the disparity of nothing.

    Args:
        values: disparity, or any other finite map.
        valid: [F,H,W] bool, or None where all are.
    """
    h, w = values.shape[-2:]
    scale = min(1.0, long_edge_px / max(h, w))
    rows, columns = (_picked(n, max(1, round(n * scale))) for n in (h, w))
    small = values[:, rows][:, :, columns].cpu().double()
    low, high = float(small.min()), float(small.max())
    codes = ((small - low) / (high - low if high > low else 1.0) * LEVELS).round().numpy().astype(np.uint16)
    if valid is not None:
        codes |= (~valid[:, rows][:, :, columns]).cpu().numpy().astype(np.uint16) << np.uint16(15)
    return DepthThumbnail(codes, low, high)


def _picked(full: int, small: int) -> Tensor:
    return ((torch.arange(small, dtype=torch.float64) + 0.5) * full / small).floor().long()
