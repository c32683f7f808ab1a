"""Peak memory of every node by size and method, beside what is there before: RAM, and VRAM where the device is a GPU.

    python -m bench.run.memory [--megapixels 0.25 1 4] [--only TEXT] [--device cpu] [--write]

What a node calls of the core runs once on the motorcycle photo, resized (its measured depth with hard edges), in a process of its
own, as what one case frees another would take unseen. Weights that it loads count. RAM is the resident memory at its highest less
that at the start; inputs are there at the start, results count.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.lib import resident
from bench.lib.reporting import describe, machine, markdown, save, write_summary
from refocus_core import bokeh, defocus, depth, restore
from refocus_core.color import srgb_to_linear
from refocus_core.optics import Blur
from refocus_core.types import DefocusMap, DepthMap
from tests.helpers import motorcycle

PERCENT = 1.5
"""Blur, of the long edge."""
FOCUS = (0.47, 0.63)
"""Where it is sharp, in shares of width and height."""
CLIP_FRAMES = 12
"""Of the clip that Depth Estimate steadies."""


@dataclass(frozen=True)
class Inputs:
    """What the nodes get, on the device."""

    image: Tensor
    depth_map: DepthMap
    defocus_map: DefocusMap


def _steadied(given: Inputs) -> object:
    clip = ((given.image.roll(2 * n, -1), given.depth_map) for n in range(CLIP_FRAMES))
    return [m.disparity.sum() for m in depth.steadied(clip, 8, float(given.depth_map.span()))]


def _rendered(quality: str) -> Callable[[Inputs], object]:
    return lambda given: bokeh.render(srgb_to_linear(given.image), given.defocus_map, quality=quality)


def _sharpened(method: str) -> Callable[[Inputs], object]:
    return lambda given: restore.all_in_focus(given.image, method, given.defocus_map if method == "deconvolution" else None)


def _matte(given: Inputs) -> object:
    at = defocus.focus_disparity(given.depth_map, defocus.FocusPoint(*FOCUS))
    return bokeh.depth_matte(srgb_to_linear(given.image), given.depth_map, *bokeh.around(given.depth_map, at, 0.1))


CASES: dict[tuple[str, str], Callable[[Inputs], object]] = {
    ("Depth Estimate", "refocus-depth-s"): lambda given: depth.estimate(given.image, "refocus-depth-s", refine=False),
    ("Depth Estimate", "refine"): lambda given: depth.refine(given.depth_map, given.image),
    ("Depth Estimate", f"steady_frames, {CLIP_FRAMES} frames"): _steadied,
    ("Defocus Map", "percent"): lambda given: defocus.from_lens(given.depth_map, Blur(PERCENT), FOCUS),
    ("All In Focus", "refocus-deblur-s"): _sharpened("refocus-deblur-s"),
    ("All In Focus", "deconvolution"): _sharpened("deconvolution"),
    ("Reblur", "draft"): _rendered("draft"),
    ("Reblur", "normal"): _rendered("normal"),
    ("Reblur", "best"): _rendered("best"),
    ("Depth Matte", "around a point"): _matte,
    ("Bokeh Kernel", "polygon"): lambda _given: bokeh.make_kernel("polygon", blades=7, curvature=0.4),
}
"""Node and method -> what it calls. Blind deconvolution is left out: it takes minutes."""


def inputs(megapixels: float, device: torch.device) -> Inputs:
    """Of about that size."""
    photo, disparity = motorcycle.photo(), motorcycle.depth_map()
    h, w = photo.shape[-2:]
    factor = (megapixels * 1e6 / (h * w)) ** 0.5
    size = round(h * factor), round(w * factor)
    image = F.interpolate(photo, size, mode="bicubic", antialias=True).clamp(0, 1).to(device)
    small = F.interpolate(disparity.disparity[None], size, mode="nearest")[0].to(device)
    found = DepthMap(small, disparity.metric)
    return Inputs(image, found, defocus.from_lens(found, Blur(PERCENT), FOCUS))


def measured(name: tuple[str, str], megapixels: float, device_name: str) -> tuple[float, float, float]:
    """RAM and VRAM in MiB, and seconds."""
    device = torch.device(device_name)
    given = inputs(megapixels, device)
    gc.collect()
    before_vram = 0
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before_vram = torch.cuda.memory_allocated()
    resident.forget_highest()
    before, start = resident.resident_mib(), time.perf_counter()
    result = CASES[name](given)
    if device.type == "cuda":
        torch.cuda.synchronize()
    seconds = time.perf_counter() - start
    ram = resident.highest_mib() - before
    vram = (torch.cuda.max_memory_allocated() - before_vram) / 2**20 if device.type == "cuda" else 0.0
    del result
    return ram, vram, seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megapixels", type=float, nargs="+", default=[0.25, 1.0, 4.0])
    parser.add_argument("--only", default="", metavar="TEXT", help="nodes and methods whose names have it")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--write", action="store_true", help="put the table into bench/results")
    args = parser.parse_args()
    where = machine(torch.device(args.device))
    cases = [(name, size) for name in CASES if args.only.lower() in " ".join(name).lower() for size in args.megapixels]
    rows: list[list[str]] = []
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for (node, method), size in cases:
            ram, vram, seconds = pool.apply(measured, ((node, method), size, args.device))
            rows.append([node, method, f"{size:g}", f"{ram:.0f}", f"{vram:.0f}", f"{seconds:.1f}"])
            print(" | ".join(rows[-1]), flush=True)
    table = markdown(["node", "method", "megapixels", "RAM, MiB", "VRAM, MiB", "seconds"], rows)
    text = f"{describe(where)}\n\nPeak above what is there before, each case in a process of its own.\n\n{table}\n"
    save("memory", {"rows": rows}, text)
    if args.write:
        write_summary("memory", text)


if __name__ == "__main__":
    main()
