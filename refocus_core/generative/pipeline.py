"""The generative route without ComfyUI: diffusers' FLUX.1 transformer and autoencoder, from a local folder or file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..models import WeightsMismatchError, read_safetensors
from ..types import Progress
from . import sampling
from .backbones import bind_diffusers
from .guide import Guide
from .lora import LAYOUTS, Lora, Task, describe_keys, load_lora
from .prompts import Prompt, load_prompts, save_prompts
from .sampling import Tiling
from .tokens import pack, pad, unpack


def flux_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A FLUX.1 transformer's weights in the names of its authors (and of ComfyUI) -> in diffusers' names.

    Raises:
        WeightsMismatchError: if it is something else.
    """
    plain = {k.removeprefix("model.diffusion_model."): v for k, v in state.items()}
    if "double_blocks.0.img_attn.qkv.weight" not in plain or "vector_in.in_layer.weight" not in plain:
        raise WeightsMismatchError(f"This is not a FLUX.1 transformer but {describe_keys(state)}.")
    dim = plain["img_in.weight"].shape[0]
    out: dict[str, Tensor] = {}
    for key, value in plain.items():
        head, _, rest = key.partition(".")
        if head in ("double_blocks", "single_blocks"):
            index, _, inner = rest.partition(".")
            module, _, leaf = inner.rpartition(".")
            target = _BLOCK[head].get(module)
            if target is None:
                raise WeightsMismatchError(f"'{key}' does not belong to FLUX.1 (quantised files are not read here).")
            where = f"{'transformer_blocks' if head == 'double_blocks' else 'single_transformer_blocks'}.{index}."
            leaf = "weight" if leaf == "scale" else leaf
            sizes = [len(value)] if len(target) == 1 else [dim] * 3 + [len(value) - 3 * dim] * (len(target) - 3)
            for name, piece in zip(target, value.split(sizes), strict=True):
                out[f"{where}{name}.{leaf}"] = piece
            continue
        module, _, leaf = key.rpartition(".")
        target_name = _OUTSIDE.get(module)
        if target_name is None:
            continue  # text encoders and autoencoder of a whole checkpoint
        if target_name == "norm_out.linear":  # shift, scale there; scale, shift here
            value = torch.cat(value.chunk(2)[::-1])
        out[f"{target_name}.{leaf}"] = value
    return out


_OUTSIDE = {
    "img_in": "x_embedder",
    "txt_in": "context_embedder",
    "final_layer.linear": "proj_out",
    "final_layer.adaLN_modulation.1": "norm_out.linear",
    **{
        f"{theirs}.{a}_layer": f"time_text_embed.{ours}_embedder.linear_{b}"
        for theirs, ours in (("time_in", "timestep"), ("vector_in", "text"), ("guidance_in", "guidance"))
        for a, b in (("in", 1), ("out", 2))
    },
}
_BLOCK: dict[str, dict[str, tuple[str, ...]]] = {
    "double_blocks": {
        "img_mod.lin": ("norm1.linear",),
        "txt_mod.lin": ("norm1_context.linear",),
        "img_attn.qkv": ("attn.to_q", "attn.to_k", "attn.to_v"),
        "txt_attn.qkv": ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"),
        "img_attn.proj": ("attn.to_out.0",),
        "txt_attn.proj": ("attn.to_add_out",),
        "img_attn.norm.query_norm": ("attn.norm_q",),
        "img_attn.norm.key_norm": ("attn.norm_k",),
        "txt_attn.norm.query_norm": ("attn.norm_added_q",),
        "txt_attn.norm.key_norm": ("attn.norm_added_k",),
        "img_mlp.0": ("ff.net.0.proj",),
        "img_mlp.2": ("ff.net.2",),
        "txt_mlp.0": ("ff_context.net.0.proj",),
        "txt_mlp.2": ("ff_context.net.2",),
    },
    "single_blocks": {
        "modulation.lin": ("norm.linear",),
        "linear1": ("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp"),
        "linear2": ("proj_out",),
        "norm.query_norm": ("attn.norm_q",),
        "norm.key_norm": ("attn.norm_k",),
    },
}


def _diffusers() -> Any:
    try:
        import diffusers
    except ImportError as e:
        raise ImportError("The generative method needs diffusers: pip install 'refocus-optics[generative]'.") from e
    return diffusers


def load_transformer(path: Path, dtype: torch.dtype) -> nn.Module:
    """FLUX.1's transformer from a diffusers folder (or its subfolder), or from one safetensors file in either naming.

    Raises:
        FileNotFoundError: if nothing is there.
        WeightsMismatchError: if the file is something else.
    """
    flux: Any = _diffusers().FluxTransformer2DModel
    if path.is_dir():
        folder = path / "transformer" if (path / "transformer").is_dir() else path
        return flux.from_pretrained(folder, torch_dtype=dtype, local_files_only=True, use_safetensors=True).eval()
    if not path.is_file():
        raise FileNotFoundError(f"There is no FLUX.1 at {path}. Give a diffusers folder or a safetensors file.")
    state = read_safetensors(path)
    if "x_embedder.weight" not in state:
        state = flux_state(state)
    head = state["transformer_blocks.0.attn.norm_q.weight"].shape[0]
    dim, channels = state["x_embedder.weight"].shape
    with torch.device("meta"):
        model = flux(
            in_channels=channels,
            num_layers=len({k.split(".")[1] for k in state if k.startswith("transformer_blocks.")}),
            num_single_layers=len({k.split(".")[1] for k in state if k.startswith("single_transformer_blocks.")}),
            attention_head_dim=head,
            num_attention_heads=dim // head,
            joint_attention_dim=state["context_embedder.weight"].shape[1],
            pooled_projection_dim=state["time_text_embed.text_embedder.linear_1.weight"].shape[1],
            guidance_embeds="time_text_embed.guidance_embedder.linear_1.weight" in state,
            axes_dims_rope=(head // 8, head * 7 // 16, head * 7 // 16),  # 16, 56, 56 of 128
        )
    try:
        model.load_state_dict({k: v.to(dtype) for k, v in state.items()}, assign=True)
    except RuntimeError as e:
        raise WeightsMismatchError(f"{path} is not a complete FLUX.1 transformer: {str(e).splitlines()[-1].strip()}") from e
    return model.eval()


def load_vae(path: Path, dtype: torch.dtype) -> nn.Module:
    """FLUX.1's autoencoder from a diffusers folder (or its subfolder `vae`)."""
    d = _diffusers()
    folder = path / "vae" if (path / "vae").is_dir() else path
    if not (folder / "config.json").is_file():
        raise FileNotFoundError(f"There is no autoencoder of FLUX.1 at {path}: give a diffusers folder with `vae` in it.")
    tiny = "AutoencoderTiny" in (folder / "config.json").read_text()
    kind = d.AutoencoderTiny if tiny else d.AutoencoderKL
    return kind.from_pretrained(folder, torch_dtype=dtype, local_files_only=True, use_safetensors=True).eval()


def encode_prompts(folder: Path, wordings: Sequence[str], device: torch.device, dtype: torch.dtype) -> dict[str, Prompt]:
    """Run FLUX.1's two text encoders of a diffusers folder once; they are gone afterwards."""
    pipe = _diffusers().FluxPipeline.from_pretrained(
        folder, transformer=None, vae=None, torch_dtype=dtype, local_files_only=True, use_safetensors=True
    )
    pipe.to(device)
    found: dict[str, Prompt] = {}
    with torch.no_grad():
        for wording in wordings:
            text, pooled, _ = pipe.encode_prompt(prompt=wording, prompt_2=None, device=device, max_sequence_length=512)
            found[wording] = Prompt(text.cpu(), pooled.cpu())
    return found


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
    ) -> Callable[..., Tensor]:
        """A `routes.Sample` with this adapter.

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
        def sample(
            photo: Tensor,
            *,
            radius_px: Tensor | None = None,
            pre_deblurred: Tensor | None = None,
            start: Tensor | None = None,
            change: Tensor | None = None,
            strength: float = 1.0,
        ) -> Tensor:
            guide = Guide.of(layout, photo, self.encode, radius_px=radius_px, pre_deblurred=pre_deblurred, tiling=self.tiling)
            shape = (photo.shape[0], 16, 2 * guide.rows, 2 * guide.columns)
            levels = sampling.sigmas(steps, guide.tokens, strength)
            noise = pack(sampling.noise(shape, seed, self.device))
            begin, keep, known = noise, None, None
            if start is not None:
                known = pack(self.encode(pad(start.clamp(0, 1)) * 2 - 1).float())
                begin = (1 - levels[0]) * known + levels[0] * noise
                if change is not None:
                    masked = nn.functional.interpolate(pad(change[:, None]), size=(guide.rows, guide.columns), mode="area")
                    keep = 1 - masked.flatten(2).transpose(1, 2).to(self.device)
            prompt = self.prompts.get(layout.prompt)
            if prompt is None:
                raise ValueError(f"There is no embedding of the prompt '{layout.prompt}'.")
            words = prompt.to(torch.empty(0, device=self.device, dtype=self._dtype), photo.shape[0])
            model = self._awake(self.transformer)
            like = torch.empty(0, device=self.device, dtype=self._dtype)
            backbone = bind_diffusers(model, adapter, like)
            guidance = torch.tensor([layout.guidance], device=self.device)

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

            done = sampling.integrate(predict, begin, levels, keep=keep, known=known, seed_noise=noise, progress=progress)
            height, width = photo.shape[-2:]
            picture = self.decode(unpack(done, guide.rows, guide.columns))[..., :height, :width]
            return (picture / 2 + 0.5).clamp(0, 1).to(photo)

        return sample
