"""Legs of training: they go on exactly where they stopped, keep their shards, and end in a packed file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from refocus_core.depth.network import Architecture, DepthNet, quantised
from refocus_core.train import Settings
from refocus_core.train.common.checkpoints import checkpoints
from refocus_core.train.depth import further
from refocus_core.train.depth.run import Config, Data, export

TINY = Config(
    data=Data(scenes=0, validation_scenes=0, side_px=40, seed=0),
    architecture=Architecture(width=24, heads=2, blocks=2, taps=(1, 2), grid=5, channels=(8, 8, 8)),
    frozen_blocks=1,
    encoder_rate=1e-3,
    decoder_rate=1e-3,
    weight_decay=0.01,
    settings=Settings(steps=1, batch_size=4),
)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A packed network and one shard."""
    torch.manual_seed(1)
    save_file(quantised(DepthNet(TINY.architecture).state_dict()), tmp_path / "packed.safetensors")
    _shard(tmp_path / "shards" / "scenes-a-0.safetensors", 1)
    return tmp_path


def _shard(path: Path, seed: int) -> None:
    path.parent.mkdir(exist_ok=True)
    g = torch.Generator().manual_seed(seed)
    image = torch.randint(256, (3, 3, 40, 40), generator=g, dtype=torch.uint8)
    save_file({"image": image, "blurred": image.clone(), "disparity": torch.rand(3, 40, 40, generator=g).half()}, path)


def _train(work: Path, leg: str, start: str, steps: int, *, falling: bool = False, time_limit_s: float | None = None) -> int:
    return further.train(TINY, work / leg, work / start, work / "shards", steps, falling=falling, time_limit_s=time_limit_s)


def _average(leg: Path) -> dict[str, torch.Tensor]:
    return load_file(checkpoints(leg)[-1] / "average.safetensors")


def test_a_stopped_leg_is_the_leg_that_ran_through(work: Path) -> None:
    assert _train(work, "through/leg", "packed.safetensors", 3) == 3
    assert _train(work, "leg", "packed.safetensors", 3, time_limit_s=0) == 1
    _shard(work / "shards" / "scenes-b-0.safetensors", 2)  # comes too late for a leg that has begun
    assert _train(work, "leg", "packed.safetensors", 3) == 3
    once, again = _average(work / "through/leg"), _average(work / "leg")
    assert once.keys() == again.keys() and all(torch.equal(once[k], again[k]) for k in once)


def test_a_falling_leg_goes_on_from_a_steady_one_and_is_packed(work: Path) -> None:
    _train(work, "steady", "packed.safetensors", 2)
    _train(work, "falling", "steady", 2, falling=True)
    net = further.started(TINY, work / "falling")
    digest = export(net, work / "out.safetensors")
    packed = further.started(TINY, work / "out.safetensors")
    assert len(digest) == 64
    for name, value in packed.state_dict().items():
        assert torch.allclose(value, net.state_dict()[name], atol=0.05), name
    before, after = (further.started(TINY, work / n).state_dict() for n in ("packed.safetensors", "falling"))
    assert torch.equal(before["encoder.blocks.0.fc1.weight"], after["encoder.blocks.0.fc1.weight"])
    assert not torch.equal(before["encoder.blocks.1.fc1.weight"], after["encoder.blocks.1.fc1.weight"])


def test_a_leg_without_checkpoint_is_refused(work: Path) -> None:
    (work / "empty").mkdir()
    further.begin(work / "empty", work / "packed.safetensors", work / "shards")
    with pytest.raises(FileNotFoundError, match="no checkpoint"):
        further.started(TINY, work / "empty")
