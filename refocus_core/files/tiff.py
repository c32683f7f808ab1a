"""File formats that Pillow does not do in full: 16-bit colour PNG, 16-bit and float TIFF, PFM, EXR. Used by `pictures`.

Readers return [H,W,C] float32, integers scaled to 0..1; writers take [H,W,C] arrays. No colour conversion happens here.
"""

from __future__ import annotations

import importlib
import os
import struct
import tempfile
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image

Array = npt.NDArray[Any]


class PictureError(ValueError):
    """A file that cannot be read or written, and what to do about it."""


# --- PNG with 16 bits and colour ------------------------------------------------------------------------------------------
# W3C PNG Specification (Third Edition), sections 5 (chunks), 7 and 9 (filters).


_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_PNG_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}


def read_png16(path: Path) -> Array:
    data = path.read_bytes()
    position, compressed, transparency = 8, bytearray(), b""
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", data[16:29])
    if interlaced:
        raise PictureError(f"{path} is an interlaced 16-bit PNG. Save it without interlacing.")
    while position + 12 <= len(data):
        (length,) = struct.unpack(">I", data[position : position + 4])
        kind, body = data[position + 4 : position + 8], data[position + 8 : position + 8 + length]
        if kind == b"IDAT":
            compressed += body
        elif kind == b"tRNS":
            transparency = body
        elif kind == b"IEND":
            break
        position += 12 + length
    channels = _PNG_CHANNELS[colour]
    bpp = channels * depth // 8
    raw = zlib.decompress(bytes(compressed))
    if len(raw) < height * (width * bpp + 1):
        raise PictureError(f"{path} is damaged or incomplete: pixels are missing.")
    rows = np.frombuffer(raw, np.uint8, height * (width * bpp + 1)).reshape(height, width * bpp + 1)
    pixels = _unfilter(rows[:, 0], rows[:, 1:].reshape(height, width, bpp))
    values = np.ascontiguousarray(pixels).view(">u2").reshape(height, width, channels)
    out = values.astype(np.float32) / 65535.0
    if len(transparency) == 2 * channels and channels == 3:  # one colour is transparent
        key = np.frombuffer(transparency, ">u2")
        out = np.concatenate([out, (values != key).any(2, keepdims=True).astype(np.float32)], 2)
    return out


def _unfilter(kinds: Array, filtered: Array) -> Array:
    """Undo PNG's row filters on [H,W,bytes per pixel].

    Each byte depends on its left, upper and upper left neighbour, so all pixels of one anti-diagonal are independent of each
    other: W + H vector steps instead of W * H scalar ones. A skewed copy makes the anti-diagonals columns.
    """
    h, w, bpp = filtered.shape
    if kinds.max(initial=0) > 4:
        raise PictureError("The PNG file is damaged: unknown row filter.")
    if not (kinds > 2).any():  # None, Sub, Up need no look at single pixels
        out = np.where((kinds == 1)[:, None, None], np.cumsum(filtered, 1, dtype=np.uint8), filtered)
        for y in np.flatnonzero(kinds == 2):
            if y:
                out[y] += out[y - 1]
        return out
    skewed = np.zeros((w + h, h, bpp), np.uint8)
    index = np.arange(w)[None, :] + np.arange(h)[:, None]
    skewed[index, np.arange(h)[:, None]] = filtered
    done = np.zeros((w + h + 2, h + 1, bpp), np.uint8)  # [k + 2, y + 1]: a zero border stands for what lies outside
    rows = np.arange(h)
    sub, up, average, paeth = (kinds == k for k in (1, 2, 3, 4))
    for k in range(w + h - 1):
        first, last = max(0, k - w + 1), min(h, k + 1)
        span = slice(first, last)
        left = done[k + 1, first + 1 : last + 1].astype(np.int16)
        above = done[k + 1, first:last].astype(np.int16)
        corner = done[k, first:last].astype(np.int16)
        pa, pb, pc = np.abs(above - corner), np.abs(left - corner), np.abs(left + above - 2 * corner)
        nearest = np.where((pa <= pb) & (pa <= pc), left, np.where(pb <= pc, above, corner))
        guess = np.select(
            [c[rows[span], None] for c in (sub, up, average, paeth)], [left, above, (left + above) >> 1, nearest], np.int16(0)
        )
        done[k + 2, first + 1 : last + 1] = skewed[k, span] + guess.astype(np.uint8)
    return done[index + 2, np.arange(h)[:, None] + 1]


def write_png16(file: BinaryIO, values: Array, exif: bytes | None, icc: bytes | None) -> None:
    """[H,W,C] uint16, C = 1, 3, 4."""
    h, w, c = values.shape
    bpp = 2 * c
    raw = np.ascontiguousarray(values.astype(">u2")).view(np.uint8).reshape(h, w, bpp)
    padded = np.zeros((h + 1, w + 1, bpp), np.int16)
    padded[1:, 1:] = raw
    left, above, corner = padded[1:, :-1], padded[:-1, 1:], padded[:-1, :-1]
    pa, pb, pc = np.abs(above - corner), np.abs(left - corner), np.abs(left + above - 2 * corner)
    paeth = np.where((pa <= pb) & (pa <= pc), left, np.where(pb <= pc, above, corner))
    options = {1: raw - left.astype(np.uint8), 2: raw - above.astype(np.uint8), 4: raw - paeth.astype(np.uint8)}
    kinds = np.array(list(options))
    costs = np.stack([np.abs(o.view(np.int8).astype(np.int16)).sum((1, 2), dtype=np.int64) for o in options.values()])
    choice = costs.argmin(0)  # the row filter with the smallest sum of absolute differences, as the specification advises
    body = np.stack(list(options.values()))[choice, np.arange(h)].reshape(h, w * bpp)
    stream = np.concatenate([kinds[choice].astype(np.uint8)[:, None], body], 1).tobytes()

    def chunk(kind: bytes, data: bytes) -> None:
        file.write(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)))

    file.write(_PNG_MAGIC)
    chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, 16, {1: 0, 3: 2, 4: 6}[c], 0, 0, 0))
    if icc:
        chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(icc))
    if exif:
        chunk(b"eXIf", exif.removeprefix(b"Exif\0\0"))
    chunk(b"IDAT", zlib.compress(stream, 6))
    chunk(b"IEND", b"")


# --- TIFF with 16 bits or floating point ----------------------------------------------------------------------------------
# TIFF 6.0 (Adobe, 1992); predictor 3: Adobe Photoshop TIFF Technical Note 3 (2005).

TIFF_LAYOUT = {254, 256, 257, 258, 259, 262, 273, 277, 278, 279, 284, 317, 322, 323, 324, 325, 338, 339, 34675}
TIFF_BULK = {330, 347, 700, 33723, 34377}  # further pictures, JPEG tables, XMP, IPTC, Photoshop's own
_TIFF_TYPES = {1: "B", 3: "H", 4: "I", 16: "Q"}
_TIFF_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}


def read_tiff(path: Path) -> tuple[Array, int, Image.Exif, bytes | None] | None:
    """First picture of a classic TIFF with several channels of 16 bits or floating point; strips or tiles, raw or deflate.

    Returns pixels, bits, EXIF, ICC profile; None for what Pillow reads without loss.
    """
    data = path.read_bytes()
    order = "<" if data[:2] == b"II" else ">"
    (offset,) = struct.unpack(order + "I", data[4:8])
    (count,) = struct.unpack(order + "H", data[offset : offset + 2])
    tags: dict[int, tuple[int, ...]] = {}
    for i in range(count):
        entry = data[offset + 2 + 12 * i : offset + 14 + 12 * i]
        tag, kind, number = struct.unpack(order + "HHI", entry[:8])
        if kind not in _TIFF_TYPES:
            continue
        size = _TIFF_SIZES[kind] * number
        at = struct.unpack(order + "I", entry[8:])[0] if size > 4 else None
        body = entry[8 : 8 + size] if at is None else data[at : at + size]
        tags[tag] = struct.unpack(f"{order}{number}{_TIFF_TYPES[kind]}", body)

    def value(tag: int, default: int) -> int:
        return tags.get(tag, (default,))[0]

    if not {256, 257} <= tags.keys() or not ({273, 279} <= tags.keys() or {322, 323, 324, 325} <= tags.keys()):
        return None
    w, h, c = tags[256][0], tags[257][0], value(277, 1)
    bits, kind, planar, predictor = value(258, 1), value(339, 1), value(284, 1), value(317, 1)
    if bits <= 8 or (c == 1 and bits in (16, 32)):
        return None
    compression, photometric = value(259, 1), value(262, 2)
    number_type = {(8, 1): "u1", (16, 1): "u2", (16, 3): "f2", (32, 3): "f4"}.get((bits, kind))
    if (
        compression not in (1, 8, 32946)
        or photometric not in (0, 1, 2)
        or number_type is None
        or c > 4
        or predictor not in (1, 2, 3)
    ):
        raise PictureError(
            f"{path}: this kind of TIFF (compression {compression}, {bits} bits, photometric {photometric}) cannot be read. "
            "Save it uncompressed or with ZIP compression, or as 16-bit PNG."
        )
    dtype = np.dtype(order + number_type)
    tiled = 322 in tags
    tile_w, tile_h = (tags[322][0], tags[323][0]) if tiled else (w, min(value(278, h), h))
    offsets, lengths = (tags[324], tags[325]) if tiled else (tags[273], tags[279])
    across, down = -(-w // tile_w), -(-h // tile_h)
    planes, samples = (c, 1) if planar == 2 else (1, c)
    out = np.zeros((down * tile_h, across * tile_w, c), dtype.newbyteorder("="))
    for i in range(planes * across * down):
        plane, rest = divmod(i, across * down)
        row, column = divmod(rest, across)
        rows = tile_h if tiled else min(tile_h, h - row * tile_h)
        block = data[offsets[i] : offsets[i] + lengths[i]]
        raw = block if compression == 1 else zlib.decompress(block)
        need = rows * tile_w * samples * dtype.itemsize
        if len(raw) < need:
            raise PictureError(f"{path} is damaged or incomplete: pixels are missing.")
        if predictor == 3:  # bytes of the numbers are in planes, most significant first, each row a running sum
            sums = np.frombuffer(raw, np.uint8, need).reshape(rows, -1, samples).cumsum(1, dtype=np.uint8)
            sums = sums.reshape(rows, dtype.itemsize, tile_w * samples).transpose(0, 2, 1)
            part = np.ascontiguousarray(sums).view(dtype.newbyteorder(">")).reshape(rows, tile_w, samples)
        else:
            part = np.frombuffer(raw, dtype, need // dtype.itemsize).reshape(rows, tile_w, samples)
            if predictor == 2:
                part = part.astype(dtype.newbyteorder("=")).cumsum(1, dtype=dtype.newbyteorder("="))
        y, x = row * tile_h, column * tile_w
        out[y : y + rows, x : x + tile_w, plane : plane + samples] = part
    pixels = out[:h, :w].astype(np.float32)
    if kind == 1:
        pixels /= 2**bits - 1
    if photometric == 0:
        pixels[..., 0] = 1 - pixels[..., 0]
    exif = Image.Exif()
    exif.load(b"Exif\0\0" + data)
    icc = exif.get(34675)
    return pixels, 32 if kind == 3 else bits, exif, icc if isinstance(icc, bytes) else None


def write_tiff(file: BinaryIO, values: Array, exif: bytes | None = None, icc: bytes | None = None) -> None:
    """[H,W,C] uint8, uint16 or float32, C = 1, 3, 4: deflate-compressed strips, little-endian, EXIF in its directories."""
    h, w, c = values.shape
    values = np.ascontiguousarray(values.astype(values.dtype.newbyteorder("<")))
    rows = max(1, (1 << 20) // (w * c * values.itemsize))
    strips: list[bytes] = []
    for y in range(0, h, rows):
        part = values[y : y + rows]
        if values.dtype.kind == "u":  # predictor 2: differences to the pixel on the left
            part = np.concatenate([part[:, :1], part[:, 1:] - part[:, :-1]], 1)
        strips.append(zlib.compress(part.tobytes(), 6))
    is_float = values.dtype.kind == "f"
    entries: dict[int, tuple[int, bytes]] = {}

    def short(tag: int, *numbers: int) -> None:
        entries[tag] = (3, struct.pack(f"<{len(numbers)}H", *numbers))

    def long(tag: int, *numbers: int) -> None:
        entries[tag] = (4, struct.pack(f"<{len(numbers)}I", *numbers))

    if exif:
        entries |= _exif_entries(exif)
    long(256, w)
    long(257, h)
    short(258, *[8 * values.itemsize] * c)
    short(259, 8)
    short(262, 1 if c == 1 else 2)
    short(277, c)
    long(278, rows)
    long(279, *[len(s) for s in strips])
    short(284, 1)
    short(317, 1 if is_float else 2)
    short(339, *[3 if is_float else 1] * c)
    if c == 4:
        short(338, 2)  # unassociated alpha
    if icc:
        entries[34675] = (7, icc)
    start = file.tell()
    file.write(b"II*\0" + b"\0" * 4)
    offsets: list[int] = []
    for strip in strips:
        offsets.append(file.tell() - start)
        file.write(strip + b"\0" * (len(strip) % 2))
    long(273, *offsets)
    for tag, sub in _exif_directories(exif).items() if exif else ():
        at = _write_directory(file, start, sub)
        long(tag, at)
    at = _write_directory(file, start, entries)
    end = file.tell()
    file.seek(start + 4)
    file.write(struct.pack("<I", at))
    file.seek(end)


def _write_directory(file: BinaryIO, start: int, entries: dict[int, tuple[int, bytes]]) -> int:
    """Write values and then the directory; returns its offset."""
    table: list[bytes] = []
    for tag in sorted(entries):
        kind, body = entries[tag]
        number = len(body) // _TIFF_SIZES[kind]
        if len(body) > 4:
            file.write(b"\0" * (file.tell() % 2))
            where = struct.pack("<I", file.tell() - start)
            file.write(body)
        else:
            where = body.ljust(4, b"\0")
        table.append(struct.pack("<HHI", tag, kind, number) + where)
    file.write(b"\0" * (file.tell() % 2))
    at = file.tell() - start
    file.write(struct.pack("<H", len(table)) + b"".join(table) + b"\0" * 4)
    return at


def _exif_ifds(exif: bytes) -> dict[int, dict[int, tuple[int, bytes]]]:
    """The directories of an EXIF block, little-endian: {0: main, 0x8769: Exif, 0x8825: GPS}."""
    data = exif.removeprefix(b"Exif\0\0")
    order = "<" if data[:2] == b"II" else ">"

    def directory(offset: int) -> dict[int, tuple[int, bytes]]:
        (count,) = struct.unpack(order + "H", data[offset : offset + 2])
        found: dict[int, tuple[int, bytes]] = {}
        for i in range(count):
            entry = data[offset + 2 + 12 * i : offset + 14 + 12 * i]
            tag, kind, number = struct.unpack(order + "HHI", entry[:8])
            if kind not in _TIFF_SIZES:
                continue
            size = _TIFF_SIZES[kind] * number
            body = entry[8 : 8 + size]
            if size > 4:
                (at,) = struct.unpack(order + "I", entry[8:])
                body = data[at : at + size]
            if order == ">":
                width = {5: 4, 10: 4}.get(kind, _TIFF_SIZES[kind])  # a rational is two numbers of four bytes
                body = np.frombuffer(body, f">u{width}").astype(f"<u{width}").tobytes() if width > 1 else body
            found[tag] = (kind, body)
        return found

    main = directory(struct.unpack(order + "I", data[4:8])[0])
    ifds = {0: main}
    for tag in (0x8769, 0x8825):
        if tag in main:
            ifds[tag] = directory(struct.unpack("<I", main[tag][1])[0])
    return ifds


def _exif_entries(exif: bytes) -> dict[int, tuple[int, bytes]]:
    return {t: v for t, v in _exif_ifds(exif)[0].items() if t not in TIFF_LAYOUT and t not in (0x8769, 0x8825, 330)}


def _exif_directories(exif: bytes) -> dict[int, dict[int, tuple[int, bytes]]]:
    # 0xA005 points to a third level (interoperability), which is not carried over.
    return {t: {k: v for k, v in d.items() if k != 0xA005} for t, d in _exif_ifds(exif).items() if t}


# --- PFM and EXR ----------------------------------------------------------------------------------------------------------


def read_pfm(path: Path) -> Array:
    """Portable float map: 'PF' colour or 'Pf' grey, rows from the bottom up, negative scale = little-endian."""
    data = path.read_bytes()
    try:
        kind, size, scale, body = data.split(b"\n", 3)
        w, h = (int(v) for v in size.split())
        channels = {b"PF": 3, b"Pf": 1}[kind.strip()]
        values = np.frombuffer(body, "<f4" if float(scale) < 0 else ">f4", w * h * channels)
    except (ValueError, KeyError) as error:
        raise PictureError(f"{path} is not a complete PFM file: {error}") from error
    return np.ascontiguousarray(values.reshape(h, w, channels)[::-1]).astype(np.float32)


def write_pfm(file: BinaryIO, values: Array) -> None:
    h, w, c = values.shape
    file.write(b"%s\n%d %d\n-1.0\n" % (b"PF" if c == 3 else b"Pf", w, h))
    file.write(np.ascontiguousarray(values[::-1].astype("<f4")).tobytes())


def openexr(path: Path) -> Any:
    try:
        return importlib.import_module("OpenEXR")
    except ImportError as error:
        raise PictureError(
            f"{path}: EXR needs the package OpenEXR (pip install OpenEXR). Without it use .tif or .pfm."
        ) from error


def read_exr(path: Path) -> Array:
    exr = openexr(path)
    try:
        with exr.File(str(path), separate_channels=True) as file:
            channels = {name: np.asarray(c.pixels, np.float32) for name, c in file.channels().items()}
    except (OSError, RuntimeError) as error:
        raise PictureError(f"{path} is not an EXR file that can be read: {error}") from error
    if {"R", "G", "B"} <= channels.keys():
        names = ["R", "G", "B", *(["A"] if "A" in channels else [])]
    elif len(channels) == 1 or "Y" in channels or "Z" in channels:
        names = [next(n for n in ("Y", "Z", *channels) if n in channels)]
    else:
        raise PictureError(f"{path} has the channels {sorted(channels)}; R, G, B or one of Y, Z is needed.")
    pixels = np.stack([channels[n] for n in names], 2)
    if len(names) == 4:  # EXR stores colour multiplied by alpha
        pixels[..., :3] /= np.where(pixels[..., 3:] > 0, pixels[..., 3:], 1)
    return pixels


def write_exr(file: BinaryIO, values: Array) -> None:
    exr = openexr(Path("picture.exr"))
    names = {1: "Y", 3: "RGB", 4: "RGBA"}[values.shape[2]]
    if len(names) == 4:
        values = np.concatenate([values[..., :3] * values[..., 3:], values[..., 3:]], 2)
    channels = {n: np.ascontiguousarray(values[..., i]) for i, n in enumerate(names)}
    header = {"compression": exr.ZIP_COMPRESSION, "type": exr.scanlineimage}
    with tempfile.TemporaryDirectory() as folder:  # OpenEXR writes to names only
        name = os.path.join(folder, "picture.exr")
        with exr.File(header, channels) as out:
            out.write(name)
        file.write(Path(name).read_bytes())
