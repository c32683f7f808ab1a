"""Deconvolution by defocus map: gain on real photos, borders, depth edges, highlights, seams, identity."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from refocus_core import psf, restore
from refocus_core.color import linear_to_srgb, srgb_to_linear
from refocus_core.types import DefocusMap, Kernel
from tests.helpers.paths import DATA

NOISE = 0.004


@cache
def photo(name: str) -> torch.Tensor:
    with Image.open(DATA / f"{name}.png") as file:
        return torch.from_numpy(np.array(file.convert("RGB"))).float().permute(2, 0, 1)[None] / 255


def blur(linear: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """True convolution of [1,3,H,W] with [1,m,m], valid part only."""
    return F.conv2d(linear.transpose(0, 1), kernel.flip(-2, -1)[None]).transpose(0, 1)


def pair(name: str, kernel: torch.Tensor, *, y: int = 90, x: int = 120, size: int = 160, sigma: float = NOISE):
    """(sharp, blurred) sRGB crops; the blur saw real picture beyond the crop."""
    p = kernel.shape[-1] // 2
    sharp = photo(name)[..., y - p : y + size + p, x - p : x + size + p]
    blurred = linear_to_srgb(blur(srgb_to_linear(sharp), kernel))
    blurred = blurred + sigma * torch.randn(blurred.shape, generator=torch.Generator().manual_seed(3))
    return sharp[..., p : p + size, p : p + size], blurred.clamp(0, 1)


def psnr(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(-10 * (a.clamp(0, 1) - b.clamp(0, 1)).square().mean().log10())


def uniform_map(image: torch.Tensor, radius_px: float) -> DefocusMap:
    return DefocusMap.from_radius(torch.full((image.shape[0], *image.shape[-2:]), radius_px))


def sharpen(image: torch.Tensor, radius_px: float, **options: object) -> torch.Tensor:
    return restore.all_in_focus(image, "deconvolution", uniform_map(image, radius_px), **options).image  # type: ignore[arg-type]


# Measured 0.3 to 1.5 dB above these bounds. A Wiener filter with the true radius and the best constant gains 2.2 dB at r = 2 and
# 2.4 dB at r = 5 on such crops.
@pytest.mark.parametrize(("radius", "gain_db"), [(1.0, 3.0), (2.0, 3.2), (3.0, 3.2), (4.0, 3.2), (6.0, 3.2), (8.0, 3.0)])
@pytest.mark.parametrize("name", ["astronaut", "coffee"])
def test_it_improves_a_real_photo(name: str, radius: float, gain_db: float) -> None:
    sharp, blurred = pair(name, psf.disc(radius))
    restored = sharpen(blurred, radius)
    assert psnr(restored, sharp) >= psnr(blurred, sharp) + gain_db


@pytest.mark.parametrize("wrong", [0.85, 1.15])
def test_a_map_that_is_wrong_by_15_percent_does_no_harm(wrong: float) -> None:
    sharp, blurred = pair("astronaut", psf.disc(4.0))
    assert psnr(sharpen(blurred, 4.0 * wrong), sharp) >= psnr(blurred, sharp) + 0.5


@pytest.mark.parametrize("sigma", [0.004, 0.01, 0.03])
def test_noise_is_measured_and_not_amplified(sigma: float) -> None:
    sharp, blurred = pair("coffee", psf.disc(4.0), sigma=sigma)
    measured = restore.noise_level(blurred[0], torch.full(blurred.shape[-2:], 4.0))
    assert measured == pytest.approx(sigma, rel=0.2)
    flat = (0.5 + sigma * torch.randn(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))).clamp(0, 1)
    assert float(sharpen(flat, 4.0).std()) <= sigma
    assert psnr(sharpen(blurred, 4.0), sharp) > psnr(blurred, sharp) + 1


def test_strength_and_noise_are_monotone() -> None:
    _, blurred = pair("astronaut", psf.disc(3.0), size=96)

    def detail(**options: float) -> float:
        return float(sharpen(blurred, 3.0, **options).diff(dim=-1).abs().mean())

    assert torch.equal(sharpen(blurred, 3.0, strength=0.0), blurred)
    values = [detail(strength=s) for s in (0.0, 0.5, 1.0, 2.0, 4.0)]
    assert values == sorted(values) and values[0] < values[-1]
    assert detail(noise=0.002) > detail(noise=0.02) > detail(noise=0.1)


@pytest.mark.parametrize("radius", [0.6, 3.0, 11.0])
@pytest.mark.parametrize("level", [0.0, 0.02, 0.5, 1.0, 2.5])
def test_uniform_stays_uniform_to_the_borders(level: float, radius: float) -> None:
    image = torch.full((1, 3, 37, 52), level)
    assert float((sharpen(image, radius) - image).abs().max()) < 1e-4


def test_radius_zero_is_the_photo_bit_for_bit() -> None:
    image = photo("coffee")[..., 50:120, 100:201]
    for radius in (0.0, 0.3, -0.5):
        assert torch.equal(sharpen(image, radius), image)
    radius = torch.zeros(1, *image.shape[-2:])
    radius[..., 40:] = 5.0
    result = restore.all_in_focus(image, "auto", DefocusMap.from_radius(radius)).image
    assert torch.equal(result[..., :40], image[..., :40])
    assert not torch.equal(result[..., 40:], image[..., 40:])


def test_it_fades_in_with_the_radius() -> None:
    image = photo("astronaut")[..., 90:154, 120:200]
    change = [float((sharpen(image, r) - image).abs().mean()) for r in (0.5, 0.51, 0.55, 0.6, 0.7)]
    assert change[0] == 0 and change[1] < 1e-3 and change == sorted(change)


def test_borders_do_not_ring() -> None:
    """The crop's borders cut through structure; the error there may exceed the middle's only by what is not in the picture."""
    for name in ("astronaut", "coffee"):
        sharp, blurred = pair(name, psf.disc(5.0))
        error = (sharpen(blurred, 5.0).clamp(0, 1) - sharp).square().mean((0, 1))
        before = (blurred - sharp).square().mean((0, 1))
        rim = torch.ones_like(error, dtype=torch.bool)
        rim[10:-10, 10:-10] = False
        # Half of the light that the rim needs is outside: less can be won there, but it must be won, and evenly.
        assert float(error[rim].mean()) < 0.55 * float(before[rim].mean())
        for strip in (error[:5], error[-5:], error[:, :5], error[:, -5:]):
            assert float(strip.mean()) < 0.8 * float(before[rim].mean())


def test_sharp_subject_leaves_no_halo_in_the_blurred_background() -> None:
    """A bright subject in focus before a smooth, dim, blurred background: near it the background must not change."""
    image = torch.full((1, 3, 96, 128), 0.25)
    image[..., 48:] = 0.9
    image[:, 0, :, 60:90] = 0.2
    radius = torch.zeros(1, 96, 128)
    radius[..., :48] = 6.0
    result = restore.all_in_focus(image, "auto", DefocusMap.from_radius(radius)).image
    assert torch.equal(result[..., 48:], image[..., 48:])
    assert float((result - image).abs().max()) < 2e-3


def test_hairs_that_the_map_does_not_know_stay_and_do_not_ring() -> None:
    sharp, blurred = pair("coffee", psf.disc(5.0), sigma=0.0)
    hairs = torch.zeros(blurred.shape[-2:], dtype=torch.bool)
    hairs[20:140, 40:120:9] = True
    seen = torch.where(hairs, 0.05, blurred)
    restored = sharpen(seen, 5.0)
    assert float((restored - seen).abs()[..., hairs].max()) < 0.02
    around = torch.zeros_like(hairs)
    around[20:140, 40:120] = True
    around &= ~hairs
    truth, result, source = (t[..., around] for t in (sharp, restored, blurred))
    assert psnr(result, truth) > psnr(source, truth), "between the hairs it is no worse than the photo"
    far = torch.zeros_like(hairs)
    far[20:140, 140:155] = True
    assert psnr(restored[..., far], sharp[..., far]) > psnr(blurred[..., far], sharp[..., far]) + 2, "and elsewhere sharp"


def test_layers_with_hidden_background() -> None:
    """Subject in focus, background blurred by 5 px, seen to the edge as a lens sees it."""
    back, front = (srgb_to_linear(photo(n)[..., 60:220, 100:300]) for n in ("coffee", "astronaut"))
    mask = torch.zeros(1, 1, 160, 200)
    mask[..., 40:, 60:140] = 1
    blurred_back = blur(F.pad(back, (5, 5, 5, 5), "reflect"), psf.disc(5.0))
    truth = linear_to_srgb(mask * front + (1 - mask) * back)
    image = linear_to_srgb(mask * front + (1 - mask) * blurred_back)
    image = (image + NOISE * torch.randn(image.shape, generator=torch.Generator().manual_seed(1))).clamp(0, 1)
    result = restore.all_in_focus(image, "auto", DefocusMap.from_radius((1 - mask[:, 0]) * 5.0)).image
    near = (F.max_pool2d(mask, 17, 1, 8) - mask).expand_as(image) > 0
    for region in (mask.expand_as(image) == 0, near):
        assert psnr(result[region], truth[region]) > psnr(image[region], truth[region]) + 1.5


def test_clipped_highlights_do_not_ring() -> None:
    """A light far above white, blurred, then clipped: no dark ring around it. Unclipped, the same light keeps its energy."""
    light = torch.full((1, 3, 81, 81), 0.05)
    light[..., 36:45, 36:45] = 4.0
    blurred = linear_to_srgb(blur(F.pad(light, (5, 5, 5, 5), "replicate"), psf.disc(5.0)))
    background = linear_to_srgb(torch.tensor(0.05)).item()
    clipped_photo = blurred.clamp(0, 1)
    clipped = sharpen(clipped_photo, 5.0, noise=0.004)
    assert float((clipped - clipped_photo)[clipped_photo >= 0.995].min()) >= -1e-5
    ring = torch.ones(81, 81, dtype=torch.bool)
    ring[28:53, 28:53] = False
    assert float((clipped[..., ring] - background).abs().max()) < 0.08
    restored = sharpen(blurred, 5.0, noise=0.004)
    assert float(restored.max()) > float(blurred.max()) > 1
    assert float((restored[..., ring] - background).abs().max()) < 0.06
    energy = srgb_to_linear(restored).sum() / srgb_to_linear(blurred).sum()
    assert float(energy) == pytest.approx(1, abs=0.01)


def test_aperture_shape_and_its_mirror_matter() -> None:
    n = 64
    a = (torch.arange(n) + 0.5) / n * 2 - 1
    half = ((a[None] ** 2 + a[:, None] ** 2 <= 1) & (a[None] + 0 * a[:, None] > 0)).float()[None]  # the right half of a disc
    kernel = Kernel(half / half.sum(), "half disc")
    for sign in (1, -1):
        sharp, blurred = pair("astronaut", psf.rasterize(kernel.raster, sign * 5.0), size=128)
        right, mirrored = (psnr(sharpen(blurred, s * 5.0, kernel=kernel), sharp) for s in (sign, -sign))
        assert right > psnr(blurred, sharp) + 3
        assert right > mirrored + 3


@pytest.mark.parametrize("tile_px", [64, 100])
def test_tiles_leave_no_seam(tile_px: int) -> None:
    """Tiles know a little less of the surroundings, so single values differ; nothing may show where they meet."""
    sharp, blurred = pair("astronaut", psf.disc(3.0), size=150)
    whole, tiled = sharpen(blurred, 3.0), sharpen(blurred, 3.0, tile_px=tile_px)
    difference = tiled - whole
    assert float(difference.abs().mean()) < 1e-3 and float(difference.abs().flatten().quantile(0.999)) < 0.04
    assert psnr(tiled, sharp) == pytest.approx(psnr(whole, sharp), abs=0.1)
    n = math.ceil(150 / tile_px)
    steps = difference.diff(dim=-1).abs().mean((0, 1, 2))
    for i in range(1, n):
        seam = round(i * 150 / n)
        assert float(steps[seam - 20 : seam + 20].mean()) < 3 * float(steps.mean()) + 1e-4


def test_batch_equals_singles_and_repeats() -> None:
    frames = torch.cat([photo("astronaut")[..., 90:150, 120:191], photo("coffee")[..., 90:150, 120:191]])
    radius = torch.linspace(-4, 6, 71).expand(2, 60, 71).contiguous()
    radius[1] *= 0.5
    both = restore.all_in_focus(frames, "auto", DefocusMap.from_radius(radius))
    again = restore.all_in_focus(frames, "auto", DefocusMap.from_radius(radius))
    assert torch.equal(both.image, again.image)
    assert both.radius_px is not None and torch.equal(both.radius_px, radius.abs())
    for i in range(2):
        one = restore.all_in_focus(frames[i : i + 1], "auto", DefocusMap.from_radius(radius[i : i + 1]))
        assert torch.equal(one.image[0], both.image[i])
    shared = restore.all_in_focus(frames, "auto", DefocusMap.from_radius(radius[:1]))
    assert torch.equal(shared.image[0], both.image[0])


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (2, 1), (3, 3), (17, 5), (33, 31)])
@pytest.mark.parametrize("radius", [0.7, 4.0, 30.0])
def test_any_size(size: tuple[int, int], radius: float) -> None:
    image = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    result = sharpen(image, radius)
    assert result.shape == image.shape and bool(torch.isfinite(result).all()) and float(result.min()) >= 0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_float_types(dtype: torch.dtype) -> None:
    image = photo("coffee")[..., 90:130, 120:160].to(dtype)
    result = sharpen(image, 3.0)
    assert result.dtype == torch.float32
    assert torch.equal(result, sharpen(image.float(), 3.0))


def test_a_speckled_map_is_survived() -> None:
    """Depth networks flicker at edges; single pixels of another radius must not become dots."""
    sharp, blurred = pair("astronaut", psf.disc(3.0), size=128)
    speckles = torch.rand(1, 128, 128, generator=torch.Generator().manual_seed(0)) < 0.03
    radius = torch.where(speckles, torch.tensor(9.0), torch.tensor(3.0))
    result = restore.all_in_focus(blurred, "auto", DefocusMap.from_radius(radius)).image
    assert psnr(result, sharp) > psnr(blurred, sharp) + 2


@pytest.mark.parametrize("radius", [0.8, 3.0, 9.0, 40.0, -40.0, 200.0])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 50), (17, 3), (40, 64), (64, 40)])
def test_a_uniform_picture_stays_uniform_whatever_the_radius(height: int, width: int, radius: float) -> None:
    for value in (0.05, 0.5, 1.0):
        image = torch.full((1, 3, height, width), value)
        blur = DefocusMap.from_radius(torch.full((1, height, width), radius))
        result = restore.all_in_focus(image, "deconvolution", blur, noise=0.01).image
        torch.testing.assert_close(result, image, atol=1e-3, rtol=0)


def test_a_uniform_picture_stays_uniform_where_radii_differ() -> None:
    image, radius = torch.full((1, 3, 40, 64), 0.5), torch.linspace(-40, 40, 64).expand(1, 40, 64).contiguous()
    result = restore.all_in_focus(image, "deconvolution", DefocusMap.from_radius(radius)).image
    torch.testing.assert_close(result, image, atol=1e-3, rtol=0)


def test_progress_counts_to_the_end_and_can_cancel() -> None:
    image = photo("coffee")[..., :150, :150]
    radius = torch.linspace(-3, 5, 150).expand(1, 150, 150).contiguous()
    calls: list[float] = []
    restore.all_in_focus(image, "auto", DefocusMap.from_radius(radius), tile_px=80, progress=lambda d, t: calls.append(d / t))
    assert calls == sorted(calls) and calls[-1] == 1

    def cancel(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restore.all_in_focus(image, "auto", DefocusMap.from_radius(radius), progress=cancel)


def test_errors_name_the_input() -> None:
    image = torch.rand(2, 3, 20, 30)
    bad = image.clone()
    bad[0, 0, 3, 4] = math.nan
    good = uniform_map(image, 2.0)
    with pytest.raises(ValueError, match="image holds NaN"):
        restore.all_in_focus(bad, "auto", good)
    with pytest.raises(ValueError, match=r"defocus_map is 20x20 but image is 30x20"):
        restore.all_in_focus(image, "auto", uniform_map(torch.rand(1, 3, 20, 20), 1.0))
    with pytest.raises(ValueError, match="defocus_map has 3 frames"):
        restore.all_in_focus(image, "auto", uniform_map(torch.rand(3, 3, 20, 30), 1.0))
    for name, value in (("strength", -1.0), ("strength", math.nan), ("noise", -0.1), ("noise", 2.0), ("tile_px", 8)):
        with pytest.raises(ValueError, match=name):
            restore.all_in_focus(image, "auto", good, **{name: value})  # type: ignore[arg-type]
