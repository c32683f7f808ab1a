"""Depth as a picture for other programs, and the way back."""

from __future__ import annotations

import math

import pytest
import torch

from refocus_core import depth
from refocus_core.types import DepthMap

H, W = 12, 20


def some(batch: int = 1, *, metric: bool = False) -> DepthMap:
    d = torch.rand(batch, H, W, generator=torch.Generator().manual_seed(4))
    return DepthMap(0.2 + d if metric else 0.25 + 0.5 * d, metric)


def test_near_bright_uses_the_whole_range_over_all_frames_and_near_dark_is_its_inverse() -> None:
    for given in (some(2), some(2, metric=True)):
        image, d = depth.to_image(given), given.disparity
        assert image.shape == (2, 3, H, W) and torch.equal(image[:, 0], image[:, 2])
        assert torch.allclose(image[:, 0], (d - d.min()) / (d.max() - d.min()), atol=1e-6)
        assert torch.equal(depth.to_image(given, "near dark"), 1 - image)


def test_unknown_pixels_do_not_stretch_the_range_and_are_told() -> None:
    given = some()
    d, valid = given.disparity.clone(), torch.ones(1, H, W, dtype=torch.bool)
    d[0, 0], valid[0, 0] = 0.0, False  # sky
    seen = depth.to_image(DepthMap(d, False, valid=valid))[:, 0]
    assert float(seen[0, 1:].min()) == 0 and float(seen[0, 1:].max()) == 1 and not seen[0, 0].any()
    assert torch.equal(depth.known_mask(DepthMap(d, False, valid=valid)), valid.float())
    assert bool(depth.known_mask(given).all())


def test_one_plane_is_grey() -> None:
    assert torch.equal(depth.to_image(DepthMap(torch.full((1, H, W), 0.3), False)), torch.full((1, 3, H, W), 0.5))


def test_numbers_and_metres_come_back_as_they_were() -> None:
    relative = some(2)
    assert torch.equal(depth.from_image(depth.to_image(relative, "numbers")).disparity, relative.disparity)
    metres = some(2, metric=True)
    assert torch.equal(depth.to_image(metres, "numbers")[:, 1], metres.disparity)
    d = metres.disparity.clone()
    d[0, 0] = 0.0  # sky
    image = depth.to_image(DepthMap(d, True), "metres")
    assert bool(image[0, :, 0].isinf().all())
    back = depth.from_image(image, "depth", metres_per_unit=1.0)
    assert back.metric and torch.allclose(back.disparity, d, rtol=1e-6, atol=0)
    near_bright = depth.to_image(metres)
    ends = {"near_m": float(1 / metres.disparity.max()), "far_m": float(1 / metres.disparity.min())}
    assert torch.allclose(depth.from_image(near_bright, **ends).disparity, metres.disparity, atol=1e-5)


def test_the_farthest_distance_can_be_limited() -> None:
    d = torch.tensor([2.0, 0.5, 0.1, 0.0]).view(1, 1, 4)
    image = depth.to_image(DepthMap(d, True), "metres", farthest_m=5.0)
    assert torch.equal(image[0, 0, 0], torch.tensor([0.5, 2.0, 5.0, 5.0]))


def test_a_mistake_is_named() -> None:
    with pytest.raises(ValueError, match="near_m and far_m"):
        depth.to_image(some(), "metres")
    with pytest.raises(ValueError, match="near bright, near dark"):
        depth.to_image(some(), "rainbow")
    for wrong in (0.0, math.nan):
        with pytest.raises(ValueError, match="farthest_m"):
            depth.to_image(some(metric=True), "metres", farthest_m=wrong)
