"""Lens blur of one picture by a signed radius map: layered, occlusion-aware, in linear light.

The picture is split into front and back elements (`surfaces`). Elements fall softly into bins of like radius; every bin is
convolved with the aperture at its radius; the blurred bins are composited from near to far. Bins that follow one another
without a gap belong to one surface and add up; across a gap the nearer surface occludes the farther one. With more than one
segment of the aperture, each segment is composited by itself and the results are averaged, which restores most of the
correlation between what a nearer surface hides and what a farther one shows.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from types import NoneType

import torch
from torch import Tensor

from ..checks import check_image, check_kind, check_map, check_number, match_batch, same_size
from ..images import gaussian, push_pull
from ..optics import SHARP_RADIUS_PX
from ..types import DefocusMap, Kernel, Progress
from . import draft
from .apertures import make_kernel
from .bins import Bins
from .frames import Frame, Job, LayersOf, largest_radius
from .highlights import boost_highlights, lights
from .limits import Limits
from .plan import QUALITIES, Plan, Quality, even_from_px
from .surfaces.build import EMPTY_MATTE, build_with_plate
from .surfaces.cache import SurfaceCache
from .surfaces.layers import Layers, jump_threshold
from .surfaces.scale import Scale
from .surfaces.snap import SNAP_HALF_WIDTH_PX

log = logging.getLogger(__name__)

BLURRED_PX = 2.0
"""Radius from which on a surface counts as blurred where surfaces overlap. A larger one cuts the aperture for fewer pictures."""

OVERLAP_SHARE = 1e-4
"""Share of pixels at an edge between two blurred surfaces from which on the aperture is cut. A larger one cuts it for fewer
pictures, and leaves the edges of small things before a blurred background less exact."""

ROWS_AT_A_TIME = 512
"""Rows that are looked at together for such edges; bounds memory."""


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
    alpha: Tensor | None = None,
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
        matte: [B,H,W] coverage 0..1 of the foreground, for hair and the like; without it, edges are split by colour. Where no
            background comes with it, that is filled in from what the matte leaves free.
        alpha: [B,H,W] 0..1 of a picture with transparency, which takes no background (see `cutout.render_with_alpha`).
        highlight_boost: light given back to clipped highlights out of focus, in f-stops (see `boost_highlights`).
        cache: keeps what does not depend on focus and aperture, for the next call with the same picture and disparity. Of no
            use with a background, and with a highlight boost only while the radius stays the same.
        limits: how much is worked on at a time; see `Limits`.
        progress: called often, while surfaces are found and after each tile; may raise to cancel.

    Returns:
        [B,3,H,W] in the dtype of `image_linear`, or [B,4,H,W] premultiplied RGBA if there is an alpha. Pixels of radius 0 that no
        nearer blur reaches are returned bit for bit.

    Raises:
        TypeError, ValueError: on wrong shapes, non-finite values, sizes that differ, an unknown quality, or a matte that leaves
            nothing free.
    """
    _check(image_linear, defocus_map, kernel, highlight_boost)
    batch, _, h, w = image_linear.shape
    settings = _settings(quality)
    same_size(defocus_map.radius_px, h, w, "defocus map")
    plate, matte = _behind(image_linear, background, matte)
    defocus_map = softened(defocus_map)
    radius = match_batch(defocus_map.radius_px, batch, "The defocus map").to(image_linear.device)
    source = boost_highlights(image_linear.float(), radius, highlight_boost)
    _warn_of_even_blur(radius)
    kernel = (kernel or make_kernel("circle")).to(image_linear.device)
    # What is nearer than the focus covers each colour of a coloured aperture differently, which halving does not keep apart.
    at_half = settings.half and plate is None and kernel.raster.shape[0] == 1
    size = ((h + 1) // 2, (w + 1) // 2) if at_half else (h, w)
    job = Job(kernel, settings, limits or Limits(), cache, progress, size, batch, 1 if alpha is None else 2)
    render_one = draft.render if at_half else _render
    out = image_linear.new_empty(batch, 3 if alpha is None else 4, h, w)
    for into, frame in zip(out, _frames(source, radius, defocus_map, plate, matte, alpha), strict=True):
        job.begin()
        exact = into if into.dtype == torch.float32 else torch.empty_like(into, dtype=torch.float32)
        into.copy_(render_one(frame, job, exact))
    return out


def _check(image: Tensor, defocus_map: DefocusMap, kernel: Kernel | None, highlight_boost: float) -> None:
    check_image(image, "image")
    check_kind(defocus_map, DefocusMap, "defocus_map")
    check_kind(kernel, (Kernel, NoneType), "kernel")
    check_number(highlight_boost, "highlight_boost")


def _settings(quality: str | Quality) -> Quality:
    if isinstance(quality, Quality):
        return quality
    check_kind(quality, str, "quality")
    if quality not in QUALITIES:
        raise ValueError(f"Unknown quality {quality!r}. Choose one of: {', '.join(QUALITIES)}.")
    return QUALITIES[quality]


def _warn_of_even_blur(radius: Tensor) -> None:
    """Say in the log where a blur is so large that nothing is left of it to compute."""
    limit, largest = even_from_px(*radius.shape[-2:]), largest_radius(radius)
    if largest > limit:
        log.warning(
            "A blur radius of %.4g px is far beyond this picture of %dx%d px: from %.0f px on its light is spread evenly. Use "
            "less blur, or a focus that is not so near.",
            largest,
            radius.shape[-1],
            radius.shape[-2],
            limit,
        )


def softened(defocus_map: DefocusMap) -> DefocusMap:
    """The map with its edges as soft as they are uncertain: then the picture decides where they are (`surfaces.matting`)."""
    edge_px, law = defocus_map.edge_px, defocus_map.law
    if not edge_px:
        return defocus_map
    disparity = gaussian(defocus_map.disparity, edge_px)
    if law is None or not bool(law.front_px.isfinite().all()):
        return DefocusMap.from_radius(gaussian(defocus_map.radius_px, edge_px), disparity)
    return replace(defocus_map, radius_px=law.radius_px(disparity), disparity=disparity, edge_px=0.0)


def _behind(image: Tensor, background: Tensor | Plate | None, matte: Tensor | None) -> tuple[Plate | None, Tensor | None]:
    """What lies behind the foreground, and its matte [B,H,W], once both are known to fit the picture."""
    batch, _, h, w = image.shape
    check_kind(background, (Tensor, Plate, NoneType), "background")
    check_kind(matte, (Tensor, NoneType), "matte")
    plate = Plate(background) if isinstance(background, Tensor) else background
    if plate is not None:
        check_image(plate.image, "background")
        same_size(plate.image, h, w, "background")
    if matte is None:
        return plate, None
    matte = check_map(matte[:, 0] if matte.ndim == 4 else matte, "matte")
    same_size(matte, h, w, "matte")
    return plate or Plate(_filled(image.float(), match_batch(matte, batch, "matte").to(image))), matte


def _filled(image: Tensor, matte: Tensor) -> Tensor:
    """[B,3,H,W] the picture without what a matte [B,H,W] covers, filled in smoothly from around it."""
    frames: list[Tensor] = []
    for picture, coverage in zip(image, matte.float(), strict=True):
        free = (coverage < EMPTY_MATTE).float()
        if not bool(free.any()):
            raise ValueError("The matte covers the whole picture, so nothing shows what lies behind. Leave out the matte.")
        frames.append(torch.where(free > 0, picture, push_pull(picture, free)))
    return torch.stack(frames)


def _frames(
    source: Tensor,
    radius: Tensor,
    defocus_map: DefocusMap,
    plate: Plate | None,
    matte: Tensor | None,
    alpha: Tensor | None,
) -> Iterator[Frame]:
    """The frames of a picture [B,3,H,W], one after the other, each with its part of the other arguments of `render`."""
    batch, device = len(source), source.device
    disparity = match_batch(defocus_map.disparity, batch, "The defocus map").to(device)
    law = None if defocus_map.law is None else defocus_map.law.to(device)

    def of(values: Tensor | None, b: int, name: str) -> Tensor | None:
        return None if values is None else match_batch(values, batch, name)[b].to(device).float().contiguous()

    for b in range(batch):
        coverage = of(matte, b, "matte")
        yield Frame(
            source[b].contiguous(),  # surfaces write into their copies by flat index
            radius[b].float().contiguous(),
            disparity[b].contiguous(),
            None if law is None else law.frame(b if len(defocus_map.radius_px) > 1 else 0),
            None if plate is None else of(plate.image, b, "background"),
            None if plate is None else of(plate.radius_px, b, "background radius"),
            None if coverage is None else coverage.clamp(0, 1),
            of(alpha, b, "alpha"),
        )


def _render(frame: Frame, job: Job, out: Tensor) -> Tensor:
    """Fill and return `out` [3,H,W], or [4,H,W] with alpha, at full resolution."""
    image, radius, quality = frame.image, frame.radius, job.quality
    out.copy_(frame.shown)
    every_radius = frame.every_radius
    largest = largest_radius(every_radius)
    if largest <= SHARP_RADIUS_PX:
        job.skip()
        return out
    if quality.segments > 1 and not _blurred_surfaces_overlap(radius):
        quality = replace(quality, segments=1)
    job.look()
    plan = Plan(job.kernel, Bins.of(every_radius, quality.bin_step, lights(image, radius)), quality, size=job.size)
    if frame.plate is not None:
        layers = _with_plate(frame)
    else:
        scale = Scale.of(frame.law)
        surfaces = job.surfaces(image, frame.reference_coc(scale), scale, SNAP_HALF_WIDTH_PX if quality.snap else 0)
        layers = functools.partial(surfaces.layers, image, radius, scale)
    job.composite(plan, layers, largest, out, alpha=frame.alpha)
    return out


def _with_plate(frame: Frame) -> LayersOf:
    def layers(rows: Tensor, cols: Tensor) -> Layers:
        part = frame.window(rows, cols)
        assert part.plate is not None
        return build_with_plate(part.image, part.radius, part.plate, part.plate_radius, part.matte)

    return layers


def _blurred_surfaces_overlap(radius: Tensor) -> bool:
    """Whether blurred surfaces cover blurred ones. Where either is in focus, one pass over the aperture is exact.

    Decided for the whole picture, so that parts of it do not differ.
    """
    count = 0.0
    for top in range(0, radius.shape[0], ROWS_AT_A_TIME):
        rows = radius[top : top + ROWS_AT_A_TIME + 1]  # and the first one of the next part
        for dim in (0, 1):
            n = rows.shape[dim] - 1
            a, b = rows.narrow(dim, 0, n), rows.narrow(dim, 1, n)
            both = torch.minimum(a.abs(), b.abs()) > BLURRED_PX
            count += float((both & ((a - b).abs() > jump_threshold(a, b))).sum())
    return count > OVERLAP_SHARE * radius.numel()
