"""The sRGB curve: its values, its inverse, and what lies beyond 0..1."""

from __future__ import annotations

import pytest
import torch

from refocus_core.color import exposed, linear_to_srgb, luminance, srgb_to_linear

# 8-bit code -> linear light, from the standard's formula worked out independently.
TABLE = {0: 0.0, 1: 0.000303527, 10: 0.003035270, 11: 0.003346536, 55: 0.038204372, 128: 0.215860501, 188: 0.502886458, 255: 1.0}


@pytest.mark.parametrize("code,light", TABLE.items())
def test_values(code: int, light: float) -> None:
    assert float(srgb_to_linear(torch.tensor(code / 255, dtype=torch.float64))) == pytest.approx(light, rel=2e-6)


@pytest.mark.parametrize("dtype,tolerance", [(torch.float64, 1e-7), (torch.float32, 2e-6)])
def test_round_trip_with_highlights_and_negatives(dtype: torch.dtype, tolerance: float) -> None:
    x = torch.linspace(-2, 9, 4001, dtype=dtype)
    assert torch.allclose(linear_to_srgb(srgb_to_linear(x)), x, atol=tolerance, rtol=tolerance)


def test_monotone_and_not_clamped() -> None:
    x = torch.linspace(0, 12, 5000, dtype=torch.float64)
    assert bool((srgb_to_linear(x).diff() > 0).all()) and float(srgb_to_linear(x[-1])) > 100
    assert float(linear_to_srgb(torch.tensor(8.0))) == pytest.approx(2.454, abs=1e-3)


def test_negative_is_mirrored() -> None:
    x = torch.rand(100)
    assert torch.equal(srgb_to_linear(-x), -srgb_to_linear(x)) and torch.equal(linear_to_srgb(-x), -linear_to_srgb(x))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_keeps_type_and_is_close(dtype: torch.dtype) -> None:
    x = torch.linspace(0, 1, 257).to(dtype)
    y = srgb_to_linear(x)
    assert y.dtype == dtype and torch.allclose(y.float(), srgb_to_linear(x.float()), atol=2e-2)


def test_gradient() -> None:
    x = torch.rand(20, dtype=torch.float64) * 2 + 0.1
    assert torch.autograd.gradcheck(srgb_to_linear, x.requires_grad_())
    assert torch.autograd.gradcheck(linear_to_srgb, x)


def test_luminance_of_grey_is_itself() -> None:
    grey = torch.rand(2, 1, 3, 4)
    assert torch.allclose(luminance(grey.expand(2, 3, 3, 4)), grey, atol=1e-6)
    green = torch.zeros(1, 3, 1, 1)
    green[:, 1] = 1
    assert float(luminance(green)) == pytest.approx(0.7152)


@pytest.mark.parametrize("stops", [-5.0, -1.0, 0.5, 5.0])
def test_exposure_is_a_factor_of_linear_light_without_clipping(stops: float) -> None:
    x = torch.linspace(-0.5, 6, 2001, dtype=torch.float64)
    assert torch.allclose(srgb_to_linear(exposed(x, stops)), srgb_to_linear(x) * 2**stops, rtol=1e-6, atol=1e-7)


def test_no_exposure_is_the_picture_itself() -> None:
    x = torch.rand(1, 3, 4, 5)
    assert exposed(x, 0.0) is x


@pytest.mark.parametrize("stops", [float("nan"), float("inf")])
def test_an_exposure_without_an_end_is_refused(stops: float) -> None:
    with pytest.raises(ValueError, match="exposure must be a finite number of f-stops"):
        exposed(torch.rand(3), stops)
