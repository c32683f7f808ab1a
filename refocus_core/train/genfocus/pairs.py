"""Makers of samples: synthetic pairs and real deblurring pairs. `real` has those of real photos. See `shards.write`.

Members of a sample: `sharp.png` (all in focus), `blurred.png`, `radius.npy` (float16 [S,S], signed radius of the circle of
confusion in px), `kernel.png` (the aperture, brightest cell white), `json`. The JSON holds `kind`, `gain_px`, `focus_disparity`,
and for synthetic pairs `spec`, from which `synthetic.make` makes the pair again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ...files import pictures
from ...types import Kernel
from ..common.config import build
from ..common.seeds import generator
from . import photo_folder, synthetic
from .photo_folder import Sources
from .recipe import Pair, PairSpec, Recipe
from .sample_files import RejectedError
from .synthetic import quantise

AllInFocus = Callable[[Tensor], Tensor]
"""[1,3,H,W] sRGB -> the same, sharp everywhere."""
_KERNEL_PX = 256
"""Side of the aperture's picture; FLUX sees it as a condition of 16 x 16 tokens."""
_CROP_STREAM = 13
"""Key of the random numbers of a cut; what a seed means depends on it."""


def kernel_picture(kernel: Kernel) -> Tensor:
    """uint8 [3,256,256], brightest cell white, linear transmission."""
    k = F.interpolate(kernel.raster[None].expand(1, 3, -1, -1), (_KERNEL_PX, _KERNEL_PX), mode="area")[0]
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
        return photo_folder.photos_in(self.folder / "blurred")

    def __call__(self, index: int) -> Mapping[str, Any]:
        path = self.files[index // self.crops]
        twins = [p for s in photo_folder.PHOTO_SUFFIXES if (p := self.folder / "sharp" / (path.stem + s)).is_file()]
        if not twins:
            raise RejectedError(f"{path.name} has no counterpart in {self.folder / 'sharp'}")
        blurred, sharp = pictures.load(path).image, pictures.load(twins[0]).image
        if blurred.shape != sharp.shape:
            raise RejectedError(f"{path.name}: the two pictures differ in size")
        h, w = blurred.shape[-2:]
        if min(h, w) < self.size_px:
            raise RejectedError(f"{path.name} is {w} x {h} px, smaller than {self.size_px}")
        rng = generator(self.seed, _CROP_STREAM, index)
        top, left = (int(torch.randint(n - self.size_px + 1, (1,), generator=rng)) for n in (h, w))
        blurred, sharp = (x[..., top : top + self.size_px, left : left + self.size_px] for x in (blurred, sharp))
        pre = None if self.pre is None else quantise(self.pre(blurred)[0])
        return deblur_sample(quantise(blurred[0]), quantise(sharp[0]), {"file": path.name, "crop": [top, left]}, pre)
