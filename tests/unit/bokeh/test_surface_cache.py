"""What a rendering keeps while focus, f-number and aperture change: the same picture as without, and never a stale one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from refocus_core import bokeh
from refocus_core.bokeh.surfaces import cache as prepared
from refocus_core.bokeh.surfaces.build import split
from refocus_core.bokeh.surfaces.scale import Scale
from refocus_core.optics import BlurLaw
from refocus_core.types import DefocusMap


def _scene(h: int = 60, w: int = 80) -> tuple[Tensor, Tensor]:
    """A picture [1,3,H,W] and disparity [1,H,W]: a near square before a slope."""
    image = torch.rand(1, 3, h, w, generator=torch.Generator().manual_seed(3))
    disparity = torch.linspace(0.1, 0.4, w).expand(h, w).clone()
    disparity[20:40, 25:50] = 1.0
    return image, disparity[None]


def _map(disparity: Tensor, focus: float, gain: float) -> DefocusMap:
    return DefocusMap.from_law(disparity, BlurLaw.thin_lens(torch.tensor([gain]), torch.tensor([focus])))


@pytest.mark.parametrize("quality", ["draft", "normal"])
def test_focus_strength_and_aperture_reuse_the_surfaces_and_change_nothing_else(quality: str) -> None:
    image, disparity = _scene()
    disparity[:, ::7, ::3] += 0.1  # as in measured maps: a step within a block at one focus, none at another
    cache = bokeh.SurfaceCache()
    for focus, gain, shape in ((1.0, 16.0, "circle"), (0.2, 16.0, "circle"), (0.3, 9.0, "circle"), (0.3, 9.0, "heart")):
        defocus, kernel = _map(disparity, focus, gain), bokeh.make_kernel(shape)
        kept = bokeh.render(image, defocus, kernel, quality=quality, cache=cache)
        assert torch.equal(kept, bokeh.render(image, defocus, kernel, quality=quality))
    assert cache.misses == 1


def test_another_picture_or_disparity_is_not_taken_for_the_one_kept() -> None:
    image, disparity = _scene()
    cache = bokeh.SurfaceCache()
    bokeh.render(image, _map(disparity, 1.0, 12.0), cache=cache)
    other = image.clone()
    other[0, 0, 5, 5] += 1e-3
    assert torch.equal(
        bokeh.render(other, _map(disparity, 1.0, 12.0), cache=cache), bokeh.render(other, _map(disparity, 1.0, 12.0))
    )
    image.mul_(0.5)  # in place: the cache has a copy of its own
    assert torch.equal(
        bokeh.render(image, _map(disparity, 1.0, 12.0), cache=cache), bokeh.render(image, _map(disparity, 1.0, 12.0))
    )
    deeper = disparity.clone()
    deeper[0, 30, 30] = 0.5
    bokeh.render(image, _map(deeper, 1.0, 12.0), cache=cache)
    assert cache.misses == 4


def test_what_is_too_large_is_not_kept() -> None:
    image, disparity = _scene()
    cache = bokeh.SurfaceCache(max_bytes=1000)
    for _ in range(2):
        bokeh.render(image, _map(disparity, 1.0, 12.0), cache=cache)
    assert cache.misses == 2
    roomy = bokeh.SurfaceCache()
    for _ in range(2):
        bokeh.render(image, _map(disparity, 1.0, 12.0), cache=roomy)
        roomy.clear()
    assert roomy.misses == 2


def test_the_scale_of_surfaces_is_a_power_of_two_not_below_the_steeper_side() -> None:
    _, disparity = _scene()
    law = BlurLaw.thin_lens(torch.tensor([10.0]), torch.tensor([0.3]), half_width=0.04, near_gain=0.5, far_gain=2.0)
    scale = Scale.of(law)
    assert scale is not None and scale.gain == 32.0
    assert torch.equal(scale.radius(-scale.gain * disparity[0]), law.radius_px(disparity)[0])
    assert Scale.of(law.scaled(0.0)) is None, "nothing is blurred"


def test_a_radius_that_follows_no_law_is_rendered_on_its_own_scale() -> None:
    image, disparity = _scene()
    radius = torch.rand(1, 60, 80, generator=torch.Generator().manual_seed(1)) * 5 - 2
    defocus = DefocusMap.from_radius(radius, disparity)
    assert defocus.law is None
    assert torch.isfinite(bokeh.render(image, defocus)).all()


def test_parts_find_the_surfaces_of_the_whole() -> None:
    image, disparity = _scene(90, 130)
    whole = prepared.prepare(image[0], -8 * disparity[0], 8.0, 3, part_px=1000)
    parts = prepared.prepare(image[0], -8 * disparity[0], 8.0, 3, part_px=48)
    assert whole.slot is not None and parts.slot is not None
    assert torch.equal(whole.slot >= 0, parts.slot >= 0)
    order = parts.slot[whole.slot >= 0].long()
    assert torch.equal(parts.surfaces.back_depth[order], whole.surfaces.back_depth[whole.slot[whole.slot >= 0].long()])


def test_what_lies_behind_shows_nothing_of_the_blocks_it_was_found_by() -> None:
    generator = torch.Generator().manual_seed(0)
    far, edge = ((torch.rand(32, generator=generator) * k).repeat_interleave(4)[:, None] for k in (3.0, 8.0))
    depth = torch.where(torch.arange(96) < 48 + edge.long(), -24.0, far)  # a jagged edge before a jagged background
    found = split(torch.rand(3, 128, 96, generator=generator), depth)
    behind = torch.full((4, 128 * 96), torch.nan)
    behind[:, found.index] = torch.cat([found.back[:3], found.back_depth[None]])
    inside = behind.view(4, 128, 96)[:, :, 26:38]  # 10 px and more from the edge
    assert torch.isfinite(inside).all()
    steps = inside.diff(dim=1).abs().amax((1, 2))
    assert float(steps[3]) < 0.2 and float(steps[:3].max()) < 0.008
