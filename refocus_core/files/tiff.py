"""TIFF with 16 bits or floating point and several channels, which Pillow does not do in full.

TIFF 6.0 (Adobe, 1992), predictor 3 by Adobe Photoshop TIFF Technical Note 3 (2005). Readers return [H,W,C] float32, integers
scaled to 0..1; writers take [H,W,C] arrays. No colour conversion happens here.

    header -> directory: tag, type, count, value or where it lies
                         strips or tiles -> deflate -> predictor -> pixels
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from .directories import LONG, SHORT, UNDEFINED, Entries, encode_directory, integers
from .exif import Exif, little_endian, parse, upright_block
from .exif import Tag as ExifTag
from .formats import Array, PictureError
from .metadata import NO_METADATA, Metadata, directory_entries


class Tag(IntEnum):
    """Entries of a directory that are read or written here."""

    WIDTH = 256
    HEIGHT = 257
    BITS = 258
    COMPRESSION = 259
    PHOTOMETRIC = 262
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


_UNCOMPRESSED, _DEFLATE, _OLD_DEFLATE = 1, 8, 32946
"""Values of `Tag.COMPRESSION` that can be read."""
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB = 0, 1, 2
"""Values of `Tag.PHOTOMETRIC` that can be read."""
_NO_PREDICTOR, _DIFFERENCES, _FLOAT_PLANES = 1, 2, 3
"""Values of `Tag.PREDICTOR`: plain; integers as differences to the left; bytes of floats apart, as differences."""
_SEPARATE_PLANES = 2
"""Value of `Tag.PLANAR` where each channel is stored by itself."""
_UNSIGNED, _FLOAT = 1, 3
"""Values of `Tag.NUMBER_KIND`."""
_UNASSOCIATED_ALPHA = 2
"""Value of `Tag.EXTRA_CHANNELS`: colour is not multiplied by alpha."""
_STRIP_BYTES = 1 << 20
"""Size of a strip that is written, before compression. Larger ones compress a little better and cannot be read in parts."""
_COMPRESSION_LEVEL = 6
"""Of zlib, 0..9. A higher one takes several times as long for a few percent of the file."""

# --- reading -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Layout:
    """How the pixels of a file are stored: in blocks (tiles, or strips as wide as the picture), row by row of blocks."""

    width: int
    height: int
    channels: int
    bits: int
    is_float: bool
    dtype: npt.DTypeLike
    white_is_zero: bool
    compressed: bool
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
    def down(self) -> int:
        """Blocks below each other."""
        return -(-self.height // self.block_height)

    @property
    def samples(self) -> int:
        """Channels within a block."""
        return self.channels // self.planes


def read_tiff(path: Path) -> tuple[Array, int, Exif, bytes | None] | None:
    """First picture of a classic TIFF with several channels of 16 bits or floating point; strips or tiles, raw or deflate.

    Returns:
        Pixels, bits, EXIF, ICC profile; None for what Pillow reads without loss.

    Raises:
        PictureError: if it is stored in a way that is not read here, or pixels are missing.
    """
    data = path.read_bytes()
    exif = parse(data)
    order = exif.order
    layout = _read_layout(path, {t: integers(exif.main, t, order) for t in Tag if t in exif.main and t != Tag.ICC}, order)
    if layout is None:
        return None
    out = np.zeros(
        (layout.down * layout.block_height, layout.across * layout.block_width, layout.channels),
        np.dtype(layout.dtype).newbyteorder("="),
    )
    for i in range(layout.planes * layout.across * layout.down):
        plane, rest = divmod(i, layout.across * layout.down)
        row, column = divmod(rest, layout.across)
        y, x = row * layout.block_height, column * layout.block_width
        rows = layout.block_height if layout.tiled else min(layout.block_height, layout.height - y)
        stored = data[layout.offsets[i] : layout.offsets[i] + layout.lengths[i]]
        block = _decode_block(path, stored, rows, layout)
        out[y : y + rows, x : x + layout.block_width, plane : plane + layout.samples] = block
    pixels = out[: layout.height, : layout.width].astype(np.float32)
    if not layout.is_float:
        pixels /= 2**layout.bits - 1
    if layout.white_is_zero:
        pixels[..., 0] = 1 - pixels[..., 0]
    return pixels, 32 if layout.is_float else layout.bits, exif, exif.main.get(Tag.ICC, (0, None))[1]


def _read_layout(path: Path, tags: Mapping[int, tuple[int, ...]], order: str) -> _Layout | None:
    """None for what Pillow reads without loss, or what has no pixels."""

    def value(tag: Tag, default: int) -> int:
        return tags.get(tag, (default,))[0]

    strips = {Tag.STRIP_OFFSETS, Tag.STRIP_LENGTHS} <= tags.keys()
    tiles = {Tag.TILE_WIDTH, Tag.TILE_HEIGHT, Tag.TILE_OFFSETS, Tag.TILE_LENGTHS} <= tags.keys()
    if not {Tag.WIDTH, Tag.HEIGHT} <= tags.keys() or not (strips or tiles):
        return None
    channels, bits, kind = value(Tag.CHANNELS, 1), value(Tag.BITS, 1), value(Tag.NUMBER_KIND, _UNSIGNED)
    if bits <= 8 or (channels == 1 and bits in (16, 32)):
        return None
    compression, photometric = value(Tag.COMPRESSION, _UNCOMPRESSED), value(Tag.PHOTOMETRIC, _RGB)
    predictor = value(Tag.PREDICTOR, _NO_PREDICTOR)
    number = {(8, _UNSIGNED): "u1", (16, _UNSIGNED): "u2", (16, _FLOAT): "f2", (32, _FLOAT): "f4"}.get((bits, kind))
    if (
        compression not in (_UNCOMPRESSED, _DEFLATE, _OLD_DEFLATE)
        or photometric not in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB)
        or predictor not in (_NO_PREDICTOR, _DIFFERENCES, _FLOAT_PLANES)
        or number is None
        or channels > 4
    ):
        raise PictureError(
            f"{path}: this kind of TIFF (compression {compression}, {bits} bits, photometric {photometric}) cannot be read. "
            "Save it uncompressed or with ZIP compression, or as 16-bit PNG."
        )
    width, height, tiled = tags[Tag.WIDTH][0], tags[Tag.HEIGHT][0], Tag.TILE_WIDTH in tags
    return _Layout(
        width=width,
        height=height,
        channels=channels,
        bits=bits,
        is_float=kind == _FLOAT,
        dtype=np.dtype(order + number),
        white_is_zero=photometric == _WHITE_IS_ZERO,
        compressed=compression != _UNCOMPRESSED,
        predictor=predictor,
        planes=channels if value(Tag.PLANAR, 1) == _SEPARATE_PLANES else 1,
        tiled=tiled,
        block_width=tags[Tag.TILE_WIDTH][0] if tiled else width,
        block_height=tags[Tag.TILE_HEIGHT][0] if tiled else min(value(Tag.ROWS_PER_STRIP, height), height),
        offsets=tags[Tag.TILE_OFFSETS if tiled else Tag.STRIP_OFFSETS],
        lengths=tags[Tag.TILE_LENGTHS if tiled else Tag.STRIP_LENGTHS],
    )


def _decode_block(path: Path, stored: bytes, rows: int, layout: _Layout) -> Array:
    """[rows, block width, samples] of the file's number type."""
    dtype, width, samples = np.dtype(layout.dtype), layout.block_width, layout.samples
    raw = zlib.decompress(stored) if layout.compressed else stored
    need = rows * width * samples * dtype.itemsize
    if len(raw) < need:
        raise PictureError(f"{path} is damaged or incomplete: pixels are missing.")
    if layout.predictor == _FLOAT_PLANES:  # bytes of the numbers are in planes, most significant first, each row a running sum
        sums = np.frombuffer(raw, np.uint8, need).reshape(rows, -1, samples).cumsum(1, dtype=np.uint8)
        sums = sums.reshape(rows, dtype.itemsize, width * samples).transpose(0, 2, 1)
        return np.ascontiguousarray(sums).view(dtype.newbyteorder(">")).reshape(rows, width, samples)
    block = np.frombuffer(raw, dtype, need // dtype.itemsize).reshape(rows, width, samples)
    if layout.predictor == _DIFFERENCES:
        native = dtype.newbyteorder("=")
        return block.astype(native).cumsum(1, dtype=native)
    return block


# --- writing -------------------------------------------------------------------------------------------------------------


def write_tiff(
    file: BinaryIO, values: Array, exif: bytes | None = None, icc: bytes | None = None, metadata: Metadata = NO_METADATA
) -> None:
    """[H,W,C] uint8, uint16 or float32, C = 1, 3, 4: deflate-compressed strips, little-endian, EXIF in its directories."""
    h, w, c = values.shape
    values = np.ascontiguousarray(values.astype(values.dtype.newbyteorder("<")))
    is_float = values.dtype.kind == "f"
    rows = max(1, _STRIP_BYTES // (w * c * values.itemsize))
    strips = [_encode_strip(values[y : y + rows]) for y in range(0, h, rows)]
    found = little_endian(parse(upright_block(parse(exif))))
    entries = found.main | directory_entries(metadata)

    def short(tag: Tag, *numbers: int) -> None:
        entries[tag] = (SHORT, struct.pack(f"<{len(numbers)}H", *numbers))

    def long(tag: int, *numbers: int) -> None:
        entries[tag] = (LONG, struct.pack(f"<{len(numbers)}I", *numbers))

    long(Tag.WIDTH, w)
    long(Tag.HEIGHT, h)
    short(Tag.BITS, *[8 * values.itemsize] * c)
    short(Tag.COMPRESSION, _DEFLATE)
    short(Tag.PHOTOMETRIC, _BLACK_IS_ZERO if c == 1 else _RGB)
    short(Tag.CHANNELS, c)
    long(Tag.ROWS_PER_STRIP, rows)
    long(Tag.STRIP_LENGTHS, *[len(s) for s in strips])
    short(Tag.PLANAR, 1)
    short(Tag.PREDICTOR, _NO_PREDICTOR if is_float else _DIFFERENCES)
    short(Tag.NUMBER_KIND, *[_FLOAT if is_float else _UNSIGNED] * c)
    if c == 4:
        short(Tag.EXTRA_CHANNELS, _UNASSOCIATED_ALPHA)
    if icc:
        entries[Tag.ICC] = (UNDEFINED, icc)
    start = file.tell()
    file.write(b"II*\0" + b"\0" * 4)
    offsets: list[int] = []
    for strip in strips:
        offsets.append(file.tell() - start)
        file.write(strip + b"\0" * (len(strip) % 2))
    long(Tag.STRIP_OFFSETS, *offsets)
    details, shared = dict(found.directories.get(ExifTag.EXIF, {})), found.directories.get(ExifTag.INTEROPERABILITY, {})
    if shared:
        details[ExifTag.INTEROPERABILITY] = (LONG, struct.pack("<I", _write_directory(file, start, shared)))
    for tag, directory in ((ExifTag.EXIF, details), (ExifTag.GPS, found.directories.get(ExifTag.GPS, {}))):
        if directory:
            long(tag, _write_directory(file, start, directory))
    first = _write_directory(file, start, entries)
    end = file.tell()
    file.seek(start + 4)
    file.write(struct.pack("<I", first))
    file.seek(end)


def _encode_strip(part: Array) -> bytes:
    if part.dtype.kind == "u":
        part = np.concatenate([part[:, :1], part[:, 1:] - part[:, :-1]], 1)
    return zlib.compress(part.tobytes(), _COMPRESSION_LEVEL)


def _write_directory(file: BinaryIO, start: int, entries: Entries) -> int:
    """Write a directory with its values; returns its offset."""
    at = file.tell() - start
    file.write(encode_directory(entries, at))
    return at
