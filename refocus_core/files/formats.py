"""Which file type holds what, and the error that all readers and writers raise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy.typing as npt

Array = npt.NDArray[Any]
"""A picture as readers return and writers take it: [H,W,C], C = 1..4."""


class PictureError(ValueError):
    """A file that cannot be read or written, and what to do about it."""


TIFF_HEADS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""What TIFF files begin with; the last two are BigTIFF."""
INTEGER_BITS: dict[str, tuple[int, ...]] = {
    ".png": (8, 16),
    ".tif": (8, 16),
    ".tiff": (8, 16),
    ".jpg": (8,),
    ".jpeg": (8,),
    ".webp": (8,),
}
"""Integer bit depths that each file type can hold."""
FLOAT_SUFFIXES = (".tif", ".tiff", ".pfm", ".exr")
"""File types that hold 32-bit floating point, in linear light."""
MAP_SUFFIXES = (".png", ".tif", ".tiff", ".pfm", ".npy", ".exr")
"""File types that maps are written as."""
ALPHA_SUFFIXES = (".png", ".tif", ".tiff", ".webp", ".exr")
"""File types that hold transparency."""
RAW_SUFFIXES = (
    *(".dng", ".nef", ".nrw", ".cr2", ".cr3", ".crw", ".arw", ".srf", ".sr2", ".raf", ".orf", ".rw2", ".pef", ".srw"),
    *(".x3f", ".3fr", ".fff", ".iiq", ".erf", ".kdc", ".dcr", ".mos", ".mef", ".mrw", ".rwl"),
)
"""Endings of the names of cameras' raw files."""
LARGEST_SIDE_PX = {".jpg": 65500, ".jpeg": 65500, ".webp": 16383}
"""Longest side that a file type, or libjpeg that writes it, can hold; others hold any that fits into memory."""
CLIP_CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
"""Endings of clips that are written -> container, as FFmpeg calls it."""
CLIP_SUFFIXES = (*CLIP_CONTAINERS, ".webm", ".avi")
"""Endings of clips that are read."""
METADATA_HELD: dict[str, set[str]] = {
    ".png": {"xmp", "iptc", "comment", "text", "dpi"},
    ".tif": {"xmp", "iptc", "dpi"},
    ".tiff": {"xmp", "iptc", "dpi"},
    ".jpg": {"xmp", "iptc", "comment", "dpi"},
    ".jpeg": {"xmp", "iptc", "comment", "dpi"},
    ".webp": {"xmp", "dpi"},
}
"""Attributes of `Metadata` that each file type can hold."""


def is_clip(path: Path) -> bool:
    """Whether a file is a clip by its ending."""
    return path.suffix.lower() in CLIP_SUFFIXES
