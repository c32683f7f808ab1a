"""Highlight boost: who gains, how much, and who does not."""

from __future__ import annotations

import pytest
import torch

from refocus_core import bokeh
from refocus_core.types import DefocusMap


def _picture(*levels: float) -> torch.Tensor:
    """One pixel of each grey level: [1,3,1,n]."""
    return torch.tensor(levels).view(1, 1, 1, -1).expand(1, 3, 1, -1).contiguous()


def test_white_gains_the_stops_where_it_is_blurred() -> None:
    image = _picture(1.0, 1.0, 1.0, 1.0)
    radius = torch.tensor([[[0.0, 2.0, 8.0, -8.0]]])
    out = bokeh.boost_highlights(image, radius, 3.0)[0, 0, 0]
    assert float(out[0]) == 1.0, "in focus nothing changes"
    assert 1 < float(out[1]) < 8
    assert out[2:].tolist() == pytest.approx([8.0, 8.0])


def test_midtones_stay_and_the_rise_is_smooth_and_monotone() -> None:
    levels = torch.linspace(0, 1, 101)
    image = levels.view(1, 1, 1, -1).expand(1, 3, 1, -1)
    out = bokeh.boost_highlights(image, torch.full((1, 1, 101), 20.0), 4.0)[0, 0, 0]
    assert torch.equal(out[:75], levels[:75])
    assert bool((out.diff() >= 0).all())
    assert float(out[-1]) == pytest.approx(16)


def test_colour_is_kept() -> None:
    image = torch.tensor([1.0, 0.5, 0.25]).view(1, 3, 1, 1)
    out = bokeh.boost_highlights(image, torch.full((1, 1, 1), 9.0), 2.0).flatten()
    torch.testing.assert_close(out / out[0], image.flatten())
    assert float(out[0]) == pytest.approx(4)


def test_real_highlights_are_raised_only_up_to_what_white_gets() -> None:
    out = bokeh.boost_highlights(_picture(3.0, 8.0, 50.0), torch.full((1, 1, 3), 9.0), 3.0)[0, 0, 0]
    assert out.tolist() == pytest.approx([8.0, 8.0, 50.0])


def test_zero_stops_change_nothing() -> None:
    image = _picture(0.1, 1.0, 9.0)
    assert torch.equal(bokeh.boost_highlights(image, torch.full((1, 1, 3), 9.0), 0.0), image)


@pytest.mark.parametrize("stops", [-1.0, 8.5, float("nan")])
def test_wrong_stops(stops: float) -> None:
    with pytest.raises(ValueError, match="Highlight boost"):
        bokeh.boost_highlights(_picture(1.0), torch.zeros(1, 1, 1), stops)


def test_wrong_threshold() -> None:
    with pytest.raises(ValueError, match="threshold"):
        bokeh.boost_highlights(_picture(1.0), torch.zeros(1, 1, 1), 1.0, threshold=1.0)


def test_a_map_of_one_frame_serves_all_and_another_size_is_named() -> None:
    image = _picture(0.1, 1.0, 9.0).repeat(2, 1, 1, 1)
    one = bokeh.boost_highlights(image, torch.full((1, 1, 3), 9.0), 2.0)
    assert torch.equal(one, bokeh.boost_highlights(image, torch.full((2, 1, 3), 9.0), 2.0))
    with pytest.raises(ValueError, match="The defocus map is 4x1 px but the picture is 3x1 px"):
        bokeh.boost_highlights(image, torch.zeros(1, 1, 4), 2.0)


def test_render_boosts_before_it_blurs() -> None:
    image = torch.full((1, 3, 33, 33), 0.05)
    image[..., 16, 16] = 1.0
    radius = DefocusMap.from_radius(torch.full((1, 33, 33), 6.0))
    plain = bokeh.render(image, radius, quality="draft")
    boosted = bokeh.render(image, radius, quality="draft", highlight_boost=4.0)
    gain = (boosted - plain).sum() / 3
    assert float(gain) == pytest.approx(15, rel=0.02), "the disc of the light carries 16 times the light of white"
    with pytest.raises(ValueError, match="Highlight boost"):
        bokeh.render(image, radius, highlight_boost=9.0)
