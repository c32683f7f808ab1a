"""Drafts: half the resolution, with what is in focus at full resolution."""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from refocus_core import bokeh
from tests.helpers.renderings import (
    mixed_radii,
    noise,
    render,
)


def _disc_before_a_wall() -> tuple[Tensor, Tensor]:
    """A textured disc in focus before a plain blurred wall."""
    h, w = 81, 100
    y, x = torch.meshgrid(torch.arange(h) - 40.0, torch.arange(w) - 50.0, indexing="ij")
    inside = x.square() + y.square() < 27.3**2
    texture = torch.rand(1, 3, h, w, generator=torch.Generator().manual_seed(4)) * torch.tensor([1.0, 0.3, 0.1]).view(1, 3, 1, 1)
    image = torch.where(inside, texture, torch.tensor([0.1, 0.3, 0.9]).view(1, 3, 1, 1))
    return image, torch.where(inside, 0.0, 15.0)[None]


def test_a_draft_keeps_every_pixel_in_focus_and_no_colour_bleeds() -> None:
    image, radius = _disc_before_a_wall()
    out = render(image, radius, quality="draft")
    inside = radius[0] == 0
    assert torch.equal(out[0][:, inside], image[0][:, inside]), "at full resolution, up to its edge"
    wall = image[0, :, 0, 0].view(3, 1)
    assert float((out[0][:, ~inside] - wall).abs().max()) < 0.1, "nothing of it in the blur beside it"


def _near_beside_far() -> Tensor:
    image = torch.rand(1, 3, 60, 80, generator=torch.Generator().manual_seed(5))
    image[..., 40:] *= 0.3
    return image


def test_a_draft_of_a_steep_slope_through_the_focus_is_no_brighter_than_the_photo() -> None:
    """Where the photo and the halved picture disagree on what is in focus, much light is left with little coverage."""
    image = _near_beside_far()
    slope = (-10 + 20 * ((torch.arange(80) - 35.5) / 9).clamp(0, 1)).expand(1, 60, 80).contiguous()
    assert float(render(image, slope, quality="draft").max()) <= float(image.max())


def test_a_soft_step_from_near_to_far_is_not_in_focus_halfway() -> None:
    image = _near_beside_far()
    soft = (-10 + 4 * (torch.arange(80) - 37.5)).clamp(-10, 10).expand(1, 60, 80).contiguous()
    assert float(soft.abs().min()) == 0
    out = render(image, soft, quality="draft")
    rough, fine = (float(p[..., 33:43].diff(dim=2).abs().mean()) for p in (image, out))
    assert fine < 0.05 * rough, "nothing is put back at full resolution"


def test_a_frame_of_a_draft_is_the_same_alone() -> None:
    image = noise(40, 50, batch=2)
    radius = torch.cat([torch.full((1, 40, 50), 0.3), mixed_radii(40, 50)])
    steps: list[tuple[int, int]] = []
    both = render(image, radius, quality="draft", progress=lambda *at: steps.append(at))
    assert steps[-1][0] == steps[-1][1]
    assert torch.equal(both[0], image[0]) and torch.equal(both[1], render(image[1:], radius[1:], quality="draft")[0])


def test_a_draft_is_restored_in_strips_without_seams() -> None:
    image, radius = noise(90, 70), mixed_radii(90, 70)
    soft = F.avg_pool2d(F.pad(radius[None], (2, 2, 2, 2), mode="replicate"), 5, 1)[0]
    whole = render(image, soft, quality="draft")
    strips = render(image, soft, quality="draft", limits=bokeh.Limits(draft_rows=7))
    torch.testing.assert_close(strips, whole, atol=1e-6, rtol=0)


def test_a_draft_follows_the_photo_where_the_map_is_soft() -> None:
    image, radius = _disc_before_a_wall()
    soft = F.avg_pool2d(F.pad(radius[None], (2, 2, 2, 2), mode="replicate"), 5, 1)[0]
    inside = radius[0] == 0
    error = (render(image, soft, quality="draft") - image)[0].abs().mean(0)
    unsnapped = replace(bokeh.QUALITIES["draft"], snap=False)
    assert float((error[inside] > 0.05).float().mean()) < 0.05
    blurred = (render(image, soft, quality=unsnapped) - image)[0].abs().mean(0)
    assert float(error[inside].mean()) < 0.5 * float(blurred[inside].mean())
