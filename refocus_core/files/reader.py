"""Reading: which decoder takes a file, and what comes out of it, whatever the format. `pictures` makes tensors of it."""

from __future__ import annotations

import logging
import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from .exif import Exif, orientation, parse, turn_upright
from .exr import depth_channel, read_exr, read_exr_layer
from .formats import TIFF_HEADS, Array, PictureError
from .guard import DECODER_FAULTS, check_size, opened
from .heif import let_pillow_read_heif
from .metadata import NO_METADATA, Metadata, embedded_exif, of_directory, of_image, xmp_orientation
from .output import FLOAT_BITS
from .pfm import read_pfm
from .png16 import is_wide, read_png16
from .raw import develop, is_raw, is_raw_tiff
from .tiff import Tag as TiffTag
from .tiff import read_tiff

log = logging.getLogger(__name__)

_HEAD_BYTES = 16
"""Of a file, by which raw files are known."""
_MANY_PICTURES = ("TIFF", "MPO")
"""Formats in which the first picture is the photo, and others are versions of it or what a phone knows beside it."""
_LARGEST_16_BIT = 65535
"""White in 16 bits."""


@dataclass(frozen=True)
class Stored:
    """A picture as it lies in a file."""

    pixels: Array
    """[H,W,C] uint8, uint16 or float32."""
    bits: int
    exif: Exif
    icc: bytes | None = None
    metadata: Metadata = NO_METADATA
    turn: int = 1
    """EXIF orientation that was applied."""


def _existing(path: Path) -> Path:
    if path.is_dir():
        raise PictureError(f"{path} is a folder, not a picture.")
    if not path.is_file():
        raise PictureError(f"There is no file {path}.")
    if not os.access(path, os.R_OK):
        raise PictureError(f"{path} may not be read: its permissions forbid it.")
    return path


@contextmanager
def _faults_named(path: Path) -> Generator[None]:
    """Whatever a decoder raises on a broken file becomes a sentence about the file."""
    try:
        yield
    except PictureError:
        raise
    except MemoryError as error:
        raise PictureError(f"{path} does not fit into memory.") from error
    except UnidentifiedImageError as error:
        kinds = "PNG, JPEG, WebP, TIFF, PFM, EXR, HEIC, cameras' raw files"
        raise PictureError(f"{path} is not a picture that can be read ({kinds}).") from error
    except DECODER_FAULTS as error:
        raise PictureError(f"{path} is damaged or incomplete: {error or type(error).__name__}") from error


def read_file(path: Path) -> Stored:
    """A file of any format, upright.

    Raises:
        PictureError: if the file is missing, damaged, too large, or of a kind that cannot be read.
    """
    _existing(path)
    suffix = path.suffix.lower()
    with _faults_named(path):
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
        tiff = path.read_bytes() if head[:4] in TIFF_HEADS else None
        if is_raw(path, head) or (tiff is not None and is_raw_tiff(tiff, parse(tiff))):
            return _developed(path)
        if suffix == ".exr":
            return Stored(read_exr(path), FLOAT_BITS, Exif({}))
        if suffix == ".pfm":
            pixels = read_pfm(path)
            check_size(path, pixels.shape[1], pixels.shape[0])
            return Stored(pixels, FLOAT_BITS, Exif({}))
        let_pillow_read_heif(path)
        read = (None if tiff is None else _read_wide_tiff(path, tiff)) or _read_with_pillow(path)
        turn = orientation(read.exif) or xmp_orientation(read.metadata.xmp) or 1
        return replace(read, pixels=turn_upright(read.pixels, turn), turn=turn, metadata=read.metadata.upright(turn))


def _developed(path: Path) -> Stored:
    """A camera's raw file: LibRaw turns it upright, and what the camera wrote lies in directories as those of TIFF."""
    pixels, exif = develop(path), parse(path.read_bytes())
    turn = orientation(exif) or 1
    return Stored(pixels, 16, exif, metadata=of_directory(exif).upright(turn), turn=turn)


def read_layer(path: Path, layer: str) -> Array:
    """[H,W,1] float32: a layer, or a channel of one, of an EXR; see `exr.read_exr_layer`.

    Raises:
        PictureError: as `read_file`; if it is no EXR, or there is not one such channel.
    """
    if _existing(path).suffix.lower() != ".exr":
        raise PictureError(f"{path} has no layers: only an EXR has, so {layer!r} cannot be found in it.")
    with _faults_named(path):
        return read_exr_layer(path, layer)


def depth_layer(path: Path) -> str | None:
    """Name of the channel with distance of an EXR, by its name; None where there is none, and for other formats.

    Raises:
        PictureError: if the file cannot be read, or there are several such channels.
    """
    if path.suffix.lower() != ".exr":
        return None
    with _faults_named(_existing(path)):
        return depth_channel(path)


def read_npy(path: Path) -> Array:
    """[H,W,C] float32.

    Raises:
        PictureError: if it is not a numeric [H,W] or [H,W,C] array.
    """
    with _existing(path).open("rb") as file:
        try:
            array = np.load(file, allow_pickle=False)
        except (*DECODER_FAULTS, MemoryError) as error:
            raise PictureError(f"{path} is not a NumPy array of numbers: {error or type(error).__name__}") from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu" or array.ndim not in (2, 3) or array.size == 0:
        told = f"{array.dtype} {list(array.shape)}" if isinstance(array, np.ndarray) else "an archive"
        raise PictureError(f"{path} must hold numbers as [H,W] or [H,W,C], got {told}.")
    return np.atleast_3d(array).astype(np.float32)


def _read_wide_tiff(path: Path, data: bytes) -> Stored | None:
    """A TIFF that Pillow would not read as it is meant; None for any other one."""
    exif = parse(data)
    found = read_tiff(path, data, exif)
    if found is None:
        return None
    return Stored(*found, exif, exif.main.get(TiffTag.ICC, (0, None))[1], of_directory(exif))


def _read_with_pillow(path: Path) -> Stored:
    with opened(path) as im:
        check_size(path, *im.size)
        icc = im.info.get("icc_profile")
        if im.mode in ("CMYK", "LAB", "HSV"):
            raise PictureError(f"{path} is a {im.mode} picture. Convert it to RGB first.")
        if getattr(im, "n_frames", 1) > 1 and im.format not in _MANY_PICTURES:
            log.warning("%s has %d frames; the first one is used.", path, getattr(im, "n_frames", 1))
        pixels, bits = _decode(path, im)
        im.load()  # PNG may hold text and EXIF behind the pixels
        if im.format == "TIFF":
            exif = parse(path.read_bytes())
            return Stored(pixels, bits, exif, icc, of_directory(exif))
        exif = parse(embedded_exif(im))
        return Stored(pixels, bits, exif, icc, of_image(im, exif))


def _decode(path: Path, im: Image.Image) -> tuple[Array, int]:
    """[H,W,C] and bits of a picture that Pillow has opened."""
    if im.format == "PNG" and is_wide(path) and (im.mode[0] != "I" or "transparency" in im.info):  # Pillow: 8 bits, or no alpha
        return read_png16(path), 16
    if im.mode == "F":
        return np.asarray(im, np.float32)[..., None], FLOAT_BITS
    if im.mode.startswith("I"):  # "I" holds 16-bit grey in older versions of Pillow
        grey = np.asarray(im)
        if grey.size and (grey.min() < 0 or grey.max() > _LARGEST_16_BIT):
            raise PictureError(f"{path} holds 32-bit integers. Save it with 8 or 16 bits, or as floating point.")
        return grey[..., None].astype(np.uint16), 16
    transparent = "A" in im.getbands() or "transparency" in im.info
    grey_only = im.mode in ("1", "L", "LA") and "transparency" not in im.info
    im = im.convert(("LA" if transparent else "L") if grey_only else ("RGBA" if transparent else "RGB"))
    pixels = np.asarray(im)
    return pixels if pixels.ndim == 3 else pixels[..., None], 8
