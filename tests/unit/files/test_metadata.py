"""XMP, IPTC, comments, PNG text and resolution go from file to file wherever the type of the file can hold them."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
import torch
from PIL import Image, PngImagePlugin

from refocus_core.cli import main
from refocus_core.files.metadata import Metadata
from refocus_core.files.pictures import load, save

XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><r xmp:Rating="5" tiff:Orientation="6"/><tiff:Orientation>6</tiff:Orientation>\n'
UPRIGHT_XMP = XMP.replace(b"6", b"1")
IPTC = b"\x1c\x02\x50\x00\x0cJ\xc3\xb6rg M\xc3\xbcll\x1c\x02\x78\x00\x03cap"
FULL = Metadata(UPRIGHT_XMP, IPTC, "Grüße".encode(), (("workflow", '{"nodes":[]}'), ("prompt", '{"1": "東京"}')), (300.0, 150.0))
# PNG counts whole pixels per metre: 150 per inch are 5905.5, so resolution may be off by 1e-4
KINDS = [(".jpg", 8), (".png", 8), (".png", 16), (".tif", 8), (".tif", 16), (".tif", 32), (".webp", 8)]
IMAGE = torch.rand(1, 3, 4, 6, generator=torch.Generator().manual_seed(0))


def through(folder: Path, suffix: str, bits: int, metadata: Metadata = FULL) -> Metadata:
    save(folder / f"a{suffix}", IMAGE, bits=bits, metadata=metadata)
    return load(folder / f"a{suffix}").metadata


@pytest.mark.parametrize("suffix,bits", KINDS)
def test_each_type_keeps_what_it_can_hold(tmp_path: Path, caplog: pytest.LogCaptureFixture, suffix: str, bits: int) -> None:
    """And names what it cannot."""
    got = through(tmp_path, suffix, bits)
    assert got.xmp == UPRIGHT_XMP
    assert got.dpi == pytest.approx((300, 150), rel=1e-4)
    assert got.iptc == (IPTC if suffix != ".webp" else None) and ("IPTC" in caplog.text) == (suffix == ".webp")
    assert got.said == ("Grüße".encode() if suffix in (".jpg", ".png") else None)
    if suffix == ".png":
        assert dict(got.text) == dict(FULL.text) | {"Comment": "Grüße"}
        assert not caplog.text
    else:
        assert "PNG text workflow, prompt" in caplog.text


@pytest.mark.parametrize("first,bits", KINDS)
@pytest.mark.parametrize("second", [".jpg", ".png", ".tif", ".webp"])
def test_what_both_types_hold_survives_from_one_to_the_other(tmp_path: Path, first: str, bits: int, second: str) -> None:
    got = through(tmp_path, second, 8, through(tmp_path, first, bits))
    assert got.xmp == UPRIGHT_XMP and got.dpi == pytest.approx((300, 150), rel=1e-4)
    if ".webp" not in (first, second):
        assert got.iptc == IPTC


def test_other_programs_find_it_where_they_look(tmp_path: Path) -> None:
    for suffix, bits in KINDS:
        save(tmp_path / f"a{suffix}", IMAGE, bits=bits, metadata=FULL)
        if bits == 32:
            continue
        with Image.open(tmp_path / f"a{suffix}") as im:
            im.load()
            info = im.info
        assert info["xmp"] == UPRIGHT_XMP
        if suffix != ".webp":
            assert info["dpi"] == pytest.approx((300, 150), rel=1e-4)
        if suffix == ".jpg":
            assert info["comment"] == "Grüße".encode() and info["photoshop"][0x0404] == IPTC
        if suffix == ".png":
            assert info["workflow"] == '{"nodes":[]}' and info["prompt"] == '{"1": "東京"}' and info["Comment"] == "Grüße"


def test_a_workflow_behind_the_pixels_is_found_and_stays_readable_text(tmp_path: Path) -> None:
    """ComfyUI reads tEXt; ExifTool puts text behind the pixels."""
    info = PngImagePlugin.PngInfo()
    info.add_text("workflow", '{"nodes":[]}')
    info.add_itxt("XML:com.adobe.xmp", XMP.decode())
    Image.new("RGB", (6, 4)).save(tmp_path / "a.png", pnginfo=info)
    data = (tmp_path / "a.png").read_bytes()
    pixels = data.index(b"IDAT") - 4
    text, rest = data[33:pixels], data[pixels:-12]
    (tmp_path / "a.png").write_bytes(data[:33] + rest + text + data[-12:])
    picture = load(tmp_path / "a.png")
    assert picture.metadata.text == (("workflow", '{"nodes":[]}'),) and picture.metadata.xmp == UPRIGHT_XMP
    assert picture.image.shape[-2:] == (6, 4), "XMP alone may tell the orientation"
    save(tmp_path / "b.png", picture.image, metadata=picture.metadata)
    assert b'tEXtworkflow\0{"nodes":[]}' in (tmp_path / "b.png").read_bytes()


def test_the_resolution_of_a_turned_picture_turns_along(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x011A], exif[0x011B], exif[0x0128] = 6, 300.0, 150.0, 2
    Image.new("RGB", (6, 4)).save(tmp_path / "a.jpg", exif=exif, dpi=(300, 150), xmp=XMP)
    picture = load(tmp_path / "a.jpg")
    assert picture.metadata.dpi == (150, 300) and picture.metadata.xmp == UPRIGHT_XMP
    save(tmp_path / "b.tif", picture.image, exif=picture.exif, metadata=picture.metadata)
    with Image.open(tmp_path / "b.tif") as im:
        assert (im.getexif()[0x011A], im.getexif()[0x011B]) == (150, 300)


@pytest.mark.parametrize("unit,want", [(2, 300), (3, 762), (1, None)])
def test_resolution_in_any_unit(tmp_path: Path, unit: int, want: float | None) -> None:
    Image.new("RGB", (6, 4)).save(tmp_path / "a.tif", tiffinfo={282: 300.0, 283: 300.0, 296: unit})
    got = load(tmp_path / "a.tif").metadata.dpi
    assert got == (None if want is None else pytest.approx((want, want)))


def test_a_jpeg_without_resolution_gets_none(tmp_path: Path) -> None:
    Image.new("RGB", (6, 4)).save(tmp_path / "a.jpg")
    assert load(tmp_path / "a.jpg").metadata == Metadata()


def test_xmp_too_long_for_a_jpeg_is_left_out_with_a_word(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert through(tmp_path, ".jpg", 8, Metadata(xmp=b"x" * 70000)).xmp is None
    assert "left out XMP, 70029 bytes" in caplog.text
    assert through(tmp_path, ".png", 8, Metadata(xmp=b"x" * 70000)).xmp == b"x" * 70000


def test_iptc_among_photoshops_resources_of_a_tiff_is_found(tmp_path: Path) -> None:
    other = b"8BIM" + struct.pack(">H", 0x03ED) + b"\x03abc" + struct.pack(">I", 3) + b"xyz\0"
    resources = other + b"8BIM" + struct.pack(">HHI", 0x0404, 0, len(IPTC)) + IPTC
    got = None
    for length in range(len(resources) + 1):
        Image.new("RGB", (6, 4)).save(tmp_path / "a.tif", tiffinfo={34377: resources[:length] or b"\0"})
        got = load(tmp_path / "a.tif").metadata.iptc
    assert got == IPTC, "whole, after every cut of it was read without an error"


def test_resolution_and_exif_reach_the_result_of_the_command_line(tmp_path: Path) -> None:
    Image.new("RGB", (32, 24), (90, 120, 60)).save(tmp_path / "a.jpg", dpi=(300, 300), xmp=UPRIGHT_XMP, comment="hello")
    Image.linear_gradient("L").resize((32, 24)).save(tmp_path / "d.png")
    options = ["--depth", str(tmp_path / "d.png"), "--deblur", "none", "--quality", "draft", "-q"]
    assert main([str(tmp_path / "a.jpg"), "-o", str(tmp_path / "o.png"), *options]) == 0
    got = load(tmp_path / "o.png").metadata
    assert got.xmp == UPRIGHT_XMP and got.said == b"hello" and got.dpi == pytest.approx((300, 300), rel=1e-4)


def test_xmp_about_pictures_behind_the_photo_stays_with_them(tmp_path: Path) -> None:
    """A result that claims depth which it does not hold could not be read again."""
    about = XMP + b'<r xmlns:GDepth="http://ns.google.com/photos/1.0/depthmap/" GDepth:Mime="image/jpeg"/>'
    Image.new("RGB", (6, 4)).save(tmp_path / "a.jpg", xmp=about)
    assert load(tmp_path / "a.jpg").metadata.xmp is None
