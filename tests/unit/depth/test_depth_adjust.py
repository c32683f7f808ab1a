"""Depth mended by hand: each step's numbers, their order, and what it does to valid, metric, known_range and edge_px."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from refocus_core import depth
from refocus_core.depth import Area, At, adjust, isolate
from refocus_core.types import DepthMap

H, W = 24, 36
AREA = (slice(None), slice(6, 15), slice(9, 27))


def ramp(batch: int = 1, **more: Any) -> DepthMap:
    """Relative disparity that rises evenly from 0 at the left to 1 at the right."""
    return DepthMap(torch.linspace(0, 1, W).expand(batch, H, W).contiguous(), False, **more)


def rough(batch: int = 1, seed: int = 0, *, metric: bool = False, **more: Any) -> DepthMap:
    d = torch.rand(batch, H, W, generator=torch.Generator().manual_seed(seed))
    return DepthMap(0.2 + d if metric else d, metric, **more)


def mask(batch: int = 1) -> torch.Tensor:
    painted = torch.zeros(batch, H, W)
    painted[AREA] = 1
    return painted


# --- nothing to do ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "area",
    [
        None,
        Area(mask(), "none"),
        Area(mask(), "plane", amount=0),
        Area(torch.zeros(1, 64, 64), "flatten"),
        Area(mask() * 0, "pull", at=At(level=1.0), feather=2),
    ],
    ids=["none", "no action", "no amount", "Load Image's empty mask", "empty"],
)
def test_neutral_settings_return_the_map_itself(area: Area | None) -> None:
    given = rough(metric=True, valid=torch.rand(1, H, W) > 0.3, known_range=(0.1, 2.0), edge_px=1.5)
    assert adjust(given, image_srgb=torch.rand(1, 3, H, W), area=area) is given


# --- tones --------------------------------------------------------------------------------------------------------------


def test_invert_turns_the_range_over_and_twice_is_nothing() -> None:
    assert torch.equal(adjust(ramp(), invert=True).disparity, 1 - ramp().disparity)
    metres = rough(metric=True, known_range=(0.1, 1.5))
    once = adjust(metres, invert=True)
    assert torch.allclose(once.disparity, 1.6 - metres.disparity) and once.metric and once.known_range == (0.1, 1.5)
    assert torch.allclose(adjust(once, invert=True).disparity, metres.disparity, atol=1e-6)


def test_limits_stop_depth_at_a_level_and_stretch_nothing() -> None:
    d = ramp().disparity
    assert torch.equal(adjust(ramp(), far_limit=0.25, near_limit=0.5).disparity, d.clamp(0.25, 0.5))
    metres = rough(metric=True, known_range=(0.0, 2.0))
    out = adjust(metres, far_limit=0.25)
    assert torch.equal(out.disparity, metres.disparity.clamp_min(0.5)) and out.known_range == (0.5, 2.0)
    assert float(out.span()) == 1.5, "the scene is as deep as the limits let it be"


def test_levels_of_a_metric_map_run_over_what_is_valid_in_all_frames() -> None:
    d = torch.full((2, H, W), 0.5)
    d[0, 0, 0], d[1, 0, 0], d[1, 5, 5] = 0.25, 1.25, 9.0
    valid = torch.ones_like(d, dtype=torch.bool)
    valid[1, 5, 5] = False
    out = adjust(DepthMap(d, True, valid=valid), near_limit=0.5).disparity
    assert float(out.max()) == 0.75 and float(out[0, 0, 0]) == 0.25 and float(out[0, 3, 3]) == 0.5


def test_gamma_keeps_the_ends_and_what_lies_beyond_them() -> None:
    out = adjust(ramp(), gamma=2).disparity
    assert torch.allclose(out, ramp().disparity.sqrt()) and float(out[0, 0, 0]) == 0 and float(out[0, 0, -1]) == 1
    d = torch.full((1, H, W), 1.0)
    d[0, 0], d[0, 1], d[0, 2] = 0.0, 3.0, 0.75  # sky, something nearer than the range says, a quarter of the way
    out = adjust(DepthMap(d, True, known_range=(0.5, 1.5)), gamma=2)
    assert torch.equal(out.disparity[0, :3, 0], torch.tensor([0.0, 3.0, 1.0])) and out.known_range == (0.5, 1.5)


def test_one_plane_has_no_levels_to_bend() -> None:
    flat = DepthMap(torch.full((1, H, W), 0.7), True)
    assert torch.equal(adjust(flat, gamma=3, invert=True, far_limit=0.2).disparity, flat.disparity)


def test_smoothing_keeps_a_plane_and_makes_noise_small() -> None:
    flat = DepthMap(torch.full((1, H, W), 0.3), False)
    assert torch.allclose(adjust(flat, smooth=5).disparity, flat.disparity, atol=1e-6)
    assert float(adjust(rough(), smooth=5).disparity.std()) < 0.25 * float(rough().disparity.std())


def test_smoothing_blurs_depth_edges_and_says_so_unless_the_photo_shows_them() -> None:
    step = torch.zeros(1, H, W)
    step[..., W // 2 :] = 1
    photo = step[:, None].expand(-1, 3, -1, -1) * 0.6 + 0.2
    given = DepthMap(step, False, edge_px=2.7)
    blind, guided = adjust(given, smooth=10), adjust(given, smooth=10, image_srgb=photo)
    beside = (0, H // 2, W // 2)
    assert 0.4 < float(blind.disparity[beside]) < 0.7 and blind.edge_px == pytest.approx(4.5), "2.7 px and 3.6 px"
    assert float(guided.disparity[beside]) > 0.97 and guided.edge_px == 2.7


def test_smoothing_takes_nothing_from_unknown_pixels_and_leaves_them() -> None:
    d, valid = torch.full((1, H, W), 0.4), torch.ones(1, H, W, dtype=torch.bool)
    d[:, :8], valid[:, :8] = 0.0, False  # sky
    for photo in (None, torch.rand(1, 3, H, W, generator=torch.Generator().manual_seed(1))):
        out = adjust(DepthMap(d, False, valid=valid), smooth=10, image_srgb=photo)
        assert torch.allclose(out.disparity, d, atol=1e-5) and torch.equal(out.disparity[:, :8], d[:, :8])
        assert out.valid is valid


# --- areas --------------------------------------------------------------------------------------------------------------


def outside_is_untouched(before: DepthMap, after: DepthMap) -> None:
    assert torch.equal(after.disparity[mask(before.disparity.shape[0]) == 0], before.disparity[mask() == 0])


def test_flatten_puts_the_area_at_its_median_with_a_hard_edge() -> None:
    given = rough()
    out = adjust(given, area=Area(mask()))
    assert torch.equal(out.disparity[AREA], given.disparity[AREA].median().expand(1, 9, 18))
    outside_is_untouched(given, out)


def test_plane_is_found_under_noise_holes_and_gross_edges_of_the_mask() -> None:
    y, x = torch.meshgrid(torch.arange(H) / H, torch.arange(W) / W, indexing="ij")
    wall = (0.1 + 0.5 * x + 0.2 * y)[None]
    given, valid = wall.clone(), torch.ones(1, H, W, dtype=torch.bool)
    given[:, 8:12, 12:20], valid[:, 8:12, 12:20] = 0.9, False  # a window that the network saw through
    out = adjust(DepthMap(given, False, valid=valid), area=Area(mask(), "plane"))
    assert torch.allclose(out.disparity, wall, atol=1e-6)
    assert out.valid is None, "what was painted is known"


def test_plane_of_a_line_is_level_across_it() -> None:
    line = torch.zeros(1, H, W)
    line[0, 10] = 1
    wide = replace(ramp(), disparity=ramp().disparity.clone())
    out = adjust(wide, area=Area(line, "plane"))
    assert torch.allclose(out.disparity, wide.disparity, atol=1e-6)
    dot = torch.zeros(1, H, W)
    dot[0, 10, 10] = 1
    assert torch.allclose(adjust(ramp(), area=Area(dot, "plane")).disparity, ramp().disparity, atol=1e-6)


def test_pull_goes_to_a_level_a_point_or_a_distance_by_its_amount() -> None:
    given = rough(metric=True, known_range=(0.2, 1.2))
    point = At(point=(30.5 / W, 20.5 / H))
    for at, goal in ((At(level=0.25), 0.45), (At(distance_m=4.0), 0.25), (point, float(given.disparity[0, 20, 30]))):
        out = adjust(given, area=Area(mask(), "pull", at=at))
        assert torch.allclose(out.disparity[AREA], torch.tensor(goal))
        outside_is_untouched(given, out)
        half = adjust(given, area=Area(mask(), "pull", amount=0.5, at=at))
        assert torch.allclose(half.disparity[AREA], 0.5 * (given.disparity[AREA] + goal))


def test_move_shifts_the_relief_as_a_whole() -> None:
    given = rough(metric=True)
    out = adjust(given, area=Area(mask(), "move", at=At(distance_m=0.5)))
    shift = 2.0 - given.disparity[AREA].median()
    assert torch.allclose(out.disparity[AREA], given.disparity[AREA] + shift)
    outside_is_untouched(given, out)
    squashed = adjust(rough(), area=Area(mask(), "move", at=At(level=1.0))).disparity
    assert float(squashed.max()) == 1.0, "relative depth ends at 1"


def test_a_grey_mask_is_a_share_and_feather_is_asked_for() -> None:
    given, grey = ramp(), mask()
    grey[:, 6] = 0.25
    out = adjust(given, area=Area(grey, "pull", at=At(level=1.0))).disparity
    assert torch.allclose(out[0, 6, 9:27], torch.lerp(given.disparity[0, 6, 9:27], torch.ones(18), 0.25))
    soft = adjust(given, area=Area(mask(), "pull", at=At(level=1.0), feather=100 * 2 / W)).disparity
    assert float(given.disparity[0, 5, 15]) < float(soft[0, 5, 15]) < float(soft[0, 6, 15]) < 1.0
    assert torch.equal(soft[0, :, -2:], given.disparity[0, :, -2:])


def test_painted_depth_is_known_only_where_it_is_wholly_replaced() -> None:
    valid = torch.ones(1, H, W, dtype=torch.bool)
    valid[0, 8, 10] = valid[0, 0, 0] = False
    given = rough(valid=valid)
    wholly = adjust(given, area=Area(mask(), "pull", at=At(level=0.5))).valid
    assert wholly is not None and bool(wholly[0, 8, 10]) and not bool(wholly[0, 0, 0])
    for area in (Area(mask(), "pull", amount=0.5, at=At(level=0.5)), Area(mask(), "move", at=At(level=0.5))):
        out = adjust(given, area=area).valid
        assert out is not None and torch.equal(out, valid)


def test_the_known_range_grows_with_an_area_that_leaves_it() -> None:
    given = rough(metric=True, known_range=(0.2, 1.2))
    out = adjust(given, area=Area(mask(), "pull", at=At(distance_m=0.5)))
    assert out.known_range == (0.2, 2.0) and out.metric
    assert adjust(given, area=Area(mask(), "flatten")).known_range == (0.2, 1.2)
    far = adjust(given, area=Area(mask(), "pull", at=At(distance_m=float("inf"))))
    assert far.known_range == (0.0, 1.2)


def test_a_mask_of_another_size_is_fitted_and_another_shape_is_refused() -> None:
    twice = mask().repeat_interleave(2, 1).repeat_interleave(2, 2)
    assert torch.equal(adjust(rough(), area=Area(twice)).disparity, adjust(rough(), area=Area(mask())).disparity)
    with pytest.raises(ValueError, match="aspect"):
        adjust(rough(), area=Area(torch.ones(1, 64, 64)))


def test_each_frame_is_mended_by_itself_and_one_mask_serves_all() -> None:
    clip = rough(3)
    for area in (Area(mask()), Area(mask(), "plane"), Area(mask(), "move", at=At(point=(0.1, 0.1)))):
        together = adjust(clip, gamma=1.5, smooth=2, area=area).disparity
        for i in range(3):
            one = replace(clip, disparity=clip.disparity[i : i + 1])
            assert torch.allclose(together[i : i + 1], adjust(one, gamma=1.5, smooth=2, area=area).disparity, atol=1e-6)
    some = torch.cat([mask(), torch.zeros(2, H, W)])
    assert torch.equal(adjust(clip, area=Area(some)).disparity[1:], clip.disparity[1:]), "nothing is painted there"


def test_steps_run_in_the_order_that_is_stated() -> None:
    given, area = rough(seed=3), Area(mask(), "plane")
    all_at_once = adjust(given, invert=True, far_limit=0.1, near_limit=0.8, gamma=1.7, smooth=3, area=area)
    one = adjust(adjust(given, invert=True), far_limit=0.1, near_limit=0.8)
    one = adjust(adjust(adjust(one, gamma=1.7), smooth=3), area=area)
    assert torch.equal(all_at_once.disparity, one.disparity)


# --- isolate ------------------------------------------------------------------------------------------------------------


def test_isolate_is_one_within_the_tolerance_and_falls_over_the_softness() -> None:
    found = isolate(ramp(), At(level=0.5), tolerance=0.1, softness=0.2)[0, 0]
    away = (torch.linspace(0, 1, W) - 0.5).abs()
    assert torch.allclose(found, (1 - (away - 0.1) / 0.2).clamp(0, 1), atol=1e-5)
    hard = isolate(ramp(), At(level=0.5), tolerance=0.11, softness=0.0)[0, 0]
    assert torch.equal(hard, (away <= 0.11).float())


def test_isolate_of_a_plane_is_all_of_it_but_what_is_unknown() -> None:
    valid = torch.ones(1, H, W, dtype=torch.bool)
    valid[0, 0] = False
    flat = DepthMap(torch.full((1, H, W), 0.7), True, valid=valid)
    for softness in (0.0, 0.5):
        assert torch.equal(isolate(flat, At(point=(0.5, 0.5)), tolerance=0, softness=softness), valid.float())


# --- messages -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"gamma": 0.0}, "gamma"),
        ({"far_limit": 0.6, "near_limit": 0.4}, "far_limit"),
        ({"near_limit": 1.2}, "near_limit"),
        ({"smooth": 11.0}, "smooth"),
        ({"smooth": 1.0, "image_srgb": torch.rand(1, 3, 5, 5)}, "5x5"),
        ({"area": Area(mask(), "pull", at=At(distance_m=2.0))}, "near_m and far_m"),
    ],
)
def test_a_mistake_is_named(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        adjust(rough(), **options)


def test_depth_is_not_measured_where_none_is_known() -> None:
    valid = torch.zeros(1, H, W, dtype=torch.bool)
    valid[0, 0] = True
    given = rough(valid=valid)
    with pytest.raises(ValueError, match="under the mask"):
        adjust(given, area=Area(mask()))
    with pytest.raises(ValueError, match="around the point"):
        isolate(given, At(point=(0.5, 0.9)))
    assert adjust(given, area=Area(mask(), "pull", at=At(level=0.5))).valid is not None, "a depth that is said needs none"


def test_what_is_no_depth_or_no_action_is_refused() -> None:
    for wrong in ({}, {"level": 0.5, "distance_m": 1.0}, {"level": 2.0}, {"point": (3.0, 0.5)}, {"distance_m": 0.0}):
        with pytest.raises(ValueError, match=r"level|point|distance_m"):
            At(**wrong)
    with pytest.raises(ValueError, match="pull needs a depth"):
        Area(mask(), "pull")
    with pytest.raises(ValueError, match="flatten, plane"):
        Area(mask(), "melt")  # pyright: ignore[reportArgumentType] - a word from outside
    assert depth.AREA_WORDS == ("none", "flatten", "plane", "pull", "move")
