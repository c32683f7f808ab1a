"""The data engine: pairs that can be made again, K from EXIF and from renders, shards that resume and share."""

from __future__ import annotations

import http.server
import io
import json
import math
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from PIL import Image, TiffImagePlugin
from torch import Tensor

from refocus_core import bokeh
from refocus_core.color import linear_to_srgb, srgb_to_linear
from refocus_core.files import pictures
from refocus_core.optics import BlurLaw, Lens, lens_gain_px
from refocus_core.train.common import config
from refocus_core.train.genfocus import (
    Aperture,
    LensRange,
    Lights,
    Mixed,
    Recipe,
    RejectedError,
    Series,
    ShardExamples,
    Shards,
    Sources,
    Wild,
    draw,
    exif,
    focus,
    make,
    pairs,
    series,
    spec_of,
    write,
)
from refocus_core.train.genfocus.commands import main
from refocus_core.train.genfocus.measure import exposure_between, shift_between, shifted
from refocus_core.train.genfocus.sample_files import decode
from refocus_core.train.genfocus.synthetic import render_pair
from refocus_core.train.genfocus.training import CONFIGS
from refocus_core.types import DefocusMap, DepthMap
from tests.helpers import motorcycle

RECIPE = Recipe(
    size_px=96,
    crop=(0.3, 0.6),
    largest_radius_px=(2, 8),
    apertures=(Aperture("circle"), Aperture("polygon", options={"blades": (5, 7), "rotation_deg": (0.0, 60.0)})),
    chromatic=(0.0, 0.05),
    highlight_boost=(0.0, 1.0),
    quality="draft",
)


def metric_disparity(height: int) -> tuple[Tensor, Tensor]:
    """The motorcycle scene: picture [3,H,W] sRGB and disparity [H,W] as if from 1 m to 5 m."""
    image = motorcycle.photo()[0]
    d = motorcycle.depth_map().disparity[0]
    d = (d - d.min()) / (d.max() - d.min()) * 0.8 + 0.2
    size = (height, round(height * image.shape[2] / image.shape[1]))
    image = F.interpolate(image[None], size, mode="area")[0].clamp(0, 1)
    return image, F.interpolate(d[None, None], size, mode="area")[0, 0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three photos with metric depth."""
    out = tmp_path_factory.mktemp("sources")
    (out / "photos").mkdir()
    (out / "depth").mkdir()
    image, d = metric_disparity(200)
    for i in range(3):
        pictures.save(out / "photos" / f"p{i}.png", image.flip(-1)[None] if i == 1 else image[None] * (1 - 0.1 * i))
        pictures.save_map(out / "depth" / f"p{i}.npy", d.flip(-1) if i == 1 else d)
    (out / "depth" / "depth.json").write_text('{"metric": true}')
    return out


# --- synthetic pairs ------------------------------------------------------------------------------------------------------


def test_a_pair_is_made_again_from_its_json_alone(folder: Path) -> None:
    recipe = replace(RECIPE, lights=Lights(count=(2, 4)))
    for index in range(3):
        first = make(draw(recipe, Sources(folder), 5, index), Sources(folder))
        spec = spec_of(json.loads(json.dumps(pairs.sample_of(first)["json"])))
        again = make(spec, Sources(folder))
        assert spec == first.spec
        for a, b in ((first.sharp, again.sharp), (first.blurred, again.blurred), (first.radius_px, again.radius_px)):
            assert torch.equal(a, b)
        assert first.sharp.shape == (3, 96, 96)
        assert not torch.equal(first.sharp, first.blurred)


def test_drawing_depends_on_seed_and_number_alone_and_every_photo_has_its_turn(folder: Path) -> None:
    sources = Sources(folder)
    first = [draw(RECIPE, sources, 1, i) for i in range(6)]
    assert [draw(RECIPE, sources, 1, i) for i in reversed(range(6))] == first[::-1]
    assert draw(RECIPE, sources, 2, 0) != first[0]
    for turn in (first[:3], first[3:]):
        assert {s.photo.file for s in turn} == {f"photos/p{i}.png" for i in range(3)}
    assert {s.aperture for s in (draw(RECIPE, sources, 1, i) for i in range(12))} == {"circle", "polygon"}


def test_the_radius_is_the_lens_law_at_the_size_of_the_pair(folder: Path) -> None:
    """The same lens on a crop of half the side, scaled up to the same size, blurs twice as many pixels."""
    recipe = replace(RECIPE, lens=LensRange((50, 50), (5.6, 5.6)), sharp=0.0, flip=0.0, chromatic=(0, 0), limit_px=1000)
    sources = Sources(folder)
    for share in (0.5, 1.0):
        pair = make(draw(replace(recipe, crop=(share, share)), sources, 3, 0), sources)
        side = pair.spec.crop[2]
        width = sources.read(pair.spec.photo, pair.spec.depth)[0].shape[2]
        whole = lens_gain_px(Lens(50, 5.6), torch.tensor([pair.spec.focus_disparity]), width)
        assert pair.spec.gain_px == pytest.approx(float(whole) * 96 / side)
        assert side == round(200 * share)
        torch.testing.assert_close(pair.radius_px, pair.spec.gain_px * (pair.spec.focus_disparity - pair.disparity))


def test_a_blur_beyond_the_limit_is_stopped_down(folder: Path) -> None:
    recipe = replace(RECIPE, lens=LensRange((200, 200), (1.2, 1.2)), sharp=0.0, limit_px=6.0)
    spec = draw(recipe, Sources(folder), 0, 0)
    assert spec.lens is not None and spec.lens[1] > 1.2
    assert float(make(spec, Sources(folder)).radius_px.abs().max()) == pytest.approx(6.0, rel=1e-3)


def test_without_blur_the_two_pictures_are_the_same(folder: Path) -> None:
    pair = make(draw(replace(RECIPE, sharp=1.0), Sources(folder), 0, 0), Sources(folder))
    assert pair.spec.gain_px == 0
    assert torch.equal(pair.sharp, pair.blurred)


def test_lights_show_the_shape_of_the_aperture(folder: Path) -> None:
    """A light far out of focus is a picture of the aperture: a heart has a notch at its upper edge and a tip below."""
    recipe = Recipe(
        size_px=96,
        crop=(0.9, 0.9),
        largest_radius_px=(14, 14),
        sharp=0.0,
        apertures=(Aperture("heart"),),
        lights=Lights(count=(1, 1), intensity=(4000, 4000), dim=(1e-4, 1e-4)),
    )
    sources = Sources(folder)
    spec = draw(recipe, sources, 0, 0)
    d = torch.zeros(96, 96)
    d[0, 0] = 1.0  # so that a radius of 14 px behind the focal plane is the background's
    light = replace(spec.lights[0], x=48.0, y=48.0, colour=(4000.0, 4000.0, 4000.0))
    spec = replace(spec, gain_px=14.0, focus_disparity=1.0, lights=(light,), quality="normal")
    disc = render_pair(torch.zeros(3, 96, 96), d, spec).blurred[1].float()
    wide, narrow = (int((disc[y] > 60).sum()) for y in (44, 58))
    assert wide > 18 and narrow < 0.6 * wide
    top = [int((disc[:, x] > 60).nonzero()[0]) for x in (41, 48, 54)]
    assert top[1] > top[0] and top[1] > top[2]


def test_what_cannot_be_made_again_says_why(folder: Path, tmp_path: Path) -> None:
    spec = draw(RECIPE, Sources(folder), 0, 0)
    with pytest.raises(ValueError, match="not the file that the pair was made from"):
        make(replace(spec, photo=replace(spec.photo, sha256="0" * 64)), Sources(folder))
    with pytest.raises(ValueError, match="leads out of"):
        make(replace(spec, photo=replace(spec.photo, file="../x.png")), Sources(folder))
    with pytest.raises(ValueError, match="version 9"):
        make(replace(spec, version=9), Sources(folder))
    with pytest.raises(ValueError, match="cannot be made again"):
        spec_of({"kind": "wild"})
    (tmp_path / "photos").mkdir()
    with pytest.raises(ValueError, match="holds no photo"):
        Sources(tmp_path)
    (tmp_path / "photos" / "a.png").write_bytes((folder / "photos" / "p0.png").read_bytes())
    with pytest.raises(ValueError, match=r"depth\.json is missing"):
        Sources(tmp_path)


@pytest.mark.parametrize("name", ["data_synthetic", "data_lens", "data_shapes"])
def test_recipes_that_ship_are_valid(name: str, folder: Path) -> None:
    recipe = config.read(name, Recipe, CONFIGS)
    assert recipe.size_px == 512
    draw(recipe, Sources(folder), 0, 0)


def test_settings_files_are_checked(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("size_px: 512\nsise: 3\n")
    with pytest.raises(ValueError, match=r"unknown name\(s\) sise"):
        config.read(file, Recipe)
    file.write_text("crop: [0.5, wide]\n")
    with pytest.raises(ValueError, match="crop: expected <class 'float'>, got 'wide'"):
        config.read(file, Recipe)
    with pytest.raises(FileNotFoundError, match=r"one of: .*data_synthetic"):
        config.read("nothing", Recipe, CONFIGS)


# --- EXIF -----------------------------------------------------------------------------------------------------------------


def photo_with(path: Path, size: tuple[int, int] = (96, 64), **fields: object) -> Path:
    """A JPEG with these EXIF fields."""
    tags = {
        "focal": 0x920A,
        "f_number": 0x829D,
        "film": 0xA405,
        "aperture": 0x9202,
        "subject": 0x9206,
        "plane": 0xA20E,
        "plane_unit": 0xA210,
        "width": 0xA002,
        "height": 0xA003,
        "zoom": 0xA404,
    }
    block = Image.Exif()
    details = block.get_ifd(0x8769)
    for name, value in fields.items():
        details[tags[name]] = TiffImagePlugin.IFDRational(value) if isinstance(value, float) else value
    block[0x8769] = details
    Image.new("RGB", size, (90, 120, 60)).save(path, exif=block.tobytes())
    return path


LENS_TABLE = [
    # focal, f-number, 35 mm equivalent, picture's shape, long edge, K in px*m with the focus at infinity
    (50.0, 1.8, 50, (96, 64), 1024, 19.8),
    (85.0, 1.4, 85, (96, 64), 1024, 73.4),
    (35.0, 2.0, 35, (96, 64), 2048, 17.4),
    (135.0, 2.0, 135, (96, 64), 512, 64.8),
    (35.0, 1.8, 53, (96, 64), 1024, 14.8),
    (6.86, 1.78, 24, (96, 72), 1024, 1.4),
]


@pytest.mark.parametrize(("focal", "f_number", "film", "size", "edge", "expected"), LENS_TABLE)
def test_gain_from_exif_is_that_of_the_lens_table(
    tmp_path: Path, focal: float, f_number: float, film: int, size: tuple[int, int], edge: int, expected: float
) -> None:
    found = exif.reading(exif.read(photo_with(tmp_path / "a.jpg", size, focal=focal, f_number=f_number, film=film)))
    assert found.status == "ok", found
    k = exif.gain(found, edge, focus_disparity=0.0).gain_px
    assert k == pytest.approx(expected, abs=0.05 if expected < 100 else 0.5, rel=0.012)


def test_the_nearer_the_focus_the_larger_the_gain(tmp_path: Path) -> None:
    found = exif.reading(exif.read(photo_with(tmp_path / "a.jpg", focal=85.0, f_number=1.4, film=85, subject=1.0)))
    k = exif.gain(found, 1024)
    assert k.distance_from == "SubjectDistance"
    assert k.gain_px == pytest.approx(float(lens_gain_px(Lens(85, 1.4, 36), torch.tensor([1.0]), 1024)))
    masked = exif.gain(found, 1024, focus_disparity=0.25)
    assert masked.distance_from == "mask" and masked.gain_px < k.gain_px
    assert masked.contradictions == ("SubjectDistance 1 m, depth says 4 m",)


def test_infinite_and_unknown_distances(tmp_path: Path) -> None:
    lens = {"focal": 50.0, "f_number": 2.0, "film": 50}
    far = photo_with(tmp_path / "a.jpg", **lens, subject=TiffImagePlugin.IFDRational(0xFFFFFFFF, 1))
    assert exif.read(far).subject_m == math.inf
    assert exif.gain(exif.reading(exif.read(far)), 1024).focus_disparity == 0
    unknown = exif.reading(exif.read(photo_with(tmp_path / "b.jpg", **lens, subject=0.0)))
    assert unknown.status == "ok" and unknown.subject_m is None
    with pytest.raises(ValueError, match="Neither a focus disparity nor SubjectDistance"):
        exif.gain(unknown, 1024)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"aperture": 8.0}, "FNumber 2, but ApertureValue says f/16"),
        ({"plane": 96 / 22.3 * 25.4, "plane_unit": 2, "width": 96, "height": 64}, "sensor of 36 mm by FocalLength"),
        ({"width": 96, "height": 96}, "it was cropped"),
        ({"zoom": 2.0}, "DigitalZoomRatio 2"),
        ({"subject": 0.03}, "within the focal length"),
    ],
)
def test_contradictions_are_found(tmp_path: Path, fields: dict[str, object], text: str) -> None:
    path = photo_with(tmp_path / "a.jpg", focal=50.0, f_number=2.0, film=50, **fields)
    found = exif.reading(exif.read(path))
    assert found.status == "contradictory" and found.lens is None
    assert text in found.contradictions[0]


def test_the_survey_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo_with(tmp_path / "good.jpg", focal=50.0, f_number=2.0, film=50)
    photo_with(tmp_path / "plane.jpg", focal=35.0, f_number=2.0, plane=96 / 23.6, plane_unit=4, width=96, height=64)
    photo_with(tmp_path / "bare.jpg")
    photo_with(tmp_path / "odd.jpg", focal=50.0, f_number=2.0, film=50, aperture=8.0)
    photo_with(tmp_path / "odd2.jpg", focal=50.0, f_number=2.8, film=50, aperture=9.0)
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    assert main(["exif", str(tmp_path), "-o", str(tmp_path / "report.json")]) == 0
    counts = json.loads((tmp_path / "report.json").read_text())["counts"]
    assert (counts["ok"], counts["missing"], counts["contradictory"], counts["unreadable"]) == (2, 1, 2, 1)
    assert counts["missing: FocalLength"] == 1 and counts["contradictory: FNumber"] == 2
    assert "35 mm f/2 on 23.6 mm" in capsys.readouterr().out


# --- real photos ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("gain", "focal_plane"), [(5.0, 0.35), (9.0, 0.8)])
def test_gain_is_recovered_from_a_render(gain: float, focal_plane: float) -> None:
    """Moved by part pixels, darker and 8 bits deep: within 3 %."""
    image, d = metric_disparity(96)
    sharp = srgb_to_linear(image)
    one = torch.ones(1)
    m = DefocusMap.from_law(d[None], BlurLaw.thin_lens(one * gain, one * focal_plane))
    real = shifted(bokeh.render(sharp[None], m)[0], 0.4, -1.3) * torch.tensor([0.8, 0.75, 0.7]).view(3, 1, 1)
    real = srgb_to_linear((linear_to_srgb(real).clamp(0, 1) * 255).round() / 255)
    ready = series.align(real, sharp)
    assert ready.shift_px == pytest.approx((0.4, -1.3), abs=0.1)
    assert (1 / ready.exposure).tolist() == pytest.approx([0.8, 0.75, 0.7], rel=0.03)
    fit = series.search_gain(sharp, d, focal_plane, ready.frame, radius_px=(1, 12), coarse=5, tolerance=0.02)
    assert fit.accepted, fit.why
    assert fit.gain_px == pytest.approx(gain, rel=0.03)
    assert fit.ssim > fit.ssim_sharp


def test_another_scene_is_rejected() -> None:
    image, d = metric_disparity(96)
    sharp = srgb_to_linear(image)
    fit = series.search_gain(sharp, d, 0.5, sharp.flip(-1), radius_px=(1, 8), coarse=3, tolerance=0.5, quality="draft")
    assert not fit.accepted and "is below 0.85" in fit.why
    with pytest.raises(ValueError, match="not the same view"):
        series.align(shifted(sharp, 0.0, 14.0), sharp)


def test_shift_and_exposure_are_measured() -> None:
    image = srgb_to_linear(metric_disparity(128)[0])
    down, right, sure = shift_between(shifted(image, -2.35, 3.6), image)
    assert (down, right) == pytest.approx((-2.35, 3.6), abs=0.06)
    assert sure > 0.3
    assert exposure_between(image * 0.5, image).tolist() == pytest.approx([2, 2, 2], rel=1e-3)


@pytest.mark.parametrize("focal_plane", [0.3, 0.55, 0.9])
def test_focus_is_found_by_sharpness(focal_plane: float) -> None:
    """On a scene with texture at every distance, within a tenth of its span."""
    noise = torch.rand(3, 24, 32, generator=torch.Generator().manual_seed(1)).repeat_interleave(8, 1).repeat_interleave(8, 2)
    d = torch.linspace(0.2, 1.0, 256).expand(192, 256).contiguous()
    one = torch.ones(1)
    m = DefocusMap.from_law(d[None], BlurLaw.thin_lens(one * 12, one * focal_plane))
    photo = bokeh.render(noise[None], m)[0]
    found = focus.from_sharpness(photo, DepthMap(d[None], True))
    assert found.disparity == pytest.approx(focal_plane, abs=0.08)
    assert found.confidence > 0.4
    assert focus.from_sharpness(noise, DepthMap(d[None], True)).confidence < 0.3


@pytest.mark.parametrize("focal_plane", [0.25, 0.35, 0.5, 0.65, 0.8])
def test_focus_of_a_small_photo_is_not_one_lucky_bin(focal_plane: float) -> None:
    """A real photo has few edges at some distances: there the sharpest bin alone is off by up to .34 of .8."""
    image, d = metric_disparity(128)
    one = torch.ones(1)
    m = DefocusMap.from_law(d[None], BlurLaw.thin_lens(one * 4, one * focal_plane))
    photo = bokeh.render(srgb_to_linear(image[None]), m)[0]
    assert focus.from_sharpness(photo, DepthMap(d[None], True)).disparity == pytest.approx(focal_plane, abs=0.15)


def test_focus_is_taken_from_a_mask() -> None:
    d = torch.full((40, 60), 0.2)
    d[10:30, 20:40] = 0.8
    mask = torch.zeros(40, 60)
    mask[12:28, 22:38] = 1
    found = focus.from_mask(DepthMap(d[None], True), mask)
    assert found.disparity == pytest.approx(0.8) and found.confidence == 1
    mask[:, :] = 1
    mask[10:30, 20:28] = 0
    assert focus.from_mask(DepthMap(d[None] + torch.rand(1, 40, 60) * 0.1, True), mask).confidence < 1


def wild_folder(tmp_path: Path, gain_focal: float = 0.5) -> tuple[Path, Tensor]:
    """A photo blurred as its EXIF says, one without EXIF, and the disparity."""
    image, d = metric_disparity(128)
    lens = exif.reading(exif.Exif(190, 128, 85.0, 2.0, 85.0))
    k = exif.gain(lens, max(image.shape[1:]), gain_focal).gain_px
    one = torch.ones(1)
    m = DefocusMap.from_law(d[None], BlurLaw.thin_lens(one * k, one * gain_focal))
    photo = linear_to_srgb(bokeh.render(srgb_to_linear(image)[None], m))
    (tmp_path / "photos").mkdir()
    block = Image.Exif()
    details = block.get_ifd(0x8769)
    details.update({0x920A: 85.0, 0x829D: 2.0, 0xA405: 85})
    block[0x8769] = details
    pictures.save(tmp_path / "photos" / "a.jpg", photo, exif=block.tobytes())
    pictures.save(tmp_path / "photos" / "b.png", photo)
    return tmp_path, d


def test_photos_from_the_wild_become_pairs_or_say_why(tmp_path: Path) -> None:
    folder, d = wild_folder(tmp_path)
    image = metric_disparity(128)[0]
    make_one = Wild(folder, lambda _: image[None], lambda _: DepthMap(d[None], True), size_px=128)
    sample = make_one(0)
    note = sample["json"]
    assert note["focus_from"] == "sharpness" and note["focus_disparity"] == pytest.approx(0.5, abs=0.15)
    assert note["confidence_parts"]["render"] > 0.8 and 0.3 <= note["confidence"] <= 1
    assert sample["blurred.png"].shape == (3, 128, 128)
    with pytest.raises(RejectedError, match=r"b\.png: EXIF missing: FocalLength; FNumber"):
        make_one(1)
    (folder / "masks").mkdir()
    pictures.save_map(folder / "masks" / "a.png", ((d - 0.5).abs() < 0.03).float())
    masked = make_one(0)["json"]
    assert masked["focus_from"] == "mask" and masked["focus_disparity"] == pytest.approx(0.5, abs=0.02)
    with pytest.raises(RejectedError, match="confidence"):
        replace(make_one, all_in_focus=lambda x: x.flip(-1))(0)


def test_aperture_series_become_pairs(tmp_path: Path) -> None:
    image, d = metric_disparity(96)
    scene = tmp_path / "one"
    scene.mkdir()
    one = torch.ones(1)
    for n, k in ((2.0, 8.0), (4.0, 4.0)):
        m = DefocusMap.from_law(d[None], BlurLaw.thin_lens(one * k, one * 0.6))
        pictures.save(scene / f"f{n:g}.png", linear_to_srgb(bokeh.render(srgb_to_linear(image)[None], m)))
    pictures.save(scene / "f16.png", image[None])
    pictures.save_map(scene / "mask.png", ((d - 0.6).abs() < 0.03).float())
    (scene / "series.json").write_text(json.dumps({"sharp": "f16.png", "frames": {"f2.png": 2, "f4.png": 4}}))
    make_one = Series(tmp_path, lambda _: DepthMap(d[None], True), size_px=96, radius_px=(1.0, 12.0))
    gains = [make_one(i)["json"]["gain_px"] for i in range(2)]
    assert gains == pytest.approx([8.0, 4.0], rel=0.04)


# --- shards ---------------------------------------------------------------------------------------------------------------


def numbered(index: int) -> dict[str, object]:
    if index == 5:
        raise RejectedError("five is not wanted")
    return {"a.png": torch.full((3, 4, 4), index, dtype=torch.uint8), "x.npy": torch.tensor([index]), "json": {"i": index}}


def files(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir())}


def test_shards_do_not_depend_on_workers_processes_or_interruptions(tmp_path: Path) -> None:
    done = write(numbered, 22, tmp_path / "one", per_shard=6, show=False)
    assert (done.made, done.samples, done.rejected) == (4, 21, {"5": "five is not wanted"})
    write(numbered, 22, tmp_path / "workers", per_shard=6, workers=2, show=False)
    for process in (1, 0):
        write(numbered, 22, tmp_path / "shared", per_shard=6, process=process, processes=2, show=False)

    def stops(index: int) -> dict[str, object]:
        if index == 14:
            raise KeyboardInterrupt
        return numbered(index)

    with pytest.raises(KeyboardInterrupt):
        write(stops, 22, tmp_path / "stopped", per_shard=6, show=False)
    assert [p.name for p in sorted((tmp_path / "stopped").glob("*.tar"))] == ["shard-000000.tar", "shard-000001.tar"]
    again = write(numbered, 22, tmp_path / "stopped", per_shard=6, show=False)
    assert (again.made, again.kept, again.samples) == (2, 2, 21)
    for other in ("workers", "shared", "stopped"):
        assert files(tmp_path / other) == files(tmp_path / "one")


def test_webdataset_itself_reads_them(tmp_path: Path) -> None:
    import webdataset

    write(numbered, 8, tmp_path, per_shard=4, show=False)
    urls = [str(p) for p in sorted(tmp_path.glob("*.tar"))]
    read = [(s["__key__"], json.loads(s["json"])["i"]) for s in webdataset.WebDataset(urls, shardshuffle=False)]
    assert read == [(f"{i:012d}", i) for i in range(8) if i != 5]


def test_examples_come_in_an_order_of_their_own_in_every_round(tmp_path: Path) -> None:
    write(numbered, 22, tmp_path, per_shard=6, show=False)

    def numbers(examples: ShardExamples, order: range) -> list[int]:
        return [int(examples[i]["i"]) for i in order]

    def convert(sample: dict[str, object], _index: int) -> dict[str, object]:
        return {"i": int(sample["x.npy"])}  # type: ignore[call-overload]

    one = ShardExamples(Shards(tmp_path), 3, convert, together=2)
    first, second = numbers(one, range(21)), numbers(one, range(21, 42))
    wanted = [i for i in range(22) if i != 5]
    assert sorted(first) == sorted(second) == wanted
    assert first != second and first != wanted
    assert numbers(ShardExamples(Shards(tmp_path), 3, convert, together=2), range(41, -1, -1)) == (first + second)[::-1]
    assert len({i // 6 for i in first[:9]}) == 2  # only two shards are open at a time
    mixed = Mixed([one, [{"i": 100 + i} for i in range(100)]], [3, 1])
    seen = [int(mixed[i]["i"]) for i in range(12)]
    assert [s for s in seen if s < 100] == first[:9] and [s for s in seen if s >= 100] == [100, 101, 102]


def test_remote_shards_are_fetched_into_a_bounded_cache(tmp_path: Path) -> None:
    write(numbered, 22, tmp_path / "served", per_shard=6, show=False)
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path / "served"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/shard-{{000000..000003}}.tar"
        remote = Shards(url, cache=tmp_path / "cache", keep=3)
        with pytest.raises(ValueError, match="need a cache folder"):
            Shards(url)
        read = [json.loads(content["json"])["i"] for _, content in remote]
        server.shutdown()
    assert read == [i for i in range(22) if i != 5]
    assert len(list((tmp_path / "cache").glob("*.tar"))) == 3


def test_other_schemes_and_empty_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no shard"):
        Shards(tmp_path)
    with pytest.raises(ValueError, match="read from files or by"):
        Shards("pipe:cat x.tar")


def test_the_command_line_makes_shows_and_remakes_pairs(folder: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("{size_px: 64, crop: [0.3, 0.4], largest_radius_px: [2, 4], quality: draft}")
    common = ["--recipe", str(recipe), "--count", "3", "--per-shard", "2", "--seed", "4"]
    assert main(["synthetic", str(folder), *common, "-o", str(tmp_path / "s")]) == 0
    assert main(["sheet", str(tmp_path / "s"), "-o", str(tmp_path / "sheet.png"), "--tile", "48"]) == 0
    assert Image.open(tmp_path / "sheet.png").size == ((4 * 48 + 8) * 2, (48 + 16) * 2)
    _, content = next(iter(Shards(tmp_path / "s")))
    (tmp_path / "m.json").write_bytes(content["json"])
    assert main(["remake", str(tmp_path / "m.json"), str(folder), "-o", str(tmp_path / "again")]) == 0
    for name in ("sharp", "blurred"):
        stored = decode(content)[f"{name}.png"]
        with Image.open(tmp_path / "again" / f"{name}.png") as im, Image.open(io.BytesIO(content[f"{name}.png"])) as was:
            assert im.convert("RGB").tobytes() == was.tobytes()
        assert stored.shape == (3, 64, 64)
    assert main(["synthetic", str(tmp_path), *common, "-o", str(tmp_path / "t")]) == 1


def test_deblurring_pairs_are_cut_alike(folder: Path, tmp_path: Path) -> None:
    for name in ("blurred", "sharp"):
        (tmp_path / name).mkdir()
        for photo in (folder / "photos").iterdir():
            (tmp_path / name / photo.name).write_bytes(photo.read_bytes())
    maker = pairs.DeblurPairs(tmp_path, size_px=64, crops=2, pre=lambda x: 1 - x)
    sample = maker(3)
    assert torch.equal(sample["sharp.png"], sample["blurred.png"])
    assert torch.equal(sample["pre.png"], 255 - sample["sharp.png"])
    assert sample["json"]["file"] == "p1.png"
    (tmp_path / "sharp" / "p1.png").unlink()
    with pytest.raises(RejectedError, match="no counterpart"):
        maker(3)


def test_every_command_makes_shards(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The depth network is replaced; what networks find is tested where they are."""
    d = metric_disparity(96)[1]

    def estimated(image: Tensor, model: str, **_options: object) -> DepthMap:
        assert model == "toy"
        return DepthMap(F.interpolate(d[None, None], image.shape[-2:], mode="bilinear")[0], True, source="toy")

    monkeypatch.setattr("refocus_core.train.genfocus.data.depth.estimate", estimated)
    options = ["--model", "toy", "--size", "96", "-o"]

    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "photos").symlink_to(folder / "photos")
    assert main(["depth", str(tmp_path / "new"), "--model", "toy"]) == 0
    assert Sources(tmp_path / "new").metric and len(Sources(tmp_path / "new")) == 3
    assert main(["depth", str(tmp_path / "new"), "--model", "other"]) == 1

    wild, _ = wild_folder(tmp_path)
    assert main(["wild", str(wild), "--all-in-focus", "none", "--least-confidence", "0", *options, str(tmp_path / "w")]) == 0
    assert "1 samples, 1 rejected" in capsys.readouterr().out

    scene = tmp_path / "scenes" / "one"
    scene.mkdir(parents=True)
    image = metric_disparity(96)[0]
    for name in ("sharp", "other"):
        pictures.save(scene / f"{name}.png", image[None])
    pictures.save_map(scene / "mask.png", (d > 0.9).float())
    (scene / "series.json").write_text('{"sharp": "sharp.png", "frames": {"other.png": null}}')
    assert main(["series", str(tmp_path / "scenes"), *options, str(tmp_path / "r")]) == 0
    assert "no blur fits better than none" in capsys.readouterr().out

    for name in ("blurred", "sharp"):
        (tmp_path / "pairs" / name).mkdir(parents=True)
        pictures.save(tmp_path / "pairs" / name / "a.png", image[None])
    deblur = ["deblur", str(tmp_path / "pairs"), "--size", "64", "--crops", "2", "-o", str(tmp_path / "d")]
    assert main([*deblur, "--pre", "none"]) == 0
    names = [set(content) for _, content in Shards(tmp_path / "d")]
    assert names == [{"blurred.png", "sharp.png", "pre.png", "json"}] * 2
    assert main([*deblur, "--pre", "generative"]) == 1
    assert "needs --flux and --deblur-lora" in capsys.readouterr().err
