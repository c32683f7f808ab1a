"""One training loop for every network: resumes exactly, runs on one process or many, keeps a moving average.

Everything that varies is a function of the seed and of a number that the checkpoint knows: example `i` of the data, the
learning rate of step `s`, and the random state in which step `s` begins. A run that was killed and goes on is therefore the
run that was not killed, and how many processes share a batch does not change which examples it holds.
"""

from __future__ import annotations

import json
import logging
import math
import os
import shutil
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import torch
from accelerate import Accelerator
from accelerate.tracking import TensorBoardTracker
from accelerate.utils import DataLoaderConfiguration, DistributedType, ProjectConfiguration
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.optim import Optimizer
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

log = logging.getLogger(__name__)

Batch = Mapping[str, Any]
Loss = Callable[[nn.Module, Batch], tuple[Tensor, Mapping[str, float]]]
"""(model, batch) -> (scalar to minimise, a mean over the examples; numbers to log)."""
Validate = Callable[[nn.Module], Mapping[str, "float | Tensor"]]
"""(model with averaged weights, in evaluation mode) -> numbers and pictures ([3,H,W] in 0..1) to log."""


class Examples(Protocol):
    """Training data. Example `i` is always the same, whatever was asked for before; `i` grows without end."""

    def __getitem__(self, index: int) -> Mapping[str, Any]: ...


@dataclass(frozen=True)
class Settings:
    """How to train.

    Attributes:
        steps: optimiser steps in all.
        batch_size: examples of one step, over all processes and accumulated parts.
        accumulation: parts that the examples of one process are split into, to save memory.
        warmup_steps: over which the learning rate rises from 0; it then falls as a cosine.
        final_rate: share of the learning rate that is left at the end.
        clip_norm: largest norm of the gradient; 0 does not clip.
        ema: decay of the moving average of the weights (less in the first steps); 0 keeps none.
        seed: of data order and noise.
        precision: "no", "bf16" or "fp16", as accelerate names them.
        workers: processes that make examples ahead.
        save_every: steps between checkpoints; the last three are kept.
        log_every, validate_every: steps between them; 0 never validates.
    """

    steps: int
    batch_size: int
    accumulation: int = 1
    warmup_steps: int = 0
    final_rate: float = 0.0
    clip_norm: float = 1.0
    ema: float = 0.999
    seed: int = 0
    precision: str = "no"
    workers: int = 0
    save_every: int = 500
    log_every: int = 20
    validate_every: int = 0

    def rate(self, step: int) -> float:
        """Factor of the learning rate in `step` (from 0)."""
        if step < self.warmup_steps:
            return (step + 1) / self.warmup_steps
        done = (step - self.warmup_steps) / max(self.steps - self.warmup_steps, 1)
        return self.final_rate + (1 - self.final_rate) * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


def generator(seed: int, *key: int) -> torch.Generator:
    """A CPU generator that depends on `seed` and `key` alone; neighbouring keys give unrelated numbers."""
    state = seed & (2**64 - 1)
    for k in key:  # SplitMix64 (Steele, Lea and Flood 2014)
        state = (state + 0x9E3779B97F4A7C15 + k) & (2**64 - 1)
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & (2**64 - 1)
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & (2**64 - 1)
        state ^= state >> 31
    return torch.Generator().manual_seed(state >> 1)


def fit(
    model: nn.Module,
    optimizer: Optimizer,
    examples: Examples,
    loss: Loss,
    settings: Settings,
    out: Path,
    *,
    validate: Validate | None = None,
    time_limit_s: float | None = None,
) -> int:
    """Train until `settings.steps`, or until the time is up, going on from the last checkpoint in `out`.

    Only parameters that require gradients are averaged and stored. After the call, on the main process, `model` holds the
    averaged weights if there are any.

    Args:
        model: on any device; in the state from which a first run starts.
        optimizer: over the model's parameters; its groups' learning rates are the highest ones.
        examples: see `Examples`.
        loss: see `Loss`.
        settings: see `Settings`.
        out: folder for checkpoints and TensorBoard logs.
        validate: run every `settings.validate_every` steps and at the end.
        time_limit_s: stop after the step in which this time has passed, with a checkpoint.

    Returns:
        Steps done in all.

    Raises:
        ValueError: if the batch cannot be shared out evenly, a loss is not finite, the checkpoint is of other settings, or
            accelerate is configured for DeepSpeed or FSDP version 1.
    """
    began = time.monotonic()
    accelerator = Accelerator(
        mixed_precision=settings.precision,
        log_with="tensorboard",
        project_config=ProjectConfiguration(project_dir=str(out), logging_dir=str(out / "logs")),
        dataloader_config=DataLoaderConfiguration(split_batches=False),
        step_scheduler_with_optimizer=False,
    )
    sharded = accelerator.distributed_type == DistributedType.FSDP
    if accelerator.distributed_type == DistributedType.DEEPSPEED or (sharded and not accelerator.is_fsdp2):
        raise ValueError(
            "DeepSpeed and FSDP version 1 keep parts of the optimiser on each process, in files of their own: checkpoints here "
            "would be incomplete. Use accelerate's MULTI_GPU, or FSDP with fsdp_version 2 (see genfocus/configs/accelerate)."
        )
    share, rest = divmod(settings.batch_size, accelerator.num_processes * settings.accumulation)
    if rest or not share:
        raise ValueError(
            f"batch_size {settings.batch_size} cannot be shared by {accelerator.num_processes} process(es) in "
            f"{settings.accumulation} part(s) each. Make it a multiple of their product."
        )
    accelerator.init_trackers("train")
    names = [n for n, p in model.named_parameters() if p.requires_grad]
    rates = [float(g["lr"]) for g in optimizer.param_groups]
    wrapped, optimizer = accelerator.prepare(model, optimizer)
    bare: nn.Module = accelerator.unwrap_model(wrapped)
    trained = {n: p for n, p in bare.named_parameters() if n in set(names)}
    average = {n: p.detach().clone() for n, p in trained.items()} if settings.ema else {}
    start = _restore(out, settings, trained, average, optimizer)
    mine = _Order(settings, start, share, accelerator.process_index, accelerator.num_processes)
    batches = iter(
        DataLoader(cast("Dataset[Any]", examples), batch_sampler=mine, num_workers=settings.workers, collate_fn=_collate)
    )
    step = start
    bar = tqdm(total=settings.steps, initial=start, disable=not accelerator.is_main_process, dynamic_ncols=True, smoothing=0.1)
    sums: dict[str, float] = {}
    try:
        while step < settings.steps:
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * settings.rate(step)
            # Dropout and the like; noise of an example belongs into the example.
            torch.manual_seed(int(torch.randint(2**62, (1,), generator=generator(settings.seed, step, 1)).item()))
            wrapped.train()
            total = torch.zeros((), device=accelerator.device)
            for part in range(settings.accumulation):
                batch = _to(next(batches), accelerator.device)
                last = part == settings.accumulation - 1
                with _maybe_no_sync(accelerator, wrapped, last), accelerator.autocast():
                    value, numbers = loss(wrapped, batch)
                    accelerator.backward(value / settings.accumulation)
                total += value.detach() / settings.accumulation
                for name, number in numbers.items():
                    sums[name] = sums.get(name, 0.0) + number / settings.accumulation
            if sharded:
                _average_gradients(accelerator, trained)
            if settings.clip_norm:
                accelerator.clip_grad_norm_(wrapped.parameters(), settings.clip_norm)
            optimizer.step()
            optimizer.zero_grad()
            step += 1
            if settings.ema:
                decay = min(settings.ema, (1 + step) / (10 + step))
                with torch.no_grad():
                    for name, p in trained.items():
                        average[name].lerp_(p.detach(), 1 - decay)
            mean = float(cast(Tensor, accelerator.reduce(total, "mean")))
            if not math.isfinite(mean):
                raise ValueError(f"The loss of step {step} is {mean}. The last checkpoint is kept; lower the learning rate.")
            sums["loss"] = sums.get("loss", 0.0) + mean
            bar.update()
            # Every process must stop at the same step.
            late = time_limit_s is not None and time.monotonic() - began > time_limit_s
            late = bool(cast(Tensor, accelerator.reduce(torch.tensor(float(late), device=accelerator.device), "sum")) > 0)
            end = late or step == settings.steps
            if step % settings.log_every == 0 or end:
                count = (step - 1) % settings.log_every + 1 if step - start >= settings.log_every else step - start
                shown = {n: v / count for n, v in sums.items()}
                accelerator.log({**shown, "rate": settings.rate(step - 1)}, step=step)
                bar.set_postfix({n: f"{v:.4g}" for n, v in shown.items()})
                sums.clear()
            if validate is not None and (end or (settings.validate_every and step % settings.validate_every == 0)):
                # Where weights are spread over processes, all of them take part in every forward pass.
                if accelerator.is_main_process or sharded:
                    with _averaged(bare, trained, average):
                        found = dict(validate(bare))
                    seen = {n: v for n, v in found.items() if isinstance(v, Tensor)}
                    known = {f"validation/{n}": v for n, v in found.items() if n not in seen}
                    accelerator.log(known, step=step)
                    for tracker in accelerator.trackers:
                        if seen and isinstance(tracker, TensorBoardTracker):
                            images = {f"validation/{n}": v[None].clamp(0, 1).cpu().numpy() for n, v in seen.items()}
                            tracker.log_images(images, step=step)
                    if accelerator.is_main_process:
                        bar.write(
                            f"step {step}: " + ", ".join(f"{n.removeprefix('validation/')} {v:.4g}" for n, v in known.items())
                        )
                accelerator.wait_for_everyone()
            if end or step % settings.save_every == 0:
                if accelerator.is_main_process:
                    _save(out, settings, step, trained, average, optimizer)
                accelerator.wait_for_everyone()
            if late:
                break
    finally:
        bar.close()
        accelerator.end_training()
    with torch.no_grad():
        for name, value in average.items():
            trained[name].copy_(value)
    return step


class _Order:
    """Numbers of the examples of each part of a batch, for one of the processes."""

    def __init__(self, settings: Settings, start: int, share: int, process: int, processes: int) -> None:
        self._settings, self._start, self._share = settings, start, share
        self._process, self._processes = process, processes

    def __iter__(self) -> Iterator[list[int]]:
        s = self._settings
        for step in range(self._start, s.steps):
            for part in range(s.accumulation):
                first = step * s.batch_size + (part * self._processes + self._process) * self._share
                yield list(range(first, first + self._share))

    def __len__(self) -> int:
        return (self._settings.steps - self._start) * self._settings.accumulation


def _collate(items: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Tensors are stacked, everything else becomes a list."""
    out: dict[str, Any] = {}
    for name in items[0]:
        values = [item[name] for item in items]
        out[name] = torch.stack(values) if isinstance(values[0], Tensor) else values
    return out


def _to(batch: Batch, device: torch.device) -> dict[str, Any]:
    return {n: v.to(device, non_blocking=True) if isinstance(v, Tensor) else v for n, v in batch.items()}


@contextmanager
def _maybe_no_sync(accelerator: Accelerator, model: nn.Module, sync: bool) -> Generator[None]:
    if sync:
        yield
    else:
        with accelerator.no_sync(model):
            yield


def _average_gradients(accelerator: Accelerator, trained: Mapping[str, nn.Parameter]) -> None:
    """Mean over processes of gradients that FSDP does not own (it averages those of the weights that it spreads)."""
    for name, p in trained.items():
        if isinstance(p, DTensor):
            raise ValueError(
                f"FSDP has spread {name}, which is trained and so belongs into checkpoints as a whole. Leave it to each process: "
                "fsdp_ignored_modules in accelerate's settings."
            )
        if p.grad is not None:
            p.grad.copy_(cast(Tensor, accelerator.reduce(p.grad, "mean")))


@contextmanager
def _averaged(model: nn.Module, trained: Mapping[str, nn.Parameter], average: Mapping[str, Tensor]) -> Generator[None]:
    """The averaged weights in place of the present ones, in evaluation mode."""
    kept = {n: trained[n].detach().clone() for n in average}
    mode = model.training
    with torch.no_grad():
        for name, value in average.items():
            trained[name].copy_(value)
        model.eval()
        try:
            yield
        finally:
            model.train(mode)
            for name, value in kept.items():
                trained[name].copy_(value)


# --- checkpoints: safetensors and JSON ----------------------------------------------------------------------------------

_KEPT = 3
_COMPARED = ("batch_size", "seed", "steps", "warmup_steps", "final_rate", "ema")


def checkpoints(out: Path) -> list[Path]:
    """Complete checkpoints in `out`, the oldest first."""
    return sorted(p for p in out.glob("checkpoint-*") if (p / "state.json").is_file() and not p.name.endswith(".part"))


def _save(
    out: Path,
    settings: Settings,
    step: int,
    trained: Mapping[str, Tensor],
    average: Mapping[str, Tensor],
    optimizer: Optimizer,
) -> None:
    """Written beside and then renamed: a checkpoint is complete or not there."""
    folder = out / f"checkpoint-{step:08d}"
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    save_file({n: p.detach().cpu().contiguous() for n, p in trained.items()}, part / "model.safetensors")
    if average:
        save_file({n: p.cpu().contiguous() for n, p in average.items()}, part / "average.safetensors")
    state: dict[str, Any] = optimizer.state_dict()
    tensors: dict[str, Tensor] = {}
    numbers: dict[str, Any] = {}
    for index, values in state["state"].items():
        for name, value in values.items():
            if isinstance(value, Tensor):
                tensors[f"{index}/{name}"] = value.detach().cpu().contiguous()
            else:
                numbers[f"{index}/{name}"] = value
    save_file(tensors, part / "optimizer.safetensors")
    (part / "state.json").write_text(
        json.dumps({"step": step, "settings": asdict(settings), "optimizer": numbers, "groups": state["param_groups"]}, indent=1)
    )
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(part, folder)
    for old in checkpoints(out)[:-_KEPT]:
        shutil.rmtree(old)


def _restore(
    out: Path,
    settings: Settings,
    trained: Mapping[str, Tensor],
    average: dict[str, Tensor],
    optimizer: Optimizer,
) -> int:
    """Load the newest checkpoint, if there is one, and return its step."""
    found = checkpoints(out)
    if not found:
        return 0
    folder = found[-1]
    state = json.loads((folder / "state.json").read_text())
    wanted = asdict(settings)
    changed = [n for n in _COMPARED if state["settings"].get(n) != wanted[n]]
    if changed:
        raise ValueError(
            f"{folder} has other settings ({', '.join(changed)}). Go on with the same ones, or train into another folder."
        )
    weights = load_file(folder / "model.safetensors")
    if weights.keys() != trained.keys():
        raise ValueError(f"{folder} is of another network. Train into another folder.")
    with torch.no_grad():
        for name, value in weights.items():
            trained[name].copy_(value)
        if average:
            for name, value in load_file(folder / "average.safetensors").items():
                average[name].copy_(value)
    values: dict[int, dict[str, Any]] = {}
    for key, value in {**state["optimizer"], **load_file(folder / "optimizer.safetensors")}.items():
        index, name = key.split("/", 1)
        values.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": values, "param_groups": state["groups"]})
    log.info("Going on from %s", folder)
    return int(state["step"])
