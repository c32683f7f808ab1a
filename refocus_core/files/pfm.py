"""PFM, the portable float map. Values are linear light; nothing is converted."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np

from .formats import Array, PictureError


def read_pfm(path: Path) -> Array:
    """Portable float map: 'PF' colour or 'Pf' grey, rows from the bottom up, negative scale = little-endian.

    Raises:
        PictureError: if it is another or an incomplete file.
    """
    data = path.read_bytes()
    try:
        kind, size, scale, body = data.split(b"\n", 3)
        w, h = (int(v) for v in size.split())
        channels = {b"PF": 3, b"Pf": 1}[kind.strip()]
        values = np.frombuffer(body, "<f4" if float(scale) < 0 else ">f4", w * h * channels)
    except (ValueError, KeyError) as error:
        raise PictureError(f"{path} is not a complete PFM file: {error}") from error
    return np.ascontiguousarray(values.reshape(h, w, channels)[::-1]).astype(np.float32)


def write_pfm(file: BinaryIO, values: Array) -> None:
    """[H,W,C] float32, C = 1 or 3."""
    h, w, c = values.shape
    file.write(b"%s\n%d %d\n-1.0\n" % (b"PF" if c == 3 else b"Pf", w, h))
    file.write(np.ascontiguousarray(values[::-1].astype("<f4")).tobytes())
