"""From depth and a lens to the signed radius of the circle of confusion; the law itself is in `optics`."""

from __future__ import annotations

import math
from types import NoneType
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..checks import check_kind, check_number
from ..optics import Blur, BlurLaw, Gain, Lens, Strength, blur_gain_px, focal_px_to_mm, lens_gain_px
from ..types import DefocusMap, DepthMap
from .breathing import magnification
from .curvature import bend
from .focus import FocusDistance, FocusLike, focus_disparity, focus_half_width
from .keyframes import Keyframes
from .tilt import Tilt

if TYPE_CHECKING:
    from ..files.exif import CameraData

FLAT_SHARE = 1e-6
"""A scene whose span of disparity is a smaller share of its nearest disparity is one plane: the rest is rounding."""


def lens_for(
    depth_map: DepthMap,
    f_number: float | None,
    focal_mm: float | None = None,
    sensor_mm: float | None = 36.0,
    camera: CameraData | None = None,
) -> Lens:
    """A `Lens` that takes from the photo's own data what is not given.

    Args:
        f_number: f-number, or None for that of `camera`.
        focal_mm: focal length in mm, or None for the one with which this sensor sees what the photo shows: from `camera`, else
            from `depth_map.focal_px` (the median over a clip). On the camera's own sensor that is the camera's focal length.
        sensor_mm: long side of the sensor in mm, or None for that of `camera`.
        camera: what the photo's file says of its lens.

    Raises:
        ValueError: if one of them is neither given nor known, or a value is not positive.
    """
    own_sensor_mm = None if camera is None else camera.sensor_mm
    if f_number is None and camera is not None:
        f_number = camera.f_number
    if f_number is None:
        raise ValueError(_unknown("f-number", "f_number", camera))
    if sensor_mm is None:
        sensor_mm = own_sensor_mm
    if sensor_mm is None:
        raise ValueError(_unknown("sensor's size", "sensor", camera))
    if focal_mm is None and camera is not None and camera.focal_mm is not None:
        focal_mm = camera.focal_mm * sensor_mm / (own_sensor_mm or sensor_mm)
    if focal_mm is None:
        if depth_map.focal_px is None:
            raise ValueError(
                "The focal length is not known from the depth, nor from the photo's file. Give it in mm (a normal lens on full "
                "frame has 50 mm), or set the strength in percent of the long edge."
            )
        focal_mm = focal_px_to_mm(float(depth_map.focal_px.median()), sensor_mm, max(depth_map.disparity.shape[-2:]))
    return Lens(focal_mm, f_number, sensor_mm)


def subject_distance(camera: CameraData | None) -> FocusDistance:
    """Focus on what the camera was focused on.

    Raises:
        ValueError: if that is not known.
    """
    if camera is None or camera.subject_m is None:
        raise ValueError(_unknown("distance of the subject", "distance_m", camera))
    return FocusDistance(camera.subject_m)


def _unknown(what: str, name: str, camera: CameraData | None) -> str:
    why = "no photo's lens data are given" if camera is None else "its file does not tell it"
    return f"{name} is to be the photo's own {what}, but {why}. Set {name} yourself."


def from_lens(
    depth_map: DepthMap,
    lens: Strength,
    focus: FocusLike = None,
    *,
    focus_range: float = 0.0,
    near_gain: float = 1.0,
    far_gain: float = 1.0,
    keyframes: Keyframes | None = None,
    tilt: Tilt | None = None,
    field_curvature: float = 0.0,
    breathing: float = 0.0,
    farthest_focus: float | None = None,
) -> DefocusMap:
    """Signed circle-of-confusion radius of every pixel for a lens and a focus.

    Args:
        depth_map: disparity [B,H,W]; each frame gets its own focus disparity and its own K.
        lens: `Lens` (a camera; needs depth in metres), `Blur` (an aperture for the picture: K times the scene's whole span of
            disparity is that percentage of the long edge, wherever the focus lies) or `Gain` (K itself; needs depth in metres).
        focus: point, mask, distance, disparity or automatic: see `FocusLike`.
        focus_range: width of the zone that stays exactly sharp, 0..1 of the scene's span of disparity, centred on the
            focal plane in disparity. Outside it the radius counts from the zone's nearer face, so nothing jumps there. The
            span is that of `DepthMap.span`.
        near_gain, far_gain: factors >= 0 on the blur in front of and behind the focal plane; 0 keeps that side sharp.
        keyframes: focus and aperture over the frames of a clip. Where they say nothing, `focus` and `lens` hold.
        tilt: how the focal plane leans; None and no angle is a plane that faces the camera.
        field_curvature: how much nearer the focus lies in the corners than in the middle, as a share (-1..1) of the scene's span
            of disparity, growing with the square of the distance from the middle; below 0 farther away.
        breathing: how much of a thin lens's focus breathing (0..1) there is over the frames, for a `Lens`.
        farthest_focus: the least focus disparity of the clip, of which the frames may be a part; None: of these frames.

    Returns:
        DefocusMap: radius_px > 0 behind the focal plane, < 0 in front of it; `disparity` and `focus_disparity` in the unit of
        `depth_map`. With a tilt or curvature, `disparity` is that of a scene whose focal plane is flat and faces the camera.

    Raises:
        TypeError: if `depth_map`, `lens` or `focus` is of the wrong kind.
        ValueError: if a value is out of range, nothing is selected to focus on, the focus distance is not beyond the focal
            length, or a `Lens` or `Gain` meets relative depth.
    """
    _check(depth_map, lens, focus_range, near_gain, far_gain)
    check_kind(keyframes, (Keyframes, NoneType), "keyframes")
    disparity = _as_of_a_flat_plane(depth_map, tilt, field_curvature)
    if keyframes is not None and keyframes.moves_focus:
        in_focus, half_width = keyframes.focus_disparity(depth_map), disparity.new_zeros(len(disparity))
    else:
        in_focus, half_width = focus_disparity(depth_map, focus), focus_half_width(depth_map, focus)
    gain_px = _gain_px(depth_map, lens, in_focus)
    if keyframes is not None:
        gain_px = gain_px * keyframes.opening(lens, len(gain_px)).to(gain_px)
    size = magnification(lens, in_focus, breathing, farthest_focus)
    if size is not None:
        gain_px = gain_px / size  # radii are those of this image, and are magnified along with it
    half_width = half_width + depth_map.span() * (focus_range / 2)
    law = BlurLaw.thin_lens(gain_px, in_focus, half_width=half_width, near_gain=near_gain, far_gain=far_gain)
    return DefocusMap(law.radius_px(disparity), disparity, in_focus, gain_px, law, depth_map.edge_px, size)


def _as_of_a_flat_plane(depth_map: DepthMap, tilt: Tilt | None, field_curvature: float) -> Tensor:
    """Disparity [B,H,W] of a scene that is as sharp with a focal plane that is flat and faces the camera."""
    check_kind(tilt, (Tilt, NoneType), "tilt")
    check_number(field_curvature, "field_curvature")
    if not -1 <= field_curvature <= 1:
        raise ValueError(f"field_curvature must lie in -1..1 (a share of the scene's span of disparity), got {field_curvature}.")
    disparity = depth_map.disparity
    if tilt is not None and (tilt.tilt_deg or tilt.swing_deg):
        disparity = disparity - tilt.offset(disparity, _span(depth_map))
    if field_curvature:
        disparity = disparity - bend(disparity, field_curvature, _span(depth_map))
    return disparity


def _check(depth_map: DepthMap, lens: Strength, focus_range: float, near_gain: float, far_gain: float) -> None:
    if not isinstance(depth_map, DepthMap):
        raise TypeError(
            f"depth_map must be a DepthMap, got {type(depth_map).__name__}. Make one with depth.estimate or depth.from_image."
        )
    if not isinstance(lens, (Lens, Blur, Gain)):
        raise TypeError(f"lens must be optics.Lens, optics.Blur or optics.Gain, got {type(lens).__name__}.")
    for name, value in (("focus_range", focus_range), ("near_gain", near_gain), ("far_gain", far_gain)):
        check_number(value, name)
    if not 0 <= focus_range <= 1:
        raise ValueError(f"focus_range must lie in 0..1 (a fraction of the scene's span of disparity), got {focus_range}.")
    for name, gain in (("near_gain", near_gain), ("far_gain", far_gain)):
        if not (math.isfinite(gain) and gain >= 0):
            raise ValueError(f"{name} must be finite and not negative, got {gain}.")
    if not isinstance(lens, Blur) and not depth_map.metric:
        kind = "A camera's blur" if isinstance(lens, Lens) else "K"
        raise ValueError(
            f"{kind} needs depth in metres, but this depth is relative. Give the depth near_m and far_m, the "
            "distances of the nearest and the farthest thing in metres, or set the strength in percent of the long edge (Blur)."
        )


def _gain_px(depth_map: DepthMap, lens: Strength, in_focus: Tensor) -> Tensor:
    """K [B] in px per unit of the map's disparity."""
    long_edge_px = max(depth_map.disparity.shape[-2:])
    if isinstance(lens, Lens):
        return lens_gain_px(lens, in_focus, long_edge_px)
    if isinstance(lens, Gain):
        return torch.full_like(in_focus, lens.px_m)
    return blur_gain_px(lens, _span(depth_map), long_edge_px)


def _span(depth_map: DepthMap) -> Tensor:
    """The scene's whole span of disparity [B], above 0."""
    # A scene of one plane counts as reaching from there to infinity; at infinity itself any K gives no blur.
    span, nearest = depth_map.span(), depth_map.extremes()[1]
    nearest = nearest.where(nearest > 0, torch.ones_like(nearest))
    return span.where(span > FLAT_SHARE * nearest, nearest)
