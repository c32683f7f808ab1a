"""What people and programs wrote beside the pixels, EXIF and profile apart: XMP, IPTC, comment, PNG text, resolution.

XMP part 3 (Adobe, 2020) and the Photoshop file formats specification say where JPEG and TIFF keep XMP and IPTC, the PNG
specification (third edition, section 11.3) what text and resolution are there. IPTC is put into PNG as ImageMagick does it.

|      | XMP                    | IPTC                     | comment        | PNG text | resolution   |
|------|------------------------|--------------------------|----------------|----------|--------------|
| JPEG | APP1                   | APP13, resource 0x0404   | COM            | -        | JFIF density |
| PNG  | iTXt XML:com.adobe.xmp | Raw profile type iptc    | text "Comment" | yes      | pHYs         |
| TIFF | tag 700                | tag 33723, or in 34377   | -              | -        | tags 282-296 |
| WebP | chunk XMP              | -                        | -              | -        | in EXIF      |
"""

from __future__ import annotations

import logging
import re
import struct
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import iTXt

from .directories import BYTE, RATIONAL, SHORT, UNDEFINED, Entries, integers, number, swapped
from .exif import TURNED_ORIENTATIONS, Exif, Tag, block_of, parse

log = logging.getLogger(__name__)

_XMP_TAG, _IPTC_TAG, _PHOTOSHOP_TAG = 700, 33723, 34377
"""Tags of TIFF."""
_IPTC_RESOURCE = 0x0404
"""Number of IPTC among Photoshop's resources."""
_XMP_MARK, _PHOTOSHOP_MARK = b"http://ns.adobe.com/xap/1.0/\0", b"Photoshop 3.0\0"
"""What the segments of a JPEG begin with."""
_XMP_KEY, _IPTC_KEY, _RAW_KEY, _COMMENT_KEY = "XML:com.adobe.xmp", "Raw profile type iptc", "Raw profile type ", "Comment"
"""Keywords of PNG text."""
_APPENDED = (b"http://ns.google.com/photos/", b"http://ns.adobe.com/hdr-gain-map/")
"""What XMP names where it describes depth or further pictures behind the photo's own; these stay behind, and so does it."""
_SEGMENT_BYTES = 65533
"""What a segment of a JPEG holds."""
_MM_PER_INCH, _MM_PER_CM = 25.4, 10.0
"""Units of length of resolutions."""
_INCH, _CENTIMETRE = 2, 3
"""Units of resolution in TIFF and EXIF."""
_RATIONAL_PARTS = 10_000
"""Denominator of a resolution in TIFF; a finer one keeps more digits of odd values."""


@dataclass(frozen=True)
class Metadata:
    """What travels with a picture beside EXIF and profile.

    Attributes:
        xmp: XMP packet, or None.
        iptc: IPTC-IIM records, or None.
        comment: of a JPEG or GIF, or None.
        text: keyword and text of PNG, a workflow among them; in the file's order.
        dpi: pixels per inch across and down, or None.
    """

    xmp: bytes | None = None
    iptc: bytes | None = None
    comment: bytes | None = None
    text: tuple[tuple[str, str], ...] = ()
    dpi: tuple[float, float] | None = None

    @property
    def said(self) -> bytes | None:
        """The comment, by whichever way the file had it."""
        return self.comment or dict(self.text).get(_COMMENT_KEY, "").encode() or None

    def upright(self, turn: int) -> Metadata:
        """The same once the picture is upright, by EXIF orientation `turn`."""
        dpi = self.dpi[::-1] if self.dpi and turn in TURNED_ORIENTATIONS else self.dpi
        return replace(self, xmp=self.xmp and _ORIENTATION.sub(rb"\g<1>1", self.xmp), dpi=dpi)


NO_METADATA = Metadata()
"""Of a picture that says nothing."""
_ORIENTATION = re.compile(rb"(tiff:Orientation\s*(?:=\s*[\"']|>\s*))([1-8])")
"""EXIF orientation in XMP, as attribute or element."""


# --- reading -------------------------------------------------------------------------------------------------------------


def xmp_orientation(xmp: bytes | None) -> int | None:
    """Orientation that XMP tells, 1..8, or None."""
    found = _ORIENTATION.search(xmp or b"")
    return int(found[2]) if found else None


def embedded_exif(im: Image.Image) -> bytes | None:
    """The EXIF block of a picture that Pillow has loaded, as it lies in the file."""
    block = im.info.get("exif")
    return block if isinstance(block, bytes) else _raw_profile(im.info.get(_RAW_KEY + "exif"))


def of_image(im: Image.Image, exif: Exif) -> Metadata:
    """Of a picture that Pillow has loaded; not of TIFF, whose directory holds it: `of_directory`."""
    info: dict[Any, Any] = im.info
    text: dict[str, str] = getattr(im, "text", {}) if im.format == "PNG" else {}
    xmp, resources, comment = info.get("xmp"), info.get("photoshop"), info.get("comment")
    if xmp is None:
        xmp = text[_XMP_KEY].encode() if _XMP_KEY in text else _raw_profile(text.get(_RAW_KEY + "xmp"))
    iptc = resources.get(_IPTC_RESOURCE) if isinstance(resources, dict) else _resource(_raw_profile(text.get(_IPTC_KEY)))
    return Metadata(
        xmp=xmp if isinstance(xmp, bytes) and not any(name in xmp for name in _APPENDED) else None,
        iptc=iptc if isinstance(iptc, bytes) else None,
        comment=comment if isinstance(comment, bytes) else None,
        text=tuple((k, v) for k, v in text.items() if k != _XMP_KEY and not k.startswith(_RAW_KEY)),
        dpi=_density(im) or _resolution(exif),
    )


def of_directory(exif: Exif) -> Metadata:
    """Of a TIFF file, by its main directory."""
    blocks = {tag: exif.main[tag][1] for tag in (_XMP_TAG, _IPTC_TAG, _PHOTOSHOP_TAG) if tag in exif.main}
    iptc = blocks.get(_IPTC_TAG) or _resource(blocks.get(_PHOTOSHOP_TAG))
    return Metadata(xmp=blocks.get(_XMP_TAG), iptc=iptc, dpi=_resolution(exif))


def _density(im: Image.Image) -> tuple[float, float] | None:
    """Pixels per inch as JFIF, PNG and other headers tell them; Pillow's stand-in of 72 where a JPEG tells none is not taken."""
    if "jfif" in im.info or im.format in ("JPEG", "MPO"):
        per_unit, unit = im.info.get("jfif_density", (0, 0)), im.info.get("jfif_unit", 0)
        dpi = tuple(v * (_MM_PER_INCH / _MM_PER_CM if unit == 2 else 1) for v in per_unit) if unit in (1, 2) else ()
    else:
        dpi = im.info.get("dpi", ())
    return _plausible(tuple(dpi))


def _resolution(exif: Exif) -> tuple[float, float] | None:
    """Pixels per inch as EXIF and TIFF tell them."""
    unit = (integers(exif.main, Tag.RESOLUTION_UNIT, exif.order) or (_INCH,))[0]
    found = [number(exif.main, tag, exif.order) or 0.0 for tag in (Tag.X_RESOLUTION, Tag.Y_RESOLUTION)]
    scale = {_INCH: 1.0, _CENTIMETRE: _MM_PER_INCH / _MM_PER_CM}.get(unit, 0.0)
    return _plausible(tuple(v * scale for v in found))


def _plausible(dpi: tuple[float, ...]) -> tuple[float, float] | None:
    """A pair of values that every format can hold; anything else says nothing."""
    return (float(dpi[0]), float(dpi[1])) if len(dpi) == 2 and all(0.5 <= v < 1 << 16 for v in dpi) else None


def _raw_profile(text: object) -> bytes | None:
    """A block that older programs put into PNG text: a name, its length, then hexadecimal digits."""
    if not isinstance(text, str):
        return None
    try:
        return bytes.fromhex("".join(text.split("\n")[3:])) or None
    except ValueError:
        return None


def _resource(data: bytes | None) -> bytes | None:
    """IPTC among Photoshop's resources; what are no resources is IPTC itself."""
    data = (data or b"").removeprefix(_PHOTOSHOP_MARK)
    if not data.startswith(b"8BIM"):
        return data or None
    at = 0
    while data[at : at + 4] == b"8BIM" and at + 12 <= len(data):
        (kind,) = struct.unpack(">H", data[at + 4 : at + 6])
        named = at + 6 + (data[at + 6] // 2 + 1) * 2
        if named + 4 > len(data):
            break
        (length,) = struct.unpack(">I", data[named : named + 4])
        if kind == _IPTC_RESOURCE:
            return data[named + 4 : named + 4 + length] or None
        at = named + 4 + length + length % 2
    return None


# --- writing -------------------------------------------------------------------------------------------------------------


def png_chunks(metadata: Metadata) -> bytes:
    """Chunks that belong after the header of a PNG file."""
    found: list[bytes] = []
    if metadata.dpi:
        per_metre = [round(v / _MM_PER_INCH * 1000) for v in metadata.dpi]
        found.append(png_chunk(b"pHYs", struct.pack(">IIB", *per_metre, 1)))
    text = dict(metadata.text)
    if metadata.comment and _COMMENT_KEY not in text:
        text[_COMMENT_KEY] = _decoded(metadata.comment)
    if metadata.iptc:
        block = _resource_of(metadata.iptc).hex()
        lines = "\n".join(block[i : i + 72] for i in range(0, len(block), 72))
        found.append(png_chunk(b"zTXt", _IPTC_KEY.encode() + b"\0\0" + zlib.compress(_raw_lines(len(block) // 2, lines))))
    if metadata.xmp:
        found.append(png_chunk(b"iTXt", _XMP_KEY.encode() + b"\0\0\0\0\0" + metadata.xmp))
    return b"".join(found + [_text_chunk(key, value) for key, value in text.items()])


def _raw_lines(length: int, lines: str) -> bytes:
    return f"\niptc\n{length:8d}\n{lines}\n".encode("latin-1")


def _text_chunk(key: str, value: str) -> bytes:
    """Latin-1 as tEXt, which all programs read, the rest as iTXt."""
    name = key.encode("latin-1", "replace")
    try:
        if not isinstance(value, iTXt):
            return png_chunk(b"tEXt", name + b"\0" + value.encode("latin-1"))
    except UnicodeEncodeError:
        pass
    language, translated = (str(getattr(value, part, None) or "").encode() for part in ("lang", "tkey"))
    return png_chunk(b"iTXt", name + b"\0\0\0" + language + b"\0" + translated + b"\0" + value.encode())


def png_chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk with its length and checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def with_segments(jpeg: bytes, metadata: Metadata, path: Path) -> bytes:
    """A JPEG with XMP, IPTC and comment behind its application segments."""
    wanted = {
        "XMP": (b"\xff\xe1", metadata.xmp and _XMP_MARK + metadata.xmp),
        "IPTC": (b"\xff\xed", metadata.iptc and _PHOTOSHOP_MARK + _resource_of(metadata.iptc)),
        "the comment": (b"\xff\xfe", metadata.said),
    }
    segments = bytearray()
    for name, (marker, body) in wanted.items():
        if body and len(body) > _SEGMENT_BYTES:
            log.warning("%s: left out %s, %d bytes, more than a JPEG can hold.", path, name, len(body))
        elif body:
            segments += marker + struct.pack(">H", len(body) + 2) + body
    at = 2
    while jpeg[at] == 0xFF and 0xE0 <= jpeg[at + 1] <= 0xEF:
        at += 2 + struct.unpack(">H", jpeg[at + 2 : at + 4])[0]
    return jpeg[:at] + bytes(segments) + jpeg[at:]


def directory_entries(metadata: Metadata) -> Entries:
    """Little-endian entries of the main directory of a TIFF file."""
    entries: Entries = {}
    if metadata.xmp:
        entries[_XMP_TAG] = (BYTE, metadata.xmp)
    if metadata.iptc:
        entries[_IPTC_TAG] = (UNDEFINED, metadata.iptc)
    if metadata.dpi:
        for tag, value in zip((Tag.X_RESOLUTION, Tag.Y_RESOLUTION), metadata.dpi, strict=True):
            entries[tag] = (RATIONAL, struct.pack("<II", round(value * _RATIONAL_PARTS), _RATIONAL_PARTS))
        entries[Tag.RESOLUTION_UNIT] = (SHORT, struct.pack("<H", _INCH))
    return entries


def with_resolution(block: bytes | None, metadata: Metadata) -> bytes | None:
    """An EXIF block that also tells the resolution, for formats that have no other place for it."""
    exif = parse(block)
    if metadata.dpi is None or Tag.X_RESOLUTION in exif.main:
        return block
    entries = directory_entries(Metadata(dpi=metadata.dpi))
    if exif.order == ">":
        entries = swapped(entries)
    return block_of(Exif(exif.directories | {0: exif.main | entries}, exif.order))


def report_lost(path: Path, metadata: Metadata, held: set[str]) -> None:
    """Say what of the metadata the file's type cannot hold.

    Args:
        held: names of the attributes of `Metadata` that it holds.
    """
    text = [key for key, _ in metadata.text if not (key == _COMMENT_KEY and "comment" in held)]
    lost = {
        "xmp": "XMP",
        "iptc": "IPTC",
        "comment": "the comment",
        "text": f"the PNG text {', '.join(text)}",
        "dpi": "resolution",
    }
    has = {"xmp": metadata.xmp, "iptc": metadata.iptc, "comment": metadata.comment, "text": text, "dpi": metadata.dpi}
    names = [lost[name] for name, value in has.items() if value and name not in held]
    if names:
        log.warning("%s: a %s file cannot hold %s of the photo.", path, path.suffix.lower(), " and ".join(names))


def _resource_of(iptc: bytes) -> bytes:
    """IPTC as one of Photoshop's resources."""
    head = b"8BIM" + struct.pack(">HHI", _IPTC_RESOURCE, 0, len(iptc))
    return head + iptc + b"\0" * (len(iptc) % 2)


def _decoded(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode("latin-1")
