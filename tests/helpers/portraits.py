"""Photos as phones store them: JPEG and HEIC files with depth beside their pixels, written by the words of the formats."""

from __future__ import annotations

import base64
import io
import math
import struct

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


def iphone_jpeg(values: npt.NDArray[np.uint8], orientation: int, **said: object) -> bytes:
    """A photo with a second picture [h,w], of disparity, which its XMP describes; both lie as the sensor does."""
    lens, file = exif(orientation), io.BytesIO()
    lens[ExifTags.Base.Make] = "Apple"
    h, w = values.shape
    photo = Image.new("RGB", (2 * w, 2 * h), (90, 120, 60))
    photo.save(file, "MPO", save_all=True, append_images=[Image.fromarray(values)], exif=lens, quality=100)
    whole = file.getvalue()
    second = whole.rindex(b"\xff\xd8\xff")
    words = "".join(f"<apdi:{name}>{value}</apdi:{name}>" for name, value in said.items())
    space = 'xmlns:apdi="http://ns.apple.com/pixeldatainfo/1.0/"'
    xmp = packet(RDF.format(f"<rdf:Description {space}>{words}</rdf:Description>"))
    return whole[:second] + with_segments(whole[second:], xmp)


# --- HEIC: boxes of ISO/IEC 14496-12 and 23008-12 ------------------------------------------------------------------------


def heic(photo: npt.NDArray[np.uint8], values: npt.NDArray[np.uint8], lens: Image.Exif, **said: float) -> bytes:
    """A photo with a grey auxiliary picture of depth. `said`: its representation information, by pillow-heif's names."""
    import pillow_heif

    pillow_heif.register_heif_opener()
    file = io.BytesIO()
    Image.fromarray(photo).save(
        file, "HEIF", save_all=True, append_images=[Image.fromarray(values)], exif=lens.tobytes(), quality=-1, chroma=444
    )
    return _made_auxiliary(file.getvalue(), _representation(**said) if said else b"")


def _representation(representation_type: int, **limits: float) -> bytes:
    """A list of one message with depth representation information (ITU-T H.265, G.14.2.3), both with their length before them."""
    names = ("z_near", "z_far", "d_min", "d_max")
    bits = "".join("01"[name in limits] for name in names) + _golomb(representation_type)
    if "d_min" in limits or "d_max" in limits:
        bits += _golomb(0)
    for name in names:
        if name in limits:
            bits += _real(limits[name])
    bits += "1"
    body = int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")
    message = b"\x4e\x01" + bytes([177, len(body)]) + body
    return struct.pack(">II", len(message) + 4, len(message)) + message


def _golomb(value: int) -> str:
    binary = f"{value + 1:b}"
    return "0" * (len(binary) - 1) + binary


def _real(value: float) -> str:
    """Sign, exponent, length of the mantissa and mantissa."""
    if value == 0:
        return "0" + f"{0:07b}" + f"{31:05b}" + "0" * 32
    exponent = math.floor(math.log2(abs(value)))
    mantissa = round((abs(value) / 2**exponent - 1) * 2**32)
    return f"{int(value < 0)}{exponent + 31:07b}{31:05b}{mantissa:032b}"


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body) + 8) + kind + body


def _boxes(data: bytes) -> list[tuple[bytes, bytes]]:
    found, at = [], 0
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        found.append((data[at + 4 : at + 8], data[at + 8 : at + length]))
        at += length
    return found


def _made_auxiliary(file: bytes, message: bytes) -> bytes:
    """The second picture of a file becomes the first one's depth."""
    kind = b"\0\0\0\0urn:mpeg:hevc:2015:auxid:2\0" + message
    top = _boxes(file)
    meta = dict(top)[b"meta"]
    inner = [(name, body) for name, body in _boxes(meta[4:]) if name != b"iref"]
    items = [struct.unpack_from(">H", body, 4)[0] for _, body in _boxes(dict(inner)[b"iinf"][6:]) if body[8:12] == b"hvc1"]
    properties = dict(_boxes(dict(inner)[b"iprp"]))
    count = len(_boxes(properties[b"ipco"]))
    ipco = properties[b"ipco"] + _box(b"auxC", kind)
    ipma = _with_property(properties[b"ipma"], items[1], count + 1)
    references = [body for name, body in _boxes(meta[4:]) if name == b"iref"]
    iref = (references[0] if references else bytes(4)) + _box(b"auxl", struct.pack(">HHH", items[1], 1, items[0]))
    changed = {b"iprp": _box(b"ipco", ipco) + _box(b"ipma", ipma)}
    inner = [(name, changed.get(name, body)) for name, body in inner] + [(b"iref", iref)]
    grown = 4 + sum(len(body) + 8 for _, body in inner) - len(meta)
    inner = [(name, _moved(body, grown) if name == b"iloc" else body) for name, body in inner]
    made = meta[:4] + b"".join(_box(name, body) for name, body in inner)
    return b"".join(_box(name, made if name == b"meta" else body) for name, body in top)


def _with_property(ipma: bytes, item: int, index: int) -> bytes:
    """Version 0 with indices of 7 bits."""
    assert ipma[:4] == bytes(4)
    (entries,) = struct.unpack_from(">I", ipma, 4)
    out, at = ipma[:8], 8
    for _ in range(entries):
        (number,), length = struct.unpack_from(">H", ipma, at), ipma[at + 2]
        own = ipma[at + 3 : at + 3 + length] + (bytes([0x80 | index]) if number == item else b"")
        out += struct.pack(">HB", number, len(own)) + own
        at += 3 + length
    return out


def _moved(iloc: bytes, by: int) -> bytes:
    """Version 0 with sizes of 4 bytes: every extent lies `by` bytes further on."""
    assert iloc[:6] == b"\0\0\0\0\x44\x40"
    (items,) = struct.unpack_from(">H", iloc, 6)
    out, at = bytearray(iloc), 8
    for _ in range(items):
        (extents,) = struct.unpack_from(">H", iloc, at + 8)
        for extent in range(extents):
            (offset,) = struct.unpack_from(">I", iloc, at + 10 + 8 * extent)
            struct.pack_into(">I", out, at + 10 + 8 * extent, offset + by)
        at += 10 + 8 * extents
    return bytes(out)
