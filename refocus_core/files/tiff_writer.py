"""Writing TIFF: 8 and 16 bits and floating point, in strips that every reader knows. `tiff` reads."""

from __future__ import annotations

import struct
import zlib
from typing import BinaryIO

import numpy as np

from .directories import LONG, SHORT, UNDEFINED, Entries, encode_directory
from .exif import Tag as ExifTag
from .exif import little_endian, parse, upright_block
from .formats import Array
from .metadata import NO_METADATA, Metadata, directory_entries
from .tiff import BLACK_IS_ZERO, DEFLATE, DIFFERENCES, FLOAT, NO_PREDICTOR, RGB, STRAIGHT_ALPHA, UNSIGNED, Tag

_STRIP_BYTES = 1 << 20
"""Size of a strip that is written, before compression. Larger ones compress a little better and cannot be read in parts."""
_COMPRESSION_LEVEL = 6
"""Of zlib, 0..9. A higher one takes several times as long for a few percent of the file."""


def write_tiff(
    file: BinaryIO, values: Array, exif: bytes | None = None, icc: bytes | None = None, metadata: Metadata = NO_METADATA
) -> None:
    """[H,W,C] uint8, uint16 or float32, C = 1..4: deflate-compressed strips, little-endian, EXIF in its directories."""
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
    short(Tag.COMPRESSION, DEFLATE)
    short(Tag.PHOTOMETRIC, BLACK_IS_ZERO if c < 3 else RGB)
    short(Tag.CHANNELS, c)
    long(Tag.ROWS_PER_STRIP, rows)
    long(Tag.STRIP_LENGTHS, *[len(s) for s in strips])
    short(Tag.PLANAR, 1)
    short(Tag.PREDICTOR, NO_PREDICTOR if is_float else DIFFERENCES)
    short(Tag.NUMBER_KIND, *[FLOAT if is_float else UNSIGNED] * c)
    if c in (2, 4):
        short(Tag.EXTRA_CHANNELS, STRAIGHT_ALPHA)
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
