"""The blur: its energy, place and shape. Its quality is scored in `bench`."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
import torch.nn.functional as F

from refocus_core import bokeh, psf
from refocus_core.bokeh.bins import Bins
from refocus_core.bokeh.plan import Plan, Quality
from refocus_core.types import DefocusMap
from tests.helpers.renderings import (
    CHEAP,
    QUALITIES,
    centroid,
    impulse,
    iou,
    mixed_radii,
    named_kernel,
    noise,
    render,
)


@pytest.mark.parametrize("quality", QUALITIES)
@pytest.mark.parametrize("shape", ["circle", "heart", "ring", "off axis"])
def test_a_uniform_picture_stays_uniform_to_the_borders(quality: str, shape: str) -> None:
    image = torch.full((1, 3, 45, 70), 0.4) * torch.tensor([1.0, 0.5, 2.0]).view(1, 3, 1, 1)
    for radius in (mixed_radii(45, 70), -mixed_radii(45, 70), torch.full((1, 45, 70), 9.3)):
        out = render(image, radius, named_kernel(shape), quality=quality)
        assert float((out / image - 1).abs().max()) < 2e-3


@pytest.mark.parametrize("quality", QUALITIES)
@pytest.mark.parametrize("radius", [-19.0, -4.4, 0.7, 2.6, 13.0, 30.0])
def test_a_bright_light_keeps_its_energy_and_is_not_greyed(quality: str, radius: float) -> None:
    image = impulse(97, 8.0)
    out = render(image, torch.full((1, 97, 97), radius), quality=quality)
    assert float(out.double().sum() / image.double().sum()) == pytest.approx(1, abs=2e-3)
    expected = 8 / (math.pi * radius**2)
    # what is drawn at a lower resolution swings a little below black at the rim when it is enlarged
    assert float(out.min()) > -0.12 * expected
    if abs(radius) > 4:
        # a draft's enlarging widens small spots, so that they are drawn narrower
        rel = 0.25 if quality == "draft" and abs(radius) < 5 else 0.06
        assert float(out[0, 0, 48, 48]) == pytest.approx(expected, rel=rel), "nothing is clipped at white before it is spread"


def test_a_light_above_white_outshines_a_white_one() -> None:
    radius = torch.full((1, 61, 61), 5.0)
    one, eight = (render(impulse(61, v), radius) for v in (1.0, 8.0))
    torch.testing.assert_close(eight, 8 * one, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("shape", ["circle", "polygon", "heart", "star", "off axis"])
@pytest.mark.parametrize("radius", [14.0, -14.0])
def test_an_impulse_becomes_the_kernel_in_its_place(shape: str, radius: float) -> None:
    kernel = named_kernel(shape)
    n = 63
    out = render(impulse(n), torch.full((1, n, n), radius), kernel)[0, 0] / 100
    exact = F.pad(k := psf.rasterize(kernel.raster, radius)[0], ((n - k.shape[-1]) // 2,) * 4)
    (x, y), (ex, ey) = centroid(out), centroid(exact)
    assert math.hypot(x - ex, y - ey) < 0.05
    assert iou(out, exact) > 0.97
    if shape != "circle" and shape != "polygon":  # near bokeh is point-mirrored: the other side up does not fit
        assert iou(out, exact.flip(-2, -1)) < 0.85


@pytest.mark.parametrize("quality", QUALITIES)
def test_a_large_blur_is_in_its_place_too(quality: str) -> None:
    """Radii that are rendered at a lower resolution."""
    n, kernel = 161, bokeh.make_kernel("heart", size=128)
    for radius in (51.0, -66.0) if quality != "best" else (51.0,):
        out = render(impulse(n, 1e4), torch.full((1, n, n), radius), kernel, quality=quality)[0, 0] / 1e4
        exact = F.pad(k := psf.rasterize(kernel.raster, radius)[0], ((n - k.shape[-1]) // 2,) * 4)
        (x, y), (ex, ey) = centroid(out), centroid(exact)
        assert math.hypot(x - ex, y - ey) < (0.8 if quality == "draft" else 0.05), "a draft moves a point to its block's middle"
        assert iou(out, exact) > (0.93 if quality == "draft" else 0.97)


@pytest.mark.parametrize("join", [0.0, 1.6, 4.0])
def test_sheets_hold_bins_that_are_near_and_alike(join: float) -> None:
    bins = Bins.of(torch.cat([torch.linspace(-60, 60, 4000), torch.zeros(9)]), 1.25)
    plan = Plan(bokeh.make_kernel("circle"), bins, Quality(resolution_px=24, bin_step=1.25, segments=3, join=join))
    assert [i for a, b in plan.bin_groups for i in range(a, b)] == list(range(len(bins.centres))), "each bin once, in order"
    for a, b in plan.bin_groups:
        assert plan.positions[b - 1] - plan.positions[a] <= join
        assert b - a == 1 or not any(plan.is_sharp(i) for i in range(a, b))
        assert len({(plan.downscales[i], plan.is_nearer(i), plan.is_segmented(i)) for i in range(a, b)}) == 1
    assert (len(plan.bin_groups) < len(bins.centres)) == (join > 0)


@pytest.mark.parametrize("pieces", [1, 3])
def test_bins_composited_together_look_as_they_do_apart(pieces: int) -> None:
    """A slope over both sides of the focus with a subject before it: large and small blurs, and those at half the resolution."""
    y, x = torch.meshgrid(torch.linspace(0, 1, 150), torch.linspace(0, 1, 190), indexing="ij")
    radius = 22 * x - 5
    radius = torch.where((y - 0.5).square() + (x - 0.6).square() < 0.04, torch.tensor(-9.0), radius)
    image = torch.rand(3, 150, 190, generator=torch.Generator().manual_seed(1))
    apart, joined = (
        bokeh.render(
            image[None],
            DefocusMap.from_radius(radius[None]),
            bokeh.make_kernel("heart"),
            quality=Quality(resolution_px=7, bin_step=1.25, segments=pieces, join=join),
        )
        for join in (0.0, 1.6)
    )
    difference = (apart - joined).abs()
    assert 0 < float(difference.mean()) < 1e-3
    assert float(difference.flatten().quantile(0.99)) < 0.01


def test_a_light_on_a_slope_has_no_second_rim() -> None:
    """Wherever its radius lies between bins, it is one disc."""
    h, w = 81, 300
    radius = torch.linspace(8, 30, w).expand(1, h, w).contiguous()
    for column in (40, 110, 171, 236):
        image = torch.full((1, 3, h, w), 0.02)
        image[..., 40, column] = 300.0
        r = float(radius[0, 0, column])
        out = render(image, radius)[0, 0] - 0.02
        distance = torch.hypot(torch.arange(h)[:, None] - 40.0, torch.arange(w)[None] - float(column))
        disc = 300 / (math.pi * r * r)
        assert float(out[distance < r - 1.5].min()) > 0.9 * disc
        assert float(out[distance > r + 1.5].max()) < 0.06 * disc


def test_bins_keep_the_variance_of_a_blur() -> None:
    radius = torch.linspace(-20, 30, 4001)
    bins = Bins.of(radius, 1.25)
    place = bins.coordinate(radius)
    shares = torch.stack([Bins.tent_weight(place, i) for i in range(len(bins.centres))])
    torch.testing.assert_close(shares.sum(0), torch.ones_like(radius))
    squares = torch.tensor([c * abs(c) for c in bins.centres])
    within = (radius > bins.centres[0]) & (radius < bins.centres[-1])
    mean = (shares * squares[:, None]).sum(0)
    torch.testing.assert_close(mean[within], (radius * radius.abs())[within], atol=1e-3, rtol=1e-4)


def test_the_near_side_is_mirrored_in_one_picture() -> None:
    n = 60
    image = torch.zeros(1, 3, n, 2 * n)
    image[..., 30, 30], image[..., 30, 90] = 50.0, 50.0
    radius = torch.full((1, n, 2 * n), 12.0)
    radius[..., :n] = -12.0
    out = render(image, radius, bokeh.make_kernel("heart"))[0, 0]
    near, far = out[14:47, 14:47], out[14:47, 74:107]
    assert iou(near.flip(-2, -1), far) > 0.97 > 0.85 > iou(near, far)
    assert centroid(far)[1] < -1 < 1 < centroid(near)[1], "behind the focal plane the heart is upright: most of it is up"


def test_a_coloured_aperture_shifts_each_channel() -> None:
    raster = torch.zeros(3, 24, 24)
    raster[0, :, :12], raster[1, :, 6:18], raster[2, :, 12:] = 1, 1, 1
    kernel = bokeh.kernel_from_image(raster)
    for quality in QUALITIES:
        for radius in (12.0, -12.0):
            out = render(impulse(61), torch.full((1, 61, 61), radius), kernel, quality=quality)[0]
            x = [centroid(c)[0] for c in out]
            assert x == pytest.approx([-radius / 2, 0.0, radius / 2], abs=0.05)
            torch.testing.assert_close(out.sum((1, 2)), torch.full((3,), 100.0), rtol=2e-3, atol=0)


@pytest.mark.parametrize("quality", CHEAP)
def test_the_spot_grows_with_the_radius_also_below_one_pixel(quality: str) -> None:
    spreads: list[float] = []
    n = 41
    c = torch.arange(n).double() - n // 2
    for radius in (0.0, 0.3, 0.55, 0.7, 0.85, 1.0, 1.3, 1.7, 2.2, 3.0, 4.1, 6.0, 8.0):
        p = render(impulse(n), torch.full((1, n, n), radius), quality=quality)[0, 0].double()
        spreads.append(float((p * (c[None] ** 2 + c[:, None] ** 2)).sum() / p.sum()))
    assert all(b >= a - 1e-6 for a, b in itertools.pairwise(spreads))
    assert spreads[3] > 0.02, "a radius of 0.7 px shows"
    assert spreads[-1] == pytest.approx(8**2 / 2, rel=0.05 if quality == "draft" else 0.02)


def test_a_radius_of_a_fifth_of_the_long_edge() -> None:
    n = 160
    image = noise(n, n, 3)
    out = render(image, torch.full((1, n, n), 0.2 * n), quality="draft")
    k = psf.rasterize(bokeh.make_kernel("circle").raster, 0.2 * n)[0]
    m = k.shape[-1] // 2
    exact = F.conv2d(image[0, :, None], k[None, None])[:, 0]
    assert float((out[0, :, m:-m, m:-m] - exact).abs().max()) < 6e-3


def test_a_fronto_parallel_plane_is_a_convolution_inside() -> None:
    image = noise(90, 80, 4)
    kernel = bokeh.make_kernel("heart")
    for radius in (7.3, -7.3):
        out = render(image, torch.full((1, 90, 80), radius), kernel, quality="normal")
        k = psf.rasterize(kernel.raster, radius)[0]
        m = k.shape[-1] // 2
        exact = F.conv2d(image[0, :, None], k.flip(-2, -1)[None, None])[:, 0]
        torch.testing.assert_close(out[0, :, m:-m, m:-m], exact, atol=1e-4, rtol=0)
