"""`refocus-deblur-s`, the file that ships: what it does to blurred and to sharp pictures, and that tiles do not show."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from refocus_core import color, psf, restore
from refocus_core.models import WeightsMismatchError
from refocus_core.restore import blind, deconvolution, filter_bank, methods, shipped
from refocus_core.restore.network import DeblurNetwork
from refocus_core.types import DefocusMap
from tests.helpers.paths import DATA

NAME = "refocus-deblur-s"
BLIND = "blind-deconvolution"
BLIND_GAIN_DB = 3.0
IDENTITY_DB = 60.0
"""Measured: 79 or more on these pieces."""


@pytest.fixture(scope="module")
def net() -> DeblurNetwork:
    return shipped.load_shipped()


def photo(name: str, side: int = 192) -> Tensor:
    """The middle of a photo that was never trained on, reduced until it is sharp."""
    with Image.open(DATA / name) as im:
        picture = torch.from_numpy(np.asarray(im.convert("RGB")).copy()).permute(2, 0, 1)[None].float() / 255
    factor = max(min(picture.shape[-2:]) / 480, 1.25)
    size = tuple(round(n / factor) for n in picture.shape[-2:])
    small = color.linear_to_srgb(F.interpolate(color.srgb_to_linear(picture), size, mode="bilinear", antialias=True))
    y, x = ((n - side) // 2 for n in size)
    return ((small * 255).round() / 255).clamp(0, 1)[..., y : y + side, x : x + side]


def blurred(image: Tensor, radius: float) -> Tensor:
    kernel = psf.disc(radius)[None]
    m = kernel.shape[-1] // 2
    wide = F.pad(color.srgb_to_linear(image), (m, m, m, m), "reflect").movedim(1, 0)
    return (color.linear_to_srgb(F.conv2d(wide, kernel).movedim(0, 1).clamp(0, 1)) * 255).round() / 255


def psnr(a: Tensor, b: Tensor) -> float:
    return float(-10 * torch.log10((a - b)[..., 12:-12, 12:-12].square().mean() + 1e-10))


def test_the_file_is_the_one_that_is_listed() -> None:
    content = shipped.locate_shipped().read_bytes()
    assert hashlib.sha256(content).hexdigest() == shipped.ENTRY.files[0].sha256 and len(content) <= 12e6


def test_another_file_is_refused(tmp_path: Path) -> None:
    content = bytearray(shipped.locate_shipped().read_bytes())
    content[-1] ^= 1
    (tmp_path / "other.safetensors").write_bytes(content)
    with pytest.raises(WeightsMismatchError, match="install the package again"):
        shipped.load_shipped(tmp_path / "other.safetensors")
    save_file({"a": torch.zeros(1)}, tmp_path / "foreign.safetensors")
    with pytest.raises(WeightsMismatchError, match="no file of refocus-deblur"):
        shipped.read_network(tmp_path / "foreign.safetensors")


def test_a_model_of_another_class_is_an_error(net: DeblurNetwork) -> None:
    image = photo("coffee.png", 64)
    radii = DefocusMap.from_radius(torch.full((1, 64, 64), 2.0))
    for method in (NAME, BLIND, "model:own.safetensors"):
        with pytest.raises(TypeError, match="but model is a Identity"):
            restore.all_in_focus(image, method, model=torch.nn.Identity())
    for method in ("none", "deconvolution"):
        with pytest.raises(TypeError, match="runs no network"):
            restore.all_in_focus(image, method, radii, model=net)


def test_auto_takes_it_without_a_map_and_deconvolution_with_one() -> None:
    assert methods.choose("auto", has_defocus=False).name == NAME
    assert methods.choose("auto", has_defocus=True).name == "deconvolution"


@pytest.mark.parametrize("name", ["astronaut.png", "coffee.png", "life.jpg"])
@pytest.mark.parametrize(("radius", "gain_db"), [(2.0, 2.0), (3.0, 2.0), (5.0, 1.4)])
def test_it_takes_blur_out_and_tells_its_radius(net: DeblurNetwork, name: str, radius: float, gain_db: float) -> None:
    sharp = photo(name)
    source = blurred(sharp, radius)
    result = restore.all_in_focus(source, NAME, model=net)
    assert psnr(result.image, sharp) > psnr(source, sharp) + gain_db
    assert result.radius_px is not None
    assert float(result.radius_px.median()) == pytest.approx(radius, rel=0.07)
    if radius == 3:
        error = (result.radius_px[..., 12:-12, 12:-12] / radius).log().abs()
        assert float(error.median()) < 0.02, "refined over the whole picture"


@pytest.mark.parametrize("name", ["astronaut.png", "coffee.png", "life.jpg"])
@pytest.mark.parametrize("radius", [2.0, 3.0, 5.0])
def test_blind_deconvolution_recovers_a_discs_blur(net: DeblurNetwork, name: str, radius: float) -> None:
    sharp = photo(name)
    source = blurred(sharp, radius)
    result = restore.all_in_focus(source, BLIND, model=net)
    learned = restore.all_in_focus(source, NAME, model=net)
    assert learned.radius_px is not None and result.radius_px is not None
    assert torch.equal(result.radius_px, learned.radius_px)
    if radius == 3:
        assert blind.certainty(source, learned.radius_px).tolist() == [1]
    assert psnr(result.image, sharp) > max(psnr(source, sharp) + BLIND_GAIN_DB, psnr(learned.image, sharp) + 1)


def test_blind_deconvolution_is_half_the_network_where_the_blur_is_no_discs(net: DeblurNetwork) -> None:
    sharp = photo("astronaut.png")
    linear = F.pad(color.srgb_to_linear(sharp), (8, 8, 8, 8), "reflect")
    k = torch.exp(-0.5 * (torch.arange(-8, 9) / 1.5) ** 2)
    k = (k[:, None] * k / k.sum() ** 2)[None, None].expand(3, 1, -1, -1)
    source = (color.linear_to_srgb(F.conv2d(linear, k, groups=3)) * 255).round() / 255
    learned = restore.all_in_focus(source, NAME, model=net)
    assert learned.radius_px is not None
    assert blind.certainty(source, learned.radius_px).tolist() == [0]
    by_radii = deconvolution.deconvolve(source, blind.cautious_radius(learned.radius_px), doubt=blind.RADIUS_DOUBT[0])
    result = restore.all_in_focus(source, BLIND, model=net).image
    torch.testing.assert_close(result, torch.lerp(learned.image, by_radii, blind.DECONVOLVED_SHARE[0]))
    assert psnr(result, sharp) > psnr(source, sharp) + 1


def test_blind_deconvolution_of_a_batch_is_that_of_its_frames(net: DeblurNetwork) -> None:
    sharp = photo("coffee.png", 128)
    frames = torch.cat([blurred(sharp, 3.0), sharp])
    both = restore.all_in_focus(frames, BLIND, model=net).image
    for i in range(2):
        torch.testing.assert_close(restore.all_in_focus(frames[i : i + 1], BLIND, model=net).image[0], both[i], atol=1e-5, rtol=0)
    half = restore.all_in_focus(frames, BLIND, model=net, strength=0.5).image
    torch.testing.assert_close(half, (frames + both) / 2)
    assert psnr(both[1], sharp) > 50, "what is sharp stays"


def test_cautious_radii_are_never_larger_and_keep_a_sharp_subject_sharp() -> None:
    radius = torch.full((1, 90, 200), 4.0)
    radius[:, :, 100:] = 0.1
    radius[:, 40:44, 40:44] = 9.0
    kept = blind.cautious_radius(radius)
    assert bool((kept <= radius).all())
    torch.testing.assert_close(kept[:, :, 100:], radius[:, :, 100:])
    assert float(kept[0, 42, 42]) == 5, "a spot of another radius"
    assert float(kept[0, 10, 20]) == 4
    assert float(kept[:, :, 100 - blind.CAUTION_WINDOW_PX // 2 :].max()) < 0.5, "nor does anything beside it change"


@pytest.mark.parametrize("name", ["astronaut.png", "coffee.png", "life.jpg"])
def test_what_is_sharp_stays(net: DeblurNetwork, name: str) -> None:
    sharp = photo(name)
    assert psnr(restore.all_in_focus(sharp, NAME, model=net).image, sharp) > IDENTITY_DB


def test_nothing_to_see_is_nothing_to_do(net: DeblurNetwork) -> None:
    flat = torch.full((1, 3, 40, 56), 0.5)
    result = restore.all_in_focus(flat, NAME, model=net).image
    assert float((result - flat).abs().max()) < 2e-3


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (33, 2), (97, 64)])
def test_any_size(net: DeblurNetwork, size: tuple[int, int]) -> None:
    image = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    result = restore.all_in_focus(image, NAME, DefocusMap.from_radius(torch.full((1, *size), 2.0)), model=net)
    assert result.image.shape == image.shape and result.radius_px is not None and result.radius_px.shape == (1, *size)
    assert bool(torch.isfinite(result.image).all()) and float(result.radius_px.min()) >= 0


def test_tiled_equals_untiled(net: DeblurNetwork) -> None:
    source = blurred(photo("life.jpg", 440), 2.5)
    whole, radius = shipped.run_network(net, source, tile_px=1024)
    tiled, tiled_radius = shipped.run_network(net, source, tile_px=300)
    assert float((whole - tiled).abs().max()) < 0.03 and psnr(whole, tiled) > 60, "also where tiles end off the network's grid"
    assert float((radius - tiled_radius).abs().mean()) < 0.02


def test_batch_equals_singles_and_progress_ends(net: DeblurNetwork) -> None:
    sharp = photo("coffee.png", 96)
    frames = torch.cat([blurred(sharp, 2.0), sharp])
    radii = DefocusMap.from_radius(torch.stack([torch.full((96, 96), 2.0), torch.zeros(96, 96)]))
    seen: list[tuple[int, int]] = []
    both = restore.all_in_focus(frames, NAME, radii, model=net, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1][0] == seen[-1][1]
    for i in range(2):
        one = DefocusMap.from_radius(radii.radius_px[i])
        single = restore.all_in_focus(frames[i : i + 1], NAME, one, model=net)
        torch.testing.assert_close(single.image[0], both.image[i], atol=1e-5, rtol=0)


def test_highlights_keep_their_excess(net: DeblurNetwork) -> None:
    source = blurred(photo("coffee.png", 96), 2.0)
    source[..., 40:44, 50:54] = 1.0
    bright = source.clone()
    bright[..., 40:44, 50:54] = 8.0
    expected = restore.all_in_focus(source, NAME, model=net).image
    expected[..., 40:44, 50:54] += 7.0
    torch.testing.assert_close(restore.all_in_focus(bright, NAME, model=net).image, expected, atol=1e-5, rtol=0)


def test_strength_mixes_with_the_photo(net: DeblurNetwork) -> None:
    source = blurred(photo("coffee.png", 96), 2.0)
    full = restore.all_in_focus(source, NAME, model=net).image
    half = restore.all_in_focus(source, NAME, model=net, strength=0.5).image
    torch.testing.assert_close(half, (source + full) / 2)


def test_a_filter_undoes_its_disc() -> None:
    """In the middle frequencies; the mean is kept everywhere."""
    for radius in filter_bank.BANK_PX:
        inverse = filter_bank.inverse_filter(radius)
        assert abs(float(inverse.sum()) - 1) < 1e-12
        torch.testing.assert_close(inverse, inverse.flip(0, 1))
        blur = F.pad(psf.disc(radius)[0].double(), (0, 128 - psf.size_px(radius), 0, 128 - psf.size_px(radius)))
        both = torch.fft.rfft2(blur).abs() * torch.fft.rfft2(F.pad(inverse, (0, 63, 0, 63))).abs()
        low = int(128 * 0.2 / radius)
        assert float((both[:low, :low] - 1).abs().max()) < 0.12


def test_the_bank_is_made_of_these_filters() -> None:
    image = torch.rand(1, 3, 45, 52, generator=torch.Generator().manual_seed(1)) * 0.6 + 0.2
    padded, answers = filter_bank.bank(image)
    assert padded.shape == (1, 3, 48, 56) and answers.shape == (1, len(filter_bank.BANK_PX), 3, 48, 56)
    assert torch.equal(padded[..., :45, :52], image)
    half = filter_bank.FILTER_HALF_PX
    wide = F.pad(color.srgb_to_linear(image), (half, half, half, half), "reflect").movedim(1, 0)
    by_hand = F.conv2d(wide, filter_bank.inverse_filter(2.25).float()[None, None]).movedim(0, 1)
    torch.testing.assert_close(answers[:, 3, :, :45, :52], color.linear_to_srgb(by_hand.clamp(0, 1)), atol=2e-5, rtol=0)
