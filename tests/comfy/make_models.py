"""make_models.py MODELS_DIR: tiny random models in the layout of the real files. Run with ComfyUI on sys.path.

They exercise ComfyUI's own loaders (detection by keys, conversion, memory management) without a download. What they compute
is noise, but the same noise every time.

    geometry_estimation/tiny_da3_mono.safetensors   Depth Anything 3, mono head with sky, ViT-S backbone (the smallest it knows)
    checkpoints/tiny_sd15.safetensors               Stable Diffusion 1.5: two-level UNet, CLIP-L in full width, tiny autoencoder
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from comfy.cli_args import args
from safetensors.torch import save_file

args.cpu = True  # read when the next modules are imported

import comfy.ops  # noqa: E402
from comfy.ldm.depth_anything_3.model import DepthAnything3Net  # noqa: E402
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel  # noqa: E402
from comfy.sd1_clip import SDClipModel  # noqa: E402
from comfy.taesd.taesd import TAESD  # noqa: E402


def random_state(module: torch.nn.Module, prefix: str, seed: int) -> dict[str, torch.Tensor]:
    """A state dict whose layers keep the scale of what passes through them: gain 1 by fan-in, norms 1, biases 0."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, value in module.state_dict().items():
        if value.ndim >= 2:
            fan_in = value[0].numel()
            value = torch.randn(value.shape, generator=generator) * fan_in**-0.5
        elif value.is_floating_point():
            value = torch.full(value.shape, 0.0 if name.endswith("bias") else 1.0)
        state[prefix + name] = value.half().contiguous() if value.is_floating_point() else value.contiguous()
    return state


def depth_anything_3() -> dict[str, torch.Tensor]:
    net = DepthAnything3Net(
        backbone_name="vits",
        out_layers=(5, 7, 9, 11),
        head_dim_in=384,
        head_features=16,
        head_out_channels=(16, 16, 32, 32),
        head_use_sky_head=True,
        device="cpu",
        dtype=torch.float32,
        operations=comfy.ops.disable_weight_init,
    )
    return random_state(net, "", 1)


def stable_diffusion() -> dict[str, torch.Tensor]:
    unet = UNetModel(
        image_size=32,
        in_channels=4,
        out_channels=4,
        model_channels=320,
        num_res_blocks=[1, 1],
        channel_mult=[1, 1],
        transformer_depth=[1, 0],
        transformer_depth_output=[1, 1, 0, 0],
        transformer_depth_middle=1,
        context_dim=768,
        num_heads=8,
        num_head_channels=-1,
        use_spatial_transformer=True,
        legacy=False,
        device="cpu",
        dtype=torch.float32,
        operations=comfy.ops.disable_weight_init,
    )
    state = random_state(unet, "model.diffusion_model.", 2)
    clip = SDClipModel(device="cpu", dtype=torch.float32)
    state |= {
        k: v for k, v in random_state(clip.transformer, "cond_stage_model.transformer.", 3).items() if "text_projection" not in k
    }
    state |= random_state(TAESD(latent_channels=4), "first_stage_model.", 4)
    return state


def main() -> None:
    models = Path(sys.argv[1])
    for name, make in (
        ("geometry_estimation/tiny_da3_mono.safetensors", depth_anything_3),
        ("checkpoints/tiny_sd15.safetensors", stable_diffusion),
    ):
        path = models / name
        path.parent.mkdir(parents=True, exist_ok=True)
        state = make()
        save_file(state, path)
        sys.stdout.write(json.dumps({"file": name, "tensors": len(state), "bytes": path.stat().st_size}) + "\n")


if __name__ == "__main__":
    main()
