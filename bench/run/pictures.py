"""A fixed set of pictures, rendered through the entry points of the core, to compare two versions of the project.

    python -m bench.run.pictures OUT [--only PREFIX]                 renders the set into OUT, an .npy each
    python -m bench.run.pictures OUT --against EARLIER [--bound B]   and compares with an earlier run; fails beyond the bound

Strengths come from a camera over depth in metres, so that they mean the same in every version.
"""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from refocus_core import bokeh, color, defocus, depth, optics, restore
from refocus_core.types import DefocusMap, DepthMap
from tests.helpers.paths import DATA

Case = tuple[str, Callable[[], Tensor]]
"""Name, and what renders the picture."""

LENS = optics.Lens(85.0, 1.4, 36.0)
"""The camera of every case: a fast portrait lens, whose blur shows what a renderer does at edges."""
NEAR_M, FAR_M = 1.2, 8.0
"""Of estimated depth, which knows no metres."""
BIKE_M = (2.1, 5.0)
"""Of the motorcycle photo: about what was measured."""
HEADLIGHT, WALL = (0.735, 0.31), (0.1, 0.1)
"""Points of the motorcycle photo that are put in focus: near, and behind everything."""
PHOTO_FOCUS = (0.45, 0.4)
"""The point in focus of the other photos."""
PHOTOS = ("astronaut.png", "friends.jpg", "seeding.jpg", "coffee.png")
"""Of which the depth is estimated."""


def photo(name: str) -> Tensor:
    """[1,3,H,W] sRGB of a picture of tests/data."""
    with Image.open(DATA / name) as image:
        values = np.asarray(image.convert("RGB"), dtype=np.float32) / 255
    return torch.from_numpy(values).permute(2, 0, 1)[None].contiguous()


def grey(name: str) -> Tensor:
    """[1,H,W] of a depth picture, 0..1, near bright."""
    with Image.open(DATA / name) as image:
        values = np.asarray(image).astype(np.float32)
    values = values[..., 0] if values.ndim == 3 else values
    values = (values - values.min()) / (values.max() - values.min())
    return torch.from_numpy(values)[None].contiguous()


def relative(disparity: Tensor) -> DepthMap:
    """Depth that knows no metres."""
    return DepthMap(disparity, metric=False)


def radii(
    depth_map: DepthMap, focus: tuple[float, float], metres: tuple[float, float] = (NEAR_M, FAR_M), focus_range: float = 0.0
) -> DefocusMap:
    """Defocus of relative depth that is scaled between two distances."""
    return defocus.from_lens(depth_map.with_range(*metres), LENS, focus, focus_range=focus_range)


def bike_cases() -> Iterator[Case]:
    """The motorcycle photo: both depth maps, every quality, a shape, a plate, a matte."""
    picture = photo("motorcycle.png")
    maps = {"near_bright": grey("motorcycle_near_bright.png"), "disparity": grey("motorcycle_disparity.png")}
    near_bright = relative(maps["near_bright"])

    def render(
        depth_map: DepthMap, focus: tuple[float, float], shape: str = "circle", focus_range: float = 0.0, **options: object
    ) -> Tensor:
        made = radii(depth_map, focus, BIKE_M, focus_range)
        return bokeh.render(color.srgb_to_linear(picture), made, bokeh.make_kernel(shape), **options)

    for name, values in maps.items():
        for quality in bokeh.QUALITIES:
            for focus in (HEADLIGHT, WALL):
                yield f"bike-{name}-{quality}-{focus[0]}", functools.partial(render, relative(values), focus, quality=quality)
    yield "bike-heart-lights", lambda: render(near_bright, HEADLIGHT, "heart", highlight_boost=2.0)
    yield "bike-range", lambda: render(near_bright, (0.5, 0.5), focus_range=0.1)
    plate = color.srgb_to_linear(picture.flip(-1).contiguous())
    matte = (maps["near_bright"] > 0.5).float()
    yield "bike-plate", lambda: render(near_bright, WALL, background=plate)
    yield "bike-matte", lambda: render(near_bright, WALL, background=plate, matte=matte)


def crop_cases() -> Iterator[Case]:
    """A part of it, as a clip of two frames and with its blur taken out."""
    picture = photo("motorcycle.png")[..., 100:260, 200:420].contiguous()
    disparity = grey("motorcycle_near_bright.png")[:, 100:260, 200:420]

    def clip() -> Tensor:
        frames = torch.cat([picture, picture.flip(-1)])
        moving = relative(torch.cat([disparity, disparity.flip(-1)]).contiguous())
        return bokeh.render(color.srgb_to_linear(frames), radii(moving, (0.5, 0.5), BIKE_M), bokeh.make_kernel("circle"))

    def deconvolved() -> Tensor:
        made = radii(relative(disparity), (0.5, 0.5), BIKE_M)
        weak = DefocusMap.from_radius(made.radius_px * 0.3, made.disparity)
        return restore.all_in_focus(picture, "deconvolution", weak).image

    yield "clip", clip
    yield "crop-deconvolution", deconvolved


def photo_cases() -> Iterator[Case]:
    """Photos whose depth the embedded network estimates."""
    for name in PHOTOS:
        picture = photo(name)[..., :600, :800].contiguous()
        estimated = functools.cache(functools.partial(depth.estimate, picture, model="refocus-depth-s"))

        def render(quality: str, picture: Tensor = picture, estimated: Callable[[], DepthMap] = estimated) -> Tensor:
            return bokeh.render(color.srgb_to_linear(picture), radii(estimated(), PHOTO_FOCUS), quality=quality)

        yield f"{name}-depth", lambda estimated=estimated: estimated().disparity
        for quality in ("draft", "normal"):
            yield f"{name}-{quality}", functools.partial(render, quality)


def restoration_cases() -> Iterator[Case]:
    """A photo with missed focus, made sharp by what needs no defocus map."""
    missed = photo("missed_focus.jpg")[..., :320, :480].contiguous()
    for method in ("refocus-deblur-s", "blind-deconvolution"):
        yield f"missed-{method}", lambda method=method: restore.all_in_focus(missed, method).image


def kernel_cases() -> Iterator[Case]:
    """Every aperture."""
    for shape in bokeh.SHAPES:
        yield f"kernel-{shape}", lambda shape=shape: bokeh.make_kernel(shape).raster


def cases() -> Iterator[Case]:
    """All of them; nothing is rendered before it is asked for."""
    for part in (bike_cases, crop_cases, photo_cases, restoration_cases, kernel_cases):
        yield from part()


def main() -> int:
    """Render, and compare where an earlier run is given; 1 if a picture differs by more than the bound."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--against", type=Path, help="an earlier run's folder")
    parser.add_argument("--only", default="", help="names that begin so")
    parser.add_argument("--bound", type=float, default=1e-6, help="largest difference of a value that counts as none")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    worst = 0.0
    for name, render in cases():
        if not name.startswith(args.only):
            continue
        values = render().float().numpy()
        np.save(args.out / f"{name}.npy", values)
        if args.against is None:
            continue
        before = np.load(args.against / f"{name}.npy")
        difference = float(np.abs(values - before).max()) if values.shape == before.shape else float("inf")
        worst = max(worst, difference)
        print(f"{name:32} {'equal bit for bit' if difference == 0 else f'{difference:.2e}'}", flush=True)
    if args.against is not None:
        print(f"largest difference {worst:.2e}, bound {args.bound:.0e}")
    return int(worst > args.bound)


if __name__ == "__main__":
    sys.exit(main())
