"""A stage of training, from settings to the adapter's file.

Flow matching: x_t = (1 - t) x_0 + t e with noise e; the network predicts the velocity e - x_0, and the loss is the mean squared
error. Text and noisy image run on FLUX's own weights, the condition tokens on weights with the adapter, which alone is trained.
docs/training.md says which numbers are the paper's and which are ours.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...files.output import write_whole
from ...generative import load_lora, save_lora
from ...generative.checkpoint import load_transformer, load_vae
from ...generative.forward import Factors
from ...generative.prompts import load_prompts
from ...models import read_safetensors
from ..common import config
from ..common.batches import Examples
from ..common.checkpoints import AVERAGE_FILE, MODEL_FILE, checkpoints, newest, step_of
from ..common.loop import fit
from ..common.optimizers import make_optimizer
from .latents import LatentExample, vae_decoder
from .network import Conditioned, build, flow_loss, joined
from .order import Mixed, ShardExamples
from .shards import Shards
from .training import Training, Validation
from .validation import validator

_SETTINGS_FILE = "training.json"
"""Beside the checkpoints: the settings that the run was begun with."""
_SOURCE_SEEDS = 7919
"""Between the seeds of the sources of data; a prime, so that no two sources draw the same order."""
_FEWEST_CACHED = 16
"""Remote shards that are kept on disk at least; fewer would be fetched again when a round comes back to them."""


def examples_of(settings: Training) -> Mixed:
    """The stage's data."""
    sources: list[ShardExamples] = []
    for number, data in enumerate(settings.data):
        seed = settings.run.seed + _SOURCE_SEEDS * number
        convert = LatentExample(settings.sees, settings.time, settings.no_prompt, seed)
        cache = None if data.cache is None else Path(data.cache)
        shards = Shards(data.shards, cache=cache, keep=max(_FEWEST_CACHED, settings.together + 1))
        sources.append(ShardExamples(shards, seed, convert, together=settings.together))
    return Mixed(sources, [d.parts for d in settings.data])


_MAY_CHANGE = ("run", "validation", "checkpointing", "transformer", "prompts", "start", "frozen")
"""What a run that goes on may have other than the run that began: speed, places, and what the checkpoint itself holds."""


def note_settings(settings: Training, out: Path) -> None:
    """Keep the settings beside the checkpoints; refuse to go on with others.

    Raises:
        ValueError: if `out` holds a run with another layout, data, or the like.
    """
    note = out / _SETTINGS_FILE
    values = json.loads(json.dumps(asdict(settings)))
    if note.is_file() and checkpoints(out):
        before = json.loads(note.read_text())
        changed = [n for n, v in values.items() if n not in _MAY_CHANGE and before.get(n) != v]
        if changed:
            raise ValueError(f"{out} was begun with other settings ({', '.join(changed)}). Train into another folder.")
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(values, indent=1).encode()
    write_whole(note, lambda file: file.writelines([text]))  # every process writes the same


def train(
    settings: Training,
    out: Path,
    *,
    transformer: nn.Module | None = None,
    examples: Examples | None = None,
    decode_latents: Callable[[Tensor], Tensor] | None = None,
    time_limit_s: float | None = None,
) -> Conditioned:
    """Run or go on with a stage.

    Args:
        settings: of the stage.
        out: folder for checkpoints, logs and the settings.
        transformer: instead of loading `settings.transformer`.
        examples: instead of those of `settings.data`.
        decode_latents: for pictures; None loads `settings.validation.vae` if pictures are wanted.
        time_limit_s: see `fit`.

    Returns:
        The network with averaged weights.

    Raises:
        ValueError: if `out` holds another run, or the settings do not fit together.
    """
    note_settings(settings, out)
    model = build(
        settings,
        transformer or load_transformer(Path(settings.transformer), getattr(torch, settings.dtype)),
        load_prompts(settings.prompts),
    )
    fit(
        model,
        make_optimizer(model.parameters(), settings.optimizer),
        examples or examples_of(settings),
        flow_loss(settings.guidance),
        settings.run,
        out,
        validate=None if settings.validation is None else _validator(settings, settings.validation, decode_latents),
        time_limit_s=time_limit_s,
    )
    return model


def _validator(
    settings: Training, validation: Validation, decode_latents: Callable[[Tensor], Tensor] | None
) -> Callable[[nn.Module], dict[str, Any]]:
    if decode_latents is None and validation.pictures:
        if validation.vae is None:
            raise ValueError("validation.pictures needs validation.vae, the folder of FLUX's autoencoder.")
        decode_latents = vae_decoder(load_vae(Path(validation.vae), torch.float32).requires_grad_(False))
    return validator(settings, validation, decode_latents)


def export(run_folder: Path, path: Path, *, averaged: bool = True, dtype: torch.dtype = torch.bfloat16) -> None:
    """Write the newest checkpoint's adapter in the released layout (which ComfyUI reads as well).

    A stage with a frozen adapter writes both as one, so that the file is complete by itself.

    Args:
        run_folder: the `out` of `train`.
        path: a .safetensors file.
        averaged: the moving average of the weights, not the last ones.
        dtype: type in the file.

    Raises:
        FileNotFoundError: if there is no checkpoint.
    """
    note = run_folder / _SETTINGS_FILE
    checkpoint = newest(run_folder, f"python -m refocus_core.train.genfocus train SETTINGS {run_folder}")
    settings = config.build(Training, json.loads(note.read_text()), str(note))
    weights = checkpoint / (AVERAGE_FILE if averaged and settings.run.ema else MODEL_FILE)
    factors = _factors(read_safetensors(weights))
    if settings.frozen is not None:
        factors = joined(load_lora(settings.frozen).factors, factors)
    metadata = {"refocus.steps": str(step_of(checkpoint))}
    save_lora(path, factors, layout=settings.layout, dtype=dtype, metadata=metadata)


def _factors(parameters: Mapping[str, Tensor]) -> Mapping[str, Factors]:
    """(A, B) of each layer from a checkpoint's parameters, which are named as peft names them."""
    sides: dict[str, dict[str, Tensor]] = {}
    for key, value in parameters.items():
        module, _, rest = key.removeprefix("transformer.").partition(".lora_")
        sides.setdefault(module, {})[rest[0]] = value
    return {m: (s["A"], s["B"]) for m, s in sides.items()}
