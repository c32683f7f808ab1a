"""Photographs of animals and plants, cut out, before photographs: outlines as soft, ragged and thin as real ones."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from bench.lib import soft_outlines as outlines
from refocus_core import bokeh, color
from refocus_core.bokeh.reference import SUBPIXELS, LayeredScene, Plane, pinhole, render_reference
from refocus_core.train.common import photos
from refocus_core.train.levels import sources

PACKAGE = "tuxpaint-stamps-default"
"""Holds the cut-outs, under free licences; to measure with, never shipped or trained on by what it measures."""
CUTOUTS = (
    "animals/birds/crowned_crane",
    "animals/birds/nandou",
    "animals/birds/turkey",
    "animals/mammals/ferret",
    "animals/mammals/rodents/squirrel",
    "animals/mammals/deer/wapiti",
    "animals/mammals/cats/lion-2",
    "plants/eggplant",
    "plants/trees/holm_oak",
    "plants/trees/liberia-palm",
    "plants/trees/rambutan",
    "animals/insects/mantis",
)
"""Feathers, fur, a tail of hair, antlers, leaves, twigs and legs a few pixels wide."""
FILLED = 0.86
"""Share of the picture's side that a cut-out fills, but is never enlarged to."""


def _cutout(name: str) -> tuple[Tensor, Tensor]:
    """Straight linear colour [3,n,n] and alpha [n,n] of a cut-out in the middle of the sub-pixel grid."""
    path = next(p for p in sources.files(PACKAGE, ".png") if p.with_suffix("").as_posix().endswith(name))
    picture = Image.open(path).convert("RGBa")  # premultiplied, so that what is transparent tints nothing
    largest = round(FILLED * outlines.SIZE_PX * SUBPIXELS)
    picture.thumbnail((largest, largest), Image.Resampling.LANCZOS)
    pixels = torch.from_numpy(np.asarray(picture).copy()).permute(2, 0, 1).float() / 255
    n = (outlines.SIZE_PX + 2 * outlines.MARGIN_PX) * SUBPIXELS
    h, w = pixels.shape[1:]
    top, left = (n - h) // 2, (n - w) // 2
    pixels = F.pad(pixels, (left, n - w - left, top, n - h - top))
    alpha = pixels[3]
    straight = (pixels[:3] / alpha.clamp_min(1 / 255)).clamp(0, 1)
    return color.srgb_to_linear(straight), alpha


def _background(number: int) -> Tensor:
    """The middle of a photo that nothing was trained on, linear, [3,n,n] on the sub-pixel grid."""
    files = photos.held_out()
    picture = photos.load(files[number % len(files)]).float() / 255
    n = (outlines.SIZE_PX + 2 * outlines.MARGIN_PX) * SUBPIXELS
    h, w = picture.shape[1:]
    scale = n / min(h, w)
    picture = F.interpolate(picture[None], (max(n, round(h * scale)), max(n, round(w * scale))), mode="bilinear", antialias=True)[
        0
    ]
    top, left = ((s - n) // 2 for s in picture.shape[1:])
    return color.srgb_to_linear(picture[:, top : top + n, left : left + n].clamp(0, 1))


def make(number: int) -> outlines.Outline:
    """A cut-out before a photo, with an exact and a soft map and the lens integrated as truth."""
    rng = np.random.default_rng(2000 + number)
    front, alpha = _cutout(CUTOUTS[number])
    near, far = outlines.RADII_PX[number % len(outlines.RADII_PX)]
    planes = (Plane(front, alpha, near), Plane(_background(number), torch.ones_like(alpha), far))
    scene = LayeredScene(planes, outlines.MARGIN_PX, samples=outlines.SAMPLES)
    image, radius = pinhole(scene)
    truth, _ = render_reference(scene, bokeh.make_kernel("circle"))
    soft = outlines.soften(
        radius[0], rng.uniform(*outlines.SIGMA_PX), rng.uniform(*outlines.SHIFT_PX), rng.uniform(0, 2 * math.pi)
    )
    return outlines.Outline(image[0], radius[0], soft, truth[0], outlines.rim_of(alpha))
