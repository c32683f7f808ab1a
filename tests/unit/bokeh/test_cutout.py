"""Transparency: colour weighted by alpha, alpha blurred along with it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from refocus_core import bokeh
from refocus_core.types import DefocusMap

H, W = 48, 64


def square(radius_px: float) -> tuple[Tensor, Tensor, DefocusMap]:
    """A red square on nothing, whose hidden pixels are green; a map that puts those elsewhere."""
    alpha = torch.zeros(1, 1, H, W)
    alpha[..., 12:36, 16:48] = 1
    image = torch.zeros(1, 3, H, W)
    image[:, 0], image[:, 1] = 0.6 * alpha[:, 0], 1 - alpha[:, 0]
    return image, alpha, DefocusMap.from_radius(torch.where(alpha > 0, radius_px, 20.0)[:, 0], 2 * alpha[:, 0])


@pytest.mark.parametrize("quality", ["draft", "normal", "best"])
@pytest.mark.parametrize("radius_px", [-6.0, 6.0])
def test_alpha_is_blurred_and_colour_keeps_its_value(quality: str, radius_px: float) -> None:
    image, alpha, defocus_map = square(radius_px)
    out, coverage = bokeh.render_with_alpha(image, alpha, defocus_map, quality=quality)
    even = DefocusMap.from_radius(torch.full((1, H, W), radius_px))
    expected = bokeh.render(alpha.expand(-1, 3, -1, -1), even, quality=quality)[:, :1]
    assert float((coverage - expected).abs().max()) < 2e-3
    assert float(coverage[..., 12:36, 16:48].amin()) < 0.6  # the edge is soft
    seen = coverage[0, 0] > 0.05
    assert float((out[0, 0][seen] - 0.6).abs().max()) < 5e-3
    assert float(out[0, 1][seen].max()) < 5e-3  # nothing of what is hidden


def test_an_opaque_picture_is_rendered_as_ever() -> None:
    image = torch.rand(1, 3, H, W, generator=torch.Generator().manual_seed(0))
    defocus_map = DefocusMap.from_radius(torch.linspace(-5, 5, W).expand(1, H, W).contiguous())
    out, coverage = bokeh.render_with_alpha(image, torch.ones(1, 1, H, W), defocus_map)
    assert torch.equal(out, bokeh.render(image, defocus_map)) and bool((coverage == 1).all())


def test_what_is_in_focus_stays_as_it_is() -> None:
    image, alpha, _ = square(0)
    alpha = alpha * 0.5
    out, coverage = bokeh.render_with_alpha(image, alpha, DefocusMap.from_radius(torch.zeros(1, H, W)))
    assert torch.equal(out, image) and torch.equal(coverage, alpha)


def test_frames_have_their_own_alpha() -> None:
    image, alpha, defocus_map = square(5)
    both = torch.cat([alpha, alpha.roll(6, -1)])
    out, coverage = bokeh.render_with_alpha(image.expand(2, -1, -1, -1), both, defocus_map)
    single, own = bokeh.render_with_alpha(image, both[:1], defocus_map)
    assert torch.equal(out[:1], single) and torch.equal(coverage[:1], own)


def test_alpha_must_fit() -> None:
    image, alpha, defocus_map = square(5)
    with pytest.raises(ValueError, match="alpha"):
        bokeh.render_with_alpha(image, alpha[..., :-1], defocus_map)
    with pytest.raises(ValueError, match="alpha"):
        bokeh.render_with_alpha(image, alpha * float("nan"), defocus_map)


def test_transparency_is_its_own_matte() -> None:
    image, alpha, defocus_map = square(5)
    with pytest.raises(ValueError, match="transparency"):
        bokeh.render_with_alpha(image, alpha, defocus_map, background=image)
