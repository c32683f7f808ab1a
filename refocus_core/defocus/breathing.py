"""Focus breathing: as the focus comes nearer, the image moves away from the lens and shows the scene larger.

A thin lens that is focused at s_f images the scene in proportion to the distance of the image, f s_f / (s_f - f). Over a clip the
frame that is focused farthest shows all of the picture, and every other one a part of it, magnified. Real lenses breathe less or
more, by how they are built; cine lenses hardly at all.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..checks import check_image, check_kind, check_number, match_batch
from ..color import linear_to_srgb, srgb_to_linear
from ..images import magnified
from ..optics import Lens, Strength, image_distance
from ..types import DefocusMap


def magnification(lens: Strength, focus_disparity: Tensor, amount: float, farthest: float | None = None) -> Tensor | None:
    """How many times as large as in the frame that is focused farthest every frame shows the scene, [B].

    Args:
        lens: a camera.
        focus_disparity: [B] in 1/m.
        amount: 0..1, how much of what a thin lens does. 0 returns None.
        farthest: the least focus disparity of the clip, of which these may be a part; None: of these frames.

    Raises:
        TypeError, ValueError: on an amount out of range, a strength that is no camera's, or a focus within the focal length.
    """
    check_number(amount, "breathing")
    if not 0 <= amount <= 1:
        raise ValueError(f"breathing must lie in 0..1, got {amount}. 0 keeps the size, 1 is a thin lens's own.")
    if amount == 0:
        return None
    if not isinstance(lens, Lens):
        raise ValueError(
            "breathing needs a camera: how the picture grows follows from the focal length. Set the strength to camera (on the "
            "command line give --f-number), or breathing to 0."
        )
    least = focus_disparity.min() if farthest is None else focus_disparity.new_tensor(farthest)
    ratio = image_distance(lens, focus_disparity) / image_distance(lens, least[None])
    return (1 + amount * (ratio - 1)).to(focus_disparity)


@torch.no_grad()
def imaged(
    defocus_map: DefocusMap, picture_srgb: Tensor, alpha: Tensor | None = None
) -> tuple[DefocusMap, Tensor, Tensor | None]:
    """A blurred picture and its map as large as the lens shows them: both are magnified about the middle, and radii along.

    Args:
        defocus_map: that of the blur.
        picture_srgb: [B,3,H,W] sRGB, blurred by it.
        alpha: [B,1,H,W] or [1,1,H,W], or None.

    Returns:
        The same three; what is not magnified stays bit for bit. The map returned has no magnification left.

    Raises:
        TypeError, ValueError: on a map or picture that is none, or batches that differ.
    """
    check_kind(defocus_map, DefocusMap, "defocus_map")
    check_image(picture_srgb, "picture")
    scales = defocus_map.magnification
    if scales is None or bool((scales == 1).all()):
        return defocus_map, picture_srgb, alpha
    batch = len(picture_srgb)
    every = match_batch(scales, batch, "The defocus map").tolist()
    out = picture_srgb.clone()
    seen = None if alpha is None else match_batch(alpha, batch, "alpha").clone()
    for b, scale in enumerate(every):
        if scale != 1:
            out[b] = linear_to_srgb(magnified(srgb_to_linear(picture_srgb[b].float()), scale)).to(out)
            if seen is not None:
                seen[b] = magnified(seen[b], scale)
    return _map(defocus_map, scales), out, seen


def _map(defocus_map: DefocusMap, scales: Tensor) -> DefocusMap:
    """Pixels are picked: a mean across an edge is the depth of nothing."""
    both = torch.stack([defocus_map.radius_px, defocus_map.disparity], 1)
    radius, disparity = torch.stack([_picked(frame, float(scale)) for frame, scale in zip(both, scales, strict=True)], 1)
    return DefocusMap.from_radius(radius * scales.to(radius)[:, None, None], disparity)


def _picked(x: Tensor, scale: float) -> Tensor:
    """[...,H,W] magnified about the middle, each pixel the nearest one."""
    for dim in (-2, -1):
        n = x.shape[dim]
        at = ((torch.arange(n, dtype=torch.float64) + 0.5 - n / 2) / scale + n / 2).floor().long().clamp_(0, n - 1)
        x = x.index_select(dim, at.to(x.device))
    return x
