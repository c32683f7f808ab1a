# Triton's language is compiled, not called: its values have no Python types to check.
# pyright: basic, reportArgumentType=false, reportAssignmentType=false, reportGeneralTypeIssues=false
# Compile-time constants are in capitals, as in Triton's own code, and so are branches on them, which are not expressions.
# ruff: noqa: N803
"""Blurs of a bin in a tile, at full and at reduced resolution. The package's docstring says what the arguments are."""

from __future__ import annotations

import triton
import triton.language as tl

from .common import channel, tile_column, tile_row


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
def _strip_ends(table, y, lines, columns, TILE: tl.constexpr, GROUP: tl.constexpr):
    """Last index of the strips that hold the rows y..y+GROUP-1 (the row `up` of strips and the one below), 0 where there is none,
    and where the first one's entry lies."""
    up = y >> 5
    at = table + up * columns * 4
    has_up = (up >= 0) & (up < lines)
    has_low = (up >= -1) & (up + 1 < lines) & ((y & (TILE - 1)) >= GROUP)
    up_last = tl.load(at + 2, mask=has_up, other=0)
    low_last = tl.load(at + columns * 4 + 2, mask=has_low, other=0)
    return at, has_up, has_low, up_last, low_last


@triton.jit
def _strip_rows(scratch, at, has_up, has_low, up_last, low_last, columns, y, x0, py, px, TILE: tl.constexpr):
    """Where each thread's row begins in the strips, its last index, and its column there; columns are counted in floats, as in
    tap_dx."""
    up_first = tl.load(at + 1, mask=has_up, other=0)
    low_first = tl.load(at + columns * 4 + 1, mask=has_low, other=0)
    up_base = tl.load(at, mask=has_up, other=0)
    low_base = tl.load(at + columns * 4, mask=has_low, other=0)
    up_length = tl.where(up_last > 0, up_last + 1, 0)  # quad 0 of the scratch is 0: what is read where no strip is
    low_length = tl.where(low_last > 0, low_last + 1, 0)
    line = (y & (TILE - 1)) + py
    low = line >= TILE
    start = scratch + tl.where(low, low_base + (line - TILE) * low_length, up_base + line * up_length) * 4
    last = tl.where(low, low_last, up_last) * 4
    x = (x0 + px - tl.where(low, low_first, up_first)) * 4
    return start, last, x


@triton.jit
def blur(
    scratch, table, lines, columns, row_of, half_of, tap_starts, tap_dx, tap_weight, entry, y0, x0,
    COLOUR: tl.constexpr, TILE: tl.constexpr, GROUP: tl.constexpr, UNROLL: tl.constexpr,
):  # fmt: skip
    """Light [P,4] and coverage ([P,1], or [P,4] for a coloured aperture) of a bin in the tile at (y0, x0) of its own pixels.

    table: the bin's and the tile's part of it; entry: which set of taps. Row r of the taps reads the content r - half rows below
    the first pixel of a group.
    """
    p = tl.arange(0, TILE * TILE // GROUP)
    py = p // TILE * GROUP
    px = p % TILE
    ch = tl.arange(0, 4)
    same = ch[None, :] + (p * 0)[:, None]
    light0 = tl.zeros([TILE * TILE // GROUP, 4], tl.float32)
    light1, light2, light3 = tl.zeros_like(light0), tl.zeros_like(light0), tl.zeros_like(light0)
    cover0, cover1 = tl.zeros_like(light0), tl.zeros_like(light0)
    cover2, cover3 = tl.zeros_like(light0), tl.zeros_like(light0)
    row = tl.load(row_of + entry)
    half = tl.load(half_of + entry)
    for r in range(0, 2 * half + GROUP):
        begin = tl.load(tap_starts + row + r)
        end = tl.load(tap_starts + row + r + 1)
        if end > begin:
            y = y0 + r - half
            at, has_up, has_low, up_last, low_last = _strip_ends(table, y, lines, columns, TILE, GROUP)
            if up_last + low_last > 0:
                start, last, x = _strip_rows(scratch, at, has_up, has_low, up_last, low_last, columns, y, x0, py, px, TILE)
                for t in range(begin, end, UNROLL):
                    for k in tl.static_range(UNROLL):
                        column = tl.minimum(tl.maximum(x + tl.load(tap_dx + t + k), 0), last)
                        quads = tl.load(start[:, None] + (tl.multiple_of(column, 4)[:, None] + ch[None, :]))
                        if COLOUR:
                            alpha = channel(quads, 3)
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
        return light, channel(light, 3)


@triton.jit(do_not_specialize=["lines", "columns", "tiles_y", "tiles_x", "first_entry", "segments"])
def coarse(
    scratch, table, row_of, half_of, tap_starts, tap_dx, tap_weight, members, slots, light_out, cover_out,
    lines, columns, tiles_y, tiles_x, first_entry, segments,
    COLOUR: tl.constexpr, TILE: tl.constexpr, GROUP: tl.constexpr, UNROLL: tl.constexpr,
):  # fmt: skip
    """Blurred tiles of bins at 1/s of the resolution. Grid: (tiles_y * tiles_x, members, 1 + segments).

    members: the bins of one downscale; first_entry: where those begin in `slots`, as [member, tiles_y, tiles_x, 2].
    """
    tile = tl.program_id(0)
    member = tl.program_id(1)
    segment = tl.program_id(2)
    entry = slots + (first_entry + member * tiles_y * tiles_x + tile) * 2
    slot = tl.load(entry + tl.where(segment > 0, 1, 0))
    if slot < 0:
        return
    slot += tl.maximum(segment - 1, 0)
    i = tl.load(members + member)
    y0 = (tile // tiles_x) * TILE
    x0 = (tile % tiles_x) * TILE
    light, cover = blur(
        scratch, table + (i * lines * columns + tile % tiles_x) * 4, lines, columns, row_of, half_of, tap_starts, tap_dx,
        tap_weight, i * (1 + segments) + segment, y0, x0, COLOUR, TILE, GROUP, UNROLL,
    )  # fmt: skip
    pixel = tile_row(TILE, GROUP) * TILE + tile_column(TILE, GROUP)
    at = (slot * (TILE * TILE) + pixel)[:, None] * 4 + tl.arange(0, 4)[None, :]
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
def enlarged(
    light_in, cover_in, slots, tiles_x, pick, add, s, y0, x0,
    COLOUR: tl.constexpr, TILE: tl.constexpr, GROUP: tl.constexpr,
):  # fmt: skip
    """Light and coverage, as from `blur`, of a bin at 1/s in the tile at (y0, x0) of the grid.

    slots: those of the bin, tiles_x in a row; pick: 0 for the whole aperture's slot, 1 for the first segment's; add: to it.
    """
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
    fy = (y0 + tile_row(TILE, GROUP) + 0.5) / s - 0.5
    fx = (x0 + tile_column(TILE, GROUP) + 0.5) / s - 0.5
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
        return light, channel(light, 3)
