"""Coverage along edges by the matting Laplacian: "A Closed-Form Solution to Natural Image Matting" (Levin et al., PAMI 2008).

Within every window of 3 x 3 px, coverage is taken for an affine function of colour: alpha = a . I + b. Summed over the windows
w_k, the squared deviations are alpha^T L alpha with

    L_ij = sum over windows k that hold i and j of  delta_ij - (1 + (I_i - mu_k)^T S_k^-1 (I_j - mu_k)) / 9,
    S_k = covariance of the window's colours + epsilon_k / 9 * identity.

L is kept as a stencil of 5 x 5 for the pixels that are asked for; the others are given.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...images import take
from ...progress import silent
from ...types import Progress
from .transitions import dilated

EPSILON = 3e-4
"""Variance that the affine model allows for, against the square of the brightness. A larger one smooths alpha across faint
edges."""

DARK = 0.03
"""Display value below which that variance falls no further: shadows are noisy."""

TOLERANCE = 3e-3
"""Residual, against the one at the start, at which conjugate gradients end. A smaller one takes more steps."""

WINDOW = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
"""Offsets (y, x) of the pixels of a window, row by row."""

CENTRE = 12
"""Of a stencil of 5 x 5, row by row."""


def _stencil_column(p: int, q: int) -> int:
    """Where pixel q of a window lies in the stencil of its pixel p."""
    return (WINDOW[q][0] - WINDOW[p][0] + 2) * 5 + WINDOW[q][1] - WINDOW[p][1] + 2


class MattingLaplacian:
    """L of the unknown pixels of a picture.

    Args:
        guide: [3,h,w] colours.
        unknown: [h,w] bool.

    Attributes:
        at: [n] flat index of the unknown pixels.
        stencil: [25,n] L's entries to the pixels around each; neighbours: [25,n] their flat index.
    """

    def __init__(self, guide: Tensor, unknown: Tensor) -> None:
        _, h, w = guide.shape
        self.at = unknown.flatten().nonzero()[:, 0]
        row, column = self.at // w, self.at % w
        self.stencil = guide.new_zeros(25, len(self.at))
        centres, number = self._windows(unknown)
        y = self._whitened(guide.flatten(1), centres, w)
        # A pixel is the p-th of the window that lies around the pixel at -WINDOW[p] of it.
        around = [(row - dy, column - dx) for dy, dx in WINDOW]
        window = [take(number, r.clamp(0, h - 1) * w + c.clamp(0, w - 1)) for r, c in around]
        inside = [((r > 0) & (r < h - 1) & (c > 0) & (c < w - 1)).to(guide) for r, c in around]
        for p in range(9 if len(centres) else 0):  # a picture of less than three pixels has no window
            for q in range(p, 9):
                entry = (y[:, p] * y[:, q]).sum(0).add_(1).mul_(-1 / 9)
                if p == q:
                    self.stencil[CENTRE].addcmul_(entry.add_(1).index_select(0, window[p]), inside[p])
                    continue
                for i, j in ((p, q), (q, p)):
                    self.stencil[_stencil_column(i, j)].addcmul_(entry.index_select(0, window[i]), inside[i])
        self.neighbours = torch.stack(
            [(row + dy).clamp(0, h - 1) * w + (column + dx).clamp(0, w - 1) for dy in range(-2, 3) for dx in range(-2, 3)]
        )

    @staticmethod
    def _windows(unknown: Tensor) -> tuple[Tensor, Tensor]:
        """Flat index [m] of the centres of windows that hold an unknown pixel, and [h*w] the number of each."""
        touched = dilated(unknown, 1)
        touched[0] = touched[-1] = False
        touched[:, 0] = touched[:, -1] = False
        centres = touched.flatten().nonzero()[:, 0]
        number = torch.zeros(unknown.numel(), dtype=torch.int32, device=unknown.device)
        number[centres] = torch.arange(len(centres), dtype=torch.int32, device=unknown.device)
        return centres, number

    @staticmethod
    def _whitened(colours: Tensor, centres: Tensor, w: int) -> Tensor:
        """C^-1 (I_i - mu_k) [3,9,m] for the Cholesky factor C of S_k, so that the windows' terms are its scalar products."""
        index = torch.stack([centres + dy * w + dx for dy, dx in WINDOW])
        y = take(colours, index)
        mean = y.mean(1, keepdim=True)
        y -= mean
        noise = (mean.mean(0)[0].square_() + DARK**2) * (EPSILON / 9)
        (xx, yx, zx), (yy, zy), (zz,) = ([(y[i] * y[j]).mean(0) for j in range(i, 3)] for i in range(3))
        a = (xx + noise).rsqrt_()
        b, c = yx * a, zx * a
        d = (yy - b * b).clamp_min_(0).add_(noise).rsqrt_()
        e = (zy - b * c) * d
        f = (zz - c * c - e * e).clamp_min_(0).add_(noise).rsqrt_()
        y[0] *= a
        y[1].addcmul_(y[0], b, value=-1).mul_(d)
        y[2].addcmul_(y[0], c, value=-1).addcmul_(y[1], e, value=-1).mul_(f)
        return y


def solve(
    laplacian: MattingLaplacian, values: Tensor, prior: Tensor, weight: Tensor, steps: int, progress: Progress = silent
) -> Tensor:
    """Minimise x^T L x + (x - prior)^T diag(weight) (x - prior) over the unknown pixels by conjugate gradients.

    The other pixels are given.

    Args:
        values: [h,w] where to begin, and what is given.
        prior: [h,w].
        weight: [n] of the prior at each unknown pixel.
        steps: most that are taken.
        progress: called after each.

    Returns:
        [h,w].
    """
    at, stencil, around = laplacian.at, laplacian.stencil, laplacian.neighbours
    full = values.flatten().clone()
    place = torch.full_like(full, -1, dtype=torch.int64)
    place[at] = torch.arange(len(at), device=at.device)
    slot = take(place, around)
    asked = slot >= 0
    own = torch.where(asked, stencil, 0)
    slot = torch.where(asked, slot, 0).int()
    diagonal = own[CENTRE] + weight

    def apply(x: Tensor) -> Tensor:
        y = x * weight
        for entry, index in zip(own, slot, strict=True):
            y.addcmul_(entry, x.index_select(0, index))
        return y

    given = (torch.where(asked, 0, stencil) * take(full, around)).sum(0)
    x = full[at]
    residual = weight * prior.flatten()[at] - given - apply(x)
    direction, before, first = torch.zeros_like(x), 1.0, 0.0
    for step in range(steps):
        y = residual / diagonal
        now = float(residual @ y)
        first = first or now
        if now <= TOLERANCE**2 * first or now <= 0:
            break
        direction = y + direction * (now / before if step else 0.0)
        image = apply(direction)
        length = now / max(float(direction @ image), 1e-30)
        x.add_(direction, alpha=length)
        residual.add_(image, alpha=-length)
        before = now
        progress(step + 1, steps)
    full[at] = x
    return full.view(values.shape)
