"""Reading TIFF as its specification means it, where Pillow does not: 16 bits and floating point, extra channels, white as zero.

TIFF 6.0 (Adobe, 1992), BigTIFF (2007), predictor 3 by Adobe Photoshop TIFF Technical Note 3 (2005). No colour conversion happens
here. `tiff_writer` writes.

    header -> directory: tag, type, count, value or where it lies
                         strips or tiles -> compression -> predictor -> samples -> grey or colour, and alpha
"""

from __future__ import annotations

import io
import logging
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .directories import LONG, Entries, directory_bytes, encode_directory, integers
from .exif import Exif
from .formats import Array, PictureError
from .guard import check_size, opened

log = logging.getLogger(__name__)


class Tag(IntEnum):
    """Entries of a directory that are read or written here."""

    WIDTH = 256
    HEIGHT = 257
    BITS = 258
    COMPRESSION = 259
    PHOTOMETRIC = 262
    FILL_ORDER = 266
    STRIP_OFFSETS = 273
    CHANNELS = 277
    ROWS_PER_STRIP = 278
    STRIP_LENGTHS = 279
    PLANAR = 284
    PREDICTOR = 317
    TILE_WIDTH = 322
    TILE_HEIGHT = 323
    TILE_OFFSETS = 324
    TILE_LENGTHS = 325
    EXTRA_CHANNELS = 338
    NUMBER_KIND = 339
    ICC = 34675


UNCOMPRESSED, DEFLATE, _OLD_DEFLATE = 1, 8, 32946
"""Values of `Tag.COMPRESSION` that are decoded here."""
_BY_LIBTIFF = {5: "LZW", 32773: "PackBits", 34925: "LZMA", 50000: "Zstandard"}
"""Values of `Tag.COMPRESSION` whose bytes the libtiff in Pillow unpacks."""
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB = 0, 1, 2
"""Values of `Tag.PHOTOMETRIC` that are read here."""
_NOT_RGB = {5: "CMYK", 8: "Lab", 9: "Lab", 10: "Lab", 32844: "LogL", 32845: "LogLuv"}
"""Values of `Tag.PHOTOMETRIC` that would need a conversion of colours."""
NO_PREDICTOR, DIFFERENCES, _FLOAT_PLANES = 1, 2, 3
"""Values of `Tag.PREDICTOR`: plain; integers as differences to the left; bytes of floats apart, as differences."""
_SEPARATE_PLANES = 2
"""Value of `Tag.PLANAR` where each channel is stored by itself."""
UNSIGNED, FLOAT, _UNTOLD = 1, 3, 4
"""Values of `Tag.NUMBER_KIND`; what is not told is taken for unsigned."""
PREMULTIPLIED_ALPHA, STRAIGHT_ALPHA = 1, 2
"""Values of `Tag.EXTRA_CHANNELS` that mean transparency: colour is multiplied by it, or not. No other value does."""
_NUMBERS = {
    (8, UNSIGNED): "u1",
    (16, UNSIGNED): "u2",
    (8, _UNTOLD): "u1",
    (16, _UNTOLD): "u2",
    (16, FLOAT): "f2",
    (32, FLOAT): "f4",
    (64, FLOAT): "f8",
}
"""NumPy's names of samples, by bits and kind of number."""
_FLIPPED_BITS = bytes(int(f"{i:08b}"[::-1], 2) for i in range(256))
"""Each byte with its bits in the other order, as `Tag.FILL_ORDER` 2 stores them."""


@dataclass(frozen=True)
class _Layout:
    """How the pixels of a file are stored: in blocks (tiles, or strips as wide as the picture), row by row of blocks."""

    width: int
    height: int
    channels: int
    is_float: bool
    dtype: npt.DTypeLike
    photometric: int
    alpha: int | None
    """Channel that is transparency."""
    premultiplied: bool
    compression: int
    flipped_bits: bool
    predictor: int
    planes: int
    """Pictures of one channel each that are stored after each other; 1 if the channels of a pixel lie together."""
    tiled: bool
    block_width: int
    block_height: int
    offsets: tuple[int, ...]
    lengths: tuple[int, ...]

    @property
    def across(self) -> int:
        """Blocks side by side."""
        return -(-self.width // self.block_width)

    @property
    def blocks(self) -> int:
        """Blocks of one plane."""
        return self.across * -(-self.height // self.block_height)

    @property
    def samples(self) -> int:
        """Channels within a block."""
        return self.channels // self.planes


def read_tiff(path: Path, data: bytes, exif: Exif) -> tuple[Array, int] | None:
    """First picture of a TIFF: strips or tiles, classic or BigTIFF, of 16 bits, floating point, or with extra channels.

    Args:
        data: the file.
        exif: its directories, `exif.parse(data)`.

    Returns:
        [H,W,C] with grey or RGB and straight alpha, integers as they lie in the file or float32; and bits. None for what Pillow
        reads as it is meant.

    Raises:
        PictureError: if it is stored in a way that is not read here, or pixels are missing.
    """
    tags = {tag: integers(exif.main, tag, exif.order) for tag in Tag if tag in exif.main and tag != Tag.ICC}
    layout = _read_layout(path, {tag: values for tag, values in tags.items() if values}, exif.order)
    if layout is None:
        return None
    pixels = _read_blocks(path, data, layout)
    return _meaning(path, pixels, layout), 32 if layout.is_float else 8 * pixels.itemsize


def _read_layout(path: Path, tags: Mapping[int, tuple[int, ...]], order: str) -> _Layout | None:
    """None for what Pillow reads as it is meant, or what has no pixels."""

    def value(tag: Tag, default: int) -> int:
        return tags.get(tag, (default,))[0]

    tiled = {Tag.TILE_WIDTH, Tag.TILE_HEIGHT, Tag.TILE_OFFSETS, Tag.TILE_LENGTHS} <= tags.keys()
    if not {Tag.WIDTH, Tag.HEIGHT} <= tags.keys() or not (tiled or {Tag.STRIP_OFFSETS, Tag.STRIP_LENGTHS} <= tags.keys()):
        return None
    width, height = tags[Tag.WIDTH][0], tags[Tag.HEIGHT][0]
    check_size(path, width, height)
    channels, bits, kind = value(Tag.CHANNELS, 1), value(Tag.BITS, 1), value(Tag.NUMBER_KIND, UNSIGNED)
    photometric, compression = value(Tag.PHOTOMETRIC, BLACK_IS_ZERO), value(Tag.COMPRESSION, UNCOMPRESSED)
    if photometric in _NOT_RGB:
        raise PictureError(f"{path} is a {_NOT_RGB[photometric]} picture. Convert it to RGB first.")
    known = compression in (UNCOMPRESSED, DEFLATE, _OLD_DEFLATE) or compression in _BY_LIBTIFF
    if bits < 8 or (bits == 8 and (channels in (1, 3) or photometric not in (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB) or not known)):
        return None
    colours = 3 if photometric == RGB else 1
    alpha, premultiplied = _transparency(colours, channels, tags.get(Tag.EXTRA_CHANNELS))
    layout = _Layout(
        width=width,
        height=height,
        channels=channels,
        is_float=kind == FLOAT,
        dtype=np.dtype(order + _NUMBERS.get((bits, kind), "u1")),
        photometric=photometric,
        alpha=alpha,
        premultiplied=premultiplied,
        compression=compression,
        flipped_bits=value(Tag.FILL_ORDER, 1) == 2,
        predictor=value(Tag.PREDICTOR, NO_PREDICTOR),
        planes=channels if value(Tag.PLANAR, 1) == _SEPARATE_PLANES else 1,
        tiled=tiled,
        block_width=tags[Tag.TILE_WIDTH][0] if tiled else width,
        block_height=tags[Tag.TILE_HEIGHT][0] if tiled else min(value(Tag.ROWS_PER_STRIP, height), height),
        offsets=tags[Tag.TILE_OFFSETS if tiled else Tag.STRIP_OFFSETS],
        lengths=tags[Tag.TILE_LENGTHS if tiled else Tag.STRIP_LENGTHS],
    )
    plain = photometric in (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB) and layout.predictor in (NO_PREDICTOR, DIFFERENCES, _FLOAT_PLANES)
    if not (known and plain and (bits, kind) in _NUMBERS and len(set(tags.get(Tag.BITS, (bits,)))) == 1 and channels >= colours):
        raise PictureError(
            f"{path}: this kind of TIFF (compression {compression}, {bits} bits of kind {kind}, {channels} channels, photometric "
            f"{photometric}) cannot be read. Save it uncompressed or with ZIP compression, 8 or 16 bits, or as 16-bit PNG."
        )
    check_size(path, layout.block_width, layout.block_height)
    return layout


def _transparency(colours: int, channels: int, kinds: tuple[int, ...] | None) -> tuple[int | None, bool]:
    """The channel that is transparency, if any, and whether colour is multiplied by it.

    A single extra channel of which the file says nothing is taken for straight alpha, as most programs do.
    """
    if kinds is None:
        return (colours, False) if channels == colours + 1 else (None, False)
    for i, kind in enumerate(kinds[: max(channels - colours, 0)]):
        if kind in (PREMULTIPLIED_ALPHA, STRAIGHT_ALPHA):
            return colours + i, kind == PREMULTIPLIED_ALPHA
    return None, False


def _read_blocks(path: Path, data: bytes, layout: _Layout) -> Array:
    """All samples [H,W,channels], in this machine's byte order."""
    if min(len(layout.offsets), len(layout.lengths)) < layout.planes * layout.blocks:
        raise PictureError(f"{path} is damaged or incomplete: pixels are missing.")
    out = np.zeros((layout.height, layout.width, layout.channels), np.dtype(layout.dtype).newbyteorder("="))
    for i in range(layout.planes * layout.blocks):
        plane, rest = divmod(i, layout.blocks)
        row, column = divmod(rest, layout.across)
        y, x = row * layout.block_height, column * layout.block_width
        left, below = layout.width - x, layout.height - y
        rows = layout.block_height if layout.tiled else min(layout.block_height, below)
        stored = data[layout.offsets[i] : layout.offsets[i] + layout.lengths[i]]
        block = _decode_block(path, stored, rows, layout)[:below, :left]
        out[y : y + block.shape[0], x : x + block.shape[1], plane : plane + layout.samples] = block
    return out


def _decode_block(path: Path, stored: bytes, rows: int, layout: _Layout) -> Array:
    """[rows, block width, samples] of the file's number type."""
    dtype, width, samples = np.dtype(layout.dtype), layout.block_width, layout.samples
    line = width * samples * dtype.itemsize
    need = rows * line
    if layout.flipped_bits:
        stored = stored.translate(_FLIPPED_BITS)
    if layout.compression in (DEFLATE, _OLD_DEFLATE):
        raw = zlib.decompressobj().decompress(stored, need)
    else:
        raw = stored if layout.compression == UNCOMPRESSED else _unpack(stored, layout.compression, line, rows)
    if len(raw) < need:
        raise PictureError(f"{path} is damaged or incomplete: pixels are missing.")
    if layout.predictor == _FLOAT_PLANES:  # bytes of the numbers are in planes, most significant first, each row a running sum
        sums = np.frombuffer(raw, np.uint8, need).reshape(rows, -1, samples).cumsum(1, dtype=np.uint8)
        sums = sums.reshape(rows, dtype.itemsize, width * samples).transpose(0, 2, 1)
        return np.ascontiguousarray(sums).view(dtype.newbyteorder(">")).reshape(rows, width, samples)
    block = np.frombuffer(raw, dtype, need // dtype.itemsize).reshape(rows, width, samples)
    if layout.predictor == DIFFERENCES:
        native = dtype.newbyteorder("=")
        return block.astype(native).cumsum(1, dtype=native)
    return block


def _unpack(stored: bytes, compression: int, line: int, rows: int) -> bytes:
    """Bytes of a block as libtiff unpacks them: given as a grey picture of 8 bits, so that it does nothing else with them."""

    def entries(offset: int) -> Entries:
        values = {
            Tag.WIDTH: line,
            Tag.HEIGHT: rows,
            Tag.BITS: 8,
            Tag.COMPRESSION: compression,
            Tag.PHOTOMETRIC: BLACK_IS_ZERO,
            Tag.STRIP_OFFSETS: offset,
            Tag.CHANNELS: 1,
            Tag.ROWS_PER_STRIP: rows,
            Tag.STRIP_LENGTHS: len(stored),
        }
        return {int(tag): (LONG, struct.pack("<I", value)) for tag, value in values.items()}

    head = b"II*\0" + struct.pack("<I", 8)
    offset = len(head) + directory_bytes(entries(0))
    with opened(io.BytesIO(head + encode_directory(entries(offset), len(head)) + stored)) as im:
        return im.tobytes()


def _meaning(path: Path, pixels: Array, layout: _Layout) -> Array:
    """Grey or RGB, black as 0, and straight alpha of the samples [H,W,channels]."""
    colours = 3 if layout.photometric == RGB else 1
    left_out = layout.channels - colours - (layout.alpha is not None)
    if left_out:
        log.warning("%s: left out %d extra channels, which the file does not declare as transparency.", path, left_out)
    colour = pixels[..., :colours]
    white = 1.0 if layout.is_float else float(np.iinfo(pixels.dtype).max)
    if layout.premultiplied and layout.alpha is not None:
        alpha = pixels[..., layout.alpha : layout.alpha + 1].astype(np.float32) / np.float32(white)
        straight = np.divide(colour, alpha, out=np.zeros(colour.shape, np.float32), where=alpha > 0)
        colour = straight if layout.is_float else np.rint(straight.clip(0, white)).astype(pixels.dtype)
    if layout.photometric == WHITE_IS_ZERO:
        colour = (white - colour).astype(pixels.dtype)
    if layout.alpha is not None:
        colour = np.concatenate([colour, pixels[..., layout.alpha : layout.alpha + 1]], 2)
    return colour.astype(np.float32) if layout.is_float else colour
