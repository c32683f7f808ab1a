"""Shards of scenes for the depth network: made once on a CPU, read many times, below 60 MB each.

A shard is a safetensors file of `image` [n,3,S,S] uint8, `blurred` [n,3,S,S] uint8 (the same frame out of focus somewhere, drawn
by our own renderer; a copy of `image` where it was not) and `disparity` [n,S,S] float16 in 1/m.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor
from tqdm import tqdm

from ... import bokeh, color
from ...types import DefocusMap
from ..common import photos
from ..common.seeds import generator
from . import scenes

PER_SHARD = 96
"""Scenes of a shard; more make fewer and larger files, and a worker that is stopped loses more."""
_BLURRED = 0.5
"""Share of the scenes that also exist out of focus."""
_LARGEST_BLUR = (0.004, 0.03)
"""Least largest radius of a picture out of focus, and what chance adds at most, as shares of the picture's long side."""
_BLUR_QUANTILE = 0.95
"""Of the pixels' blur, that is set to the largest radius: a few very near ones would leave everything else sharp."""
_BLUR_LIMIT = 3.0
"""No radius is more than this times the largest one."""
_BLUR_STREAM = 9
"""Key of the random numbers of a scene's focus; what a seed means depends on it."""


def photo_pieces(files: Sequence[Path], short_px: int = 512) -> list[Tensor]:
    """Photos for surfaces, [3,h,w] uint8 with the short side at `short_px`."""
    out: list[Tensor] = []
    for file in files:
        picture = photos.load(file)
        scale = short_px / min(picture.shape[1:])
        size = [max(1, round(n * scale)) for n in picture.shape[1:]]
        small = F.interpolate(picture[None].float(), size, mode="bilinear", antialias=True)[0]
        out.append(small.round().clamp(0, 255).byte())
    return out


def defocused(image: Tensor, disparity: Tensor, g: torch.Generator) -> Tensor:
    """The picture [1,3,H,W] with a random focus and aperture, by `bokeh.render`; sRGB-encoded in and out."""
    height, width = image.shape[-2:]
    row, column = (int(torch.randint(n, (1,), generator=g)) for n in (height, width))
    focus = disparity[:, row, column]
    least, more = _LARGEST_BLUR
    largest_px = (least + more * float(torch.rand((), generator=g)) ** 1.5) * max(height, width)
    difference = (disparity - focus[:, None, None]).abs()
    gain = largest_px / difference.flatten(1).quantile(_BLUR_QUANTILE, 1).clamp_min(1e-6)
    limit_px = _BLUR_LIMIT * largest_px
    radius = (gain[:, None, None] * (focus[:, None, None] - disparity)).clamp(-limit_px, limit_px)
    linear = bokeh.render(color.srgb_to_linear(image), DefocusMap.from_radius(radius, disparity))
    return color.linear_to_srgb(linear).clamp(0, 1)


def make_shard(path: Path, pieces: Sequence[Tensor], seed: int, first: int, count: int, side_px: int) -> None:
    """Write scenes `first` .. `first + count` of `seed`; complete or not at all."""
    images, blurred, disparities = [], [], []
    for index in tqdm(range(first, first + count), desc=path.name, dynamic_ncols=True):
        image, disparity = scenes.example(pieces, seed, index, side_px)
        g = generator(seed, index, _BLUR_STREAM)
        soft = defocused(image, disparity, g) if float(torch.rand((), generator=g)) < _BLURRED else image
        images.append((image[0] * 255).round().byte())
        blurred.append((soft[0] * 255).round().byte())
        disparities.append(disparity[0].half())
    part = path.with_suffix(".part")
    save_file(
        {"image": torch.stack(images), "blurred": torch.stack(blurred), "disparity": torch.stack(disparities)},
        part,
    )
    os.replace(part, path)


def make(
    folder: Path, photo_files: Sequence[Path], *, count: int, side_px: int, seed: int, worker: int = 0, workers: int = 1
) -> None:
    """Write the shards that are missing.

    Args:
        folder: of the shards.
        photo_files: what the scenes' surfaces are cut from.
        count: scenes in all.
        side_px: of a scene.
        seed: of all scenes.
        worker, workers: number of this process and how many share the work, without talking.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pieces = photo_pieces(photo_files)
    for number in range(worker, -(-count // PER_SHARD), workers):
        path = folder / f"scenes-{seed}-{number:05d}.safetensors"
        if not path.exists():
            first = number * PER_SHARD
            with torch.inference_mode():
                make_shard(path, pieces, seed, first, min(PER_SHARD, count - first), side_px)


def shard_files(folder: Path) -> list[Path]:
    """The shards in a folder.

    Raises:
        FileNotFoundError: if there is none.
    """
    files = sorted(folder.glob("scenes-*.safetensors"))
    if not files:
        raise FileNotFoundError(f"{folder} holds no shards. Make them first: python -m refocus_core.train.depth data")
    return files


def read(path: Path) -> dict[str, Tensor]:
    """A shard's tensors."""
    return load_file(path)


def read_all(folder: Path) -> list[dict[str, Tensor]]:
    """All shards in a folder; raises as `shard_files`."""
    return [read(p) for p in shard_files(folder)]
