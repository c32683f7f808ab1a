"""Pairs of a defocused and a sharp picture, made from photos and packed in shards.

Every pair is composed in linear light from up to three layers, each a piece of a sharp photo with one blur radius or a ramp of
radii; a layer's light and coverage are blurred before it is laid over what is behind it, as a lens does it: a blurred foreground
spreads over the edge and lets the background through. Then come clipping, the softness of demosaicing, shot and read noise, sRGB,
8 bits and JPEG. What is sharp in the source is its own target, noise included: a restorer is to leave it alone. Where the source
is blurred the target has no noise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..common import photos
from ..common.seeds import generator
from .content import Array, Source, coverage, shapes, smooth_field
from .lens import MARGIN_PX, Lens, camera, draw_aperture, draw_radius, srgb_levels

SIZE_PX = 144
"""Side of a stored pair."""
RADIUS_STEP_PX = 0.1
"""Radii are stored as bytes of this step, at half the resolution."""
_SHARP_BELOW_PX, _BLURRED_FROM_PX = 0.3, 0.7
"""Below the first radius the target is the source itself, from the second on the clean sharp picture; blended between."""
_SHARP, _ONE_RADIUS, _RAMP = 0.16, 0.24, 0.22
"""Shares of the pairs without blur, with one radius, and with a ramp of radii; the others are layered."""
_DRAWN = 0.12
"""Share of the pieces that are drawn shapes instead of photos."""
_FOCUSED_LAYER = 0.35
"""Share of the layers that are in focus."""
_RAMP_STEP_PX = 0.7
"""Radii of a ramp's stack are at most so far apart; more saves time and blends less alike blurs."""
_MOST_RAMP_STEPS = 14
"""No ramp's stack has more steps."""
_ROUND_STREAM = 7
"""Key of the random order of each round of examples; what a seed means depends on it."""
_HINT_ERROR = 0.08
"""Standard deviation of the factor that a hint of the radius is off by."""


class _Composition(NamedTuple):
    """In linear light: what the lens makes of a scene, and the scene sharp, [S,S,3]; the radius that shows [S,S] in px."""

    blurred: Array
    sharp: Array
    radius_px: Array


def photo_source(files: Sequence[Path]) -> Source:
    """The photos that pairs are made from, at sizes that have room for them."""
    return Source.of(files, SIZE_PX + 2 * MARGIN_PX)


def pair(source: Source, seed: int, index: int) -> tuple[Tensor, Tensor, Tensor]:
    """Pair number `index`: source and target [3,S,S] uint8 sRGB, and the radius [S/2,S/2] uint8 in steps of 0.1 px."""
    rng = np.random.default_rng((seed, index))
    blurred, sharp, radius = _compose(rng, source)
    inner = slice(MARGIN_PX, MARGIN_PX + SIZE_PX)
    blurred, sharp, radius = blurred[inner, inner], sharp[inner, inner], radius[inner, inner]
    exposure = float(np.exp(rng.normal(0, 0.3)))
    blurred, sharp = np.clip(blurred * exposure, 0, 1), np.clip(sharp * exposure, 0, 1)
    source_srgb = camera(rng, blurred)
    target_srgb = srgb_levels(sharp)
    own = np.clip((_BLURRED_FROM_PX - radius) / (_BLURRED_FROM_PX - _SHARP_BELOW_PX), 0, 1)[..., None]
    target_srgb = target_srgb * (1 - own) + source_srgb.astype(np.float32) * own
    half = radius.reshape(SIZE_PX // 2, 2, SIZE_PX // 2, 2).mean((1, 3))
    return (
        torch.from_numpy(source_srgb.copy()).permute(2, 0, 1).contiguous(),
        torch.from_numpy(np.clip(target_srgb + 0.5, 0, 255).astype(np.uint8)).permute(2, 0, 1).contiguous(),
        torch.from_numpy(np.clip(half / RADIUS_STEP_PX + 0.5, 0, 255).astype(np.uint8)),
    )


def _content(rng: np.random.Generator, source: Source, side: int) -> Array:
    return shapes(rng, side) if rng.random() < _DRAWN else source.piece(rng, side)


def _compose(rng: np.random.Generator, source: Source) -> _Composition:
    """A scene with its margin, of one of four kinds."""
    side = SIZE_PX + 2 * MARGIN_PX
    lens = Lens(draw_aperture(rng), side)
    sharp = _content(rng, source, side)
    kind = rng.random()
    if kind < _SHARP:
        return _Composition(sharp, sharp, np.zeros((side, side), np.float32))
    if kind < _SHARP + _ONE_RADIUS:
        r = draw_radius(rng)
        return _Composition(lens(sharp, r), sharp, np.full((side, side), r, np.float32))
    if kind < _SHARP + (_ONE_RADIUS + _RAMP):
        return _ramp(rng, lens, sharp)
    return _layers(rng, lens, source, sharp)


def _layers(rng: np.random.Generator, lens: Lens, source: Source, sharp: Array) -> _Composition:
    """One or two foregrounds before a background, each with its own radius."""
    side = len(sharp)
    count = 2 if rng.random() < 0.7 else 3
    radii = [0.0 if rng.random() < _FOCUSED_LAYER else draw_radius(rng) for _ in range(count)]
    blurred, radius = lens(sharp, radii[0]), np.full((side, side), radii[0], np.float32)
    for r in radii[1:]:
        front, cover = _content(rng, source, side), coverage(rng, side)
        light = lens(np.concatenate((front * cover, cover), 2), r)
        blurred = blurred * (1 - light[..., 3:]) + light[..., :3]
        sharp = (sharp * (1 - cover) + front * cover).astype(np.float32)
        # The blur that a pixel shows is the one of the surface that gives most of its light.
        radius = np.where(light[..., 3] > 0.5, r, radius).astype(np.float32)
    return _Composition(blurred, sharp, radius)


def _ramp(rng: np.random.Generator, lens: Lens, sharp: Array) -> _Composition:
    """A surface whose radius changes smoothly: a stack of blurs, interpolated."""
    side = len(sharp)
    near, far = draw_radius(rng), draw_radius(rng)
    if rng.random() < 0.4:
        near = 0.0
    far = min(far, near + 10) if far > near else max(far, near - 10)
    field = smooth_field(rng, side, int(rng.integers(2, 4)))
    radius = (near + (far - near) * field).astype(np.float32)
    low, high = sorted((near, far))
    count = int(np.clip(math.ceil((high - low) / _RAMP_STEP_PX), 1, _MOST_RAMP_STEPS)) + 1
    steps = np.linspace(low, max(high, low + 1e-3), count)
    step_number = (radius - low) / (steps[-1] - low) * (count - 1)
    spectrum = lens.spectrum(sharp)
    blurred = np.zeros_like(sharp)
    for i, r in enumerate(steps):
        weight = np.clip(1 - np.abs(step_number - i), 0, 1)[..., None]
        blurred += weight * lens(sharp, float(r), spectrum)
    return _Composition(blurred, sharp, radius)


def pack(folder: Path, count: int, *, seed: int = 0, per_shard: int = 400, sharp: Sequence[Path] | None = None) -> list[Path]:
    """Make pairs and write them as shards of about 52 MB.

    Args:
        folder: of the shards; what is there already is kept, as the same numbers give the same pairs.
        count: pairs in all.
        seed: of all pairs.
        per_shard: pairs of a shard.
        sharp: the photos; None takes those that may be trained on, fetched where they are missing.
    """
    source: Source | None = None
    folder.mkdir(parents=True, exist_ok=True)
    files: list[Path] = []
    for start in range(0, count, per_shard):
        file = folder / f"pairs-{seed:03d}-{start:06d}.safetensors"
        files.append(file)
        if file.exists():
            continue
        if source is None:
            source = photo_source(photos.training() if sharp is None else sharp)
        new_pairs = [pair(source, seed, i) for i in range(start, min(start + per_shard, count))]
        stacked = (torch.stack(t) for t in zip(*new_pairs, strict=True))
        part = file.with_suffix(".part")
        save_file(dict(zip(("source", "target", "radius"), stacked, strict=True)), part)
        part.replace(file)
    return files


class Pairs:
    """Examples from shards: a random piece of a random pair, turned and mirrored. Example `i` is always the same.

    Each gives `source` and `target` [3,s,s] float32 sRGB 0..1, `radius_px` [s/2,s/2], and `hint_px` [s/2,s/2] with `hinted` []
    for half of them: a defocus map as a user may have one, off by a few percent and blurred.
    """

    def __init__(self, files: Sequence[Path], *, crop_px: int = 128, seed: int = 0) -> None:
        if not files:
            raise ValueError("There are no shards of pairs. Make them first: python -m refocus_core.train.deblur data")
        parts: dict[str, list[Tensor]] = {"source": [], "target": [], "radius": []}
        for file in files:
            with safe_open(file, framework="pt") as f:
                for name, tensors in parts.items():
                    tensors.append(f.get_tensor(name))
        self._source, self._target, self._radius = (torch.cat(parts[n]) for n in ("source", "target", "radius"))
        self._crop, self._seed = crop_px, seed
        self._round, self._order = -1, torch.empty(0)

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        g = generator(self._seed, index)
        i = self._pair_of(index)
        c = self._crop
        room = (self._source.shape[-1] - c) // 2 + 1
        y, x, turn, mirror = (int(v) for v in torch.randint(2**30, (4,), generator=g))
        y, x = y % room * 2, x % room * 2

        def cut(t: Tensor, step: int) -> Tensor:
            t = t[..., y // step : (y + c) // step, x // step : (x + c) // step]
            t = torch.rot90(t, turn % 4, (-2, -1))
            return (t.flip(-1) if mirror % 2 else t).float()

        radius = cut(self._radius[i], 2) * RADIUS_STEP_PX
        hinted = (torch.rand((), generator=g) < 0.5).float()
        off = 1 + _HINT_ERROR * torch.randn((), generator=g)
        hint = F.avg_pool2d(F.pad(radius[None, None], (1, 1, 1, 1), "replicate"), 3, 1)[0, 0] * off
        return {
            "source": cut(self._source[i], 1) / 255,
            "target": cut(self._target[i], 1) / 255,
            "radius_px": radius,
            "hint_px": hint * hinted,
            "hinted": hinted,
        }

    def _pair_of(self, index: int) -> int:
        """Number of the pair that an example is cut from: every pair once in each round, in a new order."""
        number, at = divmod(index, len(self))
        if number != self._round:
            self._round = number
            self._order = torch.randperm(len(self), generator=generator(self._seed, number, _ROUND_STREAM))
        return int(self._order[at])
