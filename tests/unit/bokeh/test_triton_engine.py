"""The Triton engine against the plain one, in Triton's interpreter on the CPU, and what it does where memory is short."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from refocus_core import bokeh
from refocus_core.bokeh.bins import Bins
from refocus_core.bokeh.engines.torch_engine import TileEngine
from refocus_core.bokeh.engines.triton.engine import TritonEngine
from refocus_core.bokeh.limits import Limits
from refocus_core.bokeh.plan import Plan, Quality
from refocus_core.bokeh.surfaces.cache import prepare
from refocus_core.bokeh.surfaces.layers import Layers
from refocus_core.types import Kernel
from tests.helpers.layered import coloured_aperture, layered, off_axis_aperture, one_surface, texture, unit_grid

pytestmark = pytest.mark.usefixtures("interpreted")

WORST, MEAN, MOST, SHARE = 2e-4, 2e-6, 2e-6, 0.98
"""Largest and mean difference of two engines, and the one that a SHARE of the values keeps to, relative to the brightest pixel.
Rounding alone gives 1e-6. What a bin adds where it covers less than `PRESENT` may count to one group or the next."""


def _both(
    layers: Layers, kernel: Kernel, quality: Quality, size: tuple[int, int], origin: tuple[int, int]
) -> tuple[Tensor, Tensor, Tensor]:
    """The photo, and what each engine makes of it in the middle of the window."""
    every = torch.cat([layers.front_radius, layers.back_radius])
    plan = Plan(kernel, Bins.of(every, quality.bin_step), quality)
    h, w = layers.front_radius.shape
    halo = ((h - size[0]) // 2, (w - size[1]) // 2)
    photo = layers.front[:3, halo[0] : halo[0] + size[0], halo[1] : halo[1] + size[1]].clone()
    pictures: list[Tensor] = []
    covers: list[Tensor] = []
    for engine in (TileEngine(plan), TritonEngine(plan)):
        out, near_blur, steps = photo.clone(), torch.zeros(4, *size), []
        engine.composite(layers, halo, origin, out, steps.append, near_blur)
        assert sum(steps) == Limits().tile_count(*size)
        pictures.append(out)
        covers.append(near_blur)
        alone = photo.clone()
        engine.composite(layers, halo, origin, alone, lambda _: None)
        assert torch.equal(alone, out), "asking for the coverage changes the picture"
    _assert_alike(covers[1], covers[0])
    assert bool((covers[0][3] > 0.5).any()) == bool((every < -1).any()), "of what is nearer than the focus"
    return photo, pictures[0], pictures[1]


def _assert_alike(ours: Tensor, theirs: Tensor) -> None:
    difference, peak = (ours - theirs).abs(), float(theirs.max())
    assert bool(torch.isfinite(ours).all())
    assert float(difference.max()) <= WORST * peak
    assert float(difference.mean()) <= MEAN * peak
    assert float(difference.flatten().quantile(SHARE)) <= MOST * peak


CASES = {
    # kernel, quality (resolution_px, bin_step, segments), radii, size of the output, origin, options of the layers
    "sub-pixel": (bokeh.make_kernel("circle"), Quality(100, 1.0, 1), (-1.3, 1.4), (25, 27), (0, 0), {}),
    "circle, both sides": (bokeh.make_kernel("circle"), Quality(100, 2.5, 1), (-4.6, 4.2), (14, 22), (-9, -9), {}),
    "heart, 1/2 and 1/4": (bokeh.make_kernel("heart"), Quality(2, 3.5, 1), (-5.0, 8.4), (12, 30), (23, -31), {}),
    "off axis, 4 segments": (off_axis_aperture(), Quality(100, 2.5, 4), (-5.0, 4.0), (18, 33), (64, 7), {"plate": True}),
    "polygon, 4 segments, 1/2": (
        bokeh.make_kernel("polygon", blades=5, rotation_deg=20),
        Quality(3, 4.0, 4),
        (-6.2, 3.0),
        (13, 30),
        (5, 130),
        {"plate": True},
    ),
    "heart, 16 segments": (bokeh.make_kernel("heart"), Quality(100, 3.0, 16), (-5.5, 5.0), (11, 13), (0, 0), {"plate": True}),
    "soft, 1/2": (
        bokeh.make_kernel("circle", softness=0.7),
        Quality(3, 4.0, 1),
        (-6.2, 1.0),
        (9, 33),
        (0, 0),
        {"plate": True},
    ),
    "colour, 1/2": (coloured_aperture(), Quality(3, 3.0, 1), (-6.5, 5.0), (33, 20), (-3, 3), {}),
    "colour, 4 segments": (coloured_aperture(), Quality(100, 3.0, 4), (-5.0, 3.0), (21, 33), (0, 0), {"plate": True}),
    "joined": (bokeh.make_kernel("circle"), Quality(100, 1.0, 1, join=2.1), (-4.6, 4.2), (14, 22), (-9, -9), {}),
    "joined, 4 segments, 1/2": (
        bokeh.make_kernel("heart"),
        Quality(3, 2.0, 4, join=4.5),
        (-6.2, 7.0),
        (13, 30),
        (5, 130),
        {"plate": True},
    ),
    "joined, colour": (coloured_aperture(), Quality(3, 2.0, 1, join=2.5), (-6.5, 5.0), (20, 24), (-3, 3), {}),
    "strips of several chunks": (bokeh.make_kernel("circle"), Quality(100, 6.0, 1), (-0.4, 4.2), (4, 118), (0, 0), {}),
    "lights of 1e4": (bokeh.make_kernel("heart"), Quality(3, 3.5, 1), (-4.0, 6.2), (14, 20), (0, 0), {"hdr": True}),
}


@pytest.mark.parametrize("name", CASES)
def test_same_picture_as_the_plain_engine(name: str) -> None:
    kernel, quality, radii, size, origin, options = CASES[name]
    halo = math.ceil(max(map(abs, radii))) + 2
    layers = layered(size[0] + 2 * halo, size[1] + 2 * halo, *radii, **options)
    photo, theirs, ours = _both(layers, kernel, quality, size, origin)
    _assert_alike(ours, theirs)
    # The scene is blurred, and what is in focus and untouched is the photo itself.
    assert float((ours - photo).abs().mean()) > 0.01
    assert torch.equal((ours == photo).all(0), (theirs == photo).all(0))


def test_a_faint_pixel_beside_a_light_keeps_its_value() -> None:
    """Running sums carry what lies left of a pixel; its rounding must not show."""
    halo, size = 11, (6, 36)
    h, w = size[0] + 2 * halo, size[1] + 2 * halo
    light = torch.full((3, h, w), 0.01)
    light[:, h // 2, halo] = 1e4
    layers = one_surface(light, torch.full((h, w), 9.0))
    _, _, ours = _both(layers, bokeh.make_kernel("circle"), Quality(100, 1.0, 1), size, (0, 0))
    assert float((ours[:, :, 12:] - 0.01).abs().max()) < 5e-5
    assert float(ours[:, size[0] // 2, 0].min()) > 1


def test_layers_of_a_photo_agree() -> None:
    """As they come: most of the window without a second surface."""
    h, w, halo = 40, 52, 9
    y, x = unit_grid(h, w)
    radius = torch.where((x - 0.5).square() + (y - 0.5).square() < 0.05, torch.tensor(-4.0), 5 + 2 * y)
    image = texture(h, w, 5)
    layers = prepare(image, radius, None, 3, part_px=1000).layers(image, radius, None, torch.arange(h), torch.arange(w))
    assert 0 < float((layers.back[3] > 0).float().mean()) < 0.5
    size = (h - 2 * halo, w - 2 * halo)
    _, theirs, ours = _both(layers, bokeh.make_kernel("polygon"), Quality(3, 2.5, 1), size, (0, 0))
    _assert_alike(ours, theirs)


def test_content_far_apart_lies_in_strips_of_its_own() -> None:
    """Blurred columns at both ends and in the middle of a long focused picture: little memory, the same picture."""
    halo, size = 7, (10, 420)
    h, w = size[0] + 2 * halo, size[1] + 2 * halo
    x = torch.arange(w).expand(h, w)
    radius = torch.where((x < 30) | ((x - 230).abs() < 5) | (x > 400), torch.tensor(4.5), torch.tensor(0.0))
    layers, kernel, quality = one_surface(texture(h, w, 7), radius), bokeh.make_kernel("heart"), Quality(24, 1.0, 1)
    photo, theirs, ours = _both(layers, kernel, quality, size, (0, 0))
    _assert_alike(ours, theirs)
    assert torch.equal(ours[..., 100:200], photo[..., 100:200])
    work = TritonEngine(Plan(kernel, Bins.of(radius, 1.0), quality)).work(layers, (halo, halo), (0, 0), size)
    assert work["strips_per_line"] == 3
    assert work["strip_px_per_px"] * size[0] * size[1] < 2 * 32 * 32 * 8


def test_rendered_in_parts_it_is_the_same() -> None:
    layers = layered(82, 32, -0.4, 5.0)
    plan = Plan(bokeh.make_kernel("circle"), Bins.of(layers.front_radius, 4.0), Quality(2, 4.0, 1))
    assert set(plan.downscales) == {1, 2}
    pictures: list[Tensor] = []
    for mib in (1024, 0.1):
        picture = layers.front[:3].clone()
        out = picture[:, 6:76, 6:26]  # a part of a larger picture
        engine = TritonEngine(plan, Limits(scratch_mib=mib))
        engine.composite(layers, (6, 6), (3, 0), out, lambda _: None)
        assert torch.equal(picture[:, :6], layers.front[:3, :6])
        pictures.append(picture)
        needed = engine.work(layers, (6, 6), (3, 0), (70, 20))["scratch_bytes"] / 2**20
        assert (needed > mib) == (mib == 0.1)
    assert float((pictures[0] - pictures[1]).abs().max()) < 2e-6


def test_where_all_is_sharp_the_photo_stays() -> None:
    layers = layered(40, 40, -0.4, 0.3)
    plan = Plan(bokeh.make_kernel("circle"), Bins.of(layers.front_radius), Quality(24, 1.0, 4))
    out = layers.front[:3, 4:36, 4:36].clone()
    TritonEngine(plan).composite(layers, (4, 4), (0, 0), out, lambda _: None)
    assert torch.equal(out, layers.front[:3, 4:36, 4:36])


def test_out_of_memory_halves_the_window_and_says_so(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    layers = layered(80, 32, -2.0, 2.5)
    plan = Plan(bokeh.make_kernel("circle"), Bins.of(layers.front_radius, 3.0), Quality(24, 3.0, 1))
    launch, heights = TritonEngine._launch, []

    def small_device(self: TritonEngine, window: Any, todo: Any, grid: Any) -> None:
        heights.append(window.out.shape[1])
        if window.out.shape[1] > 40:
            raise torch.OutOfMemoryError("no memory left")
        launch(self, window, todo, grid)

    expected, out = (layers.front[:3, 6:74, 6:26].clone() for _ in range(2))
    TileEngine(plan).composite(layers, (6, 6), (0, 0), expected, lambda _: None)
    monkeypatch.setattr(TritonEngine, "_launch", small_device)
    TritonEngine(plan).composite(layers, (6, 6), (0, 0), out, lambda _: None)
    assert heights == [68, 32, 36]
    assert "memory" in caplog.text
    _assert_alike(out, expected)


def test_a_kernel_that_does_not_fit_is_replaced_and_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from triton.runtime.errors import OutOfResources

    layers = layered(40, 44, -3.0, 4.0)
    plan = Plan(bokeh.make_kernel("circle"), Bins.of(layers.front_radius, 3.0), Quality(2, 3.0, 1))
    expected, out = (layers.front[:3, 6:34, 6:38].clone() for _ in range(2))
    TileEngine(plan).composite(layers, (6, 6), (0, 0), expected, lambda _: None)

    def too_large(*_: object) -> None:
        raise OutOfResources(99, 10, "registers")

    monkeypatch.setattr(TritonEngine, "_launch", too_large)
    TritonEngine(plan).composite(layers, (6, 6), (0, 0), out, lambda _: None)
    assert torch.equal(out, expected)
    assert "registers" in caplog.text and "plain torch" in caplog.text

    def broken(*_: object) -> None:
        raise RuntimeError("anything else")

    monkeypatch.setattr(TritonEngine, "_launch", broken)
    with pytest.raises(RuntimeError, match="anything else"):
        TritonEngine(plan).composite(layers, (6, 6), (0, 0), out, lambda _: None)
