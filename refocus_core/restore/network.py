"""The network of `refocus-deblur-s`: a bank of inverse filters that it chooses from, mixes and corrects, pixel by pixel.

What a lens does to light is known, so it is not learned: for seven disc radii the picture is deconvolved by a linear filter
(Wiener's, for a spectrum of natural pictures) in linear light. The network sees the picture and these seven answers, estimates
the blur radius at each pixel, which the power spectrum corrects (`spectrum`), mixes the answers of about that radius and adds
what none of them holds. The change is multiplied by a gate that is exactly 0 where the estimated radius is below `CLOSED_PX`:
what is sharp passes unchanged.

Nothing is pooled over the picture, so it has any size, and a pixel depends only on what is near (`CONTEXT_PX`).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .. import color, psf
from . import spectrum

BANK_PX = (0.8, 1.15, 1.6, 2.25, 3.15, 4.4, 6.2)
"""Radii of the inverse filters: between neighbours the network mixes, beyond the last it relies on what it learned."""
FILTER_HALF_PX = 32
"""The filters are this far from the centre cut off, softly."""
NOISE_TO_SIGNAL, MORE_FROM_PX = 0.025, 4.5
"""Of the filters, at the highest frequency that a picture holds along an axis; it falls as a natural spectrum rises. Beyond this
radius it grows, with the power 2.3 of the radius: zeros of the response crowd, and the filter must fit into its window."""
CLOSED_PX, OPEN_PX = 0.45, 0.85
"""The gate: closed up to the first radius, open from the second."""
UNCHANGED_PX = 0.4
"""In the mixture the picture itself stands for this radius."""
NEARNESS = 0.22
"""Standard deviation, in the logarithm of the radius, over which neighbouring filters share."""
LEAST_LOGIT = -4.5
ENERGIES = len(BANK_PX) + 6
"""See `energies`."""
MULTIPLE = 8
"""Sides are extended to a multiple of this."""
CONTEXT_PX = 96
"""What is farther away than this has no visible effect (measured in `tests/unit/restore/test_restore_embedded.py`)."""


@dataclass(frozen=True)
class Shape:
    """Widths and numbers of residual blocks at 1/2, 1/4 and 1/8 of the picture's size."""

    widths: tuple[int, int, int] = (32, 64, 128)
    encoder: tuple[int, int] = (1, 2)
    middle: int = 4
    decoder: tuple[int, int] = (2, 2)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Shape:
        """From what JSON holds."""
        return cls(tuple(values["widths"]), tuple(values["encoder"]), int(values["middle"]), tuple(values["decoder"]))


class Block(nn.Module):
    """x + conv(relu(conv(x)))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        nn.init.kaiming_normal_(self.first.weight, nonlinearity="relu")
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)  # pyright: ignore[reportArgumentType]

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(F.relu(self.first(x)))


class DeblurNetwork(nn.Module):
    """See the module. Weights are all that is learned; the filters are computed."""

    def __init__(self, shape: Shape | None = None) -> None:
        super().__init__()
        s = shape or Shape()
        a, b, c = s.widths
        count = len(BANK_PX)
        self.entry = nn.Conv2d(4 * 3 * (count + 1) + 2, a, 3, padding=1)
        self.encode_2 = _blocks(a, s.encoder[0])
        self.down_4 = nn.Conv2d(a, b, 2, stride=2)
        self.encode_4 = _blocks(b, s.encoder[1])
        self.down_8 = nn.Conv2d(b, c, 2, stride=2)
        self.middle = _blocks(c, s.middle)
        self.energy = nn.Sequential(
            nn.Conv2d(ENERGIES, 48, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(48, 48, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(48, c + 1, 1),
        )
        self.up_4 = nn.Conv2d(c, 4 * b, 1)
        self.decode_4 = _blocks(b, s.decoder[0])
        self.up_2 = nn.Conv2d(b, 4 * a, 1)
        self.decode_2 = _blocks(a, s.decoder[1])
        self.head = nn.Conv2d(a, (count + 1) + 4 * 3 + 1, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # pyright: ignore[reportArgumentType]

    def forward(self, image_srgb: Tensor, hint_px: Tensor | None = None, hinted: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Restore pictures.

        Args:
            image_srgb: [B,3,H,W] float32 in 0..1.
            hint_px: [B,H/2,W/2] (rounded up) unsigned radii of a defocus map, 0 where there is none.
            hinted: [B] 1 where `hint_px` is meant, else 0.

        Returns:
            The restored picture [B,3,H,W], not clamped, and the estimated radius in px [B,H,W].
        """
        height, width = image_srgb.shape[-2:]
        with torch.autocast(image_srgb.device.type, enabled=False):
            padded, answers = bank(image_srgb.float())
            # Most differences are small; those at strong edges shall not drown them.
            seen = torch.cat([padded - 0.5, (25 * (answers - padded[:, None]).flatten(1, 2)).asinh() / 2.5], 1)
            seen = F.pixel_unshuffle(seen, 2)
            strength = energies(padded, answers)
            hint = seen.new_zeros(seen.shape[0], 2, *seen.shape[-2:])
            if hint_px is not None:
                given = hint_px.new_ones(len(hint_px)) if hinted is None else hinted
                hint[:, 0, : hint_px.shape[-2], : hint_px.shape[-1]] = hint_px.log1p() * given[:, None, None]
                hint[:, 1] = given[:, None, None]
        x = self.entry(torch.cat([seen, hint], 1).contiguous(memory_format=torch.channels_last))
        at_2 = self.encode_2(x)
        at_4 = self.encode_4(self.down_4(at_2))
        about, rough = self.energy(strength).split([self.down_8.out_channels, 1], 1)
        x = self.middle(self.down_8(at_4) + about)
        x = self.decode_4(at_4 + F.pixel_shuffle(self.up_4(x), 2))
        x = self.decode_2(at_2 + F.pixel_shuffle(self.up_2(x), 2))
        found = self.head(F.relu(x))
        with torch.autocast(image_srgb.device.type, enabled=False):
            logits, rest, radius = found.float().contiguous().split([len(BANK_PX) + 1, 12, 1], 1)
            # softplus of 0 is log 2: an untrained network takes everything for 1 px.
            radius_2 = F.softplus(radius + _enlarged(rough.float(), MULTIPLE // 2)).expm1()
            radius_2 = spectrum.corrected(radius_2[:, 0], color.srgb_to_linear(padded).mean(1), CLOSED_PX)[:, None]
            radius_px = _enlarged(radius_2, 2)[:, 0]
            share = _enlarged((logits + nearness(radius_2.detach())).softmax(1), 2)[:, 1:, None]
            change = (share * (answers - padded[:, None])).sum(1) + F.pixel_shuffle(rest, 2)
            restored = padded + gate(radius_px)[:, None] * change
        return restored[..., :height, :width], radius_px[..., :height, :width]


def gate(radius_px: Tensor) -> Tensor:
    """0 up to `CLOSED_PX`, 1 from `OPEN_PX`, smooth between."""
    t = ((radius_px - CLOSED_PX) / (OPEN_PX - CLOSED_PX)).clamp(0, 1)
    return t * t * (3 - 2 * t)


def nearness(radius_px: Tensor) -> Tensor:
    """[B,1,h,w] radii -> logits of the picture itself and of each inverse filtering: the filter of about that radius leads, and
    the others stay within reach."""
    own = (UNCHANGED_PX, *BANK_PX)
    centre = torch.tensor(own, device=radius_px.device).log().view(1, -1, 1, 1)
    return (-0.5 * ((radius_px.clamp_min(0.1).log() - centre) / NEARNESS).square()).clamp_min(LEAST_LOGIT)


def bank(image_srgb: Tensor) -> tuple[Tensor, Tensor]:
    """The picture extended by reflection to multiples of `MULTIPLE` [B,3,H,W], and its inverse filterings [B,R,3,H,W] in 0..1."""
    height, width = (-(-n // MULTIPLE) * MULTIPLE for n in image_srgb.shape[-2:])
    margin = FILTER_HALF_PX
    sides = [_fast(n + 2 * margin) for n in (height, width)]
    reflected = functools.partial(spectrum.reflected, margin=margin, device=image_srgb.device)
    rows, columns = (reflected(n, side=side) for n, side in zip(image_srgb.shape[-2:], sides, strict=True))
    wide = image_srgb[..., rows, :][..., columns]
    light = torch.fft.rfft2(color.srgb_to_linear(wide))
    inner = (slice(margin, margin + height), slice(margin, margin + width))
    answers: list[Tensor] = []
    for radius in BANK_PX:
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
    noise = NOISE_TO_SIGNAL * max(1.0, radius_px / MORE_FROM_PX) ** 2.3
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


def _fast(n: int) -> int:
    """The smallest even number from n on that has only the prime factors 2, 3 and 5."""
    while True:
        m = n
        for p in (2, 3, 5):
            while m % p == 0:
                m //= p
        if m == 1 and n % 2 == 0:
            return n
        n += 1


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
    found = (F.avg_pool2d(strength, MULTIPLE) + 2e-3).log()
    return torch.cat([found[:, :1] + 3, found[:, 1:] - found[:, :1]], 1)


def _differences(x: Tensor, lag: int) -> Tensor:
    return (x - spectrum.moved(x, lag, -1)).abs() + (x - spectrum.moved(x, lag, -2)).abs()


def _enlarged(x: Tensor, factor: int) -> Tensor:
    return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


def _blocks(width: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(Block(width) for _ in range(count)))
