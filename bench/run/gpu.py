"""Reblur on a CUDA GPU: Triton kernels beside plain torch, in time and in result.

    python -m bench.run.gpu [--quick] [--write]      # needs a CUDA GPU
    python -m bench.run.gpu --plan [--size 3840x2160] [--radius 64] [--quality normal]     # counts the work, on any machine
    python -m bench.run.gpu --device cpu --interpret --size 64x48       # runs this file's code at a tiny size; keeps nothing

Prints Markdown tables and keeps them with all numbers in out/bench; `--write` puts them into bench/results/gpu.md.

The picture is the motorcycle photo with its measured depth, enlarged (bicubic and bilinear: the size is real, the detail is not),
focused in the middle of its disparity; the radius is the largest one on either side of focus. Times are medians of CUDA events
after a warm-up, in ms: "layers" is all of a render but blur and composite, "blur" is those two from given layers, including the
tables of the aperture that they need, "render" is all. Launches are kernels that the profiler sees in one render.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import sys
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, cast
from unittest import mock

if "--interpret" in sys.argv:  # read where kernels are defined
    os.environ["TRITON_INTERPRET"] = "1"

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.lib import reporting
from refocus_core import bokeh
from refocus_core.bokeh import frames
from refocus_core.bokeh.engines.selftest import engines_differ_by
from refocus_core.bokeh.engines.torch_engine import TileEngine
from refocus_core.bokeh.engines.triton import kernels as triton_kernels
from refocus_core.bokeh.engines.triton.engine import TritonEngine
from refocus_core.bokeh.limits import Limits
from refocus_core.bokeh.plan import QUALITIES, Plan
from refocus_core.bokeh.surfaces.layers import Layers
from refocus_core.color import srgb_to_linear
from refocus_core.types import DefocusMap
from tests.helpers import motorcycle

SIZES = {"1080p": (1920, 1080), "4K": (3840, 2160), "24 MP": (6000, 4000)}
"""Name -> width and height."""
RADII = (16, 32, 64, 128)
"""Largest radii in px."""
WARM, RUNS = 2, 7
"""Runs before the clock starts, and runs whose median counts."""
ENGINES: dict[str, type[Any]] = {"Triton": TritonEngine, "torch": TileEngine}
"""Name in the tables -> engine."""


@dataclass(frozen=True, eq=False)
class Scene:
    """Linear picture [1,3,H,W] and its signed radius."""

    image: Tensor
    defocus: DefocusMap

    @classmethod
    def of(cls, width: int, height: int, radius: float, device: torch.device) -> Scene:
        photo, disparity = srgb_to_linear(motorcycle.photo()), motorcycle.depth_map().disparity
        image = F.interpolate(photo, (height, width), mode="bicubic", align_corners=False).clamp_min(0)
        d = F.interpolate(disparity[None], (height, width), mode="bilinear", align_corners=False)[0]
        middle = 0.5 * (float(d.min()) + float(d.max()))
        r = (middle - d) * (radius / (float(d.max()) - middle))
        return cls(image.to(device), DefocusMap.from_radius(r.to(device)))

    def render(self, quality: str, limits: Limits | None = None) -> Tensor:
        return bokeh.render(self.image, self.defocus, bokeh.make_kernel("circle"), quality=quality, limits=limits)


@dataclass(frozen=True, eq=False)
class Call:
    """One call of an engine: its plan and the arguments of `composite`."""

    plan: Plan
    layers: Layers
    halo_px: tuple[int, int]
    origin: tuple[int, int]
    photo: Tensor
    near_blur: Tensor | None

    def run(self, engine: Any, out: Tensor) -> Tensor:
        """The picture, and what is nearer than the focus where the renderer asks for it: [3,h,w] or [7,h,w]."""
        near_blur = None if self.near_blur is None else torch.zeros_like(self.near_blur)
        engine.composite(self.layers, self.halo_px, self.origin, out, lambda _: None, near_blur)
        return out if near_blur is None else torch.cat([out, near_blur])


@contextlib.contextmanager
def engine_is(make: Callable[[Plan], Any]) -> Generator[None]:
    """The renderer uses this engine, whatever the device."""
    with mock.patch.object(frames, "choose_engine", lambda plan, device, limits: make(plan)):
        yield


def calls_of(scene: Scene, quality: str, kind: type[Any], keep: bool = True, limits: Limits | None = None) -> list[Call]:
    """What the renderer asks of an engine; nothing is blurred."""
    found: list[Call] = []

    class Noted(kind):  # a subclass, for whoever asks what the engine is
        def composite(
            self, layers: Layers, halo_px: Any, origin: Any, out: Tensor, advance: Any, near_blur: Tensor | None = None
        ) -> None:
            if keep:
                found.append(Call(self.plan, layers, halo_px, origin, out.clone(), near_blur))
            advance(Limits().tile_count(*out.shape[1:]))

    with engine_is(cast("type[Any]", Noted)):
        scene.render(quality, limits)
    return found


class Clock:
    def __init__(self, device: torch.device, warm: int, runs: int) -> None:
        self.device, self.warm, self.runs = device, warm, runs

    def __call__(self, work: Callable[[], object]) -> float:
        """Median time in ms."""
        for _ in range(self.warm):
            work()
        times: list[float] = []
        for _ in range(self.runs):
            if self.device.type == "cuda":
                start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
                torch.cuda.synchronize()
                start.record()
                work()
                end.record()
                end.synchronize()
                times.append(start.elapsed_time(end))
            else:
                begin = time.perf_counter()
                work()
                times.append((time.perf_counter() - begin) * 1e3)
        return statistics.median(times)


def measure(scene: Scene, quality: str, name: str, clock: Clock) -> dict[str, Any]:
    """Times of one engine; an error is reported in the row, not raised: other rows are still wanted."""
    kind = ENGINES[name]
    try:
        calls = calls_of(scene, quality, kind)

        def blur() -> None:
            engine = kind(calls[0].plan)
            for call in calls:
                call.run(engine, call.photo)

        with engine_is(kind):
            row: dict[str, Any] = {"render_ms": clock(lambda: scene.render(quality))}
            row["launches"] = launches(lambda: scene.render(quality)) if clock.device.type == "cuda" else None
        row["blur_ms"] = clock(blur)
        row["layers_ms"] = clock(lambda: calls_of(scene, quality, kind, keep=False))
        if clock.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
            before = torch.cuda.memory_allocated()
            blur()
            row["blur_peak_mib"] = (torch.cuda.max_memory_allocated() - before) / 2**20
        if kind is TritonEngine:
            row["least_bytes"] = sum(least_bytes(c) for c in calls)
        return row
    except (RuntimeError, torch.OutOfMemoryError) as error:
        return {"error": f"{type(error).__name__}: {error}"[:200]}


def least_bytes(call: Call) -> float:
    """DRAM traffic that the design asks for: every input and output once, and all scratch memory written and read once."""
    h, w = call.layers.front_radius.shape
    numbers = counted(call)
    # occupancy reads radii and back's coverage and writes two coordinates; strips and composite read RGBA, coordinates and `out`
    return h * w * (12 + 8 + 32 + 8) + call.photo.numel() * 8 + 2 * numbers["scratch_bytes"]


def counted(call: Call) -> dict[str, float]:
    return TritonEngine(call.plan).work(call.layers, call.halo_px, call.origin, (call.photo.shape[1], call.photo.shape[2]))


def launches(work: Callable[[], object]) -> int:
    """Kernels on the device, copies and fills included."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as watched:
        work()
        torch.cuda.synchronize()
    cuda = torch.autograd.DeviceType.CUDA  # pyright: ignore[reportPrivateImportUsage] # torch has no other place for it
    return sum(1 for e in watched.events() or () if e.device_type == cuda)


def parity(size: tuple[int, int], radius: float, device: torch.device) -> list[dict[str, Any]]:
    """Differences of the engines' pictures, relative to the brightest pixel, on the same layers."""
    scene = Scene.of(*size, radius, device)
    rows: list[dict[str, Any]] = []
    for quality in QUALITIES:
        worst = mean = peak = 0.0
        for call in calls_of(scene, quality, TileEngine):
            pictures = [call.run(kind(call.plan), call.photo.clone()) for kind in ENGINES.values()]
            difference = (pictures[0] - pictures[1]).abs()
            peak = max(peak, float(pictures[1].max()))
            worst, mean = max(worst, float(difference.max())), max(mean, float(difference.mean()))
        rows.append({"quality": quality, "radius_px": radius, "worst": worst / peak, "mean": mean / peak})
    return rows


def show_plan(size: tuple[int, int], radius: float, quality: str) -> None:
    """Print how much there is to do for one render. Nothing is timed."""
    scene, one_window = Scene.of(*size, radius, torch.device("cpu")), Limits(cpu_part_px=1 << 20)
    calls = calls_of(scene, quality, TileEngine, limits=one_window)
    for call in calls:
        numbers, pixels = counted(call), float(size[0] * size[1])
        taps = numbers["taps_per_tile"] + numbers["coarse_taps_per_tile"]  # each reads 16 bytes for every GROUP pixels
        numbers |= {
            "bins": float(len(call.plan.radii)),
            "segments": float(len(call.plan.segments)),
            "bytes_read_by_taps": taps * pixels * 16 / triton_kernels.GROUP,
            "multiply_adds": taps * pixels * 4,
        }
        numbers |= {"scratch_bytes_per_px": numbers["scratch_bytes"] / pixels, "least_dram_bytes": least_bytes(call)}
        print(f"{size[0]}x{size[1]}, radius {radius:g} px, {quality}: counted on the host, nothing was timed")
        for key, value in numbers.items():
            print(f"  {key:<24}{value:>20,.2f}")


def width_and_height(text: str) -> tuple[int, int]:
    """Of a size such as 3840x2160."""
    width, height = (int(n) for n in text.split("x"))
    return width, height


def table(rows: list[dict[str, Any]]) -> list[str]:
    lines = [
        "| size | quality | radius | engine | layers ms | blur ms | render ms | launches | blur's peak MiB |",
        "|" + "---|" * 9,
    ]
    for r in rows:
        start = f"| {r['size']} | {r['quality']} | {r['radius_px']} | {r['engine']} |"
        if "error" in r:
            lines.append(f"{start} {r['error']} |")
            continue
        peak = f"{r['blur_peak_mib']:.0f}" if "blur_peak_mib" in r else "-"
        lines.append(
            f"{start} {r['layers_ms']:.2f} | {r['blur_ms']:.2f} | {r['render_ms']:.2f} | {r['launches'] or '-'} | {peak} |"
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--interpret", action="store_true", help="run the kernels in Triton's interpreter (with --device cpu)")
    parser.add_argument("--plan", action="store_true", help="count the work only")
    parser.add_argument("--quick", action="store_true", help="4K at radius 64 only")
    parser.add_argument("--size", help="WIDTHxHEIGHT")
    parser.add_argument("--radius", type=float)
    parser.add_argument("--quality", choices=list(QUALITIES))
    parser.add_argument("--write", action="store_true", help="put the tables into bench/results")
    args = parser.parse_args()
    size = width_and_height(args.size) if args.size else None
    if args.plan:
        show_plan(size or SIZES["4K"], args.radius or 64, args.quality or "normal")
        return
    device = torch.device(args.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        sys.exit("There is no CUDA device here. On any machine: --plan, or --device cpu --interpret --size 64x48.")
    smoke = device.type != "cuda"
    if smoke and not (args.interpret and size):
        sys.exit("On the CPU the kernels are interpreted, which is slow: add --interpret and a tiny --size, such as 64x48.")
    import triton

    name = torch.cuda.get_device_name(device) if not smoke else "CPU, interpreted: a test of this file, not a measurement"
    versions = f"torch {torch.__version__}, triton {triton.__version__}"
    print(f"{name}; {versions}")
    worst, mean = engines_differ_by(device)
    print(f"self-test: largest difference {worst:.2g}, mean {mean:.2g}")
    agreement = parity(size if smoke and size else (741, 500), args.radius or (5 if smoke else 16), device)
    for row in agreement:
        print(
            f"photo, {row['quality']}, radius {row['radius_px']:g}: largest difference {row['worst']:.2g}, mean {row['mean']:.2g}"
        )
    sizes = {args.size: size} if size else {"4K": SIZES["4K"]} if args.quick else SIZES
    radii = [args.radius or (5 if smoke else 64)] if smoke or args.quick or args.radius else RADII
    rows: list[dict[str, Any]] = []
    for label, wh in sizes.items():
        for radius in radii:
            scene = Scene.of(*wh, radius, device)
            for quality in [args.quality] if args.quality else ["draft"] if smoke else list(QUALITIES):
                for engine in ENGINES:
                    slow = smoke or engine == "torch"
                    row = measure(
                        scene,
                        quality,
                        engine,
                        Clock(device, 0 if smoke else 1 if slow else WARM, 1 if smoke else 3 if slow else RUNS),
                    )
                    rows.append({"size": label, "quality": quality, "radius_px": radius, "engine": engine} | row)
                    print(table(rows[-1:])[-1], flush=True)
    if smoke:
        print("Nothing was kept: these are not measurements.")
        return
    found = {"device": name, "versions": versions, "self_test": [worst, mean], "parity": agreement, "rows": rows}
    head = [f"# Reblur on {name}", "", f"{versions}. `python -m bench.run.gpu`; what the columns mean is said there.", ""]
    head += [f"Difference of the engines, relative to the brightest pixel: self-test {worst:.2g}; on the photo", ""]
    head += [f"- {r['quality']}, radius {r['radius_px']:g} px: largest {r['worst']:.2g}, mean {r['mean']:.2g}" for r in agreement]
    text = "\n".join([*head, "", *table(rows)]) + "\n"
    reporting.save("gpu", found, text)
    if args.write:
        reporting.write_summary("gpu", text)


if __name__ == "__main__":
    main()
