"""Pictures to latents and back, and ComfyUI's sampler as the `Sample` on which the core's generative routes run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import comfy.sample
import comfy.utils
import latent_preview
import torch
from torch import Tensor

from ...refocus_core import generative
from ...refocus_core.types import Progress
from .. import host
from .inputs import GenfocusSetup, find_lora
from .patch import Adapter, patched
from .prompts import positive

LATENT_CHANNELS = 16
"""Channels of FLUX.1's latents."""
TOKEN_PX = 16
"""Side of a token in pixels of the picture: the autoencoder shrinks by 8, and FLUX takes 2 x 2 latents as one."""


def _encode(vae: Any, picture: Tensor) -> Tensor:
    """[B,3,H,W] as the autoencoder takes it (-1..1 for photos) -> ComfyUI's latents."""
    return vae.encode(((picture + 1) / 2).movedim(1, -1))


def make_guide(
    model: Any,
    vae: Any,
    layout: generative.Layout,
    photo: Tensor,
    *,
    radius_px: Tensor | None = None,
    pre_deblurred: Tensor | None = None,
    tiling: generative.Tiling,
) -> generative.Guide:
    """Encode the conditions, frame by frame; see `Guide.of`.

    Raises:
        ValueError: if the VAE is not that of FLUX.1.
    """

    def encode(picture: Tensor) -> Tensor:
        frames = [_encode(vae, picture[i : i + 1]) for i in range(picture.shape[0])]
        latents = model.model.process_latent_in(torch.cat(frames)).to(host.intermediate_device())
        if latents.ndim != 4 or latents.shape[1] != LATENT_CHANNELS:
            raise ValueError(
                f"This VAE makes latents of the shape {list(latents.shape)}; FLUX.1 needs {LATENT_CHANNELS} channels. "
                "Load ae.safetensors of FLUX.1."
            )
        return latents

    guide = generative.Guide.of(layout, photo, encode, radius_px=radius_px, pre_deblurred=pre_deblurred, tiling=tiling)
    if (guide.rows * TOKEN_PX, guide.columns * TOKEN_PX) != tuple(generative.pad(photo[:1]).shape[-2:]):
        raise ValueError("This VAE does not shrink pictures by 8. Load ae.safetensors of FLUX.1.")
    return guide


def empty_latent(guide: generative.Guide) -> dict[str, Any]:
    """LATENT of the guide's size. `batch_index`: every frame starts from the same noise, whatever is beside it."""
    frames = guide.conditions[0].shape[0]
    samples = torch.zeros(frames, LATENT_CHANNELS, 2 * guide.rows, 2 * guide.columns, device=host.intermediate_device())
    return {"samples": samples, "batch_index": [0] * frames}


@dataclass
class _SamplingProgress:
    """ComfyUI's progress bar over all tiles of all steps, with a small preview of the picture after each step."""

    steps: int
    report: Progress
    decode: Callable[[Tensor], Any] | None
    """A latent as ComfyUI's preview of it; None where the user has switched previews off."""
    step: int = 0
    tiles: int = 1
    bar: Any = field(init=False)

    def __post_init__(self) -> None:
        self.bar = comfy.utils.ProgressBar(self.steps)

    def tile_done(self, done: int, total: int) -> None:
        self.tiles = total
        self.report(self.step * total + done, self.steps * total)

    def step_done(self, step: int, denoised: Tensor, _noisy: Tensor, _total: int) -> None:
        self.step = step + 1
        shown = None if self.decode is None else self.decode(denoised)
        self.bar.update_absolute(self.step * self.tiles, self.steps * self.tiles, shown)


def _preview_decoder(model: Any) -> Callable[[Tensor], Any] | None:
    previewer = latent_preview.get_previewer(model.load_device, model.model.latent_format)
    return None if previewer is None else lambda latent: previewer.decode_latent_to_preview_image("JPEG", latent)


def sampler(
    setup: GenfocusSetup | None, task: generative.Task, report: Progress, *, pre_deblurred: bool = False
) -> generative.Sample:
    """The adapter and the prompt of a task, ready to run by ComfyUI's Euler sampler.

    Args:
        setup: what is connected to the node's `genfocus`, None for nothing.
        report: told of every tile of every step.
        pre_deblurred: whether the samples will be given such a picture.

    Raises:
        ValueError: if nothing is connected, or there is no prompt.
        FileNotFoundError: if there is no such adapter.
    """
    if setup is None:
        raise ValueError("The generative methods run on FLUX.1-dev: connect genfocus (from a Genfocus Setup node).")
    lora = generative.load_lora(find_lora(setup.loras[task], task))
    layout = lora.layout(task, pre_deblurred=pre_deblurred)
    prompt = positive(layout, setup.prompts, setup.conditioning)
    return _Sampler(setup, Adapter(lora), layout, prompt, report)


@dataclass(frozen=True, eq=False)
class _Sampler:
    """A `generative.Sample` by ComfyUI."""

    setup: GenfocusSetup
    adapter: Adapter
    layout: generative.Layout
    positive: Any
    report: Progress

    def __call__(self, request: generative.SampleRequest) -> Tensor:
        """See `generative.Sample`."""
        s, photo, change = self.setup, request.photo, request.change
        tiling = generative.Tiling(per_batch=s.tiles_per_batch)
        beside = {"radius_px": request.radius_px, "pre_deblurred": request.pre_deblurred}
        guide = make_guide(s.model, s.vae, self.layout, photo, **beside, tiling=tiling)
        model, guided = patched(s.model, guide, self.adapter)
        latent = empty_latent(guide)["samples"]
        noise = comfy.sample.prepare_noise(latent, s.start_noise, [0])
        if request.start is not None:
            latent = _encode(s.vae, generative.pad(request.start) * 2 - 1)
        levels = generative.sigmas(s.steps, guide.tokens, request.strength)
        progress = _SamplingProgress(len(levels) - 1, self.report, _preview_decoder(model))
        guided.progress = progress.tile_done
        samples = comfy.sample.sample(
            model,
            noise,
            s.steps,
            1.0,  # guidance is FLUX's own, in the conditioning: no second pass for a negative prompt
            "euler",
            "simple",
            self.positive,
            self.positive,
            latent,
            sigmas=levels,
            noise_mask=None if change is None else generative.pad(change[:, None]),
            callback=progress.step_done,
            disable_pbar=True,
            seed=s.start_noise,
        )
        picture = s.vae.decode(samples).movedim(-1, 1)[:, :3]
        height, width = photo.shape[-2:]
        return picture[..., :height, :width].to(photo).clamp(0, 1)
