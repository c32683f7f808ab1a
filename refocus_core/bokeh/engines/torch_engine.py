"""Blurring and compositing of layers tile by tile, in plain torch: runs on any device, and is the oracle of faster engines."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from threading import Lock
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...images import reusable_fft_length
from ..bins import Bins
from ..parallel import side_by_side
from ..plan import GROUP_GAP, PRESENT, Piece, Plan
from ..surfaces.layers import Layers

TILE_PX = 128
"""Side of the parts that are blurred at a time: small transforms stay in the processor's cache, and hold few bins. Without pieces
of the aperture, and where the blur reaches far, larger parts are quicker."""

_BLOCK_PX = 16
"""Grain in which it is known where a bin has content."""

_DIRECT_PX = 7
"""Up to this side a kernel is applied pixel by pixel on the CPU, which is quicker than a transform. (A GPU's convolutions round
to 10 bits unless told otherwise.)"""

_SPECTRA_BYTES = 64 * 2**20


class TileEngine:
    """Blurs and composites windows of layers by one plan, tile by tile, with fast Fourier transforms."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._kernels: dict[tuple[int, int], Tensor] = {}
        self._spectra: dict[tuple[int, int, int, int], Tensor] = {}
        self._spectra_bytes = 0
        self._lock = Lock()

    def composite(
        self,
        layers: Layers,
        reach: tuple[int, int],
        origin: tuple[int, int],
        out: Tensor,
        advance: Callable[[int], None],
        nearer: Tensor | None = None,
    ) -> None:
        """Render the middle of a window of layers.

        Args:
            layers: of a window of the picture.
            reach: rows and columns of the window above and left of `out`.
            origin: row and column of the window's corner in the picture: coarse pixels are aligned to the picture.
            out: [3,h,w] the photo; overwritten with the rendered picture.
            advance: called with the number of tiles just done, of `tile_count` in all.
            nearer: [4,h,w] zeros; receives light and coverage of what is blurred and nearer than the focus.
        """
        window = _Window(layers, self, origin)
        h, w = out.shape[1:]
        side = TILE_PX * (2 if len(self.plan.pieces) == 1 else 1)
        while side < min(2 * self.plan.reach, 4 * TILE_PX):  # larger tiles do less twice
            side *= 2
        tiles = [(y, x, min(side, h - y), min(side, w - x)) for y in range(0, h, side) for x in range(0, w, side)]

        def render(tile: tuple[int, int, int, int]) -> int:
            y, x, th, tw = tile
            part = (..., slice(y, y + th), slice(x, x + tw))
            with torch.inference_mode():  # thousands of small operations, each the quicker; nothing made here gets out
                window.render((y + reach[0], x + reach[1]), (th, tw), out[part], None if nearer is None else nearer[part])
            return tile_count(th, tw)

        for done in side_by_side(render, tiles, out.device):
            advance(done)

    def kernels(self, i: int, pieces: list[Piece]) -> Tensor:
        """[Q,C,m,m] bin i's blur through each piece."""
        key = (i, len(pieces))
        with self._lock:
            if key not in self._kernels:
                self._kernels[key] = torch.stack([self.plan.kernel(i, p) for p in pieces])
            return self._kernels[key]

    def spectra(self, i: int, pieces: list[Piece], fh: int, fw: int) -> Tensor:
        """[Q,C,fh,fw] spectra of bin i's blur through each piece."""
        key = (i, len(pieces), fh, fw)
        kernels = self.kernels(i, pieces)
        with self._lock:
            found = self._spectra.get(key)
            if found is not None:
                return found
            m = kernels.shape[-1]
            full = kernels.new_zeros(*kernels.shape[:2], fh, fw)
            full[..., :m, :m] = kernels
            found = torch.fft.fft2(full.roll((-(m // 2), -(m // 2)), (-2, -1)))
            size = found.numel() * found.element_size()
            while self._spectra and self._spectra_bytes + size > _SPECTRA_BYTES:
                oldest = self._spectra.pop(next(iter(self._spectra)))
                self._spectra_bytes -= oldest.numel() * oldest.element_size()
            self._spectra[key] = found
            self._spectra_bytes += size
            return found


def tile_count(h: int, w: int) -> int:
    """Tiles in a picture of h x w px."""
    return math.ceil(h / TILE_PX) * math.ceil(w / TILE_PX)


class _Span(tuple[int, int]):
    """An interval start..stop-1 along one axis."""

    __slots__ = ()

    def grown(self, by: int) -> _Span:
        return _Span((self[0] - by, self[1] + by))

    def within(self, other: _Span) -> _Span:
        return _Span((max(self[0], other[0]), min(self[1], other[1])))

    def aligned(self, s: int, origin: int) -> _Span:
        """Grown to whole coarse pixels of s px, which are aligned to the picture."""
        return _Span(((self[0] + origin) // s * s - origin, -(-(self[1] + origin) // s) * s - origin))

    @property
    def length(self) -> int:
        return self[1] - self[0]


_Part = tuple[_Span, _Span]
"""Rows and columns."""


def _around(parts: Sequence[Sequence[_Span]]) -> _Part:
    """The smallest part that holds all of these."""
    rows, cols = (_Span((min(p[k][0] for p in parts), max(p[k][1] for p in parts))) for k in (0, 1))
    return rows, cols


class _Member(NamedTuple):
    """A bin, the part of the window that holds what it has there, and the part of the tile that this is blurred into."""

    bin: int
    content: _Part
    target: _Part


class _Placed(NamedTuple):
    """RGBA [4,...], the part of a period where it lies, and its kernels' spectra: [Q,1,fh,fw], or [Q,3,...] if coloured."""

    plane: Tensor
    at: tuple[slice, ...]
    spectra: Tensor


class _Window:
    """Layers of a window of the picture, and the rendering of tiles inside of it. Coordinates are the window's."""

    def __init__(self, layers: Layers, engine: TileEngine, origin: tuple[int, int]) -> None:
        self.layers, self.engine, self.plan, self.origin = layers, engine, engine.plan, origin
        self.size = layers.front_radius.shape
        self.opaque = self.plan.opaque_to(layers)
        self.front_place = self.plan.bins.place(layers.front_radius)
        lies = layers.back[3] > 0
        self.has_back = bool(lies.any())
        self.occupied = self._occupancy(self.front_place)
        if self.has_back:
            self.back_place = self.plan.bins.place(layers.back_radius)
            self.occupied |= self._occupancy(self.back_place, lies)
            self._lies = self._blocks(lies)

    def _blocks(self, mask: Tensor) -> np.ndarray:
        """[rows,columns] bool on the host: whether a block has a pixel of `mask`."""
        found = F.max_pool2d(mask[None, None].float(), _BLOCK_PX, ceil_mode=True)[0, 0] > 0
        return found.cpu().numpy()

    def _occupancy(self, place: Tensor, lies: Tensor | None = None) -> np.ndarray:
        """[bins,rows,columns] bool on the host: whether a bin has content in a block."""
        (h, w), count = self.size, len(self.plan.bins.centres)
        bh, bw = math.ceil(h / _BLOCK_PX), math.ceil(w / _BLOCK_PX)
        rows = torch.arange(h, device=place.device, dtype=torch.int32) // _BLOCK_PX * bw
        columns = torch.arange(w, device=place.device, dtype=torch.int32) // _BLOCK_PX
        # Twice the place, or what lies between: content between two bins counts for both.
        index = place.floor().add_(place.ceil()).int().add_((rows[:, None] + columns) * (2 * count))
        found = torch.bincount(index.flatten() if lies is None else index[lies], minlength=bh * bw * 2 * count) > 0
        found = F.pad(found.view(bh, bw, 2 * count), (1, 0))  # between bins i-1 and i, in bin i, between it and the next one
        occupied = found[..., :-1:2] | found[..., 1::2] | found[..., 2::2]
        return occupied.permute(2, 0, 1).contiguous().cpu().numpy()

    def _content(self, occupied: np.ndarray, rows: _Span, cols: _Span) -> _Part | None:
        """The part of rows x cols that holds all content of a bin there; None if there is none."""
        rows, cols = rows.within(_Span((0, self.size[0]))), cols.within(_Span((0, self.size[1])))
        top, left = rows[0] // _BLOCK_PX, cols[0] // _BLOCK_PX
        part = occupied[top : -(-rows[1] // _BLOCK_PX), left : -(-cols[1] // _BLOCK_PX)]
        ys = np.flatnonzero(part.any(1))
        if len(ys) == 0:
            return None
        xs = np.flatnonzero(part.any(0))
        y = _Span(((top + int(ys[0])) * _BLOCK_PX, (top + int(ys[-1]) + 1) * _BLOCK_PX))
        x = _Span(((left + int(xs[0])) * _BLOCK_PX, (left + int(xs[-1]) + 1) * _BLOCK_PX))
        return y.within(rows), x.within(cols)

    def render(self, at: tuple[int, int], size: tuple[int, int], out: Tensor, nearer: Tensor | None) -> None:
        """Write the tile of `size` at `at` of the window into `out`, and what is nearer than the focus into `nearer`."""
        plan = self.plan
        rows, cols = (_Span((a, a + n)) for a, n in zip(at, size, strict=True))
        found: dict[int, _Part] = {}
        halo = 0
        for i, occupied in enumerate(self.occupied):
            support = plan.support(i)
            content = self._content(occupied, rows.grown(support), cols.grown(support))
            if content is not None:
                found[i] = content
                halo = max(halo, support)
        if all(plan.is_sharp(i) for i in found):
            return  # `out` already holds the picture
        behind = self.has_back and self._content(self._lies, rows.grown(halo), cols.grown(halo)) is not None
        pieces = plan.pieces if behind else plan.whole
        core = (slice(*rows), slice(*cols))
        still = (self.layers.front_radius[core].abs() <= 1e-3) & ~self.layers.edge[core]
        stack = _Stack(len(pieces), self.opaque[core], 3 if plan.colour else 1, bool(still.any()))
        share = torch.stack([p.weight for p in pieces]).view(len(pieces), -1, 1, 1)
        before: tuple[Tensor, Tensor] | None = None
        for first, end in plan.sheets:
            members: list[_Member] = []
            for i in range(first, end):
                if i in found:
                    support, content = plan.support(i), found[i]
                    y, x = content[0].grown(support).within(rows), content[1].grown(support).within(cols)
                    if y.length > 0 and x.length > 0:
                        members.append(_Member(i, content, (y, x)))
            if not members:
                continue
            if before is None and nearer is not None and not plan.is_nearer(first):  # nearer ones come first
                before = (stack.light * share).sum(0), (stack.coverage * share).sum(0)
            y, x = _around([m.target for m in members])
            through = pieces if plan.is_cut(first) else plan.whole
            plane = self._plane(first, y, x)[None] if plan.is_sharp(first) else self._blurred(members, through, (y, x))
            if plan.colour and plane.shape[1] == 4:
                plane = torch.cat([plane[:, :3], plane[:, 3:].expand(-1, 3, -1, -1)], 1)
            at_tile = (slice(y[0] - at[0], y[1] - at[0]), slice(x[0] - at[1], x[1] - at[1]))
            stack.add(plane, plan.positions[first], plan.positions[end - 1], at_tile)
        light, coverage = (stack.light * share).sum(0), (stack.coverage * share).sum(0)
        if nearer is not None:
            near_light, near_coverage = before or (light, coverage)
            whole = (coverage > PRESENT) / coverage.clamp_min(PRESENT)
            torch.mul(near_light, whole, out=nearer[:3])
            torch.mean(near_coverage * whole, 0, out=nearer[3])
        result = torch.where(coverage > PRESENT, light / coverage.clamp_min(PRESENT), out)
        # A focused pixel that nothing nearer touches is the photo itself, not a sum that equals it up to rounding.
        if stack.before_focus is not None:
            result = torch.where(still & (stack.before_focus <= 1e-4), out, result)
        out.copy_(result)

    def _plane(self, i: int, y: _Span, x: _Span) -> Tensor:
        """[4,y,x] what falls into bin i. Beyond the window nothing does: coverage makes up for it."""
        inner_y, inner_x = y.within(_Span((0, self.size[0]))), x.within(_Span((0, self.size[1])))
        part = (..., slice(*inner_y), slice(*inner_x))
        out = self.layers.front[part] * Bins.share(self.front_place[part], i)
        if self.has_back:
            out.addcmul_(self.layers.back[part], Bins.share(self.back_place[part], i))
        pad = (inner_x[0] - x[0], x[1] - inner_x[1], inner_y[0] - y[0], y[1] - inner_y[1])
        return F.pad(out, pad) if any(pad) else out

    def _blurred(self, members: list[_Member], pieces: list[Piece], target: _Part) -> Tensor:
        """[Q,4,y,x] (6 channels for a coloured aperture): bins of one scale, each blurred by every piece, summed at `target`."""
        s = self.plan.scales[members[0].bin]
        small = [m for m in members if s == 1 and self.plan.kernel_size(m.bin) <= _DIRECT_PX]
        if small and self.layers.front.device.type == "cpu":
            return self._summed(members, small, pieces, target)
        margin = s if s > 1 else 0  # the tent that shrinks reaches one coarse pixel farther
        sources = [[c.grown(margin).aligned(s, o) for c, o in zip(m.content, self.origin, strict=True)] for m in members]
        # the cubic that enlarges reaches two
        wanted = [t.grown(2 * margin).aligned(s, o) for t, o in zip(target, self.origin, strict=True)]
        source = _around(sources)
        radius = max((self.plan.kernel_size(m.bin) - 1) // 2 for m in members)
        base = [min(a[0], b[0]) for a, b in zip(source, wanted, strict=True)]
        # A period so long that no light comes round to where it is wanted, and that holds the kernel.
        fh, fw = (
            reusable_fft_length(max(max(b[1] - a[0], a[1] - b[0]) // s + radius, (max(a[1], b[1]) - o) // s, 2 * radius + 1))
            for a, b, o in zip(source, wanted, base, strict=True)
        )
        planes: list[_Placed] = []
        for m, own in zip(members, sources, strict=True):
            plane = self._plane(m.bin, own[0], own[1])
            at = tuple(slice((a[0] - o) // s, (a[1] - o) // s) for a, o in zip(own, base, strict=True))
            planes.append(_Placed(_shrunk(plane, s) if s > 1 else plane, at, self.engine.spectra(m.bin, pieces, fh, fw)))
        there = tuple(slice((b[0] - o) // s, (b[1] - o) // s) for b, o in zip(wanted, base, strict=True))
        blurred = _convolved(planes, there, self.plan.colour)
        if s == 1:
            return blurred
        up = F.interpolate(blurred, scale_factor=s, mode="bicubic", align_corners=False)
        y, x = (slice(t[0] - b[0], t[1] - b[0]) for t, b in zip(target, wanted, strict=True))
        return up[..., y, x].clamp_min(0)  # bicubic undershoots

    def _summed(self, members: list[_Member], small: list[_Member], pieces: list[Piece], target: _Part) -> Tensor:
        """As `_blurred` at full resolution, where the blurs of `small` are applied pixel by pixel."""
        parts: list[tuple[Tensor, _Part]] = []
        others = [m for m in members if m not in small]
        if others:
            own = _around([m.target for m in others])
            parts.append((self._blurred(others, pieces, own), own))
        for m in small:
            n = self.plan.kernel_size(m.bin) // 2
            plane = self._plane(m.bin, m.target[0].grown(n), m.target[1].grown(n))
            parts.append((_direct(plane, self.engine.kernels(m.bin, pieces), self.plan.colour), m.target))
        if len(parts) == 1:
            return parts[0][0]
        out = parts[0][0].new_zeros(*parts[0][0].shape[:2], target[0].length, target[1].length)
        for plane, own in parts:
            y, x = (slice(a[0] - t[0], a[1] - t[0]) for a, t in zip(own, target, strict=True))
            out[..., y, x] += plane
        return out


def _direct(plane: Tensor, kernels: Tensor, colour: bool) -> Tensor:
    """Convolution of RGBA [4,h,w] with each kernel [Q,C,m,m], where all of the kernel lies inside; returns as `_convolved`."""
    k = kernels.flip(-2, -1).movedim(1, 0)[:, :, None]  # [C,Q,1,m,m]
    if k.shape[1] == 1:  # side by side in memory, the channels of a pixel share its vector instructions
        both = torch.cat([plane[:3], plane[3:].expand(3, -1, -1)]) if colour else plane
        pixels = both[None].contiguous(memory_format=torch.channels_last)
        each = k[:, 0].repeat(2, 1, 1, 1) if colour else k[:, 0].expand(4, -1, -1, -1).contiguous()
        return F.conv2d(pixels, each, groups=len(each)).contiguous()
    if not colour:
        return F.conv2d(plane[:, None], k[0]).movedim(1, 0)
    light = [F.conv2d(p[None, None], kc)[0] for p, kc in zip(plane[:3], k, strict=True)]
    coverage = [F.conv2d(plane[3][None, None], kc)[0] for kc in k]
    return torch.stack([*light, *coverage], 1)


def _convolved(planes: list[_Placed], there: tuple[slice, ...], colour: bool) -> Tensor:
    """Sum of circular convolutions of RGBA planes with each of their kernels, cut out `there`.

    Two channels at a time, as real and imaginary part: one complex transform is quicker than two real ones.

    Returns:
        [Q,4,...] RGBA, or [Q,6,...] light and coverage of each channel.
    """
    # The pair shares rounding errors: coverage beside a bright light is brought to its height first.
    height = torch.stack([p.plane[:3].amax() for p in planes]).amax().clamp_min(1)
    total: Tensor | None = None
    for p in planes:
        packed = p.plane.new_zeros(3 if colour else 2, *p.spectra.shape[-2:], dtype=torch.complex64)
        real, imaginary = torch.view_as_real(packed[(slice(None), *p.at)]).unbind(-1)
        alpha = p.plane[3] * height
        if colour:
            real.copy_(p.plane[:3])
            imaginary.copy_(alpha.expand_as(real))
        else:
            real.copy_(p.plane[0:3:2])
            imaginary[0] = p.plane[1]
            imaginary[1] = alpha
        spectrum = torch.fft.fft2(packed)
        total = spectrum * p.spectra if total is None else total.addcmul_(spectrum, p.spectra)
    assert total is not None
    blurred = torch.view_as_real(torch.fft.ifft2(total)[..., there[0], there[1]])
    if colour:
        return torch.cat([blurred[..., 0], blurred[..., 1] / height], 1)
    out = blurred.movedim(-1, 2).flatten(1, 2)
    out[:, 3] /= height
    return out


def _shrunk(planes: Tensor, s: int) -> Tensor:
    """[C,h,w] at 1/s: every pixel is shared linearly between the coarse pixels around it, so a point of light keeps its place."""
    tent = [1 - abs(i + 0.5 - s) / s for i in range(2 * s)]
    total = sum(tent)
    for dim in (-1, -2):
        padded = F.pad(planes, (s // 2, s // 2, 0, 0) if dim == -1 else (0, 0, s // 2, s // 2))
        n = planes.shape[dim] // s
        parts = (padded.narrow(dim, i, padded.shape[dim] - i) for i in range(2 * s))
        strided = (p[..., ::s][..., :n] if dim == -1 else p[..., ::s, :][..., :n, :] for p in parts)
        planes = torch.stack([p * (t / total) for p, t in zip(strided, tent, strict=True)]).sum(0)
    return planes


class _Stack:
    """Compositing of blurred bins from near to far, per pixel, for every piece of the aperture."""

    def __init__(self, pieces: int, opaque: Tensor, channels: int, watch: bool) -> None:
        size = opaque.shape
        self._opaque, self._opaque_from = opaque, float(opaque.amin())  # see `Plan.opaque_to`
        self._sum = opaque.new_zeros(pieces, 3 + channels, *size)
        self.light, self.coverage = self._sum[:, :3], self._sum[:, 3:]
        self.before_focus = opaque.new_zeros(size) if watch else None
        self._through = opaque.new_ones(pieces, channels, *size)  # light that the closed groups let pass
        self._group = opaque.new_zeros(pieces, channels, *size)  # coverage of the open group
        self._last = opaque.new_full((pieces, 1, *size), math.inf)  # position of the last bin seen at each pixel
        self._nearest = math.inf

    def add(self, plane: Tensor, position: float, end: float, at: tuple[slice, slice]) -> None:
        """Add [Q,3+K,h,w] light and coverage of bins from `position` to `end`, or [1,...] the same for every piece, at a part of
        the tile."""
        part = (..., *at)
        alpha = plane[:, 3:].clamp_min(0)
        through, group, last = self._through[part], self._group[part], self._last[part]
        if position < -1e-6 and self.before_focus is not None:
            before = self.before_focus[part]
            torch.maximum(before, alpha[:, 0].amax(0), out=before)
        seen = alpha[:, :1] > PRESENT
        self._nearest = min(self._nearest, position)
        if self._nearest < position - GROUP_GAP:  # else no group can end here
            closed = group * (seen & (last < position - GROUP_GAP))
            through.addcmul_(through, closed, value=-1)
            group.sub_(closed)
        gain = torch.rsub(group, 1).div_(alpha.clamp_min(1e-6)).clamp_(0, 1)
        group.addcmul_(gain, alpha)
        if position > self._opaque_from:
            through.masked_fill_(self._opaque[at] < position, 0)
        gain.mul_(through)
        if gain.shape[1] == 1:
            self._sum[part].addcmul_(gain, plane)
        else:
            self.light[part].addcmul_(gain, plane[:, :3])
            self.coverage[part].addcmul_(gain, alpha)
        last.masked_fill_(seen, end)
