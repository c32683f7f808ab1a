"""Edge refinement, judged by a real scene with true disparity and by scenes made for it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from scipy.ndimage import gaussian_filter, shift

from refocus_core import depth
from refocus_core.depth.ranges import fill
from refocus_core.types import DepthMap
from tests.helpers.paths import DATA


def spread(d: torch.Tensor, radius: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Local minimum and maximum."""
    high = F.max_pool2d(d[:, None], 2 * radius + 1, 1, radius)[:, 0]
    low = -F.max_pool2d(-d[:, None], 2 * radius + 1, 1, radius)[:, 0]
    return low, high


def motorcycle() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A crop of the Middlebury motorcycle: photo, true relative disparity, and the same as a network would blur it."""
    photo = torch.from_numpy(np.array(Image.open(DATA / "motorcycle.png").convert("RGB"))).permute(2, 0, 1)[None].float() / 255
    disparity = torch.from_numpy(np.asarray(Image.open(DATA / "motorcycle_disparity.png")).astype(np.float32) / 1024)[None]
    truth = ((fill(disparity, disparity > 0) - 7) / 53).clamp(0, 1)
    blurred = shift(gaussian_filter(truth[0].numpy(), 1.5), (0.5, 0.5), order=1, mode="nearest")
    crop = (..., slice(130, 430), slice(200, 600))
    return photo[crop].contiguous(), truth[crop].contiguous(), torch.from_numpy(blurred)[None][crop].contiguous()


def test_edges_of_a_real_scene_get_much_better() -> None:
    photo, truth, degraded = motorcycle()
    refined = depth.refine(DepthMap(degraded, False), photo).disparity
    low, high = spread(truth, 1)
    band = F.max_pool2d((high - low > 0.05).float(), 11, 1, 5) > 0
    before, after = ((d - truth).abs()[band] for d in (degraded, refined))
    assert float(after.mean()) < 0.6 * float(before.mean())
    assert float((after > 0.03).float().mean()) < 0.45 * float((before > 0.03).float().mean())
    assert float(after.square().mean()) < 0.85 * float(before.square().mean())
    away = ~(F.max_pool2d(band.float(), 9, 1, 4) > 0)
    assert float((refined - truth).abs()[away].mean()) <= 1.02 * float((degraded - truth).abs()[away].mean())


def test_nothing_is_invented() -> None:
    photo, _, degraded = (t[..., 60:180, 100:260].contiguous() for t in motorcycle())
    for strength in (0.3, 1.0):
        out = depth.refine(DepthMap(degraded, False), photo, strength=strength).disparity
        low, high = spread(degraded, 3)
        assert bool(((out >= low - 1e-6) & (out <= high + 1e-6)).all())
    exact = depth.refine(DepthMap(degraded, False), photo).disparity
    assert bool(torch.isin(exact, degraded).all()), "every value is one that a neighbour had"


def step_scene(shift_px: int = 0, sigma: float = 1.5) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    true = torch.zeros(1, 40, 60)
    true[..., 30:] = 0.8
    photo = torch.where(true[:, None].expand(-1, 3, -1, -1) > 0.5, 0.9, 0.2)
    soft = torch.from_numpy(gaussian_filter(true[0].roll(shift_px, -1).numpy(), (0, sigma), mode="nearest"))[None]
    return photo, true, soft


@pytest.mark.parametrize("shift_px", [-1, 0, 1])
def test_a_ramp_becomes_a_step_at_the_colour_edge(shift_px: int) -> None:
    photo, true, soft = step_scene(shift_px)
    soft[..., :4], soft[..., -4:] = 0.0, 0.8  # roll wraps round
    out = depth.refine(DepthMap(soft, False), photo).disparity
    assert float((soft - true).abs().max()) > 0.29
    assert float((out - true).abs().max()) < 0.15
    assert int(((out - true).abs() > 0.02).sum(-1).max()) <= 2, "a ramp of nine pixels, two left"


def test_without_a_colour_edge_the_step_stays_in_the_middle_of_the_ramp() -> None:
    _, true, soft = step_scene()
    out = depth.refine(DepthMap(soft, False), torch.full((1, 3, 40, 60), 0.5)).disparity
    changed = ((out - true).abs() > 0.2).sum(-1)
    assert int(changed.max()) <= 2, "at most a pixel on either side"


def test_slopes_and_plain_areas_are_left_alone() -> None:
    photo = torch.rand(1, 3, 50, 80, generator=torch.Generator().manual_seed(3))
    plane = torch.linspace(0, 1, 80).expand(1, 50, 80).contiguous()
    out = depth.refine(DepthMap(plane, False), photo).disparity
    assert float((out - plane)[..., 8:-8].abs().max()) < 0.03, "no staircase that would show"
    flat = DepthMap(torch.full((1, 50, 80), 0.5), False)
    assert depth.refine(flat, photo) is flat
    picture, _, soft = step_scene()
    refined = depth.refine(DepthMap(soft, False), picture).disparity
    assert torch.equal(refined[..., :20], soft[..., :20]) and torch.equal(refined[..., 40:], soft[..., 40:])


def test_metric_and_scaled_maps_behave_alike() -> None:
    photo, _, soft = step_scene()
    relative = depth.refine(DepthMap(soft, False), photo).disparity
    metric = depth.refine(DepthMap(soft * 5, True, torch.tensor([100.0])), photo)
    assert torch.allclose(metric.disparity, relative * 5, atol=1e-5) and metric.metric and metric.focal_px is not None


def test_invalid_pixels_neither_vote_nor_move() -> None:
    photo, _, soft = step_scene()
    valid = torch.ones(1, 40, 60, dtype=torch.bool)
    valid[:, 10:20, 25:35] = False
    soft = torch.where(valid, soft, torch.full_like(soft, 0.37))
    out = depth.refine(DepthMap(soft, False, valid=valid), photo)
    assert bool((out.disparity[~valid] == soft[~valid]).all())
    assert not bool((out.disparity[valid] == 0.37).any()) and out.valid is valid


def test_batch_equals_singles_and_same_input_same_output() -> None:
    photo, _, soft = step_scene()
    other = soft.flip(-1)
    both = depth.refine(DepthMap(torch.cat([soft, other]), False), photo).disparity
    assert torch.equal(both[:1], depth.refine(DepthMap(soft, False), photo).disparity)
    assert torch.equal(both[1:], depth.refine(DepthMap(other, False), photo).disparity)
    assert torch.equal(both, depth.refine(DepthMap(torch.cat([soft, other]), False), photo).disparity)


def test_strength() -> None:
    photo, _, soft = step_scene()
    m = DepthMap(soft, False)
    assert depth.refine(m, photo, strength=0) is m
    full, half = (depth.refine(m, photo, strength=s).disparity for s in (1.0, 0.5))
    assert torch.allclose(half, (soft + full) / 2, atol=1e-6)
    for bad in ({"strength": 1.5}, {"strength": -0.1}, {"radius_px": 0}):
        with pytest.raises(ValueError):
            depth.refine(m, photo, **bad)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 9), (7, 1), (2, 3), (41, 63)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_any_size_and_type(height: int, width: int, dtype: torch.dtype) -> None:
    d = torch.rand(2, height, width, generator=torch.Generator().manual_seed(0))
    out = depth.refine(DepthMap(d, False), torch.rand(2, 3, height, width).to(dtype), radius_px=3)
    assert out.disparity.shape == d.shape and bool(torch.isfinite(out.disparity).all())


def test_wrong_pictures_are_named() -> None:
    m = DepthMap(torch.rand(2, 8, 8), False)
    with pytest.raises(ValueError, match="9x8"):
        depth.refine(m, torch.zeros(2, 3, 8, 9))
    with pytest.raises(ValueError, match="frames"):
        depth.refine(m, torch.zeros(3, 3, 8, 8))
