"""Raw files as a camera writes them: DNG with the values of a Bayer sensor (Adobe, Digital Negative 1.4)."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from refocus_core.files.directories import ASCII, BYTE, LONG, RATIONAL, SHORT, Entries, directory_bytes, encode_directory

SRATIONAL = 10
"""TIFF's type of signed fractions."""
SRGB_OF_XYZ = ((3.2404542, -1.5371385, -0.4985314), (-0.9692660, 1.8760108, 0.0415560), (0.0556434, -0.2040259, 1.0572252))
"""Linear sRGB of CIE XYZ under D65: the camera below sees exactly these colours."""


def dng(path: Path, linear: np.ndarray, neutral: tuple[float, float, float], orientation: int = 1) -> Path:
    """A DNG of a sensor with red at the upper left, that saw linear sRGB [H,W,3] under a light in which grey is `neutral`."""
    h, w, _ = linear.shape
    channel = np.array([[0, 1], [1, 2]])[np.arange(h)[:, None] % 2, np.arange(w)[None] % 2]
    seen = np.take_along_axis(linear, channel[..., None], 2)[..., 0] * np.array(neutral)[channel]
    values = np.rint(seen * 60000 + 2000).astype("<u2").tobytes()

    def fractions(*numbers: float) -> bytes:
        return b"".join(struct.pack("<ii", round(v * 1000000), 1000000) for v in numbers)

    integers = {254: 0, 256: w, 257: h, 258: 16, 259: 1, 262: 32803, 273: 8, 274: orientation, 277: 1, 278: h, 279: len(values)}
    main: Entries = {tag: (LONG, struct.pack("<I", value)) for tag, value in integers.items()}
    main |= {271: (ASCII, b"Maker\0"), 272: (ASCII, b"Camera 1\0"), 33421: (SHORT, struct.pack("<HH", 2, 2))}
    main |= {33422: (BYTE, bytes([0, 1, 1, 2])), 50706: (BYTE, bytes([1, 4, 0, 0])), 50708: (ASCII, b"Camera 1\0")}
    main |= {50714: (SHORT, struct.pack("<H", 2000)), 50717: (LONG, struct.pack("<I", 62000)), 50778: (SHORT, b"\x15\0")}
    main |= {50721: (SRATIONAL, fractions(*np.ravel(SRGB_OF_XYZ))), 50728: (RATIONAL, fractions(*neutral))}
    details: Entries = {0x829D: (RATIONAL, struct.pack("<II", 28, 10)), 0x920A: (RATIONAL, struct.pack("<II", 35, 1))}
    main[0x8769] = (LONG, bytes(4))
    at = 8 + len(values)
    main[0x8769] = (LONG, struct.pack("<I", at + directory_bytes(main)))
    body = encode_directory(main, at) + encode_directory(details, at + directory_bytes(main))
    path.write_bytes(b"II*\0" + struct.pack("<I", at) + values + body)
    return path


def two_colours(h: int = 48, w: int = 64) -> np.ndarray:
    """[h,w,3] linear: one colour left, another one right."""
    return np.where(np.arange(w)[None, :, None] < w // 2, [0.2, 0.4, 0.1], [0.6, 0.3, 0.5]) * np.ones((h, 1, 1))
