"""Blurring and compositing of layers tile by tile, in plain torch: runs on any device, and is the oracle of faster engines.

`window` has the picture of window, tile and halo; `fourier` blurs; `compositing` puts bins in front of one another.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..limits import Limits
from ..parallel import side_by_side
from ..plan import Plan
from ..surfaces.layers import Layers
from .fourier import Blurs
from .window import Window

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
        side = self._tile_side()
        tiles = [(y, x, min(side, h - y), min(side, w - x)) for y in range(0, h, side) for x in range(0, w, side)]

        def render(tile: tuple[int, int, int, int]) -> int:
            y, x, th, tw = tile
            part = (..., slice(y, y + th), slice(x, x + tw))
            with torch.inference_mode():  # thousands of small operations, each the quicker; nothing made here gets out
                near_part = None if near_blur is None else near_blur[part]
                window.render((y + halo_px[0], x + halo_px[1]), (th, tw), out[part], near_part)
            return self.limits.tile_count(th, tw)

        for done in side_by_side(render, tiles, out.device):
            advance(done)

    def _tile_side(self) -> int:
        """Side of the tiles: larger where the aperture is not cut, and where the blur reaches far, to do less twice."""
        side = self.limits.tile_px * (2 if len(self.plan.segments) == 1 else 1)
        while side < min(2 * self.plan.halo_px, LARGEST_TILE * self.limits.tile_px):
            side *= 2
        return side
