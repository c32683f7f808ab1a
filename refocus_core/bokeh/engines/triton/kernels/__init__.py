"""The Triton kernels. Importing this package needs the package triton.

Coordinates: "grid" pixels are picture pixels minus a corner that is a multiple of TILE and of every downscale (`grid.Grid` has
the picture); (top, left) is where the window of layers begins on the grid. A bin at 1/s of the resolution has grid pixels of its
own, s times larger. Content of a bin lies in strips: TILE rows high, from the first to the last cell that holds any. Pixels of a
strip are interleaved RGBA float32 quads, either the content itself between two zeros ("direct"), or its running sum along the
row, which starts with 0. Reading beyond a strip's end is reading its last quad: nothing lies there, so the content is 0 and the
sum stays. Where a row has a gap so wide that no tile sees content on both sides of it, a strip ends and another one begins.

A thread sums GROUP pixels below one another: a tap is a place relative to the first of them, with a weight for each, because
one row of content serves all of them and the edges of an aperture are mostly steep.

Arguments that several kernels share:

    name                    shape                      meaning
    front, back             [4,H,W]                    RGBA of the window's layers
    *_plane, *_row                                     strides of a tensor from channel to channel, from row to row
    front_radius, ...       [H,W]                      signed radii
    front_v, back_v         [H,W]                      their signed squares (`bins.square`), contiguous
    backs                   [cells_y,cells_x]          not 0 where a cell has something that lies behind something
    height, width           H, W                       of the window; top, left: where it begins on the grid
    ramps                   [bins+1,2]                 `Bins.ramps` (start, slope), with one more before and after
    downscales              [bins]                     s, or 0 for bins whose blur stays within its pixel
    direct                  [bins]                     not 0 where the strips hold content, not running sums
    scratch                 [quads,4]                  all strips; quad 0 is 0
    table                   [bins,lines,columns,4]     strip that a column of tiles sees in a line: first quad, first column, last
                                                       index (0: none)
    written                 [bins,lines,most,4]        the strips of a line as they are written; the same numbers
    lines, columns                                     lines of strips, and columns of tiles, that the tables have
    tap_*, row_of, half_of                             `taps.Taps`: starts, dx, weight; rows and halves of a set of taps
    segments                                           of the aperture where it is cut
    light_*, cover_*        [slots,TILE*TILE,4]        blurred coarse tiles: RGBA, and coverage of each channel if coloured
    slots                   [entries,2]                where those lie: the whole aperture's, the first segment's; -1: not needed

COLOUR tells a coloured aperture, which covers each channel differently; the other compile-time constants are those of `common`.
"""

from .blurring import coarse
from .common import CELL, CHUNK, GROUP, ROWS, TILE, UNROLL
from .composite import composite
from .strips import occupancy, strips

__all__ = ["CELL", "CHUNK", "GROUP", "ROWS", "TILE", "UNROLL", "coarse", "composite", "occupancy", "strips"]
