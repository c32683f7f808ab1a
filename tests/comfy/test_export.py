"""What training exports has names that ComfyUI itself knows: its own LoRA code finds every tensor and its place."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from refocus_core.generative import save_lora
from tests.helpers import paths, rig

DIM, RANK = 32, 3
SIZES = {
    "norm1.linear": (DIM, 6 * DIM),
    "attn.to_q": (DIM, DIM),
    "attn.to_k": (DIM, DIM),
    "attn.to_v": (DIM, DIM),
    "attn.to_out.0": (DIM, DIM),
    "ff.net.2": (4 * DIM, DIM),
    "norm.linear": (DIM, 3 * DIM),
    "proj_mlp": (DIM, 4 * DIM),
    "proj_out": (5 * DIM, DIM),
}
"""(inputs, outputs) of the layers that the released adapters change."""
DOUBLE = {
    "norm1.linear": ("img_mod.lin", 0),
    "attn.to_q": ("img_attn.qkv", 0),
    "attn.to_k": ("img_attn.qkv", DIM),
    "attn.to_v": ("img_attn.qkv", 2 * DIM),
    "attn.to_out.0": ("img_attn.proj", 0),
    "ff.net.2": ("img_mlp.2", 0),
}
SINGLE = {
    "norm.linear": ("modulation.lin", 0),
    "attn.to_q": ("linear1", 0),
    "attn.to_k": ("linear1", DIM),
    "attn.to_v": ("linear1", 2 * DIM),
    "proj_mlp": ("linear1", 3 * DIM),
    "proj_out": ("linear2", 0),
}
"""Layer in ComfyUI's FLUX and the row at which its part begins."""
PROGRAM = """
import sys
lora, out = sys.argv[1:]
sys.argv = ["x", "--cpu"]
import comfy.options
comfy.options.enable_args_parsing()
import torch, comfy.lora, comfy.model_base, comfy.supported_models, comfy.utils
from safetensors.torch import save_file
model = comfy.model_base.Flux(comfy.supported_models.Flux(dict(
    image_model="flux", in_channels=16, out_channels=16, vec_in_dim=20, context_in_dim=24, hidden_size=32, mlp_ratio=4.0,
    num_heads=2, depth=1, depth_single_blocks=1, axes_dim=[4, 6, 6], theta=10000, patch_size=2, qkv_bias=True,
    guidance_embed=True, txt_ids_dims=[])))
names = comfy.lora.model_lora_keys_unet(model, {})
tensors = comfy.utils.load_torch_file(lora)
found = comfy.lora.load_lora(tensors, names)
changes = {}
for key, patch in found.items():
    name, offset, function = key, None, None
    if isinstance(key, tuple):
        name, offset = key[0], key[1]
        function = key[2] if len(key) > 2 else None
    weight = changes.setdefault(name, torch.zeros_like(model.state_dict()[name], dtype=torch.float32))
    comfy.lora.calculate_weight([(1.0, patch, 1.0, offset, function)], weight, name)
save_file({k: v.contiguous() for k, v in changes.items()}, out)
print(len(found))
"""


@pytest.mark.comfy
def test_comfyui_reads_an_exported_adapter_tensor_by_tensor(tmp_path: Path) -> None:
    folder = rig.comfy_dir()
    if folder is None:
        pytest.skip("needs ComfyUI: scripts/setup.sh installs one")
    g = torch.Generator().manual_seed(0)
    modules = {"x_embedder": (64, DIM)}
    modules |= {f"transformer_blocks.0.{n}": SIZES[n] for n in DOUBLE}
    modules |= {f"single_transformer_blocks.0.{n}": SIZES[n] for n in SINGLE}
    factors = {
        n: (torch.randn(RANK, inputs, generator=g), torch.randn(outputs, RANK, generator=g))
        for n, (inputs, outputs) in modules.items()
    }
    save_lora(tmp_path / "lora.safetensors", factors, layout="bokeh", dtype=torch.float32)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "lora.safetensors"), str(tmp_path / "out.safetensors")],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=folder,
        env=paths.environment(folder),
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout.splitlines()[-1]) == len(factors)
    assert "lora key not loaded" not in done.stdout + done.stderr

    from safetensors.torch import load_file

    changes = load_file(tmp_path / "out.safetensors")
    expected: dict[str, torch.Tensor] = {k: torch.zeros_like(v) for k, v in changes.items()}
    for name, (a, b) in factors.items():
        head, _, inner = name.partition(".0.")
        places = {"transformer_blocks": DOUBLE, "single_transformer_blocks": SINGLE}.get(head)
        if places is None:
            layer, row = "img_in", 0
        else:
            block = "double_blocks" if head == "transformer_blocks" else "single_blocks"
            layer, row = f"{block}.0.{places[inner][0]}", places[inner][1]
        expected[f"diffusion_model.{layer}.weight"][row : row + b.shape[0]] += b @ a
    assert changes.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(changes[name], value, atol=1e-4, rtol=1e-4)
