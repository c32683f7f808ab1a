"""A FLUX.1 transformer of toy size with random weights, in diffusers' layout; what the tests of the generative route share."""

from __future__ import annotations

import torch
from diffusers import FluxTransformer2DModel
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
