"""The frames of the second pass in order, each with its depth steadied by the frames around it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from torch import Tensor

from .. import depth
from ..types import DepthMap

Read = Callable[[int], Iterator[Tensor]]
"""`read(first)`: the frames [1,3,H,W] sRGB of the clip from that one on, in order."""
Look = Callable[[int, Tensor], tuple[Tensor, DepthMap]]
"""`look(number, frame)`: the frame, all in focus, and its depth on the range of the clip."""


class InOrder:
    """Reads ahead as far as steadying looks, and holds no more than that.

    Args:
        look: what is found of each frame.
        read: where they come from.
        radius, span: as of `depth.steadied`.
    """

    def __init__(self, look: Look, read: Read, radius: int, span: float) -> None:
        self._look, self._read, self._radius, self._span = look, read, radius, span
        self._next: int | None = None
        self._sharp: deque[Tensor] = deque()
        self._maps: Iterator[DepthMap] = iter(())

    def at(self, number: int) -> tuple[Tensor, DepthMap]:
        """A frame, all in focus, and its depth: quickest for one frame after the other, and the same from wherever it begins.

        Raises:
            ValueError: if the clip has no such frame.
        """
        if number != self._next:
            first = max(number - self._radius, 0)
            self._sharp = deque()
            self._maps = depth.steadied(self._looked(first, number), self._radius, self._span, number - first)
        found = next(self._maps, None)
        if found is None:
            raise ValueError(f"The clip has no frame {number} any more: it has changed since its first pass. Begin anew.")
        self._next = number + 1
        return self._sharp.popleft(), found

    def _looked(self, first: int, wanted: int) -> Iterator[tuple[Tensor, DepthMap]]:
        for number, frame in enumerate(self._read(first), first):
            sharp, found = self._look(number, frame)
            if number >= wanted:
                self._sharp.append(sharp)
            yield sharp, found
