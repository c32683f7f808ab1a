"""Depth in an iPhone's portraits: a second picture in the file, of disparity in even steps between two limits in 1/m.

The unit is that of Core Video's disparity formats (Apple, kCVPixelFormatType_DisparityFloat16: 1/m). In HEIC the limits lie in
the depth representation information (ITU-T H.265, G.14.3.3), which other makers' files have too, without a unit; in JPEG in the
second picture's XMP.
"""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..types import DepthMap
from .exif import CameraData, orientation, parse, turn_upright
from .heif import read_depth_image
from .xmp import properties, tree

_INVERSE_DISTANCE, _DISPARITY = 0, 1
"""Types of representation of depth in HEIC whose values are larger where it is nearer, in even steps of disparity."""
_SAME_SHAPE = 0.03
"""Logarithm of the ratio of two aspects up to which pictures count as of one shape: small maps are rounded to whole px."""
_MAKER = "Apple"
"""Maker in EXIF whose disparity is in 1/m."""
_PIXEL_DATA = "http://ns.apple.com/pixeldatainfo/1.0/"
"""Namespace of what a JPEG says of its second picture."""
_EDGE_PX = 1.0
"""How far edges of a stored map are off, in its own px: such maps are small, compressed and smoothed."""


def of_heif(path: Path, camera: CameraData | None) -> DepthMap | None:
    """The depth of a HEIC, upright; None where it holds none. In 1/m if an iPhone took it, else relative.

    Raises:
        ValueError, OSError: if there is depth that cannot be read.
    """
    found = read_depth_image(path)
    if found is None:
        return None
    h, w = found.values.shape
    _check_shape(w, h, *found.photo_size)
    kind, low, high = (found.said.get(name) for name in ("representation_type", "d_min", "d_max"))
    if kind not in (None, _INVERSE_DISTANCE, _DISPARITY):
        raise ValueError(f"its representation of depth is of type {kind}, which is not read")
    values, source = torch.from_numpy(found.values)[None], "stored in the photo (HEIC)"
    if kind != _DISPARITY or low is None or high is None:
        return DepthMap(values, False, None, source=source, edge_px=_EDGE_PX)
    if camera is not None and camera.maker == _MAKER:
        return _in_metres(values, low, high, camera, source)
    return DepthMap(_between(values, low, high) / high, False, None, source=source, edge_px=_EDGE_PX)


def of_jpeg(data: bytes, camera: CameraData | None) -> DepthMap | None:
    """The depth in 1/m of an iPhone's JPEG, upright; None where it holds none.

    Raises:
        ValueError, OSError, SyntaxError: if there is depth that cannot be read.
    """
    with Image.open(io.BytesIO(data), formats=("JPEG", "MPO")) as photo:
        size, turn = photo.size, orientation(parse(photo.info.get("exif"))) or 1
        for frame in range(1, getattr(photo, "n_frames", 1)):
            photo.seek(frame)
            said = _said(photo.info.get("xmp"))
            if said.get("AuxiliaryImageType") == "disparity" and "FloatMaxValue" in said:
                _check_shape(*photo.size, *size)
                values = np.asarray(photo.convert("L"), np.float32)[..., None] / 255
                upright = torch.from_numpy(turn_upright(values, turn)[..., 0])[None]
                limits = [float(said.get(name, "nan")) for name in ("FloatMinValue", "FloatMaxValue")]
                return _in_metres(upright, limits[0], limits[1], camera, "stored in the photo (JPEG of an iPhone)")
    return None


def _said(xmp: bytes | None) -> dict[str, str]:
    """What XMP tells of the pixels of its picture."""
    if not xmp or _PIXEL_DATA.encode() not in xmp:
        return {}
    return {name: value for element in tree(xmp).iter() for name, value in properties(element, _PIXEL_DATA).items()}


def _check_shape(width: int, height: int, photo_width: int, photo_height: int) -> None:
    if abs(math.log(width / height * photo_height / photo_width)) > _SAME_SHAPE:
        raise ValueError(f"it is {width} x {height} px, another shape than the photo's {photo_width} x {photo_height}")


def _between(values: Tensor, low: float, high: float) -> Tensor:
    if not (math.isfinite(low) and math.isfinite(high) and high > max(low, 0)):
        raise ValueError(f"its disparity goes from {low:g} to {high:g}")
    return (low + values * (high - low)).clamp_min(0)


def _in_metres(values: Tensor, low: float, high: float, camera: CameraData | None, source: str) -> DepthMap:
    disparity = _between(values, low, high)
    focal_px = None if camera is None else camera.focal_px(max(values.shape[-2:]))
    focal = None if focal_px is None else torch.tensor([focal_px])
    return DepthMap(disparity, True, focal, source=source, known_range=(max(low, 0.0), high), edge_px=_EDGE_PX)
