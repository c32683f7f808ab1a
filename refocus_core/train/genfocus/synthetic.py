"""Synthetic pairs: a sharp photo and its depth, blurred by our own renderer with a lens drawn by chance.

What is drawn is a `PairSpec`: plain numbers and the hashes of the two files. `make` turns it into the pair, always into the same
one (bit for bit on the same device with the same torch), so a pair never has to be kept to be had again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ... import bokeh
from ...color import linear_to_srgb, srgb_to_linear
from ...optics import BlurLaw, Lens, lens_gain_px
from ...types import DefocusMap, Kernel
from ..common.seeds import generator
from .photo_folder import Sources
from .recipe import VERSION, Pair, PairSpec, PointLight, Range, Recipe

_LEAST_PHOTO_PX = 16
"""No pair is made from a photo whose short side has less."""
_FOCUS_WINDOW = 64
"""The focus is the median over about a side / this: larger finds it on smaller things, and between two surfaces more often."""
_TINT = 0.7
"""Most that a channel of a point light is darker than the others: lamps are white, or warm, or cool."""
_LIGHT_SIGMAS = 4
"""A point light ends at so many standard deviations."""
_WHOLE_OPTIONS = ("blades", "points", "size")
"""Options of apertures that are whole numbers."""

_PAIR_STREAM = 11
"""Key of the random numbers of a pair; what a seed means depends on it."""
_ORDER_STREAM = 12
"""Key of those of each round's order of photos; likewise fixed."""


@dataclass(frozen=True)
class _Crop:
    """Long edge of the photo, side of the part that is taken, and side of the pair, in px."""

    long_edge_px: int
    side_px: int
    size_px: int

    def gain_px(self, lens: Lens, focus_disparity: float) -> float:
        """K at the pair's size: that of the whole photo, times how much the part is scaled."""
        whole = lens_gain_px(lens, torch.tensor([focus_disparity], dtype=torch.float64), self.long_edge_px)
        return float(whole) * self.size_px / self.side_px


def draw(recipe: Recipe, sources: Sources, seed: int, index: int) -> PairSpec:
    """The pair `index` of a data set: depends on the arguments alone. Photos follow one another in a new order in each round.

    Raises:
        ValueError: if a lens is asked for but the depth is relative, or a photo is smaller than a pair needs.
    """
    rng = generator(seed, _PAIR_STREAM, index)
    number, position = divmod(index, len(sources))
    order = torch.randperm(len(sources), generator=generator(seed, _ORDER_STREAM, number))
    photo, depth = sources.files[int(order[position])]
    photo_id, depth_id = sources.identify(photo), sources.identify(depth)
    image, disparity = sources.read(photo_id, depth_id)
    h, w = image.shape[1:]
    short = min(h, w)
    if short < _LEAST_PHOTO_PX:
        raise ValueError(f"{photo} is only {w} x {h} px.")
    side = max(round(short * _even(rng, recipe.crop)), min(recipe.size_px, short))
    top, left = (int(torch.randint(n - side + 1, (1,), generator=rng)) for n in (h, w))
    flip = bool(torch.rand(1, generator=rng) < recipe.flip)
    near = _resized(disparity[None], (top, left, side), recipe.size_px, flip)[0]
    focus = _draw_focus(rng, near)
    aperture, options = _draw_aperture(rng, recipe)
    gain, lens = _draw_gain(rng, recipe, sources, near, focus, _Crop(max(h, w), side, recipe.size_px))
    dim, lights = _draw_lights(rng, recipe)
    return PairSpec(
        photo=photo_id,
        depth=depth_id,
        metric=sources.metric,
        crop=(top, left, side),
        size_px=recipe.size_px,
        flip=flip,
        focus_disparity=focus,
        gain_px=gain,
        aperture=aperture,
        aperture_options=options,
        chromatic=_even(rng, recipe.chromatic),
        highlight_boost=_even(rng, recipe.highlight_boost),
        quality=recipe.quality,
        dim=dim,
        lights=lights,
        lens=None if lens is None else (lens.focal_mm, lens.f_number, lens.sensor_mm),
        seed=seed,
        index=index,
    )


def _draw_gain(
    rng: torch.Generator, recipe: Recipe, sources: Sources, disparity: Tensor, focus: float, crop: _Crop
) -> tuple[float, Lens | None]:
    """K at the pair's size, and the lens that it comes from if the recipe asks for real ones."""
    spread = float((disparity - focus).abs().max())
    if torch.rand(1, generator=rng) < recipe.sharp or spread == 0:
        return 0.0, None
    if recipe.lens is None:
        return _log_even(rng, recipe.largest_radius_px) / spread, None
    if not sources.metric:
        raise ValueError(f"{sources.folder}: a recipe with real lenses needs metric depth; this depth is relative.")
    lens = Lens(_log_even(rng, recipe.lens.focal_mm), _log_even(rng, recipe.lens.f_number), recipe.lens.sensor_mm)
    gain = crop.gain_px(lens, focus)
    if gain * spread > recipe.limit_px:
        lens = Lens(lens.focal_mm, lens.f_number * gain * spread / recipe.limit_px, lens.sensor_mm)
        gain = crop.gain_px(lens, focus)
    return gain, lens


def make(spec: PairSpec, sources: Sources, device: torch.device | str = "cpu") -> Pair:
    """Render a pair from its description and the files that it names.

    Raises:
        ValueError: if a file is missing or another one, or the description is of another version.
    """
    if spec.version != VERSION:
        raise ValueError(f"The pair's description has version {spec.version}, this program makes version {VERSION}.")
    image, disparity = sources.read(spec.photo, spec.depth)
    sharp = _resized(image, spec.crop, spec.size_px, spec.flip).clamp(0, 1)
    near = _resized(disparity[None], spec.crop, spec.size_px, spec.flip)[0]
    return render_pair(sharp, near, spec, device)


def render_pair(sharp_srgb: Tensor, disparity: Tensor, spec: PairSpec, device: torch.device | str = "cpu") -> Pair:
    """The pair of a sharp picture [3,S,S] and disparity [S,S] already cut to size. The picture is rounded to 8 bits first."""
    radius = spec.gain_px * (spec.focus_disparity - disparity)
    linear = srgb_to_linear(quantise(sharp_srgb).float() / 255) * spec.dim
    for light in spec.lights:
        _light_up(linear, light)
    sharp = quantise(linear_to_srgb(linear))
    # Light above white must reach the renderer; everything else is what the 8-bit picture says.
    linear = torch.where(linear > 1, linear, srgb_to_linear(sharp.float() / 255))
    kernel = chromatic_kernel(bokeh.make_kernel(spec.aperture, **_options(spec.aperture_options)), spec.chromatic)
    n = disparity.new_ones(1)
    rendered = bokeh.render(
        linear[None].to(device),
        DefocusMap.from_law(disparity[None], BlurLaw.thin_lens(n * spec.gain_px, n * spec.focus_disparity)).to(device),
        kernel,
        quality=spec.quality,
        highlight_boost=spec.highlight_boost,
    )[0].cpu()
    return Pair(sharp, quantise(linear_to_srgb(rendered)), radius, disparity, kernel, spec)


def quantise(srgb: Tensor) -> Tensor:
    """uint8 of values in 0..1 (clipped)."""
    return (srgb.clamp(0, 1) * 255).round().to(torch.uint8)


def chromatic_kernel(kernel: Kernel, amount: float) -> Kernel:
    """The aperture with red larger and blue smaller by `amount` / 2 each, scaled so that the largest touches the unit circle."""
    if amount == 0 or kernel.raster.shape[0] == 3:
        return kernel
    n = kernel.raster.shape[-1]
    axis = (torch.arange(n) + 0.5) * 2 / n - 1
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    channels: list[Tensor] = []
    for factor in (1.0, 1 / (1 + amount / 2), (1 - amount / 2) / (1 + amount / 2)):
        grid = torch.stack([x, y], -1)[None] / factor
        channels.append(F.grid_sample(kernel.raster[None], grid, mode="bilinear", align_corners=False)[0, 0])
    raster = torch.stack(channels)
    return Kernel(raster / raster.sum((1, 2), keepdim=True), f"{kernel.name}, chromatic {amount:g}")


def _options(options: Mapping[str, float]) -> dict[str, Any]:
    return {n: int(v) if n in _WHOLE_OPTIONS else v for n, v in options.items()}


def _resized(x: Tensor, crop: tuple[int, int, int], size: int, flip: bool) -> Tensor:
    top, left, side = crop
    part = x[:, top : top + side, left : left + side]
    if side != size:
        part = F.interpolate(part[None], (size, size), mode="bilinear", align_corners=False, antialias=True)[0]
    return (part.flip(-1) if flip else part).contiguous()


def _even(rng: torch.Generator, bounds: Range) -> float:
    return bounds[0] + (bounds[1] - bounds[0]) * float(torch.rand(1, generator=rng, dtype=torch.float64))


def _log_even(rng: torch.Generator, bounds: Range) -> float:
    return math.exp(_even(rng, (math.log(bounds[0]), math.log(bounds[1]))))


def _draw_focus(rng: torch.Generator, disparity: Tensor) -> float:
    """Median disparity of a small window around a pixel drawn by chance: on a surface, not between two."""
    s = disparity.shape[-1]
    half = max(s // _FOCUS_WINDOW, 1)
    y, x = (int(v) for v in torch.randint(s, (2,), generator=rng))
    part = disparity[max(y - half, 0) : y + half + 1, max(x - half, 0) : x + half + 1]
    return float(part.median())


def _draw_aperture(rng: torch.Generator, recipe: Recipe) -> tuple[str, dict[str, float]]:
    weights = torch.tensor([a.weight for a in recipe.apertures], dtype=torch.float64)
    drawn = recipe.apertures[int(torch.multinomial(weights, 1, generator=rng))]
    options: dict[str, float] = {}
    for name, value in drawn.options.items():
        if not isinstance(value, tuple):
            options[name] = value
        elif all(float(v).is_integer() for v in value) and name in ("blades", "points"):
            options[name] = int(torch.randint(int(value[0]), int(value[1]) + 1, (1,), generator=rng))
        else:
            options[name] = _even(rng, value)
    return drawn.shape, options


def _draw_lights(rng: torch.Generator, recipe: Recipe) -> tuple[float, tuple[PointLight, ...]]:
    kind = recipe.lights
    if kind is None:
        return 1.0, ()
    count = int(torch.randint(kind.count[0], kind.count[1] + 1, (1,), generator=rng))
    dim = _log_even(rng, kind.dim)
    lights: list[PointLight] = []
    for _ in range(count):
        x, y = (float(v) for v in torch.rand(2, generator=rng, dtype=torch.float64) * recipe.size_px)
        intensity = _log_even(rng, kind.intensity)
        # Warm to cool: mostly white, tinted on one side, as lamps are.
        tint = torch.rand(3, generator=rng, dtype=torch.float64) ** 2
        colour = tuple(intensity * (1 - _TINT * float(v)) for v in tint)
        lights.append(PointLight(x, y, _even(rng, kind.size_px), (colour[0], colour[1], colour[2])))
    return dim, tuple(lights)


def _light_up(linear: Tensor, light: PointLight) -> None:
    """Add a Gaussian spot to `linear` [3,S,S]."""
    radius = math.ceil(_LIGHT_SIGMAS * light.size_px)
    s = linear.shape[-1]
    y0, y1 = max(math.floor(light.y) - radius, 0), min(math.floor(light.y) + radius + 1, s)
    x0, x1 = max(math.floor(light.x) - radius, 0), min(math.floor(light.x) + radius + 1, s)
    y = torch.arange(y0, y1, dtype=torch.float64) + 0.5 - light.y
    x = torch.arange(x0, x1, dtype=torch.float64) + 0.5 - light.x
    spot = torch.exp(-(y[:, None].square() + x[None].square()) / (2 * light.size_px**2))
    linear[:, y0:y1, x0:x1] += (torch.tensor(light.colour, dtype=torch.float64)[:, None, None] * spot).to(linear.dtype)
