"""Which surface each pixel beside a soft depth edge belongs to, decided by the photo."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ...color import display_values
from ...images import box_mean, doubled, pull, push_pull, repeated, take, weighted_level, window_max, window_min, window_range
from ...progress import shares, silent
from ...types import Progress
from .colour_samples import side_by_colour
from .laplacian import MattingLaplacian, solve
from .spreading import enlarged
from .transitions import ENLARGED_PX, SCALES, Sides, Transitions, dilated, find_transitions, sides

PRIOR = 3e-4
"""Weight of the map itself within its transitions, against L. A larger one keeps the map's soft edge where colours say little."""

COLOUR_WEIGHT = 1.0
"""Weight of colours that clearly belong to one side. A larger one leaves crumbs where they err, a smaller one lets coverage
drift inside wide bands."""

STEPS = 40
"""Most steps of conjugate gradients at each scale."""

CORE_PX = 2
"""How far from the ridge of the map the photo's thin structure may lie."""

CORE_PART = 0.8
"""Part of the largest difference of colour nearby from which on a pixel is taken for the structure alone."""

THIN_PX = 4
"""How far around the ridge of a thin structure its depth is made up for: as far as the map's blur spreads it."""

ALONG_PX = (12, 36)
"""Half the side of the windows over which that depth is a mean; the one counts by which it stands out more. The small one alone
loses it where colours are alike, the large one alone where it changes."""

NEARLY = 0.1
"""Coverage up to which a pixel counts as none of such a structure, and short of which of all as one of it alone."""

LEAST_SHARE = 0.002
"""Least coverage of the window around a thin structure that its depth is worked out from."""

MOST_GAIN = 3.0
"""Most by which the step to a thin structure is enlarged."""

LEAST_SIDE_PX = 32
"""Pictures smaller than this are not halved further."""

LEAST_SPAN_PX = 1e-6
"""Least step that coverage is worked out from."""

EDGE = 0.3
"""Change of coverage within EDGE_PX that is an edge of the photo. A larger one leaves faint edges to the map."""

EDGE_PX = 2
"""How far around a pixel an edge of the photo is looked for."""

EDGE_COLOR = 0.08
"""Least difference of the display values of both sides of an edge of the photo. A larger one leaves faint edges to the map."""

SAMPLE_POWER = 24.0
"""How much less a pixel counts as a sample of a side the more it shows of the other. A smaller one tints both colours with each
other, a larger one takes them from farther off."""

SAMPLE_PX = 3
"""How far from a band pixels are samples of the surface that they lie on."""

CONTRAST_PX = 4
"""Half the side of the window, at half the resolution, over which that difference is a mean. A smaller one leaves to the map the
few pixels of a transition where both sides happen to be alike: crumbs."""

EDGE_REACH_PX = 20
"""How far from such an edge a transition of the map belongs to it."""

MIXED = 0.1
"""At the next finer scale, pixels are solved for again where coverage around them differs by this."""

WORK = (1.0, 6.0, 2.0)
"""What finding transitions, solving for coverage and spreading colours take of the time."""


@dataclass(frozen=True, eq=False)
class EdgeMatte:
    """Coverage by the nearer surface along soft depth edges.

    Attributes:
        band: [H,W] bool, where it is known.
        coverage: [H,W] of the nearer surface, 0..1.
        near, far: [H,W] px of blur of either surface.
        near_color, far_color: [3,(H+1)//2,(W+1)//2] linear, spread from where either surface shows alone.
    """

    band: Tensor
    coverage: Tensor
    near: Tensor
    far: Tensor
    near_color: Tensor
    far_color: Tensor

    def stepped(self, coc: Tensor) -> Tensor:
        """The map [H,W] with its soft transitions turned into steps."""
        return torch.where(self.band, torch.where(self.coverage >= 0.5, self.near, self.far), coc)


def _halved(x: Tensor) -> Tensor:
    """[C,(h+1)//2,(w+1)//2] means of 2 x 2 px."""
    h, w = x.shape[-2:]
    return F.avg_pool2d(F.pad(x[None], (0, w % 2, 0, h % 2), mode="replicate"), 2)[0]


def edge_matte(image: Tensor, coc: Tensor, votes_px: int, progress: Progress = silent) -> EdgeMatte | None:
    """Coverage of the nearer surface along the soft steps of a map, coarse to fine; None where it has none.

    Args:
        image: [3,H,W] linear.
        coc: [H,W] px of blur, larger = farther.
        votes_px: see `find_transitions`.
        progress: called at each step of the solution of each scale.
    """
    finding, solving, colouring = shares(progress, WORK)
    images, maps = [image], [coc]
    while len(maps) < SCALES and min(maps[-1].shape) >= LEAST_SIDE_PX:
        images.append(_halved(images[-1]))
        maps.append(_halved(maps[-1][None])[0])
    transitions = find_transitions(maps, votes_px, finding)
    band = transitions[0].band | transitions[0].coarser
    if not bool(band.any()):
        return None
    result: _Levels | None = None
    scales = list(zip(images, maps, transitions, strict=True))[::-1]
    parts = shares(solving, [values.numel() for _, values, _ in scales])
    for (picture, values, where), part in zip(scales, parts, strict=True):
        result = _refined(display_values(picture), values, where, result, part)
    assert result is not None
    coverage = result.coverage().clamp(0, 1)
    # Where the photo shows no edge, coverage is as soft as the map, which is a slope there.
    edge = band & (_range_within(coverage[None], band) > EDGE) & (_range_within(display_values(image), band) > EDGE_COLOR)
    near_color, far_color = _colours(image, coc, band, coverage, result)
    colouring(1, 1)
    difference2 = (display_values(near_color) - display_values(far_color)).square().sum(0, keepdim=True)
    contrast = box_mean(difference2, 2 * CONTRAST_PX + 1)[0] > EDGE_COLOR**2
    band &= dilated(edge, EDGE_REACH_PX) & repeated(contrast, *band.shape) & ~transitions[0].voted
    return EdgeMatte(band, coverage, result.near, result.far, near_color, far_color) if bool(band.any()) else None


def _range_within(values: Tensor, mask: Tensor) -> Tensor:
    """[h,w] largest range of any channel of [C,h,w] over the pixels of a mask that lie within EDGE_PX."""
    most, least = (
        edge(torch.where(mask, values, blank), EDGE_PX) for edge, blank in ((window_max, -math.inf), (window_min, math.inf))
    )
    return (most - least).amax(0)


def _colours(image: Tensor, coc: Tensor, band: Tensor, coverage: Tensor, level: _Levels) -> tuple[Tensor, Tensor]:
    """Linear colours [3,(H+1)//2,(W+1)//2] of both surfaces, spread from the pixels that show one of them alone."""
    beside = dilated(band, SAMPLE_PX) & ~band
    middle = 0.5 * (level.near + level.far)
    # Beside the band a pixel lies on the side whose depth spreads to it from the band.
    nearest = window_min(torch.where(band, middle, math.inf), SAMPLE_PX + 1)
    farthest = window_max(torch.where(band, middle, -math.inf), SAMPLE_PX + 1)
    is_near = coc < 0.5 * (nearest + farthest)
    h, w = band.shape

    def spread(share: Tensor, side: Tensor) -> Tensor:
        weight = torch.where(band, share.pow(SAMPLE_POWER), (beside & side).float())
        padded = F.pad(torch.cat([image * weight, weight[None]]), (0, w % 2, 0, h % 2))
        return pull([weighted_level(F.avg_pool2d(padded[None], 2, divisor_override=1)[0])])

    return spread(coverage, is_near), spread(1 - coverage, ~is_near)


@dataclass(frozen=True, eq=False)
class _Levels:
    """Depth along the photo's edges at one scale, and what it is on either side of them: [h,w] each, px of blur."""

    depth: Tensor
    near: Tensor
    far: Tensor

    def coverage(self) -> Tensor:
        return (self.far - self.depth) / (self.far - self.near).clamp_min(LEAST_SPAN_PX)


def _refined(guide: Tensor, coc: Tensor, where: Transitions, coarse: _Levels | None, progress: Progress) -> _Levels:
    """One scale, from the one below.

    Args:
        guide: [3,h,w] display values; coc: [h,w].
    """
    known = ~(where.band | where.coarser | where.finer)
    level = sides(coc, known, where.band, guide)
    start, unknown = _Levels(coc, level.near, level.far), where.band | where.finer
    ridges = level.near_ridge | level.far_ridge
    if bool(ridges.any()):
        core = _thin_core(guide, ridges, where.band, known)
        value = torch.where(dilated(level.near_ridge, CORE_PX), level.near, level.far)
        start, unknown = replace(start, depth=torch.where(core, value, coc)), unknown & ~core
    if coarse is not None and bool(where.coarser.any()):
        start = _continued(start, coarse, where.coarser)
        unknown |= where.coarser & (window_range(start.coverage(), 2) > MIXED)
    if not bool(unknown.any()):
        return start
    prior = torch.where(where.band, coc, start.depth)
    laplacian = MattingLaplacian(guide, unknown)
    progress(0, 1)
    target, weight = _expected(guide, replace(start, depth=prior), laplacian.at)
    found = replace(start, depth=solve(laplacian, start.depth, target, weight, STEPS, progress))
    return _thin_mended(coc, where.band, level, found) if bool(ridges.any()) else found


def _expected(guide: Tensor, prior: _Levels, at: Tensor) -> tuple[Tensor, Tensor]:
    """What depth the map and the colours let expect, [h,w], and the weights [n] of that at the listed pixels."""
    share, sure = side_by_colour(guide, prior.coverage().clamp(0, 1), at)
    own, near, far = (take(t.flatten(), at) for t in (prior.depth, prior.near, prior.far))
    voted = COLOUR_WEIGHT * sure
    weight = voted + PRIOR
    expected = prior.depth.flatten().clone()
    expected[at] = (PRIOR * own + voted * (far - share * (far - near))) / weight
    return expected.view(prior.depth.shape), weight


def _continued(fine: _Levels, coarse: _Levels, inside: Tensor) -> _Levels:
    """What the scale below has found, within its bands `inside` [h,w]."""
    h, w = inside.shape
    near, far = (enlarged(level, h, w) for level in (coarse.near, coarse.far))
    near, far = torch.minimum(near, far), torch.maximum(near, far)
    depth = far - doubled(coarse.coverage()[None], h, w)[0] * (far - near)
    around = dilated(inside, ENLARGED_PX)
    return _Levels(
        torch.where(inside, depth, fine.depth), torch.where(around, near, fine.near), torch.where(around, far, fine.far)
    )


def _thin_core(guide: Tensor, ridge: Tensor, band: Tensor, known: Tensor) -> Tensor:
    """[h,w] bool, the pixels near the ridges of a map that differ most from what is beside them: maps are some pixels off."""
    around = push_pull(guide, (dilated(band, CORE_PX + 1) & known).float())
    difference = (guide - around).square().sum(0).sqrt_() * (dilated(ridge, CORE_PX) & band)
    return (difference > 0) & (difference >= CORE_PART * window_max(difference, CORE_PX + 1))


def _thin_mended(coc: Tensor, band: Tensor, level: Sides, found: _Levels) -> _Levels:
    """Levels where structures are thinner than the map's blur: blur keeps the sum, so that the map's deviation from the other
    side, summed over a window, is (true step) x (coverage)."""
    near, far = found.near, found.far
    step = (far - near).clamp_min(LEAST_SPAN_PX)
    coverage = found.coverage().clamp(0, 1)

    def true_step(rise: Tensor, share: Tensor) -> Tensor:
        share = ((share - NEARLY) / (1 - 2 * NEARLY)).clamp(0, 1)
        summed = torch.stack([rise.clamp_min(0), share]) * band
        means = (box_mean(summed, 2 * px + 1) for px in ALONG_PX)
        most = torch.stack([rises / shares.clamp_min(LEAST_SHARE) for rises, shares in means]).amax(0)
        return most.maximum(step).minimum(MOST_GAIN * step)

    near, far = (
        torch.where(dilated(level.near_ridge, THIN_PX), far - true_step(far - coc, coverage), near),
        torch.where(dilated(level.far_ridge, THIN_PX), near + true_step(coc - near, 1 - coverage), far),
    )
    return _Levels(far - coverage * (far - near), near, far)
