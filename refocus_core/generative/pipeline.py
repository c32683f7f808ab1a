"""The generative route without ComfyUI: diffusers' FLUX.1 transformer and autoencoder, from a local folder or file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..types import Progress
from . import sampling
from .backbones import bind_diffusers
from .checkpoint import encode_prompts, load_transformer, load_vae
from .guide import Guide
from .lora import LAYOUTS, Lora, Task, load_lora
from .prompts import Prompt, load_prompts, save_prompts
from .routes import Sample, SampleRequest
from .sampling import Tiling
from .tokens import pack, pad, unpack


@dataclass
class Genfocus:
    """FLUX.1 and its autoencoder, ready to run adapters.

    Attributes:
        transformer, vae: diffusers' models.
        prompts: embeddings by wording; see `from_pretrained`.
        device: where it computes.
        offload: keep only the model at work there, the other one in main memory (as diffusers' enable_model_cpu_offload does).
        sample_vae_seed: None takes the mean of what the autoencoder encodes to, which is deterministic; a number draws from its
            distribution, as the released code does.
        tiling: how each step is cut.
    """

    transformer: nn.Module
    vae: nn.Module
    prompts: Mapping[str, Prompt]
    device: torch.device
    offload: bool = False
    sample_vae_seed: int | None = None
    tiling: Tiling = field(default_factory=Tiling)

    @classmethod
    def from_pretrained(
        cls,
        flux: Path | str,
        *,
        vae: Path | str | None = None,
        prompts: Path | str | None = None,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.bfloat16,
        offload: bool = False,
        fp8: bool = False,
    ) -> Genfocus:
        """Load from this machine; nothing is fetched.

        Args:
            flux: FLUX.1-dev as a diffusers folder, or its transformer as one safetensors file.
            vae: diffusers folder with the autoencoder; needed with a single file.
            prompts: file with the embeddings of the fixed prompts. If it is not there yet it is written, from the text encoders
                in the `flux` folder; they never load again.
            device: where to compute.
            dtype: of weights and computation.
            offload: see the class.
            fp8: keep the transformer's weights in 8 bits (float8_e4m3fn) and compute in `dtype`: 12 GB instead of 24.

        Raises:
            FileNotFoundError: if a part is not there; the message says which.
            WeightsMismatchError: if a file is something else.
        """
        flux, at = Path(flux), torch.device(device)
        known = load_prompts(prompts) if prompts is not None and Path(prompts).is_file() else {}
        missing = sorted({layout.prompt for layout in LAYOUTS.values()} - known.keys())
        if missing:
            if not (flux / "text_encoder_2").is_dir():
                raise FileNotFoundError(
                    "FLUX.1 needs the embeddings of the fixed prompts: give a file with them (--prompts), or a diffusers folder "
                    f"that has text_encoder and text_encoder_2 in it. Looked in {prompts or flux}."
                )
            known.update(encode_prompts(flux, missing, at, dtype))
            if prompts is not None:
                save_prompts(prompts, known)
        transformer: Any = load_transformer(flux, dtype)
        if fp8:
            transformer.enable_layerwise_casting(storage_dtype=torch.float8_e4m3fn, compute_dtype=dtype)
        made = cls(transformer, load_vae(Path(vae) if vae is not None else flux, dtype), known, at, offload)
        if not offload:
            transformer.to(at)
            made.vae.to(at)
        return made

    def enable_model_cpu_offload(self) -> None:
        """From now on keep only the model at work on the device."""
        self.offload = True

    def _awake(self, module: nn.Module) -> Any:
        """`module` on the device, with `offload` the other one in main memory."""
        if self.offload:
            other = self.vae if module is self.transformer else self.transformer
            other.to("cpu")
        return module.to(self.device)

    @property
    def _dtype(self) -> torch.dtype:
        return next(p.dtype for p in self.vae.parameters())

    @torch.no_grad()
    def encode(self, picture: Tensor) -> Tensor:
        """[B,3,H,W] as the autoencoder takes it -> normalised latents [B,16,H/8,W/8]."""
        vae = self._awake(self.vae)
        frames: list[Tensor] = []
        for frame in picture.to(self.device, self._dtype).split(1):
            encoded = vae.encode(frame)
            if hasattr(encoded, "latents"):  # AutoencoderTiny
                frames.append(encoded.latents)
            elif self.sample_vae_seed is None:
                frames.append(encoded.latent_dist.mode())
            else:
                frames.append(encoded.latent_dist.sample(torch.Generator(self.device).manual_seed(self.sample_vae_seed)))
        return (torch.cat(frames) - (vae.config.shift_factor or 0)) * vae.config.scaling_factor

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Inverse of `encode`."""
        vae = self._awake(self.vae)
        z = latents.to(self.device, self._dtype) / vae.config.scaling_factor + (vae.config.shift_factor or 0)
        return torch.cat([vae.decode(frame).sample for frame in z.split(1)]).float()

    def sampler(
        self,
        lora: Lora | Path | str,
        task: Task,
        *,
        steps: int = 28,
        seed: int = 42,
        pre_deblurred: bool = False,
        progress: Progress | None = None,
    ) -> Sample:
        """A `Sample` with this adapter.

        Args:
            lora: the adapter, or its file.
            task: what it is for.
            steps: Euler steps; the released scripts take 28.
            seed: of the noise to start from. The same one keeps the picture while the defocus map changes.
            pre_deblurred: whether such a picture will be given.
            progress: over steps and tiles.
        """
        adapter = (lora if isinstance(lora, Lora) else load_lora(lora)).to(self.device, self._dtype)
        layout = adapter.layout(task, pre_deblurred=pre_deblurred)

        @torch.no_grad()
        def sample(request: SampleRequest) -> Tensor:
            photo = request.photo
            guide = Guide.of(
                layout,
                photo,
                self.encode,
                radius_px=request.radius_px,
                pre_deblurred=request.pre_deblurred,
                tiling=self.tiling,
            )
            levels = sampling.sigmas(steps, guide.tokens, request.strength)
            shape = (photo.shape[0], 16, 2 * guide.rows, 2 * guide.columns)
            noise = pack(sampling.noise(shape, seed, self.device))
            known, keep = self._start(request, guide)
            begin = noise if known is None else (1 - levels[0]) * known + levels[0] * noise
            predict = self._predictor(adapter, guide, photo.shape[0])
            done = sampling.integrate(predict, begin, levels, keep=keep, known=known, seed_noise=noise, progress=progress)
            height, width = photo.shape[-2:]
            picture = self.decode(unpack(done, guide.rows, guide.columns))[..., :height, :width]
            return (picture / 2 + 0.5).clamp(0, 1).to(photo)

        return sample

    def _start(self, request: SampleRequest, guide: Guide) -> tuple[Tensor | None, Tensor | None]:
        """Packed latents to begin from, and 1 where a token keeps them; None where the request has no such picture or mask."""
        if request.start is None:
            return None, None
        known = pack(self.encode(pad(request.start.clamp(0, 1)) * 2 - 1).float())
        if request.change is None:
            return known, None
        masked = nn.functional.interpolate(pad(request.change[:, None]), size=(guide.rows, guide.columns), mode="area")
        return known, 1 - masked.flatten(2).transpose(1, 2).to(self.device)

    def _predictor(self, adapter: Lora, guide: Guide, batch: int) -> Callable[[Tensor, float, Progress | None], Tensor]:
        """The transformer with an adapter and a guide, as `sampling.integrate` calls it."""
        prompt = self.prompts.get(guide.layout.prompt)
        if prompt is None:
            raise ValueError(f"There is no embedding of the prompt '{guide.layout.prompt}'.")
        like = torch.empty(0, device=self.device, dtype=self._dtype)
        words = prompt.to(like, batch)
        backbone = bind_diffusers(self._awake(self.transformer), adapter, like)
        guidance = torch.tensor([guide.layout.guidance], device=self.device)

        def predict(x: Tensor, level: float, within: Progress | None) -> Tensor:
            return guide.velocity(
                backbone,
                x.to(like),
                text=words.text,
                pooled=words.pooled,
                timestep=torch.tensor([level], device=self.device),
                guidance=guidance,
                progress=within,
            )

        return predict
