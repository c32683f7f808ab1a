"""The generative route on a GPU with FLUX.1-dev of full size and random weights: time and memory of a step, tiled and whole.

    python -m bench.run.generative [--fp8] [--write]   # needs a CUDA GPU with 30 GB (20 GB with --fp8)
    python -m bench.run.generative --toy               # runs this file's code at a toy size on the CPU; keeps nothing

Prints a Markdown table and keeps it with its numbers in out/bench; `--write` puts it into bench/results/generative.md.

A step is one velocity of a 1024 px picture with one condition (DeblurNet) or two (BokehNet). "Floor" is the arithmetic of a step,
counted from the shapes of its matrix products, at the speed that a large matrix product reaches on this machine. "Switched" is
the plain way to run such adapters, for comparison: every branch by itself through every layer, its adapter scaled by 0 or 1.
Times are medians of CUDA events after a warm-up.
"""

from __future__ import annotations

import argparse
import functools
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from diffusers import FluxTransformer2DModel  # pyright: ignore[reportPrivateImportUsage] # exported when asked for
from torch import Tensor, nn

from bench.lib import reporting
from refocus_core import generative
from refocus_core.generative import forward

WARM, RUNS = 2, 5
"""Runs before the clock starts, and runs whose median counts."""
SHAPE = ("num_layers", "num_single_layers", "attention_head_dim", "num_attention_heads", "joint_attention_dim")
"""What FULL and TOY give, as diffusers names it."""
FULL: dict[str, int] = dict(zip(SHAPE, (19, 38, 128, 24, 4096), strict=True))
"""FLUX.1-dev."""
TOY: dict[str, int] = dict(zip(SHAPE, (2, 2, 32, 2, 32), strict=True))
"""Small enough for a CPU; its times say nothing."""


def model(shape: dict[str, int], device: torch.device, dtype: torch.dtype, fp8: bool) -> nn.Module:
    """FLUX.1 with small random weights, made in place so that it never lies in main memory."""
    head = shape["attention_head_dim"]
    with torch.device("meta"):
        net: Any = FluxTransformer2DModel(
            **shape, guidance_embeds=True, axes_dims_rope=(head // 8, head * 7 // 16, head * 7 // 16)
        )
    net = net.to(dtype).to_empty(device=device).eval().requires_grad_(False)
    generator = torch.Generator(device).manual_seed(0)
    for parameter in net.parameters():
        scale = parameter.shape[-1] ** -0.5 if parameter.ndim > 1 else 0.02
        parameter.normal_(0, scale, generator=generator)
    if fp8:
        net.enable_layerwise_casting(storage_dtype=torch.float8_e4m3fn, compute_dtype=dtype)
    return net


def adapter(net: nn.Module, rank: int, device: torch.device, dtype: torch.dtype) -> generative.Lora:
    """Factors for the layers that the released adapters change."""
    import re

    generator = torch.Generator(device).manual_seed(1)
    factors = {}
    for name, module in net.named_modules():
        if isinstance(module, nn.Linear) and re.fullmatch(generative.RELEASED_MODULES, name):
            a = torch.randn(rank, module.in_features, generator=generator, device=device, dtype=dtype) * module.in_features**-0.5
            b = torch.randn(module.out_features, rank, generator=generator, device=device, dtype=dtype) * 0.01
            factors[name] = (a, b)
    return generative.Lora(factors, "bench")


class Switched:
    """Projections of the plain way: each branch by itself, with the adapter's scale set before and after every call."""

    def __init__(self, projection: forward.Projection, branches: list[int]) -> None:
        self.projection, self.branches = projection, branches

    def __call__(self, x: Tensor, start: int) -> list[Tensor]:
        lengths = [start, *self.branches[1:]] if x.shape[1] > 2 else [1] * x.shape[1]
        parts = []
        for k, part in enumerate(x.split([n for n in lengths if n], 1)):
            outs = [layer(part) for layer in self.projection.layers]
            low_rank = self.projection.low_rank
            if low_rank is not None:
                scale = 1.0 if k else 0.0
                downs = low_rank.down.split([r for r in low_rank.ranks if r])
                pairs = zip([o for o, u in zip(outs, low_rank.up, strict=True) if u is not None], downs, strict=True)
                for (out, down), up in zip(pairs, [u for u in low_rank.up if u is not None], strict=True):
                    out += scale * ((part @ down.t()) @ up)
            parts.append(outs)
        return [torch.cat(group, 1) for group in zip(*parts, strict=True)]


def switched(bound: forward.Backbone, tokens: int, conditions: int) -> forward.Backbone:
    """The same backbone with every projection run branch by branch."""
    import copy

    branches = [tokens] * (1 + conditions)

    def change(part: Any) -> Any:
        part = copy.copy(part)
        for name, value in vars(part).items():
            if isinstance(value, forward.Projection) and "text" not in name:
                setattr(part, name, Switched(value, branches))
        return part

    out = change(bound)
    out.double, out.single = [change(b) for b in bound.double], [change(b) for b in bound.single]
    return out


def flops(shape: dict[str, int], text: int, image: int, conditions: int) -> float:
    """Of one step without tiles: matrix products of the blocks, and attention."""
    d = shape["num_attention_heads"] * shape["attention_head_dim"]
    picture = image * (1 + conditions)
    every = text + picture
    attention = 4 * d * ((text + image) * every + image * conditions * (text + 2 * image))
    double = 2 * 12 * d * d * every + attention
    single = 2 * 12 * d * d * every + attention
    return shape["num_layers"] * double + shape["num_single_layers"] * single


def clock(run: Callable[[], Any], device: torch.device) -> tuple[float, float]:
    """Median milliseconds, and peak GiB beside what lay there before."""
    if device.type != "cuda":
        start = time.perf_counter()
        run()
        return 1e3 * (time.perf_counter() - start), 0.0
    for _ in range(WARM):
        run()
    torch.cuda.synchronize()
    base = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    times = []
    for _ in range(RUNS):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        run()
        end.record()
        torch.cuda.synchronize()
        times.append(begin.elapsed_time(end))
    return statistics.median(times), (torch.cuda.max_memory_allocated() - base) / 2**30


def matmul_rate(device: torch.device, dtype: torch.dtype) -> float:
    """FLOP/s of a large matrix product."""
    n = 8192 if device.type == "cuda" else 512
    a = torch.randn(n, n, device=device, dtype=dtype)
    milliseconds, _ = clock(lambda: a @ a, device)
    return 2 * n**3 / (1e-3 * milliseconds)


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fp8", action="store_true", help="weights in float8_e4m3fn, computed in bfloat16")
    parser.add_argument("--toy", action="store_true", help="toy size on the CPU")
    parser.add_argument("--write", action="store_true", help="put the table into bench/results")
    args = parser.parse_args()
    if not args.toy and not torch.cuda.is_available():
        sys.exit("No CUDA GPU here. --toy runs the code at a toy size.")
    device, dtype = (torch.device("cpu"), torch.float32) if args.toy else (torch.device("cuda"), torch.bfloat16)
    shape, words = (TOY, 8) if args.toy else (FULL, 512)
    side = 33 if args.toy else 64
    net = model(shape, device, dtype, args.fp8)
    lora = adapter(net, 4 if args.toy else 64, device, dtype)
    rate = matmul_rate(device, dtype)
    name = torch.cuda.get_device_name() if device.type == "cuda" else "CPU, toy size"
    lines = [
        f"# The generative route on {name}",
        "",
        f"FLUX.1-dev of {'toy' if args.toy else 'full'} size, random weights{' in 8 bits' if args.fp8 else ''}, {dtype}, "
        f"one step of a {side * 16} px picture: `python -m bench.run.generative{' --fp8' if args.fp8 else ''}`, see its head.",
        "",
        "| | conditions | ms | floor, ms | GiB beside the weights |",
        "|---|---|---|---|---|",
    ]
    steps: list[dict[str, Any]] = []
    generator = torch.Generator(device).manual_seed(2)

    def noise(*size: int) -> Tensor:
        return torch.randn(*size, generator=generator, device=device, dtype=dtype)

    for conditions in (1, 2):
        call: dict[str, Any] = {
            "latents": noise(1, side * side, 64),
            "conditions": [noise(1, side * side, 64) for _ in range(conditions)],
            "text": noise(1, words, shape["joint_attention_dim"]),
            "pooled": noise(1, 768),
            "timestep": torch.full((1,), 0.7, device=device),
            "guidance": torch.full((1,), 3.5, device=device),
            "columns_right": [0] * conditions,
            "rows": side,
            "columns": side,
        }
        bound = generative.bind_diffusers(net, lora, call["latents"])
        off = generative.Tiling("off")
        plain = switched(bound, side * side, conditions)
        tile = switched(bound, 1024, conditions)
        tiles = len(generative.Tiling().corners(side, side))
        rows: list[tuple[str, forward.Backbone, generative.Tiling]] = [
            ("whole, switched", plain, off),
            ("whole", bound, off),
            (f"{tiles} tiles, switched, one by one", tile, generative.Tiling(per_batch=1)),
            *((f"{tiles} tiles, {n} at a time", bound, generative.Tiling(per_batch=n)) for n in (1, 2, 4, tiles)),
        ]
        results = {}
        for label, backbone, tiling in rows:
            step = functools.partial(generative.velocity, backbone, **call, tiling=tiling)
            results[label] = step().float()
            milliseconds, gib = clock(step, device)
            work = flops(shape, words, side * side, conditions)
            if tiling.mode == "auto":
                work = tiles * flops(shape, words, 1024, conditions)
            floor = 1e3 * work / rate
            steps.append(
                {"step": label, "conditions": conditions, "ms": milliseconds, "floor_ms": floor, "beside_weights_gib": gib}
            )
            lines.append(f"| {label} | {conditions} | {milliseconds:.0f} | {floor:.0f} | {gib:.2f} |")
            print(lines[-1], flush=True)
        whole, *tiled = results.values()
        for group in ((whole, tiled[0]), tiled[1:]):
            spread = max(float((t - group[0]).abs().max() / group[0].abs().max()) for t in group)
            lines.append(f"| largest difference among these | {conditions} | {spread:.1e} | | |")
    text = "\n".join([*lines, ""])
    print(text)
    if args.toy:
        return
    reporting.save("generative", {"device": name, "torch": torch.__version__, "fp8": args.fp8, "rows": steps}, text)
    if args.write:
        reporting.write_summary("generative", text)


if __name__ == "__main__":
    main()
