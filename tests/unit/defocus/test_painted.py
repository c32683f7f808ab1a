"""Blur painted by hand over that of depth and lens."""

from __future__ import annotations

import pytest
import torch

from refocus_core import bokeh, defocus
from refocus_core.defocus import painted
from refocus_core.optics import Blur
from refocus_core.types import DefocusMap, DepthMap

H, W = 40, 60
DISPARITY = torch.linspace(0, 1, W).expand(1, H, W).contiguous()
"""Near at the right."""


def scene(focus: float = 0.5) -> DefocusMap:
    return defocus.from_lens(DepthMap(DISPARITY, False), Blur(5), defocus.FocusDisparity(focus))


def brush(value: float = 1.0) -> torch.Tensor:
    """A mask of the upper half."""
    mask = torch.zeros(1, H, W)
    mask[:, : H // 2] = value
    return mask


@pytest.mark.parametrize("value", [1.0, 0.25])
def test_the_radius_grows_on_its_own_side_and_only_where_it_is_painted(value: float) -> None:
    before, after = scene(), painted(scene(), brush(value), 10)
    top, bottom = slice(0, H // 2), slice(H // 2, H)
    size = before.radius_px[:, top].abs() + value * 6
    want = torch.where(before.radius_px[:, top] < 0, -size, size)
    assert torch.allclose(after.radius_px[:, top], want, atol=1e-5)
    assert torch.equal(after.radius_px[:, bottom], before.radius_px[:, bottom])
    assert torch.equal(after.disparity, before.disparity) and after.law is None


def test_what_is_in_focus_blurs_as_what_lies_behind() -> None:
    flat = DefocusMap.from_radius(torch.zeros(1, H, W))
    assert bool((painted(flat, brush(), 5).radius_px[:, : H // 2] == 3).all())


def test_blur_is_taken_away_until_it_is_sharp() -> None:
    before, after = scene(), painted(scene(), brush(), -2)
    taken = before.radius_px[:, : H // 2].abs() - after.radius_px[:, : H // 2].abs()
    assert float(taken.max()) == pytest.approx(1.2, abs=1e-5)
    assert bool((after.radius_px[:, : H // 2].abs() <= (before.radius_px[:, : H // 2].abs() - 1.2).clamp_min(0) + 1e-5).all())
    assert torch.equal(painted(scene(), brush(), -50).radius_px[:, : H // 2], torch.zeros(1, H // 2, W))


def test_nothing_painted_and_no_strength_change_nothing() -> None:
    made = scene()
    assert painted(made, torch.zeros(1, 64, 64), 5) is made, "as Load Image gives a picture without a mask, in a size of its own"
    assert painted(made, brush(), 0) is made


def test_a_painted_map_is_rendered_blurred_there() -> None:
    noise = torch.rand(1, 3, H, W, generator=torch.Generator().manual_seed(0))
    sharp = DefocusMap.from_radius(torch.zeros(1, H, W), DISPARITY)
    shown = bokeh.render(noise, painted(sharp, brush(), 8))
    assert float(shown[..., : H // 2 - 6, :].std()) < 0.3 * float(noise.std())
    assert torch.equal(shown[..., H // 2 + 6 :, :], noise[..., H // 2 + 6 :, :])


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match=r"mask_blur must lie in -50\.\.50"):
        painted(scene(), brush(), 60)
    with pytest.raises(ValueError, match=r"blur mask \(30 x 60\) and the depth map \(60 x 40\) have different aspect ratios"):
        painted(scene(), torch.ones(1, 60, 30), 5)
    with pytest.raises(TypeError, match="blur mask must be of type Tensor"):
        painted(scene(), None, 5)
    with pytest.raises(ValueError, match="The blur mask"):
        painted(scene(), brush().repeat(2, 1, 1), 5)
