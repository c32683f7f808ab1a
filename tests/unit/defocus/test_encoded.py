"""Defocus maps as pictures: what their values mean, the way there and back, and how depth tells the sides."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from refocus_core import defocus
from refocus_core.defocus import Encoding, FocusPoint, from_image, to_image
from refocus_core.optics import SHARP_RADIUS_PX, Blur
from refocus_core.types import DefocusMap, DepthMap

H, W = 20, 40


def scene(batch: int = 1) -> DepthMap:
    return DepthMap(torch.rand(batch, H, W, generator=torch.Generator().manual_seed(2)), False, edge_px=1.5)


def lens_map(batch: int = 1) -> DefocusMap:
    """A map on both sides of the focus, which lies on some of its pixels."""
    return defocus.from_lens(scene(batch), Blur(20), FocusPoint(0.3, 0.4))


def same(radius_px: torch.Tensor, want: list[float]) -> None:
    assert torch.allclose(radius_px[0, 0, : len(want)], torch.tensor(want), atol=1e-5)


def picture(*values: float) -> torch.Tensor:
    """[1,3,1,W], the values at its left."""
    row = torch.full((W,), float(values[-1]))
    row[: len(values)] = torch.tensor(values)
    return row.expand(1, 3, 1, W)


# --- what values mean ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("encoding", "values", "radius_px"),
    [
        (Encoding(), (-3.0, 0.0, 5.5), [-3.0, 0.0, 5.5]),
        (Encoding(above="in front"), (-3.0, 0.0, 5.5), [3.0, 0.0, -5.5]),
        (Encoding(measure="diameter"), (-3.0, 8.0), [-1.5, 4.0]),
        (Encoding(unit="percent"), (-5.0, 10.0), [-2.0, 4.0]),  # of 40 px
        (Encoding(unit="percent", measure="diameter", white=100.0), (0.1,), [2.0]),
        (Encoding("grey", white=10.0), (0.0, 0.25, 0.5, 1.0), [-10.0, -5.0, 0.0, 10.0]),
        (Encoding("grey", white=10.0, above="in front"), (0.0, 1.0), [10.0, -10.0]),
        (Encoding(white=40.0), (0.5, 1.0), [20.0, 40.0]),
    ],
)
def test_values_are_radii_by_their_encoding(encoding: Encoding, values: tuple[float, ...], radius_px: list[float]) -> None:
    same(from_image(picture(*values), encoding).radius_px, radius_px)


def test_eight_bits_have_no_middle_grey_and_both_beside_it_are_in_focus() -> None:
    encoding = Encoding("grey", white=51.0)
    same(from_image(picture(*(v / 255 for v in (126, 127, 128, 129))), encoding).radius_px, [-0.6, 0.0, 0.0, 0.6])
    same(from_image(picture(127 / 255, 0.4999), encoding).radius_px, [-0.2, -0.0102])


def test_a_mask_is_a_picture_and_alpha_does_not_count() -> None:
    values = torch.rand(2, H, W)
    encoding = Encoding(white=12.0)
    grey = values[:, None].expand(-1, 3, -1, -1)
    for image in (values, grey, torch.cat([grey, torch.rand(2, 1, H, W)], 1)):
        assert torch.equal(from_image(image, encoding).radius_px, values * 12)


# --- there and back -----------------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(
    signs=st.sampled_from(("signed", "grey")),
    measure=st.sampled_from(("radius", "diameter")),
    unit=st.sampled_from(("px", "percent")),
    white=st.floats(0.01, 1000),
    above=st.sampled_from(("behind", "in front")),
    fill_range=st.booleans(),
)
def test_a_map_comes_back_from_its_picture(fill_range: bool, **how: Any) -> None:
    made, encoding = lens_map(2), Encoding(**how)
    image, white = to_image(made, encoding, fill_range=fill_range)
    assert image.shape == (2, 3, H, W) and (fill_range or white == encoding.white)
    back = from_image(image, Encoding(**{**how, "white": white}), depth_map=scene(2))
    allowed = 1e-5 * float(made.radius_px.abs().max()) + (1e-6 * Encoding(**{**how, "above": "behind"}).radius_px(W))
    assert float((back.radius_px - made.radius_px).abs().max()) <= allowed
    assert torch.equal(back.disparity, made.disparity) and back.edge_px == 1.5


def test_signed_radii_in_px_are_the_numbers_themselves() -> None:
    made = lens_map()
    image, white = to_image(made)
    assert torch.equal(image, made.radius_px[:, None].expand(-1, 3, -1, -1)) and white == 1.0
    back = from_image(image, depth_map=scene())
    assert torch.equal(back.radius_px, made.radius_px)
    assert back.law is not None and torch.allclose(back.gain_px, made.gain_px, rtol=1e-3), "the lens is found again"


def test_the_whole_range_is_used_over_all_frames() -> None:
    made = lens_map(3)
    largest = float(made.radius_px.abs().max())
    for signs in defocus.SIGNS:
        image, white = to_image(made, Encoding(signs, "diameter", "percent"), fill_range=True)
        assert white == pytest.approx(2 * largest / W * 100)
        assert float(image.abs().max()) == pytest.approx(1.0) or signs == "grey"
    grey, _ = to_image(made, Encoding("grey"), fill_range=True)
    assert min(float(grey.min()), 1 - float(grey.max())) == pytest.approx(0, abs=1e-6), "black or white is the largest"
    sharp = DefocusMap.from_radius(torch.zeros(1, H, W))
    image, white = to_image(sharp, Encoding("unsigned"), fill_range=True)
    assert white == 1.0 and not image.any()


# --- depth tells the sides ----------------------------------------------------------------------------------------------


def test_unsigned_pictures_get_their_sides_from_depth() -> None:
    made = lens_map(2)
    image, white = to_image(made, Encoding("unsigned"), fill_range=True)
    back = from_image(image, Encoding("unsigned", white=white), depth_map=scene(2))
    assert torch.allclose(back.radius_px.abs(), made.radius_px.abs(), atol=1e-5)
    wrong = (back.radius_px - made.radius_px).abs() > 1e-4
    assert float((made.radius_px.abs() * wrong).max()) < SHARP_RADIUS_PX, "the sharpest pixels tell where the focus lies"
    # A focus elsewhere puts other pixels in front.
    focus = FocusPoint(0.9, 0.9)
    other = from_image(image, Encoding("unsigned", white=white), depth_map=scene(2), focus=focus)
    at = defocus.focus_disparity(scene(2), focus).view(-1, 1, 1)
    assert torch.equal(other.radius_px < 0, (scene(2).disparity > at) & (image[:, 0] > 0))
    assert torch.allclose(other.radius_px.abs(), made.radius_px.abs(), atol=1e-4)


def test_one_depth_serves_all_frames_and_unknown_depth_does_not_tell_the_focus() -> None:
    d = torch.full((1, H, W), 0.2)
    d[..., W // 2 :] = 0.8
    d[:, :2] = 0.0
    valid = torch.ones(1, H, W, dtype=torch.bool)
    valid[:, :2] = False
    image = torch.full((2, H, W), 0.5)
    image[..., : W // 2] = 0.0  # the far half is sharp
    image[:, :2] = 0.0
    made = from_image(image, Encoding("unsigned", white=8.0), depth_map=DepthMap(d, False, valid=valid))
    assert torch.equal(made.radius_px[:, 2:, W // 2 :], torch.full((2, H - 2, W // 2), -4.0))
    assert not made.radius_px[:, 2:, : W // 2].any()


# --- messages -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("image", "options", "says"),
    [
        (picture(0.5), {"encoding": Encoding("unsigned")}, "Connect the depth"),
        (torch.full((1, H, W), -1.0), {"encoding": Encoding("unsigned"), "depth_map": scene()}, "negative"),
        (picture(0.5), {"depth_map": scene()}, "Resize the depth map"),
        (torch.zeros(3, H, W), {"depth_map": scene(2)}, "2 frames"),
        (torch.zeros(1, H, W), {"depth_map": scene(), "focus": FocusPoint()}, "Leave the focus out"),
        (torch.full((1, H, W), torch.nan), {}, "NaN"),
        (torch.rand(1, 3, H, W), {}, "in colour"),
    ],
)
def test_a_mistake_is_named(image: torch.Tensor, options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        from_image(image, **options)


def test_what_is_no_encoding_is_refused() -> None:
    for wrong in ({"signs": "both"}, {"measure": "area"}, {"unit": "mm"}, {"white": 0.0}, {"above": "below"}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            Encoding(**wrong)
