"""Large photos: run the model at a size it was trained for, and carry the change up to full resolution."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from .. import images
from ..checks import check_image, match_batch
from ..optics import SHARP_RADIUS_PX

_FADE_IN_PX = 1.0
"""Width, in px of radius beyond `SHARP_RADIUS_PX`, over which the change sets in. Wider hides the seam better and leaves more of
a slight blur undrawn."""


def resized(image: Tensor, size: tuple[int, int]) -> Tensor:
    """[B,C,H,W] at another size (height, width), bicubic, without aliasing when smaller."""
    if image.shape[-2:] == size:
        return image
    return images.resized(image, size, "bicubic", antialias=size[0] < image.shape[-2])


def working_size(height: int, width: int, megapixels: float) -> tuple[int, int]:
    """Size with both sides multiples of 16 px, of the same shape, and of at most about so many megapixels; never larger.

    A picture that is small enough is not resized (it is padded instead).
    """
    if not (math.isfinite(megapixels) and megapixels > 0):
        raise ValueError(f"megapixels must be above 0, got {megapixels}.")
    scale = math.sqrt(megapixels * 1e6 / (height * width))
    if scale >= 1:
        return height, width
    return max(16, round(height * scale / 16) * 16), max(16, round(width * scale / 16) * 16)


def transfer(photo: Tensor, before: Tensor, after: Tensor, radius_px: Tensor | None = None, *, blurs: bool = False) -> Tensor:
    """Carry the change from `before` to `after`, at a small size, to the photo they were made from.

    The photo's band above the small size's resolution is kept where the change sharpens; where it blurs, that band is taken out
    as a blur of that radius would.

    Args:
        photo: [B,3,H,W] sRGB.
        before: [B,3,h,w] the photo at the small size; after: [B,3,h,w] what the model made of it.
        radius_px: [B,H,W] or [1,H,W] blur radius in px of the photo that the change is about.
            Where it is below 0.5 px the photo stays bit for bit; from there to 1.5 px the change sets in.
        blurs: whether `after` is blurred by `radius_px` (else it is sharper than the photo).

    Returns:
        [B,3,H,W].

    Raises:
        ValueError: on sizes that do not fit, or `blurs` without a radius.
    """
    check_image(photo, "image")
    size = (photo.shape[-2], photo.shape[-1])
    if before.shape != after.shape:
        raise ValueError(f"before {list(before.shape)} and after {list(after.shape)} differ in shape.")
    if radius_px is None:
        if blurs:
            raise ValueError("A blur is carried over by its radius: give radius_px.")
        return photo + resized(after - before, size)
    radius = match_batch(radius_px, photo.shape[0], "The defocus map")[:, None].to(photo.device).abs()
    if radius.shape[-2:] != size:
        raise ValueError(f"The radius is {list(radius.shape[-2:])} but the photo is {list(size)} (height, width).")
    share = ((radius - SHARP_RADIUS_PX) / _FADE_IN_PX).clamp(0, 1)
    share = share * share * (3 - 2 * share)
    change = resized(after - before, size)
    if blurs and size != tuple(before.shape[-2:]):
        # Detail finer than the small size's pixels: gone once the blur spans such a pixel.
        detail = photo - resized(before, size)
        pixel = size[1] / before.shape[-1]
        change = change - detail * (radius / pixel).clamp(0, 1)
    return torch.where(radius < SHARP_RADIUS_PX, photo, photo + share * change)


def at_working_size(
    photo: Tensor,
    generate: Callable[[Tensor, Tensor | None], Tensor],
    *,
    megapixels: float,
    radius_px: Tensor | None = None,
    blurs: bool = False,
) -> Tensor:
    """Run `generate` at no more than `megapixels` and carry its change to the photo.

    Args:
        photo: [B,3,H,W] sRGB. Values above 1 are highlights: `generate` gets them cut off, and they are there again in the result
            where the photo is kept or only changed.
        generate: (picture [B,3,h,w] in 0..1, signed radius [B,h,w] in px of it or None) -> picture [B,3,h,w].
        megapixels: of the size at which it runs.
        radius_px: [B,H,W] or [1,H,W] signed radius, handed on at the small size; see `transfer`.
        blurs: see `transfer`.

    Returns:
        [B,3,H,W].
    """
    check_image(photo, "image")
    height, width = photo.shape[-2:]
    size = working_size(height, width, megapixels)
    before = resized(photo.float().clamp(0, 1), size).clamp(0, 1)
    radius = None
    if radius_px is not None:
        radius = resized(radius_px[:, None].float(), size)[:, 0] * (size[1] / width)
    after = generate(before, radius)
    if size == (height, width) and radius_px is None:
        return after + (photo - before)  # exactly `after`, with highlights back
    return transfer(photo, before, after, radius_px, blurs=blurs)


def reveal(render: Tensor, generated: Tensor, revealed: Tensor) -> Tensor:
    """Hybrid: the physical rendering, with what was hidden behind foregrounds taken from the generated picture.

    Args:
        render: [B,3,H,W] sRGB, the physical rendering; generated: the same, redone by the model.
        revealed: [B,H,W] in 0..1, see `revealed_mask`.

    Returns:
        [B,3,H,W], `render` bit for bit where nothing was revealed.
    """
    share = revealed[:, None]
    return torch.where(share > 0, torch.lerp(render, generated, share), render)


def revealed_mask(share: Tensor, *, grow_px: int = 8) -> Tensor:
    """Where a physical rendering shows background that the photo did not: 1 there, softly 0 around.

    Args:
        share: [B,H,W], share of each pixel's light from hidden background: a rendering of a black photo before a white plate.
        grow_px: reach beyond it, so that the model sees what to continue.

    Returns:
        [B,H,W] in 0..1.
    """
    m = (share > 0.02).float()[:, None]
    k = 2 * grow_px + 1
    m = F.max_pool2d(m, k, 1, grow_px)
    return F.avg_pool2d(m, k, 1, grow_px, count_include_pad=False)[:, 0]
