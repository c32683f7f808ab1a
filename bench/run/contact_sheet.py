"""Crops at depth edges: photo, truth, ours and others side by side.

    python -m bench.run.contact_sheet [--quality normal best] [--soft]

Writes out/bench/contact_sheet.webp from the truths that `bench.run.render` keeps.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from bench.lib import baselines, metrics, oracle, reporting
from bench.lib import layered_scenes as scenes
from refocus_core import bokeh

CROP_PX, ZOOM, GAP_PX, HEAD_PX = 84, 2, 4, 16
"""Side of a crop in px of the picture, its enlargement, and the room between cells and above them."""
MOST_BYTES = 400_000
"""Of the sheet's file."""
CROPS: tuple[tuple[str, int, int], ...] = (
    ("two-front", 60, 160),
    ("two-back", 60, 160),
    ("two-back-hexagon", 190, 60),
    ("two-front-heart", 190, 60),
    ("three-middle", 120, 70),
    ("deep-back", 120, 120),
    ("thin-back", 120, 120),
    ("hair-front", 90, 120),
    ("hair-back", 90, 120),
    ("slanted-middle", 170, 100),
    ("lights-front-heart", 110, 40),
    ("photo-near", 60, 100),
    ("photo-far", 130, 200),
)
"""Case, and top and left of the crop."""


def crop(picture: Tensor, top: int, left: int) -> Image.Image:
    """Part of a linear picture [3,H,W] as displayed, enlarged without smoothing."""
    part = metrics.display(picture[:, top : top + CROP_PX, left : left + CROP_PX])
    pixels = (part.permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
    return Image.fromarray(np.ascontiguousarray(pixels)).resize((CROP_PX * ZOOM,) * 2, Image.Resampling.NEAREST)


def truth(name: str) -> tuple[oracle.Truth, str]:
    """Truth and aperture shape of a scene or of a focus of the photo."""
    if name.startswith("photo-"):
        return oracle.photo_truth(name.removeprefix("photo-")), "circle"
    case = next(c for c in scenes.CASES if c.name == name)
    return oracle.truth_of(case), case.shape


def main() -> None:
    """Draw the sheet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quality", nargs="+", default=["normal", "best"], choices=list(bokeh.QUALITIES))
    parser.add_argument("--soft", action="store_true", help="with soft radius maps")
    parser.add_argument("--out", type=Path, default=reporting.RAW / "contact_sheet.webp")
    options = parser.parse_args()
    device = torch.device("cpu")
    methods: dict[str, oracle.Method] = {f"ours, {q}": oracle.ours(q, device) for q in options.quality}
    methods |= baselines.BASELINES
    heads = ["photo", "truth", *methods]
    cell = CROP_PX * ZOOM + GAP_PX
    sheet = Image.new("RGB", (cell * len(heads), HEAD_PX + (cell + HEAD_PX) * len(CROPS)), "white")
    draw = ImageDraw.Draw(sheet)
    for column, head in enumerate(heads):
        draw.text((column * cell + 2, 2), head, "black")
    for row, (name, top, left) in enumerate(CROPS):
        t, shape = truth(name)
        kernel = bokeh.make_kernel(shape)
        radius = scenes.soften(t.radius[None])[0] if options.soft else t.radius
        pictures = [t.image, t.truth, *(method(t.image, radius, kernel) for method in methods.values())]
        y = HEAD_PX + row * (cell + HEAD_PX)
        for column, picture in enumerate(pictures):
            sheet.paste(crop(picture, top, left), (column * cell, y))
            part = (slice(None), slice(top, top + CROP_PX), slice(left, left + CROP_PX))
            label = name if column == 0 else "" if column == 1 else f"{metrics.psnr(picture[part], t.truth[part]):.1f} dB"
            draw.text((column * cell + 2, y + CROP_PX * ZOOM + 1), label, "black")
        print(name, file=sys.stderr, flush=True)
    reporting.save_sheet(sheet, options.out, MOST_BYTES)


if __name__ == "__main__":
    main()
