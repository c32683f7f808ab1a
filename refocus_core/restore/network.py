"""The network of `refocus-deblur-s`: a bank of inverse filters that it chooses from, mixes and corrects, pixel by pixel.

What a lens does to light is known, so it is not learned: for seven disc radii the picture is deconvolved by a linear filter
(Wiener's, for a spectrum of natural pictures) in linear light. The network sees the picture and these seven answers, estimates
the blur radius at each pixel, which the power spectrum corrects (`spectrum`), mixes the answers of about that radius and adds
what none of them holds. The change is multiplied by a gate that is exactly 0 where the estimated radius is below `CLOSED_PX`:
what is sharp passes unchanged.

Nothing is pooled over the picture, so it has any size, and a pixel depends only on what is near (`CONTEXT_PX`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .. import color
from ..progress import shares, silent, watched
from ..types import Progress
from . import spectrum
from .filter_bank import BANK_PX, ENERGIES, MULTIPLE, bank, energies

CLOSED_PX = 0.45
"""Estimated radius up to which the gate is closed: the picture stays as it is, bit for bit."""
OPEN_PX = 0.85
"""Estimated radius from which the gate is open. Nearer to `CLOSED_PX` it would show where it opens."""
UNCHANGED_PX = 0.4
"""In the mixture the picture itself stands for this radius."""
NEARNESS = 0.22
"""Standard deviation, in the logarithm of the radius, over which neighbouring filters share. Wider mixes more of them."""
LEAST_PX = 0.1
"""Radii are raised to this before their logarithm is taken."""
LEAST_LOGIT = -4.5
"""Logit of the filters that are far from the radius. A lower one leaves the network less freedom to choose them all the same."""
CONTEXT_PX = 96
"""What is farther away than this has no visible effect (measured in `tests/unit/restore/test_restore_shipped.py`)."""
ENERGY_WIDTH = 48
"""Channels of the layers that read the radius from the energies."""
DIFFERENCE_GAIN = 25.0
"""What the differences of the filterings to the picture are multiplied by before they are squeezed: most are small."""
DIFFERENCE_SCALE = 2.5
"""And divided by afterwards, so that they are of the picture's size."""
WORK = (2.0, 3.0, 3.0)
"""What the filters, the layers and the correction of the radii take of the time."""


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
            nn.Conv2d(ENERGIES, ENERGY_WIDTH, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(ENERGY_WIDTH, ENERGY_WIDTH, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(ENERGY_WIDTH, c + 1, 1),
        )
        self.up_4 = nn.Conv2d(c, 4 * b, 1)
        self.decode_4 = _blocks(b, s.decoder[0])
        self.up_2 = nn.Conv2d(b, 4 * a, 1)
        self.decode_2 = _blocks(a, s.decoder[1])
        self.head = nn.Conv2d(a, (count + 1) + 4 * 3 + 1, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # pyright: ignore[reportArgumentType]

    def forward(
        self,
        image_srgb: Tensor,
        hint_px: Tensor | None = None,
        hinted: Tensor | None = None,
        progress: Progress = silent,
    ) -> tuple[Tensor, Tensor]:
        """Restore pictures.

        Args:
            image_srgb: [B,3,H,W] float32 in 0..1.
            hint_px: [B,H/2,W/2] (rounded up) unsigned radii of a defocus map, 0 where there is none.
            hinted: [B] 1 where `hint_px` is meant, else 0.
            progress: called after each filter, before each layer, and along the correction by the spectrum.

        Returns:
            The restored picture [B,3,H,W], not clamped, and the estimated radius in px [B,H,W].
        """
        height, width = image_srgb.shape[-2:]
        filtering, layers, correction = shares(progress, WORK)
        with torch.autocast(image_srgb.device.type, enabled=False):
            padded, answers = bank(image_srgb.float(), filtering)
            strength = energies(padded, answers)
            entry = _entry(padded, answers, hint_px, hinted)
        with watched(self, layers):
            mixture, rough = self._layers(entry, strength)
        with torch.autocast(image_srgb.device.type, enabled=False):
            logits, rest, radius = mixture.float().contiguous().split([len(BANK_PX) + 1, 12, 1], 1)
            # softplus of 0 is log 2: an untrained network takes everything for 1 px.
            radius_2 = F.softplus(radius + _enlarged(rough.float(), MULTIPLE // 2)).expm1()
            radius_2 = spectrum.corrected(radius_2[:, 0], color.srgb_to_linear(padded).mean(1), CLOSED_PX, correction)[:, None]
            radius_px = _enlarged(radius_2, 2)[:, 0]
            share = _enlarged((logits + nearness(radius_2.detach())).softmax(1), 2)[:, 1:, None]
            change = (share * (answers - padded[:, None])).sum(1) + F.pixel_shuffle(rest, 2)
            restored = padded + gate(radius_px)[:, None] * change
        return restored[..., :height, :width], radius_px[..., :height, :width]

    def _layers(self, entry: Tensor, strength: Tensor) -> tuple[Tensor, Tensor]:
        """All that is learned: [B,C,H/2,W/2] logits, rest and radius, and [B,1,H/8,W/8] a rough radius."""
        x = self.entry(entry.contiguous(memory_format=torch.channels_last))
        at_2 = self.encode_2(x)
        at_4 = self.encode_4(self.down_4(at_2))
        about, rough = self.energy(strength).split([self.down_8.out_channels, 1], 1)
        x = self.middle(self.down_8(at_4) + about)
        x = self.decode_4(at_4 + F.pixel_shuffle(self.up_4(x), 2))
        x = self.decode_2(at_2 + F.pixel_shuffle(self.up_2(x), 2))
        return self.head(F.relu(x)), rough


def _entry(padded: Tensor, answers: Tensor, hint_px: Tensor | None, hinted: Tensor | None) -> Tensor:
    """[B,C,H/2,W/2] what the first layer sees: the picture, the filterings' differences to it, and the hint."""
    # Most differences are small; those at strong edges shall not drown them.
    differences = (DIFFERENCE_GAIN * (answers - padded[:, None]).flatten(1, 2)).asinh() / DIFFERENCE_SCALE
    pictures = F.pixel_unshuffle(torch.cat([padded - 0.5, differences], 1), 2)
    hint = pictures.new_zeros(pictures.shape[0], 2, *pictures.shape[-2:])
    if hint_px is not None:
        given = hint_px.new_ones(len(hint_px)) if hinted is None else hinted
        hint[:, 0, : hint_px.shape[-2], : hint_px.shape[-1]] = hint_px.log1p() * given[:, None, None]
        hint[:, 1] = given[:, None, None]
    return torch.cat([pictures, hint], 1)


def gate(radius_px: Tensor) -> Tensor:
    """0 up to `CLOSED_PX`, 1 from `OPEN_PX`, smooth between."""
    t = ((radius_px - CLOSED_PX) / (OPEN_PX - CLOSED_PX)).clamp(0, 1)
    return t * t * (3 - 2 * t)


def nearness(radius_px: Tensor) -> Tensor:
    """[B,1,h,w] radii -> logits of the picture itself and of each inverse filtering: the filter of about that radius leads, and
    the others can still be chosen."""
    own = (UNCHANGED_PX, *BANK_PX)
    centre = torch.tensor(own, device=radius_px.device).log().view(1, -1, 1, 1)
    return (-0.5 * ((radius_px.clamp_min(LEAST_PX).log() - centre) / NEARNESS).square()).clamp_min(LEAST_LOGIT)


def _enlarged(x: Tensor, factor: int) -> Tensor:
    return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


def _blocks(width: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(Block(width) for _ in range(count)))
