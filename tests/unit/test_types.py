"""The values that pass between rooms refuse what they cannot mean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from refocus_core import bokeh, defocus, depth
from refocus_core.checks import check_image, check_map, match_batch
from refocus_core.optics import BlurLaw
from refocus_core.types import DefocusMap, DepthMap, Kernel
from tests.helpers import motorcycle

D = torch.rand(2, 5, 7, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    "disparity,metric,error",
    [
        (D.double(), False, TypeError),
        (D[0], False, ValueError),
        (D * 3, False, ValueError),
        (-D, True, ValueError),
        (D / 0, True, ValueError),
        (torch.zeros(1, 0, 4), True, ValueError),
        ((D * 255).byte(), True, TypeError),
    ],
)
def test_depth_map_refuses(disparity: torch.Tensor, metric: bool, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"isparity"):
        DepthMap(disparity, metric)


def test_depth_map_checks_its_companions() -> None:
    with pytest.raises(ValueError, match="focal_px"):
        DepthMap(D, True, focal_px=torch.ones(3))
    with pytest.raises(ValueError, match="valid"):
        DepthMap(D, True, valid=torch.ones(2, 5, 7))
    assert DepthMap(D * 3, True, torch.ones(2), torch.ones(2, 5, 7, dtype=torch.bool)).to("cpu").metric


@pytest.mark.parametrize(
    "near_m,far_m,message", [(3.0, 1.0, "below far_m"), (0.0, 1.0, "above 0"), (float("nan"), 2.0, "above 0")]
)
def test_a_range_in_metres_must_make_sense(near_m: float, far_m: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DepthMap(D, False).with_range(near_m, far_m)


def test_only_relative_depth_takes_a_range() -> None:
    scaled = DepthMap(D, False, source="x").with_range(1.0, 4.0)
    assert scaled.metric and torch.allclose(scaled.disparity, 0.25 + 0.75 * D)
    assert scaled.span().tolist() == [0.75] * 2 and scaled.to("cpu").known_range == (0.25, 1.0)
    with pytest.raises(ValueError, match="already in metres"):
        scaled.with_range(1.0, 4.0)


def test_span_is_that_of_what_is_valid() -> None:
    valid = torch.ones(2, 5, 7, dtype=torch.bool)
    valid[1] = False
    assert DepthMap(D, False, valid=valid).span().tolist() == [1, 1]
    low, high = DepthMap(D, True, valid=valid).extremes()
    assert (float(low[0]), float(high[0])) == (float(D[0].min()), float(D[0].max()))
    assert DepthMap(D, True, valid=valid).span().tolist() == [float(high[0] - low[0]), 0]


@pytest.mark.parametrize("edge_px", [-1.0, float("nan"), float("inf")])
def test_uncertainty_of_edges_is_a_length(edge_px: float) -> None:
    one = torch.zeros(1, 4, 4)
    with pytest.raises(ValueError, match=r"DepthMap\.edge_px"):
        DepthMap(one, False, edge_px=edge_px)
    with pytest.raises(ValueError, match=r"DefocusMap\.edge_px"):
        DefocusMap(one, one, torch.zeros(1), torch.ones(1), edge_px=edge_px)


def test_defocus_map_checks_shapes_and_numbers() -> None:
    one = torch.ones(2)
    with pytest.raises(ValueError, match="differ in shape"):
        DefocusMap(D, D[:, :4], one, one)
    with pytest.raises(ValueError, match="NaN"):
        DefocusMap(D * torch.nan, D, one, one)
    with pytest.raises(ValueError, match="gain_px must hold 2 finite"):
        DefocusMap(D, D, one, one / 0)


def test_from_radius_recovers_the_lens_law() -> None:
    """K and the focus are found again from a radius map that follows the law."""
    radius = 12.5 * (0.4 - D)
    made = DefocusMap.from_radius(radius, D)
    assert torch.allclose(made.gain_px, torch.full((2,), 12.5), rtol=1e-4)
    assert torch.allclose(made.focus_disparity, torch.full((2,), 0.4), rtol=1e-3)
    assert torch.equal(made.radius_px, radius)


def test_a_map_whose_radii_were_edited_must_be_made_anew() -> None:
    made = DefocusMap.from_law(D, BlurLaw.thin_lens(torch.full((2,), 12.5), torch.full((2,), 0.4)))
    assert torch.equal(made.gain_px, torch.full((2,), 12.5)) and made.to("cpu").law is not None
    with pytest.raises(ValueError, match=r"DefocusMap.from_radius"):
        replace(made, radius_px=made.radius_px * 0.5)
    with pytest.raises(ValueError, match="must hold 2 frames"):
        replace(made, law=BlurLaw.thin_lens(torch.ones(1), torch.ones(1)))


def test_from_radius_alone_orders_by_signed_radius() -> None:
    made = DefocusMap.from_radius(torch.tensor([[-4.0, 0.0, 7.0]]))
    assert made.disparity[0, 0].diff().lt(0).all()
    assert torch.equal(made.gain_px * (made.focus_disparity - made.disparity), made.radius_px)


def test_from_radius_of_a_flat_disparity() -> None:
    made = DefocusMap.from_radius(torch.full((1, 3, 3), 5.0), torch.zeros(1, 3, 3))
    assert torch.isfinite(made.focus_disparity).all() and torch.isfinite(made.gain_px).all()


def test_in_focus_is_a_mask_of_the_sharp() -> None:
    made = DefocusMap.from_radius(torch.tensor([[-3.0, -0.5, 0.0, 0.4, 0.6]]))
    assert made.in_focus().tolist() == [[[0, 1, 1, 1, 0]]]
    assert made.in_focus(0.0).tolist() == [[[0, 0, 1, 0, 0]]]
    assert made.in_focus().dtype == torch.float32


@pytest.mark.parametrize(
    "raster", [torch.ones(1, 3, 3), -torch.eye(3)[None], torch.ones(2, 2, 2) / 4, torch.ones(1, 2, 3) / 6, torch.zeros(1, 4, 4)]
)
def test_kernel_refuses(raster: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"Kernel.raster"):
        Kernel(raster)


def test_checks_name_the_input() -> None:
    with pytest.raises(TypeError, match="photo must be a floating-point tensor"):
        check_image(torch.zeros(1, 3, 4, 4, dtype=torch.uint8), "photo")
    with pytest.raises(ValueError, match=r"photo must have the shape \[B,3,H,W\]"):
        check_image(torch.zeros(1, 4, 4, 3), "photo")
    with pytest.raises(ValueError, match="photo holds NaN"):
        check_image(torch.full((1, 3, 2, 2), torch.inf), "photo")
    with pytest.raises(TypeError, match="mask must be"):
        check_map([1, 2], "mask")  # type: ignore[arg-type] # that is the point
    assert match_batch(D[:1], 3, "x").shape == (3, 5, 7)
    with pytest.raises(ValueError, match="x has 2 frames but the picture has 3"):
        match_batch(D, 3, "x")


def test_bundled_depth_is_in_metres() -> None:
    """Range and share of measured pixels as in the dataset; the two stored forms agree."""
    metres, known = motorcycle.depth_m()
    assert metres[known].min() == pytest.approx(2.1104, abs=1e-3) and metres[known].max() == pytest.approx(5.0169, abs=1e-3)
    assert known.float().mean() == pytest.approx(0.9265, abs=1e-3)
    depth = motorcycle.depth_map()
    v = motorcycle.pictures.load_map(motorcycle.NEAR_BRIGHT)[:, 0]
    relative = 1 / motorcycle.FAR_M + v * (1 / motorcycle.NEAR_M - 1 / motorcycle.FAR_M)
    assert (1 / relative[known] - metres[known]).abs().max() < 1e-3
    assert (
        depth.valid is not None
        and torch.equal(depth.valid, known)
        and depth.disparity.shape == (*motorcycle.photo().shape[:1], 500, 741)
    )


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda v: depth.from_image(v, near_m=2e-311, far_m=1.0), ValueError, r"near_m must be at least 1e-06 m"),
        (lambda v: depth.from_image(v, "depth", metres_per_unit=1e-300), ValueError, r"metres_per_unit must be at least 1e-06"),
        (lambda _: defocus.FocusDistance(1e-300), ValueError, r"distance_m must be above 0 m \(at least 1e-06\)"),
        (lambda v: depth.adjust(depth.from_image(v), invert=torch.ones(2)), TypeError, "invert must be of type bool"),
        (lambda v: bokeh.kernel_from_image(v[0, 0] + 1, center="yes"), TypeError, "center must be of type bool"),
        (lambda v: bokeh.recover_highlights(v, v[:, 0], in_focus=torch.ones(2, 2)), TypeError, "in_focus must be of type bool"),
        (lambda v: defocus.to_image(DefocusMap.from_radius(v[:, 0]), fill_range=1), TypeError, "fill_range must be of type bool"),
        (lambda v: defocus.to_image(v), TypeError, "defocus_map must be of type DefocusMap"),
    ],
)
def test_numbers_that_float32_cannot_hold_and_switches_that_are_none_are_named(
    call: Callable[[torch.Tensor], object], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        call(torch.linspace(0, 1, 12).view(1, 1, 3, 4).expand(1, 3, 3, 4).contiguous())
