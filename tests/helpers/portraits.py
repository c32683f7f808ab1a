"""Photos as phones store them: JPEG files with depth beside their pixels, written by the words of the formats."""

from __future__ import annotations

import base64
import io

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image

Array = npt.NDArray[np.float64]
GUID = "0123456789ABCDEF0123456789ABCDEF"
RDF = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">{}</rdf:RDF></x:xmpmeta>'
CHUNK = 65_000
"""Bytes of an extended packet in one segment."""


def exif(orientation: int = 1) -> Image.Exif:
    """A phone's lens: 6.81 mm, f/1.85, as 25 mm on film, focused at 1.6 m."""
    block = Image.Exif()
    block[ExifTags.Base.Orientation] = orientation
    details = block.get_ifd(ExifTags.IFD.Exif)
    details[ExifTags.Base.FNumber], details[ExifTags.Base.FocalLength] = 1.85, 6.81
    details[ExifTags.Base.FocalLengthIn35mmFilm], details[ExifTags.Base.SubjectDistance] = 25, 1.6
    return block


def jpeg(
    width: int = 64,
    height: int = 48,
    orientation: int = 1,
    pixels: npt.NDArray[np.uint8] | None = None,
    lens: Image.Exif | None = None,
) -> bytes:
    """A plain photo: progressive, so that it has several scans; `lens` in place of that of `exif`."""
    if pixels is None:
        pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", progressive=True, quality=90, exif=exif(orientation) if lens is None else lens)
    return file.getvalue()


def encoded(distance: Array, near: float, far: float, spacing: str, bits: int = 8) -> bytes:
    """Distances as a grey PNG of 8 or 16 bits."""
    share = (distance - near) / (far - near)
    if spacing == "RangeInverse":
        share = share * far / distance
    levels = np.rint(share * (2**bits - 1)).astype(np.uint8 if bits == 8 else np.uint16)
    file = io.BytesIO()
    Image.fromarray(levels).save(file, "PNG")
    return file.getvalue()


def app1(content: bytes) -> bytes:
    return b"\xff\xe1" + (len(content) + 2).to_bytes(2, "big") + content


def packet(xmp: str) -> bytes:
    return app1(b"http://ns.adobe.com/xap/1.0/\0" + xmp.encode())


def with_segments(photo: bytes, *segments: bytes) -> bytes:
    return photo[:2] + b"".join(segments) + photo[2:]


def gdepth(photo: bytes, picture: bytes, *, extended: bool = False, **said: object) -> bytes:
    """GDepth; `extended` puts the data into the extended packet, as what is larger than a segment has to be."""
    space = 'xmlns:GDepth="http://ns.google.com/photos/1.0/depthmap/"'
    words = " ".join(f'GDepth:{name}="{value}"' for name, value in said.items())
    data = f'GDepth:Data="{base64.b64encode(picture).decode()}"'
    if not extended:
        return with_segments(photo, packet(RDF.format(f"<rdf:Description {space} {words} {data}/>")))
    note = f'xmlns:xmpNote="http://ns.adobe.com/xmp/note/" xmpNote:HasExtendedXMP="{GUID}"'
    whole = RDF.format(f"<rdf:Description {space} {data}/>").encode()
    chunks = [
        app1(
            b"http://ns.adobe.com/xmp/extension/\0"
            + GUID.encode()
            + len(whole).to_bytes(4, "big")
            + i.to_bytes(4, "big")
            + whole[i : i + CHUNK]
        )
        for i in range(0, len(whole), CHUNK)
    ]
    return with_segments(photo, packet(RDF.format(f"<rdf:Description {space} {note} {words}/>")), *reversed(chunks))


def dynamic_depth(photo: bytes, picture: bytes, *, before: bytes = b"", padding: int = 0, **said: object) -> bytes:
    """Dynamic Depth 1.0: the depth appended, behind another picture if given. Properties are elements, items attributes."""
    root = "http://ns.google.com/photos/dd/1.0/"
    spaces = " ".join(f'xmlns:{n}="{root}{n.lower()}/"' for n in ("Device", "Container", "Item", "Camera", "DepthMap"))
    appended = [("image/jpeg", "android/original", before)] if before else []
    appended.append(("image/png", "android/depthmap", picture))
    items = [f'<Container:Item Item:Mime="image/jpeg" Item:Length="0" Item:Padding="{padding}" Item:DataURI="primary_image"/>']
    items += [f'<Container:Item Item:Mime="{m}" Item:Length="{len(p)}" Item:DataURI="{uri}"/>' for m, uri, p in appended]
    listed = "".join(f'<rdf:li rdf:parseType="Resource">{item}</rdf:li>' for item in items)
    words = {"ItemSemantic": "Depth", **said, "DepthURI": "android/depthmap"}
    described = "".join(f"<DepthMap:{name}>{value}</DepthMap:{name}>" for name, value in words.items())
    xmp = RDF.format(
        f"<rdf:Description {spaces}><Device:Container><Container:Directory><rdf:Seq>{listed}</rdf:Seq></Container:Directory>"
        f'</Device:Container><Device:Cameras><rdf:Seq><rdf:li><Device:Camera rdf:parseType="Resource"><Camera:DepthMap '
        f'rdf:parseType="Resource">{described}</Camera:DepthMap></Device:Camera></rdf:li></rdf:Seq></Device:Cameras>'
        "</rdf:Description>"
    )
    return with_segments(photo, packet(xmp)) + bytes(padding) + b"".join(p for _, _, p in appended)
