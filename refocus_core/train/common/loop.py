"""One training loop for every network: resumes exactly, runs on one process or many, keeps a moving average.

Everything that varies is a function of the seed and of a number that the checkpoint knows: example `i` of the data, the
learning rate of step `s`, and the random state in which step `s` begins. A run that was killed and goes on is therefore the
run that was not killed, and how many processes share a batch does not change which examples it holds.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, cast

import torch
from accelerate import Accelerator
from accelerate.tracking import TensorBoardTracker
from accelerate.utils import DataLoaderConfiguration, DistributedType, ProjectConfiguration
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.optim import Optimizer
from tqdm import tqdm

from .batches import Batch, Examples, batches, examples_per_part, to_device
from .checkpoints import restore, save
from .seeds import generator
from .settings import Settings

Loss = Callable[[nn.Module, Batch], tuple[Tensor, Mapping[str, float]]]
"""(model, batch) -> (scalar to minimise, a mean over the examples; numbers to log)."""
Validate = Callable[[nn.Module], Mapping[str, "float | Tensor"]]
"""(model with averaged weights, in evaluation mode) -> numbers and pictures ([3,H,W] in 0..1) to log."""

_STEP_STREAM = 1
"""Key of the random numbers of a step; what a seed means depends on it."""


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
    run = _Run(model, optimizer, examples, loss, settings, out)
    try:
        while run.step < settings.steps:
            run.optimise()
            late = run.in_any_process(time_limit_s is not None and time.monotonic() - began > time_limit_s)
            end = late or run.step == settings.steps
            if end or run.step % settings.log_every == 0:
                run.log()
            if validate is not None and (end or (settings.validate_every and run.step % settings.validate_every == 0)):
                run.validate(validate)
            if end or run.step % settings.save_every == 0:
                run.save()
            if late:
                break
    finally:
        run.close()
    run.take_average()
    return run.step


class _Run:
    """State of a run, and the parts of a step.

    Attributes:
        step: steps done in all.
        trained: the parameters that are trained, by name.
        average: their moving average, or nothing.
    """

    def __init__(
        self, model: nn.Module, optimizer: Optimizer, examples: Examples, loss: Loss, settings: Settings, out: Path
    ) -> None:
        self._settings, self._loss, self._out = settings, loss, out
        self._accelerator = _accelerator(settings, out)
        self._sharded = self._accelerator.distributed_type == DistributedType.FSDP
        examples_per_part(settings, self._accelerator.num_processes)
        self._accelerator.init_trackers("train")
        names = {n for n, p in model.named_parameters() if p.requires_grad}
        self._rates = [float(g["lr"]) for g in optimizer.param_groups]
        self._wrapped, self._optimizer = self._accelerator.prepare(model, optimizer)
        self._model: nn.Module = self._accelerator.unwrap_model(self._wrapped)
        self.trained = {n: p for n, p in self._model.named_parameters() if n in names}
        self.average = {n: p.detach().clone() for n, p in self.trained.items()} if settings.ema else {}
        self.step = restore(out, settings, self.trained, self.average, self._optimizer)
        process, processes = self._accelerator.process_index, self._accelerator.num_processes
        self._batches = batches(examples, settings, self.step, process, processes)
        self._sums: dict[str, float] = {}
        self._summed = 0
        self._bar = tqdm(
            total=settings.steps,
            initial=self.step,
            disable=not self._accelerator.is_main_process,
            dynamic_ncols=True,
            smoothing=0.1,
        )

    def optimise(self) -> None:
        """One step of the optimiser, over all parts of the batch.

        Raises:
            ValueError: if the loss is not finite.
        """
        settings, accelerator = self._settings, self._accelerator
        for group, rate in zip(self._optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate * settings.rate(self.step)
        # Dropout and the like; noise of an example belongs into the example.
        seed = torch.randint(2**62, (1,), generator=generator(settings.seed, self.step, _STEP_STREAM))
        torch.manual_seed(int(seed.item()))
        self._wrapped.train()
        total = self._accumulate_gradients()
        if self._sharded:
            _average_gradients(accelerator, self.trained)
        if settings.clip_norm:
            accelerator.clip_grad_norm_(self._wrapped.parameters(), settings.clip_norm)
        self._optimizer.step()
        self._optimizer.zero_grad()
        self.step += 1
        self._update_average()
        mean = float(cast(Tensor, accelerator.reduce(total, "mean")))
        if not math.isfinite(mean):
            raise ValueError(f"The loss of step {self.step} is {mean}. The last checkpoint is kept; lower the learning rate.")
        self._sums["loss"] = self._sums.get("loss", 0.0) + mean
        self._summed += 1
        self._bar.update()

    def _accumulate_gradients(self) -> Tensor:
        """Gradients of all parts of this process' share; returns its mean loss, on the device."""
        accelerator, parts = self._accelerator, self._settings.accumulation
        total = torch.zeros((), device=accelerator.device)
        for part in range(parts):
            batch = to_device(next(self._batches), accelerator.device)
            last = part == parts - 1
            waiting: AbstractContextManager[Any] = nullcontext() if last else accelerator.no_sync(self._wrapped)
            with waiting, accelerator.autocast():
                value, numbers = self._loss(self._wrapped, batch)
                accelerator.backward(value / parts)
            total += value.detach() / parts
            for name, number in numbers.items():
                self._sums[name] = self._sums.get(name, 0.0) + number / parts
        return total

    def _update_average(self) -> None:
        with torch.no_grad():
            for name, value in self.average.items():
                value.lerp_(self.trained[name].detach(), 1 - self._settings.decay(self.step))

    def in_any_process(self, condition: bool) -> bool:
        """Whether the condition holds in any process: every process must stop at the same step."""
        own = torch.tensor(float(condition), device=self._accelerator.device)
        return bool(cast(Tensor, self._accelerator.reduce(own, "sum")) > 0)

    def log(self) -> None:
        """Log the means of all numbers since the last time."""
        means = {n: v / self._summed for n, v in self._sums.items()}
        self._accelerator.log({**means, "rate": self._settings.rate(self.step - 1)}, step=self.step)
        self._bar.set_postfix({n: f"{v:.4g}" for n, v in means.items()})
        self._sums.clear()
        self._summed = 0

    def validate(self, validate: Validate) -> None:
        """Measure the averaged weights, and log numbers and pictures."""
        accelerator = self._accelerator
        # Where weights are spread over processes, all of them take part in every forward pass.
        if accelerator.is_main_process or self._sharded:
            with _averaged(self._model, self.trained, self.average):
                measured = dict(validate(self._model))
            pictures = {n: v for n, v in measured.items() if isinstance(v, Tensor)}
            numbers = {n: v for n, v in measured.items() if n not in pictures}
            accelerator.log({f"validation/{n}": v for n, v in numbers.items()}, step=self.step)
            for tracker in accelerator.trackers:
                if pictures and isinstance(tracker, TensorBoardTracker):
                    images = {f"validation/{n}": v[None].clamp(0, 1).cpu().numpy() for n, v in pictures.items()}
                    tracker.log_images(images, step=self.step)
            if accelerator.is_main_process:
                self._bar.write(f"step {self.step}: " + ", ".join(f"{n} {v:.4g}" for n, v in numbers.items()))
        accelerator.wait_for_everyone()

    def save(self) -> None:
        """Write a checkpoint."""
        if self._accelerator.is_main_process:
            save(self._out, self._settings, self.step, self.trained, self.average, self._optimizer)
        self._accelerator.wait_for_everyone()

    def close(self) -> None:
        self._bar.close()
        self._accelerator.end_training()

    def take_average(self) -> None:
        """Leave the averaged weights in the model."""
        with torch.no_grad():
            for name, value in self.average.items():
                self.trained[name].copy_(value)


def _accelerator(settings: Settings, out: Path) -> Accelerator:
    """Accelerate as it was configured when the process was launched.

    Raises:
        ValueError: if it is configured for what would make checkpoints incomplete.
    """
    accelerator = Accelerator(
        mixed_precision=settings.precision,
        log_with="tensorboard",
        project_config=ProjectConfiguration(project_dir=str(out), logging_dir=str(out / "logs")),
        dataloader_config=DataLoaderConfiguration(split_batches=False),
        step_scheduler_with_optimizer=False,
    )
    kind = accelerator.distributed_type
    if kind == DistributedType.DEEPSPEED or (kind == DistributedType.FSDP and not accelerator.is_fsdp2):
        raise ValueError(
            "DeepSpeed and FSDP version 1 keep parts of the optimiser on each process, in files of their own: checkpoints here "
            "would be incomplete. Use accelerate's MULTI_GPU, or FSDP with fsdp_version 2 (see genfocus/configs/accelerate)."
        )
    return accelerator


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
    present = {n: trained[n].detach().clone() for n in average}
    mode = model.training
    with torch.no_grad():
        for name, value in average.items():
            trained[name].copy_(value)
        model.eval()
        try:
            yield
        finally:
            model.train(mode)
            for name, value in present.items():
                trained[name].copy_(value)
