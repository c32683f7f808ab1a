"""Depth steadied by the frames around it: noise falls, and what moves leaves nothing behind."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from bench.lib.layered_scenes import texture
from refocus_core import depth
from refocus_core.clip import ClipOptions
from refocus_core.clip.in_order import InOrder
from refocus_core.color import linear_to_srgb
from refocus_core.depth.model import FrameDepth
from refocus_core.images import window_range
from refocus_core.optics import Blur
from refocus_core.options.depth import STEADY_FRAMES
from refocus_core.types import DepthMap

SIZE = (96, 140)
RADIUS = 4
WRONG = 0.03
"""Standard deviation of the error of each frame's depth, whose span is 1."""


def picture(seed: int, height: int, width: int) -> Tensor:
    """[3,height,width] sRGB."""
    return linear_to_srgb(texture(seed, height, width, (0.5, 0.4, 0.3)))


def scene(count: int, step_px: int = 0, pan_px: int = 0) -> tuple[list[Tensor], list[Tensor]]:
    """Frames [1,3,H,W] with noise of their own, and their true disparity [1,H,W]: ground, and a nearer card that moves."""
    h, w = SIZE
    ground, card = picture(1, h, w + 200), picture(2, 50, 40)
    frames: list[Tensor] = []
    true: list[Tensor] = []
    chance = torch.Generator().manual_seed(0)
    for number in range(count):
        left, at = pan_px * number, 10 + step_px * number
        image = ground[:, :, left : left + w].clone()
        d = 0.2 + 0.2 * torch.linspace(0, 1, h)[:, None].expand(h, w).clone()
        image[:, 30:80, at : at + 40] = card
        d[30:80, at : at + 40] = 0.9
        frames.append((image + 3 / 255 * torch.randn(3, h, w, generator=chance)).clamp(0, 1)[None])
        true.append(d[None])
    return frames, true


def found(true: Sequence[Tensor]) -> list[DepthMap]:
    """As a network would see it: with errors of each frame's own, smooth as a network's are."""
    chance = torch.Generator().manual_seed(1)
    h, w = SIZE
    made: list[DepthMap] = []
    for d in true:
        rough = torch.randn(1, 1, h // 6, w // 6, generator=chance)
        off = torch.nn.functional.interpolate(rough, (h, w), mode="bicubic")[0]
        made.append(DepthMap((d + WRONG * off).clamp(0, 1), False, source="test"))
    return made


def steady(frames: Sequence[Tensor], maps: Sequence[DepthMap], radius: int = RADIUS) -> list[Tensor]:
    return [m.disparity for m in depth.steadied(zip(frames, maps, strict=True), radius, 1.0)]


def error(got: Sequence[Tensor], true: Sequence[Tensor], where: Sequence[Tensor] | None = None) -> float:
    off = torch.cat([(g - t).abs() for g, t in zip(got, true, strict=True)])
    return float(off.mean() if where is None else off[torch.cat(list(where))].mean())


@pytest.mark.parametrize(("step_px", "pan_px"), [(0, 0), (0, 3), (6, 0), (6, 3)], ids=["still", "pan", "card", "both"])
def test_errors_of_each_frame_are_averaged_along_the_motion(step_px: int, pan_px: int) -> None:
    frames, true = scene(11, step_px, pan_px)
    maps = found(true)
    before = [m.disparity for m in maps]
    after = steady(frames, maps)
    inner = slice(RADIUS, -RADIUS)
    assert error(after[inner], true[inner]) < 0.5 * error(before[inner], true[inner])
    # No ghost: beside the moving outline the error does not grow either, and nowhere is a pixel on the wrong side of it.
    edges = [window_range(t, 5) > 0.3 for t in true]
    assert error(after[inner], true[inner], edges[inner]) < 0.8 * error(before[inner], true[inner], edges[inner])
    wrong = torch.cat([(a - t).abs() > 0.25 for a, t in zip(after, true, strict=True)])
    assert float(wrong.float().mean()) < 5e-4
    if not pan_px and not step_px:
        flicker = [float((b - a).abs().mean()) for a, b in pairwise(after)]
        own = [float((b - a).abs().mean()) for a, b in pairwise(before)]
        assert sum(flicker) < sum(own) / 3


def test_a_cut_takes_nothing_over() -> None:
    frames, true = scene(4)
    other, far = [picture(9, *SIZE)[None]] * 4, [torch.full_like(true[0], 0.55)] * 4
    maps = found([*true, *far])
    both = steady([*frames, *other], maps)
    apart = [*steady(frames, maps[:4]), *steady(other, maps[4:])]
    assert all(torch.equal(a, b) for a, b in zip(both, apart, strict=True))


def test_where_a_clip_is_begun_does_not_matter() -> None:
    frames, true = scene(12, 5, 2)
    maps = found(true)
    whole = steady(frames, maps)
    later = list(depth.steadied(zip(frames[3:], maps[3:], strict=True), RADIUS, 1.0, skip=RADIUS))
    assert len(later) == 12 - 3 - RADIUS
    assert all(torch.equal(a, b.disparity) for a, b in zip(whole[7:], later, strict=True))

    def order() -> InOrder:
        return InOrder(lambda n, frame: (frame, maps[n]), lambda first: iter(frames[first:]), RADIUS, 1.0)

    asked = order()
    for number in (0, 1, 7, 8, 2, 11):  # a resumed run has gaps
        sharp, got = asked.at(number)
        assert torch.equal(sharp, frames[number]) and torch.equal(got.disparity, whole[number])
    with pytest.raises(ValueError, match="no frame 12 any more"):
        asked.at(12)


def test_only_as_many_frames_are_read_ahead_as_it_looks() -> None:
    frames, true = scene(10)
    maps, read = found(true), []

    def reading() -> object:
        for number, pair in enumerate(zip(frames, maps, strict=True)):
            read.append(number)
            yield pair

    steadied = depth.steadied(reading(), 2, 1.0)  # pyright: ignore[reportArgumentType]
    for number in range(7):
        next(steadied)
        assert len(read) == number + 3


def test_metres_unknown_pixels_and_radius_zero() -> None:
    frames, true = scene(5)
    valid = torch.ones_like(true[0], dtype=torch.bool)
    valid[:, :20, :20] = False
    maps = [DepthMap(m.disparity * 2, True, torch.tensor([100.0]), valid, "test") for m in found(true)]
    after = list(depth.steadied(zip(frames, maps, strict=True), 2, 2.0))
    for a, m in zip(after, maps, strict=True):
        assert torch.equal(a.disparity[~valid], m.disparity[~valid]) and not torch.equal(a.disparity, m.disparity)
        assert a.metric and a.valid is valid and a.focal_px is m.focal_px
    assert list(depth.steadied(zip(frames, maps, strict=True), 0, 2.0)) == maps
    assert list(depth.steadied(zip(frames, maps, strict=True), 2, 0.0)) == maps, "flat: nothing to steady"
    with pytest.raises(ValueError, match="radius must not be negative"):
        list(depth.steadied(iter(()), -1, 1.0))


def test_fine_depth_of_large_frames_stays_fine() -> None:
    """What is finer than the working size is each frame's own."""
    size = (600, 640)
    image = torch.nn.functional.interpolate(picture(3, *SIZE)[None], size, mode="bicubic").clamp(0, 1)
    lines = torch.full((1, *size), 0.3)
    lines[:, :, ::7] = 0.6
    maps = [DepthMap(lines + 0.02 * k, False) for k in (0, 1, 0)]
    after = list(depth.steadied(((image, m) for m in maps), 2, 1.0))
    assert float((after[1].disparity - lines).abs().max()) < 0.02


class Seeing(depth.DepthModel):
    """A network that sees what it is told, frame after frame."""

    def __init__(self, seen: Sequence[Tensor], metric: bool) -> None:
        torch.nn.Module.__init__(self)
        self.name, self.metric, self._seen = "test", metric, iter(seen)

    def forward(self, frame: Tensor, focal_px: float | None = None) -> FrameDepth:
        return FrameDepth(next(self._seen), 100.0 if self.metric else None)


def predicted(frames: Sequence[Tensor], seen: Sequence[Tensor], metric: bool, steady_frames: int) -> DepthMap:
    return depth.predict(Seeing(seen, metric), torch.cat(list(frames)), steady_frames=steady_frames)


@pytest.mark.parametrize("metric", [False, True], ids=["relative", "metres"])
def test_a_batch_that_is_a_clip_is_steadied_and_photos_are_not(metric: bool) -> None:
    frames, true = scene(5)
    seen = [m.disparity[0] * (1 + 0.1 * k) for k, m in enumerate(found(true))]  # each frame has a scale of its own
    alone, clip = (predicted(frames, seen, metric, n).disparity for n in (0, 4))
    moved, steadier = (float((d[1:] - d[:-1]).abs().mean()) for d in (alone, clip))
    assert steadier < moved / 3
    photos = [picture(seed, *SIZE)[None] for seed in (1, 7, 9)]
    apart = predicted(photos, seen[:3], metric, 4)
    if metric:  # photos of other scenes keep their metres
        assert torch.equal(apart.disparity, torch.stack(seen[:3]))
        assert apart.focal_px is not None and apart.focal_px.tolist() == [100.0] * 3
    else:
        assert apart.disparity.amin((1, 2)).tolist() == pytest.approx([0, 0, 0], abs=0.02)
        assert apart.disparity.amax((1, 2)).tolist() == pytest.approx([1, 1, 1], abs=0.02)
    with pytest.raises(ValueError, match="steady_frames must not be negative"):
        predicted(frames, seen, metric, -1)


def test_hosts_and_core_have_one_default() -> None:
    assert ClipOptions(Blur(3)).steady_frames == STEADY_FRAMES.default
