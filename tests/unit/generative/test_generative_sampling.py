"""Time steps, tokens, tiles and the loop, against diffusers or a plain rewriting."""

import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline
from diffusers.pipelines.flux.pipeline_flux import calculate_shift

from refocus_core import generative
from refocus_core.generative import sampling
from refocus_core.generative.backbones import bind_diffusers
from tests.helpers import tiny_flux


def test_tokens_are_those_of_diffusers():
    z = torch.randn(2, 16, 6, 10)
    tokens = generative.pack(z)
    assert torch.equal(tokens, FluxPipeline._pack_latents(z, *z.shape))
    assert torch.equal(generative.unpack(tokens, 3, 5), z)
    ids = FluxPipeline._prepare_latent_image_ids(1, 3, 5, "cpu", torch.float32)
    assert torch.equal(generative.position_ids(3, 5), ids)
    assert torch.equal(generative.position_ids(3, 5, 32) - ids, torch.tensor([0.0, 0, 32]).expand(15, 3))
    with pytest.raises(ValueError, match="even sides"):
        generative.pack(torch.zeros(1, 16, 5, 4))


@pytest.mark.parametrize(("steps", "tokens"), [(28, 4096), (8, 1024), (3, 12)])
def test_noise_levels_are_those_of_diffusers(steps, tokens):
    scheduler = FlowMatchEulerDiscreteScheduler(
        use_dynamic_shifting=True, base_shift=0.5, max_shift=1.15, base_image_seq_len=256, max_image_seq_len=4096
    )
    mu = calculate_shift(tokens, 256, 4096, 0.5, 1.15)
    scheduler.set_timesteps(sigmas=np.linspace(1.0, 1 / steps, steps), mu=mu)
    torch.testing.assert_close(generative.sigmas(steps, tokens), scheduler.sigmas, atol=1e-6, rtol=0)
    assert generative.shift(tokens) == pytest.approx(mu)


def test_part_of_the_steps():
    whole = generative.sigmas(8, 100)
    assert torch.equal(generative.sigmas(8, 100, 0.5), whole[4:])
    assert torch.equal(generative.sigmas(8, 100, 0.01), whole[7:])
    with pytest.raises(ValueError, match="strength"):
        generative.sigmas(8, 100, 0)


def test_defocus_is_seen_unsigned_and_not_recentred():
    radius = torch.tensor([[[0.0, -10.0, 50.0, 250.0]]])
    picture = generative.defocus_picture(radius)
    assert picture.shape == (1, 3, 1, 4)
    torch.testing.assert_close(picture[0, 1, 0], torch.tensor([0, 0.1, 0.5, 1.0]))


@pytest.mark.parametrize("size", [(5, 7), (16, 48), (17, 100), (3, 3)])
def test_padding_is_cut_off_again(size):
    image = torch.rand(1, 3, *size)
    padded = generative.pad(image)
    assert padded.shape[-2] % 16 == 0 and padded.shape[-1] % 16 == 0
    assert torch.equal(padded[..., : size[0], : size[1]], image)
    assert padded.shape[-2] < size[0] + 16 and padded.shape[-1] < size[1] + 16


# --- tiles --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "columns", "expected"),
    [
        (32, 32, [(0, 0)]),
        (31, 64, []),
        (33, 60, [(0, 0), (1, 0), (0, 28), (1, 28)]),
        (64, 64, [(r, c) for c in (0, 28, 32) for r in (0, 28, 32)]),
    ],
)
def test_corners(rows, columns, expected):
    assert generative.Tiling().corners(rows, columns) == expected
    assert generative.Tiling("off").corners(rows, columns) == []


def test_tiling_is_checked():
    with pytest.raises(ValueError, match="per_batch"):
        generative.Tiling(per_batch=0)
    with pytest.raises(ValueError, match="'always'"):
        generative.Tiling("always")


def tiled_call(rows, columns, batch=1):
    a = tiny_flux.call(2, batch, rows, columns)
    keep = ("latents", "conditions", "text", "pooled", "timestep", "guidance")
    return {k: a[k] for k in keep} | {"rows": rows, "columns": columns, "columns_right": (32, 0)}


@torch.no_grad()
def test_batched_tiles_equal_single_tiles_and_the_plain_loop():
    model = tiny_flux.with_adapter(tiny_flux.transformer())
    rows, columns = 33, 34
    a = tiled_call(rows, columns)
    bound = bind_diffusers(model, "probe", a["latents"])
    seen = []
    one = generative.velocity(bound, **a, tiling=generative.Tiling(per_batch=1), progress=lambda d, t: seen.append((d, t)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    many = generative.velocity(bound, **a, tiling=generative.Tiling(per_batch=3))
    torch.testing.assert_close(many, one, atol=1e-5, rtol=0)

    # Token by token: every tile that holds the token, weighted by its place in it.
    total, weight = torch.zeros_like(one), torch.zeros(rows * columns)
    x = torch.linspace(-2, 2, 32)
    for top in (0, 1):
        for left in (0, 2):
            index = torch.tensor([(top + r) * columns + left + c for r in range(32) for c in range(32)])
            out = generative.conditional_forward(
                model,
                latents=a["latents"][:, index],
                conditions=[c[:, index] for c in a["conditions"]],
                text=a["text"],
                pooled=a["pooled"],
                timestep=a["timestep"],
                guidance=a["guidance"],
                image_ids=tiny_flux.ids(32, 32),
                condition_ids=[tiny_flux.ids(32, 32)] * 2,
                adapter="probe",
            )
            w = torch.tensor([float(torch.exp(-(x[r] ** 2 + x[c] ** 2))) for r in range(32) for c in range(32)])
            total[:, index] += out * w[:, None]
            weight[index] += w
    torch.testing.assert_close(one, total / weight[:, None], atol=1e-4, rtol=0)


@torch.no_grad()
def test_small_pictures_are_not_tiled_and_keep_the_offset_of_positions():
    model = tiny_flux.with_adapter(tiny_flux.transformer())
    a = tiny_flux.call(2, 1, 3, 4)
    expected = generative.conditional_forward(model, adapter="probe", **a)
    got = generative.velocity(bind_diffusers(model, "probe", a["latents"]), **tiled_call(3, 4), tiling=generative.Tiling())
    assert torch.equal(got, expected)


# --- the loop -----------------------------------------------------------------------------------------------------------


def test_a_straight_path_is_followed_exactly():
    """With the velocity noise - picture, any number of steps ends at the picture."""
    picture, start = torch.randn(1, 4, 8), torch.randn(1, 4, 8)
    calls = []

    def predict(x, level, within):
        within(1, 2)
        return start - picture

    out = generative.integrate(predict, start, generative.sigmas(5, 64), progress=lambda d, t: calls.append(d / t))
    torch.testing.assert_close(out, picture, atol=1e-5, rtol=0)
    assert calls == sorted(calls) and calls[-1] == 1 and calls[0] == pytest.approx(0.1)


def test_what_is_kept_ends_as_it_was():
    known, noise = torch.randn(1, 4, 8), torch.randn(1, 4, 8)
    keep = torch.tensor([1.0, 1.0, 0.0, 0.0])[None, :, None]
    out = sampling.integrate(
        lambda x, level, within: torch.randn(1, 4, 8), noise, generative.sigmas(3, 64), keep=keep, known=known, seed_noise=noise
    )
    assert torch.equal(out[:, :2], known[:, :2]) and not torch.equal(out[:, 2:], known[:, 2:])


def test_an_exception_from_progress_stops_it():
    class StopError(Exception):
        pass

    def stop(done, total):
        raise StopError

    with pytest.raises(StopError):
        generative.integrate(lambda x, level, within: x, torch.zeros(1, 1, 1), generative.sigmas(3, 64), progress=stop)


def test_every_frame_starts_from_the_same_noise():
    a = generative.noise((3, 16, 4, 6), seed=5)
    assert torch.equal(a[0], a[2]) and torch.equal(a[:1], generative.noise((1, 16, 4, 6), seed=5))
    assert not torch.equal(a, generative.noise((3, 16, 4, 6), seed=6))
    assert torch.equal(a[:1], torch.randn(1, 16, 4, 6, generator=torch.manual_seed(5))), "ComfyUI's noise of that seed"
