"""Checkpoints of a training run: weights, their moving average and the optimiser, as safetensors and JSON."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.optim import Optimizer

from .settings import Settings

log = logging.getLogger(__name__)

MODEL_FILE = "model.safetensors"
"""The trained parameters as the last step left them."""
AVERAGE_FILE = "average.safetensors"
"""Their moving average, in runs that keep one."""
_OPTIMIZER_FILE = "optimizer.safetensors"
"""Tensors of the optimiser's state, named "parameter/value"."""
_STATE_FILE = "state.json"
"""Step, settings, and what of the optimiser's state is no tensor; written last, so a folder that has it is complete."""
_KEPT = 3
"""Checkpoints that are kept; more allow to go back farther and take as much more disk."""
_COMPARED = ("batch_size", "seed", "steps", "warmup_steps", "final_rate", "ema")
"""Settings that a run must go on with, or it would not be the run that was stopped."""


def checkpoints(out: Path) -> list[Path]:
    """Complete checkpoints in `out`, the oldest first."""
    return sorted(p for p in out.glob("checkpoint-*") if (p / _STATE_FILE).is_file() and not p.name.endswith(".part"))


def newest(out: Path, command: str) -> Path:
    """The last checkpoint in `out`.

    Raises:
        FileNotFoundError: if there is none; the message names `command`, which makes one.
    """
    complete = checkpoints(out)
    if not complete:
        raise FileNotFoundError(f"{out} holds no checkpoint. Train first: {command}")
    return complete[-1]


def step_of(checkpoint: Path) -> int:
    """Steps that were done when the checkpoint was written."""
    return int(json.loads((checkpoint / _STATE_FILE).read_text())["step"])


def save(
    out: Path,
    settings: Settings,
    step: int,
    trained: Mapping[str, Tensor],
    average: Mapping[str, Tensor],
    optimizer: Optimizer,
) -> None:
    """Write the checkpoint of `step`, complete or not at all, and remove the oldest ones."""
    folder = out / f"checkpoint-{step:08d}"
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    save_file({n: p.detach().cpu().contiguous() for n, p in trained.items()}, part / MODEL_FILE)
    if average:
        save_file({n: p.cpu().contiguous() for n, p in average.items()}, part / AVERAGE_FILE)
    state: dict[str, Any] = optimizer.state_dict()
    tensors: dict[str, Tensor] = {}
    numbers: dict[str, Any] = {}
    for index, values in state["state"].items():
        for name, value in values.items():
            if isinstance(value, Tensor):
                tensors[f"{index}/{name}"] = value.detach().cpu().contiguous()
            else:
                numbers[f"{index}/{name}"] = value
    save_file(tensors, part / _OPTIMIZER_FILE)
    note = {"step": step, "settings": asdict(settings), "optimizer": numbers, "groups": state["param_groups"]}
    (part / _STATE_FILE).write_text(json.dumps(note, indent=1))
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(part, folder)
    for old in checkpoints(out)[:-_KEPT]:
        shutil.rmtree(old)


def restore(
    out: Path,
    settings: Settings,
    trained: Mapping[str, Tensor],
    average: dict[str, Tensor],
    optimizer: Optimizer,
) -> int:
    """Load the newest checkpoint into the run's tensors, if there is one, and return its step; else 0.

    Raises:
        ValueError: if it is of another network, or of settings that make another run.
    """
    complete = checkpoints(out)
    if not complete:
        return 0
    folder = complete[-1]
    state = json.loads((folder / _STATE_FILE).read_text())
    wanted = asdict(settings)
    changed = [n for n in _COMPARED if state["settings"].get(n) != wanted[n]]
    if changed:
        raise ValueError(
            f"{folder} has other settings ({', '.join(changed)}). Go on with the same ones, or train into another folder."
        )
    weights = load_file(folder / MODEL_FILE)
    if weights.keys() != trained.keys():
        raise ValueError(f"{folder} is of another network. Train into another folder.")
    with torch.no_grad():
        for name, value in weights.items():
            trained[name].copy_(value)
        if average:
            for name, value in load_file(folder / AVERAGE_FILE).items():
                average[name].copy_(value)
    values: dict[int, dict[str, Any]] = {}
    for key, value in {**state["optimizer"], **load_file(folder / _OPTIMIZER_FILE)}.items():
        index, name = key.split("/", 1)
        values.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": values, "param_groups": state["groups"]})
    log.info("Going on from %s", folder)
    return int(state["step"])
