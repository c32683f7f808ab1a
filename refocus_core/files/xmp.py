"""XMP of a JPEG: its packets as trees, and where the picture ends, behind which phones append more pictures.

XMP lies in APP1 segments, which end at 64 KiB; what is larger is cut into chunks of an extended packet and put together again
here (Adobe XMP specification, part 3, section 1.1.3). Packets come from strangers: document types, with which XML can be made to
grow or to read other files, are refused, and sizes are limited.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree

_PACKET, _CHUNK = b"http://ns.adobe.com/xap/1.0/\0", b"http://ns.adobe.com/xmp/extension/\0"
"""How an APP1 segment with a packet begins, and one with a chunk of the extended packet."""
_LARGEST_PACKET = 64 << 20
"""Bytes of an extended packet that are read. A larger one takes more memory; depth in base64 is below 10 MiB."""
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""The next marker, also behind compressed data: there 0xff is followed by 0 or a restart."""
_APP1, _START_OF_SCAN, _END_OF_IMAGE = 0xE1, 0xDA, 0xD9
"""Second bytes of markers (ITU-T T.81, table B.1)."""
_DECLARATION = re.compile(r"<!\s*(DOCTYPE|ENTITY)", re.IGNORECASE)
"""What makes XML more than elements; XMP has none."""
_NOTE = "http://ns.adobe.com/xmp/note/"
"""Namespace of the property that names the extended packet."""


def is_jpeg(data: bytes) -> bool:
    """Whether a file begins as a JPEG does."""
    return data[:3] == b"\xff\xd8\xff"


def packets(jpeg: bytes) -> list[ElementTree.Element]:
    """The XMP of a JPEG: a tree for the packet, and one for the extended packet that it names; empty where there is none.

    Raises:
        ValueError: if a packet is cut off, too large, no XML, or declares a document type.
    """
    parts = [jpeg[s.start : s.end] for s in _segments(jpeg, header_only=True) if s.marker == _APP1]
    trees = [tree(part.removeprefix(_PACKET)) for part in parts if part.startswith(_PACKET)]
    names = [p["HasExtendedXMP"] for t in trees for e in t.iter() if "HasExtendedXMP" in (p := properties(e, _NOTE))]
    for name in names[:1]:
        trees.append(tree(_extended([part.removeprefix(_CHUNK) for part in parts if part.startswith(_CHUNK)], name)))
    return trees


def properties(element: ElementTree.Element, namespace: str) -> dict[str, str]:
    """What an element says in a namespace, name -> text; RDF allows attributes and elements for the same."""
    prefix = f"{{{namespace}}}"
    said = {name: value for name, value in element.attrib.items() if name.startswith(prefix)}
    said |= {child.tag: child.text for child in element if child.tag.startswith(prefix) and child.text}
    return {name.removeprefix(prefix): value.strip() for name, value in said.items()}


def picture_end(jpeg: bytes) -> int:
    """Where the first picture of a file ends, in bytes; all scans are passed.

    Raises:
        ValueError: if the file ends before.
    """
    return [segment.end for segment in _segments(jpeg)][-1]


@dataclass(frozen=True)
class _Segment:
    """A marker and where its content lies."""

    marker: int
    start: int
    end: int


def _segments(jpeg: bytes, *, header_only: bool = False) -> Iterator[_Segment]:
    """All segments up to the end of the picture, or up to its first scan."""
    position = 2
    while (found := _MARKER.search(jpeg, position)) is not None:
        marker, start = jpeg[found.start() + 1], found.end()
        if marker == _END_OF_IMAGE:
            yield _Segment(marker, start, start)
            return
        length = int.from_bytes(jpeg[start : start + 2], "big")
        position = start + length
        if length < 2 or position > len(jpeg):
            break
        if header_only and marker == _START_OF_SCAN:
            return
        yield _Segment(marker, start + 2, position)
    raise ValueError("the JPEG is cut off")


def _extended(chunks: list[bytes], name: str) -> bytes:
    """The extended packet of that name (32 characters), from chunks that begin with name, whole length and own place."""
    mine = sorted((int.from_bytes(c[36:40], "big"), c[40:]) for c in chunks if c[:32] == name.encode())
    lengths = {int.from_bytes(c[32:36], "big") for c in chunks if c[:32] == name.encode()}
    whole = b"".join(content for _, content in mine)
    if max(lengths, default=0) > _LARGEST_PACKET:
        raise ValueError(f"its extended XMP is larger than {_LARGEST_PACKET >> 20} MiB")
    places = [sum(len(content) for _, content in mine[:i]) for i in range(len(mine))]
    if [place for place, _ in mine] != places or lengths != {len(whole)}:
        raise ValueError("its extended XMP is incomplete")
    return whole


def tree(packet: bytes) -> ElementTree.Element:
    text = packet.strip(b"\0 \r\n\t").decode("utf-8-sig")
    if _DECLARATION.search(text):
        raise ValueError("its XMP declares a document type, which XMP must not have")
    try:
        return ElementTree.fromstring(text)  # noqa: S314  # nosec B314  # without a document type there are no entities to expand
    except ElementTree.ParseError as error:
        raise ValueError(f"its XMP is no XML ({error})") from error
