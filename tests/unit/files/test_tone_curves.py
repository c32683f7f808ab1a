"""A file is decoded to light by its own profile's curve and written by it again: measured on ramps of light."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from refocus_core.cli import main
from refocus_core.color import srgb_to_linear
from refocus_core.files.pictures import load, save
from refocus_core.files.tone_curves import tone_curve

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def profile(curve: bytes, space: bytes = b"RGB ") -> bytes:
    """A profile with this curve in every channel, and nothing that these tests do not need."""
    names = [b"kTRC"] if space == b"GRAY" else [b"rTRC", b"gTRC", b"bTRC"]
    at = 128 + 4 + 12 * len(names)
    table = struct.pack(">I", len(names)) + b"".join(name + struct.pack(">II", at, len(curve)) for name in names)
    body = table + curve
    head = struct.pack(">I4xI4s4s4s", 128 + len(body), 0x04300000, b"mntr", space, b"XYZ ").ljust(36, b"\0") + b"acsp"
    return head.ljust(128, b"\0") + body


def gamma(value: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(value * 256))


def parametric(kind: int, *numbers: float) -> bytes:
    return b"para\0\0\0\0" + struct.pack(">HH", kind, 0) + struct.pack(f">{len(numbers)}i", *(round(v * 65536) for v in numbers))


def prophoto(v: np.ndarray) -> np.ndarray:
    """ROMM RGB (ISO 22028-2): gamma 1.8 with a straight piece below 1/32."""
    return np.where(v < 16 / 512, v / 16, v**1.8)


def lightness(v: np.ndarray) -> np.ndarray:
    """L* of CIE 1976."""
    return np.where(v >= 0.08, ((v + 0.16) / 1.16) ** 3, v / 9.033)


X = np.linspace(0, 1, 1024)
TABLE = b"curv\0\0\0\0" + struct.pack(">I", 1024) + np.rint(X**3 * 65535).astype(">u2").tobytes()
CURVES = {
    "Adobe RGB": (gamma(563 / 256), lambda v: v ** (563 / 256)),
    "ProPhoto": (parametric(3, 1.8, 1, 0, 1 / 16, 1 / 32), prophoto),
    "linear": (b"curv\0\0\0\0" + struct.pack(">I", 0), lambda v: v),
    "gamma 2.2, parametric": (parametric(0, 2.2), lambda v: v**2.2),
    "with an offset": (parametric(1, 2.0, 1.25, -0.25), lambda v: np.maximum(1.25 * v - 0.25, 0) ** 2),
    "lightness": (parametric(4, 3, 1 / 1.16, 0.16 / 1.16, 1 / 9.033, 0.08, 0, 0), lightness),
    "table": (TABLE, lambda v: v**3),
}


def ramp(bits: int) -> np.ndarray:
    """Every code once, [H,W] of uint8 or uint16."""
    return np.arange(2**bits, dtype=np.uint8 if bits == 8 else np.uint16).reshape(-1, 16 if bits == 8 else 256)


def file_of(path: Path, codes: np.ndarray, icc: bytes) -> Path:
    """A picture of these codes as a foreign program writes it."""
    if codes.dtype == np.uint8:
        Image.fromarray(np.stack([codes] * 3, 2)).save(path, icc_profile=icc)
    else:
        save(path, torch.from_numpy(codes.astype(np.float32) / 65535).expand(1, 3, -1, -1), bits=16)
        data = path.read_bytes()
        with_profile = path.with_name("p.png")
        Image.new("RGB", (1, 1)).save(with_profile, icc_profile=icc)
        chunk = with_profile.read_bytes()
        start = chunk.index(b"iCCP") - 4
        path.write_bytes(data[:33] + chunk[start : start + 12 + struct.unpack(">I", chunk[start : start + 4])[0]] + data[33:])
    return path


@pytest.mark.parametrize("name", CURVES)
@pytest.mark.parametrize("bits", [8, 16])
def test_light_is_that_of_the_profiles_curve(tmp_path: Path, name: str, bits: int) -> None:
    """Within a thousandth of white and, above what 16 bits resolve, within half a percent of the light itself."""
    curve, law = CURVES[name]
    picture = load(file_of(tmp_path / "a.png", ramp(bits), profile(curve)))
    assert picture.bits == bits
    want = law(ramp(bits) / (2**bits - 1))
    got = srgb_to_linear(picture.image[0].double()).numpy()
    assert np.abs(got - want).max() < 1e-3
    deep = want > 2e-3
    assert np.abs(got / np.where(deep, want, 1) - 1)[:, deep].max() < 5e-3


@pytest.mark.parametrize("name", [n for n in CURVES if n not in ("with an offset", "table")])
@pytest.mark.parametrize("suffix,bits", [(".png", 8), (".png", 16), (".tif", 8), (".tif", 16)])
def test_a_picture_that_nobody_changed_gets_its_own_values_back(tmp_path: Path, name: str, suffix: str, bits: int) -> None:
    icc = profile(CURVES[name][0])
    picture = load(file_of(tmp_path / "a.png", ramp(bits), icc))
    save(tmp_path / f"b{suffix}", picture.image, bits=bits, icc=picture.icc)
    again = load(tmp_path / f"b{suffix}")
    assert again.icc == icc and torch.equal(again.image, picture.image)


def test_codes_on_disk_are_the_same(tmp_path: Path) -> None:
    icc = profile(CURVES["ProPhoto"][0])
    picture = load(file_of(tmp_path / "a.png", ramp(8), icc))
    save(tmp_path / "b.png", picture.image, icc=picture.icc)
    with Image.open(tmp_path / "b.png") as im:
        assert np.array_equal(np.asarray(im)[..., 1], ramp(8)) and im.info["icc_profile"] == icc


def test_srgb_profiles_change_nothing(tmp_path: Path) -> None:
    curve = tone_curve(SRGB)
    assert curve is not None and curve.is_srgb
    picture = load(file_of(tmp_path / "a.png", ramp(8), SRGB))
    assert torch.equal(picture.image[0, 0], torch.from_numpy(ramp(8).astype(np.float32) / 255))


@pytest.mark.parametrize(
    "suffix,bits,alpha",
    [(suffix, bits, alpha) for suffix in (".png", ".tif") for bits in (8, 16) for alpha in (False, True)] + [(".jpg", 8, False)],
)
def test_grey_is_decoded_by_its_profile_and_stays_grey(tmp_path: Path, suffix: str, bits: int, alpha: bool) -> None:
    icc = profile(gamma(1.8), b"GRAY")
    source = Image.fromarray(ramp(8))
    if alpha:
        source.putalpha(source.copy())
    source.save(tmp_path / "a.png", icc_profile=icc)
    picture = load(tmp_path / "a.png")
    light = srgb_to_linear(picture.image[0, 0].double()).numpy()
    assert np.abs(light - (ramp(8) / 255) ** (461 / 256)).max() < 1e-4
    path = tmp_path / f"b{suffix}"
    save(path, picture.image, alpha=picture.alpha, bits=bits, icc=picture.icc, quality=100)
    again = load(path)
    assert again.icc == icc
    assert float((again.image - picture.image).abs().max()) < (0.02 if suffix == ".jpg" else 1e-6)
    assert (again.alpha is None) == (not alpha)
    if again.alpha is not None and picture.alpha is not None:
        assert torch.equal(again.alpha, picture.alpha)


def test_what_a_grey_profile_cannot_describe_is_written_as_srgb(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    icc = profile(gamma(1.8), b"GRAY")
    colour = torch.tensor([0.2, 0.5, 0.8]).view(1, 3, 1, 1).expand(-1, -1, 3, 3)
    for path, image in ((tmp_path / "a.png", colour), (tmp_path / "b.webp", colour[:, :1].expand(-1, 3, -1, -1))):
        save(path, image, icc=icc, quality=100)
        assert "written as sRGB" in caplog.text and load(path).icc is None
        assert torch.allclose(load(path).image, image, atol=0.01)
        caplog.clear()


@pytest.mark.parametrize(
    "curve", [b"", b"curv", gamma(2)[:10], b"mft2" + bytes(40), parametric(4, 2.2)[:13], parametric(3, 0, 0, 0, -1, 2)]
)
def test_profiles_without_a_curve_are_kept_with_a_word(tmp_path: Path, caplog: pytest.LogCaptureFixture, curve: bytes) -> None:
    picture = load(file_of(tmp_path / "a.png", ramp(8), profile(curve)))
    assert picture.icc is not None and "colour profile" in caplog.text
    assert torch.equal(picture.image[0, 0], torch.from_numpy(ramp(8).astype(np.float32) / 255))


def test_the_command_line_leaves_an_unblurred_prophoto_picture_as_it_was(tmp_path: Path) -> None:
    codes = np.random.default_rng(0).integers(0, 256, (48, 64), dtype=np.uint8)
    icc = profile(CURVES["ProPhoto"][0])
    file_of(tmp_path / "a.png", codes, icc)
    Image.new("L", (64, 48), 128).save(tmp_path / "d.png")
    given = [str(tmp_path / "a.png"), "--depth", str(tmp_path / "d.png"), "--deblur", "none", "-o", str(tmp_path / "o.png"), "-q"]
    assert main(given) == 0
    with Image.open(tmp_path / "o.png") as im:
        assert np.array_equal(np.asarray(im)[..., 0], codes) and im.info["icc_profile"] == icc


def test_a_damaged_profile_is_told_of_and_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    damaged = icc[:128] + b"\xff" * (len(icc) - 128)
    Image.new("RGB", (4, 3), (10, 20, 30)).save(tmp_path / "a.png", icc_profile=damaged)
    photo = load(tmp_path / "a.png")
    assert "a.png: its colour profile is damaged; it is kept as it is" in caplog.text
    save(tmp_path / "b.png", photo.image, icc=photo.icc)
    with Image.open(tmp_path / "b.png") as im:
        assert im.info["icc_profile"] == damaged
