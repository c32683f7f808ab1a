"""Colours imaged in different sizes: where red and blue go, what stays, and that lights get no rim."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from refocus_core import bokeh
from refocus_core.color import srgb_to_linear


def spots(h: int, w: int) -> Tensor:
    """[1,3,h,w] a round spot in the upper right quarter."""
    y, x = torch.meshgrid(torch.arange(h) + 0.5, torch.arange(w) + 0.5, indexing="ij")
    spot = torch.exp(((y - 0.2 * h).square() + (x - 0.8 * w).square()) / -18)
    return spot.expand(1, 3, h, w).contiguous()


def centres(picture: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Centre of gravity of each channel in px from the middle, along y and x, and its light."""
    light = srgb_to_linear(picture)[0].double()
    h, w = light.shape[1:]
    energy = light.sum((1, 2))
    y = (light.sum(2) * (torch.arange(h) + 0.5 - h / 2)).sum(1) / energy
    x = (light.sum(1) * (torch.arange(w) + 0.5 - w / 2)).sum(1) / energy
    return y, x, energy


@pytest.mark.parametrize("percent", [1.0, 0.3, -1.0])
def test_red_moves_outwards_and_blue_inwards_by_the_percentage_of_the_distance(percent: float) -> None:
    before, after = spots(300, 401), bokeh.with_lateral_colour(spots(300, 401), percent)
    for old, new in zip(centres(before)[:2], centres(after)[:2], strict=True):
        moved = (new - old) / old[1] * 100
        assert moved.tolist() == pytest.approx([percent, 0, -percent], abs=0.02)
    assert torch.equal(after[:, 1], before[:, 1])


def test_light_is_kept_up_to_the_area_of_its_image() -> None:
    light = [centres(bokeh.with_lateral_colour(spots(300, 401), p))[2] for p in (0.0, 1.0)]
    assert (light[1] / light[0]).tolist() == pytest.approx([1.01**2, 1, 0.99**2], rel=5e-3)


def test_the_middle_and_an_even_picture_stay() -> None:
    noise = torch.rand(1, 3, 101, 151, generator=torch.Generator().manual_seed(2))
    out = bokeh.with_lateral_colour(noise, 0.5)
    torch.testing.assert_close(out[..., 50, 75], noise[..., 50, 75], atol=1e-5, rtol=0)
    even = torch.full((1, 3, 40, 71), 1.7)
    torch.testing.assert_close(bokeh.with_lateral_colour(even, -2.0), even, atol=1e-6, rtol=0)


def test_the_sign_undoes_it() -> None:
    before = spots(200, 300)
    back = bokeh.with_lateral_colour(bokeh.with_lateral_colour(before, 0.4), -0.4)
    assert float((back - before).abs().max()) < 0.03


def test_a_light_far_above_white_gets_no_dark_rim_and_nothing_is_clipped() -> None:
    picture = torch.full((1, 3, 80, 120), 0.1)
    picture[..., 10:14, 100:104] = 5.0
    out = bokeh.with_lateral_colour(picture, 0.7)
    assert float(out.min()) >= 0.1 - 1e-6 and 4.9 < float(out.max()) <= 5.0001


def test_none_of_it_is_the_picture_itself_and_small_ones_work() -> None:
    picture = torch.rand(2, 3, 9, 1)
    assert bokeh.with_lateral_colour(picture, 0.0) is picture
    assert bokeh.with_lateral_colour(picture.half(), 2.0).dtype == torch.float16
    assert bokeh.with_lateral_colour(torch.rand(1, 3, 1, 1), 2.0).shape == (1, 3, 1, 1)


@pytest.mark.parametrize("percent", [2.5, float("nan")])
def test_more_than_any_lens_is_refused(percent: float) -> None:
    with pytest.raises(ValueError, match="lateral_color"):
        bokeh.with_lateral_colour(torch.rand(1, 3, 8, 8), percent)
