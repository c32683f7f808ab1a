"""Time and peak memory of every stage, on the motorcycle photo and on 12 megapixels.

    python -m bench.run.stages [--only small|large|reblur] [--quality normal] [--device cpu] [--repeat 1] [--write]

Prints a Markdown table and keeps it in out/bench; `--write` puts it into bench/results/stages.md.

The 12-megapixel picture is the motorcycle photo enlarged (bicubic, its measured depth bilinear): the size is real, the detail
is not. Depth comes from a file: what a network takes is its own matter. Memory is what the process has resident at most during
a stage, and how much that is above the start of the stage; on CUDA what torch has allocated on the device. CPU time is that of
all threads: where it is below the time, the machine was busy with other things. Reblur alone is also measured at 24 megapixels,
its depth enlarged with hard edges or with soft ones: bytes per pixel beside input and output.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.nn.functional as F

from bench.lib import reporting, resident
from refocus_core import bokeh, defocus, depth, restore
from refocus_core.color import linear_to_srgb, srgb_to_linear
from refocus_core.files import pictures
from refocus_core.optics import Blur, BlurLaw
from refocus_core.types import DefocusMap
from tests.helpers import motorcycle

LARGE = (2848, 4220)
"""Height and width of the enlarged photo: 12 megapixels."""
BLUR_PERCENT = 1.5
"""Strength, in percent of the long edge."""
REBLUR_SIZE, REBLUR_RADIUS_PX = (4000, 6000), 64.0
"""Height and width, and largest radius, of what Reblur alone is measured on."""
REBLUR_FOCI = {"near": 1.0, "middle": 0.5, "far": 0.0}
"""Where between the farthest (0) and the nearest disparity (1)."""
REBLUR_MAPS = {"hard": "nearest", "soft": "bilinear"}
"""Edges of the enlarged disparity, and the interpolation that makes them."""
T = TypeVar("T")


class Meter:
    """Runs stages and notes what they take."""

    def __init__(self, device: torch.device, repeat: int) -> None:
        self.device, self.repeat = device, repeat
        self.rows: list[dict[str, Any]] = []

    def __call__(self, name: str, work: Callable[[], T]) -> T:
        times: list[float] = []
        busy: list[float] = []
        gc.collect()
        before = self._reset()
        result = None
        for _ in range(self.repeat):
            result = None
            start, cpu = time.perf_counter(), time.process_time()
            result = work()
            if self.device.type == "cuda":
                torch.cuda.synchronize()
            times.append(time.perf_counter() - start)
            busy.append(time.process_time() - cpu)
        peak = self._peak()
        row = {
            "stage": name,
            "seconds": round(min(times), 3),
            "cpu_seconds": round(min(busy), 3),
            "peak_mib": round(peak),
            "above_start_mib": round(peak - before),
        }
        self.rows.append(row)
        print(f"  {name:<28} {row['seconds']:9.2f} s {row['peak_mib']:8d} MiB", file=sys.stderr, flush=True)
        assert result is not None
        return result

    def _reset(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
            return torch.cuda.memory_allocated() / 2**20
        resident.forget_highest()
        return resident.resident_mib()

    def _peak(self) -> float:
        return torch.cuda.max_memory_allocated() / 2**20 if self.device.type == "cuda" else resident.highest_mib()


def run(photo_path: Path, depth_path: Path, device: torch.device, quality: str, repeat: int) -> dict[str, Any]:
    """All stages on one photo."""
    meter = Meter(device, repeat)
    with tempfile.TemporaryDirectory() as folder:
        photo = meter("load photo", lambda: pictures.load(photo_path))
        image = photo.image.to(device)
        raw = meter("load depth (16-bit PNG)", lambda: pictures.load_map(depth_path))
        read = lambda: depth.from_image(raw[:, :1], near_m=motorcycle.NEAR_M, far_m=motorcycle.FAR_M).to(device)  # noqa: E731
        rough = meter("depth from picture", read)
        fine = meter("refine depth", lambda: depth.refine(rough, image))
        made = meter("defocus map", lambda: defocus.from_lens(fine, Blur(BLUR_PERCENT), (0.47, 0.63)))
        meter("defocus preview", lambda: defocus.preview(made, image))
        soft = defocus.from_lens(fine, Blur(BLUR_PERCENT / 5), (0.47, 0.63))
        meter("all-in-focus, deconvolution", lambda: restore.all_in_focus(image, "deconvolution", soft))
        kernel = meter("kernel", lambda: bokeh.make_kernel("polygon", blades=7, curvature=0.4)).to(device)
        light = meter("decode sRGB", lambda: srgb_to_linear(image))
        out = meter(f"render ({quality})", lambda: bokeh.render(light, made, kernel, quality=quality))
        shown = meter("encode sRGB", lambda: linear_to_srgb(out))
        for name, bits in (("out.png", 8), ("out.jpg", 8), ("out16.png", 16), ("out16.tif", 16)):
            path = Path(folder) / name
            label = f"save {bits}-bit {name[-3:].upper()}"
            meter(label, lambda path=path, bits=bits: pictures.save(path, shown, bits=bits) or path)
        largest = float(made.radius_px.abs().max())
    h, w = image.shape[-2:]
    return {
        "width": w,
        "height": h,
        "megapixels": round(h * w / 1e6, 2),
        "largest_radius_px": round(largest, 1),
        "stages": meter.rows,
    }


def enlarge(folder: Path) -> tuple[Path, Path]:
    """The 12-megapixel photo and depth as files."""
    image = F.interpolate(motorcycle.photo(), LARGE, mode="bicubic", antialias=True).clamp(0, 1)
    values = F.interpolate(pictures.load_map(motorcycle.NEAR_BRIGHT)[:, :1], LARGE, mode="bilinear")
    pictures.save(folder / "photo.jpg", image)
    pictures.save_map(folder / "depth.png", values[0, 0])
    return folder / "photo.jpg", folder / "depth.png"


def reblur(device: torch.device, quality: str) -> list[dict[str, Any]]:
    """Bytes per pixel beside input and output that Reblur of 24 megapixels takes.

    Each case in a process of its own: what the one before freed would be taken again unseen.
    """
    cases = [(edges, name) for edges in REBLUR_MAPS for name in REBLUR_FOCI]
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        found = pool.starmap(_reblur_bytes, [(str(device), quality, *case) for case in cases], chunksize=1)
    return [{"map": edges, "focus": name, "bytes_per_px": b} for (edges, name), b in zip(cases, found, strict=True)]


def _reblur_bytes(device_name: str, quality: str, edges: str, focus_name: str) -> float:
    device, (h, w) = torch.device(device_name), REBLUR_SIZE
    kernel = bokeh.make_kernel("circle").to(device)
    image = srgb_to_linear(F.interpolate(motorcycle.photo(), REBLUR_SIZE, mode="bicubic", antialias=True).clamp(0, 1)).to(device)
    disparity = F.interpolate(motorcycle.depth_map().disparity[None], REBLUR_SIZE, mode=REBLUR_MAPS[edges])[0].to(device)
    low, high = torch.aminmax(disparity)
    focus = torch.lerp(low, high, REBLUR_FOCI[focus_name])
    gain = REBLUR_RADIUS_PX / torch.maximum(high - focus, focus - low)
    made = DefocusMap.from_law(disparity, BlurLaw.thin_lens(gain[None], focus[None]))
    meter = Meter(device, 1)
    out = meter(f"24 MP, {edges}, {focus_name}", lambda: bokeh.render(image, made, kernel, quality=quality))
    return round((meter.rows[0]["above_start_mib"] * 2**20 - out.numel() * out.element_size()) / (h * w), 1)


def table(report: dict[str, Any]) -> str:
    """The report as Markdown."""
    lines = [reporting.describe(report["machine"])]
    for name, r in report["pictures"].items():
        lines += [
            "",
            f"**{name}**: {r['width']} × {r['height']} ({r['megapixels']} MP), largest blur radius {r['largest_radius_px']} px",
            "",
            "| stage | time s | CPU time s | peak MiB | above start MiB |",
            "|---|---:|---:|---:|---:|",
            *(
                f"| {s['stage']} | {s['seconds']:.2f} | {s['cpu_seconds']:.2f} | {s['peak_mib']} | {s['above_start_mib']} |"
                for s in r["stages"]
            ),
        ]
    if report["reblur"]:
        mp = REBLUR_SIZE[0] * REBLUR_SIZE[1] / 1e6
        lines += [
            "",
            f"**Reblur of {mp:.0f} MP**, {report['quality']}, largest blur radius {REBLUR_RADIUS_PX:.0f} px",
            "",
            "| edges of the map | focus | bytes per pixel beside input and output |",
            "|---|---|---:|",
            *(f"| {r['map']} | {r['focus']} | {r['bytes_per_px']} |" for r in report["reblur"]),
        ]
    return "\n".join(lines)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("small", "large", "reblur"))
    parser.add_argument("--quality", default="normal", choices=tuple(bokeh.QUALITIES))
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--repeat", type=int, default=1, help="the fastest of so many runs counts")
    parser.add_argument("--write", action="store_true", help="put the table into bench/results")
    args = parser.parse_args()
    device = torch.device(args.device)
    report: dict[str, Any] = {
        "machine": reporting.machine(device),
        "quality": args.quality,
        "blur_percent": BLUR_PERCENT,
        "pictures": {},
        "reblur": [],
    }
    if args.only in (None, "reblur"):
        report["reblur"] = reblur(device, args.quality)
    if args.only in (None, "small"):
        name = "motorcycle photo"
        report["pictures"][name] = run(motorcycle.PHOTO, motorcycle.NEAR_BRIGHT, device, args.quality, args.repeat)
    if args.only in (None, "large"):
        with tempfile.TemporaryDirectory() as folder:
            files = enlarge(Path(folder))
            report["pictures"]["motorcycle photo enlarged to 12 MP"] = run(*files, device, args.quality, args.repeat)
    text = table(report)
    reporting.save("stages", report, text + "\n")
    print(text)
    if args.write:
        reporting.write_summary("stages", text + "\n")


if __name__ == "__main__":
    main()
