"""The aperture over the picture: cut into segments at the nodes of a lattice, and blended linearly between them.

+-----------+-----------+----   A pixel takes the blurs of the four nodes of its cell, by bilinear shares. So a picture is
|           |           |       blurred four times within every cell, by one forward transform. An edge of the pupil that
|     cell  |           |       moves by d px from node to node is spread over d px; `Quality.field_step` is its
|           |           |       most, in radii.
+-----------+-----------+----

Against rays followed one by one (`tests/helpers/field_twin.py`; textured pictures, 120 x 160 px, radius 6, full strength): 45 dB
or more with every control in normal and best quality, 38 dB in a draft. Lights show more: the shadow's edge across them is soft.
Within 2 px of the rims of point lights (240 x 320 px, radius 12) it is 17 dB with cat_eye or barn_doors, 22 with swirl, 27 with
coma.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from threading import Lock
from typing import NamedTuple

import torch
from torch import Tensor

from ..types import Kernel, PupilField
from .field import Pupil, place
from .segments import ApertureSegment, cut_alike, cut_raster

LEAST_STRENGTH = 0.4
"""Weaker fields keep the nodes of this strength: direction and blend stay smooth."""

LEAST_CELL_PX = 40
"""Least side of a cell. A smaller one is more exact in small pictures, and transforms halos more than cells."""

RIM_FADE = 0.7
"""Width over which the barrel's shadow fades, relative to its way from node to node. With a smaller one, large lights show
several rims; with a larger one it is softer."""

LEAST_SHARE = 1e-4
"""Share of the light from which on a segment's blur is brought to full height before it is composited."""


Node = tuple[int, int]
"""A node of a lattice, by its line among the rows and among the columns."""


class Cell(NamedTuple):
    """A cell of a lattice, by its row and column from the upper left."""

    row: int
    column: int

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Row and column of its four nodes: upper left, upper right, lower left, lower right."""
        y, x = self
        return (y, x), (y, x + 1), (y + 1, x), (y + 1, x + 1)


class Opening(NamedTuple):
    """The segments of an aperture that something is blurred through, and the cell where; None if it is the same everywhere."""

    segments: list[ApertureSegment]
    cell: Cell | None = None

    @property
    def whole(self) -> bool:
        """Whether it is in one piece."""
        return len(self.segments) == 1


class Lattice:
    """Lines of whole pixels over a picture.

    Args:
        size: height and width of the picture.
        field: how the pupil changes; a weaker one needs fewer nodes.
        step: distance of the nodes, in half diagonals, for a field of full strength.

    Attributes:
        rows, columns: where the lines lie, from 0 to the height and to the width.
        step: their distance at most, in half diagonals.
    """

    def __init__(self, size: tuple[int, int], field: PupilField, step: float) -> None:
        self.size = size
        strength = max(field.cat_eye, field.barn_doors, abs(field.swirl), abs(field.coma), LEAST_STRENGTH)
        step_px = max(step / strength * math.hypot(*size) / 2, LEAST_CELL_PX)
        self.step = step_px / (math.hypot(*size) / 2)
        self.rows, self.columns = (_lines(side, math.ceil(side / step_px)) for side in size)

    def cell(self, y: int, x: int) -> Cell:
        """The cell that holds a pixel of the picture."""
        at = (min(bisect_right(lines, i), len(lines) - 1) - 1 for lines, i in ((self.rows, y), (self.columns, x)))
        return Cell(*at)

    def place(self, node: Node) -> tuple[float, float]:
        """Where a node lies, as of `field`."""
        return place(self.rows[node[0]], self.columns[node[1]], self.size)

    def shares(self, cell: Cell, rows: tuple[int, int], columns: tuple[int, int], device: torch.device) -> Tensor:
        """[4,h,w] share of each node of a cell in the pixels of these rows and columns (start, stop), sum 1."""
        down, right = (
            ((torch.arange(*span, device=device) + 0.5 - lines[i]) / (lines[i + 1] - lines[i])).clamp(0, 1)
            for span, lines, i in ((rows, self.rows, cell.row), (columns, self.columns, cell.column))
        )
        vertical, horizontal = torch.stack([1 - down, down])[:, None, :, None], torch.stack([1 - right, right])[:, None]
        return (vertical * horizontal).flatten(0, 1)


def _lines(side: int, cells: int) -> list[int]:
    return [round(i * side / cells) for i in range(cells + 1)]


class FieldAperture:
    """The aperture at the nodes of a lattice, as they are asked for; shared by threads.

    Args:
        kernel: with a `field`.
        lattice: over the picture.
        count: segments of the cut aperture.
        cells: side of the rasters.
    """

    def __init__(self, kernel: Kernel, lattice: Lattice, count: int, cells: int) -> None:
        self.lattice, self._count = lattice, count
        shadow = max(kernel.field.cat_eye, kernel.field.barn_doors) if kernel.field else 0.0
        self._pupil = Pupil(kernel, cells, RIM_FADE * lattice.step * shadow)
        self._kept: dict[tuple[Node, int, int], Tensor] = {}
        self._lock = Lock()

    def rasters(self, node: Node, whole: bool, side: int) -> Tensor:
        """[Q,C,n,n] segments of the aperture at a node, behind the focus (side 1) or in front of it (-1), sum 1 together."""
        side = side if self._pupil.differs_in_front else 1
        key = (node, 1 if whole else self._count, side)
        with self._lock:
            if key in self._kept:
                return self._kept[key]
        if whole or self._count == 1:
            made = self._pupil.raster(*self.lattice.place(node), side)[None]
        elif side > 0:
            made = cut_raster(self.rasters(node, True, side)[0], self._count)
        else:
            made = cut_alike(self.rasters(node, True, side)[0], self.rasters(node, False, 1))
        with self._lock:
            return self._kept.setdefault(key, made)

    def to(self, device: torch.device | str) -> FieldAperture:
        """The same on another device."""
        return FieldAperture(self._pupil.kernel.to(device), self.lattice, self._count, self._pupil.cells)

    def weights(self, cell: Cell, whole: bool, shares: Tensor) -> Tensor:
        """[Q,C,h,w] light of every segment at pixels with these shares [4,h,w] of the cell's nodes."""
        light = torch.stack([self.rasters(node, whole, 1).sum((2, 3)) for node in cell.nodes])
        return torch.einsum("nyx,nqc->qcyx", shares, light)

    def blended(self, blurred: Tensor, cell: Cell, whole: bool, shares: Tensor) -> Tensor:
        """[Q,K,h,w] light and coverage of every segment, from blurs [4Q,K,h,w] by the nodes' segments.

        Brought to the height that a segment of all the light would give: compositing weighs them by `weights`.
        """
        each = blurred.unflatten(0, (4, -1))
        out = each[0] * shares[0]
        for plane, share in zip(each[1:], shares[1:], strict=True):
            out.addcmul_(plane, share)
        if len(out) == 1:
            return out
        light = self.weights(cell, whole, shares).clamp_min(LEAST_SHARE)
        return out / (torch.cat([light, light], 1) if light.shape[1] == 3 else light)
