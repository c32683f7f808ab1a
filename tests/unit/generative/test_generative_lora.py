"""Adapter files: what is read, what is refused and how it is named, and the way back."""

import pytest
import torch
from safetensors.torch import save_file

from refocus_core import generative
from refocus_core.models import WeightsMismatchError
from tests.helpers import tiny_flux


def released(path, rank, doubles=19, singles=38, dim=4):
    """A file with the released names and shapes (but for the width)."""
    modules = {"x_embedder": (64, dim)}
    for i in range(doubles):
        p = f"transformer_blocks.{i}."
        modules |= {p + f"attn.to_{c}": (dim, dim) for c in "qkv"}
        modules |= {p + "norm1.linear": (dim, 6 * dim), p + "attn.to_out.0": (dim, dim), p + "ff.net.2": (4 * dim, dim)}
    for i in range(singles):
        p = f"single_transformer_blocks.{i}."
        modules |= {p + f"attn.to_{c}": (dim, dim) for c in "qkv"}
        modules |= {p + "norm.linear": (dim, 3 * dim), p + "proj_mlp": (dim, 4 * dim), p + "proj_out": (5 * dim, dim)}
    state = {}
    for name, (n_in, n_out) in modules.items():
        state[f"transformer.{name}.lora_A.weight"] = torch.zeros(rank, n_in, dtype=torch.bfloat16)
        state[f"transformer.{name}.lora_B.weight"] = torch.zeros(n_out, rank, dtype=torch.bfloat16)
    save_file(state, path)
    return state


@pytest.mark.parametrize(
    ("name", "rank", "task", "layout", "conditions"),
    [
        ("deblurNet.safetensors", 64, "deblur", "deblur", ("photo",)),
        ("deblurNet.safetensors", 32, "deblur", "deblur_black", ("black", "photo")),
        ("deblurNet_with_pre_deblur.safetensors", 64, "deblur", "pre_deblur", ("pre_deblurred", "photo")),
        ("bokehNet.safetensors", 64, "bokeh", "bokeh", ("photo", "defocus")),
        ("renamed.safetensors", 64, "bokeh", "bokeh", ("photo", "defocus")),
    ],
)
def test_released_files(tmp_path, name, rank, task, layout, conditions):
    state = released(tmp_path / name, rank)
    assert len(state) == 686
    lora = generative.load_lora(tmp_path / name)
    assert len(lora.factors) == 343 and lora.rank == rank
    found = lora.layout(task)
    assert (found.name, found.conditions) == (layout, conditions)
    assert found.columns == ((32, 0) if conditions[0] in ("black", "pre_deblurred") else (0,) * len(conditions))


def test_pre_deblurred_picture_chooses_the_layout(tmp_path):
    released(tmp_path / "a.safetensors", 64, 1, 1)
    assert generative.load_lora(tmp_path / "a.safetensors").layout("deblur", pre_deblurred=True).name == "pre_deblur"


def test_the_other_task_is_refused(tmp_path):
    released(tmp_path / "bokehNet.safetensors", 64, 1, 1)
    with pytest.raises(ValueError, match=r"adapter for 'bokeh'.*'deblur' is wanted"):
        generative.load_lora(tmp_path / "bokehNet.safetensors").layout("deblur")


@pytest.mark.parametrize(
    ("keys", "what"),
    [
        (["lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight"], "kohya"),
        (["lora_unet_down_blocks_0_attentions_0.lora_down.weight"], "Stable Diffusion"),
        (["transformer.transformer_blocks.0.attn.add_q_proj.lora_A.weight"], "text side"),
        (["double_blocks.0.img_attn.qkv.weight"], "FLUX diffusion model"),
        (["model.diffusion_model.input_blocks.0.0.weight"], "whole checkpoint"),
        (["decoder.conv_in.weight"], "a VAE"),
        (["text_model.encoder.layers.0.mlp.fc1.weight"], "text encoder"),
        (["stem.0.weight"], "begins with the tensor 'stem.0.weight'"),
    ],
)
def test_a_wrong_file_is_named(tmp_path, keys, what):
    save_file({k: torch.zeros(2, 2) for k in keys}, tmp_path / "x.safetensors")
    with pytest.raises(WeightsMismatchError, match=what):
        generative.load_lora(tmp_path / "x.safetensors")


def test_damaged_and_missing(tmp_path):
    state = released(tmp_path / "a.safetensors", 8, 1, 1)
    del state["transformer.x_embedder.lora_A.weight"]
    save_file(state, tmp_path / "a.safetensors")
    with pytest.raises(WeightsMismatchError, match="factors of x_embedder"):
        generative.load_lora(tmp_path / "a.safetensors")
    (tmp_path / "b.safetensors").write_bytes(b"no")
    with pytest.raises(WeightsMismatchError, match="not a readable safetensors"):
        generative.load_lora(tmp_path / "b.safetensors")
    with pytest.raises(FileNotFoundError, match=r"no LoRA file .*c\.safetensors"):
        generative.load_lora(tmp_path / "c.safetensors")


@torch.no_grad()
def test_a_file_gives_what_the_adapter_gave(tmp_path):
    """peft adapter -> file -> factors, with no peft: the same velocity. And the file loads into diffusers."""
    model = tiny_flux.with_adapter(tiny_flux.transformer())
    arguments = tiny_flux.call(1)
    expected = generative.conditional_forward(model, adapter="probe", **arguments)
    path = tmp_path / "deblur.safetensors"
    factors = generative.adapter_factors(model, "probe")
    generative.save_lora(path, factors, layout="deblur", dtype=torch.float32, metadata={"steps": "7"})
    lora = generative.load_lora(path)
    assert lora.layout("deblur").name == "deblur" and lora.metadata["steps"] == "7"
    plain = tiny_flux.transformer()
    bound = generative.bind_diffusers(plain, lora, arguments["latents"])
    torch.testing.assert_close(generative.run(bound, **arguments), expected, atol=1e-6, rtol=0)

    plain.load_lora_adapter(path, adapter_name="again")
    torch.testing.assert_close(generative.conditional_forward(plain, adapter="again", **arguments), expected, atol=1e-6, rtol=0)


def test_what_is_no_adapter_is_not_written(tmp_path):
    good = {"x_embedder": (torch.zeros(2, 64), torch.zeros(8, 2))}
    with pytest.raises(ValueError, match="Unknown layout 'sharpen'"):
        generative.save_lora(tmp_path / "a.safetensors", good, layout="sharpen")
    with pytest.raises(ValueError, match="context_embedder"):
        generative.save_lora(tmp_path / "a.safetensors", {"context_embedder": good["x_embedder"]}, layout="bokeh")


def test_a_model_of_another_size_is_refused(tmp_path):
    released(tmp_path / "a.safetensors", 8, 1, 1, dim=4)
    lora = generative.load_lora(tmp_path / "a.safetensors")
    with pytest.raises(ValueError, match=r"24 values at transformer_blocks\.0\.norm1\.linear, where this model has 192"):
        generative.bind_diffusers(tiny_flux.transformer(), lora, torch.zeros(1))
