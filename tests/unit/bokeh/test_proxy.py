"""The small draft that is shown before a long rendering."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from refocus_core import bokeh
from refocus_core.optics import BlurLaw
from refocus_core.types import DefocusMap


def scene(width: int, height: int, frames: int = 1) -> tuple[torch.Tensor, DefocusMap]:
    """A disc in front of the focal plane, stripes behind it; the blur is a share of the width."""
    y, x = torch.linspace(-1, 1, height).view(-1, 1), torch.linspace(-1, 1, width) * width / height
    near = (x.square() + y.square() < 0.3).float()
    stripes = 0.5 + 0.4 * torch.sin(12 * x) * torch.cos(9 * y)
    picture = torch.stack([torch.lerp(stripes, torch.full_like(near, level), near) for level in (0.9, 0.4, 0.1)])
    gain, focus = torch.full((frames,), 0.02 * width), torch.full((frames,), 0.6)
    disparity = (0.2 + 0.7 * near).expand(frames, -1, -1).contiguous()
    return picture.expand(frames, -1, -1, -1).contiguous(), DefocusMap.from_law(disparity, BlurLaw.thin_lens(gain, focus))


def test_it_shows_what_the_rendering_will_show() -> None:
    picture, defocus = scene(1300, 1000)
    small = bokeh.proxy(picture, defocus, quality="best")
    assert small is not None and small.shape == (1, 3, 394, 512)
    rendered = F.interpolate(bokeh.render(picture, defocus, quality="draft"), (394, 512), mode="area")
    assert float((small - rendered).abs().mean()) < 0.01, "a mean below what the eye tells"


def test_a_map_that_follows_no_law_serves_too() -> None:
    picture, defocus = scene(1300, 1000)
    unlawful = DefocusMap(defocus.radius_px, defocus.disparity, defocus.focus_disparity, defocus.gain_px)
    one, other = (bokeh.proxy(picture, d, quality="best") for d in (defocus, unlawful))
    assert one is not None and other is not None
    assert float((one - other).abs().mean()) < 0.01


@pytest.mark.parametrize(
    ("quality", "width", "height", "frames", "made"),
    [
        ("draft", 4000, 3000, 1, False),
        ("best", 1000, 800, 1, False),
        ("best", 90, 60, 8, True),
        ("normal", 90, 60, 8, False),
        ("normal", 90, 60, 16, True),
    ],
)
def test_it_is_made_only_where_it_is_a_small_part_of_the_work(
    quality: str, width: int, height: int, frames: int, made: bool
) -> None:
    small = bokeh.proxy(*scene(width, height, frames), quality=quality)
    assert (small is not None) == made
    assert small is None or small.shape == (1, 3, height, width), "it is never larger than the picture"
