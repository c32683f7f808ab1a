"""In which order training takes samples out of shards: by number, as a function of the seed.

That makes a training run exact to resume and the same on any number of processes. The order takes a few shards at a time, so
remote shards can be fetched one after the other into a bounded cache.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ..common.seeds import generator
from .sample_files import decode
from .shards import Shards

_SHARD_STREAM = 21
"""Key of the random order of shards in a round; what a seed means depends on it."""
_SAMPLE_STREAM = 22
"""Key of that of the samples of shards that are mixed; likewise fixed."""


class ShardExamples:
    """Samples by number, without end (`train.Examples`): each round goes through all of them once, in a new order.

    A round takes the shards in an order drawn from the seed, `together` of them at a time, and mixes the samples of these.

    Args:
        shards: where from.
        seed: of the order.
        together: shards that are mixed; with remote shards, the cache must hold as many and one more.
        convert: (decoded sample, number of the example) -> example.

    Raises:
        ValueError: if all shards are empty.
    """

    def __init__(
        self,
        shards: Shards,
        seed: int,
        convert: Callable[[dict[str, Any], int], Mapping[str, Any]],
        *,
        together: int = 4,
    ) -> None:
        self.shards, self.seed, self.convert, self.together = shards, seed, convert, together
        self._counts = shards.counts()
        self.count = sum(self._counts)
        if not self.count:
            raise ValueError("All shards are empty: every sample was rejected. See the .json files beside them.")
        self._round: tuple[int, list[tuple[int, list[int]]]] = (-1, [])
        self._group: tuple[tuple[int, int], Tensor] | None = None

    def __len__(self) -> int:
        return self.count

    def where(self, index: int) -> tuple[int, int]:
        """(shard, place in it) of example `index`."""
        round_, place = divmod(index, self.count)
        if self._round[0] != round_:
            order = torch.randperm(len(self._counts), generator=generator(self.seed, _SHARD_STREAM, round_)).tolist()
            groups = [order[i : i + self.together] for i in range(0, len(order), self.together)]
            self._round = (round_, [(sum(self._counts[s] for s in g), g) for g in groups])
        for number, (size, members) in enumerate(self._round[1]):
            if place < size:
                key = (round_, number)
                if self._group is None or self._group[0] != key:
                    self._group = (key, torch.randperm(size, generator=generator(self.seed, _SAMPLE_STREAM, round_, number)))
                place = int(self._group[1][place])
                for shard in members:
                    if place < self._counts[shard]:
                        return shard, place
                    place -= self._counts[shard]
            place -= size
        raise AssertionError("unreachable: the groups hold all samples")

    def __getitem__(self, index: int) -> Mapping[str, Any]:
        shard, place = self.where(index)
        _, content = self.shards.sample(shard, place)
        return self.convert(decode(content), index)


class Mixed:
    """Several sources in a fixed proportion: of every `sum(parts)` examples, `parts[j]` come from source j, spread evenly."""

    def __init__(self, sources: Sequence[Any], parts: Sequence[int]) -> None:
        if len(sources) != len(parts) or not sources or min(parts) < 1:
            raise ValueError(f"Give each source a whole number of parts above 0, got {list(parts)} for {len(sources)} source(s).")
        self.sources, self.parts = sources, parts
        total = sum(parts)
        # Each source's examples at the middles of equal shares of the period.
        slots = sorted(((k + 0.5) / n, j) for j, n in enumerate(parts) for k in range(n))
        self._slot: list[tuple[int, int]] = []
        used = [0] * len(parts)
        for _, j in slots[:total]:
            self._slot.append((j, used[j]))
            used[j] += 1

    def __getitem__(self, index: int) -> Mapping[str, Any]:
        round_, place = divmod(index, len(self._slot))
        source, within = self._slot[place]
        return self.sources[source][round_ * self.parts[source] + within]
