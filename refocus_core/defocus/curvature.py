"""Field curvature: what a lens focuses on is no plane but a bowl (Welford, Aberrations of Optical Systems, 1986)."""

from __future__ import annotations

import torch
from torch import Tensor


def bend(disparity: Tensor, curvature: float, span: Tensor) -> Tensor:
    """[B,H,W] disparity of the focal surface over that in the middle of the picture, for maps of that shape.

    It grows with the square of the distance from the middle, and a lens bends by a fixed number of dioptres (1/m) whatever it is
    focused on.

    Args:
        curvature: what it is in the corners, as a share of the scene's span of disparity: above 0 nearer, below 0 farther.
        span: [B] of disparity.
    """
    h, w = disparity.shape[-2:]
    y, x = (torch.arange(n, device=disparity.device, dtype=disparity.dtype) + (0.5 - n / 2) for n in (h, w))
    squared = (y[:, None].square() + x.square()) / (h * h / 4 + w * w / 4)
    return curvature * span.view(-1, 1, 1) * squared
