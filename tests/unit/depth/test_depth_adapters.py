"""Depth that others made: ComfyUI's geometry dictionaries and pictures; its shape, units, holes and ends."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from refocus_core import depth
from refocus_core.depth.ranges import FLAT, robust_range, to_relative
from refocus_core.types import DepthMap

H, W = 12, 20


def metres(batch: int = 2, seed: int = 0) -> torch.Tensor:
    return torch.rand(batch, H, W, generator=torch.Generator().manual_seed(seed)) * 9 + 1


def da3(**more: object) -> dict:
    """What core's node passes on in mono mode (nodes_depth_anything_3.py)."""
    d = metres()
    return {"depth": d, "image": torch.zeros(2, H, W, 3), "mode": "mono", **more}


def moge(**more: object) -> dict:
    """What core's node passes on (nodes_moge.py): normalised intrinsics, inf where masked."""
    k = torch.tensor([[[0.9, 0, 0.5], [0, 0.9 * W / H, 0.5], [0, 0, 1.0]]]).repeat(2, 1, 1)
    d = metres()
    mask = torch.ones_like(d, dtype=torch.bool)
    mask[:, :3] = False
    d = torch.where(mask, d, torch.inf)
    return {
        "depth": d,
        "points": torch.zeros(2, H, W, 3),
        "intrinsics": k,
        "mask": mask,
        "image": torch.zeros(2, H, W, 3),
        **more,
    }


# --- Depth Anything 3 ----------------------------------------------------------------------------------------------------


def test_da3_metric_needs_the_focal_length() -> None:
    """depth_m = focal_px * output / 300: with f = 600 px an output of 1 is 2 m."""
    g = da3(sky=torch.zeros(2, H, W))
    out = depth.from_da3(g, focal_px=600.0)
    assert out.metric and out.valid is None
    assert torch.allclose(1 / out.disparity, g["depth"] * 2, rtol=1e-5)
    assert out.focal_px is not None and out.focal_px.tolist() == [600.0, 600.0]
    with pytest.raises(ValueError, match="focal_px"):
        depth.from_da3(g, metric=True)


def test_da3_metric_focal_length_is_that_of_the_processed_picture() -> None:
    """Run at half the picture's size, the network sees half the focal length in pixels."""
    g = da3()
    full, half = depth.from_da3(g, 600.0), depth.from_da3(g, 600.0, resolution=W // 2)
    assert torch.allclose(half.disparity, full.disparity * 2, rtol=1e-5)
    assert half.focal_px is not None and float(half.focal_px[0]) == 600.0, "focal_px is of this picture"
    with pytest.raises(ValueError, match="resolution"):
        depth.from_da3(g, 600.0, resolution=0)


def test_da3_relative_unless_it_can_be_metres() -> None:
    assert not depth.from_da3(da3()).metric
    assert not depth.from_da3(da3(), 600.0, metric=False).metric
    assert not depth.from_da3(da3(confidence=torch.ones(2, H, W)), 600.0).metric, "Small and Base know no metres"
    out = depth.from_da3(da3()).disparity
    assert float(out.min()) == 0 and float(out.max()) == 1
    d = da3()["depth"]
    assert torch.equal(out.flatten().argsort(), (1 / d).flatten().argsort()), "near must be large"


def test_da3_sky_is_infinitely_far() -> None:
    sky = torch.zeros(2, H, W)
    sky[0, :4] = 0.9
    for focal in (None, 500.0):
        out = depth.from_da3(da3(sky=sky), focal)
        assert out.valid is not None
        assert torch.equal(out.valid, sky < 0.3)
        assert bool((out.disparity[~out.valid] == 0).all()) and float(out.disparity[out.valid].min()) > 0


def test_da3_multiview_intrinsics_belong_to_the_processed_size() -> None:
    """Core passes intrinsics in pixels of the size the network saw, whose width is twice the principal point."""
    k = torch.tensor([[400.0, 0, 252], [0, 400, 168], [0, 0, 1]]).expand(1, 2, 3, 3)
    out = depth.from_da3(da3(mode="multiview", intrinsics=k, extrinsics=torch.eye(4)[None, None].expand(1, 2, 4, 4)))
    assert out.focal_px is not None
    assert out.focal_px.tolist() == pytest.approx([400 * W / 504] * 2)
    assert not out.metric
    identity = torch.eye(3)[None, None].expand(1, 2, 3, 3)  # core's stand-in when no camera was estimated
    assert depth.from_da3(da3(intrinsics=identity)).focal_px is None


# --- MoGe ----------------------------------------------------------------------------------------------------------------


def test_moge_2_keeps_metres_and_intrinsics_in_pixels() -> None:
    g = moge(normal=torch.zeros(2, H, W, 3))
    out = depth.from_moge(g)
    assert out.metric and out.focal_px is not None and out.focal_px.tolist() == pytest.approx([0.9 * W] * 2)
    assert out.valid is not None and torch.equal(out.valid, g["mask"])
    assert torch.allclose(1 / out.disparity[out.valid], g["depth"][g["mask"]], rtol=1e-5)
    assert bool((out.disparity[~out.valid] == 0).all())
    pixels = g["intrinsics"].clone()
    pixels[:, 0] *= W
    assert depth.from_moge({**g, "intrinsics": pixels}).focal_px.tolist() == pytest.approx([0.9 * W] * 2)  # type: ignore[union-attr]
    given = depth.from_moge(g, 77.0).focal_px
    assert given is not None and given.tolist() == [77.0, 77.0]


def test_a_moge_geometry_may_hold_more_than_is_read() -> None:
    """A newer MoGe's is expected to be MoGe-2's with further entries."""
    g = moge(normal=torch.zeros(2, H, W, 3))
    more = depth.from_moge({**g, "metric_scale": torch.ones(2), "edges": torch.zeros(2, H, W), "version": "v3"})
    assert more.metric and torch.equal(more.disparity, depth.from_moge(g).disparity)


def test_moge_1_and_panoramas_are_relative() -> None:
    out = depth.from_moge(moge())
    assert not out.metric and float(out.disparity.max()) == 1 and out.focal_px is not None
    panorama = {k: v for k, v in moge(normal=torch.zeros(2, H, W, 3)).items() if k != "intrinsics"}
    assert not depth.from_moge(panorama).metric and depth.from_moge(panorama).focal_px is None
    assert depth.from_moge(moge(), metric=True).metric


@pytest.mark.parametrize("adapt", [depth.from_da3, depth.from_moge])
def test_wrong_dictionaries_are_named(adapt: object) -> None:
    for bad in ({}, {"depth": torch.zeros(3, 3)}, {"depth": "x"}):
        with pytest.raises(ValueError, match=r"geometry.*depth"):
            adapt(bad)  # type: ignore[operator]
    with pytest.raises(TypeError, match="geometry"):
        adapt(torch.zeros(1, 2, 2))  # type: ignore[operator]


@pytest.mark.parametrize(("make", "options"), [(da3, {"focal_px": 500.0}), (moge, {"metric": True})])
def test_metric_batch_equals_singles(make: object, options: dict) -> None:
    g = make()  # type: ignore[operator]
    adapt = depth.from_da3 if make is da3 else depth.from_moge
    both = adapt(g, **options)
    for i in range(2):
        one = adapt({k: v[i : i + 1] if isinstance(v, torch.Tensor) else v for k, v in g.items()}, **options)
        assert torch.equal(one.disparity[0], both.disparity[i])


def test_relative_geometry_has_one_range_over_the_clip() -> None:
    g = {"depth": torch.stack([metres(1)[0], metres(1)[0] * 4]), "mode": "mono"}
    out = depth.from_da3(g).disparity
    assert float(out[1].max()) < 0.5 and float(out[0].max()) == 1


@pytest.mark.parametrize("bad", [math.nan, math.inf, 0.0, -1.0])
def test_bad_distances_are_marked_and_filled(bad: float) -> None:
    d = metres(1)
    d[0, 5, 5] = bad
    for out in (depth.from_da3({"depth": d}, 300.0), depth.from_da3({"depth": d})):
        assert out.valid is not None and not bool(out.valid[0, 5, 5]) and int((~out.valid).sum()) == 1
        neighbours = [float(out.disparity[0, y, x]) for y, x in ((4, 5), (6, 5), (5, 4), (5, 6))]
        assert float(out.disparity[0, 5, 5]) in neighbours
    nothing = depth.from_da3({"depth": torch.full((1, H, W), bad)}, 300.0)
    assert nothing.valid is not None and not bool(nothing.valid.any()) and float(nothing.disparity.abs().max()) == 0


def test_flat_depth_is_one_plane_in_the_middle() -> None:
    out = depth.from_da3({"depth": torch.full((1, H, W), 3.0)})
    assert torch.equal(out.disparity, torch.full((1, H, W), FLAT)) and out.valid is None
    assert torch.allclose(depth.from_da3({"depth": torch.full((1, H, W), 3.0)}, 300.0).disparity, torch.tensor(1 / 3))


# --- pictures ------------------------------------------------------------------------------------------------------------


def ramp(channels: int = 3, levels: int = 65536) -> torch.Tensor:
    return (torch.arange(W, dtype=torch.float64) / (levels - 1)).float().expand(1, channels, H, W)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_sixteen_bit_steps_survive(channels: int) -> None:
    x = ramp(channels)
    assert torch.equal(depth.from_image(x).disparity[0], x[0, 0])
    assert torch.equal(depth.from_image(x[:, 0]).disparity, x[:, 0])


def test_which_end_is_near() -> None:
    x = torch.tensor([[[[0.1, 0.9]]]])
    for kind, near, first_is_near in (
        ("disparity", None, False),
        ("disparity", "dark", True),
        ("depth", None, True),
        ("depth", "bright", False),
    ):
        d = depth.from_image(x, kind, near).disparity[0, 0]  # type: ignore[arg-type]
        assert bool(d[0] > d[1]) == first_is_near, (kind, near)


def test_metres_from_a_picture() -> None:
    x = torch.tensor([[[[0.0, 0.5, 1.0]]]])
    disparity = depth.from_image(x, near_m=1.0, far_m=4.0)
    assert disparity.metric and (1 / disparity.disparity[0, 0]).tolist() == pytest.approx([4, 1.6, 1])
    assert depth.from_image(x, near_m=1.0, far_m=math.inf).disparity[0, 0].tolist() == pytest.approx([0, 0.5, 1])
    assert (1 / depth.from_image(x, "depth", near_m=1.0, far_m=4.0).disparity[0, 0]).tolist() == pytest.approx([1, 2.5, 4])
    exr = torch.tensor([[[[2.0, 50.0, math.inf]]]])
    z = depth.from_image(exr, "depth", metres_per_unit=0.5, focal_px=900.0)
    assert z.metric and z.disparity[0, 0].tolist() == pytest.approx([1.0, 0.04, 0.0])
    assert z.focal_px is not None and z.focal_px.tolist() == [900.0]
    relative = depth.from_image(exr, "depth")
    assert not relative.metric and relative.disparity[0, 0].tolist() == pytest.approx([1.0, 0.04, 0.0])


def test_values_beyond_one_get_one_range() -> None:
    x = torch.stack([torch.full((1, 2, 2), 100.0), torch.full((1, 2, 2), 300.0)])
    x[0, 0, 0, 0] = 0.0
    assert depth.from_image(x).disparity.unique().tolist() == pytest.approx([0, 1 / 3, 1])
    with pytest.raises(ValueError, match="unclear"):
        depth.from_image(x, near="dark")


def test_holes_in_a_picture() -> None:
    x = torch.full((1, 1, 3, 5), 0.5)
    x[0, 0, 1, 1], x[0, 0, 1, 3] = math.nan, 0.0
    out = depth.from_image(x, unknown=0.0)
    assert out.valid is not None and int((~out.valid).sum()) == 2 and float((out.disparity - 0.5).abs().max()) == 0
    assert int((~depth.from_image(x).valid).sum()) == 1  # type: ignore[operator]


def test_a_colour_map_is_never_parsed_back() -> None:
    coloured = depth.preview(DepthMap(torch.rand(1, H, W), False))
    with pytest.raises(ValueError, match="colour"):
        depth.from_image(coloured)
    noisy = ramp(3, W).clone()
    noisy[:, 1] += 0.004  # grey through a JPEG
    assert depth.from_image(noisy.clamp(0, 1)).disparity.shape == (1, H, W)


@pytest.mark.parametrize(
    "options",
    [
        {"kind": "normals"},
        {"near": "left"},
        {"near_m": 1.0},
        {"near_m": 3.0, "far_m": 1.0},
        {"near_m": 0.0, "far_m": 1.0},
        {"metres_per_unit": 1.0},
        {"kind": "depth", "metres_per_unit": -1.0},
        {"kind": "depth", "near_m": 1.0, "far_m": math.inf},
        {"focal_px": -3.0},
    ],
)
def test_arguments_that_do_not_go_together(options: dict) -> None:
    with pytest.raises(ValueError):
        depth.from_image(ramp(), **options)


def test_bad_pictures() -> None:
    with pytest.raises(TypeError):
        depth.from_image(torch.zeros(1, 3, 4, 4, dtype=torch.uint8))
    with pytest.raises(ValueError):
        depth.from_image(torch.zeros(1, 2, 4, 4))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_any_float_type(dtype: torch.dtype) -> None:
    out = depth.from_image(torch.rand(2, 3, 1, 1, dtype=dtype)[:, :1].expand(-1, 3, -1, -1))
    assert out.disparity.dtype == torch.float32 and out.disparity.shape == (2, 1, 1)


# --- fitting, ranges, preview --------------------------------------------------------------------------------------------


def test_fit_to_the_picture() -> None:
    valid = torch.ones(1, H, W, dtype=torch.bool)
    valid[:, 0] = False
    small = DepthMap(metres(1), True, torch.tensor([10.0]), valid, "x")
    big = depth.fit(small, torch.zeros(3, 3, 2 * H, 2 * W))
    assert big.disparity.shape == (3, 2 * H, 2 * W) and big.metric
    assert big.focal_px is not None and big.focal_px.tolist() == [20.0] * 3
    assert big.valid is not None and not bool(big.valid[:, :2].any()) and bool(big.valid[:, 2:].all())
    assert depth.fit(small, torch.zeros(1, 3, H, W)) is small
    assert depth.fit(small, torch.zeros(1, 3, H - 1, W)).disparity.shape == (1, H - 1, W), "rounding is no other aspect"
    with pytest.raises(ValueError, match="aspect"):
        depth.fit(small, torch.zeros(1, 3, W, H * 4))
    with pytest.raises(ValueError, match="frames"):
        depth.fit(DepthMap(metres(2), True), torch.zeros(3, 3, H, W))


@given(st.integers(1, 400), st.floats(-1e3, 1e3), st.floats(1e-3, 1e3), st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_usual_data_keep_their_ends(n: int, offset: float, scale: float, seed: int) -> None:
    values = torch.rand(n, generator=torch.Generator().manual_seed(seed)) * scale + offset
    assert robust_range(values) == (float(values.min()), float(values.max()))


def test_outliers_do_not_flatten_the_scene() -> None:
    d = torch.rand(1, 100, 100)
    d[0, 0, 0] = 1e6
    out = to_relative(d, torch.ones_like(d, dtype=torch.bool))
    assert float(out.std()) > 0.15 and float(out.max()) == 1
    plane = torch.zeros(1, 100, 100)
    plane[0, :2, :2] = 1.0  # a small object is the scene, not an outlier
    assert float(to_relative(plane, torch.ones_like(plane, dtype=torch.bool))[0, 0, 0]) == 1


@pytest.mark.parametrize("style", ["colour", "grey"])
def test_preview_is_ordered_by_lightness(style: str) -> None:
    from refocus_core.color import luminance, srgb_to_linear

    t = torch.linspace(0, 1, 256).view(1, 1, -1)
    for m in (DepthMap(t, False), DepthMap(t * 7 + 0.1, True)):
        picture = depth.preview(m, style)  # type: ignore[arg-type]
        assert picture.shape == (1, 3, 1, 256) and float(picture.min()) >= 0 and float(picture.max()) <= 1
        y = luminance(srgb_to_linear(picture))[0, 0, 0]
        lightness = torch.where(y > 0.008856, 116 * y.pow(1 / 3) - 16, 903.3 * y)
        steps = lightness.diff()
        assert float(steps.min()) > 0, "nearer must be lighter"
        if style == "colour":
            assert float(steps.max() / steps.mean()) < 2, "even steps"
            assert float(picture[0, 0, 0, -40] - picture[0, 2, 0, -40]) > 0.2, "near is warm"


def test_preview_of_flat_and_unknown() -> None:
    valid = torch.tensor([[[True, False]]])
    picture = depth.preview(DepthMap(torch.full((1, 1, 2), 2.0), True, valid=valid))
    assert bool(torch.isfinite(picture).all()) and bool((picture[..., 1] < picture[..., 0]).all())
    with pytest.raises(ValueError, match="style"):
        depth.preview(DepthMap(torch.zeros(1, 1, 2), False), "turbo")  # type: ignore[arg-type]


def test_metres_scale_any_relative_depth_once() -> None:
    relative = DepthMap(torch.rand(1, 4, 5, generator=torch.Generator().manual_seed(0)), False, source="a model")
    assert depth.in_metres(relative, None, None) is relative
    scaled = depth.in_metres(relative, 1.0, 5.0)
    assert scaled.metric and torch.equal(scaled.disparity, relative.with_range(1.0, 5.0).disparity)
    assert depth.fit(scaled, torch.zeros(1, 3, 8, 10)).known_range == (0.2, 1.0)
    with pytest.raises(ValueError, match="both near_m and far_m"):
        depth.in_metres(relative, 1.0, None)
    with pytest.raises(ValueError, match="already in metres"):
        depth.in_metres(scaled, 1.0, 5.0)


def test_a_depth_picture_of_one_value_is_said_to_be_one(caplog: pytest.LogCaptureFixture) -> None:
    depth.from_image(torch.full((1, 4, 5), 0.25))
    assert "one value everywhere (0.25)" in caplog.text
