"""Pictures as FLUX.1 sees them: padding, latents, packed tokens and their positions, and the defocus map as a picture."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..checks import check_map

PIXELS_PER_TOKEN = 16
"""Side of a token in pixels: 8 by the autoencoder, times 2 by packing."""
MAX_RADIUS_PX = 100.0
"""Blur radius that the released weights were trained to read as white."""


def pad(image: Tensor) -> Tensor:
    """[B,C,H,W] padded at right and bottom to multiples of 16 px, mirrored (repeated where the picture is too small for that)."""
    height, width = image.shape[-2:]
    bottom, right = -height % PIXELS_PER_TOKEN, -width % PIXELS_PER_TOKEN
    if not (bottom or right):
        return image
    mode = "reflect" if bottom < height and right < width else "replicate"
    return F.pad(image, (0, right, 0, bottom), mode=mode)


def pack(latents: Tensor) -> Tensor:
    """Latents [B,C,2h,2w] -> tokens [B,h*w,4C], row by row; within a token channel, row, column.

    Raises:
        ValueError: if a side is odd.
    """
    _, _, height, width = latents.shape
    if height % 2 or width % 2:
        raise ValueError(f"Latents must have even sides to be packed, got {width}x{height}. Use a picture of multiples of 16 px.")
    return F.pixel_unshuffle(latents, 2).flatten(2).transpose(1, 2)


def unpack(tokens: Tensor, rows: int, columns: int) -> Tensor:
    """Inverse of `pack`: [B,rows*columns,4C] -> [B,C,2 rows,2 columns]."""
    return F.pixel_shuffle(tokens.transpose(1, 2).unflatten(2, (rows, columns)), 2)


def position_ids(rows: int, columns: int, right: int = 0, device: torch.device | str | None = None) -> Tensor:
    """[rows*columns,3]: 0, row, column + `right`."""
    ids = torch.zeros(rows, columns, 3, device=device)
    ids[..., 1] = torch.arange(rows, device=device)[:, None]
    ids[..., 2] = torch.arange(columns, device=device) + right
    return ids.flatten(0, 1)


def defocus_picture(radius_px: Tensor) -> Tensor:
    """The defocus map as BokehNet was trained to see it.

    Unsigned, |radius| / 100 px clamped to 0..1, three times. It goes into the autoencoder as it is, *not* stretched to -1..1 as
    photos are.

    Args:
        radius_px: [B,H,W] signed blur radius in pixels of the picture that is processed.

    Returns:
        [B,3,H,W] in 0..1.
    """
    check_map(radius_px, "radius_px")
    return (radius_px.abs() / MAX_RADIUS_PX).clamp(0, 1)[:, None].expand(-1, 3, -1, -1)
