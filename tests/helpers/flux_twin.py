"""The conditional forward of FLUX.1 once more: slow and obvious, in float64, straight from a state dict of diffusers' names.

Every branch picks its own set of weights (with the adapter multiplied in, or not), its own modulation and its own row of a
mask over all tokens. Nothing is shared with `refocus_core.generative`.
"""

from __future__ import annotations

import torch
from torch import Tensor


def adapted(state: dict[str, Tensor], factors: dict[str, tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    """The state with B A added to the weights."""
    out = dict(state)
    for module, (a, b) in factors.items():
        out[f"{module}.weight"] = state[f"{module}.weight"] + b.double() @ a.double()
    return out


def linear(w: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]


def layer_norm(x: Tensor) -> Tensor:
    return (x - x.mean(-1, keepdim=True)) / (x.var(-1, unbiased=False, keepdim=True) + 1e-6).sqrt()


def rms_norm(x: Tensor, weight: Tensor) -> Tensor:
    return x / (x.square().mean(-1, keepdim=True) + 1e-6).sqrt() * weight


def silu(x: Tensor) -> Tensor:
    return x / (1 + (-x).exp())


def gelu(x: Tensor) -> Tensor:
    return 0.5 * x * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (x + 0.044715 * x**3)))


def sinusoid(t: Tensor) -> Tensor:
    out = torch.zeros(len(t), 256, dtype=torch.float64)
    for i in range(128):
        f = 10000 ** (-i / 128)
        out[:, i], out[:, 128 + i] = (t * f).cos(), (t * f).sin()
    return out


def rotate(x: Tensor, ids: Tensor, axes: tuple[int, ...]) -> Tensor:
    """x [B,L,heads,d]: each pair of numbers turns by position / 10000^(2i/size) of its axis."""
    x = x.clone()
    at = 0
    for axis, size in enumerate(axes):
        for i in range(size // 2):
            angle = ids[:, axis].double() * 10000 ** (-2 * i / size)
            c, s = angle.cos()[None, :, None], angle.sin()[None, :, None]
            a, b = x[..., at].clone(), x[..., at + 1].clone()
            x[..., at], x[..., at + 1] = a * c - b * s, b * c + a * s
            at += 2
    return x


def attend(q: Tensor, k: Tensor, v: Tensor, seen: Tensor) -> Tensor:
    out = torch.zeros_like(q)
    for head in range(q.shape[2]):
        score = q[:, :, head] @ k[:, :, head].transpose(1, 2) / q.shape[-1] ** 0.5
        out[:, :, head] = score.masked_fill(~seen, -torch.inf).softmax(-1) @ v[:, :, head]
    return out.flatten(2)


def forward(
    state: dict[str, Tensor],
    factors: dict[str, tuple[Tensor, Tensor]],
    *,
    heads: int,
    axes: tuple[int, ...],
    latents: Tensor,
    conditions: list[Tensor],
    text: Tensor,
    pooled: Tensor,
    timestep: Tensor,
    guidance: Tensor,
    image_ids: Tensor,
    condition_ids: list[Tensor],
) -> Tensor:
    base = {k: v.double() for k, v in state.items()}
    changed = adapted(base, factors)
    tokens = [text.double(), latents.double(), *(c.double() for c in conditions)]
    count = len(tokens)
    weights = [base, base, *[changed] * len(conditions)]
    times = [timestep.double()] * 2 + [timestep.double() * 0] * len(conditions)
    guides = [guidance.double()] * 2 + [guidance.double() * 0 + 1] * len(conditions)
    ids = torch.cat([torch.zeros(text.shape[1], 3), image_ids, *condition_ids])
    owner = torch.cat([torch.full((t.shape[1],), i) for i, t in enumerate(tokens)])
    seen = (owner[:, None] < 2) | (owner[None] < 2) | (owner[:, None] == owner[None])

    def embedded(name: str, x: Tensor) -> Tensor:
        return linear(base, f"{name}.linear_2", silu(linear(base, f"{name}.linear_1", x)))

    vectors = [
        silu(
            embedded("time_text_embed.timestep_embedder", sinusoid(1000 * t))
            + embedded("time_text_embed.guidance_embedder", sinusoid(1000 * g))
            + embedded("time_text_embed.text_embedder", pooled.double())
        )
        for t, g in zip(times, guides, strict=True)
    ]
    names = ["context_embedder"] + ["x_embedder"] * (count - 1)
    x = [linear(w, name, t) for w, name, t in zip(weights, names, tokens, strict=True)]

    def split(q: list[Tensor]) -> Tensor:
        return torch.cat([t.unflatten(-1, (heads, -1)) for t in q], 1)

    block = 0
    while f"transformer_blocks.{block}.norm1.linear.weight" in base:
        p = f"transformer_blocks.{block}."
        mods, qs, ks, vs = [], [], [], []
        for i in range(count):
            w = weights[i]
            mod = linear(w, p + ("norm1_context.linear" if i == 0 else "norm1.linear"), vectors[i])[:, None].chunk(6, -1)
            h = layer_norm(x[i]) * (1 + mod[1]) + mod[0]
            names = ("add_q_proj", "add_k_proj", "add_v_proj") if i == 0 else ("to_q", "to_k", "to_v")
            norms = ("norm_added_q", "norm_added_k") if i == 0 else ("norm_q", "norm_k")
            q, k, v = (linear(w, f"{p}attn.{n}", h).unflatten(-1, (heads, -1)) for n in names)
            qs.append(rms_norm(q, base[f"{p}attn.{norms[0]}.weight"]).flatten(2))
            ks.append(rms_norm(k, base[f"{p}attn.{norms[1]}.weight"]).flatten(2))
            vs.append(v.flatten(2))
            mods.append(mod)
        mixed = attend(rotate(split(qs), ids, axes), rotate(split(ks), ids, axes), split(vs), seen)
        for i in range(count):
            w, mod = weights[i], mods[i]
            x[i] = x[i] + mod[2] * linear(w, p + ("attn.to_add_out" if i == 0 else "attn.to_out.0"), mixed[:, owner == i])
            h = layer_norm(x[i]) * (1 + mod[4]) + mod[3]
            ff = p + ("ff_context" if i == 0 else "ff")
            x[i] = x[i] + mod[5] * linear(w, f"{ff}.net.2", gelu(linear(w, f"{ff}.net.0.proj", h)))
        block += 1

    block = 0
    while f"single_transformer_blocks.{block}.norm.linear.weight" in base:
        p = f"single_transformer_blocks.{block}."
        gates, qs, ks, vs, hidden = [], [], [], [], []
        for i in range(count):
            w = weights[i]
            shift, scale, gate = linear(w, p + "norm.linear", vectors[i])[:, None].chunk(3, -1)
            h = layer_norm(x[i]) * (1 + scale) + shift
            q, k, v = (linear(w, f"{p}attn.{n}", h).unflatten(-1, (heads, -1)) for n in ("to_q", "to_k", "to_v"))
            qs.append(rms_norm(q, base[p + "attn.norm_q.weight"]).flatten(2))
            ks.append(rms_norm(k, base[p + "attn.norm_k.weight"]).flatten(2))
            vs.append(v.flatten(2))
            hidden.append(gelu(linear(w, p + "proj_mlp", h)))
            gates.append(gate)
        mixed = attend(rotate(split(qs), ids, axes), rotate(split(ks), ids, axes), split(vs), seen)
        for i in range(count):
            both = torch.cat([mixed[:, owner == i], hidden[i]], -1)
            x[i] = x[i] + gates[i] * linear(weights[i], p + "proj_out", both)
        block += 1

    scale, shift = linear(base, "norm_out.linear", vectors[1])[:, None].chunk(2, -1)
    return linear(base, "proj_out", layer_norm(x[1]) * (1 + scale) + shift)
