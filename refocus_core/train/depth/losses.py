"""What the depth network is trained to make small."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

WEIGHTS = {"invariant": 1.0, "gradient": 0.4, "range": 2.0}
"""Share of each part of the loss; see `losses`. More gradient gives sharper edges, more range a steadier scale."""
_SCALES = 4
"""Halvings over which slopes are compared; more also compare how far apart distant things are."""
_MOST_SLOPE = 4.0
"""A slope of the difference counts at most this much, in mean deviations: the edges of wrong objects do not rule."""
_MOST_ERROR = 6.0
"""An error counts at most this much, in mean deviations."""
_ROOT_SHIFT = 0.01
"""Added before the square root, whose slope at 0 would be infinite; larger weighs the farthest things less."""


def losses(output: Tensor, target: Tensor) -> dict[str, Tensor]:
    """Parts of the loss of [B,H,W] disparity, each a scalar.

    "invariant": absolute error whatever scale and offset are (Ranftl et al. 2020, "Towards Robust Monocular Depth Estimation");
    "gradient": of the difference's slopes at several scales; "range": absolute error of the square root, which keeps the output
    in one range from frame to frame, and far things in order.
    """
    difference = _standard(output) - _standard(target)
    slopes = output.new_zeros(())
    level = difference
    for _ in range(_SCALES):
        for dim in (1, 2):
            slopes = slopes + level.diff(dim=dim).abs().clamp_max(_MOST_SLOPE).mean()
        level = F.avg_pool2d(level[:, None], 2)[:, 0]
    root = (output + _ROOT_SHIFT).sqrt() - (target + _ROOT_SHIFT).sqrt()
    return {"invariant": difference.abs().clamp_max(_MOST_ERROR).mean(), "gradient": slopes, "range": root.abs().mean()}


def loss(model: nn.Module, batch: Mapping[str, Any]) -> tuple[Tensor, Mapping[str, float]]:
    """The loss that `fit` takes: the weighted sum, and its parts."""
    output = model(batch["image"]).float()
    parts = losses(output, batch["target"])
    total = sum((WEIGHTS[n] * v for n, v in parts.items()), output.new_zeros(()))
    return total, {n: float(v.detach()) for n, v in parts.items()}


def _standard(d: Tensor) -> Tensor:
    """[B,H,W] with median 0 and mean deviation 1 in each frame."""
    flat = d.flatten(1)
    middle = flat.median(1).values[:, None]
    spread = (flat - middle).abs().mean(1, keepdim=True).clamp_min(1e-3)
    return ((flat - middle) / spread).view_as(d)
