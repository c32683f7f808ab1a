"""A depth map for the eye."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from ..checks import check_kind
from ..types import DepthMap
from .ranges import robust_range

_STOPS = (
    (0.059, 0.049, 0.219),
    (0.105, 0.131, 0.391),
    (0.185, 0.229, 0.516),
    (0.378, 0.311, 0.587),
    (0.626, 0.374, 0.576),
    (0.856, 0.444, 0.475),
    (0.98, 0.578, 0.341),
    (0.991, 0.758, 0.324),
    (0.98, 0.921, 0.594),
)
"""sRGB colours from far (cold and dark) to near (warm and bright). Lightness rises evenly (CIE L* 6 to 92), so that the order can
be read without colour."""

_UNKNOWN_DIM = 0.6
"""Factor on the colour of pixels without known depth. Smaller marks them more clearly and hides more of their fill."""


def preview(depth_map: DepthMap, style: Literal["colour", "grey"] = "colour") -> Tensor:
    """Picture of a depth map: near is warm and bright, far cold and dark; one range over the batch.

    It is for looking only. Pixels that are not `valid` are dimmed.

    Returns:
        [B,3,H,W] float32, sRGB-encoded, in 0..1.

    Raises:
        ValueError: if `style` is neither "colour" nor "grey".
    """
    check_kind(depth_map, DepthMap, "depth_map")
    if style not in ("colour", "grey"):
        raise ValueError(f'style must be "colour" or "grey", got {style!r}.')
    d = depth_map.disparity
    lo, hi = (0.0, 1.0) if not depth_map.metric else robust_range(d.flatten())
    t = ((d - lo) / (hi - lo)).clamp(0, 1) if hi > lo else torch.full_like(d, 0.5)
    if style == "grey":
        picture = t[:, None].repeat(1, 3, 1, 1)
    else:
        table = d.new_tensor(_STOPS)
        position = t * (len(_STOPS) - 1)
        below = position.floor().long().clamp(0, len(_STOPS) - 2)
        mix = (position - below)[..., None]
        picture = (table[below] * (1 - mix) + table[below + 1] * mix).movedim(-1, 1)
    if depth_map.valid is not None:
        picture = torch.where(depth_map.valid[:, None], picture, picture * _UNKNOWN_DIM)
    return picture.contiguous()
