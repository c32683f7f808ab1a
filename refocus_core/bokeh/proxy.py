"""What a long rendering will show, soon: a draft of a small copy of the photo."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from ..types import DefocusMap, Kernel, Progress
from .renderer import render

LONG_EDGE_PX = 512
"""Long side of the small copy at most. A larger one shows more, and comes later."""

WORTH = {"normal": 9.0, "best": 4.0}
"""By quality: how many times the pixels of the copy all frames have together, for it to cost less than a tenth of the rendering.
On a CPU thread the copy takes .45 s, a megapixel about 6.5 s in normal quality and 16 s in best."""


def proxy(
    image_linear: Tensor,
    defocus_map: DefocusMap,
    kernel: Kernel | None = None,
    *,
    quality: str = "normal",
    highlight_boost: float = 0.0,
    progress: Progress | None = None,
) -> Tensor | None:
    """The first frame as `render` will show it, small and in draft quality; without background plate and matte.

    Args:
        image_linear, defocus_map, kernel, highlight_boost, progress: as for `render`.
        quality: of the rendering that follows.

    Returns:
        [1,3,h,w] with a long side of at most `LONG_EDGE_PX`; None where it would cost more than a tenth of that rendering.
    """
    batch, _, height, width = image_linear.shape
    scale = min(1.0, LONG_EDGE_PX / max(height, width))
    if quality not in WORTH or batch < WORTH[quality] * scale**2:
        return None
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    small = F.interpolate(image_linear[:1].float(), size, mode="area")
    reduced = _reduced(defocus_map, size, scale)
    return render(small, reduced, kernel, quality="draft", highlight_boost=highlight_boost, progress=progress)


def _reduced(defocus_map: DefocusMap, size: tuple[int, int], scale: float) -> DefocusMap:
    """The first frame of a map at `scale` times its size. Pixels are picked: a mean across an edge is the depth of nothing."""
    radius, disparity = (
        F.interpolate(values[:1, None], size, mode="nearest")[:, 0] for values in (defocus_map.radius_px, defocus_map.disparity)
    )
    law = None if defocus_map.law is None else defocus_map.law.frame(0)
    return DefocusMap(
        radius * scale,
        disparity,
        defocus_map.focus_disparity[:1],
        defocus_map.gain_px[:1] * scale,
        None if law is None else law.scaled(scale),
        defocus_map.edge_px * scale,
    )
