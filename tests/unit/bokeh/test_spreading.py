"""Depth of either side of a soft edge where more than two surfaces meet: none lies between them, where the focus may lie."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from bench.lib.soft_outlines import crumbs, soften
from refocus_core import bokeh
from refocus_core.bokeh.surfaces.spreading import enlarged, spread
from refocus_core.bokeh.surfaces.transitions import sides
from refocus_core.color import display_values
from refocus_core.types import DefocusMap

SIZE = 96
BROWN, WHITE, BLUE = ([0.25, 0.12, 0.05], [0.7, 0.7, 0.75], [0.1, 0.15, 0.4])


def colored(color: list[float]) -> Tensor:
    return torch.tensor(color).view(3, 1, 1).expand(3, SIZE, SIZE)


def meeting() -> tuple[Tensor, Tensor]:
    """A picture [3,H,W] (linear) and its exact map [H,W]: two surfaces side by side, below them a far one."""
    noise = 0.06 * torch.rand(3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    left = torch.arange(SIZE) < SIZE // 2
    low = (torch.arange(SIZE) >= SIZE // 2)[:, None]
    image = torch.where(low, colored(BLUE), torch.where(left, colored(BROWN), colored(WHITE))) * (0.8 + 6 * noise)
    return image.clamp(0, 1), torch.where(low, 14.0, torch.where(left, -8.0, 6.0).expand(SIZE, SIZE))


def test_between_two_surfaces_lies_no_depth_of_either_side() -> None:
    coc = torch.where(torch.arange(SIZE) < SIZE // 2, -30.0, 10.0).expand(SIZE, SIZE).contiguous()
    side = torch.zeros(SIZE, SIZE, dtype=torch.bool)
    side[40:43] = True
    guide = torch.full((3, SIZE, SIZE), 0.5)
    near = spread(coc, side, guide, coc)[43:52]
    off = torch.minimum((near + 30).abs(), (near - 10).abs())
    assert float(off.max()) < 0.5
    assert torch.equal(near[:, : SIZE // 2 - 2] < 0, torch.ones_like(near[:, : SIZE // 2 - 2], dtype=torch.bool))
    assert torch.equal(near[:, SIZE // 2 + 2 :] > 0, torch.ones_like(near[:, SIZE // 2 + 2 :], dtype=torch.bool))


def test_colour_tells_where_one_surface_ends() -> None:
    """The edge in the picture leans; the two surfaces that show beside the band do not tell that."""
    coc = torch.where(torch.arange(SIZE) < SIZE // 2, -30.0, 10.0).expand(SIZE, SIZE).contiguous()
    side = torch.zeros(SIZE, SIZE, dtype=torch.bool)
    side[40:43] = True
    row = torch.arange(SIZE)[:, None]
    is_left = torch.arange(SIZE) < SIZE // 2 + (row - 42).clamp_min(0)
    guide = display_values(torch.where(is_left, colored(BROWN), colored(WHITE)))
    near = spread(coc, side, guide, coc)[46:50]
    assert float(((near < -10) == is_left[46:50]).float().mean()) > 0.97


def test_a_slope_goes_on_as_a_slope() -> None:
    coc = torch.linspace(-20, 20, SIZE).expand(SIZE, SIZE).contiguous()
    side = torch.zeros(SIZE, SIZE, dtype=torch.bool)
    side[40:43] = True
    found = spread(coc, side, torch.full((3, SIZE, SIZE), 0.5), coc)[43:48, 16:-16]
    torch.testing.assert_close(found, coc[43:48, 16:-16], atol=0.5, rtol=0)


def test_enlarging_keeps_steps_and_slopes() -> None:
    step = torch.where(torch.arange(24) < 12, -20.0, 5.0).expand(24, 24).contiguous()
    assert set(enlarged(step, 48, 47).unique().tolist()) == {-20.0, 5.0}
    slope = torch.linspace(-20, 20, 24).expand(24, 24).contiguous()
    bilinear = F.interpolate(slope[None, None], scale_factor=2, mode="bilinear", align_corners=False)[0, 0]
    torch.testing.assert_close(enlarged(slope, 48, 48), bilinear)


def test_the_near_side_is_never_farther_than_the_far_one() -> None:
    image, coc = meeting()
    coc = soften(coc, 3.0, 0.0, 0.0)
    band = (F.max_pool2d(coc[None, None], 9, 1, 4) + F.max_pool2d(-coc[None, None], 9, 1, 4) > 3)[0, 0]
    found = sides(coc, ~band, band, display_values(image))
    assert bool((found.near <= found.far).all())


@pytest.mark.parametrize("sigma_px", [3.0, 5.0])
def test_where_three_surfaces_meet_nothing_is_in_focus_that_lies_on_none(sigma_px: float) -> None:
    image, coc = meeting()
    rim = torch.zeros(SIZE, SIZE, dtype=torch.bool)
    rim[32:60, 32:64] = True
    exact, soft = (
        bokeh.render(image[None], DefocusMap.from_radius(radius[None]))[0] for radius in (coc, soften(coc, sigma_px, 0.0, 0.0))
    )
    assert crumbs(display_values(soft), rim) < 1.3 * crumbs(display_values(exact), rim)


def ridge_of(coc: Tensor) -> Tensor:
    """[H,W] bool, where a map that is all of one band has the middle of a thin near structure."""
    band = torch.ones_like(coc, dtype=torch.bool)
    return sides(coc, ~band, band, torch.full((3, *coc.shape), 0.5)).near_ridge


def test_a_ridge_is_found_all_along_a_wire_on_which_the_map_drifts() -> None:
    y, x = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    coc = soften(torch.where((x - y).abs() <= 2, 0.0, 20.0), 1.2, 0.0, 0.0) * (1 + 0.03 * (x + y) / SIZE)
    assert bool(ridge_of(coc)[8:-8].any(1).all())


def test_the_foot_of_a_steep_slope_is_no_ridge() -> None:
    x = torch.arange(SIZE) - 40.0
    assert not bool(ridge_of(torch.where(x < 0, -x, 0.2 * x).expand(SIZE, SIZE).contiguous()).any())
