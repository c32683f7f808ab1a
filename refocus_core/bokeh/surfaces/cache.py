"""What a rendering can keep while focus, aperture or its shape change: which surfaces a picture has, and what lies behind them.

Surfaces are found on a scale that does not know where the focus is: disparity in px of blur. A change of focus or f-number
only maps that scale to other radii.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from ..parallel import give_back_memory
from .build import compose, split
from .layers import Layers, Surfaces
from .scale import Scale
from .snap import snap

_CONTEXT_PX = 256
"""Most that such a part looks beyond its border for what lies hidden behind depth edges."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """Surfaces of one picture, for every focus and aperture up to a gain.

    Attributes:
        gain: px of `rho` per unit of disparity; None if rho is the signed radius itself.
        rho: [H,W] reference depth, larger = farther, soft transitions snapped to the photo's edges; None if that changed nothing.
        snapped: [H,W] bool, where it did; None if nowhere.
        slot: [H,W] int32 place of the pixel in `surfaces`, -1 where the photo is all there is; None if everywhere.
        surfaces: elements near depth edges, their depths in the units of rho, without their `index`: `slot` has it.
    """

    gain: float | None
    rho: Tensor | None
    snapped: Tensor | None
    slot: Tensor | None
    surfaces: Surfaces

    def radius(self, radius: Tensor, scale: Scale | None) -> Tensor:
        """The signed radius [H,W] with soft transitions snapped; arguments as of `layers`."""
        if self.snapped is None or self.rho is None:
            return radius
        return torch.where(self.snapped, self.rho if scale is None else scale.radius(self.rho), radius)

    def layers(self, image: Tensor, radius: Tensor, scale: Scale | None, rows: Tensor, cols: Tensor) -> Layers:
        """Layers of a window for one focus and aperture.

        Args:
            image: [3,H,W] and radius: [H,W], the whole picture and its signed radius.
            scale: maps rho to radius; None if rho is the radius.
            rows, cols: indices of the window's rows and columns, repeats allowed.
        """

        def cut(t: Tensor) -> Tensor:
            return t.index_select(-2, rows).index_select(-1, cols)

        def radii(rho: Tensor) -> Tensor:
            return rho if scale is None else scale.radius(rho)

        own = cut(radius)
        if self.snapped is not None and self.rho is not None:
            own = torch.where(cut(self.snapped), radii(cut(self.rho)), own)
        if self.slot is None:
            at, place = self.surfaces.index, self.surfaces.index
        else:
            slot = cut(self.slot).flatten()
            at = (slot >= 0).nonzero()[:, 0]
            place = slot[at].long()
        s = self.surfaces
        there = Surfaces(
            place,
            s.front.index_select(1, place),
            radii(s.front_depth[place]),
            s.back.index_select(1, place),
            radii(s.back_depth[place]),
            s.distance[place],
        )
        return compose(cut(image), own, at, there)


def prepare(image: Tensor, rho: Tensor, gain: float | None, snap_px: int, part_px: int) -> Prepared:
    """Find the surfaces of a picture [3,H,W] (linear) with reference depth [H,W], part by part.

    Args:
        gain: see `Prepared`.
        snap_px: how far soft depth transitions are sharpened to the photo's edges first (see `snap.snap`).
        part_px: side of the parts.
    """
    h, w = rho.shape
    span = float(rho.max() - rho.min())
    context = min(2 * math.ceil(span), _CONTEXT_PX) + 8
    sharp = torch.empty_like(rho)
    parts: list[list[Tensor]] = []
    for y in range(0, h, part_px):
        for x in range(0, w, part_px):
            y1, x1 = min(y + part_px, h), min(x + part_px, w)
            top, left = max(y - context, 0), max(x - context, 0)
            part = (slice(top, min(y1 + context, h)), slice(left, min(x1 + context, w)))
            seen = image[:, part[0], part[1]]
            depth = snap(seen, rho[part], snap_px)
            sharp[y:y1, x:x1] = depth[y - top : y1 - top, x - left : x1 - left]
            found = split(seen, depth)
            py, px = found.index // depth.shape[1] + top, found.index % depth.shape[1] + left
            core = (py >= y) & (py < y1) & (px >= x) & (px < x1)
            parts.append([(py * w + px)[core], *(getattr(found, f.name)[..., core] for f in fields(Surfaces)[1:])])
            del seen, depth, found, py, px, core
            if len(parts) > 1:
                give_back_memory()
    surfaces = Surfaces(*(torch.cat([p.pop(0) for p in parts], -1) for _ in fields(Surfaces)))  # freed one by one
    slot = None
    if len(surfaces.index):
        slot = torch.full((h * w,), -1, dtype=torch.int32, device=rho.device)
        slot[surfaces.index] = torch.arange(len(surfaces.index), dtype=torch.int32, device=rho.device)
        slot = slot.view(h, w)
        surfaces = replace(surfaces, index=surfaces.index[:0].clone())
    snapped = sharp != rho
    kept = (sharp, snapped) if bool(snapped.any()) else (None, None)
    return Prepared(gain, *kept, slot, surfaces)


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

    def get(self, image: Tensor, depth: Tensor, gain: float | None, snap_px: int, part_px: int) -> Prepared:
        """As `prepare` for the reference depth `depth` [H,W], or what it returned before for the same arguments."""
        sizes = snap_px, part_px
        for i, (known_image, known_depth, known_sizes, prepared) in enumerate(self._entries):
            if prepared.gain == gain and known_sizes == sizes and _same(known_depth, depth) and _same(known_image, image):
                self._entries.append(self._entries.pop(i))
                return prepared
        self.misses += 1
        prepared = prepare(image, depth, gain, *sizes)
        self._entries.append((image.clone(), depth.clone(), sizes, prepared))
        while sum(map(_bytes, self._entries)) > self.max_bytes:
            self._entries.pop(0)
        return prepared


def _same(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and a.device == b.device and torch.equal(a, b)


def _bytes(entry: tuple[Tensor, Tensor, tuple[int, int], Prepared]) -> int:
    image, depth, _, prepared = entry
    own = [prepared.rho, prepared.snapped, prepared.slot, *prepared.surfaces.__dict__.values()]
    return sum(t.numel() * t.element_size() for t in (image, depth, *own) if t is not None)
