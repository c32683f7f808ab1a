"""Blurring and compositing of layers tile by tile, in plain torch: runs on any device, and is the oracle of faster engines.

`window` has the picture of window, tile and halo; `fourier` blurs; `compositing` puts bins in front of one another.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise, product

import torch
from torch import Tensor

from ..limits import Limits
from ..parallel import side_by_side
from ..plan import Plan
from ..surfaces.layers import Layers
from .fourier import Blurs
from .window import Window

Tile = tuple[int, int, int, int]
"""Row, column, height and width within a part of the picture."""

LARGEST_TILE = 4
"""Most by which a tile grows where the blur reaches far."""


class TileEngine:
    """Blurs and composites windows of layers by one plan, tile by tile, with fast Fourier transforms."""

    def __init__(self, plan: Plan, limits: Limits | None = None) -> None:
        self.plan, self.limits = plan, limits or Limits()
        self._blurs = Blurs(plan)

    def composite(
        self,
        layers: Layers,
        halo_px: tuple[int, int],
        origin: tuple[int, int],
        out: Tensor,
        advance: Callable[[int], None],
        near_blur: Tensor | None = None,
    ) -> None:
        """Render the middle of a window of layers.

        Args:
            layers: of a window of the picture.
            halo_px: rows and columns of the window above and left of `out`.
            origin: row and column of the window's corner in the picture: coarse pixels are aligned to the picture.
            out: [3,h,w] the photo; overwritten with the rendered picture.
            advance: called with the number of tiles just done, of `Limits.tile_count` in all.
            near_blur: [4,h,w] zeros; receives light and coverage of what is blurred and nearer than the focus.
        """
        window = Window(layers, self.plan, self._blurs, origin)
        h, w = out.shape[1:]
        first = [start + halo for start, halo in zip(origin, halo_px, strict=True)]
        tiles = self._tiles(first[0], first[1], h, w)
        total, pixels, told = self.limits.tile_count(h, w), 0, 0

        def render(tile: Tile) -> int:
            y, x, th, tw = tile
            part = (..., slice(y, y + th), slice(x, x + tw))
            with torch.inference_mode():  # thousands of small operations, each the quicker; nothing made here gets out
                near_part = None if near_blur is None else near_blur[part]
                window.render((y + halo_px[0], x + halo_px[1]), (th, tw), out[part], near_part)
            return th * tw

        for done in side_by_side(render, tiles, out.device):
            pixels += done
            step = round(total * pixels / (h * w)) - told
            advance(step)
            told += step

    def _tiles(self, top: int, left: int, h: int, w: int) -> list[Tile]:
        """Tiles of a part of the picture that begins at (top, left); where the aperture changes, each lies in one cell."""
        side, field = self._tile_side(), self.plan.field
        if field is None:
            rows, columns = (range(0, n, side) for n in (h, w))
        else:
            lines = ((field.lattice.rows, top, h), (field.lattice.columns, left, w))
            rows, columns = (split(axis, start, n, side) for axis, start, n in lines)
        spans = ([*pairwise([*starts, n])] for starts, n in ((rows, h), (columns, w)))
        return [(y0, x0, y1 - y0, x1 - x0) for (y0, y1), (x0, x1) in product(*spans)]

    def _tile_side(self) -> int:
        """Side of the tiles: larger where the aperture is not cut, and where the blur reaches far, to do less twice."""
        side = self.limits.tile_px * (2 if len(self.plan.segments) == 1 else 1)
        while side < min(2 * self.plan.halo_px, LARGEST_TILE * self.limits.tile_px):
            side *= 2
        return side


def split(lines: list[int], start: int, n: int, side: int) -> list[int]:
    """Where the tiles along an axis of n px begin: at the lines that cross it, and evenly between them, `side` px at most."""
    ends = [0, *(i - start for i in lines if 0 < i - start < n), n]
    return [a + (b - a) * i // -(-(b - a) // side) for a, b in pairwise(ends) for i in range(-(-(b - a) // side))]
