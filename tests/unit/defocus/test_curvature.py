"""A focal surface that is bent: where it lies, its signs, and a bowl in the scene that is sharp all over."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from refocus_core import bokeh, defocus
from refocus_core.optics import Blur, Lens
from refocus_core.types import DefocusMap, DepthMap

H, W = 81, 121


def _squared() -> Tensor:
    """[H,W] square of the distance from the middle, 1 in the very corners of the picture."""
    y, x = torch.meshgrid(torch.arange(H) - (H - 1) / 2, torch.arange(W) - (W - 1) / 2, indexing="ij")
    return (y * y + x * x) / (H * H / 4 + W * W / 4)


def _map(disparity: Tensor, curvature: float, lens: Lens | Blur | None = None, **more: Any) -> DefocusMap:
    scene = DepthMap(disparity[None].float(), metric=False)
    scene = scene if lens is None or isinstance(lens, Blur) else scene.with_range(1.0, 5.0)
    return defocus.from_lens(scene, lens or Blur(5), defocus.FocusPoint(0.5, 0.5, 0.0), field_curvature=curvature, **more)


@pytest.mark.parametrize("curvature", [0.4, -0.4])
@pytest.mark.parametrize("lens", [Blur(5), Lens(85, 1.4)])
def test_a_bowl_in_the_scene_is_sharp_all_over_with_the_focus_along_it(curvature: float, lens: Lens | Blur) -> None:
    bowl = 0.5 + curvature * _squared()
    assert float(_map(bowl, 0.0, lens).radius_px.abs().max()) > 1
    assert float(_map(bowl, curvature, lens).radius_px.abs().max()) < 0.01


def test_radius_grows_with_the_square_of_the_distance_and_its_sign_is_that_of_the_curvature() -> None:
    flat = torch.full((H, W), 0.5)
    near, far = (_map(flat, c).radius_px[0] for c in (0.3, -0.3))
    torch.testing.assert_close(near, 0.3 * 0.05 * W * _squared(), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(far, -near)
    assert float(near[H // 2, W // 2]) == 0


def test_more_curvature_blurs_the_corners_more_and_the_focus_stays() -> None:
    maps = [_map(torch.full((H, W), 0.5), c) for c in (0.0, 0.1, 0.5, 1.0)]
    corners = [float(m.radius_px[0, 0, 0]) for m in maps]
    assert corners[0] == 0 and corners == sorted(corners)
    assert all(float(m.focus_disparity) == 0.5 for m in maps)


def test_points_of_light_become_discs_that_grow_towards_the_corners() -> None:
    flat = torch.full((H, W), 0.5)
    light = torch.zeros(1, 3, H, W)
    at = [(40, 60), (40, 90), (12, 108)]
    for y, x in at:
        light[:, :, y, x] = 100.0
    out = bokeh.render(light, _map(flat, 0.5, Blur(20)))[0, 1]
    peaks = [float(out[y - 6 : y + 7, x - 6 : x + 7].max()) for y, x in at]
    assert peaks[0] > 5 * peaks[1] > 25 * peaks[2], "the same light over a larger disc"
    # Neighbouring radii differ by little, so each light keeps what it has.
    for y, x in at:
        assert float(out[max(y - 12, 0) : y + 13, x - 12 : x + 13].sum()) == pytest.approx(100, rel=0.06)


def test_it_adds_to_a_tilt_and_goes_with_ranges_and_gains() -> None:
    scene, tilt = 0.5 + 0.3 * _squared(), defocus.Tilt(tilt_deg=20)
    one = _map(scene, 0.0, tilt=tilt).radius_px - _map(scene, 0.0).radius_px
    both = _map(scene, 0.3, tilt=tilt).radius_px
    torch.testing.assert_close(both, one, rtol=1e-4, atol=1e-3)
    made = _map(scene, 0.9, focus_range=0.1, near_gain=0.5)
    assert made.law is not None
    torch.testing.assert_close(made.law.radius_px(made.disparity), made.radius_px)


@pytest.mark.parametrize("curvature", [1.5, float("nan")])
def test_wrong_curvature(curvature: float) -> None:
    with pytest.raises(ValueError, match="field_curvature must lie"):
        _map(torch.zeros(8, 8), curvature)
