"""Intervals and boxes of pixels of a window."""

from __future__ import annotations

from collections.abc import Sequence


class Span(tuple[int, int]):
    """An interval start..stop-1 along one axis."""

    __slots__ = ()

    def grown(self, by: int) -> Span:
        return Span((self[0] - by, self[1] + by))

    def moved(self, by: int) -> Span:
        return Span((self[0] + by, self[1] + by))

    def within(self, other: Span) -> Span:
        """The part that lies in `other`; of no or negative length where there is none."""
        return Span((max(self[0], other[0]), min(self[1], other[1])))

    def aligned(self, s: int, origin: int) -> Span:
        """Grown to whole coarse pixels of s px, which are aligned to the picture: pixel 0 of the axis is `origin` there."""
        return Span(((self[0] + origin) // s * s - origin, -(-(self[1] + origin) // s) * s - origin))

    def relative_to(self, start: int, s: int = 1) -> slice:
        """Indices from `start` on, in coarse pixels of s px."""
        return slice((self[0] - start) // s, (self[1] - start) // s)

    @property
    def length(self) -> int:
        return self[1] - self[0]


Box = tuple[Span, Span]
"""Rows and columns."""


def enclosing(boxes: Sequence[Box]) -> Box:
    """The smallest box that holds all of these."""
    rows, cols = (Span((min(b[k][0] for b in boxes), max(b[k][1] for b in boxes))) for k in (0, 1))
    return rows, cols
