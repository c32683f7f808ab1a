"""Lens blur of one picture by a signed radius map: layered, occlusion-aware, in linear light.

The picture is split into front and back elements (`layers`). Elements fall softly into bins of like radius; every bin is
convolved with the aperture at its radius; the blurred bins are composited from near to far. Bins that follow one another
without a gap belong to one surface and add up; across a gap the nearer surface occludes the farther one. With more than one
piece of the aperture, each piece is composited by itself and the results are averaged, which restores most of the
correlation between what a nearer surface hides and what a farther one shows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from .. import psf
from ..types import DefocusMap, Kernel, Progress, check_image, match_batch
from . import layers as ldi
from .bins import Bins, bin_position
from .highlights import boost_highlights
from .kernels import make_kernel


@dataclass(frozen=True)
class Quality:
    """What a quality preset means.

    Attributes:
        resolution_px: a bin of radius r is blurred at 1/s of the resolution, s a power of two with r/s >= resolution_px.
        bin_step: spacing of the bins, 1 = 0.75 px near focus and 15 % of the radius farther out.
        pieces: parts of the aperture that are composited separately near depth edges: a square number.
        snap: sharpen soft depth transitions to the photo's edges first.
    """

    resolution_px: float
    bin_step: float
    pieces: int
    snap: bool = True

    def __post_init__(self) -> None:
        if self.pieces < 1 or math.isqrt(self.pieces) ** 2 != self.pieces:
            raise ValueError(f"Quality.pieces must be a square number (1, 4, 9, ...), got {self.pieces}.")
        if not (self.resolution_px > 0 and self.bin_step > 0):
            raise ValueError(f"Quality.resolution_px and bin_step must be above 0, got {self.resolution_px} and {self.bin_step}.")


QUALITIES: dict[str, Quality] = {
    "draft": Quality(resolution_px=12, bin_step=1.5, pieces=1),
    "normal": Quality(resolution_px=24, bin_step=1.0, pieces=4),
    "best": Quality(resolution_px=64, bin_step=0.5, pieces=16),
}

GROUP_GAP = 2.0
"""Bins (at bin_step 1) without coverage that separate two surfaces at a pixel."""

MACRO_TILE_PX = 1280
"""Side of the parts that are split into layers at a time; bounds the memory of large pictures."""

_CONTEXT_PX = 256
"""Most that such a part looks beyond the reach of its blur for what lies hidden behind depth edges."""

TILE_PX = 256
"""Side of the parts that are blurred at a time: small transforms stay in the processor's cache, and hold few bins."""


@dataclass(frozen=True, eq=False)
class Plate:
    """What lies behind the subject, for `render`.

    Attributes:
        image: [B,3,H,W] linear: the picture without its foreground, for example from an inpainting model.
        radius_px: [B,H,W] signed radius of the plate, or None to continue the radius seen around the foreground.
    """

    image: Tensor
    radius_px: Tensor | None = None


def render(
    image_linear: Tensor,
    defocus_map: DefocusMap,
    kernel: Kernel | None = None,
    *,
    quality: str | Quality = "normal",
    background: Tensor | Plate | None = None,
    matte: Tensor | None = None,
    highlight_boost: float = 0.0,
    progress: Progress | None = None,
) -> Tensor:
    """Blur a sharp picture as a lens would.

    Args:
        image_linear: [B,3,H,W] linear light, all in focus; values above 1 are highlights and keep their energy.
        defocus_map: signed radius of the circle of confusion, of the same size, for one frame or for each.
        kernel: the aperture; a circle if None. Its blur is upright behind the focal plane and point-mirrored in front of it.
        quality: "draft", "normal", "best", or a `Quality`.
        background: what is hidden behind the foreground ([B,3,H,W] linear, or a `Plate`); without it, it is filled in.
        matte: [B,H,W] coverage 0..1 of the foreground, for hair and the like; without it, edges are split by colour.
        highlight_boost: light given back to clipped highlights out of focus, in f-stops (see `boost_highlights`).
        progress: called with (tiles done, tiles in all).

    Returns:
        [B,3,H,W] in the dtype of `image_linear`. Pixels of radius 0 that no nearer blur reaches are returned bit for bit.

    Raises:
        TypeError, ValueError: on wrong shapes, non-finite values, sizes that differ, or an unknown quality.
    """
    check_image(image_linear, "image")
    batch, _, h, w = image_linear.shape
    settings = quality if isinstance(quality, Quality) else QUALITIES.get(quality)
    if settings is None:
        raise ValueError(f"Unknown quality {quality!r}. Choose one of: {', '.join(QUALITIES)}.")
    if defocus_map.radius_px.shape[-2:] != (h, w):
        dh, dw = defocus_map.radius_px.shape[-2:]
        raise ValueError(
            f"The defocus map is {dw}x{dh} px but the picture is {w}x{h} px. Make the map from this picture, or resize one."
        )
    radius = match_batch(defocus_map.radius_px, batch, "The defocus map").to(image_linear.device)
    plate = Plate(background) if isinstance(background, Tensor) else background
    if plate is not None:
        check_image(plate.image, "background")
        _same_size(plate.image, h, w, "background")
    if matte is not None:
        matte = matte[:, 0] if matte.ndim == 4 else matte
        _same_size(matte, h, w, "matte")
        if plate is None:
            raise ValueError("A matte needs a background plate: connect the picture of what lies behind the subject too.")
    source = boost_highlights(image_linear.float(), radius, highlight_boost)
    kernel = (kernel or make_kernel("circle")).to(image_linear.device)
    count = _tile_count(h, w)
    steps = _Steps(progress, count * batch)
    out = torch.empty_like(image_linear)
    for b in range(batch):
        inputs = _Inputs(
            source[b],
            radius[b].float(),
            None if plate is None else match_batch(plate.image, batch, "background")[b].to(image_linear.device).float(),
            None
            if plate is None or plate.radius_px is None
            else match_batch(plate.radius_px, batch, "background radius")[b].to(image_linear.device).float(),
            None if matte is None else match_batch(matte, batch, "matte")[b].to(image_linear.device).float().clamp(0, 1),
        )
        out[b] = _render_one(inputs, kernel, settings, steps).to(out.dtype)
    return out


def _same_size(x: Tensor, h: int, w: int, name: str) -> None:
    if x.shape[-2:] != (h, w):
        raise ValueError(
            f"The {name} is {x.shape[-1]}x{x.shape[-2]} px but the picture is {w}x{h} px. Resize the {name} to the picture."
        )


class _Steps:
    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def advance(self, tiles: int = 1) -> None:
        self._done += tiles
        if self._progress is not None:
            self._progress(self._done, self._total)


@dataclass(frozen=True, eq=False)
class _Inputs:
    image: Tensor
    radius: Tensor
    plate: Tensor | None
    plate_radius: Tensor | None
    matte: Tensor | None

    def window(self, rows: Tensor, cols: Tensor) -> _Inputs:
        def cut(t: Tensor | None) -> Tensor | None:
            return None if t is None else t[..., rows, :][..., cols]

        image, radius = cut(self.image), cut(self.radius)
        assert image is not None and radius is not None
        return _Inputs(image, radius, cut(self.plate), cut(self.plate_radius), cut(self.matte))


def _mirrored(start: int, stop: int, size: int, device: torch.device) -> Tensor:
    """Indices start..stop-1 of an axis of `size` that continues beyond its ends as its mirror image, edge included."""
    i = torch.arange(start, stop, device=device) % (2 * size)
    return torch.where(i >= size, 2 * size - 1 - i, i)


def _tile_count(h: int, w: int) -> int:
    count = 0
    for y0 in range(0, h, MACRO_TILE_PX):
        for x0 in range(0, w, MACRO_TILE_PX):
            th, tw = min(MACRO_TILE_PX, h - y0), min(MACRO_TILE_PX, w - x0)
            count += math.ceil(th / TILE_PX) * math.ceil(tw / TILE_PX)
    return count


def _render_one(inputs: _Inputs, kernel: Kernel, quality: Quality, steps: _Steps) -> Tensor:
    image, radius = inputs.image, inputs.radius
    h, w = radius.shape
    out = image.clone()
    every = radius if inputs.plate_radius is None else torch.cat([radius, inputs.plate_radius])
    largest = float(every.abs().max())
    if largest <= 0.5:  # no pixel's light leaves its pixel
        steps.advance(_tile_count(h, w))
        return out
    bins = Bins.of(every, quality.bin_step)
    blur = _Blur(kernel, bins, quality if _blurred_surfaces_overlap(radius) else replace(quality, pieces=1))
    # The layers of a pixel depend on jumps within the span of radii; a blurred pixel depends on layers within its radius.
    margin = math.ceil(largest) + 2 + min(2 * math.ceil(float(every.max() - every.min())), _CONTEXT_PX)
    margin = min(math.ceil(margin / 64) * 64, max(math.ceil(max(h, w) / 64) * 64, 64))
    for y0 in range(0, h, MACRO_TILE_PX):
        for x0 in range(0, w, MACRO_TILE_PX):
            y1, x1 = min(y0 + MACRO_TILE_PX, h), min(x0 + MACRO_TILE_PX, w)
            reach_y = margin if h > MACRO_TILE_PX else math.ceil(largest) + 2
            reach_x = margin if w > MACRO_TILE_PX else math.ceil(largest) + 2
            part = inputs.window(
                _mirrored(y0 - reach_y, y1 + reach_y, h, radius.device), _mirrored(x0 - reach_x, x1 + reach_x, w, radius.device)
            )
            _render_part(part, (reach_y, reach_x), blur, out[:, y0:y1, x0:x1], steps)
    return out


def _render_part(part: _Inputs, reach: tuple[int, int], blur: _Blur, out: Tensor, steps: _Steps) -> None:
    """Fill `out` [3,h,w], which lies `reach` inside of the window `part`."""
    radius = ldi.snap(part.image, part.radius) if blur.quality.snap else part.radius
    if part.plate is not None:
        layers = ldi.build_with_plate(part.image, radius, part.plate, part.plate_radius, part.matte)
    else:
        layers = ldi.build(part.image, radius)
    tiles = _Tiles(layers, blur)
    h, w = out.shape[1:]
    # Where the blur reaches farther than a tile, larger tiles do less twice.
    side = TILE_PX * (1 if blur.reach <= TILE_PX / 2 else 2 if blur.reach <= TILE_PX else 4)
    for y in range(0, h, side):
        for x in range(0, w, side):
            size = (min(side, h - y), min(side, w - x))
            tiles.render(y + reach[0], x + reach[1], size, out[:, y : y + size[0], x : x + size[1]])
            steps.advance(math.ceil(size[0] / TILE_PX) * math.ceil(size[1] / TILE_PX))


def _blurred_surfaces_overlap(radius: Tensor) -> bool:
    """Whether blurred surfaces cover blurred ones. Where either is in focus, one pass over the aperture is exact.

    Decided for the whole picture, so that parts of it do not differ.
    """
    count = 0.0
    for dim in (0, 1):
        n = radius.shape[dim] - 1
        a, b = radius.narrow(dim, 0, n), radius.narrow(dim, 1, n)
        both = torch.minimum(a.abs(), b.abs()) > _BLURRED_PX
        count += float((both & ((a - b).abs() > ldi.jump_threshold(a, b))).sum())
    return count > _OVERLAP_SHARE * radius.numel()


class _Blur:
    """The aperture at every bin's radius, as spectra made when first needed."""

    def __init__(self, kernel: Kernel, bins: Bins, quality: Quality) -> None:
        self.bins, self.quality = bins, quality
        self.whole = _pieces(kernel.raster, 1)
        self.pieces = _pieces(kernel.raster, quality.pieces)
        self.colour = kernel.raster.shape[0] == 3
        self._spectra: dict[tuple[int, int, int, int, int], Tensor] = {}
        self.scales: list[int] = []
        self.radii: list[float] = []  # at the bin's own resolution
        for c in bins.centres:
            r, s = abs(c), 1
            while r / s >= 2 * quality.resolution_px:
                s *= 2
            self.scales.append(s)
            # A disc of radius r has the variance r^2/4 along an axis. The tent that shrinks adds s^2/6, and the kernel's larger
            # pixels (s^2-1)/12: the radius gives that back.
            added = s * s / 6 + (s * s - 1) / 12 if s > 1 else 0.0
            self.radii.append(math.copysign(math.sqrt(max(r * r - 4 * added, 0.0)) / s, c) if r > 0 else 0.0)

        self.reach = max(self.support(i) for i in range(len(bins.centres)))

    def support(self, i: int) -> int:
        """How far bin i spreads, in full-resolution pixels."""
        s = self.scales[i]
        return 0 if self.is_sharp(i) else (math.ceil(abs(self.radii[i])) + (3 if s > 1 else 0)) * s

    def is_sharp(self, i: int) -> bool:
        return psf.size_px(self.radii[i]) == 1

    def spectrum(self, i: int, pieces: int, piece: int, fh: int, fw: int) -> Tensor:
        """Spectrum of the normalised piece `piece` of `pieces` (the whole aperture, or all its pieces) at bin i."""
        key = (i, pieces, piece, fh, fw)
        if key not in self._spectra:
            raster, weight = (self.whole if pieces == 1 else self.pieces)[piece]
            k = psf.rasterize(raster, self.radii[i]) / weight.view(-1, 1, 1)
            n = k.shape[-1] // 2
            full = k.new_zeros(k.shape[0], fh, fw)
            full[:, : k.shape[1], : k.shape[2]] = k
            self._spectra[key] = torch.fft.rfft2(full.roll((-n, -n), (-2, -1)))
        return self._spectra[key]


def _pieces(raster: Tensor, count: int) -> list[tuple[Tensor, Tensor]]:
    """Cut the aperture into a square grid of `count` pieces: ([C,n,n], share of the light [C]) for those that pass light."""
    side = math.isqrt(count)
    n = raster.shape[-1]
    cell = (torch.arange(n, device=raster.device) + 0.5) / n * side
    index = cell.long()[:, None] * side + cell.long()[None]
    out: list[tuple[Tensor, Tensor]] = []
    for i in range(count):
        piece = raster * (index == i)
        weight = piece.sum((1, 2))
        if bool((weight > 1e-6).all()):
            out.append((piece, weight))
        elif bool((weight > 1e-6).any()):  # a coloured aperture whose piece is dark in one channel only: do not cut it
            return [(raster, raster.sum((1, 2)))]
    total = sum(weight for _, weight in out)
    return [(piece, weight / total * raster.sum((1, 2))) for piece, weight in out] if out else [(raster, raster.sum((1, 2)))]


def _fast_size(n: int, s: int) -> int:
    """The next size that transforms quickly at 1/s of the resolution."""
    step = max(32, 8 * s)
    return -(-n // step) * step


class _Tiles:
    """Layers of one part, and the rendering of tiles inside of it."""

    def __init__(self, layers: ldi.Layers, blur: _Blur) -> None:
        self.layers, self.blur = layers, blur
        step = blur.quality.bin_step
        self.front_u = bin_position(layers.front_radius, step)
        self.back_u = bin_position(layers.back_radius, step)
        self.has_back = bool((layers.back[3] > 0).any())

    def render(self, y: int, x: int, size: tuple[int, int], out: Tensor) -> None:
        """Write the tile of `size` at (y, x) of the layers' frame into `out`."""
        blur, bins = self.blur, self.blur.bins
        h, w = size
        height, width = self.front_u.shape
        # Shrink the halo to what the bins inside of it really reach.
        halo = blur.reach
        present: list[int] = []
        for _ in range(3):
            rows = slice(max(y - halo, 0), min(y + h + halo, height))
            cols = slice(max(x - halo, 0), min(x + w + halo, width))
            present = self._present(rows, cols)
            needed = max(blur.support(i) for i in present)
            if needed >= halo:
                break
            halo = needed
        if all(blur.is_sharp(i) for i in present):
            return  # `out` already holds the picture
        top, left, bottom, right = y - halo, x - halo, y + h + halo, x + w + halo
        view = _View(self, top, left, bottom, right, (halo, halo), size)
        pieces = blur.whole if view.back is None else blur.pieces
        stacks = [_Stack(out.new_zeros(()), size, blur.colour) for _ in pieces]
        for i in present:
            position = bins.positions[i] * blur.quality.bin_step
            planes = [view.sharp(i)] * len(pieces) if blur.is_sharp(i) else view.blurred(i, len(pieces))
            for stack, plane in zip(stacks, planes, strict=True):
                stack.add(plane, position)
        result = out.new_zeros(3, h, w)
        coverage = out.new_zeros(3 if blur.colour else 1, h, w)
        for (_, weight), stack in zip(pieces, stacks, strict=True):
            share = weight.view(-1, 1, 1)
            result += share * stack.light
            coverage += share * stack.coverage
        result = torch.where(coverage > _PRESENT, result / coverage.clamp_min(_PRESENT), out)
        # A focused pixel that nothing nearer touches is the photo itself, not a sum that equals it up to rounding.
        core_rows, core_cols = slice(y, y + h), slice(x, x + w)
        untouched = (
            (self.layers.front_radius[core_rows, core_cols].abs() <= 1e-3)
            & ~self.layers.edge[core_rows, core_cols]
            & (torch.stack([s.before_focus for s in stacks]).amax(0) <= 1e-4)
        )
        out.copy_(torch.where(untouched, out, result))

    def _present(self, rows: slice, cols: slice) -> list[int]:
        found = self.blur.bins.occupied(self.front_u[rows, cols])
        if self.has_back:
            lies = self.layers.back[3, rows, cols] > 0
            if bool(lies.any()):
                found = found | self.blur.bins.occupied(self.back_u[rows, cols][lies])
        return [i for i, f in enumerate(found.tolist()) if f]


class _View:
    """A window of the layers around one tile, in which its bins are blurred. Coordinates start at (top, left)."""

    def __init__(
        self, tiles: _Tiles, top: int, left: int, bottom: int, right: int, offset: tuple[int, int], size: tuple[int, int]
    ) -> None:
        lay, self.blur = tiles.layers, tiles.blur
        height, width = tiles.front_u.shape
        rows, cols = slice(max(top, 0), min(bottom, height)), slice(max(left, 0), min(right, width))
        self.offset, self.size = offset, size
        self._start = (rows.start - top, cols.start - left)
        self.front, self.front_u = lay.front[:, rows, cols], tiles.front_u[rows, cols]
        self.back: Tensor | None = None
        if tiles.has_back and bool((lay.back[3, rows, cols] > 0).any()):
            self.back, self.back_u = lay.back[:, rows, cols], tiles.back_u[rows, cols]

    def _plane(self, i: int, top: int, left: int, bottom: int, right: int) -> Tensor:
        """[4,bottom-top,right-left] what falls into bin i. Beyond the mirrored border nothing does: coverage makes up for it."""
        height, width = self.front_u.shape
        (sy, sx) = self._start
        y0, x0 = max(top - sy, 0), max(left - sx, 0)
        y1, x1 = max(min(bottom - sy, height), y0), max(min(right - sx, width), x0)
        rows, cols = slice(y0, y1), slice(x0, x1)
        out = self.front[:, rows, cols] * self.blur.bins.share(self.front_u[rows, cols], i)
        if self.back is not None:
            out += self.back[:, rows, cols] * self.blur.bins.share(self.back_u[rows, cols], i)
        pad = (x0 + sx - left, right - (x1 + sx), y0 + sy - top, bottom - (y1 + sy))
        return F.pad(out, pad) if any(pad) else out

    def sharp(self, i: int) -> Tensor:
        """Bin i of the tile as it is: [4,h,w], or [6,h,w] for a coloured aperture."""
        (y, x), (h, w) = self.offset, self.size
        core = self._plane(i, y, x, y + h, x + w)
        return torch.cat([core[:3], core[3:].expand(3, -1, -1)]) if self.blur.colour else core

    def blurred(self, i: int, pieces: int) -> list[Tensor]:
        """Bin i of the tile through each of `pieces` pieces of the aperture, shaped as in `sharp`."""
        (y, x), (h, w) = self.offset, self.size
        s, halo = self.blur.scales[i], self.blur.support(i)
        top, left = (y - halo) // s * s, (x - halo) // s * s
        fh, fw = _fast_size(y + h + halo - top, s), _fast_size(x + w + halo - left, s)
        plane = self._plane(i, top, left, top + fh, left + fw)
        if s > 1:
            plane = _shrunk(plane, s)
        light = torch.fft.rfft2(plane)
        out: list[Tensor] = []
        for p in range(pieces):
            k = self.blur.spectrum(i, pieces, p, fh // s, fw // s)
            spectrum = torch.cat([light[:3] * k, light[3:] * k]) if self.blur.colour else light * k
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
            self._last.masked_fill_(alpha[0] > _PRESENT, position)
            return
        seen = alpha[0] > _PRESENT
        close = seen & (self._last < position - GROUP_GAP)
        self._through = torch.where(close, self._through * (1 - self._group), self._through)
        self._group.masked_fill_(close, 0)
        gain = ((1 - self._group) / alpha.clamp_min(1e-6)).clamp(0, 1)
        weight = self._through * gain
        self.light += weight * light
        self.coverage += weight * alpha
        self._group += gain * alpha
        self._last.masked_fill_(seen, position)


_PRESENT = 1e-3
_BLURRED_PX = 2.0
_OVERLAP_SHARE = 1e-4
