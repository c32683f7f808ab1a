"""Sizes, batches, types, tiles and parts of a rendering."""

from __future__ import annotations

import pytest
import torch

from refocus_core import bokeh
from refocus_core.types import DefocusMap
from tests.helpers.renderings import (
    CHEAP,
    mixed_radii,
    noise,
    render,
)


@pytest.mark.parametrize(("h", "w"), [(1, 1), (1, 40), (37, 1), (2, 3), (31, 17)])
def test_odd_and_tiny_sizes(h: int, w: int) -> None:
    image = torch.rand(1, 3, h, w)
    for radius in (torch.full((1, h, w), 5.0), torch.linspace(-6, 6, h * w).view(1, h, w)):
        out = render(image, radius)
        assert out.shape == image.shape and bool(torch.isfinite(out).all())
        assert float(out.min()) >= float(image.min()) - 1e-3 and float(out.max()) <= float(image.max()) + 1e-3


@pytest.mark.parametrize("radius", [0.0, 3.0, 500.0, -500.0])
def test_a_radius_beyond_the_picture(radius: float) -> None:
    image = noise(24, 30, 5)
    out = render(image, torch.full((1, 24, 30), radius), quality="draft")
    assert bool(torch.isfinite(out).all())
    if abs(radius) > 100:
        flat = image.mean((2, 3), keepdim=True)
        assert float((out / flat - 1).abs().max()) < 0.1, "so much blur leaves the mean colour"


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_images(dtype: torch.dtype) -> None:
    image = noise(40, 40, 6)
    radius = mixed_radii(40, 40)
    out = render(image.to(dtype), radius)
    assert out.dtype == dtype
    assert float((out.float() - render(image.to(dtype).float(), radius)).abs().max()) < 8 * torch.finfo(dtype).eps


def test_a_batch_is_its_singles_and_one_map_serves_all() -> None:
    images, radii = noise(36, 44, 7, batch=3), torch.cat([mixed_radii(36, 44), -mixed_radii(36, 44), torch.zeros(1, 36, 44)])
    together = render(images, radii)
    for i in range(3):
        assert torch.equal(together[i : i + 1], render(images[i : i + 1], radii[i : i + 1]))
    shared = render(images, radii[:1])
    assert torch.equal(shared[1:2], render(images[1:2], radii[:1]))


def test_same_input_same_output_and_inputs_are_left_alone() -> None:
    image, radius = noise(50, 60, 8), mixed_radii(50, 60)
    kept = image.clone(), radius.clone()
    assert torch.equal(render(image, radius), render(image, radius))
    assert torch.equal(image, kept[0]) and torch.equal(radius, kept[1])


TILE_BOUND, PART_BOUND = 0.02, 0.06
"""Largest differences in linear light. A tile without depth edges is not cut into pieces of the aperture, and each part fills
what is hidden from its own surroundings."""


@pytest.mark.parametrize("quality", CHEAP)
def test_tiles_do_not_show(quality: str) -> None:
    h, w = 150, 170
    image, radius = noise(h, w, 9), mixed_radii(h, w)
    whole = render(image, radius, quality=quality)
    tiles = render(image, radius, quality=quality, limits=bokeh.Limits(tile_px=64))
    assert float((tiles - whole).abs().max()) < TILE_BOUND
    assert float((tiles - whole).abs().mean()) < 2e-3
    parts = render(image, radius, quality=quality, limits=bokeh.Limits(tile_px=64, cpu_part_px=64))
    assert float((parts - whole).abs().max()) < PART_BOUND
    assert float((parts - whole).abs().mean()) < 4e-3


def test_a_uniform_picture_has_no_seams() -> None:
    limits = bokeh.Limits(tile_px=32, cpu_part_px=64)
    out = render(torch.full((1, 3, 100, 120), 0.5), mixed_radii(100, 120), limits=limits)
    assert float((out - 0.5).abs().max()) < 1e-3


def test_progress_counts_up_and_may_cancel() -> None:
    limits = bokeh.Limits(tile_px=32)
    image, radius = noise(60, 70, 10, batch=2), mixed_radii(60, 70)
    calls: list[tuple[int, int]] = []
    render(image, radius, limits=limits, progress=lambda done, total: calls.append((done, total)))
    assert len(calls) > 2
    assert [c[0] for c in calls] == sorted(c[0] for c in calls) and calls[-1][0] == calls[-1][1]
    assert len({c[1] for c in calls}) == 1

    class StopNowError(Exception):
        pass

    seen: list[int] = []

    def stop(done: int, total: int) -> None:
        seen.append(done)
        raise StopNowError

    with pytest.raises(StopNowError):
        render(image, radius, limits=limits, progress=stop)
    assert len(seen) == 1
    sharp: list[tuple[int, int]] = []
    render(image, torch.zeros(2, 60, 70), progress=lambda done, total: sharp.append((done, total)))
    assert sharp[-1][0] == sharp[-1][1], "also where nothing is blurred"


@pytest.mark.parametrize("radius", [-20.0, 20.0])
@pytest.mark.parametrize("height", [130, 260])
def test_a_bin_smaller_than_its_kernel_in_a_tile_smaller_than_its_kernel(height: int, radius: float) -> None:
    """The last rows are a tile of their own, and all that is blurred lies in them."""
    image = torch.full((1, 3, height, 40), 0.5)
    radii = torch.zeros(height, 40)
    radii[-2:] = radius
    rendered = bokeh.render(image, DefocusMap.from_radius(radii))
    torch.testing.assert_close(rendered, image, atol=2e-4, rtol=0)


def test_what_is_opaque_is_known_up_to_the_borders_of_parts() -> None:
    """A part looks as far beyond its borders as `Plan.hidden_from` does: no wall shines through where one begins behind them."""
    x = torch.arange(120.0).expand(40, 120)
    radius = torch.where(x < 71, torch.tensor(-4.5), torch.tensor(4.5))[None]  # the wall begins 8 px beyond the first part
    image = torch.where(x < 71, 0.1, 0.8).expand(1, 3, 40, 120)
    whole = render(image, radius)
    parts = render(image, radius, limits=bokeh.Limits(cpu_part_px=63))
    torch.testing.assert_close(parts, whole, atol=1e-4, rtol=0)


@pytest.mark.parametrize("quality", CHEAP)
def test_the_order_in_memory_changes_nothing(quality: str) -> None:
    image, radius = noise(60, 70, 1), mixed_radii(60, 70)
    expected = render(image, radius, quality=quality)
    turned = image.transpose(2, 3).contiguous().transpose(2, 3), radius.transpose(1, 2).contiguous().transpose(1, 2)
    assert torch.equal(render(*turned, quality=quality), expected)


@pytest.mark.parametrize("quality", CHEAP)
def test_white_stays_white_through_a_coloured_aperture(quality: str) -> None:
    raster = torch.zeros(3, 16, 16)
    raster[0, :, :8], raster[1, :, 8:], raster[2, 4:12, 4:12] = 1, 1, 1
    out = render(torch.ones(1, 3, 60, 70), mixed_radii(60, 70), bokeh.kernel_from_image(raster), quality=quality)
    assert float((out - 1).abs().max()) < 1e-3
