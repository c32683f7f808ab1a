"""What the camera wrote beside the pixels: lens data, orientation, and the block that travels on with an upright picture.

Exif 3.0 (CIPA DC-008, 2023). Entries are carried over as the bytes they were: text is UTF-8 or whatever the writer used, and a
maker's private notes keep their byte order. Entries that say how the pixels of the old file were stored do not travel on, and
neither do those whose type would make readers stumble.
"""

from __future__ import annotations

import logging
import struct
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from ..optics import film_equivalent_sensor_mm
from .directories import (
    LONG,
    RATIONAL,
    SHORT,
    TYPE_BYTES,
    Entries,
    byte_order,
    directory_bytes,
    encode_directory,
    integers,
    number,
    read_entries,
    swapped,
    text,
)
from .formats import Array

log = logging.getLogger(__name__)

EXIF_LIMIT = 65500
"""Bytes of an EXIF block that fit into a JPEG, whose segments end at 64 KiB."""
LARGEST_VALUE = 1e5
"""Focal lengths and f-numbers from here on are taken for damaged."""
TURNED_ORIENTATIONS = (5, 6, 7, 8)
"""EXIF orientations that exchange width and height."""
_MARK = b"Exif\0\0"
"""What an EXIF block begins with in a JPEG."""


class Tag(IntEnum):
    """Entries that are looked at here."""

    MAKER = 0x010F
    MODEL = 0x0110
    ORIENTATION = 0x0112
    X_RESOLUTION = 0x011A
    Y_RESOLUTION = 0x011B
    RESOLUTION_UNIT = 0x0128
    EXIF = 0x8769
    GPS = 0x8825
    F_NUMBER = 0x829D
    SUBJECT_M = 0x9206
    FOCAL_MM = 0x920A
    MAKER_NOTE = 0x927C
    USER_COMMENT = 0x9286
    WIDTH = 0xA002
    HEIGHT = 0xA003
    INTEROPERABILITY = 0xA005
    FILM_FOCAL_MM = 0xA405


_TEXTS = (0x010D, 0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x013C, 0x8298)
"""Entries of the main directory that are text: name, description, maker, model, program, date, artist, computer, copyright."""
_LAYOUT = (
    *range(254, 267),
    273,
    *range(277, 282),
    284,
    *range(288, 294),
    *range(300, 302),
    *range(317, 350),
    *range(512, 533),
    559,
    *range(32995, 32999),
    *range(33421, 33423),
    *range(50706, 52600),
)
"""Entries of the main directory that say how the pixels of a file are stored, DNG's among them."""
_BLOCKS = (700, 33723, 34377, 34675, 37724)
"""Large blocks of other programs: XMP, IPTC, Photoshop's, ICC, layers. What of them is kept is kept apart from EXIF."""


@dataclass(frozen=True)
class CameraData:
    """What the camera wrote into EXIF; None where it wrote nothing usable.

    Attributes:
        focal_mm: focal length in mm.
        f_number: f-number the photo was taken with.
        sensor_mm: long side of the sensor in mm, from the 35 mm equivalent focal length and the picture's shape.
        model: maker's name of the camera, for people.
        subject_m: distance of what the camera was focused on, in m.
        maker: who made the camera.
    """

    focal_mm: float | None = None
    f_number: float | None = None
    sensor_mm: float | None = None
    model: str = ""
    subject_m: float | None = None
    maker: str = ""

    def focal_px(self, long_edge_px: int) -> float | None:
        """Focal length in px of the whole photo at this size; None where focal length or sensor is not known."""
        if self.focal_mm is None or self.sensor_mm is None:
            return None
        return self.focal_mm * long_edge_px / self.sensor_mm


NO_CAMERA_DATA = CameraData()
"""Of a picture that tells nothing of its camera."""


@dataclass(frozen=True)
class Exif:
    """Directories of an EXIF block or a TIFF file: 0 is the main one, the others by the tag that points to them."""

    directories: dict[int, Entries]
    order: str = "<"

    @property
    def main(self) -> Entries:
        return self.directories.get(0, {})


def parse(data: bytes | None) -> Exif:
    """An EXIF block, with or without its mark, or the head of a TIFF file. Damaged parts are left out."""
    data = (data or b"").removeprefix(_MARK)
    order = byte_order(data)
    if order is None or len(data) < 8:
        return Exif({})
    big = struct.unpack(order + "H", data[2:4])[0] == 43 and len(data) >= 16
    (offset,) = struct.unpack(order + "Q", data[8:16]) if big else struct.unpack(order + "I", data[4:8])
    found = {0: read_entries(data, offset, order, big)}
    for parent, pointer in ((0, Tag.EXIF), (0, Tag.GPS), (Tag.EXIF, Tag.INTEROPERABILITY)):
        at = integers(found.get(parent, {}), pointer, order)
        if at and (entries := read_entries(data, at[0], order, big)):
            found[pointer] = entries
    return Exif(found, order)


def camera_data(exif: Exif, height_px: int, width_px: int) -> CameraData:
    """Lens data of a picture of this size."""
    details = exif.directories.get(Tag.EXIF, {})

    def positive(tag: int) -> float | None:
        value = number(details, tag, exif.order)
        return value if value is not None and 0 < value < LARGEST_VALUE else None

    focal, film = positive(Tag.FOCAL_MM), positive(Tag.FILM_FOCAL_MM)
    sensor = film_equivalent_sensor_mm(focal, film, width_px, height_px) if focal and film else None
    model, maker = text(exif.main, Tag.MODEL), text(exif.main, Tag.MAKER)
    return CameraData(focal, positive(Tag.F_NUMBER), sensor, model, positive(Tag.SUBJECT_M), maker)


def orientation(exif: Exif) -> int | None:
    """EXIF orientation 1..8, of whatever integer type it is; None where there is none or another value."""
    found = integers(exif.main, Tag.ORIENTATION, exif.order)
    return found[0] if found and 1 <= found[0] <= 8 else None


def turn_upright(pixels: Array, turn: int) -> Array:
    """Apply an EXIF orientation to [H,W,C]."""
    if turn in TURNED_ORIENTATIONS:
        pixels = pixels.transpose(1, 0, 2)
    if turn in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if turn in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def upright_block(exif: Exif, turn: int | None = None) -> bytes | None:
    """The EXIF block of the picture once it is upright, or None. The thumbnail, which shows the old picture, is not kept.

    Args:
        turn: the orientation that was applied, if it is not that of `exif`.
    """
    order = exif.order
    main = {t: v for t, v in exif.main.items() if t not in _LAYOUT and t not in _BLOCKS and _well_typed(t, v[0])}
    if Tag.ORIENTATION in main:
        main[Tag.ORIENTATION] = (SHORT, struct.pack(order + "H", 1))
    found = {tag: dict(entries) for tag, entries in exif.directories.items()} | {0: main}
    details = found.get(Tag.EXIF, {})
    if (orientation(exif) if turn is None else turn) in TURNED_ORIENTATIONS:
        _exchange(details, Tag.WIDTH, Tag.HEIGHT)
        _exchange(main, Tag.X_RESOLUTION, Tag.Y_RESOLUTION)
    return block_of(Exif(found, order))


def _exchange(entries: Entries, a: int, b: int) -> None:
    if a in entries and b in entries:
        entries[a], entries[b] = entries[b], entries[a]


def _well_typed(tag: int, kind: int) -> bool:
    """Whether an entry of the main directory has a type that readers expect of it."""
    if tag in _TEXTS:
        return TYPE_BYTES[kind] == 1
    if tag in (Tag.X_RESOLUTION, Tag.Y_RESOLUTION):
        return kind == RATIONAL
    return kind == SHORT if tag == Tag.RESOLUTION_UNIT else True


def block_of(exif: Exif) -> bytes | None:
    """The EXIF block of these directories, with its mark; None if they are empty."""
    found = {tag: dict(entries) for tag, entries in exif.directories.items()}
    main, order = found.setdefault(0, {}), exif.order
    for parent, pointer in ((Tag.EXIF, Tag.INTEROPERABILITY), (0, Tag.EXIF), (0, Tag.GPS)):
        found.get(parent, {}).pop(pointer, None)
        if found.get(pointer):
            found.setdefault(parent, {})[pointer] = (LONG, b"\0" * 4)
    if not main:
        return None
    written = [tag for tag in (0, Tag.EXIF, Tag.INTEROPERABILITY, Tag.GPS) if found.get(tag)]
    at, offset = {}, 8
    for tag in written:
        at[tag] = offset
        offset += directory_bytes(found[tag])
    for parent, pointer in ((0, Tag.EXIF), (0, Tag.GPS), (Tag.EXIF, Tag.INTEROPERABILITY)):
        if pointer in at:
            found[parent][pointer] = (LONG, struct.pack(order + "I", at[pointer]))
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 8)
    return _MARK + head + b"".join(encode_directory(found[tag], at[tag], order) for tag in written)


def little_endian(exif: Exif) -> Exif:
    """The same entries in the byte order of the TIFF files that are written here."""
    if exif.order == "<":
        return exif
    found = {tag: swapped(entries) for tag, entries in exif.directories.items()}
    details = found.get(Tag.EXIF, {})
    kind, comment = details.get(Tag.USER_COMMENT, (0, b""))
    if comment.startswith(b"UNICODE\0"):  # UTF-16 in the byte order of the block
        body = comment[8 : len(comment) - len(comment) % 2]
        details[Tag.USER_COMMENT] = (kind, comment[:8] + np.frombuffer(body, ">u2").astype("<u2").tobytes())
    return Exif(found)


def shortened(block: bytes | None) -> bytes | None:
    """An EXIF block that fits into a JPEG: the maker's notes, then the longest entries go, and the log says so."""
    if block is None or len(block) <= EXIF_LIMIT:
        return block
    exif = parse(block)
    found = {tag: dict(entries) for tag, entries in exif.directories.items()}
    sizes = {(where, tag): len(body) for where, entries in found.items() for tag, (_, body) in entries.items()}
    order = sorted(sizes, key=lambda key: (key[1] != Tag.MAKER_NOTE, -sizes[key]))
    for where, tag in order:
        del found[where][tag]
        name = "the camera maker's private EXIF notes" if tag == Tag.MAKER_NOTE else f"EXIF entry {tag}"
        log.warning("Left out: %s, %d bytes, more than a JPEG can hold.", name, sizes[where, tag])
        short = block_of(Exif(found, exif.order))
        if short is None or len(short) <= EXIF_LIMIT:
            return short
    return None
