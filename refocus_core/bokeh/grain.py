"""Grain of the photo, measured, and put back where blur took it.

Flat squares of the photo tell its grain: how strong it is at each brightness, and its spectrum, with what the channels share. A
disc of radius r leaves |K(f)|^2 of the grain's power at the frequency f; grain of 1 - |K(f)|^2 of it, which knows nothing of what
is left, makes up for the rest. All of it in display values (sRGB), in which grain is about equally visible everywhere.
"""

from __future__ import annotations

import logging
import math
import zlib
from dataclasses import dataclass

import torch
from torch import Tensor

from ..checks import check_image, check_map, check_number, match_batch, same_size
from ..images import crossfade
from ..optics import SHARP_RADIUS_PX

log = logging.getLogger(__name__)

PATCH_PX = 32
"""Side of the squares in which grain is looked for. A larger one resolves its spectrum more finely; fewer are flat."""

LEAST_PATCHES = 4
"""Flat squares of like brightness from which on they count. A larger one measures more surely, and knows fewer brightnesses."""

BRIGHTNESSES = 8
"""Classes of brightness from black to white, each with a level of its own."""

QUIET_SHARE, QUIET_FACTOR = 0.1, 2.0
"""Squares count as flat up to this factor of the variance that this share of those of like brightness stays below. Larger ones
take texture for grain."""

EVEN_FACTOR, MOST_TAILS, MOST_SHADING, MOST_DIRECTION = 2.0, 3.6, 0.5, 1.5
"""What grain is told from texture by. Most times that the quarters of a flat square may differ in variance; its kurtosis (3 for
a normal distribution, more for edges); the share of its power in shading; how much steeper it may be one way than across."""

LEAST_LEVEL = 0.5 / 255
"""Standard deviation below which there is no grain to see, only the rounding of 8 bits."""

LARGEST_RATIO = 3.0
"""Most times the least level that one brightness may have: more is texture, where nothing of that brightness was flat."""

CLIPPED_SHARE = 0.01
"""Share of a square's values at black or white from which on its grain is cut off and not counted."""

RINGS = (1.5, 2.5, 3.5)
"""Frequencies, in steps of 1/PATCH_PX: up to the first a square cannot tell grain from shading; what lies up to the second and
the third tells how its power goes on there."""

MOST_RISE = 2.0
"""Most times the power of the second of `RINGS` that is taken to lie within the first."""

SPARE = 1e-6
"""Added to the power of each channel, as a share, for the factors of channels that are equal."""

RADII_PX = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""Radii for which grain is made, an octave apart; in between it is interpolated. The first takes nothing (it is in focus)."""

TILE_PX, OVERLAP_PX = 512, 32
"""Side of the tiles in which grain is made, and how far they fade into one another. Larger tiles need more memory."""

WHITE_FADE = 0.05
"""Display values below white over which grain ends: clipped light has none."""

SEED_PIXELS = 65536
"""Pixels of the photo, about, that the seed is made from."""


@dataclass(frozen=True, eq=False)
class Grain:
    """What is known of a photo's grain.

    Attributes:
        level: [3,BRIGHTNESSES] standard deviation in display values, by channel and brightness.
        factor: [PATCH_PX,PATCH_PX,3,3] lower triangular F(f), with F F^T the power of the channels and what they share at each
            frequency (in FFT order), each channel of variance 1.
    """

    level: Tensor
    factor: Tensor


@torch.no_grad()
def measure_grain(image_srgb: Tensor) -> Grain | None:
    """The grain of one frame [1,3,H,W]; None where there is none to see, or no flat area to tell it (the log says so)."""
    check_image(image_srgb, "image")
    patches = _patches(image_srgb[0].detach().cpu().float())
    rest = _without_slope(patches)
    variance = rest.square().mean((-1, -2))
    flat: dict[int, Tensor] = {}
    if len(patches):  # a transform of none fails
        clipped = ((patches <= 0) | (patches >= 1)).float().mean((-1, -2)).amax(1) > CLIPPED_SHARE
        usable = ~clipped & ((variance.mean(1) < LEAST_LEVEL**2) | _like_grain(rest))
        flat = _flat(patches.mean((1, 2, 3)), variance.mean(1), usable)
    if not flat:
        log.warning("The photo has no flat area that tells its grain. None is put back.")
        return None
    level = {k: variance[which].mean(0).sqrt() for k, which in flat.items()}
    clean = [k for k, v in level.items() if float(v.mean()) < LEAST_LEVEL]
    if 2 * sum(len(flat[k]) for k in clean) >= sum(len(which) for which in flat.values()):
        return None
    for k in clean:  # a caption or a border, among what has grain
        del flat[k], level[k]
    scaled = torch.cat([rest[which] / level[k].clamp_min(LEAST_LEVEL / 10)[:, None, None] for k, which in flat.items()])
    return Grain(_at_every_brightness(level), _spectrum(scaled))


def _patches(image: Tensor) -> Tensor:
    """[n,3,PATCH_PX,PATCH_PX] squares of [3,H,W], side by side."""
    squares = image.unfold(1, PATCH_PX, PATCH_PX).unfold(2, PATCH_PX, PATCH_PX) if min(image.shape[1:]) >= PATCH_PX else image[:0]
    return squares.permute(1, 2, 0, 3, 4).flatten(0, 1) if squares.numel() else image.new_empty(0, 3, PATCH_PX, PATCH_PX)


def _without_slope(patches: Tensor) -> Tensor:
    """Squares less the plane that fits each best."""
    ramp = torch.linspace(-1, 1, PATCH_PX)
    ramp = ramp / ramp.square().mean().sqrt()
    centred = patches - patches.mean((-1, -2), keepdim=True)
    across = (centred * ramp).mean((-1, -2), keepdim=True) * ramp
    down = (centred * ramp[:, None]).mean((-1, -2), keepdim=True) * ramp[:, None]
    return centred - across - down


def _like_grain(rest: Tensor) -> Tensor:
    """[n] bool: squares [n,3,PATCH_PX,PATCH_PX] without their slope whose rest is even, normal, fine and without a direction."""
    grey = rest.mean(1)
    power, half = grey.square(), PATCH_PX // 2
    variance = power.mean((-1, -2)).clamp_min(1e-20)
    quarters = power.unflatten(-1, (2, half)).unflatten(-3, (2, half)).mean((-3, -1)).flatten(1)
    tails = power.square().mean((-1, -2)) / variance.square()
    hann = torch.hann_window(PATCH_PX)
    spectrum = torch.fft.fft2(grey * hann[:, None] * hann).abs().square()
    steps = torch.fft.fftfreq(PATCH_PX) * PATCH_PX
    coarse = (steps[:, None].square() + steps.square()) <= RINGS[1] ** 2
    shading = spectrum[:, coarse].sum(1) / spectrum.sum((-1, -2)).clamp_min(1e-20)
    pairs = [(grey[:, 1:, 1:], grey[:, :-1, :-1]), (grey[:, 1:, :-1], grey[:, :-1, 1:])]
    pairs += [(grey[:, 1:], grey[:, :-1]), (grey[..., 1:], grey[..., :-1])]
    slopes = torch.stack([(a - b).square().mean((-1, -2)) for a, b in pairs]).unflatten(0, (2, 2))
    turned = (slopes.amax(1) / slopes.amin(1).clamp_min(1e-20)).amax(0)
    even = quarters.amax(1) <= EVEN_FACTOR * quarters.amin(1)
    return even & (tails < MOST_TAILS) & (shading < MOST_SHADING) & (turned < MOST_DIRECTION)


def _flat(brightness: Tensor, variance: Tensor, usable: Tensor) -> dict[int, Tensor]:
    """Class of brightness -> indices of its quietest squares."""
    found: dict[int, Tensor] = {}
    classes = (brightness * BRIGHTNESSES).long().clamp(0, BRIGHTNESSES - 1)
    for k in range(BRIGHTNESSES):
        of_class = ((classes == k) & usable).nonzero()[:, 0]
        if len(of_class) >= LEAST_PATCHES:
            limit = QUIET_FACTOR * float(variance[of_class].quantile(QUIET_SHARE))
            found[k] = of_class[variance[of_class] <= limit]
    return found


def _at_every_brightness(level: dict[int, Tensor]) -> Tensor:
    """[3,BRIGHTNESSES] levels, those that are not known from the ones beside them."""
    known = sorted(level)
    values = torch.stack([level[k] for k in known], 1)
    values = values.minimum(LARGEST_RATIO * values.amin(1, keepdim=True))
    columns: list[Tensor] = []
    for k in range(BRIGHTNESSES):
        below = max((i for i, at in enumerate(known) if at <= k), default=0)
        above = min((i for i, at in enumerate(known) if at >= k), default=len(known) - 1)
        apart = known[above] - known[below]
        share = (k - known[below]) / apart if apart > 0 else 0.0
        columns.append(torch.lerp(values[:, below], values[:, above], share))
    return torch.stack(columns, 1)


def _spectrum(rest: Tensor) -> Tensor:
    """`Grain.factor` from flat squares [n,3,PATCH_PX,PATCH_PX] without their slope, at a level of about 1."""
    hann = torch.hann_window(PATCH_PX)
    waves = torch.fft.fft2(rest * hann[:, None] * hann)
    # One channel with another, the mean over the squares: [3,3,f,f]. Grain has no direction in time, so that it is real.
    power = torch.einsum("nchw,ndhw->cdhw", waves, waves.conj()).real
    power = _to_lowest(power)
    size = torch.diagonal(power.mean((-1, -2))).sqrt().clamp_min(1e-12)
    power = (power / (size[:, None] * size)[..., None, None]).permute(2, 3, 0, 1)
    each = torch.diagonal(power, dim1=-2, dim2=-1)
    return torch.linalg.cholesky(power + torch.diag_embed(SPARE * (1 + each.mean(-1, keepdim=True)).expand_as(each)))


def _to_lowest(power: Tensor) -> Tensor:
    """[3,3,f,f] powers with the lowest frequencies continued from those around, as a normal distribution."""
    steps = torch.fft.fftfreq(PATCH_PX) * PATCH_PX
    squared = steps[:, None].square() + steps.square()
    first, second, third = (r * r for r in RINGS)
    near, far = (squared > first) & (squared <= second), (squared > second) & (squared <= third)
    each = torch.einsum("cchw->hw", power).clamp_min(1e-20)
    fall = float(torch.log(each[near].mean() / each[far].mean()) / (squared[far].mean() - squared[near].mean()))
    rise = torch.exp(fall * (squared[near].mean() - squared)).clamp(1 / MOST_RISE, MOST_RISE)
    return torch.where(squared <= first, power[..., near].mean(-1)[..., None, None] * rise, power)


@torch.no_grad()
def put_grain_back(result_srgb: Tensor, photo_srgb: Tensor, radius_px: Tensor, amount: float) -> Tensor:
    """Give a blurred picture the grain that its photo has, where blur took it.

    The same photo gets the same grain, each frame of a clip its own.

    Args:
        result_srgb: [B,3,H,W] sRGB, blurred.
        photo_srgb: [B,3,H,W] or [1,3,H,W] sRGB, of the same size: what was blurred.
        radius_px: [B,H,W] or [1,H,W] radius of the blur; what is in focus stays bit for bit.
        amount: 0..1 of the amplitude that was lost. 0 returns the picture itself.

    Returns:
        [B,3,H,W] sRGB. Light at or above white gets no grain.

    Raises:
        TypeError, ValueError: on wrong shapes or sizes, or an amount outside 0..1.
    """
    batch, _, h, w = check_image(result_srgb, "result").shape
    check_number(amount, "grain")
    if not 0 <= amount <= 1:
        raise ValueError(f"grain must lie in 0..1, got {amount}. 0 puts none back, 1 all that was lost.")
    if amount == 0:
        return result_srgb
    photo = match_batch(same_size(check_image(photo_srgb, "photo"), h, w, "photo"), batch, "photo")
    radius = match_batch(same_size(check_map(radius_px, "radius_px"), h, w, "defocus map"), batch, "The defocus map")
    out = result_srgb.clone()
    for b in range(batch):
        if bool((radius[b].abs() > SHARP_RADIUS_PX).any()) and (grain := measure_grain(photo[b : b + 1])) is not None:
            lost = _lost(grain, radius[b].abs().to(out.device, torch.float32), _seed(photo[b]))
            out[b] += (amount * lost * _level(grain, out[b].float())).to(out)
    return out


def _seed(photo: Tensor) -> int:
    """A number that is the same for the same photo on every device."""
    stride = max(1, math.isqrt(photo[0].numel() // SEED_PIXELS))
    return zlib.crc32(photo[:, ::stride, ::stride].detach().cpu().float().contiguous().numpy().tobytes())


def _level(grain: Grain, picture: Tensor) -> Tensor:
    """[3,H,W] standard deviation of grain at the values of a picture [3,H,W]."""
    at = (picture.clamp(0, 1) * BRIGHTNESSES - 0.5).clamp(0, BRIGHTNESSES - 1)
    low = at.long().clamp_max(BRIGHTNESSES - 2)
    level = grain.level.to(picture)
    values = level.gather(1, low.flatten(1)), level.gather(1, low.flatten(1) + 1)
    levels = torch.lerp(*values, (at - low).flatten(1)).view_as(picture)
    return levels * ((1 - picture) / WHITE_FADE).clamp(0, 1)


def _lost(grain: Grain, radius: Tensor, seed: int) -> Tensor:
    """[3,H,W] what a blur by `radius` [H,W] takes of grain of variance 1, with other phases."""
    h, w = radius.shape
    filters = _fine(grain.factor).to(radius.device, torch.complex64)
    shares = [_lost_share(r).to(radius.device) for r in RADII_PX]
    generator = torch.Generator().manual_seed(seed)
    out = radius.new_zeros(3, h, w)
    step = TILE_PX - OVERLAP_PX
    for top in range(0, max(1, h - OVERLAP_PX), step):
        rows = slice(top, min(top + TILE_PX, h))
        for left in range(0, max(1, w - OVERLAP_PX), step):
            columns = slice(left, min(left + TILE_PX, w))
            white = torch.randn(3, TILE_PX, TILE_PX, generator=generator).to(radius)
            waves = torch.einsum("cdhw,dhw->chw", filters, torch.fft.rfft2(white))
            tile = _by_radius(waves, shares, radius[rows, columns])
            weight = _weight(rows, h, radius)[:, None] * _weight(columns, w, radius)
            out[:, rows, columns] += tile * weight.sqrt()  # powers add up, as tiles know nothing of each other
    return out


def _weight(pixels: slice, length: int, like: Tensor) -> Tensor:
    """[n] share of one tile's power along an axis."""
    return crossfade(pixels, pixels.start, pixels.stop, OVERLAP_PX, length, like)


def _by_radius(waves: Tensor, shares: list[Tensor], radius: Tensor) -> Tensor:
    """[3,h,w] grain of spectrum `waves` times the share that the radius [h,w] at each pixel takes."""
    h, w = radius.shape
    at = torch.log2((radius / RADII_PX[0]).clamp_min(1)).clamp_max(len(RADII_PX) - 1)
    out = radius.new_zeros(3, h, w)
    for k in range(1, len(RADII_PX)):  # the first one takes nothing
        near = (1 - (at - k).abs()).clamp_min(0)
        if bool((near > 0).any()):
            out += near * torch.fft.irfft2(waves * shares[k], s=(TILE_PX, TILE_PX))[:, :h, :w]
    return out


def _frequencies() -> tuple[Tensor, Tensor]:
    """Cycles per pixel down and across of a transform of a tile."""
    return torch.fft.fftfreq(TILE_PX)[:, None], torch.fft.rfftfreq(TILE_PX)


def _fine(factor: Tensor) -> Tensor:
    """[3,3,TILE_PX,TILE_PX/2+1] `Grain.factor` at the frequencies of a tile, bilinear."""
    down, across = (f.flatten() * PATCH_PX % PATCH_PX for f in _frequencies())
    factor = factor.permute(2, 3, 0, 1)
    for dim, at in ((-2, down), (-1, across)):
        low = at.floor()
        share = (at - low).view(-1, 1) if dim == -2 else at - low
        first, second = (factor.index_select(dim, (low.long() + n) % PATCH_PX) for n in (0, 1))
        factor = torch.lerp(first, second, share.expand(first.shape))
    return factor


def _lost_share(radius_px: float) -> Tensor:
    """[TILE_PX,TILE_PX/2+1] amplitude that a disc takes of a wave: what it leaves is 2 J1(x)/x with x = 2 pi f r."""
    down, across = _frequencies()
    x = (2 * math.pi * radius_px * (down.square() + across.square()).sqrt()).clamp_min(1e-4)
    left = 2 * torch.special.bessel_j1(x) / x
    return (1 - left.square()).clamp_min(0).sqrt()
