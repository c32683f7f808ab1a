"""Depth that does not flicker: each frame's, and that of the frames around it, brought together along the motion between them.

What a pixel shows is followed through the frames before and after (`flow`). Of the depths found for it the weighted median is
taken, and of those near it the weighted mean. An estimate is a vote by how sure its motion is and how alike the colours are, so a
frame is left alone where nothing can be followed: what was hidden, what comes into view, a cut. The median keeps edges steps: of
a network's edge that goes to and fro it takes the side of most frames, and an edge that is at another place there is outvoted.

A frame looks as far forward as back, so depth does not lag; and it looks no farther, so that memory is constant, and a frame
comes out the same wherever a clip was begun.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .. import images
from ..checks import check_number
from ..types import DepthMap
from . import flow
from .flow import Motion

WORKING_SHORT_PX = 256
"""Short side at which motion is found and depth is filtered. More follows finer things, and takes longer."""
AGREEING_SPAN = 0.2
"""Difference to the median at which a depth counts little, as a share of the scene's span and a standard deviation. Smaller takes
over less from other frames; larger lets them blur what changes its depth."""
COMPARED_SHORT_PX = 96
"""Short side at which pictures are compared for whether they show one scene. More takes longer."""
_LEAST_WEIGHT = 1e-6
"""Sum of votes below which the median itself is taken."""


@dataclass(frozen=True)
class _Frame:
    """What is kept of a frame.

    Attributes:
        full: its depth.
        colours: [3,h,w] sRGB.
        disparity: [h,w].
        known: [h,w] 0..1.
        before, back: motion to the frame before and from it to this one; None for the first one.
    """

    full: DepthMap
    colours: Tensor
    disparity: Tensor
    known: Tensor
    before: Motion | None
    back: Motion | None


def steadied(frames: Iterable[tuple[Tensor, DepthMap]], radius: int, span: float, skip: int = 0) -> Iterator[DepthMap]:
    """The depth of every frame, steadied by that of the frames around it.

    Args:
        frames: each frame [1,3,H,W] sRGB and its depth, on the scale of the clip, in order. It is read `radius` frames ahead.
        radius: how many frames count to each side; 0 changes nothing.
        span: farthest to nearest disparity of the clip.
        skip: how many frames at the beginning only serve those after them, and are left out of the result.

    Raises:
        TypeError, ValueError: if `radius` is no number or below 0.
    """
    check_number(radius, "radius")
    if radius < 0:
        raise ValueError(f"radius must not be negative (frames to each side), got {radius}.")
    around: deque[_Frame] = deque(maxlen=2 * radius + 1)
    read = done = 0
    for image, depth_map in frames:
        around.append(_taken(image, depth_map, around[-1] if around else None))
        read += 1
        if read > radius:
            if done >= skip:
                yield _filtered(around, done - (read - len(around)), radius, span)
            done += 1
    for number in range(done, read):
        if number >= skip:
            yield _filtered(around, number - (read - len(around)), radius, span)


def same_scene(one: Tensor, other: Tensor) -> bool:
    """Whether motion connects two pictures [3,H,W] sRGB, or they are of two scenes: a cut."""
    motion, _ = flow.both_ways(*(_small(image.clamp(0, 1), COMPARED_SHORT_PX) for image in (one, other)))
    return bool(motion.sure.any())


def _small(image: Tensor, short_px: int) -> Tensor:
    """[C,H,W] -> [C,h,w] with that short side, if it is larger."""
    h, w = image.shape[-2:]
    share = min(1.0, short_px / min(h, w))
    return images.resized(image[None].float(), (max(1, round(h * share)), max(1, round(w * share))))[0]


def _taken(image: Tensor, depth_map: DepthMap, last: _Frame | None) -> _Frame:
    disparity = depth_map.disparity
    valid = torch.ones_like(disparity) if depth_map.valid is None else depth_map.valid.float()
    colours = _small(image[0].to(disparity.device).float().clamp(0, 1), WORKING_SHORT_PX)
    small, known = _small(torch.cat([disparity, valid]), WORKING_SHORT_PX)
    before, back = flow.both_ways(colours, last.colours) if last is not None else (None, None)
    return _Frame(depth_map, colours, small, known, before, back)


def _votes(around: deque[_Frame], at: int, radius: int) -> tuple[Tensor, Tensor]:
    """Depths [N,h,w] found for what each pixel shows, and their weights; the frame's own comes first."""
    own = around[at]
    values, weights = [own.disparity], [torch.ones_like(own.disparity)]
    for direction in (-1, 1):
        motion = Motion(torch.zeros_like(own.colours[:2]), torch.ones_like(own.disparity))
        last = max(at - radius, 0) if direction < 0 else min(at + radius, len(around) - 1)
        for number in range(at + direction, last + direction, direction):
            step = around[number + 1].before if direction < 0 else around[number].back
            assert step is not None
            motion = flow.onward(motion, step)
            there = flow.warped(torch.stack([around[number].disparity, around[number].known]), motion.way)
            values.append(there[0])
            weights.append(motion.sure * there[1] * flow.fits(own.colours, around[number].colours, motion.way))
    return torch.stack(values), torch.stack(weights)


def _filtered(around: deque[_Frame], at: int, radius: int, span: float) -> DepthMap:
    """The depth of the frame at that place of the deque."""
    own = around[at]
    if radius == 0 or not span > 0:
        return own.full
    values, weights = _votes(around, at, radius)
    middle = _weighted_median(values, weights)
    near = weights * torch.exp(-0.5 * ((values - middle) / (AGREEING_SPAN * span)).square())
    total = near.sum(0)
    mean = torch.where(total > _LEAST_WEIGHT, (near * values).sum(0) / total.clamp_min(_LEAST_WEIGHT), middle)
    # What changes is laid onto the full map, which keeps what is finer than the working size.
    h, w = own.full.disparity.shape[-2:]
    change = images.resized((mean - own.disparity)[None, None], (h, w))[:, 0]
    disparity = own.full.disparity + change
    if own.full.valid is not None:
        disparity = torch.where(own.full.valid, disparity, own.full.disparity)
    disparity = disparity.clamp_min(0) if own.full.metric else disparity.clamp(0, 1)
    return replace(own.full, disparity=disparity)


def _weighted_median(values: Tensor, weights: Tensor) -> Tensor:
    """Over the first axis: [N,h,w] each -> [h,w]."""
    ordered, order = values.sort(0)
    total = weights.gather(0, order).cumsum(0)
    pick = (total < total[-1:] * 0.5).sum(0, keepdim=True).clamp_max(len(values) - 1)
    return ordered.gather(0, pick)[0]
