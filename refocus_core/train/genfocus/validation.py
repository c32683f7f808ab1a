"""What is measured on held-out latents while a stage is trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .latents import LatentExample
from .measure import ssim
from .network import Conditioned, flow_loss, sample_latents
from .order import ShardExamples
from .shards import Shards
from .training import Training, Validation

_TIMES = (0.1, 0.5, 0.9)
"""Times of flow matching at which the loss is measured: nearly clean, half way, nearly noise."""
_SEED = 1
"""Of the noise on held-out examples, the same at every validation."""


def validator(
    settings: Training, validation: Validation, decode_latents: Callable[[Tensor], Tensor] | None
) -> Callable[[nn.Module], dict[str, Any]]:
    """`fit`'s `validate`: the loss on held-out examples at fixed times; if they can be decoded, pictures with PSNR and SSIM."""
    examples = ShardExamples(Shards(validation.shards), 0, LatentExample(settings.sees, "uniform", 0.0, _SEED), together=1)
    loss = flow_loss(settings.guidance)

    @torch.no_grad()
    def validate(model: nn.Module) -> dict[str, Any]:
        net = cast(Conditioned, model)
        device = net.text.device
        batches = [{n: v[None].to(device) for n, v in examples[i].items()} for i in range(min(validation.count, len(examples)))]
        out: dict[str, Any] = {}
        for t in _TIMES:
            values = [loss(net, {**b, "time": torch.full_like(b["time"], t)})[0] for b in batches]
            out[f"loss_at_{t}"] = float(torch.stack(values).mean())
        out["loss"] = sum(out[f"loss_at_{t}"] for t in _TIMES) / len(_TIMES)
        if decode_latents is not None and validation.pictures:
            out |= _sampled(net, batches[: validation.pictures], validation.steps, decode_latents)
        return out

    return validate


def _sampled(
    net: Conditioned, batches: Sequence[Mapping[str, Tensor]], steps: int, decode_latents: Callable[[Tensor], Tensor]
) -> dict[str, Any]:
    """Pictures sampled from examples, beside their conditions and the truth, and their mean PSNR [dB] and SSIM."""
    out: dict[str, Any] = {}
    scores: list[tuple[float, float]] = []
    for i, b in enumerate(batches):
        picture = decode_latents(sample_latents(net, b, steps, net.layout.guidance))[0]
        truth = decode_latents(b["target"])[0]
        conditions = [decode_latents(b[n])[0] for n in sorted(b) if n.startswith("condition_")]
        scores.append((float(-10 * (picture - truth).square().mean().clamp_min(1e-10).log10()), ssim(picture, truth)))
        out[f"picture_{i}"] = torch.cat([_of_height(p, truth.shape[1]) for p in (*conditions, picture, truth)], 2)
    out["psnr"], out["ssim"] = (sum(s[k] for s in scores) / len(scores) for k in (0, 1))
    return out


def _of_height(picture: Tensor, height: int) -> Tensor:
    scale = height / picture.shape[1]
    return picture if scale == 1 else F.interpolate(picture[None], scale_factor=scale, mode="bilinear")[0]
