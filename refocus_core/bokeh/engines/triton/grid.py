"""The grid over a window on which the kernels count, and which of its cells and tiles lie near to which."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ...plan import Plan


class Grid:
    """Where a window of layers, and the part of it that is rendered, lie on the grid.

        grid (0, 0): a multiple of TILE and of every downscale in the picture
          +---------------------------------------------------------------+
          |      (top, left)                                              |
          |        +- window of layers -------------------------------+   |
          |        |      halo_px                                     |   |
          |  - - - | - - - - - - - - - - - - - - - - - - - - - - - - -|- -|  tile_top * TILE
          |        |    (out_top, out_left)                           |   |
          |        |      +- out ----------------------------+        |   |
          |        |      |      tiles_y x tiles_x tiles     |        |   |
          |        |      +----------------------------------+        |   |
          |        +--------------------------------------------------+   |
          +---------------------------------------------------------------+

    Strips lie in lines of TILE rows; occupancy is noted in cells. Bins at 1/s of the resolution have grid pixels of their own, s
    times larger.

    Args:
        window: height and width of the layers; halo_px: rows and columns of it above and left of `out`; origin: row and column of
            its corner in the picture; size: height and width of `out`.
    """

    def __init__(
        self,
        plan: Plan,
        tile: int,
        cell: int,
        window: tuple[int, int],
        halo_px: tuple[int, int],
        origin: tuple[int, int],
        size: tuple[int, int],
    ) -> None:
        step = max(tile, 2 * max(plan.downscales))  # a margin, so that coarse pixels beyond the border have indices >= 0
        corner = [(o // step - 1) * step for o in origin]
        self.tile, self.cell = tile, cell
        self.top, self.left = (o - c for o, c in zip(origin, corner, strict=True))
        self.out_top, self.out_left = self.top + halo_px[0], self.left + halo_px[1]
        self.tile_top, self.tile_left = self.out_top // tile, self.out_left // tile
        self.tiles_y = (self.out_top + size[0] - 1) // tile - self.tile_top + 1
        self.tiles_x = (self.out_left + size[1] - 1) // tile - self.tile_left + 1
        self.cells_y = -(-(self.top + window[0]) // tile) * tile // cell
        self.cells_x = -(-(self.left + window[1]) // tile) * tile // cell
        bottom, right = (self.tile_top + self.tiles_y) * tile, (self.tile_left + self.tiles_x) * tile
        self.lines = max(self.cells_y * cell // tile, -(-bottom // tile)) + 1
        self.columns = -(-right // tile) + 2
        # Tiles of coarse pixels, for each downscale: those that the output reads, with a spare one for addresses not read.
        scales = sorted(set(plan.downscales) - {1})
        self.coarse = {s: (-(-bottom // (s * tile)) + 2, -(-right // (s * tile)) + 2) for s in scales}

    def coarse_readers(self, s: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Half-open ranges y0, y1, x0, x1 ([1,Y], [1,Y], [1,X], [1,X]) of output tiles that read each tile at 1/s."""
        tiles_y, tiles_x = self.coarse[s]
        return (*self._readers(tiles_y, s, self.tile_top, device), *self._readers(tiles_x, s, self.tile_left, device))

    def _readers(self, tiles: int, s: int, first: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """Along one axis; 0 = tile `first` of the grid. A coarse pixel is read up to 2 coarse pixels away."""
        t = torch.arange(tiles, device=device)
        low = torch.div((t * self.tile - 2) * s, self.tile, rounding_mode="floor") - first
        high = torch.div(((t + 1) * self.tile + 2) * s - 1, self.tile, rounding_mode="floor") + 1 - first
        return low[None], high[None]


def any_within(mask: Tensor, y0: Tensor, y1: Tensor, x0: Tensor, x1: Tensor, cell: int) -> Tensor:
    """[n,Y,X] whether any of `mask` [n,h,w], cells of side `cell`, lies in rows y0..y1-1 and columns x0..x1-1 ([n,Y], [n,X])."""
    return any_in(mask, y0[:, :, None], y1[:, :, None], x0[:, None, :], x1[:, None, :], cell)


def any_in(mask: Tensor, y0: Tensor, y1: Tensor, x0: Tensor, x1: Tensor, cell: int) -> Tensor:
    """As `any_within`, for ranges of [n,Y,X] each, or what broadcasts to that; by a summed-area table."""
    n, h, w = mask.shape
    area = F.pad(mask.cumsum(1, dtype=torch.int32).cumsum(2, dtype=torch.int32), (1, 0, 1, 0)).flatten()
    y0, x0 = (torch.div(v, cell, rounding_mode="floor").clamp(0, m) for v, m in ((y0, h), (x0, w)))
    y1, x1 = (torch.div(v + cell - 1, cell, rounding_mode="floor").clamp(0, m) for v, m in ((y1, h), (x1, w)))
    base = torch.arange(n, device=mask.device).view(n, 1, 1) * ((h + 1) * (w + 1))
    upper, lower = base + y0 * (w + 1), base + y1 * (w + 1)
    inside = area[lower + x1] - area[lower + x0] - area[upper + x1] + area[upper + x0]
    return (inside > 0) & (y1 > y0) & (x1 > x0)
