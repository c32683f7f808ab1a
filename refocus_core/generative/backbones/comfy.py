"""Binds the forward pass to ComfyUI's own FLUX.1 model, which is not imported."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .. import forward
from ..forward import Attention, Backbone, DoubleBlock, Projection, SingleBlock
from ..lora import Lora
from .adapter import Find, Project, check_names, low_rank


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
    _check_flux1(flux)
    if lora is not None:
        check_names(lora.factors, "The LoRA")
    find: Find = (lambda _name: None) if lora is None else lora.factors.get
    dim: int = flux.hidden_size
    params = getattr(flux, "params", None)
    hidden = int(dim * params.mlp_ratio) if params is not None else 4 * dim

    def project(layers: Sequence[nn.Module], names: Sequence[str], widths: Sequence[int]) -> Projection:
        return Projection(layers, widths, low_rank(find, names, widths, like))

    double = [_double(b, f"transformer_blocks.{i}.", dim, hidden, project) for i, b in enumerate(flux.double_blocks)]
    single = [_single(b, f"single_transformer_blocks.{i}.", dim, hidden, project) for i, b in enumerate(flux.single_blocks)]
    return Backbone(
        heads=flux.num_heads,
        axes=flux.pe_embedder.axes_dim,
        embed=project([flux.img_in], ["x_embedder"], [dim]),
        embed_text=flux.txt_in,
        vector=partial(_vector, flux, like),
        finish=partial(_finish, flux),
        double=double,
        single=single,
        attention=attention,
        theta=flux.pe_embedder.theta,
    )


def _check_flux1(flux: Any) -> None:
    """Refuse other models, and relatives of FLUX.1 that compute otherwise."""
    if not all(hasattr(flux, a) for a in ("double_blocks", "single_blocks", "img_in", "txt_in", "time_in", "vector_in")):
        raise ValueError(f"This MODEL is {type(flux).__name__}, not FLUX.1. Genfocus was trained on FLUX.1-dev: load that one.")
    params = getattr(flux, "params", None)
    if any(getattr(params, a, False) for a in ("global_modulation", "mlp_silu_act", "yak_mlp", "txt_norm")) or (
        flux.vector_in is None or len(flux.pe_embedder.axes_dim) != 3
    ):
        raise ValueError("This MODEL is a later FLUX or a relative of it. Genfocus was trained on FLUX.1-dev: load that one.")


def _vector(flux: Any, like: Tensor, timestep: Tensor, guidance: Tensor | None, pooled: Tensor) -> Tensor:
    """`Backbone.vector`."""
    v = flux.time_in(time_embedding(timestep).to(like))
    if flux.params.guidance_embed and guidance is not None:
        v = v + flux.guidance_in(time_embedding(guidance).to(like))
    return v + flux.vector_in(pooled.to(like))


def _finish(flux: Any, x: Tensor, v: Tensor) -> Tensor:
    """`Backbone.finish`."""
    last = flux.final_layer
    shift, scale = last.adaLN_modulation[1](F.silu(v))[:, None].chunk(2, -1)
    return last.linear(torch.addcmul(shift, F.layer_norm(x, x.shape[-1:], eps=1e-6), 1 + scale))


def _double(block: Any, at: str, dim: int, hidden: int, project: Project) -> DoubleBlock:
    """A block whose name in diffusers' naming begins with `at`; `hidden`: width inside its MLP."""
    return DoubleBlock(
        modulation=project([block.img_mod.lin], [at + "norm1.linear"], [6 * dim]),
        text_modulation=block.txt_mod.lin,
        qkv=project([block.img_attn.qkv], [at + f"attn.to_{c}" for c in "qkv"], [dim] * 3),
        text_qkv=Projection([block.txt_attn.qkv], [dim] * 3),
        norm_q=block.img_attn.norm.query_norm,
        norm_k=block.img_attn.norm.key_norm,
        text_norm_q=block.txt_attn.norm.query_norm,
        text_norm_k=block.txt_attn.norm.key_norm,
        out=project([block.img_attn.proj], [at + "attn.to_out.0"], [dim]),
        text_out=block.txt_attn.proj,
        mlp_in=project([block.img_mlp[0]], [at + "ff.net.0.proj"], [hidden]),
        mlp_out=project([block.img_mlp[2]], [at + "ff.net.2"], [dim]),
        text_mlp_in=block.txt_mlp[0],
        text_mlp_out=block.txt_mlp[2],
    )


def _single(block: Any, at: str, dim: int, hidden: int, project: Project) -> SingleBlock:
    """As `_double`."""
    names = [*(at + f"attn.to_{c}" for c in "qkv"), at + "proj_mlp"]
    return SingleBlock(
        modulation=project([block.modulation.lin], [at + "norm.linear"], [3 * dim]),
        projections=project([block.linear1], names, [dim, dim, dim, hidden]),
        norm_q=block.norm.query_norm,
        norm_k=block.norm.key_norm,
        out=project([block.linear2], [at + "proj_out"], [dim]),
    )
