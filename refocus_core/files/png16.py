"""PNG with 16 bits, which Pillow reduces to 8 bits in colour, and whose transparent grey it does not see.

W3C PNG Specification (Third Edition), sections 5 (chunks), 7 and 9 (row filters). No colour conversion happens here.
"""

from __future__ import annotations

import struct
import zlib
from enum import IntEnum
from pathlib import Path
from typing import BinaryIO

import numpy as np

from .formats import Array, PictureError
from .guard import check_size
from .metadata import NO_METADATA, Metadata, png_chunk, png_chunks

_MAGIC = b"\x89PNG\r\n\x1a\n"
"""What every PNG file begins with."""
PNG_HEAD_BYTES = 33
"""Of its beginning with the header chunk, behind which further chunks may follow."""
_HEADER = ">IIBBBBB"
"""Of the chunk IHDR: width, height, bit depth, colour type, compression, filter method, interlacing."""
_CHUNK_OVERHEAD = 12
"""Bytes of a chunk beside its data: length, type, checksum."""
_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}
"""Channels of each colour type."""
_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
"""Colour type that is written for so many channels."""
_LARGEST = 65535
"""White in 16 bits."""
_COMPRESSION = 6
"""Of zlib, 0..9. A higher one takes several times as long for a few percent of the file."""


class _Filter(IntEnum):
    """What a row's bytes are differences to."""

    NONE = 0
    SUB = 1
    UP = 2
    AVERAGE = 3
    PAETH = 4


def is_wide(path: Path) -> bool:
    """Whether a PNG file holds 16 bits per channel."""
    with path.open("rb") as file:
        header = file.read(PNG_HEAD_BYTES)
    return header[24] == 16


def read_png16(path: Path) -> Array:
    """[H,W,C] uint16, C = 1..4.

    Raises:
        PictureError: if the file is interlaced, damaged or incomplete.
    """
    data = path.read_bytes()
    width, height, depth, colour, _, _, interlaced = struct.unpack(_HEADER, data[16:29])
    check_size(path, width, height)
    if interlaced:
        raise PictureError(f"{path} is an interlaced 16-bit PNG. Save it without interlacing.")
    compressed, transparency = _chunks(data)
    channels = _CHANNELS[colour]
    bpp = channels * depth // 8
    need = height * (width * bpp + 1)
    raw = zlib.decompressobj().decompress(compressed, need)  # whatever the file holds beyond its size is not inflated
    if len(raw) < need:
        raise PictureError(f"{path} is damaged or incomplete: pixels are missing.")
    rows = np.frombuffer(raw, np.uint8, need).reshape(height, width * bpp + 1)
    pixels = _unfilter(rows[:, 0], rows[:, 1:].reshape(height, width, bpp))
    values = np.ascontiguousarray(pixels).view(">u2").reshape(height, width, channels).astype(np.uint16)
    if len(transparency) == 2 * channels and channels in (1, 3):  # one grey or one colour is transparent
        key = np.frombuffer(transparency, ">u2")
        alpha = np.where((values != key).any(2, keepdims=True), np.uint16(_LARGEST), np.uint16(0))
        values = np.concatenate([values, alpha], 2)
    return values


def _chunks(data: bytes) -> tuple[bytes, bytes]:
    """The compressed rows and the transparent colour of a file."""
    position, compressed, transparency = len(_MAGIC), bytearray(), b""
    while position + _CHUNK_OVERHEAD <= len(data):
        (length,) = struct.unpack(">I", data[position : position + 4])
        kind, body = data[position + 4 : position + 8], data[position + 8 : position + 8 + length]
        if kind == b"IDAT":
            compressed += body
        elif kind == b"tRNS":
            transparency = body
        elif kind == b"IEND":
            break
        position += _CHUNK_OVERHEAD + length
    return bytes(compressed), transparency


def _paeth(left: Array, above: Array, corner: Array) -> Array:
    """Of three neighbours the one nearest to left + above - corner (Paeth, 1991); int16."""
    to_left, to_above = np.abs(above - corner), np.abs(left - corner)
    to_corner = np.abs(left + above - 2 * corner)
    return np.where((to_left <= to_above) & (to_left <= to_corner), left, np.where(to_above <= to_corner, above, corner))


def _unfilter(kinds: Array, filtered: Array) -> Array:
    """Undo PNG's row filters on [H,W,bytes per pixel].

    Each byte depends on its left, upper and upper left neighbour, so all pixels of one anti-diagonal are independent of each
    other: W + H vector steps instead of W * H scalar ones. A skewed copy makes the anti-diagonals columns.
    """
    h, w, bpp = filtered.shape
    if kinds.max(initial=0) > max(_Filter):
        raise PictureError("The PNG file is damaged: unknown row filter.")
    if not (kinds > _Filter.UP).any():  # None, Sub, Up need no look at single pixels
        out = np.where((kinds == _Filter.SUB)[:, None, None], np.cumsum(filtered, 1, dtype=np.uint8), filtered)
        for y in np.flatnonzero(kinds == _Filter.UP):
            if y:
                out[y] += out[y - 1]
        return out
    skewed = np.zeros((w + h, h, bpp), np.uint8)
    index = np.arange(w)[None, :] + np.arange(h)[:, None]
    skewed[index, np.arange(h)[:, None]] = filtered
    done = np.zeros((w + h + 2, h + 1, bpp), np.uint8)  # [k + 2, y + 1]: a zero border stands for what lies outside
    rows = np.arange(h)
    chosen = [(kinds == k)[:, None] for k in (_Filter.SUB, _Filter.UP, _Filter.AVERAGE, _Filter.PAETH)]
    for k in range(w + h - 1):
        first, last = max(0, k - w + 1), min(h, k + 1)
        span = slice(first, last)
        left = done[k + 1, first + 1 : last + 1].astype(np.int16)
        above = done[k + 1, first:last].astype(np.int16)
        corner = done[k, first:last].astype(np.int16)
        guesses = [left, above, (left + above) >> 1, _paeth(left, above, corner)]
        guess = np.select([c[rows[span]] for c in chosen], guesses, np.int16(0))
        done[k + 2, first + 1 : last + 1] = skewed[k, span] + guess.astype(np.uint8)
    return done[index + 2, np.arange(h)[:, None] + 1]


def _filter(raw: Array) -> tuple[Array, Array]:
    """Row filters [H] and filtered bytes [H,W,bytes per pixel]: of each row the smallest sum of absolute differences, as the
    specification advises."""
    h, w, bpp = raw.shape
    padded = np.zeros((h + 1, w + 1, bpp), np.int16)
    padded[1:, 1:] = raw
    left, above, corner = padded[1:, :-1], padded[:-1, 1:], padded[:-1, :-1]
    guesses = {_Filter.SUB: left, _Filter.UP: above, _Filter.PAETH: _paeth(left, above, corner)}
    options = np.stack([raw - guess.astype(np.uint8) for guess in guesses.values()])
    costs = np.abs(options.view(np.int8).astype(np.int16)).sum((2, 3), dtype=np.int64)
    choice = costs.argmin(0)
    return np.array(list(guesses), np.uint8)[choice], options[choice, np.arange(h)]


def write_png16(file: BinaryIO, values: Array, exif: bytes | None, icc: bytes | None, metadata: Metadata = NO_METADATA) -> None:
    """[H,W,C] uint16, C = 1..4."""
    h, w, c = values.shape
    raw = np.ascontiguousarray(values.astype(">u2")).view(np.uint8).reshape(h, w, 2 * c)
    kinds, body = _filter(raw)
    stream = np.concatenate([kinds[:, None], body.reshape(h, -1)], 1).tobytes()

    file.write(_MAGIC)
    file.write(png_chunk(b"IHDR", struct.pack(_HEADER, w, h, 16, _COLOUR_TYPES[c], 0, 0, 0)) + png_chunks(metadata))
    if icc:
        file.write(png_chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(icc)))
    if exif:
        file.write(png_chunk(b"eXIf", exif.removeprefix(b"Exif\0\0")))
    file.write(png_chunk(b"IDAT", zlib.compress(stream, _COMPRESSION)))
    file.write(png_chunk(b"IEND", b""))
