"""Steps per second and peak memory of fine-tuning FLUX.1 at full size, with random weights.

    python -m bench.run.train_generative [--layout bokeh deblur] [--rank 64] [--size 512] [--batch 1] [--steps 10]
    python -m bench.run.train_generative --tiny     # the same code on a toy FLUX, on any machine: shows that the script runs

Needs a GPU with about 40 GB for one condition at 512 px (an estimate: 24 GB of weights and what the backward pass keeps). Prints
a Markdown table and keeps it in out/bench. Not yet run on a GPU.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

import torch
from torch import Tensor

from bench.lib import reporting
from refocus_core.generative import LAYOUTS, Prompt
from refocus_core.train import Settings
from refocus_core.train.common.optimizers import KINDS, OptimizerSettings, make_optimizer
from refocus_core.train.genfocus import Data, Training, network

FULL = {
    "in_channels": 64,
    "num_layers": 19,
    "num_single_layers": 38,
    "attention_head_dim": 128,
    "num_attention_heads": 24,
    "joint_attention_dim": 4096,
    "pooled_projection_dim": 768,
    "guidance_embeds": True,
    "axes_dims_rope": (16, 56, 56),
}
"""FLUX.1-dev."""
TINY = {
    **FULL,
    "num_layers": 1,
    "num_single_layers": 1,
    "attention_head_dim": 16,
    "num_attention_heads": 2,
    "joint_attention_dim": 24,
    "pooled_projection_dim": 20,
    "axes_dims_rope": (4, 6, 6),
}
"""A toy of the same structure, for any machine."""


def flux(shape: dict[str, Any], device: torch.device, dtype: torch.dtype) -> torch.nn.Module:
    """A FLUX of this shape with small random weights, made on the device: 24 GB never pass through main memory."""
    from diffusers import FluxTransformer2DModel

    with torch.device("meta"):
        model = FluxTransformer2DModel(**shape)
    model = model.to(dtype).to_empty(device=device)
    with torch.no_grad():
        for p in model.parameters():
            p.normal_(0, 0.02)
    return model


def measure(layout: str, args: argparse.Namespace, device: torch.device) -> dict[str, Any]:
    """One row."""
    shape = TINY if args.tiny else FULL
    dtype = torch.float32 if device.type == "cpu" else torch.bfloat16
    settings = Training(
        layout=layout,
        transformer="",
        prompts="",
        data=(Data("none"),),
        run=Settings(steps=1, batch_size=1),
        optimizer=OptimizerSettings(args.optimizer),
        rank=args.rank,
        dtype="float32" if device.type == "cpu" else "bfloat16",
        checkpointing=not args.no_checkpointing,
    )
    prompt = Prompt(torch.zeros(1, 512, shape["joint_attention_dim"]), torch.zeros(1, shape["pooled_projection_dim"]))
    model = network.build(settings, flux(shape, device, dtype), {settings.sees.prompt: prompt}).to(device)
    optimizer = make_optimizer(model.parameters(), settings.optimizer)
    loss = network.flow_loss(1.0)
    side = args.size // 8

    def picture(px: int = side) -> Tensor:
        return torch.randn(args.batch, 16, px, px, device=device)

    batch: dict[str, Tensor] = {"target": picture(), "noise": picture()}
    for i, source in enumerate(settings.sees.conditions):
        batch[f"condition_{i}"] = picture(256 // 8 if source == "aperture" else side)
    batch["time"] = torch.full((args.batch,), 0.5, device=device)
    batch["no_prompt"] = torch.zeros(args.batch, dtype=torch.bool, device=device)

    def wait() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    def step() -> None:
        value, _ = loss(model, batch)
        value.backward()
        optimizer.step()
        optimizer.zero_grad()

    step()  # states of the optimiser are made here
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    began = wait()
    for _ in range(args.steps):
        step()
    seconds = (wait() - began) / args.steps
    peak = torch.cuda.max_memory_allocated() / 2**30 if device.type == "cuda" else None
    return {
        "layout": layout,
        "size_px": args.size,
        "batch": args.batch,
        "rank": args.rank,
        "optimizer": args.optimizer,
        "checkpointing": not args.no_checkpointing,
        "steps_per_s": 1 / seconds,
        "peak_gib": peak,
    }


def main() -> int:
    """Measure; 0 if it succeeded."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--layout", nargs="+", default=["deblur", "bokeh"], choices=[n for n in LAYOUTS if n != "deblur_black"])
    p.add_argument("--rank", type=int, default=64)
    p.add_argument("--size", type=int, default=512)
    p.add_argument("--batch", type=int, default=1)
    p.add_argument("--steps", type=int, default=10)
    p.add_argument("--optimizer", default="adamw", choices=KINDS)
    p.add_argument("--no-checkpointing", action="store_true")
    p.add_argument("--tiny", action="store_true")
    args = p.parse_args()
    if not torch.cuda.is_available() and not args.tiny:
        print("error: this needs a CUDA GPU. --tiny runs a toy size on the CPU.", file=sys.stderr)
        return 1
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    name = torch.cuda.get_device_name() if device.type == "cuda" else "CPU"
    rows = [measure(layout, args, device) for layout in args.layout]
    print(f"{name}, {'toy FLUX' if args.tiny else 'FLUX.1 size'}, random weights\n")
    print("| layout | size | batch | rank | steps/s | peak GiB |\n|---|---|---|---|---|---|")
    for r in rows:
        peak = "–" if r["peak_gib"] is None else f"{r['peak_gib']:.1f}"
        print(f"| {r['layout']} | {r['size_px']} | {r['batch']} | {r['rank']} | {r['steps_per_s']:.3f} | {peak} |")
    if not args.tiny:
        reporting.save("train_generative", {"device": name, "torch": torch.__version__, "rows": rows})
    return 0


if __name__ == "__main__":
    sys.exit(main())
