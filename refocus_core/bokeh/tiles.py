"""Blurring and compositing of layers tile by tile, in plain torch: runs on any device, and is the oracle of faster engines."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from .bins import bin_position
from .layers import Layers
from .plan import GROUP_GAP, PRESENT, Piece, Plan

TILE_PX = 256
"""Side of the parts that are blurred at a time: small transforms stay in the processor's cache, and hold few bins."""


class TileEngine:
    """Blurs and composites windows of layers by one plan, tile by tile, with fast Fourier transforms."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._spectra: dict[tuple[int, int, int, int], Tensor] = {}

    def composite(
        self, layers: Layers, reach: tuple[int, int], origin: tuple[int, int], out: Tensor, advance: Callable[[int], None]
    ) -> None:
        """Render the middle of a window of layers.

        Args:
            layers: of a window of the picture.
            reach: rows and columns of the window above and left of `out`.
            origin: row and column of the window's corner in the picture: coarse pixels are aligned to the picture.
            out: [3,h,w] the photo; overwritten with the rendered picture.
            advance: called with the number of tiles just done, of `tile_count` in all.
        """
        window = _Window(layers, self, origin)
        h, w = out.shape[1:]
        # Where the blur reaches farther than a tile, larger tiles do less twice.
        side = TILE_PX * (1 if self.plan.reach <= TILE_PX / 2 else 2 if self.plan.reach <= TILE_PX else 4)
        for y in range(0, h, side):
            for x in range(0, w, side):
                size = (min(side, h - y), min(side, w - x))
                window.render(y + reach[0], x + reach[1], size, out[:, y : y + size[0], x : x + size[1]])
                advance(tile_count(*size))

    def spectrum(self, i: int, piece: Piece, fh: int, fw: int) -> Tensor:
        """Spectrum of bin i's blur through a piece, on a grid of fh x fw."""
        key = (i, id(piece), fh, fw)
        if key not in self._spectra:
            k = self.plan.kernel(i, piece)
            n = k.shape[-1] // 2
            full = k.new_zeros(k.shape[0], fh, fw)
            full[:, : k.shape[1], : k.shape[2]] = k
            self._spectra[key] = torch.fft.rfft2(full.roll((-n, -n), (-2, -1)))
        return self._spectra[key]


def tile_count(h: int, w: int) -> int:
    """Tiles in a picture of h x w px."""
    return math.ceil(h / TILE_PX) * math.ceil(w / TILE_PX)


def _fast_size(n: int, s: int) -> int:
    """The next size that transforms quickly at 1/s of the resolution."""
    step = max(32, 8 * s)
    return -(-n // step) * step


class _Window:
    """Layers of a window of the picture, and the rendering of tiles inside of it."""

    def __init__(self, layers: Layers, engine: TileEngine, origin: tuple[int, int]) -> None:
        self.layers, self.engine, self.plan, self.origin = layers, engine, engine.plan, origin
        step = self.plan.quality.bin_step
        self.front_u = bin_position(layers.front_radius, step)
        self.back_u = bin_position(layers.back_radius, step)
        self.has_back = bool((layers.back[3] > 0).any())

    def render(self, y: int, x: int, size: tuple[int, int], out: Tensor) -> None:
        """Write the tile of `size` at (y, x) of the window into `out`."""
        plan = self.plan
        h, w = size
        height, width = self.front_u.shape
        # Shrink the halo to what the bins inside of it really reach.
        halo = plan.reach
        present: list[int] = []
        for _ in range(3):
            rows = slice(max(y - halo, 0), min(y + h + halo, height))
            cols = slice(max(x - halo, 0), min(x + w + halo, width))
            present = self._present(rows, cols)
            needed = max(plan.support(i) for i in present)
            if needed >= halo:
                break
            halo = needed
        if all(plan.is_sharp(i) for i in present):
            return  # `out` already holds the picture
        view = _View(self, (y, x), size, halo)
        pieces = plan.whole if view.back is None else plan.pieces
        stacks = [_Stack(out.new_zeros(()), size, plan.colour) for _ in pieces]
        for i in present:
            planes = [view.sharp(i)] * len(pieces) if plan.is_sharp(i) else view.blurred(i, pieces)
            for stack, plane in zip(stacks, planes, strict=True):
                stack.add(plane, plan.positions[i])
        result = out.new_zeros(3, h, w)
        coverage = out.new_zeros(3 if plan.colour else 1, h, w)
        for piece, stack in zip(pieces, stacks, strict=True):
            share = piece.weight.view(-1, 1, 1)
            result += share * stack.light
            coverage += share * stack.coverage
        result = torch.where(coverage > PRESENT, result / coverage.clamp_min(PRESENT), out)
        # A focused pixel that nothing nearer touches is the photo itself, not a sum that equals it up to rounding.
        core_rows, core_cols = slice(y, y + h), slice(x, x + w)
        untouched = (
            (self.layers.front_radius[core_rows, core_cols].abs() <= 1e-3)
            & ~self.layers.edge[core_rows, core_cols]
            & (torch.stack([s.before_focus for s in stacks]).amax(0) <= 1e-4)
        )
        out.copy_(torch.where(untouched, out, result))

    def _present(self, rows: slice, cols: slice) -> list[int]:
        found = self.plan.bins.occupied(self.front_u[rows, cols])
        if self.has_back:
            lies = self.layers.back[3, rows, cols] > 0
            if bool(lies.any()):
                found = found | self.plan.bins.occupied(self.back_u[rows, cols][lies])
        return [i for i, f in enumerate(found.tolist()) if f]


class _View:
    """The surroundings of one tile, in which its bins are blurred. Coordinates are those of the window."""

    def __init__(self, window: _Window, at: tuple[int, int], size: tuple[int, int], halo: int) -> None:
        lay, self.engine, self.plan = window.layers, window.engine, window.plan
        height, width = window.front_u.shape
        self.at, self.size, self.origin = at, size, window.origin
        rows = slice(max(at[0] - halo, 0), min(at[0] + size[0] + halo, height))
        cols = slice(max(at[1] - halo, 0), min(at[1] + size[1] + halo, width))
        self._start = (rows.start, cols.start)
        self.front, self.front_u = lay.front[:, rows, cols], window.front_u[rows, cols]
        self.back: Tensor | None = None
        if window.has_back and bool((lay.back[3, rows, cols] > 0).any()):
            self.back, self.back_u = lay.back[:, rows, cols], window.back_u[rows, cols]

    def _plane(self, i: int, top: int, left: int, bottom: int, right: int) -> Tensor:
        """[4,bottom-top,right-left] what falls into bin i. Beyond the mirrored border nothing does: coverage makes up for it."""
        height, width = self.front_u.shape
        (sy, sx) = self._start
        y0, x0 = max(top - sy, 0), max(left - sx, 0)
        y1, x1 = max(min(bottom - sy, height), y0), max(min(right - sx, width), x0)
        rows, cols = slice(y0, y1), slice(x0, x1)
        out = self.front[:, rows, cols] * self.plan.bins.share(self.front_u[rows, cols], i)
        if self.back is not None:
            out += self.back[:, rows, cols] * self.plan.bins.share(self.back_u[rows, cols], i)
        pad = (x0 + sx - left, right - (x1 + sx), y0 + sy - top, bottom - (y1 + sy))
        return F.pad(out, pad) if any(pad) else out

    def sharp(self, i: int) -> Tensor:
        """Bin i of the tile as it is: [4,h,w], or [6,h,w] for a coloured aperture."""
        (y, x), (h, w) = self.at, self.size
        core = self._plane(i, y, x, y + h, x + w)
        return torch.cat([core[:3], core[3:].expand(3, -1, -1)]) if self.plan.colour else core

    def blurred(self, i: int, pieces: list[Piece]) -> list[Tensor]:
        """Bin i of the tile through each of the pieces, shaped as in `sharp`."""
        (y, x), (h, w) = self.at, self.size
        s, halo = self.plan.scales[i], self.plan.support(i)
        top, left = ((p - halo + o) // s * s - o for p, o in zip(self.at, self.origin, strict=True))
        fh, fw = _fast_size(y + h + halo - top, s), _fast_size(x + w + halo - left, s)
        plane = self._plane(i, top, left, top + fh, left + fw)
        if s > 1:
            plane = _shrunk(plane, s)
        light = torch.fft.rfft2(plane)
        out: list[Tensor] = []
        for piece in pieces:
            k = self.engine.spectrum(i, piece, fh // s, fw // s)
            spectrum = torch.cat([light[:3] * k, light[3:] * k]) if self.plan.colour else light * k
            full = torch.fft.irfft2(spectrum, s=(fh // s, fw // s))
            y0, x0 = y - top, x - left
            out.append(full[:, y0 : y0 + h, x0 : x0 + w] if s == 1 else _enlarged(full, s, (y0, x0), (h, w)))
        return out


def _enlarged(coarse: Tensor, s: int, at: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """The window of `size` at `at` (in fine pixels) of `coarse`, enlarged s times."""
    (y, x), (h, w) = at, size
    y0, x0 = max(y // s - 2, 0), max(x // s - 2, 0)
    y1, x1 = min(-(-(y + h) // s) + 2, coarse.shape[1]), min(-(-(x + w) // s) + 2, coarse.shape[2])
    up = F.interpolate(coarse[None, :, y0:y1, x0:x1], scale_factor=s, mode="bicubic", align_corners=False)[0]
    return up[:, y - y0 * s : y - y0 * s + h, x - x0 * s : x - x0 * s + w].clamp_min(0)  # bicubic undershoots


def _shrunk(planes: Tensor, s: int) -> Tensor:
    """[C,h,w] at 1/s: every pixel is shared linearly between the coarse pixels around it, so a point of light keeps its place."""
    i = torch.arange(2 * s, device=planes.device, dtype=planes.dtype)
    tent = 1 - (i + 0.5 - s).abs() / s
    tent = tent / tent.sum()
    padded = F.pad(planes[:, None], (s // 2,) * 4, mode="replicate")
    return F.conv2d(padded, (tent[:, None] * tent[None])[None, None], stride=s)[:, 0]


class _Stack:
    """Compositing of blurred bins from near to far, per pixel, for one piece of the aperture."""

    def __init__(self, like: Tensor, size: tuple[int, int], colour: bool) -> None:
        channels = 3 if colour else 1
        self.light = like.new_zeros(3, *size)
        self.coverage = like.new_zeros(channels, *size)
        self.before_focus = like.new_zeros(size)
        self._through = like.new_ones(channels, *size)  # light that the closed groups let pass
        self._group = like.new_zeros(channels, *size)  # coverage of the open group
        self._last = like.new_full(size, -math.inf)  # position of the last bin seen at each pixel
        self._first = True

    def add(self, plane: Tensor, position: float) -> None:
        light, alpha = plane[:3], plane[3:].clamp_min(0)
        if position < -1e-6:
            self.before_focus = torch.maximum(self.before_focus, alpha[0])
        if self._first:
            self._first = False
            gain = (1 / alpha.clamp_min(1e-6)).clamp_max(1)
            self.light += gain * light
            self._group = alpha * gain
            self.coverage += self._group
            self._last.masked_fill_(alpha[0] > PRESENT, position)
            return
        seen = alpha[0] > PRESENT
        close = seen & (self._last < position - GROUP_GAP)
        self._through = torch.where(close, self._through * (1 - self._group), self._through)
        self._group.masked_fill_(close, 0)
        gain = ((1 - self._group) / alpha.clamp_min(1e-6)).clamp(0, 1)
        weight = self._through * gain
        self.light += weight * light
        self.coverage += weight * alpha
        self._group += gain * alpha
        self._last.masked_fill_(seen, position)
