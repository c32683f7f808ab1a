"""Shared operations on pictures and maps, each against its definition."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from refocus_core import images


def _random(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("shape", [(9, 13), (3, 9, 13), (2, 1, 1, 7), (1, 1)])
@pytest.mark.parametrize("radius_px", [0, 1, 2, 5, 20])
def test_windows_reach_to_their_radius_and_end_at_the_border(shape: tuple[int, ...], radius_px: int) -> None:
    x = _random(*shape) - 0.5
    flat = x.reshape(-1, 1, *shape[-2:])
    largest = F.max_pool2d(flat, 2 * radius_px + 1, 1, radius_px) if radius_px else flat  # pools pad by -inf
    largest = largest.view(shape)
    assert torch.equal(images.window_max(x, radius_px), largest)
    assert torch.equal(images.window_min(-x, radius_px), -largest)
    assert torch.equal(images.window_range(x, radius_px), largest + images.window_max(-x, radius_px))


def test_box_mean_is_of_what_lies_inside_the_picture() -> None:
    x = _random(2, 8, 11)
    mean = images.box_mean(x, 5)
    torch.testing.assert_close(mean[:, 4, 5], x[:, 2:7, 3:8].mean((1, 2)))
    torch.testing.assert_close(mean[:, 0, 0], x[:, :3, :3].mean((1, 2)))


def test_neighbour_pairs_meet_every_neighbour_once_from_each_side() -> None:
    number = torch.zeros(4, 5)
    for here, _ in images.neighbour_pairs():
        number[here] += 1
    expected = torch.full((4, 5), 4.0)
    expected[[0, -1]] -= 1
    expected[:, [0, -1]] -= 1
    assert torch.equal(number, expected)


def test_lists_of_pixels_are_read_and_written_by_flat_index() -> None:
    x = _random(3, 20)
    index = torch.tensor([[4, 0], [19, 4]])
    assert torch.equal(images.take(x, index), x[:, index])
    values = _random(3, 2) + 1
    images.put(x, torch.tensor([7, 2]), values)
    assert torch.equal(x[:, [7, 2]], values)


def test_window_indices_stay_in_the_picture() -> None:
    picture = torch.arange(30).view(5, 6)
    flat, oy, ox = images.window_indices(torch.tensor([[2, 3], [0, 5]]), 5, 6, 1)
    assert torch.equal(picture.flatten()[flat[0]].view(3, 3), picture[1:4, 2:5])
    assert flat[1].view(3, 3).tolist() == [[4, 5, 5], [4, 5, 5], [10, 11, 11]]
    assert oy.tolist() == [-1, -1, -1, 0, 0, 0, 1, 1, 1] and ox.tolist() == [-1, 0, 1] * 3


@pytest.mark.parametrize("size", [(16, 16), (13, 21), (1, 9)])
def test_holes_are_filled_from_around_and_what_is_known_stays(size: tuple[int, int]) -> None:
    values, weight = _random(3, *size), torch.ones(size)
    weight[:, 3:8] = 0
    pushed = images.push_pull(values, weight)
    assert torch.equal(pushed[:, weight > 0], values[:, weight > 0])
    assert float(pushed.min()) >= float(values[:, weight > 0].min()) - 1e-6
    assert float(pushed.max()) <= float(values[:, weight > 0].max()) + 1e-6
    if min(size) > 1:
        filled = images.fill_holes(values, weight[None])
        assert torch.equal(filled[:, weight > 0], values[:, weight > 0]) and bool(torch.isfinite(filled).all())
    flat = torch.full((1, *size), 0.3)
    torch.testing.assert_close(images.push_pull(flat, weight), flat)
    torch.testing.assert_close(images.fill_holes(flat, weight[None]), flat)


def test_a_constant_stays_constant_between_soft_weights() -> None:
    weight = _random(12, 17)
    flat = torch.full((2, 12, 17), 0.7)
    torch.testing.assert_close(images.push_pull(flat, weight), flat)


def test_crossfades_of_neighbours_sum_to_one() -> None:
    length, width = 40, 8
    like, every = torch.zeros(()), slice(0, length)
    first = images.crossfade(every, -4, 24, width, length, like)  # tiles 0..20 and 20..40, blended over 16..24
    second = images.crossfade(every, 16, length + 4, width, length, like)
    torch.testing.assert_close(first + second, torch.ones(length))
    assert torch.equal(first[:16], torch.ones(16)) and torch.equal(first[24:], torch.zeros(16))
    assert torch.equal(second[20:30], images.crossfade(slice(20, 30), 16, length + 4, width, length, like))


def test_transform_lengths_are_fast_and_never_too_short() -> None:
    reusable = [images.reusable_fft_length(n) for n in range(1, 2000)]
    for n, (length, own) in enumerate(zip(map(images.fast_fft_length, range(1, 2000)), reusable, strict=True), 1):
        assert n <= length <= max(1.2 * n, 8) and own >= n
        for prime in (2, 3, 5):
            while length % prime == 0:
                length //= prime
        assert length == 1
        assert n <= 16 or own <= 1.2 * n + 1
    assert len(set(reusable)) < 60


@pytest.mark.parametrize(("height", "width"), [(1, 9), (9, 1), (2, 70), (125, 150), (33, 257)])
def test_holes_of_any_picture_are_filled_from_what_is_known(height: int, width: int) -> None:
    known = torch.zeros(1, height, width)
    known[:, height // 3 : height // 3 + 1, width // 3 : width // 3 + 1] = 1
    filled = images.fill_holes(torch.full((3, height, width), 0.7) * known, known)
    torch.testing.assert_close(filled, torch.full_like(filled, 0.7))
