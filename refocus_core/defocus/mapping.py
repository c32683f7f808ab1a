"""From depth and a lens to the signed radius of the circle of confusion; the law itself is in `optics`."""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from ..optics import Blur, BlurLaw, Lens, blur_gain_px, focal_px_to_mm, lens_gain_px
from ..types import DefocusMap, DepthMap
from .focus import FocusLike, focus_disparity, focus_half_width
from .keyframes import Keyframes
from .thumbnail import extremes


def to_metric(depth_map: DepthMap, near_m: float, far_m: float) -> DepthMap:
    """Relative disparity as metric disparity, given what its ends mean.

    1 becomes `near_m` and 0 becomes `far_m` metres: `disparity = 1/far_m + d * (1/near_m - 1/far_m)`.

    Args:
        near_m: distance of relative disparity 1 in metres, above 0.
        far_m: distance of relative disparity 0 in metres, above `near_m`; may be infinite.

    Raises:
        ValueError: if the map is already metric, or not 0 < near_m < far_m.
    """
    if depth_map.metric:
        raise ValueError("near_m and far_m give relative depth a scale, but this depth is already in metres. Leave them unset.")
    if not (0 < near_m < far_m and math.isfinite(near_m)):
        raise ValueError(f"near_m must be above 0 and below far_m (both in metres), got near_m={near_m:g} and far_m={far_m:g}.")
    near, far = 1.0 / near_m, 1.0 / far_m
    return replace(
        depth_map,
        disparity=far + depth_map.disparity * (near - far),
        metric=True,
        source=f"{depth_map.source} scaled to {near_m:g}..{far_m:g} m".strip(),
    )


def lens_for(depth_map: DepthMap, f_number: float, focal_mm: float | None = None, sensor_mm: float = 36.0) -> Lens:
    """A `Lens` whose focal length, where not given, is the one that the depth map knows for its picture.

    Args:
        focal_mm: focal length in mm, or None to take `depth_map.focal_px` (the median over a clip).
        sensor_mm: long side of the sensor in mm.

    Raises:
        ValueError: if the focal length is neither given nor known, or a value is not positive.
    """
    if focal_mm is None:
        if depth_map.focal_px is None:
            raise ValueError(
                "The focal length is not known from the depth. Give it in mm (a normal lens on full frame has 50 mm), "
                "or set the strength in percent of the long edge."
            )
        focal_mm = focal_px_to_mm(float(depth_map.focal_px.median()), sensor_mm, max(depth_map.disparity.shape[-2:]))
    return Lens(focal_mm, f_number, sensor_mm)


def from_lens(
    depth_map: DepthMap,
    lens: Lens | Blur,
    focus: FocusLike = None,
    *,
    focus_range: float = 0.0,
    near_gain: float = 1.0,
    far_gain: float = 1.0,
    near_m: float | None = None,
    far_m: float | None = None,
    keyframes: Keyframes | None = None,
) -> DefocusMap:
    """Signed circle-of-confusion radius of every pixel for a lens and a focus.

    Args:
        depth_map: disparity [B,H,W]; each frame gets its own focus disparity and its own K.
        lens: `Lens` (a camera; needs metric depth, or near_m and far_m) or `Blur` (percent of the long edge at disparity 0:
            infinity in metric depth, the farthest thing in relative depth).
        focus: point, mask, distance, disparity or automatic: see `FocusLike`.
        focus_range: width of the zone that stays exactly sharp, 0..1 of the scene's span of disparity, centred on the
            focal plane in disparity. Outside it the radius counts from the zone's nearer face, so nothing jumps there. The
            span is the whole 0..1 of relative depth, 1/near_m - 1/far_m where these are given, and nearest to farthest
            valid pixel of the frame in metric depth.
        near_gain, far_gain: factors >= 0 on the blur in front of and behind the focal plane; 0 keeps that side sharp.
        near_m, far_m: distances in metres of relative disparity 1 and 0 (see `to_metric`); both or neither, not for metric depth.
        keyframes: focus and aperture over the frames of a clip. Where they say nothing, `focus` and `lens` hold.

    Returns:
        DefocusMap: radius_px > 0 behind the focal plane, < 0 in front of it; `disparity` and `focus_disparity` in 1/m where
        depth is metric or near_m and far_m are given, else relative.

    Raises:
        TypeError: if `depth_map`, `lens` or `focus` is of the wrong kind.
        ValueError: if a value is out of range, nothing is selected to focus on, the focus distance is not beyond the focal
            length, or a `Lens` meets relative depth without near_m and far_m.
    """
    if not isinstance(depth_map, DepthMap):
        raise TypeError(
            f"depth_map must be a DepthMap, got {type(depth_map).__name__}. Make one with depth.estimate or depth.from_image."
        )
    if not isinstance(lens, (Lens, Blur)):
        raise TypeError(f"lens must be optics.Lens or optics.Blur, got {type(lens).__name__}.")
    if not 0 <= focus_range <= 1:
        raise ValueError(f"focus_range must lie in 0..1 (a fraction of the scene's span of disparity), got {focus_range}.")
    for name, gain in (("near_gain", near_gain), ("far_gain", far_gain)):
        if not (math.isfinite(gain) and gain >= 0):
            raise ValueError(f"{name} must be finite and not negative, got {gain}.")
    if (near_m is None) != (far_m is None):
        raise ValueError(f"Give both near_m and far_m, or neither: got near_m={near_m}, far_m={far_m}.")

    batch = depth_map.disparity.shape[0]
    if near_m is not None and far_m is not None:
        depth_map = to_metric(depth_map, near_m, far_m)
        span = depth_map.disparity.new_full((batch,), 1.0 / near_m - 1.0 / far_m)
        nearest = depth_map.disparity.new_full((batch,), 1.0 / near_m)
    elif depth_map.metric:
        farthest, nearest = extremes(depth_map)
        span = nearest - farthest
    else:
        span = nearest = depth_map.disparity.new_ones(batch)
    if isinstance(lens, Lens) and not depth_map.metric:
        raise ValueError(
            "A camera's blur needs depth in metres, but this depth is relative. Give near_m and far_m, the distances of the "
            "nearest and the farthest thing in metres, or set the strength in percent of the long edge (Blur)."
        )

    disparity = depth_map.disparity
    if keyframes is not None and keyframes.moves_focus:
        in_focus, half_width = keyframes.focus_disparity(depth_map), disparity.new_zeros(batch)
    else:
        in_focus, half_width = focus_disparity(depth_map, focus), focus_half_width(depth_map, focus)
    long_edge_px = max(disparity.shape[-2:])
    if isinstance(lens, Lens):
        gain_px = lens_gain_px(lens, in_focus, long_edge_px)
    else:
        # Where everything lies at infinity, any K gives the right answer: no blur.
        gain_px = blur_gain_px(lens, in_focus, nearest.where(nearest > 0, torch.ones_like(nearest)), long_edge_px)
    if keyframes is not None:
        gain_px = gain_px * keyframes.opening(lens, batch).to(gain_px)
    half_width = half_width + span * (focus_range / 2)
    law = BlurLaw.thin_lens(gain_px, in_focus, half_width=half_width, near_gain=near_gain, far_gain=far_gain)
    return DefocusMap(law.radius_px(disparity), disparity, in_focus, gain_px, law)
