"""HEIC, as phones write it: Pillow reads it once the package pillow-heif (the extra `photo`) is there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from .formats import Array, PictureError
from .guard import opened

_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
"""Major brands of files with HEVC-coded pictures (ISO/IEC 23008-12)."""


def is_heif(path: Path) -> bool:
    """Whether a file is HEIC or HEIF by its first bytes; AVIF, which Pillow reads by itself, is not."""
    with path.open("rb") as file:
        head = file.read(64)
    return head[4:8] == b"ftyp" and head[8:12] in _BRANDS and b"avif" not in head


def let_pillow_read_heif(path: Path) -> None:
    """Register the reader with Pillow, if `path` needs it.

    Raises:
        PictureError: if pillow-heif is missing.
    """
    if not is_heif(path):
        return
    try:
        pillow_heif = import_module("pillow_heif")
    except ImportError as error:
        raise PictureError(
            f"{path} is a HEIC file, which needs the package pillow-heif (the extra `photo`): "
            "pip install pillow-heif, or save the photo as JPEG or PNG."
        ) from error
    pillow_heif.register_heif_opener()


@dataclass(frozen=True)
class HeifDepth:
    """The auxiliary picture with depth of a HEIF file.

    Attributes:
        values: [h,w] float32 in 0..1, larger = nearer, upright.
        said: the depth representation information (ITU-T H.265, G.14.3.3) by the names that pillow-heif has for it; empty where
            the file has none.
        photo_size: (width, height) of the photo.
    """

    values: Array
    said: Mapping[str, Any]
    photo_size: tuple[int, int]


def read_depth_image(path: Path) -> HeifDepth | None:
    """The depth that a HEIF file holds beside its photo; None where it holds none.

    Raises:
        PictureError: if pillow-heif is missing.
        ValueError: if the picture of depth is none of 8 or 16 bits of grey.
    """
    let_pillow_read_heif(path)
    with opened(path) as photo:
        found = [image for image in photo.info.get("depth_images", ()) if image is not None]
        if not found:
            return None
        values = np.asarray(found[0].to_pillow())
        if values.ndim == 3 and np.ptp(values, axis=2).max() == 0:
            values = values[..., 0]
        if values.ndim != 2 or values.dtype.name not in ("uint8", "uint16"):
            raise ValueError(f"it is stored as {values.dtype} {list(values.shape)}")
        return HeifDepth(values / np.float32(np.iinfo(values.dtype).max), found[0].info.get("metadata") or {}, photo.size)
