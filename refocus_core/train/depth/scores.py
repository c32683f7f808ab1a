"""How good a relative depth map is: order, error after alignment, and edges. All of one frame, where the truth is known."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class Scores(NamedTuple):
    """spearman: -1..1, correlation of ranks. delta: share of pixels within a factor of 1.25 of the true disparity after the best
    scale and offset. edge_f: 0..1, harmonic mean of precision and recall of the depth edges."""

    spearman: float
    delta: float
    edge_f: float


_SAMPLES = 200_000
"""Pixels of a frame that ranks and quantiles are taken of; more make scores of large frames steadier and slower."""
_EDGE = 0.08
"""Least step of a depth edge, as a share of the true range; less counts the relief of surfaces as edges."""
_EDGE_WIDTH_PX = 3
"""A step that takes more px than this on either side is a slope."""
_FEWEST_EDGE_PX = 20
"""A truth with fewer edge pixels has no edges to be scored."""
_UNKNOWN_MARGIN_PX = 3
"""Edges nearer than this to an unknown pixel are left out: the hole itself would look like an edge."""
_RANGE = (0.02, 0.98)
"""Quantiles of the true disparity that its range is taken between."""
_FAR = 0.02
"""Disparities below this share of the largest one count as equally far: towards 0 any factor is infinite."""
_DELTA = 1.25
"""Factor within which a disparity counts as right (the field's delta-1)."""


def _ranks(x: Tensor) -> Tensor:
    """Ranks of [N], equal values sharing their mean rank."""
    _, group, count = torch.unique(x, return_inverse=True, return_counts=True)
    last = count.cumsum(0).double()
    return (last - (count.double() - 1) / 2)[group]


def spearman(a: Tensor, b: Tensor) -> float:
    """Correlation of the ranks of [N] and [N]; 0 where one of them is constant."""
    x, y = (_ranks(v) for v in (a, b))
    x, y = x - x.mean(), y - y.mean()
    size = float(x.norm() * y.norm())
    return float((x * y).sum()) / size if size > 0 else 0.0


def align(x: Tensor, y: Tensor) -> tuple[float, float]:
    """Scale (>= 0) and offset that bring x [N] nearest to y [N] in the mean of squares."""
    x, y = x.double(), y.double()
    mx, my = x.mean(), y.mean()
    variance = float((x - mx).square().mean())
    scale = max(0.0, float(((x - mx) * (y - my)).mean()) / variance) if variance > 0 else 0.0
    return scale, float(my - scale * mx)


def _edges(d: Tensor, step: float, width_px: int) -> Tensor:
    """Where [H,W] steps by more than `step` within `width_px`, thinned to the strongest px of each step."""
    lowest, highest = -F.max_pool2d(-d[None, None], 3, 1, 1)[0, 0], F.max_pool2d(d[None, None], 3, 1, 1)[0, 0]
    rise = highest - lowest
    window = 2 * width_px + 1
    total = F.max_pool2d(d[None, None], window, 1, width_px)[0, 0] + F.max_pool2d(-d[None, None], window, 1, width_px)[0, 0]
    strongest = F.max_pool2d(rise[None, None], 3, 1, 1)[0, 0]
    return (total > step) & (rise >= strongest) & (rise > step / (2 * width_px))


def edge_f(disparity: Tensor, truth: Tensor, known: Tensor, *, within_px: int = 2) -> float:
    """F-score of depth edges: an edge counts where the other map has one within `within_px`. nan if the truth has no edges.

    disparity, truth: [H,W], aligned; known: [H,W] bool; edges beside unknown pixels are left out.
    """
    span = torch.quantile(truth[known].flatten()[:: max(1, int(known.sum()) // _SAMPLES)], truth.new_tensor(_RANGE))
    step = _EDGE * float(span[1] - span[0])
    if step <= 0:
        return float("nan")
    sure = F.max_pool2d((~known).float()[None, None], 2 * _UNKNOWN_MARGIN_PX + 1, 1, _UNKNOWN_MARGIN_PX)[0, 0] == 0
    ours, theirs = (_edges(d, step, _EDGE_WIDTH_PX) & sure for d in (disparity, truth))
    if int(theirs.sum()) < _FEWEST_EDGE_PX:
        return float("nan")
    wide = 2 * within_px + 1
    near_ours, near_theirs = (F.max_pool2d(e.float()[None, None], wide, 1, within_px)[0, 0] > 0 for e in (ours, theirs))
    precision = float((ours & near_theirs).sum()) / max(int(ours.sum()), 1)
    recall = float((theirs & near_ours).sum()) / int(theirs.sum())
    return 2 * precision * recall / max(precision + recall, 1e-9)


def score(disparity: Tensor, truth: Tensor, known: Tensor) -> Scores:
    """Score [H,W] against [H,W] where `known` [H,W]; any scale and offset of `disparity` gives the same."""
    picked = known.flatten().nonzero()[:, 0]
    picked = picked[:: max(1, picked.numel() // _SAMPLES)]
    x, y = disparity.flatten()[picked].float(), truth.flatten()[picked].float()
    scale, offset = align(x, y)
    floor = _FAR * float(y.double().quantile(0.98))
    p, t = (x.double() * scale + offset).clamp_min(floor), y.double().clamp_min(floor)
    delta = float((torch.maximum(p / t, t / p) < _DELTA).double().mean())
    return Scores(spearman(x, y), delta, edge_f(disparity.float() * scale + offset, truth.float(), known))
