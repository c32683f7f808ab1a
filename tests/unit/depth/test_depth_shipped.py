"""The depth network that ships with the package: the real file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from refocus_core import cli, defocus, depth, models
from refocus_core.depth.network import Architecture
from refocus_core.depth.registry import SHIPPED
from refocus_core.files import pictures
from refocus_core.optics import Blur
from refocus_core.train.depth import run as training
from refocus_core.train.depth.scores import score
from tests.helpers import motorcycle

ENTRY = depth.MODELS[SHIPPED]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def path() -> Path:
    (found,) = models.locate(ENTRY, [], verify_hash=True)
    return found


@pytest.fixture(scope="module")
def model() -> depth.DepthModel:
    return depth.load_entry(ENTRY, [])


def ramp(height: int, width: int) -> torch.Tensor:
    return torch.linspace(0, 1, height)[:, None].expand(height, width)


def test_the_file_is_the_one_that_was_pinned(path: Path) -> None:
    file = ENTRY.files[0]
    data = path.read_bytes()
    assert len(data) == file.bytes and len(data) <= 16_000_000
    assert hashlib.sha256(data).hexdigest() == file.sha256
    assert path == training.SHIPPED and all(torch.isfinite(v.float()).all() for v in load_file(path).values())
    assert training.Config.read().architecture == Architecture.read(
        {k: v for k, v in ENTRY.options.items() if k != "model_type"}
    ), "the configuration makes another network than the registry builds"


def test_it_is_found_without_any_folder_and_taken_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFOCUS_MODELS", str(tmp_path / "none"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "none"))
    assert depth.choose("auto", [tmp_path]) is ENTRY
    x = torch.rand(1, 3, 40, 60, generator=torch.Generator().manual_seed(1))
    assert depth.estimate(x, folders=[tmp_path]).source == ENTRY.label


def test_a_mirrored_photo_has_the_mirrored_depth(model: depth.DepthModel) -> None:
    photo = motorcycle.photo()[..., :700]  # a width that is no multiple of a token
    seen, mirrored = model(photo[0]).disparity, model(photo[0].flip(-1)).disparity.flip(-1)
    span = float(seen.amax() - seen.amin())
    assert float((seen - mirrored).abs().mean()) < 1e-3 * span


def test_it_sees_more_than_a_ramp(model: depth.DepthModel) -> None:
    """On the motorcycle, which it never saw: the order of depths, and their edges."""
    photo = motorcycle.photo()
    metres, known = motorcycle.depth_m()
    truth = torch.where(known, 1 / metres, 0)[0]
    guess = score(ramp(*photo.shape[-2:]), truth, known[0])
    found = score(depth.refine(depth.predict(model, photo), photo).disparity[0], truth, known[0])
    assert found.spearman > guess.spearman + 0.05 and found.delta > guess.delta, (found, guess)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 50), (300, 20), (17, 33), (250, 401)])
def test_any_size_and_aspect(model: depth.DepthModel, height: int, width: int) -> None:
    out = depth.predict(model, torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(2)))
    assert out.disparity.shape == (1, height, width) and out.valid is None and not out.metric
    assert float(out.disparity.min()) >= 0 and float(out.disparity.max()) <= 1


def test_frames_of_a_clip_share_one_range(model: depth.DepthModel) -> None:
    """Twice the same frame, in a clip with another one: the same depth both times, and the batch holds 0 and 1 once."""
    photo = motorcycle.photo()[..., :240, :320]
    clip = torch.cat([photo, photo.flip(-1) * 0.7, photo])
    out = depth.predict(model, clip).disparity
    assert torch.equal(out[0], out[2]) and float(out.min()) == 0 and float(out.max()) == 1
    alone = depth.predict(model, clip[1:2]).disparity
    a, b = out[1].flatten(), alone.flatten()
    scale = float(a.max() - a.min()) / float(b.max() - b.min())
    assert torch.allclose(a, (b - b.min()) * scale + a.min(), atol=2e-3), "not one line for all frames"


def test_another_architecture_is_refused(path: Path) -> None:
    for options in ({"blocks": 8, "taps": [2, 8]}, {"blocs": 9}):
        with pytest.raises(models.WeightsMismatchError, match="does not fit"):
            depth.load_model(path, {"model_type": "refocus_depth", **options})


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision(model: depth.DepthModel, dtype: torch.dtype) -> None:
    photo = motorcycle.photo()[..., :160, :240]
    half = depth.predict(depth.load_entry(ENTRY, [], dtype=dtype), photo).disparity
    assert (half - depth.predict(model, photo).disparity).abs().mean() < 0.03


def test_the_command_line_needs_nothing_but_a_photo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REFOCUS_MODELS", str(tmp_path / "none"))
    small = (motorcycle.photo()[0, :, ::3, ::3] * 255).round().byte().permute(1, 2, 0).numpy()
    Image.fromarray(small).save(tmp_path / "photo.png")
    given = [tmp_path / "photo.png", "--blur", 3, "--models", tmp_path / "none", "--quality", "draft", "-o", tmp_path / "out.png"]
    assert cli.main([str(g) for g in given]) == 0
    assert ENTRY.label in capsys.readouterr().out
    changed = (pictures.load(tmp_path / "out.png").image - pictures.load(tmp_path / "photo.png").image).abs()
    assert float(changed.mean()) > 0.005


def test_it_says_how_far_its_edges_may_be_off(model: depth.DepthModel) -> None:
    """In px of the picture: what it sees is smaller."""
    small = torch.rand(1, 3, 256, 320, generator=torch.Generator().manual_seed(0))
    large = torch.nn.functional.interpolate(small, scale_factor=2)
    found = depth.predict(model, small)
    assert 0.5 < found.edge_px < 3
    assert depth.predict(model, large).edge_px == pytest.approx(2 * found.edge_px)
    assert depth.fit(found, large).edge_px == pytest.approx(2 * found.edge_px)
    assert defocus.from_lens(found, Blur(2.0)).edge_px == found.edge_px
