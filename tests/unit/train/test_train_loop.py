"""The training loop: it learns, resumes exactly, and shares a batch between processes without changing it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor, nn

from refocus_core.train import Settings, fit, generator
from refocus_core.train.common.checkpoints import checkpoints
from tests.helpers.launched import run_on_processes

SETTINGS = Settings(steps=24, batch_size=4, warmup_steps=4, save_every=5, log_every=7, ema=0.9, seed=3)


class Lines:
    """y = 2x - 1 with x drawn from the example's number."""

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        x = torch.rand(3, generator=generator(7, index))
        return {"x": x, "y": 2 * x - 1}


def squares(model: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
    value = (model(batch["x"]) - batch["y"]).square().mean()
    return value, {"rmse": float(value.detach().sqrt())}


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 8), nn.GELU(), nn.Dropout(0.2), nn.Linear(8, 3))


def train(out: Path, settings: Settings = SETTINGS, **options: object) -> tuple[nn.Module, int]:
    model = network()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.02)
    return model, fit(model, optimizer, Lines(), squares, settings, out, **options)  # type: ignore[arg-type]


def error(model: nn.Module) -> float:
    batch = {n: torch.stack([Lines()[i][n] for i in range(1000, 1032)]) for n in ("x", "y")}
    with torch.no_grad():
        return float(squares(model.eval(), batch)[0])


def test_it_learns_and_logs(tmp_path: Path) -> None:
    model, steps = train(tmp_path, replace(SETTINGS, steps=200))
    assert steps == 200
    assert error(model) < 0.1 * error(network())
    assert list((tmp_path / "logs").rglob("events*"))


def test_a_stopped_run_goes_on_as_if_it_had_not_stopped(tmp_path: Path) -> None:
    whole, _ = train(tmp_path / "whole")
    _, steps = train(tmp_path / "parts", time_limit_s=0)
    assert steps == 1
    _, steps = train(tmp_path / "parts", time_limit_s=0)
    assert steps == 2
    model, steps = train(tmp_path / "parts")
    assert steps == SETTINGS.steps
    for a, b in zip(whole.parameters(), model.parameters(), strict=True):
        assert torch.equal(a, b)


def test_killed_between_checkpoints_it_repeats_the_same_steps(tmp_path: Path) -> None:
    class Killed(Lines):
        def __getitem__(self, index: int) -> dict[str, Tensor]:
            if index >= 13 * 4:
                raise KeyboardInterrupt
            return super().__getitem__(index)

    model = network()
    with pytest.raises(KeyboardInterrupt):
        fit(model, torch.optim.AdamW(model.parameters(), lr=0.02), Killed(), squares, SETTINGS, tmp_path / "killed")
    assert [p.name for p in checkpoints(tmp_path / "killed")] == ["checkpoint-00000005", "checkpoint-00000010"]
    resumed, _ = train(tmp_path / "killed")
    whole, _ = train(tmp_path / "whole")
    for a, b in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b)


def test_accumulated_parts_give_the_gradient_of_the_whole_batch(tmp_path: Path) -> None:
    def without_dropout(model: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        return squares(model.eval(), batch)

    results: list[nn.Module] = []
    for parts in (1, 2):
        model = network()
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.02)
        fit(model, optimizer, Lines(), without_dropout, replace(SETTINGS, accumulation=parts), tmp_path / str(parts))
        results.append(model)
    for a, b in zip(results[0].parameters(), results[1].parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_validation_sees_the_averaged_weights_and_leaves_the_others(tmp_path: Path) -> None:
    seen: list[Tensor] = []

    def validate(model: nn.Module) -> dict[str, float]:
        assert not model.training
        seen.append(next(model.parameters()).detach().clone())
        return {"error": 1.0, "picture": torch.full((3, 2, 2), 0.5)}

    model, _ = train(tmp_path / "with", replace(SETTINGS, validate_every=8), validate=validate)
    plain, _ = train(tmp_path / "without")
    assert len(seen) == 3
    events = EventAccumulator(str(next((tmp_path / "with" / "logs").rglob("events*")).parent)).Reload()
    assert events.Tags()["images"] == ["validation/picture"] and "validation/error" in events.Tags()["scalars"]
    assert torch.equal(seen[-1], next(model.parameters()))
    for a, b in zip(plain.parameters(), model.parameters(), strict=True):
        assert torch.equal(a, b)


def test_other_settings_do_not_go_on_from_a_checkpoint(tmp_path: Path) -> None:
    train(tmp_path)
    with pytest.raises(ValueError, match="other settings \\(seed\\)"):
        train(tmp_path, replace(SETTINGS, seed=4))


def test_a_batch_that_cannot_be_shared_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="batch_size 4 cannot be shared"):
        train(tmp_path, replace(SETTINGS, accumulation=3))


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path: Path) -> None:
    def broken(model: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        return model(batch["x"]).mean() * float("nan"), {}

    model = network()
    with pytest.raises(ValueError, match="loss of step 1 is nan"):
        fit(model, torch.optim.AdamW(model.parameters()), Lines(), broken, SETTINGS, tmp_path)


def test_the_rate_rises_then_falls_as_a_cosine() -> None:
    s = Settings(steps=110, batch_size=1, warmup_steps=10, final_rate=0.1)
    assert s.rate(0) == pytest.approx(0.1)
    assert s.rate(9) == 1 == s.rate(10)
    assert s.rate(60) == pytest.approx(0.55)
    assert s.rate(110) == pytest.approx(0.1)


def test_neighbouring_keys_give_unrelated_numbers() -> None:
    draws = torch.stack([torch.rand(64, generator=generator(0, i)) for i in range(64)])
    assert float(torch.corrcoef(draws).fill_diagonal_(0).abs().max()) < 0.6
    assert torch.equal(torch.rand(4, generator=generator(1, 2)), torch.rand(4, generator=generator(1, 2)))


@pytest.mark.alone
def test_two_processes_train_as_one(tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(
        "import sys, json, pathlib\n"
        "import tests.unit.train.test_train_loop as t\n"
        "model = t.network()[0:2]\n"
        "import torch\n"
        "model.append(torch.nn.Linear(8, 3))\n"
        "torch.manual_seed(1); torch.nn.init.normal_(model[2].weight, std=.1)\n"
        "values = []\n"
        "def loss(m, b):\n"
        "    v, n = t.squares(m, b); values.append(float(v)); return v, n\n"
        "out = pathlib.Path(sys.argv[1])\n"
        "t.fit(model, torch.optim.AdamW(model.parameters(), lr=.02), t.Lines(), loss, t.SETTINGS, out)\n"
        "import os\n"
        "(out / ('losses%s.json' % os.environ.get('RANK', 0))).write_text(json.dumps(values))\n"
    )
    for count in (1, 2):
        (tmp_path / str(count)).mkdir()
        run_on_processes(count, script, str(tmp_path / str(count)))
    one = json.loads((tmp_path / "1/losses0.json").read_text())
    both = [json.loads((tmp_path / f"2/losses{rank}.json").read_text()) for rank in (0, 1)]
    assert len(one) == SETTINGS.steps
    assert [(a + b) / 2 for a, b in zip(*both, strict=True)] == pytest.approx(one, abs=1e-5)
