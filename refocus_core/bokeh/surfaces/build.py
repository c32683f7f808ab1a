"""From one picture and its signed radius map to a layered picture: what is seen, and what lies behind it near depth edges.

Every pixel has a front element (colour, coverage, radius) and, within reach of a depth jump on its nearer side, a back element
with the farther side's radius and a colour filled in from that side (a layered depth image: Shade et al., SIGGRAPH 1998).
Pixels that mix both sides of a jump are split between the two.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ...images import push_pull, put, take
from ...progress import shares, silent
from ...types import Progress
from .hidden import FLOOD_GRAIN_PX, far_side, fill_colour, local_mean, smoothed_depth
from .layers import Layers, Surfaces, jump_threshold
from .matting import EdgeMatte
from .unmix import MOSTLY, Mixed, unmix, unmix_matte

SOLID_MATTE = 0.95
"""Coverage above which a pixel of a matte shows the foreground alone, so that its radius is the foreground's."""

EMPTY_MATTE = 0.02
"""Coverage below which a pixel of a matte shows the background alone."""

HIDDEN_MARGIN_PX = 2
"""Added to the step of the radius, the distance up to which a blurred edge opens the view on what lies behind it."""

WORK = (3.0, 2.0, 4.0, 1.0)
"""What the flood, unmixing, the colours behind and the elements take of the time."""


@dataclass(frozen=True, eq=False)
class _Hidden:
    """Pixels behind which another surface goes on.

    Attributes:
        at: [n] flat index; color: [3,n] and depth: [n] of the surface behind.
    """

    at: Tensor
    color: Tensor
    depth: Tensor


def split(image: Tensor, depth: Tensor, matte: EdgeMatte | None = None, progress: Progress = silent) -> Surfaces:
    """Find the surfaces behind depth edges of a picture [3,H,W] (linear).

    Args:
        depth: [H,W] px of blur, larger = farther: a signed radius, or disparity at the largest gain it is wanted for.
        matte: of its soft transitions, which are steps in `depth` (`EdgeMatte.stepped`).
        progress: called at each step of the flood and after each slab of colours.
    """
    flooding, unmixing, filling, _ = shares(progress, WORK)
    span = float(depth.max() - depth.min())
    far_depth, distance = far_side(depth, math.ceil(span) + HIDDEN_MARGIN_PX, flooding)
    if not bool((distance < float("inf")).any()):
        none, colors = depth.new_zeros(0), image.new_zeros(4, 0)
        return Surfaces(torch.zeros(0, dtype=torch.long, device=depth.device), colors, none, colors, none, none)
    is_hidden = distance <= far_depth - depth + HIDDEN_MARGIN_PX
    mixed = _mixed(image, depth, matte, far_depth, is_hidden, unmixing)
    hidden = _hidden(image, depth, far_depth, distance, is_hidden, mixed, filling)
    return _elements(image, depth, distance, is_hidden, mixed, hidden)


def _mixed(
    image: Tensor, depth: Tensor, matte: EdgeMatte | None, far_depth: Tensor, is_hidden: Tensor, progress: Progress
) -> Mixed:
    """The pixels that mix both sides of an edge, by the map at its steps and by the matte where it was soft."""
    mixed = unmix(image, depth, None if matte is None else matte.band, progress)
    if matte is not None:
        mixed = mixed.and_also(unmix_matte(image, matte))
    # A small step with a larger one beyond it is part of one surface: split there, nothing would lie behind that pixel.
    behind, beyond = take(is_hidden.flatten(), mixed.at), take(far_depth.flatten(), mixed.at)
    whole = behind & (beyond - mixed.far_depth > mixed.far_depth - mixed.near_depth)
    return mixed.where(~whole)


def _hidden(
    image: Tensor, depth: Tensor, far_depth: Tensor, distance: Tensor, is_hidden: Tensor, mixed: Mixed, progress: Progress
) -> _Hidden:
    """Depths and colours behind near surfaces, filled in slab by slab of far depth from the far colours that are seen: all
    pixels, and the far part of mixed ones."""
    seen_color, seen_weight, seen_depth = image.clone(), torch.ones_like(depth), depth.clone()
    put(seen_color.flatten(1), mixed.at, mixed.far)
    put(seen_depth.flatten(), mixed.at, mixed.far_depth)
    put(seen_weight.flatten(), mixed.at, (1 - mixed.alpha).clamp_min(0))
    at = is_hidden.flatten().nonzero()[:, 0]
    calm = (take(distance.flatten(), at) / FLOOD_GRAIN_PX).clamp_(0, 1)
    behind = smoothed_depth(take(far_depth.flatten(), at), take(depth.flatten(), at), calm, at, depth.shape)
    limit = torch.where(is_hidden, 0.5 * (depth + far_depth), torch.inf)
    limit.flatten()[mixed.at] = torch.inf
    filled = fill_colour(seen_color, seen_weight, seen_depth, limit, behind, at, progress)
    return _Hidden(at, torch.lerp(filled, local_mean(filled, at, depth.shape, FLOOD_GRAIN_PX // 2), calm), behind)


def _elements(image: Tensor, depth: Tensor, distance: Tensor, is_hidden: Tensor, mixed: Mixed, hidden: _Hidden) -> Surfaces:
    """Front and back elements of all pixels that are mixed, or have something behind them."""
    listed = is_hidden.flatten().clone()
    listed[mixed.at] = True
    at = listed.nonzero()[:, 0]
    slot = torch.zeros(depth.numel(), dtype=torch.int32, device=depth.device)
    slot[at] = torch.arange(len(at), dtype=torch.int32, device=depth.device)
    front = torch.cat([take(image.flatten(1), at), image.new_ones(1, len(at))])
    back = front.new_zeros(4, len(at))
    front_depth, back_depth, back_distance = (take(t.flatten(), at) for t in (depth, depth, distance))
    of = slot[hidden.at].long()
    back[:3, of], back[3, of], back_depth[of] = hidden.color, 1.0, hidden.depth
    of = slot[mixed.at].long()
    front[:3, of], front[3, of], front_depth[of] = mixed.near, mixed.alpha, mixed.near_depth
    # Of mixed pixels the far part is seen, and fills the whole pixel behind the near part.
    seen = mixed.alpha < 1
    of, alpha, far = of[seen], mixed.alpha[seen], mixed.far[:, seen]
    # The less of the far part shows, the less its colour is worth, and the more what is filled in from around it.
    filled = torch.where(back[3, of] > 0, back[:3, of], far)
    far = torch.lerp(far, filled, (alpha / MOSTLY).clamp_max(1))
    back[:3, of], back[3, of], back_depth[of], back_distance[of] = far, 1.0, mixed.far_depth[seen], 0.0
    return Surfaces(at, front, front_depth, back, back_depth, back_distance)


def compose(image: Tensor, radius: Tensor, index: Tensor, surfaces: Surfaces) -> Layers:
    """Layers of a picture [3,H,W] with signed radius [H,W].

    Args:
        surfaces: its n elements, whose depths are signed radii now; where they are no jump any more, the photo stays as it is.
        index: [n] flat index of each.
    """
    front = torch.cat([image, torch.ones_like(image[:1])])
    front_radius, back, back_radius = radius.clone(), torch.zeros_like(front), radius.clone()
    edge = torch.zeros_like(radius, dtype=torch.bool)
    step = surfaces.back_depth - surfaces.front_depth
    there = step > jump_threshold(surfaces.front_depth, surfaces.back_depth)
    there &= surfaces.distance <= step + HIDDEN_MARGIN_PX
    element = there.nonzero()[:, 0]
    at = take(index, element)
    put(front.flatten(1), at, take(surfaces.front, element))
    put(front_radius.flatten(), at, take(surfaces.front_depth, element))
    put(back.flatten(1), at, take(surfaces.back, element))
    put(back_radius.flatten(), at, take(surfaces.back_depth, element))
    edge.flatten()[at] = True
    return Layers(front, front_radius, back, back_radius, edge)


def build_with_plate(image: Tensor, radius: Tensor, plate: Tensor, plate_radius: Tensor | None, matte: Tensor | None) -> Layers:
    """Layers of a picture whose hidden background is given.

    Args:
        image: [3,H,W]; radius: [H,W].
        plate: [3,H,W] linear, the picture without its foreground.
        plate_radius: [H,W], or None to continue the radius seen beside the foreground.
        matte: [H,W] coverage of the foreground, or None to split edges by colour.
    """
    if matte is None:
        surfaces = split(image, radius)
        layers = compose(image, radius, surfaces.index, surfaces)
        has_background = layers.back[3] > 0
        mixed = (layers.front[3] < 1) | ~has_background
        back = torch.where(mixed, layers.back, torch.cat([plate, torch.ones_like(plate[:1])]))
        back_radius = (
            layers.back_radius if plate_radius is None else torch.where(has_background & ~mixed, plate_radius, layers.back_radius)
        )
        return Layers(layers.front, layers.front_radius, back, back_radius, layers.edge)
    solid = (matte > SOLID_MATTE).float()
    empty = (matte < EMPTY_MATTE).float()
    if float(solid.sum()) == 0:
        solid = (matte >= 0.5 * matte.max()).float()
    # Where nothing of the foreground lies, the radius stays the photo's: it tells what is in focus there.
    near_radius = torch.where(solid > 0, radius, push_pull(radius[None], solid)[0])
    front_radius = torch.where(matte > 0, near_radius, radius)
    if plate_radius is None:
        plate_radius = torch.where(empty > 0, radius, push_pull(radius[None], empty)[0])
    front_color = (image - (1 - matte) * plate).clamp_min(0) * (matte > 0)
    # where the plate is seen alone, the photo itself is the better plate
    back_color = torch.where(matte <= 0, image, plate)
    front = torch.cat([front_color, matte[None]])
    back = torch.cat([back_color, torch.ones_like(matte[None])])
    return Layers(front, front_radius, back, plate_radius, matte > 0)
