"""Tone curves of ICC profiles: from a file's values to linear light and back, by the profile's own curve.

ICC.1:2022, sections 10.6 (curveType) and 10.18 (parametricCurveType). A curve is kept as what each 16-bit value is in sRGB's
encoding of the same light, since everything between `pictures.load` and `pictures.save` is encoded so; codes of 8 bits are among
these. Both ways go through one table, so that a picture which nobody changed gets its own values back. The primaries stay.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..color import linear_to_srgb
from .formats import Array

_LEVELS = 65536
"""Values at which a curve is kept."""
_SAME = 5e-4
"""A curve nowhere further from sRGB's, in its encoding, is sRGB's: profiles of sRGB itself round by up to 1e-4."""
_SPACE = slice(16, 20)
"""Where a profile's header names the space of its pixels."""
_RGB_TAGS, _GREY_TAGS = (b"rTRC", b"gTRC", b"bTRC"), (b"kTRC",)
"""Where a profile of colour or of grey keeps its curves."""
_TAG_TABLE = 128
"""Where a profile's table of tags begins."""
_PARAMETERS = (1, 3, 4, 5, 7)
"""How many numbers each type of parametric curve has."""


@dataclass(frozen=True, eq=False)
class ToneCurve:
    """Curves of a profile.

    Attributes:
        encoded: [C,65536], C = 1 or 3: sRGB-encoded light of every value, rising.
    """

    encoded: Array

    @property
    def is_srgb(self) -> bool:
        """Whether it is sRGB's curve but for rounding."""
        return bool(np.abs(self.encoded - np.linspace(0, 1, _LEVELS)).max() < _SAME)

    def to_srgb(self, image: Tensor) -> Tensor:
        """Values of a file in 0..1, [1,C,H,W], as sRGB encodes the same light."""
        codes = (image * (_LEVELS - 1)).round_().clamp_(0, _LEVELS - 1).int()
        return torch.cat([torch.from_numpy(t)[codes[:, c].long()][:, None] for c, t in self._channels(image, np.float32)], 1)

    def from_srgb(self, image: Tensor) -> Tensor:
        """The inverse of `to_srgb`; [C,H,W], what lies outside 0..1 is clipped."""
        values = np.linspace(0, 1, _LEVELS)
        parts = [np.interp(image[c].numpy(), t, values).astype(np.float32) for c, t in self._channels(image[None], np.float64)]
        return torch.from_numpy(np.stack(parts))

    def _channels(self, image: Tensor, dtype: type) -> list[tuple[int, Array]]:
        """Channels of a picture [1,C,H,W] with the table of each."""
        return [(c, self.encoded[min(c, len(self.encoded) - 1)].astype(dtype)) for c in range(image.shape[1])]


@functools.lru_cache(maxsize=4)
def tone_curve(icc: bytes) -> ToneCurve | None:
    """The curves of a profile; None if it has none, as those made of look-up tables, or none that rises."""
    try:
        curves = [_curve(_tag(icc, name)) for name in (_GREY_TAGS if icc[_SPACE] == b"GRAY" else _RGB_TAGS)]
        light = np.stack([curve(np.linspace(0, 1, _LEVELS)) for curve in curves])
    except (struct.error, LookupError, ValueError, ArithmeticError):
        return None
    if not np.isfinite(light).all() or (np.diff(light, axis=1) < 0).any() or light.max() <= 0:
        return None
    return ToneCurve(linear_to_srgb(torch.from_numpy(light)).numpy())


def _tag(icc: bytes, name: bytes) -> bytes:
    (count,) = struct.unpack(">I", icc[_TAG_TABLE : _TAG_TABLE + 4])
    for i in range(min(count, len(icc) // 12)):
        at = _TAG_TABLE + 4 + 12 * i
        found, offset, size = struct.unpack(">4sII", icc[at : at + 12])
        if found == name:
            return icc[offset : offset + size]
    raise KeyError(name)


def _curve(tag: bytes) -> Callable[[Array], Array]:
    """The function of a tag: from values in 0..1 to light."""
    if tag[:4] == b"curv":
        (count,) = struct.unpack(">I", tag[8:12])
        points = np.frombuffer(tag[12 : 12 + 2 * count], ">u2").astype(np.float64)
        if count == 0:
            return lambda x: x
        if count == 1:
            return lambda x: x ** (points[0] / 256)
        return lambda x: np.interp(x, np.linspace(0, 1, count), points / (_LEVELS - 1))
    if tag[:4] != b"para":
        raise ValueError(f"{tag[:4]!r} is no curve")
    (kind,) = struct.unpack(">H", tag[8:10])
    given = [v / 65536 for v in struct.unpack(f">{_PARAMETERS[kind]}i", tag[12 : 12 + 4 * _PARAMETERS[kind]])]
    g, a, b, c, d, e, f = [*given, *[0.0] * (7 - len(given))] if kind else [given[0], 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    if kind in (1, 2):  # a constant below -b/a: 0, or the third number, which is added above too
        return lambda x: np.where(x >= -b / a, np.maximum(a * x + b, 0) ** g, 0) + c
    return lambda x: np.where(x >= d, np.maximum(a * x + b, 0) ** g + e, c * x + f)
