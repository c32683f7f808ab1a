"""A camera's raw file is developed, and never taken for the preview that lies in it."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from refocus_core.color import linear_to_srgb
from refocus_core.files.directories import LONG, SHORT, Entries, encode_directory
from refocus_core.files.pictures import PictureError, load
from tests.helpers.dng import dng, two_colours


@pytest.fixture
def no_rawpy(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where rawpy is not installed."""
    monkeypatch.setitem(sys.modules, "rawpy", None)


@pytest.mark.parametrize("neutral", [(1.0, 1.0, 1.0), (0.5, 1.0, 0.7)], ids=["grey light", "greenish sensor"])
def test_a_raw_file_is_developed_to_the_light_that_the_sensor_saw(tmp_path: Path, neutral: tuple[float, float, float]) -> None:
    linear = two_colours()
    photo = load(dng(tmp_path / "p.dng", linear, neutral))
    assert photo.bits == 16 and photo.image.shape == (1, 3, 48, 64)
    assert photo.camera.model == "Camera 1" and (photo.camera.f_number, photo.camera.focal_mm) == (2.8, 35.0)
    want = linear_to_srgb(torch.from_numpy(linear).float().movedim(-1, 0)[None])
    inner = [(slice(None), slice(None), slice(8, -8), slice(*columns)) for columns in ((8, 24), (40, 56))]
    for part in inner:
        assert float((photo.image[part] - want[part]).abs().max()) < 0.01


def test_a_raw_file_comes_upright_and_its_exif_says_so(tmp_path: Path) -> None:
    plain = load(dng(tmp_path / "a.dng", two_colours(), (1.0, 1.0, 1.0)))
    turned = load(dng(tmp_path / "b.dng", two_colours(), (1.0, 1.0, 1.0), orientation=6))
    assert turned.image.shape == (1, 3, 64, 48)
    middle = plain.image.rot90(-1, (2, 3))[..., 8:-8, 8:-8]
    assert float((turned.image[..., 8:-8, 8:-8] - middle).abs().mean()) < 0.01
    assert turned.exif is not None and b"Camera 1" in turned.exif
    assert struct.pack("<HHI", 274, SHORT, 1) + b"\x01\0" in turned.exif


def test_what_libraw_cannot_read_is_said_with_the_remedy(tmp_path: Path) -> None:
    for name, content in (("a.nef", b"II*\0" + bytes(200)), ("b.cr2", bytes(10)), ("c.dng", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(PictureError, match=rf"{name} is a camera's raw file that LibRaw cannot develop .*16-bit TIFF"):
            load(tmp_path / name)


def test_a_raw_file_of_too_many_pixels_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFOCUS_MAX_MEGAPIXELS", "0.001")
    with pytest.raises(PictureError, match="64 x 48 px"):
        load(dng(tmp_path / "p.dng", two_colours(), (1.0, 1.0, 1.0)))


def laid_out_as_raw(path: Path, main: dict[int, tuple[str, int]], photometric: int) -> Path:
    """A TIFF with a small picture in its first directory, and a full one in a further one."""
    preview, full = np.full((12, 16, 3), 99, np.uint8).tobytes(), np.zeros((48, 64), np.uint16).tobytes()

    def directory(width: int, height: int, bits: int, channels: int, kind: int, offset: int, length: int) -> Entries:
        values = {256: width, 257: height, 258: bits, 259: 1, 262: kind, 273: offset, 277: channels, 278: height, 279: length}
        return {tag: (LONG, struct.pack("<I", value)) for tag, value in values.items()}

    at = 8 + len(preview) + len(full)
    inner = encode_directory(directory(64, 48, 16, 1, photometric, 8 + len(preview), len(full)), at)
    outer = directory(16, 12, 8, 3, 2, 8, len(preview)) | {330: (LONG, struct.pack("<I", at))}
    outer |= {tag: (LONG if form == "I" else SHORT, struct.pack("<" + form, value)) for tag, (form, value) in main.items()}
    end = at + len(inner)
    path.write_bytes(b"II*\0" + struct.pack("<I", end) + preview + full + inner + encode_directory(outer, end))
    return path


@pytest.mark.parametrize(
    "name,main,photometric",
    [
        ("shot.dng", {}, 1),
        ("renamed.tif", {50706: ("I", 0x0401)}, 1),
        ("renamed.tif", {}, 32803),
        ("renamed.tif", {}, 34892),
        ("renamed.tif", {254: ("I", 1)}, 1),
    ],
    ids=["by name", "DNG version", "colour filter array", "linear raw", "reduced first picture"],
)
@pytest.mark.usefixtures("no_rawpy")
def test_raw_files_laid_out_as_tiff(tmp_path: Path, name: str, main: dict[int, tuple[str, int]], photometric: int) -> None:
    with pytest.raises(PictureError, match=r"camera's raw file, which needs the package rawpy") as caught:
        load(laid_out_as_raw(tmp_path / name, main, photometric))
    assert name in str(caught.value)


@pytest.mark.parametrize(
    "head", [b"FUJIFILMCCD-RAW 0201", b"II*\0\x10\0\0\0CR\2\0", b"\0\0\0\x18ftypcrx \0\0", b"IIRO\x08\0\0\0", b"IIU\0"]
)
@pytest.mark.usefixtures("no_rawpy")
def test_other_raw_files_by_their_first_bytes(tmp_path: Path, head: bytes) -> None:
    (tmp_path / "renamed.jpg").write_bytes(head + bytes(100))
    with pytest.raises(PictureError, match="camera's raw file"):
        load(tmp_path / "renamed.jpg")


def test_a_tiff_with_smaller_versions_of_itself_is_no_raw_file(tmp_path: Path) -> None:
    assert load(laid_out_as_raw(tmp_path / "a.tif", {254: ("I", 0)}, 1)).image.shape == (1, 3, 12, 16)
