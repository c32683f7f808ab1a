"""Blur painted by hand on top of what depth and lens give."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from .. import images
from ..checks import check_kind, check_map, check_number, match_batch
from ..types import DefocusMap

MOST_PERCENT = 50.0
"""Largest radius that is added or taken away, in percent of the long edge, as of `optics.Blur`."""


@torch.no_grad()
def painted(defocus_map: DefocusMap, mask: Tensor, percent: float) -> DefocusMap:
    """The map with more blur under a mask, or less.

    Args:
        mask: [B,h,w] or [h,w], 0..1, for one frame or for each, of the map's shape; white: all of it, grey: that share of it.
        percent: radius that is added, in percent of the map's long edge; below 0 taken away, until it is sharp.

    Returns:
        The same map where nothing is painted, bit for bit. What was in focus blurs as what lies behind the focal plane does. The
        order of surfaces stays that of depth; `law` is None, as the radius is none of disparity any more.

    Raises:
        TypeError, ValueError: on another kind of argument, a mask of another shape, or a percentage beyond -50..50.
    """
    check_kind(defocus_map, DefocusMap, "defocus_map")
    check_kind(mask, Tensor, "blur mask")
    check_number(percent, "mask_blur")
    if not (math.isfinite(percent) and abs(percent) <= MOST_PERCENT):
        raise ValueError(f"mask_blur must lie in -{MOST_PERCENT:g}..{MOST_PERCENT:g} percent of the long edge, got {percent}.")
    share = check_map(mask[None] if mask.ndim == 2 else mask, "blur mask").to(defocus_map.radius_px).clamp(0, 1)
    if percent == 0 or not bool((share > 0).any()):
        return defocus_map
    batch, h, w = defocus_map.radius_px.shape
    share = match_batch(images.fit_mask(share, h, w, "blur mask"), batch, "The blur mask")
    radius = defocus_map.radius_px
    size = (radius.abs() + share * (percent / 100 * max(h, w))).clamp_min(0)
    changed = torch.where(radius < 0, -size, size)
    return replace(defocus_map, radius_px=torch.where(share > 0, changed, radius), law=None)
