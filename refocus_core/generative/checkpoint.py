"""Reads FLUX.1 for diffusers: its transformer, autoencoder and the embeddings of the fixed prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..models import WeightsMismatchError, read_safetensors
from .lora import describe_keys
from .prompts import Prompt


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
"""Layers outside the blocks: the authors' name -> diffusers'."""
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
"""Layers of a block: the authors' name -> diffusers' names, of which the authors' one is put together."""


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
