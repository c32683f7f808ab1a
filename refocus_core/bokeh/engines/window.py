"""A window of layers, and the rendering of one tile inside of it in plain torch.

    +- window of layers -------------------------------------------+
    |    halo_px                                                    |
    |    +- part of the picture that is rendered --------------+    |
    |    |                 |                 |                 |    |
    |    |      tile       |      tile       |      tile       |    |
    |    |                 |                 |                 |    |
    |    |         + - - - - - - - - - - - - - +               |    |
    |    |---------:-------+-----------------+-:---------------|    |
    |    |         :       |                 | :               |    |
    |    |         :       |      tile       | :   A bin reaches a   |
    |    |         :       |                 | :   tile from within  |
    |    |         :       |                 | :   its support: how  |
    |    |---------:-------+-----------------+-:   far its blur goes|
    |    |         + - - - - - - - - - - - - - +               |    |
    |    +-----------------------------------------------------+    |
    |                                                               |
    +---------------------------------------------------------------+

A bin has content in some blocks of BLOCK_PX; what of it can reach a tile is read as one box, and blurred into one box of the
tile. The halo of the window is as wide as the largest support, so that every tile finds all that reaches it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..bins import Bins
from ..lattice import Cell, Opening
from ..plan import PRESENT, Plan
from ..surfaces.layers import Layers
from .compositing import Stack
from .fourier import CUBIC_HALO, Blurs, Period, PlacedPlane, convolved, direct, enlarged, shrunk
from .spans import Box, Span, enclosing

BLOCK_PX = 16
"""Grain in which it is known where a bin has content. Finer ones transform less that is empty, and take longer to look up."""

DIRECT_PX = 7
"""Up to this side a kernel is applied pixel by pixel on the CPU, which is quicker than a transform. (A GPU's convolutions round
to 10 bits unless told otherwise.)"""

UNBLURRED_PX = 1e-3
"""Radius up to which a pixel counts as exactly in focus."""

UNTOUCHED = 1e-4
"""Coverage by nearer bins up to which a pixel in focus stays the photo's, bit for bit."""


class Member(NamedTuple):
    """A bin, the box of the window that holds what it has there, and the box of the tile that this is blurred into."""

    bin: int
    content: Box
    target: Box


class Window:
    """Layers of a window of the picture, and the rendering of tiles inside of it. Coordinates are the window's.

    Args:
        origin: row and column of the window's corner in the picture.
    """

    def __init__(self, layers: Layers, plan: Plan, blurs: Blurs, origin: tuple[int, int]) -> None:
        self.layers, self.plan, self.blurs, self.origin = layers, plan, blurs, origin
        self.size = layers.front_radius.shape
        self.hidden_from = plan.hidden_from(layers)
        self.front_coordinate = plan.bins.coordinate(layers.front_radius)
        has_background = layers.back[3] > 0
        self.has_back = bool(has_background.any())
        self.occupied = self._occupancy(self.front_coordinate)
        if self.has_back:
            self.back_coordinate = plan.bins.coordinate(layers.back_radius)
            self.occupied |= self._occupancy(self.back_coordinate, has_background)
            self._background_blocks = self._blocks(has_background)

    # ------------------------------------------------------------------------------------------------------ occupancy

    def _blocks(self, mask: Tensor) -> np.ndarray:
        """[rows,columns] bool on the host: whether a block has a pixel of `mask`."""
        some = F.max_pool2d(mask[None, None].float(), BLOCK_PX, ceil_mode=True)[0, 0] > 0
        return some.cpu().numpy()

    def _occupancy(self, coordinate: Tensor, mask: Tensor | None = None) -> np.ndarray:
        """[bins,rows,columns] bool on the host: whether a bin has content in a block."""
        (h, w), count = self.size, len(self.plan.bins.centres)
        bh, bw = math.ceil(h / BLOCK_PX), math.ceil(w / BLOCK_PX)
        rows = torch.arange(h, device=coordinate.device, dtype=torch.int32) // BLOCK_PX * bw
        columns = torch.arange(w, device=coordinate.device, dtype=torch.int32) // BLOCK_PX
        # Twice the coordinate, or what lies between: content between two bins counts for both.
        index = coordinate.floor().add_(coordinate.ceil()).int().add_((rows[:, None] + columns) * (2 * count))
        counts = torch.bincount(index.flatten() if mask is None else index[mask], minlength=bh * bw * 2 * count)
        # Between bins i-1 and i, in bin i, between it and the next one.
        some = F.pad((counts > 0).view(bh, bw, 2 * count), (1, 0))
        occupied = some[..., :-1:2] | some[..., 1::2] | some[..., 2::2]
        return occupied.permute(2, 0, 1).contiguous().cpu().numpy()

    def _content(self, occupied: np.ndarray, rows: Span, cols: Span) -> Box | None:
        """The part of rows x cols that holds all content of a bin there; None if there is none."""
        rows, cols = rows.within(Span((0, self.size[0]))), cols.within(Span((0, self.size[1])))
        top, left = rows[0] // BLOCK_PX, cols[0] // BLOCK_PX
        part = occupied[top : -(-rows[1] // BLOCK_PX), left : -(-cols[1] // BLOCK_PX)]
        ys = np.flatnonzero(part.any(1))
        if len(ys) == 0:
            return None
        xs = np.flatnonzero(part.any(0))
        y = Span(((top + int(ys[0])) * BLOCK_PX, (top + int(ys[-1]) + 1) * BLOCK_PX))
        x = Span(((left + int(xs[0])) * BLOCK_PX, (left + int(xs[-1]) + 1) * BLOCK_PX))
        return y.within(rows), x.within(cols)

    # ----------------------------------------------------------------------------------------------------------- tile

    def render(self, at: tuple[int, int], size: tuple[int, int], out: Tensor, near_blur: Tensor | None) -> None:
        """Write the tile of `size` at `at` of the window into `out`, and what is nearer than the focus into `near_blur`."""
        plan = self.plan
        rows, cols = (Span((a, a + n)) for a, n in zip(at, size, strict=True))
        contents = self._contents(rows, cols)
        if all(plan.is_sharp(i) for i in contents):
            return  # `out` already holds the picture
        opening = self._opening(contents, rows, cols)
        core = (slice(*rows), slice(*cols))
        unchanged_mask = (self.layers.front_radius[core].abs() <= UNBLURRED_PX) & ~self.layers.edge[core]
        stack = Stack(len(opening.segments), self.hidden_from[core], 3 if plan.colour else 1, bool(unchanged_mask.any()))
        weights = self._weights(opening, rows, cols)
        near: tuple[Tensor, Tensor] | None = None
        for first, end in plan.bin_groups:
            members = self._members(first, end, contents, rows, cols)
            if not members:
                continue
            if near is None and near_blur is not None and not plan.is_nearer(first):  # nearer ones come first
                near = stack.mean(weights)
            box = enclosing([m.target for m in members])
            plane = self._group(members, opening, box)
            part = (box[0].relative_to(at[0]), box[1].relative_to(at[1]))
            stack.add(plane, plan.positions[first], plan.positions[end - 1], part)
        light, coverage = stack.mean(weights)
        if near_blur is not None:
            _write_near_blur(near or (light, coverage), coverage, near_blur)
        result = torch.where(coverage > PRESENT, light / coverage.clamp_min(PRESENT), out)
        # A focused pixel that nothing nearer touches is the photo itself, not a sum that equals it up to rounding.
        if stack.coverage_before_focus is not None:
            result = torch.where(unchanged_mask & (stack.coverage_before_focus <= UNTOUCHED), out, result)
        out.copy_(result)

    def _contents(self, rows: Span, cols: Span) -> dict[int, Box]:
        """The bins that reach a tile, each with the box of the window that holds what does so."""
        contents: dict[int, Box] = {}
        for i, occupied in enumerate(self.occupied):
            support = self.plan.support(i)
            content = self._content(occupied, rows.grown(support), cols.grown(support))
            if content is not None:
                contents[i] = content
        return contents

    def _opening(self, contents: dict[int, Box], rows: Span, cols: Span) -> Opening:
        """The aperture at the tile, cut up where anything lies behind something within reach of it."""
        halo = max(self.plan.support(i) for i in contents)
        cut = self.has_back and self._content(self._background_blocks, rows.grown(halo), cols.grown(halo)) is not None
        field, (top, left) = self.plan.field, self.origin
        cell = None if field is None else field.lattice.cell(rows[0] + top, cols[0] + left)
        return Opening(self.plan.segments if cut else self.plan.whole, cell)

    def _weights(self, opening: Opening, rows: Span, cols: Span) -> Tensor:
        """[Q,1 or 3,1,1] share of each segment in the light; [Q,1 or 3,y,x] where that differs over the picture."""
        if opening.cell is None or self.plan.field is None:
            return torch.stack([p.weight for p in opening.segments]).view(len(opening.segments), -1, 1, 1)
        return self.plan.field.weights(opening.cell, opening.whole, self._shares(opening.cell, rows, cols))

    def _shares(self, cell: Cell, rows: Span, cols: Span) -> Tensor:
        """[4,y,x] share of each node of a cell in a box of the window."""
        assert self.plan.field is not None
        y, x = (span.moved(start) for span, start in zip((rows, cols), self.origin, strict=True))
        return self.plan.field.lattice.shares(cell, y, x, self.layers.front.device)

    def _members(self, first: int, end: int, contents: dict[int, Box], rows: Span, cols: Span) -> list[Member]:
        """Those bins of a group that reach the tile."""
        members: list[Member] = []
        for i in range(first, end):
            if i in contents:
                support, content = self.plan.support(i), contents[i]
                y, x = content[0].grown(support).within(rows), content[1].grown(support).within(cols)
                if y.length > 0 and x.length > 0:
                    members.append(Member(i, content, (y, x)))
        return members

    # ---------------------------------------------------------------------------------------------------------- blurs

    def _group(self, members: list[Member], opening: Opening, box: Box) -> Tensor:
        """[Q or 1,4,y,x] (6 channels for a coloured aperture): light and coverage of a group of bins in a box of the tile."""
        plan, first = self.plan, members[0].bin
        if plan.is_even(first):
            plane = self._evenly(first).expand(1, -1, box[0].length, box[1].length)
        elif plan.is_sharp(first):
            plane = self._plane(first, *box)[None]
        else:
            opening = opening if plan.is_segmented(first) else Opening(plan.whole, opening.cell)
            plane = self._blurred(members, opening, box)
            if opening.cell is not None and plan.field is not None:
                plane = plan.field.blended(plane, opening.cell, opening.whole, self._shares(opening.cell, *box))
        if plan.colour and plane.shape[1] == 4:
            plane = torch.cat([plane[:, :3], plane[:, 3:].expand(-1, 3, -1, -1)], 1)
        return plane

    def _plane(self, i: int, y: Span, x: Span) -> Tensor:
        """[4,y,x] what falls into bin i. Beyond the window nothing does: coverage makes up for it."""
        inner_y, inner_x = y.within(Span((0, self.size[0]))), x.within(Span((0, self.size[1])))
        part = (..., slice(*inner_y), slice(*inner_x))
        out = self.layers.front[part] * Bins.tent_weight(self.front_coordinate[part], i)
        if self.has_back:
            out.addcmul_(self.layers.back[part], Bins.tent_weight(self.back_coordinate[part], i))
        pad = (inner_x[0] - x[0], x[1] - inner_x[1], inner_y[0] - y[0], y[1] - inner_y[1])
        return F.pad(out, pad) if any(pad) else out

    def _evenly(self, i: int) -> Tensor:
        """[1,4,1,1] the mean over the picture of what falls into bin i; the window holds all of the picture then."""
        y, x = (Span((-start, n - start)) for start, n in zip(self.origin, self.plan.size, strict=True))
        return self._plane(i, y, x).mean((-2, -1), keepdim=True)[None]

    def _blurred(self, members: list[Member], opening: Opening, target: Box) -> Tensor:
        """[Q,4,y,x] (6 channels for a coloured aperture): bins of one resolution, each blurred by every segment, summed up;
        [4Q,...] by those of the four nodes of a cell."""
        s = self.plan.downscales[members[0].bin]
        small = [m for m in members if s == 1 and self.plan.kernel_size(m.bin) <= DIRECT_PX]
        if small and self.layers.front.device.type == "cpu":
            return self._partly_direct(members, small, opening, target)
        return self._transformed(members, opening, target, s)

    def _transformed(self, members: list[Member], opening: Opening, target: Box, s: int) -> Tensor:
        """As `_blurred`, by transforms at 1/s of the resolution."""
        margin = s if s > 1 else 0
        sources = [self._aligned(m.content, margin, s) for m in members]
        wanted = self._aligned(target, CUBIC_HALO * margin, s)
        radius = max((self.plan.kernel_size(m.bin) - 1) // 2 for m in members)
        period = Period.of(sources, wanted, radius, s)
        planes: list[PlacedPlane] = []
        for m, box in zip(members, sources, strict=True):
            plane = self._plane(m.bin, *box)
            spectra = self.blurs.spectra(m.bin, opening, *period.size)
            planes.append(PlacedPlane(shrunk(plane, s) if s > 1 else plane, period.index(box), spectra))
        blurred = convolved(planes, period.index(wanted), self.plan.colour)
        return blurred if s == 1 else enlarged(blurred, s, wanted, target)

    def _aligned(self, box: Box, margin: int, s: int) -> Box:
        """The box with a margin, grown to whole coarse pixels of the picture."""
        return box[0].grown(margin).aligned(s, self.origin[0]), box[1].grown(margin).aligned(s, self.origin[1])

    def _partly_direct(self, members: list[Member], small: list[Member], opening: Opening, target: Box) -> Tensor:
        """As `_blurred` at full resolution, where the blurs of `small` are applied pixel by pixel."""
        parts: list[tuple[Tensor, Box]] = []
        others = [m for m in members if m not in small]
        if others:
            own = enclosing([m.target for m in others])
            parts.append((self._transformed(others, opening, own, 1), own))
        for m in small:
            n = self.plan.kernel_size(m.bin) // 2
            plane = self._plane(m.bin, m.target[0].grown(n), m.target[1].grown(n))
            parts.append((direct(plane, self.blurs.kernels(m.bin, opening), self.plan.colour), m.target))
        if len(parts) == 1:
            return parts[0][0]
        out = parts[0][0].new_zeros(*parts[0][0].shape[:2], target[0].length, target[1].length)
        for plane, own in parts:
            y, x = (a.relative_to(t[0]) for a, t in zip(own, target, strict=True))
            out[..., y, x] += plane
        return out


def _write_near_blur(near: tuple[Tensor, Tensor], coverage: Tensor, near_blur: Tensor) -> None:
    """Light [3,h,w] and mean coverage of what is nearer than the focus, relative to the coverage by everything, into [4,h,w]."""
    normalise = (coverage > PRESENT) / coverage.clamp_min(PRESENT)
    torch.mul(near[0], normalise, out=near_blur[:3])
    torch.mean(near[1] * normalise, 0, out=near_blur[3])
