"""Light that the lens scatters: none is lost, an even picture stays even, and it falls off from a light on every side."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from refocus_core import bokeh
from refocus_core.color import linear_to_srgb, srgb_to_linear

LIGHT = 1e4
"""Radiance of a light that is seen from far away."""


def lit(h: int, w: int, at: tuple[int, int]) -> Tensor:
    """[1,3,h,w] sRGB: a light of one pixel in the dark."""
    picture = torch.zeros(1, 3, h, w)
    picture[:, :, at[0], at[1]] = LIGHT
    return linear_to_srgb(picture)


@pytest.mark.parametrize("size", [(90, 141), (300, 1923), (7, 3), (1, 1)])
@pytest.mark.parametrize("amount", [0.1, 1.0])
def test_no_light_is_lost_not_even_at_the_border(size: tuple[int, int], amount: float) -> None:
    h, w = size
    for at in ((0, 0), (h - 1, w - 1), (h // 2, 0), (h // 3, w // 3)):
        out = srgb_to_linear(bokeh.bloomed(lit(h, w, at), amount))
        assert out.double().sum((0, 2, 3)).tolist() == pytest.approx([LIGHT] * 3, rel=1e-4)
        assert float(out.min()) > -1e-5 * LIGHT


@pytest.mark.parametrize("size", [(90, 141), (300, 1923)])
def test_white_stays_white_and_grey_grey(size: tuple[int, int]) -> None:
    for value in (1.0, 0.4):
        even = torch.full((1, 3, *size), value)
        torch.testing.assert_close(bokeh.bloomed(even, 1.0), even, atol=1e-5, rtol=0)


def test_it_falls_off_steadily_and_alike_on_all_sides() -> None:
    veil = srgb_to_linear(bokeh.bloomed(lit(401, 601, (200, 300)), 0.2))[0, 1]
    right, left, down = veil[200, 301:480], veil[200, 121:300].flip(0), veil[201:380, 300]
    assert bool((right[1:] < right[:-1]).all()) and float(right[-1]) > 0
    torch.testing.assert_close(left, right, rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(down[:100], right[:100], rtol=1e-3, atol=1e-6)
    fall = float((veil[200, 310] / veil[200, 340]).log() / torch.tensor(4.0).log())
    assert fall == pytest.approx(2, abs=0.5), "about as 1/distance^2 within the octaves"


def test_what_is_not_scattered_stays_where_it_is() -> None:
    out = srgb_to_linear(bokeh.bloomed(lit(201, 301, (60, 80)), 0.2))[0, 0]
    rest = float(out[60, 80] - (out[60, 79] + out[60, 81] + out[59, 80] + out[61, 80]) / 4)
    assert 0.79 * LIGHT < rest < 0.86 * LIGHT


def test_it_grows_with_the_picture() -> None:
    """A light of 4 x 4 px in a picture of twice the size is the same light."""
    small, large = torch.zeros(1, 3, 240, 360), torch.zeros(1, 3, 480, 720)
    small[..., 100:102, 200:202], large[..., 200:204, 400:404] = 100.0, 100.0
    a, b = (srgb_to_linear(bokeh.bloomed(linear_to_srgb(x), 0.5))[0, 0] for x in (small, large))
    halved = torch.nn.functional.avg_pool2d(b[None], 2)[0]
    assert float((halved - a).abs().max()) < 0.02 * float(a.max())
    torch.testing.assert_close(halved[100, 220:300], a[100, 220:300], rtol=0.05, atol=1e-6)


def test_a_large_picture_is_as_on_a_finer_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = lit(300, 1200, (100, 500))
    usual = srgb_to_linear(bokeh.bloomed(picture, 1.0))
    monkeypatch.setattr("refocus_core.bokeh.bloom.GRID_CELLS", 1200)
    exact = srgb_to_linear(bokeh.bloomed(picture, 1.0))
    assert float((usual - exact).abs().max()) < 0.04 * float(exact.max())


def test_of_a_cut_out_only_what_it_covers_glows_and_inside_it_nothing_gets_darker() -> None:
    picture, alpha = torch.full((1, 3, 60, 80), 0.5), torch.zeros(1, 1, 60, 80)
    alpha[..., 20:40, 20:60] = 1
    picture[..., :10] = 9.0  # hidden
    out = bokeh.bloomed(picture, 0.3, alpha)
    torch.testing.assert_close(out[..., 20:40, 20:60], picture[..., 20:40, 20:60], atol=1e-5, rtol=0)


def test_frames_are_as_each_alone_and_none_of_it_is_the_picture_itself() -> None:
    clip = torch.rand(2, 3, 40, 50, generator=torch.Generator().manual_seed(1)) * 2
    assert torch.equal(bokeh.bloomed(clip, 0.3), torch.cat([bokeh.bloomed(x[None], 0.3) for x in clip]))
    assert bokeh.bloomed(clip, 0.0) is clip
    half = bokeh.bloomed(clip.half(), 0.3)
    assert half.dtype == torch.float16
    torch.testing.assert_close(half.float(), bokeh.bloomed(clip, 0.3), atol=3e-3, rtol=0)


@pytest.mark.parametrize("amount", [-0.1, 1.2, float("nan")])
def test_a_share_beyond_0_to_1_is_refused(amount: float) -> None:
    with pytest.raises(ValueError, match="bloom"):
        bokeh.bloomed(torch.rand(1, 3, 8, 8), amount)
