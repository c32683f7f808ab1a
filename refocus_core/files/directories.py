"""Directories, in which TIFF files and EXIF blocks keep tags with values: from bytes to entries and back.

TIFF 6.0 (Adobe, 1992), section 2; BigTIFF (2007); Exif 3.0 (CIPA DC-008, 2023), section 4.6. Values stay the bytes they were, so
that text of any encoding and entries of unexpected types survive. What lies outside the data or has an unknown type is left out.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

import numpy as np

BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED = 1, 2, 3, 4, 5, 7
"""Types of entries that are written here."""
TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8, 129: 1}
"""Bytes of one value of each type of entry."""
_PAIRS = (5, 10)
"""Types of two numbers of four bytes each, numerator and denominator."""
_NUMBERS = {1: "u1", 3: "u2", 4: "u4", 6: "i1", 8: "i2", 9: "i4", 11: "f4", 12: "f8", 13: "u4", 16: "u8", 17: "i8", 18: "u8"}
"""NumPy's names of the types that are plain numbers."""
_INTEGERS = (1, 3, 4, 6, 8, 9, 13, 16, 17, 18)
"""Types that are whole numbers."""

Entries = dict[int, tuple[int, bytes]]
"""Tag -> (type, values as bytes, in the byte order of the file)."""


def byte_order(data: bytes) -> str | None:
    """'<' or '>' as a TIFF header begins, None if it is none."""
    return {b"II": "<", b"MM": ">"}.get(data[:2])


def read_entries(data: bytes, offset: int, order: str, big: bool = False) -> Entries:
    """The directory at `offset`; empty if it lies outside.

    Args:
        big: a directory of BigTIFF, with counts and offsets of 8 bytes.
    """
    head, size, field, word = ("Q", 20, 8, "Q") if big else ("H", 12, 4, "I")
    start = offset + struct.calcsize("<" + head)
    if start > len(data) or offset < 0:
        return {}
    (count,) = struct.unpack(order + head, data[offset:start])
    found: Entries = {}
    for i in range(min(count, (len(data) - start) // size)):
        entry = data[start + size * i : start + size * (i + 1)]
        tag, kind, number = struct.unpack(order + "HH" + word, entry[: 4 + field])
        length = TYPE_BYTES.get(kind, 0) * number
        at = struct.unpack(order + word, entry[-field:])[0] if length > field else 0
        body = data[at : at + length] if length > field else entry[4 + field : 4 + field + length]
        if length and len(body) == length:
            found[tag] = (kind, body)
    return found


def integers(entries: Mapping[int, tuple[int, bytes]], tag: int, order: str) -> tuple[int, ...]:
    """Values of an entry, empty unless they are whole numbers."""
    kind, body = entries.get(tag, (0, b""))
    return tuple(int(v) for v in _numbers(kind, body, order)) if kind in _INTEGERS else ()


def number(entries: Mapping[int, tuple[int, bytes]], tag: int, order: str) -> float | None:
    """First value of an entry of any numeric type; None where there is none, or a fraction with denominator 0."""
    kind, body = entries.get(tag, (0, b""))
    if kind in _PAIRS:
        over, under = struct.unpack(order + ("II" if kind == RATIONAL else "ii"), body[:8])
        return over / under if under else None
    return float(_numbers(kind, body, order)[0]) if kind in _NUMBERS else None


def text(entries: Mapping[int, tuple[int, bytes]], tag: int) -> str:
    """Text of an entry up to its end mark: UTF-8, else Latin-1; empty where there is none."""
    kind, body = entries.get(tag, (0, b""))
    if TYPE_BYTES.get(kind) != 1:
        return ""
    body = body.split(b"\0")[0]
    try:
        return body.decode("utf-8").strip()
    except UnicodeDecodeError:
        return body.decode("latin-1").strip()


def _numbers(kind: int, body: bytes, order: str) -> np.ndarray:
    return np.frombuffer(body, np.dtype(order + _NUMBERS[kind]))


def swapped(entries: Entries) -> Entries:
    """The same values in the other byte order."""
    found: Entries = {}
    for tag, (kind, body) in entries.items():
        width = 4 if kind in _PAIRS else TYPE_BYTES[kind]
        found[tag] = (kind, np.frombuffer(body, f">u{width}").astype(f"<u{width}").tobytes() if width > 1 else body)
    return found


def directory_bytes(entries: Entries) -> int:
    """Size of a directory and its values, as `encode_directory` writes them."""
    return 2 + 12 * len(entries) + 4 + sum(len(b) + len(b) % 2 for _, b in entries.values() if len(b) > 4)


def encode_directory(entries: Entries, offset: int, order: str = "<") -> bytes:
    """A directory that will lie at `offset`, followed by its values; it points to no further one."""
    where = offset + 2 + 12 * len(entries) + 4
    table, values = bytearray(struct.pack(order + "H", len(entries))), bytearray()
    for tag in sorted(entries):
        kind, body = entries[tag]
        inside = body.ljust(4, b"\0") if len(body) <= 4 else struct.pack(order + "I", where + len(values))
        table += struct.pack(order + "HHI", tag, kind, len(body) // TYPE_BYTES[kind]) + inside
        if len(body) > 4:
            values += body + b"\0" * (len(body) % 2)
    return bytes(table + b"\0" * 4 + values)
