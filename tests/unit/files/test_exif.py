"""EXIF of any language and in any state: it travels as it was, or is left out, and never stops a picture."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from refocus_core.files.directories import TYPE_BYTES, Entries
from refocus_core.files.exif import EXIF_LIMIT, Exif, block_of, parse
from refocus_core.files.pictures import load, save

SUFFIXES = (".jpg", ".png", ".webp", ".tif")
COPYRIGHT = "© 2026 Jörg Müller, 東京".encode()


def block(main: Entries, order: str = "<", **parts: Entries) -> bytes:
    """An EXIF block of a main directory and, by name, those for details, place and interoperability."""
    pointers = {"details": 0x8769, "place": 0x8825, "shared": 0xA005}
    made = block_of(Exif({0: main} | {pointers[name]: entries for name, entries in parts.items()}, order))
    assert made is not None
    return made


def photo(path: Path, exif: bytes, size: tuple[int, int] = (6, 4)) -> Path:
    """A picture with this block, put there as it is."""
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG")
    data = buffer.getvalue()
    path.write_bytes(data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:])
    return path


def carried(source: Path, suffix: str) -> Path:
    """The picture, read and written as another type."""
    picture = load(source)
    target = source.with_name(f"out{suffix}")
    save(target, picture.image, exif=picture.exif)
    return target


def main_directory(path: Path) -> Entries:
    """Entries of the main directory as bytes in the file."""
    if path.suffix == ".tif":
        return parse(path.read_bytes()).main
    with Image.open(path) as im:
        im.load()
        return parse(im.info.get("exif")).main


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_text_beyond_ascii_keeps_its_bytes(tmp_path: Path, suffix: str) -> None:
    exif = block({tag: (2, COPYRIGHT + b"\0") for tag in (0x010E, 0x013B, 0x8298)})
    found = main_directory(carried(photo(tmp_path / "a.jpg", exif), suffix))
    assert all(found[tag] == (2, COPYRIGHT + b"\0") for tag in (0x010E, 0x013B, 0x8298))


def test_camera_names_are_read_in_utf_8_and_latin_1(tmp_path: Path) -> None:
    for name in ("Kamera Ü 東".encode(), "Kamera Ü".encode("latin-1")):
        picture = load(photo(tmp_path / "a.jpg", block({0x0110: (2, name + b"\0")})))
        assert picture.camera.model.startswith("Kamera Ü")


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("kind", sorted(TYPE_BYTES))
@pytest.mark.parametrize("tag", [0x010F, 0x010E, 0x0112, 0x011A, 0x0128])
def test_no_type_of_an_entry_stops_a_picture(tmp_path: Path, suffix: str, kind: int, tag: int) -> None:
    """And other readers can read what is written, every entry of it."""
    exif = block({tag: (kind, bytes(range(1, 1 + 2 * TYPE_BYTES[kind]))), 0x0131: (2, b"Program\0")})
    target = carried(photo(tmp_path / "a.jpg", exif), suffix)
    with Image.open(target) as im:
        im.load()
        found = im.getexif()
        assert found[0x0131] == "Program"
        assert found.tobytes(), "another program can write it again"


@pytest.mark.parametrize("kind,value", [(1, b"\6"), (3, b"\6\0"), (4, b"\6\0\0\0"), (16, b"\6" + b"\0" * 7)])
def test_an_orientation_of_any_integer_type_turns_the_picture(tmp_path: Path, kind: int, value: bytes) -> None:
    source = photo(tmp_path / "a.jpg", block({0x0112: (kind, value)}))
    assert load(source).image.shape[-2:] == (6, 4)
    assert main_directory(carried(source, ".tif"))[0x0112] == (3, b"\1\0")


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_turns_nothing(tmp_path: Path, value: int) -> None:
    assert load(photo(tmp_path / "a.jpg", block({0x0112: (3, struct.pack("<H", value))}))).image.shape[-2:] == (4, 6)


@pytest.mark.parametrize("order", ["<", ">"])
def test_lens_data_are_read_from_any_numeric_type(tmp_path: Path, order: str) -> None:
    details: Entries = {
        0x829D: (5, struct.pack(order + "II", 28, 10)),
        0x920A: (12, struct.pack(order + "d", 35.0)),
        0xA405: (4, struct.pack(order + "I", 52)),
    }
    camera = load(photo(tmp_path / "a.jpg", block({}, order, details=details))).camera
    assert (camera.f_number, camera.focal_mm) == (2.8, 35.0) and camera.sensor_mm is not None
    details[0x829D] = (5, struct.pack(order + "II", 28, 0))
    assert load(photo(tmp_path / "a.jpg", block({}, order, details=details))).camera.f_number is None


@pytest.mark.parametrize(
    "tag", [254, 258, 259, 262, 266, 273, 278, 284, 301, 317, 320, 322, 338, 339, 347, 530, 531, 33421, 50706]
)
def test_entries_about_the_old_files_pixels_do_not_break_a_tiff(tmp_path: Path, tag: int) -> None:
    source = photo(tmp_path / "a.jpg", block({tag: (3, struct.pack("<H", 7)), 0x0131: (2, b"Program\0")}))
    target = carried(source, ".tif")
    with Image.open(target) as im:
        assert np.array_equal(np.asarray(im), (load(source).image[0].permute(1, 2, 0).numpy() * 255).round())
        assert im.getexif()[0x0131] == "Program"
    for suffix in SUFFIXES:
        assert main_directory(carried(source, suffix)).get(tag) != (3, struct.pack("<H", 7))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_directory_travels_and_its_byte_order_is_minded(tmp_path: Path, order: str, suffix: str) -> None:
    comment = b"UNICODE\0" + "Grüße".encode("utf-16-le" if order == "<" else "utf-16-be")
    exif = block(
        {0x011A: (5, struct.pack(order + "II", 300, 1))},
        order,
        details={0x9286: (7, comment), 0x927C: (7, b"private notes"), 0x8827: (3, struct.pack(order + "H", 400))},
        place={1: (2, b"N\0"), 2: (5, struct.pack(order + "6I", 52, 1, 30, 1, 0, 1))},
        shared={1: (2, b"R98\0")},
    )
    target = carried(photo(tmp_path / "a.jpg", exif), suffix)
    with Image.open(target) as im:
        found = im.getexif()
        assert found[0x011A] == 300 and found.get_ifd(0x8769)[0x8827] == 400 and found.get_ifd(0x8825)[2] == (52, 30, 0)
        assert found.get_ifd(0xA005)[1] == "R98"
        endian = "utf-16-le" if found.endian == "<" else "utf-16-be"
        assert found.get_ifd(0x8769)[0x9286][8:].decode(endian) == "Grüße"
        assert found.get_ifd(0x8769)[0x927C] == b"private notes"


def test_damaged_blocks_never_stop_a_picture(tmp_path: Path) -> None:
    """Bytes of a full block changed at random, and cut anywhere: what is written opens, and its EXIF can be read."""
    g = np.random.default_rng(7)
    whole = block(
        {0x010F: (2, b"Maker\0"), 0x0112: (3, b"\6\0"), 0x011A: (5, b"\1\0\0\0\1\0\0\0")},
        details={0x829D: (5, b"\2\0\0\0\1\0\0\0"), 0xA002: (3, b"\6\0"), 0xA003: (3, b"\4\0"), 0x9286: (7, b"ASCII\0\0\0hello")},
        place={1: (2, b"N\0")},
    )
    for i in range(60):
        bad = bytearray(whole[: int(g.integers(6, len(whole)))] if i % 3 == 0 else whole)
        for at in g.integers(6, len(bad) + 1, 4) if len(bad) > 6 else ():
            bad[at - 1] = int(g.integers(0, 256))
        target = carried(photo(tmp_path / "a.jpg", bytes(bad)), SUFFIXES[i % 4])
        with Image.open(target) as im:
            im.load()
            found = im.getexif()
            assert found is not None and [found.get_ifd(tag) for tag in (0x8769, 0x8825)]


def test_directories_that_point_at_themselves_end(tmp_path: Path) -> None:
    loop = (
        b"Exif\0\0II*\0"
        + struct.pack("<IH", 8, 2)
        + struct.pack("<HHII", 0x8769, 4, 1, 8)
        + struct.pack("<HHII", 0x8825, 4, 1, 8)
    )
    assert load(photo(tmp_path / "a.jpg", loop + b"\0" * 4)).image.shape == (1, 3, 4, 6)


def test_a_block_too_long_for_a_jpeg_loses_its_longest_entries_with_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    long: Entries = {0x927C: (7, b"x" * 40000), 0x9286: (7, b"ASCII\0\0\0" + b"y" * 70000)}
    exif = block({0x0110: (2, b"Camera 1\0")}, details=long)
    Image.new("RGB", (6, 4)).save(tmp_path / "a.png", exif=exif)
    picture = load(tmp_path / "a.png")
    save(tmp_path / "b.png", picture.image, exif=picture.exif)
    assert not caplog.text and len(load(tmp_path / "b.png").exif or b"") > EXIF_LIMIT, "PNG holds it all"
    save(tmp_path / "b.jpg", picture.image, exif=picture.exif)
    assert "private EXIF notes, 40000 bytes" in caplog.text and "EXIF entry 37510, 70008 bytes" in caplog.text
    assert load(tmp_path / "b.jpg").camera.model == "Camera 1"
