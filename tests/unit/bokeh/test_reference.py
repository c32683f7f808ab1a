"""The lens integrated over aperture samples, against cases with a formula. It is the oracle of everything else."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from refocus_core import bokeh, psf
from refocus_core.bokeh import reference
from refocus_core.bokeh.reference import SUBPIXELS, LayeredScene, Plane
from refocus_core.types import Kernel

H, W, MARGIN = 40, 48, 10


def _size(margin: int = MARGIN) -> tuple[int, int]:
    return (H + 2 * margin) * SUBPIXELS, (W + 2 * margin) * SUBPIXELS


def _texture(seed: int = 0, margin: int = MARGIN) -> Tensor:
    """Smooth noise, so that the sub-pixel grid's own interpolation does not count."""
    h, w = _size(margin)
    noise = torch.rand(3, h // 4, w // 4, generator=torch.Generator().manual_seed(seed))
    return F.interpolate(noise[None], (h, w), mode="bicubic", align_corners=False)[0].clamp(0.02, 1)


def _coordinates(margin: int = MARGIN) -> tuple[Tensor, Tensor]:
    h, w = _size(margin)
    y = (torch.arange(h) + 0.5) / SUBPIXELS - margin - H / 2
    x = (torch.arange(w) + 0.5) / SUBPIXELS - margin - W / 2
    return y[:, None].expand(h, w), x[None].expand(h, w)


def _opaque() -> Tensor:
    return torch.ones(_size())


def _disc(radius: float) -> Tensor:
    y, x = _coordinates()
    return (torch.hypot(x, y) <= radius).float()


def _psnr(a: Tensor, b: Tensor) -> float:
    return float(-10 * torch.log10((a - b).square().mean() + 1e-14))


def _convolved(fine: Tensor, kernel: Kernel, radius_px: float) -> Tensor:
    """[C,h,w] sub-pixel planes through the aperture, exactly, box-filtered and cropped to the picture: [C,H,W]."""
    k = psf.rasterize(kernel.raster, radius_px * SUBPIXELS)[0]
    n = k.shape[-1] // 2
    m = MARGIN * SUBPIXELS
    window = fine[:, m - n : fine.shape[1] - m + n, m - n : fine.shape[2] - m + n]
    blurred = F.conv2d(window[:, None], k.flip(-2, -1)[None, None])[:, 0]
    return F.avg_pool2d(blurred[None], SUBPIXELS)[0]


@pytest.mark.parametrize("shape", ["circle", "polygon", "heart"])
@pytest.mark.parametrize("radius", [6.0, -6.0, 1.7])
def test_a_single_plane_is_a_convolution(shape: str, radius: float) -> None:
    kernel = bokeh.make_kernel(shape)
    color = _texture(1)
    scene = LayeredScene((Plane(color, _opaque(), radius),), MARGIN, samples=300)
    picture, hidden = reference.render_reference(scene, kernel)
    exact = _convolved(color, kernel, radius)
    # reading between sub-pixels widens the blur by a quarter of a pixel, which a small radius shows
    assert _psnr(picture[0], exact) > (55 if abs(radius) > 2 else 48)
    assert float(hidden.max()) < 1e-5
    if shape == "heart" and abs(radius) > 2:  # the mirror image would not pass
        assert _psnr(picture[0], _convolved(color, kernel, -radius)) < 45


def test_in_focus_is_the_pinhole_photo() -> None:
    alpha = _disc(12)
    scene = LayeredScene((Plane(_texture(1), alpha, 0.0), Plane(_texture(2), _opaque(), 0.0)), MARGIN, samples=8)
    photo, radius = reference.pinhole(scene)
    picture, hidden = reference.render_reference(scene, bokeh.make_kernel("circle"))
    assert photo.shape == (1, 3, H, W) and radius.shape == (1, H, W)
    torch.testing.assert_close(picture, photo, atol=2e-6, rtol=0)
    assert float(hidden.max()) < 1e-6


def test_energy_of_a_light_is_kept() -> None:
    color = torch.zeros(3, *_size())
    m = MARGIN * SUBPIXELS
    color[:, m + H - 1 : m + H + 2, m + W : m + W + 3] = 80.0
    for radius in (7.0, -7.0, 0.6):
        scene = LayeredScene((Plane(color, _opaque(), radius),), MARGIN, samples=700)
        picture, _ = reference.render_reference(scene, bokeh.make_kernel("polygon"))
        assert float(picture.double().sum() / reference.pinhole(scene)[0].double().sum()) == pytest.approx(1, abs=3e-3)


def test_constant_colour_stays_constant_whatever_the_geometry() -> None:
    grey = torch.full((3, *_size()), 0.37)
    planes = (
        Plane(grey, _disc(9), -6.0),
        Plane(grey, _disc(15) * 0.5, 0.0),
        Plane(grey, _opaque(), 4.0, (0.05, -0.03)),
        Plane(grey, _opaque(), 8.0),
    )
    for sort in (False, True):
        picture, hidden = reference.render_reference(LayeredScene(planes, MARGIN, sort, 12), bokeh.make_kernel("heart"))
        torch.testing.assert_close(picture, torch.full_like(picture, 0.37), atol=1e-5, rtol=0)
        assert float(hidden.min()) >= 0 and float(hidden.max()) > 0.05


def test_two_planes_focus_on_the_front() -> None:
    """Every ray through a covered point of the focal plane is stopped there: front + (1 - alpha) * blurred back."""
    front, back, alpha, kernel = _texture(3), _texture(4), _disc(11), bokeh.make_kernel("polygon")
    scene = LayeredScene((Plane(front, alpha, 0.0), Plane(back, _opaque(), 8.0)), MARGIN, samples=400)
    picture, hidden = reference.render_reference(scene, kernel)
    k = psf.rasterize(kernel.raster, 8.0 * SUBPIXELS)[0]
    n, m = k.shape[-1] // 2, MARGIN * SUBPIXELS
    window = back[:, m - n : back.shape[1] - m + n, m - n : back.shape[2] - m + n]
    behind = F.conv2d(window[:, None], k.flip(-2, -1)[None, None])[:, 0]
    a = alpha[m:-m, m:-m]
    exact = F.avg_pool2d((front[:, m:-m, m:-m] * a + (1 - a) * behind)[None], SUBPIXELS)[0]
    assert _psnr(picture[0], exact) > 60
    # where the back shows, part of its light comes from what the front hides in the photo: none far away
    assert float(hidden[0, 0, 0]) < 1e-5 and float(hidden[0, :, W // 2].max()) > 0.2


def test_two_planes_focus_on_the_back() -> None:
    """A point of the sharp back is seen through the whole aperture: blurred premultiplied front + (1 - blurred alpha) * back."""
    front, back, alpha, kernel = _texture(5), _texture(6), _disc(11), bokeh.make_kernel("heart")
    scene = LayeredScene((Plane(front, alpha, -7.0), Plane(back, _opaque(), 0.0)), MARGIN, samples=400)
    picture, _ = reference.render_reference(scene, kernel)
    k = psf.rasterize(kernel.raster, -7.0 * SUBPIXELS)[0]
    n, m = k.shape[-1] // 2, MARGIN * SUBPIXELS
    layer = torch.cat([front * alpha, alpha[None]])
    window = layer[:, m - n : layer.shape[1] - m + n, m - n : layer.shape[2] - m + n]
    blurred = F.conv2d(window[:, None], k.flip(-2, -1)[None, None])[:, 0]
    exact = F.avg_pool2d((blurred[:3] + (1 - blurred[3]) * back[:, m:-m, m:-m])[None], SUBPIXELS)[0]
    assert _psnr(picture[0], exact) > 60
    assert _psnr(picture[0], reference.pinhole(scene)[0][0]) < 40


@pytest.mark.parametrize("at", [(-12, 9), (0, 0), (14, -10)])
def test_a_slanted_plane_draws_spots_of_the_radius_there(at: tuple[int, int]) -> None:
    """A point at x = (15, -8) px from the middle of a plane with slope s spreads over r = radius + s . x."""
    x, y = at
    slope, radius = (0.12, -0.09), 5.0
    expected = radius + slope[0] * (x + 0.25) + slope[1] * (y + 0.25)
    color = torch.zeros(3, *_size())
    color[:, (H // 2 + y + MARGIN) * SUBPIXELS, (W // 2 + x + MARGIN) * SUBPIXELS] = 4.0
    scene = LayeredScene((Plane(color, _opaque(), radius, slope),), MARGIN, samples=500)
    spot = reference.render_reference(scene, bokeh.make_kernel("circle"))[0][0, 0].double()
    assert float(spot.sum()) == pytest.approx(1, abs=0.02)
    ys, xs = torch.arange(H).double() + 0.5 - H / 2, torch.arange(W).double() + 0.5 - W / 2
    spot = spot / spot.sum()
    cx, cy = float((spot.sum(0) * xs).sum()), float((spot.sum(1) * ys).sum())
    spread = float((spot * ((xs[None] - cx) ** 2 + (ys[:, None] - cy) ** 2)).sum())
    # a disc's mean square radius is r^2/2; the pixel box adds 2/12 and bilinear reading of the point 2 * (1/4) * 1/3 or so
    assert math.sqrt(2 * (spread - 1 / 6 - 1 / 16)) == pytest.approx(expected, abs=0.1)


def test_crossing_planes_are_sorted_where_they_cross() -> None:
    red, blue = torch.zeros(3, *_size()), torch.zeros(3, *_size())
    red[0], blue[2] = 1, 1
    planes = (Plane(red, _opaque(), 0.0, (0.1, 0.0)), Plane(blue, _opaque(), 0.0, (-0.1, 0.0)))
    picture, _ = reference.render_reference(LayeredScene(planes, MARGIN, True, 64), bokeh.make_kernel("circle"))
    left, right = picture[0, :, :, :10].mean((1, 2)), picture[0, :, :, -10:].mean((1, 2))
    assert left[0] > 0.99 and right[2] > 0.99, "the smaller radius is nearer"
    photo, radius = reference.pinhole(LayeredScene(planes, MARGIN, True))
    assert float(photo[0, 0, 0, 0]) == 1 and float(radius.max()) <= 0


def test_soft_alpha_mixes_and_the_map_follows_the_majority() -> None:
    planes = (Plane(torch.ones(3, *_size()), torch.full(_size(), 0.4), -5.0), Plane(torch.zeros(3, *_size()), _opaque(), 3.0))
    photo, radius = reference.pinhole(LayeredScene(planes, MARGIN))
    assert float(photo.mean()) == pytest.approx(0.4, abs=1e-6) and bool((radius == 3.0).all())


def test_two_sample_sets_agree(record_property: pytest.RecordProperty) -> None:
    """The noise floor of every score against this oracle."""
    scene = LayeredScene((Plane(_texture(7), _disc(12), -7.0), Plane(_texture(8), _opaque(), 7.0)), MARGIN, samples=400)
    kernel = bokeh.make_kernel("circle")
    first = reference.render_reference(scene, kernel)[0]
    floor_db = _psnr(first, reference.render_reference(scene, kernel, seed=0.81)[0])
    record_property("noise_floor_db", round(floor_db, 1))
    assert 55 < floor_db < 120, f"{floor_db:.1f} dB"


def test_samples_follow_the_transmission() -> None:
    raster = torch.zeros(3, 8, 8)
    raster[0, :, :4], raster[1, :4, :], raster[2] = 1, 1, 1
    points, weights = reference.aperture_samples(bokeh.kernel_from_image(raster), 4000)
    torch.testing.assert_close(weights.sum(1), torch.ones(3), atol=1e-4, rtol=0)
    mean = weights @ points
    torch.testing.assert_close(mean, torch.tensor([[-0.5, 0], [0, -0.5], [0, 0]]), atol=5e-3, rtol=0)


def test_a_coloured_aperture_blurs_each_channel_by_its_own_shape() -> None:
    raster = torch.zeros(3, 16, 16)
    raster[0, :, :8], raster[1, :, 4:12], raster[2, :, 8:] = 1, 1, 1
    color = torch.zeros(3, *_size())
    color[:, (H // 2 + MARGIN) * SUBPIXELS : (H // 2 + MARGIN + 1) * SUBPIXELS, (W // 2 + MARGIN) * SUBPIXELS] = 1
    scene = LayeredScene((Plane(color, _opaque(), 6.0),), MARGIN, samples=300)
    spot = reference.render_reference(scene, bokeh.kernel_from_image(raster))[0][0]
    xs = torch.arange(W) - W / 2
    x = (spot.sum(1) * xs).sum(1) / spot.sum((1, 2))
    assert (x - x[1]).tolist() == pytest.approx([-3, 0, 3], abs=0.1)
