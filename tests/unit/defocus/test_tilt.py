"""A focal plane that leans: where it lies, in which way, and with every kind of depth."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from refocus_core import bokeh, defocus
from refocus_core.optics import Blur, Lens
from refocus_core.types import DefocusMap, DepthMap

W, H = 120, 80
LONG = 120


def _plane(a: float, right: float, down: float) -> DepthMap:
    """Relative disparity a + right x + down y, x and y from the middle in long edges."""
    x = ((torch.arange(W) + 0.5) / W - 0.5) * W / LONG
    y = ((torch.arange(H) + 0.5) / H - 0.5) * H / LONG
    return DepthMap((a + right * x[None] + down * y[:, None])[None].float(), metric=False)


def _map(depth_map: DepthMap, tilt: defocus.Tilt | None, lens: Lens | Blur | None = None) -> DefocusMap:
    at = tilt or defocus.Tilt()
    return defocus.from_lens(depth_map, lens or Blur(5), defocus.FocusPoint(at.x, at.y, 0.01), tilt=tilt)


def _largest(radius: Tensor) -> float:
    return float(radius.abs().max())


@pytest.mark.parametrize(
    ("tilt_deg", "right", "down"), [(45.0, 0.0, 1.0), (-20.0, 0.0, -0.36397), (0.0, 0.5, 0.0), (30.0, -0.3, 0.57735)]
)
def test_a_plane_in_the_scene_is_sharp_all_over_with_the_focal_plane_along_it(tilt_deg: float, right: float, down: float) -> None:
    swing_deg = float(torch.rad2deg(torch.tensor(right).atan()))
    scene = _plane(0.5, right, down)
    assert _largest(_map(scene, None).radius_px) > 0.5
    assert _largest(_map(scene, defocus.Tilt(tilt_deg, swing_deg)).radius_px) < 0.04, "half a pixel of the slope"


def test_signs_are_those_of_the_ground_and_of_a_wall_to_the_right() -> None:
    facing = _plane(0.5, 0, 0)
    ground = _map(facing, defocus.Tilt(tilt_deg=30)).radius_px[0]
    assert float(ground[0].max()) < 0 < float(ground[-1].min()), (
        "the focal plane is nearer at the bottom: what is there lies behind"
    )
    wall = _map(facing, defocus.Tilt(swing_deg=30)).radius_px[0]
    assert float(wall[:, 0].max()) < 0 < float(wall[:, -1].min())


def test_more_tilt_blurs_more_and_the_focus_point_stays_sharp() -> None:
    facing = _plane(0.5, 0, 0)
    maps = [_map(facing, defocus.Tilt(tilt, 0, x=0.3, y=0.25)) for tilt in (0.0, 10.0, 40.0, 80.0)]
    largest = [_largest(m.radius_px) for m in maps]
    assert largest[0] == 0 and largest == sorted(largest)
    for m in maps:
        assert abs(float(m.radius_px[0, 19:21, 35:37].mean())) < 0.05


def test_the_focal_plane_in_metres_is_a_plane_in_space() -> None:
    """1/z is linear over the picture, so the sharp points of a leaning plane lie in one plane."""
    scene = _plane(0.5, 0, 0).with_range(1.0, 9.0)
    made = _map(scene, defocus.Tilt(25, 10), Lens(50, 2))
    in_focus = scene.disparity + made.radius_px / made.gain_px.view(-1, 1, 1)  # d_f(x, y) = d + r / K
    y, x = torch.meshgrid(torch.arange(H) - H / 2, torch.arange(W) - W / 2, indexing="ij")
    points = torch.stack([x / 100, y / 100, torch.ones(H, W)]).double() / in_focus[0].double()
    flat = points.flatten(1).T
    fit = torch.linalg.lstsq(flat, torch.ones(len(flat), 1, dtype=torch.float64)).solution
    assert float((flat @ fit - 1).abs().max()) < 1e-4


def test_size_does_not_matter_and_a_batch_is_its_frames() -> None:
    small, both = _plane(0.5, 0.2, -0.1), torch.cat([_plane(0.5, 0.2, -0.1).disparity, _plane(0.4, 0, 0.3).disparity])
    tilt = defocus.Tilt(35, -15, 0.4, 0.6)
    large = DepthMap(torch.nn.functional.interpolate(small.disparity[None], scale_factor=2, mode="bilinear")[0], metric=False)
    double = torch.nn.functional.avg_pool2d(_map(large, tilt).radius_px, 2)
    assert _largest(double / 2 - _map(small, tilt).radius_px) < 0.03
    together = _map(DepthMap(both, metric=False), tilt).radius_px
    for i in range(2):
        torch.testing.assert_close(together[i : i + 1], _map(DepthMap(both[i : i + 1], metric=False), tilt).radius_px)


def test_it_is_rendered_with_a_sharp_line_across_the_picture() -> None:
    picture = torch.rand(1, 3, H, W, generator=torch.Generator().manual_seed(1))
    made = _map(_plane(0.5, 0, 0), defocus.Tilt(tilt_deg=70))
    shown = bokeh.render(picture, made)
    contrast = (shown - picture).square().mean((0, 1, 3))
    assert float(contrast[H // 2 - 1 : H // 2 + 1].max()) < 1e-3 < 0.02 < float(contrast[:5].mean())


@pytest.mark.parametrize(
    ("values", "name"), [({"tilt_deg": 90.0}, "tilt_deg"), ({"swing_deg": float("nan")}, "swing_deg"), ({"x": 2.0}, "x")]
)
def test_wrong_values_are_named(values: dict[str, float], name: str) -> None:
    with pytest.raises(ValueError, match=name):
        defocus.Tilt(**values)
