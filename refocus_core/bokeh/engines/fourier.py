"""Blurs of RGBA planes: by fast Fourier transforms, or pixel by pixel where a kernel is small; at full or reduced resolution.

A plane is [4,h,w], light and coverage. Q kernels, one for each segment of the aperture, give [Q,4,h,w]; coloured kernels, which
cover each channel differently, give [Q,6,h,w]: three of light, three of coverage.
"""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ...images import reusable_fft_length
from ..lattice import Node, Opening
from ..plan import Plan
from .spans import Box, enclosing

SPECTRA_BYTES = 64 * 2**20
"""Most that is kept of kernels' spectra. With less, more of them are made anew for every tile."""

CUBIC_HALO = 2
"""Coarse pixels that bicubic enlarging reads beyond a pixel; the tent that shrinks reads one."""


@dataclass(frozen=True)
class Period:
    """One period of a circular convolution: where planes are placed in it, and from where the result is read.

    base                                    fh x fw pixels of 1/s of the resolution
     +--------------------------------+
     |   +-----------+                |     source: where planes have content
     |   |  source   |                |     wanted: where their blur is read
     |   |     +-----+-------+        |     So long that no light comes round to where it is wanted, and that the
     |   |     |     | wanted|        |     kernel fits.
     |   +-----+-----+       |        |
     |         +-------------+        |
     +--------------------------------+
    """

    base: tuple[int, int]
    size: tuple[int, int]
    s: int

    @classmethod
    def of(cls, sources: list[Box], wanted: Box, radius: int, s: int) -> Period:
        """Period for planes with content in `sources`, aligned to s px, that are blurred by up to `radius` coarse pixels."""
        source = enclosing(sources)
        base = [min(a[0], b[0]) for a, b in zip(source, wanted, strict=True)]
        fh, fw = (
            reusable_fft_length(max(max(b[1] - a[0], a[1] - b[0]) // s + radius, (max(a[1], b[1]) - o) // s, 2 * radius + 1))
            for a, b, o in zip(source, wanted, base, strict=True)
        )
        return cls((base[0], base[1]), (fh, fw), s)

    def index(self, box: Box) -> tuple[slice, slice]:
        """Where a box of the window lies in the period."""
        return box[0].relative_to(self.base[0], self.s), box[1].relative_to(self.base[1], self.s)


class PlacedPlane(NamedTuple):
    """RGBA [4,...], the part of a period where it lies, and its kernels' spectra.

    [Q,1,fh,fw], or [Q,3,...] if coloured, [Q,2,...] if blue is as red.
    """

    plane: Tensor
    at: tuple[slice, slice]
    spectra: Tensor


class Blurs:
    """A plan's blurs as kernels and as spectra, kept from tile to tile and shared by threads."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._kernels: dict[tuple[int, Node | None, int], Tensor] = {}
        self._spectra: dict[tuple[int, Node | None, int, int, int], Tensor] = {}
        self._spectra_bytes = 0
        self._lock = Lock()

    def kernels(self, i: int, opening: Opening) -> Tensor:
        """[Q,C,m,m] bin i's blur through each segment; [4Q,...] through those of the four nodes of the opening's cell."""
        return _joined([self._kernels_at(i, node, opening) for node in _nodes(opening)])

    def spectra(self, i: int, opening: Opening, fh: int, fw: int) -> Tensor:
        """[Q,C,fh,fw] spectra of bin i's blur through each segment, the kernel's middle at the origin; [4Q,...] in a cell.

        C is `Plan.colours`.
        """
        return _joined([self._spectra_at(i, node, opening, fh, fw) for node in _nodes(opening)])

    def _kernels_at(self, i: int, node: Node | None, opening: Opening) -> Tensor:
        key = (i, node, len(opening.segments))
        with self._lock:
            if key in self._kernels:
                return self._kernels[key]
        if node is None:
            made = torch.stack([self._plan.kernel(i, p) for p in opening.segments])
        else:
            made = self._plan.kernels_at(i, node, opening.whole)
        with self._lock:
            return self._kernels.setdefault(key, made)

    def _spectra_at(self, i: int, node: Node | None, opening: Opening, fh: int, fw: int) -> Tensor:
        key = (i, node, len(opening.segments), fh, fw)
        with self._lock:
            if key in self._spectra:
                return self._spectra[key]
        kernels = self._kernels_at(i, node, opening)[:, : self._plan.colours]
        n = kernels.shape[-1] // 2
        full = kernels.new_zeros(*kernels.shape[:2], fh, fw)
        for y, to_y in ((slice(n, None), slice(n + 1)), (slice(n), slice(fh - n, None))):
            for x, to_x in ((slice(n, None), slice(n + 1)), (slice(n), slice(fw - n, None))):
                full[..., to_y, to_x] = kernels[..., y, x]
        spectrum = torch.fft.fft2(full)
        with self._lock:
            self._keep(key, spectrum)
        return spectrum

    def _keep(self, key: tuple[int, Node | None, int, int, int], spectrum: Tensor) -> None:
        """Keep a spectrum, and no more of them than SPECTRA_BYTES."""
        if key in self._spectra:
            return
        size = spectrum.numel() * spectrum.element_size()
        while self._spectra and self._spectra_bytes + size > SPECTRA_BYTES:
            oldest = self._spectra.pop(next(iter(self._spectra)))
            self._spectra_bytes -= oldest.numel() * oldest.element_size()
        self._spectra[key] = spectrum
        self._spectra_bytes += size


def _nodes(opening: Opening) -> tuple[Node | None, ...]:
    return (None,) if opening.cell is None else opening.cell.nodes


def _joined(parts: list[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def convolved(planes: list[PlacedPlane], there: tuple[slice, slice], colour: bool) -> Tensor:
    """Sum of circular convolutions of RGBA planes with each of their kernels, cut out `there`.

    Two channels at a time, as real and imaginary part: one complex transform is quicker than two real ones.

    Returns:
        [Q,4,...] RGBA, or [Q,6,...] light and coverage of each channel.
    """
    # The pair shares rounding errors: coverage beside a bright light is brought to its height first.
    height = torch.stack([p.plane[:3].amax() for p in planes]).amax().clamp_min(1)
    total: Tensor | None = None
    for p in planes:
        spectrum, kernels = torch.fft.fft2(_packed(p, height, colour)), p.spectra
        if colour and kernels.shape[1] == 2:
            total = kernels.new_zeros(len(kernels), 3, *kernels.shape[2:]) if total is None else total
            total[:, ::2].addcmul_(spectrum[::2], kernels[:, :1])
            total[:, 1].addcmul_(spectrum[1], kernels[:, 1])
        else:
            total = spectrum * kernels if total is None else total.addcmul_(spectrum, kernels)
    assert total is not None
    blurred = torch.view_as_real(torch.fft.ifft2(total)[..., there[0], there[1]])
    if colour:
        return torch.cat([blurred[..., 0], blurred[..., 1] / height], 1)
    out = blurred.movedim(-1, 2).flatten(1, 2)
    out[:, 3] /= height
    return out


def _packed(p: PlacedPlane, height: Tensor, colour: bool) -> Tensor:
    """A plane in its period as complex numbers: R + iG and B + iA; for a coloured aperture R + iA, G + iA and B + iA."""
    packed = p.plane.new_zeros(3 if colour else 2, *p.spectra.shape[-2:], dtype=torch.complex64)
    real, imaginary = torch.view_as_real(packed[(slice(None), *p.at)]).unbind(-1)
    alpha = p.plane[3] * height
    if colour:
        real.copy_(p.plane[:3])
        imaginary.copy_(alpha.expand_as(real))
    else:
        real.copy_(p.plane[0:3:2])
        imaginary[0] = p.plane[1]
        imaginary[1] = alpha
    return packed


def shrunk(planes: Tensor, s: int) -> Tensor:
    """[C,h,w] at 1/s: every pixel is shared linearly between the coarse pixels around it, so a point of light keeps its place."""
    tent = [1 - abs(i + 0.5 - s) / s for i in range(2 * s)]
    total = sum(tent)
    for dim in (-1, -2):
        padded = F.pad(planes, (s // 2, s // 2, 0, 0) if dim == -1 else (0, 0, s // 2, s // 2))
        n = planes.shape[dim] // s
        parts = (padded.narrow(dim, i, padded.shape[dim] - i) for i in range(2 * s))
        strided = (p[..., ::s][..., :n] if dim == -1 else p[..., ::s, :][..., :n, :] for p in parts)
        planes = torch.stack([p * (t / total) for p, t in zip(strided, tent, strict=True)]).sum(0)
    return planes


def enlarged(planes: Tensor, s: int, wanted: Box, target: Box) -> Tensor:
    """[...,h,w] the box `target` of planes that hold `wanted` at 1/s, bicubic."""
    up = F.interpolate(planes, scale_factor=s, mode="bicubic", align_corners=False)
    y, x = (t.relative_to(w[0]) for t, w in zip(target, wanted, strict=True))
    return up[..., y, x].clamp_min(0)  # bicubic undershoots


def direct(plane: Tensor, kernels: Tensor, colour: bool) -> Tensor:
    """Convolution of RGBA [4,h,w] with each kernel [Q,C,m,m], where all of the kernel lies inside; returns as `convolved`."""
    k = kernels.flip(-2, -1).movedim(1, 0)[:, :, None]  # [C,Q,1,m,m]
    if k.shape[1] == 1:  # side by side in memory, the channels of a pixel share its vector instructions
        both = torch.cat([plane[:3], plane[3:].expand(3, -1, -1)]) if colour else plane
        pixels = both[None].contiguous(memory_format=torch.channels_last)
        each = k[:, 0].repeat(2, 1, 1, 1) if colour else k[:, 0].expand(4, -1, -1, -1).contiguous()
        return F.conv2d(pixels, each, groups=len(each)).contiguous()
    if not colour:
        return F.conv2d(plane[:, None], k[0]).movedim(1, 0)
    light = [F.conv2d(p[None, None], kc)[0] for p, kc in zip(plane[:3], k, strict=True)]
    coverage = [F.conv2d(plane[3][None, None], kc)[0] for kc in k]
    return torch.stack([*light, *coverage], 1)
