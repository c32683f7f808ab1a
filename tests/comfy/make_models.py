"""make_models.py MODELS_DIR OURS_DIR: tiny random models in the layout of the real files. Run with ComfyUI on sys.path.

They exercise the loaders (detection by keys, conversion, memory management) without a download. What they compute is noise,
but the same noise every time. The first two carry the names that the workflows ask for.

    MODELS_DIR/geometry_estimation   Depth Anything 3: mono head with sky, ViT-S backbone (the smallest that ComfyUI knows)
                                     MoGe-2, with a backbone of four thin layers
    MODELS_DIR/checkpoints           Stable Diffusion 1.5: UNet of two levels, CLIP-L in full width, tiny autoencoder
    MODELS_DIR/diffusion_models      FLUX.1: one head of the real size, two blocks of each kind; float32
    MODELS_DIR/vae                   its autoencoder, in the layout of the tiny one (taef1)
    MODELS_DIR/loras                 adapters in the released layout: one for deblurring, one for bokeh
    MODELS_DIR/refocus               embeddings of the two prompts, so that no text encoder is needed
    MODELS_DIR/text_encoders         its two encoders, by name only
    OURS_DIR/depth                   Depth Anything V2 in the Hugging Face layout
    OURS_DIR/restore                 NAFNet
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
from comfy.ldm.flux.model import Flux  # noqa: E402
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel  # noqa: E402
from comfy.ldm.moge.model import MoGeModelV2  # noqa: E402
from comfy.sd1_clip import SDClipModel  # noqa: E402
from comfy.taesd.taesd import TAESD  # noqa: E402
from spandrel.architectures.NAFNet import NAFNet  # noqa: E402
from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation  # noqa: E402

DEPTH_ANYTHING = {
    "model_type": "depth_anything",
    "reassemble_hidden_size": 32,
    "patch_size": 14,
    "neck_hidden_sizes": [8, 16, 16, 16],
    "fusion_hidden_size": 16,
    "head_in_index": -1,
    "head_hidden_size": 8,
    "depth_estimation_type": "relative",
    "backbone_config": {
        "model_type": "dinov2",
        "image_size": 70,
        "patch_size": 14,
        "hidden_size": 32,
        "num_attention_heads": 2,
        "num_hidden_layers": 4,
        "out_indices": [1, 2, 3, 4],
        "apply_layernorm": True,
        "reshape_hidden_states": False,
    },
}


FLUX = {
    "image_model": "flux",
    "in_channels": 16,
    "out_channels": 16,
    "vec_in_dim": 24,
    "context_in_dim": 32,
    "hidden_size": 128,
    "mlp_ratio": 4.0,
    "num_heads": 1,
    "depth": 2,
    "depth_single_blocks": 2,
    "axes_dim": [16, 56, 56],
    "theta": 10000,
    "patch_size": 2,
    "qkv_bias": True,
    "guidance_embed": True,
    "txt_ids_dims": [],
}
PROMPTS = ("a sharp photo with everything in focus", "an excellent photo with a large aperture")


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


def moge() -> dict[str, torch.Tensor]:
    dims = [16, 8, 8, 8, 8]
    plain = {
        "num_res_blocks": [0, 0, 0, 0, 0],
        "resamplers": ["bilinear"] * 4,
        "res_block_in_norm": "none",
        "res_block_hidden_norm": "none",
    }
    heads = {
        f"{name}_head": {"dim_in": dims, "dim_res_blocks": dims, "dim_out": [None, None, None, None, channels], **plain}
        for name, channels in (("points", 3), ("mask", 1), ("normal", 3))
    }
    net = MoGeModelV2(
        encoder={
            "backbone": {
                "hidden_size": 64,
                "num_attention_heads": 1,
                "num_hidden_layers": 4,
                "layer_norm_eps": 1e-6,
                "use_swiglu_ffn": False,
            },
            "intermediate_layers": [0, 1, 2, 3],
            "dim_out": 16,
        },
        neck={"dim_in": [18, 2, 2, 2, 2], "dim_res_blocks": dims, "dim_out": [None] * 5, **plain},
        **heads,
        scale_head={"dims": [64, 1]},
        dtype=torch.float32,
        device="cpu",
        operations=comfy.ops.disable_weight_init,
    )
    state = random_state(net, "", 7) | {f"encoder.{k}": v for k, v in net.encoder.named_buffers(recurse=False)}
    state["points_head.output_blocks.4.weight"] *= 0.3  # distances of a few metres
    state["mask_head.output_blocks.4.bias"] += 4.0  # much is known
    return state


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


def flux() -> dict[str, torch.Tensor]:
    net = Flux(**FLUX, device="cpu", dtype=torch.float32, operations=comfy.ops.disable_weight_init)
    state = {k: v.float() for k, v in random_state(net, "", 7).items()}
    # Biases and norms that are told apart where they are mixed up.
    generator = torch.Generator().manual_seed(8)
    for name, value in state.items():
        if name.endswith(".bias"):
            state[name] = 0.1 * torch.randn(value.shape, generator=generator)
        elif "_norm." in name:
            state[name] = 1 + 0.2 * torch.randn(value.shape, generator=generator)
    return state


def taef1() -> dict[str, torch.Tensor]:
    """With the scale and shift of FLUX.1's latents, as ComfyUI expects them of any autoencoder of that model."""
    state = {k: v.float() for k, v in random_state(TAESD(latent_channels=16), "", 9).items()}
    return state | {"vae_scale": torch.tensor(0.3611), "vae_shift": torch.tensor(0.1159)}


def genfocus_lora(seed: int) -> dict[str, torch.Tensor]:
    """The released keys, for the model above."""
    dim, generator = FLUX["hidden_size"], torch.Generator().manual_seed(seed)
    shapes = {"x_embedder": (64, dim)}
    for i in range(FLUX["depth"]):
        p = f"transformer_blocks.{i}."
        shapes |= {p + f"attn.to_{c}": (dim, dim) for c in "qkv"}
        shapes |= {p + "norm1.linear": (dim, 6 * dim), p + "attn.to_out.0": (dim, dim), p + "ff.net.2": (4 * dim, dim)}
    for i in range(FLUX["depth_single_blocks"]):
        p = f"single_transformer_blocks.{i}."
        shapes |= {p + f"attn.to_{c}": (dim, dim) for c in "qkv"}
        shapes |= {p + "norm.linear": (dim, 3 * dim), p + "proj_mlp": (dim, 4 * dim), p + "proj_out": (5 * dim, dim)}
    state = {}
    for name, (n_in, n_out) in shapes.items():
        state[f"transformer.{name}.lora_A.weight"] = torch.randn(8, n_in, generator=generator) * n_in**-0.5
        state[f"transformer.{name}.lora_B.weight"] = torch.randn(n_out, 8, generator=generator) * 8**-0.5
    return state


def prompts() -> dict[str, torch.Tensor]:
    """In the layout of `refocus_core.generative.save_prompts`; the embeddings are noise."""
    generator, state = torch.Generator().manual_seed(12), {}
    for wording in PROMPTS:
        state[f"{wording}|text"] = torch.randn(1, 8, FLUX["context_in_dim"], generator=generator)
        state[f"{wording}|pooled"] = torch.randn(1, FLUX["vec_in_dim"], generator=generator)
    return state


def nothing() -> dict[str, torch.Tensor]:
    """A file to choose in a graph, of which no run may need anything."""
    return {"empty": torch.zeros(1)}


def depth_anything_v2() -> dict[str, torch.Tensor]:
    """Written with its config.json, as on the Hugging Face hub."""
    net = DepthAnythingForDepthEstimation(DepthAnythingConfig(**DEPTH_ANYTHING))
    return random_state(net, "", 5)


def nafnet() -> dict[str, torch.Tensor]:
    """Restoration: 1x, recognised by its keys. Its last convolution is small, so that the picture survives."""
    net = NAFNet(img_channel=3, width=8, middle_blk_num=1, enc_blk_nums=[1, 1], dec_blk_nums=[1, 1])
    state = random_state(net, "", 6)
    return {k: v * 0.02 if k.startswith("ending") else v for k, v in state.items()}


def main() -> None:
    models, elsewhere = Path(sys.argv[1]), Path(sys.argv[2])
    for path, make in (
        (models / "geometry_estimation" / "depth_anything_3_mono_large.safetensors", depth_anything_3),
        (models / "geometry_estimation" / "moge_2_vitl_normal_fp16.safetensors", moge),
        (models / "checkpoints" / "v1-5-pruned-emaonly-fp16.safetensors", stable_diffusion),
        (models / "diffusion_models" / "flux1-dev.safetensors", flux),
        (models / "vae" / "ae.safetensors", taef1),
        (models / "loras" / "deblurNet.safetensors", lambda: genfocus_lora(10)),
        (models / "loras" / "bokehNet.safetensors", lambda: genfocus_lora(11)),
        (models / "refocus" / "genfocus_prompts.safetensors", prompts),
        (models / "text_encoders" / "clip_l.safetensors", nothing),
        (models / "text_encoders" / "t5xxl_fp16.safetensors", nothing),
        (elsewhere / "depth" / "tiny" / "model.safetensors", depth_anything_v2),
        (elsewhere / "restore" / "tiny_nafnet.safetensors", nafnet),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(make(), path)
    (elsewhere / "depth" / "tiny" / "config.json").write_text(json.dumps(DEPTH_ANYTHING))


if __name__ == "__main__":
    main()
