"""How good a relative depth map is: order, error after alignment, and edges. All of one frame, where the truth is known."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class Scores(NamedTuple):
    """spearman: -1..1, correlation of ranks. delta: share of pixels within a factor 1.25 of the true disparity after the best
    scale and offset. edge_f: 0..1, harmonic mean of precision and recall of the depth edges."""

    spearman: float
    delta: float
    edge_f: float


_SAMPLES = 200_000
_EDGE = 0.08  # of the true range, between neighbouring surfaces


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


def _edges(d: Tensor, step: float, reach: int) -> Tensor:
    """Where [H,W] steps by more than `step` within `reach` px, thinned to the strongest px of each step."""
    lowest, highest = -F.max_pool2d(-d[None, None], 3, 1, 1)[0, 0], F.max_pool2d(d[None, None], 3, 1, 1)[0, 0]
    rise = highest - lowest
    wide = 2 * reach + 1
    total = F.max_pool2d(d[None, None], wide, 1, reach)[0, 0] + F.max_pool2d(-d[None, None], wide, 1, reach)[0, 0]
    strongest = F.max_pool2d(rise[None, None], 3, 1, 1)[0, 0]
    return (total > step) & (rise >= strongest) & (rise > step / (2 * reach))


def edge_f(disparity: Tensor, truth: Tensor, known: Tensor, *, within_px: int = 2) -> float:
    """F-score of depth edges: an edge counts where the other map has one within `within_px`. nan if the truth has no edges.

    disparity, truth: [H,W], aligned; known: [H,W] bool; edges beside unknown pixels are left out.
    """
    span = torch.quantile(truth[known].flatten()[:: max(1, int(known.sum()) // _SAMPLES)], truth.new_tensor([0.02, 0.98]))
    step = _EDGE * float(span[1] - span[0])
    if step <= 0:
        return float("nan")
    sure = F.max_pool2d((~known).float()[None, None], 7, 1, 3)[0, 0] == 0
    ours, theirs = (_edges(d, step, 3) & sure for d in (disparity, truth))
    if int(theirs.sum()) < 20:
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
    # Far away the truth tends to 0 and any factor is infinite: 2 % of the largest disparity is "far".
    floor = 0.02 * float(y.double().quantile(0.98))
    p, t = (x.double() * scale + offset).clamp_min(floor), y.double().clamp_min(floor)
    delta = float((torch.maximum(p / t, t / p) < 1.25).double().mean())
    return Scores(spearman(x, y), delta, edge_f(disparity.float() * scale + offset, truth.float(), known))
