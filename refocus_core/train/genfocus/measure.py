"""Comparing two pictures: structural similarity, sub-pixel shift, exposure."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from kornia.metrics import ssim as ssim_map
from torch import Tensor

from ...color import LUMA_WEIGHTS, luminance

_SSIM_TAPS = 11
"""Side of SSIM's Gaussian window, as in Wang et al. 2004."""
_DARK = 1e-4
"""Luminance is cut here before its logarithm: noise in black would count as structure."""
_BLOCKS = 16
"""Blocks along the short side whose means are compared for exposure; more are smaller and feel the blur."""
_CLIPPED = 0.98
"""A block with a brighter pixel in linear light does not count: its true brightness is not known."""
_BLACK = 2e-3
"""A block with a darker mean does not count: it is mostly noise."""
_FEWEST_BLOCKS = 8
"""With fewer blocks that count, exposures cannot be compared."""


def ssim(a: Tensor, b: Tensor) -> float:
    """Mean structural similarity of two [3,H,W] in 0..1 (Wang et al. 2004: Gaussian window of 1.5 px, 11 taps).

    Over channels and over the pixels whose whole window lies in the picture.
    """
    if min(a.shape[-2:]) < _SSIM_TAPS:
        raise ValueError(f"SSIM needs pictures of at least {_SSIM_TAPS} px, got {list(a.shape[-2:])}.")
    m = _SSIM_TAPS // 2
    return float(ssim_map(a[None].double(), b[None].double(), _SSIM_TAPS, 1.0)[..., m:-m, m:-m].mean())


def shift_between(moved: Tensor, fixed: Tensor, precision_px: float = 0.02) -> tuple[float, float, float]:
    """How far `moved` is shifted against `fixed`: (down, right) in px and how sure that is, 0..1.

    Phase correlation of the luminance under a Hann window, refined around its peak by a matrix Fourier transform
    (Guizar-Sicairos, Thurman and Fienup 2008). A blur by a symmetric aperture does not move it.

    Args:
        moved, fixed: [3,H,W] linear light of the same size, the same scene.
        precision_px: step of the refinement.
    """
    h, w = fixed.shape[-2:]
    cross = _cross_spectrum(moved, fixed)
    peak = int(torch.fft.ifft2(cross).real.argmax())
    dy, dx = (float(v - n if v > n // 2 else v) for v, n in zip(divmod(peak, w), (h, w), strict=True))
    fy, fx = torch.fft.fftfreq(h, dtype=torch.float64), torch.fft.fftfreq(w, dtype=torch.float64)
    step, half_width = 0.25, 1.0
    while True:
        offsets = torch.arange(-half_width, half_width + step / 2, step, dtype=torch.float64)
        rows = torch.exp(2j * math.pi * torch.outer(dy + offsets, fy))
        columns = torch.exp(2j * math.pi * torch.outer(fx, dx + offsets))
        near = (rows @ cross @ columns).real
        best = divmod(int(near.argmax()), len(offsets))
        dy, dx = dy + float(offsets[best[0]]), dx + float(offsets[best[1]])
        if step <= precision_px:
            break
        half_width, step = step, max(step / 4, precision_px)
    total = float(cross.abs().sum())
    return dy, dx, float(near.max()) / total if total else 0.0


def _cross_spectrum(moved: Tensor, fixed: Tensor) -> Tensor:
    """Of the log luminance of two [3,H,W] under a Hann window, divided by the root of its amplitude."""
    h, w = fixed.shape[-2:]
    window = torch.outer(torch.hann_window(h, periodic=False), torch.hann_window(w, periodic=False)).double()
    spectra: list[Tensor] = []
    for picture in (fixed, moved):
        y = luminance(picture[None])[0, 0].double().clamp_min(_DARK).log()  # exposure only adds a constant
        spectra.append(torch.fft.fft2((y - y.mean()) * window))
    cross = spectra[1] * spectra[0].conj()
    # Weighted by the amplitude's root: a whitened spectrum is mostly noise where one picture is blurred.
    return cross / cross.abs().sqrt().clamp_min(1e-12)


def shifted(picture: Tensor, down: float, right: float) -> Tensor:
    """[C,H,W] moved by part pixels (bicubic); the border is continued."""
    h, w = picture.shape[-2:]
    y = torch.arange(h, dtype=torch.float32) + 0.5 - down
    x = torch.arange(w, dtype=torch.float32) + 0.5 - right
    yy, xx = torch.meshgrid(y * 2 / h - 1, x * 2 / w - 1, indexing="ij")
    grid = torch.stack([xx, yy], -1)[None]
    return F.grid_sample(picture[None], grid, mode="bicubic", padding_mode="border", align_corners=False)[0]


def exposure_between(picture: Tensor, reference: Tensor) -> Tensor:
    """Factor [3] per channel that brings `picture` to the exposure of `reference`, both [3,H,W] linear.

    Median ratio of block means: a block is large against the blur, and blocks with clipped or black pixels do not count.

    Raises:
        ValueError: if too little of the picture is neither clipped nor black.
    """
    side = max(min(picture.shape[-2:]) // _BLOCKS, 1)
    blocks = [F.avg_pool2d(p[None], side)[0].flatten(1) for p in (picture, reference)]
    clipped = torch.maximum(
        *(F.max_pool2d((p.amax(0) > _CLIPPED).float()[None, None], side).flatten() for p in (picture, reference))
    ).bool()
    dark = torch.minimum(*(b.amin(0) for b in blocks)) < _BLACK
    good = ~(clipped | dark)
    if int(good.sum()) < _FEWEST_BLOCKS:
        raise ValueError("Exposure cannot be compared: nearly everything is clipped or black.")
    return (blocks[1][:, good] / blocks[0][:, good]).median(1).values


def laplacian_variance(picture_srgb: Tensor) -> float:
    """Variance of the Laplacian (3 x 3, four neighbours) of the luma of [3,H,W] in 0..1, times 255^2: the usual scale."""
    luma = (picture_srgb * picture_srgb.new_tensor(LUMA_WEIGHTS).view(3, 1, 1)).sum(0) * 255
    kernel = luma.new_tensor([[0, 1, 0], [1, -4, 1], [0, 1, 0]])
    return float(F.conv2d(luma[None, None], kernel[None, None]).double().var(unbiased=False))
