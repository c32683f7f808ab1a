# Triton's language is compiled, not called: its values have no Python types to check.
# pyright: basic, reportArgumentType=false, reportAssignmentType=false, reportGeneralTypeIssues=false
# Compile-time constants are in capitals, as in Triton's own code, and so are branches on them, which are not expressions.
# ruff: noqa: N803, SIM108
"""Compositing of the bins of every tile from near to far. The package's docstring says what the arguments are; the equations are
those of `engines.compositing`."""

from __future__ import annotations

import triton
import triton.language as tl

from .blurring import blur, enlarged
from .common import channel, tent_weight, tile_column, tile_row


@triton.jit
def _layer_share(layer, layer_v, plane, row, sy, sx, width, there, before, rise, after, fall, ch):
    """[P,4] what of a layer at the pixels (sy, sx) of the window falls into a bin."""
    v = tl.load(layer_v + sy * width + sx, mask=there, other=0.0)
    share = tl.where(there, tent_weight(v, before, rise, after, fall), 0.0)[:, None]
    at = (sy * row + sx)[:, None] + ch[None, :] * plane
    return share * tl.load(layer + at, mask=share > 0, other=0.0)


@triton.jit
def _unblurred(
    front, back, front_v, back_v, front_plane, front_row, back_plane, back_row, ramps, i, sy, sx, height, width,
    COLOUR: tl.constexpr,
):  # fmt: skip
    """Light and coverage, as from `blur`, of a bin whose blur stays within its pixel, at the pixels (sy, sx) of the window."""
    ch = tl.arange(0, 4)
    before, rise = tl.load(ramps + 2 * i), tl.load(ramps + 2 * i + 1)
    after, fall = tl.load(ramps + 2 * i + 2), tl.load(ramps + 2 * i + 3)
    there = (sy >= 0) & (sy < height) & (sx >= 0) & (sx < width)
    own = _layer_share(front, front_v, front_plane, front_row, sy, sx, width, there, before, rise, after, fall, ch)
    own += _layer_share(back, back_v, back_plane, back_row, sy, sx, width, there, before, rise, after, fall, ch)
    if COLOUR:
        return own, tl.zeros_like(own) + channel(own, 3)
    else:
        return own, channel(own, 3)


@triton.jit
def _add_group(
    plane, alpha, light, cover, surface, transmittance, latest, first, last, hidden_from, GAP: tl.constexpr,
    PRESENT: tl.constexpr, COLOUR: tl.constexpr,
):  # fmt: skip
    """Composite a group of bins, `Stack.add`: light, coverage and the state behind it, and the group's coverage [P,1]."""
    alpha = tl.maximum(alpha, 0.0)
    if COLOUR:
        alpha0 = channel(alpha, 0)
    else:
        alpha0 = alpha
    present = alpha0 > PRESENT
    close = present & (latest < first - GAP)
    transmittance = tl.where(close, transmittance * (1.0 - surface), transmittance)
    surface = tl.where(close, 0.0, surface)
    transmittance = tl.where(hidden_from < first, 0.0, transmittance)
    gain = tl.minimum(tl.maximum((1.0 - surface) / tl.maximum(alpha, 1e-6), 0.0), 1.0)
    light += transmittance * gain * plane
    cover += transmittance * gain * alpha
    surface += gain * alpha
    latest = tl.where(present, last, latest)
    return light, cover, surface, transmittance, latest, alpha0


@triton.jit
def _write(
    total, total_cover, before_focus, out, front_radius, edge, oy, ox, y, x, inside, out_plane, out_row, radius_row, edge_row,
    PRESENT: tl.constexpr,
):  # fmt: skip
    """Write the picture. A focused pixel that nothing nearer touches stays the photo itself, not a sum that equals it up to
    rounding."""
    ch = tl.arange(0, 4)
    at = (oy * out_row + ox)[:, None] + ch[None, :] * out_plane
    writes = inside[:, None] & (ch < 3)[None, :]
    photo = tl.load(out + at, mask=writes, other=0.0)
    result = tl.where(total_cover > PRESENT, total / tl.maximum(total_cover, PRESENT), photo)
    focused = tl.abs(tl.load(front_radius + y * radius_row + x, mask=inside, other=1.0)) <= 1e-3
    whole = tl.load(edge + y * edge_row + x, mask=inside, other=0) == 0
    untouched = (focused & whole)[:, None] & (before_focus <= 1e-4)
    tl.store(out + at, tl.where(untouched, photo, result), mask=writes)


@triton.jit
def _write_near_blur(
    near_light, near_cover, total_cover, near_blur, oy, ox, inside, near_plane, near_row, PRESENT: tl.constexpr,
    COLOUR: tl.constexpr,
):  # fmt: skip
    """Write light and mean coverage of what is nearer than the focus, relative to the coverage by everything."""
    ch = tl.arange(0, 4)
    covered = total_cover > PRESENT
    near_light = tl.where(covered, near_light / tl.maximum(total_cover, PRESENT), 0.0)
    near_cover = tl.where(covered, near_cover / tl.maximum(total_cover, PRESENT), 0.0)
    if COLOUR:
        near_cover = (channel(near_cover, 0) + channel(near_cover, 1) + channel(near_cover, 2)) / 3
    at = (oy * near_row + ox)[:, None] + ch[None, :] * near_plane
    tl.store(near_blur + at, tl.where((ch == 3)[None, :], near_cover, near_light), mask=inside[:, None])


@triton.jit(
    do_not_specialize=[
        "out", "near_blur", "front_plane", "front_row", "back_plane", "back_row", "radius_row", "edge_row", "hidden_row",
        "out_plane", "out_row", "near_plane", "near_row",
        "height", "width", "top", "left", "out_top", "out_left", "out_height", "out_width", "tiles", "tile_top", "tile_left",
        "bins", "lines", "columns", "segments",
    ]
)  # fmt: skip
def composite(
    scratch, table, row_of, half_of, tap_starts, tap_dx, tap_weight, light_in, cover_in, slots, slot_first, slot_width,
    front, back, front_v, back_v, front_radius, edge, hidden_from, ramps, groups, positions, downscales, segment_weights,
    lists, counts, cut, out, near_blur, front_plane, front_row, back_plane, back_row, radius_row, edge_row, hidden_row,
    out_plane, out_row, near_plane, near_row, height, width, top, left, out_top, out_left, out_height, out_width,
    tiles, tile_top, tile_left, bins, lines, columns, segments,
    COLOUR: tl.constexpr, NEAR_BLUR: tl.constexpr, GAP: tl.constexpr, PRESENT: tl.constexpr, TILE: tl.constexpr,
    GROUP: tl.constexpr, UNROLL: tl.constexpr,
):  # fmt: skip
    """Composite the bins of every tile from near to far and write the picture. Grid: (tiles, rows of tiles).

    Besides the arguments that kernels share:

        what to blur   lists [tile,bins]: the bins that reach a tile, nearest first; counts [tile]: how many (0: all in focus, the
                       picture stays); cut [tile]: whether the aperture is cut there; tiles: those in a row of them
        where          (tile_top, tile_left): the first of the grid of programs; (out_top, out_left): where `out` begins on the
                       grid; out_height, out_width: its size
        coarse bins    slot_first, slot_width [bins]: where a bin's slots begin, and columns of them
        layers         edge [H,W]: not 0 where a pixel is no longer the photo's; hidden_from [H,W]: see `Plan.hidden_from`
        compositing    groups [bins]: which group of the plan a bin belongs to; positions [bins,2]: of the first and the last bin
                       of that group, in the unit of GAP; segment_weights [1+segments,4]: shares of the light
        output         out [3,h,w]: the photo, overwritten; near_blur [4,h,w]: with NEAR_BLUR, receives light and coverage of the
                       bins that are blurred and nearer than the focus
        constants      GAP, PRESENT: `plan.SURFACE_GAP` and `plan.PRESENT`
    """
    tile = tl.program_id(1) * tiles + tl.program_id(0)
    count = tl.load(counts + tile)
    if count == 0:
        return
    is_cut = tl.load(cut + tile).to(tl.int32)
    y0 = (tl.program_id(1) + tile_top) * TILE
    x0 = (tl.program_id(0) + tile_left) * TILE
    py = tile_row(TILE, GROUP)
    px = tile_column(TILE, GROUP)
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
    hidden = tl.load(hidden_from + y * hidden_row + x, mask=inside, other=0.0)[:, None]
    if NEAR_BLUR:
        near_light = tl.zeros([TILE * TILE, 4], tl.float32)
        near_cover = tl.zeros_like(total_cover)
    for segment in range(is_cut, 1 + is_cut * segments):
        light = tl.zeros([TILE * TILE, 4], tl.float32)
        cover = tl.zeros_like(total_cover)
        surface = tl.zeros_like(total_cover)  # coverage of the open surface
        transmittance = tl.zeros_like(total_cover) + 1.0  # of the complete surfaces
        latest = tl.zeros([TILE * TILE, 1], tl.float32) + 1e30  # position of the last bin present
        plane = tl.zeros([TILE * TILE, 4], tl.float32)  # light and coverage of the open group
        alpha = tl.zeros_like(total_cover)
        if NEAR_BLUR:
            light_before = tl.zeros([TILE * TILE, 4], tl.float32)
            cover_before = tl.zeros_like(total_cover)
        for k in range(0, count):
            i = tl.load(lists + tile * bins + k)
            s = tl.load(downscales + i)
            if s == 1:
                own, own_alpha = blur(
                    scratch, table + (i * lines * columns + tile_left + tl.program_id(0)) * 4, lines, columns, row_of, half_of,
                    tap_starts, tap_dx, tap_weight, i * (1 + segments) + segment, y0, x0, COLOUR, TILE, GROUP, UNROLL,
                )  # fmt: skip
            elif s > 1:
                own, own_alpha = enlarged(
                    light_in, cover_in, slots + tl.load(slot_first + i) * 2, tl.load(slot_width + i),
                    tl.where(segment > 0, 1, 0), tl.maximum(segment - 1, 0), s, y0, x0, COLOUR, TILE, GROUP,
                )  # fmt: skip
            else:
                # s is 0: addresses that seem to change with the bin are not held in registers all through the loop.
                own, own_alpha = _unblurred(
                    front, back, front_v, back_v, front_plane, front_row, back_plane, back_row, ramps, i,
                    y0 + s + py - top, x0 + s + px - left, height, width, COLOUR,
                )  # fmt: skip
            plane += own
            alpha += own_alpha
            following = tl.load(lists + tile * bins + k + 1, mask=k + 1 < count, other=0)
            if (k + 1 == count) | (tl.load(groups + following) != tl.load(groups + i)):
                first, last = tl.load(positions + 2 * i), tl.load(positions + 2 * i + 1)
                light, cover, surface, transmittance, latest, alpha0 = _add_group(
                    plane, alpha, light, cover, surface, transmittance, latest, first, last, hidden, GAP, PRESENT, COLOUR,
                )  # fmt: skip
                if NEAR_BLUR:
                    is_nearer = (s > 0) & (first < -1e-6)
                    light_before = tl.where(is_nearer, light, light_before)
                    cover_before = tl.where(is_nearer, cover, cover_before)
                before_focus = tl.where(first < -1e-6, tl.maximum(before_focus, alpha0), before_focus)
                plane = tl.zeros([TILE * TILE, 4], tl.float32)
                alpha = tl.zeros_like(total_cover)
        if COLOUR:
            weight = tl.load(segment_weights + segment * 4 + ch)[None, :]
        else:
            weight = tl.load(segment_weights + segment * 4)
        total += weight * light
        total_cover += weight * cover
        if NEAR_BLUR:
            near_light += weight * light_before
            near_cover += weight * cover_before
    _write(
        total, total_cover, before_focus, out, front_radius, edge, oy, ox, y, x, inside, out_plane, out_row, radius_row, edge_row,
        PRESENT,
    )  # fmt: skip
    if NEAR_BLUR:
        _write_near_blur(near_light, near_cover, total_cover, near_blur, oy, ox, inside, near_plane, near_row, PRESENT, COLOUR)
