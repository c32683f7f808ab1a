"""What a device proves to be able to do: a small scene through both engines, and Fourier transforms against plain sums."""

from __future__ import annotations

import logging
import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ...types import Kernel
from ..bins import Bins
from ..plan import Plan, Quality
from ..surfaces.layers import Layers
from .torch_engine import TileEngine
from .triton.engine import TritonEngine

log = logging.getLogger(__name__)

MOST_WORST = 2e-3
"""Largest difference of a pixel from plain torch, relative to the brightest, at which the self-test passes. A pixel whose
coverage by a bin is just at `plan.PRESENT` may differ by up to that; rounding gives 1e-6."""

MOST_MEAN = 1e-5
"""Mean difference, relative to the brightest pixel, at which the self-test passes."""

MOST_FFT_ERROR = 1e-4
"""Relative error of a convolution by transforms up to which they count as right."""

FFT_SIZES = ((16, 16), (24, 40), (27, 45), (192, 160))
"""Heights and widths of the transforms that are tried: powers of two, and lengths with factors 3 and 5."""

GPU_SCENE_PX, CPU_SCENE_PX = 96, 16
"""Sides of the scene; small on a CPU, where Triton is interpreted."""

HALO_PX, NEAR_PX, FAR_PX = 10, -5.0, 7.5
"""Halo of the scene's window, radius of its near disc, and of the far end of the slope behind it."""


def engines_differ_by(device: torch.device) -> tuple[float, float]:
    """Largest and mean difference of `TritonEngine` and `TileEngine` on a small scene, relative to the brightest pixel.

    An off-axis aperture in four segments, with and without the light of what is nearer than the focus, and a coloured one.
    """
    worst = mean = 0.0
    generator = torch.Generator().manual_seed(0)
    for coloured, near_blur in ((False, False), (True, False), (False, True)):
        difference = _difference(_scene(device, generator), _aperture(coloured).to(device), near_blur)
        worst = max(worst, float(difference.nan_to_num(math.inf).max()))
        mean = max(mean, float(difference.nan_to_num(math.inf).mean()))
    return worst, mean


def _scene(device: torch.device, generator: torch.Generator) -> Layers:
    """A near disc before a slope, radii of both signs, a second surface behind all of it."""
    n = (GPU_SCENE_PX if device.type == "cuda" else CPU_SCENE_PX) + 2 * HALO_PX
    x = torch.linspace(0, 1, n).expand(n, n)
    disc = (x - 0.5).square() + (x.T - 0.5).square() < 0.08
    front, back = (torch.cat([torch.rand(3, n, n, generator=generator), torch.ones(1, n, n)]) for _ in range(2))
    slope = FAR_PX * x
    return Layers(*(t.to(device) for t in (front, torch.where(disc, NEAR_PX, slope), back, slope, disc)))


def _aperture(coloured: bool) -> Kernel:
    """Off the optical axis, of another shape for each colour."""
    raster = torch.zeros(3 if coloured else 1, 16, 16)
    raster[0, 1:9, 4:14] = 1
    if coloured:
        raster[1, 3:12, 2:12], raster[2, 5:15, 6:15] = 1, 1
    return Kernel(raster / raster.sum((1, 2), keepdim=True))


def _difference(layers: Layers, aperture: Kernel, near_blur: bool) -> Tensor:
    """Difference of the engines' pictures, relative to the brightest pixel; bins at full and at half resolution."""
    coloured = aperture.raster.shape[0] == 3
    quality = Quality(resolution_px=3, bin_step=2.5, segments=1 if coloured else 4, snap=False)
    plan = Plan(aperture, Bins.of(torch.cat([layers.front_radius, layers.back_radius]), quality.bin_step), quality)
    pictures: list[Tensor] = []
    # TF32 in the plain engine's convolutions is a coarser ruler than what is measured.
    with torch.backends.cudnn.flags(enabled=torch.backends.cudnn.enabled, allow_tf32=False):
        for engine in (TileEngine(plan), TritonEngine(plan)):
            out = layers.front[:3, HALO_PX:-HALO_PX, HALO_PX:-HALO_PX].clone()
            near = layers.front.new_zeros(4, *out.shape[1:]) if near_blur else None
            engine.composite(layers, (HALO_PX, HALO_PX), (-HALO_PX, 5), out, lambda _: None, near)
            pictures.append(out if near is None else torch.cat([out, near]))
    return (pictures[0] - pictures[1]).abs() / pictures[0].amax()


def fft_error(device: torch.device) -> float:
    """Largest relative error of convolutions by transforms on a device; infinite if they fail.

    Some versions of torch give wrong results on MPS (issues 124096 and 126649 of pytorch/pytorch).
    """
    generator = torch.Generator().manual_seed(0)
    worst = 0.0
    for h, w in FFT_SIZES:
        image, kernel = torch.rand(4, h, w, generator=generator), torch.rand(2, 1, 5, 3, generator=generator)
        padded = F.pad(image[:, None], (1, 1, 2, 2), mode="circular")
        expected = F.conv2d(padded, kernel.flip(-2, -1)).movedim(1, 0)  # [2,4,h,w]
        try:
            results = _convolutions(image.to(device), kernel.to(device))
        except RuntimeError as error:
            log.debug("Transforms on %s fail: %s", device, error)
            return math.inf
        for result in results:
            difference = (result.cpu() - expected).abs().max() / expected.max()
            worst = max(worst, float(difference.nan_to_num(math.inf)))
    return worst


def _convolutions(image: Tensor, kernel: Tensor) -> list[Tensor]:
    """[2,4,h,w] circular convolutions by real and by complex transforms, as the plain engine makes them: strided input, kernels
    of a batch."""
    h, w = image.shape[-2:]
    strided = image.new_zeros(8, h, w)
    strided[::2] = image
    spread = image.new_zeros(2, 1, h, w)
    spread[..., :5, :3] = kernel
    spread = spread.roll((-2, -1), (-2, -1))
    real = torch.fft.irfft2(torch.fft.rfft2(strided[::2]) * torch.fft.rfft2(spread), s=(h, w))
    pair = torch.complex(strided[0:4:2], strided[4:8:2])
    both = torch.fft.ifft2(torch.fft.fft2(pair) * torch.fft.fft2(spread))
    return [real, torch.cat([both.real, both.imag], 1)]
