"""What can be done to a photo with an adapter, frame by frame and at a size that suits the model, whatever the host."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..checks import check_image, match_batch
from .transfer import at_working_size, resized, reveal, transfer, working_size


@dataclass(frozen=True, eq=False)
class SampleRequest:
    """One run of the model on one frame, at the frame's own size.

    Attributes:
        photo: [1,3,h,w] sRGB in 0..1, what guides the model.
        radius_px: [1,h,w], a further guide of BokehNet.
        pre_deblurred: [1,3,h,w], a further guide of some DeblurNets.
        start: [1,3,h,w] a picture to begin from, with as much noise as `strength` says.
        change: [1,h,w] in 0..1, where that picture may change; None: everywhere.
        strength: share of the steps that are run, 0..1.
    """

    photo: Tensor
    radius_px: Tensor | None = None
    pre_deblurred: Tensor | None = None
    start: Tensor | None = None
    change: Tensor | None = None
    strength: float = 1.0


Sample = Callable[[SampleRequest], Tensor]
"""Runs a request and gives the picture [1,3,h,w], sRGB in 0..1."""


def deblur(
    photo: Tensor,
    sample: Sample,
    *,
    megapixels: float = 1.0,
    pre_deblurred: Tensor | None = None,
    strength: float = 1.0,
) -> Tensor:
    """Make a photo [B,3,H,W] sRGB sharp everywhere. Values above 1 are cut off for the model and put back.

    Args:
        sample: with a "deblur" adapter.
        megapixels: larger photos are worked on at this size; see `transfer`.
        pre_deblurred: [B,3,H,W] or one frame, for the adapter that wants it.
        strength: 0 is the photo, 1 the full effect.
    """
    check_image(photo, "image")
    beside = None if pre_deblurred is None else match_batch(pre_deblurred, photo.shape[0], "pre_deblurred")
    frames: list[Tensor] = []
    for b in range(photo.shape[0]):

        def generate(small: Tensor, radius: Tensor | None, b: int = b) -> Tensor:
            other = None if beside is None else resized(beside[b : b + 1], (small.shape[-2], small.shape[-1]))
            return sample(SampleRequest(small, pre_deblurred=other))

        frames.append(at_working_size(photo[b : b + 1], generate, megapixels=megapixels))
    return torch.lerp(photo, torch.cat(frames).to(photo), strength)


def blur(photo: Tensor, radius_px: Tensor, sample: Sample, *, megapixels: float = 1.0) -> Tensor:
    """Blur a sharp photo [B,3,H,W] sRGB by a defocus map; pixels with a radius below 0.5 px stay bit for bit.

    Args:
        radius_px: [B,H,W] or [1,H,W] signed radius in px of the photo.
        sample: with a "bokeh" adapter.
        megapixels: larger photos are worked on at this size; see `transfer`.
    """
    check_image(photo, "image")
    radii = match_batch(radius_px, photo.shape[0], "The defocus map")
    frames: list[Tensor] = []
    for b in range(photo.shape[0]):

        def generate(small: Tensor, radius: Tensor | None) -> Tensor:
            return sample(SampleRequest(small, radius_px=radius))

        one = slice(b, b + 1)
        frames.append(at_working_size(photo[one], generate, megapixels=megapixels, radius_px=radii[one], blurs=True))
    return torch.cat(frames)


def redraw(
    photo: Tensor,
    radius_px: Tensor,
    render: Tensor,
    revealed: Tensor,
    sample: Sample,
    *,
    strength: float = 0.5,
    megapixels: float = 1.0,
) -> Tensor:
    """Hybrid: a physical rendering, in which the model redraws only the background that the photo did not show.

    Args:
        photo: [B,3,H,W] sRGB, the sharp photo; `radius_px` as in `blur`.
        render: [B,3,H,W] sRGB, the rendering of both. Kept bit for bit where `revealed` is 0.
        revealed: [B,H,W] in 0..1, from `revealed_mask`.
        sample: with a "bokeh" adapter.
        strength: how freely it redraws, 0..1.
        megapixels: larger photos are worked on at this size.
    """
    check_image(photo, "image")
    height, width = photo.shape[-2:]
    size = working_size(height, width, megapixels)
    radii = match_batch(radius_px, photo.shape[0], "The defocus map")
    frames: list[Tensor] = []
    for b in range(photo.shape[0]):
        one = slice(b, b + 1)
        if not bool((revealed[one] > 0).any()):
            frames.append(render[one])
            continue
        before = resized(render[one].clamp(0, 1), size).clamp(0, 1)
        request = SampleRequest(
            resized(photo[one].clamp(0, 1), size).clamp(0, 1),
            radius_px=resized(radii[one][:, None], size)[:, 0] * (size[1] / width),
            start=before,
            change=resized(revealed[one][:, None], size)[:, 0].clamp(0, 1),
            strength=strength,
        )
        after = sample(request)
        frames.append(reveal(render[one], transfer(render[one], before, after), revealed[one]))
    return torch.cat(frames)
