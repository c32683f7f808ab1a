"""Made-up scenes: their depth against closed forms, repeatable, and worth learning from."""

from __future__ import annotations

import math

import pytest
import torch

from refocus_core.train import generator
from refocus_core.train.depth import scenes

SIDE = 48


def drawn(*bodies: scenes.Body, **changes: object) -> scenes.Rendered:
    scene = scenes.Scene(bodies=list(bodies), **{"camera": (0.0, 0.0, 0.0), "focal_widths": 0.8, **changes})
    return scenes.render([scene], scenes.pick_textures([], generator(1))[None], SIDE, SIDE)


def ray_slopes() -> tuple[torch.Tensor, torch.Tensor]:
    """x and y per metre of depth of each pixel [SIDE,SIDE]."""
    at = (torch.arange(SIDE) + 0.5 - SIDE / 2) / (0.8 * SIDE)
    return at.expand(SIDE, SIDE), -at[:, None].expand(SIDE, SIDE)


def test_ball_and_sky() -> None:
    out = drawn(scenes.Body(scenes.Primitive.SPHERE, (0, 0, 5.0), (1, 1, 1), torch.eye(3)))
    x, y = (s.double() for s in ray_slopes())
    a = x * x + y * y + 1
    root = 25 - a * 24
    hit = root > 0.05
    expected = (5 - root.clamp_min(0).sqrt()) / a
    assert torch.allclose(1 / out.disparity[0][hit].double(), expected[hit], rtol=1e-4)
    assert int(hit.sum()) > 100 and float(out.disparity[0][root < -0.05].abs().max()) == 0


def test_ground_plane_under_a_tilted_camera() -> None:
    """Depth along the axis of a plane 1.5 m below, camera pitched down by 20 degrees."""
    pitch = math.radians(20)
    plane = scenes.Body(scenes.Primitive.CARD, (0, -1.5, 0), (1e4, 1e4, 1e4), scenes.rotation(0, math.pi / 2))
    out = drawn(plane, camera_axes=scenes.rotation(0, pitch))
    _, y = (s.double() for s in ray_slopes())
    down = math.sin(pitch) - y * math.cos(pitch)
    seen = down > 0.02
    assert torch.allclose(out.disparity[0][seen].double(), down[seen] / 1.5, rtol=1e-3)
    assert bool((out.disparity[0][down < -0.02] == 0).all()) and int(seen.sum()) > SIDE


def test_box_cone_and_room() -> None:
    middle = SIDE // 2
    box = drawn(scenes.Body(scenes.Primitive.BOX, (0, 0, 4.0), (0.5, 0.5, 0.25), torch.eye(3)))
    assert float(box.disparity[0, middle, middle]) == pytest.approx(1 / 3.75, rel=1e-5)
    # along its axis a tube shows its round end, across it the near side; tapered, that depends on the height
    upright = scenes.Body(scenes.Primitive.TUBE, (0, 0, 4.0), (0.5, 1.0, 0.5), torch.eye(3), taper=-0.5)
    cone = drawn(upright).disparity[0]
    x, y = ray_slopes()
    row, column = middle - 8, middle
    # radius 0.5 (1 - 0.5 y): z - 4 = -radius on the axis (x of half a pixel is small)
    z = 1 / float(cone[row, column])
    height = float(y[row, column]) * z
    assert math.hypot(z - 4, float(x[row, column]) * z) == pytest.approx(0.5 * (1 - 0.5 * height), rel=1e-4)
    inside = drawn(scenes.Body(scenes.Primitive.BOX, (0, 0, 1.0), (2, 2, 6.0), torch.eye(3)))
    assert float(inside.disparity[0, middle, middle]) == pytest.approx(1 / 7, rel=1e-4)
    assert float(inside.disparity[0].min()) > 0


def test_outlines_are_cut_out_and_lie_before_what_is_behind() -> None:
    behind = scenes.Body(scenes.Primitive.CARD, (0, 0, 6.0), (20, 20, 1), torch.eye(3))
    front = scenes.Body(scenes.Primitive.CARD, (0, 0, 3.0), (1, 1, 1), torch.eye(3), outline=scenes.outlines().ring[0])
    d = drawn(behind, front).disparity[0]
    values = torch.unique((d * 1000).round())
    assert values.tolist() == [167.0, 333.0]
    assert float(d[SIDE // 2, SIDE // 2]) == pytest.approx(1 / 6, rel=1e-4), "the hole of the ring"


def test_light_from_above_casts_a_shadow() -> None:
    floor = scenes.Body(scenes.Primitive.CARD, (0, -1, 0), (100, 100, 1), scenes.rotation(0, math.pi / 2), casts_shadow=False)
    lid = scenes.Body(scenes.Primitive.BOX, (0, 0.5, 4), (1, 0.05, 1), torch.eye(3))
    light = {"light": (0.0, 1.0, 0.0), "camera_axes": scenes.rotation(0, 0.15), "sky": ((0.5, 0.5, 0.5),) * 2}
    open_sky, shaded = (drawn(*b, **light).image[0].mean(0) for b in ([floor], [floor, lid]))
    x, y = ray_slopes()
    z = 1 / drawn(floor, camera_axes=scenes.rotation(0, 0.15)).disparity[0].clamp_min(1e-6)
    under = ((z - 4).abs() < 0.6) & ((x * z).abs() < 0.6) & (y < -0.05)
    aside = ((z - 4).abs() < 0.6) & ((x * z).abs() > 1.6) & (y < -0.05)
    assert int(under.sum()) > 5 and int(aside.sum()) > 5
    fall = shaded[under].mean() / open_sky[under].mean()
    assert float(fall) < 0.85 * float(shaded[aside].mean() / open_sky[aside].mean())


@pytest.mark.parametrize("kind", list(scenes.KINDS))
def test_every_kind_is_repeatable_finite_and_varied(kind: str) -> None:
    textures = scenes.pick_textures([], generator(4))[None]
    first, again, other = (scenes.render([scenes.compose(3, i, 0, kind)], textures, SIDE, SIDE) for i in (0, 0, 1))
    assert torch.equal(first.image, again.image) and torch.equal(first.disparity, again.disparity)
    assert not torch.equal(first.disparity, other.disparity)
    assert bool(torch.isfinite(first.image).all()) and float(first.image.min()) >= 0 and float(first.image.max()) <= 1
    assert bool(torch.isfinite(first.disparity).all()) and float(first.disparity.min()) >= 0


def test_a_batch_equals_singles() -> None:
    made = [scenes.compose(5, i) for i in range(3)]
    textures = torch.stack([scenes.pick_textures([], generator(5, i)) for i in range(3)])
    both = scenes.render(made, textures, 32, 40)
    for i in range(3):
        one = scenes.render([made[i]], textures[i : i + 1], 32, 40)
        assert torch.allclose(one.disparity[0], both.disparity[i], atol=1e-5)
        # a grain of the texture may differ where the body has another number in the batch
        assert float((one.image[0] - both.image[i]).abs().mean()) < 0.1


def test_examples_are_usable_and_the_same_again() -> None:
    photo = torch.randint(0, 255, (3, 60, 80), dtype=torch.uint8, generator=generator(1))
    a, b = (scenes.example([photo], 2, 7, 40) for _ in range(2))
    assert torch.equal(a.image, b.image) and torch.equal(a.disparity, b.disparity) and scenes.usable(a.disparity[0])
    assert not scenes.usable(torch.full((20, 20), 0.5)) and not scenes.usable(torch.linspace(0, 20, 400).view(20, 20))
