"""How far long work is, and where it can be cancelled: one callback, of which every step of the work fills a share.

A `Progress` that raises cancels the work, so whatever may take long calls it often: between tiles, iterations, layers of a
network. Steps that take others' shares add up to the whole:

    whole = 0 ................................................ UNITS
            | surfaces, by `share(progress, 0, 0.3)` | tiles .......|
            | matting | hidden ......                |
"""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from torch import nn

from .types import Progress

UNITS = 10_000
"""`total` of work that is told in shares. A larger one moves more finely, which nobody sees."""

Item = TypeVar("Item")


def silent(done: int, total: int) -> None:
    """The `Progress` of work that nobody watches."""


def share(progress: Progress | None, start: float, stop: float) -> Progress:
    """A `Progress` for the part of the work from `start` to `stop` of the whole, both in 0..1; `silent` where there is none."""
    if progress is None or progress is silent:
        return silent
    whole = progress

    def step(done: int, total: int) -> None:
        whole(round(UNITS * (start + (stop - start) * min(max(done / max(total, 1), 0.0), 1.0))), UNITS)

    return step


def shares(progress: Progress | None, weights: Sequence[float]) -> list[Progress]:
    """One `Progress` for each of the steps of some work, which take time in proportion to these weights."""
    total = sum(weights) or 1.0
    ends = [0.0, *itertools.accumulate(weights)]
    return [share(progress, start / total, stop / total) for start, stop in itertools.pairwise(ends)]


def counted(items: Iterable[Item], total: int, progress: Progress) -> Generator[Item]:
    """The items, telling after each that one more of `total` is done."""
    for done, item in enumerate(items, 1):
        yield item
        progress(done, total)


@contextmanager
def watched(network: nn.Module, progress: Progress) -> Generator[None]:
    """Within the block, every layer of a network that is run tells how far the network is: one run is the whole.

    Layers count alike, whatever they take: nothing knows that before.
    """
    if progress is silent:
        yield
        return
    layers = [m for m in network.modules() if next(m.children(), None) is None]
    done = 0

    def step(_module: nn.Module, _arguments: Any) -> None:
        nonlocal done
        progress(min(done, len(layers)), len(layers))
        done += 1

    hooks = [m.register_forward_pre_hook(step) for m in layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
