"""What is done to each frame of a clip beside its depth and its focus."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from ..depth import DepthModel
from ..types import DefocusMap

Sharpen = Callable[[Tensor], Tensor]
"""A frame [1,3,H,W] sRGB -> the same, all in focus."""
Blurred = tuple[Tensor, Tensor | None]
"""A frame [1,3,H,W] sRGB and its alpha [1,1,H,W] or None."""
Blurs = Callable[[Tensor, Tensor, Tensor | None, DefocusMap], Blurred]
"""A sharp frame, the same as it was taken, its alpha and its defocus map -> the frame and its alpha, blurred."""


@dataclass(frozen=True)
class Steps:
    """The steps of a frame.

    Attributes:
        model: the network of depth, on the device on which frames are worked on.
        sharpen: takes away the blur that the clip has.
        blur: puts the lens's blur on.
    """

    model: DepthModel
    sharpen: Sharpen
    blur: Blurs
