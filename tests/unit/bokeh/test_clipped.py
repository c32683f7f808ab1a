"""Clipped lights get their radiance and colour back, and surfaces do not."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from refocus_core import bokeh
from refocus_core.color import linear_to_srgb, srgb_to_linear
from refocus_core.images import gaussian
from refocus_core.types import DefocusMap

SIDE = 601
ORANGE = (1.0, 0.6, 0.3)
BLURRED = torch.full((1, SIDE, SIDE), 9.0)
BACKGROUND = 0.02


def lamp(radiance: float, radius_px: float, spread_px: float, colour: tuple[float, ...] = ORANGE) -> tuple[Tensor, Tensor]:
    """A lamp off the pixel grid, seen sharply: its light [1,3,n,n], and the photo of it, clipped and in 8 bits."""
    fine, n = 8, 61
    at = (torch.arange(n * fine) + 0.5) / fine - n / 2
    shape = ((at[:, None] + 0.2).square() + (at[None] - 0.3).square() <= radius_px**2).float()
    seen = gaussian(torch.nn.functional.avg_pool2d(shape[None, None], fine)[0], spread_px)[0]
    light = torch.full((1, 3, SIDE, SIDE), BACKGROUND)
    middle = slice(SIDE // 2 - n // 2, SIDE // 2 - n // 2 + n)
    light[:, :, middle, middle] += radiance * seen * torch.tensor(colour).view(1, 3, 1, 1)
    return light, srgb_to_linear((linear_to_srgb(light.clamp(0, 1)) * 255).round() / 255)


def above(image: Tensor) -> Tensor:
    """[3] light above the background."""
    return (image - image[:, :, :1, :1]).sum((0, 2, 3))


@pytest.mark.parametrize(("radiance", "radius_px"), [(4.0, 2.0), (16.0, 1.0), (16.0, 2.0), (40.0, 0.6), (40.0, 1.0), (40.0, 2.0)])
def test_a_lamp_as_small_as_its_falloff_comes_back_within_a_factor_of_1_8(radiance: float, radius_px: float) -> None:
    true, photo = lamp(radiance, radius_px, 1.0)
    out = bokeh.recover_highlights(photo, BLURRED)
    ratio = above(out) / above(true)
    assert bool((ratio > 1 / 1.8).all()) and bool((ratio < 1.8).all())
    before = (above(photo)[0] / above(true)[0]).log().abs()
    assert bool(ratio[0].log().abs() < before), "nearer than the photo was"


@pytest.mark.parametrize("radiance", [4.0, 8.0, 16.0, 40.0])
@pytest.mark.parametrize("radius_px", [4.0, 8.0])
def test_a_larger_lamp_comes_back_within_a_factor_of_4_and_nearer_than_it_was(radiance: float, radius_px: float) -> None:
    true, photo = lamp(radiance, radius_px, 1.0)
    wide = torch.nn.functional.pad(photo, [250] * 4, value=BACKGROUND)  # small against the long edge
    out = bokeh.recover_highlights(wide, torch.full((1, *wide.shape[2:]), 9.0))
    ratio = above(out) / above(true)
    assert bool((ratio > 1 / 4).all()) and bool((ratio < 4).all())
    assert bool((ratio > above(photo) / above(true)).all())


@pytest.mark.parametrize("colour", [ORANGE, (0.2, 1.0, 0.4), (0.5, 0.7, 1.0)])
def test_the_disc_of_a_recovered_lamp_has_the_lamp_s_colour(colour: tuple[float, ...]) -> None:
    true, photo = lamp(40.0, 1.5, 1.0, colour)
    lens = DefocusMap.from_radius(BLURRED)
    discs = [bokeh.render(x, lens)[0, :, SIDE // 2, SIDE // 2] for x in (true, photo, bokeh.recover_highlights(photo, BLURRED))]
    true_hue, grey, hue = (disc / disc.max() for disc in discs)
    assert float((hue - true_hue).abs().max()) < 0.12
    assert float((hue - true_hue).abs().max()) < 0.5 * float((grey - true_hue).abs().max())


def test_more_radiance_is_never_recovered_as_less() -> None:
    sums = [float(above(bokeh.recover_highlights(lamp(r, 1.0, 1.2)[1], BLURRED))[0]) for r in (4.0, 8.0, 16.0, 32.0, 64.0)]
    assert sums == sorted(sums)


def test_walls_and_skies_stay_bit_for_bit() -> None:
    photo = torch.full((1, 3, SIDE, SIDE), 0.3)
    photo[:, :, 60:140, 50:200] = 1.0  # a wall
    photo[:, :, :30] = 1.0  # a sky
    photo[:, :, 200:204, :3] = 1.0  # what the border cuts off
    assert torch.equal(bokeh.recover_highlights(photo, BLURRED), photo)


def test_a_bright_surface_that_barely_clips_stays_nearly_as_it_is() -> None:
    y, x = torch.meshgrid(torch.arange(SIDE) - 300.0, torch.arange(SIDE) - 300.0, indexing="ij")
    photo = (1.01 - (x.square() + y.square()) / 500**2).clamp(0, 1).expand(1, 3, -1, -1)
    assert float(bokeh.recover_highlights(photo, BLURRED).max()) < 1.05


def test_what_was_measured_above_white_and_what_is_below_it_stay() -> None:
    photo = lamp(0.9, 3.0, 0.5)[0]
    assert torch.equal(bokeh.recover_highlights(photo, BLURRED), photo)
    bright = lamp(8.0, 2.0, 1.0)[0]
    assert torch.equal(bokeh.recover_highlights(bright, BLURRED), bright)


def test_channels_that_are_not_clipped_stay_bit_for_bit() -> None:
    _, photo = lamp(3.0, 3.0, 1.0)
    out = bokeh.recover_highlights(photo, BLURRED)
    free = photo < 0.95
    assert torch.equal(out[free], photo[free]) and float(out.max()) > 1.5


def test_in_focus_nothing_changes_unless_it_is_asked_for() -> None:
    _, photo = lamp(16.0, 1.5, 1.0)
    sharp = torch.zeros(1, SIDE, SIDE)
    assert torch.equal(bokeh.recover_highlights(photo, sharp), photo)
    full = bokeh.recover_highlights(photo, BLURRED)
    assert torch.equal(bokeh.recover_highlights(photo, sharp, in_focus=True), full)
    part = bokeh.recover_highlights(photo, torch.full_like(sharp, -2.0))
    assert bool((part <= full + 1e-6).all()) and float(photo.max()) < float(part.max()) < float(full.max())


def test_amounts_are_shares_of_the_stops_and_batches_are_singles() -> None:
    clip = torch.cat([lamp(16.0, 1.5, 1.0)[1], lamp(6.0, 2.0, 1.0)[1]])
    full, half = (bokeh.recover_highlights(clip, BLURRED, a) for a in (1.0, 0.5))
    raised = full > clip * 1.001
    torch.testing.assert_close(half[raised], (full * clip)[raised].sqrt())
    assert bokeh.recover_highlights(clip, BLURRED, 0.0) is clip
    assert torch.equal(full[1:], bokeh.recover_highlights(clip[1:], BLURRED))


@pytest.mark.parametrize("amount", [-0.1, 1.1, float("nan")])
def test_wrong_amounts(amount: float) -> None:
    with pytest.raises(ValueError, match="highlight_recovery must lie"):
        bokeh.recover_highlights(torch.zeros(1, 3, 8, 8), torch.zeros(1, 8, 8), amount)
