"""Motion between two frames, against motion that is known."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from bench.lib.layered_scenes import texture
from refocus_core.color import linear_to_srgb
from refocus_core.depth import flow
from refocus_core.images import resized

NOISE = 3 / 255


def picture(seed: int, height: int, width: int) -> Tensor:
    """[3,height,width] sRGB with detail at all sizes."""
    return linear_to_srgb(texture(seed, height, width, (0.5, 0.4, 0.3)))


def noisy(image: Tensor, seed: int) -> Tensor:
    return (image + NOISE * torch.randn(image.shape, generator=torch.Generator().manual_seed(seed))).clamp(0, 1)


@pytest.mark.parametrize(("dx", "dy"), [(0, 0), (3, 0), (-7, 5), (0, -24), (19, 11)])
def test_a_shift_by_whole_pixels_is_found(dx: int, dy: int) -> None:
    whole = picture(1, 200, 260)
    one = whole[:, 40:160, 40:220]
    other = whole[:, 40 - dy : 160 - dy, 40 - dx : 220 - dx]
    there, back = flow.both_ways(noisy(one, 1), noisy(other, 2))
    seen = torch.zeros(120, 180, dtype=torch.bool)
    seen[max(-dy, 0) : 120 - max(dy, 0), max(-dx, 0) : 180 - max(dx, 0)] = True
    off = (there.way - torch.tensor([dx, dy])[:, None, None]).square().sum(0).sqrt()
    assert float(off[seen].median()) < 0.2 and float(off[seen].quantile(0.95)) < 0.6
    assert float((there.sure[seen] > 0.5).float().mean()) > 0.9
    assert float((back.way + torch.tensor([dx, dy])[:, None, None]).abs().flatten().quantile(0.8)) < 0.6
    if (~seen).any():
        assert float((there.sure[~seen] > 0.5).float().mean()) < 0.1, "what has left the frame cannot be followed"


def test_parts_of_a_pixel_are_found() -> None:
    large = picture(2, 480, 640)
    one, other = (resized(large[None, :, :464, at : at + 624], (116, 156))[0] for at in (8, 7))  # a quarter of a pixel
    way = flow.way_of(one, other)
    assert float((way[0] - 0.25).abs().median()) < 0.08 and float(way[1].abs().median()) < 0.08


def test_two_motions_are_kept_apart_at_the_outline() -> None:
    ground, card = picture(3, 120, 200), picture(4, 60, 50)
    one, other = ground.clone(), ground.clone()
    one[:, 30:90, 60:110] = card
    other[:, 30:90, 72:122] = card
    there, _ = flow.both_ways(noisy(one, 1), noisy(other, 2))
    on = torch.zeros(120, 200, dtype=torch.bool)
    on[30:90, 60:110] = True
    hidden = torch.zeros_like(on)
    hidden[30:90, 110:122] = True
    true = torch.where(on, 12.0, 0.0)
    right = (there.way[0] - true).abs() + there.way[1].abs() < 1.5
    assert float(right[on].float().mean()) > 0.9 and float(right[~on & ~hidden].float().mean()) > 0.98
    assert float((there.sure[hidden] > 0.5).float().mean()) < 0.15, "what the card comes to hide cannot be followed"


def test_what_shows_nothing_does_not_move_and_a_cut_is_not_followed() -> None:
    grey = torch.full((3, 64, 80), 0.5)
    there, _ = flow.both_ways(noisy(grey, 1), noisy(grey, 2))
    assert float(there.way.abs().mean()) < 0.5
    for motion in flow.both_ways(picture(5, 120, 160), picture(6, 120, 160)):
        assert float(motion.sure.max()) == 0


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (7, 5)])
def test_tiny_frames_give_a_defined_result(size: tuple[int, int]) -> None:
    there, back = flow.both_ways(torch.rand(3, *size), torch.rand(3, *size))
    for motion in (there, back):
        assert motion.way.shape == (2, *size) and bool(torch.isfinite(motion.way).all())
        assert bool(((motion.sure >= 0) & (motion.sure <= 1)).all())
