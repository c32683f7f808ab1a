"""Latents of pairs, which the autoencoder makes once, and the examples that training draws from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...generative import Layout
from ...generative.tokens import defocus_picture
from ..common.seeds import generator
from .sample_files import decode
from .shards import Shards, Written, write

MEMBER = {"photo": "", "defocus": "defocus", "pre_deblurred": "pre", "aperture": "aperture"}
"""Name of each condition in the latents; the photo is the blurred or the sharp one, by task."""
_EXAMPLE_STREAM = 41
"""Key of the random numbers of an example; what a seed means depends on it."""

Encoder = Callable[[Tensor], Tensor]
"""Picture [1,3,H,W] in the autoencoder's range -> [1,2,C,H/8,W/8]: mean and standard deviation of latents as FLUX sees them."""


def vae_encoder(vae: Any) -> Encoder:
    """`Encoder` of diffusers' AutoencoderKL, with FLUX's shift and scale applied."""
    shift, scale = float(vae.config.shift_factor or 0), float(vae.config.scaling_factor)

    @torch.no_grad()
    def encode(picture: Tensor) -> Tensor:
        posterior = vae.encode(picture.to(vae.device, vae.dtype)).latent_dist
        return torch.stack([(posterior.mean - shift) * scale, posterior.std * scale], 1).float().cpu()

    return encode


def vae_decoder(vae: Any) -> Callable[[Tensor], Tensor]:
    """FLUX latents [B,C,h,w] -> pictures [B,3,H,W] in 0..1."""
    shift, scale = float(vae.config.shift_factor or 0), float(vae.config.scaling_factor)

    @torch.no_grad()
    def decode_latents(latents: Tensor) -> Tensor:
        picture = vae.decode((latents / scale + shift).to(vae.device, vae.dtype)).sample
        return (picture.float().cpu() / 2 + 0.5).clamp(0, 1)

    return decode_latents


def latents_of(sample: Mapping[str, Any], encode: Encoder) -> dict[str, Any]:
    """Members of a latent sample from those of a pair (see `data.pairs`): what a stage may need of it, as float16.

    Photos and apertures go into the autoencoder as -1..1, the defocus map as |radius| / 100 px in 0..1, as the released weights
    had it.
    """

    def photo(name: str) -> Tensor:
        return encode(sample[name][None].float() / 127.5 - 1)[0].half()

    out = {name: photo(f"{name}.png") for name in ("sharp", "blurred", "pre") if f"{name}.png" in sample}
    if "radius.npy" in sample:
        out["defocus"] = encode(defocus_picture(sample["radius.npy"][None].float()))[0].half()
    if "kernel.png" in sample:
        out["aperture"] = photo("kernel.png")
    return {"latents.safetensors": out, "json": sample.get("json", {})}


def encode_shards(pairs: Shards, encode: Encoder, out: Path, **options: Any) -> Written:
    """Latents of all pairs, in their order. `options` are those of `shards.write`; it can be stopped and run again."""
    counts = pairs.counts()

    def make(index: int) -> Mapping[str, Any]:
        for shard, count in enumerate(counts):
            if index < count:
                return latents_of(decode(pairs.sample(shard, index)[1]), encode)
            index -= count
        raise IndexError(index)

    return write(make, sum(counts), out, **options)


class LatentExample:
    """From a latent sample and its number to what the loss needs; all that is drawn depends on `seed` and the number alone.

    Returns `target` and `noise` [C,h,w], `condition_i` [C,h,w], `time` [] in 0..1, `no_prompt` [] (bool).
    """

    def __init__(self, layout: Layout, time: str, no_prompt: float, seed: int) -> None:
        self.layout, self.time, self.no_prompt, self.seed = layout, time, no_prompt, seed
        bokeh = layout.task == "bokeh"
        self.target, self.photo = ("blurred", "sharp") if bokeh else ("sharp", "blurred")

    def __call__(self, sample: Mapping[str, Any], index: int) -> dict[str, Any]:
        latents: Mapping[str, Tensor] = sample["latents.safetensors"]
        rng = generator(self.seed, _EXAMPLE_STREAM, index)

        def draw(name: str) -> Tensor:
            if name not in latents:
                raise ValueError(
                    f"The latents hold {', '.join(latents)}, but the layout '{self.layout.name}' needs '{name}'. "
                    "Encode pairs that have it."
                )
            mean, deviation = latents[name].float().unbind(0)
            return mean + deviation * torch.randn(mean.shape, generator=rng)

        out: dict[str, Any] = {"target": draw(self.target)}
        out["noise"] = torch.randn(out["target"].shape, generator=rng)
        for i, source in enumerate(self.layout.conditions):
            if source == "black":
                raise ValueError(f"The layout '{self.layout.name}' is the superseded one of December 2025; it is not trained.")
            out[f"condition_{i}"] = draw(MEMBER[source] or self.photo)
        normal, even = torch.randn((), generator=rng), torch.rand((), generator=rng)
        out["time"] = normal.sigmoid() if self.time == "logit_normal" else even
        out["no_prompt"] = torch.rand((), generator=rng) < self.no_prompt
        return out
