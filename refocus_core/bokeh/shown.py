"""The aperture as a picture, for people."""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ..color import linear_to_srgb
from ..types import Kernel
from .field import kernel_at

CORNER = (0.6, -0.6)
"""Where towards the upper right corner a pupil that changes over the picture is shown as well, as of `field`."""


def kernel_preview(kernel: Kernel, size: int = 256) -> Tensor:
    """The aperture as a picture in 0..1 sRGB, brightest cell of each light white.

    Returns:
        [1,3,size,k*size] lights side by side: one behind the focal plane in the middle of the picture; where one in front of it
        differs, that one, point-mirrored as it appears; where the pupil changes over the picture, the same at CORNER.
    """
    places = [kernel] if kernel.field is None else [replace(kernel, field=None), kernel_at(kernel, *CORNER)]
    sides: list[Tensor] = []
    for here in places:
        sides += [here.raster] if here.near is None else [here.raster, here.near.flip(-2, -1)]
    shown = [F.interpolate(k[None].expand(1, 3, -1, -1), (size, size), mode="area") for k in sides]
    return torch.cat([linear_to_srgb((k / k.amax().clamp_min(1e-20)).clamp(0, 1)) for k in shown], -1)
