"""Synthetic pairs: a sharp photo and its depth, blurred by our own renderer with a lens drawn by chance.

What is drawn is a `PairSpec`: plain numbers and the hashes of the two files. `make` turns it into the pair, always into the same
one (bit for bit on the same device with the same torch), so a pair never has to be kept to be had again.

Units: `gain_px` is K of the lens law at the pair's own size, in px per unit of its disparity (1/m where depth is metric), and
`radius_px` is the signed radius of the circle of confusion in px of the pair.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ... import bokeh
from ...color import linear_to_srgb, srgb_to_linear
from ...files import pictures
from ...optics import BlurLaw, Lens, lens_gain_px
from ...types import DefocusMap, Kernel
from ..common.loop import generator

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff")
DEPTH_FILE = "depth.json"
VERSION = 1

Range = tuple[float, float]


# --- what is drawn --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Aperture:
    """One choice of aperture.

    Attributes:
        shape: as in `bokeh.make_kernel`.
        weight: how often, relative to the others.
        options: of `make_kernel`; a list of two numbers is a range to draw from (whole numbers if both are whole).
    """

    shape: str = "circle"
    weight: float = 1.0
    options: Mapping[str, float | Range] = field(default_factory=dict[str, float | Range])


@dataclass(frozen=True)
class LensRange:
    """Real lenses, for photos with metric depth. Focal length and f-number are drawn evenly in their logarithm."""

    focal_mm: Range = (24.0, 135.0)
    f_number: Range = (1.2, 8.0)
    sensor_mm: float = 36.0


@dataclass(frozen=True)
class Lights:
    """Point lights laid onto the photo before it is blurred, and a darker photo under them.

    Attributes:
        count: how many.
        intensity: of their middle, in linear light (1 = white).
        size_px: standard deviation of a light.
        dim: factor on the photo's light.
    """

    count: tuple[int, int] = (20, 120)
    intensity: Range = (4.0, 60.0)
    size_px: Range = (0.5, 1.2)
    dim: Range = (0.05, 0.4)


@dataclass(frozen=True)
class Recipe:
    """How pairs are drawn.

    Attributes:
        size_px: side of the square pair.
        crop: side of the part of the photo that is taken, as a share of its short side; never enlarged beyond 1:1 if the photo
            is large enough.
        flip: chance to mirror.
        largest_radius_px: range of the strongest blur in the pair (drawn evenly in its logarithm), where `lens` is None.
        lens: draw a real lens instead; photos must have metric depth.
        limit_px: with `lens`, pairs with a stronger blur than this are drawn again with a smaller aperture.
        sharp: share of pairs without blur (K = 0).
        apertures: what the aperture may be.
        chromatic: range of the difference in the kernel's size between red and blue (0.02 = red 1 % larger, blue 1 % smaller).
        highlight_boost: range of `bokeh.render`'s, in stops.
        lights: point lights, or None.
        quality: of `bokeh.render`.
    """

    size_px: int = 512
    crop: Range = (0.5, 1.0)
    flip: float = 0.5
    largest_radius_px: Range = (1.0, 40.0)
    lens: LensRange | None = None
    limit_px: float = 80.0
    sharp: float = 0.02
    apertures: tuple[Aperture, ...] = (Aperture(),)
    chromatic: Range = (0.0, 0.0)
    highlight_boost: Range = (0.0, 0.0)
    lights: Lights | None = None
    quality: str = "normal"

    def __post_init__(self) -> None:
        if not self.apertures or sum(a.weight for a in self.apertures) <= 0:
            raise ValueError("A recipe needs at least one aperture with a weight above 0.")
        if self.size_px < 16 or self.size_px % 16:
            raise ValueError(f"size_px must be a multiple of 16 (FLUX works on 16 px tokens), got {self.size_px}.")
        if not 0 < self.largest_radius_px[0] <= self.largest_radius_px[1]:
            raise ValueError(f"largest_radius_px must be a range above 0, got {self.largest_radius_px}.")
        if not 0 < self.crop[0] <= self.crop[1] <= 1:
            raise ValueError(f"crop must be a range within 0..1, got {self.crop}.")


@dataclass(frozen=True)
class PointLight:
    """A light at (x, y) px of the pair, colour in linear light."""

    x: float
    y: float
    size_px: float
    colour: tuple[float, float, float]


@dataclass(frozen=True)
class FileId:
    """A file of the source folder, by its path below it, and what it must contain."""

    file: str
    sha256: str


@dataclass(frozen=True)
class PairSpec:
    """Everything about a pair; see the module's docstring for units.

    Attributes:
        photo, depth: the files.
        metric: whether the disparity is in 1/m.
        crop: top, left, side in px of the photo.
        size_px: side of the pair.
        flip: mirrored left to right after cropping.
        focus_disparity, gain_px: focus and K.
        aperture, aperture_options: of `bokeh.make_kernel`.
        chromatic, highlight_boost, quality: see `Recipe`.
        dim, lights: see `Lights`; 1 and none without them.
        lens: the lens that `gain_px` comes from, or None.
        seed, index: what it was drawn from, for people.
        version: of this description.
    """

    photo: FileId
    depth: FileId
    metric: bool
    crop: tuple[int, int, int]
    size_px: int
    flip: bool
    focus_disparity: float
    gain_px: float
    aperture: str = "circle"
    aperture_options: Mapping[str, float] = field(default_factory=dict[str, float])
    chromatic: float = 0.0
    highlight_boost: float = 0.0
    quality: str = "normal"
    dim: float = 1.0
    lights: tuple[PointLight, ...] = ()
    lens: tuple[float, float, float] | None = None
    seed: int = 0
    index: int = 0
    version: int = VERSION

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Pair:
    """A finished pair.

    Attributes:
        sharp, blurred: [3,S,S] uint8, sRGB-encoded.
        radius_px: [S,S] float32, signed.
        disparity: [S,S] float32.
        kernel: the aperture.
        spec: how it was made.
    """

    sharp: Tensor
    blurred: Tensor
    radius_px: Tensor
    disparity: Tensor
    kernel: Kernel
    spec: PairSpec


# --- source folder --------------------------------------------------------------------------------------------------------


class Sources:
    """A folder of sharp photos with depth.

        FOLDER/photos/NAME.jpg            (or any of `PHOTO_SUFFIXES`)
        FOLDER/depth/NAME.npy             disparity [H,W], larger = nearer (or .pfm, .tif, .exr, .png)
        FOLDER/depth/depth.json           {"metric": true or false}: whether disparity is in 1/m

    `python -m refocus_core.train.genfocus.data depth` fills the second part from the first.

    Raises:
        ValueError: if there is no photo, a photo has no depth, or it is not said whether depth is metric.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        photos = photos_in(folder / "photos")
        note = folder / "depth" / DEPTH_FILE
        if not photos:
            raise ValueError(f"{folder / 'photos'} holds no photo ({', '.join(PHOTO_SUFFIXES)}).")
        if not note.is_file():
            raise ValueError(
                f"{note} is missing. Make depth with `python -m refocus_core.train.genfocus.data depth {folder}`, or write "
                '{"metric": true} there if your depth files hold disparity in 1/m, else {"metric": false}.'
            )
        self.metric = bool(json.loads(note.read_text())["metric"])
        self.files: list[tuple[Path, Path]] = []
        for photo in photos:
            found = [p for s in pictures.MAP_SUFFIXES if (p := folder / "depth" / (photo.stem + s)).is_file()]
            if not found:
                raise ValueError(f"{photo} has no depth in {folder / 'depth'}. Make it, or remove the photo.")
            self.files.append((photo, found[0]))

    def __len__(self) -> int:
        return len(self.files)

    def identify(self, path: Path) -> FileId:
        return FileId(path.relative_to(self.folder).as_posix(), _digest(path))

    def read(self, photo: FileId, depth: FileId) -> tuple[Tensor, Tensor]:
        """Photo [3,H,W] sRGB-encoded and disparity [H,W] at its size.

        Raises:
            ValueError: if a file is not the one that is meant.
        """
        paths = [self.folder / f.file for f in (photo, depth)]
        for path, wanted in zip(paths, (photo, depth), strict=True):
            if not path.resolve().is_relative_to(self.folder.resolve()):
                raise ValueError(f"{wanted.file} leads out of {self.folder}.")
            if not path.is_file():
                raise ValueError(f"{path} is not there; the pair was made from it.")
            if _digest(path) != wanted.sha256:
                raise ValueError(f"{path} is not the file that the pair was made from (its SHA-256 differs).")
        return _loaded(paths[0], paths[1])


def photos_in(folder: Path) -> list[Path]:
    """Photos in a folder, sorted by name."""
    return sorted(p for p in folder.glob("*") if p.suffix.lower() in PHOTO_SUFFIXES)


@lru_cache(maxsize=4096)
def _digest_of(path: Path, _size: int, _time_ns: int) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _digest(path: Path) -> str:
    """SHA-256 of a file; kept until its size or time changes."""
    stat = path.stat()
    return _digest_of(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=4)
def _loaded(photo: Path, depth: Path) -> tuple[Tensor, Tensor]:
    image = pictures.load(photo).image[0].clamp(0, 1)
    disparity = pictures.load_map(depth)[0, 0]
    if not bool(torch.isfinite(disparity).all()) or float(disparity.min()) < 0:
        raise ValueError(f"{depth} holds negative, NaN or infinite disparity. Fill those pixels first.")
    if disparity.shape != image.shape[1:]:
        h, w = image.shape[1:]
        dh, dw = disparity.shape
        if abs(dw * h - w * dh) > max(w, h, dw, dh) * 1.5:  # rounding of a resized picture is allowed
            raise ValueError(f"{depth} ({dw} x {dh}) does not have the shape of {photo} ({w} x {h}).")
        disparity = F.interpolate(disparity[None, None], (h, w), mode="bilinear", align_corners=False)[0, 0]
    return image, disparity


# --- drawing and making ---------------------------------------------------------------------------------------------------


def draw(recipe: Recipe, sources: Sources, seed: int, index: int) -> PairSpec:
    """The pair `index` of a data set: depends on the arguments alone. Photos follow one another in a new order in each round.

    Raises:
        ValueError: if a lens is asked for but the depth is relative, or a photo is smaller than a pair needs.
    """
    rng = generator(seed, 11, index)
    round_, place = divmod(index, len(sources))
    photo, depth = sources.files[int(torch.randperm(len(sources), generator=generator(seed, 12, round_))[place])]
    photo_id, depth_id = sources.identify(photo), sources.identify(depth)
    image, disparity = sources.read(photo_id, depth_id)
    h, w = image.shape[1:]
    short = min(h, w)
    if short < 16:
        raise ValueError(f"{photo} is only {w} x {h} px.")
    side = max(round(short * _even(rng, recipe.crop)), min(recipe.size_px, short))
    top, left = (int(torch.randint(n - side + 1, (1,), generator=rng)) for n in (h, w))
    flip = bool(torch.rand(1, generator=rng) < recipe.flip)
    near = _resized(disparity[None], (top, left, side), recipe.size_px, flip)[0]
    focus = _draw_focus(rng, near)
    aperture, options = _draw_aperture(rng, recipe)
    spread = float((near - focus).abs().max())
    lens: Lens | None = None
    if torch.rand(1, generator=rng) < recipe.sharp or spread == 0:
        gain = 0.0
    elif recipe.lens is None:
        gain = _log_even(rng, recipe.largest_radius_px) / spread
    else:
        if not sources.metric:
            raise ValueError(f"{sources.folder}: a recipe with real lenses needs metric depth; this depth is relative.")
        lens = Lens(_log_even(rng, recipe.lens.focal_mm), _log_even(rng, recipe.lens.f_number), recipe.lens.sensor_mm)
        at_full = _crop_gain(lens, focus, max(h, w), side, recipe.size_px)
        if at_full * spread > recipe.limit_px:
            lens = Lens(lens.focal_mm, lens.f_number * at_full * spread / recipe.limit_px, lens.sensor_mm)
        gain = _crop_gain(lens, focus, max(h, w), side, recipe.size_px)
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
    whole = ("blades", "points", "size")
    return {n: int(v) if n in whole else v for n, v in options.items()}


def _resized(x: Tensor, crop: tuple[int, int, int], size: int, flip: bool) -> Tensor:
    top, left, side = crop
    part = x[:, top : top + side, left : left + side]
    if side != size:
        part = F.interpolate(part[None], (size, size), mode="bilinear", align_corners=False, antialias=True)[0]
    return (part.flip(-1) if flip else part).contiguous()


def _crop_gain(lens: Lens, focus_disparity: float, long_edge_px: int, side: int, size: int) -> float:
    """K at the pair's size: that of the whole photo, times how much the crop was scaled."""
    whole = lens_gain_px(lens, torch.tensor([focus_disparity], dtype=torch.float64), long_edge_px)
    return float(whole) * size / side


def _even(rng: torch.Generator, bounds: Range) -> float:
    return bounds[0] + (bounds[1] - bounds[0]) * float(torch.rand(1, generator=rng, dtype=torch.float64))


def _log_even(rng: torch.Generator, bounds: Range) -> float:
    return math.exp(_even(rng, (math.log(bounds[0]), math.log(bounds[1]))))


def _draw_focus(rng: torch.Generator, disparity: Tensor) -> float:
    """Median disparity of a small window around a pixel drawn by chance: on a surface, not between two."""
    s = disparity.shape[-1]
    reach = max(s // 64, 1)
    y, x = (int(v) for v in torch.randint(s, (2,), generator=rng))
    part = disparity[max(y - reach, 0) : y + reach + 1, max(x - reach, 0) : x + reach + 1]
    return float(part.median())


def _draw_aperture(rng: torch.Generator, recipe: Recipe) -> tuple[str, dict[str, float]]:
    weights = torch.tensor([a.weight for a in recipe.apertures], dtype=torch.float64)
    chosen = recipe.apertures[int(torch.multinomial(weights, 1, generator=rng))]
    options: dict[str, float] = {}
    for name, value in chosen.options.items():
        if not isinstance(value, tuple):
            options[name] = value
        elif all(float(v).is_integer() for v in value) and name in ("blades", "points"):
            options[name] = int(torch.randint(int(value[0]), int(value[1]) + 1, (1,), generator=rng))
        else:
            options[name] = _even(rng, value)
    return chosen.shape, options


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
        colour = tuple(intensity * (1 - 0.7 * float(v)) for v in tint)
        lights.append(PointLight(x, y, _even(rng, kind.size_px), (colour[0], colour[1], colour[2])))
    return dim, tuple(lights)


def _light_up(linear: Tensor, light: PointLight) -> None:
    """Add a Gaussian spot to `linear` [3,S,S]."""
    reach = math.ceil(4 * light.size_px)
    s = linear.shape[-1]
    y0, y1 = max(math.floor(light.y) - reach, 0), min(math.floor(light.y) + reach + 1, s)
    x0, x1 = max(math.floor(light.x) - reach, 0), min(math.floor(light.x) + reach + 1, s)
    y = torch.arange(y0, y1, dtype=torch.float64) + 0.5 - light.y
    x = torch.arange(x0, x1, dtype=torch.float64) + 0.5 - light.x
    spot = torch.exp(-(y[:, None].square() + x[None].square()) / (2 * light.size_px**2))
    linear[:, y0:y1, x0:x1] += (torch.tensor(light.colour, dtype=torch.float64)[:, None, None] * spot).to(linear.dtype)
