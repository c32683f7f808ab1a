"""Depth stored in photos, and the lens data beside it."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from refocus_core.files import pictures
from refocus_core.files.pictures import CameraData, PictureError
from refocus_core.files.stored_depth import read_stored_depth
from tests.helpers import portraits

NEAR, FAR = 0.8, 6.4
G = np.random.default_rng(1)
DISTANCE = np.append(G.uniform(NEAR, FAR, 30 * 40 - 2), [NEAR, FAR]).reshape(30, 40)
"""Of 40 x 30 pixels, in metres."""
RANGE = {"Near": NEAR, "Far": FAR}


def written(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    return path


def depth_picture(spacing: str = "RangeInverse", bits: int = 16) -> bytes:
    return portraits.encoded(DISTANCE, NEAR, FAR, spacing, bits)


@pytest.mark.parametrize("spacing", ["RangeInverse", "RangeLinear"])
@pytest.mark.parametrize("extended", [False, True])
def test_gdepth_with_units_is_the_distance_in_metres(tmp_path: Path, spacing: str, extended: bool) -> None:
    photo = portraits.gdepth(
        portraits.jpeg(), depth_picture(spacing), extended=extended, Format=spacing, Units="m", Mime="image/png", **RANGE
    )
    found = read_stored_depth(written(tmp_path, photo))
    assert found is not None and found.metric and found.focal_px is None
    assert np.allclose(1 / found.disparity[0].numpy(), DISTANCE, rtol=2e-4)
    assert found.known_range == pytest.approx((1 / FAR, 1 / NEAR))


@pytest.mark.parametrize("spacing", ["RangeInverse", "RangeLinear"])
@pytest.mark.parametrize(("before", "padding"), [(b"", 0), (b"\xff\xd8 another \xff\xd9", 37)])
def test_dynamic_depth_is_found_behind_the_photo(tmp_path: Path, spacing: str, before: bytes, padding: int) -> None:
    photo = portraits.dynamic_depth(
        portraits.jpeg(), depth_picture(spacing), before=before, padding=padding, Format=spacing, Units="Meters", **RANGE
    )
    path = written(tmp_path, photo)
    found = read_stored_depth(path, pictures.load(path).camera)
    assert found is not None and found.metric
    assert np.allclose(1 / found.disparity[0].numpy(), DISTANCE, rtol=2e-4)
    # 25 mm on the diagonal of film sees as many degrees as this focal length does on the diagonal of 40 x 30.
    assert found.focal_px is not None
    assert float(found.focal_px) == pytest.approx(25 / math.hypot(36, 24) * 50, rel=1e-4)


def test_other_units_are_converted_and_none_leave_relative_depth(tmp_path: Path) -> None:
    said = {"Format": "RangeInverse", "Near": NEAR * 1000, "Far": FAR * 1000}
    picture = depth_picture()
    millimetres = read_stored_depth(written(tmp_path, portraits.gdepth(portraits.jpeg(), picture, Units="mm", **said)))
    relative = read_stored_depth(written(tmp_path, portraits.gdepth(portraits.jpeg(), picture, **said)))
    assert millimetres is not None and relative is not None and not relative.metric
    assert np.allclose(1 / millimetres.disparity[0].numpy(), DISTANCE, rtol=2e-4)
    assert relative.known_range is None
    expected = (1 / DISTANCE - 1 / FAR) / (1 / NEAR - 1 / FAR)
    assert np.allclose(relative.disparity[0].numpy(), expected, atol=2e-5)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_depth_is_turned_as_the_photo_is(tmp_path: Path, orientation: int) -> None:
    """The red channel of the photo shows the same as its depth, so both must still agree when upright."""
    levels = np.kron(np.arange(12, dtype=np.uint8).reshape(3, 4) * 20, np.ones((16, 16), np.uint8))
    photo = portraits.jpeg(orientation=orientation, pixels=levels[..., None].repeat(3, 2))
    distance = 1 + levels[::2, ::2] / 255
    picture = portraits.encoded(distance, 1, 2, "RangeLinear")
    path = written(tmp_path, portraits.gdepth(photo, picture, Format="RangeLinear", Units="m", Near=1, Far=2))
    upright = pictures.load(path).image[0, 0]
    found = read_stored_depth(path)
    assert found is not None
    shown = 1 / found.disparity[0] - 1
    assert shown.shape == (upright.shape[0] // 2, upright.shape[1] // 2)
    assert float((shown - upright[::2, ::2]).abs().max()) < 0.03


def test_files_without_depth_give_none(tmp_path: Path) -> None:
    other = portraits.packet(portraits.RDF.format('<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/" dc:format="x"/>'))
    assert read_stored_depth(written(tmp_path, portraits.jpeg())) is None
    assert read_stored_depth(written(tmp_path, portraits.with_segments(portraits.jpeg(), other))) is None
    pictures.save(tmp_path / "p.png", torch.rand(1, 3, 5, 6))
    assert read_stored_depth(tmp_path / "p.png") is None


def test_a_document_type_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>' + portraits.RDF.format("&b;")
    with pytest.raises(PictureError, match="document type"):
        read_stored_depth(written(tmp_path, portraits.with_segments(portraits.jpeg(), portraits.packet(bomb))))


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"Format": "RangeInverse", "Far": 3}, "Near is None"),
        ({"Format": "RangeInverse", "Near": "nan", "Far": 3}, "no distance"),
        ({"Format": "RangeInverse", "Near": 0, "Far": 3}, "no distance"),
        ({"Format": "RangeInverse", "Near": 3, "Far": 3}, "Near must be the smaller"),
        ({"Format": "Cubic", "Near": 1, "Far": 3}, "'Cubic'"),
        ({"Format": "RangeLinear", "Near": 1, "Far": 3, "Units": "Diopters"}, "diopters"),
    ],
)
def test_a_description_that_makes_no_sense_is_named(tmp_path: Path, said: dict[str, object], message: str) -> None:
    with pytest.raises(PictureError, match=message):
        read_stored_depth(written(tmp_path, portraits.gdepth(portraits.jpeg(), depth_picture(), **said)))


def test_damaged_files_say_what_is_wrong(tmp_path: Path) -> None:
    said: dict[str, object] = {"Format": "RangeInverse", "Units": "m", **RANGE}
    plain, picture = portraits.jpeg(), depth_picture()
    whole = portraits.dynamic_depth(plain, picture, **said)
    extended = portraits.gdepth(plain, np.random.default_rng(0).bytes(99_999), extended=True, **said)
    start = extended.index(b"\xff\xe1", extended.index(b"HasExtendedXMP"))
    missing = extended[:start] + extended[start + 2 + int.from_bytes(extended[start + 2 : start + 4], "big") :]
    for content, message in (
        (whole[:-9], "ends before its depth"),
        (whole.replace(b'Item:DataURI="android/depthmap"', b'Item:DataURI="android/xepthmap"'), "no picture of that name"),
        (missing, "incomplete"),
        (portraits.gdepth(plain, b"not a picture", **said), "cannot identify"),
        (portraits.with_segments(plain, portraits.packet("<a>")), "no XML"),
        (portraits.gdepth(plain, picture, **said).replace(b'GDepth:Data="iVBO', b'GDepth:Data="i*BO'), "base64|alphabet"),
    ):
        with pytest.raises(PictureError, match=message):
            read_stored_depth(written(tmp_path, content))


def test_a_coloured_picture_is_no_depth(tmp_path: Path) -> None:
    coloured = portraits.jpeg(20, 20)
    with pytest.raises(PictureError, match="coloured"):
        read_stored_depth(written(tmp_path, portraits.gdepth(portraits.jpeg(), coloured, Format="RangeInverse", **RANGE)))


def test_the_lens_is_what_exif_says(tmp_path: Path) -> None:
    camera = pictures.load(written(tmp_path, portraits.jpeg(400, 300))).camera
    assert (camera.focal_mm, camera.f_number, camera.subject_m) == pytest.approx((6.81, 1.85, 1.6))
    assert camera.sensor_mm is not None
    assert camera.focal_px(400) == pytest.approx(6.81 * 400 / camera.sensor_mm)
    assert CameraData(focal_mm=50.0).focal_px(400) is None


def test_a_heic_file_names_the_package_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # as where it is not installed
    path = tmp_path / "photo.heic"
    path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))
    with pytest.raises(PictureError, match="pip install pillow-heif"):
        pictures.load(path)


def heic_portrait(path: Path, maker: str = "", **said: float) -> np.ndarray:
    """A HEIC with depth from dark, left, to bright. Returns its values [h,w] in 0..255."""
    pytest.importorskip("pillow_heif", reason="needs pillow-heif: run `bash scripts/setup.sh tests`")
    lens = portraits.exif()
    if maker:
        lens[0x010F] = maker
    photo = np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)
    values = np.linspace(10, 250, 64).astype(np.uint8)[None].repeat(48, 0)
    path.write_bytes(portraits.heic(photo, values, lens, **said))
    return values


def test_depth_of_an_iphone_is_in_metres(tmp_path: Path) -> None:
    values = heic_portrait(tmp_path / "p.heic", "Apple", representation_type=1, d_min=0.25, d_max=2.75)
    photo = pictures.load(tmp_path / "p.heic")
    assert photo.image.shape == (1, 3, 96, 128) and photo.camera.maker == "Apple" and photo.camera.focal_mm == 6.81
    found = read_stored_depth(tmp_path / "p.heic", photo.camera)
    assert found is not None and found.metric and found.disparity.shape == (1, 48, 64)
    want = 0.25 + torch.from_numpy(values / 255) * 2.5
    assert float((found.disparity[0] - want).abs().max()) < 0.03, "lossy coding"
    assert found.known_range == pytest.approx((0.25, 2.75)) and found.focal_px is not None


@pytest.mark.parametrize("orientation", [1, 6])
def test_depth_in_the_jpeg_of_an_iphone(tmp_path: Path, orientation: int, caplog: pytest.LogCaptureFixture) -> None:
    values = np.linspace(0, 255, 64).astype(np.uint8)[None].repeat(48, 0)
    limits = {"FloatMinValue": 0.5, "FloatMaxValue": 2.5}
    path = written(tmp_path, portraits.iphone_jpeg(values, orientation, AuxiliaryImageType="disparity", **limits))
    photo = pictures.load(path)
    assert not caplog.records, "the second picture is none that was lost"
    found = read_stored_depth(path, photo.camera)
    want = 0.5 + torch.from_numpy(values / 255) * 2
    want = want if orientation == 1 else want.rot90(-1)
    assert found is not None and found.metric and found.known_range == (0.5, 2.5)
    assert found.disparity.shape[1:] == want.shape and float((found.disparity[0] - want).abs().max()) < 0.02
    matte = written(tmp_path, portraits.iphone_jpeg(values, 1, AuxiliaryImageType="depth"))
    assert read_stored_depth(matte) is None, "the matte of a portrait is no depth"


@pytest.mark.parametrize(
    ("maker", "said", "want"),
    [
        ("Other", {"representation_type": 1, "d_min": 0.25, "d_max": 2.75}, lambda v: (0.25 + v * 2.5) / 2.75),
        ("Apple", {"representation_type": 0, "z_near": 0.5, "z_far": 8.0}, lambda v: v),
        ("", {}, lambda v: v),
    ],
    ids=["another maker", "inverse distance", "nothing said"],
)
def test_depth_of_a_heic_without_metres_is_relative(
    tmp_path: Path, maker: str, said: dict[str, float], want: Callable[[torch.Tensor], torch.Tensor]
) -> None:
    values = heic_portrait(tmp_path / "p.heic", maker, **said)
    found = read_stored_depth(tmp_path / "p.heic", pictures.load(tmp_path / "p.heic").camera)
    assert found is not None and not found.metric
    assert float((found.disparity[0] - want(torch.from_numpy(values / 255))).abs().max()) < 0.012


def test_a_heic_without_depth_and_depth_that_cannot_be_told(tmp_path: Path) -> None:
    heif = pytest.importorskip("pillow_heif", reason="needs pillow-heif: run `bash scripts/setup.sh tests`")
    heif.register_heif_opener()
    Image.fromarray(np.zeros((48, 64, 3), np.uint8)).save(tmp_path / "plain.heic")
    assert read_stored_depth(tmp_path / "plain.heic") is None
    for said, reason in (
        ({"representation_type": 2, "z_near": 1.0, "z_far": 4.0}, "of type 2, which is not read"),
        ({"representation_type": 1, "d_min": 2.0, "d_max": 1.0}, "disparity goes from 2 to 1"),
    ):
        heic_portrait(tmp_path / "p.heic", "Apple", **said)
        with pytest.raises(PictureError, match=rf"p\.heic: .*{reason}.*Estimate depth"):
            read_stored_depth(tmp_path / "p.heic")


def test_the_z_of_a_render_is_depth(tmp_path: Path) -> None:
    exr = pytest.importorskip("OpenEXR", reason="needs OpenEXR: run `bash scripts/setup.sh tests`")
    z = np.linspace(2, 9, 12, dtype=np.float32).reshape(3, 4)
    z[0, 3], z[2, 3] = np.inf, 0
    colour = np.full((3, 4), 0.5, np.float32)
    with exr.File({"type": exr.scanlineimage}, {"R": colour, "G": colour.copy(), "B": colour.copy(), "Z": z.copy()}) as file:
        file.write(str(tmp_path / "p.exr"))
    found = read_stored_depth(tmp_path / "p.exr")
    want = np.where((z > 0) & np.isfinite(z), 2 / np.where(z > 0, z, 1), 0)
    assert found is not None and not found.metric
    assert torch.allclose(found.disparity[0], torch.from_numpy(want).float())
    pictures.save_map(tmp_path / "m.exr", torch.rand(3, 4))
    assert read_stored_depth(tmp_path / "m.exr") is None
