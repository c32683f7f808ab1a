"""The conditional forward pass of FLUX.1: text, noisy image and one or more condition pictures, in one place for every host.

Mathematics (OminiControl, arXiv 2411.15098, as the released Genfocus weights, arXiv 2512.16923, were trained with it):

* Every branch (text, image, each condition) has its own adaptive norms and gates. Text and image are modulated by the
  time step, the guidance and the pooled prompt; a condition by time 0, guidance 1 and the same prompt.
* The low-rank adapter acts on condition tokens only; text and image run on the base weights.
* Attention is joint, except that two conditions do not see each other.

For speed, image and condition tokens share one call of every linear layer (the weights are read, converted or fetched from
main memory once), the adapter is added to the condition rows in place with one down-projection for all layers that share an
input, and attention needs no mask: one call where there is one condition, else one more for each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

Layer = Callable[[Tensor], Tensor]
Attention = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(q, k, v), each [B,L,heads,d] -> [B,L,heads*d]."""
Factors = tuple[Tensor, Tensor]
"""A [r,in] and B [out,r] of a low-rank addition x -> B A x."""


class LowRank:
    """Low-rank additions of layers that share an input: one down-projection for all, one up-projection each."""

    def __init__(self, factors: Sequence[Factors | None], like: Tensor) -> None:
        """`factors`: one entry for each output, None where it has no addition. Cast to type and device of `like`."""
        found = [f for f in factors if f is not None]
        self.down = torch.cat([a.to(like) for a, _ in found])
        self.up = [None if f is None else f[1].to(like).t() for f in factors]
        self.ranks = [0 if f is None else f[0].shape[0] for f in factors]

    def add_(self, x: Tensor, outputs: Sequence[Tensor]) -> None:
        """Add to `outputs` (views [B,M,out]) what the additions make of `x` [B,M,in]. Differentiable."""
        hidden = F.linear(x, self.down).split(self.ranks, -1)
        for h, up, out in zip(hidden, self.up, outputs, strict=True):
            if up is not None:
                out.baddbmm_(h, up.expand(x.shape[0], -1, -1))


@dataclass
class Projection:
    """Linear layers that share an input.

    Attributes:
        layers: the layers with their base weights: one for each output, or a single fused one.
        widths: width of each output.
        low_rank: what is added on condition rows, or None.
    """

    layers: Sequence[Layer]
    widths: Sequence[int]
    low_rank: LowRank | None = None

    def __call__(self, x: Tensor, start: int) -> list[Tensor]:
        """`x` [B,L,in] -> the outputs [B,L,width]. Rows from `start` on are conditions."""
        if len(self.layers) == len(self.widths):
            out = [layer(x) for layer in self.layers]
        else:
            fused, offset, out = self.layers[0](x), 0, []
            for width in self.widths:
                out.append(fused.narrow(-1, offset, width))
                offset += width
        if self.low_rank is not None and start < x.shape[1]:
            self.low_rank.add_(x[:, start:], [o[:, start:] for o in out])
        return out


@dataclass
class DoubleBlock:
    """Parts of a block with separate weights for text and pictures. A modulation is shift, scale, gate, twice."""

    modulation: Projection
    text_modulation: Layer
    qkv: Projection
    text_qkv: Projection
    norm_q: Layer
    norm_k: Layer
    text_norm_q: Layer
    text_norm_k: Layer
    out: Projection
    text_out: Layer
    mlp_in: Projection
    mlp_out: Projection
    text_mlp_in: Layer
    text_mlp_out: Layer


@dataclass
class SingleBlock:
    """Parts of a block over all tokens. `projections` gives q, k, v and the MLP's hidden values."""

    modulation: Projection
    projections: Projection
    norm_q: Layer
    norm_k: Layer
    out: Projection


def scaled_dot_product(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """`Attention` by torch."""
    out = F.scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2))
    return out.transpose(1, 2).flatten(2)


@dataclass
class Backbone:
    """A FLUX.1 transformer with an adapter bound to it, as the forward pass sees it.

    Attributes:
        heads: number of attention heads.
        axes: rotary dimensions of the three position axes; their sum is the size of a head.
        embed: picture tokens -> hidden; `embed_text`: text tokens -> hidden.
        vector: (timestep, guidance or None, pooled) -> [B,D], before the activation.
        finish: (hidden image tokens, vector) -> velocity.
        attention: how to attend.
        checkpointing: keep only the borders of blocks for the backward pass.
    """

    heads: int
    axes: Sequence[int]
    embed: Projection
    embed_text: Layer
    vector: Callable[[Tensor, Tensor | None, Tensor], Tensor]
    finish: Callable[[Tensor, Tensor], Tensor]
    double: Sequence[DoubleBlock]
    single: Sequence[SingleBlock]
    attention: Attention = scaled_dot_product
    theta: float = 10000.0
    checkpointing: bool = False


@dataclass
class _Context:
    """What every block needs of this call."""

    text: int
    image: int
    conditions: list[int]
    heads: int
    turn: Tensor | tuple[Tensor, Tensor]
    attention: Attention
    silu_vectors: Tensor = field(repr=False)

    @property
    def main(self) -> int:
        """Text and image tokens; conditions follow."""
        return self.text + self.image


def rotary(ids: Tensor, axes: Sequence[int], theta: float) -> Tensor | tuple[Tensor, Tensor]:
    """Position ids [L,3] or [B,L,3] -> e^(i angle) of the rotary angles [...,L,1,d/2], computed in float64.

    complex64 where the device multiplies complex numbers well (a third of the memory traffic), else cos and sin.
    """
    device = ids.device
    where = torch.device("cpu") if device.type in ("mps", "xpu", "privateuseone") else device  # these lack float64
    position = ids.to(where).float().double()
    angles: list[Tensor] = []
    for axis, size in enumerate(axes):
        frequency = theta ** -(torch.arange(0, size, 2, dtype=torch.float64, device=where) / size)
        angles.append(position[..., axis, None] * frequency)
    angle = torch.cat(angles, -1).unsqueeze(-2)
    cos, sin = angle.cos().float().to(device), angle.sin().float().to(device)
    return torch.complex(cos, sin) if device.type in ("cpu", "cuda") else (cos, sin)


def _rotate(x: Tensor, turn: Tensor | tuple[Tensor, Tensor], dtype: torch.dtype) -> Tensor:
    pairs = x.float().unflatten(-1, (-1, 2))
    if isinstance(turn, Tensor):
        return torch.view_as_real(torch.view_as_complex(pairs) * turn).flatten(-2).to(dtype)
    (cos, sin), (a, b) = turn, pairs.unbind(-1)
    return torch.stack((a * cos - b * sin, b * cos + a * sin), -1).flatten(-2).to(dtype)


def _norm(x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], eps=1e-6)


def _parts(x: Tensor, start: int, count: int) -> list[Tensor]:
    return [x] if count == 1 else [x[:, :start], x[:, start:]]


def _modulate(x: Tensor, start: int, shift: Tensor, scale: Tensor) -> Tensor:
    """Shift and scale [B,P,D] on a fresh `x` [B,L,D]: P = 1 for all rows, P = 2 for those before and from `start` on."""
    parts = _parts(x, start, shift.shape[1])
    pairs = zip(parts, shift.split(1, 1), scale.split(1, 1), strict=True)
    if torch.is_grad_enabled():
        return torch.cat([torch.addcmul(b, p, 1 + s) for p, b, s in pairs], 1)
    for p, b, s in pairs:
        torch.addcmul(b, p, 1 + s, out=p)
    return x


def _add(x: Tensor, start: int, gate: Tensor, change: Tensor) -> Tensor:
    """x + gate * change, with the gate [B,P,D] of the part. Overwrites `x` where no gradient is wanted."""
    pairs = zip(_parts(x, start, gate.shape[1]), gate.split(1, 1), _parts(change, start, gate.shape[1]), strict=True)
    if torch.is_grad_enabled():
        x = torch.cat([torch.addcmul(p, g, c) for p, g, c in pairs], 1)
    else:
        for p, g, c in pairs:
            p.addcmul_(g, c)
    return x.clamp(-65504, 65504) if x.dtype == torch.float16 else x


def _attend(q: Tensor, k: Tensor, v: Tensor, ctx: _Context) -> Tensor:
    """Joint attention over [B,L,heads,d]; a condition sees text, image and itself."""
    q, k = (_rotate(t, ctx.turn, v.dtype) for t in (q, k))
    if len(ctx.conditions) <= 1:
        return ctx.attention(q, k, v)
    main, begin = ctx.main, ctx.main
    out = [ctx.attention(q[:, :main], k, v)]
    for length in ctx.conditions:
        own = slice(begin, begin + length)
        if begin == main:
            keys, values = k[:, : own.stop], v[:, : own.stop]
        else:
            keys, values = (torch.cat((t[:, :main], t[:, own]), 1) for t in (k, v))
        out.append(ctx.attention(q[:, own], keys, values))
        begin += length
    return torch.cat(out, 1)


def _double(block: DoubleBlock, x: Tensor, text: Tensor, ctx: _Context) -> tuple[Tensor, Tensor]:
    n = ctx.image
    shift1, scale1, gate1, shift2, scale2, gate2 = block.modulation(ctx.silu_vectors, 1)[0].chunk(6, -1)
    t_shift1, t_scale1, t_gate1, t_shift2, t_scale2, t_gate2 = block.text_modulation(ctx.silu_vectors[:, :1]).chunk(6, -1)

    q, k, v = (t.unflatten(-1, (ctx.heads, -1)) for t in block.qkv(_modulate(_norm(x), n, shift1, scale1), n))
    tq, tk, tv = (
        t.unflatten(-1, (ctx.heads, -1)) for t in block.text_qkv(_modulate(_norm(text), 0, t_shift1, t_scale1), ctx.text)
    )
    mixed = _attend(
        torch.cat((block.text_norm_q(tq), block.norm_q(q)), 1),
        torch.cat((block.text_norm_k(tk), block.norm_k(k)), 1),
        torch.cat((tv, v), 1),
        ctx,
    )
    del q, k, v, tq, tk, tv
    x = _add(x, n, gate1, block.out(mixed[:, ctx.text :], n)[0])
    text = _add(text, 0, t_gate1, block.text_out(mixed[:, : ctx.text]))

    hidden = F.gelu(block.mlp_in(_modulate(_norm(x), n, shift2, scale2), n)[0], approximate="tanh")
    x = _add(x, n, gate2, block.mlp_out(hidden, n)[0])
    hidden = F.gelu(block.text_mlp_in(_modulate(_norm(text), 0, t_shift2, t_scale2)), approximate="tanh")
    return x, _add(text, 0, t_gate2, block.text_mlp_out(hidden))


def _single(block: SingleBlock, x: Tensor, ctx: _Context) -> Tensor:
    main = ctx.main
    shift, scale, gate = block.modulation(ctx.silu_vectors, 1)[0].chunk(3, -1)
    q, k, v, hidden = block.projections(_modulate(_norm(x), main, shift, scale), main)
    q, k, v = (t.unflatten(-1, (ctx.heads, -1)) for t in (q, k, v))
    q, k = block.norm_q(q), block.norm_k(k)
    mixed = _attend(q, k, v, ctx)
    del q, k, v  # large, and no longer needed beside the MLP
    out = block.out(torch.cat((mixed, F.gelu(hidden, approximate="tanh")), -1), main)[0]
    return _add(x, main, gate, out)


def run(
    backbone: Backbone,
    *,
    latents: Tensor,
    conditions: Sequence[Tensor],
    text: Tensor,
    pooled: Tensor,
    timestep: Tensor,
    guidance: Tensor | None,
    image_ids: Tensor,
    condition_ids: Sequence[Tensor],
) -> Tensor:
    """The conditional forward on a bound backbone; see `conditional_forward` for the arguments."""
    batch, n = latents.shape[:2]
    checked = [("image", image_ids, latents)]
    if len(conditions) != len(condition_ids):
        raise ValueError(f"There are {len(conditions)} conditions but {len(condition_ids)} condition_ids. Give one for each.")
    checked += [(f"condition {i}", ids, c) for i, (ids, c) in enumerate(zip(condition_ids, conditions, strict=True))]
    for name, ids, tokens in checked:
        if tokens.ndim != 3 or tokens.shape[0] != batch:
            raise ValueError(f"The tokens of {name} must have the shape [{batch},N,C], got {list(tokens.shape)}.")
        if ids.shape[-2:] != (tokens.shape[1], 3):
            raise ValueError(f"The position ids of {name} must have the shape [{tokens.shape[1]},3], got {list(ids.shape)}.")
    if text.shape[0] != batch or pooled.shape[0] != batch:
        raise ValueError(
            f"text and pooled must have the batch of the latents ({batch}), got {text.shape[0]} and {pooled.shape[0]}."
        )

    x = backbone.embed(torch.cat((latents, *conditions), 1), n)[0]
    hidden_text = backbone.embed_text(text)
    timestep = timestep.reshape(-1).expand(batch)
    guidance = None if guidance is None else guidance.reshape(-1).expand(batch)
    vector = backbone.vector(timestep, guidance, pooled)
    vectors = [vector]
    if conditions:
        still = None if guidance is None else torch.ones_like(guidance)
        vectors.append(backbone.vector(torch.zeros_like(timestep), still, pooled))
    ids = [i if i.ndim == 3 else i[None] for i in (image_ids.new_zeros(text.shape[1], 3), image_ids, *condition_ids)]
    rows = max(i.shape[0] for i in ids)
    turn = rotary(torch.cat([i.expand(rows, -1, -1) for i in ids], 1), backbone.axes, backbone.theta)
    ctx = _Context(
        text=text.shape[1],
        image=n,
        conditions=[c.shape[1] for c in conditions],
        heads=backbone.heads,
        turn=turn,
        attention=backbone.attention,
        silu_vectors=F.silu(torch.stack(vectors, 1)),
    )
    saving = backbone.checkpointing and torch.is_grad_enabled()
    for block in backbone.double:
        if saving:
            x, hidden_text = checkpoint(_double, block, x, hidden_text, ctx, use_reentrant=False)
        else:
            x, hidden_text = _double(block, x, hidden_text, ctx)
    x = torch.cat((hidden_text, x), 1)
    for block in backbone.single:
        x = checkpoint(_single, block, x, ctx, use_reentrant=False) if saving else _single(block, x, ctx)
    return backbone.finish(x[:, ctx.text : ctx.main], vector)
