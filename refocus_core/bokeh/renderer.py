"""Lens blur of one picture by a signed radius map: layered, occlusion-aware, in linear light.

The picture is split into front and back elements (`surfaces`). Elements fall softly into bins of like radius; every bin is
convolved with the aperture at its radius; the blurred bins are composited from near to far. Bins that follow one another
without a gap belong to one surface and add up; across a gap the nearer surface occludes the farther one. With more than one
segment of the aperture, each segment is composited by itself and the results are averaged, which restores most of the
correlation between what a nearer surface hides and what a farther one shows.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..checks import check_image, match_batch, same_size
from ..optics import SHARP_RADIUS_PX, BlurLaw
from ..types import DefocusMap, Kernel, Progress
from . import draft
from .apertures import make_kernel
from .bins import Bins
from .engines.choose import choose_engine
from .highlights import boost_highlights, lights
from .limits import Limits
from .parallel import give_back_memory
from .plan import QUALITIES, Plan, Quality, opaque_halo_px
from .surfaces.build import build_with_plate
from .surfaces.cache import Prepared, SurfaceCache, prepare
from .surfaces.layers import Layers, jump_threshold
from .surfaces.scale import Scale
from .surfaces.snap import SNAP_REACH_PX


@dataclass(frozen=True, eq=False)
class Plate:
    """What lies behind the subject, for `render`.

    Attributes:
        image: [B,3,H,W] linear: the picture without its foreground, for example from an inpainting model.
        radius_px: [B,H,W] signed radius of the plate, or None to continue the radius seen around the foreground.
    """

    image: Tensor
    radius_px: Tensor | None = None


@torch.no_grad()
def render(
    image_linear: Tensor,
    defocus_map: DefocusMap,
    kernel: Kernel | None = None,
    *,
    quality: str | Quality = "normal",
    background: Tensor | Plate | None = None,
    matte: Tensor | None = None,
    highlight_boost: float = 0.0,
    cache: SurfaceCache | None = None,
    limits: Limits | None = None,
    progress: Progress | None = None,
) -> Tensor:
    """Blur a sharp picture as a lens would. No gradients flow through it.

    Args:
        image_linear: [B,3,H,W] linear light, all in focus; values above 1 are highlights and keep their energy.
        defocus_map: signed radius of the circle of confusion, of the same size, for one frame or for each.
        kernel: the aperture; a circle if None. Its blur is upright behind the focal plane and point-mirrored in front of it.
        quality: "draft", "normal", "best", or a `Quality`.
        background: what is hidden behind the foreground ([B,3,H,W] linear, or a `Plate`); without it, it is filled in.
        matte: [B,H,W] coverage 0..1 of the foreground, for hair and the like; without it, edges are split by colour.
        highlight_boost: light given back to clipped highlights out of focus, in f-stops (see `boost_highlights`).
        cache: keeps what does not depend on focus and aperture, for the next call with the same picture and disparity. Of no
            use with a background, and with a highlight boost only while the radius stays the same.
        limits: how much is worked on at a time; see `Limits`.
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
    disparity = match_batch(defocus_map.disparity, batch, "The defocus map").to(image_linear.device)
    law = None if defocus_map.law is None else defocus_map.law.to(image_linear.device)
    plate = Plate(background) if isinstance(background, Tensor) else background
    if plate is not None:
        check_image(plate.image, "background")
        same_size(plate.image, h, w, "background")
    if matte is not None:
        matte = matte[:, 0] if matte.ndim == 4 else matte
        same_size(matte, h, w, "matte")
        if plate is None:
            raise ValueError("A matte needs a background plate: connect the picture of what lies behind the subject too.")
    source = boost_highlights(image_linear.float(), radius, highlight_boost)
    kernel = (kernel or make_kernel("circle")).to(image_linear.device)
    at_half = settings.half and plate is None
    size = ((h + 1) // 2, (w + 1) // 2) if at_half else (h, w)
    steps = _Steps(progress, limits or Limits(), image_linear.device, size, batch)
    render_one = _render_half if at_half else _render_full
    out = torch.empty_like(image_linear)
    for b in range(batch):
        inputs = _Inputs(
            source[b],
            radius[b].float(),
            disparity[b],
            None if law is None else law.frame(b if len(defocus_map.radius_px) > 1 else 0),
            None if plate is None else match_batch(plate.image, batch, "background")[b].to(image_linear.device).float(),
            None
            if plate is None or plate.radius_px is None
            else match_batch(plate.radius_px, batch, "background radius")[b].to(image_linear.device).float(),
            None if matte is None else match_batch(matte, batch, "matte")[b].to(image_linear.device).float().clamp(0, 1),
        )
        if out.dtype == torch.float32:
            render_one(inputs, kernel, settings, steps, cache, out[b])
        else:
            out[b] = render_one(inputs, kernel, settings, steps, cache, torch.empty_like(inputs.image)).to(out.dtype)
    return out


class _Steps:
    """The limits of a rendering, the parts of a frame that follow from them, and the tiles done so far.

    Attributes:
        parts: (top, bottom, left, right) of the parts of a frame that are rendered one after the other.
        per_frame: tiles of a frame.
    """

    def __init__(
        self, progress: Progress | None, limits: Limits, device: torch.device, size: tuple[int, int], frames: int
    ) -> None:
        self.limits, self.part_px = limits, limits.part_px(device)
        (h, w), side = size, self.part_px
        self.parts = [(y, min(y + side, h), x, min(x + side, w)) for y in range(0, h, side) for x in range(0, w, side)]
        self.per_frame = sum(limits.tile_count(y1 - y0, x1 - x0) for y0, y1, x0, x1 in self.parts)
        self._progress, self._total, self._done = progress, self.per_frame * frames, 0

    def advance(self, tiles: int = 1) -> None:
        self._done += tiles
        if self._progress is not None:
            self._progress(self._done, self._total)


@dataclass(frozen=True, eq=False)
class _Inputs:
    image: Tensor
    radius: Tensor
    disparity: Tensor
    law: BlurLaw | None
    plate: Tensor | None
    plate_radius: Tensor | None
    matte: Tensor | None

    def window(self, rows: Tensor, cols: Tensor) -> _Inputs:
        def cut(t: Tensor | None) -> Tensor | None:
            return None if t is None else t[..., rows, :][..., cols]

        image, radius, disparity = cut(self.image), cut(self.radius), cut(self.disparity)
        assert image is not None and radius is not None and disparity is not None
        return _Inputs(image, radius, disparity, self.law, cut(self.plate), cut(self.plate_radius), cut(self.matte))


def _mirrored(start: int, stop: int, size: int, device: torch.device) -> Tensor:
    """Indices start..stop-1 of an axis of `size` that continues beyond its ends as its mirror image, edge included."""
    i = torch.arange(start, stop, device=device) % (2 * size)
    return torch.where(i >= size, 2 * size - 1 - i, i)


def _render_half(
    inputs: _Inputs, kernel: Kernel, quality: Quality, steps: _Steps, cache: SurfaceCache | None, out: Tensor
) -> Tensor:
    """Fill and return `out` [3,H,W], rendered at half the resolution."""
    if _largest(inputs.radius) <= SHARP_RADIUS_PX:
        steps.advance(steps.per_frame)
        return out.copy_(inputs.image)
    scale = Scale.of(inputs.law)
    image, rho, radius = draft.halved(inputs.image, _reference(inputs, scale), inputs.radius)
    scale = None if scale is None else scale.reduced(2)
    prepared = _prepared(image, rho, scale, draft.SNAP_REACH_PX if quality.snap else 0, steps, cache)
    layers = functools.partial(prepared.layers, image, radius, scale)
    plan = Plan(kernel, Bins.of(radius, quality.bin_step, lights(image, radius)), quality, draft.VARIANCE_PX2 / 4)
    rendered, nearer = image.clone(), torch.cat([torch.zeros_like(image), torch.zeros_like(radius)[None]])
    _composite(plan, layers, _largest(radius), steps, rendered, nearer)
    draft.restore(
        inputs.image, inputs.radius, (image, prepared.radius(radius, scale)), rendered, nearer, out, steps.limits.draft_rows
    )
    return out


def _render_full(
    inputs: _Inputs, kernel: Kernel, quality: Quality, steps: _Steps, cache: SurfaceCache | None, out: Tensor
) -> Tensor:
    """Fill and return `out` [3,H,W]."""
    image, radius = inputs.image, inputs.radius
    out.copy_(image)
    every = radius if inputs.plate_radius is None else torch.cat([radius, inputs.plate_radius])
    largest = _largest(every)
    if largest <= SHARP_RADIUS_PX:
        steps.advance(steps.per_frame)
        return out
    if quality.segments > 1 and not _blurred_surfaces_overlap(radius):
        quality = replace(quality, segments=1)
    plan = Plan(kernel, Bins.of(every, quality.bin_step, lights(image, radius)), quality)
    if inputs.plate is not None:
        layers = _with_plate(inputs)
    else:
        scale = Scale.of(inputs.law)
        prepared = _prepared(image, _reference(inputs, scale), scale, SNAP_REACH_PX if quality.snap else 0, steps, cache)
        layers = functools.partial(prepared.layers, image, radius, scale)
    _composite(plan, layers, largest, steps, out)
    return out


def _largest(radius: Tensor) -> float:
    return max(abs(float(x)) for x in torch.aminmax(radius))


_LayersOf = Callable[[Tensor, Tensor], Layers]
"""Layers of the window with these rows and columns."""


def _composite(plan: Plan, layers: _LayersOf, largest: float, steps: _Steps, out: Tensor, nearer: Tensor | None = None) -> None:
    """Render into `out` [3,H,W], which holds the photo; `nearer`: see `TileEngine.composite`."""
    h, w = out.shape[1:]
    engine = choose_engine(plan, out.device, steps.limits)
    halo_px = max(math.ceil(largest) + 2, opaque_halo_px(largest))
    for y0, y1, x0, x1 in steps.parts:
        rows = _mirrored(y0 - halo_px, y1 + halo_px, h, out.device)
        cols = _mirrored(x0 - halo_px, x1 + halo_px, w, out.device)
        front = None if nearer is None else nearer[:, y0:y1, x0:x1]
        engine.composite(
            layers(rows, cols), (halo_px, halo_px), (y0 - halo_px, x0 - halo_px), out[:, y0:y1, x0:x1], steps.advance, front
        )
        if len(steps.parts) > 1:
            give_back_memory()


def _reference(inputs: _Inputs, scale: Scale | None) -> Tensor:
    """[H,W] reference depth (see `Scale`)."""
    return inputs.radius if scale is None else inputs.disparity * -scale.gain


def _prepared(
    image: Tensor, rho: Tensor, scale: Scale | None, snap_px: int, steps: _Steps, cache: SurfaceCache | None
) -> Prepared:
    gain = None if scale is None else scale.gain
    return (prepare if cache is None else cache.get)(image, rho, gain, snap_px, steps.part_px)


def _with_plate(inputs: _Inputs) -> _LayersOf:
    def layers(rows: Tensor, cols: Tensor) -> Layers:
        part = inputs.window(rows, cols)
        assert part.plate is not None
        return build_with_plate(part.image, part.radius, part.plate, part.plate_radius, part.matte)

    return layers


def _blurred_surfaces_overlap(radius: Tensor) -> bool:
    """Whether blurred surfaces cover blurred ones. Where either is in focus, one pass over the aperture is exact.

    Decided for the whole picture, so that parts of it do not differ.
    """
    count = 0.0
    for top in range(0, radius.shape[0], _ROWS_AT_A_TIME):
        rows = radius[top : top + _ROWS_AT_A_TIME + 1]  # and the first one of the next part
        for dim in (0, 1):
            n = rows.shape[dim] - 1
            a, b = rows.narrow(dim, 0, n), rows.narrow(dim, 1, n)
            both = torch.minimum(a.abs(), b.abs()) > _BLURRED_PX
            count += float((both & ((a - b).abs() > jump_threshold(a, b))).sum())
    return count > _OVERLAP_SHARE * radius.numel()


_BLURRED_PX = 2.0
_OVERLAP_SHARE = 1e-4
_ROWS_AT_A_TIME = 512
