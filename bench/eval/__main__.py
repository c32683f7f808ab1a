"""Evaluate methods on a folder of pictures with their truth.

    python -m bench.eval FOLDER --task bokeh --methods physical hybrid --out results/
    python -m bench.eval DPDD --layout dpdd --methods model:restormer.safetensors generative --deblur-lora deblurNet.safetensors

Layouts are described in bench/eval/cases.py. A row "identity" (the input as it is) is always there. Bokeh and refocusing without
a known K search, for each picture and method, the K with the best SSIM, as the Genfocus paper does for every method. LVCorr: five
K evenly up to a largest radius of 5 % of the long edge, on the first pictures (--lvcorr); correlation of K with the fall of the
Laplacian's variance, mean over pictures. Writes eval.md and eval.json.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from refocus_core import defocus, depth
from refocus_core.color import srgb_to_linear
from refocus_core.files import pictures
from refocus_core.train.genfocus import focus as focus_room
from refocus_core.train.genfocus.measure import ssim
from refocus_core.train.genfocus.series import maximise
from refocus_core.types import DepthMap

from . import cases, methods, scores
from .cases import Case, Task

NOT_AVAILABLE = "not available"
"""In a table, where a metric's weights are missing."""
LVCORR_PERCENT = 5.0
"""Strengths, in percent of the long edge, over which `lvcorr` is taken."""


@dataclass(frozen=True)
class Search:
    """How K is searched: largest radius in percent of the long edge at both ends, points of the grid, final relative width."""

    percent: tuple[float, float] = (0.1, 8.0)
    coarse: int = 9
    tolerance: float = 0.03


@dataclass
class Row:
    """A method's numbers: one dict for each case."""

    method: str
    numbers: list[dict[str, float]] = field(default_factory=list)
    lvcorr: list[float] = field(default_factory=list)

    def mean(self, name: str) -> float | None:
        values = [n[name] for n in self.numbers if name in n and not math.isnan(n[name])]
        return sum(values) / len(values) if values else None


@dataclass(frozen=True)
class Loaded:
    """A case's pictures [1,3,H,W] sRGB in 0..1, K scaled to their size."""

    case: Case
    photo: Tensor
    truth: Tensor
    gain_px: float | None


def load_case(case: Case, long_edge: int | None) -> Loaded:
    """Read a case, scaled down to `long_edge` if it is larger.

    Raises:
        ValueError: if input and truth differ in shape.
    """
    photo, truth = pictures.load(case.input).image.clamp(0, 1), pictures.load(case.target).image.clamp(0, 1)
    if photo.shape != truth.shape:
        raise ValueError(f"{case.name}: {case.input} is {list(photo.shape[-2:])}, {case.target} {list(truth.shape[-2:])}.")
    gain = case.gain_px
    largest = max(photo.shape[-2:])
    if long_edge is not None and largest > long_edge:
        size = [round(n * long_edge / largest) for n in photo.shape[-2:]]
        photo, truth = (F.interpolate(x, size, mode="bilinear", antialias=True).clamp(0, 1) for x in (photo, truth))
        gain = None if gain is None else gain * long_edge / largest
    return Loaded(case, photo, truth, gain)


def depth_of(loaded: Loaded, sharp: Tensor, model: str | None) -> DepthMap:
    """The case's depth, or an estimate on the sharp picture.

    Raises:
        ValueError: if there is neither a file nor a model.
    """
    case = loaded.case
    if case.depth is None:
        if model is None:
            raise ValueError(f"{case.name} has no depth. Give files (see bench/eval/cases.py) or --depth-model.")
        return depth.estimate(sharp, model)
    d = pictures.load_map(case.depth)[:, 0]
    if case.depth_kind == "depth_m":
        d = torch.where(d > 0, 1 / d.clamp_min(1e-6), 0.0)
    d = F.interpolate(d[None], sharp.shape[-2:], mode="bilinear", align_corners=False)[0]
    if not case.metric:
        d = (d - d.min()) / (d.max() - d.min()).clamp_min(1e-12)
    return DepthMap(d.float().contiguous(), case.metric)


def focus_of(loaded: Loaded, depth_map: DepthMap) -> float:
    """Disparity in focus: given, under the mask, or where the truth is sharp."""
    where = loaded.case.focus
    if isinstance(where, Path):
        return focus_room.from_mask(depth_map, pictures.load_map(where)[0, 0]).disparity
    if isinstance(where, tuple):
        return float(defocus.focus_disparity(depth_map, where))
    if where is not None:
        return where
    return focus_room.from_sharpness(srgb_to_linear(loaded.truth[0]), depth_map).disparity


def measure(result: Tensor, truth: Tensor, metrics: dict[str, scores.Metric | None]) -> dict[str, float]:
    return {name: metric(result[0], truth[0]) for name, metric in metrics.items() if metric is not None}


def run_deblur(loaded: Loaded, method: methods.Deblur, metrics: dict[str, scores.Metric | None]) -> dict[str, float]:
    """Numbers of one deblurring case."""
    return measure(method(loaded.photo), loaded.truth, metrics)


def run_bokeh(
    loaded: Loaded,
    sharp: Tensor,
    depth_map: DepthMap,
    name: str,
    method: methods.Bokeh,
    metrics: dict[str, scores.Metric | None],
    search: Search,
) -> dict[str, float]:
    """Numbers of one bokeh case, K included."""
    focus = focus_of(loaded, depth_map)
    spread = float((depth_map.disparity - focus).abs().max())
    gain = 0.0 if name == "identity" or spread == 0 else loaded.gain_px
    if gain is None:
        edge = max(sharp.shape[-2:])
        bounds = (search.percent[0] / 100 * edge / spread, search.percent[1] / 100 * edge / spread)
        gain, _, _ = maximise(
            lambda k: ssim(method(sharp, depth_map, focus, k)[0].clamp(0, 1), loaded.truth[0]),
            bounds,
            coarse=search.coarse,
            tolerance=search.tolerance,
        )
    return {**measure(method(sharp, depth_map, focus, gain), loaded.truth, metrics), "gain_px": gain, "focus_disparity": focus}


def control(loaded: Loaded, sharp: Tensor, depth_map: DepthMap, method: methods.Bokeh) -> float:
    """LVCorr of one picture."""
    focus = focus_of(loaded, depth_map)
    spread = float((depth_map.disparity - focus).abs().max())
    if spread == 0:
        return float("nan")
    top = LVCORR_PERCENT / 100 * max(sharp.shape[-2:]) / spread
    gains = [top * i / 5 for i in range(1, 6)]
    return scores.lvcorr(gains, [method(sharp, depth_map, focus, k)[0] for k in gains])


@torch.no_grad()
def evaluate(
    task: Task,
    chosen: Sequence[Case],
    names: Sequence[str],
    options: methods.Options,
    metrics: dict[str, scores.Metric | None],
    *,
    all_in_focus: str = "identity",
    depth_model: str | None = None,
    long_edge: int | None = None,
    search: Search | None = None,
    lvcorr: int = 0,
) -> list[Row]:
    """Run methods over cases; "identity" is the first row whether it was asked for or not.

    Raises:
        ValueError: if a method or case lacks something; the message names it.
    """
    names = list(dict.fromkeys(["identity", *names]))
    # All of them before any long work: what is missing is said at once.
    deblurs = {n: methods.deblur(n, options) for n in names} if task == "deblur" else {}
    renders = {n: methods.bokeh_method(n, options) for n in names} if task != "deblur" else {}
    first = methods.deblur(all_in_focus, options) if task == "refocus" else None
    rows = {n: Row(n) for n in names}
    for number, case in enumerate(tqdm(chosen, dynamic_ncols=True, disable=len(chosen) < 2)):
        loaded = load_case(case, long_edge)
        if task == "deblur":
            for n, method in deblurs.items():
                rows[n].numbers.append(run_deblur(loaded, method, metrics))
            continue
        sharp = loaded.photo if first is None else first(loaded.photo).clamp(0, 1)
        depth_map = depth_of(loaded, sharp, depth_model)
        for n, render in renders.items():
            source = loaded.photo if n == "identity" else sharp
            rows[n].numbers.append(run_bokeh(loaded, source, depth_map, n, render, metrics, search or Search()))
            if n != "identity" and number < lvcorr:
                rows[n].lvcorr.append(control(loaded, sharp, depth_map, render))
    return list(rows.values())


def table(rows: Sequence[Row], metrics: dict[str, scores.Metric | None], lvcorr: bool) -> str:
    """Markdown: a row for each method, the mean over cases."""
    names = [*metrics, *(["lvcorr"] if lvcorr else [])]
    titles = {"psnr": "PSNR", "ssim": "SSIM", "lpips": "LPIPS (Alex)", "dists": "DISTS", "lvcorr": "LVCorr"}
    head = "| method | " + " | ".join(f"{titles[n]}, {scores.BETTER[n]} is better" for n in names) + " |"
    lines = [head, "|---" * (len(names) + 1) + "|"]
    for row in rows:
        cells: list[str] = []
        for n in names:
            if n == "lvcorr":
                known = [v for v in row.lvcorr if not math.isnan(v)]
                cells.append(f"{sum(known) / len(known):.4f}" if known else "–")
            elif metrics[n] is None:
                cells.append(NOT_AVAILABLE)
            else:
                value = row.mean(n)
                assert value is not None
                cells.append(f"{value:.2f}" if n == "psnr" else f"{value:.4f}")
        lines.append(f"| {row.method} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def report(rows: Sequence[Row], chosen: Sequence[Case], metrics: dict[str, scores.Metric | None], lvcorr: int) -> tuple[str, Any]:
    """The Markdown and the JSON."""
    missing = {n: scores.FILES[n] for n, m in metrics.items() if m is None}
    text = [f"{len(chosen)} case(s).", "", table(rows, metrics, bool(lvcorr)), ""]
    text += [f"{n} is not available: it needs {' and '.join(files)}." for n, files in missing.items()]
    values = {
        "cases": len(chosen),
        "methods": {
            r.method: {
                "mean": {n: r.mean(n) for n, m in metrics.items() if m is not None},
                "not_available": sorted(missing),
                "lvcorr": r.lvcorr,
                "cases": {c.name: n for c, n in zip(chosen, r.numbers, strict=True)},
            }
            for r in rows
        },
    }
    return "\n".join(text).rstrip() + "\n", values


def main(arguments: list[str] | None = None) -> int:
    """Run; 0 if it succeeded."""
    p = argparse.ArgumentParser(prog="python -m bench.eval", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("folder", type=Path)
    p.add_argument("--layout", default="folder", choices=list(cases.LAYOUTS))
    p.add_argument("--task", choices=["deblur", "bokeh", "refocus"])
    p.add_argument("--methods", nargs="+", default=[], metavar="NAME", help="see bench/eval/methods.py")
    p.add_argument("--metrics", nargs="+", metavar="NAME", help=f"of {', '.join(scores.ALL)}; default: those that are available")
    p.add_argument("--metric-weights", type=Path, help="folder of the metrics' weights (default: torch's hub folder)")
    p.add_argument("--names", type=Path, help="file with the names of the cases to take, one a line")
    p.add_argument("--limit", type=int, help="take the first cases only")
    p.add_argument("--long-edge", type=int, help="scale pictures down to this")
    p.add_argument("--all-in-focus", default="identity", help="refocus: the deblurring method that comes first")
    p.add_argument("--depth-model", help="estimates depth where there is no file (auto, or a name of refocus_core.depth)")
    p.add_argument("--lvcorr", type=int, default=0, metavar="N", help="also measure LVCorr, on the first N cases")
    p.add_argument("--search-points", type=int, default=9, help="grid of the search for K")
    p.add_argument("--search-tolerance", type=float, default=0.03, help="its final relative width; 1: the grid only")
    p.add_argument("--out", type=Path, default=Path("out/eval"), help="folder for eval.md and eval.json")
    p.add_argument("--device", default="cpu")
    p.add_argument("--quality", default="normal", help="of the physical renderer")
    for name in ("flux", "vae", "prompts", "deblur-lora", "bokeh-lora"):
        p.add_argument(f"--{name}", type=Path, help="generative and hybrid methods")
    p.add_argument("--steps", type=int, default=28, help="of sampling")
    p.add_argument("--seed", type=int, default=42)
    args = p.parse_args(arguments)
    try:
        task, chosen = cases.read(args.layout, args.folder, args.task)
        if args.names:
            wanted = set(args.names.read_text().split("\n")) - {""}
            unknown = wanted - {c.name for c in chosen}
            if unknown:
                raise ValueError(f"{args.names} names {sorted(unknown)[0]!r}, which {args.folder} does not hold.")
            chosen = [c for c in chosen if c.name in wanted]
        chosen = chosen[: args.limit]
        metrics = scores.load(args.metrics, args.metric_weights)
        options = methods.Options(
            device=args.device,
            quality=args.quality,
            flux=args.flux,
            vae=args.vae,
            prompts=args.prompts,
            deblur_lora=args.deblur_lora,
            bokeh_lora=args.bokeh_lora,
            steps=args.steps,
            seed=args.seed,
        )
        rows = evaluate(
            task,
            chosen,
            args.methods,
            options,
            metrics,
            all_in_focus=args.all_in_focus,
            depth_model=args.depth_model,
            long_edge=args.long_edge,
            search=Search(coarse=args.search_points, tolerance=args.search_tolerance),
            lvcorr=args.lvcorr if task != "deblur" else 0,
        )
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    text, values = report(rows, chosen, metrics, args.lvcorr if task != "deblur" else 0)
    args.out.mkdir(parents=True, exist_ok=True)
    values |= {"folder": str(args.folder), "task": task, "options": {k: str(v) for k, v in asdict(options).items()}}
    (args.out / "eval.md").write_text(text)
    (args.out / "eval.json").write_text(json.dumps(values, indent=1))
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
