"""Pairs of a defocused and a sharp picture, made from photos and packed in shards.

Every pair is composed in linear light from up to three layers, each a piece of a sharp photo with one blur radius or a ramp of
radii; a layer's light and coverage are blurred before it is laid over what is behind it, as a lens does it: a blurred foreground
spreads over the edge and lets the background through. Then come clipping, the softness of demosaicing, shot and read noise, sRGB,
8 bits and JPEG. What is sharp in the source is its own target, noise included: a restorer is to leave it alone. Where the source
is blurred the target has no noise.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from safetensors import safe_open
from safetensors.torch import save_file
from scipy import fft as scipy_fft
from torch import Tensor

from ... import color, psf
from ..common import photos
from ..common.loop import generator

Array = NDArray[np.float32]
fft: Any = scipy_fft  # its types say nothing that helps

SIZE_PX = 144
"""Side of a stored pair."""
MAX_RADIUS_PX = 24.0
MARGIN_PX = 26
RADIUS_STEP_PX = 0.1
"""Radii are stored as bytes of this step, at half the resolution."""
SHARP_BELOW_PX, BLURRED_FROM_PX = 0.3, 0.7
"""Below: the target is the source itself. From: the clean sharp picture. Blended between."""
SHARP_SHARE = 0.16
"""Share of pairs without any blur."""


@dataclass(frozen=True)
class Source:
    """Photos reduced until they are sharp to the pixel: linear light [H,W,3] float16, several sizes of each."""

    levels: tuple[NDArray[np.float16], ...]

    @classmethod
    def of(cls, files: Sequence[Path]) -> Source:
        """Reduced by area in linear light, by factors after which the long edge is between 500 and 2000 px."""
        levels: list[NDArray[np.float16]] = []
        for file in files:
            picture = photos.load(file)
            long_edge = max(picture.shape[1:])
            first = max(1.5, long_edge / 2000)
            linear = color.srgb_to_linear(picture[None].float() / 255)
            factor = first
            while long_edge / factor >= 500:
                size = [round(n / factor) for n in picture.shape[1:]]
                if min(size) >= SIZE_PX + 2 * MARGIN_PX:
                    small = F.interpolate(linear, tuple(size), mode="bilinear", antialias=True)
                    levels.append(small[0].permute(1, 2, 0).numpy().astype(np.float16))
                factor *= 1.5
        if not levels:
            raise ValueError("None of the photos is large enough to take pieces from.")
        return cls(tuple(levels))

    def piece(self, rng: np.random.Generator, side: int) -> Array:
        """A square piece [side,side,3] of linear light, mostly a detailed one, turned, mirrored and tinted at random."""
        tries: list[tuple[float, Array]] = []
        for _ in range(5 if rng.random() < 0.9 else 1):
            level = self.levels[rng.integers(len(self.levels))]
            h, w = level.shape[:2]
            y, x = int(rng.integers(h - side + 1)), int(rng.integers(w - side + 1))
            part = level[y : y + side, x : x + side].astype(np.float32)
            grey = np.sqrt(np.clip(part[..., 1], 0, 1))
            # Fine detail next to contrast: high where the photo is in focus.
            fine = np.abs(grey[1:-1, 1:-1] * 4 - grey[:-2, 1:-1] - grey[2:, 1:-1] - grey[1:-1, :-2] - grey[1:-1, 2:]).mean()
            tries.append((float(fine / (grey.std() + 0.05)), part))
        part = max(tries, key=lambda t: t[0])[1]
        part = np.rot90(part, int(rng.integers(4)))
        if rng.random() < 0.5:
            part = part[:, ::-1]
        if rng.random() < 0.2:
            part = part[..., rng.permutation(3)]
        gain = np.exp(rng.normal(0, 0.25)) * np.exp(rng.normal(0, 0.12, 3))
        return np.clip(part * gain, 0, 1).astype(np.float32)


def _shapes(rng: np.random.Generator, side: int) -> Array:
    """Drawn discs, polygons and lines of power-law size: edges of every contrast, which photos have few of."""
    scale = 3
    n = side * scale
    canvas = Image.new("RGB", (n, n), tuple(int(v) for v in rng.integers(0, 256, 3)))
    draw = ImageDraw.Draw(canvas)
    grey = rng.random() < 0.3
    for _ in range(int(rng.integers(40, 220))):
        r = scale * min(2.0 / max(rng.random(), 0.01) ** 0.9, side)
        x, y = rng.random(2) * n
        fill = tuple(int(v) for v in (np.full(3, rng.integers(0, 256)) if grey else rng.integers(0, 256, 3)))
        kind = rng.random()
        if kind < 0.4:
            draw.ellipse((x - r, y - r, x + r, y + r), fill=fill)
        elif kind < 0.8:
            angle = np.sort(rng.random(int(rng.integers(3, 6)))) * 2 * np.pi
            draw.polygon([(float(x + r * np.cos(a)), float(y + r * np.sin(a))) for a in angle], fill=fill)
        else:
            a = rng.random() * 2 * np.pi
            dx, dy = 4 * r * np.cos(a), 4 * r * np.sin(a)
            draw.line((x - dx, y - dy, x + dx, y + dy), fill=fill, width=max(int(scale * rng.uniform(0.7, 3)), 1))
    small = torch.from_numpy(np.asarray(canvas).copy()).permute(2, 0, 1)[None].float() / 255
    linear = F.avg_pool2d(color.srgb_to_linear(small), scale)[0].permute(1, 2, 0).numpy()
    if rng.random() < 0.6:  # texture inside the shapes
        noise = np.clip(1 + rng.uniform(0.03, 0.25) * rng.standard_normal((side, side, 1)), 0.2, 2)
        linear = linear * noise
    return np.clip(linear, 0, 1).astype(np.float32)


def _aperture(rng: np.random.Generator, n: int = 65) -> Tensor:
    """[1,n,n] transmission: a disc or a polygon, with a brighter rim or centre now and then."""
    axis = (torch.arange(n, dtype=torch.float32) + 0.5) * 2 / n - 1
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    r = torch.hypot(x, y)
    edge = torch.ones_like(r)
    if rng.random() < 0.35:
        blades, turn, round_ = int(rng.integers(5, 10)), rng.random() * 2 * np.pi, rng.uniform(0, 0.7)
        theta = torch.remainder(torch.atan2(y, x) + turn, 2 * np.pi / blades) - np.pi / blades
        straight = math.cos(math.pi / blades) / torch.cos(theta)
        edge = straight + (1 - straight) * round_
    inside = ((edge - r) * n / 2 + 0.5).clamp(0, 1)
    if rng.random() < 0.4:
        inside = inside * (1 + rng.uniform(-0.6, 0.8) * r.square()).clamp_min(0.05)
    return (inside / inside.sum())[None]


class _Lens:
    """Blurs square pictures with one aperture."""

    def __init__(self, aperture: Tensor, side: int) -> None:
        self._aperture, self._side = aperture, side
        self._n = fft.next_fast_len(side + 2 * MARGIN_PX, real=True)

    def __call__(self, layers: Array, radius_px: float, spectrum: NDArray[np.complex64] | None = None) -> Array:
        """[side,side,C] blurred; edges are continued by themselves."""
        if radius_px < 0.05:
            return layers
        if spectrum is None:
            spectrum = self.spectrum(layers)
        k = psf.rasterize(self._aperture, radius_px)[0].numpy()
        m = k.shape[0]
        padded = np.zeros((self._n, self._n), np.float32)
        padded[:m, :m] = k
        padded = np.roll(padded, (-(m // 2), -(m // 2)), (0, 1))
        otf = fft.rfft2(padded)[..., None]
        out = fft.irfft2(spectrum * otf, (self._n, self._n), axes=(0, 1))
        return np.ascontiguousarray(out[MARGIN_PX : MARGIN_PX + self._side, MARGIN_PX : MARGIN_PX + self._side], np.float32)

    def spectrum(self, layers: Array) -> NDArray[np.complex64]:
        rest = self._n - self._side - MARGIN_PX
        padded = np.pad(layers, ((MARGIN_PX, rest), (MARGIN_PX, rest), (0, 0)), "symmetric")
        return fft.rfft2(padded, axes=(0, 1))


def _radius(rng: np.random.Generator) -> float:
    """0 to 24 px, mostly below 10."""
    return float(min(0.4 + rng.exponential(3.2), MAX_RADIUS_PX)) if rng.random() < 0.9 else float(rng.uniform(0.3, MAX_RADIUS_PX))


def _smooth(rng: np.random.Generator, side: int, cells: int) -> Array:
    """A smooth random field in 0..1."""
    grid = torch.from_numpy(rng.standard_normal((1, 1, cells, cells)).astype(np.float32))
    field = F.interpolate(grid, (side, side), mode="bicubic", align_corners=True)[0, 0].numpy()
    return (field - field.min()) / (np.ptp(field) + 1e-6)


def _mask(rng: np.random.Generator, side: int) -> Array:
    """Coverage of a foreground [side,side,1]: a blob, a polygon or blades, with antialiased edges."""
    scale = 3
    n = side * scale
    kind = rng.random()
    if kind < 0.35:
        field = _smooth(rng, n, int(rng.integers(3, 9)))
        hard = (field > np.quantile(field, rng.uniform(0.35, 0.75))).astype(np.float32)
    else:
        canvas = Image.new("L", (n, n), 0)
        draw = ImageDraw.Draw(canvas)
        if kind < 0.75:
            x, y = rng.uniform(0, n, 2)
            points = int(rng.integers(3, 12))
            angle = np.arange(points) / points * 2 * np.pi + rng.random()
            r = n * rng.uniform(0.15, 0.6) * rng.uniform(0.6, 1.2, points)
            draw.polygon([(float(x + q * np.cos(a)), float(y + q * np.sin(a))) for a, q in zip(angle, r, strict=True)], fill=255)
        else:
            for _ in range(int(rng.integers(2, 12))):
                x, y = rng.uniform(0, n, 2)
                a = rng.random() * 2 * np.pi
                dx, dy = n * np.cos(a), n * np.sin(a)
                draw.line((x - dx, y - dy, x + dx, y + dy), fill=255, width=int(scale * rng.uniform(1, 9)))
        hard = np.asarray(canvas, np.float32) / 255
    return hard.reshape(side, scale, side, scale).mean((1, 3))[..., None].astype(np.float32)


def _ramp(rng: np.random.Generator, lens: _Lens, sharp: Array, side: int) -> tuple[Array, Array]:
    """A surface whose radius changes smoothly: a stack of blurs, interpolated. -> (blurred, radius [side,side])"""
    near, far = _radius(rng), _radius(rng)
    if rng.random() < 0.4:
        near = 0.0
    far = min(far, near + 10) if far > near else max(far, near - 10)
    field = _smooth(rng, side, int(rng.integers(2, 4)))
    radius = (near + (far - near) * field).astype(np.float32)
    lo, hi = sorted((near, far))
    count = int(np.clip(math.ceil((hi - lo) / 0.7), 1, 14)) + 1
    steps = np.linspace(lo, max(hi, lo + 1e-3), count)
    at = (radius - lo) / (steps[-1] - lo) * (count - 1)
    spectrum = lens.spectrum(sharp)
    out = np.zeros_like(sharp)
    for i, r in enumerate(steps):
        weight = np.clip(1 - np.abs(at - i), 0, 1)[..., None]
        out += weight * lens(sharp, float(r), spectrum)
    return out, radius


def pair(source: Source, seed: int, index: int) -> tuple[Tensor, Tensor, Tensor]:
    """Pair number `index`: source and target [3,S,S] uint8 sRGB, and the radius [S/2,S/2] uint8 in steps of 0.1 px."""
    rng = np.random.default_rng((seed, index))
    side = SIZE_PX + 2 * MARGIN_PX
    lens = _Lens(_aperture(rng), side)

    def content() -> Array:
        return _shapes(rng, side) if rng.random() < 0.12 else source.piece(rng, side)

    sharp = content()
    kind = rng.random()
    radius = np.zeros((side, side), np.float32)
    if kind < SHARP_SHARE:
        blurred = sharp
    elif kind < SHARP_SHARE + 0.24:
        r = _radius(rng)
        blurred, radius = lens(sharp, r), np.full_like(radius, r)
    elif kind < SHARP_SHARE + 0.46:
        blurred, radius = _ramp(rng, lens, sharp, side)
    else:
        radii = [0.0 if rng.random() < 0.35 else _radius(rng) for _ in range(2 if rng.random() < 0.7 else 3)]
        blurred, radius = lens(sharp, radii[0]), np.full_like(radius, radii[0])
        for r in radii[1:]:
            front, cover = content(), _mask(rng, side)
            light = lens(np.concatenate((front * cover, cover), 2), r)
            blurred = blurred * (1 - light[..., 3:]) + light[..., :3]
            sharp = sharp * (1 - cover) + front * cover
            # The blur that a pixel shows is the one of the surface that gives most of its light.
            radius = np.where(light[..., 3] > 0.5, r, radius).astype(np.float32)
    inner = slice(MARGIN_PX, MARGIN_PX + SIZE_PX)
    blurred, sharp, radius = blurred[inner, inner], sharp[inner, inner], radius[inner, inner]

    exposure = float(np.exp(rng.normal(0, 0.3)))
    blurred, sharp = np.clip(blurred * exposure, 0, 1), np.clip(sharp * exposure, 0, 1)
    source_srgb = _camera(rng, blurred)
    target_srgb = _srgb(sharp)
    own = np.clip((BLURRED_FROM_PX - radius) / (BLURRED_FROM_PX - SHARP_BELOW_PX), 0, 1)[..., None]
    target_srgb = target_srgb * (1 - own) + source_srgb.astype(np.float32) * own
    half = radius.reshape(SIZE_PX // 2, 2, SIZE_PX // 2, 2).mean((1, 3))
    return (
        torch.from_numpy(source_srgb.copy()).permute(2, 0, 1).contiguous(),
        torch.from_numpy(np.clip(target_srgb + 0.5, 0, 255).astype(np.uint8)).permute(2, 0, 1).contiguous(),
        torch.from_numpy(np.clip(half / RADIUS_STEP_PX + 0.5, 0, 255).astype(np.uint8)),
    )


def _srgb(linear: Array) -> Array:
    return color.linear_to_srgb(torch.from_numpy(np.ascontiguousarray(linear, np.float32))).numpy() * 255


def _camera(rng: np.random.Generator, linear: Array) -> NDArray[np.uint8]:
    """What a camera makes of the light: [S,S,3] sRGB bytes."""
    if rng.random() < 0.2:  # demosaicing: red and blue have half the samples of green
        side = 0.25 * rng.uniform(0.3, 1)
        k = (side, 1 - 2 * side, side)
        linear = linear.copy()
        for c in (0, 2):
            plane = linear[..., c]
            p = np.pad(plane, 1, "edge")
            across = p[1:-1, :-2] * k[0] + p[1:-1, 1:-1] * k[1] + p[1:-1, 2:] * k[2]
            p = np.pad(across, 1, "edge")
            linear[..., c] = p[:-2, 1:-1] * k[0] + p[1:-1, 1:-1] * k[1] + p[2:, 1:-1] * k[2]
    if rng.random() < 0.5:
        shot, read = 10 ** rng.uniform(-5, -2.7), 10 ** rng.uniform(-7, -4.6)
        noise = rng.standard_normal(linear.shape).astype(np.float32)
        linear = np.clip(linear + noise * np.sqrt(linear * shot + read), 0, 1).astype(np.float32)
    pixels = np.clip(_srgb(linear) + 0.5, 0, 255).astype(np.uint8)
    if rng.random() < 0.4:
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG", quality=int(rng.integers(70, 99)), subsampling=int(rng.choice((0, 2))))
        pixels = np.asarray(Image.open(file))
    return pixels


def pack(folder: Path, count: int, *, seed: int = 0, per_shard: int = 400, sharp: Sequence[Path] | None = None) -> list[Path]:
    """Make pairs and write them to `folder` as shards of about 52 MB. What is there already is kept: the same numbers give the
    same pairs. `sharp` are the photos, None those that may be trained on."""
    source: Source | None = None
    folder.mkdir(parents=True, exist_ok=True)
    files: list[Path] = []
    for start in range(0, count, per_shard):
        file = folder / f"pairs-{seed:03d}-{start:06d}.safetensors"
        files.append(file)
        if file.exists():
            continue
        if source is None:
            source = Source.of(photos.training() if sharp is None else sharp)
        made = [pair(source, seed, i) for i in range(start, min(start + per_shard, count))]
        stacked = (torch.stack(t) for t in zip(*made, strict=True))
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
                for name, found in parts.items():
                    found.append(f.get_tensor(name))
        self._source, self._target, self._radius = (torch.cat(parts[n]) for n in ("source", "target", "radius"))
        self._crop, self._seed = crop_px, seed

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        g = generator(self._seed, index)
        # Every pair once in each round, in a new order.
        rounds, at = divmod(index, len(self))
        order = (
            torch.randperm(len(self), generator=generator(self._seed, rounds, 7)) if at == 0 or rounds != self._round else None
        )
        if order is not None:
            self._round, self._order = rounds, order
        i = int(self._order[at])
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
        off = 1 + 0.08 * torch.randn((), generator=g)
        hint = F.avg_pool2d(F.pad(radius[None, None], (1, 1, 1, 1), "replicate"), 3, 1)[0, 0] * off
        return {
            "source": cut(self._source[i], 1) / 255,
            "target": cut(self._target[i], 1) / 255,
            "radius_px": radius,
            "hint_px": hint * hinted,
            "hinted": hinted,
        }

    _round = -1
    _order: Tensor
