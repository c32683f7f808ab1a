"""Cameras' raw files: told apart from pictures, because what readers find first in them is a small preview."""

from __future__ import annotations

import struct
from pathlib import Path

from .directories import integers, read_entries
from .exif import Exif
from .formats import PictureError

_SUFFIXES = (
    *(".dng", ".nef", ".nrw", ".cr2", ".cr3", ".crw", ".arw", ".srf", ".sr2", ".raf", ".orf", ".rw2", ".pef", ".srw"),
    *(".x3f", ".3fr", ".fff", ".iiq", ".erf", ".kdc", ".dcr", ".mos", ".mef", ".mrw", ".rwl"),
)
"""Endings of the names of raw files."""
_HEADS = (b"FUJIFILMCCD-RAW", b"FOVb", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"\0MRM")
"""What raw files that are no TIFF begin with."""
_DNG_VERSION, _SUBFILE, _PHOTOMETRIC, _SUB_DIRECTORIES = 50706, 254, 262, 330
"""Tags of TIFF."""
_SENSOR_VALUES = (32803, 34892)
"""Photometric interpretations of a sensor's own values: a colour filter array, and DNG's linear raw."""
_REDUCED = 1
"""Bit of the kind of subfile that says: a smaller version of another picture in this file."""


def refuse_raw(path: Path, head: bytes) -> None:
    """Refuse raw files by name and first bytes.

    Raises:
        PictureError: if it is one.
    """
    if path.suffix.lower() in _SUFFIXES or head.startswith(_HEADS) or head[8:10] == b"CR" or head[4:12] == b"ftypcrx ":
        raise _refusal(path)


def refuse_raw_tiff(path: Path, data: bytes, exif: Exif) -> None:
    """Refuse raw files that are laid out as TIFF, by their directories.

    Args:
        data: the file.
        exif: its directories, `exif.parse(data)`.

    Raises:
        PictureError: if it is one.
    """
    main, order = exif.main, exif.order
    big = len(data) > 4 and struct.unpack(order + "H", data[2:4])[0] == 43
    further = [read_entries(data, at, order, big) for at in integers(main, _SUB_DIRECTORIES, order)]
    kinds = {value for entries in (main, *further) for value in integers(entries, _PHOTOMETRIC, order)}
    preview = bool(further) and any(value & _REDUCED for value in integers(main, _SUBFILE, order))
    if _DNG_VERSION in main or kinds & set(_SENSOR_VALUES) or preview:
        raise _refusal(path)


def _refusal(path: Path) -> PictureError:
    return PictureError(
        f"{path} is a camera's raw file, of which only the preview could be read. "
        "Develop it first (in darktable, RawTherapee, Lightroom, ...) and save it as 16-bit TIFF."
    )
