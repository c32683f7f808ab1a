"""The lens and the camera that pairs are made with: apertures, blur by them, and what a sensor makes of the light."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy import fft as scipy_fft
from torch import Tensor

from ... import color, psf
from .content import Array

fft: Any = scipy_fft  # its types say nothing that helps

MAX_RADIUS_PX = 24.0
"""Largest blur of a pair."""
MARGIN_PX = 26
"""Around a pair, so that blur brings in what lies beside it; at least the largest radius."""
_SHARP_BELOW_PX = 0.05
"""A smaller radius changes nothing that 8 bits hold."""
_APERTURE_CELLS = 65
"""Side of the aperture's raster."""


def draw_aperture(rng: np.random.Generator) -> Tensor:
    """[1,n,n] transmission: a disc or a polygon, with a brighter rim or centre now and then."""
    n = _APERTURE_CELLS
    axis = (torch.arange(n, dtype=torch.float32) + 0.5) * 2 / n - 1
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    r = torch.hypot(x, y)
    edge = torch.ones_like(r)
    if rng.random() < 0.35:
        blades, turn, roundness = int(rng.integers(5, 10)), rng.random() * 2 * np.pi, rng.uniform(0, 0.7)
        theta = torch.remainder(torch.atan2(y, x) + turn, 2 * np.pi / blades) - np.pi / blades
        straight = math.cos(math.pi / blades) / torch.cos(theta)
        edge = straight + (1 - straight) * roundness
    inside = ((edge - r) * n / 2 + 0.5).clamp(0, 1)
    if rng.random() < 0.4:
        inside = inside * (1 + rng.uniform(-0.6, 0.8) * r.square()).clamp_min(0.05)
    return (inside / inside.sum())[None]


def draw_radius(rng: np.random.Generator) -> float:
    """0.3 to `MAX_RADIUS_PX`, mostly below 10."""
    if rng.random() < 0.9:
        return float(min(0.4 + rng.exponential(3.2), MAX_RADIUS_PX))
    return float(rng.uniform(0.3, MAX_RADIUS_PX))


class Lens:
    """Blurs square pictures [side,side,C] with one aperture."""

    def __init__(self, aperture: Tensor, side: int) -> None:
        self._aperture, self._side = aperture, side
        self._n = fft.next_fast_len(side + 2 * MARGIN_PX, real=True)

    def __call__(self, layers: Array, radius_px: float, spectrum: NDArray[np.complex64] | None = None) -> Array:
        """[side,side,C] blurred; edges are continued by themselves. `spectrum` is that of `layers`, if it is there."""
        if radius_px < _SHARP_BELOW_PX:
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
        """Of a picture continued by itself."""
        rest = self._n - self._side - MARGIN_PX
        padded = np.pad(layers, ((MARGIN_PX, rest), (MARGIN_PX, rest), (0, 0)), "symmetric")
        return fft.rfft2(padded, axes=(0, 1))


def srgb_levels(linear: Array) -> Array:
    """sRGB-encoded, 0..255, not rounded."""
    return color.linear_to_srgb(torch.from_numpy(np.ascontiguousarray(linear, np.float32))).numpy() * 255


def camera(rng: np.random.Generator, linear: Array) -> NDArray[np.uint8]:
    """What a camera makes of the light: [S,S,3] sRGB bytes, with the softness, noise and compression that chance draws."""
    if rng.random() < 0.2:
        linear = _demosaiced(linear, 0.25 * rng.uniform(0.3, 1))
    if rng.random() < 0.5:
        shot, read = 10 ** rng.uniform(-5, -2.7), 10 ** rng.uniform(-7, -4.6)
        noise = rng.standard_normal(linear.shape).astype(np.float32)
        linear = np.clip(linear + noise * np.sqrt(linear * shot + read), 0, 1).astype(np.float32)
    pixels = np.clip(srgb_levels(linear) + 0.5, 0, 255).astype(np.uint8)
    if rng.random() < 0.4:
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG", quality=int(rng.integers(70, 99)), subsampling=int(rng.choice((0, 2))))
        pixels = np.asarray(Image.open(file))
    return pixels


def _demosaiced(linear: Array, side: float) -> Array:
    """Red and blue softened by (side, 1 - 2 side, side) in both directions: they have half the samples of green."""
    k = (side, 1 - 2 * side, side)
    linear = linear.copy()
    for c in (0, 2):
        p = np.pad(linear[..., c], 1, "edge")
        across = p[1:-1, :-2] * k[0] + p[1:-1, 1:-1] * k[1] + p[1:-1, 2:] * k[2]
        p = np.pad(across, 1, "edge")
        linear[..., c] = p[:-2, 1:-1] * k[0] + p[1:-1, 1:-1] * k[1] + p[2:, 1:-1] * k[2]
    return linear
