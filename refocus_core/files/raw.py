"""Cameras' raw files: developed by LibRaw through the package rawpy (the extra `photo`).

They are told apart from pictures first, because what other readers find in them is a small preview.
"""

from __future__ import annotations

import struct
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from .directories import integers, read_entries
from .exif import Exif
from .formats import RAW_SUFFIXES, Array, PictureError
from .guard import check_size

_HEADS = (b"FUJIFILMCCD-RAW", b"FOVb", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"\0MRM")
"""What raw files that are no TIFF begin with."""
_DNG_VERSION, _SUBFILE, _PHOTOMETRIC, _SUB_DIRECTORIES = 50706, 254, 262, 330
"""Tags of TIFF."""
_SENSOR_VALUES = (32803, 34892)
"""Photometric interpretations of a sensor's own values: a colour filter array, and DNG's linear raw."""
_REDUCED = 1
"""Bit of the kind of subfile that says: a smaller version of another picture in this file."""


_SRGB_CURVE = (2.4, 12.92)
"""Exponent and slope at black of sRGB (IEC 61966-2-1), as LibRaw takes them."""


def is_raw(path: Path, head: bytes) -> bool:
    """Whether it is a raw file by its name and first bytes."""
    return path.suffix.lower() in RAW_SUFFIXES or head.startswith(_HEADS) or head[8:10] == b"CR" or head[4:12] == b"ftypcrx "


def is_raw_tiff(data: bytes, exif: Exif) -> bool:
    """Whether a file that is laid out as TIFF is a raw file, by its directories `exif`, which are `exif.parse(data)`."""
    main, order = exif.main, exif.order
    big = len(data) > 4 and struct.unpack(order + "H", data[2:4])[0] == 43
    further = [read_entries(data, at, order, big) for at in integers(main, _SUB_DIRECTORIES, order)]
    kinds = {value for entries in (main, *further) for value in integers(entries, _PHOTOMETRIC, order)}
    preview = bool(further) and any(value & _REDUCED for value in integers(main, _SUBFILE, order))
    return _DNG_VERSION in main or bool(kinds & set(_SENSOR_VALUES)) or preview


def develop(path: Path) -> Array:
    """The photo [H,W,C] uint16, upright, in sRGB, C = 1 or 3: the camera's own white balance, its exposure as it is.

    Nothing is brightened by what the picture shows, as cameras and LibRaw itself do, so that frames of a sequence agree.

    Raises:
        PictureError: if rawpy is missing, or LibRaw cannot read the file.
    """
    rawpy = _rawpy(path)
    try:
        with rawpy.imread(str(path)) as raw:
            check_size(path, raw.sizes.width, raw.sizes.height)
            pixels = raw.postprocess(
                output_bps=16,
                use_camera_wb=True,
                no_auto_bright=True,
                output_color=rawpy.ColorSpace.sRGB,
                gamma=_SRGB_CURVE,
            )
    except rawpy.LibRawError as error:
        reason = error.args[0] if error.args else error
        told = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise PictureError(
            f"{path} is a camera's raw file that LibRaw cannot develop ({told}). "
            "Develop it in another program (darktable, RawTherapee, Lightroom, ...) and save it as 16-bit TIFF."
        ) from error
    return np.atleast_3d(pixels)


def _rawpy(path: Path) -> Any:
    try:
        return import_module("rawpy")
    except ImportError as error:
        raise PictureError(
            f"{path} is a camera's raw file, which needs the package rawpy (the extra `photo`): pip install rawpy. Or develop it "
            "in another program (darktable, RawTherapee, Lightroom, ...) and save it as 16-bit TIFF."
        ) from error
