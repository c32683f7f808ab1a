"""What a rendering can keep while focus, aperture or its shape change: which surfaces a picture has, and what lies behind them.

Surfaces are found on a scale that does not know where the focus is: disparity in px of blur. A change of focus or f-number
only maps that scale to other radii.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from ...progress import shares, silent
from ...types import Progress
from ..parallel import give_back_memory
from .build import compose, split
from .layers import Layers, Surfaces
from .matting import edge_matte
from .scale import Scale
from .snap import snap

MOST_CONTEXT_PX = 256
"""Most that a part looks beyond its border for what lies hidden behind depth edges. A larger one finds the far side of wider
blurred surfaces at the border of a part, and takes more memory."""

CONTEXT_MARGIN_PX = 48
"""Added to that: what matting, snapping and unmixing look at around a pixel."""

WORK = (2.0, 1.0, 1.0)
"""What mattes, snapping and splitting take of the time."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """Surfaces of one picture, for every focus and aperture up to a gain.

    Attributes:
        gain: px of `reference_coc` per unit of disparity; None if that is the signed radius itself.
        reference_coc: [H,W] larger = farther, soft transitions snapped to the photo's edges; None if that changed nothing.
        snapped: [H,W] bool, where it did; None if nowhere.
        slot: [H,W] int32 place of the pixel in `surfaces`, -1 where the photo is all there is; None if everywhere.
        surfaces: elements near depth edges, their depths in the units of `reference_coc`, without their `index`: `slot` has it.
    """

    gain: float | None
    reference_coc: Tensor | None
    snapped: Tensor | None
    slot: Tensor | None
    surfaces: Surfaces

    def radius(self, radius: Tensor, scale: Scale | None) -> Tensor:
        """The signed radius [H,W] with soft transitions snapped; arguments as of `layers`."""
        if self.snapped is None or self.reference_coc is None:
            return radius
        return torch.where(self.snapped, _radii(self.reference_coc, scale), radius)

    def layers(self, image: Tensor, radius: Tensor, scale: Scale | None, rows: Tensor, cols: Tensor) -> Layers:
        """Layers of a window for one focus and aperture.

        Args:
            image: [3,H,W] and radius: [H,W], the whole picture and its signed radius.
            scale: maps the reference to radius; None if the reference is the radius.
            rows, cols: indices of the window's rows and columns, repeats allowed.
        """

        def cut(t: Tensor) -> Tensor:
            return t.index_select(-2, rows).index_select(-1, cols)

        own = cut(radius)
        if self.snapped is not None and self.reference_coc is not None:
            own = torch.where(cut(self.snapped), _radii(cut(self.reference_coc), scale), own)
        if self.slot is None:
            at = element = self.surfaces.index
        else:
            slot = cut(self.slot).flatten()
            at = (slot >= 0).nonzero()[:, 0]
            element = slot[at].long()
        s = self.surfaces
        elements = Surfaces(
            element,
            s.front.index_select(1, element),
            _radii(s.front_depth[element], scale),
            s.back.index_select(1, element),
            _radii(s.back_depth[element], scale),
            s.distance[element],
        )
        return compose(cut(image), own, at, elements)


def _radii(reference_coc: Tensor, scale: Scale | None) -> Tensor:
    return reference_coc if scale is None else scale.radius(reference_coc)


def prepare(
    image: Tensor, reference_coc: Tensor, gain: float | None, snap_px: int, part_px: int, progress: Progress = silent
) -> Prepared:
    """Find the surfaces of a picture [3,H,W] (linear) with a reference circle of confusion [H,W], part by part.

    Args:
        gain: see `Prepared`.
        snap_px: how far soft depth transitions are sharpened to the photo's edges first (see `snap.snap`).
        part_px: side of the parts.
        progress: called often, along each part.
    """
    h, w = reference_coc.shape
    context = min(2 * math.ceil(float(reference_coc.max() - reference_coc.min())), MOST_CONTEXT_PX) + CONTEXT_MARGIN_PX
    sharp = torch.empty_like(reference_coc)
    parts: list[list[Tensor]] = []
    corners = [(y, x) for y in range(0, h, part_px) for x in range(0, w, part_px)]
    cores = [(slice(y, min(y + part_px, h)), slice(x, min(x + part_px, w))) for y, x in corners]
    steps = shares(progress, [(y.stop - y.start) * (x.stop - x.start) for y, x in cores])
    for core, step in zip(cores, steps, strict=True):
        parts.append(_part(image, reference_coc, sharp, core, context, snap_px, step))
        if len(parts) > 1:
            give_back_memory()
    surfaces = Surfaces(*(torch.cat([p.pop(0) for p in parts], -1) for _ in fields(Surfaces)))  # freed one by one
    slot = None
    if len(surfaces.index):
        slot = torch.full((h * w,), -1, dtype=torch.int32, device=reference_coc.device)
        slot[surfaces.index] = torch.arange(len(surfaces.index), dtype=torch.int32, device=reference_coc.device)
        slot = slot.view(h, w)
        surfaces = replace(surfaces, index=surfaces.index[:0].clone())
    snapped = sharp != reference_coc
    changed = (sharp, snapped) if bool(snapped.any()) else (None, None)
    return Prepared(gain, *changed, slot, surfaces)


def _part(
    image: Tensor,
    reference_coc: Tensor,
    sharp: Tensor,
    core: tuple[slice, slice],
    context: int,
    snap_px: int,
    progress: Progress,
) -> list[Tensor]:
    """The fields of `Surfaces` of one part, found with so many px around it; its snapped depth is written into `sharp`."""
    (h, w), (y, x) = reference_coc.shape, (core[0].start, core[1].start)
    y1, x1 = core[0].stop, core[1].stop
    top, left = max(y - context, 0), max(x - context, 0)
    around = (slice(top, min(y1 + context, h)), slice(left, min(x1 + context, w)))
    photo = image[:, around[0], around[1]]
    depth = reference_coc[around]
    matting, snapping, splitting = shares(progress, WORK)
    matte = edge_matte(photo, depth, snap_px, matting) if snap_px else None
    depth = snap(photo, depth if matte is None else matte.stepped(depth), snap_px, snapping)
    sharp[core] = depth[y - top : y1 - top, x - left : x1 - left]
    surfaces = split(photo, depth, matte, splitting)
    py, px = surfaces.index // depth.shape[1] + top, surfaces.index % depth.shape[1] + left
    inside = (py >= y) & (py < y1) & (px >= x) & (px < x1)
    return [(py * w + px)[inside], *(getattr(surfaces, f.name)[..., inside] for f in fields(Surfaces)[1:])]


class SurfaceCache:
    """Keeps the surfaces of the pictures rendered last, so that another focus, f-number or aperture need not find them again.

    Found by content: a picture or disparity that differs in any value is another one. So is a strength beyond the next power of
    two (`Scale.gain`): a picture has its surfaces found once for each.

    Args:
        max_bytes: most that is kept, pictures included; what is larger is not kept.

    Attributes:
        misses: how often surfaces had to be found.
    """

    def __init__(self, max_bytes: int = 256 * 2**20) -> None:
        self.max_bytes, self.misses = max_bytes, 0
        self._entries: list[tuple[Tensor, Tensor, tuple[int, int], Prepared]] = []  # the one used last comes last

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()

    def get(
        self,
        image: Tensor,
        reference_coc: Tensor,
        gain: float | None,
        snap_px: int,
        part_px: int,
        progress: Progress = silent,
    ) -> Prepared:
        """As `prepare`, or what it returned before for the same arguments."""
        sizes = snap_px, part_px
        for i, (kept_image, kept_depth, kept_sizes, prepared) in enumerate(self._entries):
            if prepared.gain == gain and kept_sizes == sizes and _same(kept_depth, reference_coc) and _same(kept_image, image):
                self._entries.append(self._entries.pop(i))
                return prepared
        self.misses += 1
        prepared = prepare(image, reference_coc, gain, *sizes, progress)
        self._entries.append((image.clone(), reference_coc.clone(), sizes, prepared))
        while sum(map(_bytes, self._entries)) > self.max_bytes:
            self._entries.pop(0)
        return prepared


def _same(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and a.device == b.device and torch.equal(a, b)


def _bytes(entry: tuple[Tensor, Tensor, tuple[int, int], Prepared]) -> int:
    image, depth, _, prepared = entry
    own = [prepared.reference_coc, prepared.snapped, prepared.slot, *prepared.surfaces.__dict__.values()]
    return sum(t.numel() * t.element_size() for t in (image, depth, *own) if t is not None)
