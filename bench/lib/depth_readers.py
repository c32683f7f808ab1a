"""How the files of a photo become the picture and its measured depth: one function an encoding."""

from __future__ import annotations

import hashlib
import importlib.machinery
import importlib.util
import json
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from bench.lib import matching
from refocus_core import color
from refocus_core.train.common.package_files import FetchError, Package, extract_all
from tests.helpers.paths import REPO

CACHE = REPO / "bench" / ".cache" / "photos"
"""What was fetched, and what was made of it; git ignores it."""
HEIF_DECODER = Package("pypi-wheel", "pillow-heif", "1.8.1")
"""Kept in the cache, not in the environment: only the HEIC files here need it."""


@dataclass(frozen=True, eq=False)
class Frame:
    """What `Photo.read` gives: image [3,H,W] sRGB, disparity and valid [h,w] on the depth's own grid, whether it is in 1/m."""

    image: Tensor
    disparity: Tensor
    valid: Tensor
    metric: bool
    focal_px: float | None = None


def _picture(im: Image.Image) -> Tensor:
    return torch.from_numpy(np.asarray(im.convert("RGB")).copy()).permute(2, 0, 1).float() / 255


def _values(im: Image.Image) -> Tensor:
    a = np.asarray(im)
    return torch.from_numpy((a if a.ndim == 2 else a[..., 0]).astype(np.float32))


def _disparity_file(paths: Sequence[Path], full_scale: float) -> Frame:
    """A picture and a picture of its disparity in px, 0 = unknown; relative to `full_scale`."""
    d = _values(Image.open(paths[1]))
    return Frame(_picture(Image.open(paths[0])), d / full_scale, d > 0, False)


def _apple_heic(paths: Sequence[Path]) -> Frame:
    """The depth image of a portrait: 8 bits between two disparities in 1/m that its metadata gives."""
    primary = _heif(paths[0])[0]
    depth = primary.info["depth_images"][0]
    lo, hi = (float(depth.info["metadata"][k]) for k in ("d_min", "d_max"))
    d = lo + _values(depth.to_pillow()) / 255 * (hi - lo)
    return Frame(_picture(primary.to_pillow()), d, torch.ones_like(d, dtype=torch.bool), True)


def _apple_jpeg(paths: Sequence[Path]) -> Frame:
    """The second picture of the file: 8 bits between two disparities in 1/m that its XMP gives."""
    with Image.open(paths[0]) as im:
        image = _picture(im)
        im.seek(1)
        d, xmp = _values(im.convert("L")), im.info["xmp"].decode()

    def number(tag: str) -> float:
        found = re.search(rf"<[\w:]*{tag}>\s*(?:<rdf:Seq>\s*<rdf:li>)?([\d.]+)", xmp)
        if found is None:
            raise FetchError(f"{paths[0].name}: its XMP block has no {tag}.")
        return float(found[1])

    lo, hi = number("FloatMinValue"), number("FloatMaxValue")
    focal = number("IntrinsicMatrix") / number("IntrinsicMatrixReferenceWidth") * image.shape[2]
    return Frame(image, lo + d / 255 * (hi - lo), torch.ones_like(d, dtype=torch.bool), True, focal)


def _zed(paths: Sequence[Path]) -> Frame:
    """Left picture, disparity in px (NaN = unknown), and the camera (baseline in mm)."""
    d = torch.from_numpy(np.load(paths[1])).float()
    camera = json.loads(paths[2].read_text())
    valid = d.isfinite() & (d > 0)
    metric = d.nan_to_num(0, 0, 0) / (camera["fx"] * camera["baseline"] / 1000)
    return Frame(_picture(Image.open(paths[0])), metric, valid, True, float(camera["fx"]))


def _arc(paths: Sequence[Path]) -> Frame:
    """Arrays `rgb` and `depth` (metres, NaN or 0 = unknown), and the camera's matrix."""
    with np.load(paths[0]) as data:
        rgb, metres = torch.from_numpy(data["rgb"]), torch.from_numpy(data["depth"]).float()
    valid = metres.isfinite() & (metres > 0)
    focal = float(json.loads(paths[1].read_text())["K"][0])
    return Frame(rgb.permute(2, 0, 1).float() / 255, torch.where(valid, 1 / metres, 0), valid, True, focal)


def _pair(paths: Sequence[Path], low: int, high: int, scale: float = 1.0) -> Frame:
    """Left and right picture, matched here between two disparities in px of the picture scaled by `scale`; relative to them."""
    left, right = (_picture(Image.open(p)) for p in paths)
    return _matched(left, right, low, high, scale, _digest(paths))


def _heic_pair(paths: Sequence[Path], low: int, high: int, scale: float = 1.0, swapped: bool = False) -> Frame:
    """As `_pair`, for the two pictures of one HEIC file; `swapped` where the right one comes first."""
    pictures = _heif(paths[0])
    left, right = (_picture(pictures[1 - i if swapped else i].to_pillow()) for i in (0, 1))
    return _matched(left, right, low, high, scale, _digest(paths))


def _calibrated_pair(paths: Sequence[Path], low: int, high: int) -> Frame:
    """As `_pair`, metric, with the file of the camera; without the frame that rectification left empty."""
    left, right = (_picture(Image.open(p)) for p in paths[:2])
    camera = json.loads(paths[2].read_text())
    frame = _matched(left, right, low, high, 1.0, _digest(paths))
    px = low + frame.disparity * (high - low)
    h, w = px.shape
    x0, y0, x1, y1 = camera["left_image_rect_normalized"]
    rows, columns = slice(round(y0 * h), round(y1 * h)), slice(round(x0 * w), round(x1 * w))
    valid = (frame.valid & (px > 0.5))[rows, columns]
    metric = px[rows, columns].clamp_min(0) / (camera["fx"] * camera["baseline_meters"])
    return Frame(left[:, rows, columns], torch.where(valid, metric, 0), valid, True, float(camera["fx"]))


def _matched(left: Tensor, right: Tensor, low: int, high: int, scale: float, digest: str) -> Frame:
    code = hashlib.sha256(Path(matching.__file__).read_bytes()).hexdigest()[:8]
    kept = CACHE / "matched" / f"{digest[:12]}-{code}-{low}-{high}-{scale:g}.npz"
    if not kept.exists():
        size = [round(n * scale) for n in left.shape[1:]]
        a, b = (resized(p, size) for p in (left, right))
        d, valid = matching.match(a, b, low, high)
        kept.parent.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(".part.npz")
        np.savez_compressed(part, d=d.numpy().astype(np.float16), valid=valid.numpy())
        part.replace(kept)
    with np.load(kept) as data:
        d, valid = torch.from_numpy(data["d"]).float(), torch.from_numpy(data["valid"])
    return Frame(left, ((d - low) / (high - low)).clamp(0, 1), valid, False)


def _digest(paths: Sequence[Path]) -> str:
    return hashlib.sha256(b"".join(hashlib.sha256(p.read_bytes()).digest() for p in paths)).hexdigest()


def _heif(path: Path) -> Any:
    """The pictures of a HEIC file."""
    folder = CACHE / "heif"
    if not folder.exists():
        extract_all(HEIF_DECODER, folder)
    for name in ("_pillow_heif", "pillow_heif"):  # the compiled part first: the other one imports it
        if name not in sys.modules:
            spec = importlib.machinery.PathFinder.find_spec(name, [str(folder)])
            if spec is None or spec.loader is None:
                raise FetchError(f"{HEIF_DECODER.spec} in {folder} has no module {name}: delete that folder and run this again.")
            sys.modules[name] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(sys.modules[name])
    return sys.modules["pillow_heif"].open_heif(path)


def resized(image: Tensor, size: Sequence[int]) -> Tensor:
    """[3,H,W] sRGB in another size, averaged in linear light."""
    if list(image.shape[1:]) == list(size):
        return image
    linear = color.srgb_to_linear(image[None])
    return color.linear_to_srgb(F.interpolate(linear, tuple(size), mode="bilinear", antialias=True).clamp_min(0))[0].clamp(0, 1)


READERS: dict[str, Callable[..., Frame]] = {
    "disparity_file": _disparity_file,
    "apple_heic": _apple_heic,
    "apple_jpeg": _apple_jpeg,
    "zed": _zed,
    "arc": _arc,
    "pair": _pair,
    "heic_pair": _heic_pair,
    "calibrated_pair": _calibrated_pair,
}
"""`reader` of measured_photos.json -> (the photo's files, its options) -> picture and depth."""
