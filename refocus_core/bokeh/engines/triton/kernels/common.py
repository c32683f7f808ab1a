# Triton's language is compiled, not called: its values have no Python types to check.
# pyright: basic, reportArgumentType=false, reportAssignmentType=false, reportGeneralTypeIssues=false
# Compile-time constants are in capitals, as in Triton's own code, and so are branches on them, which are not expressions.
# ruff: noqa: N803
"""Sizes that the kernels share, and what they compute alike."""

from __future__ import annotations

import triton
import triton.language as tl

TILE = 32
"""Side of an output tile and height of a strip. Kernels count on 32 = 1 << 5."""

CELL = 16
"""Side of the cells in which the occupancy of bins is noted; TILE is a multiple of it."""

ROWS = 4
"""Rows of a strip that a program writes. More of them mean fewer programs, with more registers each."""

CHUNK = 128
"""Columns of a strip that are written at a time."""

GROUP = 4
"""Pixels below one another that share what is read. Kernels count on 4."""

UNROLL = 2
"""Taps of a row come in multiples of this: more of them are read before the first is needed, and more are padding."""


@triton.jit
def square(radius):
    """`bins.square`."""
    return radius * tl.abs(radius)


@triton.jit
def _ramp(v, start, slope):
    return tl.minimum(tl.maximum((v - start) * slope, 0.0), 1.0)


@triton.jit
def tent_weight(v, before, before_slope, after, after_slope):
    """`Bins.tent_weight` of a bin between two of `Bins.ramps` (where there is none, one that lies far outside)."""
    return tl.minimum(_ramp(v, before, before_slope), 1.0 - _ramp(v, after, after_slope))


@triton.jit
def channel(quads, index: tl.constexpr):
    """[P,1] one channel of [P,4]."""
    return tl.sum(tl.where(tl.arange(0, 4)[None, :] == index, quads, 0.0), 1)[:, None]


@triton.jit
def tile_row(TILE: tl.constexpr, GROUP: tl.constexpr):
    """[P] row in a tile: pixels are numbered in groups of GROUP below one another."""
    p = tl.arange(0, TILE * TILE)
    return p // (TILE * GROUP) * GROUP + p % GROUP


@triton.jit
def tile_column(TILE: tl.constexpr, GROUP: tl.constexpr):
    """[P] column in a tile."""
    return tl.arange(0, TILE * TILE) // GROUP % TILE
