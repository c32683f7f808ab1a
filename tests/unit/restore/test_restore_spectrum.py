"""The blur radius from the power spectrum: of photos blurred here, by discs and by Gaussians."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from refocus_core import color, psf
from refocus_core.restore import spectrum
from tests.helpers.paths import DATA


def light(name: str, side: int = 208) -> Tensor:
    """[1,side,side] linear light of the middle of a photo, reduced until it is sharp."""
    with Image.open(DATA / name) as im:
        picture = torch.from_numpy(np.asarray(im.convert("RGB")).copy()).permute(2, 0, 1)[None].float() / 255
    factor = max(min(picture.shape[-2:]) / 480, 1.25)
    size = tuple(round(n / factor) for n in picture.shape[-2:])
    small = F.interpolate(color.srgb_to_linear(picture), size, mode="bilinear", antialias=True).mean(1)
    y, x = ((n - side) // 2 for n in size)
    return small[:, y : y + side, x : x + side].clamp(0, 1)


def blurred(linear: Tensor, kernel: Tensor) -> Tensor:
    """Convolved, and stored in 8 bits."""
    m = kernel.shape[-1] // 2
    wide = F.pad(linear[:, None], (m, m, m, m), "reflect")
    out = F.conv2d(wide, kernel.view(1, 1, *kernel.shape[-2:]))[:, 0].clamp(0, 1)
    return color.srgb_to_linear((color.linear_to_srgb(out) * 255).round() / 255)


def gaussian(sigma: float) -> Tensor:
    m = math.ceil(4 * sigma)
    k = torch.exp(-0.5 * (torch.arange(-m, m + 1) / sigma) ** 2)
    return k[:, None] * k / k.sum() ** 2


@pytest.mark.parametrize("name", ["astronaut.png", "coffee.png", "life.jpg"])
@pytest.mark.parametrize("radius", [2.0, 3.0, 5.0, 8.0])
def test_the_likeliest_disc_is_the_one_that_blurred(name: str, radius: float) -> None:
    found = spectrum.log_likelihood(blurred(light(name), psf.disc(radius)[0]))[:, 0].sum((0, 2, 3))
    assert spectrum.RADII_PX[int(found.argmax())] == pytest.approx(radius, rel=0.08)


def test_estimates_are_corrected_and_keep_their_differences() -> None:
    seen = blurred(light("astronaut.png"), psf.disc(3.0)[0])
    estimate = torch.full_like(seen, 3.8)
    estimate[:, 100] *= 1.1
    better = spectrum.corrected(estimate, seen, 0.45)
    assert float(better.median()) == pytest.approx(3.0, rel=0.05)
    torch.testing.assert_close(better[:, 100] / better[:, 99], torch.full((1, 208), 1.1), rtol=0.02, atol=0)


def test_half_the_resolution_gives_the_same() -> None:
    seen = blurred(light("coffee.png"), psf.disc(3.0)[0])
    whole = spectrum.corrected(torch.full_like(seen, 2.5), seen, 0.45)
    half = spectrum.corrected(torch.full((1, 104, 104), 2.5), seen, 0.45)
    torch.testing.assert_close(F.avg_pool2d(whole[None], 2)[0], half, rtol=0.02, atol=0)


def test_small_estimates_stay() -> None:
    seen = blurred(light("astronaut.png"), psf.disc(3.0)[0])
    estimate = torch.full_like(seen, 0.4)
    assert torch.equal(spectrum.corrected(estimate, seen, 0.45), estimate)


def test_a_window_of_two_surfaces_says_nothing() -> None:
    seen = light("astronaut.png")
    seen[:, :, 104:] = blurred(seen, psf.disc(5.0)[0])[:, :, 104:]
    estimate = torch.full_like(seen, 0.6)
    estimate[:, :, 104:] = 6.5
    change = (spectrum.corrected(estimate, seen, 0.1) / estimate).log()
    assert float(change[:, 60:150, 96:112].abs().max()) < 0.5 * float(change[:, 60:150, 170:].abs().median())


def off_by(fraction: float, size: int, seed: int = 0) -> Tensor:
    """[1,size,size], smooth factors about 1."""
    grid = torch.randn(1, 1, 5, 5, generator=torch.Generator().manual_seed(seed)) * fraction
    return F.interpolate(grid, (size, size), mode="bilinear", align_corners=True)[0].exp()


@pytest.mark.parametrize("name", ["astronaut.png", "coffee.png", "life.jpg"])
@pytest.mark.parametrize("radius", [2.0, 3.0, 5.0])
def test_a_picture_of_one_blur_tells_it_to_two_percent(name: str, radius: float) -> None:
    seen = blurred(light(name), psf.disc(radius)[0])
    estimate = radius * off_by(0.15, 208)
    better = spectrum.refined(estimate, seen, 0.45)
    error = (better / radius).log().abs()
    assert float(error.median()) < 0.02 and float((estimate / radius).log().abs().median()) > 0.06
    assert float(error.quantile(0.9)) < 0.05


def test_surfaces_are_refined_apart() -> None:
    seen = light("life.jpg")
    near, far = (blurred(seen, psf.disc(r)[0]) for r in (2.5, 5.0))
    seen = torch.cat([near[:, :, :104], far[:, :, 104:]], 2)
    truth = torch.full_like(seen, 2.5)
    truth[:, :, 104:] = 5.0
    error = (spectrum.refined(truth * off_by(0.1, 208), seen, 0.45) / truth).log().abs()
    assert float(error.median()) < 0.02, "windows of the other surface are not heard"
    assert float(error[:, :, 92:116].median()) < 0.1


@pytest.mark.parametrize(("first", "last", "left"), [(2.0, 4.5, 0.9), (3.0, 4.0, 0.6)])
def test_a_ramp_is_refined_as_a_ramp(first: float, last: float, left: float) -> None:
    radii = torch.linspace(first, last, 6)
    stack = torch.stack([blurred(light("coffee.png"), psf.disc(float(r))[0]) for r in radii])
    at = torch.linspace(0, 5, 208)
    share = (1 - (at[None] - torch.arange(6)[:, None]).abs()).clamp_min(0)
    truth = (share * radii[:, None]).sum(0).expand(1, 208, 208)
    estimate = truth * off_by(0.1, 208, 1)
    better = spectrum.refined(estimate, (stack * share[:, None, None]).sum(0), 0.45)
    before, after = (float((r / truth).log().abs().mean()) for r in (estimate, better))
    assert after < left * before


def test_what_is_sharp_is_not_refined() -> None:
    seen = blurred(light("astronaut.png"), psf.disc(3.0)[0])
    estimate = torch.full_like(seen, 0.4)
    assert torch.equal(spectrum.refined(estimate, seen, 0.45), estimate)


@pytest.mark.parametrize("name", ["astronaut.png", "coffee.png", "life.jpg"])
def test_discs_and_gaussians_are_told_apart(name: str) -> None:
    linear = light(name)
    disc, soft = blurred(linear, psf.disc(3.0)[0]), blurred(linear, gaussian(1.5))
    lead = spectrum.disc_lead(torch.full((2, 208, 208), 3.0), torch.cat([disc, soft]))
    assert float(lead[0]) > 2 and float(lead[1]) < 0.5


def test_nothing_blurred_says_nothing() -> None:
    assert spectrum.disc_lead(torch.zeros(1, 64, 80), torch.rand(1, 64, 80)).tolist() == [0]


@pytest.mark.parametrize("size", [(1, 1), (2, 9), (65, 30)])
def test_any_size(size: tuple[int, int]) -> None:
    seen = torch.rand(2, *size, generator=torch.Generator().manual_seed(0))
    found = spectrum.corrected(torch.full((2, *size), 3.0), seen, 0.45)
    assert found.shape == seen.shape and bool(torch.isfinite(found).all())
    found = spectrum.refined(torch.full((2, *size), 3.0), seen, 0.45)
    assert found.shape == seen.shape and bool(torch.isfinite(found).all())
    steps = tuple(-(-n // spectrum.STEP_PX) for n in size)
    assert spectrum.log_likelihood(seen).shape == (2, 2, len(spectrum.RADII_PX), *steps)


def test_reflection_goes_on_for_ever() -> None:
    assert spectrum.reflected(3, 4, 11, torch.device("cpu")).tolist() == [0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2]
    assert spectrum.reflected(1, 2, 4, torch.device("cpu")).tolist() == [0, 0, 0, 0]
