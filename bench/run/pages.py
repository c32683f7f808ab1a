"""A page of pictures: ten photos through the whole chain, with the models that ship. To look at, not to measure.

    python -m bench.run.pages [--out out/bench/pages.webp]

Each row: the photo, its depth, the photo made sharp, and two renderings with other focus (near, and far). The photos are the
samples in `tests/data` and those that `refocus_core.train.common.photos` sets aside, fetched from Debian when missing.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw
from torch import Tensor

from bench.lib import reporting
from refocus_core import bokeh, color, defocus, depth, restore
from refocus_core.optics import Blur
from refocus_core.train.common import photos
from tests.helpers.paths import DATA

EDGE_PX = 720
"""Long edge to which the photos are reduced."""
CELL_PX = (300, 225)
"""Width and height of a cell."""
BLUR_PERCENT = 2.0
"""Strength of both renderings, in percent of the long edge."""
NEAR, FAR = 0.92, 0.08
"""Quantiles of the disparity that are put in focus."""
HEADS = ("photo", "depth", "all in focus", "focus near", "focus far")
"""Words above the columns."""
LARGEST_BYTES = 1_000_000
"""Of the page's file."""


def files() -> list[Path]:
    """Ten photos that no network was trained on."""
    samples = [DATA / f"{name}.png" for name in ("astronaut", "chelsea", "coffee", "motorcycle")]
    return [*samples, *photos.held_out()]


def reduced(file: Path) -> Tensor:
    """[1,3,H,W] sRGB, its long edge at most `EDGE_PX`."""
    picture = photos.load(file)[None].float() / 255
    factor = min(EDGE_PX / max(picture.shape[-2:]), 1.0)
    if factor == 1:
        return picture
    size = tuple(round(n * factor) for n in picture.shape[-2:])
    small = F.interpolate(color.srgb_to_linear(picture), size, mode="bilinear", antialias=True)
    return color.linear_to_srgb(small).clamp(0, 1)


def row(photo: Tensor) -> list[Tensor]:
    """The five pictures of one photo, [3,H,W] each."""
    sharp = restore.all_in_focus(photo).image.clamp(0, 1)
    found = depth.estimate(sharp)
    out = [photo[0], depth.preview(found)[0], sharp[0]]
    for quantile in (NEAR, FAR):
        focus = float(torch.quantile(found.disparity.flatten()[::7], quantile))
        made = defocus.from_lens(found, Blur(BLUR_PERCENT), defocus.FocusDisparity(focus))
        light = bokeh.render(color.srgb_to_linear(sharp), made, quality="normal")
        out.append(color.linear_to_srgb(light)[0].clamp(0, 1))
    return out


def cell(picture: Tensor) -> Image.Image:
    """A cell of the page, the picture in its middle."""
    pixels = (picture.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
    im = Image.fromarray(pixels)
    im.thumbnail(CELL_PX, Image.Resampling.LANCZOS)
    out = Image.new("RGB", CELL_PX, "white")
    out.paste(im, ((CELL_PX[0] - im.width) // 2, (CELL_PX[1] - im.height) // 2))
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description="Ten photos through the whole chain, as one picture.")
    parser.add_argument("--out", type=Path, default=reporting.RAW / "pages.webp")
    args = parser.parse_args()
    rows: list[list[Image.Image]] = []
    for file in files():
        print(file.stem, file=sys.stderr, flush=True)
        rows.append([cell(p) for p in row(reduced(file))])
    head = 24
    page = Image.new("RGB", (CELL_PX[0] * len(HEADS), head + CELL_PX[1] * len(rows)), "white")
    draw = ImageDraw.Draw(page)
    for i, text in enumerate(HEADS):
        draw.text((i * CELL_PX[0] + CELL_PX[0] / 2, head / 2), text, fill="black", anchor="mm", font_size=15)
    for y, cells in enumerate(rows):
        for x, im in enumerate(cells):
            page.paste(im, (x * CELL_PX[0], head + y * CELL_PX[1]))
    reporting.save_sheet(page, args.out, LARGEST_BYTES)


if __name__ == "__main__":
    main()
