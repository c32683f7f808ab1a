"""A FLUX.1 transformer of toy size with random weights, in diffusers' layout; what the tests of the generative route share."""

from __future__ import annotations

import torch
from diffusers import AutoencoderKL, FluxTransformer2DModel
from peft import LoraConfig
from torch import Tensor

from refocus_core import generative

AXES = (4, 6, 6)
HEADS = 2
TEXT = 24
POOLED = 20


def transformer(seed: int = 0) -> FluxTransformer2DModel:
    torch.manual_seed(seed)
    return FluxTransformer2DModel(
        in_channels=64,
        num_layers=2,
        num_single_layers=2,
        attention_head_dim=sum(AXES),
        num_attention_heads=HEADS,
        joint_attention_dim=TEXT,
        pooled_projection_dim=POOLED,
        guidance_embeds=True,
        axes_dims_rope=AXES,
    ).eval()


def with_adapter(model: FluxTransformer2DModel, name: str = "probe", rank: int = 4) -> FluxTransformer2DModel:
    """`model` with a peft adapter on the layers of the released ones. Its alpha is not its rank: the scale must not matter."""
    torch.manual_seed(1)
    modules = generative.RELEASED_MODULES
    model.add_adapter(LoraConfig(r=rank, lora_alpha=1, target_modules=modules, init_lora_weights=False), adapter_name=name)
    return model


def autoencoder() -> AutoencoderKL:
    """With FLUX.1's channels, scale and shift, and three halvings."""
    torch.manual_seed(3)
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(8, 8, 8, 8),
        norm_num_groups=4,
        latent_channels=16,
        scaling_factor=0.3611,
        shift_factor=0.1159,
        use_quant_conv=False,
        use_post_quant_conv=False,
    ).eval()


def authors_state(model: FluxTransformer2DModel) -> dict[str, Tensor]:
    """The weights under the names of FLUX.1's authors, as in ComfyUI: q, k, v fused, shift before scale at the end."""
    s = model.state_dict()
    out = {}

    def move(theirs: str, *ours: str) -> None:
        for leaf in ("weight", "bias"):
            if f"{ours[0]}.{leaf}" in s:
                out[f"{theirs}.{leaf}"] = torch.cat([s[f"{o}.{leaf}"] for o in ours])

    for theirs, ours in {"time_in": "timestep", "vector_in": "text", "guidance_in": "guidance"}.items():
        move(f"{theirs}.in_layer", f"time_text_embed.{ours}_embedder.linear_1")
        move(f"{theirs}.out_layer", f"time_text_embed.{ours}_embedder.linear_2")
    move("img_in", "x_embedder")
    move("txt_in", "context_embedder")
    move("final_layer.linear", "proj_out")
    for leaf in ("weight", "bias"):
        scale, shift = s[f"norm_out.linear.{leaf}"].chunk(2)
        out[f"final_layer.adaLN_modulation.1.{leaf}"] = torch.cat([shift, scale])
    for i in range(len(model.transformer_blocks)):
        o, t = f"transformer_blocks.{i}.", f"double_blocks.{i}."
        text = ("add_q_proj", "add_k_proj", "add_v_proj")
        for side, norm, ff, qkv, proj, qk in (
            ("img", "norm1", "ff", ("to_q", "to_k", "to_v"), "to_out.0", ("norm_q", "norm_k")),
            ("txt", "norm1_context", "ff_context", text, "to_add_out", ("norm_added_q", "norm_added_k")),
        ):
            move(f"{t}{side}_mod.lin", f"{o}{norm}.linear")
            move(f"{t}{side}_attn.qkv", *(f"{o}attn.{n}" for n in qkv))
            move(f"{t}{side}_attn.proj", f"{o}attn.{proj}")
            move(f"{t}{side}_mlp.0", f"{o}{ff}.net.0.proj")
            move(f"{t}{side}_mlp.2", f"{o}{ff}.net.2")
            out[f"{t}{side}_attn.norm.query_norm.scale"] = s[f"{o}attn.{qk[0]}.weight"]
            out[f"{t}{side}_attn.norm.key_norm.scale"] = s[f"{o}attn.{qk[1]}.weight"]
    for i in range(len(model.single_transformer_blocks)):
        o, t = f"single_transformer_blocks.{i}.", f"single_blocks.{i}."
        move(f"{t}modulation.lin", f"{o}norm.linear")
        move(f"{t}linear1", f"{o}attn.to_q", f"{o}attn.to_k", f"{o}attn.to_v", f"{o}proj_mlp")
        move(f"{t}linear2", f"{o}proj_out")
        out[f"{t}norm.query_norm.scale"] = s[f"{o}attn.norm_q.weight"]
        out[f"{t}norm.key_norm.scale"] = s[f"{o}attn.norm_k.weight"]
    return out


def ids(rows: int, columns: int, right: int = 0) -> Tensor:
    out = torch.zeros(rows, columns, 3)
    out[..., 1] = torch.arange(rows)[:, None]
    out[..., 2] = torch.arange(columns) + right
    return out.flatten(0, 1)


def call(conditions: int, batch: int = 2, rows: int = 3, columns: int = 4) -> dict:
    """Arguments of `conditional_forward`, without transformer and adapter."""
    g = torch.Generator().manual_seed(2)
    n = rows * columns
    return {
        "latents": torch.randn(batch, n, 64, generator=g),
        "conditions": [torch.randn(batch, n, 64, generator=g) for _ in range(conditions)],
        "text": torch.randn(batch, 5, TEXT, generator=g),
        "pooled": torch.randn(batch, POOLED, generator=g),
        "timestep": torch.tensor([0.7, 0.2])[:batch],
        "guidance": torch.full((batch,), 3.5),
        "image_ids": ids(rows, columns),
        "condition_ids": [ids(rows, columns, right) for right in (32, 0)[:conditions]],
    }
