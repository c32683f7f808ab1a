"""Real pairs for `bench.run.deblur`: two photos of one view with the focus at different places.

Where the second is sharper, it is brought onto the first (an affine map found by gradient descent on blurred copies, and the
local brightness of the first) and stands as its truth. What the map does not describe, parallax above all, counts as an error
of every method alike, so gains look smaller than they are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from refocus_core import color

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"}
"""Of what counts as a photo."""
LONG_EDGE_PX = 1024
"""Larger photos are reduced to below twice this by a whole number: few lenses and sensors are sharp to the pixel."""
LEAST_PX = 2000
"""A pair counts where so many pixels of the second photo are sharper."""
FILTER_PX = 17
"""Side of the filter of `best_filter`; a larger one undoes wider blurs and is fitted less surely."""
FILTER_SAMPLES = 30000
"""Side of the filter of `best_filter`, and the pixels it is fitted to."""
MOST_SHIFT = 0.06
"""Of the affine map; where more is found the photos do not match."""


@dataclass(frozen=True)
class Pair:
    """A photo [1,3,H,W] sRGB, the truth where `mask` [H,W] is True, and their name."""

    name: str
    photo: Tensor
    truth: Tensor
    mask: Tensor


def found(folder: Path) -> Iterator[Pair]:
    """Pairs of all subfolders (each a view): every photo with the first, the middle and the last one of its view."""
    for view in sorted(p for p in folder.iterdir() if p.is_dir()):
        files = sorted(f for f in view.iterdir() if f.suffix.lower() in SUFFIXES)
        photos = [_load(f) for f in files]
        for i, photo in enumerate(photos):
            for j in sorted({0, len(photos) // 2, len(photos) - 1} - {i}):
                if photos[j].shape == photo.shape:
                    pair = matched(f"{view.name} {files[i].stem} by {files[j].stem}", photo, photos[j])
                    if pair is not None:
                        yield pair


def matched(name: str, photo: Tensor, other: Tensor) -> Pair | None:
    """The pair, or None where the photos do not match or the other one is hardly anywhere sharper."""
    onto, map_ = _registered(photo, other)
    if max(abs(v) for v in map_) > MOST_SHIFT:
        return None
    light, there = color.srgb_to_linear(photo), color.srgb_to_linear(onto)
    truth = color.linear_to_srgb((there * (_soft(light, 12) + 1e-3) / (_soft(there, 12) + 1e-3)).clamp(0, 1))
    own, its = _detail(photo), _detail(truth)
    mask = ((its > 2.5 * own) & (its > 0.3 * its.mean()))[0, 0]
    inside = torch.zeros_like(mask)
    inside[20:-20, 20:-20] = True
    mask &= inside
    return Pair(name, photo, truth, mask) if int(mask.sum()) >= LEAST_PX else None


def best_filter(pair: Pair) -> float:
    """dB gained on the pair by the one symmetric linear filter that brings its photo closest to its truth.

    No restorer knows it. What it cannot reach is what such a filter does not model: blur that changes over the picture, parallax
    and what registration left, light and noise that differ between the two photos.
    """
    half = FILTER_PX // 2
    at = pair.mask.nonzero()
    order = torch.randperm(len(at), generator=torch.Generator().manual_seed(0))
    y, x = at[order[:FILTER_SAMPLES]].unbind(1)
    across = torch.arange(-half, half + 1).abs()
    place = torch.maximum(across[:, None], across) * FILTER_PX + torch.minimum(across[:, None], across)
    place = place.flatten().unique(return_inverse=True)[1]  # the filter's values that are the same by symmetry
    seen: list[Tensor] = []
    missing: list[Tensor] = []
    for photo, truth in zip(pair.photo[0].double(), pair.truth[0].double(), strict=True):
        wide = F.pad(photo[None, None], (half,) * 4, "reflect")[0, 0]
        windows = wide.unfold(0, FILTER_PX, 1).unfold(1, FILTER_PX, 1)[y, x].flatten(1)
        seen.append(windows.new_zeros(len(y), int(place.max()) + 1).index_add_(1, place, windows))
        missing.append(truth[y, x] - photo[y, x])
    a, b = torch.cat(seen), torch.cat(missing)
    ridge = 1e-7 * len(a) * torch.eye(a.shape[1], dtype=a.dtype)
    left = b - a @ torch.linalg.solve(a.T @ a + ridge, a.T @ b)
    return 10 * math.log10(float(b.square().mean() / left.square().mean()))


def _load(file: Path) -> Tensor:
    with Image.open(file) as image:
        photo = torch.from_numpy(np.asarray(image.convert("RGB")).copy()).permute(2, 0, 1)[None].float() / 255
    factor = max(photo.shape[-2:]) // LONG_EDGE_PX
    if factor < 2:
        return photo
    light = F.avg_pool2d(color.srgb_to_linear(photo), factor)
    return (color.linear_to_srgb(light) * 255).round() / 255


def _soft(x: Tensor, sigma: float) -> Tensor:
    m = math.ceil(3 * sigma)
    k = torch.exp(-0.5 * (torch.arange(-m, m + 1) / sigma) ** 2)
    k = (k / k.sum()).view(1, 1, 1, -1).expand(x.shape[1], 1, 1, -1)
    for turned in (k, k.mT):
        pad = (m, m, 0, 0) if turned is k else (0, 0, m, m)
        x = F.conv2d(F.pad(x, pad, "reflect"), turned, groups=x.shape[1])
    return x


def _detail(x: Tensor) -> Tensor:
    grey = x.mean(1, keepdim=True)
    return _soft((grey - _soft(grey, 1.2)).square(), 6)


def _registered(photo: Tensor, other: Tensor) -> tuple[Tensor, list[float]]:
    """`other` on the pixels of `photo`, and the six numbers by which the map differs from the identity."""
    identity = torch.tensor([[1.0, 0, 0], [0, 1, 0]])
    change = torch.zeros(6, requires_grad=True)
    scale = 0.05  # so that the optimiser's first step is a small one

    def moved(x: Tensor) -> Tensor:
        grid = F.affine_grid((identity + scale * change.view(2, 3))[None], list(x.shape), align_corners=False)
        return F.grid_sample(x, grid, "bicubic", "reflection", align_corners=False)

    for sigma in (13.0, 7.0, 4.0, 3.25):  # beyond the blurs, which would pull at the map
        a, b = (_soft(t.mean(1, keepdim=True), sigma) for t in (photo, other))
        a, b = ((t - t.mean()) / t.std() for t in (a, b))
        optimizer = torch.optim.LBFGS([change], max_iter=40, tolerance_change=1e-10, line_search_fn="strong_wolfe")

        def closure(a: Tensor = a, b: Tensor = b, optimizer: torch.optim.Optimizer = optimizer) -> Tensor:
            optimizer.zero_grad()
            loss = (moved(b) - a)[..., 16:-16, 16:-16].abs().mean()
            loss.backward()
            return loss

        optimizer.step(closure)  # pyright: ignore[reportArgumentType]
    with torch.no_grad():
        return moved(other).clamp(0, 1), (scale * change).tolist()
