"""The blur radius from the power spectrum of small windows, and whether the blur is that of an even aperture.

A disc's response falls to zero on rings whose place tells the radius. Under a window the light of a photo has a power spectrum
of about A f^-a, so that the blurred, noisy one is expected to be S(f) = A (|H_r(f)|^2 f^-a + n f^-b). With P the measured
spectrum, the log-likelihood is -sum(log S + P / S) (Whittle, "Estimation and information in stationary time series", 1953);
its best A is mean(P / S), and a, n and b are taken at their best from a few values. Directions do not matter: only the sums of
P over rings enter. Beside discs stand Gaussians of the same variance: what poor lenses, motion and software make of a point has
no zeros, and where it fits better, nothing is known to a few percent.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from .. import psf
from ..progress import share, shares, silent
from ..types import Progress

RADIUS_RATIO = 1.05
"""Of neighbouring radii that are compared. A finer grid tells no more: `_peak` interpolates."""
RADII_PX = (0.0, *(0.6 * RADIUS_RATIO**i for i in range(62)))
"""0, and 0.6 to 11.8: beyond, a window holds too few rings."""
SPECTRUM_FALLS = (1.4, 2.0, 2.6, 3.2)
"""a, the exponents by which power falls with frequency in photos."""
NOISE_LEVELS = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""n, relative to the spectrum of a sharp picture at the highest frequency along an axis."""
NOISE_FALLS = (0.0, 1.5, 3.0)
"""b. A sensor's noise is even; what demosaicing and JPEG leave of it falls with the frequency."""
UNEXPLAINED = 1e-3
"""No aperture is an even disc; this share of |H|^2 stays at its zeros. More of it tells discs less surely from other blur."""
FIRST_RING = 2.0
"""Cycles per window. Slower ones are the window's own."""
LEAST_FREQUENCY = 0.7
"""Cycles per window to which lower frequencies are raised, where the power law has no end."""
LEAST_POWER = 1e-10
"""Of light: what 8 bits still resolve."""
FINE_PX = 256
"""Side of the grid on which expected spectra are computed, and smeared as a window's taper smears them."""
WINDOW_PX = 64
"""Side of a window. It tells radii up to about a fifth of its side from each other; a larger one sees more surfaces at once."""
STEP_PX = 16
"""From one window to the next. Smaller steps tell little more, as windows overlap, and take longer."""
LEAST_PX = 0.3
"""Smaller radii are all alike where logarithms are taken."""
PRIOR_SPREAD = 0.3
"""Standard deviation of an estimate that is to be corrected, in the logarithm of the radius. More lets the spectrum move
it further."""
UNEVEN_SPREAD = 0.5
"""Spread of the estimates within a window, in the logarithm of the radius, from which the window says nothing, as it sees several
surfaces. More hears more windows, and mixes surfaces."""
SAME_BLUR = 0.2
"""Difference in the logarithm of the radius up to which neighbouring windows are taken to see the same blur. More pools more
windows, and mixes surfaces."""
BLURRED_PX = 1.2
"""Smaller discs have no zeros that a picture could show."""
NATS_PER_UNIT = 4.0
"""What one unit of evidence is worth: windows overlap, and no spectrum is quite as the model has it. More trusts spectra less."""
NEIGHBOURHOOD_UNITS = 2 / 9
"""Weight of each of the nine windows that are heard together in one pass: all of them are worth two."""
POOLING_ROUNDS = ((3, 0.3), (3, 0.15), (7, 0.06))
"""Rounds of `refined`: how many windows around are heard, and up to which difference in the logarithm of the radius."""
POOLED_UNITS = 4.0
"""Units of evidence that all windows heard are worth together, one window being worth 1. More moves estimates further."""
PIXEL_WINDOWS = 2
"""How many windows around a pixel have a say in its radius. More smooths the radii over surfaces."""
SAME_SURFACE = 0.2
"""Difference in the logarithm of the radius up to which a window counts as one that saw the pixel's surface."""
COARSE = 4
"""Pixels are corrected at this fraction of the resolution, which radii hardly exceed. A larger one is quicker and less exact."""
REFINEMENT_WORK = (6.0, 2.0, 2.0)
"""What the evidence, its pooling and the correction of the pixels take of the time of `refined`."""
OPENING_PX = 0.1
"""Above `closed_px` the correction sets in over this width, so that it does not show where it starts."""
LEAST_TOTAL = 1e-2
"""Weight of no correction at all, beside the windows'."""
LEAST_WEIGHT = 1e-3
"""Weights are raised to this before they divide evidence."""

_Model = tuple[Tensor, Tensor, float, Tensor]
"""What `_model` returns."""
_models: dict[torch.device, _Model] = {}
"""By device: each takes seconds to make."""


def log_likelihood(light: Tensor, shapes: int = 2, progress: Progress = silent) -> Tensor:
    """Log-likelihood of `RADII_PX`, of discs and of Gaussians of their variance.

    Args:
        light: [B,H,W] linear light of one channel; continued by reflection.
        shapes: 1 for discs alone, which takes half the time.
        progress: called after each row of windows.

    Returns:
        [B,shapes,R,h,w] nats, up to a constant of each window; h = ceil(H / STEP_PX). Window (i, j) is centred on the step's
        square.
    """
    height, width = light.shape[-2:]
    h, w = -(-height // STEP_PX), -(-width // STEP_PX)
    before = (WINDOW_PX - STEP_PX) // 2
    rows = reflected(height, before, (h - 1) * STEP_PX + WINDOW_PX, light.device)
    columns = reflected(width, before, (w - 1) * STEP_PX + WINDOW_PX, light.device)
    wide = light[:, rows][:, :, columns]
    taper, ring, count, inverse = _model(light.device, share(progress, 0, 0))
    inverse = inverse[..., :shapes, :].flatten(1)
    parts: list[Tensor] = []
    for i in range(h):  # a row of windows at a time: they overlap, and all would take many times the picture's memory
        windows = wide[:, i * STEP_PX : i * STEP_PX + WINDOW_PX].unfold(2, WINDOW_PX, STEP_PX).transpose(1, 2)
        windows = (windows - windows.mean((-1, -2), keepdim=True)) * taper
        power = torch.fft.rfft2(windows).abs().square().flatten(2) + LEAST_POWER
        fit = ((power @ ring) @ inverse).unflatten(-1, (-1, shapes, len(RADII_PX))).amin(2)
        parts.append(fit.log() * -count)
        progress(i + 1, h)
    return torch.stack(parts, 1).permute(0, 3, 4, 1, 2)


def corrected(radius_px: Tensor, light: Tensor, closed_px: float, progress: Progress = silent) -> Tensor:
    """Estimated radii, corrected by the power spectrum: right to a few percent where a window sees one surface.

    In each window the estimates' mean logarithm is the centre of a normal prior; the posterior's mean replaces it, and the
    estimates keep their differences.

    Args:
        radius_px: [B,h,w] unsigned estimates, at the resolution of `light` or half of it.
        light: [B,H,W] linear.
        closed_px: what is smaller stays as it is.
        progress: called after each row of windows.
    """
    height, width = radius_px.shape[-2:]
    step = STEP_PX * width // light.shape[-1]
    mean, trust, own = _windows(radius_px, light, 1, progress)
    evidence = _pooled(own[:, 0], mean.detach(), trust, 1, SAME_BLUR)[0] * NEIGHBOURHOOD_UNITS
    grid = _grid(mean.device)
    posterior = (evidence - 0.5 * ((grid - mean) / PRIOR_SPREAD).square()).softmax(1)
    change = ((posterior * grid).sum(1, keepdim=True) - mean) * trust
    change = F.interpolate(change, scale_factor=step, mode="bilinear", align_corners=False)[:, 0, :height, :width]
    opening = ((radius_px - closed_px) / OPENING_PX).clamp(0, 1)
    return radius_px * (change * opening).exp()


@torch.no_grad()
def refined(radius_px: Tensor, light: Tensor, closed_px: float, progress: Progress = silent) -> Tensor:
    """Estimates of a whole picture, corrected once more: by all that is around and sees the same blur.

    One window errs by some percent, many of a photo together by one or less: a surface at one distance is larger than a window,
    and what differs by a few percent of radius rings. In rounds, each window's radius becomes the likeliest one by the windows
    around whose radius is like it; then each pixel follows the windows around whose estimates were like its own.

    Args:
        radius_px: [B,H,W] unsigned estimates.
        light: [B,H,W] linear.
        closed_px: what is smaller stays as it is.
        progress: called after each row of windows, and then a few times.
    """
    evidence_step, pooling, pixels = shares(progress, REFINEMENT_WORK)
    mean, trust, own = _windows(radius_px, light, 1, evidence_step)
    grid = _grid(mean.device)
    prior = -0.5 * ((grid - mean) / PRIOR_SPREAD).square()
    better = mean
    for i, (windows, same) in enumerate(POOLING_ROUNDS):
        part = share(pooling, i / len(POOLING_ROUNDS), (i + 1) / len(POOLING_ROUNDS))
        evidence, weight = _pooled(own[:, 0], better, trust, windows, same, part)
        better = _peak(evidence / weight.clamp_min(LEAST_WEIGHT) * POOLED_UNITS + prior, grid)
    height, width = radius_px.shape[-2:]
    small = F.pad(radius_px[:, None], (0, -width % COARSE, 0, -height % COARSE), "replicate")
    small = F.avg_pool2d(small, COARSE).clamp_min(LEAST_PX).log()
    h, w = small.shape[-2:]
    change, total = torch.zeros_like(small), torch.full_like(small, LEAST_TOTAL)
    told = torch.cat([mean, better - mean, trust], 1)
    for y in range(-PIXEL_WINDOWS, PIXEL_WINDOWS + 1):
        for x in range(-PIXEL_WINDOWS, PIXEL_WINDOWS + 1):
            near = F.interpolate(moved(moved(told, y, -2), x, -1), scale_factor=STEP_PX // COARSE, mode="bilinear")[..., :h, :w]
            nearness = near[:, 2:] * torch.exp(-0.5 * ((near[:, :1] - small) / SAME_SURFACE).square())
            change += nearness * (near[:, :1] + near[:, 1:2] - small)
            total += nearness
        pixels(y + PIXEL_WINDOWS + 1, 2 * PIXEL_WINDOWS + 1)
    change = F.interpolate(change / total, scale_factor=COARSE, mode="bilinear")[:, 0, :height, :width]
    opening = ((radius_px - closed_px) / OPENING_PX).clamp(0, 1)
    return radius_px * (change * opening).exp()


@torch.no_grad()
def disc_lead(radius_px: Tensor, light: Tensor, progress: Progress = silent) -> Tensor:
    """[B], units of evidence by which an even aperture's blur explains a picture better than a Gaussian; 0 where nothing tells.

    A lens makes all the blur of a picture, so its windows are taken together. It is near 0 also where noise, compression or a
    tone curve has filled the zeros that tell a disc.

    Args:
        radius_px: [B,H,W] unsigned.
        light: [B,H,W] linear.
    """
    mean, trust, own = _windows(radius_px, light, 2, progress)
    evidence = _pooled(own.flatten(1, 2), mean, trust, 1, SAME_BLUR)[0].unflatten(1, own.shape[1:3]) * NEIGHBOURHOOD_UNITS
    disc, gaussian = evidence.amax(2).unbind(1)
    weight = (trust * (mean > math.log(BLURRED_PX)))[:, 0]
    return ((disc - gaussian) * weight).sum((1, 2)) / weight.sum((1, 2)).clamp_min(1e-6)


def _windows(radius_px: Tensor, light: Tensor, shapes: int, progress: Progress = silent) -> tuple[Tensor, Tensor, Tensor]:
    """Of each window: mean logarithm of the radius [B,1,h,w], how much it sees one surface only [B,1,h,w], and its evidence
    [B,shapes,R,h,w] (see `log_likelihood`)."""
    scale = light.shape[-1] // radius_px.shape[-1]
    window, step = WINDOW_PX // scale, STEP_PX // scale
    size = radius_px.clamp_min(LEAST_PX).log()[:, None]
    rows, columns = (-(-n // step) * step - n for n in size.shape[-2:])
    before = (window - step) // 2
    wide = F.pad(size, (before, before + columns, before, before + rows), "replicate")
    mean = F.avg_pool2d(wide, window, step)
    spread = (F.avg_pool2d(wide.square(), window, step) - mean.square()).clamp_min(1e-8).sqrt()
    trust = torch.exp(-0.5 * (spread / UNEVEN_SPREAD).square())
    with torch.no_grad():
        own = log_likelihood(light, shapes, progress)
        own = (own - own.amax((1, 2), keepdim=True)) / NATS_PER_UNIT
    return mean, trust, own


@torch.no_grad()
def _pooled(
    own: Tensor, mean: Tensor, trust: Tensor, windows: int, same: float, progress: Progress = silent
) -> tuple[Tensor, Tensor]:
    """Sums of the evidence [B,N,h,w] of the windows up to `windows` away, weighted by their trust and by how much they see the
    same blur, and of the weights [B,1,h,w]."""
    evidence, total = torch.zeros_like(own), torch.zeros_like(mean)
    h, w = mean.shape[-2:]
    around = [F.pad(v, (windows,) * 4, "replicate") for v in (own, mean, trust)]
    for y in range(2 * windows + 1):
        for x in range(2 * windows + 1):
            e, m, t = (v[..., y : y + h, x : x + w] for v in around)
            weight = t * torch.exp(-0.5 * ((m - mean) / same).square())
            evidence.addcmul_(e, weight)
            total += weight
        progress(y + 1, 2 * windows + 1)
    return evidence, total


def _grid(device: torch.device) -> Tensor:
    """[1,R,1,1], the logarithms of `RADII_PX`."""
    return torch.tensor(RADII_PX, device=device).clamp_min(LEAST_PX).log().view(1, -1, 1, 1)


def _peak(fit: Tensor, grid: Tensor) -> Tensor:
    """[B,R,h,w] -> [B,1,h,w], where on the grid the largest value is; between its points by a parabola."""
    at = fit.argmax(1, keepdim=True).clamp(2, fit.shape[1] - 2)  # 0 px is not on the even part of the grid
    below, top, above = (fit.gather(1, at + k) for k in (-1, 0, 1))
    off = 0.5 * (below - above) / (below - 2 * top + above).clamp_max(-1e-6)
    return grid[0, :, 0, 0][at] + off.clamp(-1, 1) * math.log(RADIUS_RATIO)


def moved(x: Tensor, by: int, dim: int) -> Tensor:
    """What lies `by` px further along `dim`; at the border what lies on it."""
    n = x.shape[dim]
    return x.index_select(dim, (torch.arange(n, device=x.device) + by).clamp(0, n - 1))


def reflected(length: int, margin: int, side: int, device: torch.device) -> Tensor:
    """Indices that extend 0..length-1 by reflection to -margin..side-margin-1; however short it is."""
    i = torch.arange(-margin, side - margin, device=device)
    period = max(2 * (length - 1), 1)
    i = i.remainder(period)
    return torch.where(i < length, i, period - i)


def _model(device: torch.device, progress: Progress = silent) -> _Model:
    """What is expected of a window's power spectrum. Made once for each device.

    Returns:
        The window's taper; the matrix that sums over rings; how many independent values there are; and, of every fall, noise,
        shape and radius, 1 / S relative to its geometric mean [rings,N,2,R]: with A at its best the log-likelihood is minus the
        number of values times the logarithm of the mean of P / S.
    """
    if device in _models:
        return _models[device]
    n = WINDOW_PX
    taper = torch.hann_window(n, dtype=torch.float64)
    taper = taper[:, None] * taper
    taper = taper / taper.square().sum().sqrt()
    _, ring, members = _rings(n)
    # A taper makes neighbouring frequencies depend on each other, and half of a real picture's mirror the others.
    count = float(members.sum()) / 2 / float(taper.pow(4).sum() * n * n)
    share = members / members.sum()
    inverse: list[Tensor] = []
    for signals, noises in _expected(taper, progress):
        for noise in noises:
            for signal in signals:
                s = signal + noise
                inverse.append((share * s.log()).sum().exp() / (s * members.sum()))
    expected = torch.stack(inverse, 1).unflatten(1, (-1, 2, len(RADII_PX)))
    _models[device] = taper.float().to(device), ring.float().to(device), count, expected.float().to(device)
    return _models[device]


def _expected(taper: Tensor, progress: Progress) -> Iterator[tuple[list[Tensor], list[Tensor]]]:
    """For each fall: expected spectra [rings] of blurred pictures, discs and then Gaussians by radius, and those of noise."""
    fine_f, fine_ring, fine_members = _rings(FINE_PX)
    side = (FINE_PX, FINE_PX)
    # What a window sees of a spectrum is smeared by that of its taper.
    smear = torch.fft.irfft2(torch.fft.rfft2(_fine(taper)).abs().square(), s=side)

    def smeared(spectrum: Tensor) -> Tensor:
        progress(0, 1)
        through_window = torch.fft.rfft2(torch.fft.irfft2(spectrum, s=side) * smear).real
        return (through_window.flatten() @ fine_ring) / fine_members

    responses = [torch.fft.rfft2(_fine(psf.disc(r)[0].double())).abs().square() for r in RADII_PX]
    responses += [torch.exp(-((math.pi * r * fine_f) ** 2)) for r in RADII_PX]  # of variance r^2 / 4
    f = fine_f.clamp_min(LEAST_FREQUENCY / WINDOW_PX) * 2
    noises = [level * smeared(f**-fall) for fall in NOISE_FALLS for level in NOISE_LEVELS]
    for fall in SPECTRUM_FALLS:
        yield [smeared(f**-fall * (response + UNEXPLAINED)) for response in responses], noises


def _fine(x: Tensor) -> Tensor:
    """[m,m] in a corner of a grid of `FINE_PX`."""
    return F.pad(x, (0, FINE_PX - x.shape[-1], 0, FINE_PX - x.shape[-2]))


def _rings(side: int) -> tuple[Tensor, Tensor, Tensor]:
    """Of a half spectrum of a picture of this side: its frequencies in cycles per px; the matrix [frequencies,rings] that sums
    over rings; and how many frequencies, of the full spectrum, are in each ring."""
    number = WINDOW_PX // 2
    first = FIRST_RING / WINDOW_PX
    rows, columns = (axis(side, dtype=torch.float64) for axis in (torch.fft.fftfreq, torch.fft.rfftfreq))
    f = torch.hypot(rows[:, None], columns[None])
    at = ((f - first) / (0.5 - first) * number).floor().long()
    inside = ((at >= 0) & (at < number)).flatten().nonzero()[:, 0]
    share = torch.full_like(f, 2.0)  # the other half mirrors this one, but for the first and the last column
    share[:, 0] = share[:, -1] = 1
    matrix = torch.zeros(f.numel(), number, dtype=torch.float64)
    matrix[inside, at.flatten()[inside]] = share.flatten()[inside]
    return f, matrix, matrix.sum(0)
