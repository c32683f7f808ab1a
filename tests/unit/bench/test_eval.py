"""The evaluation command: public layouts are understood, numbers are right, what is missing is said and never made up."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor

from bench.eval import cases, methods, scores
from bench.eval.__main__ import main
from refocus_core import bokeh, generative
from refocus_core.color import linear_to_srgb, srgb_to_linear
from refocus_core.files import pictures
from refocus_core.optics import BlurLaw
from refocus_core.types import DefocusMap
from tests.helpers import motorcycle, tiny_flux


def picture(path: Path, value: float = 0.5, size: tuple[int, int] = (24, 32)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    g = torch.Generator().manual_seed(round(value * 1000))
    pictures.save(path, torch.rand(1, 3, *size, generator=g) * value)


def scene() -> tuple[Tensor, Tensor]:
    """[1,3,H,W] sRGB and disparity [H,W] in 1/m."""
    image = motorcycle.photo()
    d = motorcycle.depth_map().disparity[0]
    size = (72, 108)
    return F.interpolate(image, size, mode="area").clamp(0, 1), F.interpolate(d[None, None], size, mode="area")[0, 0]


def blurred(sharp: Tensor, d: Tensor, focus: float, gain: float) -> Tensor:
    one = torch.ones(1)
    m = DefocusMap.from_law(d[None], BlurLaw.thin_lens(one * gain, one * focus))
    return linear_to_srgb(bokeh.render(srgb_to_linear(sharp), m)).clamp(0, 1)


@pytest.fixture(scope="module")
def bokeh_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two renders of known K and focus; only one of the two K is given."""
    out = tmp_path_factory.mktemp("eval")
    sharp, d = scene()
    for name in ("input", "target", "depth"):
        (out / name).mkdir()
    for name, gain in (("a", 20.0), ("b", 12.0)):
        pictures.save(out / "input" / f"{name}.png", sharp)
        pictures.save(out / "target" / f"{name}.png", blurred(sharp, d, 0.4, gain))
        pictures.save_map(out / "depth" / f"{name}.npy", d)
    (out / "depth" / "depth.json").write_text('{"metric": true}')
    (out / "cases.json").write_text(json.dumps({"a": {"focus": 0.4, "gain_px": 20.0}, "b": {"focus": 0.4}}))
    return out


def test_the_physical_renderer_is_scored_with_known_and_searched_gain(bokeh_folder: Path, tmp_path: Path) -> None:
    command = [str(bokeh_folder), "--task", "bokeh", "--methods", "physical", "--lvcorr", "1", "--out", str(tmp_path)]
    assert main([*command, "--metrics", "psnr", "ssim", "--search-points", "5"]) == 0
    found = json.loads((tmp_path / "eval.json").read_text())["methods"]
    assert set(found) == {"identity", "physical"}
    ours, identity = found["physical"], found["identity"]
    assert ours["cases"]["a"]["gain_px"] == 20.0
    assert ours["cases"]["b"]["gain_px"] == pytest.approx(12.0, rel=0.04)
    assert ours["mean"]["psnr"] > 40 and identity["mean"]["psnr"] < 35
    assert ours["mean"]["ssim"] > 0.99 > identity["mean"]["ssim"]
    assert 0.7 < ours["lvcorr"][0] <= 1
    text = (tmp_path / "eval.md").read_text()
    assert "| identity | " in text and "LVCorr" in text and "2 case(s)" in text


def test_a_smaller_size_scales_the_gain_with_it(bokeh_folder: Path, tmp_path: Path) -> None:
    command = [str(bokeh_folder), "--task", "bokeh", "--methods", "physical", "--limit", "1", "--long-edge", "54"]
    assert main([*command, "--metrics", "psnr", "--out", str(tmp_path)]) == 0
    found = json.loads((tmp_path / "eval.json").read_text())["methods"]["physical"]
    assert found["cases"]["a"]["gain_px"] == 10.0
    assert found["mean"]["psnr"] > 30


def test_refocusing_goes_by_way_of_the_sharp_picture(tmp_path: Path) -> None:
    sharp, d = scene()
    for name in ("input", "target", "depth", "masks"):
        (tmp_path / name).mkdir()
    pictures.save(tmp_path / "input" / "a.png", blurred(sharp, d, 0.45, 6.0))
    pictures.save(tmp_path / "target" / "a.png", blurred(sharp, d, 0.25, 12.0))
    pictures.save_map(tmp_path / "depth" / "a.npy", d)
    pictures.save_map(tmp_path / "masks" / "a.png", ((d - 0.25).abs() < 0.01).float())
    (tmp_path / "depth" / "depth.json").write_text('{"metric": true}')
    command = [str(tmp_path), "--task", "refocus", "--methods", "physical", "--metrics", "psnr", "--search-points", "5"]
    assert main([*command, "--search-tolerance", "0.2", "--out", str(tmp_path / "out")]) == 0
    found = json.loads((tmp_path / "out" / "eval.json").read_text())["methods"]
    assert found["physical"]["cases"]["a"]["focus_disparity"] == pytest.approx(0.25, abs=0.005)
    assert found["physical"]["mean"]["psnr"] > found["identity"]["mean"]["psnr"]


def test_what_is_not_available_is_said_and_has_no_number(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("input", "target"):
        picture(tmp_path / name / "a.png")
    empty = tmp_path / "weights"
    empty.mkdir()
    command = [str(tmp_path), "--task", "deblur", "--out", str(tmp_path / "out"), "--metric-weights", str(empty)]
    assert main(command) == 0
    text = (tmp_path / "out" / "eval.md").read_text()
    row = next(line for line in text.splitlines() if line.startswith("| identity"))
    assert row == "| identity | 100.00 | 1.0000 | not available | not available |"
    assert "lpips is not available: it needs alexnet-owt-7be5be79.pth." in text
    found = json.loads((tmp_path / "out" / "eval.json").read_text())["methods"]["identity"]
    assert set(found["mean"]) == {"psnr", "ssim"} and found["not_available"] == ["dists", "lpips"]
    assert main([*command, "--metrics", "psnr", "lpips"]) == 1
    assert "lpips needs alexnet-owt-7be5be79.pth, which is not in" in capsys.readouterr().err
    assert main([*command, "--metrics", "niqe"]) == 1
    assert "Unknown metric 'niqe'" in capsys.readouterr().err


def test_perceptual_metrics_run_on_weights_from_files(tmp_path: Path) -> None:
    """Random weights of the right shapes: what the networks compute is their packages' matter, where weights come from ours."""
    from torchvision.models import alexnet

    torch.manual_seed(0)
    with torch.device("meta"):
        shapes = alexnet(weights=None).features.state_dict()
    trunk = {f"features.{k}": torch.randn(v.shape) * 0.05 for k, v in shapes.items()}
    torch.save(trunk, tmp_path / "alexnet-owt-7be5be79.pth")
    measure = scores.load(["lpips"], tmp_path)["lpips"]
    assert measure is not None
    a, b = torch.rand(3, 64, 64), torch.rand(3, 64, 64)
    assert measure(a, a) == 0
    assert 0 < measure(a, (a + b) / 2) < measure(a, b)


def test_dists_runs_on_weights_from_files(tmp_path: Path) -> None:
    from torchvision.models.vgg import cfgs, make_layers

    torch.manual_seed(0)
    features = make_layers(cfgs["D"]).state_dict()
    torch.save({f"features.{k}": v for k, v in features.items()}, tmp_path / "vgg16-397923af.pth")
    share = torch.full((1, 1475, 1, 1), 0.5 / 1475)
    torch.save({"alpha": share, "beta": share}, tmp_path / "dists_weights.pt")
    measure = scores.load(["dists"], tmp_path)["dists"]
    assert measure is not None
    a = torch.rand(3, 48, 48)
    assert measure(a, a) == pytest.approx(0, abs=1e-5)
    assert measure(a, torch.rand(3, 48, 48)) > 1e-3


def test_psnr_and_ssim_are_the_usual_ones() -> None:
    g = torch.Generator().manual_seed(0)
    a = F.interpolate(torch.rand(1, 3, 12, 16, generator=g), (48, 64), mode="bilinear")[0]
    b = (a + 0.05 * torch.randn(a.shape, generator=g)).clamp(0, 1)
    found = scores.load(["psnr", "ssim"])
    arrays = [x.permute(1, 2, 0).double().numpy() for x in (a, b)]
    assert found["psnr"] is not None and found["ssim"] is not None
    assert found["psnr"](b, a) == pytest.approx(peak_signal_noise_ratio(*arrays, data_range=1.0), abs=1e-4)
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0, "channel_axis": 2}
    assert found["ssim"](b, a) == pytest.approx(structural_similarity(*arrays, **options), abs=1e-4)


def test_lvcorr_is_one_for_blur_that_follows_and_falls_for_blur_that_does_not() -> None:
    sharp = scene()[0][0]
    fading = [sharp.mean() + (sharp - sharp.mean()) * math.sqrt(1 - 0.2 * i) for i in range(4)]
    assert scores.lvcorr([1, 2, 3, 4], fading) == pytest.approx(1, abs=1e-3)
    assert scores.lvcorr([1, 2, 3, 4], fading[::-1]) == pytest.approx(-1, abs=1e-3)
    assert math.isnan(scores.lvcorr([1, 2], [sharp, sharp]))


def dpdd(root: Path) -> None:
    for i in (1, 2):
        picture(root / "dd_dp_dataset_png" / "test_c" / "source" / f"1P0A{2000 + 2 * i}.png", 0.1 * i)
        picture(root / "dd_dp_dataset_png" / "test_c" / "target" / f"1P0A{2001 + 2 * i}.png", 0.2 * i)


def restormer_dpdd(root: Path) -> None:
    for name in ("inputC", "target"):
        picture(root / name / "0001.png")


def realdof(root: Path) -> None:
    for name in ("source", "target"):
        picture(root / name / "0.png")


def lfdof(root: Path) -> None:
    picture(root / "test_data" / "ground_truth" / "IMG_1.png")
    for i in range(3):
        picture(root / "test_data" / "input" / "IMG_1" / f"IMG_1_{i}.png", 0.1 + 0.1 * i)


def realbokeh(root: Path) -> None:
    test = root / "test"
    (test / "metadata").mkdir(parents=True)
    picture(test / "in" / "7_f22.JPG")
    for f in ("2.0", "4.0"):
        picture(test / "gt" / f"7_f{f}.JPG")
    note = {
        "id": 7,
        "source_image": "in/7_f22.JPG",
        "target_images": ["gt/7_f2.0.JPG", "gt/7_f4.0.JPG"],
        "target_avs": [2.0, 4.0],
    }
    (test / "metadata" / "7.json").write_text(json.dumps(note))


def ebb(root: Path) -> None:
    for name in ("original", "bokeh"):
        picture(root / "Training" / name / "4400.jpg")


def blb(root: Path) -> None:
    scene_folder = root / "277"
    picture(scene_folder / "image.png")
    for level in range(2):
        picture(scene_folder / f"bokeh_{level:02d}_00.png", 0.3)
    pictures.save_map(scene_folder / "depth.npy", torch.full((24, 32), 4.0))
    (scene_folder / "info.json").write_text(json.dumps({"blur_parameters": [10, 20], "focus_distances": [2.0]}))


@pytest.mark.parametrize(
    ("layout", "make", "task", "names"),
    [
        ("dpdd", dpdd, "deblur", ["1P0A2002", "1P0A2004"]),
        ("dpdd", restormer_dpdd, "deblur", ["0001"]),
        ("realdof", realdof, "deblur", ["0"]),
        ("realdof", realdof, "bokeh", ["0"]),
        ("lfdof", lfdof, "deblur", ["IMG_1/IMG_1_0", "IMG_1/IMG_1_1", "IMG_1/IMG_1_2"]),
        ("lfdof", lfdof, "refocus", ["IMG_1/IMG_1_0-IMG_1_1", "IMG_1/IMG_1_1-IMG_1_2", "IMG_1/IMG_1_2-IMG_1_0"]),
        ("realbokeh", realbokeh, "bokeh", ["7/f2", "7/f4"]),
        ("realbokeh", realbokeh, "deblur", ["7/f2", "7/f4"]),
        ("ebb", ebb, "bokeh", ["4400"]),
        ("blb", blb, "bokeh", ["277/bokeh_00_00", "277/bokeh_01_00"]),
    ],
)
def test_public_layouts_are_read(
    layout: str, make: Callable[[Path], None], task: cases.Task, names: list[str], tmp_path: Path
) -> None:
    make(tmp_path)
    found_task, found = cases.read(layout, tmp_path, task)
    assert found_task == task and [c.name for c in found] == names
    assert all(c.input.is_file() and c.target.is_file() and c.input != c.target and c.task == task for c in found)


def test_gain_and_focus_of_blb_are_those_of_its_authors(tmp_path: Path) -> None:
    """radius = K (1/focus - 1/depth), signed as here."""
    blb(tmp_path)
    from bench.eval.__main__ import depth_of, focus_of, load_case

    case = cases.read("blb", tmp_path)[1][1]
    loaded = load_case(case, None)
    depth_map = depth_of(loaded, loaded.photo, None)
    focus = focus_of(loaded, depth_map)
    assert (case.gain_px, focus) == (20.0, 0.5)
    radius = methods.defocus_map(depth_map, focus, 20.0).radius_px
    torch.testing.assert_close(radius, torch.full_like(radius, 5.0))


def test_the_direction_of_reversed_sets(tmp_path: Path) -> None:
    realbokeh(tmp_path)
    assert [c.input.parent.name for c in cases.read("realbokeh", tmp_path)[1]] == ["in", "in"]
    assert [c.input.parent.name for c in cases.read("realbokeh", tmp_path, "deblur")[1]] == ["gt", "gt"]


@pytest.mark.parametrize("layout", ["dpdd", "realdof", "lfdof", "realbokeh", "ebb", "blb"])
def test_another_folder_says_what_is_missing(layout: str, tmp_path: Path) -> None:
    with pytest.raises(cases.LayoutError):
        cases.read(layout, tmp_path)


def test_missing_things_are_said_before_any_work(bokeh_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = [str(bokeh_folder), "--task", "bokeh", "--metrics", "psnr", "--out", str(tmp_path), "--methods"]
    for method, text in (
        ("generative", "needs an adapter: give it with --bokeh-lora"),
        ("magic", "Unknown bokeh method 'magic'"),
    ):
        assert main([*command, method]) == 1
        assert text in capsys.readouterr().err
    lora = tmp_path / "x.safetensors"
    assert main([*command, "hybrid", "--bokeh-lora", str(lora)]) == 1
    assert "give its folder with --flux" in capsys.readouterr().err
    assert main([str(bokeh_folder), "--metrics", "psnr"]) == 1
    assert "Say what the pictures are for" in capsys.readouterr().err
    with pytest.raises(methods.MethodError, match="Unknown deblurring method"):
        methods.deblur("magic", methods.Options())


def test_generative_and_hybrid_methods_run_on_files(bokeh_folder: Path, tmp_path: Path) -> None:
    """A toy FLUX with random weights: what it draws is noise, and the scores say so."""
    tiny_flux.transformer().save_pretrained(tmp_path / "flux" / "transformer")
    tiny_flux.autoencoder().save_pretrained(tmp_path / "flux" / "vae")
    g = torch.Generator().manual_seed(4)
    words = {layout.prompt for layout in generative.LAYOUTS.values()}
    embedded = {
        w: generative.Prompt(torch.randn(1, 5, tiny_flux.TEXT, generator=g), torch.randn(1, tiny_flux.POOLED, generator=g))
        for w in sorted(words)
    }
    generative.save_prompts(tmp_path / "prompts.safetensors", embedded)
    factors = generative.adapter_factors(tiny_flux.with_adapter(tiny_flux.transformer()), "probe")
    for name in ("bokeh", "deblur"):
        generative.save_lora(tmp_path / f"{name}.safetensors", factors, layout=name)
    files = ["--flux", str(tmp_path / "flux"), "--prompts", str(tmp_path / "prompts.safetensors"), "--steps", "1"]
    files += ["--bokeh-lora", str(tmp_path / "bokeh.safetensors"), "--deblur-lora", str(tmp_path / "deblur.safetensors")]
    command = [str(bokeh_folder), "--metrics", "psnr", "--limit", "1", *files]
    rows = ["physical", "hybrid", "generative"]
    assert main([*command, "--task", "bokeh", "--methods", *rows, "--out", str(tmp_path / "bokeh")]) == 0
    found = json.loads((tmp_path / "bokeh" / "eval.json").read_text())["methods"]
    scored = [found[n]["mean"]["psnr"] for n in rows]
    assert scored[0] > 40 > max(scored[1:]) and scored[1] != scored[2]
    assert main([*command, "--task", "deblur", "--methods", "generative", "--out", str(tmp_path / "deblur")]) == 0
    assert set(json.loads((tmp_path / "deblur" / "eval.json").read_text())["methods"]) == {"identity", "generative"}
