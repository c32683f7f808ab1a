"""Depth that a phone stored in a photo beside its pixels, and the Z that a renderer stored beside its colours.

- GDepth, Google's older way: a picture in base64 within the XMP (developers.google.com/depthmap-metadata).
- Dynamic Depth 1.0, that of Android: XMP describes pictures that are appended to the photo's file, one of which is depth.

In both a value v in 0..1 stands for a distance between `Near` (0) and `Far` (1): evenly spaced in distance (RangeLinear) or in
1/distance (RangeInverse).

- iPhones, and HEIC of others: see `apple_depth`.
- EXR: the channel called Z, distance in a unit that the file does not tell.
"""

from __future__ import annotations

import base64
import io
import logging
import math
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..types import DepthMap
from . import apple_depth
from .exif import CameraData, orientation, parse, turn_upright
from .formats import Array, PictureError
from .heif import is_heif
from .reader import depth_layer, read_layer
from .xmp import is_jpeg, packets, picture_end, properties

log = logging.getLogger(__name__)

_GDEPTH = "http://ns.google.com/photos/1.0/depthmap/"
"""Namespace of GDepth."""
_DYNAMIC = "http://ns.google.com/photos/dd/1.0/depthmap/"
"""Namespace in which Dynamic Depth describes a depth map."""
_ITEMS = ("http://ns.google.com/photos/dd/1.0/item/", "http://ns.google.com/photos/1.0/container/item/")
"""Namespaces of the list of appended pictures: Dynamic Depth's own, and the one that came after it."""
_METRES = {"m": 1.0, "meters": 1.0, "metres": 1.0, "cm": 0.01, "mm": 0.001}
"""Units of `Near` and `Far`, in metres."""
_UNITLESS = ("", "none")
"""What `Units` says where distances have no scale."""
_MOST_PIXELS = 64 << 20
"""Pixels of a stored depth map that are read. More takes more memory; phones store about one megapixel."""
_COLOUR_LEVELS = 16
"""Difference of two channels, of 255, from which a picture counts as coloured. Less refuses grey that JPEG has tinted."""
_EDGE_PX = 1.0
"""How far edges of a stored map are off, in its own px: such maps are small, compressed and smoothed."""


def read_stored_depth(path: str | Path, camera: CameraData | None = None) -> DepthMap | None:
    """The depth that a JPEG, HEIC or EXR holds beside its pixels, upright; None where the file holds none, or is another one.

    Args:
        camera: the photo's lens data, which give the depth map its focal length, and tell whose HEIC it is.

    Returns:
        DepthMap: [1,h,w], of a photo usually smaller than it. In 1/m where the file says in which unit its distances are, else
            relative: 1 at its near end; 0 at its far end, or at infinity where the file tells what that is.

    Raises:
        PictureError: if there is depth that cannot be read.
    """
    path = Path(path)
    try:
        if path.suffix.lower() == ".exr":
            return _of_exr(path)
        if is_heif(path):
            return apple_depth.of_heif(path, camera)
        return _of_jpeg(path, camera)
    except PictureError:
        raise
    except (ValueError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        reason = f"the depth stored in this photo cannot be read: {error}"
        raise PictureError(f"{path}: {reason}. Estimate depth from the picture instead.") from error


def _of_jpeg(path: Path, camera: CameraData | None) -> DepthMap | None:
    data = path.read_bytes()
    if not is_jpeg(data):
        return None
    found = _stored(data)
    if found is None:
        return apple_depth.of_jpeg(data, camera)
    with Image.open(io.BytesIO(data)) as photo:
        turn = orientation(parse(photo.info.get("exif"))) or 1
    values = turn_upright(_values(found.picture)[..., None], turn)[..., 0]
    return found.depth_map(torch.from_numpy(values)[None], camera)


def _of_exr(path: Path) -> DepthMap | None:
    channel = depth_layer(path)
    if channel is None:
        return None
    distance = torch.from_numpy(read_layer(path, channel)[..., 0])[None]
    known = (distance > 0) & ~distance.isnan()
    if not bool((known & distance.isfinite()).any()):
        raise ValueError(f"no value of its channel {channel} is a distance")
    if not bool(known.all()):
        log.warning("%s: %d pixels of %s hold no distance and count as infinitely far.", path, int((~known).sum()), channel)
    nearest = distance[known].min()
    disparity = torch.where(known, nearest / distance, torch.zeros_like(distance))
    return DepthMap(disparity, False, None, source=f"stored in the picture (EXR, {channel})")


@dataclass(frozen=True)
class _Stored:
    """A picture of depth, as it lies in the file, and what its values mean.

    Attributes:
        kind: the way in which it is stored, for people.
        said: what the file says of it: Format, Near, Far, Units, MeasureType.
        picture: a PNG or JPEG.
    """

    kind: str
    said: dict[str, str]
    picture: bytes

    def depth_map(self, values: Tensor, camera: CameraData | None) -> DepthMap:
        """The map of values [1,h,w] in 0..1."""
        near, far = self._distance("Near"), self._distance("Far")
        if not near < far:
            raise ValueError(f"Near is {near:g} and Far {far:g}; Near must be the smaller one")
        spacing, units = self.said.get("Format", ""), self.said.get("Units", "").lower()
        if spacing.lower() not in ("rangeinverse", "rangelinear"):
            raise ValueError(f"its Format is {spacing!r}, which is neither RangeInverse nor RangeLinear")
        if units not in (*_UNITLESS, *_METRES):
            raise ValueError(f"its Units are {units!r}, which is no length")
        if self.said.get("MeasureType", "").lower() == "opticray":
            log.warning("Stored distances along each ray are taken as along the optical axis: too far, most in the corners.")
        if spacing.lower() == "rangelinear":
            disparity = 1 / (near + values * (far - near))
        else:
            disparity = 1 / near + values * (1 / far - 1 / near)
        focal_px = None if camera is None else camera.focal_px(max(values.shape[-2:]))
        focal = None if focal_px is None else torch.tensor([focal_px])
        source = f"stored in the photo ({self.kind}, {spacing})"
        if units in _UNITLESS:
            relative = ((disparity - 1 / far) / (1 / near - 1 / far)).clamp(0, 1)
            return DepthMap(relative, False, focal, source=source, edge_px=_EDGE_PX)
        metre = _METRES[units]
        known = (1 / (far * metre), 1 / (near * metre))
        return DepthMap(disparity / metre, True, focal, source=source, known_range=known, edge_px=_EDGE_PX)

    def _distance(self, name: str) -> float:
        try:
            value = float(self.said[name])
        except (KeyError, ValueError):
            raise ValueError(f"its {name} is {self.said.get(name)!r}, which is no number") from None
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"its {name} is {value:g}, which is no distance")
        return value


def _stored(jpeg: bytes) -> _Stored | None:
    elements = [element for tree in packets(jpeg) for element in tree.iter()]
    return _dynamic_depth(jpeg, elements) or _gdepth(elements)


def _gdepth(elements: list[Element]) -> _Stored | None:
    """Depth in base64 within the XMP, whose data may lie in the extended packet and its description in the other one."""
    said: dict[str, str] = {}
    for element in elements:
        said |= properties(element, _GDEPTH)
    if "Data" not in said:
        return None
    return _Stored("GDepth", said, base64.b64decode("".join(said["Data"].split()), validate=True))


def _dynamic_depth(jpeg: bytes, elements: list[Element]) -> _Stored | None:
    """Depth in a picture that is appended to the file."""
    maps = [said for e in elements if "DepthURI" in (said := properties(e, _DYNAMIC))]
    maps = [said for said in maps if said.get("ItemSemantic", "Depth").lower() == "depth"]
    if not maps:
        return None
    said = maps[0]
    listed = [[p for e in elements if "Mime" in (p := properties(e, namespace))] for namespace in _ITEMS]
    items = next((found for found in listed if found), [])
    position = picture_end(jpeg) + (_count(items[0], "Padding") if items else 0)
    for item in items[1:]:  # the first one is the photo itself
        end = position + _count(item, "Length")
        if said["DepthURI"] == item.get("DataURI") or item.get("Semantic", "").lower() == "depth":
            if end > len(jpeg):
                raise ValueError("the file ends before its depth does")
            return _Stored("Dynamic Depth", said, jpeg[position:end])
        position = end + _count(item, "Padding")
    raise ValueError(f"its XMP names the depth {said['DepthURI']!r}, but no picture of that name is appended")


def _count(item: dict[str, str], name: str) -> int:
    text = item.get(name, "0")
    if not text.isdecimal():
        raise ValueError(f"an appended picture has the {name} {text!r}")
    return int(text)


def _values(picture: bytes) -> Array:
    """[h,w] float32 in 0..1 of a grey PNG or JPEG, 16 bits kept."""
    with Image.open(io.BytesIO(picture), formats=("PNG", "JPEG")) as im:
        if im.width * im.height > _MOST_PIXELS:
            raise ValueError(f"it has {im.width} x {im.height} pixels")
        if im.mode.startswith("I"):
            return np.asarray(im).astype(np.float32) / 65535
        if im.mode in ("1", "L", "LA"):
            return np.asarray(im.convert("L"), np.float32) / 255
        levels = np.asarray(im.convert("RGB"), np.float32)
    if float(np.ptp(levels, axis=2).max()) > _COLOUR_LEVELS:
        raise ValueError("it is coloured, and colours cannot be read back into depth")
    return levels.mean(2) / 255
