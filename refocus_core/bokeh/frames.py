"""One frame on its way through the renderer: what it is made of, the parts it is rendered in, and what all of them share."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..optics import BlurLaw
from ..progress import UNITS, share
from ..types import Kernel, Progress
from .engines.choose import choose_engine
from .limits import Limits
from .parallel import give_back_memory
from .plan import Plan, Quality, opaque_halo_px
from .surfaces.cache import Prepared, SurfaceCache, prepare
from .surfaces.layers import Layers
from .surfaces.scale import Scale

BLUR_MARGIN_PX = 2
"""Added to the largest radius for the halo of a window: a kernel's side is rounded up, and a pixel lies on either side of it."""

SURFACES_WORK = 0.5
"""What finding the surfaces of a frame takes of the time of compositing it, for `progress`."""

LayersOf = Callable[[Tensor, Tensor], Layers]
"""Layers of the window with these rows and columns."""


@dataclass(frozen=True, eq=False)
class Frame:
    """What is known of one frame: [3,H,W] images, [H,W] maps; see `renderer.render`."""

    image: Tensor
    radius: Tensor
    disparity: Tensor
    law: BlurLaw | None
    plate: Tensor | None
    plate_radius: Tensor | None
    matte: Tensor | None
    alpha: Tensor | None = None

    @property
    def shown(self) -> Tensor:
        """What is blurred: [3,H,W], or [4,H,W] premultiplied RGBA of a picture with transparency."""
        return self.image if self.alpha is None else torch.cat([self.image * self.alpha, self.alpha[None]])

    @property
    def every_radius(self) -> Tensor:
        """The radii of all that can be seen."""
        return self.radius if self.plate_radius is None else torch.cat([self.radius, self.plate_radius])

    def reference_coc(self, scale: Scale | None) -> Tensor:
        """[H,W] circle of confusion on the scale on which surfaces are found (see `Scale`); the radius itself if that is None."""
        return self.radius if scale is None else self.disparity * -scale.gain

    def window(self, rows: Tensor, cols: Tensor) -> Frame:
        """The part of the frame with these rows and columns, repeats allowed."""

        def cut(t: Tensor | None) -> Tensor | None:
            return None if t is None else t[..., rows, :][..., cols]

        image, radius, disparity = cut(self.image), cut(self.radius), cut(self.disparity)
        assert image is not None and radius is not None and disparity is not None
        return Frame(
            image, radius, disparity, self.law, cut(self.plate), cut(self.plate_radius), cut(self.matte), cut(self.alpha)
        )


class Job:
    """What the frames of a rendering share, and how far it is.

    Args:
        size: height and width at which a frame is rendered.
        frames: how many there are.
        passes: how often each is composited: twice with transparency, for its colours and its alpha.

    Attributes:
        size: as given.
        parts: (top, bottom, left, right) of the parts of a frame, which are rendered one after the other.
    """

    def __init__(
        self,
        kernel: Kernel,
        quality: Quality,
        limits: Limits,
        cache: SurfaceCache | None,
        progress: Progress | None,
        size: tuple[int, int],
        frames: int,
        passes: int = 1,
    ) -> None:
        self.kernel, self.quality, self.limits, self.cache = kernel, quality, limits, cache
        self.part_px = side = limits.part_px(kernel.raster.device)
        self.size = h, w = size
        self.parts = [(y, min(y + side, h), x, min(x + side, w)) for y in range(0, h, side) for x in range(0, w, side)]
        self._tiles = sum(limits.tile_count(y1 - y0, x1 - x0) for y0, y1, x0, x1 in self.parts)
        self._progress, self._frames, self._per_frame = share(progress, 0, 1), frames, SURFACES_WORK + passes
        self._begun, self._done = 0, 0.0

    def begin(self) -> None:
        """Tell that the next frame begins."""
        self._begun += 1
        self._done = 0.0
        self.look()

    def advance(self, tiles: int = 1) -> None:
        """Tell that so many tiles are done."""
        self._done = max(self._done, SURFACES_WORK) + tiles / self._tiles
        self.look()

    def look(self) -> None:
        """Tell how far the work is, where it may be cancelled."""
        done = (self._begun - 1 + self._done / self._per_frame) / self._frames
        self._progress(round(UNITS * done), UNITS)

    def skip(self) -> None:
        """Tell that a frame is done at once."""
        self._done = self._per_frame
        self.look()

    def surfaces(self, image: Tensor, reference_coc: Tensor, scale: Scale | None, snap_px: int) -> Prepared:
        """The surfaces of a picture, kept or found; arguments as of `surfaces.cache.prepare`."""
        gain = None if scale is None else scale.gain
        start, whole = (self._begun - 1) / self._frames, self._per_frame * self._frames
        progress = share(self._progress, start, start + SURFACES_WORK / whole)
        find = prepare if self.cache is None else self.cache.get
        found = find(image, reference_coc, gain, snap_px, self.part_px, progress)
        self._done = SURFACES_WORK
        return found

    def composite(
        self,
        plan: Plan,
        layers: LayersOf,
        largest: float,
        out: Tensor,
        near_blur: Tensor | None = None,
        alpha: Tensor | None = None,
    ) -> None:
        """Render part by part into `out`, which holds what is blurred (`Frame.shown`).

        Args:
            largest: radius in px.
            out: [3,H,W], or [4,H,W] with alpha.
            near_blur: see `engines.torch_engine.TileEngine.composite`; [8,H,W] with alpha, of colour and of alpha.
            alpha: [H,W] of a picture with transparency: colour and alpha are blurred by the same layers.
        """
        if alpha is None:
            self._composite(plan, layers, largest, out, near_blur)
            return
        near_color, near_alpha = (None, None) if near_blur is None else near_blur.split(4)
        self._composite(plan, lambda rows, cols: layers(rows, cols).times(alpha[rows][:, cols]), largest, out[:3], near_color)
        opacity = out[3:].repeat(3, 1, 1)
        self._composite(plan, lambda rows, cols: layers(rows, cols).alpha(alpha[rows][:, cols]), largest, opacity, near_alpha)
        torch.mean(opacity, 0, out=out[3])

    def _composite(self, plan: Plan, layers: LayersOf, largest: float, out: Tensor, near_blur: Tensor | None) -> None:
        h, w = out.shape[1:]
        engine = choose_engine(plan, out.device, self.limits)
        if plan.any_even:
            largest = max(float(max(h, w)), *(abs(c) for i, c in enumerate(plan.bins.centres) if not plan.is_even(i)), 0.0)
        halo_px = max(math.ceil(largest) + BLUR_MARGIN_PX, opaque_halo_px(largest))
        for y0, y1, x0, x1 in self.parts:
            rows = mirrored(y0 - halo_px, y1 + halo_px, h, out.device)
            cols = mirrored(x0 - halo_px, x1 + halo_px, w, out.device)
            part, near_part = out[:, y0:y1, x0:x1], None if near_blur is None else near_blur[:, y0:y1, x0:x1]
            origin = (y0 - halo_px, x0 - halo_px)
            window = layers(rows, cols)
            self.look()
            engine.composite(window, (halo_px, halo_px), origin, part, self.advance, near_part)
            if len(self.parts) > 1:
                give_back_memory()


def mirrored(start: int, stop: int, size: int, device: torch.device) -> Tensor:
    """Indices start..stop-1 of an axis of `size` that continues beyond its ends as its mirror image, edge included."""
    i = torch.arange(start, stop, device=device) % (2 * size)
    return torch.where(i >= size, 2 * size - 1 - i, i)


def largest_radius(radius: Tensor) -> float:
    """Largest |radius| in px."""
    return max(abs(float(x)) for x in torch.aminmax(radius))
