"""Grain: what blur takes of it comes back with the photo's own level and spectrum, and nothing comes where there was none."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from refocus_core import bokeh
from refocus_core.color import linear_to_srgb, srgb_to_linear
from refocus_core.images import gaussian
from refocus_core.types import DefocusMap

SIDE = 448
GREY = 0.5
LEAST_DB = -25.0
"""Power, against the strongest frequencies, below which nobody sees grain."""


def noise(softness_px: float, deviation: float, seed: int = 1, channels: int = 3) -> Tensor:
    """[1,3,H,W] white or low-passed noise; of one channel: grey."""
    raw = torch.randn(channels, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))
    raw = gaussian(raw, softness_px) if softness_px else raw
    return (raw * (deviation / raw.std())).expand(3, -1, -1)[None]


def blurred(photo: Tensor, radius_px: float, quality: str = "normal") -> tuple[Tensor, Tensor]:
    """The photo blurred all over, and the radius."""
    made = DefocusMap.from_radius(torch.full((1, SIDE, SIDE), radius_px))
    return linear_to_srgb(bokeh.render(srgb_to_linear(photo), made, quality=quality)), made.radius_px


def power_db(picture: Tensor) -> Tensor:
    """[10] power in dB of the middle of a picture [1,3,H,W], in rings of frequency from the lowest to the highest."""
    inside = picture[0, :, 32:-32, 32:-32]
    patches = inside.unfold(1, 64, 32).unfold(2, 64, 32)
    patches = patches - patches.mean((-1, -2), keepdim=True)
    hann = torch.hann_window(64)
    power = torch.fft.fft2(patches * hann[:, None] * hann).abs().square().mean((0, 1, 2))
    f = torch.fft.fftfreq(64)
    ring = ((f[:, None].square() + f.square()).sqrt() * 20).long()
    rings = [power[(ring == k) & (torch.arange(64 * 64).view(64, 64) > 0)].mean() for k in range(10)]
    return 10 * torch.log10(torch.stack(rings))


@pytest.mark.parametrize(
    "softness_px,radius_px", [(0.0, 1.5), (0.0, 6.0), (0.0, 20.0), (0.8, 3.0), (0.8, -6.0), (1.5, 6.0), (1.5, 20.0)]
)
def test_spectrum_of_a_blurred_area_is_that_of_the_photo(softness_px: float, radius_px: float) -> None:
    photo = GREY + noise(softness_px, 0.03)
    result, radius = blurred(photo, radius_px)
    want, without = power_db(photo), power_db(result)
    got = power_db(bokeh.put_grain_back(result, photo, radius, 1.0))
    seen = want > want.max() + LEAST_DB
    assert float((without - want)[seen].min()) < -3, "blur took it"
    assert float((got - want)[seen].abs().max()) < 1.0, (got - want)[seen]


@pytest.mark.parametrize("amount", [0.25, 0.5])
def test_less_of_it_is_a_share_of_its_amplitude(amount: float) -> None:
    photo = GREY + noise(0.8, 0.03)
    result, radius = blurred(photo, 6.0)
    full, part = (bokeh.put_grain_back(result, photo, radius, a) - result for a in (1.0, amount))
    assert torch.allclose(part, full * amount, atol=1e-6)


def test_no_grain_is_the_picture_itself() -> None:
    result = torch.rand(1, 3, 40, 50)
    assert bokeh.put_grain_back(result, torch.rand(1, 3, 40, 50), torch.full((1, 40, 50), 9.0), 0.0) is result


@pytest.mark.parametrize("bits", [8, 16])
def test_a_photo_without_noise_gets_none(bits: int) -> None:
    y, x = torch.meshgrid(torch.linspace(0, 1, SIDE), torch.linspace(0, 1, SIDE), indexing="ij")
    smooth = (0.2 + 0.5 * x + 0.2 * torch.sin(4 * y)).expand(1, 3, -1, -1)
    photo = (smooth * (2**bits - 1)).round() / (2**bits - 1)
    result, radius = blurred(photo, 6.0)
    assert torch.equal(bokeh.put_grain_back(result, photo, radius, 1.0), result)


def test_what_is_in_focus_stays_bit_for_bit() -> None:
    photo = GREY + noise(0.0, 0.03)
    radius = torch.zeros(1, SIDE, SIDE)
    radius[..., SIDE // 2 :] = 8.0
    radius[..., :40] = -0.5
    out = bokeh.put_grain_back(photo, photo, radius, 1.0)
    assert torch.equal(out[..., : SIDE // 2], photo[..., : SIDE // 2])
    assert not torch.equal(out[..., SIDE // 2 :], photo[..., SIDE // 2 :])


def test_level_follows_the_brightness() -> None:
    bright = torch.full((1, 3, SIDE, SIDE), 0.3)
    bright[..., SIDE // 2 :] = 0.7
    photo = bright + noise(0.0, 1.0) * (0.04 - 0.025 * (bright > 0.5))
    added = bokeh.put_grain_back(bright, photo, torch.full((1, SIDE, SIDE), 30.0), 1.0) - bright
    assert float(added[..., : SIDE // 2].std()) == pytest.approx(0.04, rel=0.08)
    assert float(added[..., SIDE // 2 :].std()) == pytest.approx(0.015, rel=0.08)


def test_edges_and_texture_are_no_grain() -> None:
    photo = GREY + noise(0.0, 0.02)
    photo[..., 100:110, :] = 0.9  # a bar
    photo[..., 200:, 200:] += 0.2 * (torch.rand(1, 1, SIDE - 200, SIDE - 200) - 0.5)
    flat = torch.full_like(photo, GREY)
    added = bokeh.put_grain_back(flat, photo, torch.full((1, SIDE, SIDE), 30.0), 1.0) - flat
    assert float(added.std()) == pytest.approx(0.02, rel=0.1)


def test_grey_grain_comes_back_grey_and_coloured_grain_coloured() -> None:
    flat, radius = torch.full((1, 3, SIDE, SIDE), GREY), torch.full((1, SIDE, SIDE), 30.0)
    for channels, shared in ((1, 1.0), (3, 0.0)):
        added = bokeh.put_grain_back(flat, GREY + noise(0.8, 0.03, channels=channels), radius, 1.0) - flat
        matrix = torch.corrcoef(added[0].flatten(1))
        assert float(matrix[0, 1]) == pytest.approx(shared, abs=0.05)


def test_the_same_photo_gets_the_same_grain_and_each_frame_its_own() -> None:
    clip = GREY + torch.cat([noise(0.0, 0.03, seed=1), noise(0.0, 0.03, seed=2)])
    flat, radius = torch.full_like(clip, GREY), torch.full((1, SIDE, SIDE), 30.0)
    both = bokeh.put_grain_back(flat, clip, radius, 1.0)
    again = bokeh.put_grain_back(flat[:1], clip[1:], radius, 1.0)
    assert torch.equal(both[1:], again) and float((both[0] - both[1]).abs().mean()) > 0.01


def test_no_seam_between_tiles() -> None:
    photo = torch.full((1, 3, 600, 700), GREY)
    photo += torch.randn(photo.shape, generator=torch.Generator().manual_seed(4)) * 0.03
    flat = torch.full_like(photo, GREY)
    added = bokeh.put_grain_back(flat, photo, torch.full((1, 600, 700), 30.0), 1.0) - flat
    spread = added[0].std((0, 1))
    assert float(spread[480:512].mean()) == pytest.approx(float(spread[:480].mean()), rel=0.03)


def test_white_and_pictures_too_small_to_measure_stay(caplog: pytest.LogCaptureFixture) -> None:
    photo = GREY + noise(0.0, 0.03)
    white = torch.full_like(photo, 1.5)
    assert torch.equal(bokeh.put_grain_back(white, photo, torch.full((1, SIDE, SIDE), 9.0), 1.0), white)
    tiny = torch.rand(1, 3, 20, 30)
    assert torch.equal(bokeh.put_grain_back(tiny, tiny, torch.full((1, 20, 30), 9.0), 1.0), tiny)
    assert "no flat area" in caplog.text


@pytest.mark.parametrize("amount", [-0.1, 1.5, float("nan")])
def test_an_amount_out_of_range_is_refused(amount: float) -> None:
    x = torch.rand(1, 3, 40, 40)
    with pytest.raises(ValueError, match=r"grain must lie in 0\.\.1"):
        bokeh.put_grain_back(x, x, torch.zeros(1, 40, 40), amount)
