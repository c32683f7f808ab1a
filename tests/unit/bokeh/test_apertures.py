"""Aperture shapes and pictures as apertures: sums, orientation, axis, softness, messages."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from refocus_core import bokeh, psf
from refocus_core.types import Kernel

SIZE = 96


def _open(kernel: Kernel) -> Tensor:
    """[n,n] transmission relative to the brightest cell."""
    k = kernel.raster.sum(0)
    return k / k.max()


def _axis(n: int) -> Tensor:
    return (torch.arange(n) + 0.5) * 2 / n - 1


def _centroid(k: Tensor) -> tuple[float, float]:
    """(x, y) of [n,n] in units of the aperture's radius, y down."""
    a, k = _axis(k.shape[-1]).double(), k.double() / k.double().sum()
    return float((k.sum(0) * a).sum()), float((k.sum(1) * a).sum())


def _farthest_angle(kernel: Kernel) -> float:
    """Direction of the cell farthest from the axis in degrees, clockwise from up."""
    a = _axis(kernel.raster.shape[-1])
    y, x = torch.meshgrid(a, a, indexing="ij")
    distance = torch.hypot(x, y) * (_open(kernel) > 0.25)
    i = int(distance.argmax())
    return math.degrees(math.atan2(float(x.flatten()[i]), -float(y.flatten()[i])))


@pytest.mark.parametrize("shape", bokeh.SHAPES)
@pytest.mark.parametrize("softness", [0.0, 0.7])
def test_shapes_sum_to_one_and_touch_the_unit_circle(shape: str, softness: float) -> None:
    kernel = bokeh.make_kernel(shape, size=SIZE, softness=softness, rotation_deg=13)
    assert kernel.raster.shape == (1, SIZE, SIZE) and kernel.raster.dtype == torch.float32
    assert float(kernel.raster.min()) >= 0
    assert float(kernel.raster.sum()) == pytest.approx(1, abs=1e-5)
    a = _axis(SIZE)
    rho = torch.hypot(a[:, None], a[None]) * (kernel.raster[0] > 0)
    assert 1 - 4 / SIZE < float(rho.max()) < 1 + 2 / SIZE


def test_circle_is_symmetric_and_has_the_discs_area() -> None:
    k = bokeh.make_kernel("circle", size=SIZE).raster[0]
    for same in (k.flip(0), k.flip(1), k.T):
        torch.testing.assert_close(k, same, atol=1e-8, rtol=0)
    assert 1 / float(k.max()) == pytest.approx(math.pi / 4 * SIZE**2, rel=2e-3)
    spread = (k * (_axis(SIZE)[None] ** 2 + _axis(SIZE)[:, None] ** 2)).sum()
    assert float(spread) == pytest.approx(0.5, abs=2e-3)


@pytest.mark.parametrize("blades", [3, 4, 5, 6, 9])
def test_polygon_area_and_a_vertex_up(blades: int) -> None:
    k = bokeh.make_kernel("polygon", size=SIZE, blades=blades)
    area = float(_open(k).sum()) * (2 / SIZE) ** 2
    assert area == pytest.approx(blades / 2 * math.sin(2 * math.pi / blades), rel=0.01)
    column = _open(k)[:, SIZE // 2]
    assert float(column[2]) > 0.2, "the top of the middle column is the corner"
    low = int((column > 0.5).nonzero().max())
    bottom = 1.0 if blades % 2 == 0 else math.cos(math.pi / blades)
    assert (low + 1) * 2 / SIZE - 1 == pytest.approx(bottom, abs=0.04)


def test_curvature_rounds_the_blades_up_to_the_circle() -> None:
    areas = [float(_open(bokeh.make_kernel("polygon", size=SIZE, blades=5, curvature=c)).sum()) for c in (0, 0.3, 0.7, 1)]
    assert areas == sorted(areas) and areas[1] > areas[0] * 1.05
    circle, round_ = bokeh.make_kernel("circle", size=SIZE), bokeh.make_kernel("polygon", size=SIZE, blades=5, curvature=1.0)
    assert float((circle.raster - round_.raster).abs().max()) < 1e-2 * float(circle.raster.max())


@pytest.mark.parametrize(
    ("shape", "options"), [("polygon", {"blades": 3}), ("polygon", {"blades": 5}), ("star", {"points": 5}), ("heart", {})]
)
def test_rotation_is_clockwise(shape: str, options: dict[str, int]) -> None:
    upright = bokeh.make_kernel(shape, size=SIZE, **options)  # pyright: ignore[reportArgumentType]
    quarter = bokeh.make_kernel(shape, size=SIZE, rotation_deg=90, **options)  # pyright: ignore[reportArgumentType]
    # what was up (row 0) is now right (last column)
    torch.testing.assert_close(quarter.raster[0], upright.raster[0].rot90(-1), atol=2e-2 * float(upright.raster.max()), rtol=0)
    if shape != "heart":
        turned = bokeh.make_kernel(shape, size=SIZE, rotation_deg=20, **options)  # pyright: ignore[reportArgumentType]
        step = 360 / (options.get("blades") or options["points"])
        assert (_farthest_angle(turned) - 20 + step / 2) % step - step / 2 == pytest.approx(0, abs=2.5)
    else:
        x, y = _centroid(upright.raster[0])
        tx, ty = _centroid(bokeh.make_kernel("heart", size=SIZE, rotation_deg=30).raster[0])
        angle = math.degrees(math.atan2(x * ty - y * tx, x * tx + y * ty))
        assert angle == pytest.approx(30, abs=3)


def test_heart_is_upright() -> None:
    k = _open(bokeh.make_kernel("heart", size=SIZE))
    torch.testing.assert_close(k, k.flip(1), atol=1e-5, rtol=0)
    rows = (k > 0.5).sum(1).nonzero().flatten()
    top, bottom = int(rows.min()), int(rows.max())
    width = (k > 0.5).sum(1)
    assert width[top + (bottom - top) // 4] > 2 * width[bottom - (bottom - top) // 8], "lobes up, tip down"
    assert float(k[top, SIZE // 2 - 1 : SIZE // 2 + 1].max()) == 0, "the notch between the lobes is on top"
    assert bool((k[bottom - 1, SIZE // 2 - 1 : SIZE // 2 + 1] > 0.2).any()), "the tip is on the middle axis"


def test_ring_and_star() -> None:
    ring = _open(bokeh.make_kernel("ring", size=SIZE, inner=0.6))
    assert float(ring[SIZE // 2, SIZE // 2]) == 0
    assert float(ring.sum()) * (2 / SIZE) ** 2 == pytest.approx(math.pi * (1 - 0.36), rel=0.01)
    star = _open(bokeh.make_kernel("star", size=SIZE, points=5, inner=0.4))
    assert float(star.sum()) * (2 / SIZE) ** 2 == pytest.approx(5 * 0.4 * math.sin(math.pi / 5), rel=0.02)
    assert float(star[2:6, SIZE // 2 - 1 : SIZE // 2 + 1].max()) > 0.2, "a tip points up"


def test_softness_falls_towards_the_edge_only() -> None:
    hard, soft, softest = (_open(bokeh.make_kernel("circle", size=SIZE, softness=s))[SIZE // 2] for s in (0.0, 0.3, 1.0))
    assert float(soft[SIZE // 2]) == pytest.approx(1) and float(hard[4]) == pytest.approx(1)
    assert float(soft[4]) < 0.5 and bool((soft[: SIZE // 2].diff() >= -1e-6).all())
    assert float(softest[SIZE // 4]) < 0.9 * float(soft[SIZE // 4])


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"shape": "sausage"}, "circle, polygon"),
        ({"shape": "polygon", "blades": 2}, "blades"),
        ({"shape": "star", "points": 99}, "points"),
        ({"shape": "star", "inner": 0.01}, "inner"),
        ({"shape": "ring", "inner": 1.0}, "inner"),
        ({"shape": "polygon", "curvature": 1.1}, "curvature"),
        ({"softness": -0.1}, "softness"),
        ({"softness": float("nan")}, "softness"),
        ({"rotation_deg": float("inf")}, "rotation_deg"),
        ({"size": 4}, "size"),
    ],
)
def test_wrong_values_are_named(options: dict[str, object], name: str) -> None:
    with pytest.raises(ValueError, match=name):
        bokeh.make_kernel(**options)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("shape", [(31, 31), (1, 20, 31), (3, 32, 20), (1, 3, 17, 30), (1, 1)])
def test_any_picture_becomes_a_square_kernel(shape: tuple[int, ...]) -> None:
    picture = torch.rand(shape, generator=torch.Generator().manual_seed(1)) + 0.01
    raster = bokeh.kernel_from_image(picture).raster
    channels = shape[-3] if len(shape) > 2 else 1
    assert raster.shape[0] == channels and raster.shape[1] == raster.shape[2]
    torch.testing.assert_close(raster.sum((1, 2)), torch.ones(channels), atol=1e-5, rtol=0)
    # the picture's middle is the axis, also where sides differ by an odd number
    flat = picture.reshape(-1, *shape[-2:]).sum(0)
    long = max(shape[-2:])
    cy = float((flat.sum(1) * (torch.arange(shape[-2]) - (shape[-2] - 1) / 2)).sum() / flat.sum()) * 2 / long
    if channels == 1:
        assert _centroid(raster[0])[1] == pytest.approx(cy, abs=1e-4)


def test_channels_of_a_coloured_picture_stay_apart_and_balanced() -> None:
    picture = torch.zeros(3, 40, 40)
    picture[0, 10:30, 5:15], picture[1, 10:30, 15:25], picture[2, 10:30, 25:35] = 1.0, 0.5, 0.1
    k = bokeh.kernel_from_image(picture).raster
    torch.testing.assert_close(k.sum((1, 2)), torch.ones(3))
    assert [round(_centroid(c)[0], 2) for c in k] == [-0.5, 0.0, 0.5]


def test_a_large_picture_is_reduced_and_keeps_its_place() -> None:
    picture = torch.zeros(900, 1400)
    picture[100:200, 1200:1300] = 1
    k = bokeh.kernel_from_image(picture).raster
    assert k.shape[-1] <= 1024
    x, y = _centroid(k[0])
    assert x == pytest.approx(1250 / 700 - 1, abs=0.01) and y == pytest.approx((150 - 450) / 700, abs=0.01)


def test_off_axis_is_not_recentred_unless_asked() -> None:
    picture = torch.zeros(64, 64)
    picture[8:24, 36:60] = 1
    as_is = bokeh.kernel_from_image(picture)
    assert _centroid(as_is.raster[0]) == pytest.approx((0.5, -0.5), abs=1e-6)
    moved = bokeh.kernel_from_image(picture, center=True)
    assert _centroid(moved.raster[0]) == pytest.approx((0.0, 0.0), abs=1e-3)
    assert moved.raster.shape == as_is.raster.shape, "the side is the blur's scale: the shape keeps its size"
    assert float(moved.raster.sum()) == pytest.approx(1, abs=1e-5)
    assert 1 / float(moved.raster.max()) == pytest.approx(16 * 24, rel=1e-3)
    # part cells too, and in the picture that a light makes
    picture[8, 36:60] = 0.37
    x, y = _centroid(psf.rasterize(bokeh.kernel_from_image(picture, center=True).raster, 11.0)[0])
    assert abs(x) * 11 < 0.05 and abs(y) * 11 < 0.05


def test_centring_never_cuts_light_off() -> None:
    picture = torch.zeros(1, 32, 32)
    picture[0, :, 0] = 0.2
    picture[0, 14:18, 24:] = 1  # after the shift the column at the left lies beyond the square
    k = bokeh.kernel_from_image(picture, center=True).raster
    assert k.shape[-1] > 32
    assert int((k > 1e-6).sum()) >= int((picture > 0).sum())


def test_softness_of_a_picture() -> None:
    picture = torch.zeros(48, 48)
    picture[8:40, 8:40] = 1
    k = _open(bokeh.kernel_from_image(picture, softness=0.5))
    assert float(k[24, 24]) == pytest.approx(1) and 0 < float(k[24, 9]) < 0.3 and float(k[24, 4]) == 0


def test_wrong_pictures_are_named() -> None:
    black = torch.ones(3, 8, 8)
    black[1] = 0
    with pytest.raises(ValueError, match="channel G"):
        bokeh.kernel_from_image(black)
    with pytest.raises(ValueError, match=r"black: no light.*brighter"):
        bokeh.kernel_from_image(torch.zeros(8, 8))
    for bad in (float("nan"), float("inf"), -0.1):
        picture = torch.ones(8, 8)
        picture[3, 3] = bad
        with pytest.raises(ValueError, match="negative, NaN or infinite"):
            bokeh.kernel_from_image(picture)
    with pytest.raises(ValueError, match="shape"):
        bokeh.kernel_from_image(torch.ones(2, 8, 8))
    with pytest.raises(ValueError, match="shape"):
        bokeh.kernel_from_image(torch.ones(2, 3, 8, 8))
    with pytest.raises(TypeError, match="floating-point"):
        bokeh.kernel_from_image(torch.ones(8, 8, dtype=torch.uint8))
    with pytest.raises(ValueError, match="softness"):
        bokeh.kernel_from_image(torch.ones(8, 8), softness=2)


def test_preview_is_a_picture_with_a_white_brightest_cell() -> None:
    picture = torch.zeros(3, 40, 40)
    picture[0, 5:15], picture[1, 15:25], picture[2, 25:35] = 1.0, 1.0, 1.0
    shown = bokeh.kernel_preview(bokeh.kernel_from_image(picture), 80)
    assert shown.shape == (1, 3, 80, 80)
    assert float(shown.min()) == 0 and float(shown.max()) == pytest.approx(1)
    assert float(shown[0, 0, 20, 40]) == pytest.approx(1) and float(shown[0, 1, 20, 40]) == 0
    grey = bokeh.kernel_preview(bokeh.make_kernel("circle"))
    assert torch.equal(grey[:, 0], grey[:, 1]) and grey.shape[-1] == 256


def test_preview_shows_a_pupil_that_changes_over_the_picture_in_the_middle_and_towards_a_corner() -> None:
    settings = bokeh.ApertureSettings(cat_eye=0.8)
    middle, corner = bokeh.kernel_preview(settings.kernel(), 64)[0, 0].split(64, -1)
    assert torch.equal(middle, bokeh.kernel_preview(bokeh.make_kernel("circle"), 64)[0, 0])
    lit = corner > 0.5
    assert 0.2 < float(lit.sum()) / float((middle > 0.5).sum()) < 0.8, "the barrel covers part of it"
    y, x = lit.nonzero().float().mean(0).tolist()
    assert x < 30 and y > 33, "what is left points to the middle of the picture, to the lower left"
    assert bokeh.kernel_preview(bokeh.ApertureSettings(coma=0.5).kernel(), 64).shape[-1] == 3 * 64, "in the corner, both sides"
    assert bokeh.kernel_preview(bokeh.ApertureSettings(coma=0.5, fringe=0.5).kernel(), 64).shape[-1] == 4 * 64


@pytest.mark.parametrize("blades", [3, 5, 6, 9])
@pytest.mark.parametrize("curvature", [5e-324, 1e-30, 1e-7, 1e-6, 1e-5])
def test_blades_that_are_hardly_curved_are_nearly_straight(blades: int, curvature: float) -> None:
    straight = bokeh.make_kernel("polygon", blades=blades, size=64).raster
    curved = bokeh.make_kernel("polygon", blades=blades, curvature=curvature, size=64).raster
    assert float((curved - straight).abs().max()) <= 0.1 * float(straight.max())
