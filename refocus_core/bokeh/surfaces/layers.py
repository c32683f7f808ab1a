"""The layered picture that is rendered, and the elements near depth edges from which it is composed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

JUMP_PX = 1.0
"""Neighbours whose radii differ by more than this, and JUMP_RELATIVE of the smaller |radius|, belong to different surfaces. A
larger one leaves small depth steps to blur into one another; a smaller one splits slopes."""

JUMP_RELATIVE = 0.12
"""See JUMP_PX: the part of that difference that grows with the blur, where a step of a pixel is not seen."""


@dataclass(frozen=True, eq=False)
class Layers:
    """Front and back elements of one picture; colours are premultiplied by coverage.

    Attributes:
        front: [4,H,W] RGBA, front_radius: [H,W] px.
        back: [4,H,W] RGBA (coverage 0 where nothing lies behind), back_radius: [H,W] px.
        edge: [H,W] bool, pixels that were split or have a back element.
    """

    front: Tensor
    front_radius: Tensor
    back: Tensor
    back_radius: Tensor
    edge: Tensor

    def times(self, alpha: Tensor) -> Layers:
        """Premultiplied colours of a picture with alpha [H,W]. Coverage stays: it tells what a surface hides."""
        return self._lit(self.front[:3] * alpha, self.back[:3] * alpha)

    def alpha(self, alpha: Tensor) -> Layers:
        """The same layers, with alpha [H,W] in place of every colour."""
        return self._lit((self.front[3:] * alpha).expand(3, -1, -1), (self.back[3:] * alpha).expand(3, -1, -1))

    def _lit(self, front: Tensor, back: Tensor) -> Layers:
        return replace(self, front=torch.cat([front, self.front[3:]]), back=torch.cat([back, self.back[3:]]))


@dataclass(frozen=True, eq=False)
class Surfaces:
    """What differs from the photo alone: the pixels that mix two surfaces, and those behind which another one goes on.

    Attributes:
        index: [n] flat index of each pixel, ascending.
        front, back: [4,n] premultiplied RGBA; front_depth, back_depth: [n] in the units of what was split.
        distance: [n] px to the edge across which the back element was found; 0 where it is seen through a mixed pixel.
    """

    index: Tensor
    front: Tensor
    front_depth: Tensor
    back: Tensor
    back_depth: Tensor
    distance: Tensor


def jump_threshold(a: Tensor, b: Tensor) -> Tensor:
    """Smallest difference of radius that separates two surfaces, for radii a and b of neighbouring pixels."""
    return JUMP_PX + JUMP_RELATIVE * torch.minimum(a.abs(), b.abs())
