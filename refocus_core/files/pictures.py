"""Reading and writing pictures and maps: PNG, TIFF, JPEG, WebP with 8 or 16 bits, and floating point.

What Pillow cannot do is done here: 16-bit RGB in PNG and TIFF, and 32-bit float RGB. EXIF and the ICC profile travel with the
picture; a file appears under its name only when it is complete.

Colour: pixels are never converted between profiles. The mathematics takes the profile's curve to be like that of sRGB, which
holds for sRGB and Display P3 and nearly for Adobe RGB. Integer files hold sRGB-encoded values. Floating-point files (TIFF, PFM,
EXR) hold linear light, as compositing and raw software expects of them, and are encoded when read as a picture.
"""

from __future__ import annotations

import io
import logging
import os
import struct
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from PIL import ExifTags, Image, ImageCms, UnidentifiedImageError
from torch import Tensor

from ..color import linear_to_srgb, srgb_to_linear
from ..optics import film_equivalent_sensor_mm
from . import tiff as codecs
from .tiff import Array, PictureError

log = logging.getLogger(__name__)

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
"""File types that `save_map` writes."""
_ALPHA_SUFFIXES = (".png", ".tif", ".tiff", ".webp", ".exr")
_MAKER_NOTE = 0x927C
_EXIF_LIMIT = 65500


@dataclass(frozen=True)
class CameraData:
    """What the camera wrote into EXIF; None where it wrote nothing usable.

    Attributes:
        focal_mm: focal length in mm.
        f_number: f-number the photo was taken with.
        sensor_mm: long side of the sensor in mm, from the 35 mm equivalent focal length and the picture's shape.
        model: maker's name of the camera, for people.
    """

    focal_mm: float | None = None
    f_number: float | None = None
    sensor_mm: float | None = None
    model: str = ""


@dataclass(frozen=True, eq=False)
class Picture:
    """A photo and what travels with it.

    Attributes:
        image: [1,3,H,W] float32, sRGB-encoded, upright (EXIF orientation is applied).
        alpha: [1,1,H,W] in 0..1, not premultiplied, or None.
        bits: bits per channel of the file: 8, 16 or 32 (floating point).
        exif: EXIF block with the orientation reset to upright, or None.
        icc: ICC profile, or None.
        camera: lens data from EXIF.
    """

    image: Tensor
    alpha: Tensor | None = None
    bits: int = 8
    exif: bytes | None = None
    icc: bytes | None = None
    camera: CameraData = CameraData()


# --- reading -------------------------------------------------------------------------------------------------------------


def load(path: str | Path) -> Picture:
    """Read a photo.

    PNG (8 and 16 bits), JPEG, WebP, TIFF (8, 16 bits and float) and whatever else Pillow reads; PFM; EXR with the package
    OpenEXR.

    Raises:
        PictureError: if the file is missing, unreadable, CMYK, or of a kind that cannot be read.
    """
    path = Path(path)
    pixels, bits, meta = _read(path)
    if not np.isfinite(pixels).all():
        raise PictureError(f"{path} holds NaN or infinite values. Repair it in the program that wrote it.")
    if pixels.shape[2] in (1, 2):
        pixels = np.concatenate([pixels[..., :1].repeat(3, 2), pixels[..., 1:]], 2)
    tensor = torch.from_numpy(np.array(pixels)).permute(2, 0, 1)[None]
    image, alpha = tensor[:, :3].contiguous(), tensor[:, 3:4].contiguous() if tensor.shape[1] > 3 else None
    if bits == 32:
        image = linear_to_srgb(image)
    icc = _usable_profile(meta.icc, path)
    return Picture(image, alpha, bits, _upright(meta.exif), icc, _camera(meta.exif, *image.shape[-2:]))


def load_map(path: str | Path) -> Tensor:
    """Read a map (depth, disparity, mask, aperture) without any colour conversion: [1,C,H,W] float32, C = 1..4.

    Integer files give 0..1 (16 bits kept); PFM, EXR, NPY and float TIFF give their values as they are, NaN and infinity included.

    Raises:
        PictureError: as `load`; for NPY also if it is not a numeric [H,W] or [H,W,C] array.
    """
    path = Path(path)
    if path.suffix.lower() == ".npy":
        try:
            array = np.load(_existing(path), allow_pickle=False)
        except ValueError as error:
            raise PictureError(f"{path} is not a NumPy array of numbers: {error}") from error
        if array.dtype.kind not in "fiu" or array.ndim not in (2, 3) or array.size == 0:
            raise PictureError(f"{path} must hold numbers as [H,W] or [H,W,C], got {array.dtype} {list(array.shape)}.")
        pixels = np.atleast_3d(array).astype(np.float32)
    else:
        pixels, _, _ = _read(path)
    return torch.from_numpy(np.array(pixels)).permute(2, 0, 1)[None].contiguous()


@dataclass
class _Meta:
    exif: Image.Exif
    icc: bytes | None


def _existing(path: Path) -> Path:
    if path.is_dir():
        raise PictureError(f"{path} is a folder, not a picture.")
    if not path.is_file():
        raise PictureError(f"There is no file {path}.")
    return path


def _read(path: Path) -> tuple[Array, int, _Meta]:
    """Pixels [H,W,C] float32 upright (integers scaled to 0..1), bits, metadata."""
    _existing(path)
    suffix = path.suffix.lower()
    if suffix == ".pfm":
        return codecs.read_pfm(path), 32, _Meta(Image.Exif(), None)
    if suffix == ".exr":
        return codecs.read_exr(path), 32, _Meta(Image.Exif(), None)
    try:
        with path.open("rb") as file:
            magic = file.read(4)
        if magic in (b"II*\0", b"MM\0*"):
            wide = codecs.read_tiff(path)
            if wide is not None:  # more than Pillow can hold
                pixels, bits, exif, icc = wide
                return _transpose(pixels, int(exif.get(ExifTags.Base.Orientation, 1))), bits, _Meta(exif, icc)
        with Image.open(path) as im:
            exif, icc = im.getexif(), im.info.get("icc_profile")
            if im.mode == "CMYK":
                raise PictureError(f"{path} is a CMYK picture. Convert it to RGB first.")
            if getattr(im, "n_frames", 1) > 1 and im.format != "TIFF":
                log.warning("%s has %d frames; the first one is used.", path, getattr(im, "n_frames", 1))
            pixels, bits = _decode(path, im)
    except UnidentifiedImageError as error:
        raise PictureError(f"{path} is not a picture that can be read (PNG, JPEG, WebP, TIFF, PFM, EXR).") from error
    except (OSError, SyntaxError, zlib.error, struct.error) as error:  # Pillow reports broken PNG files as SyntaxError
        raise PictureError(f"{path} is damaged or incomplete: {error}") from error
    return _transpose(pixels, int(exif.get(ExifTags.Base.Orientation, 1))), bits, _Meta(exif, icc)


def _decode(path: Path, im: Image.Image) -> tuple[Array, int]:
    if im.format == "PNG":
        header = path.read_bytes()[:33]
        if header[24] == 16 and header[25] != 0:  # 16-bit colour: Pillow would return 8 bits
            return codecs.read_png16(path), 16
    if im.mode == "F":
        return np.asarray(im, np.float32)[..., None], 32
    if im.mode.startswith("I"):  # "I" holds 16-bit grey in older versions of Pillow
        grey = np.asarray(im).astype(np.float32)
        if grey.size and (grey.min() < 0 or grey.max() > 65535):
            raise PictureError(f"{path} holds 32-bit integers. Save it with 8 or 16 bits, or as floating point.")
        return grey[..., None] / 65535.0, 16
    transparent = "A" in im.getbands() or "transparency" in im.info
    grey_only = im.mode in ("1", "L", "LA") and "transparency" not in im.info
    im = im.convert(("LA" if transparent else "L") if grey_only else ("RGBA" if transparent else "RGB"))
    pixels = np.asarray(im, np.float32) / 255.0
    return pixels if pixels.ndim == 3 else pixels[..., None], 8


def _transpose(pixels: Array, orientation: int) -> Array:
    """Apply an EXIF orientation 1..8 to [H,W,C]."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def _upright(exif: Image.Exif) -> bytes | None:
    """The EXIF block of an upright picture; the thumbnail, which shows the old picture, is not kept."""
    if not len(exif):
        return None
    turned = int(exif.get(ExifTags.Base.Orientation, 1)) in (5, 6, 7, 8)
    if ExifTags.Base.Orientation in exif:
        exif[ExifTags.Base.Orientation] = 1
    details = exif.get_ifd(ExifTags.IFD.Exif)
    size = ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight
    if turned and size[0] in details and size[1] in details:
        details[size[0]], details[size[1]] = details[size[1]], details[size[0]]
    for tag in [
        t for t in exif if t in codecs.TIFF_LAYOUT or t in codecs.TIFF_BULK
    ]:  # in a TIFF these describe the old file's pixels
        del exif[tag]
    block = exif.tobytes()
    if len(block) > _EXIF_LIMIT and _MAKER_NOTE in details:
        log.warning("The camera maker's private EXIF notes are left out: %d bytes are more than a JPEG can hold.", len(block))
        del details[_MAKER_NOTE]
        block = exif.tobytes()
    return block


def _camera(exif: Image.Exif, height_px: int, width_px: int) -> CameraData:
    details = exif.get_ifd(ExifTags.IFD.Exif)

    def positive(tag: int) -> float | None:
        try:
            value = float(details[tag])
        except (KeyError, TypeError, ValueError, ZeroDivisionError):
            return None
        return value if 0 < value < 1e5 else None

    focal, film = positive(ExifTags.Base.FocalLength), positive(ExifTags.Base.FocalLengthIn35mmFilm)
    sensor = film_equivalent_sensor_mm(focal, film, width_px, height_px) if focal and film else None
    model = str(exif.get(ExifTags.Base.Model, "")).strip("\0 ")
    return CameraData(focal, positive(ExifTags.Base.FNumber), sensor, model)


def _usable_profile(icc: bytes | None, path: Path) -> bytes | None:
    """The profile if it describes RGB; logs what a person should know about it."""
    if not icc:
        return None
    space = icc[16:20].decode("ascii", "replace").strip()
    if space != "RGB":
        log.warning("%s: its %s colour profile cannot describe the RGB result and is left out.", path, space)
        return None
    try:
        name = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(icc))).strip()
    except (ImageCms.PyCMSError, OSError) as error:
        log.warning("%s: its colour profile is damaged (%s); it is kept as it is.", path, error)
        return icc
    if "srgb" not in name.lower():
        log.info("%s has the colour profile '%s'. It is kept; light is added as if its curve were that of sRGB.", path, name)
    return icc


# --- writing -------------------------------------------------------------------------------------------------------------


def check_output(path: str | Path, bits: int | None = None, alpha: bool = False, protect: tuple[Path, ...] = ()) -> int:
    """Before long work: can a picture be written there? Returns the bits per channel to write.

    Args:
        bits: 8, 16 or 32 (floating point); None for the most common of the file type: 32 for PFM and EXR, else 8.
        alpha: whether the picture has transparency.
        protect: inputs that must not be overwritten.

    Raises:
        PictureError: if the type is unknown or cannot hold `bits` or alpha, the folder is missing or closed, the package for it
            is missing, or the file is one of `protect`.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in INTEGER_BITS and suffix not in FLOAT_SUFFIXES:
        known = ", ".join(dict.fromkeys([*INTEGER_BITS, *FLOAT_SUFFIXES]))
        raise PictureError(f"{path}: pictures are written as {known}. Choose one of these endings.")
    if bits is None:
        bits = 8 if suffix in INTEGER_BITS else 32
    if bits not in (INTEGER_BITS.get(suffix, ()) if bits != 32 else (32,)) or (bits == 32 and suffix not in FLOAT_SUFFIXES):
        able = [s for s, b in INTEGER_BITS.items() if bits in b] if bits != 32 else list(FLOAT_SUFFIXES)
        raise PictureError(f"{path}: a {suffix} file cannot hold {_named(bits)}. Choose {' or '.join(able)}, or other bits.")
    if alpha and suffix not in _ALPHA_SUFFIXES:
        raise PictureError(
            f"{path}: the photo has transparency, which {suffix} cannot hold. Choose {' or '.join(_ALPHA_SUFFIXES)}."
        )
    _check_place(path, protect)
    return bits


def check_map_output(path: str | Path, protect: tuple[Path, ...] = ()) -> None:
    """Like `check_output`, for `save_map`.

    Raises:
        PictureError: likewise.
    """
    path = Path(path)
    if path.suffix.lower() not in MAP_SUFFIXES:
        raise PictureError(f"{path}: maps are written as {', '.join(MAP_SUFFIXES)}. Choose one of these endings.")
    _check_place(path, protect)


def _check_place(path: Path, protect: tuple[Path, ...]) -> None:
    if path.suffix.lower() == ".exr":
        codecs.openexr(path)
    if path.is_dir():
        raise PictureError(f"{path} is a folder. Give the name of a file in it.")
    if not path.absolute().parent.is_dir():
        raise PictureError(f"The folder {path.absolute().parent} does not exist. Create it first.")
    if not os.access(path.absolute().parent, os.W_OK):
        raise PictureError(f"The folder {path.absolute().parent} cannot be written to.")
    for source in protect:
        if path.exists() and source.exists() and path.samefile(source):
            raise PictureError(f"{path} is the input. Choose another name for the output, or allow --overwrite.")


def _named(bits: int) -> str:
    return "32-bit floating point" if bits == 32 else f"{bits} bits per channel"


def save(
    path: str | Path,
    image: Tensor,
    *,
    alpha: Tensor | None = None,
    bits: int | None = None,
    exif: bytes | None = None,
    icc: bytes | None = None,
    quality: int = 95,
    protect: tuple[Path, ...] = (),
) -> None:
    """Write a picture, complete or not at all. An existing file is replaced unless it is in `protect`.

    Args:
        image: [1,3,H,W] or [3,H,W], sRGB-encoded. Values outside 0..1 survive only in floating point, which is written in
            linear light (and without EXIF and ICC profile, which would describe encoded values).
        alpha: [1,1,H,W] in 0..1, or None.
        bits: 8, 16, 32 or None: see `check_output`.
        exif, icc: as in `Picture`.
        quality: of JPEG and WebP, 1..100. JPEG keeps the full colour resolution (4:4:4); WebP is lossless at 100.

    Raises:
        PictureError: see `check_output`; also if the image is not finite.
    """
    path = Path(path)
    bits = check_output(path, bits, alpha is not None, protect)
    pixels = (image[0] if image.ndim == 4 else image).detach().float().cpu()
    if image.ndim == 4 and image.shape[0] != 1:
        raise PictureError(f"{path}: one file holds one picture, got a batch of {image.shape[0]}.")
    if not bool(torch.isfinite(pixels).all()):
        raise PictureError(f"{path}: the picture holds NaN or infinite values and is not written.")
    if bits == 32:
        pixels = srgb_to_linear(pixels)
        if icc is not None and "srgb" not in _profile_name(icc).lower():
            log.warning("%s: linear light in the primaries of '%s'; the file does not say so.", path, _profile_name(icc))
    array: Array = pixels.permute(1, 2, 0).numpy()
    if alpha is not None:
        array = np.concatenate([array, alpha.detach().float().cpu().reshape(*array.shape[:2], 1).numpy()], 2)
    suffix = path.suffix.lower()
    if bits == 32:
        writer = {".pfm": codecs.write_pfm, ".exr": codecs.write_exr}.get(suffix, codecs.write_tiff)
        _atomic(path, lambda f: writer(f, array.astype(np.float32)))
        return
    top = 2**bits - 1
    quantised = np.rint(np.clip(array, 0, 1) * top).astype(np.uint8 if bits == 8 else np.uint16)
    if suffix in (".tif", ".tiff"):
        _atomic(path, lambda f: codecs.write_tiff(f, quantised, exif, icc))
        return
    if bits == 16:
        _atomic(path, lambda f: codecs.write_png16(f, quantised, exif, icc))
        return
    options: dict[str, Any] = {"icc_profile": icc} if icc else {}
    if exif:
        options["exif"] = exif
    if suffix in (".jpg", ".jpeg"):
        options |= {"format": "JPEG", "quality": quality, "subsampling": 0}
    elif suffix == ".webp":
        options |= {"format": "WEBP", "quality": quality, "lossless": quality == 100, "exact": True}
    else:
        options |= {"format": "PNG"}
    picture = Image.fromarray(quantised)
    _atomic(path, lambda f: picture.save(f, **options))


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
        _atomic(path, lambda f: np.save(f, array[..., 0]))
    elif suffix == ".png":
        if not (np.isfinite(array).all() and array.min() >= 0 and array.max() <= 1):
            raise PictureError(
                f"{path}: PNG holds 0..1 only, but the map spans {array.min():g}..{array.max():g}. Use .tif, .pfm or .npy."
            )
        _atomic(path, lambda f: codecs.write_png16(f, np.rint(array * 65535).astype(np.uint16), None, None))
    else:
        writer = {".pfm": codecs.write_pfm, ".exr": codecs.write_exr}.get(suffix, codecs.write_tiff)
        _atomic(path, lambda f: writer(f, array))


def _profile_name(icc: bytes) -> str:
    try:
        return ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(icc))).strip()
    except (ImageCms.PyCMSError, OSError):
        return "a damaged colour profile"


def _atomic(path: Path, write: Callable[[BinaryIO], None]) -> None:
    """Write to a hidden neighbour, then rename: nobody ever sees half a file."""
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.absolute().parent)
    try:
        with os.fdopen(handle, "w+b") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            mode = path.stat().st_mode & 0o777
        else:
            umask = os.umask(0)
            os.umask(umask)
            mode = 0o666 & ~umask
        os.chmod(name, mode)  # mkstemp makes files that only their owner reads
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
