"""HEIC, as phones write it: Pillow reads it once the package pillow-heif (the extra `photo`) is there."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from .formats import PictureError

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
