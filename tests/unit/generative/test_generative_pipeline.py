"""The whole route on a tiny FLUX in diffusers: files, sizes, batches, large photos, hybrid."""

import itertools

import pytest
import torch
from safetensors.torch import save_file

from refocus_core import bokeh, cli, generative
from refocus_core.files import pictures
from refocus_core.generative import checkpoint, pipeline
from refocus_core.generative.transfer import resized
from refocus_core.models import WeightsMismatchError
from refocus_core.types import DefocusMap
from tests.helpers import tiny_flux


def prompts():
    g = torch.Generator().manual_seed(4)
    wordings = {layout.prompt for layout in generative.LAYOUTS.values()}
    return {
        w: generative.Prompt(torch.randn(1, 5, tiny_flux.TEXT, generator=g), torch.randn(1, tiny_flux.POOLED, generator=g))
        for w in sorted(wordings)
    }


@pytest.fixture(scope="module")
def genfocus():
    return generative.Genfocus(tiny_flux.transformer(), tiny_flux.autoencoder(), prompts(), torch.device("cpu"))


@pytest.fixture(scope="module")
def lora():
    model = tiny_flux.with_adapter(tiny_flux.transformer())
    factors = {k: (a.detach(), b.detach()) for k, (a, b) in generative.adapter_factors(model, "probe").items()}
    return generative.Lora(factors)


def photo(batch=1, height=48, width=64, seed=6):
    return resized(torch.rand(batch, 3, 6, 8, generator=torch.Generator().manual_seed(seed)), (height, width)).clamp(0, 1)


def ramp(height=48, width=64, low=-10.0, high=20.0):
    return torch.linspace(low, high, width).expand(1, height, width).contiguous()


# --- files --------------------------------------------------------------------------------------------------------------


def test_a_file_of_the_authors_is_the_same_model(tmp_path):
    model = tiny_flux.transformer()
    state = tiny_flux.authors_state(model)
    for name, content in {
        "plain": state,
        "whole": {f"model.diffusion_model.{k}": v for k, v in state.items()} | {"vae.decoder.conv_in.weight": torch.zeros(1)},
        "diffusers": model.state_dict(),
    }.items():
        save_file(content, tmp_path / f"{name}.safetensors")
        read = checkpoint.load_transformer(tmp_path / f"{name}.safetensors", torch.float32).state_dict()
        assert read.keys() == model.state_dict().keys()
        assert all(torch.equal(v, read[k]) for k, v in model.state_dict().items()), name


def test_a_folder_gives_the_models_and_writes_the_prompts_once(tmp_path, monkeypatch):
    tiny_flux.transformer().save_pretrained(tmp_path / "flux" / "transformer")
    tiny_flux.autoencoder().save_pretrained(tmp_path / "flux" / "vae")
    file = tmp_path / "prompts.safetensors"
    with pytest.raises(FileNotFoundError, match="text_encoder_2"):
        generative.Genfocus.from_pretrained(tmp_path / "flux", prompts=file)
    # The real text encoders are gigabytes: what they would return is given instead.
    (tmp_path / "flux" / "text_encoder_2").mkdir()
    asked = []
    monkeypatch.setattr(pipeline, "encode_prompts", lambda folder, wordings, *_: asked.append(wordings) or prompts())
    for _ in range(2):
        made = generative.Genfocus.from_pretrained(tmp_path / "flux", prompts=file, dtype=torch.float32)
        assert made.prompts.keys() == prompts().keys()
    assert len(asked) == 1 and file.is_file()
    assert torch.equal(made.transformer.x_embedder.weight, tiny_flux.transformer().x_embedder.weight)


def test_other_files_are_named(tmp_path):
    save_file({"decoder.conv_in.weight": torch.zeros(1)}, tmp_path / "ae.safetensors")
    with pytest.raises(WeightsMismatchError, match=r"not a FLUX\.1 transformer but a VAE"):
        checkpoint.load_transformer(tmp_path / "ae.safetensors", torch.float32)
    state = tiny_flux.authors_state(tiny_flux.transformer())
    del state["single_blocks.1.linear2.weight"]
    save_file(state, tmp_path / "part.safetensors")
    with pytest.raises(WeightsMismatchError, match=r"not a complete FLUX\.1"):
        checkpoint.load_transformer(tmp_path / "part.safetensors", torch.float32)
    with pytest.raises(FileNotFoundError, match="no autoencoder"):
        checkpoint.load_vae(tmp_path, torch.float32)
    with pytest.raises(FileNotFoundError, match=r"no FLUX\.1"):
        checkpoint.load_transformer(tmp_path / "none.safetensors", torch.float32)


def test_prompt_files(tmp_path):
    file = tmp_path / "a" / generative.PROMPTS_FILE
    with pytest.raises(FileNotFoundError):
        generative.load_prompts(file)
    first, second = sorted(prompts().items())
    generative.save_prompts(file, dict([first]))
    generative.save_prompts(file, dict([second]))
    read = generative.load_prompts(file)
    assert read.keys() == prompts().keys()
    assert torch.equal(read[first[0]].text, first[1].text.bfloat16())
    save_file({"other": torch.zeros(1)}, file)
    with pytest.raises(WeightsMismatchError, match="no prompt embeddings"):
        generative.load_prompts(file)


def test_the_mean_of_the_autoencoder_is_deterministic_and_a_sample_is_seeded(genfocus):
    picture = photo() * 2 - 1
    assert torch.equal(genfocus.encode(picture), genfocus.encode(picture))
    expected = (genfocus.vae.encode(picture).latent_dist.mean - 0.1159) * 0.3611
    torch.testing.assert_close(genfocus.encode(picture), expected, atol=1e-6, rtol=0)
    drawn = generative.Genfocus(genfocus.transformer, genfocus.vae, genfocus.prompts, genfocus.device, sample_vae_seed=1)
    assert torch.equal(drawn.encode(picture), drawn.encode(picture))
    assert not torch.equal(drawn.encode(picture), genfocus.encode(picture))


# --- runs ---------------------------------------------------------------------------------------------------------------


def test_released_steps_written_out(genfocus, lora):
    """Deblurring once more, from the pieces that diffusers has: encode, ids, Euler scheduler, decode."""
    image = photo()
    got = genfocus.sampler(lora, "deblur", steps=3, seed=9)(generative.SampleRequest(image))

    vae, layout = genfocus.vae, generative.LAYOUTS["deblur"]
    condition = generative.pack((vae.encode(image * 2 - 1).latent_dist.mode() - 0.1159) * 0.3611)
    x = generative.pack(torch.randn(1, 16, 6, 8, generator=torch.Generator().manual_seed(9)))
    model = tiny_flux.with_adapter(tiny_flux.transformer())
    levels = generative.sigmas(3, 12)
    prompt = genfocus.prompts[layout.prompt]
    with torch.no_grad():
        for now, after in itertools.pairwise(levels):
            v = generative.conditional_forward(
                model,
                latents=x,
                conditions=[condition],
                text=prompt.text,
                pooled=prompt.pooled,
                timestep=now[None],
                guidance=torch.tensor([3.5]),
                image_ids=tiny_flux.ids(3, 4),
                condition_ids=[tiny_flux.ids(3, 4)],
                adapter="probe",
            )
            x = x + (after - now) * v
        z = generative.unpack(x, 3, 4) / 0.3611 + 0.1159
        expected = (vae.decode(z).sample / 2 + 0.5).clamp(0, 1)
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=0)
    assert got.std() > 0.01


@pytest.mark.parametrize("size", [(50, 70), (17, 16), (1, 1), (48, 64)])
def test_any_size_comes_back(genfocus, lora, size):
    out = generative.deblur(photo(1, *size), genfocus.sampler(lora, "deblur", steps=1))
    assert out.shape == (1, 3, *size) and bool(torch.isfinite(out).all())


def test_a_batch_equals_its_frames_and_runs_repeat(genfocus, lora):
    frames = torch.cat([photo(seed=6), photo(seed=7)])
    sample = genfocus.sampler(lora, "deblur", steps=2)
    both = generative.deblur(frames, sample)
    for i in range(2):
        torch.testing.assert_close(generative.deblur(frames[i : i + 1], sample), both[i : i + 1], atol=1e-5, rtol=0)
    assert torch.equal(both, generative.deblur(frames, sample))
    assert not torch.equal(both, generative.deblur(frames, genfocus.sampler(lora, "deblur", steps=2, seed=1)))


def test_progress_and_stop(genfocus, lora):
    seen = []
    genfocus.sampler(lora, "deblur", steps=3, progress=lambda d, t: seen.append((d, t)))(generative.SampleRequest(photo()))
    assert seen[-1] == (3, 3)

    class StopError(Exception):
        pass

    def stop(done, total):
        raise StopError

    with pytest.raises(StopError):
        genfocus.sampler(lora, "deblur", steps=3, progress=stop)(generative.SampleRequest(photo()))


def test_blur_keeps_what_is_in_focus_and_follows_the_map(genfocus, lora):
    image, radius = photo(), ramp()
    sample = genfocus.sampler(lora, "bokeh", steps=2)
    out = generative.blur(image, radius, sample)
    sharp = radius[:, None].abs() < 0.5
    assert sharp.any()
    assert torch.equal(out.where(sharp, out.new_zeros(())), image.where(sharp, out.new_zeros(())))
    raw = sample(generative.SampleRequest(image, radius_px=radius))
    far = radius.abs() >= 1.5
    torch.testing.assert_close(out.movedim(1, -1)[far], raw.movedim(1, -1)[far], atol=1e-6, rtol=0)
    assert not torch.equal(raw, sample(generative.SampleRequest(image, radius_px=3 * radius)))


def test_the_older_and_the_pre_deblur_adapters_see_two_pictures(genfocus, lora):
    image = photo()
    old = generative.Lora({k: (a.repeat(8, 1), b.repeat(1, 8) / 8) for k, (a, b) in lora.factors.items()})
    assert old.rank == 32
    black = genfocus.sampler(old, "deblur", steps=1)(generative.SampleRequest(image))
    beside = genfocus.sampler(old, "deblur", steps=1, pre_deblurred=True)
    assert not torch.equal(black, beside(generative.SampleRequest(image, pre_deblurred=image)))
    torch.testing.assert_close(
        black, beside(generative.SampleRequest(image, pre_deblurred=torch.zeros_like(image))), atol=1e-5, rtol=0
    )
    with pytest.raises(ValueError, match="another method deblurred"):
        beside(generative.SampleRequest(image))
    with pytest.raises(ValueError, match="needs a defocus map"):
        genfocus.sampler(lora, "bokeh", steps=1)(generative.SampleRequest(image))


def test_offload_moves_one_model_at_a_time(lora):
    made = generative.Genfocus(tiny_flux.transformer(), tiny_flux.autoencoder(), prompts(), torch.device("cpu"))
    where = []
    for name, module in (("transformer", made.transformer), ("vae", made.vae)):
        move = module.to
        module.to = lambda device, name=name, move=move: where.append((name, str(device))) or move(device)
    made.device = torch.device("cpu", 0)
    made.enable_model_cpu_offload()
    made.sampler(lora, "deblur", steps=1)(generative.SampleRequest(photo()))
    used = [w for w in where if w[1] == "cpu:0"]
    assert [n for n, _ in used] == ["vae", "transformer", "vae"]
    for name, _ in used:  # before each, the other one left
        other = {"vae": "transformer", "transformer": "vae"}[name]
        assert (other, "cpu") in where


def test_eight_bit_storage_computes_in_the_given_type(tmp_path, lora):
    tiny_flux.transformer().save_pretrained(tmp_path / "flux" / "transformer")
    tiny_flux.autoencoder().save_pretrained(tmp_path / "flux" / "vae")
    generative.save_prompts(tmp_path / "p.safetensors", prompts())
    args = {"prompts": tmp_path / "p.safetensors", "dtype": torch.float32}
    small = generative.Genfocus.from_pretrained(tmp_path / "flux", fp8=True, **args)
    assert small.transformer.transformer_blocks[0].attn.to_q.weight.dtype == torch.float8_e4m3fn
    full = generative.Genfocus.from_pretrained(tmp_path / "flux", **args)
    a, b = (m.sampler(lora, "deblur", steps=1)(generative.SampleRequest(photo())) for m in (small, full))
    assert 0 < float((a - b).abs().mean()) < 0.05


# --- large photos -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "megapixels"), [((4000, 6000), 1.0), ((300, 300), 0.05), ((20, 3000), 0.01)])
def test_working_size(size, megapixels):
    h, w = generative.working_size(*size, megapixels)
    assert h % 16 == 0 and w % 16 == 0 and h * w <= max(megapixels * 1.1e6, 16 * 1300)
    assert generative.working_size(480, 640, 1.0) == (480, 640)


def test_no_change_changes_nothing():
    image = photo(1, 96, 128)
    small = resized(image, (48, 64))
    assert torch.equal(generative.transfer(image, small, small), image)
    assert torch.equal(generative.transfer(image, small, small, ramp(96, 128)), image)


def test_a_change_is_carried_up_with_the_photos_detail():
    image = photo(1, 96, 128) + 0.05 * torch.randn(1, 3, 96, 128)
    small = resized(image, (48, 64))
    out = generative.transfer(image, small, small + 0.1)
    torch.testing.assert_close(out, image + 0.1, atol=1e-5, rtol=0)


def test_a_blur_is_carried_up_without_the_photos_detail():
    """A photo of fine noise at full size; the model returned a flat picture. Far from the focus nothing of the noise is left."""
    torch.manual_seed(0)
    image = 0.5 + 0.1 * torch.randn(1, 3, 96, 128)
    small = resized(image, (48, 64))
    radius = ramp(96, 128, 0.0, 20.0)
    out = generative.transfer(image, small, torch.full_like(small, 0.5), radius, blurs=True)
    assert float(out[..., 64:].std()) < 1e-3
    assert torch.equal(out[..., radius[0, 0] < 0.5], image[..., radius[0, 0] < 0.5])


def test_large_photos_keep_focus_bit_for_bit_and_highlights(genfocus, lora):
    image = photo(1, 96, 128)
    image[..., 40:44, 60:64] = 3.0
    radius = ramp(96, 128)
    out = generative.blur(image, radius, genfocus.sampler(lora, "bokeh", steps=1), megapixels=0.003)
    inside = radius[0].abs() < 0.5
    assert torch.equal(out[..., inside], image[..., inside])
    sharp = generative.deblur(image, genfocus.sampler(lora, "deblur", steps=1), megapixels=0.003)
    assert sharp.shape == image.shape and float(sharp[..., 41:43, 61:63].min()) > 1.5


# --- hybrid -------------------------------------------------------------------------------------------------------------


def scene():
    """A near square, out of focus, before a far plane in focus."""
    radius = torch.zeros(1, 48, 64)
    radius[:, 16:32, 20:44] = -6.0
    return photo(), DefocusMap.from_radius(radius)


def test_revealed_is_the_rim_inside_a_blurred_foreground():
    _, defocus = scene()
    share = bokeh.revealed(defocus)
    assert float(share[0, 24, 22]) > 0.1 and float(share[0, 24, 32]) < 0.02 and float(share[0, 4, 4]) < 1e-3
    mask = generative.revealed_mask(share, grow_px=2)
    assert float(mask[0, 24, 22]) == 1 and float(mask[0, 4, 4]) == 0
    assert float(mask.min()) >= 0 and float(mask.max()) <= 1


def test_hybrid_changes_only_what_was_revealed(genfocus, lora):
    image, defocus = scene()
    render = bokeh.render(image, defocus, None)
    mask = generative.revealed_mask(bokeh.revealed(defocus), grow_px=2)
    out = generative.redraw(image, defocus.radius_px, render, mask, genfocus.sampler(lora, "bokeh", steps=4), strength=0.5)
    outside = mask[0] == 0
    assert outside.any() and torch.equal(out[..., outside], render[..., outside])
    assert float((out - render)[..., mask[0] > 0.9].abs().mean()) > 1e-3
    nothing = generative.redraw(image, defocus.radius_px, render, mask * 0, lambda *a, **k: 1 / 0)
    assert torch.equal(nothing, render)


# --- command line -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def files(tmp_path_factory, lora):
    folder = tmp_path_factory.mktemp("flux")
    tiny_flux.transformer().save_pretrained(folder / "flux" / "transformer")
    tiny_flux.autoencoder().save_pretrained(folder / "flux" / "vae")
    generative.save_prompts(folder / "prompts.safetensors", prompts())
    for layout in ("deblur", "bokeh"):
        generative.save_lora(folder / f"{layout}.safetensors", lora.factors, layout=layout, dtype=torch.float32)
    pictures.save(folder / "photo.png", photo(), bits=16)
    pictures.save_map(folder / "depth.png", torch.linspace(0.1, 0.9, 64).expand(48, 64))
    return folder


@pytest.mark.parametrize("method", ["generative", "hybrid"])
def test_command_line(files, tmp_path, method):
    given = (
        f"{files}/photo.png --depth {files}/depth.png --refine 0 --focus 0.5,0.5 --blur 8 --deblur generative --method {method} "
    )
    given += f"--flux {files}/flux --prompts {files}/prompts.safetensors --deblur-lora {files}/deblur.safetensors --bokeh-lora "
    given += f"{files}/bokeh.safetensors --steps 2 --seed 3 --device cpu -q --save-sharp {tmp_path}/sharp.tif -o {tmp_path}/o.tif"
    assert cli.main([*given.split(), "--bits", "32f"]) == 0
    sharp, out = (pictures.load(tmp_path / f"{n}.tif").image for n in ("sharp", "o"))
    model = generative.Genfocus.from_pretrained(files / "flux", prompts=files / "prompts.safetensors", dtype=torch.float32)
    source = pictures.load(files / "photo.png").image
    expected = generative.deblur(source, model.sampler(files / "deblur.safetensors", "deblur", steps=2, seed=3))
    torch.testing.assert_close(sharp, expected, atol=1e-4, rtol=0)
    assert out.shape == sharp.shape and float((out - sharp).abs().mean()) > 1e-3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--method generative", "needs --flux and --bokeh-lora"),
        ("--deblur generative --flux x", "needs --deblur-lora"),
        ("--flux x", "add one"),
        ("--method generative --flux x --bokeh-lora y --aperture heart", "no --aperture"),
        ("--method generative --flux x --bokeh-lora y", "--flux x: There is no file of this name"),
    ],
)
def test_command_line_says_what_is_missing(files, tmp_path, capsys, options, message):
    prompts_file = f" --prompts {files}/prompts.safetensors"
    given = f"{files}/photo.png --depth {files}/depth.png -o {tmp_path}/o.png {options}{prompts_file}"
    assert cli.main(given.split()) == 2
    assert message in capsys.readouterr().err
