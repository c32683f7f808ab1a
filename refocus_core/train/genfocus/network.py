"""FLUX.1 with the adapter that is trained, its loss, and sampling with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ...generative import RELEASED_MODULES, Layout, Lora, adapter_factors, bind_diffusers, load_lora, run
from ...generative.forward import Factors
from ...generative.prompts import Prompt
from ...generative.sampling import integrate, sigmas
from ...generative.tokens import pack, position_ids, unpack
from .training import Training

ADAPTER = "trained"
"""Name of the adapter that is trained."""
FROZEN = "frozen"
"""Name of the adapter under it that stays as it is."""


class Conditioned(nn.Module):
    """FLUX.1 with the adapter that is trained, and perhaps a frozen one under it.

    With a frozen adapter the two are one of the sum of their ranks: [A_0; A_1] and [B_0, B_1].
    """

    text: Tensor
    pooled: Tensor
    no_text: Tensor
    no_pooled: Tensor

    def __init__(self, transformer: nn.Module, layout: Layout, prompt: Prompt, empty: Prompt | None, frozen: bool) -> None:
        super().__init__()
        self.transformer = transformer
        self.layout, self.frozen, self.drops_prompt = layout, frozen, empty is not None
        dtype = next(transformer.parameters()).dtype
        for name, p in (("", prompt), ("no_", empty or prompt)):
            self.register_buffer(f"{name}text", p.text[0].to(dtype), persistent=False)
            self.register_buffer(f"{name}pooled", p.pooled[0].to(dtype), persistent=False)

    def lora(self) -> Lora:
        """The adapter that condition tokens run through; the tensors are the parameters themselves (or made of them)."""
        trained = adapter_factors(self.transformer, ADAPTER)
        return Lora(joined(adapter_factors(self.transformer, FROZEN), trained) if self.frozen else trained)

    def forward(
        self, noisy: Tensor, conditions: Sequence[Tensor], time: Tensor, guidance: Tensor, no_prompt: Tensor | None = None
    ) -> Tensor:
        """Velocity [B,C,h,w] of noisy latents [B,C,h,w], given condition latents."""
        batch, _, h, w = noisy.shape
        like = self.text
        text, pooled = self.text.expand(batch, -1, -1), self.pooled.expand(batch, -1)
        if no_prompt is not None and self.drops_prompt:
            text = torch.where(no_prompt[:, None, None], self.no_text, text)
            pooled = torch.where(no_prompt[:, None], self.no_pooled, pooled)
        device = noisy.device
        tokens = run(
            bind_diffusers(self.transformer, self.lora(), like),
            latents=pack(noisy).to(like),
            conditions=[pack(c).to(like) for c in conditions],
            text=text,
            pooled=pooled,
            timestep=time.to(like),
            guidance=guidance.to(like),
            image_ids=position_ids(h // 2, w // 2, device=device),
            condition_ids=[
                position_ids(c.shape[-2] // 2, c.shape[-1] // 2, right, device)
                for c, right in zip(conditions, self.layout.columns, strict=True)
            ],
        )
        return unpack(tokens.float(), h // 2, w // 2)


def joined(first: Mapping[str, Factors], second: Mapping[str, Factors]) -> dict[str, Factors]:
    """One adapter that does what two do together: their additions B A x add up."""
    out = dict(first)
    for name, (a, b) in second.items():
        if name in first:
            a, b = torch.cat([first[name][0].to(a), a]), torch.cat([first[name][1].to(b), b], 1)
        out[name] = (a, b)
    return out


def build(settings: Training, transformer: nn.Module, prompts: Mapping[str, Prompt]) -> Conditioned:
    """The network of a stage, with its adapters in place; only `ADAPTER` requires gradients.

    Raises:
        ValueError: if a prompt is missing, or `start` has another rank or other layers than the settings say.
    """
    layout = settings.sees
    for wording in [layout.prompt] + ([""] if settings.no_prompt else []):
        if wording not in prompts:
            raise ValueError(f"{settings.prompts} lacks the prompt '{wording}'. Make it again with the command `prompts`.")
    model: Any = transformer
    model.requires_grad_(False)
    if settings.frozen is not None:
        base = load_lora(settings.frozen)
        _fill(_add(model, FROZEN, base.rank, "|".join(m.replace(".", r"\.") for m in base.factors)), base.rank, base)
    torch.manual_seed(settings.run.seed)
    modules = RELEASED_MODULES if settings.modules == "released" else settings.modules
    factors = _add(model, ADAPTER, settings.rank, modules)
    if settings.start is not None:
        _fill(factors, settings.rank, load_lora(settings.start))
    for name, p in model.named_parameters():
        p.requires_grad_(f".{ADAPTER}." in name)
        if "lora_" in name:
            p.data = p.data.float()
    if settings.checkpointing:
        model.enable_gradient_checkpointing()
    empty = prompts.get("") if settings.no_prompt else None
    return Conditioned(model, layout, prompts[layout.prompt], empty, settings.frozen is not None)


def _add(model: Any, name: str, rank: int, modules: str) -> dict[str, Factors]:
    """A new adapter, A Gaussian and B zero, on the layers that the regular expression `modules` matches; its parameters."""
    from peft import LoraConfig

    # The forward pass takes B A x as it is, so alpha = rank: the scale 1 that peft would apply too.
    lora_config = LoraConfig(r=rank, lora_alpha=rank, target_modules=modules, init_lora_weights="gaussian")
    model.add_adapter(lora_config, adapter_name=name)
    return adapter_factors(model, name)


def _fill(factors: Mapping[str, Factors], rank: int, lora: Lora) -> None:
    """Copy an adapter's file into the parameters of one that was added."""
    if factors.keys() != lora.factors.keys() or lora.rank != rank:
        raise ValueError(
            f"{lora.name} has rank {lora.rank} on {len(lora.factors)} layers, the settings say {rank} on {len(factors)}."
        )
    for module, pair in factors.items():
        for parameter, value in zip(pair, lora.factors[module], strict=True):
            parameter.data.copy_(value)


def flow_loss(guidance: float) -> Callable[[nn.Module, Mapping[str, Any]], tuple[Tensor, dict[str, float]]]:
    """The loss that `fit` takes: mean squared error of the velocity, at the time and with the noise that the example brings."""

    def loss(model: nn.Module, batch: Mapping[str, Any]) -> tuple[Tensor, dict[str, float]]:
        t, target, noise = batch["time"], batch["target"], batch["noise"]
        each = t.view(-1, 1, 1, 1)
        conditions = [batch[f"condition_{i}"] for i in range(sum(n.startswith("condition_") for n in batch))]
        predicted = model(torch.lerp(target, noise, each), conditions, t, torch.full_like(t, guidance), batch["no_prompt"])
        return (predicted - (noise - target)).square().mean(), {}

    return loss


def sample_latents(model: Conditioned, batch: Mapping[str, Tensor], steps: int, guidance: float) -> Tensor:
    """Latents [B,C,h,w] by Euler steps from the example's noise, with the adapter as it is."""
    noise = batch["noise"]
    h, w = noise.shape[-2:]
    conditions = [batch[n] for n in sorted(batch) if n.startswith("condition_")]
    levels = sigmas(steps, h * w // 4)

    def predict(tokens: Tensor, level: float, _progress: object) -> Tensor:
        t = tokens.new_full((len(noise),), level)
        return pack(model(unpack(tokens, h // 2, w // 2), conditions, t, torch.full_like(t, guidance)))

    with torch.no_grad():
        return unpack(integrate(predict, pack(noise), levels), h // 2, w // 2)
