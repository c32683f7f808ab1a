"""TIFF by its specification: what samples mean, and every way in which they are stored."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from refocus_core.files.pictures import Picture, PictureError, load, load_map, save

Compress = Callable[[bytes], bytes]


def lzw(data: bytes) -> bytes:
    """LZW of TIFF 6.0 without a dictionary: every byte as a code of 9 bits, cleared before codes grow longer."""
    bits = ""
    for i in range(0, len(data), 200):
        bits += f"{256:09b}" + "".join(f"{b:09b}" for b in data[i : i + 200])
    bits += f"{257:09b}"
    return bytes(int(bits[i : i + 8].ljust(8, "0"), 2) for i in range(0, len(bits), 8))


def packbits(data: bytes) -> bytes:
    """Literal runs only."""
    return b"".join(bytes([len(part) - 1]) + part for part in (data[i : i + 100] for i in range(0, len(data), 100)))


def flipped(data: bytes) -> bytes:
    return bytes(int(f"{b:08b}"[::-1], 2) for b in data)


def write(
    path: Path,
    values: np.ndarray,
    *,
    order: str = "<",
    big: bool = False,
    photometric: int = 2,
    extra: tuple[int, ...] | None = None,
    compression: tuple[int, Compress] = (1, bytes),
    predictor: int = 1,
    rows: int = 5,
    planar: bool = False,
    **more: int,
) -> Path:
    """A TIFF of [H,W,C], put together as the specification words it."""
    h, w, c = values.shape
    kind = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    stored = values.astype(values.dtype.newbyteorder("<" if order == "<" else ">"))
    if predictor == 2:
        stored = np.diff(values, axis=1, prepend=np.zeros_like(values[:, :1])).astype(stored.dtype)
    parts = [stored[..., i : i + 1] for i in range(c)] if planar else [stored]
    strips = [compression[1](np.ascontiguousarray(p[y : y + rows]).tobytes()) for p in parts for y in range(0, h, rows)]
    word = "Q" if big else "I"
    head = 16 if big else 8
    offsets = [head + sum(map(len, strips[:i])) for i in range(len(strips))]
    tags: dict[int, tuple[str, tuple[int, ...]]] = {
        256: ("I", (w,)),
        257: ("I", (h,)),
        258: ("H", (8 * values.itemsize,) * c),
        259: ("H", (compression[0],)),
        262: ("H", (photometric,)),
        266: ("H", (more.get("fill_order", 1),)),
        273: (word, tuple(offsets)),
        277: ("H", (c,)),
        278: ("I", (rows,)),
        279: (word, tuple(map(len, strips))),
        284: ("H", (2 if planar else 1,)),
        317: ("H", (predictor,)),
        339: ("H", (kind,) * c),
    }
    if extra is not None:
        tags[338] = ("H", extra)
    pixels = b"".join(strips)
    pixels += b"\0" * (len(pixels) % 2)
    at = head + len(pixels)
    inside = 8 if big else 4
    table, tail = b"", b""
    after = at + (8 + 20 * len(tags) + 8 if big else 2 + 12 * len(tags) + 4)
    for tag in sorted(tags):
        form, numbers = tags[tag]
        body = struct.pack(f"{order}{len(numbers)}{form}", *numbers)
        field = body.ljust(inside, b"\0") if len(body) <= inside else struct.pack(order + word, after + len(tail))
        tail += body + b"\0" * (len(body) % 2) if len(body) > inside else b""
        table += struct.pack(order + "HH" + word, tag, {"H": 3, "I": 4, "Q": 16}[form], len(numbers)) + field
    mark = b"II" if order == "<" else b"MM"
    start = struct.pack(order + "HHHQ", 43, 8, 0, at) if big else struct.pack(order + "HI", 42, at)
    count = struct.pack(order + ("Q" if big else "H"), len(tags))
    path.write_bytes(mark + start + pixels + count + table + b"\0" * inside + tail)
    return path


def samples(c: int, dtype: str = "u2", seed: int = 0) -> np.ndarray:
    """[13,9,c] over the whole range."""
    g = np.random.default_rng(seed)
    top = 1 if dtype[0] == "f" else np.iinfo(dtype).max
    return (g.random((13, 9, c)) * top).astype(dtype)


def levels(picture: Picture, top: int) -> np.ndarray:
    """[H,W,3] as integers."""
    return (picture.image[0].permute(1, 2, 0).numpy() * top).round().astype(np.int64)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("predictor", [1, 2])
@pytest.mark.parametrize(
    "compression", [(1, bytes), (8, zlib.compress), (5, lzw), (32773, packbits)], ids=["raw", "deflate", "lzw", "packbits"]
)
def test_16_bits_come_in_whole_however_they_are_stored(
    tmp_path: Path, order: str, big: bool, planar: bool, predictor: int, compression: tuple[int, Compress]
) -> None:
    values = samples(3)
    path = tmp_path / "a.tif"
    write(path, values, order=order, big=big, planar=planar, predictor=predictor, compression=compression)
    picture = load(path)
    assert picture.bits == 16 and picture.alpha is None
    assert np.array_equal(levels(picture, 65535), values)


def test_other_readers_agree_about_the_files_of_these_tests(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile", reason="needs tifffile: run `bash scripts/setup.sh tests`")
    for order, big, planar in (("<", False, False), (">", False, False), ("<", True, False), (">", True, True)):
        values = samples(3)
        read = tifffile.imread(write(tmp_path / "a.tif", values, order=order, big=big, planar=planar))
        assert np.array_equal(read.transpose(1, 2, 0) if planar else read, values)
    with Image.open(write(tmp_path / "a.tif", samples(1, "u1"), photometric=1, compression=(5, lzw))) as im:
        assert np.array_equal(np.asarray(im), samples(1, "u1")[..., 0])


@pytest.mark.parametrize("dtype", ["u1", "u2"])
@pytest.mark.parametrize("colours", [1, 3])
def test_premultiplied_and_straight_alpha_give_the_same_picture(tmp_path: Path, dtype: str, colours: int) -> None:
    top, photometric = np.iinfo(dtype).max, 2 if colours == 3 else 1
    straight = samples(colours + 1, dtype)
    straight[0, 0, -1], straight[0, 1, -1] = 0, top
    coverage = straight[..., -1:] / top
    multiplied = np.concatenate([np.rint(straight[..., :-1] * coverage), straight[..., -1:]], 2).astype(dtype)
    a = load(write(tmp_path / "s.tif", straight, extra=(2,), photometric=photometric))
    b = load(write(tmp_path / "m.tif", multiplied, extra=(1,), photometric=photometric))
    assert a.bits == b.bits == 8 * np.dtype(dtype).itemsize
    assert a.alpha is not None and b.alpha is not None and np.array_equal(a.alpha.numpy(), b.alpha.numpy())
    seen = coverage[..., 0] > 0
    limit = 0.51 / np.maximum(coverage, 1 / top) + 1  # half a step, divided by what it was multiplied by
    assert (np.abs(levels(a, top) - levels(b, top)) <= limit)[seen].all()
    assert not levels(b, top)[~seen].any(), "nothing is known of colour that covers nothing"


def test_premultiplied_light_in_floating_point(tmp_path: Path) -> None:
    straight = samples(4, "f4") * np.float32(3)
    straight[..., 3] = samples(1, "f4", 1)[..., 0] * 0.9 + 0.1
    multiplied = straight * np.concatenate([straight[..., 3:]] * 3 + [np.ones_like(straight[..., 3:])], 2)
    got = load_map(write(tmp_path / "m.tif", multiplied, extra=(1,)))
    assert np.allclose(got[0].permute(1, 2, 0), straight, rtol=1e-5)


@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_unspecified_extra_channels_are_no_transparency(tmp_path: Path, caplog: pytest.LogCaptureFixture, dtype: str) -> None:
    values, top = samples(5, dtype), np.iinfo(dtype).max
    for channels, extra in ((4, (0,)), (5, (0, 0))):
        picture = load(write(tmp_path / "a.tif", values[..., :channels], extra=extra))
        assert picture.alpha is None and np.array_equal(levels(picture, top), values[..., :3])
    assert "left out 2 extra channels" in caplog.text
    picture = load(write(tmp_path / "a.tif", values, extra=(0, 2)))
    assert picture.alpha is not None and np.array_equal((picture.alpha[0, 0].numpy() * top).round(), values[..., 4])
    picture = load(write(tmp_path / "a.tif", values[..., :4]))
    assert picture.alpha is not None, "one channel more, of which nothing is said, is what most programs mean by RGBA"


@pytest.mark.parametrize("dtype", ["u1", "u2"])
@pytest.mark.parametrize("compression", [(1, bytes), (5, lzw)], ids=["raw", "lzw"])
def test_grey_whose_white_is_zero(tmp_path: Path, dtype: str, compression: tuple[int, Compress]) -> None:
    values, top = samples(2, dtype), np.iinfo(dtype).max
    picture = load(write(tmp_path / "a.tif", values[..., :1], photometric=0, compression=compression))
    assert np.array_equal(levels(picture, top), np.broadcast_to(top - values[..., :1].astype(int), (13, 9, 3)))
    picture = load(write(tmp_path / "a.tif", values, photometric=0, extra=(2,), compression=compression))
    assert picture.alpha is not None and np.array_equal((picture.alpha[0, 0].numpy() * top).round(), values[..., 1])
    assert np.array_equal(levels(picture, top)[..., 0], top - values[..., 0].astype(int))


def test_bits_in_the_other_order(tmp_path: Path) -> None:
    values = samples(3)
    for number, pack in ((1, bytes), (8, zlib.compress), (5, lzw)):
        path = write(tmp_path / "a.tif", values, compression=(number, lambda d, pack=pack: flipped(pack(d))), fill_order=2)
        assert np.array_equal(levels(load(path), 65535), values)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_floating_point_of_any_width(tmp_path: Path, dtype: str, order: str) -> None:
    for channels, photometric in ((1, 1), (3, 2)):
        values = samples(channels, dtype)
        got = load_map(write(tmp_path / "a.tif", values, order=order, photometric=photometric))
        assert np.array_equal(got[0].permute(1, 2, 0), values.astype(np.float32))


def test_16_bit_grey_of_either_byte_order(tmp_path: Path) -> None:
    for order in "<>":
        values = samples(1)
        assert np.array_equal(levels(load(write(tmp_path / "a.tif", values, order=order, photometric=1)), 65535)[..., :1], values)


@pytest.mark.parametrize(
    "options,message",
    [
        ({"photometric": 5, "values": samples(4, "u1"), "extra": None}, "CMYK"),
        ({"photometric": 8}, "Lab"),
        ({"photometric": 8, "values": samples(3, "u1")}, "Lab"),
        ({"values": samples(3, "u4")}, "32 bits of kind 1"),
        ({"values": samples(3, "i2")}, "16 bits of kind 2"),
        ({"values": samples(2)}, "2 channels, photometric 2"),
        ({"compression": (7, bytes)}, "compression 7"),
        ({"compression": (8, lambda d: zlib.compress(d)[:-20])}, "damaged or incomplete"),
        ({"compression": (8, lambda d: b"no deflate" + d)}, "damaged or incomplete"),
        ({"compression": (5, lambda d: lzw(d)[:40])}, "damaged or incomplete"),
        ({"compression": (1, lambda d: d[:-10])}, "damaged or incomplete"),
        ({"values": samples(3)[:, :0]}, "claims to be 0 x 13 px"),
        ({"rows": 0, "values": samples(3)}, "damaged"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, options: dict[str, object], message: str) -> None:
    given = {"values": samples(3), **options}
    if given.get("rows") == 0:
        path = write(tmp_path / "a.tif", samples(3), rows=13)
        path.write_bytes(path.read_bytes().replace(struct.pack("<HHII", 278, 4, 1, 13), struct.pack("<HHII", 278, 4, 1, 0)))
    else:
        path = write(tmp_path / "a.tif", **given)  # pyright: ignore[reportArgumentType] - a table of cases
    with pytest.raises(PictureError, match=message) as caught:
        load(path)
    assert str(path) in str(caught.value)


def test_a_tile_may_be_larger_than_the_picture(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile", reason="needs tifffile: run `bash scripts/setup.sh tests`")
    values = samples(3)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb", tile=(64, 32), compression="zlib")
    assert np.array_equal(levels(load(tmp_path / "a.tif"), 65535), values)


def test_grey_png_of_16_bits_keeps_its_transparent_grey(tmp_path: Path) -> None:
    values = samples(1)[..., 0]
    save(tmp_path / "a.png", load(write(tmp_path / "a.tif", values[..., None], photometric=1)).image[:, :1], bits=16)
    data = (tmp_path / "a.png").read_bytes()
    body = b"tRNS" + struct.pack(">H", int(values[4, 4]))
    chunk = struct.pack(">I", 2) + body + struct.pack(">I", zlib.crc32(body))
    (tmp_path / "a.png").write_bytes(data[:33] + chunk + data[33:])
    picture = load(tmp_path / "a.png")
    assert picture.bits == 16 and np.array_equal(levels(picture, 65535)[..., 0], values)
    assert picture.alpha is not None and np.array_equal(picture.alpha[0, 0].numpy(), (values != values[4, 4]).astype(np.float32))
