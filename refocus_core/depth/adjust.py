"""Depth mended by hand: tones of the whole map, an area that a mask marks, and a mask of one depth.

What is done, in this order; a step whose setting is neutral is left out, and without any step the map is returned as it is:

    invert      near becomes far
    limits      nothing is farther than one level, nothing nearer than another
    gamma       the middle comes nearer (above 1) or goes farther away (below 1); the ends stay
    smooth      unevenness is blurred away, with a photo up to its edges only
    area        what the mask marks is flattened, laid into a plane, pulled to a depth or moved there as a whole

A **level** is a place in the range of the scene's disparity: 0 is farthest, 1 nearest. The range is 0..1 for relative depth, else
the map's `known_range`, else that of the valid pixels of the whole batch, so that a clip has one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from types import NoneType
from typing import Literal

import torch
from torch import Tensor

from .. import images
from ..checks import check_image, check_kind, check_map, check_number, match_batch
from ..color import luminance
from ..types import DepthMap

AREA_WORDS = ("none", "flatten", "plane", "pull", "move")
"""What can be done to the masked area; see `Area`."""
POINT_RADIUS = 0.01
"""Radius of the disc that a picked point measures, as a fraction of the long edge. Larger: steadier, misses small things."""
LARGEST_SMOOTH = 10.0
"""Percent of the long edge; more leaves nothing of a scene."""
PHOTO_CONTRAST = 0.05
"""Difference of brightness in the photo, in sRGB units, at which smoothing halves. Smaller stops at fainter edges and lets
texture into the depth."""
SOLID = 1 - 1e-6
"""Share from which a pixel counts as wholly replaced; less than 1 by rounding only."""
_FLAT_DIRECTION = 1e-9
"""Share of the pixels' extent, squared, below which they span no direction. Larger: narrow strokes give no slope across them."""


@dataclass(frozen=True)
class At:
    """A depth: a level, a picked point or a distance; exactly one of them.

    Attributes:
        level: 0 farthest .. 1 nearest.
        point: (x, y) in 0..1 of the width from the left and of the height from the top: the median of a small disc in each frame.
        distance_m: metres from the camera; infinity is allowed. Needs depth in metres.

    Raises:
        ValueError: if not exactly one is given, or it is out of its range.
    """

    level: float | None = None
    point: tuple[float, float] | None = None
    distance_m: float | None = None

    def __post_init__(self) -> None:
        if [self.level, self.point, self.distance_m].count(None) != 2:
            raise ValueError("A depth is given as one of level, point or distance_m.")
        for name, value in (("level", self.level), ("distance_m", self.distance_m)):
            if value is not None:
                check_number(value, name)
        check_kind(self.point, (tuple, NoneType), "point")
        for value in self.point or ():
            check_number(value, "point")
        if self.level is not None and not 0 <= self.level <= 1:
            raise ValueError(f"level must lie in 0..1 (0 farthest, 1 nearest), got {self.level}.")
        if self.point is not None and not all(0 <= value <= 1 for value in self.point):
            raise ValueError(f"point must lie in 0..1 (fractions of the width and height, not pixels), got {self.point}.")
        if self.distance_m is not None and not self.distance_m > 0:  # also refuses NaN
            raise ValueError(f"distance_m must be above 0 m, got {self.distance_m}.")


@dataclass(frozen=True, eq=False)
class Area:
    """What is done where a mask is white; where it is grey, by that share.

    - flatten: one depth, the median of the area (where its mask is above half of its largest value) in each frame.
    - plane: the plane that fits the area best, by least squares of disparity, which is what a flat surface has.
    - pull: towards the depth `at`; wholly there, the area is flat.
    - move: the whole area by one step of disparity, so that its median comes to `at`; its relief stays.

    Attributes:
        mask: [H,W] or [B,H,W] in 0..1, of the map's shape; resized if its size is another one. An empty one changes nothing.
        action: one of `AREA_WORDS`.
        amount: 0..1, how much of it is done.
        at: the depth for pull and move.
        feather: standard deviation in percent of the long edge by which the mask is blurred. 0: its edges are taken as they are.

    Raises:
        ValueError: if a value is out of its range, or pull and move lack `at`.
    """

    mask: Tensor
    action: Literal["none", "flatten", "plane", "pull", "move"] = "flatten"
    amount: float = 1.0
    at: At | None = None
    feather: float = 0.0

    def __post_init__(self) -> None:
        if self.action not in AREA_WORDS:
            raise ValueError(f"The action on an area is one of {', '.join(AREA_WORDS)}, got {self.action!r}.")
        check_kind(self.mask, Tensor, "mask")
        check_map(self.mask[None] if self.mask.ndim == 2 else self.mask, "mask")
        check_number(self.amount, "amount")
        check_number(self.feather, "feather")
        if not 0 <= self.amount <= 1:
            raise ValueError(f"amount must lie in 0..1, got {self.amount}.")
        if not 0 <= self.feather <= LARGEST_SMOOTH:
            raise ValueError(f"feather must lie in 0..{LARGEST_SMOOTH:g} percent of the long edge, got {self.feather}.")
        if self.action in ("pull", "move") and self.at is None:
            raise ValueError(f"{self.action} needs a depth to go to: a level, a point or a distance.")


def adjust(
    depth_map: DepthMap,
    *,
    invert: bool = False,
    far_limit: float = 0.0,
    near_limit: float = 1.0,
    gamma: float = 1.0,
    smooth: float = 0.0,
    image_srgb: Tensor | None = None,
    area: Area | None = None,
) -> DepthMap:
    """Mend a depth map; the steps and their order are at the head of this file.

    Args:
        invert: the range is turned over: nearest becomes farthest.
        far_limit, near_limit: levels; what lies beyond them is put there. The range is not stretched: metres stay metres.
        gamma: above 0. A level t becomes t ** (1/gamma).
        smooth: standard deviation in percent of the long edge, 0..10.
        image_srgb: [B,3,H,W] or one frame for all, of the map's size: smoothing stops at its edges. Without it edges of depth are
            smoothed as well, and `edge_px` grows by as much.
        area: what to do to a part of it.

    Returns:
        The map; the one that was given, if nothing changes it. Pixels that are not `valid` take part in no measurement and are
        not smoothed. A pixel whose depth flatten, plane or pull has wholly replaced becomes valid. `known_range` follows the
        limits, and grows where an area leaves it; relative depth ends at 0 and 1.

    Raises:
        TypeError, ValueError: if a value is out of its range, mask or picture do not fit, `at` is a distance and the map is not
            in metres, or there is no known depth where one is to be measured.
    """
    check_kind(depth_map, DepthMap, "depth_map")
    check_kind(invert, bool, "invert")
    for name, value in (("gamma", gamma), ("far_limit", far_limit), ("near_limit", near_limit), ("smooth", smooth)):
        check_number(value, name)
    if not (math.isfinite(gamma) and gamma > 0):
        raise ValueError(f"gamma must be above 0, got {gamma}.")
    if not 0 <= far_limit < near_limit <= 1:
        raise ValueError(f"The limits must be 0 <= far_limit < near_limit <= 1, got {far_limit:g} and {near_limit:g}.")
    if not 0 <= smooth <= LARGEST_SMOOTH:
        raise ValueError(f"smooth must lie in 0..{LARGEST_SMOOTH:g} percent of the long edge, got {smooth}.")
    depth_map = _limited(_inverted(depth_map) if invert else depth_map, far_limit, near_limit)
    if gamma != 1:
        depth_map = _bent(depth_map, gamma)
    if smooth > 0:
        depth_map = _smoothed(depth_map, smooth, image_srgb)
    return depth_map if area is None else _mended(depth_map, area)


def isolate(depth_map: DepthMap, at: At | None, *, tolerance: float = 0.05, softness: float = 0.05) -> Tensor:
    """Mask [B,H,W] of what lies at a depth: 1 within `tolerance` of it, falling to 0 over `softness` beyond.

    Args:
        at: the depth; None for none, and a mask of zeros.
        tolerance, softness: shares of the range of disparity, 0..1. With a softness of 0 the mask is 0 or 1.

    Raises:
        ValueError: if a value is out of its range, or as `adjust` for `at`. Pixels that are not valid are 0.
    """
    check_kind(depth_map, DepthMap, "depth_map")
    check_kind(at, (At, NoneType), "at")
    for name, value in (("tolerance", tolerance), ("softness", softness)):
        check_number(value, name)
        if not 0 <= value <= 1:
            raise ValueError(f"{name} must lie in 0..1 (a share of the range of depth), got {value}.")
    if at is None:
        return torch.zeros_like(depth_map.disparity)
    far, near = _range(depth_map)
    span = near - far
    away = (depth_map.disparity - _disparity_at(depth_map, at).view(-1, 1, 1)).abs()
    # One plane alone has no span: all of it lies at its depth. Rounding must not decide at the edge of the tolerance.
    beyond = away - tolerance * span - torch.finfo(torch.float32).eps * near
    mask = (beyond <= 0).float() if softness * span == 0 else (1 - beyond / (softness * span)).clamp(0, 1)
    return mask if depth_map.valid is None else mask * depth_map.valid


# ---------------------------------------------------------------------------------------------------------------- tones


def _range(depth_map: DepthMap) -> tuple[float, float]:
    """(farthest, nearest) disparity that levels run between."""
    if not depth_map.metric:
        return 0.0, 1.0
    if depth_map.known_range is not None:
        return depth_map.known_range
    known = depth_map.disparity if depth_map.valid is None else depth_map.disparity[depth_map.valid]
    return (float(known.min()), float(known.max())) if known.numel() else (0.0, 0.0)


def _inverted(depth_map: DepthMap) -> DepthMap:
    far, near = _range(depth_map)
    return replace(depth_map, disparity=(far + near - depth_map.disparity).clamp(far, near))


def _limited(depth_map: DepthMap, far_limit: float, near_limit: float) -> DepthMap:
    if far_limit == 0 and near_limit == 1:
        return depth_map
    far, near = _range(depth_map)
    lowest = far + far_limit * (near - far) if far_limit > 0 else 0.0  # at 0 and 1 even what lies beyond the range stays
    highest = far + near_limit * (near - far) if near_limit < 1 else math.inf
    known = depth_map.known_range
    return replace(
        depth_map,
        disparity=depth_map.disparity.clamp(lowest, highest),
        known_range=(max(known[0], lowest), min(known[1], highest)) if known is not None and depth_map.metric else known,
    )


def _bent(depth_map: DepthMap, gamma: float) -> DepthMap:
    far, near = _range(depth_map)
    if near <= far:
        return depth_map
    level = (depth_map.disparity - far) / (near - far)
    bent = far + level.clamp(0, 1) ** (1 / gamma) * (near - far)
    inside = (level > 0) & (level < 1)
    return replace(depth_map, disparity=torch.where(inside, bent, depth_map.disparity))


def _smoothed(depth_map: DepthMap, percent: float, image_srgb: Tensor | None) -> DepthMap:
    d = depth_map.disparity
    batch, h, w = d.shape
    deviation_px = percent / 100 * max(h, w)
    known = torch.ones_like(d) if depth_map.valid is None else depth_map.valid.float()

    def mean(values: Tensor) -> Tensor:
        """Of what is known, around each pixel."""
        return images.gaussian(values * known, deviation_px) / weight

    weight = images.gaussian(known, deviation_px).clamp_min(images.LEAST_WEIGHT)
    if image_srgb is None:
        smooth, edge_px = mean(d), math.hypot(depth_map.edge_px, deviation_px)
    else:
        if check_image(image_srgb).shape[-2:] != (h, w):
            raise ValueError(
                f"The picture is {image_srgb.shape[-1]}x{image_srgb.shape[-2]} but the depth map is {w}x{h}. Use the "
                "picture that the depth was made from, or resize one of them."
            )
        guide = luminance(match_batch(image_srgb, batch, "image").to(d))[:, 0]
        # Guided filter (He, Sun and Tang 2013): around every pixel, depth is an affine function of the photo's brightness.
        of_guide, of_depth = mean(guide), mean(d)
        slope = (mean(guide * d) - of_guide * of_depth) / (mean(guide * guide) - of_guide.square() + PHOTO_CONTRAST**2)
        smooth, edge_px = mean(slope) * guide + mean(of_depth - slope * of_guide), depth_map.edge_px
    smooth = _in_bounds(smooth, depth_map)
    return replace(depth_map, disparity=torch.where(known > 0, smooth, d), edge_px=edge_px)


def _in_bounds(disparity: Tensor, depth_map: DepthMap) -> Tensor:
    return disparity.clamp(0, None if depth_map.metric else 1)


# ----------------------------------------------------------------------------------------------------------------- area


def _mended(depth_map: DepthMap, area: Area) -> DepthMap:
    d = depth_map.disparity
    if area.action == "none" or area.amount == 0:
        return depth_map
    painted = _painted(area.mask, d)
    if not bool((painted > 0).any()):
        return depth_map
    share = painted
    if area.feather > 0:
        share = images.gaussian(painted, area.feather / 100 * max(d.shape[-2:]))
    share = share * area.amount
    some = painted.flatten(1).any(1).tolist()
    target = torch.stack([_target(depth_map, area, painted, i) if some[i] else d[i] for i in range(d.shape[0])])
    target = _in_bounds(target, depth_map)
    mended = torch.where(share >= SOLID, target, torch.lerp(d, target, share))
    mended = torch.where(share > 0, mended, d)
    valid, known = depth_map.valid, depth_map.known_range
    if valid is not None and area.action != "move":
        valid = valid | (share >= SOLID)
    if known is not None and depth_map.metric:
        changed = mended[share > 0]
        known = min(known[0], float(changed.min())), max(known[1], float(changed.max()))
    return replace(depth_map, disparity=mended, valid=None if valid is None or bool(valid.all()) else valid, known_range=known)


def _painted(mask: Tensor, d: Tensor) -> Tensor:
    """The mask [B,H,W] in 0..1 at the size of the map."""
    mask = check_map(mask[None] if mask.ndim == 2 else mask, "mask").to(d).clamp(0, 1)
    if not bool((mask > 0).any()):  # as Load Image gives it for a picture without one, in a size of its own
        return torch.zeros_like(d)
    return match_batch(images.fit_mask(mask, d.shape[1], d.shape[2], "mask"), d.shape[0], "mask")


def _target(depth_map: DepthMap, area: Area, painted: Tensor, frame: int) -> Tensor:
    """[H,W] what the area would be, were it all done; one frame, in which something is painted."""
    d = depth_map.disparity[frame]
    goal = None if area.at is None else _disparity_at(depth_map, area.at)[frame]
    if area.action == "pull" and goal is not None:
        return goal.expand_as(d)
    inside = painted[frame] > 0.5 * painted[frame].max()
    if depth_map.valid is not None:
        inside = inside & depth_map.valid[frame]
    if not bool(inside.any()):
        where = f" in frame {frame}" if depth_map.disparity.shape[0] > 1 else ""
        raise ValueError(
            f"There is no known depth under the mask{where}. Paint it over a surface that has depth, or pull it to one."
        )
    if area.action == "plane":
        return _plane(d, inside)
    # torch.median takes the lower of two middle values: always the disparity of a surface that is really there.
    middle = d[inside].median()
    return middle.expand_as(d) if goal is None or area.action == "flatten" else d + (goal - middle)


def _plane(d: Tensor, inside: Tensor) -> Tensor:
    """[H,W] the plane a + b x + c y through the pixels `inside`, by least squares; level in directions that they do not span."""
    h, w = d.shape
    # Sums in float64, on the CPU as some accelerators lack it; places in units of the picture, around the middle of the pixels.
    size, at = max(h, w), inside.cpu().nonzero().double()
    middle = at.mean(0)
    terms = torch.cat([torch.ones(len(at), 1, dtype=torch.float64), (at - middle) / size], 1)
    values = d[inside].cpu().double()
    a, down, across = (torch.linalg.pinv(terms.T @ terms, hermitian=True, rtol=_FLAT_DIRECTION) @ (terms.T @ values)).tolist()
    y = torch.arange(h, dtype=torch.float64).view(-1, 1) - middle[0]
    x = torch.arange(w, dtype=torch.float64).view(1, -1) - middle[1]
    return (a + down * y / size + across * x / size).to(device=d.device, dtype=d.dtype)


def _disparity_at(depth_map: DepthMap, at: At) -> Tensor:
    """[B] the disparity that `at` means in each frame."""
    d = depth_map.disparity
    if at.distance_m is not None:
        if not depth_map.metric:
            raise ValueError(
                "A distance in metres needs depth in metres, but this depth is relative. Give the depth near_m and far_m, the "
                "distances of the nearest and the farthest thing, or choose a level or a point."
            )
        return d.new_full((d.shape[0],), 1 / at.distance_m)
    if at.level is not None:
        far, near = _range(depth_map)
        return d.new_full((d.shape[0],), far + at.level * (near - far))
    assert at.point is not None
    selected = images.disc(*at.point, POINT_RADIUS, d).expand_as(d)
    if depth_map.valid is not None:
        selected = selected & depth_map.valid
    if not bool(selected.flatten(1).any(1).all()):
        raise ValueError(
            f"There is no known depth around the point ({at.point[0]:g}, {at.point[1]:g}) in every frame. Choose another point."
        )
    return torch.stack([frame[chosen].median() for frame, chosen in zip(d, selected, strict=True)])
