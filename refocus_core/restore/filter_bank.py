"""What the network of `refocus-deblur-s` sees: a picture, its inverse filterings, and how strong detail is in each of them.

What a lens does to light is known, so it is not learned: for seven disc radii the picture is deconvolved by a linear filter
(Wiener's, for a spectrum of natural pictures) in linear light.
"""

from __future__ import annotations

import functools
import math

import torch
import torch.nn.functional as F
from torch import Tensor

from .. import color, images, psf
from ..progress import counted, silent
from ..types import Progress
from . import spectrum

BANK_PX = (0.8, 1.15, 1.6, 2.25, 3.15, 4.4, 6.2)
"""Radii of the inverse filters: between neighbours the network mixes, beyond the last it relies on what it learned."""
FILTER_HALF_PX = 32
"""The filters are this far from the centre cut off, softly. A wider one inverts larger radii and takes longer."""
NOISE_TO_SIGNAL = 0.025
"""Of the filters, at the highest frequency that a picture holds along an axis; it falls as a natural spectrum rises. More gives
softer and quieter answers."""
MORE_NOISE_FROM_PX = 4.5
"""Radius beyond which it grows: zeros of the response crowd, and the filter must fit into its window."""
MORE_NOISE_POWER = 2.3
"""It grows with this power of the radius."""
ENERGIES = len(BANK_PX) + 6
"""Channels of `energies`: of each filtering and of the picture, and of five differences of the picture."""
MULTIPLE = 8
"""Sides are extended to a multiple of this."""
LEAST_ENERGY = 2e-3
"""sRGB units that are added before logarithms are taken: about half an 8-bit step, so that flat areas are all alike."""
ENERGY_OFFSET = 3.0
"""Added to the logarithm of the picture's own gradients, which brings it near 0."""


def bank(image_srgb: Tensor, progress: Progress = silent) -> tuple[Tensor, Tensor]:
    """The picture extended by reflection to multiples of `MULTIPLE` [B,3,H,W], and its inverse filterings [B,R,3,H,W] in 0..1."""
    height, width = (-(-n // MULTIPLE) * MULTIPLE for n in image_srgb.shape[-2:])
    margin = FILTER_HALF_PX
    sides = [2 * images.fast_fft_length(n // 2 + margin) for n in (height, width)]  # even, as a half spectrum wants it
    reflected = functools.partial(spectrum.reflected, margin=margin, device=image_srgb.device)
    rows, columns = (reflected(n, side=side) for n, side in zip(image_srgb.shape[-2:], sides, strict=True))
    wide = image_srgb[..., rows, :][..., columns]
    light = torch.fft.rfft2(color.srgb_to_linear(wide))
    inner = (slice(margin, margin + height), slice(margin, margin + width))
    answers: list[Tensor] = []
    for radius in counted(BANK_PX, len(BANK_PX), progress):
        # The filter is real and symmetric, and so is its response.
        answer = torch.fft.irfft2(light * _response(radius, sides[0], sides[1], image_srgb.device), s=sides)[(..., *inner)]
        answers.append(color.linear_to_srgb(answer.clamp(0, 1)))
    return wide[(..., *inner)], torch.stack(answers, 1)


@functools.lru_cache(maxsize=8)
def inverse_filter(radius_px: float) -> Tensor:
    """Wiener's filter against a disc of this radius, [m,m] float64 with m = 2 FILTER_HALF_PX + 1, sum 1.

    H / (H^2 + n f), H the response of the disc and f the frequency (1 at the highest along an axis): the spectrum of natural
    pictures falls as 1/f^2 in power, that of their fine detail less (n f was measured to be better than n f^2).
    """
    n = 8 * FILTER_HALF_PX
    blur = psf.disc(radius_px)[0].double()
    m = blur.shape[0]
    response = torch.fft.fft2(F.pad(blur, (0, n - m, 0, n - m)).roll((-(m // 2), -(m // 2)), (0, 1))).real
    f = torch.fft.fftfreq(n, dtype=torch.float64) * 2
    f = torch.hypot(f[:, None], f[None]).clamp_min(1 / n)
    noise = NOISE_TO_SIGNAL * max(1.0, radius_px / MORE_NOISE_FROM_PX) ** MORE_NOISE_POWER
    inverse = torch.fft.fftshift(torch.fft.ifft2(response / (response.square() + noise * f)).real)
    half = FILTER_HALF_PX
    window = torch.cos(torch.arange(-half, half + 1, dtype=torch.float64) / (half + 1) * math.pi / 2)
    inverse = inverse[n // 2 - half : n // 2 + half + 1, n // 2 - half : n // 2 + half + 1] * window[:, None] * window[None]
    return inverse / inverse.sum()


@functools.lru_cache(maxsize=4 * len(BANK_PX))
def _response(radius_px: float, height: int, width: int, device: torch.device) -> Tensor:
    kernel = inverse_filter(radius_px)
    half = FILTER_HALF_PX
    padded = F.pad(kernel, (0, width - kernel.shape[1], 0, height - kernel.shape[0])).roll((-half, -half), (0, 1))
    return torch.fft.rfft2(padded).real.float().to(device)


def energies(image_srgb: Tensor, answers: Tensor) -> Tensor:
    """How strong detail is around each place, as logarithms: [B,ENERGIES,H/8,W/8].

    Gradients of the picture, then relative to it: those of its inverse filterings (they grow where a filter undoes more than
    there was), differences over 2, 4 and 8 px and second differences. The blur radius can be read from them.
    """
    grey = torch.cat([image_srgb.mean(1, keepdim=True), answers.mean(2)], 1)
    own = grey[:, :1]
    second = [(own - 0.5 * (spectrum.moved(own, s, d) + spectrum.moved(own, -s, d))).abs() for s in (1, 2) for d in (-1, -2)]
    strength = torch.cat(
        [
            _differences(grey, 1),
            *(_differences(own, lag) for lag in (2, 4, 8)),
            second[0] + second[1],
            second[2] + second[3],
        ],
        1,
    )
    found = (F.avg_pool2d(strength, MULTIPLE) + LEAST_ENERGY).log()
    return torch.cat([found[:, :1] + ENERGY_OFFSET, found[:, 1:] - found[:, :1]], 1)


def _differences(x: Tensor, lag: int) -> Tensor:
    return (x - spectrum.moved(x, lag, -1)).abs() + (x - spectrum.moved(x, lag, -2)).abs()
