"""Reading and writing pictures and maps: PNG, TIFF, JPEG, WebP with 8 or 16 bits, and floating point.

What Pillow cannot do is done in this package: 16-bit RGB in PNG and TIFF, and 32-bit float RGB. EXIF, ICC profile, XMP, IPTC,
text and resolution travel with the picture; a file appears under its name only when it is complete.

Colour: pixels are never converted between profiles. Integer files are decoded to light by the curve of their own profile, sRGB's
where they have none, and written by the same curve with the same profile; in between, light is sRGB-encoded, in the profile's
primaries. Floating-point files (TIFF, PFM, EXR) hold linear light, as compositing and raw software expects of them.
"""

from __future__ import annotations

import io
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..color import linear_to_srgb, srgb_to_linear
from .exif import NO_CAMERA_DATA, CameraData, camera_data, shortened, upright_block
from .exr import is_distance, write_exr
from .formats import FLOAT_SUFFIXES, INTEGER_BITS, MAP_SUFFIXES, METADATA_HELD, Array, PictureError
from .metadata import (
    NO_METADATA,
    Metadata,
    png_chunks,
    report_lost,
    with_resolution,
    with_segments,
)
from .output import FLOAT_BITS, check_map_output, check_output, write_whole
from .pfm import write_pfm
from .png16 import PNG_HEAD_BYTES, write_png16
from .profiles import is_grey, is_srgb, profile_name, usable_profile
from .reader import depth_layer, read_file, read_layer, read_npy
from .tiff_writer import write_tiff
from .tone_curves import tone_curve

__all__ = [
    "FLOAT_SUFFIXES",
    "INTEGER_BITS",
    "MAP_SUFFIXES",
    "CameraData",
    "Metadata",
    "Picture",
    "PictureError",
    "check_map_output",
    "check_output",
    "depth_layer",
    "is_distance",
    "load",
    "load_map",
    "save",
    "save_map",
]

log = logging.getLogger(__name__)

_COLOURLESS = 0.5 / 255
"""Channels no further apart are grey: nobody sees half a step of 8 bits."""

_LARGEST_16_BIT = 65535
"""White in 16 bits."""


@dataclass(frozen=True, eq=False)
class Picture:
    """A photo and what travels with it.

    Attributes:
        image: [1,3,H,W] float32, upright (EXIF orientation is applied): light by the profile's curve, encoded as sRGB encodes it.
        alpha: [1,1,H,W] in 0..1, not premultiplied, or None.
        bits: bits per channel of the file: 8, 16 or 32 (floating point).
        exif: EXIF block with the orientation reset to upright, or None.
        icc: ICC profile, whose primaries the picture has; of grey if the file was grey; or None.
        camera: lens data from EXIF.
        metadata: XMP, IPTC, comment, PNG text and resolution.
    """

    image: Tensor
    alpha: Tensor | None = None
    bits: int = 8
    exif: bytes | None = None
    icc: bytes | None = None
    camera: CameraData = NO_CAMERA_DATA
    metadata: Metadata = NO_METADATA


# --- reading -------------------------------------------------------------------------------------------------------------


def load(path: str | Path) -> Picture:
    """Read a photo.

    PNG (8 and 16 bits), JPEG, WebP, TIFF (8, 16 bits and float) and whatever else Pillow reads; PFM; EXR with the package
    OpenEXR.

    Raises:
        PictureError: if the file is missing, unreadable, CMYK, or of a kind that cannot be read.
    """
    path = Path(path)
    read = read_file(path)
    tensor = _as_tensor(read.pixels)
    if read.bits == FLOAT_BITS and not bool(torch.isfinite(tensor).all()):
        raise PictureError(f"{path} holds NaN or infinite values. Repair it in the program that wrote it.")
    channels = tensor.shape[1]
    image = tensor[:, :3].contiguous() if channels > 2 else tensor[:, :1].repeat(1, 3, 1, 1)
    alpha = tensor[:, -1:].contiguous() if channels in (2, 4) else None
    icc = usable_profile(read.icc, path, channels)
    curve = tone_curve(icc) if icc else None
    if read.bits == FLOAT_BITS:
        image = linear_to_srgb(image)
    elif curve and not curve.is_srgb:
        image = curve.to_srgb(image)
    camera = camera_data(read.exif, *image.shape[-2:])
    return Picture(image, alpha, read.bits, upright_block(read.exif, read.turn), icc, camera, read.metadata)


def load_map(path: str | Path, layer: str | None = None) -> Tensor:
    """Read a map (depth, disparity, mask, aperture) without any colour conversion: [1,C,H,W] float32, C = 1..4.

    Integer files give 0..1 (16 bits kept); PFM, EXR, NPY and float TIFF give their values as they are, NaN and infinity included.

    Args:
        layer: of an EXR with several, the one that is meant, or the full name of a channel; C is 1. None: the picture.

    Raises:
        PictureError: as `load`; for NPY also if it is not a numeric [H,W] or [H,W,C] array.
    """
    path = Path(path)
    if layer is not None:
        return _as_tensor(read_layer(path, layer))
    return _as_tensor(read_npy(path) if path.suffix.lower() == ".npy" else read_file(path).pixels)


def _as_tensor(pixels: Array) -> Tensor:
    """[H,W,C] -> [1,C,H,W] float32, integers scaled to 0..1; channel by channel, which takes the least memory."""
    out = torch.empty(1, pixels.shape[2], *pixels.shape[:2])
    white = np.iinfo(pixels.dtype).max if pixels.dtype.kind == "u" else 1
    for channel in range(pixels.shape[2]):
        np.divide(pixels[..., channel], np.float32(white), out=out[0, channel].numpy(), dtype=np.float32)
    return out


# --- writing -------------------------------------------------------------------------------------------------------------


def save(
    path: str | Path,
    image: Tensor,
    *,
    alpha: Tensor | None = None,
    bits: int | None = None,
    exif: bytes | None = None,
    icc: bytes | None = None,
    metadata: Metadata | None = None,
    quality: int = 95,
    protect: tuple[Path, ...] = (),
) -> None:
    """Write a picture, complete or not at all. An existing file is replaced unless it is in `protect`.

    Args:
        image: [1,3,H,W] or [3,H,W], sRGB-encoded. Values outside 0..1 survive only in floating point, which is written in
            linear light (and without ICC profile, which would describe encoded values).
        alpha: [1,1,H,W] in 0..1, or None.
        bits: 8, 16, 32 or None: see `check_output`.
        exif, icc, metadata: as in `Picture`. Integers are encoded by the profile's curve. What the file type cannot hold is left
            out, and the log says so.
        quality: of JPEG and WebP, 1..100. JPEG keeps the full colour resolution (4:4:4); WebP is lossless at 100.

    Raises:
        PictureError: see `check_output`; also if the image is not finite.
    """
    path = Path(path)
    bits = check_output(path, bits, alpha is not None, protect, (image.shape[-2], image.shape[-1]))
    pixels = (image[0] if image.ndim == 4 else image).detach().float().cpu()
    if image.ndim == 4 and image.shape[0] != 1:
        raise PictureError(f"{path}: one file holds one picture, got a batch of {image.shape[0]}.")
    if not bool(torch.isfinite(pixels).all()):
        raise PictureError(f"{path}: the picture holds NaN or infinite values and is not written.")
    if is_grey(icc) and not _is_grey_file(path, pixels):
        icc = None
    if bits == FLOAT_BITS:
        pixels = srgb_to_linear(pixels)
        if icc is not None and not is_srgb(icc):
            name = profile_name(icc) or "a damaged colour profile"
            log.warning("%s: linear light in the primaries of '%s'; the file does not say so.", path, name)
    elif icc is not None and (curve := tone_curve(icc)) and not curve.is_srgb:
        pixels = curve.from_srgb(pixels)
    if is_grey(icc) and bits != FLOAT_BITS:
        pixels = pixels[:1]
    array: Array = pixels.permute(1, 2, 0).numpy()
    if alpha is not None:
        array = np.concatenate([array, alpha.detach().float().cpu().reshape(*array.shape[:2], 1).numpy()], 2)
    notes = metadata or NO_METADATA
    report_lost(path, notes, METADATA_HELD.get(path.suffix.lower(), set()))
    if bits == FLOAT_BITS:
        _write_floats(path, array.astype(np.float32), exif, notes)
    else:
        quantised = np.rint(np.clip(array, 0, 1) * (2**bits - 1)).astype(np.uint8 if bits == 8 else np.uint16)
        _write_integers(path, quantised, exif, icc, notes, quality)


def _is_grey_file(path: Path, pixels: Tensor) -> bool:
    """Whether a picture [C,H,W] can be written as grey, with a profile of grey; the log says why not."""
    colourless = float((pixels - pixels[:1]).abs().max()) < _COLOURLESS
    if not colourless or path.suffix.lower() == ".webp":
        log.warning("%s: the photo's profile of grey cannot describe it; it is written as sRGB.", path)
        return False
    return True


def _write_floats(path: Path, array: Array, exif: bytes | None = None, metadata: Metadata = NO_METADATA) -> None:
    """[H,W,C] float32 into any of `FLOAT_SUFFIXES`."""
    writer = {".pfm": write_pfm, ".exr": write_exr}.get(path.suffix.lower())
    if writer:
        write_whole(path, lambda f: writer(f, array))
    else:
        write_whole(path, lambda f: write_tiff(f, array, exif, None, metadata))


def _write_integers(path: Path, array: Array, exif: bytes | None, icc: bytes | None, metadata: Metadata, quality: int) -> None:
    """[H,W,C] uint8 or uint16 into any of `INTEGER_BITS`."""
    suffix = path.suffix.lower()
    if suffix in (".tif", ".tiff"):
        write_whole(path, lambda f: write_tiff(f, array, exif, icc, metadata))
        return
    if array.dtype == np.uint16:
        write_whole(path, lambda f: write_png16(f, array, exif, icc, metadata))
        return
    options: dict[str, Any] = {"icc_profile": icc} if icc else {}
    if suffix in (".jpg", ".jpeg"):
        exif = shortened(exif)
        options |= {"format": "JPEG", "quality": quality, "subsampling": 0}
        if metadata.dpi:
            options["dpi"] = tuple(round(v) for v in metadata.dpi)
    elif suffix == ".webp":
        exif = with_resolution(exif, metadata)
        options |= {"format": "WEBP", "quality": quality, "lossless": quality == 100, "exact": True}
        if metadata.xmp:
            options["xmp"] = metadata.xmp
    else:
        options |= {"format": "PNG"}
    if exif:
        options["exif"] = exif
    buffer = io.BytesIO()
    Image.fromarray(array[..., 0] if array.shape[2] == 1 else array).save(buffer, **options)
    data = buffer.getvalue()
    if options["format"] == "JPEG":
        data = with_segments(data, metadata, path)
    elif options["format"] == "PNG":
        data = data[:PNG_HEAD_BYTES] + png_chunks(metadata) + data[PNG_HEAD_BYTES:]
    write_whole(path, lambda f: f.writelines([data]))


def save_map(path: str | Path, values: Tensor, *, protect: tuple[Path, ...] = ()) -> None:
    """Write a map [H,W] (or [1,H,W]) as it is, complete or not at all.

    PFM, NPY, EXR and TIFF hold 32-bit floating point. PNG holds 16 bits and takes only values within 0..1.

    Raises:
        PictureError: see `check_map_output`; also if a PNG would clip.
    """
    path = Path(path)
    check_map_output(path, protect)
    array: Array = values.detach().float().cpu().reshape(values.shape[-2], values.shape[-1], 1).numpy()
    suffix = path.suffix.lower()
    if suffix == ".npy":
        write_whole(path, lambda f: np.save(f, array[..., 0]))
    elif suffix == ".png":
        if not (np.isfinite(array).all() and array.min() >= 0 and array.max() <= 1):
            raise PictureError(
                f"{path}: PNG holds 0..1 only, but the map spans {array.min():g}..{array.max():g}. Use .tif, .pfm or .npy."
            )
        write_whole(path, lambda f: write_png16(f, np.rint(array * _LARGEST_16_BIT).astype(np.uint16), None, None))
    else:
        _write_floats(path, array)
