"""Reading and writing pictures: round trips, foreign readers, metadata, errors."""

from __future__ import annotations

import io
import math
import os
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms, ImageOps

from refocus_core.color import linear_to_srgb, srgb_to_linear
from refocus_core.files import pictures
from refocus_core.files.pictures import PictureError, load, load_map, save, save_map

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def noise(h: int = 13, w: int = 17, c: int = 3, seed: int = 0, top: int = 65535) -> torch.Tensor:
    """[1,C,H,W] whose values sit exactly on the steps of a `top`-level integer: half smooth, half noise."""
    g = np.random.default_rng(seed)
    ramp = np.linspace(0, top, h * w * c).reshape(h, w, c)
    mixed = np.where(g.random((h, w, 1)) < 0.5, ramp, g.integers(0, top + 1, (h, w, c)))
    return torch.from_numpy((np.rint(mixed) / top).astype(np.float32)).permute(2, 0, 1)[None]


def exif_block(orientation: int = 1) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "Maker"
    exif[0x0110] = "Camera 1"
    details = exif.get_ifd(0x8769)
    details[0x829D], details[0x920A], details[0xA405] = 8.0, 35.0, 52
    details[0xA002], details[0xA003] = 17, 13
    exif.get_ifd(0x8825)[1] = "N"
    return exif.tobytes()


@pytest.mark.parametrize("suffix", [".png", ".tif", ".tiff"])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("alpha", [False, True])
def test_lossless_integers_come_back_exactly(tmp_path: Path, suffix: str, bits: int, alpha: bool) -> None:
    image, a = noise(top=2**bits - 1), noise(c=1, seed=1, top=2**bits - 1) if alpha else None
    save(tmp_path / f"p{suffix}", image, alpha=a, bits=bits, icc=SRGB, exif=exif_block())
    back = load(tmp_path / f"p{suffix}")
    assert back.bits == bits and back.icc == SRGB
    assert torch.equal(back.image, image)
    assert back.alpha is None if a is None else torch.equal(back.alpha, a)
    assert back.camera.model == "Camera 1" and back.camera.f_number == 8.0


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (64, 3), (3, 64), (40, 40)])
def test_16_bit_png_of_every_shape(tmp_path: Path, size: tuple[int, int]) -> None:
    image = noise(*size)
    save(tmp_path / "p.png", image, bits=16)
    assert torch.equal(load(tmp_path / "p.png").image, image)


@pytest.mark.parametrize("channels,colour", [(3, 2), (4, 6), (2, 4)])
def test_every_png_filter_is_undone(tmp_path: Path, channels: int, colour: int) -> None:
    """A file with random row filters, encoded pixel by pixel as the specification words it."""
    g = np.random.default_rng(3)
    h, w, bpp = 11, 9, 2 * channels
    raw = g.integers(0, 256, (h, w * bpp), dtype=np.uint8)
    lines = bytearray()
    for y in range(h):
        kind = y % 5 if y else 4
        lines.append(kind)
        for x in range(w * bpp):
            a = int(raw[y, x - bpp]) if x >= bpp else 0
            b = int(raw[y - 1, x]) if y else 0
            c = int(raw[y - 1, x - bpp]) if y and x >= bpp else 0
            nearest = min((abs(b - c), 0, a), (abs(a - c), 1, b), (abs(a + b - 2 * c), 2, c))[2]
            lines.append((int(raw[y, x]) - (0, a, b, (a + b) // 2, nearest)[kind]) % 256)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", w, h, 16, colour, 0, 0, 0)
    packed = zlib.compress(bytes(lines))
    half = len(packed) // 2
    path = tmp_path / "f.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", packed[:half])
        + chunk(b"IDAT", packed[half:])
        + chunk(b"IEND", b"")
    )
    want = raw.reshape(h, w, bpp).view(">u2").astype(np.float32) / 65535
    assert np.array_equal(load_map(path)[0].permute(1, 2, 0).numpy(), want)


def test_foreign_readers_agree(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile", reason="needs tifffile: run `bash scripts/setup.sh tests`")
    av = pytest.importorskip("av", reason="needs av: run `bash scripts/setup.sh tests`")
    image = noise(21, 34)
    want = (image[0].permute(1, 2, 0).double() * 65535).round().numpy()
    save(tmp_path / "p.tif", image, bits=16, exif=exif_block(), icc=SRGB)
    save(tmp_path / "p.png", image, bits=16, exif=exif_block(), icc=SRGB)
    save(tmp_path / "f.tif", image * 3, bits=32)
    try:
        assert np.array_equal(tifffile.imread(tmp_path / "p.tif"), want)
    except ValueError as error:  # tifffile alone has no predictor 2
        assert "imagecodecs" in str(error)
    assert np.allclose(tifffile.imread(tmp_path / "f.tif"), srgb_to_linear(image[0] * 3).permute(1, 2, 0).numpy())
    for name in ("p.png", "p.tif"):
        with av.open(str(tmp_path / name)) as container:
            frame = next(container.decode(video=0))
        assert np.array_equal(frame.to_ndarray(format="rgb48le"), want), name
    with Image.open(tmp_path / "p.png") as im:
        assert im.info["icc_profile"] == SRGB and im.getexif()[0x0110] == "Camera 1"


def test_foreign_16_bit_tiffs(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile", reason="needs tifffile: run `bash scripts/setup.sh tests`")
    values = (noise(37, 50)[0].permute(1, 2, 0).numpy() * 65535).round().astype(np.uint16)
    for i, options in enumerate(
        [
            {},
            {"byteorder": ">"},
            {"compression": "zlib", "rowsperstrip": 10},
            {"tile": (16, 32), "compression": "zlib"},
            {"planarconfig": "separate"},
        ]
    ):
        data = values.transpose(2, 0, 1) if "planarconfig" in options else values
        tifffile.imwrite(tmp_path / f"{i}.tif", data, photometric="rgb", **options)
        got = load(tmp_path / f"{i}.tif")
        assert got.bits == 16
        assert np.array_equal((got.image[0].permute(1, 2, 0).numpy() * 65535).round(), values), options
    for kind in (np.float32, np.float16):
        tifffile.imwrite(tmp_path / "f.tif", (values / 7000).astype(kind), photometric="rgb")
        assert load_map(tmp_path / "f.tif").max() > 5


@pytest.mark.parametrize("suffix", [".tif", ".pfm", ".exr"])
def test_floating_point_keeps_highlights_in_linear_light(tmp_path: Path, suffix: str) -> None:
    if suffix == ".exr":
        pytest.importorskip("OpenEXR", reason="needs OpenEXR: run `bash scripts/setup.sh tests`")
    image = noise() * 4
    save(tmp_path / f"p{suffix}", image, bits=32)
    assert torch.allclose(load_map(tmp_path / f"p{suffix}"), srgb_to_linear(image))
    back = load(tmp_path / f"p{suffix}")
    assert back.bits == 32
    assert torch.allclose(back.image, linear_to_srgb(srgb_to_linear(image)), atol=1e-5)


@pytest.mark.parametrize("suffix", [".tif", ".pfm", ".npy", ".exr"])
def test_maps_keep_their_values(tmp_path: Path, suffix: str) -> None:
    if suffix == ".exr":
        pytest.importorskip("OpenEXR", reason="needs OpenEXR: run `bash scripts/setup.sh tests`")
    values = noise(c=1)[0, 0] * 100 - 30
    save_map(tmp_path / f"m{suffix}", values)
    assert torch.equal(load_map(tmp_path / f"m{suffix}")[0, 0], values)


def test_map_as_png_is_16_bit_and_refuses_to_clip(tmp_path: Path) -> None:
    values = noise(c=1)[0, 0]
    save_map(tmp_path / "m.png", values)
    assert torch.equal(load_map(tmp_path / "m.png")[0, 0], values)
    with pytest.raises(PictureError, match=r"PNG holds 0\.\.1 only"):
        save_map(tmp_path / "n.png", values * 2)
    assert not (tmp_path / "n.png").exists()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_once(tmp_path: Path, orientation: int) -> None:
    pixels = (np.random.default_rng(1).random((4, 6, 3)) * 255).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "o.png", exif=exif_block(orientation))
    with Image.open(tmp_path / "o.png") as im:
        want = np.asarray(ImageOps.exif_transpose(im))
    got = load(tmp_path / "o.png")
    assert np.array_equal((got.image[0].permute(1, 2, 0).numpy() * 255).round(), want)
    save(tmp_path / "again.jpg", got.image, exif=got.exif, quality=100)
    with Image.open(tmp_path / "again.jpg") as im:
        assert im.getexif()[0x0112] == 1 and im.size == (want.shape[1], want.shape[0])
        details = im.getexif().get_ifd(0x8769)
        assert (details[0xA002], details[0xA003]) == ((13, 17) if orientation >= 5 else (17, 13))


@pytest.mark.parametrize("suffix,bits", [(".jpg", 8), (".png", 8), (".png", 16), (".tif", 8), (".tif", 16), (".webp", 8)])
def test_exif_and_icc_survive(tmp_path: Path, suffix: str, bits: int) -> None:
    save(tmp_path / f"a{suffix}", noise(16, 16), bits=bits, exif=exif_block(), icc=SRGB)
    with Image.open(tmp_path / f"a{suffix}") as im:  # Pillow reads the metadata even where it would halve the bits
        exif = im.getexif()
        assert exif[0x010F] == "Maker"
        details = exif.get_ifd(0x8769)
        assert float(details[0x829D]) == 8 and float(details[0x920A]) == 35 and details[0xA405] == 52
        assert exif.get_ifd(0x8825)[1] == "N"
        assert im.info["icc_profile"] == SRGB
    camera = load(tmp_path / f"a{suffix}").camera
    assert (camera.focal_mm, camera.f_number) == (35.0, 8.0)
    assert camera.sensor_mm == pytest.approx(math.hypot(36, 24) * 35 / 52 / math.sqrt(2)), "a square picture's long side"


def test_metadata_survives_from_16_bit_tiff_to_jpeg(tmp_path: Path) -> None:
    save(tmp_path / "a.tif", noise(), bits=16, exif=exif_block(), icc=SRGB)
    a = load(tmp_path / "a.tif")
    save(tmp_path / "b.jpg", a.image, exif=a.exif, icc=a.icc)
    b = load(tmp_path / "b.jpg")
    assert b.camera == a.camera and b.icc == SRGB
    with Image.open(tmp_path / "b.jpg") as im:
        assert not {256, 258, 273, 279} & set(im.getexif())


def test_grey_palette_and_transparency(tmp_path: Path) -> None:
    grey = Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4) * 20)
    grey.save(tmp_path / "g.png")
    assert load(tmp_path / "g.png").image.shape == (1, 3, 3, 4) and load_map(tmp_path / "g.png").shape == (1, 1, 3, 4)
    grey.convert("P").save(tmp_path / "p.png", transparency=0)
    palette = load(tmp_path / "p.png")
    assert palette.alpha is not None and float(palette.alpha[0, 0, 0, 0]) == 0
    Image.fromarray(np.array([[0, 1000, 65535]], np.uint16)).save(tmp_path / "s.png")
    assert torch.allclose(load_map(tmp_path / "s.png")[0, 0, 0], torch.tensor([0, 1000 / 65535, 1]))


def test_a_grey_profile_is_not_put_on_an_rgb_picture(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    profile = bytearray(SRGB)
    profile[16:20] = b"GRAY"
    Image.fromarray(np.zeros((3, 4), np.uint8)).save(tmp_path / "g.png", icc_profile=bytes(profile))
    assert load(tmp_path / "g.png").icc is None
    assert "GRAY colour profile" in caplog.text


@pytest.mark.parametrize(
    "name,bits,alpha,message",
    [
        ("a.jpg", 16, False, r"cannot hold 16 bits per channel. Choose .png or .tif"),
        ("a.png", 32, False, r"cannot hold 32-bit floating point"),
        ("a.pfm", 8, False, r"cannot hold 8 bits"),
        ("a.jpg", 8, True, r"transparency, which .jpg cannot hold"),
        ("a.gif", 8, False, r"pictures are written as .png"),
        ("no/such/a.png", 8, False, r"does not exist. Create it first"),
        (".", 8, False, r"Choose one of these endings|is a folder"),
    ],
)
def test_impossible_outputs_are_refused_before_work(tmp_path: Path, name: str, bits: int, alpha: bool, message: str) -> None:
    with pytest.raises(PictureError, match=message):
        pictures.check_output(tmp_path / name, bits, alpha)


def test_unreadable_inputs(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("not a picture")
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(buffer, "PNG")
    (tmp_path / "half.png").write_bytes(buffer.getvalue()[: len(buffer.getvalue()) // 2])
    save(tmp_path / "whole.png", noise(64, 64), bits=16)
    (tmp_path / "half16.png").write_bytes((tmp_path / "whole.png").read_bytes()[:9000])
    Image.new("CMYK", (4, 4)).save(tmp_path / "cmyk.jpg")
    np.save(tmp_path / "object.npy", np.array([{}], dtype=object), allow_pickle=True)
    (tmp_path / "short.pfm").write_bytes(b"PF\n5 5\n-1.0\nxx")
    for name, message in [
        ("none.png", "There is no file"),
        ("text.png", "not a picture"),
        ("half.png", "damaged or incomplete"),
        ("half16.png", "damaged or incomplete"),
        ("cmyk.jpg", "CMYK"),
        ("object.npy", "not a NumPy array of numbers"),
        ("short.pfm", "not a complete PFM"),
        (".", "is a folder"),
    ]:
        with pytest.raises(PictureError, match=message):
            load_map(tmp_path / name)


def test_nan_is_not_written_and_nothing_is_left_behind(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="NaN"):
        save(tmp_path / "a.png", torch.full((1, 3, 4, 4), torch.nan))
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    save(path, noise(), bits=16)
    before = path.read_bytes()

    def full_disk(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        save(path, noise(seed=5), bits=16)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_inputs_are_protected(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    save(path, noise())
    (tmp_path / "link.png").symlink_to(path)
    for target in (path, tmp_path / "." / "a.png", tmp_path / "link.png"):
        with pytest.raises(PictureError, match="is the input"):
            save(target, noise(), protect=(path,))
    save(path, noise(seed=2))


def test_missing_openexr_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "OpenEXR", None)
    with pytest.raises(PictureError, match="pip install OpenEXR"):
        pictures.check_output(tmp_path / "a.exr")
