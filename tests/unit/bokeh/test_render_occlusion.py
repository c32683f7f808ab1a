"""What hides what: focus, foregrounds, backgrounds, snapping to the photo, plates and mattes."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from refocus_core import bokeh, defocus
from refocus_core.bokeh.surfaces.build import split
from refocus_core.bokeh.surfaces.snap import snap
from refocus_core.optics import Blur
from refocus_core.types import DefocusMap, DepthMap
from tests.helpers.renderings import (
    QUALITIES,
    noise,
    radius_map,
    render,
)


@pytest.mark.parametrize("quality", QUALITIES)
def test_radius_zero_is_the_input_bit_for_bit(quality: str) -> None:
    image = torch.rand(2, 3, 21, 33) * 5
    assert torch.equal(render(image, torch.zeros(2, 21, 33), quality=quality), image)
    # also where other parts of the picture are blurred and bright, out of their reach
    wide = torch.rand(1, 3, 21, 90)
    wide[..., 60:] *= 300
    for r in (6.0, -6.0):
        radius = torch.zeros(1, 21, 90)
        radius[..., 60:] = r
        out = render(wide, radius, quality=quality)
        assert torch.equal(out[..., :50], wide[..., :50])
        assert not torch.equal(out[..., 70:], wide[..., 70:])


@pytest.mark.parametrize("quality", QUALITIES)
@pytest.mark.parametrize("shape", ["circle", "heart"])
def test_a_sharp_subject_takes_no_colour_from_the_blur_behind_it(quality: str, shape: str) -> None:
    n = 72
    y, x = torch.meshgrid(torch.arange(n) - n / 2, torch.arange(n) - n / 2, indexing="ij")
    subject = torch.hypot(x, y) < 20
    image = torch.where(subject, torch.tensor([0.1, 0.3, 0.1]).view(3, 1, 1), torch.tensor([5.0, 4.0, 0.5]).view(3, 1, 1))[None]
    radius = torch.where(subject, 0.0, 15.0)[None]
    out = render(image, radius, bokeh.make_kernel(shape), quality=quality)
    inside = torch.hypot(x, y) < 18
    assert float((out - image)[0][:, inside].abs().max()) <= 1e-3
    # nor does the subject's colour leak out: the background next to it stays as bright as it is
    ring = (torch.hypot(x, y) > 22) & (torch.hypot(x, y) < 30)
    assert float((out / image - 1)[0][:, ring].abs().max()) < 0.02


@pytest.mark.parametrize("quality", QUALITIES)
def test_a_blurred_foreground_spreads_and_lets_the_background_through(quality: str) -> None:
    """A half plane with a straight edge: its coverage falls as the disc's share on one side of a line does."""
    h, w, r = 48, 96, 12.0
    image = torch.zeros(1, 3, h, w)
    image[:, 0, :, :48] = 1.0  # a red foreground
    image[:, 2, :, 48:] = 1.0  # before a blue background
    radius = torch.zeros(1, h, w)
    radius[..., :48] = -r
    out = render(image, radius, quality=quality)[0, :, h // 2]
    t = ((torch.arange(w) + 0.5 - 48) / r).clamp(-1, 1)
    covered = 0.5 - (t * (1 - t * t).sqrt() + t.asin()) / math.pi
    assert float((out[0] - covered).abs().max()) < 0.04
    assert float(out[0, 48 + 6]) > 0.1, "it spreads over the sharp background"
    assert float(out[2, 48 - 6]) > 0.1, "which shows through its edge"
    spread = 1 if quality == "draft" else 0  # px that enlarging adds at the rim
    assert float(out[2, 60 + spread :].min()) > 0.999 and float(out[0, : 36 - spread].min()) > 0.99
    torch.testing.assert_close(out.sum(0), torch.ones(w), atol=5e-3, rtol=0)


def test_a_near_light_spreads_over_the_subject() -> None:
    image = torch.full((1, 3, 61, 61), 0.2)
    image[..., 28:33, 28:33] = 40.0
    radius = torch.zeros(1, 61, 61)
    radius[..., 28:33, 28:33] = -14.0
    out = render(image, radius)
    ratio = float(out[0, 0, 30, 30]) / (40 * 25 / (math.pi * 14**2))
    assert 0.9 < ratio < 1.2
    assert float(out[0, 0, 30, 42]) > 0.5 * float(out[0, 0, 30, 30])


def test_snapping_follows_the_photo() -> None:
    """A soft, misplaced transition of the map is moved to the edge in the picture."""
    h, w = 40, 80
    image = torch.full((1, 3, h, w), 0.05)
    image[..., 40:] = 0.8
    soft = (12 * ((torch.arange(w) - 36.5) / 5).clamp(0, 1)).expand(1, h, w).contiguous()
    hard = torch.where(torch.arange(w) >= 40, 12.0, 0.0).expand(1, h, w).contiguous()
    snapped, exact = render(image, soft), render(image, hard)
    assert float((snapped - exact).abs()[..., :38].max()) < 0.01
    unsnapped = render(image, soft, quality=replace(bokeh.QUALITIES["normal"], snap=False))
    assert float((snapped - exact).abs().mean()) < 0.5 * float((unsnapped - exact).abs().mean())


def test_more_pieces_approach_the_lens() -> None:
    """Two blurred surfaces, one over the other: pieces of the aperture know what hides what."""
    from refocus_core.bokeh import reference

    h = w = 56
    margin, s = 12, reference.SUBPIXELS
    n = (h + 2 * margin) * s
    x = (torch.arange(n) + 0.5) / s - margin
    front = (x < 28).float().expand(n, n).contiguous()
    red, blue = torch.zeros(3, n, n), torch.zeros(3, n, n)
    red[0] = 0.7
    blue[2] = 0.9 * (((x / 14).floor() % 2) == 0)
    planes = (reference.Plane(red, front, -9.0), reference.Plane(blue, torch.ones(n, n), 9.0))
    scene = reference.LayeredScene(planes, margin, samples=120)
    kernel = bokeh.make_kernel("circle")
    truth, _ = reference.render_reference(scene, kernel)
    photo, radius = reference.pinhole(scene)
    plate, _ = reference.pinhole(reference.LayeredScene(planes[1:], margin))
    matte = F.avg_pool2d(front[None, margin * s : -margin * s, margin * s : -margin * s], s)
    errors: list[float] = []
    for pieces in (1, 3, 16):
        quality = replace(bokeh.QUALITIES["best"], segments=pieces)
        out = bokeh.render(
            photo,
            radius_map(radius),
            kernel,
            quality=quality,
            background=bokeh.Plate(plate, torch.full((1, h, w), 9.0)),
            matte=matte,
        )
        errors.append(float((out - truth)[..., 12:-12, 12:-12].square().mean().sqrt()))
    assert errors[1] < 0.7 * errors[0], errors
    assert errors[2] < 0.5 * errors[0] and errors[2] < 0.02, errors


def test_a_small_step_at_a_rim_does_not_hide_the_background() -> None:
    """Depth maps have steps along the rim of a surface. What lies behind the surface must still show through its blurred edge."""
    h, w = 80, 120
    x = torch.arange(w).expand(h, w)
    # the rim is ragged, as in a map that a network made
    rim = x + (torch.arange(h)[:, None] // 5 % 3) >= 52
    near = x < 60
    image = torch.where(near, torch.tensor([0.55, 0.3, 0.22]).view(3, 1, 1), torch.tensor([0.2, 0.35, 0.3]).view(3, 1, 1))[None]
    smooth = torch.where(near, -26.0, 0.0)
    stepped = torch.where(near & rim, -23.5, smooth)
    pictures = [bokeh.render(image, DefocusMap.from_radius(r)) for r in (smooth, stepped)]
    assert float((pictures[0] - pictures[1]).abs().max()) < 0.02


@pytest.mark.parametrize("quality", QUALITIES)
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize(("near", "rim", "width"), [(-1.4, 1.5, 10), (-6.0, 1.5, 14)])
def test_a_bright_wall_does_not_shine_through_a_curved_head(
    quality: str, soft: bool, near: float, rim: float, width: int
) -> None:
    """A black head curves away, `width` px wide and flat for 5 px, in front of a white wall far out of focus."""
    x = torch.arange(160.0).expand(96, 160)
    edge = 100 + 4 * torch.sin(torch.arange(96.0) / 9)[:, None]
    turned = ((x - (edge - 5 - width)) / width).clamp(0, 1)
    turned = turned.square() * (3 - 2 * turned)
    head = x < edge
    radius = torch.where(head, near + (rim - near) * turned, torch.tensor(22.0))[None]
    if soft:
        radius = F.avg_pool2d(F.pad(radius[None], (2, 2, 2, 2), mode="replicate"), 5, 1)[0]
    out = render(torch.where(head, 0.02, 0.8).expand(1, 3, 96, 160), radius, quality=quality)
    assert float(out[0, 1][x < edge - 4].max()) < 0.05


@pytest.mark.parametrize("jitter", [0.0, 0.1])
def test_snapping_leaves_what_curves_and_gives_its_edge_the_radius_beside_it(jitter: float) -> None:
    x = torch.arange(120.0).expand(60, 120)
    turned = ((x - 50) / 12).clamp(0, 1)
    radius = -8 + 8 * turned.square() * (3 - 2 * turned)
    radius = radius + jitter * torch.randn(60, 120, generator=torch.Generator().manual_seed(2))
    wall = x >= 68
    soft = F.avg_pool2d(F.pad(torch.where(wall, torch.tensor(20.0), radius)[None, None], (2,) * 4, mode="replicate"), 5, 1)[0, 0]
    snapped = snap(torch.where(wall, 0.8, 0.1).expand(3, 60, 120), soft, 3)
    assert torch.equal(snapped[:, :60], soft[:, :60])
    assert float(snapped[:, 64:68].abs().max()) < 0.6
    assert float((snapped[:, 68:] - 20).abs().max()) < 0.1


def _subject() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Photo, radius, background plate and matte: a near, blurred square before a plate that has a stripe behind it."""
    plate = torch.full((1, 3, 64, 64), 0.3)
    plate[:, 1, :, 28:36] = 0.9
    matte = torch.zeros(1, 64, 64)
    matte[:, 16:48, 16:48] = 1
    photo = torch.where(matte[:, None] > 0, torch.tensor([0.8, 0.1, 0.1]).view(1, 3, 1, 1), plate)
    return photo, torch.where(matte > 0, -12.0, 0.0), plate, matte


@pytest.mark.parametrize("with_matte", [True, False])
def test_the_revealed_background_is_the_plates(with_matte: bool) -> None:
    photo, radius, plate, matte = _subject()
    secret = plate.clone()
    secret[:, 2, 16:48, 16:48] = 0.95  # only the plate knows
    options = {"matte": matte} if with_matte else {}
    out = render(photo, radius, background=secret, **options)
    without = render(photo, radius)
    share = 1 - bokeh.render(
        matte[:, None].expand(-1, 3, -1, -1), radius_map(radius), background=torch.zeros_like(photo), matte=matte
    )
    ring = (matte > 0) & (share[:, 0] > 0.15)
    assert int(ring.sum()) > 100
    seen = (out - without)[:, 2][ring] / (0.65 * share[:, 0][ring])
    assert float(seen.mean()) == pytest.approx(1, abs=0.15)
    outside = F.max_pool2d(matte[:, None], 27, 1, 13)[:, 0] == 0
    assert (
        torch.equal(out[:, :, outside[0]], photo[:, :, outside[0]]) or float((out - photo)[:, :, outside[0]].abs().max()) < 1e-5
    )


def test_plate_and_matte_in_front_of_a_blurred_background() -> None:
    """A sharp subject before a blurred background, which is the plate also where it is not seen."""
    plate = noise(64, 64, 8)
    matte = torch.zeros(1, 64, 64)
    matte[:, 16:48, 16:48] = 1
    photo = torch.where(matte[:, None] > 0, torch.tensor(0.05), plate)
    radius = torch.where(matte > 0, 0.0, 9.0)
    out = render(photo, radius, background=bokeh.Plate(plate, torch.full((1, 64, 64), 9.0)), matte=matte)
    alone = render(plate, torch.full((1, 64, 64), 9.0))
    torch.testing.assert_close(out, torch.where(matte[:, None] > 0, photo, alone), atol=2e-3, rtol=0)


def test_a_soft_matte_keeps_hair() -> None:
    plate = torch.full((1, 3, 40, 80), 0.7)
    matte = (0.5 + 0.5 * torch.sin(torch.arange(80.0))).expand(1, 40, 80) * (torch.arange(80) < 40)
    matte[..., :20] = 1
    photo = 0.05 * matte[:, None] + plate * (1 - matte[:, None])
    radius = torch.where(matte > 0.5, 0.0, 10.0)
    out = render(photo, radius, background=bokeh.Plate(plate, torch.full((1, 40, 80), 10.0)), matte=matte)
    torch.testing.assert_close(out, photo, atol=2e-3, rtol=0)


def test_behind_a_matte_alone_the_background_goes_on() -> None:
    """The plate is even but for a stripe, which no matte knows: what is revealed is as the rest."""
    photo, radius, _, matte = _subject()
    photo = torch.where(matte[:, None] > 0, photo, torch.tensor(0.3))
    out = render(photo, radius, matte=matte)
    told = render(photo, radius, matte=matte, background=torch.full_like(photo, 0.3))
    torch.testing.assert_close(out, told, atol=1e-5, rtol=0)


def test_a_matte_must_be_finite_and_leave_something_free_and_sizes_must_agree() -> None:
    photo, radius, plate, matte = _subject()
    with pytest.raises(ValueError, match=r"matte holds NaN"):
        render(photo, radius, matte=matte * torch.nan)
    with pytest.raises(ValueError, match=r"matte covers the whole picture"):
        render(photo, radius, matte=torch.ones_like(matte))
    with pytest.raises(ValueError, match=r"background is 32x64"):
        render(photo, radius, background=plate[..., :32])
    with pytest.raises(ValueError, match=r"matte is 64x10"):
        render(photo, radius, background=plate, matte=matte[:, :10])
    with pytest.raises(ValueError, match=r"defocus map is 30x64 px but the picture is 64x64"):
        render(photo, radius[..., :30])
    with pytest.raises(ValueError, match=r"background .*NaN"):
        render(photo, radius, background=plate * float("nan"))
    with pytest.raises(ValueError, match=r"defocus map has 2 frames"):
        render(photo.expand(3, -1, -1, -1), radius.expand(2, -1, -1))


def test_wrong_images_and_qualities_are_named() -> None:
    image, radius = torch.rand(1, 3, 8, 8), torch.full((1, 8, 8), 2.0)
    for bad in (float("nan"), float("inf")):
        broken = image.clone()
        broken[0, 1, 2, 3] = bad
        with pytest.raises(ValueError, match=r"image holds NaN or infinite"):
            render(broken, radius)
        with pytest.raises(ValueError, match=r"radius_px holds NaN or infinite"):
            render(image, torch.where(radius == radius[0, 0, 0], bad, radius))
    with pytest.raises(ValueError, match=r"draft, normal, best"):
        render(image, radius, quality="ultra")
    with pytest.raises(ValueError, match="at least 1"):
        render(image, radius, quality=replace(bokeh.QUALITIES["best"], segments=0))
    with pytest.raises(ValueError, match=r"\[B,3,H,W\]"):
        render(image[:, :2], radius)
    with pytest.raises(TypeError, match="floating-point"):
        render((image * 255).byte(), radius)


def test_what_lies_behind_an_edge_goes_on_without_a_line() -> None:
    """Behind the first row of a bar lies what lies behind the next ones, though that row is taken to show some of the wall."""
    n, first = 64, 31
    y, x = torch.meshgrid(torch.arange(n), torch.arange(n), indexing="ij")
    wall = torch.where(
        (y // 6 + x // 6) % 2 == 0, *(torch.tensor(c).view(3, 1, 1) for c in ((0.8, 0.75, 0.65), (0.05, 0.15, 0.5)))
    )
    bar = torch.where((x + y) // 3 % 2 == 0, *(torch.tensor(c).view(3, 1, 1) for c in ((0.01, 0.01, 0.01), (0.57, 0.05, 0.02))))
    surfaces = split(torch.where(y >= first, bar, wall), torch.where(y >= first, -10.0, 0.0))
    behind = torch.full((3, n * n), torch.nan)
    behind[:, surfaces.index] = surfaces.back[:3]
    rows = behind.view(3, n, n)[:, [first, first + 2], 10:-10]
    assert float((rows[:, 0] - rows[:, 1]).abs().max()) < 0.25, "a dashed line along the old outline"


def _covered(subject: Tensor, radius: float, finer: int = 4) -> Tensor:
    """[H,W] coverage of a subject [H,W] (bool), blurred by a disc, on a grid so many times finer."""
    reach = (int(radius) + 2) * finer
    y, x = torch.meshgrid(torch.arange(-reach, reach + 1.0), torch.arange(-reach, reach + 1.0), indexing="ij")
    disc = (torch.hypot(y, x) <= radius * finer).float()
    fine = subject.float().repeat_interleave(finer, 0).repeat_interleave(finer, 1)
    size = (fine.shape[0] + disc.shape[0], fine.shape[1] + disc.shape[1])
    blurred = torch.fft.irfft2(torch.fft.rfft2(fine, s=size) * torch.fft.rfft2(disc / disc.sum(), s=size), s=size)
    blurred = blurred[reach : reach + fine.shape[0], reach : reach + fine.shape[1]]
    return F.avg_pool2d(blurred[None, None], finer)[0, 0]


def _wavy() -> tuple[Tensor, Tensor]:
    """A dark shape before a bright wall [1,3,200,220], and where it is."""
    y, x = torch.meshgrid(torch.arange(200.0), torch.arange(220.0), indexing="ij")
    angle = torch.atan2(y - 100, x - 105)
    subject = torch.hypot(y - 100, x - 105) < 55 + 8 * torch.sin(5 * angle) + 4 * torch.sin(17 * angle + 1)
    return torch.where(subject, 0.02, 0.8).expand(1, 3, -1, -1).contiguous(), subject


def _error(image: Tensor, subject: Tensor, defocus_map: DefocusMap) -> Tensor:
    """What the picture of `_wavy` differs by from the subject's coverage, but for a frame."""
    covered = _covered(subject, float(-defocus_map.radius_px[0, 100, 105]))
    truth = torch.lerp(torch.tensor(0.8), torch.tensor(0.02), covered)
    return (bokeh.render(image, defocus_map)[0, 0] - truth)[20:180, 20:190]


@pytest.mark.parametrize(("near", "wall"), [(0.55, 0.4), (0.6, 0.3), (0.8, 0.3), (0.9, 0.2)])
def test_the_rim_of_a_dark_foreground_has_no_specks_at_any_part_of_the_strength(near: float, wall: float) -> None:
    """The wall is in focus, the scene reaches farther both ways, so the foreground has a part of the largest blur."""
    image, subject = _wavy()
    disparity = torch.where(subject, near, wall)
    disparity[:, :4], disparity[:, 216:] = 1.0, 0.0
    defocus_map = defocus.from_lens(DepthMap(disparity[None], False), Blur(15.0), (0.9, 0.95))
    assert float(_error(image, subject, defocus_map).abs().max()) < 0.03


@pytest.mark.parametrize(("near", "wall"), [(0.55, 0.4), (0.6, 0.3), (0.8, 0.3)])
def test_surfaces_elsewhere_in_the_scene_do_not_change_an_outline_of_soft_depth(near: float, wall: float) -> None:
    """One strip is much nearer than the subject, one much farther than the wall; neither touches them."""
    image, subject = _wavy()
    disparity = torch.where(subject, near, wall)
    disparity[:, :4], disparity[:, 216:] = 1.0, 0.0
    soft = F.avg_pool2d(F.pad(disparity[None, None], (3, 3, 3, 3), mode="replicate"), 7, 1)[0]
    defocus_map = defocus.from_lens(DepthMap(soft, False), Blur(15.0), (0.9, 0.95))
    error = _error(image, subject, defocus_map)
    assert float(error.square().mean().sqrt()) < 0.01 and float(error.abs().max()) < 0.1


def test_a_subject_in_focus_keeps_its_outline_where_depth_is_a_little_soft() -> None:
    """Two surfaces alone, whose step the map blurs by 5 px: the photo tells where it is."""
    image, subject = _wavy()
    disparity = torch.where(subject, 0.7, 0.3)
    soft = F.avg_pool2d(F.pad(disparity[None, None], (2, 2, 2, 2), mode="replicate"), 5, 1)[0]
    out = bokeh.render(image, defocus.from_lens(DepthMap(soft, False), Blur(15.0), (0.48, 0.5)))
    assert float((out - image)[..., 20:180, 20:190].abs().max()) < 0.03
