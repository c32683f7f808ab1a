"""Makers of samples: synthetic pairs, real photos found in the wild, and real aperture series. See `shards.write`.

Members of a sample: `sharp.png` (all in focus), `blurred.png`, `radius.npy` (float16 [S,S], signed radius of the circle of
confusion in px), `kernel.png` (the aperture, brightest cell white), `json`. The JSON holds `kind`, `gain_px`, `focus_disparity`,
and for synthetic pairs `spec`, from which `synthetic.make` makes the pair again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ... import bokeh
from ...color import linear_to_srgb, srgb_to_linear
from ...files import pictures
from ...optics import BlurLaw
from ...types import DefocusMap, DepthMap, Kernel
from ..common.config import build
from . import exif, focus, series, synthetic
from .measure import ssim
from .shards import RejectedError
from .synthetic import Pair, PairSpec, Recipe, Sources, quantise

AllInFocus = Callable[[Tensor], Tensor]
"""[1,3,H,W] sRGB -> the same, sharp everywhere."""
Depth = Callable[[Tensor], DepthMap]
"""[1,3,H,W] sRGB -> metric depth of it."""


def kernel_picture(kernel: Kernel) -> Tensor:
    """uint8 [3,256,256], brightest cell white, linear transmission."""
    k = F.interpolate(kernel.raster[None].expand(1, 3, -1, -1), (256, 256), mode="area")[0]
    return (k / k.max() * 255).round().to(torch.uint8)


def sample_of(pair: Pair) -> dict[str, Any]:
    """A synthetic pair as members of a sample."""
    return {
        "sharp.png": pair.sharp,
        "blurred.png": pair.blurred,
        "radius.npy": pair.radius_px.half(),
        "kernel.png": kernel_picture(pair.kernel),
        "json": {
            "kind": "synthetic",
            "gain_px": pair.spec.gain_px,
            "focus_disparity": pair.spec.focus_disparity,
            "metric": pair.spec.metric,
            "spec": pair.spec.to_json(),
        },
    }


def spec_of(metadata: Mapping[str, Any]) -> PairSpec:
    """The `PairSpec` in a sample's JSON.

    Raises:
        ValueError: if it holds none, or one that is not understood.
    """
    if "spec" not in metadata:
        raise ValueError(f"A sample of kind {metadata.get('kind')!r} cannot be made again: only synthetic pairs hold a `spec`.")
    return build(PairSpec, metadata["spec"], "spec")


@dataclass(frozen=True)
class Synthetic:
    """Maker of synthetic pairs."""

    sources: Sources
    recipe: Recipe
    seed: int = 0
    device: str = "cpu"

    def __call__(self, index: int) -> Mapping[str, Any]:
        return sample_of(synthetic.make(synthetic.draw(self.recipe, self.sources, self.seed, index), self.sources, self.device))


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
        return synthetic.photos_in(self.folder / "photos")

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
        mask_file = self.folder / "masks" / f"{path.stem}.png"
        if mask_file.is_file():
            found, origin = focus.from_mask(depth_map, pictures.load_map(mask_file)[0, 0]), "mask"
        else:
            try:
                found, origin = focus.from_sharpness(srgb_to_linear(photo[0]), depth_map), "sharpness"
            except ValueError as error:
                raise RejectedError(f"{path.name}: {error}") from error
        long_edge = max(photo.shape[-2:])
        try:
            k = exif.gain(lens, long_edge, found.disparity)
        except ValueError as error:
            raise RejectedError(f"{path.name}: {error}") from error
        radius = k.gain_px * (found.disparity - depth_map.disparity)
        one = radius.new_ones(1)
        made = DefocusMap.from_law(depth_map.disparity, BlurLaw.thin_lens(one * k.gain_px, one * found.disparity))
        render = linear_to_srgb(bokeh.render(srgb_to_linear(sharp), made)).clamp(0, 1)
        agreement = ssim(render[0], photo[0])
        # Each part says how far one source of K can be believed; together they are as good as the weakest.
        parts = {
            "focus": found.confidence,
            "distance": 0.5 if k.contradictions else 1.0,
            "render": max(0.0, min(1.0, (agreement - 0.5) / 0.4)),
        }
        confidence = min(parts.values())
        if confidence < self.least_confidence:
            text = ", ".join(f"{n} {v:.2f}" for n, v in parts.items())
            raise RejectedError(
                f"{path.name}: confidence {confidence:.2f} ({text}; {'; '.join(k.contradictions) or 'no contradiction'})"
            )
        return {
            "sharp.png": quantise(_centre(sharp[0], self.size_px)),
            "blurred.png": quantise(_centre(photo[0], self.size_px)),
            "radius.npy": _centre(radius[0], self.size_px).half(),
            "kernel.png": kernel_picture(bokeh.make_kernel("circle")),
            "json": {
                "kind": "wild",
                "file": path.name,
                "gain_px": k.gain_px,
                "focus_disparity": found.disparity,
                "metric": True,
                "focus_from": origin,
                "confidence": confidence,
                "confidence_parts": parts,
                "contradictions": list(k.contradictions),
                "exif": lens.to_json(),
            },
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
        known = {n: f for n, f in f_numbers.items() if f is not None}
        widest = min(known, key=lambda n: known[n]) if known else name
        sharp, frame, wide = (_fitted(pictures.load(scene / n).image, self.size_px)[0] for n in (note["sharp"], name, widest))
        depth_map = self.depth(sharp[None])
        try:
            if (scene / "mask.png").is_file():
                found = focus.from_mask(depth_map, pictures.load_map(scene / "mask.png")[0, 0])
            else:
                found = focus.from_sharpness(srgb_to_linear(wide), depth_map)
            ready = series.prepare(srgb_to_linear(frame), srgb_to_linear(sharp), self.largest_shift_px)
            fit = series.search_gain(
                srgb_to_linear(sharp),
                depth_map.disparity[0],
                found.disparity,
                ready.frame,
                radius_px=self.radius_px,
                threshold=self.threshold,
            )
        except ValueError as error:
            raise RejectedError(f"{scene.name}/{name}: {error}") from error
        if not fit.accepted:
            raise RejectedError(f"{scene.name}/{name}: {fit.why}")
        radius = fit.gain_px * (found.disparity - depth_map.disparity[0])
        return {
            "sharp.png": quantise(_centre(sharp, self.size_px)),
            "blurred.png": quantise(_centre(linear_to_srgb(ready.frame), self.size_px)),
            "radius.npy": _centre(radius, self.size_px).half(),
            "kernel.png": kernel_picture(bokeh.make_kernel("circle")),
            "json": {
                "kind": "series",
                "file": f"{scene.name}/{name}",
                "gain_px": fit.gain_px,
                "f_number": f_numbers[name],
                "focus_disparity": found.disparity,
                "metric": depth_map.metric,
                "confidence": found.confidence,
                "shift_px": list(ready.shift_px),
                "exposure": ready.exposure.tolist(),
                "fit": asdict(fit),
            },
        }


def deblur_sample(blurred: Tensor, sharp: Tensor, metadata: Mapping[str, Any], pre: Tensor | None = None) -> dict[str, Any]:
    """A pair for DeblurNet, without a defocus map: pictures uint8 [3,S,S], and what a first deblurring made if there is one."""
    out: dict[str, Any] = {"sharp.png": sharp, "blurred.png": blurred, "json": {"kind": "deblur", **metadata}}
    return out if pre is None else {**out, "pre.png": pre}


@dataclass(frozen=True)
class DeblurPairs:
    """Maker of real deblurring pairs: `blurred/NAME` and `sharp/NAME` (DPDD, RealBokeh and the like), cut in squares by chance.

    Attributes:
        folder: holds both.
        size_px: side of the cut.
        crops: cuts of each pair.
        seed: of the places.
        pre: the first deblurring, for the variant that takes its output as a second condition.
    """

    folder: Path
    size_px: int = 512
    crops: int = 4
    seed: int = 0
    pre: AllInFocus | None = None

    @property
    def files(self) -> list[Path]:
        return synthetic.photos_in(self.folder / "blurred")

    def __call__(self, index: int) -> Mapping[str, Any]:
        path = self.files[index // self.crops]
        twins = [p for s in synthetic.PHOTO_SUFFIXES if (p := self.folder / "sharp" / (path.stem + s)).is_file()]
        if not twins:
            raise RejectedError(f"{path.name} has no counterpart in {self.folder / 'sharp'}")
        blurred, sharp = pictures.load(path).image, pictures.load(twins[0]).image
        if blurred.shape != sharp.shape:
            raise RejectedError(f"{path.name}: the two pictures differ in size")
        h, w = blurred.shape[-2:]
        if min(h, w) < self.size_px:
            raise RejectedError(f"{path.name} is {w} x {h} px, smaller than {self.size_px}")
        rng = synthetic.generator(self.seed, 13, index)
        top, left = (int(torch.randint(n - self.size_px + 1, (1,), generator=rng)) for n in (h, w))
        blurred, sharp = (x[..., top : top + self.size_px, left : left + self.size_px] for x in (blurred, sharp))
        pre = None if self.pre is None else quantise(self.pre(blurred)[0])
        return deblur_sample(quantise(blurred[0]), quantise(sharp[0]), {"file": path.name, "crop": [top, left]}, pre)
