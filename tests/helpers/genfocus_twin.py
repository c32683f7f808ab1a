"""The tiny FLUX of `make_models.py` in diffusers: what ComfyUI's own FLUX must give as well."""

from __future__ import annotations

import torch
from diffusers import AutoencoderTiny
from safetensors.torch import load_file

from refocus_core import generative
from refocus_core.generative.checkpoint import load_transformer
from tests.helpers import rig


def autoencoder(server: rig.Server) -> AutoencoderTiny:
    """taef1's layout, renamed: ComfyUI counts the decoder's clamp as a layer and keeps scale and shift in the file."""
    state = load_file(server.base / "models" / "vae" / "ae.safetensors")
    renamed = {}
    for key, value in state.items():
        side, _, rest = key.partition(".")
        index, _, inner = rest.partition(".")
        if side == "taesd_encoder":
            renamed[f"encoder.layers.{index}.{inner}"] = value
        elif side == "taesd_decoder":
            renamed[f"decoder.layers.{int(index) - 1}.{inner}"] = value
    vae = AutoencoderTiny(latent_channels=16)
    vae.load_state_dict(renamed)
    return vae.eval()


def genfocus(server: rig.Server) -> generative.Genfocus:
    """The models of the server's folder, in float32."""
    models = server.base / "models"
    return generative.Genfocus(
        load_transformer(models / "diffusion_models" / "flux1-dev.safetensors", torch.float32),
        autoencoder(server),
        generative.load_prompts(models / "refocus" / generative.PROMPTS_FILE),
        torch.device("cpu"),
    )


def lora(server: rig.Server, task: str) -> generative.Lora:
    return generative.load_lora(server.base / "models" / "loras" / f"{task}Net.safetensors")
