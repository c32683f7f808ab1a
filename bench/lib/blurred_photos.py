"""Sharp photos blurred here, scores of what takes the blur out again, and the plain ways to do it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from skimage.metrics import structural_similarity
from torch import Tensor

from refocus_core import bokeh, color, psf
from refocus_core.restore import filter_bank
from refocus_core.train.common import photos
from refocus_core.types import DefocusMap
from tests.helpers.paths import DATA

SIDE_PX = 208
"""Of the part of each photo that is scored; larger takes longer and is less often sharp all over."""
FRAME_PX = 12
"""Not scored at the borders: what lies beyond them is anybody's guess."""
UNSHARP = tuple((sigma, amount) for sigma in (0.7, 1.2, 2.0, 3.5) for amount in (0.5, 1.0, 2.0, 4.0))
"""Sigma in px and amount of the 16 unsharp masks that are tried."""


def sharp_photos() -> dict[str, Tensor]:
    """name -> [1,3,H,W] sRGB in 0..1: the part of each photo that is in focus, 208 px square (less where it is smaller)."""
    out: dict[str, Tensor] = {}
    small = {"astronaut": 1.25, "chelsea": 1.25, "coffee": 1.25}  # as distributed they are soft
    files = {name: DATA / f"{name}.png" for name in small} | {f.stem: f for f in photos.held_out()}
    for name, file in files.items():
        picture = photos.load(file)[None].float() / 255
        h, w = picture.shape[-2:]
        factor = small.get(name, max(min(h, w) / 720, 1.5))
        size = (round(h / factor), round(w / factor))
        linear = F.interpolate(color.srgb_to_linear(picture), size, mode="bilinear", antialias=True)
        sharp = eight_bits(color.linear_to_srgb(linear))
        out[name] = photos.sharpest(sharp, min(SIDE_PX, *size))
    return out


def eight_bits(image: Tensor) -> Tensor:
    """As a file with 8 bits keeps it."""
    return (image.clamp(0, 1) * 255).round() / 255


def convolve(linear: Tensor, kernel: Tensor) -> Tensor:
    """[1,C,H,W] with [1,m,m], the picture continued by reflection."""
    m = kernel.shape[-1] // 2
    wide = F.pad(linear, (m, m, m, m), "reflect")
    return F.conv2d(wide.movedim(1, 0), kernel[None]).movedim(0, 1)


def blurred(sharp: Tensor, radius: float, shape: str = "circle", noise: float = 0.0, seed: int = 0) -> Tensor:
    """Defocused in linear light; noise as standard deviation in sRGB units."""
    linear = color.srgb_to_linear(sharp)
    if radius:
        kernel = psf.disc(radius) if shape == "circle" else psf.rasterize(bokeh.make_kernel(shape).raster, radius)
        linear = convolve(linear, kernel)
    srgb = color.linear_to_srgb(linear.clamp(0, 1))
    return eight_bits(srgb + noise * torch.randn(srgb.shape, generator=torch.Generator().manual_seed(seed)))


def inner(image: Tensor) -> Tensor:
    """Without the frame, in 0..1."""
    return image.clamp(0, 1)[..., FRAME_PX:-FRAME_PX, FRAME_PX:-FRAME_PX]


def psnr(a: Tensor, b: Tensor, mask: Tensor | None = None) -> float:
    """Over `mask` [h,w], which lacks the frame already, or over everything but the frame."""
    error = (inner(a) - inner(b)).double().square().mean(1)[0]
    if mask is not None:
        error = error[mask]
    return float(-10 * torch.log10(error.mean() + 1e-10))


def ssim(a: Tensor, b: Tensor) -> float:
    """Structural similarity without the frame."""
    x, y = (inner(t)[0].permute(1, 2, 0).double().numpy() for t in (a, b))
    return float(structural_similarity(x, y, channel_axis=2, data_range=1.0))


def unsharp(image: Tensor, sigma: float, amount: float) -> Tensor:
    """The picture and `amount` of its difference from a Gaussian blur."""
    half = max(round(3 * sigma), 1)
    k = torch.exp(-0.5 * (torch.arange(-half, half + 1) / sigma) ** 2)
    k = (k / k.sum())[:, None] * (k / k.sum())[None]
    return (image + amount * (image - convolve(image, k[None]))).clamp(0, 1)


def best_unsharp(image: Tensor, sharp: Tensor) -> Tensor:
    """The best of 16 settings, chosen by looking at the truth."""
    return max((unsharp(image, s, a) for s, a in UNSHARP), key=lambda t: psnr(t, sharp))


def wiener(image: Tensor, radius: float) -> Tensor:
    """One filter of the network's kind, at the true radius."""
    if not radius:
        return image
    light = convolve(color.srgb_to_linear(image), filter_bank.inverse_filter(radius).float()[None])
    return color.linear_to_srgb(light.clamp(0, 1))


def even(image: Tensor, radius: float) -> DefocusMap:
    """A map of one radius everywhere."""
    return DefocusMap.from_radius(image.new_full((1, *image.shape[-2:]), radius))
