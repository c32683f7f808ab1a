"""Binds the forward pass to a host's FLUX.1 transformer: diffusers' or ComfyUI's. Neither is imported.

Layers are always called as modules, never read: quantised, streamed and patched weights work as their host meant them to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import forward
from .forward import Attention, Backbone, DoubleBlock, Factors, LowRank, Projection, SingleBlock
from .lora import Lora, is_adaptable

Find = Callable[[str], Factors | None]
"""Module name in diffusers' naming -> its low-rank factors, or None."""


def _low_rank(find: Find, names: Sequence[str], widths: Sequence[int], like: Tensor) -> LowRank | None:
    factors = [find(name) for name in names]
    for name, width, f in zip(names, widths, factors, strict=True):
        if f is not None and f[1].shape[0] != width:
            raise ValueError(
                f"The adapter gives {f[1].shape[0]} values at {name}, where this model has {width}. It was made "
                "for a FLUX of another size."
            )
    return LowRank(factors, like) if any(f is not None for f in factors) else None


def conditional_forward(
    transformer: nn.Module,
    *,
    latents: Tensor,
    conditions: Sequence[Tensor],
    text: Tensor,
    pooled: Tensor,
    timestep: Tensor,
    guidance: Tensor | None,
    image_ids: Tensor,
    condition_ids: Sequence[Tensor],
    adapter: str | None,
) -> Tensor:
    """Velocity that FLUX.1 predicts for the image tokens, given condition pictures. Gradients flow.

    Conventions are diffusers': `FluxTransformer2DModel` multiplies time and guidance by 1000 itself, so does this.

    Args:
        transformer: diffusers' FluxTransformer2DModel. Its own forward, processors and attention settings are not used.
        latents: [B,N,64], packed noisy tokens.
        conditions: packed clean tokens [B,M,64] of each condition; empty gives the base model.
        text: [B,T,4096], prompt embedding of the T5 encoder. Its position ids are 0.
        pooled: [B,768], pooled prompt embedding of CLIP.
        timestep: [B] (or one value) in 0..1, 1 = noise.
        guidance: [B] (or one value), e.g. 3.5; not used by a model without guidance embedding, needed by one with it.
        image_ids: [N,3] position ids (0, row, column) of the image tokens.
        condition_ids: the same for each condition.
        adapter: name of the peft adapter on `transformer` that condition tokens run through, at scale 1 whatever its alpha and
            whether or not it is active; no other adapter has an effect. None: base weights everywhere.

    Returns:
        [B,N,64].

    Raises:
        ValueError: on shapes that do not fit together, an adapter that is not there or that changes other layers than those
            of picture tokens.
    """
    return forward.run(
        bind_diffusers(transformer, adapter, latents),
        latents=latents,
        conditions=conditions,
        text=text,
        pooled=pooled,
        timestep=timestep,
        guidance=guidance,
        image_ids=image_ids,
        condition_ids=condition_ids,
    )


def _base(module: nn.Module) -> Any:
    """The layer under peft's wrappers."""
    while isinstance(inner := getattr(module, "base_layer", None), nn.Module):
        if getattr(module, "merged", False):
            raise ValueError(
                "An adapter is merged into the transformer's weights, so it would act on all tokens. Unmerge it first."
            )
        module = inner
    return module


def adapter_factors(transformer: nn.Module, adapter: str) -> dict[str, Factors]:
    """The factors of a peft adapter on a diffusers transformer, as `save_lora` takes them: the parameters, not copies.

    Raises:
        ValueError: if there is no such adapter, or it is not a plain LoRA on layers of picture tokens.
    """
    found: dict[str, Factors] = {}
    others: set[str] = set()
    for name, layer in transformer.named_modules():
        module: Any = layer
        if not isinstance(getattr(module, "lora_A", None), nn.ModuleDict):
            continue
        down, up = module.lora_A, module.lora_B
        others.update(down.keys())
        if adapter in down:
            if adapter in getattr(module, "lora_magnitude_vector", ()) or getattr(up[adapter], "bias", None) is not None:
                raise ValueError(f"Adapter '{adapter}' is not a plain LoRA at {name} (DoRA or bias), which is not supported.")
            found[name] = (down[adapter].weight, up[adapter].weight)
    if not found:
        raise ValueError(f"The transformer has no LoRA adapter '{adapter}'. It has: {', '.join(sorted(others)) or 'none'}.")
    _check_names(found, f"Adapter '{adapter}'")
    return found


def _check_names(names: Iterable[str], what: str) -> None:
    for name in names:
        if not is_adaptable(name):
            raise ValueError(f"{what} changes {name}. A condition adapter changes layers of picture tokens only, not this one.")


def bind_diffusers(transformer: nn.Module, adapter: str | Lora | None, like: Tensor) -> Backbone:
    """The parts of diffusers' FluxTransformer2DModel, with an adapter.

    Args:
        transformer: the model.
        adapter: name of a peft adapter on it, or factors read by `load_lora`, or None.
        like: a tensor of the type and on the device of the computation.
    """
    model: Any = transformer
    if not all(hasattr(model, a) for a in ("transformer_blocks", "single_transformer_blocks", "x_embedder", "time_text_embed")):
        raise ValueError(f"{type(model).__name__} is not diffusers' FluxTransformer2DModel.")
    if isinstance(adapter, Lora):
        _check_names(adapter.factors, "The LoRA")
        find: Find = adapter.factors.get
    else:
        find = (lambda _name: None) if adapter is None else adapter_factors(transformer, adapter).get
    dim: int = model.inner_dim
    guided = bool(model.config.guidance_embeds)

    def project(layers: Sequence[nn.Module], names: Sequence[str], widths: Sequence[int]) -> Projection:
        return Projection([_base(layer) for layer in layers], widths, _low_rank(find, names, widths, like))

    def vector(timestep: Tensor, guidance: Tensor | None, pooled: Tensor) -> Tensor:
        t = timestep.to(like) * 1000
        if not guided:
            return model.time_text_embed(t, pooled)
        if guidance is None:
            raise ValueError("This FLUX model needs guidance (e.g. 3.5), but it is None.")
        return model.time_text_embed(t, guidance.to(like) * 1000, pooled)

    double: list[DoubleBlock] = []
    for i, b in enumerate(model.transformer_blocks):
        at = f"transformer_blocks.{i}."
        a = b.attn
        double.append(
            DoubleBlock(
                modulation=project([b.norm1.linear], [at + "norm1.linear"], [6 * dim]),
                text_modulation=_base(b.norm1_context.linear),
                qkv=project([a.to_q, a.to_k, a.to_v], [at + f"attn.to_{c}" for c in "qkv"], [dim] * 3),
                text_qkv=Projection([_base(m) for m in (a.add_q_proj, a.add_k_proj, a.add_v_proj)], [dim] * 3),
                norm_q=a.norm_q,
                norm_k=a.norm_k,
                text_norm_q=a.norm_added_q,
                text_norm_k=a.norm_added_k,
                out=project([a.to_out[0]], [at + "attn.to_out.0"], [dim]),
                text_out=_base(a.to_add_out),
                mlp_in=project([b.ff.net[0].proj], [at + "ff.net.0.proj"], [4 * dim]),
                mlp_out=project([b.ff.net[2]], [at + "ff.net.2"], [dim]),
                text_mlp_in=_base(b.ff_context.net[0].proj),
                text_mlp_out=_base(b.ff_context.net[2]),
            )
        )
    single: list[SingleBlock] = []
    for i, b in enumerate(model.single_transformer_blocks):
        at = f"single_transformer_blocks.{i}."
        a = b.attn
        single.append(
            SingleBlock(
                modulation=project([b.norm.linear], [at + "norm.linear"], [3 * dim]),
                projections=project(
                    [a.to_q, a.to_k, a.to_v, b.proj_mlp],
                    [*(at + f"attn.to_{c}" for c in "qkv"), at + "proj_mlp"],
                    [dim, dim, dim, b.mlp_hidden_dim],
                ),
                norm_q=a.norm_q,
                norm_k=a.norm_k,
                out=project([b.proj_out], [at + "proj_out"], [dim]),
            )
        )
    return Backbone(
        heads=model.config.num_attention_heads,
        axes=model.config.axes_dims_rope,
        embed=project([model.x_embedder], ["x_embedder"], [dim]),
        embed_text=_base(model.context_embedder),
        vector=vector,
        finish=lambda x, v: model.proj_out(model.norm_out(x, v)),
        double=double,
        single=single,
        checkpointing=bool(getattr(model, "gradient_checkpointing", False)),
    )


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
        _check_names(lora.factors, "The LoRA")
    find: Find = (lambda _name: None) if lora is None else lora.factors.get
    dim: int = flux.hidden_size
    hidden = int(dim * params.mlp_ratio) if params is not None else 4 * dim

    def project(layer: nn.Module, names: Sequence[str], widths: Sequence[int]) -> Projection:
        return Projection([layer], widths, _low_rank(find, names, widths, like))

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
