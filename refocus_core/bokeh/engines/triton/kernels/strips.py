# Triton's language is compiled, not called: its values have no Python types to check.
# pyright: basic, reportArgumentType=false, reportAssignmentType=false, reportGeneralTypeIssues=false
# Compile-time constants are in capitals, as in Triton's own code, and so are branches on them, which are not expressions.
# ruff: noqa: N803
"""Which bins occur where, and the strips of their content. The package's docstring says what the arguments are."""

from __future__ import annotations

import triton
import triton.language as tl

from .common import square, tent_weight


@triton.jit
def _interval(v, edges, edge_count, SEARCH: tl.constexpr):
    """How many of the ascending `edges` lie below v, by SEARCH steps of bisection."""
    low = tl.zeros_like(v).to(tl.int32)
    high = low + edge_count
    for _ in range(SEARCH):
        middle = (low + high) // 2
        below = (tl.load(edges + tl.minimum(middle, edge_count - 1)) < v) & (low < high)
        low = tl.where(below, middle + 1, low)
        high = tl.where(below, high, middle)
    return low


@triton.jit(do_not_specialize=["front_row", "back_row", "alpha_row", "height", "width", "top", "left", "cells", "edge_count"])
def occupancy(
    front_radius, back_radius, back_alpha, edges, front_v, back_v, occurs, backs,
    front_row, back_row, alpha_row, height, width, top, left, cells, edge_count,
    SEARCH: tl.constexpr, CELL: tl.constexpr, SPAN: tl.constexpr,
):  # fmt: skip
    """Write signed squares of all radii, which intervals between `edges` occur in each cell, and which cells have a back.

    Grid: (columns / SPAN, rows / CELL). edges: `Scheduler.edges`; occurs [cells, edge_count + 1]; cells: columns of them.
    """
    gy = tl.program_id(1) * CELL + tl.arange(0, CELL)[:, None]
    gx = tl.program_id(0) * SPAN + tl.arange(0, SPAN)[None, :]
    y, x = gy - top, gx - left
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    cell = tl.program_id(1) * cells + gx // CELL
    here = y * width + x
    marks = tl.full([CELL, SPAN], 1, tl.int8)
    r = tl.load(front_radius + y * front_row + x, mask=inside, other=0.0)
    v = square(r)
    tl.store(front_v + here, v, mask=inside)
    tl.store(occurs + cell * (edge_count + 1) + _interval(v, edges, edge_count, SEARCH), marks, mask=inside)
    has_background = tl.load(back_alpha + y * alpha_row + x, mask=inside, other=0.0) > 0
    r = tl.load(back_radius + y * back_row + x, mask=inside, other=0.0)
    v = square(r)
    tl.store(back_v + here, v, mask=inside)
    has_background = has_background & inside
    tl.store(occurs + cell * (edge_count + 1) + _interval(v, edges, edge_count, SEARCH), marks, mask=has_background)
    tl.store(backs + cell + gy * 0, marks, mask=has_background)


@triton.jit
def _weighted(r, g, b, a, at, plane, share, weight):
    """RGBA plus what a layer holds at the addresses `at`, by share and weight; nothing is read where the share is 0."""
    some = share > 0
    share = share * weight
    r += share * tl.load(at, mask=some, other=0.0)
    g += share * tl.load(at + plane, mask=some, other=0.0)
    b += share * tl.load(at + 2 * plane, mask=some, other=0.0)
    a += share * tl.load(at + 3 * plane, mask=some, other=0.0)
    return r, g, b, a


@triton.jit
def _content(
    front, back, front_v, back_v, backs, front_plane, front_row, back_plane, back_row, height, width, top, left, cells,
    before, rise, after, fall, s, row, column, holds, ROWS: tl.constexpr, CHUNK: tl.constexpr, CELL: tl.constexpr,
):  # fmt: skip
    """RGBA [ROWS,CHUNK] each, of what a bin holds at (row, column) of its own pixels, where `holds`.

    At 1/s every pixel is shared linearly between the coarse pixels around it: a tent over 2s pixels.
    """
    taps = tl.where(s == 1, 1, 2 * s)
    shift = tl.where(s == 1, 0, s // 2)
    r = tl.zeros([ROWS, CHUNK], tl.float32)
    g = tl.zeros([ROWS, CHUNK], tl.float32)
    b = tl.zeros([ROWS, CHUNK], tl.float32)
    a = tl.zeros([ROWS, CHUNK], tl.float32)
    for j in range(taps * taps):
        jy = j // taps
        jx = j - jy * taps
        wy = tl.where(s == 1, 1.0, (1.0 - tl.abs(jy + 0.5 - s) / s) / s)
        wx = tl.where(s == 1, 1.0, (1.0 - tl.abs(jx + 0.5 - s) / s) / s)
        gy = (row * s + (jy - shift))[:, None]
        gx = (column * s + (jx - shift))[None, :]
        y, x = gy - top, gx - left
        inside = (y >= 0) & (y < height) & (x >= 0) & (x < width) & holds[None, :]
        here = y * width + x
        v = tl.load(front_v + here, mask=inside, other=0.0)
        share = tl.where(inside, tent_weight(v, before, rise, after, fall), 0.0)
        r, g, b, a = _weighted(r, g, b, a, front + y * front_row + x, front_plane, share, wy * wx)
        has_background = tl.load(backs + (gy // CELL) * cells + gx // CELL, mask=inside, other=0) != 0
        v = tl.load(back_v + here, mask=has_background, other=0.0)
        share = tl.where(has_background, tent_weight(v, before, rise, after, fall), 0.0)
        r, g, b, a = _weighted(r, g, b, a, back + y * back_row + x, back_plane, share, wy * wx)
    return r, g, b, a


@triton.jit(
    do_not_specialize=["front_plane", "front_row", "back_plane", "back_row", "height", "width", "top", "left", "cells", "lines"]
)
def strips(
    front, back, front_v, back_v, backs, ramps, downscales, direct, written, scratch,
    front_plane, front_row, back_plane, back_row, height, width, top, left, cells, lines, most,
    TILE: tl.constexpr, CELL: tl.constexpr, ROWS: tl.constexpr, CHUNK: tl.constexpr,
):  # fmt: skip
    """Write the strips of every bin. Grid: (bins, lines * TILE / ROWS)."""
    i = tl.program_id(0)
    part = tl.program_id(1)
    entry = written + (i * lines + part // (TILE // ROWS)) * most * 4
    last = tl.load(entry + 2)
    if last == 0:
        return
    s = tl.load(downscales + i)
    is_direct = tl.load(direct + i)
    before, rise = tl.load(ramps + 2 * i), tl.load(ramps + 2 * i + 1)
    after, fall = tl.load(ramps + 2 * i + 2), tl.load(ramps + 2 * i + 3)
    row = part * ROWS + tl.arange(0, ROWS)
    number = 0
    while last > 0:
        base = tl.load(entry)
        first = tl.load(entry + 1)
        filled = last - tl.where(is_direct != 0, 1, 0)
        sum_r = tl.zeros([ROWS], tl.float32)
        sum_g = tl.zeros([ROWS], tl.float32)
        sum_b = tl.zeros([ROWS], tl.float32)
        sum_a = tl.zeros([ROWS], tl.float32)
        for start in range(0, last + 1, CHUNK):
            k = start + tl.arange(0, CHUNK)
            r, g, b, a = _content(
                front, back, front_v, back_v, backs, front_plane, front_row, back_plane, back_row, height, width, top, left,
                cells, before, rise, after, fall, s, row, first + k - 1, (k >= 1) & (k <= filled), ROWS, CHUNK, CELL,
            )  # fmt: skip
            if is_direct == 0:
                more_r, more_g, more_b, more_a = tl.sum(r, 1), tl.sum(g, 1), tl.sum(b, 1), tl.sum(a, 1)
                r = tl.cumsum(r, 1) + sum_r[:, None]
                g = tl.cumsum(g, 1) + sum_g[:, None]
                b = tl.cumsum(b, 1) + sum_b[:, None]
                a = tl.cumsum(a, 1) + sum_a[:, None]
                sum_r += more_r
                sum_g += more_g
                sum_b += more_b
                sum_a += more_a
            quads = tl.interleave(tl.interleave(r, b), tl.interleave(g, a))
            k4 = start * 4 + tl.arange(0, CHUNK * 4)
            at = (base + (row & (TILE - 1)) * (last + 1)) * 4
            tl.store(scratch + at[:, None] + k4[None, :], quads, mask=(k4 < (last + 1) * 4)[None, :])
        number += 1
        entry += 4
        last = tl.load(entry + 2, mask=number < most, other=0)
