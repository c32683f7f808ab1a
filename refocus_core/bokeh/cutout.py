"""Pictures with transparency: colour counts as much as it covers, and alpha is blurred along with it."""

from __future__ import annotations

import functools
from dataclasses import replace

import torch
from torch import Tensor

from ..checks import check_image, check_map, match_batch, same_size
from ..images import push_pull
from ..optics import BlurLaw
from ..types import DefocusMap, Kernel, Progress
from .limits import Limits
from .plan import Quality
from .renderer import Plate, render
from .surfaces.cache import SurfaceCache

OPAQUE = 0.999
"""Alpha from which on a pixel is the cut-out's alone; 16-bit files reach it."""

SEEN = 1e-4
"""Alpha below which a pixel shows nothing, and keeps the colour next to it."""


@torch.no_grad()
def render_with_alpha(
    image_linear: Tensor,
    alpha: Tensor | None,
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
) -> tuple[Tensor, Tensor | None]:
    """Blur a picture that may have transparency. Where nothing is, the map is not asked: the cut-out's radius goes on there.

    Args:
        image_linear: [B,3,H,W] linear, not multiplied by alpha.
        alpha: [B,1,H,W] or [1,1,H,W] coverage, clamped to 0..1; None if the picture is opaque.
        Others: as of `render`; a transparent picture takes neither background nor matte.

    Returns:
        [B,3,H,W] linear, not multiplied by alpha, and alpha [B,1,H,W]. Opaque pictures come out as `render` gives them.

    Raises:
        TypeError, ValueError: as `render`, if alpha does not fit the picture, or a background or matte comes with transparency.
    """
    lens = functools.partial(render, kernel=kernel, quality=quality, highlight_boost=highlight_boost, cache=cache, limits=limits)
    coverage = None if alpha is None else _coverage(image_linear, alpha)
    if coverage is None or bool((coverage >= OPAQUE).all()) or not bool((coverage > SEEN).any()):
        return lens(image_linear, defocus_map, background=background, matte=matte, progress=progress), alpha
    if background is not None or matte is not None:
        raise ValueError(
            "The picture has transparency, which is its own matte. Leave out background and matte, or join the picture with its "
            "background first."
        )
    colour = _spread(image_linear.float(), coverage)
    blurred = lens(colour, _within(defocus_map, coverage), alpha=coverage[:, 0], progress=progress)
    straight = torch.where(blurred[:, 3:] > SEEN, blurred[:, :3] / blurred[:, 3:].clamp_min(SEEN), colour)
    untouched = (blurred[:, 3:] == coverage) & (blurred[:, :3] == colour * coverage).all(1, keepdim=True)
    return torch.where(untouched, image_linear, straight.to(image_linear)), blurred[:, 3:]


def _coverage(image: Tensor, alpha: Tensor) -> Tensor:
    """Alpha [B,1,H,W] in 0..1, once it is known to fit the picture."""
    check_image(image, "image")
    batch, _, h, w = image.shape
    if alpha.ndim != 4 or alpha.shape[1] != 1:
        raise ValueError(f"alpha must have the shape [B,1,H,W], got {list(alpha.shape)}.")
    check_map(alpha[:, 0], "alpha")
    same_size(alpha, h, w, "alpha")
    return match_batch(alpha, batch, "alpha").to(image.device, torch.float32).clamp(0, 1)


def _spread(values: Tensor, coverage: Tensor) -> Tensor:
    """[B,3,H,W] with what nothing covers filled in from what does, each frame by its coverage [B,1,H,W]."""
    return torch.stack([torch.where(a > SEEN, x, push_pull(x, a[0])) for x, a in zip(values, coverage, strict=True)])


def _within(defocus_map: DefocusMap, coverage: Tensor) -> DefocusMap:
    """The map with the cut-out's depth where nothing is: its outline is an edge of colour then, not of depth."""
    batch = max(len(coverage), len(defocus_map.radius_px))
    known = match_batch(coverage, batch, "alpha")[:, 0].to(defocus_map.radius_px.device)
    # Half covered pixels of a depth map often hold neither depth.
    solid = (known >= OPAQUE).to(known)
    known = torch.where(solid.flatten(1).any(1)[:, None, None], solid, known)

    def grown(values: Tensor) -> Tensor:
        frames = zip(match_batch(values, batch, "The defocus map"), known, strict=True)
        return torch.stack([torch.where(a > SEEN, v, push_pull(v[None], a)[0]) for v, a in frames])

    disparity, law = grown(defocus_map.disparity), defocus_map.law
    if law is None or not bool(law.front_px.isfinite().all()):
        return replace(DefocusMap.from_radius(grown(defocus_map.radius_px), disparity), edge_px=defocus_map.edge_px)
    values = (law.front_px, law.behind_px, law.sharp_near, law.sharp_far)
    every = BlurLaw(*(match_batch(v, batch, "The defocus map") for v in values))
    return replace(DefocusMap.from_law(disparity, every), edge_px=defocus_map.edge_px)
