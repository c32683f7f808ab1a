"""The lens law against a table worked out by hand, and its properties."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from refocus_core.optics import (
    SENSORS_MM,
    Blur,
    BlurLaw,
    Lens,
    blur_gain_px,
    depth_of_field_m,
    focal_px_to_mm,
    hyperfocal_m,
    lens_gain_px,
)

INFINITY = torch.zeros(1)

# K in px*m with the focus at infinity: f^2 / (2 N) * width / (1000 sensor).
TABLE = [
    (Lens(50, 1.8), {512: 9.9, 1024: 19.8, 2048: 39.5, 6000: 115.7}),
    (Lens(85, 1.4), {512: 36.7, 1024: 73.4, 2048: 146.8, 6000: 430}),
    (Lens(35, 2), {512: 4.36, 1024: 8.7, 2048: 17.4, 6000: 51}),
    (Lens(135, 2), {512: 64.8, 1024: 129.6, 2048: 259, 6000: 759}),
    (Lens(35, 1.8, 23.6), {512: 7.4, 1024: 14.8, 2048: 29.5, 6000: 86.5}),
    (Lens(6.86, 1.78, 9.8), {512: 0.691, 1024: 1.38, 2048: 2.76, 6000: 8.1}),
    (Lens(50, 8), {512: 2.22, 1024: 4.44, 2048: 8.89, 6000: 26}),
]


@pytest.mark.parametrize("lens,width,gain", [(lens, w, k) for lens, row in TABLE for w, k in row.items()])
def test_lens_table(lens: Lens, width: int, gain: float) -> None:
    assert float(lens_gain_px(lens, INFINITY, width)) == pytest.approx(gain, rel=0.01)


@pytest.mark.parametrize(
    "f,n,sensor,s_f,s,width", [(50, 1.8, 36, 2.0, 5.0, 1024), (85, 1.4, 36, 1.2, 0.9, 741), (24, 4, 17.3, 0.3, 9, 4000)]
)
def test_radius_is_that_of_a_ray_through_the_lens_edge(
    f: float, n: float, sensor: float, s_f: float, s: float, width: int
) -> None:
    """Independent of the formula: image distances by the Gaussian lens equation, then similar triangles."""
    image_mm = lambda s_m: 1 / (1 / f - 1 / (s_m * 1000))  # noqa: E731 - a formula
    v_f, v = image_mm(s_f), image_mm(s)
    radius_mm = f / n / 2 * abs(v_f - v) / v  # where the cone that meets at v cuts the sensor at v_f
    want = radius_mm * width / sensor * (1 if s > s_f else -1)
    d_f = torch.tensor([1 / s_f], dtype=torch.float64)
    d = torch.full((1, 1, 1), 1 / s, dtype=torch.float64)
    got = BlurLaw.thin_lens(lens_gain_px(Lens(f, n, sensor), d_f, width), d_f).radius_px(d)
    assert float(got) == pytest.approx(want, rel=1e-9)


def test_signs_and_zero() -> None:
    d = torch.tensor([[[0.1, 0.5, 0.9]]])
    focus = torch.tensor([0.5])
    near_zero = BlurLaw.thin_lens(lens_gain_px(Lens(), focus, 1000), focus).radius_px(d)[0, 0]
    assert near_zero[0] > 0 and near_zero[1] == 0 and near_zero[2] < 0


def _disparity() -> torch.Tensor:
    """[1,60,80]: a block at 1 before a slope from 0.1 to 0.4."""
    d = torch.linspace(0.1, 0.4, 80).expand(60, 80).clone()
    d[20:40, 25:50] = 1.0
    return d[None]


def test_a_law_has_two_slopes_and_a_zone_that_stays_sharp() -> None:
    law = BlurLaw.thin_lens(torch.tensor([10.0]), torch.tensor([0.5]), half_width=0.1, near_gain=0.5, far_gain=2.0)
    radius = law.radius_px(torch.tensor([[1.0, 0.6, 0.5, 0.4, 0.1]]))
    assert radius[0].tolist() == pytest.approx([-2.0, 0, 0, 0, 6.0], abs=1e-5)
    assert torch.allclose(law.scaled(0.5).radius_px(torch.tensor([[1.0, 0.1]])), radius[:, [0, 4]] / 2)


def test_the_law_of_a_map_from_outside_is_found() -> None:
    d = _disparity()
    law = BlurLaw.thin_lens(torch.tensor([10.0]), torch.tensor([0.3]), half_width=0.04, near_gain=0.5, far_gain=2.0)
    found = BlurLaw.fit(law.radius_px(d), d)
    assert found is not None
    assert float((found.radius_px(d) - law.radius_px(d)).abs().max()) < 1e-3
    assert (float(found.front_px), float(found.behind_px)) == pytest.approx((5, 20), rel=1e-3)


def test_a_map_without_law_has_none_and_other_frames_keep_theirs() -> None:
    d = _disparity()
    noise = torch.rand(1, 60, 80, generator=torch.Generator().manual_seed(1)) * 5 - 2
    assert BlurLaw.fit(noise, d) is None
    assert BlurLaw.fit(torch.zeros_like(d), d) is None, "nothing is blurred, so nothing is known"
    both = BlurLaw.fit(torch.cat([noise, 8 * (0.3 - d)]), d.expand(2, -1, -1))
    assert both is not None and both.frame(0) is None
    one = both.frame(1)
    assert one is not None and float(one.front_px) == pytest.approx(8, rel=1e-3)


def test_planes_on_one_side_have_a_law() -> None:
    d = torch.full((1, 4, 5), 0.5)
    d[0, :2] = 0.25
    found = BlurLaw.fit(4 * (2 - d), d)
    assert found is not None and float(found.front_px) == float(found.behind_px) == pytest.approx(4)


def test_monotone_in_f_number_focal_length_sensor_and_size() -> None:
    def gain(**k: float) -> float:
        lens = Lens(k.get("f", 50), k.get("n", 2.8), k.get("sensor", 36))
        return float(lens_gain_px(lens, torch.tensor([0.5]), int(k.get("width", 1000))))

    for name, values, sign in [
        ("n", (1.2, 2, 4, 22), -1),
        ("f", (20, 50, 85, 200), 1),
        ("sensor", (9.8, 17, 36, 44), -1),
        ("width", (100, 1000, 8000), 1),
    ]:
        gains = [gain(**{name: v}) for v in values]
        assert all(sign * (b - a) > 0 for a, b in itertools.pairwise(gains)), name
    assert gain(n=2) == pytest.approx(2 * gain(n=4)) and gain(width=2000) == pytest.approx(2 * gain(width=1000))


@pytest.mark.parametrize("percent", [0.0, 0.5, 3.0, 50.0])
@pytest.mark.parametrize("span", [0.25, 1.0])
def test_blur_is_the_radius_from_one_end_of_the_scene_to_the_other(percent: float, span: float) -> None:
    gain = blur_gain_px(Blur(percent), torch.tensor([span]), 2000)
    assert float(gain) * span == pytest.approx(percent * 20, abs=1e-4)


def test_focus_within_the_focal_length_is_refused() -> None:
    with pytest.raises(ValueError, match=r"focus distance \(0.08 m\) must be larger than the focal length \(85 mm\)"):
        lens_gain_px(Lens(85), torch.tensor([1 / 0.08]), 1000)


@pytest.mark.parametrize("make", [lambda v: Lens(focal_mm=v), lambda v: Lens(f_number=v), lambda v: Lens(sensor_mm=v)])
@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf])
def test_impossible_lenses(make: object, value: float) -> None:
    with pytest.raises(ValueError, match="must be a positive number"):
        make(value)  # type: ignore[operator] # a lambda


@pytest.mark.parametrize("value", [-0.1, 51, math.nan])
def test_impossible_blur(value: float) -> None:
    with pytest.raises(ValueError, match="percent"):
        Blur(value)


def test_focal_conversions_are_inverse() -> None:
    for sensor in SENSORS_MM.values():
        assert focal_px_to_mm(50 * 4000 / sensor, sensor, 4000) == pytest.approx(50)
    assert focal_px_to_mm(1000, 36, 1000) == pytest.approx(36)


@pytest.mark.parametrize(
    ("focal_mm", "f_number", "focus_m", "hyperfocal", "near", "far"),
    [
        (50, 8, 3.0, 10.467, 2.338, 4.186),
        (50, 1.8, 2.0, 46.346, 1.919, 2.088),
        (24, 11, 1.0, 1.769, 0.6414, 2.2684),
        (85, 1.4, 5.0, 172.109, 4.861, 5.147),
        (35, 16, 3.0, 2.587, 1.3877, math.inf),
    ],
)
def test_depth_of_field_is_that_of_the_tables(
    focal_mm: float, f_number: float, focus_m: float, hyperfocal: float, near: float, far: float
) -> None:
    """With a circle of confusion of 0.03 mm on full frame, by H = f^2 / (N c) + f."""
    lens = Lens(focal_mm, f_number, 36.0)
    gain = float(lens_gain_px(lens, torch.tensor([1 / focus_m]), 4000))
    assert depth_of_field_m(gain, 1 / focus_m, 4000) == pytest.approx((near, far), rel=2e-3)
    assert hyperfocal_m(gain, 1 / focus_m, focal_mm, 4000) == pytest.approx(hyperfocal, rel=1e-3)


def test_from_the_hyperfocal_distance_on_infinity_is_sharp() -> None:
    lens, size = Lens(35, 8, 23.6), 6000
    h = 35**2 / (8 * 23.6 / 1200) / 1000 + 0.035
    for distance, is_sharp in ((h * 0.99, False), (h * 1.01, True)):
        gain = float(lens_gain_px(lens, torch.tensor([1 / distance]), size))
        near, far = depth_of_field_m(gain, 1 / distance, size)
        assert math.isinf(far) == is_sharp and near == pytest.approx(distance / 2, rel=0.02)
