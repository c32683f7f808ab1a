"""Depth that others made: ComfyUI's geometry dictionaries, and pictures that hold depth or disparity."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import NoneType
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from .. import images
from ..checks import LEAST_M, check_kind, check_number, check_range, match_batch, single_channel
from ..types import DepthMap
from .ranges import fill, in_metres, to_relative

log = logging.getLogger(__name__)

DA3_CANONICAL_FOCAL_PX = 300.0
"""Depth Anything 3 Metric gives depth for a camera of this focal length: depth_m = focal_px * output / 300 (its README)."""
SKY = 0.3
"""Depth Anything 3 calls a pixel sky from this probability on (its own post-processing)."""


def _map(geometry: Mapping[str, Any], key: str, name: str) -> Tensor:
    value = geometry.get(key)
    if not isinstance(value, Tensor) or value.ndim != 3 or value.numel() == 0:
        got = list(value.shape) if isinstance(value, Tensor) else type(value).__name__
        raise ValueError(
            f"{name} needs a tensor {key!r} of shape [B,H,W], got {got}. Connect the output of the node that made it."
        )
    return value


def _check_dict(geometry: object, name: str) -> None:
    if not isinstance(geometry, Mapping):
        raise TypeError(f"{name} must be the dictionary that ComfyUI's geometry nodes pass on, got {type(geometry).__name__}.")


def _lengths(focal_px: float | Tensor | None, batch: int, like: Tensor) -> Tensor | None:
    """[B] focal lengths from a number, a tensor or None."""
    if focal_px is None:
        return None
    f = torch.as_tensor(focal_px, dtype=torch.float32).flatten().to(like.device)
    if f.numel() not in (1, batch) or not bool((torch.isfinite(f) & (f > 0)).all()):
        raise ValueError(f"focal_px must be one positive number, or one for each of {batch} frames, got {f.tolist()}.")
    return f.expand(batch).clone()


def from_distance(
    depth: Tensor, known: Tensor, infinite: Tensor, *, metric: bool, focal_px: Tensor | None, source: str
) -> DepthMap:
    """Distance [B,H,W] along the optical axis -> DepthMap: 1/m where `metric`, else 0..1 with one range over all frames.

    Args:
        known: where `depth` is a positive number. Others are filled from the nearest known pixel and marked in `valid`.
        infinite: where the scene has no end (sky): disparity 0; marked in `valid` as not measured.
    """
    disparity = torch.where(known, 1.0 / torch.where(known, depth, torch.ones_like(depth)), torch.zeros_like(depth))
    finite = known & ~infinite
    disparity = torch.where(infinite, torch.zeros_like(disparity), fill(disparity, finite | infinite))
    if not metric:
        from_zero = bool(infinite.any())
        disparity = to_relative(disparity, finite, from_zero=from_zero)
        disparity = torch.where(infinite, torch.zeros_like(disparity), disparity)
    return DepthMap(disparity, metric, focal_px, None if bool(finite.all()) else finite, source)


def from_da3(
    geometry: Mapping[str, Any],
    focal_px: float | Tensor | None = None,
    *,
    metric: bool | None = None,
    resolution: int | None = None,
) -> DepthMap:
    """Adapt ComfyUI's `DA3_GEOMETRY` (Depth Anything 3): a dict with `depth` [B,H,W] and optionally `sky`, `intrinsics`.

    Only the Metric variant knows metres, and only together with a focal length: depth_m = focal * output / 300, where the
    focal length is in pixels of the picture *as the network saw it* (upstream scales with the intrinsics at the processed
    size). The dictionary says neither which variant made it nor at which size, so both are arguments.

    Args:
        geometry: the dictionary.
        focal_px: focal length in pixels of this picture, one or [B]; overrides what the dictionary holds.
        metric: whether the Metric variant made it. By default yes if `focal_px` is given and the dictionary holds no
            `confidence` and no `intrinsics` (those come from Small and Base). Say False for the Mono variant.
        resolution: long side in px at which the network ran ("resolution" of ComfyUI's node, 504 by default). None takes
            the picture's own size.

    Returns:
        1/m if metric, else 0..1. Sky has disparity 0 and is not `valid`. Multi-view intrinsics become `focal_px`.

    Raises:
        TypeError, ValueError: on a wrong dictionary, or metric without a focal length.
    """
    _check_dict(geometry, "da3_geometry")
    depth = _map(geometry, "depth", "da3_geometry").float()
    batch, height, width = depth.shape
    sky = geometry.get("sky")
    infinite = torch.zeros_like(depth, dtype=torch.bool)
    if sky is not None:
        infinite = _map(geometry, "sky", "da3_geometry").to(depth) >= SKY
        if infinite.shape != depth.shape:
            raise ValueError(f"da3_geometry: sky {list(infinite.shape)} and depth {list(depth.shape)} differ in shape.")
    lengths = _lengths(focal_px, batch, depth)
    if metric is None:
        metric = lengths is not None and "confidence" not in geometry and "intrinsics" not in geometry
    if metric and lengths is None:
        raise ValueError(
            "Depth Anything 3 Metric gives metres only with a focal length (depth = focal_px * output / 300). Give focal_px, the "
            "focal length in pixels of this picture, or take its depth as relative."
        )
    if resolution is not None and resolution < 1:
        raise ValueError(f"resolution must be the long side in px at which Depth Anything 3 ran, got {resolution}.")
    if lengths is None:
        lengths = _da3_focal(geometry.get("intrinsics"), batch, width)
    elif metric:
        shrink = 1.0 if resolution is None else resolution / max(height, width)
        depth = depth * (lengths * (shrink / DA3_CANONICAL_FOCAL_PX)).view(-1, 1, 1)
    known = torch.isfinite(depth) & (depth > 0)
    return from_distance(depth, known, infinite, metric=metric, focal_px=lengths, source="Depth Anything 3")


def _da3_focal(intrinsics: object, batch: int, width: int) -> Tensor | None:
    """Focal lengths in px of the full picture from [1,S,3,3] intrinsics, which are in px of the size the network saw.

    That size is not in the dictionary, but the principal point is: it lies in the middle, so the width was 2*cx.
    """
    if not isinstance(intrinsics, Tensor):
        return None
    k = intrinsics.float().reshape(-1, 3, 3)
    fx, cx = k[:, 0, 0], k[:, 0, 2]
    if k.shape[0] != batch or not bool((torch.isfinite(fx) & (fx > 1) & (cx > 1)).all()):
        return None  # ComfyUI passes identity matrices when the network estimated no camera
    return fx * width / (2 * cx)


def from_moge(geometry: Mapping[str, Any], focal_px: float | Tensor | None = None, *, metric: bool | None = None) -> DepthMap:
    """Adapt ComfyUI's `MOGE_GEOMETRY`: a dict with `depth` [B,H,W] (inf where masked), `mask` and `intrinsics` [B,3,3].

    The intrinsics are in units of the picture's width and height (principal point 0.5) and become pixels here; intrinsics in
    pixels are recognised by their principal point.

    Args:
        geometry: the dictionary.
        focal_px: focal length in px of this picture, in place of the dictionary's.
        metric: whether depth is in metres. By default yes if the dictionary has `normal` and `intrinsics`: those come from
            MoGe-2, which estimates scale; MoGe-1 and panoramas do not. Say True for a MoGe-2 without normals.

    Returns:
        1/m if metric, else 0..1. Masked pixels (sky, or no estimate) have disparity 0 and are not `valid`.

    Raises:
        TypeError, ValueError: on a wrong dictionary.
    """
    _check_dict(geometry, "moge_geometry")
    depth = _map(geometry, "depth", "moge_geometry").float()
    batch, _, width = depth.shape
    intrinsics, mask = geometry.get("intrinsics"), geometry.get("mask")
    if metric is None:
        metric = geometry.get("normal") is not None and isinstance(intrinsics, Tensor)
    masked = torch.isinf(depth)
    if isinstance(mask, Tensor):
        if mask.shape != depth.shape:
            raise ValueError(f"moge_geometry: mask {list(mask.shape)} and depth {list(depth.shape)} differ in shape.")
        masked = masked | ~mask.to(depth.device).bool()
    lengths = _lengths(focal_px, batch, depth)
    if lengths is None and isinstance(intrinsics, Tensor):
        k = intrinsics.float().reshape(-1, 3, 3).to(depth.device)
        if k.shape[0] in (1, batch) and bool((torch.isfinite(k[:, 0, 0]) & (k[:, 0, 0] > 0)).all()):
            unit = torch.where(k[:, 0, 2] <= 1.0, float(width), 1.0)
            lengths = (k[:, 0, 0] * unit).expand(batch).clone()
    known = torch.isfinite(depth) & (depth > 0) & ~masked
    return from_distance(depth, known, masked, metric=metric, focal_px=lengths, source="MoGe")


def from_image(
    image: Tensor,
    kind: Literal["disparity", "depth"] = "disparity",
    near: Literal["bright", "dark"] | None = None,
    *,
    near_m: float | None = None,
    far_m: float | None = None,
    metres_per_unit: float | None = None,
    unknown: float | None = None,
    focal_px: float | Tensor | None = None,
) -> DepthMap:
    """Depth from a picture that holds it. Values are taken as floating-point numbers: 16-bit and EXR precision is kept.

    What a value v means:

    - disparity, in 0..1: v is the relative disparity as it is (1 - v if near is dark). With `near_m` and `far_m` it becomes
      metres: 1/Z = 1/far + v (1/near - 1/far). Outside 0..1 it is stretched to 0..1 over the batch; near must be bright.
    - depth with `metres_per_unit`: Z = v * metres_per_unit (1.0 for an EXR in metres, 0.001 for millimetres). Near is dark.
    - depth with `near_m` and `far_m`: Z runs evenly from near_m to far_m over v in 0..1.
    - depth without any: in 0..1 the relative disparity is 1 - v (v if near is bright). The order is right, its spacing is a
      guess, since disparity goes with 1/Z: a warning is logged. With values above 1 (a depth pass in any unit) Z is
      proportional to v.

    Args:
        image: [B,C,H,W] or [B,H,W] floating point, C = 1, 3 (equal channels) or 4 (the fourth is ignored).
        kind: "disparity" (inverse depth: what Depth Anything V2 and most "depth maps" hold) or "depth" (distance).
        near: which end is near. Default: bright for disparity, dark for depth.
        near_m, far_m: distances in m of the two ends of 0..1; far_m may be infinite for disparity.
        metres_per_unit: for depth, how many metres a value of 1 is.
        unknown: a value that stands for "no depth here", such as 0. NaN always does, and so does infinite disparity, depth of 0
            or less where values are distances, and negative disparity outside 0..1. Infinite depth is disparity 0.
        focal_px: focal length in px of this picture, where known.

    Raises:
        TypeError: if it is not a floating-point tensor.
        ValueError: on a colour picture, wrong shapes or arguments that do not go together.
    """
    check_kind(kind, str, "kind")
    check_kind(near, (str, NoneType), "near")
    numbers = {"near_m": near_m, "far_m": far_m, "metres_per_unit": metres_per_unit, "unknown": unknown}
    for name, value in numbers.items():
        if value is not None:
            check_number(value, name)
    v = single_channel(image, "depth picture")
    encoding = _Encoding(kind, near or ("bright" if kind == "disparity" else "dark"), near_m, far_m, metres_per_unit)
    no_data = torch.isnan(v) if unknown is None else torch.isnan(v) | (v == unknown)
    lengths = _lengths(focal_px, v.shape[0], v)
    known = torch.isfinite(v) & ~no_data
    infinite = torch.isposinf(v) & ~no_data if kind == "depth" else torch.zeros_like(no_data)
    if _is_flat(v[known]):
        log.warning(
            "The depth picture has one value everywhere (%.4g): it is one plane, so all or nothing is in focus.", v[known][0]
        )
    if encoding.holds_distance(v[known]):
        return _from_distances(v, known, infinite, encoding, lengths)
    return _from_unit_range(v, known, infinite, encoding, lengths)


@dataclass(frozen=True)
class _Encoding:
    """What the values of a picture mean; see `from_image`."""

    kind: str
    near: str
    near_m: float | None
    far_m: float | None
    metres_per_unit: float | None

    def __post_init__(self) -> None:
        if self.kind not in ("disparity", "depth") or self.near not in ("bright", "dark"):
            raise ValueError(
                f'kind must be "disparity" or "depth" and near "bright" or "dark", got {self.kind!r} and {self.near!r}.'
            )
        if (self.near_m is None) != (self.far_m is None):
            raise ValueError(
                "Give both near_m and far_m, the distances in metres of the nearest and the farthest value, or neither."
            )
        if self.near_m is not None and self.far_m is not None:
            check_range(self.near_m, self.far_m)
        scale = self.metres_per_unit
        if scale is not None and (self.kind != "depth" or self.near_m is not None or not scale > 0 or self.near != "dark"):
            raise ValueError(
                "metres_per_unit goes with kind='depth', near='dark', without near_m and far_m, and must be positive."
            )
        if scale is not None and not LEAST_M <= scale < math.inf:
            raise ValueError(f"metres_per_unit must be at least {LEAST_M:g} and finite, got {scale:g}.")

    @property
    def source(self) -> str:
        """`DepthMap.source`."""
        return f"picture holding {self.kind}"

    def holds_distance(self, values: Tensor) -> bool:
        """Whether these values are proportional to distance, not positions between two ends."""
        given = self.metres_per_unit is not None
        return self.kind == "depth" and self.near_m is None and (given or not _in_unit_range(values))


def _is_flat(values: Tensor) -> bool:
    """Whether values of more than one pixel are all the same."""
    return values.numel() > 1 and bool((values == values[0]).all())


def _in_unit_range(values: Tensor) -> bool:
    return values.numel() == 0 or (float(values.min()) >= 0 and float(values.max()) <= 1)


def _from_distances(v: Tensor, known: Tensor, infinite: Tensor, encoding: _Encoding, lengths: Tensor | None) -> DepthMap:
    """Values [B,H,W] that are proportional to distance; masks and focal lengths as in `from_distance`."""
    if encoding.near != "dark":
        raise ValueError("Depth with values above 1 grows with distance: near must be 'dark'.")
    scale = encoding.metres_per_unit
    depth, metric = v * (scale or 1.0), scale is not None
    return from_distance(depth, known & (v > 0), infinite, metric=metric, focal_px=lengths, source=encoding.source)


def _from_unit_range(v: Tensor, known: Tensor, infinite: Tensor, encoding: _Encoding, lengths: Tensor | None) -> DepthMap:
    """Values [B,H,W] in 0..1 between two ends, or disparity of any scale; masks and focal lengths as in `from_distance`."""
    v, known = _stretched(v, known, encoding)
    nearness = v if encoding.near == "bright" else 1 - v  # 0 far .. 1 near
    filled = torch.where(infinite, torch.zeros_like(v), fill(torch.where(known, nearness, torch.zeros_like(v)), known | infinite))
    valid = None if bool(known.all()) else known
    near_m, far_m = encoding.near_m, encoding.far_m
    if encoding.kind == "disparity" or near_m is None or far_m is None:
        if encoding.kind == "depth":
            log.warning("Depth picture without metres: order of surfaces is right, spacing is not. Give near_m and far_m.")
        return in_metres(DepthMap(filled, False, lengths, valid, encoding.source), near_m, far_m)
    if not math.isfinite(far_m):
        raise ValueError("far_m must be finite for a depth picture: its values are spread evenly between near_m and far_m.")
    disparity = 1 / (far_m + filled * (near_m - far_m))
    # What is infinitely far lies beyond far_m, so the range that the picture spans is not the scene's.
    known_range = None if bool(infinite.any()) else (1 / far_m, 1 / near_m)
    disparity = torch.where(infinite, torch.zeros_like(disparity), disparity)
    return DepthMap(disparity, True, lengths, valid, encoding.source, known_range)


def _stretched(v: Tensor, known: Tensor, encoding: _Encoding) -> tuple[Tensor, Tensor]:
    """Values in 0..1 and which of them are known; disparity of another scale is stretched over the batch."""
    values = v[known]
    if _in_unit_range(values):
        return v, known
    if encoding.kind != "disparity" or encoding.near != "bright":
        raise ValueError(
            f"This picture has values from {float(values.min()):.4g} to {float(values.max()):.4g}, so what its ends mean is "
            "unclear. Scale it to 0..1 first, or give metres_per_unit if it is depth."
        )
    known = known & (v >= 0)
    return to_relative(torch.where(known, v, torch.zeros_like(v)), known), known


def fit(depth_map: DepthMap, image: Tensor) -> DepthMap:
    """Bring a depth map to the size and number of frames of a picture [B,C,H,W]; one frame serves all.

    Values are interpolated linearly (`refine` sharpens the edges again), `valid` by the nearest pixel; `focal_px` grows with the
    width. A map that fits is returned as it is.

    Raises:
        ValueError: if the aspect differs by more than 2 %, or the number of frames is neither 1 nor the picture's.
    """
    batch, height, width = image.shape[0], image.shape[-2], image.shape[-1]
    d = depth_map.disparity
    h, w = d.shape[-2:]
    if (d.shape[0], h, w) == (batch, height, width):
        return depth_map
    # One pixel of rounding is not another aspect.
    if abs(w * height - h * width) > max(0.02 * w * height, w + height):
        raise ValueError(
            f"The depth is {w}x{h} but the picture is {width}x{height}: another aspect. Make both from the same picture."
        )
    d = match_batch(d, batch, "The depth")
    valid, focal_px = depth_map.valid, depth_map.focal_px
    valid = None if valid is None else match_batch(valid, batch, "The depth")
    focal_px = None if focal_px is None else match_batch(focal_px, batch, "The depth") * (width / w)
    if (h, w) != (height, width):
        d = images.resized(d[:, None], (height, width))[:, 0]
        valid = None if valid is None else F.interpolate(valid[:, None].float(), (height, width), mode="nearest")[:, 0] > 0.5
    return replace(depth_map, disparity=d, focal_px=focal_px, valid=valid, edge_px=depth_map.edge_px * width / w)
