"""Which disparity is in focus in a photo that was taken out of focus elsewhere, from its own sharpness and its depth."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from ...color import luminance
from ...defocus import FocusMask, focus_disparity
from ...types import DepthMap

_PROBE_PX = (0.8, 1.6)
"""Standard deviations of the two Gaussians whose edges are compared; larger ones feel less noise and mix close edges."""
_RIDGE = 0.98
"""Share of the largest gradient around a pixel from which on it is the ridge of an edge."""
_STRONG_EDGES = 0.7
"""Quantile of the gradient above which an edge counts; less takes in texture and noise."""
_LEAST_GRADIENT = 4e-3
"""No weaker gradient of the root of the luminance is an edge."""
_LEAST_RATIO = 1.01
"""Least ratio of the two squared gradients: at 1 the blur would be infinite."""
_LARGEST_VARIANCE = 400.0
"""Blur ends here, in px squared."""
_DEPTH_JUMP = 0.1
"""A step of more than this share of the disparity's span within 5 px is an edge of depth, whose side is not known."""
_BINS = 24
"""Bins of disparity at most; more tell near distances apart and hold fewer edges each."""
_FEWEST = 24
"""Edge pixels that a bin of disparity needs to have a say."""
_BIN_QUANTILE = 0.25
"""A bin is as sharp as this quantile of its edges: soft shading is found at any depth."""
_BLURRED = 0.9
"""Quantile of the bins that stands for the most blurred ones."""
_SHARPER = 0.5
"""Share of the way from the sharpest bin to the most blurred ones up to which a bin counts."""
_DISTRUST_PX = 0.5
"""Difference of blur, in px, at which the confidence is half."""
_SPREAD = 4.0
"""Confidence in a mask falls by this times the spread of disparity under it, as a share of the whole span."""


@dataclass(frozen=True)
class FocusEstimate:
    """Disparity in focus and how far to believe it (0..1)."""

    disparity: float
    confidence: float


def from_mask(depth_map: DepthMap, mask: Tensor) -> FocusEstimate:
    """Median disparity under a mask [H,W]; less sure where the disparity there is spread out.

    Raises:
        ValueError: if the mask is empty or has another shape.
    """
    focus = float(focus_disparity(depth_map, FocusMask(mask)))
    d = depth_map.disparity[0]
    on = F.interpolate((mask.float() > 0.5).float()[None, None], d.shape, mode="nearest-exact")[0, 0] > 0.5
    span = float(d.max() - d.min())
    if span == 0 or not bool(on.any()):
        return FocusEstimate(focus, 0.0 if span == 0 else 0.5)
    spread = float((d[on] - focus).abs().median())
    return FocusEstimate(focus, max(0.0, 1 - _SPREAD * spread / span))


def edge_blur_px(image_linear: Tensor) -> tuple[Tensor, Tensor]:
    """Blur of every edge of a picture [3,H,W]: (sigma [H,W] in px, where it is known [H,W] bool).

    Blurring a step edge of standard deviation s once more by a and by b divides its gradient by sqrt((s^2 + b^2) / (s^2 + a^2))
    (Zhuo and Sim 2011, with two probes instead of one, so that noise is damped before either gradient).
    """
    y = luminance(image_linear[None]).clamp_min(1e-4).sqrt()
    a, b = _PROBE_PX
    fine, coarse = (_gradient(_smooth(y, s)) for s in (a, b))
    threshold = max(float(fine.flatten().quantile(_STRONG_EDGES)), _LEAST_GRADIENT)
    # At the ridge of an edge; beside it the ratio is not that of the middle.
    ridge = (fine >= _RIDGE * F.max_pool2d(fine, 3, 1, 1)) & (fine > threshold)
    square = (fine / coarse.clamp_min(1e-9)).square()
    variance = (b * b - a * a * square) / (square - 1).clamp_min(1e-6)
    known = ridge & (square > _LEAST_RATIO)
    sigma = variance.clamp(0, _LARGEST_VARIANCE).sqrt()
    edge = int(4 * b)
    inner = torch.zeros_like(known)
    inner[..., edge:-edge, edge:-edge] = True
    return sigma[0, 0], (known & inner)[0, 0]


def from_sharpness(image_linear: Tensor, depth_map: DepthMap) -> FocusEstimate:
    """The disparity whose edges are the sharpest.

    Every bin of disparity is as sharp as its sharper edges (their lower quartile: soft shading is found at any depth). The focus
    is the middle of the sharper bins, the sharpest counting most: near the focus bins differ by less than their noise, so the
    sharpest alone would be any of them. Confidence is how much blur grows away from it, 0 where all bins are alike.

    Args:
        image_linear: [3,H,W].
        depth_map: one frame of the same size.

    Raises:
        ValueError: if sizes differ, or no edge is found.
    """
    d = depth_map.disparity[0]
    if d.shape != image_linear.shape[-2:]:
        raise ValueError(f"The depth map {list(d.shape)} and the picture {list(image_linear.shape[-2:])} differ in size.")
    sigma, known = edge_blur_px(image_linear)
    span = float(d.max() - d.min())
    known = known & ~_depth_edges(d, span)
    if int(known.sum()) < _FEWEST:
        raise ValueError("The photo has too few edges to tell what is in focus. Give a mask.")
    if span == 0:
        return FocusEstimate(float(d.max()), 0.0)
    disparity, blur = _blur_by_disparity(d[known], sigma[known])
    low, high = float(blur.min()), float(blur.quantile(_BLURRED))
    weight = (1 - (blur - low) / max(_SHARPER * (high - low), 1e-9)).clamp_min(0)
    confidence = max(0.0, min(1.0, (high - low) / (high + _DISTRUST_PX)))
    return FocusEstimate(float((weight * disparity).sum() / weight.sum()), confidence)


def _depth_edges(d: Tensor, span: float) -> Tensor:
    """Where [H,W] steps: an edge there belongs to one side, but which is not known."""
    if span == 0:
        return torch.zeros_like(d, dtype=torch.bool)
    step = F.max_pool2d(d[None, None], 5, 1, 2) + F.max_pool2d(-d[None, None], 5, 1, 2)
    return step[0, 0] > _DEPTH_JUMP * span


def _blur_by_disparity(disparity: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
    """Disparity and blur [bins] of edges [N]: bins of equal numbers of edges, so that each has a say where there are any."""
    order = disparity.argsort()
    sigma, disparity = sigma[order], disparity[order]
    count = max(min(_BINS, len(sigma) // _FEWEST), 1)
    bounds = torch.linspace(0, len(sigma), count + 1).long().tolist()
    middle = torch.stack([disparity[i:j].median() for i, j in pairwise(bounds)])
    blur = torch.stack([sigma[i:j].quantile(_BIN_QUANTILE) for i, j in pairwise(bounds)])
    if count >= 3:
        padded = F.pad(blur[None, None], (1, 1), mode="replicate")
        blur = F.conv1d(padded, blur.new_tensor([[[0.25, 0.5, 0.25]]]))[0, 0]
    return middle, blur


def _smooth(x: Tensor, sigma: float) -> Tensor:
    n = int(4 * sigma + 0.5)
    k = torch.exp(-torch.arange(-n, n + 1, dtype=x.dtype).square() / (2 * sigma * sigma))
    k = k / k.sum()
    x = F.conv2d(F.pad(x, (n, n, 0, 0), mode="replicate"), k.view(1, 1, 1, -1))
    return F.conv2d(F.pad(x, (0, 0, n, n), mode="replicate"), k.view(1, 1, -1, 1))


def _gradient(x: Tensor) -> Tensor:
    p = F.pad(x, (1, 1, 1, 1), mode="replicate")
    return torch.hypot(p[..., 1:-1, 2:] - p[..., 1:-1, :-2], p[..., 2:, 1:-1] - p[..., :-2, 1:-1]) / 2
