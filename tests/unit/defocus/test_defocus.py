"""Focus selection and the signed radius: values, signs, invariances, degenerate input, messages."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from refocus_core import defocus
from refocus_core.defocus import (
    FocusAuto,
    FocusDisparity,
    FocusDistance,
    FocusMask,
    FocusPoint,
    focus_disparity,
    from_lens,
    lens_for,
    parse_keyframes,
)
from refocus_core.files.pictures import CameraData
from refocus_core.optics import Blur, Gain, Lens, lens_gain_px
from refocus_core.types import DefocusMap, DepthMap
from tests.helpers import motorcycle


def test_k_of_genfocus_is_the_radius_by_disparity_in_metres() -> None:
    """Eq. 2 of arXiv 2512.16923, with the signs that it leaves out; full frame, 50 mm, f/1.8 and 1024 px make 19.8."""
    d = torch.tensor([[[0.2, 0.5, 1.0]]])
    made = from_lens(DepthMap(d, True), Gain(19.8), FocusDisparity(0.5))
    assert torch.allclose(made.radius_px, torch.tensor([[[5.94, 0.0, -9.9]]]), atol=1e-5)
    assert float(lens_gain_px(Lens(50, 1.8, 36), torch.tensor([0.0]), 1024)) == pytest.approx(19.8, abs=0.1)
    with pytest.raises(ValueError, match="K needs depth in metres"):
        from_lens(DepthMap(d, False), Gain(19.8), FocusDisparity(0.5))
    keys = parse_keyframes('{"keys": [{"frame": 0, "percent": 2}]}')
    with pytest.raises(ValueError, match="A key sets the aperture, but K sets the strength"):
        from_lens(DepthMap(d, True), Gain(19.8), FocusDisparity(0.5), keyframes=keys)
    with pytest.raises(ValueError, match=r"Gain\.px_m must be 0 or more"):
        Gain(-1.0)


def scene(b: int = 1, h: int = 31, w: int = 45, seed: int = 0, metric: bool = False) -> DepthMap:
    d = torch.rand(b, h, w, generator=torch.Generator().manual_seed(seed))
    return DepthMap(0.2 + d if metric else d, metric)


def planes(*disparities: float, h: int = 40, w: int = 60, metric: bool = False) -> DepthMap:
    """Vertical stripes of equal width."""
    d = torch.tensor(disparities)[torch.arange(w) * len(disparities) // w]
    return DepthMap(d.expand(1, h, w).contiguous(), metric)


# --- focus ---------------------------------------------------------------------------------------------------------------


def test_point_is_the_median_of_a_disc_not_a_pixel() -> None:
    d = planes(0.2, 0.8).disparity.clone()
    d[0, 20, 15] = 1.0  # an outlier right under the point
    assert focus_disparity(DepthMap(d, False), FocusPoint(15.5 / 60, 20.5 / 40, 0.05)) == pytest.approx(0.2)
    assert focus_disparity(DepthMap(d, False), (0.75, 0.5)) == pytest.approx(0.8)


@pytest.mark.parametrize("x,y,want", [(0, 0, (0, 0)), (1, 1, (4, 6)), (0.5, 0.5, (2, 3)), (0, 1, (4, 0))])
def test_point_reaches_every_corner(x: float, y: float, want: tuple[int, int]) -> None:
    d = torch.arange(35.0).reshape(1, 5, 7) / 35
    assert float(focus_disparity(DepthMap(d, False), FocusPoint(x, y, 0))) == pytest.approx(float(d[0][want]))


def test_point_disc_has_its_stated_radius() -> None:
    """In a ramp along x the extreme values inside the disc tell its radius: 0.1 of the long edge of 200 px = 20 px."""
    d = (torch.arange(200.0) / 200).expand(1, 100, 200).contiguous()
    for radius, far_from in [(0.1, 20), (0.02, 4)]:
        valid = (torch.arange(200) + 0.5 - 100 <= -far_from + 1).expand(1, 100, 200)
        got = focus_disparity(DepthMap(d, False, valid=valid), FocusPoint(0.5, 0.5, radius))
        assert float(got) * 200 + 0.5 == pytest.approx(100 - far_from, abs=1)
        with pytest.raises(ValueError, match="no known depth around the focus point"):
            further = (torch.arange(200) + 0.5 - 100 < -far_from).expand(1, 100, 200)
            focus_disparity(DepthMap(d, False, valid=further), FocusPoint(0.5, 0.5, radius))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 9), st.integers(1, 9))
def test_mask_is_the_median(seed: int, h: int, w: int) -> None:
    g = torch.Generator().manual_seed(seed)
    d, mask = torch.rand(1, h, w, generator=g), torch.rand(1, h, w, generator=g)
    mask.view(-1)[0] = 1
    values = d[mask > 0.5].sort().values
    got = float(focus_disparity(DepthMap(d, False), mask))
    assert got == float(values[(len(values) - 1) // 2])  # the lower of two middle values: one that occurs


def test_full_mask_is_the_median_of_the_picture() -> None:
    depth = scene()
    assert focus_disparity(depth, torch.ones(31, 45)) == depth.disparity.median()


def test_mask_ignores_invalid_depth() -> None:
    d = torch.tensor([[[0.1, 0.1, 0.1, 0.9]]])
    valid = torch.tensor([[[False, False, False, True]]])
    assert focus_disparity(DepthMap(d, False, valid=valid), torch.ones(1, 1, 4)) == 0.9
    with pytest.raises(ValueError, match="only pixels without known depth"):
        focus_disparity(DepthMap(d, False, valid=~valid), 1 - (~valid).float())


def test_mask_of_another_size_is_resampled() -> None:
    depth = planes(0.2, 0.5, 0.8)
    for h, w in [(20, 30), (80, 120), (41, 61), (400, 600)]:
        mask = torch.zeros(h, w)
        mask[:, w // 3 + 1 : 2 * w // 3 - 1] = 1
        assert float(focus_disparity(depth, mask)) == pytest.approx(0.5)


def test_a_stroke_thinner_than_a_pixel_of_the_depth_still_counts() -> None:
    mask = torch.zeros(400, 600)
    mask[200, 500] = 1
    assert float(focus_disparity(planes(0.2, 0.5, 0.8), mask)) == pytest.approx(0.8)


def test_mask_of_another_shape_names_both_sizes() -> None:
    with pytest.raises(ValueError, match=r"focus mask \(64 x 64\) and the depth map \(60 x 40\)"):
        focus_disparity(planes(0.2, 0.5), torch.ones(64, 64))


@pytest.mark.parametrize("mask", [torch.zeros(40, 60), torch.full((40, 60), 0.5), torch.zeros(1, 64, 64)])
def test_empty_mask_has_a_remedy(mask: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"mask is empty: no value is above 0\.5\. Paint"):
        focus_disparity(planes(0.2, 0.5), mask)


def test_mask_frames() -> None:
    depth = scene(3)
    one = torch.zeros(31, 45)
    one[3:9, 4:20] = 1
    together = focus_disparity(depth, one)
    assert together.shape == (3,) and float(together[1]) == float(depth.disparity[1, 3:9, 4:20].median())
    with pytest.raises(ValueError, match="focus mask has 2 frames"):
        focus_disparity(depth, one.expand(2, -1, -1))
    with pytest.raises(ValueError, match="empty in frame 1"):
        focus_disparity(depth, torch.stack([one, one * 0, one]))


def test_distance() -> None:
    depth = scene(2, metric=True)
    assert focus_disparity(depth, 4.0).tolist() == [0.25, 0.25]
    assert focus_disparity(depth, FocusDistance(math.inf)).tolist() == [0, 0]
    with pytest.raises(ValueError, match=r"needs depth in metres.*near_m and far_m"):
        focus_disparity(scene(), 4)


@pytest.mark.parametrize(
    "make,message",
    [
        (lambda: FocusPoint(320, 0.5), "not pixels"),
        (lambda: FocusPoint(0.5, -0.1), r"FocusPoint\.y"),
        (lambda: FocusPoint(math.nan, 0), r"FocusPoint\.x"),
        (lambda: FocusPoint(radius=0.6), "radius"),
        (lambda: FocusDistance(0), "above 0 m"),
        (lambda: FocusDistance(math.nan), "above 0 m"),
        (lambda: FocusDisparity(-1), "disparity"),
        (lambda: FocusAuto(2), "prominence"),
        (lambda: focus_disparity(scene(), FocusAuto(photo=torch.rand(2, 3, 31, 45))), "has 2 frames but"),
        (lambda: focus_disparity(scene(), "middle"), "focus must be"),
        (lambda: focus_disparity(scene(), (1, 2, 3)), "focus must be"),  # type: ignore[arg-type] # that is the point
        (lambda: focus_disparity(scene(), True), "focus must be"),
        (lambda: focus_disparity(scene(), torch.full((31, 45), torch.nan)), "focus mask holds NaN"),
    ],
)
def test_impossible_focus(make: object, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        make()  # type: ignore[operator] # a lambda


def test_auto_takes_the_nearest_prominent_surface_in_the_middle() -> None:
    d = torch.full((1, 90, 120), 0.1)
    d[:, 20:70, 40:80] = 0.6  # the subject
    d[:, :, :6] = 0.9  # something nearer at the border
    d[:, 44:46, 60:62] = 1.0  # and a speck in the middle
    assert float(focus_disparity(DepthMap(d, False))) == pytest.approx(0.6)
    assert float(focus_disparity(DepthMap(d, False), FocusAuto(prominence=0.0))) == 1.0


def test_auto_takes_what_the_camera_was_focused_on() -> None:
    d = torch.full((1, 90, 120), 0.1)
    d[:, 20:70, 30:75] = 0.8  # a large thing in front, out of focus
    d[:, 30:60, 80:105] = 0.4  # the subject, beside it
    photo = torch.full((1, 3, 90, 120), 0.5)
    photo[..., 30:60, 80:105] = torch.rand(30, 25, generator=torch.Generator().manual_seed(0))
    assert float(focus_disparity(DepthMap(d, False))) == pytest.approx(0.8)
    assert float(focus_disparity(DepthMap(d, False), FocusAuto(photo=photo))) == pytest.approx(0.4)
    larger = torch.nn.functional.interpolate(photo, (180, 240))
    assert float(focus_disparity(DepthMap(d, False), FocusAuto(photo=larger))) == pytest.approx(0.4)


def test_auto_takes_a_photo_without_detail_as_none() -> None:
    d = torch.full((1, 90, 120), 0.1)
    d[:, 20:70, 40:80] = 0.6
    assert float(focus_disparity(DepthMap(d, False), FocusAuto(photo=torch.full((1, 3, 90, 120), 0.5)))) == pytest.approx(0.6)


def test_auto_is_not_drawn_to_a_floor() -> None:
    d = torch.linspace(0, 1, 90).view(1, 90, 1).repeat(1, 1, 120)  # a floor through all distances
    d[:, 25:65, 45:75] = 0.62
    assert float(focus_disparity(DepthMap(d, False))) == pytest.approx(0.62, abs=0.02)


def test_auto_on_the_real_photo_is_the_motorcycle() -> None:
    got = 1 / float(focus_disparity(motorcycle.depth_map()))
    assert 2.2 < got < 2.7  # wheels 2.15 m .. 2.8 m, engine 2.4 m; bench and shelves 3.5 m .. 5 m


@pytest.mark.parametrize("value", [0.0, 0.37, 1.0])
def test_auto_on_flat_depth(value: float) -> None:
    assert float(focus_disparity(DepthMap(torch.full((1, 5, 5), value), False))) == pytest.approx(value)


def test_auto_without_any_known_depth() -> None:
    with pytest.raises(ValueError, match="no pixel with known depth"):
        focus_disparity(DepthMap(torch.ones(1, 4, 4), False, valid=torch.zeros(1, 4, 4, dtype=torch.bool)))


# --- the map -------------------------------------------------------------------------------------------------------------


def test_radius_follows_the_lens_table_in_a_picture() -> None:
    """Full frame 85 mm f/1.4 at 1024 px, focus 2 m: K = 73.4 * 2 / (2 - 0.085); a point at infinity and one at 1 m."""
    d = torch.tensor([0.0, 0.5, 1.0]).view(1, 1, 3).expand(1, 1, 3).repeat_interleave(342, 2)[..., :1024].contiguous()
    made = from_lens(DepthMap(d, True), Lens(85, 1.4), 2.0)
    k = 73.4 * 2 / 1.915
    assert float(made.gain_px) == pytest.approx(k, rel=0.01)
    assert made.radius_px[0, 0, 0] == pytest.approx(k / 2, rel=0.01)
    assert made.radius_px[0, 0, 500] == 0
    assert made.radius_px[0, 0, -1] == pytest.approx(-k / 2, rel=0.01)


@pytest.mark.parametrize("focus", [(0.3, 0.6), 3.0, None, torch.ones(31, 45)])
def test_map_obeys_its_own_law(focus: object) -> None:
    made = from_lens(scene(2, metric=True), Lens(), focus)  # type: ignore[arg-type] # parametrised shorthand
    law = made.gain_px.view(-1, 1, 1) * (made.focus_disparity.view(-1, 1, 1) - made.disparity)
    assert torch.equal(made.radius_px, law)


@pytest.mark.parametrize("depth", [planes(0.0, 0.5, 1.0, w=60), planes(0.0, 0.5, 1.0, w=60).with_range(1.0, 4.0)])
def test_percent_is_the_blur_from_one_end_of_the_scene_to_the_other_wherever_the_focus_lies(depth: DepthMap) -> None:
    far, middle, near = (from_lens(depth, Blur(5), (x, 0.5)) for x in (0.1, 0.5, 0.9))
    assert far.radius_px[0, 0, -1] == pytest.approx(-3.0) and near.radius_px[0, 0, 0] == pytest.approx(3.0)
    assert middle.radius_px[0, 0, 0] == pytest.approx(1.5) and middle.radius_px[0, 0, -1] == pytest.approx(-1.5)
    assert torch.equal(far.gain_px, middle.gain_px) and torch.equal(far.gain_px, near.gain_px)


def test_percent_of_metric_depth_goes_by_the_measured_span() -> None:
    d = torch.tensor([[[0.2, 0.3, 0.6, 9.0]]])
    made = from_lens(DepthMap(d, True, valid=d < 1), Blur(25), FocusDisparity(0.2))  # 9.0 is no measurement
    assert made.radius_px[0, 0, :3].tolist() == pytest.approx([0.0, -0.25, -1.0])
    plane = from_lens(DepthMap(torch.full((1, 1, 4), 0.5), True), Blur(25), FocusDisparity(0.0))
    assert plane.radius_px[0, 0].tolist() == pytest.approx([-1.0] * 4), "a single plane: as from there to infinity"


def test_size_of_the_picture_scales_the_radius() -> None:
    small, large = (from_lens(planes(0.1, 0.7, h=20 * k, w=30 * k), Blur(4), (0.9, 0.5)) for k in (1, 4))
    assert torch.allclose(large.radius_px[:, ::4, ::4], 4 * small.radius_px)


def test_stopping_down_never_blurs_more() -> None:
    stops = [from_lens(scene(metric=True), Lens(50, n), 2.0).radius_px.abs() for n in (1.4, 2, 4, 8, 16)]
    for wide, narrow in zip(stops, stops[1:], strict=False):  # noqa: RUF007 - pairs of neighbours
        assert bool((narrow <= wide).all()) and float(narrow.max()) < float(wide.max())


def test_near_and_far_metres_make_relative_depth_metric() -> None:
    relative = scene()
    metric = DepthMap(1 / 5.0 + relative.disparity * (1 / 2.0 - 1 / 5.0), True)
    a = from_lens(relative.with_range(2.0, 5.0), Lens(85, 2), 2.5)
    b = from_lens(metric, Lens(85, 2), 2.5)
    assert torch.equal(a.radius_px, b.radius_px) and torch.equal(a.disparity, b.disparity)
    assert from_lens(relative.with_range(1.0, math.inf), Lens()).disparity.min() >= 0


@pytest.mark.parametrize(
    "depth,lens,options,message",
    [
        (scene(), Lens(), {}, r"camera's blur needs depth in metres.*near_m and far_m.*percent"),
        (scene(), Blur(), {"focus_range": 1.5}, "focus_range"),
        (scene(), Blur(), {"focus_range": math.nan}, "focus_range"),
        (scene(), Blur(), {"near_gain": -1.0}, "near_gain"),
        (scene(), Blur(), {"far_gain": math.inf}, "far_gain"),
        (scene().disparity, Blur(), {}, "depth_map must be a DepthMap"),
        (scene(), 1.5, {}, "lens must be"),
        (scene(metric=True), Lens(50), {"focus": 0.03}, r"larger than the focal length \(50 mm\)"),
    ],
)
def test_impossible_requests(depth: DepthMap, lens: Lens, options: dict[str, float], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        from_lens(depth, lens, options.pop("focus", None), **options)


# --- focus range and gains -----------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(st.floats(0, 1), st.floats(0, 1), st.booleans())
def test_focus_range_is_exactly_sharp_inside_and_continuous(width: float, focus: float, metric: bool) -> None:
    d = torch.linspace(0, 1, 1001).view(1, 1, -1)
    depth = DepthMap(d, metric)
    plain = from_lens(depth, Blur(3), FocusDisparity(focus))
    made = from_lens(depth, Blur(3), FocusDisparity(focus), focus_range=width)
    inside = (d - focus).abs() < width / 2 - 1e-5
    assert bool((made.radius_px[inside] == 0).all())
    step = float(plain.radius_px.diff().abs().max())
    assert float(made.radius_px.diff().abs().max()) <= step * 1.001 + 1e-6  # no jump anywhere
    assert bool((made.radius_px * plain.radius_px >= 0).all())  # no side is exchanged
    outside = (d - focus).abs() > width / 2 + 1e-5
    assert torch.allclose(plain.radius_px[outside].abs() - made.radius_px[outside].abs(), plain.gain_px * width / 2, atol=1e-3)


def test_focus_range_of_metric_depth_is_a_share_of_the_measured_span() -> None:
    d = torch.tensor([[[0.2, 0.3, 0.4, 0.5, 0.6, 9.0]]])
    depth = DepthMap(d, True, valid=d < 1)  # 9.0 is no measurement
    made = from_lens(depth, Blur(10), FocusDisparity(0.4), focus_range=0.5)  # +- 0.1
    assert made.radius_px[0, 0, 1:4].tolist() == pytest.approx([0, 0, 0], abs=1e-6)
    assert made.radius_px[0, 0, 0] > 0 > made.radius_px[0, 0, 4]


def test_gains_act_on_their_side_only() -> None:
    depth = scene()
    plain = from_lens(depth, Blur(2), (0.5, 0.5)).radius_px
    made = from_lens(depth, Blur(2), (0.5, 0.5), near_gain=0.0, far_gain=2.0).radius_px
    assert torch.equal(made, torch.where(plain > 0, plain * 2, torch.zeros(())))


# --- batches, sizes, types -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lens,metric", [(Lens(85, 1.4), True), (Blur(2), True), (Blur(2), False)])
@pytest.mark.parametrize("focus", [(0.4, 0.4), None, torch.ones(31, 45), FocusDisparity(0.5)])
def test_a_batch_is_its_singles(lens: Lens | Blur, metric: bool, focus: object) -> None:
    depth = scene(3, metric=metric)
    options = {"focus_range": 0.1, "near_gain": 0.5, "far_gain": 1.5}
    whole = from_lens(depth, lens, focus, **options)  # type: ignore[arg-type] # parametrised shorthand
    for i in range(3):
        single = from_lens(DepthMap(depth.disparity[i : i + 1], metric), lens, focus, **options)  # type: ignore[arg-type]
        assert torch.equal(whole.radius_px[i : i + 1], single.radius_px)
        assert torch.equal(whole.gain_px[i : i + 1], single.gain_px)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (3, 5), (2, 2)])
@pytest.mark.parametrize("focus", [None, (0.5, 0.5), (1.0, 0.0), "mask"])
def test_tiny_and_odd_sizes(size: tuple[int, int], focus: object) -> None:
    depth = scene(2, *size)
    made = from_lens(depth, Blur(), torch.ones(size) if focus == "mask" else focus)  # type: ignore[arg-type] # parametrised
    assert made.radius_px.shape == (2, *size)
    assert defocus.preview(made).shape == (2, 3, *size)


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("metric", [True, False])
def test_flat_depth_is_all_in_focus(value: float, metric: bool) -> None:
    for lens in (Blur(3), *([Lens()] if metric else [])):
        made = from_lens(DepthMap(torch.full((1, 6, 6), value), metric), lens, None, focus_range=0.2)
        assert bool((made.radius_px == 0).all()) and bool((made.in_focus(0) == 1).all())


def test_nan_and_infinity_never_get_in() -> None:
    for bad in (torch.nan, torch.inf):
        with pytest.raises(ValueError, match="NaN or infinite"):
            from_lens(DepthMap(torch.full((1, 3, 3), bad), True), Blur())


def test_same_input_same_output() -> None:
    depth = scene(seed=4)
    assert torch.equal(from_lens(depth, Blur()).radius_px, from_lens(depth, Blur()).radius_px)


# --- preview -------------------------------------------------------------------------------------------------------------


def test_preview_colours() -> None:
    made = from_lens(planes(0.0, 0.5, 1.0), Blur(5), (0.5, 0.5))
    out = defocus.preview(made, torch.full((1, 3, 40, 60), 0.5))
    far, focus, near = (out[0, :, 20, x] for x in (5, 30, 55))
    assert far[0] > far[2] + 0.3 and near[2] > near[0] + 0.3
    assert focus[0] > focus[2] and focus[1] > focus[2] and (focus[0] - focus[1]).abs() < 0.1  # yellow
    assert out.min() >= 0 and out.max() <= 1


def test_preview_strength_grows_with_radius() -> None:
    ramp = DefocusMap.from_radius(torch.linspace(1.5, 20, 100).expand(1, 4, 100).contiguous())
    out = defocus.preview(ramp, torch.full((1, 3, 4, 100), 0.4))
    assert bool(((out[:, 0] - out[:, 2]).diff() > 0).all())


def test_preview_of_everything_sharp_and_of_hdr() -> None:
    sharp = DefocusMap.from_radius(torch.zeros(1, 8, 8))
    assert torch.isfinite(defocus.preview(sharp, torch.full((1, 3, 8, 8), 9.0))).all()


def test_preview_marks_the_point_and_checks_the_size() -> None:
    made = from_lens(scene(h=60, w=80), Blur(), (0.5, 0.5))
    image = torch.rand(1, 3, 60, 80)
    marked = defocus.preview(made, image, focus=FocusPoint(0.25, 0.5, 0.1))
    changed = (marked != defocus.preview(made, image)).any(1)[0].nonzero().float() + 0.5
    distance = ((changed[:, 0] - 30) ** 2 + (changed[:, 1] - 20) ** 2).sqrt()
    assert float(distance.min()) > 5 and float(distance.max()) < 11
    with pytest.raises(ValueError, match=r"image \(70 x 60\) and the defocus map \(80 x 60\)"):
        defocus.preview(made, torch.rand(1, 3, 60, 70))


def test_the_preview_of_a_turned_picture_is_the_preview_turned() -> None:
    """It is computed in strips of rows: here their borders lie elsewhere, and outlines of 2 px look over them."""
    g = torch.Generator().manual_seed(1)
    radius = torch.nn.functional.interpolate(torch.randn(1, 1, 40, 60, generator=g) * 9, (600, 900), mode="bicubic")[:, 0]
    image = torch.rand(1, 3, 600, 900, generator=g)
    upright = defocus.preview(DefocusMap.from_radius(radius), image, focus=FocusPoint(0.99, 0.05, 0.02))
    turned = DefocusMap.from_radius(radius.mT.contiguous())
    beside = defocus.preview(turned, image.mT.contiguous(), focus=FocusPoint(0.05, 0.99, 0.02))
    torch.testing.assert_close(beside.mT, upright, atol=1e-6, rtol=0)


def test_focus_mask_object_equals_shorthand() -> None:
    depth, mask = scene(), torch.ones(31, 45)
    assert torch.equal(focus_disparity(depth, FocusMask(mask)), focus_disparity(depth, mask))


def test_lens_takes_its_focal_length_from_the_depth() -> None:
    """994.978 px on 741 px of a full-frame sensor are 48.3 mm."""
    depth = motorcycle.depth_map()
    assert lens_for(depth, 2.0).focal_mm == pytest.approx(994.978 * 36 / 741)
    assert lens_for(depth, 2.0, sensor_mm=18).focal_mm == pytest.approx(994.978 * 18 / 741)
    assert lens_for(depth, 2.0, 85) == Lens(85, 2.0, 36)
    with pytest.raises(ValueError, match="focal length is not known from the depth"):
        lens_for(scene(), 2.0)


PHONE = CameraData(focal_mm=6.8, f_number=1.9, sensor_mm=9.8, subject_m=1.7)


def test_lens_as_taken_fills_only_what_is_left_open() -> None:
    depth = motorcycle.depth_map()
    assert lens_for(depth, None, None, None, PHONE) == Lens(6.8, 1.9, 9.8)
    assert lens_for(depth, 1.2, None, None, PHONE) == Lens(6.8, 1.2, 9.8)
    assert lens_for(depth, 1.2, 50, 36, PHONE) == Lens(50, 1.2, 36)
    assert lens_for(depth, None, 50, None, PHONE) == Lens(50, 1.9, 9.8)
    assert defocus.subject_distance(PHONE) == FocusDistance(1.7)


def test_the_photos_focal_length_on_another_sensor_keeps_its_view() -> None:
    """6.8 mm on 9.8 mm show what 24.98 mm show on 36 mm; the photo's file counts before the depth."""
    found = lens_for(motorcycle.depth_map(), None, None, 36, PHONE)
    assert found.focal_mm == pytest.approx(6.8 * 36 / 9.8)
    # Where the file knows no sensor, the one that is set is the camera's.
    assert lens_for(scene(), 2.0, None, 9.8, CameraData(focal_mm=6.8)) == Lens(6.8, 2.0, 9.8)
    assert lens_for(motorcycle.depth_map(), 2.0, None, 36, CameraData()).focal_mm == pytest.approx(994.978 * 36 / 741)


@pytest.mark.parametrize("camera", [None, CameraData()])
def test_what_neither_person_nor_file_says_is_named(camera: CameraData | None) -> None:
    depth = motorcycle.depth_map()
    why = "no photo's lens data" if camera is None else "its file does not tell it"
    with pytest.raises(ValueError, match=f"f_number is to be the photo's own.*{why}.*Set f_number"):
        lens_for(depth, None, 50, 36, camera)
    with pytest.raises(ValueError, match=f"sensor is to be the photo's own.*{why}.*Set sensor"):
        lens_for(depth, 2.0, 50, None, camera)
    with pytest.raises(ValueError, match=f"distance_m is to be the photo's own.*{why}.*Set distance_m"):
        defocus.subject_distance(camera)


# --- between two points, keyframes, thumbnails ----------------------------------------------------------------------------


def test_between_two_points_is_sharp_from_one_to_the_other() -> None:
    d = planes(0.2, 0.5, 0.8, 0.9)
    both = defocus.FocusBetween(FocusPoint(0.1, 0.5), FocusPoint(0.6, 0.5))
    assert focus_disparity(d, both) == pytest.approx(0.5)
    assert defocus.focus_half_width(d, both) == pytest.approx(0.3)
    made = from_lens(d, Blur(5), both)
    radius = made.radius_px[0, 20, [5, 20, 40, 55]]
    assert radius[:3].abs().max() < 1e-5 and float(radius[3]) == pytest.approx(float(made.gain_px[0]) * -0.1, rel=1e-4)
    wider = from_lens(d, Blur(5), both, focus_range=0.2)
    assert float(wider.radius_px.abs().max()) < 1e-5
    swapped = from_lens(d, Blur(5), defocus.FocusBetween(both.second, both.first))
    assert torch.equal(swapped.radius_px, made.radius_px)


def keys(text: str) -> defocus.Keyframes:
    found = defocus.parse_keyframes(text)
    assert found is not None
    return found


def test_keyframes_pull_focus_from_one_surface_to_another() -> None:
    d = DepthMap(planes(0.2, 0.8).disparity.expand(5, -1, -1).contiguous(), False)
    text = '{"keys": [{"frame": 1, "x": 0.2, "y": 0.5, "ease": "%s"}, {"frame": 3, "x": 0.8, "y": 0.5}]}'
    for ease, middle in (("linear", 0.5), ("ease", 0.5), ("hold", 0.2)):
        made = from_lens(d, Blur(5), 0.5, keyframes=keys(text % ease))
        assert made.focus_disparity.tolist() == pytest.approx([0.2, 0.2, middle, 0.8, 0.8])
    quarter = '{"keys": [{"frame": 0, "x": 0.2, "y": 0.5}, {"frame": 4, "x": 0.8, "y": 0.5}]}'
    assert float(keys(quarter).focus_disparity(d)[1]) == pytest.approx(0.2 + 0.6 * (0.25**2 * (3 - 0.5)))


def test_a_key_measures_its_point_in_its_own_frame() -> None:
    d = DepthMap(torch.stack([planes(0.2, 0.8).disparity[0], planes(0.6, 0.4).disparity[0]]), False)
    moved = keys('{"keys": [{"frame": 0, "x": 0.2, "y": 0.5}, {"frame": 9, "x": 0.2, "y": 0.5, "ease": "linear"}]}')
    track = moved.focus_disparity(d)
    assert float(track[0]) == pytest.approx(0.2) and float(track[1]) == pytest.approx(0.2 + 0.4 * (1 / 81) * (3 - 2 / 9))


def test_keyframes_of_the_aperture_run_in_stops_and_in_percent() -> None:
    d = scene(3, metric=True)
    lens = Lens(50, 2.0, 36)
    still = from_lens(d, lens, (0.5, 0.5))
    moved = from_lens(
        d,
        lens,
        (0.5, 0.5),
        keyframes=keys('{"keys": [{"frame": 0, "f_number": 2, "ease": "linear"}, {"frame": 2, "f_number": 8}]}'),
    )
    assert (moved.gain_px / still.gain_px).tolist() == pytest.approx([1, 0.5, 0.25])
    percent = keys('{"keys": [{"frame": 0, "percent": 1, "ease": "linear"}, {"frame": 2, "percent": 3}]}')
    still = from_lens(d, Blur(2), (0.5, 0.5))
    assert (from_lens(d, Blur(2), (0.5, 0.5), keyframes=percent).gain_px / still.gain_px).tolist() == pytest.approx([0.5, 1, 1.5])


def test_keyframes_by_distance_need_metres() -> None:
    away = keys('{"keys": [{"frame": 0, "distance_m": 2}, {"frame": 2, "distance_m": 4, "ease": "hold"}]}')
    with pytest.raises(ValueError, match="near_m and far_m"):
        away.focus_disparity(scene(3))
    scaled = from_lens(scene(3).with_range(1, 10), Blur(2), keyframes=away)
    assert scaled.focus_disparity.tolist() == pytest.approx([0.5, 0.375, 0.25])


@pytest.mark.parametrize(
    "text,message",
    [
        ("{", "not JSON: .* line 1"),
        ("[]", "must look like"),
        ('{"keys": []}', "no key"),
        ('{"keys": [5]}', "Key 1 .* must be an object"),
        ('{"keys": [{"frame": 0.5, "x": 0, "y": 0}]}', "whole number"),
        ('{"keys": [{"frame": -1, "x": 0, "y": 0}]}', "before the clip"),
        ('{"keys": [{"frame": 0, "x": 0}]}', "only one of x and y"),
        ('{"keys": [{"frame": 0, "x": 0, "y": 2}]}', "y must lie in 0..1"),
        ('{"keys": [{"frame": 0, "x": 0, "y": 0, "distance_m": 1}]}', "both a point"),
        ('{"keys": [{"frame": 0}]}', "sets nothing"),
        ('{"keys": [{"frame": 0, "f_number": 0}]}', "above 0"),
        ('{"keys": [{"frame": 0, "f_number": "2"}]}', "must be a number"),
        ('{"keys": [{"frame": 0, "percent": 1, "ease": "bounce"}]}', "ease must be one of linear, ease, hold"),
        ('{"keys": [{"frame": 0, "percent": 1, "blur": 2}]}', "unknown fields: blur"),
        ('{"keys": [{"frame": 2, "percent": 1}, {"frame": 2, "percent": 3}]}', "Two keys lie at frame 2"),
    ],
)
def test_wrong_keyframes_say_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        defocus.parse_keyframes(text)


def test_empty_keyframes_are_none_and_the_other_strength_is_refused() -> None:
    assert defocus.parse_keyframes(" \n") is None
    with pytest.raises(ValueError, match="A key sets f_number, but the strength is given by percent"):
        keys('{"keys": [{"frame": 0, "f_number": 2}]}').opening(Blur(2), 1)
    with pytest.raises(ValueError, match="percent is 0"):
        keys('{"keys": [{"frame": 0, "percent": 2}]}').opening(Blur(0), 1)


def test_thumbnail_keeps_values_marks_the_unknown_and_unpacks() -> None:
    import zlib

    import numpy as np

    d = torch.rand(2, 50, 80, generator=torch.Generator().manual_seed(5))
    valid = torch.rand(2, 50, 80) > 0.2
    small = defocus.thumbnail(d, 40, valid=valid)
    assert small.codes.shape == (2, 25, 40)
    steps = np.frombuffer(zlib.decompress(small.packed()), "<u2").reshape(2, 25, 40)
    assert np.array_equal(np.cumsum(steps, -1, dtype=np.uint16), small.codes)
    picked = d[:, 1::2, 1::2].numpy()
    assert np.abs(small.low + (small.codes & 32767) / 32767 * (small.high - small.low) - picked).max() < 3e-5
    assert np.array_equal(small.codes > 32767, ~valid[:, 1::2, 1::2].numpy())
    assert defocus.thumbnail(torch.full((1, 3, 5), 0.4)).codes.max() == 0
    assert defocus.shown_frames(5) == [0, 1, 2, 3, 4] and defocus.shown_frames(100, 3) == [0, 50, 99]


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"keys": [{"frame": 0, "distance_m": ' + "9" * 400 + "}]}",
        '{"keys": [{"frame": ' + "9" * 400 + ', "distance_m": 1}]}',
        '{"keys": [{"frame": 0, "distance_m": ' + "9" * 5000 + "}]}",
    ],
    ids=["deep", "400 digits", "400 digits of a frame", "5000 digits"],
)
def test_keyframes_that_no_person_writes_are_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match="key"):
        defocus.parse_keyframes(text)
