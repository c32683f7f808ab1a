"""What a lens does to the light within its blur: the physics of each control, its limits, and settings as JSON."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor

from refocus_core import bokeh
from refocus_core.bokeh.character import MOST_FRINGE, pupil_radius
from refocus_core.bokeh.segments import cut_aperture
from refocus_core.types import DefocusMap, Kernel

SIZE = 128


def _drawn(**character: Any) -> Kernel:
    return bokeh.through_lens(bokeh.make_kernel("circle", size=SIZE), bokeh.Character(**character))


def _rim_over_middle(raster: Tensor) -> float:
    """Light per cell between 0.85 and 0.95 of the radius over that within 0.2."""
    axis = (torch.arange(SIZE) + 0.5) * 2 / SIZE - 1
    rho = torch.hypot(axis[:, None], axis[None])
    light = raster.mean(0)
    return float(light[(rho > 0.85) & (rho < 0.95)].mean() / light[rho < 0.2].mean())


def _light(radius_px: float, kernel: Kernel, size: int = 81, quality: str = "best") -> Tensor:
    """[3,size,size] what a point light at the middle of a dark picture becomes."""
    picture = torch.zeros(1, 3, size, size)
    picture[..., size // 2, size // 2] = 100.0
    radius = torch.full((1, size, size), radius_px)
    return bokeh.render(picture, DefocusMap.from_radius(radius), kernel, quality=quality)[0]


@pytest.mark.parametrize(
    "character", [{"spherical": 0.8}, {"spherical": -1.0}, {"fringe": 0.6}, {"onion": 1.0}, {"squeeze": 2.0}]
)
def test_no_light_is_lost_on_either_side_of_the_focus(character: dict[str, float]) -> None:
    kernel = _drawn(**character)
    for raster in (kernel.raster, kernel.side(-1)):
        torch.testing.assert_close(raster.sum((1, 2)), torch.ones(len(raster)), atol=1e-5, rtol=0)
        assert float(raster.min()) >= 0
    for radius in (12.0, -12.0):
        torch.testing.assert_close(_light(radius, kernel).sum((1, 2)), torch.full((3,), 100.0), atol=0.05, rtol=0)


def test_spherical_aberration_has_a_bright_rim_on_one_side_of_the_focus_and_a_soft_one_on_the_other() -> None:
    ratios = [_rim_over_middle(_drawn(spherical=s).raster) for s in (-1.0, -0.5, 0.0, 0.5, 1.0)]
    assert all(a < b for a, b in itertools.pairwise(ratios)), "monotone"
    assert ratios[2] == pytest.approx(1, abs=0.01)
    over, under = _drawn(spherical=0.7), _drawn(spherical=-0.7)
    assert over.near is not None and under.near is not None
    assert _rim_over_middle(over.near) < 0.8 < 1.3 < _rim_over_middle(over.raster)
    torch.testing.assert_close(over.near, under.raster)
    behind, front = _light(20.0, over).mean(0), _light(-20.0, over).mean(0)
    assert float(behind[40, 58] / behind[40, 40]) > 1.5 and float(front[40, 58] / front[40, 40]) < 0.75


@pytest.mark.parametrize("a", [-0.3, -0.1, 0.2, 0.3])
def test_rays_land_where_primary_spherical_aberration_sends_them(a: float) -> None:
    rho = torch.linspace(0, 1, 101, dtype=torch.float64)
    torch.testing.assert_close(pupil_radius((rho + a * rho**3) / (1 + a), a), rho, atol=1e-6, rtol=0)
    # Light per area times area is the light of the pupil's ring, for every ring.
    kernel = _drawn(spherical=-a / 0.3)
    axis = (torch.arange(SIZE) + 0.5) * 2 / SIZE - 1
    distance = torch.hypot(axis[:, None], axis[None])
    within = float(kernel.raster[0][distance <= 0.7].sum())
    assert within == pytest.approx(float(pupil_radius(torch.tensor(0.7, dtype=torch.float64), a)) ** 2, abs=0.01)


def test_a_fringe_is_green_behind_the_focus_and_magenta_in_front_of_it() -> None:
    kernel = _drawn(fringe=1.0)
    at = 40 + round(20 * (1 - MOST_FRINGE / 2))
    behind, front = _light(20.0, kernel)[:, 40, at], _light(-20.0, kernel)[:, 40, at]
    assert float(behind[1]) > 3 * float(behind[0]) and float(behind[1]) > 3 * float(behind[2])
    assert float(front[1]) < float(front[0]) / 3 and float(front[1]) < float(front[2]) / 3
    torch.testing.assert_close(_drawn(fringe=-0.5).raster, kernel_near(_drawn(fringe=0.5)))
    white = torch.ones(1, 3, 40, 40)
    shown = bokeh.render(white, DefocusMap.from_radius(torch.full((1, 40, 40), 9.0)), kernel)
    torch.testing.assert_close(shown, white, atol=1e-4, rtol=0)


def kernel_near(kernel: Kernel) -> Tensor:
    """Its raster in front of the focus, which must differ."""
    assert kernel.near is not None
    return kernel.near


@pytest.mark.parametrize(("squeeze", "wide", "high"), [(2.0, 0.5, 1.0), (1.33, 1 / 1.33, 1.0), (0.5, 1.0, 0.5)])
def test_an_anamorphic_light_is_an_ellipse(squeeze: float, wide: float, high: float) -> None:
    raster = _drawn(squeeze=squeeze).raster[0]
    axis = ((torch.arange(SIZE) + 0.5) * 2 / SIZE - 1).double()
    second_x, second_y = float((raster.sum(0) * axis**2).sum()), float((raster.sum(1) * axis**2).sum())
    assert (2 * second_x**0.5, 2 * second_y**0.5) == pytest.approx((wide, high), abs=0.01)


def test_onion_rings_are_rings() -> None:
    contrast = [float(_drawn(onion=o).raster[0][SIZE // 2, SIZE // 2 : -20].std()) for o in (0.0, 0.3, 0.8)]
    assert contrast[0] < contrast[1] < contrast[2]
    raster = _drawn(onion=0.8).raster[0]
    torch.testing.assert_close(raster, raster.T, atol=1e-6, rtol=0)


def test_dust_lies_on_the_aperture() -> None:
    dust = torch.ones(40, 40)
    dust[10:16, 20:28] = 0
    kernel = bokeh.through_lens(bokeh.make_kernel("circle", size=SIZE), bokeh.Character(texture=dust))
    assert float(kernel.raster[0, 42, 76]) < 1e-6 < float(kernel.raster[0, 80, 76])
    assert float(_light(24.0, kernel)[0, 30, 44]) < 0.1 * float(_light(24.0, kernel)[0, 50, 44]), "up behind the focus"
    assert float(_light(-24.0, kernel)[0, 50, 36]) < 0.1 * float(_light(-24.0, kernel)[0, 30, 36]), "mirrored in front of it"


def test_without_a_character_the_kernel_is_the_same_object() -> None:
    kernel = bokeh.make_kernel("heart", size=SIZE)
    assert bokeh.through_lens(kernel, bokeh.Character()) is kernel


@pytest.mark.parametrize("count", [3, 4, 16])
@pytest.mark.parametrize("fringe", [0.0, 0.7])
def test_segments_hold_the_same_light_on_either_side_of_the_focus(count: int, fringe: float) -> None:
    drawn = bokeh.through_lens(bokeh.make_kernel("triangle", size=SIZE), bokeh.Character(spherical=0.8, fringe=fringe))
    segments = cut_aperture(drawn, count)
    assert len(segments) > 1
    for s in segments:
        torch.testing.assert_close(s.side(-1).sum((1, 2)), s.raster.sum((1, 2)), atol=2e-4, rtol=0)
    torch.testing.assert_close(torch.stack([s.side(-1) for s in segments]).sum(0), kernel_near(drawn), atol=1e-6, rtol=0)


def test_halves_of_a_scene_on_either_side_of_the_focus_each_get_their_own_blur() -> None:
    kernel = bokeh.through_lens(bokeh.make_kernel("triangle"), bokeh.Character(spherical=0.8))
    picture = torch.zeros(1, 3, 80, 160)
    picture[..., 40, 40] = picture[..., 40, 120] = 50.0
    radius = torch.cat([torch.full((1, 80, 80), 14.0), torch.full((1, 80, 80), -14.0)], -1)
    shown = bokeh.render(picture, DefocusMap.from_radius(radius), kernel, quality="best")[0]
    behind = bokeh.render(picture[..., :80], DefocusMap.from_radius(radius[..., :80]), kernel, quality="best")[0]
    front = bokeh.render(picture[..., 80:], DefocusMap.from_radius(radius[..., 80:]), kernel, quality="best")[0]
    for found, alone in ((shown[:, :, 20:60], behind[:, :, 20:60]), (shown[:, :, 100:140], front[:, :, 20:60])):
        assert float((found - alone).abs().max()) < 0.02 * float(alone.max())


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"squeeze": 3.0}, "squeeze"),
        ({"spherical": 1.1}, "spherical"),
        ({"fringe": float("nan")}, "fringe"),
        ({"onion": -0.1}, "onion"),
    ],
)
def test_wrong_values_are_named(values: dict[str, Any], name: str) -> None:
    with pytest.raises(ValueError, match=name):
        bokeh.Character(**values)


def test_a_texture_that_leaves_no_light_is_named() -> None:
    with pytest.raises(ValueError, match="texture"):
        bokeh.Character(texture=torch.zeros(8, 8))
    corner = torch.zeros(32, 32)
    corner[0, 0] = 1
    with pytest.raises(ValueError, match=r"texture covers.*brighter"):
        bokeh.through_lens(bokeh.make_kernel("circle", size=32), bokeh.Character(texture=corner))


@pytest.mark.parametrize("name", bokeh.PRESETS)
def test_presets_differ_from_a_plain_disc_and_survive_json(name: str) -> None:
    settings = bokeh.PRESETS[name]
    assert bokeh.ApertureSettings.from_json(settings.to_json()) == settings
    kernel, disc = bokeh.kernel_at(settings.kernel(), 0.8, -0.6), bokeh.make_kernel("circle")
    assert float((kernel.raster - disc.raster).abs().sum()) > 0.05


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("{", "no JSON"),
        ("[]", "object"),
        ('{"sides": 3}', r"'sides'.*Known: shape"),
        ('{"blades": 3.5}', "blades .* whole number"),
        ('{"shape": 3}', "shape .* word"),
        ('{"softness": true}', "softness .* number"),
    ],
)
def test_aperture_files_that_are_wrong_are_named(text: str, name: str) -> None:
    with pytest.raises(ValueError, match=name):
        bokeh.ApertureSettings.from_json(text)
