"""The command line, end to end on a small version of the motorcycle with its true depth, and its messages."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from refocus_core import bokeh, defocus, depth, restore
from refocus_core.cli import main
from refocus_core.color import linear_to_srgb, srgb_to_linear
from refocus_core.files import pictures
from refocus_core.optics import Blur, Lens
from tests.helpers import motorcycle

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
SIZE = (185, 125)
METRES = ["--near-m", str(motorcycle.NEAR_M), "--far-m", str(motorcycle.FAR_M)]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A quarter of the motorcycle with camera data in it, its depth and a mask, as files."""
    folder = tmp_path_factory.mktemp("small")
    exif = Image.Exif()
    exif[0x0110] = "Camera 1"
    details = exif.get_ifd(0x8769)
    details[0x829D], details[0x920A], details[0xA405] = 5.6, 20.0, 50
    with Image.open(motorcycle.PHOTO) as im:
        im.resize(SIZE, Image.Resampling.LANCZOS).save(folder / "photo.png", exif=exif.tobytes(), icc_profile=SRGB)
    v = pictures.load_map(motorcycle.NEAR_BRIGHT)[:, :1, 1::4, 2::4]
    pictures.save_map(folder / "depth.png", v[0, 0, : SIZE[1], : SIZE[0]])
    mask = np.zeros((SIZE[1], SIZE[0]), np.uint8)
    mask[75:90, 85:98] = 255  # on the engine
    Image.fromarray(mask).save(folder / "mask.png")
    Image.fromarray(np.eye(9, dtype=np.uint8) * 255).save(folder / "aperture.png")
    return folder


def run(small: Path, out: Path, *options: object) -> int:
    # refine off: the small depth is a plain subsample, and the core calls below then see the same values
    given = [small / "photo.png", "--depth", small / "depth.png", "--refine", 0, "--deblur", "none", "--quality", "draft"]
    given += ["-o", out, *options]
    return main([str(o) for o in given])


def difference(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).abs().max())


def test_same_result_as_the_core_calls(small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        run(small, tmp_path / "o.png", "--focus", "0.5,0.65", "--f-number", "1.4", "--focal-mm", "85", "--sensor-mm", 36, *METRES)
        == 0
    )
    image = pictures.load(small / "photo.png").image
    d = depth.from_image(pictures.load_map(small / "depth.png"), near_m=motorcycle.NEAR_M, far_m=motorcycle.FAR_M)
    made = defocus.from_lens(d, Lens(85, 1.4), (0.5, 0.65))
    want = linear_to_srgb(bokeh.render(srgb_to_linear(image), made, quality="draft")).clamp(0, 1)
    got = pictures.load(tmp_path / "o.png")
    assert got.bits == 8 and difference(got.image, want) <= 0.51 / 255
    said = capsys.readouterr().out
    assert f"185 x 125 px, 85 mm f/1.4 on 36 mm, focus at {1 / float(made.focus_disparity):.2f} m" in said


def test_what_is_in_focus_stays_and_the_background_does_not(small: Path, tmp_path: Path) -> None:
    assert run(small, tmp_path / "o.png", "--focus-mask", small / "mask.png", "--blur", 4) == 0
    before, after = pictures.load(small / "photo.png").image[0], pictures.load(tmp_path / "o.png").image[0]
    detail = lambda p, y, x: float((p[:, y, x].diff(dim=-1)).abs().mean())  # noqa: E731 - a formula
    engine, shelf = (slice(76, 89), slice(86, 97)), (slice(5, 40), slice(100, 120))
    assert detail(after, *engine) > 0.9 * detail(before, *engine)
    assert detail(after, *shelf) < 0.4 * detail(before, *shelf)


def test_the_photo_is_made_sharp_first_unless_told_not_to(small: Path, tmp_path: Path) -> None:
    given = [small / "photo.png", "--depth", small / "depth.png", "--refine", 0, "--blur", 0, "-q", "-o", tmp_path / "o.png"]
    assert main([str(o) for o in (*given, "--save-sharp", tmp_path / "s.png")]) == 0
    want = restore.all_in_focus(pictures.load(small / "photo.png").image, "refocus-deblur-s").image.clamp(0, 1)
    for name in ("o.png", "s.png"):
        assert difference(pictures.load(tmp_path / name).image, want) <= 0.51 / 255


def test_metadata_and_16_bits(small: Path, tmp_path: Path) -> None:
    assert run(small, tmp_path / "o.tif", "--blur", 0, "--bits", "16") == 0
    got = pictures.load(tmp_path / "o.tif")
    assert got.bits == 16 and got.icc == SRGB and got.camera.model == "Camera 1" and got.camera.f_number == pytest.approx(5.6)
    assert difference(got.image, pictures.load(small / "photo.png").image) < 1e-4  # no blur: the photo


def test_floating_point_is_linear_light(small: Path, tmp_path: Path) -> None:
    assert run(small, tmp_path / "o.pfm", "--blur", 0, "--bits", "32f") == 0
    assert difference(pictures.load_map(tmp_path / "o.pfm"), srgb_to_linear(pictures.load(small / "photo.png").image)) < 1e-5


@pytest.mark.parametrize("quality", ["draft", "normal", "best"])
def test_exposure_scales_linear_light_and_nothing_is_clipped(small: Path, tmp_path: Path, quality: str) -> None:
    given = ("--blur", 1, "--bits", "32f", "--quality", quality)
    assert run(small, tmp_path / "as_it_is.pfm", *given) == 0
    assert run(small, tmp_path / "zero.pfm", *given, "--exposure", 0) == 0
    assert run(small, tmp_path / "brighter.pfm", *given, "--exposure", 1.5) == 0
    plain, brighter = (pictures.load_map(tmp_path / f"{name}.pfm") for name in ("as_it_is", "brighter"))
    assert (tmp_path / "zero.pfm").read_bytes() == (tmp_path / "as_it_is.pfm").read_bytes()
    assert float(brighter.max()) > 2 and torch.allclose(brighter, plain * 2**1.5, rtol=1e-5, atol=1e-6)


def test_exposure_leaves_alpha_alone(small: Path, tmp_path: Path) -> None:
    rgb = np.asarray(Image.open(small / "photo.png"))
    alpha = np.full((*rgb.shape[:2], 1), 255, np.uint8)
    alpha[:, :60] = 90
    Image.fromarray(np.concatenate([rgb, alpha], 2)).save(tmp_path / "a.png")
    options = ["--depth", str(small / "depth.png"), "--blur", "1", "--quality", "draft", "--deblur", "none"]
    for name, stops in (("plain", "0"), ("darker", "-2")):
        assert main([str(tmp_path / "a.png"), *options, "--exposure", stops, "-o", str(tmp_path / f"{name}.png")]) == 0
    plain, darker = (pictures.load(tmp_path / f"{name}.png") for name in ("plain", "darker"))
    assert plain.alpha is not None and darker.alpha is not None and torch.equal(plain.alpha, darker.alpha)
    assert difference(srgb_to_linear(darker.image), srgb_to_linear(plain.image) / 4) < 0.004, "half a step of 8 bits"


def test_transparency_is_kept(small: Path, tmp_path: Path) -> None:
    rgb = np.asarray(Image.open(small / "photo.png"))
    alpha = np.full((*rgb.shape[:2], 1), 77, np.uint8)
    Image.fromarray(np.concatenate([rgb, alpha], 2)).save(tmp_path / "a.png")
    options = ["--depth", str(small / "depth.png"), "--blur", "1", "--quality", "draft"]
    assert main([str(tmp_path / "a.png"), *options, "-o", str(tmp_path / "o.png")]) == 0
    assert bool((np.asarray(Image.open(tmp_path / "o.png"))[..., 3] == 77).all())


def test_saved_depth_and_radius_can_be_read_again(small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lens = ["--f-number", 2, "--focal-mm", 50, "--focus-distance", 2.5]
    saved = ["--save-depth", tmp_path / "d.png", "--save-defocus", tmp_path / "r.tif"]
    assert run(small, tmp_path / "a.png", *lens, *METRES, *saved) == 0
    hint = capsys.readouterr().err.split("Read it again with ")[1].split("\n")[0].split()
    again = [
        str(small / "photo.png"),
        "--depth",
        str(tmp_path / "d.png"),
        *hint,
        *map(str, lens),
        "--refine",
        "0",
        "--quality",
        "draft",
    ]
    assert main([*again, "-o", str(tmp_path / "b.png"), "--save-defocus", str(tmp_path / "s.tif")]) == 0
    r, s = pictures.load_map(tmp_path / "r.tif"), pictures.load_map(tmp_path / "s.tif")
    assert float(r.min()) < -0.5 and float(r.max()) > 1.5 and difference(r, s) < 0.01
    change = (pictures.load(tmp_path / "a.png").image - pictures.load(tmp_path / "b.png").image).abs()
    # 16 bits turn what is on the brink: the side of a depth edge that a pixel of a draft belongs to.
    assert float((change > 0.01).float().mean()) < 1e-3 and float(change.max()) < 0.05
    assert (
        run(small, tmp_path / "c.png", *lens, *METRES, "--save-depth", tmp_path / "z.pfm", "--save-defocus", tmp_path / "see.jpg")
        == 0
    )
    z = pictures.load_map(tmp_path / "z.pfm")
    assert float(z.min()) == pytest.approx(motorcycle.NEAR_M, abs=0.05) and float(z.max()) == pytest.approx(
        motorcycle.FAR_M, abs=0.05
    )
    assert Image.open(tmp_path / "see.jpg").size == SIZE


@pytest.mark.parametrize("kind", ["tif", "pfm", "npy"])
def test_a_saved_defocus_map_takes_the_place_of_depth_focus_and_lens(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    file = tmp_path / f"r.{kind}"
    assert run(small, tmp_path / "a.png", "--focus", "0.5,0.65", "--blur", 3, "--save-defocus", file) == 0
    given = [small / "photo.png", "--defocus", file, "--deblur", "none", "--quality", "draft", "-o", tmp_path / "b.png"]
    again = ["--save-defocus", tmp_path / "again.npy"]
    assert main([str(o) for o in (*given, *again)]) == 0
    said = capsys.readouterr().out.splitlines()[-1]
    assert "defocus map as given" in said and "blur radius up to" in said
    assert torch.equal(pictures.load_map(tmp_path / "again.npy"), pictures.load_map(file))
    made = defocus.from_image(pictures.load_map(file))
    image = pictures.load(small / "photo.png").image
    want = linear_to_srgb(bokeh.render(srgb_to_linear(image), made, quality="draft")).clamp(0, 1)
    assert difference(pictures.load(tmp_path / "b.png").image, want) <= 0.51 / 255
    change = (pictures.load(tmp_path / "a.png").image - pictures.load(tmp_path / "b.png").image).abs()
    assert float(change.mean()) < 2e-3, "the same picture as from depth and lens"
    assert main([str(o) for o in (*given, "--save-defocus", tmp_path / "see.jpg")]) == 0
    assert Image.open(tmp_path / "see.jpg").size == SIZE


def test_blur_is_added_under_a_mask(small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain, more = tmp_path / "plain.npy", tmp_path / "more.npy"
    assert run(small, tmp_path / "a.png", "--focus", "0.5,0.65", "--save-defocus", plain) == 0
    paint = ["--blur-mask", small / "mask.png", "--mask-blur", 4]
    assert run(small, tmp_path / "b.png", "--focus", "0.5,0.65", "--save-defocus", more, *paint) == 0
    grown = np.abs(np.load(more)) - np.abs(np.load(plain))
    mask = np.asarray(Image.open(small / "mask.png")) > 0
    assert grown[mask] == pytest.approx(0.04 * SIZE[0], abs=1e-4) and not grown[~mask].any()
    capsys.readouterr()
    assert run(small, tmp_path / "c.png", "--mask-blur", 4) == 2
    assert "--mask-blur needs --blur-mask" in capsys.readouterr().err


def test_one_exr_holds_the_picture_its_depth_and_a_defocus_map(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exr = pytest.importorskip("OpenEXR", reason="needs OpenEXR: run `bash scripts/setup.sh tests`")
    lens = ["--f-number", 2, "--focal-mm", 50, "--focus-distance", 2.5, "--sensor-mm", 36]
    common = ["--deblur", "none", "--refine", 0, "--quality", "draft"]
    z, r = tmp_path / "z.pfm", tmp_path / "r.pfm"
    assert run(small, tmp_path / "a.tif", *lens, *METRES, "--save-depth", z, "--save-defocus", r) == 0
    colour = srgb_to_linear(pictures.load(small / "photo.png").image)[0].numpy()
    channels = {name: colour[i].copy() for i, name in enumerate("RGB")}
    channels |= {"Z": pictures.load_map(z)[0, 0].numpy(), "blur.V": pictures.load_map(r)[0, 0].numpy()}
    with exr.File({"type": exr.scanlineimage}, channels) as file:
        file.write(str(tmp_path / "all.exr"))
    given = [tmp_path / "all.exr", "--depth", tmp_path / "all.exr", "--metres-per-unit", 1, *lens, *common]
    assert main([str(o) for o in (*given, "-o", tmp_path / "b.tif", "--save-defocus", tmp_path / "s.pfm")]) == 0
    assert difference(pictures.load_map(r), pictures.load_map(tmp_path / "s.pfm")) < 0.01, "Z is distance without --depth-kind"
    given = [tmp_path / "all.exr", "--defocus", tmp_path / "all.exr", "--deblur", "none", "--quality", "draft"]
    assert (
        main([str(o) for o in (*given, "--layer", "blur", "-o", tmp_path / "c.tif", "--save-defocus", tmp_path / "t.npy")]) == 0
    )
    assert torch.equal(pictures.load_map(r), pictures.load_map(tmp_path / "t.npy"))
    capsys.readouterr()
    assert main([str(o) for o in (*given, "--layer", "blurr", "-o", tmp_path / "d.tif")]) == 2
    assert "layer 'blurr': there are none of this name, but B, G, R, Z, blur.V" in capsys.readouterr().err
    assert main([str(o) for o in (small / "photo.png", "--layer", "Z", "-o", tmp_path / "d.tif")]) == 2
    assert "--layer is about a depth picture" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("file", "options", "message"),
    [
        ("r.npy", ["--blur", "2"], "leave out --blur"),
        ("r.npy", ["--depth", "auto", "--focus", "0.5,0.5"], "leave out --focus"),
        ("r.npy", ["--depth", "{small}/depth.png"], "leave out --depth"),
        ("r.npy", ["--save-depth", "{out}/d.png"], "leave out --save-depth"),
        ("r.npy", ["--save-matte", "{out}/m.png"], "leave out --save-matte"),
        ("r.npy", ["--deblur", "deconvolution"], "needs depth, which --defocus replaces"),
        ("r.npy", [], "The defocus map is 30x20 px but the picture is 185x125 px"),
        ("r.png", [], "a .png file holds no radii in px"),
        ("none.tif", [], "There is no file"),
    ],
)
def test_mistakes_about_a_defocus_map(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], file: str, options: list[str], message: str
) -> None:
    np.save(tmp_path / "r.npy", np.zeros((20, 30), np.float32))
    Image.fromarray(np.zeros((125, 185), np.uint8)).save(tmp_path / "r.png")
    filled = [o.format(out=tmp_path, small=small) for o in options]
    given = [small / "photo.png", "--defocus", tmp_path / file, "-q", "-o", tmp_path / "o.png", *filled]
    assert main([str(o) for o in given]) == 2
    assert message in capsys.readouterr().err and not (tmp_path / "o.png").exists()


def test_a_defocus_map_of_0_to_1_is_warned_of(small: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    np.save(tmp_path / "r.npy", np.full((125, 185), 0.9, np.float32))
    given = [small / "photo.png", "--defocus", tmp_path / "r.npy", "--deblur", "none", "--quality", "draft"]
    assert main([str(o) for o in (*given, "-o", tmp_path / "o.png")]) == 0
    assert "The map holds px, not 0..1" in caplog.text


@pytest.mark.parametrize("aperture", ["polygon", "star", "aperture.png"])
def test_apertures(small: Path, tmp_path: Path, aperture: str) -> None:
    name = small / aperture if "." in aperture else aperture
    assert run(small, tmp_path / "o.png", "--blur", 6, "--aperture", name) == 0
    assert run(small, tmp_path / "c.png", "--blur", 6) == 0
    assert difference(pictures.load(tmp_path / "o.png").image, pictures.load(tmp_path / "c.png").image) > 0.03


def test_settings_of_an_aperture_are_kept_and_read_again(small: Path, tmp_path: Path) -> None:
    kept = tmp_path / "lens.json"
    options = ("--aperture", "triangle", "--squeeze", 1.5, "--spherical", 0.8, "--fringe", -0.4, "--onion", 0.3, "--rotation", 20)
    assert run(small, tmp_path / "a.png", "--blur", 6, *options, "--save-aperture", kept) == 0
    assert run(small, tmp_path / "b.png", "--blur", 6, "--aperture-file", kept) == 0
    assert run(small, tmp_path / "c.png", "--blur", 6, "--aperture-preset", "mirror lens") == 0
    assert run(small, tmp_path / "d.png", "--blur", 6, "--aperture-texture", small / "aperture.png") == 0
    a, b, c, d = (pictures.load(tmp_path / f"{name}.png").image for name in "abcd")
    assert torch.equal(a, b) and difference(a, c) > 0.05 and difference(c, d) > 0.05


def test_a_focal_plane_that_leans_and_the_depth_of_field(small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    camera = ("--focus", "0.5,0.65", "--f-number", "1.4", "--focal-mm", "85", "--sensor-mm", 36, *METRES)
    assert run(small, tmp_path / "a.png", *camera) == 0
    assert "depth of field" in capsys.readouterr().out
    assert run(small, tmp_path / "b.png", *camera, "--tilt", 40, "--swing", -20) == 0
    a, b = (pictures.load(tmp_path / f"{name}.png").image for name in "ab")
    assert difference(a, b) > 0.05


def test_lens_from_exif(small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """20 mm with an equivalent of 50 mm: a sensor with a diagonal of 17.3 mm, so 14.3 mm wide at 185 x 125 px."""
    assert run(small, tmp_path / "o.png", "--exif-lens", *METRES) == 0
    assert "20 mm f/5.6 on 14.3 mm" in capsys.readouterr().out
    assert run(small, tmp_path / "o.png", "--f-number", 1.4, *METRES) == 0
    assert "20 mm f/1.4 on 14.3 mm" in capsys.readouterr().out


def test_deconvolution_sharpens_a_blurred_photo(small: Path, tmp_path: Path) -> None:
    sharp = pictures.load(small / "photo.png").image
    d = depth.from_image(pictures.load_map(small / "depth.png"))
    made = defocus.from_lens(d, Blur(1.2), (0.5, 0.65))
    soft = linear_to_srgb(bokeh.render(srgb_to_linear(sharp), made, quality="normal"))
    pictures.save(tmp_path / "soft.png", soft, bits=16)
    options = ["--depth", str(small / "depth.png"), "--refine", "0", "--blur", "0", "--deblur", "deconvolution"]
    taken = ["--taken-focus", "0.5,0.65", "--taken-blur", "1.2", "--save-sharp", str(tmp_path / "sharp.png")]
    assert main([str(tmp_path / "soft.png"), *options, *taken, "-o", str(tmp_path / "o.png")]) == 0
    error = lambda image: float((image - sharp).square().mean())  # noqa: E731 - a formula
    # a small picture full of depth edges, which deconvolution leaves alone: the whole improves less than its blurred areas
    assert error(pictures.load(tmp_path / "sharp.png").image) < 0.9 * error(soft)
    assert pictures.load(tmp_path / "sharp.png").bits == 16


@pytest.mark.parametrize(
    "options,message",
    [
        (["--focus", "320,200"], "they are not pixels"),
        (["--focus", "middle"], "is not X,Y"),
        (["--focus", "0.1,0.1", "--focus-distance", "2"], "not allowed with argument"),
        (["--blur", "80"], "must lie in 0..50"),
        (["--blur", "nan"], "must lie in 0..50"),
        (["--blur", "1", "--f-number", "2"], "both set the strength"),
        (["--focal-mm", "85"], "--focal-mm needs --f-number"),
        (["--f-number", "2", "--focal-mm", "50"], "--f-number needs depth in metres, and --depth"),
        (["--focus-distance", "2"], "--focus-distance needs depth in metres"),
        (["--focus-distance", "2", "--depth", "{small}/depth.png"], "depth.png is relative"),
        (["--near-m", "2"], "Give both --near-m and --far-m"),
        (["--near-m", "5", "--far-m", "2"], "near_m"),
        (["--depth", "no_such_model"], "neither a file nor a model"),
        (["--depth", "auto", "--depth-near", "dark"], "--depth-near is about a depth picture"),
        (["--aperture", "sausage"], "neither a shape"),
        (["--tilt", "30"], "give it with --focus"),
        (["--aperture-preset", "mirror lens", "--onion", "0.5"], "leave out --onion"),
        (["--aperture-preset", "mirror lens", "--aperture-file", "a.json"], "Give one of them"),
        (["--aperture", "polygon", "--blades", "2"], "blades"),
        (["--bits", "16", "-o", "{out}/o.jpg"], "cannot hold 16 bits"),
        (["-o", "{out}/o.gif"], "pictures are written as"),
        (["-o", "{out}/none/o.png"], "does not exist. Create it first"),
        (["-o", "{small}/photo.png"], "is the input"),
        (["--save-depth", "{small}/depth.png"], "is the input"),
        (["--save-depth", "{out}/o.png"], "same name"),
        (["--save-depth", "{out}/d.jpg"], "maps are written as"),
        (["--save-sharp", "{out}/s.png"], "--save-sharp needs --deblur"),
        (["--deblur", "deconvolution", "--taken-focus", "2,2"], "they are not pixels"),
        (["--taken-blur", "1"], "add --deblur deconvolution"),
        (["--deblur", "magic"], "magic"),
        (["--focus-mask", "{out}/none.png"], "There is no file"),
        (["--frobnicate"], "unrecognized arguments"),
    ],
)
def test_mistakes_end_with_one_clear_line(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    before = {p: p.read_bytes() for p in small.iterdir()}
    filled = [o.format(out=tmp_path, small=small) for o in options]
    try:
        code = run(small, tmp_path / "o.png", "-q", *filled)
    except SystemExit as error:  # argparse
        code = error.code
    said = capsys.readouterr().err.strip()
    assert code == 2 and message in said and said.startswith("refocus: ") and "Traceback" not in said
    assert len(said.splitlines()) == 1
    assert list(tmp_path.iterdir()) == [] and {p: p.read_bytes() for p in small.iterdir()} == before


@pytest.mark.parametrize(
    "options",
    [
        ["--device", "nowhere"],
        ["--depth", "no_such_model"],
        ["--depth", "{out}/none.safetensors"],
        ["--near-m", "5", "--far-m", "2"],
        ["--aperture", "pentagram"],
        ["--aperture-file", "{out}/none.json"],
        ["--aperture-texture", "{out}/none.png"],
        ["--save-aperture", "{out}/none/lens.json"],
        ["--save-aperture", "{out}/lens.txt"],
        ["--aperture", "{small}/aperture.png", "--save-aperture", "{out}/lens.json"],
        ["--focus-mask", "{out}/none.png"],
        ["--defocus", "{out}/none.tif"],
        ["--deblur", "magic"],
        ["--deblur", "model:{out}/none.safetensors"],
        ["--bits", "16", "-o", "{out}/o.jpg"],
        ["--save-depth", "{out}/d.jpg"],
        ["--save-sharp", "{out}/none/s.png", "--deblur", "auto"],
    ],
)
def test_what_cannot_work_is_refused_before_the_photo_is_read(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    def read(*_: object) -> None:
        raise AssertionError("the photo was read")

    monkeypatch.setattr(pictures, "load", read)
    arguments = [str(small / "photo.png"), "-o", str(tmp_path / "o.png")]
    assert main([*arguments, *(o.format(out=tmp_path, small=small) for o in options)]) == 2


def test_a_lens_that_exif_lacks_is_missed_before_the_work(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures.save(tmp_path / "plain.png", pictures.load(small / "photo.png").image)
    monkeypatch.setattr(depth, "estimate", lambda *_, **__: pytest.fail("depth was estimated"))
    for options in (["--exif-lens"], ["--deblur", "deconvolution"]):
        assert main([str(tmp_path / "plain.png"), "-o", str(tmp_path / "o.png"), *options]) == 2
        assert "EXIF" in capsys.readouterr().err


def test_a_link_stays_a_link_and_a_protected_file_stays_as_it_is(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "there").mkdir()
    link, real = tmp_path / "link.png", tmp_path / "there" / "real.png"
    link.symlink_to(real)
    assert run(small, link, "-q") == 0
    assert link.is_symlink() and pictures.load(real).image.shape[-1] > 0
    assert capsys.readouterr() == ("", ""), "-q says nothing"
    kept = real.read_bytes()
    real.chmod(0o444)
    assert run(small, link, "-q") == 2
    assert "write-protected" in capsys.readouterr().err and real.read_bytes() == kept


@pytest.mark.parametrize("name", ["é" * 125 + ".png", "a" * 251 + ".png"])
def test_names_as_long_as_file_systems_hold_are_written(small: Path, tmp_path: Path, name: str) -> None:
    assert run(small, tmp_path / name) == 0 and (tmp_path / name).exists()
    assert run(small, tmp_path / ("aaaa" + name)) == 2


def test_a_console_that_lacks_the_characters_of_a_name_still_gets_its_line(small: Path, tmp_path: Path) -> None:
    """As a process of its own, whose console knows ASCII only."""
    command = [sys.executable, "-m", "refocus_core", str(small / "photo.png"), "--depth", str(small / "depth.png")]
    options = ["--deblur", "none", "--quality", "draft", "-o", str(tmp_path / "東京.png")]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run([*command, *options], env=environment, capture_output=True, check=False)
    assert done.returncode == 0 and rb"\u6771" in done.stdout and (tmp_path / "東京.png").exists()


def test_an_empty_mask_and_an_unfit_depth(small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(np.zeros((125, 185), np.uint8)).save(tmp_path / "empty.png")
    Image.fromarray(np.zeros((125, 125), np.uint8)).save(tmp_path / "square.png")
    assert run(small, tmp_path / "o.png", "--focus-mask", tmp_path / "empty.png") == 2
    assert "mask is empty" in capsys.readouterr().err
    assert main([str(small / "photo.png"), "--depth", str(tmp_path / "square.png"), "-o", str(tmp_path / "o.png")]) == 2
    assert "125x125" in capsys.readouterr().err
    assert not (tmp_path / "o.png").exists()


def test_overwrite_is_possible_when_asked(small: Path, tmp_path: Path) -> None:
    copy = tmp_path / "p.png"
    copy.write_bytes((small / "photo.png").read_bytes())
    assert main([str(copy), "--depth", str(small / "depth.png"), "--quality", "draft", "-o", str(copy), "--overwrite"]) == 0
    assert copy.read_bytes() != (small / "photo.png").read_bytes() and pictures.load(copy).camera.model == "Camera 1"


def test_a_matte_of_what_is_in_focus_is_kept(small: Path, tmp_path: Path) -> None:
    assert run(small, tmp_path / "o.png", "--save-matte", tmp_path / "m.png", "--matte-tolerance", "0.05") == 0
    matte = pictures.load_map(tmp_path / "m.png")
    assert float(matte.min()) == 0 and float(matte.max()) == 1 and 0.02 < float(matte.mean()) < 0.9


def test_interrupt_leaves_nothing(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(bokeh, "render_with_alpha", stop)
    assert run(small, tmp_path / "o.png") == 130
    assert "nothing was written" in capsys.readouterr().err and list(tmp_path.iterdir()) == []


def test_help_and_mistakes_do_not_wait_for_torch() -> None:
    """As a process of its own: `python -m refocus_core`."""
    probe = (
        "import sys; from refocus_core.cli import build_parser; build_parser().format_help(); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", probe], check=False).returncode == 0
    done = subprocess.run([sys.executable, "-m", "refocus_core", "--help"], capture_output=True, text=True, check=True)
    assert "examples" in done.stdout and "--focus X,Y" in done.stdout
