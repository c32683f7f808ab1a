"""The renderer: energy, place and shape of the blur, occlusion, tiles, inputs. Its quality is scored in `bench/run/render.py`."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from refocus_core import bokeh, psf
from refocus_core.bokeh import draft as half
from refocus_core.bokeh.bins import Bins
from refocus_core.bokeh.engines import torch_engine as tile_engine
from refocus_core.bokeh.plan import Plan, Quality
from refocus_core.bokeh.surfaces import cache as prepared
from refocus_core.bokeh.surfaces.layers import Layers
from refocus_core.bokeh.surfaces.snap import snap
from refocus_core.types import DefocusMap, Kernel

QUALITIES = list(bokeh.QUALITIES)
CHEAP = ["draft", "normal"]


def _map(radius: Tensor) -> DefocusMap:
    return DefocusMap.from_radius(radius)


def _render(image: Tensor, radius: Tensor, *args: object, **options: object) -> Tensor:
    return bokeh.render(image, _map(radius), *args, **options)  # pyright: ignore[reportArgumentType]


def _noise(h: int, w: int, seed: int = 0, batch: int = 1) -> Tensor:
    """Smooth coloured texture."""
    g = torch.Generator().manual_seed(seed)
    coarse = torch.rand(batch, 3, h // 4 + 2, w // 4 + 2, generator=g)
    return F.interpolate(coarse, (h, w), mode="bilinear", align_corners=False)


def _impulse(n: int, value: float = 100.0) -> Tensor:
    image = torch.zeros(1, 3, n, n)
    image[..., n // 2, n // 2] = value
    return image


def _centroid(picture: Tensor) -> tuple[float, float]:
    """(x, y) of [n,n] from the middle pixel, px."""
    p = picture.double()
    c = torch.arange(p.shape[-1]).double() - p.shape[-1] // 2
    return float((p.sum(0) * c).sum() / p.sum()), float((p.sum(1) * c).sum() / p.sum())


def _iou(a: Tensor, b: Tensor) -> float:
    """Overlap of the lit areas, threshold half the mean of the brightest."""
    level = 0.5 * float(b.max())
    return float(((a > level) & (b > level)).sum() / ((a > level) | (b > level)).sum())


def _mixed_radii(h: int, w: int) -> Tensor:
    """Both signs, slopes, and jumps."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, h), torch.linspace(-1, 1, w), indexing="ij")
    r = 9 * x + 3 * y
    r = torch.where((x + 0.3).square() + y.square() < 0.15, torch.tensor(-11.0), r)
    return torch.where((x - 0.4).abs() + (y - 0.2).abs() < 0.3, torch.tensor(0.0), r)[None]


OFF_AXIS = torch.zeros(32, 32)
OFF_AXIS[4:14, 18:30] = 1


def _kernel(name: str) -> Kernel:
    return bokeh.kernel_from_image(OFF_AXIS) if name == "off axis" else bokeh.make_kernel(name)


# ---------------------------------------------------------------------------------------------------------------- energy


@pytest.mark.parametrize("quality", QUALITIES)
@pytest.mark.parametrize("shape", ["circle", "heart", "ring", "off axis"])
def test_a_uniform_picture_stays_uniform_to_the_borders(quality: str, shape: str) -> None:
    image = torch.full((1, 3, 45, 70), 0.4) * torch.tensor([1.0, 0.5, 2.0]).view(1, 3, 1, 1)
    for radius in (_mixed_radii(45, 70), -_mixed_radii(45, 70), torch.full((1, 45, 70), 9.3)):
        out = _render(image, radius, _kernel(shape), quality=quality)
        assert float((out / image - 1).abs().max()) < 2e-3


@pytest.mark.parametrize("quality", QUALITIES)
@pytest.mark.parametrize("radius", [-19.0, -4.4, 0.7, 2.6, 13.0, 30.0])
def test_a_bright_light_keeps_its_energy_and_is_not_greyed(quality: str, radius: float) -> None:
    image = _impulse(97, 8.0)
    out = _render(image, torch.full((1, 97, 97), radius), quality=quality)
    assert float(out.double().sum() / image.double().sum()) == pytest.approx(1, abs=2e-3)
    expected = 8 / (math.pi * radius**2)
    # what is drawn at a lower resolution swings a little below black at the rim when it is enlarged
    assert float(out.min()) > -0.12 * expected
    if abs(radius) > 4:
        # a draft's enlarging widens small spots, so that they are drawn narrower
        rel = 0.25 if quality == "draft" and abs(radius) < 5 else 0.06
        assert float(out[0, 0, 48, 48]) == pytest.approx(expected, rel=rel), "nothing is clipped at white before it is spread"


def test_a_light_above_white_outshines_a_white_one() -> None:
    radius = torch.full((1, 61, 61), 5.0)
    one, eight = (_render(_impulse(61, v), radius) for v in (1.0, 8.0))
    torch.testing.assert_close(eight, 8 * one, atol=1e-5, rtol=1e-4)


# ------------------------------------------------------------------------------------------------------- place and shape


@pytest.mark.parametrize("shape", ["circle", "polygon", "heart", "star", "off axis"])
@pytest.mark.parametrize("radius", [14.0, -14.0])
def test_an_impulse_becomes_the_kernel_in_its_place(shape: str, radius: float) -> None:
    kernel = _kernel(shape)
    n = 63
    out = _render(_impulse(n), torch.full((1, n, n), radius), kernel)[0, 0] / 100
    exact = F.pad(k := psf.rasterize(kernel.raster, radius)[0], ((n - k.shape[-1]) // 2,) * 4)
    (x, y), (ex, ey) = _centroid(out), _centroid(exact)
    assert math.hypot(x - ex, y - ey) < 0.05
    assert _iou(out, exact) > 0.97
    if shape != "circle" and shape != "polygon":  # near bokeh is point-mirrored: the other side up does not fit
        assert _iou(out, exact.flip(-2, -1)) < 0.85


@pytest.mark.parametrize("quality", QUALITIES)
def test_a_large_blur_is_in_its_place_too(quality: str) -> None:
    """Radii that are rendered at a lower resolution."""
    n, kernel = 161, bokeh.make_kernel("heart", size=128)
    for radius in (51.0, -66.0) if quality != "best" else (51.0,):
        out = _render(_impulse(n, 1e4), torch.full((1, n, n), radius), kernel, quality=quality)[0, 0] / 1e4
        exact = F.pad(k := psf.rasterize(kernel.raster, radius)[0], ((n - k.shape[-1]) // 2,) * 4)
        (x, y), (ex, ey) = _centroid(out), _centroid(exact)
        assert math.hypot(x - ex, y - ey) < (0.8 if quality == "draft" else 0.05), "a draft moves a point to its block's middle"
        assert _iou(out, exact) > (0.93 if quality == "draft" else 0.97)


@pytest.mark.parametrize("join", [0.0, 1.6, 4.0])
def test_sheets_hold_bins_that_are_near_and_alike(join: float) -> None:
    bins = Bins.of(torch.cat([torch.linspace(-60, 60, 4000), torch.zeros(9)]), 1.25)
    plan = Plan(bokeh.make_kernel("circle"), bins, Quality(resolution_px=24, bin_step=1.25, segments=3, join=join))
    assert [i for a, b in plan.bin_groups for i in range(a, b)] == list(range(len(bins.centres))), "each bin once, in order"
    for a, b in plan.bin_groups:
        assert plan.positions[b - 1] - plan.positions[a] <= join
        assert b - a == 1 or not any(plan.is_sharp(i) for i in range(a, b))
        assert len({(plan.downscales[i], plan.is_nearer(i), plan.is_segmented(i)) for i in range(a, b)}) == 1
    assert (len(plan.bin_groups) < len(bins.centres)) == (join > 0)


@pytest.mark.parametrize("pieces", [1, 3])
def test_bins_composited_together_look_as_they_do_apart(pieces: int) -> None:
    """A slope over both sides of the focus with a subject before it: large and small blurs, and those at half the resolution."""
    y, x = torch.meshgrid(torch.linspace(0, 1, 150), torch.linspace(0, 1, 190), indexing="ij")
    radius = 22 * x - 5
    radius = torch.where((y - 0.5).square() + (x - 0.6).square() < 0.04, torch.tensor(-9.0), radius)
    image = torch.rand(3, 150, 190, generator=torch.Generator().manual_seed(1))
    apart, joined = (
        bokeh.render(
            image[None],
            DefocusMap.from_radius(radius[None]),
            bokeh.make_kernel("heart"),
            quality=Quality(resolution_px=7, bin_step=1.25, segments=pieces, join=join),
        )
        for join in (0.0, 1.6)
    )
    difference = (apart - joined).abs()
    assert 0 < float(difference.mean()) < 1e-3
    assert float(difference.flatten().quantile(0.99)) < 0.01


def test_a_light_on_a_slope_has_no_second_rim() -> None:
    """Wherever its radius lies between bins, it is one disc."""
    h, w = 81, 300
    radius = torch.linspace(8, 30, w).expand(1, h, w).contiguous()
    for column in (40, 110, 171, 236):
        image = torch.full((1, 3, h, w), 0.02)
        image[..., 40, column] = 300.0
        r = float(radius[0, 0, column])
        out = _render(image, radius)[0, 0] - 0.02
        distance = torch.hypot(torch.arange(h)[:, None] - 40.0, torch.arange(w)[None] - float(column))
        disc = 300 / (math.pi * r * r)
        assert float(out[distance < r - 1.5].min()) > 0.9 * disc
        assert float(out[distance > r + 1.5].max()) < 0.06 * disc


def test_bins_keep_the_variance_of_a_blur() -> None:
    radius = torch.linspace(-20, 30, 4001)
    bins = Bins.of(radius, 1.25)
    place = bins.coordinate(radius)
    shares = torch.stack([Bins.tent_weight(place, i) for i in range(len(bins.centres))])
    torch.testing.assert_close(shares.sum(0), torch.ones_like(radius))
    squares = torch.tensor([c * abs(c) for c in bins.centres])
    within = (radius > bins.centres[0]) & (radius < bins.centres[-1])
    mean = (shares * squares[:, None]).sum(0)
    torch.testing.assert_close(mean[within], (radius * radius.abs())[within], atol=1e-3, rtol=1e-4)


def test_the_near_side_is_mirrored_in_one_picture() -> None:
    n = 60
    image = torch.zeros(1, 3, n, 2 * n)
    image[..., 30, 30], image[..., 30, 90] = 50.0, 50.0
    radius = torch.full((1, n, 2 * n), 12.0)
    radius[..., :n] = -12.0
    out = _render(image, radius, bokeh.make_kernel("heart"))[0, 0]
    near, far = out[14:47, 14:47], out[14:47, 74:107]
    assert _iou(near.flip(-2, -1), far) > 0.97 > 0.85 > _iou(near, far)
    assert _centroid(far)[1] < -1 < 1 < _centroid(near)[1], "behind the focal plane the heart is upright: most of it is up"


def test_a_coloured_aperture_shifts_each_channel() -> None:
    raster = torch.zeros(3, 24, 24)
    raster[0, :, :12], raster[1, :, 6:18], raster[2, :, 12:] = 1, 1, 1
    kernel = bokeh.kernel_from_image(raster)
    for quality in QUALITIES:
        for radius in (12.0, -12.0):
            out = _render(_impulse(61), torch.full((1, 61, 61), radius), kernel, quality=quality)[0]
            x = [_centroid(c)[0] for c in out]
            moved = 0.5 if quality == "draft" else 0.0  # to the middle of its block
            assert x == pytest.approx([moved - radius / 2, moved, moved + radius / 2], abs=0.1 if quality == "draft" else 0.05)
            torch.testing.assert_close(out.sum((1, 2)), torch.full((3,), 100.0), rtol=2e-3, atol=0)


@pytest.mark.parametrize("quality", CHEAP)
def test_the_spot_grows_with_the_radius_also_below_one_pixel(quality: str) -> None:
    spreads: list[float] = []
    n = 41
    c = torch.arange(n).double() - n // 2
    for radius in (0.0, 0.3, 0.55, 0.7, 0.85, 1.0, 1.3, 1.7, 2.2, 3.0, 4.1, 6.0, 8.0):
        p = _render(_impulse(n), torch.full((1, n, n), radius), quality=quality)[0, 0].double()
        spreads.append(float((p * (c[None] ** 2 + c[:, None] ** 2)).sum() / p.sum()))
    assert all(b >= a - 1e-6 for a, b in itertools.pairwise(spreads))
    assert spreads[3] > 0.02, "a radius of 0.7 px shows"
    assert spreads[-1] == pytest.approx(8**2 / 2, rel=0.05 if quality == "draft" else 0.02)


def test_a_radius_of_a_fifth_of_the_long_edge() -> None:
    n = 160
    image = _noise(n, n, 3)
    out = _render(image, torch.full((1, n, n), 0.2 * n), quality="draft")
    k = psf.rasterize(bokeh.make_kernel("circle").raster, 0.2 * n)[0]
    m = k.shape[-1] // 2
    exact = F.conv2d(image[0, :, None], k[None, None])[:, 0]
    assert float((out[0, :, m:-m, m:-m] - exact).abs().max()) < 6e-3


def test_a_fronto_parallel_plane_is_a_convolution_inside() -> None:
    image = _noise(90, 80, 4)
    kernel = bokeh.make_kernel("heart")
    for radius in (7.3, -7.3):
        out = _render(image, torch.full((1, 90, 80), radius), kernel, quality="normal")
        k = psf.rasterize(kernel.raster, radius)[0]
        m = k.shape[-1] // 2
        exact = F.conv2d(image[0, :, None], k.flip(-2, -1)[None, None])[:, 0]
        torch.testing.assert_close(out[0, :, m:-m, m:-m], exact, atol=1e-4, rtol=0)


# ------------------------------------------------------------------------------------------------- focus and occlusion


@pytest.mark.parametrize("quality", QUALITIES)
def test_radius_zero_is_the_input_bit_for_bit(quality: str) -> None:
    image = torch.rand(2, 3, 21, 33) * 5
    assert torch.equal(_render(image, torch.zeros(2, 21, 33), quality=quality), image)
    # also where other parts of the picture are blurred and bright, out of their reach
    wide = torch.rand(1, 3, 21, 90)
    wide[..., 60:] *= 300
    for r in (6.0, -6.0):
        radius = torch.zeros(1, 21, 90)
        radius[..., 60:] = r
        out = _render(wide, radius, quality=quality)
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
    out = _render(image, radius, bokeh.make_kernel(shape), quality=quality)
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
    out = _render(image, radius, quality=quality)[0, :, h // 2]
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
    out = _render(image, radius)
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
    snapped, exact = _render(image, soft), _render(image, hard)
    assert float((snapped - exact).abs()[..., :38].max()) < 0.01
    unsnapped = _render(image, soft, quality=replace(bokeh.QUALITIES["normal"], snap=False))
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
            photo, _map(radius), kernel, quality=quality, background=bokeh.Plate(plate, torch.full((1, h, w), 9.0)), matte=matte
        )
        errors.append(float((out - truth)[..., 12:-12, 12:-12].square().mean().sqrt()))
    assert errors[1] < 0.7 * errors[0], errors
    assert errors[2] < 0.5 * errors[0] and errors[2] < 0.02, errors


# ------------------------------------------------------------------------------------------------------- optional inputs


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
    out = _render(photo, radius, background=secret, **options)
    without = _render(photo, radius)
    share = 1 - bokeh.render(matte[:, None].expand(-1, 3, -1, -1), _map(radius), background=torch.zeros_like(photo), matte=matte)
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
    plate = _noise(64, 64, 8)
    matte = torch.zeros(1, 64, 64)
    matte[:, 16:48, 16:48] = 1
    photo = torch.where(matte[:, None] > 0, torch.tensor(0.05), plate)
    radius = torch.where(matte > 0, 0.0, 9.0)
    out = _render(photo, radius, background=bokeh.Plate(plate, torch.full((1, 64, 64), 9.0)), matte=matte)
    alone = _render(plate, torch.full((1, 64, 64), 9.0))
    torch.testing.assert_close(out, torch.where(matte[:, None] > 0, photo, alone), atol=2e-3, rtol=0)


def test_a_soft_matte_keeps_hair() -> None:
    plate = torch.full((1, 3, 40, 80), 0.7)
    matte = (0.5 + 0.5 * torch.sin(torch.arange(80.0))).expand(1, 40, 80) * (torch.arange(80) < 40)
    matte[..., :20] = 1
    photo = 0.05 * matte[:, None] + plate * (1 - matte[:, None])
    radius = torch.where(matte > 0.5, 0.0, 10.0)
    out = _render(photo, radius, background=bokeh.Plate(plate, torch.full((1, 40, 80), 10.0)), matte=matte)
    torch.testing.assert_close(out, photo, atol=2e-3, rtol=0)


def test_a_matte_needs_a_plate_and_sizes_must_agree() -> None:
    photo, radius, plate, matte = _subject()
    with pytest.raises(ValueError, match=r"matte needs a background"):
        _render(photo, radius, matte=matte)
    with pytest.raises(ValueError, match=r"background is 32x64"):
        _render(photo, radius, background=plate[..., :32])
    with pytest.raises(ValueError, match=r"matte is 64x10"):
        _render(photo, radius, background=plate, matte=matte[:, :10])
    with pytest.raises(ValueError, match=r"defocus map is 30x64 px but the picture is 64x64"):
        _render(photo, radius[..., :30])
    with pytest.raises(ValueError, match=r"background .*NaN"):
        _render(photo, radius, background=plate * float("nan"))
    with pytest.raises(ValueError, match=r"defocus map has 2 frames"):
        _render(photo.expand(3, -1, -1, -1), radius.expand(2, -1, -1))


def test_wrong_images_and_qualities_are_named() -> None:
    image, radius = torch.rand(1, 3, 8, 8), torch.full((1, 8, 8), 2.0)
    for bad in (float("nan"), float("inf")):
        broken = image.clone()
        broken[0, 1, 2, 3] = bad
        with pytest.raises(ValueError, match=r"image holds NaN or infinite"):
            _render(broken, radius)
        with pytest.raises(ValueError, match=r"radius_px holds NaN or infinite"):
            _render(image, torch.where(radius == radius[0, 0, 0], bad, radius))
    with pytest.raises(ValueError, match=r"draft, normal, best"):
        _render(image, radius, quality="ultra")
    with pytest.raises(ValueError, match="at least 1"):
        _render(image, radius, quality=replace(bokeh.QUALITIES["best"], segments=0))
    with pytest.raises(ValueError, match=r"\[B,3,H,W\]"):
        _render(image[:, :2], radius)
    with pytest.raises(TypeError, match="floating-point"):
        _render((image * 255).byte(), radius)


# ---------------------------------------------------------------------------------------------------------------- drafts


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
    out = _render(image, radius, quality="draft")
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
    assert float(_render(image, slope, quality="draft").max()) <= float(image.max())


def test_a_soft_step_from_near_to_far_is_not_in_focus_halfway(monkeypatch: pytest.MonkeyPatch) -> None:
    image = _near_beside_far()
    soft = (-10 + 4 * (torch.arange(80) - 37.5)).clamp(-10, 10).expand(1, 60, 80).contiguous()
    assert float(soft.abs().min()) == 0
    shares: list[Tensor] = []
    restored = half._restored  # pyright: ignore[reportPrivateUsage]

    def noted(image: Tensor, focus: Tensor, *rest: Tensor) -> Tensor:
        shares.append(focus)
        return restored(image, focus, *rest)

    monkeypatch.setattr(half, "_restored", noted)
    _render(image, soft, quality="draft")
    assert shares and not bool(shares[0].any()), "nothing is put back at full resolution"


def test_a_frame_of_a_draft_is_the_same_alone() -> None:
    image = _noise(40, 50, batch=2)
    radius = torch.cat([torch.full((1, 40, 50), 0.3), _mixed_radii(40, 50)])
    steps: list[tuple[int, int]] = []
    both = _render(image, radius, quality="draft", progress=lambda *at: steps.append(at))
    assert steps[-1][0] == steps[-1][1]
    assert torch.equal(both[0], image[0]) and torch.equal(both[1], _render(image[1:], radius[1:], quality="draft")[0])


def test_a_draft_is_restored_in_strips_without_seams(monkeypatch: pytest.MonkeyPatch) -> None:
    image, radius = _noise(90, 70), _mixed_radii(90, 70)
    soft = F.avg_pool2d(F.pad(radius[None], (2, 2, 2, 2), mode="replicate"), 5, 1)[0]
    whole = _render(image, soft, quality="draft")
    monkeypatch.setattr(half, "_ROWS_AT_A_TIME", 7)
    torch.testing.assert_close(_render(image, soft, quality="draft"), whole, atol=1e-6, rtol=0)


def test_a_draft_follows_the_photo_where_the_map_is_soft() -> None:
    image, radius = _disc_before_a_wall()
    soft = F.avg_pool2d(F.pad(radius[None], (2, 2, 2, 2), mode="replicate"), 5, 1)[0]
    inside = radius[0] == 0
    error = (_render(image, soft, quality="draft") - image)[0].abs().mean(0)
    unsnapped = replace(bokeh.QUALITIES["draft"], snap=False)
    assert float((error[inside] > 0.05).float().mean()) < 0.05
    blurred = (_render(image, soft, quality=unsnapped) - image)[0].abs().mean(0)
    assert float(error[inside].mean()) < 0.5 * float(blurred[inside].mean())


# ------------------------------------------------------------------------------------------- sizes, batches, tiles, types


@pytest.mark.parametrize(("h", "w"), [(1, 1), (1, 40), (37, 1), (2, 3), (31, 17)])
def test_odd_and_tiny_sizes(h: int, w: int) -> None:
    image = torch.rand(1, 3, h, w)
    for radius in (torch.full((1, h, w), 5.0), torch.linspace(-6, 6, h * w).view(1, h, w)):
        out = _render(image, radius)
        assert out.shape == image.shape and bool(torch.isfinite(out).all())
        assert float(out.min()) >= float(image.min()) - 1e-3 and float(out.max()) <= float(image.max()) + 1e-3


@pytest.mark.parametrize("radius", [0.0, 3.0, 500.0, -500.0])
def test_a_radius_beyond_the_picture(radius: float) -> None:
    image = _noise(24, 30, 5)
    out = _render(image, torch.full((1, 24, 30), radius), quality="draft")
    assert bool(torch.isfinite(out).all())
    if abs(radius) > 100:
        flat = image.mean((2, 3), keepdim=True)
        assert float((out / flat - 1).abs().max()) < 0.1, "so much blur leaves the mean colour"


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_images(dtype: torch.dtype) -> None:
    image = _noise(40, 40, 6)
    radius = _mixed_radii(40, 40)
    out = _render(image.to(dtype), radius)
    assert out.dtype == dtype
    assert float((out.float() - _render(image.to(dtype).float(), radius)).abs().max()) < 8 * torch.finfo(dtype).eps


def test_a_batch_is_its_singles_and_one_map_serves_all() -> None:
    images, radii = _noise(36, 44, 7, batch=3), torch.cat([_mixed_radii(36, 44), -_mixed_radii(36, 44), torch.zeros(1, 36, 44)])
    together = _render(images, radii)
    for i in range(3):
        assert torch.equal(together[i : i + 1], _render(images[i : i + 1], radii[i : i + 1]))
    shared = _render(images, radii[:1])
    assert torch.equal(shared[1:2], _render(images[1:2], radii[:1]))


def test_same_input_same_output_and_inputs_are_left_alone() -> None:
    image, radius = _noise(50, 60, 8), _mixed_radii(50, 60)
    kept = image.clone(), radius.clone()
    assert torch.equal(_render(image, radius), _render(image, radius))
    assert torch.equal(image, kept[0]) and torch.equal(radius, kept[1])


TILE_BOUND, PART_BOUND = 0.02, 0.06
"""Largest differences in linear light. A tile without depth edges is not cut into pieces of the aperture, and each part fills
what is hidden from its own surroundings."""


@pytest.mark.parametrize("quality", CHEAP)
def test_tiles_do_not_show(quality: str, monkeypatch: pytest.MonkeyPatch) -> None:
    h, w = 150, 170
    image, radius = _noise(h, w, 9), _mixed_radii(h, w)
    whole = _render(image, radius, quality=quality)
    monkeypatch.setattr(tile_engine, "TILE_PX", 64)
    tiles = _render(image, radius, quality=quality)
    assert float((tiles - whole).abs().max()) < TILE_BOUND
    assert float((tiles - whole).abs().mean()) < 2e-3
    monkeypatch.setattr(prepared, "PART_PX", 64)
    parts = _render(image, radius, quality=quality)
    assert float((parts - whole).abs().max()) < PART_BOUND
    assert float((parts - whole).abs().mean()) < 4e-3


def test_a_uniform_picture_has_no_seams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tile_engine, "TILE_PX", 32)
    monkeypatch.setattr(prepared, "PART_PX", 64)
    out = _render(torch.full((1, 3, 100, 120), 0.5), _mixed_radii(100, 120))
    assert float((out - 0.5).abs().max()) < 1e-3


def test_progress_counts_up_and_may_cancel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tile_engine, "TILE_PX", 32)
    image, radius = _noise(60, 70, 10, batch=2), _mixed_radii(60, 70)
    calls: list[tuple[int, int]] = []
    _render(image, radius, progress=lambda done, total: calls.append((done, total)))
    assert len(calls) > 2
    assert [c[0] for c in calls] == sorted({c[0] for c in calls}) and calls[-1][0] == calls[-1][1]
    assert len({c[1] for c in calls}) == 1

    class StopNowError(Exception):
        pass

    seen: list[int] = []

    def stop(done: int, total: int) -> None:
        seen.append(done)
        raise StopNowError

    with pytest.raises(StopNowError):
        _render(image, radius, progress=stop)
    assert len(seen) == 1
    sharp: list[tuple[int, int]] = []
    _render(image, torch.zeros(2, 60, 70), progress=lambda done, total: sharp.append((done, total)))
    assert sharp[-1][0] == sharp[-1][1], "also where nothing is blurred"


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


@pytest.mark.parametrize("radius", [-20.0, 20.0])
@pytest.mark.parametrize("height", [130, 260])
def test_a_bin_smaller_than_its_kernel_in_a_tile_smaller_than_its_kernel(height: int, radius: float) -> None:
    """The last rows are a tile of their own, and all that is blurred lies in them."""
    image = torch.full((1, 3, height, 40), 0.5)
    radii = torch.zeros(height, 40)
    radii[-2:] = radius
    rendered = bokeh.render(image, DefocusMap.from_radius(radii))
    torch.testing.assert_close(rendered, image, atol=2e-4, rtol=0)


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
    out = _render(torch.where(head, 0.02, 0.8).expand(1, 3, 96, 160), radius, quality=quality)
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


def test_what_is_opaque_is_known_up_to_the_borders_of_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part looks as far beyond its borders as `Plan.hidden_from` does."""
    x = torch.arange(120.0).expand(40, 120)
    radius = torch.where(x < 71, torch.tensor(-4.5), torch.tensor(4.5))  # the wall begins 8 px beyond the border of a part
    image = torch.where(x < 71, 0.1, 0.8).expand(1, 3, 40, 120)
    composite = tile_engine.TileEngine.composite
    found: dict[tuple[int, int], Tensor] = {}

    def watched(engine: tile_engine.TileEngine, seen: Layers, reach: tuple[int, int], *rest: Any) -> None:
        origin, out = rest[0], rest[1]
        core = (slice(reach[0], reach[0] + out.shape[1]), slice(reach[1], reach[1] + out.shape[2]))
        found[origin[0] + reach[0], origin[1] + reach[1]] = engine.plan.hidden_from(seen)[core]
        composite(engine, seen, reach, *rest)

    monkeypatch.setattr(tile_engine.TileEngine, "composite", watched)
    _render(image, radius[None])
    whole = found.pop((0, 0))
    monkeypatch.setattr(prepared, "PART_PX", 63)
    _render(image, radius[None])
    assert sorted(found) == [(0, 0), (0, 63)]
    assert len(whole.unique()) > 1
    torch.testing.assert_close(torch.cat([found[k] for k in sorted(found)], 1), whole)
