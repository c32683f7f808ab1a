"""Binds the forward pass to diffusers' FluxTransformer2DModel, which is not imported. Adapters are peft's, or files."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from torch import Tensor, nn

from .. import forward
from ..forward import Backbone, DoubleBlock, Factors, Projection, SingleBlock
from ..lora import Lora
from .adapter import Find, Project, check_names, low_rank


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
    check_names(found, f"Adapter '{adapter}'")
    return found


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
        check_names(adapter.factors, "The LoRA")
        find: Find = adapter.factors.get
    else:
        find = (lambda _name: None) if adapter is None else adapter_factors(transformer, adapter).get
    dim: int = model.inner_dim

    def project(layers: Sequence[nn.Module], names: Sequence[str], widths: Sequence[int]) -> Projection:
        return Projection([_base(layer) for layer in layers], widths, low_rank(find, names, widths, like))

    double = [_double(b, f"transformer_blocks.{i}.", dim, project) for i, b in enumerate(model.transformer_blocks)]
    single = [_single(b, f"single_transformer_blocks.{i}.", dim, project) for i, b in enumerate(model.single_transformer_blocks)]
    return Backbone(
        heads=model.config.num_attention_heads,
        axes=model.config.axes_dims_rope,
        embed=project([model.x_embedder], ["x_embedder"], [dim]),
        embed_text=_base(model.context_embedder),
        vector=partial(_vector, model, bool(model.config.guidance_embeds), like),
        finish=lambda x, v: model.proj_out(model.norm_out(x, v)),
        double=double,
        single=single,
        checkpointing=bool(getattr(model, "gradient_checkpointing", False)),
    )


def _vector(model: Any, guided: bool, like: Tensor, timestep: Tensor, guidance: Tensor | None, pooled: Tensor) -> Tensor:
    """`Backbone.vector`."""
    t = timestep.to(like) * 1000
    if not guided:
        return model.time_text_embed(t, pooled)
    if guidance is None:
        raise ValueError("This FLUX model needs guidance (e.g. 3.5), but it is None.")
    return model.time_text_embed(t, guidance.to(like) * 1000, pooled)


def _double(block: Any, at: str, dim: int, project: Project) -> DoubleBlock:
    """A block whose name begins with `at`."""
    a = block.attn
    return DoubleBlock(
        modulation=project([block.norm1.linear], [at + "norm1.linear"], [6 * dim]),
        text_modulation=_base(block.norm1_context.linear),
        qkv=project([a.to_q, a.to_k, a.to_v], [at + f"attn.to_{c}" for c in "qkv"], [dim] * 3),
        text_qkv=Projection([_base(m) for m in (a.add_q_proj, a.add_k_proj, a.add_v_proj)], [dim] * 3),
        norm_q=a.norm_q,
        norm_k=a.norm_k,
        text_norm_q=a.norm_added_q,
        text_norm_k=a.norm_added_k,
        out=project([a.to_out[0]], [at + "attn.to_out.0"], [dim]),
        text_out=_base(a.to_add_out),
        mlp_in=project([block.ff.net[0].proj], [at + "ff.net.0.proj"], [4 * dim]),
        mlp_out=project([block.ff.net[2]], [at + "ff.net.2"], [dim]),
        text_mlp_in=_base(block.ff_context.net[0].proj),
        text_mlp_out=_base(block.ff_context.net[2]),
    )


def _single(block: Any, at: str, dim: int, project: Project) -> SingleBlock:
    """As `_double`."""
    a = block.attn
    return SingleBlock(
        modulation=project([block.norm.linear], [at + "norm.linear"], [3 * dim]),
        projections=project(
            [a.to_q, a.to_k, a.to_v, block.proj_mlp],
            [*(at + f"attn.to_{c}" for c in "qkv"), at + "proj_mlp"],
            [dim, dim, dim, block.mlp_hidden_dim],
        ),
        norm_q=a.norm_q,
        norm_k=a.norm_k,
        out=project([block.proj_out], [at + "proj_out"], [dim]),
    )
