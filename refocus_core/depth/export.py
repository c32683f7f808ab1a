"""Depth as a picture for other programs: numbers, not the preview for people."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..checks import check_kind
from ..types import DepthMap
from .ranges import FLAT, robust_range

EXPORTS = ("near bright", "near dark", "numbers", "metres")
"""What a picture of depth can hold; see `to_image`."""


def to_image(depth_map: DepthMap, values: str = "near bright", *, farthest_m: float = math.inf) -> Tensor:
    """Depth as a grey picture.

    Args:
        values: what it holds. "near bright": disparity, stretched so that the nearest is 1 and the farthest 0, over all frames
            and without far outliers, as ControlNet and most programs take it; "near dark": the same, inverted; "numbers":
            disparity as it is, in 1/m where metric; "metres": distance, which is infinite where disparity is 0.
        farthest_m: for "metres", what lies beyond is put there.

    Returns:
        [B,3,H,W] float32. `from_image` reads numbers of relative depth and metres back exactly.

    Raises:
        ValueError: if `values` is none of `EXPORTS`, `farthest_m` is not above 0, or metres are asked of relative depth.
    """
    check_kind(depth_map, DepthMap, "depth_map")
    if values not in EXPORTS:
        raise ValueError(f"values must be one of {', '.join(EXPORTS)}, got {values!r}.")
    if not farthest_m > 0:  # also refuses NaN
        raise ValueError(f"farthest_m must be above 0 m, got {farthest_m}.")
    d = depth_map.disparity
    if values == "metres":
        if not depth_map.metric:
            raise ValueError(
                "Metres need depth in metres, but this depth is relative. Give the depth near_m and far_m, the distances of the "
                "nearest and the farthest thing, or choose other values."
            )
        picture = (1 / d).clamp_max(farthest_m)
    else:
        picture = d if values == "numbers" else _stretched(depth_map)
        picture = 1 - picture if values == "near dark" else picture
    return picture[:, None].expand(-1, 3, -1, -1).contiguous()


def known_mask(depth_map: DepthMap) -> Tensor:
    """Mask [B,H,W]: 1 where the source knew the depth."""
    return torch.ones_like(depth_map.disparity) if depth_map.valid is None else depth_map.valid.float()


def _stretched(depth_map: DepthMap) -> Tensor:
    d = depth_map.disparity
    seen = d if depth_map.valid is None else d[depth_map.valid]
    low, high = robust_range(seen.flatten()) if seen.numel() else (0.0, 0.0)
    return ((d - low) / (high - low)).clamp(0, 1) if high > low else torch.full_like(d, FLAT)
