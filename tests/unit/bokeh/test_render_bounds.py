"""Memory and time are bounded, whatever the radius."""

from __future__ import annotations

import resource

import pytest
import torch

from refocus_core import bokeh
from refocus_core.bokeh.plan import even_from_px
from tests.helpers.renderings import CHEAP, noise, render

GIB_IN_KIB = 1 << 20


@pytest.mark.parametrize("quality", CHEAP)
@pytest.mark.parametrize("radius", [1e6, -1e6, 1e9])
def test_a_radius_of_a_million_pixels_is_the_mean_in_bounded_memory(
    quality: str, radius: float, caplog: pytest.LogCaptureFixture
) -> None:
    image, before = noise(32, 48, 1), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    out = render(image, torch.full((1, 32, 48), radius), quality=quality)
    assert float((out - image.mean((2, 3), keepdim=True)).abs().max()) < 1e-4
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < GIB_IN_KIB
    assert "spread evenly" in caplog.text


def test_where_light_is_spread_evenly_the_blur_that_is_computed_gives_the_same() -> None:
    """Just below the limit, where the blur is still computed, and just above it."""
    image, limit = noise(16, 24, 2), even_from_px(16, 24)
    below, above = (render(image, torch.full((1, 16, 24), limit * k)) for k in (0.999, 1.001))
    assert float((above - below).abs().max()) < 1e-4


def test_a_sharp_subject_before_an_endlessly_blurred_background_stays_as_it_is() -> None:
    image = noise(40, 60, 3)
    radius = torch.full((1, 40, 60), 1e7)
    radius[:, 10:30, 20:40] = 0
    out = render(image, radius, limits=bokeh.Limits(tile_px=32, cpu_part_px=32))
    assert torch.equal(out[..., 12:28, 22:38], image[..., 12:28, 22:38])
    far = out[..., 0:5, 0:10]
    assert float(far.amax((2, 3)).sub(far.amin((2, 3))).max()) < 0.02, "one colour"


def test_a_usual_blur_is_computed_in_full() -> None:
    assert even_from_px(3000, 4000) >= 4000 and even_from_px(32, 48) > 20 * 48
