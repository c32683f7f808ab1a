"""Coverage along soft depth edges: what the photo says of an outline that the map only shows blurred and some pixels off."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from refocus_core import bokeh
from refocus_core.bokeh.renderer import softened
from refocus_core.bokeh.surfaces.colour_samples import side_by_colour
from refocus_core.bokeh.surfaces.laplacian import DARK, EPSILON, MattingLaplacian, solve
from refocus_core.bokeh.surfaces.matting import edge_matte
from refocus_core.bokeh.surfaces.unmix import unmix_matte
from refocus_core.optics import BlurLaw
from refocus_core.types import DefocusMap

SIZE = 128
NEAR_PX, FAR_PX = -8.0, 8.0
VOTES_PX = 3


def outline(teeth: int = 24) -> Tensor:
    """[H,W] coverage of a disc with a wavy outline, anti-aliased."""
    fine = 4
    axis = (torch.arange(SIZE * fine) + 0.5) / fine - SIZE / 2
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    inside = torch.hypot(x, y) <= 36 + 3 * torch.sin(teeth * torch.atan2(y, x))
    return F.avg_pool2d(inside.float()[None, None], fine)[0, 0]


def photo(coverage: Tensor, contrast: float = 1.0) -> Tensor:
    """[3,H,W] linear: a noisy reddish surface before a noisy bluish one."""
    noise = torch.rand(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0)) * 0.04
    back = torch.tensor([0.1, 0.2, 0.5]).view(3, 1, 1)
    front = back + contrast * (torch.tensor([0.6, 0.25, 0.1]).view(3, 1, 1) - back)
    return coverage * (front + noise[0]) + (1 - coverage) * (back + noise[1])


def soft(coc: Tensor, sigma_px: float, shift_px: int = 0) -> Tensor:
    """A map [H,W] as a network gives it."""
    reach = math.ceil(4 * sigma_px)
    k = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / sigma_px) ** 2)
    k = (k / k.sum()).view(1, 1, 1, -1)
    x = F.pad(coc[None, None], (reach,) * 4, mode="replicate")
    return F.conv2d(F.conv2d(x, k), k.transpose(-1, -2))[0, 0].roll((shift_px, shift_px), (0, 1))


def exact(coverage: Tensor) -> Tensor:
    return torch.where(coverage > 0.5, NEAR_PX, FAR_PX)


@pytest.mark.parametrize(("sigma_px", "shift_px"), [(2.5, 0), (4.0, 2), (7.0, 0)])
def test_a_soft_outline_is_where_the_photo_has_it(sigma_px: float, shift_px: int) -> None:
    coverage = outline()
    matte = edge_matte(photo(coverage), soft(exact(coverage), sigma_px, shift_px), VOTES_PX)
    assert matte is not None
    error = (matte.coverage - coverage).abs()[matte.band]
    assert float(error.mean()) < 0.03 and float((error > 0.5).float().mean()) < 0.005
    assert float((matte.near - NEAR_PX).abs()[matte.band & (matte.coverage > 0.1)].max()) < 0.5
    assert float((matte.far - FAR_PX).abs()[matte.band & (matte.coverage < 0.9)].max()) < 0.5


def test_a_slope_and_a_soft_step_without_an_edge_in_the_photo_stay_as_they_are() -> None:
    even = photo(outline(), contrast=0.0)
    slope = torch.linspace(-20, 20, SIZE).expand(SIZE, SIZE).contiguous()
    assert edge_matte(photo(outline()), slope, VOTES_PX) is None
    assert edge_matte(even, soft(exact(outline(0)), 5.0), VOTES_PX) is None


def test_an_exact_map_is_believed() -> None:
    coverage = outline()
    assert edge_matte(photo(coverage), exact(coverage), VOTES_PX) is None


def test_legs_that_the_map_hardly_shows_belong_to_the_body() -> None:
    """A body on two legs before a striped wall: the map's blur is as wide as the legs, and no wider band has a sample of them."""
    coverage = torch.zeros(SIZE, SIZE)
    coverage[24:64, 24:104] = 1.0
    coverage[64:104, 34:39] = coverage[64:104, 88:93] = 1.0
    wall = torch.tensor([0.1, 0.2, 0.5]).view(3, 1, 1) * (0.4 + 0.6 * (torch.arange(SIZE) // 3 % 2))
    noise = torch.rand(3, SIZE, SIZE, generator=torch.Generator().manual_seed(2)) * 0.04
    image = torch.where(coverage > 0.5, torch.tensor([0.5, 0.25, 0.1]).view(3, 1, 1), wall) + noise
    matte = edge_matte(image, soft(exact(coverage), 4.0), VOTES_PX)
    assert matte is not None
    error = (matte.coverage - coverage).abs()
    legs = torch.zeros(SIZE, SIZE, dtype=torch.bool)
    legs[70:96, 35:38] = legs[70:96, 89:92] = True
    body = torch.zeros(SIZE, SIZE, dtype=torch.bool)
    body[28:60, 28:100] = True
    assert bool(matte.band[legs].all())
    assert float(error[legs].mean()) < 0.1
    assert float(error[body & matte.band].mean()) < 0.02


def test_side_by_colour_is_bayes_rule() -> None:
    """Between a red and a blue half, red pixels on the map's far side are near; a colour of neither stays with the map."""
    guide = torch.zeros(3, 16, 32)
    guide[0, :, :20], guide[2, :, 20:] = 0.8, 0.8
    guide[:, 8, 17] = torch.tensor([0.0, 0.8, 0.0])
    cover = torch.linspace(1.2, -0.2, 32).clamp(0, 1).expand(16, 32)
    at = torch.tensor([4 * 32 + 18, 4 * 32 + 12, 4 * 32 + 21, 8 * 32 + 17])
    share, sure = side_by_colour(guide, cover, at)
    assert float(cover[4, 18]) < 0.4 and float(share[0]) > 0.5
    assert float(share[1]) > 0.95 and float(share[2]) < 0.05
    assert float(share[3]) == pytest.approx(float(cover[8, 17]), abs=0.1) and float(sure[3]) < 0.05


def test_the_parts_of_a_pixel_add_up_to_the_photo() -> None:
    coverage = outline()
    image = photo(coverage)
    coc = soft(exact(coverage), 4.0)
    matte = edge_matte(image, coc, VOTES_PX)
    assert matte is not None
    mixed = unmix_matte(image, matte)
    together = mixed.near + (1 - mixed.alpha) * mixed.far
    assert len(mixed.at) > 100
    torch.testing.assert_close(together, image.flatten(1)[:, mixed.at], atol=2e-3, rtol=0)


def test_a_blurred_outline_keeps_no_crumbs_of_the_sharp_one() -> None:
    """In focus is neither side: with a soft map the rim is as smooth as with the exact one."""
    coverage = outline()
    image = photo(coverage)

    def sharpest(coc: Tensor, quality: str) -> float:
        picture = bokeh.render(image[None], DefocusMap.from_radius(coc), quality=quality)[0].mean(0)
        laplacian = F.conv2d(picture[None, None], torch.tensor([[[[0.0, 1, 0], [1, -4, 1], [0, 1, 0]]]]))
        return float(laplacian[..., 16:-16, 16:-16].abs().max())

    for quality in ("draft", "normal"):
        hard = sharpest(exact(coverage), quality)
        assert sharpest(soft(exact(coverage), 4.0, 2), quality) < 1.6 * hard


def test_the_stencil_is_the_matting_laplacian() -> None:
    """Against the sum over windows as the paper writes it, with dense matrices."""
    h, w = 6, 7
    guide = torch.rand(3, h, w, generator=torch.Generator().manual_seed(1))
    laplacian = MattingLaplacian(guide, torch.ones(h, w, dtype=torch.bool))
    ours = torch.zeros(h * w, h * w)
    for entry, there in zip(laplacian.stencil, laplacian.neighbours, strict=True):
        ours[laplacian.at, there] += entry
    expected = torch.zeros(h * w, h * w, dtype=torch.float64)
    for y in range(1, h - 1):
        for x in range(1, w - 1):
            at = torch.tensor([(y + dy) * w + x + dx for dy in (-1, 0, 1) for dx in (-1, 0, 1)])
            colours = guide.flatten(1)[:, at].T.double()
            d = colours - colours.mean(0)
            noise = (float(colours.mean()) ** 2 + DARK**2) * EPSILON / 9
            s = d.T @ d / 9 + noise * torch.eye(3, dtype=torch.float64)
            expected[at[:, None], at] += torch.eye(9, dtype=torch.float64) - (1 + d @ torch.linalg.inv(s) @ d.T) / 9
    torch.testing.assert_close(ours.double(), expected, atol=2e-3, rtol=0)


def test_conjugate_gradients_solve_the_system() -> None:
    h, w = 20, 24
    generator = torch.Generator().manual_seed(2)
    guide = torch.rand(3, h, w, generator=generator)
    unknown = torch.zeros(h, w, dtype=torch.bool)
    unknown[4:15, 5:20] = True
    values, prior = torch.rand(2, h, w, generator=generator)
    laplacian = MattingLaplacian(guide, unknown)
    weight = torch.linspace(0.02, 0.5, len(laplacian.at))
    result = solve(laplacian, values, prior, weight, 500)
    assert torch.equal(result[~unknown], values[~unknown])
    residual = (laplacian.stencil * result.flatten()[laplacian.neighbours]).sum(0)
    residual += weight * (result - prior).flatten()[laplacian.at]
    start = (laplacian.stencil * values.flatten()[laplacian.neighbours]).sum(0)
    start += weight * (values - prior).flatten()[laplacian.at]
    assert float(residual.norm()) < 0.02 * float(start.norm())


@pytest.mark.parametrize("quality", ["draft", "normal"])
def test_a_hard_map_that_is_off_is_mended_as_far_as_it_says(quality: str) -> None:
    coverage = outline(0)
    image, near = photo(coverage)[None], 1 - coverage[None].round()
    law = BlurLaw.thin_lens(torch.tensor([16.0]), torch.tensor([0.5]))

    def rendered(disparity: Tensor, edge_px: float = 0.0) -> Tensor:
        return bokeh.render(image, replace(DefocusMap.from_law(disparity, law), edge_px=edge_px), quality=quality)

    truth, off = rendered(1 - near), (1 - near).roll((6, 6), (1, 2))
    as_it_is, mended = ((picture - truth).square().mean() for picture in (rendered(off), rendered(off, 4.0)))
    assert float(as_it_is / mended) > 2, "the outline of the photo was not found"


def test_a_map_without_a_law_is_softened_too() -> None:
    radius = exact(outline(0))[None]
    assert float(softened(replace(DefocusMap.from_radius(radius), edge_px=2.0)).radius_px.diff().abs().max()) < 5
    assert softened(DefocusMap.from_radius(radius)).radius_px.equal(radius)


@pytest.mark.parametrize("edge_px", [2.6, 2.8, 3.0, 3.2, 3.4])
def test_no_soft_edge_falls_between_votes_and_matte(edge_px: float) -> None:
    """At the limit between them an outline is left to one of them, not to either by turns."""
    coverage = outline(0)
    law = BlurLaw.thin_lens(torch.tensor([16.0]), torch.tensor([0.5]))
    exact_map = DefocusMap.from_law(coverage[None].round(), law)
    truth, soft_one = (
        bokeh.render(photo(coverage)[None], replace(exact_map, edge_px=e), quality="draft") for e in (0.0, edge_px)
    )
    psnr = -10 * math.log10(float((soft_one - truth).square().mean()))
    assert psnr > 48, "specks along the outline cost 10 dB"


def test_a_wire_in_focus_stays_in_focus_where_the_map_does_not_show_its_depth() -> None:
    """Three pixels wide, the map blurred by 1.2 px, beside a post of the same depth: votes would blur it by several pixels."""
    coverage = torch.zeros(SIZE, SIZE)
    coverage[:, 60:63] = coverage[:, 100:112] = 1.0
    wall = 0.5 + 0.05 * torch.rand(3, SIZE, SIZE, generator=torch.Generator().manual_seed(3))
    image = torch.where(coverage > 0.5, torch.tensor([0.1, 0.05, 0.03]).view(3, 1, 1), wall)[None]
    radius = torch.where(coverage > 0.5, 0.0, 20.0)
    exact_map, soft_map = (bokeh.render(image, DefocusMap.from_radius(r))[0] for r in (radius, soft(radius, 1.2)))
    on_wire = (slice(None), slice(24, -24), slice(58, 64))
    assert float((exact_map - soft_map)[on_wire].abs().mean()) < 0.02


def test_all_of_a_leaning_wire_stays_in_focus_though_the_map_drifts_along_it() -> None:
    """The map has no least value along it then."""
    y, x = (a.float() for a in torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij"))
    on_wire = (x - y + 4).abs() <= 2
    front = on_wire | (x >= 112)
    wall = 0.5 + 0.05 * torch.rand(3, SIZE, SIZE, generator=torch.Generator().manual_seed(3))
    image = torch.where(front, torch.tensor([0.1, 0.05, 0.03]).view(3, 1, 1), wall)[None]
    radius = torch.where(front, 0.0, 20.0)
    drifting = soft(radius, 1.2) * (1 + 0.03 * (x + y) / SIZE)
    exact_map, soft_map = (bokeh.render(image, DefocusMap.from_radius(r))[0] for r in (radius, drifting))
    off = (exact_map - soft_map).abs().mean(0)[on_wire & (y > 24) & (y < SIZE - 40)]
    assert float(off.mean()) < 0.025
