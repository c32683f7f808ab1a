"""Shards of scenes for the depth network: made once on a CPU, read many times, below 60 MB each.

A shard is a safetensors file of `image` [n,3,S,S] uint8, `blurred` [n,3,S,S] uint8 (the same frame out of focus somewhere, drawn
by our own renderer; a copy of `image` where it was not) and `disparity` [n,S,S] float16 in 1/m.
"""

from __future__ import annotations

import logging
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
from ..common.loop import generator
from . import scenes

log = logging.getLogger(__name__)

PER_SHARD = 96
_BLURRED = 0.5  # share of the scenes that also exist out of focus


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
    largest_px = (0.004 + 0.03 * float(torch.rand((), generator=g)) ** 1.5) * max(height, width)
    away = (disparity - focus[:, None, None]).abs()
    # Of nearly all pixels: a few very near ones would leave everything else sharp.
    gain = largest_px / away.flatten(1).quantile(0.95, 1).clamp_min(1e-6)
    radius = (gain[:, None, None] * (focus[:, None, None] - disparity)).clamp(-3 * largest_px, 3 * largest_px)
    linear = bokeh.render(color.srgb_to_linear(image), DefocusMap.from_radius(radius, disparity))
    return color.linear_to_srgb(linear).clamp(0, 1)


def make_shard(path: Path, pieces: Sequence[Tensor], seed: int, first: int, count: int, side_px: int) -> None:
    """Write scenes `first` .. `first + count` of `seed`; complete or not at all."""
    sharp, soft, depth = [], [], []
    for index in tqdm(range(first, first + count), desc=path.name, dynamic_ncols=True):
        image, disparity = scenes.example(pieces, seed, index, side_px)
        g = generator(seed, index, 9)
        blurred = defocused(image, disparity, g) if float(torch.rand((), generator=g)) < _BLURRED else image
        sharp.append((image[0] * 255).round().byte())
        soft.append((blurred[0] * 255).round().byte())
        depth.append(disparity[0].half())
    part = path.with_suffix(".part")
    save_file({"image": torch.stack(sharp), "blurred": torch.stack(soft), "disparity": torch.stack(depth)}, part)
    os.replace(part, path)


def make(
    folder: Path, *, scenes_count: int, side_px: int, seed: int, worker: int = 0, workers: int = 1, held_out: bool = False
) -> None:
    """Write the shards that are missing. Several workers, each with its number, share the work without talking.

    `held_out`: dress the scenes in the photos that are never trained on.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pieces = photo_pieces(photos.held_out() if held_out else photos.training())
    for number in range(worker, -(-scenes_count // PER_SHARD), workers):
        path = folder / f"scenes-{seed}-{number:05d}.safetensors"
        if not path.exists():
            first = number * PER_SHARD
            with torch.inference_mode():
                make_shard(path, pieces, seed, first, min(PER_SHARD, scenes_count - first), side_px)


def shards(folder: Path) -> list[Path]:
    """The shards in a folder.

    Raises:
        FileNotFoundError: if there is none.
    """
    found = sorted(folder.glob("scenes-*.safetensors"))
    if not found:
        raise FileNotFoundError(f"{folder} holds no shards. Make them first: python -m refocus_core.train.depth data")
    return found


def read(path: Path) -> dict[str, Tensor]:
    """A shard's tensors."""
    return load_file(path)
