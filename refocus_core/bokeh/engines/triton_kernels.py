# Triton's language is compiled, not called: its values have no Python types to check.
# pyright: basic, reportArgumentType=false, reportAssignmentType=false, reportGeneralTypeIssues=false
# Compile-time constants are in capitals, as in Triton's own code, and so are branches on them, which are not expressions.
# ruff: noqa: N803, SIM108
"""Triton kernels of `triton_engine`. Importing this file needs the package triton.

Coordinates: "grid" pixels are picture pixels minus a corner that is a multiple of TILE and of every scale; (top, left) is where
the window of layers begins on the grid. A bin at 1/s of the resolution has grid pixels of its own, s times larger. Content of a
bin lies in strips: TILE rows high, from the first to the last cell that holds any. Pixels of a strip are interleaved RGBA
float32 quads, either the content itself between two zeros ("direct"), or its running sum along the row, which starts with 0.
Reading beyond a strip's end is reading its last quad: nothing lies there, so the content is 0 and the sum stays. Where a row has
a gap so wide that no tile sees content on both sides of it, a strip ends and another one begins.

A thread sums GROUP pixels below one another: a tap is a place relative to the first of them, with a weight for each, because
one row of content serves all of them and the edges of an aperture are mostly steep.
"""

from __future__ import annotations

import triton
import triton.language as tl

TILE = 32
"""Side of an output tile and height of a strip. Kernels count on 32 = 1 << 5."""
CELL = 16
"""Side of the cells in which the occupancy of bins is noted; TILE is a multiple of it."""
ROWS, CHUNK = 4, 128
"""Part of a strip that is written at a time."""
GROUP = 4
"""Pixels below one another that share what is read. Kernels count on 4."""
UNROLL = 2
"""Taps of a row come in multiples of this."""


@triton.jit
def _square(radius):
    """`bins.square`."""
    return radius * tl.abs(radius)


@triton.jit
def _interval(v, edges, edge_count, SEARCH: tl.constexpr):
    """How many of the ascending `edges` lie below v."""
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
    front_radius, back_radius, back_alpha, edges, front_v, back_v, found, backs,
    front_row, back_row, alpha_row, height, width, top, left, cells, edge_count,
    SEARCH: tl.constexpr, CELL: tl.constexpr, SPAN: tl.constexpr,
):  # fmt: skip
    """Signed squares of all radii, and which intervals between `edges` occur in each cell (found [cells, edge_count+1]).

    Grid: (columns / SPAN, rows / CELL).
    """
    gy = tl.program_id(1) * CELL + tl.arange(0, CELL)[:, None]
    gx = tl.program_id(0) * SPAN + tl.arange(0, SPAN)[None, :]
    y, x = gy - top, gx - left
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    cell = tl.program_id(1) * cells + gx // CELL
    here = y * width + x
    marks = tl.full([CELL, SPAN], 1, tl.int8)
    r = tl.load(front_radius + y * front_row + x, mask=inside, other=0.0)
    v = _square(r)
    tl.store(front_v + here, v, mask=inside)
    tl.store(found + cell * (edge_count + 1) + _interval(v, edges, edge_count, SEARCH), marks, mask=inside)
    lies = tl.load(back_alpha + y * alpha_row + x, mask=inside, other=0.0) > 0
    r = tl.load(back_radius + y * back_row + x, mask=inside, other=0.0)
    v = _square(r)
    tl.store(back_v + here, v, mask=inside)
    lies = lies & inside
    tl.store(found + cell * (edge_count + 1) + _interval(v, edges, edge_count, SEARCH), marks, mask=lies)
    tl.store(backs + cell + gy * 0, marks, mask=lies)


@triton.jit
def _ramp(v, start, slope):
    return tl.minimum(tl.maximum((v - start) * slope, 0.0), 1.0)


@triton.jit
def _share(v, before, before_slope, after, after_slope):
    """`Bins.share` of a bin between two of `Bins.ramps` (where there is none, one that lies far outside)."""
    return tl.minimum(_ramp(v, before, before_slope), 1.0 - _ramp(v, after, after_slope))


@triton.jit(
    do_not_specialize=["front_plane", "front_row", "back_plane", "back_row", "height", "width", "top", "left", "cells", "lines"]
)
def strips(
    front, back, front_v, back_v, backs, ramps, scales, direct, written, out,
    front_plane, front_row, back_plane, back_row, height, width, top, left, cells, lines, most,
    TILE: tl.constexpr, CELL: tl.constexpr, ROWS: tl.constexpr, CHUNK: tl.constexpr,
):  # fmt: skip
    """Write the strips of every bin. Grid: (bins, lines * TILE / ROWS).

    ramps [bins + 1, 2]: `Bins.ramps`, with one more before and after; scales: 0 for bins that need no strips; lines: rows of
    strips that a bin can have; written [bins, lines, most, 4]: for each strip its first quad in `out`, its first column, and its
    last index (0: no more strips).
    """
    i = tl.program_id(0)
    part = tl.program_id(1)
    entry = written + (i * lines + part // (TILE // ROWS)) * most * 4
    last = tl.load(entry + 2)
    if last == 0:
        return
    s = tl.load(scales + i)
    is_direct = tl.load(direct + i)
    before, rise = tl.load(ramps + 2 * i), tl.load(ramps + 2 * i + 1)
    after, fall = tl.load(ramps + 2 * i + 2), tl.load(ramps + 2 * i + 3)
    row = part * ROWS + tl.arange(0, ROWS)
    # At 1/s every pixel is shared linearly between the coarse pixels around it: a tent over 2s pixels.
    taps = tl.where(s == 1, 1, 2 * s)
    shift = tl.where(s == 1, 0, s // 2)
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
            holds = (k >= 1) & (k <= filled)
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
                gx = ((first + k - 1) * s + (jx - shift))[None, :]
                y, x = gy - top, gx - left
                inside = (y >= 0) & (y < height) & (x >= 0) & (x < width) & holds[None, :]
                here = y * width + x
                v = tl.load(front_v + here, mask=inside, other=0.0)
                share = tl.where(inside, _share(v, before, rise, after, fall), 0.0)
                some = share > 0
                share = share * (wy * wx)
                at = front + y * front_row + x
                r += share * tl.load(at, mask=some, other=0.0)
                g += share * tl.load(at + front_plane, mask=some, other=0.0)
                b += share * tl.load(at + 2 * front_plane, mask=some, other=0.0)
                a += share * tl.load(at + 3 * front_plane, mask=some, other=0.0)
                lies = tl.load(backs + (gy // CELL) * cells + gx // CELL, mask=inside, other=0) != 0
                v = tl.load(back_v + here, mask=lies, other=0.0)
                share = tl.where(lies, _share(v, before, rise, after, fall), 0.0)
                some = share > 0
                share = share * (wy * wx)
                at = back + y * back_row + x
                r += share * tl.load(at, mask=some, other=0.0)
                g += share * tl.load(at + back_plane, mask=some, other=0.0)
                b += share * tl.load(at + 2 * back_plane, mask=some, other=0.0)
                a += share * tl.load(at + 3 * back_plane, mask=some, other=0.0)
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
            tl.store(out + at[:, None] + k4[None, :], quads, mask=(k4 < (last + 1) * 4)[None, :])
        number += 1
        entry += 4
        last = tl.load(entry + 2, mask=number < most, other=0)


@triton.jit
def _channel(quads, index: tl.constexpr):
    """[P,1] one channel of [P,4]."""
    return tl.sum(tl.where(tl.arange(0, 4)[None, :] == index, quads, 0.0), 1)[:, None]


@triton.jit
def _row(TILE: tl.constexpr, GROUP: tl.constexpr):
    """[P] row in a tile: pixels are numbered in groups of GROUP below one another."""
    p = tl.arange(0, TILE * TILE)
    return p // (TILE * GROUP) * GROUP + p % GROUP


@triton.jit
def _column(TILE: tl.constexpr, GROUP: tl.constexpr):
    """[P] column in a tile."""
    return tl.arange(0, TILE * TILE) // GROUP % TILE


@triton.jit
def _pick(bits, here):
    """[P,1] one of the weights [P,4], given as integers: of these the compiler knows that adding 0 changes nothing."""
    return tl.sum(tl.where(here, bits, 0), 1)[:, None].to(tl.float32, bitcast=True)


@triton.jit
def _together(a, b, c, d):
    """[P,4] of four [P/4,4], the values of a group one after another."""
    n: tl.constexpr = a.shape[0]
    ab = tl.permute(tl.join(a, c), (0, 2, 1))  # [n,2,4]
    cd = tl.permute(tl.join(b, d), (0, 2, 1))
    return tl.reshape(tl.permute(tl.join(ab, cd), (0, 1, 3, 2)), (n * 4, 4))


@triton.jit
def _blur(
    scratch, table, lines, tiles, row_of, half_of, tap_starts, tap_dx, tap_weight, entry, y0, x0,
    COLOUR: tl.constexpr, TILE: tl.constexpr, GROUP: tl.constexpr, UNROLL: tl.constexpr,
):  # fmt: skip
    """Light [P,4] and coverage ([P,1], or [P,4] for a coloured aperture) of a bin in the tile at (y0, x0) of its own pixels.

    table: the strip, if any, that a column of tiles sees in each line: [lines, tiles, 4], the bin's and the tile's; entry: which
    set of taps. Row r of the taps reads the content r - half rows below the first pixel of a group.
    """
    p = tl.arange(0, TILE * TILE // GROUP)
    py = p // TILE * GROUP
    px = p % TILE
    ch = tl.arange(0, 4)
    same = ch[None, :] + (p * 0)[:, None]
    light0 = tl.zeros([TILE * TILE // GROUP, 4], tl.float32)
    light1 = tl.zeros_like(light0)
    light2 = tl.zeros_like(light0)
    light3 = tl.zeros_like(light0)
    cover0 = tl.zeros_like(light0)
    cover1 = tl.zeros_like(light0)
    cover2 = tl.zeros_like(light0)
    cover3 = tl.zeros_like(light0)
    row = tl.load(row_of + entry)
    half = tl.load(half_of + entry)
    for r in range(0, 2 * half + GROUP):
        begin = tl.load(tap_starts + row + r)
        end = tl.load(tap_starts + row + r + 1)
        if end > begin:
            # The rows read lie in two lines, `up` and the one below.
            y = y0 + r - half
            up = y >> 5
            at = table + up * tiles * 4
            has_up = (up >= 0) & (up < lines)
            has_low = (up >= -1) & (up + 1 < lines) & ((y & (TILE - 1)) >= GROUP)
            up_last = tl.load(at + 2, mask=has_up, other=0)
            low_last = tl.load(at + tiles * 4 + 2, mask=has_low, other=0)
            if up_last + low_last > 0:
                up_first = tl.load(at + 1, mask=has_up, other=0)
                low_first = tl.load(at + tiles * 4 + 1, mask=has_low, other=0)
                up_base = tl.load(at, mask=has_up, other=0)
                low_base = tl.load(at + tiles * 4, mask=has_low, other=0)
                up_length = tl.where(up_last > 0, up_last + 1, 0)  # quad 0 of the scratch is 0: what is read where no strip is
                low_length = tl.where(low_last > 0, low_last + 1, 0)
                line = (y & (TILE - 1)) + py
                low = line >= TILE
                # Columns are counted in floats from here on, as in tap_dx.
                start = scratch + tl.where(low, low_base + (line - TILE) * low_length, up_base + line * up_length) * 4
                last = tl.where(low, low_last, up_last) * 4
                x = (x0 + px - tl.where(low, low_first, up_first)) * 4
                for t in range(begin, end, UNROLL):
                    for k in tl.static_range(UNROLL):
                        column = tl.minimum(tl.maximum(x + tl.load(tap_dx + t + k), 0), last)
                        quads = tl.load(start[:, None] + (tl.multiple_of(column, 4)[:, None] + ch[None, :]))
                        if COLOUR:
                            alpha = _channel(quads, 3)
                            at_tap = tap_weight + (t + k) * 4 * GROUP + ch
                            weight = tl.load(at_tap)[None, :]
                            light0 += quads * weight
                            cover0 += alpha * weight
                            weight = tl.load(at_tap + 4)[None, :]
                            light1 += quads * weight
                            cover1 += alpha * weight
                            weight = tl.load(at_tap + 8)[None, :]
                            light2 += quads * weight
                            cover2 += alpha * weight
                            weight = tl.load(at_tap + 12)[None, :]
                            light3 += quads * weight
                            cover3 += alpha * weight
                        else:
                            # The same for all, but read by each thread as one quad: nothing is passed between threads.
                            weights = tl.load(tap_weight + (t + k) * GROUP + same)
                            bits = weights.to(tl.int32, bitcast=True)
                            light0 += quads * _pick(bits, ch[None, :] == 0)
                            light1 += quads * _pick(bits, ch[None, :] == 1)
                            light2 += quads * _pick(bits, ch[None, :] == 2)
                            light3 += quads * _pick(bits, ch[None, :] == 3)
    light = _together(light0, light1, light2, light3)
    if COLOUR:
        return light, _together(cover0, cover1, cover2, cover3)
    else:
        return light, _channel(light, 3)


@triton.jit(do_not_specialize=["lines", "tiles", "tiles_y", "tiles_x", "first_entry", "pieces"])
def coarse(
    scratch, table, row_of, half_of, tap_starts, tap_dx, tap_weight, members, slots, light_out, cover_out,
    lines, tiles, tiles_y, tiles_x, first_entry, pieces,
    COLOUR: tl.constexpr, TILE: tl.constexpr, GROUP: tl.constexpr, UNROLL: tl.constexpr,
):  # fmt: skip
    """Blurred tiles of bins at 1/s of the resolution. Grid: (tiles_y * tiles_x, members, 1 + pieces).

    members: bins of one scale; slots [member, tiles_y, tiles_x, 2]: tile of the output for the whole aperture, and the first of
    those for its pieces (-1: not needed), first_entry: where those of this scale begin.
    """
    tile = tl.program_id(0)
    member = tl.program_id(1)
    piece = tl.program_id(2)
    entry = slots + (first_entry + member * tiles_y * tiles_x + tile) * 2
    slot = tl.load(entry + tl.where(piece > 0, 1, 0))
    if slot < 0:
        return
    slot += tl.maximum(piece - 1, 0)
    i = tl.load(members + member)
    y0 = (tile // tiles_x) * TILE
    x0 = (tile % tiles_x) * TILE
    light, cover = _blur(
        scratch, table + (i * lines * tiles + tile % tiles_x) * 4, lines, tiles, row_of, half_of, tap_starts, tap_dx, tap_weight,
        i * (1 + pieces) + piece, y0, x0, COLOUR, TILE, GROUP, UNROLL,
    )  # fmt: skip
    place = _row(TILE, GROUP) * TILE + _column(TILE, GROUP)
    at = (slot * (TILE * TILE) + place)[:, None] * 4 + tl.arange(0, 4)[None, :]
    tl.store(light_out + at, light)
    if COLOUR:
        tl.store(cover_out + at, cover)


@triton.jit
def _cubic(d):
    """Weight of a sample at distance d in bicubic interpolation as torch does it (Keys, a = -0.75)."""
    a: tl.constexpr = -0.75
    d = tl.abs(d)
    near = ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0
    far = ((a * d - 5.0 * a) * d + 8.0 * a) * d - 4.0 * a
    return tl.where(d <= 1.0, near, tl.where(d < 2.0, far, 0.0))


@triton.jit
def _enlarged(
    light_in, cover_in, slots, tiles_x, pick, add, s, y0, x0,
    COLOUR: tl.constexpr, TILE: tl.constexpr, GROUP: tl.constexpr,
):  # fmt: skip
    """Light and coverage, as from `_blur`, of a bin at 1/s in the tile at (y0, x0) of the grid. slots: those of the bin."""
    ch = tl.arange(0, 4)
    light = tl.zeros([TILE * TILE, 4], tl.float32)
    cover = tl.zeros([TILE * TILE, 4], tl.float32)
    ty = (y0 // s - 2) >> 5
    tx = (x0 // s - 2) >> 5
    at = slots + (ty * tiles_x + tx) * 2 + pick
    # Tiles of which no pixel is read may not be there.
    s00 = tl.maximum(tl.load(at), 0) + add
    s01 = tl.maximum(tl.load(at + 2), 0) + add
    s10 = tl.maximum(tl.load(at + tiles_x * 2), 0) + add
    s11 = tl.maximum(tl.load(at + tiles_x * 2 + 2), 0) + add
    fy = (y0 + _row(TILE, GROUP) + 0.5) / s - 0.5
    fx = (x0 + _column(TILE, GROUP) + 0.5) / s - 0.5
    iy = tl.floor(fy)
    ix = tl.floor(fx)
    for j in range(-1, 3):
        cy = iy.to(tl.int32) + j
        wy = _cubic(fy - iy - j)
        low = (cy >> 5) > ty
        for i in range(-1, 3):
            cx = ix.to(tl.int32) + i
            w = wy * _cubic(fx - ix - i)
            right = (cx >> 5) > tx
            slot = tl.where(low, tl.where(right, s11, s10), tl.where(right, s01, s00))
            q = (slot * (TILE * TILE) + (cy & (TILE - 1)) * TILE + (cx & (TILE - 1)))[:, None] * 4 + ch[None, :]
            light += w[:, None] * tl.load(light_in + q)
            if COLOUR:
                cover += w[:, None] * tl.load(cover_in + q)
    light = tl.maximum(light, 0.0)  # bicubic undershoots
    if COLOUR:
        return light, tl.maximum(cover, 0.0)
    else:
        return light, _channel(light, 3)


@triton.jit(
    do_not_specialize=[
        "out", "nearer", "front_plane", "front_row", "back_plane", "back_row", "radius_row", "edge_row", "opaque_row",
        "out_plane", "out_row", "nearer_plane", "nearer_row",
        "height", "width", "top", "left", "out_top", "out_left", "out_height", "out_width", "tiles", "tile_top", "tile_left",
        "bins", "lines", "columns", "pieces",
    ]
)  # fmt: skip
def composite(
    scratch, table, row_of, half_of, tap_starts, tap_dx, tap_weight, light_in, cover_in, slots, slot_first, slot_width,
    front, back, front_v, back_v, front_radius, edge, opaque, ramps, sheets, places, scales, piece_weights, lists, counts, cut,
    out, nearer, front_plane, front_row, back_plane, back_row, radius_row, edge_row, opaque_row, out_plane, out_row,
    nearer_plane, nearer_row, height, width, top, left, out_top, out_left, out_height, out_width, tiles, tile_top, tile_left,
    bins, lines, columns, pieces,
    COLOUR: tl.constexpr, WATCH: tl.constexpr, GAP: tl.constexpr, PRESENT: tl.constexpr, TILE: tl.constexpr,
    GROUP: tl.constexpr, UNROLL: tl.constexpr,
):  # fmt: skip
    """Composite the bins of every tile from near to far and write the picture. Grid: (tiles, rows of tiles).

    ramps: as of `strips`; sheets: which sheet of the plan a bin belongs to; places [bins, 2]: positions of the first and the last
    bin of a bin's sheet in the unit of GAP; piece_weights [1+pieces, 4]; lists [tile, bins]: the bins that reach a tile; counts:
    how many (0: all in focus, the picture stays); cut: whether the aperture is cut there; opaque: see `Plan.opaque_to`;
    slot_first, slot_width: where a bin's slots begin, and columns of them; (out_top, out_left): where `out` begins on the grid;
    (tile_top, tile_left): tile that is the first of the grid of programs; columns: tiles that `table` has for each line.
    WATCH: also write to `nearer` light and coverage of the bins that are blurred and nearer than the focus.
    """
    tile = tl.program_id(1) * tiles + tl.program_id(0)
    count = tl.load(counts + tile)
    if count == 0:
        return
    is_cut = tl.load(cut + tile).to(tl.int32)
    y0 = (tl.program_id(1) + tile_top) * TILE
    x0 = (tl.program_id(0) + tile_left) * TILE
    py = _row(TILE, GROUP)
    px = _column(TILE, GROUP)
    ch = tl.arange(0, 4)
    total = tl.zeros([TILE * TILE, 4], tl.float32)
    if COLOUR:
        total_cover = tl.zeros([TILE * TILE, 4], tl.float32)
    else:
        total_cover = tl.zeros([TILE * TILE, 1], tl.float32)
    before_focus = tl.zeros([TILE * TILE, 1], tl.float32)
    oy = y0 + py - out_top
    ox = x0 + px - out_left
    inside = (oy >= 0) & (oy < out_height) & (ox >= 0) & (ox < out_width)
    y = y0 + py - top
    x = x0 + px - left
    hidden_from = tl.load(opaque + y * opaque_row + x, mask=inside, other=0.0)[:, None]  # position: see `Plan.opaque_to`
    if WATCH:
        near_light = tl.zeros([TILE * TILE, 4], tl.float32)
        near_cover = tl.zeros_like(total_cover)
    for piece in range(is_cut, 1 + is_cut * pieces):
        light = tl.zeros([TILE * TILE, 4], tl.float32)
        cover = tl.zeros_like(total_cover)
        group = tl.zeros_like(total_cover)  # coverage of the open group
        through = tl.zeros_like(total_cover) + 1.0  # light that the closed groups let pass
        latest = tl.zeros([TILE * TILE, 1], tl.float32) + 1e30  # position of the last bin seen
        plane = tl.zeros([TILE * TILE, 4], tl.float32)  # light and coverage of the open sheet
        alpha = tl.zeros_like(total_cover)
        if WATCH:
            light_before = tl.zeros([TILE * TILE, 4], tl.float32)
            cover_before = tl.zeros_like(total_cover)
        for k in range(0, count):
            i = tl.load(lists + tile * bins + k)
            s = tl.load(scales + i)
            if s == 1:
                own, own_alpha = _blur(
                    scratch, table + (i * lines * columns + tile_left + tl.program_id(0)) * 4, lines, columns, row_of, half_of,
                    tap_starts, tap_dx, tap_weight, i * (1 + pieces) + piece, y0, x0, COLOUR, TILE, GROUP, UNROLL,
                )  # fmt: skip
            elif s > 1:
                own, own_alpha = _enlarged(
                    light_in, cover_in, slots + tl.load(slot_first + i) * 2, tl.load(slot_width + i),
                    tl.where(piece > 0, 1, 0), tl.maximum(piece - 1, 0), s, y0, x0, COLOUR, TILE, GROUP,
                )  # fmt: skip
            else:  # the blur stays within its pixel
                before, rise = tl.load(ramps + 2 * i), tl.load(ramps + 2 * i + 1)
                after, fall = tl.load(ramps + 2 * i + 2), tl.load(ramps + 2 * i + 3)
                # s is 0: addresses that seem to change with the bin are not held in registers all through the loop.
                sy = y0 + s + py - top
                sx = x0 + s + px - left
                there = (sy >= 0) & (sy < height) & (sx >= 0) & (sx < width)
                here = sy * width + sx
                v = tl.load(front_v + here, mask=there, other=0.0)
                share = tl.where(there, _share(v, before, rise, after, fall), 0.0)[:, None]
                at = (sy * front_row + sx)[:, None] + ch[None, :] * front_plane
                own = share * tl.load(front + at, mask=share > 0, other=0.0)
                v = tl.load(back_v + here, mask=there, other=0.0)
                share = tl.where(there, _share(v, before, rise, after, fall), 0.0)[:, None]
                at = (sy * back_row + sx)[:, None] + ch[None, :] * back_plane
                own += share * tl.load(back + at, mask=share > 0, other=0.0)
                if COLOUR:
                    own_alpha = tl.zeros_like(own) + _channel(own, 3)
                else:
                    own_alpha = _channel(own, 3)
            plane += own
            alpha += own_alpha
            following = tl.load(lists + tile * bins + k + 1, mask=k + 1 < count, other=0)
            if (k + 1 == count) | (tl.load(sheets + following) != tl.load(sheets + i)):
                first = tl.load(places + 2 * i)
                alpha = tl.maximum(alpha, 0.0)
                if COLOUR:
                    alpha0 = _channel(alpha, 0)
                else:
                    alpha0 = alpha
                seen = alpha0 > PRESENT
                close = seen & (latest < first - GAP)
                through = tl.where(close, through * (1.0 - group), through)
                group = tl.where(close, 0.0, group)
                through = tl.where(hidden_from < first, 0.0, through)
                gain = tl.minimum(tl.maximum((1.0 - group) / tl.maximum(alpha, 1e-6), 0.0), 1.0)
                light += through * gain * plane
                cover += through * gain * alpha
                if WATCH:
                    is_nearer = (s > 0) & (first < -1e-6)
                    light_before = tl.where(is_nearer, light, light_before)
                    cover_before = tl.where(is_nearer, cover, cover_before)
                group += gain * alpha
                latest = tl.where(seen, tl.load(places + 2 * i + 1), latest)
                before_focus = tl.where(first < -1e-6, tl.maximum(before_focus, alpha0), before_focus)
                plane = tl.zeros([TILE * TILE, 4], tl.float32)
                alpha = tl.zeros_like(total_cover)
        if COLOUR:
            weight = tl.load(piece_weights + piece * 4 + ch)[None, :]
        else:
            weight = tl.load(piece_weights + piece * 4)
        total += weight * light
        total_cover += weight * cover
        if WATCH:
            near_light += weight * light_before
            near_cover += weight * cover_before
    at = (oy * out_row + ox)[:, None] + ch[None, :] * out_plane
    writes = inside[:, None] & (ch < 3)[None, :]
    photo = tl.load(out + at, mask=writes, other=0.0)
    result = tl.where(total_cover > PRESENT, total / tl.maximum(total_cover, PRESENT), photo)
    # A focused pixel that nothing nearer touches is the photo itself, not a sum that equals it up to rounding.
    focused = tl.abs(tl.load(front_radius + y * radius_row + x, mask=inside, other=1.0)) <= 1e-3
    whole = tl.load(edge + y * edge_row + x, mask=inside, other=0) == 0
    untouched = (focused & whole)[:, None] & (before_focus <= 1e-4)
    tl.store(out + at, tl.where(untouched, photo, result), mask=writes)
    if WATCH:
        covered = total_cover > PRESENT
        near_light = tl.where(covered, near_light / tl.maximum(total_cover, PRESENT), 0.0)
        near_cover = tl.where(covered, near_cover / tl.maximum(total_cover, PRESENT), 0.0)
        if COLOUR:
            near_cover = (_channel(near_cover, 0) + _channel(near_cover, 1) + _channel(near_cover, 2)) / 3
        at = (oy * nearer_row + ox)[:, None] + ch[None, :] * nearer_plane
        tl.store(nearer + at, tl.where((ch == 3)[None, :], near_cover, near_light), mask=inside[:, None])
