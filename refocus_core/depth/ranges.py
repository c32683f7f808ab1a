"""Ranges of depth: one over a clip, one in metres, and what fills pixels without depth."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..checks import check_kind, check_number
from ..types import DepthMap

FLAT = 0.5
"""Relative disparity of a picture without any depth difference: one plane, in the middle of the range."""

_SAMPLES = 1 << 20
"""Most values that quantiles are taken of. More is exacter and slower."""

_TAIL = 0.001
"""Share of the values at each end that may be outliers. Larger cuts off more of small near things."""

_TAIL_SPAN = 0.25
"""How far the ends may lie beyond the other values, as a share of their span, before they are cut off as outliers."""


def robust_range(values: Tensor) -> tuple[float, float]:
    """Lowest and highest of finite values [N], less far outliers.

    The range of the middle 99.8 % may be exceeded by a quarter of its span at each end; only what lies beyond counts as an
    outlier. Usual data therefore keep their exact minimum and maximum.
    """
    lo, hi = (float(v) for v in values.aminmax())
    # Strided: the same for the same input. Float64 on the CPU: some devices have none.
    sample = values[:: max(1, values.numel() // _SAMPLES)].cpu().double().sort().values
    last = sample.numel() - 1
    q_lo, q_hi = float(sample[round(_TAIL * last)]), float(sample[round((1 - _TAIL) * last)])
    allowed = _TAIL_SPAN * (q_hi - q_lo)
    if allowed <= 1e-9 * max(abs(q_lo), abs(q_hi)):  # nearly everything is one plane: the few other values are the scene
        return lo, hi
    return max(lo, q_lo - allowed), min(hi, q_hi + allowed)


def to_relative(disparity: Tensor, known: Tensor, *, from_zero: bool = False) -> Tensor:
    """Disparity of any scale -> 0..1, one range over all frames. Flat -> `FLAT`.

    Args:
        disparity: [B,H,W], larger = nearer, finite where `known`.
        known: [B,H,W] bool, the values that count.
        from_zero: 0 stays 0 (something infinitely far is in the picture), else the farthest known value becomes 0.
    """
    if not bool(known.any()):
        return torch.zeros_like(disparity)
    lo, hi = robust_range(disparity[known])
    lo = 0.0 if from_zero else lo
    if hi - lo <= 1e-6 * max(abs(lo), abs(hi)):
        return torch.full_like(disparity, FLAT)
    return ((disparity - lo) / (hi - lo)).clamp(0, 1)


def in_metres(depth_map: DepthMap, near_m: float | None, far_m: float | None) -> DepthMap:
    """Relative depth, a model's or a picture's, scaled by what its ends are in metres; as it is where neither is given.

    Raises:
        ValueError: if only one of them is given, or as `DepthMap.with_range`.
    """
    check_kind(depth_map, DepthMap, "depth_map")
    for name, value in (("near_m", near_m), ("far_m", far_m)):
        if value is not None:
            check_number(value, name)
    if near_m is None and far_m is None:
        return depth_map
    if near_m is None or far_m is None:
        raise ValueError("Give both near_m and far_m, the distances in metres of the nearest and the farthest thing, or neither.")
    return depth_map.with_range(near_m, far_m)


def fill(disparity: Tensor, known: Tensor) -> Tensor:
    """Give every unknown pixel the value of the nearest known one of its frame; 0 in a frame without any. [B,H,W] each."""
    from scipy.ndimage import distance_transform_edt

    out = torch.where(known, disparity, torch.zeros_like(disparity))
    for i in range(out.shape[0]):
        ok = known[i]
        if bool(ok.all()) or not bool(ok.any()):
            continue
        nearest = np.asarray(distance_transform_edt((~ok).cpu().numpy(), return_distances=False, return_indices=True)).astype(
            np.int64
        )
        flat = torch.from_numpy((nearest[0] * ok.shape[1] + nearest[1]).ravel()).to(out.device)
        out[i] = out[i].flatten()[flat].view_as(out[i])
    return out
