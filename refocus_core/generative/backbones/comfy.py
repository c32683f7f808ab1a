"""Binds the forward pass to ComfyUI's own FLUX.1 model, which is not imported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .. import forward
from ..forward import Attention, Backbone, DoubleBlock, Projection, SingleBlock
from ..lora import Lora
from .adapter import Find, check_names, low_rank


def time_embedding(t: Tensor, size: int = 256, max_period: float = 10000.0) -> Tensor:
    """Sinusoidal embedding of 1000 t, cosines first: [B] -> [B,size] float32 (FLUX.1, as Vaswani et al. 2017)."""
    frequency = torch.exp(-torch.log(torch.tensor(max_period)) * torch.arange(size // 2, dtype=torch.float32) / (size // 2))
    angle = 1000 * t.float()[:, None] * frequency.to(t.device)
    return torch.cat((angle.cos(), angle.sin()), -1)


def bind_comfy(model: nn.Module, lora: Lora | None, like: Tensor, attention: Attention = forward.scaled_dot_product) -> Backbone:
    """The parts of ComfyUI's own FLUX.1 model (`model.diffusion_model`), with an adapter.

    ComfyUI fuses q, k, v (and the MLP of single blocks) into one layer and keeps time in 0..1; guidance is as in diffusers.

    Args:
        model: the model.
        lora: factors read by `load_lora`, or None.
        like: a tensor of the type and on the device of the computation.
        attention: how to attend.

    Raises:
        ValueError: if it is not FLUX.1.
    """
    flux: Any = model
    params = getattr(flux, "params", None)
    if not all(hasattr(flux, a) for a in ("double_blocks", "single_blocks", "img_in", "txt_in", "time_in", "vector_in")):
        raise ValueError(f"This MODEL is {type(flux).__name__}, not FLUX.1. Genfocus was trained on FLUX.1-dev: load that one.")
    if any(getattr(params, a, False) for a in ("global_modulation", "mlp_silu_act", "yak_mlp", "txt_norm")) or (
        flux.vector_in is None or len(flux.pe_embedder.axes_dim) != 3
    ):
        raise ValueError("This MODEL is a later FLUX or a relative of it. Genfocus was trained on FLUX.1-dev: load that one.")
    if lora is not None:
        check_names(lora.factors, "The LoRA")
    find: Find = (lambda _name: None) if lora is None else lora.factors.get
    dim: int = flux.hidden_size
    hidden = int(dim * params.mlp_ratio) if params is not None else 4 * dim

    def project(layer: nn.Module, names: Sequence[str], widths: Sequence[int]) -> Projection:
        return Projection([layer], widths, low_rank(find, names, widths, like))

    def vector(timestep: Tensor, guidance: Tensor | None, pooled: Tensor) -> Tensor:
        v = flux.time_in(time_embedding(timestep).to(like))
        if flux.params.guidance_embed and guidance is not None:
            v = v + flux.guidance_in(time_embedding(guidance).to(like))
        return v + flux.vector_in(pooled.to(like))

    def finish(x: Tensor, v: Tensor) -> Tensor:
        last = flux.final_layer
        shift, scale = last.adaLN_modulation[1](F.silu(v))[:, None].chunk(2, -1)
        return last.linear(torch.addcmul(shift, F.layer_norm(x, x.shape[-1:], eps=1e-6), 1 + scale))

    double: list[DoubleBlock] = []
    for i, b in enumerate(flux.double_blocks):
        at = f"transformer_blocks.{i}."
        double.append(
            DoubleBlock(
                modulation=project(b.img_mod.lin, [at + "norm1.linear"], [6 * dim]),
                text_modulation=b.txt_mod.lin,
                qkv=project(b.img_attn.qkv, [at + f"attn.to_{c}" for c in "qkv"], [dim] * 3),
                text_qkv=Projection([b.txt_attn.qkv], [dim] * 3),
                norm_q=b.img_attn.norm.query_norm,
                norm_k=b.img_attn.norm.key_norm,
                text_norm_q=b.txt_attn.norm.query_norm,
                text_norm_k=b.txt_attn.norm.key_norm,
                out=project(b.img_attn.proj, [at + "attn.to_out.0"], [dim]),
                text_out=b.txt_attn.proj,
                mlp_in=project(b.img_mlp[0], [at + "ff.net.0.proj"], [hidden]),
                mlp_out=project(b.img_mlp[2], [at + "ff.net.2"], [dim]),
                text_mlp_in=b.txt_mlp[0],
                text_mlp_out=b.txt_mlp[2],
            )
        )
    single: list[SingleBlock] = []
    for i, b in enumerate(flux.single_blocks):
        at = f"single_transformer_blocks.{i}."
        names = [*(at + f"attn.to_{c}" for c in "qkv"), at + "proj_mlp"]
        single.append(
            SingleBlock(
                modulation=project(b.modulation.lin, [at + "norm.linear"], [3 * dim]),
                projections=project(b.linear1, names, [dim, dim, dim, hidden]),
                norm_q=b.norm.query_norm,
                norm_k=b.norm.key_norm,
                out=project(b.linear2, [at + "proj_out"], [dim]),
            )
        )
    return Backbone(
        heads=flux.num_heads,
        axes=flux.pe_embedder.axes_dim,
        embed=project(flux.img_in, ["x_embedder"], [dim]),
        embed_text=flux.txt_in,
        vector=vector,
        finish=finish,
        double=double,
        single=single,
        attention=attention,
        theta=flux.pe_embedder.theta,
    )
