"""Rasterised point-spread functions: sum, size, centre, mirror, coverage."""

import math

import pytest
import torch

from refocus_core import psf

RADII = [0.0, 0.2, 0.5, 0.75, 1.0, 1.49, 1.5, 2.3, 7.0, 31.7]


def _moment(kernel: torch.Tensor) -> tuple[float, float, float]:
    """Centroid (x, y) and mean square distance from the middle pixel's centre, in px."""
    k = kernel[0].double()
    c = torch.arange(k.shape[-1], dtype=torch.float64) - (k.shape[-1] - 1) / 2
    s = k.sum()
    return (
        float((k.sum(0) * c).sum() / s),
        float((k.sum(1) * c).sum() / s),
        float((k * (c[None] ** 2 + c[:, None] ** 2)).sum() / s),
    )


def _disc_raster(n: int) -> torch.Tensor:
    a = (torch.arange(n) + 0.5) / n * 2 - 1
    k = ((a[None] ** 2 + a[:, None] ** 2) <= 1).float()[None]
    return k / k.sum()


@pytest.mark.parametrize("radius", RADII)
def test_sum_and_odd_size(radius: float) -> None:
    raster = torch.rand(3, 17, 17, generator=torch.Generator().manual_seed(0))
    raster = raster / raster.sum((1, 2), keepdim=True)
    for r in (radius, -radius):
        k = psf.rasterize(raster, r)
        assert k.shape[0] == 3 and k.shape[1] == k.shape[2] == psf.size_px(r) and k.shape[1] % 2 == 1
        assert k.dtype == raster.dtype and float(k.min()) >= 0
        torch.testing.assert_close(k.sum((1, 2)), torch.ones(3), atol=1e-6, rtol=0)
    d = psf.disc(radius)
    assert d.shape[-1] == psf.size_px(radius)
    assert float(d.sum()) == pytest.approx(1, abs=1e-6)


def test_zero_is_a_delta_and_small_is_continuous() -> None:
    raster = _disc_raster(32)
    for k in (psf.rasterize(raster, 0.0), psf.rasterize(raster, 0.49), psf.disc(0.0)):
        assert k.shape == (1, 1, 1) and float(k) == pytest.approx(1, abs=1e-6)
    just_above = psf.disc(0.51)
    assert just_above.shape == (1, 3, 3) and float(just_above[0, 1, 1]) > 0.99


@pytest.mark.parametrize("radius", [0.8, 2.0, 3.3, 9.5])
def test_disc_matches_fine_raster_and_supersampling(radius: float) -> None:
    d = psf.disc(radius)
    assert float((d - psf.rasterize(_disc_raster(512), radius)).abs().max()) < 1e-2 * float(
        d.max()
    )  # the coarse rim of the raster
    m, s = d.shape[-1], 100
    a = (torch.arange(m * s) + 0.5) / s - m / 2
    inside = ((a[None] ** 2 + a[:, None] ** 2) <= radius**2).double()
    counted = torch.nn.functional.avg_pool2d(inside[None], s)
    assert float((d * math.pi * radius**2 - counted).abs().max()) < 5e-3


@pytest.mark.parametrize("radius", [0.9, 2.0, 6.4, 20.0])
def test_disc_is_centred_and_scales(radius: float) -> None:
    x, y, spread = _moment(psf.disc(radius))
    assert abs(x) < 1e-6 and abs(y) < 1e-6
    # mean square distance of a disc is r^2/2; the pixel's own square adds 2/12 when its parts are moved to the pixel centre
    # on average, except for the finer structure of the rim
    assert spread == pytest.approx(radius**2 / 2 + 1 / 6, abs=0.17)
    d = psf.disc(radius)
    for same in (d.flip(-1), d.flip(-2), d.transpose(-1, -2)):
        torch.testing.assert_close(d, same, atol=1e-8, rtol=0)


def test_off_axis_spot_lands_where_it_belongs_and_mirrors() -> None:
    raster = torch.zeros(1, 40, 40)
    raster[0, 9, 29] = 1.0  # centre of the cell: x = (29.5/40)*2-1 = 0.475, y = (9.5/40)*2-1 = -0.525 (up)
    for radius in (3.0, 8.0, 21.3):
        x, y, _ = _moment(psf.rasterize(raster, radius))
        # moving light from its cell to the centres of the pixels that the cell covers costs at most half a pixel
        assert abs(x - 0.475 * radius) <= 0.5 and abs(y + 0.525 * radius) <= 0.5
        mirrored = psf.rasterize(raster, -radius)
        torch.testing.assert_close(mirrored, psf.rasterize(raster, radius).flip(-2, -1))


def test_one_cell_is_a_box() -> None:
    k = psf.rasterize(torch.ones(1, 1, 1), 2.0)[0]  # 4 px wide: 3 full pixels and two halves
    row = torch.tensor([0.5, 1, 1, 1, 0.5]) / 4
    torch.testing.assert_close(k, row[None] * row[:, None])


def test_errors_name_the_input() -> None:
    with pytest.raises(ValueError, match="radius_px"):
        psf.rasterize(torch.ones(1, 3, 3), float("nan"))
    with pytest.raises(ValueError, match="radius_px"):
        psf.disc(float("inf"))
    with pytest.raises(ValueError, match="kernel_raster"):
        psf.rasterize(torch.ones(1, 3, 4), 1.0)
    with pytest.raises(TypeError, match="kernel_raster"):
        psf.rasterize(torch.ones(1, 3, 3, dtype=torch.int64), 1.0)
