"""Makers of samples from real photos: photos found in the wild, whose K comes from EXIF, and aperture series. See `pairs`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from ... import bokeh
from ...color import linear_to_srgb, srgb_to_linear
from ...files import pictures
from ...optics import BlurLaw
from ...types import DefocusMap, DepthMap
from . import exif, focus, photo_folder, series
from .measure import ssim
from .pairs import AllInFocus, kernel_picture
from .sample_files import RejectedError
from .synthetic import quantise

Depth = Callable[[Tensor], DepthMap]
"""[1,3,H,W] sRGB -> depth of it."""
_CONTRADICTED = 0.5
"""Confidence in K where EXIF and depth disagree about the distance."""
_SSIM_RANGE = (0.5, 0.9)
"""SSIM of render and photo at which the confidence is 0, and from which on it is 1."""


def _fitted(image: Tensor, size_px: int) -> Tensor:
    """[1,3,H,W] scaled so that its short side is `size_px`."""
    h, w = image.shape[-2:]
    scale = size_px / min(h, w)
    size = (max(round(h * scale), size_px), max(round(w * scale), size_px))
    return F.interpolate(image, size, mode="bilinear", align_corners=False, antialias=True).clamp(0, 1)


def _centre(x: Tensor, size_px: int) -> Tensor:
    h, w = x.shape[-2:]
    top, left = (h - size_px) // 2, (w - size_px) // 2
    return x[..., top : top + size_px, left : left + size_px]


@dataclass(frozen=True)
class Wild:
    """Maker of unpaired real photos: the photo is the blurred picture, its sharp counterpart is restored, K comes from EXIF.

    Attributes:
        folder: `photos/`, and where there are any `masks/NAME.png` of what is in focus.
        all_in_focus: restores the photo.
        depth: metric depth of the restored photo.
        size_px: side of the pair, cut from the middle of the scaled photo.
        least_confidence: rejected below it.
    """

    folder: Path
    all_in_focus: AllInFocus
    depth: Depth
    size_px: int = 512
    least_confidence: float = 0.3

    @property
    def photos(self) -> list[Path]:
        return photo_folder.photos_in(self.folder / "photos")

    def __call__(self, index: int) -> Mapping[str, Any]:
        path = self.photos[index]
        lens = exif.reading(exif.read(path))
        if lens.status != "ok":
            raise RejectedError(f"{path.name}: EXIF {lens.status}: {'; '.join((*lens.contradictions, *lens.missing))}")
        photo = _fitted(pictures.load(path).image, self.size_px)
        sharp = self.all_in_focus(photo).clamp(0, 1)
        depth_map = self.depth(sharp)
        if not depth_map.metric:
            raise ValueError("K by EXIF needs metric depth; this depth model gives relative depth. Choose a metric one.")
        try:
            estimate, origin = self._focus(path, photo, depth_map)
            k = exif.gain(lens, max(photo.shape[-2:]), estimate.disparity)
        except ValueError as error:
            raise RejectedError(f"{path.name}: {error}") from error
        radius = k.gain_px * (estimate.disparity - depth_map.disparity)
        parts = {
            "focus": estimate.confidence,
            "distance": _CONTRADICTED if k.contradictions else 1.0,
            "render": _agreement(photo, sharp, depth_map, estimate.disparity, k.gain_px),
        }
        confidence = min(parts.values())
        if confidence < self.least_confidence:
            text = ", ".join(f"{n} {v:.2f}" for n, v in parts.items())
            why = "; ".join(k.contradictions) or "no contradiction"
            raise RejectedError(f"{path.name}: confidence {confidence:.2f} ({text}; {why})")
        metadata = {
            "kind": "wild",
            "file": path.name,
            "gain_px": k.gain_px,
            "focus_disparity": estimate.disparity,
            "metric": True,
            "focus_from": origin,
            "confidence": confidence,
            "confidence_parts": parts,
            "contradictions": list(k.contradictions),
            "exif": lens.to_json(),
        }
        return _real_sample(sharp[0], photo[0], radius[0], self.size_px, metadata)

    def _focus(self, path: Path, photo: Tensor, depth_map: DepthMap) -> tuple[focus.FocusEstimate, str]:
        """What is in focus, and how that is known.

        Raises:
            ValueError: if it cannot be told.
        """
        mask_file = self.folder / "masks" / f"{path.stem}.png"
        if mask_file.is_file():
            return focus.from_mask(depth_map, pictures.load_map(mask_file)[0, 0]), "mask"
        return focus.from_sharpness(srgb_to_linear(photo[0]), depth_map), "sharpness"


def _agreement(photo: Tensor, sharp: Tensor, depth_map: DepthMap, focus_disparity: float, gain_px: float) -> float:
    """How well the sharp picture [1,3,H,W], blurred by K, agrees with the photo: 0..1."""
    one = depth_map.disparity.new_ones(1)
    defocus_map = DefocusMap.from_law(depth_map.disparity, BlurLaw.thin_lens(one * gain_px, one * focus_disparity))
    render = linear_to_srgb(bokeh.render(srgb_to_linear(sharp), defocus_map)).clamp(0, 1)
    low, high = _SSIM_RANGE
    return max(0.0, min(1.0, (ssim(render[0], photo[0]) - low) / (high - low)))


def _real_sample(
    sharp: Tensor, blurred: Tensor, radius_px: Tensor, size_px: int, metadata: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Members of a sample from a real photo: [3,H,W] sRGB pictures and [H,W] radii, cut to their middle."""
    return {
        "sharp.png": quantise(_centre(sharp, size_px)),
        "blurred.png": quantise(_centre(blurred, size_px)),
        "radius.npy": _centre(radius_px, size_px).half(),
        "kernel.png": kernel_picture(bokeh.make_kernel("circle")),
        "json": metadata,
    }


@dataclass(frozen=True)
class Series:
    """Maker of pairs from real aperture series.

        FOLDER/SCENE/series.json    {"sharp": "f16.jpg", "frames": {"f2.jpg": 2.0, "f4.jpg": 4.0}}
        FOLDER/SCENE/mask.png       what is in focus, or
        (nothing)                   found by sharpness in the frame of the widest aperture

    Frames are the values' f-numbers, or null where unknown.
    """

    folder: Path
    depth: Depth
    size_px: int = 512
    threshold: float = 0.85
    radius_px: tuple[float, float] = (0.5, 60.0)
    largest_shift_px: float = 8.0

    @property
    def frames(self) -> list[tuple[Path, str]]:
        """(scene, frame) of every sample."""
        out: list[tuple[Path, str]] = []
        for note in sorted(self.folder.glob("*/series.json")):
            out += [(note.parent, name) for name in sorted(json.loads(note.read_text())["frames"])]
        return out

    def __call__(self, index: int) -> Mapping[str, Any]:
        scene, name = self.frames[index]
        note = json.loads((scene / "series.json").read_text())
        f_numbers: dict[str, float | None] = note["frames"]
        sharp, frame, widest = (
            _fitted(pictures.load(scene / n).image, self.size_px)[0] for n in (note["sharp"], name, _widest(f_numbers, name))
        )
        depth_map = self.depth(sharp[None])
        try:
            estimate = _series_focus(scene, widest, depth_map)
            aligned = series.align(srgb_to_linear(frame), srgb_to_linear(sharp), self.largest_shift_px)
            fit = series.search_gain(
                srgb_to_linear(sharp),
                depth_map.disparity[0],
                estimate.disparity,
                aligned.frame,
                radius_px=self.radius_px,
                threshold=self.threshold,
            )
        except ValueError as error:
            raise RejectedError(f"{scene.name}/{name}: {error}") from error
        if not fit.accepted:
            raise RejectedError(f"{scene.name}/{name}: {fit.why}")
        metadata = {
            "kind": "series",
            "file": f"{scene.name}/{name}",
            "gain_px": fit.gain_px,
            "f_number": f_numbers[name],
            "focus_disparity": estimate.disparity,
            "metric": depth_map.metric,
            "confidence": estimate.confidence,
            "shift_px": list(aligned.shift_px),
            "exposure": aligned.exposure.tolist(),
            "fit": asdict(fit),
        }
        radius = fit.gain_px * (estimate.disparity - depth_map.disparity[0])
        return _real_sample(sharp, linear_to_srgb(aligned.frame), radius, self.size_px, metadata)


def _widest(f_numbers: Mapping[str, float | None], otherwise: str) -> str:
    """The frame of the widest aperture; `otherwise` where no f-number is known."""
    known = {n: f for n, f in f_numbers.items() if f is not None}
    return min(known, key=lambda n: known[n]) if known else otherwise


def _series_focus(scene: Path, widest: Tensor, depth_map: DepthMap) -> focus.FocusEstimate:
    if (scene / "mask.png").is_file():
        return focus.from_mask(depth_map, pictures.load_map(scene / "mask.png")[0, 0])
    return focus.from_sharpness(srgb_to_linear(widest), depth_map)
