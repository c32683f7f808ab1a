"""Compositing of blurred bins from near to far, at every pixel and for every segment of the aperture by itself.

Bins that follow one another without a gap belong to one surface: a slope falls into many bins, and their coverages a_1, a_2, ...
add up to 1. Across a gap of `plan.SURFACE_GAP` bins the nearer surface occludes what is farther:

    C = sum over bins of  T * min(1, (1 - A) / a) * (light of the bin)
        T   transmittance of the surfaces that are complete: the product of their 1 - A
        A   coverage of the surface that is still open, so far
        a   coverage of the bin
"""

from __future__ import annotations

import math
from types import EllipsisType

import torch
from torch import Tensor

from ..plan import PRESENT, SURFACE_GAP

AT_FOCUS = -1e-6
"""Bin positions below this lie nearer than the focus."""

LEAST_COVERAGE = 1e-6
"""Coverage is raised to this before it divides."""

Index = tuple[slice | EllipsisType, ...]
"""A part of a tile, in the last two dimensions of a tensor."""


class Stack:
    """Accumulated light and coverage of one tile, Q segments of the aperture.

    Attributes:
        light: [Q,3,h,w]; coverage: [Q,K,h,w], K = 1, or 3 for a coloured aperture.
        coverage_before_focus: [h,w] largest coverage by a bin nearer than the focus; None if not wanted.
    """

    def __init__(self, segments: int, hidden_from: Tensor, channels: int, watch_focus: bool) -> None:
        size = hidden_from.shape
        self._hidden_from, self._first_hidden = hidden_from, float(hidden_from.amin())  # see `Plan.hidden_from`
        self._sum = hidden_from.new_zeros(segments, 3 + channels, *size)
        self.light, self.coverage = self._sum[:, :3], self._sum[:, 3:]
        self.coverage_before_focus = hidden_from.new_zeros(size) if watch_focus else None
        self._transmittance = hidden_from.new_ones(segments, channels, *size)
        self._surface = hidden_from.new_zeros(segments, channels, *size)  # coverage of the open surface
        self._last = hidden_from.new_full((segments, 1, *size), math.inf)  # position of the last bin present at each pixel
        self._nearest = math.inf

    def add(self, plane: Tensor, first: float, last: float, at: tuple[slice, slice]) -> None:
        """Add a group of bins, which must be farther than those before.

        Args:
            plane: [Q,3+K,h,w] light and coverage, or [1,...] the same for every segment.
            first, last: positions of the nearest and the farthest of its bins.
            at: part of the tile where it lies.
        """
        part = (..., *at)
        alpha = plane[:, 3:].clamp_min(0)
        self._watch_focus(alpha, first, at)
        present = alpha[:, :1] > PRESENT
        self._close_surfaces(present, first, part)
        gain = self._visible_share(alpha, part)
        self._surface[part].addcmul_(gain, alpha)
        if first > self._first_hidden:
            self._transmittance[part].masked_fill_(self._hidden_from[at] < first, 0)
        self._accumulate(plane, alpha, gain.mul_(self._transmittance[part]), part)
        self._last[part].masked_fill_(present, last)

    def mean(self, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Light [3,h,w] and coverage [K,h,w] so far, weighted by the segments' shares [Q,1 or K,1,1] of the light."""
        return (self.light * weights).sum(0), (self.coverage * weights).sum(0)

    def _watch_focus(self, alpha: Tensor, first: float, at: tuple[slice, slice]) -> None:
        if first < AT_FOCUS and self.coverage_before_focus is not None:
            before = self.coverage_before_focus[at]
            torch.maximum(before, alpha[:, 0].amax(0), out=before)

    def _close_surfaces(self, present: Tensor, first: float, part: Index) -> None:
        """T *= 1 - A and A = 0 at the pixels where a gap lies before a bin that is present."""
        self._nearest = min(self._nearest, first)
        if not self._nearest < first - SURFACE_GAP:
            return  # no surface can end here
        transmittance, surface = self._transmittance[part], self._surface[part]
        closed = surface * (present & (self._last[part] < first - SURFACE_GAP))
        transmittance.addcmul_(transmittance, closed, value=-1)
        surface.sub_(closed)

    def _visible_share(self, alpha: Tensor, part: Index) -> Tensor:
        """min(1, (1 - A) / a): the bins of one surface never cover more than all."""
        surface = self._surface[part]
        return torch.rsub(surface, 1).div_(alpha.clamp_min(LEAST_COVERAGE)).clamp_(0, 1)

    def _accumulate(self, plane: Tensor, alpha: Tensor, gain: Tensor, part: Index) -> None:
        if gain.shape[1] == 1:
            self._sum[part].addcmul_(gain, plane)
        else:
            self.light[part].addcmul_(gain, plane[:, :3])
            self.coverage[part].addcmul_(gain, alpha)
