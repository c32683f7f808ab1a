"""What a node sends to the page beside its pictures: thumbnails as temporary files, and numbers.

From them the page (web_src/) draws what a change of focus or aperture does, without another run. Without JavaScript nothing
here is needed.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from ...refocus_core import defocus
from ...refocus_core.files.pictures import CameraData
from ...refocus_core.types import DefocusMap, DepthMap
from . import preferences
from .pictures_shown import LONGEST_PX, jpeg, shown, temporary

FOCUS, COMPARE, KERNEL = "refocus_focus", "refocus_compare", "refocus_kernel"
"""Keys of `ui`, beside ComfyUI's own `images`."""
_DEPTH_PX = 512
"""Long side of the map that the page gets of a photo. Larger: finer edges in its live preview, more to send."""
_CLIP_PX = 320
"""The same for each frame of a clip."""
_COMPARE_CLIP_PX = 512
"""Long side of the pictures before and after, for each frame of a clip that is shown. Larger: more to send at every run."""


def focus(
    preview: Tensor,
    depth: DepthMap,
    photo: Tensor | None,
    focus_on: defocus.Focus,
    camera: CameraData | None = None,
) -> dict[str, list[Any]]:
    """`ui` of Defocus Map: the `preview` (an IMAGE), and what the page needs to draw another one.

    Args:
        depth: as it came in.
        photo: [B,3,H,W] sRGB or None.
        focus_on: what is in focus.
        camera: the photo's lens data, where they are connected.
    """
    batch, height, width = depth.disparity.shape
    frames = defocus.shown_frames(batch)
    valid = None if depth.valid is None else depth.valid[frames]
    sampled = DepthMap(depth.disparity[frames], depth.metric, valid=valid, known_range=depth.known_range)
    has_depth = sampled.valid is None or bool(sampled.valid.flatten(1).any(1).all())
    thumbnail = defocus.thumbnail(sampled.disparity, _DEPTH_PX if batch == 1 else _CLIP_PX, valid=sampled.valid)
    h, w = thumbnail.codes.shape[1:]
    numbers = {
        "width": width,
        "height": height,
        "frames": batch,
        "shown": frames,
        "size": [w, h],
        "low": thumbnail.low,
        "high": thumbnail.high,
        "metric": depth.metric,
        "nearest": sampled.extremes()[1].tolist(),
        "span": sampled.span().tolist(),
        "auto": defocus.focus_disparity(sampled, _auto(photo, frames)).tolist() if has_depth else None,
        "mask": defocus.focus_disparity(depth, focus_on)[frames].tolist() if isinstance(focus_on, defocus.FocusMask) else None,
        "focal_px": None if depth.focal_px is None else float(depth.focal_px.median()),
        "camera": None if camera is None else asdict(camera),
        "depth": temporary("depth.bin", thumbnail.packed()),
        "photos": None if photo is None else _pictures(photo, frames, (h, w)),
    }
    return {**shown(preview), FOCUS: [numbers]}


def _auto(photo: Tensor | None, frames: list[int]) -> defocus.FocusAuto:
    """Automatic focus on these frames of a clip, with its photo [B,3,H,W]."""
    if photo is not None and photo.shape[0] > max(frames):
        photo = photo if photo.shape[0] == len(frames) else photo[frames]
    elif photo is not None:
        photo = photo[:1]
    return defocus.FocusAuto(photo=photo)


def compare(preview: Tensor, before: Tensor, after: Tensor, defocus_map: DefocusMap) -> dict[str, list[Any]]:
    """`ui` of Reblur: the `preview` (an IMAGE), both pictures [B,3,H,W] sRGB at the size of a node, and the blur radius.

    Where the person chose no previews, the page is told just that, so that it shows no picture of an earlier run.
    """
    if preferences.previews() == preferences.NO_FRAME:
        return {"images": [], COMPARE: [None]}
    batch, _, height, width = after.shape
    frames = defocus.shown_frames(batch)
    scale = min(1.0, (LONGEST_PX if batch == 1 else _COMPARE_CLIP_PX) / max(height, width))
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    # One defocus map may serve a whole clip.
    radius_px = defocus_map.radius_px
    radius_px = radius_px[frames] if radius_px.shape[0] == batch else radius_px[:1].expand(len(frames), -1, -1)
    thumbnail = defocus.thumbnail(radius_px, _DEPTH_PX if batch == 1 else _CLIP_PX)
    numbers: dict[str, Any] = {
        "width": width,
        "height": height,
        "frames": batch,
        "shown": frames,
        "size": [thumbnail.codes.shape[2], thumbnail.codes.shape[1]],
        "low": thumbnail.low,
        "high": thumbnail.high,
        "largest": float(defocus_map.radius_px.abs().max()),
        "radius": temporary("radius.bin", thumbnail.packed()),
        "before": _pictures(before.expand(batch, -1, -1, -1), frames, size),
        "after": _pictures(after, frames, size),
    }
    images = {"images": numbers["after"]} if batch == 1 else shown(preview)
    return {**images, COMPARE: [numbers]}


def _pictures(images: Tensor, frames: list[int], size: tuple[int, int]) -> list[dict[str, str]]:
    """Frames of [B,3,H,W] sRGB (or of one for all) as temporary JPEG files of `size` (height, width)."""
    out: list[dict[str, str]] = []
    for frame in frames:
        image = images[frame if images.shape[0] > 1 else 0][None]
        if image.shape[-2:] != size:
            image = F.interpolate(image, size, mode="area")
        out.append(temporary("photo.jpg", jpeg(image[0])))
    return out
