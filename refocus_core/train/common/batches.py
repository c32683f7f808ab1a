"""Which examples each process gets in each step, and how they become a batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, cast

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from .settings import Settings

Batch = Mapping[str, Any]
"""Examples of one step, or of a part of it: tensors with the examples along the first axis, lists of everything else."""


class Examples(Protocol):
    """Training data. Example `i` is always the same, whatever was asked for before; `i` grows without end."""

    def __getitem__(self, index: int) -> Mapping[str, Any]: ...


def examples_per_part(settings: Settings, processes: int) -> int:
    """Examples that one process gets at a time.

    Raises:
        ValueError: if the batch cannot be shared out evenly.
    """
    share, rest = divmod(settings.batch_size, processes * settings.accumulation)
    if rest or not share:
        raise ValueError(
            f"batch_size {settings.batch_size} cannot be shared by {processes} process(es) in "
            f"{settings.accumulation} part(s) each. Make it a multiple of their product."
        )
    return share


def batches(examples: Examples, settings: Settings, start: int, process: int, processes: int) -> Iterator[dict[str, Any]]:
    """The parts of all steps from `start` on, as one of the processes gets them."""
    order = _Order(settings, start, examples_per_part(settings, processes), process, processes)
    data = cast("Dataset[Any]", examples)
    return iter(DataLoader(data, batch_sampler=order, num_workers=settings.workers, collate_fn=_collate))


def to_device(batch: Batch, device: torch.device) -> dict[str, Any]:
    """The batch with its tensors on the device."""
    return {n: v.to(device, non_blocking=True) if isinstance(v, Tensor) else v for n, v in batch.items()}


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
