"""The part of a picture between two depths, as an alpha matte with its own colours, and the picture without it.

Edges are found and unmixed as the renderer does it (`surfaces`): coverage by closed-form matting where the map is soft, both
colours beside every edge, and what lies behind filled in from the far side.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..checks import check_image, check_kind, check_number, match_batch, same_size
from ..images import gaussian, push_pull
from ..progress import shares
from ..types import DepthMap, Progress
from .limits import Limits
from .surfaces.cache import Prepared, prepare
from .surfaces.layers import Surfaces, jump_threshold
from .surfaces.snap import SNAP_HALF_WIDTH_PX

SPAN_PX = 48.0
"""What the scene's span of disparity counts in px of blur, by which surfaces are told apart. A larger one finds smaller steps of
depth, and fills in more of what lies behind pixel by pixel, which takes longer."""

LEAST_SOFTNESS = 1e-6
"""Share of the span over which selection ends at the least: less is not seen, and float32 ends."""

FLAT_SHARE = 1e-6
"""A scene whose span of disparity is a smaller share of its nearest disparity is one plane: the rest is rounding."""

ALONE = 0.999
"""Coverage from which on a pixel shows the selected part alone, and below 1 minus which it shows the rest alone."""

WORK = (8.0, 1.0, 1.0, 1.0)
"""What the surfaces, the selection, and the colours of either part take of the time."""


@dataclass(frozen=True, eq=False)
class DepthMatte:
    """A picture in two.

    Attributes:
        coverage: [B,H,W] of the selected part, 0..1.
        foreground: [B,3,H,W] linear, its own colours, not multiplied by coverage; where it covers nothing they go on smoothly.
        background: [B,3,H,W] linear, the rest, with what the selected part hides filled in.
    """

    coverage: Tensor
    foreground: Tensor
    background: Tensor


def around(depth_map: DepthMap, disparity: Tensor, tolerance: float) -> tuple[Tensor, Tensor]:
    """Nearest and farthest disparity [B], `tolerance` as a share of the scene's span to either side of `disparity` [B]."""
    reach = tolerance * depth_map.span()
    return disparity + reach, disparity - reach


def between(depth_map: DepthMap, near: float, far: float) -> tuple[Tensor, Tensor]:
    """Nearest and farthest disparity [B] from shares of the scene's span: 0 its farthest, 1 its nearest end.

    Raises:
        ValueError: if `near` lies behind `far`.
    """
    check_kind(depth_map, DepthMap, "depth_map")
    for name, value in (("near", near), ("far", far)):
        check_number(value, name)
    if not near >= far:  # also refuses NaN
        raise ValueError(f"near must not be less than far (1 is the nearest thing), got near {near:g} and far {far:g}.")
    span = depth_map.span()
    known = depth_map.known_range if depth_map.metric else (0.0, 1.0)
    farthest = depth_map.extremes()[0] if known is None else torch.full_like(span, known[0])
    return farthest + near * span, farthest + far * span


@torch.no_grad()
def depth_matte(
    image_linear: Tensor,
    depth_map: DepthMap,
    nearest: Tensor,
    farthest: Tensor,
    *,
    softness: float = 0.05,
    limits: Limits | None = None,
    progress: Progress | None = None,
) -> DepthMatte:
    """Cut out what lies between two depths.

    Args:
        image_linear: [B,3,H,W] linear.
        depth_map: of the same size, for one frame or for each.
        nearest, farthest: [B] or [1] disparities between which all is selected; larger = nearer.
        softness: over how much depth beyond them selection ends, as a share of the scene's span, above 0. Edges of surfaces are
            as sharp as the picture has them, whatever it is.
        limits: how much is worked on at a time.
        progress: called often, along each frame; may raise to cancel.

    Raises:
        TypeError, ValueError: on wrong shapes or non-finite values, `nearest` below `farthest`, or a softness not above 0.
    """
    check_image(image_linear, "image")
    check_kind(depth_map, DepthMap, "depth_map")
    check_number(softness, "softness")
    batch, _, h, w = image_linear.shape
    same_size(depth_map.disparity, h, w, "depth")
    if not softness > 0:
        raise ValueError(f"softness must be above 0, got {softness}.")
    if not bool((nearest >= farthest).all()):
        raise ValueError(f"The nearer limit must be the larger disparity, got {nearest.tolist()} and {farthest.tolist()}.")
    device, image = image_linear.device, image_linear.float()
    disparity = gaussian(depth_map.disparity, depth_map.edge_px) if depth_map.edge_px else depth_map.disparity
    disparity = match_batch(disparity, batch, "The depth").to(device)
    span = match_batch(_span(depth_map), batch, "The depth").tolist()
    limit = [match_batch(v.view(-1), batch, "The selection").tolist() for v in (nearest, farthest)]
    part_px = (limits or Limits()).part_px(device)
    parts = [
        _split(
            picture,
            -d * (SPAN_PX / whole),
            _Selection(-near * SPAN_PX / whole, -far * SPAN_PX / whole, max(softness, LEAST_SOFTNESS) * SPAN_PX),
            part_px,
            step,
        )
        for picture, d, whole, near, far, step in zip(image, disparity, span, *limit, shares(progress, [1] * batch), strict=True)
    ]
    coverage, foreground, background = (torch.stack(values) for values in zip(*parts, strict=True))
    return DepthMatte(coverage, foreground, background)


def _span(depth_map: DepthMap) -> Tensor:
    """[B] span of disparity by which surfaces are told apart; of one plane, as if it reached from there to infinity."""
    span, nearest = depth_map.span(), depth_map.extremes()[1]
    nearest = nearest.where(nearest > 0, torch.ones_like(nearest))
    return span.where(span > FLAT_SHARE * nearest, nearest)


@dataclass(frozen=True)
class _Selection:
    """Depths, larger = farther, between which all is selected, and over how much more selection ends."""

    nearest: float
    farthest: float
    margin: float

    def share(self, depth: Tensor) -> Tensor:
        """How far a surface of this depth is selected, 0..1."""
        return 1 - torch.maximum(self.nearest - depth, depth - self.farthest).div(self.margin).clamp(0, 1)


def _split(
    image: Tensor, depth: Tensor, selection: _Selection, part_px: int, progress: Progress
) -> tuple[Tensor, Tensor, Tensor]:
    """Coverage [H,W] and both pictures [3,H,W] of one frame; depth: [H,W] px of blur, larger = farther."""
    finding, selecting, inner, outer = shares(progress, WORK)
    prepared = prepare(image, depth, None, SNAP_HALF_WIDTH_PX, part_px, finding)
    coverage = selection.share(depth if prepared.reference_coc is None else prepared.reference_coc)
    in_it, out_of_it = (_Picture(image, share) for share in (coverage, 1 - coverage))
    at, edges = _edges(prepared)
    if len(at):
        front, back = selection.share(edges.front_depth), selection.share(edges.back_depth)
        alpha, own = edges.front[3], edges.front[:3] / edges.front[3].clamp_min(1 - ALONE)
        coverage.flatten()[at] = alpha * front + (1 - alpha) * back
        in_it.show(at, own, alpha * front, edges.back[:3], back * (1 - alpha * front))
        out_of_it.show(at, own, alpha * (1 - front), edges.back[:3], 1 - back)
    selecting(1, 1)
    # What shows one part alone is the photo, bit for bit.
    inside = torch.where(coverage >= 1, image, in_it.whole())
    inner(1, 1)
    outside = torch.where(1 - coverage >= 1, image, out_of_it.whole())
    outer(1, 1)
    return coverage, inside, outside


class _Picture:
    """Colours of one part of a picture, as far as they are known.

    Args:
        image: [3,H,W]; share: [H,W] of each pixel that is of this part.
    """

    def __init__(self, image: Tensor, share: Tensor) -> None:
        self._colours, self._known = image.clone(), (share >= ALONE).to(image)

    def show(self, at: Tensor, front: Tensor, front_share: Tensor, back: Tensor, back_share: Tensor) -> None:
        """Take the pixels `at` [n] from both of their surfaces, colours [3,n], by what of them is of this part."""
        total = front_share + back_share
        mean = (front * front_share + back * back_share) / total.clamp_min(1 - ALONE)
        self._colours.flatten(1)[:, at] = mean
        self._known.flatten()[at] = total.clamp(0, 1)

    def whole(self) -> Tensor:
        """[3,H,W] with smooth colours where none are known; as it is if none are at all."""
        if not bool((self._known > 0).any()):
            return self._colours
        return torch.lerp(push_pull(self._colours, self._known), self._colours, self._known)


def _edges(prepared: Prepared) -> tuple[Tensor, Surfaces]:
    """Flat index of the pixels that show, or hide, two surfaces, and these."""
    s = prepared.surfaces
    if prepared.slot is None:
        return s.index, s
    slot = prepared.slot.flatten()
    at = (slot >= 0).nonzero()[:, 0]
    element = slot[at].long()
    kept = (s.back_depth - s.front_depth > jump_threshold(s.front_depth, s.back_depth))[element] & (s.back[3, element] > 0)
    element = element[kept]
    return at[kept], Surfaces(
        element,
        s.front[:, element],
        s.front_depth[element],
        s.back[:, element],
        s.back_depth[element],
        s.distance[element],
    )
