"""What lies between two depths, cut out along the picture's edges."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from refocus_core import bokeh
from refocus_core.types import DepthMap

SIZE = 96
BACK, FRONT = (torch.tensor(c).view(3, 1, 1) for c in ((0.05, 0.2, 0.5), (0.6, 0.2, 0.05)))


def disc(radius_px: float) -> Tensor:
    """[H,W] coverage of a disc in the middle, anti-aliased."""
    axis = (torch.arange(4 * SIZE) + 0.5) / 4 - SIZE / 2
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    return F.avg_pool2d((torch.hypot(x, y) <= radius_px).float()[None, None], 4)[0, 0]


def scene(alpha: Tensor, edge_px: float = 0.0) -> tuple[Tensor, DepthMap]:
    """Picture and depth of a near disc before a far wall."""
    image = (alpha * FRONT + (1 - alpha) * BACK)[None]
    disparity = 0.1 + 0.7 * alpha.round()[None]
    shift = round(edge_px)
    return image, DepthMap(disparity.roll((shift, shift), (1, 2)), False, edge_px=edge_px)


@pytest.mark.parametrize("edge_px", [0.0, 2.0])
def test_coverage_and_both_colours_are_those_of_the_scene(edge_px: float) -> None:
    alpha = disc(24)
    image, depth_map = scene(alpha, edge_px)
    cut = bokeh.depth_matte(image, depth_map, *bokeh.between(depth_map, 1.0, 0.5))
    error = (cut.coverage[0] - alpha).abs()
    assert float(error.mean()) < 3e-3 and float(error.max()) < 0.3
    assert float((cut.foreground[0] - FRONT).abs().max()) < 0.06
    assert float((cut.background[0] - BACK).abs().max()) < 0.06
    again = cut.coverage * cut.foreground[0] + (1 - cut.coverage) * cut.background[0]
    assert float((again - image[0]).abs().mean()) < 2e-3, "the parts make the picture"


def test_the_far_part_is_what_the_near_one_leaves() -> None:
    image, depth_map = scene(disc(24))
    near = bokeh.depth_matte(image, depth_map, *bokeh.around(depth_map, torch.tensor([0.8]), 0.1))
    far = bokeh.depth_matte(image, depth_map, *bokeh.around(depth_map, torch.tensor([0.1]), 0.1))
    assert float((near.coverage + far.coverage - 1).abs().max()) < 1e-5
    assert torch.allclose(near.foreground, far.background, atol=1e-5)


def test_selection_ends_softly_on_a_slope() -> None:
    ramp = torch.linspace(0, 1, SIZE).expand(1, SIZE, SIZE).contiguous()
    image = torch.full((1, 3, SIZE, SIZE), 0.3)
    cut = bokeh.depth_matte(image, DepthMap(ramp, False), torch.tensor([1.0]), torch.tensor([0.5]), softness=0.2)
    expected = 1 - ((0.5 - ramp) / 0.2).clamp(0, 1)
    assert float((cut.coverage - expected).abs().max()) < 1e-4


def test_the_least_softness_is_a_hard_end_even_at_the_limit_itself() -> None:
    ramp = torch.linspace(0, 1, SIZE).expand(1, SIZE, SIZE).contiguous()
    image, limit = torch.full((1, 3, SIZE, SIZE), 0.3), ramp[:, 0, SIZE // 2]
    cut = bokeh.depth_matte(image, DepthMap(ramp, False), torch.tensor([1.0]), limit, softness=1e-240)
    assert torch.equal(cut.coverage, (ramp >= limit).float())


def test_all_or_nothing_can_be_selected() -> None:
    image, depth_map = scene(disc(24))
    everything = bokeh.depth_matte(image, depth_map, *bokeh.between(depth_map, 1.0, 0.0))
    assert bool((everything.coverage == 1).all()) and torch.equal(everything.foreground, image)
    nothing = bokeh.depth_matte(image, depth_map, *bokeh.around(depth_map, torch.tensor([0.45]), 0.1))
    assert bool((nothing.coverage == 0).all()) and torch.equal(nothing.background, image)


def test_limits_are_shares_of_the_scene_in_metres_too() -> None:
    metric = DepthMap(torch.tensor([[[0.2, 0.4], [0.6, 1.0]]]), True)
    near, far = bokeh.between(metric, 1.0, 0.5)
    assert near.tolist() == pytest.approx([1.0]) and far.tolist() == pytest.approx([0.6])


def test_bad_limits_are_named() -> None:
    image, depth_map = scene(disc(24))
    with pytest.raises(ValueError, match="near must not be less than far"):
        bokeh.between(depth_map, 0.2, 0.5)
    for near, far in ((float("nan"), 0.5), (0.5, float("nan"))):
        with pytest.raises(ValueError, match="near must not be less than far"):
            bokeh.between(depth_map, near, far)
        with pytest.raises(ValueError, match="nearer limit"):
            bokeh.depth_matte(image, depth_map, torch.tensor([near]), torch.tensor([far]))
    with pytest.raises(ValueError, match="nearer limit"):
        bokeh.depth_matte(image, depth_map, torch.tensor([0.1]), torch.tensor([0.2]))
    with pytest.raises(ValueError, match="softness"):
        bokeh.depth_matte(image, depth_map, torch.tensor([0.2]), torch.tensor([0.1]), softness=0.0)


@pytest.mark.parametrize("disparity", [0.0, 0.5])
def test_a_scene_of_one_plane_is_selected_whole(disparity: float) -> None:
    image, wall = torch.rand(1, 3, 8, 9), DepthMap(torch.full((1, 8, 9), disparity), True)
    cut = bokeh.depth_matte(image, wall, *bokeh.between(wall, 1.0, 0.0))
    assert bool((cut.coverage == 1).all()) and torch.equal(cut.foreground, image)


@pytest.mark.parametrize("size", [(8, 2), (2, 8), (1, 9), (2, 2), (1, 1), (3, 2)])
def test_pictures_of_less_than_three_pixels_are_selected_too(size: tuple[int, int]) -> None:
    """No window of three pixels, in which matting looks at colours, fits into them."""
    draw = torch.Generator().manual_seed(0)
    picture, disparity = torch.rand(1, 3, *size, generator=draw), torch.rand(1, *size, generator=draw)
    cut = bokeh.depth_matte(picture, DepthMap(disparity, False), torch.tensor([1.0]), torch.tensor([0.5]), softness=1.0)
    for part in (cut.coverage, cut.foreground, cut.background):
        assert bool(torch.isfinite(part).all())
    assert float(cut.coverage.min()) >= 0 and float(cut.coverage.max()) <= 1
