"""How right and how fast: our renderer beside what others do, against a lens integrated on scenes whose hidden parts are known.

    python -m bench.run.render [--quick] [--cases 'two-*'] [--quality normal best] [--soft] [--no-times] [--device cpu]
                                  [--write]

Prints Markdown tables and keeps them with all numbers in out/bench; `--write` puts the summary into
bench/results/render.md. The truth of every scene is integrated once (half a minute to three minutes each on one core) and kept
under bench/.cache. `--quick` takes a few cases and no times, `--soft` only the soft maps.

PSNR is in dB on display-encoded pictures, mean over cases. The radius map is exact, or *soft*: blurred, half a pixel off and with
slow errors, as a network gives it (`scenes.soften`). *Layers given*: background plate, its radius and matte are inputs.
"""

from __future__ import annotations

import argparse
import fnmatch
import functools
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.lib import baselines, metrics, reporting
from bench.lib import layered_scenes as scenes
from bench.lib.oracle import (
    FOCI,
    PHOTO_RADIUS_PX,
    Method,
    layers_of,
    ours,
    photo_and_disparity,
    photo_truth,
    truth_of,
)
from bench.lib.reporting import markdown, number
from refocus_core import bokeh
from refocus_core.optics import BlurLaw
from refocus_core.types import DefocusMap

QUICK = ("two-front", "two-middle", "three-middle", "hair-front", "slanted-back", "lights-front")
"""Scenes of --quick: one of each kind."""
LAYERED = ("two-*", "thin-*", "hair-*", "lights-*")
"""Scenes of two planes, for which the background plate and the matte say everything."""
FRAME_PX = 28
"""Not scored at the borders: the largest radius of the scenes."""
MODES = ("exact", "soft", "layers given")
"""What the renderers are told, in the order of the report."""
MODE_TEXT = {
    "exact": "exact radius map",
    "soft": "soft radius map",
    "layers given": "background plate and matte given (scenes of two planes), exact map",
}
"""The same in words."""
RADII = (8, 16, 32, 64)
"""Largest radii in px of the table of times."""
RUNS = 3
"""Runs whose median counts, after one to warm up."""


def timed(method: Method, *args: Any) -> tuple[Tensor, float]:
    """Result, and seconds on the clock."""
    start = time.perf_counter()
    out = method(*args)
    return out, time.perf_counter() - start


def quality_table(
    mode: str, cases: Iterable[scenes.Case], methods: dict[str, Method], device: torch.device
) -> list[dict[str, Any]]:
    """One row per case and method."""
    rows: list[dict[str, Any]] = []
    for case in cases:
        if mode == "layers given" and not any(fnmatch.fnmatch(case.name, p) for p in LAYERED):
            continue
        t = truth_of(case)
        kernel = bokeh.make_kernel(case.shape)
        where = metrics.regions(t.radius, t.hidden, FRAME_PX)
        radius = scenes.soften(t.radius[None])[0] if mode == "soft" else t.radius
        chosen = methods
        if mode == "layers given":
            plate, matte = layers_of(case)
            given = {"background": bokeh.Plate(plate.image.to(device), plate.radius_px), "matte": matte.to(device)}
            chosen = {name: ours(name.split()[-1], device, **given) for name in methods if name.startswith("ours")}
        for name, method in chosen.items():
            picture, seconds = timed(method, t.image, radius, kernel)
            row = {"mode": mode, "case": case.name, "method": name, **metrics.scores(picture, t.truth, where), "seconds": seconds}
            if case.lights:
                row["iou"] = metrics.highlight_iou(picture, t.truth, where["whole"] & (t.hidden < metrics.HIDDEN_SHARE))
            rows.append(row)
            print(
                f"{mode:12} {case.name:22} {name:20}",
                *(f"{k} {row[k]:5.1f}" for k in metrics.REGIONS),
                flush=True,
                file=sys.stderr,
            )
    return rows


def energy_errors(methods: dict[str, Method]) -> dict[str, float]:
    """Largest relative change of a picture's light on a single plane, both signs, several radii, one bright point and texture."""
    out: dict[str, float] = {}
    h = w = 192
    for name, method in methods.items():
        worst = 0.0
        for r in (24.0, -24.0, 9.3, -3.1, 0.8):
            image = torch.zeros(3, h, w)
            image[:, 64:128, 64:128] = scenes.texture(3, 64, 64)
            image[:, 90, 101] = 60.0
            got = method(image, torch.full((h, w), r), bokeh.make_kernel("circle"))
            worst = max(worst, abs(float(got.double().sum() / image.double().sum()) - 1))
        out[name] = worst
    return out


def photo_table(methods: dict[str, Method]) -> list[dict[str, Any]]:
    """The second oracle: a real photo; pixels that show hidden content in the oracle are left out everywhere."""
    rows: list[dict[str, Any]] = []
    for focus in FOCI:
        t = photo_truth(focus)
        where = metrics.regions(t.radius, t.hidden, unscored_frame_px(t.radius))
        known = t.hidden < metrics.HIDDEN_SHARE
        for name, method in methods.items():
            picture, seconds = timed(method, t.image, t.radius, bokeh.make_kernel("circle"))
            scored = metrics.scores(picture, t.truth, {k: m & known for k, m in where.items() if k != "band"})
            rows.append({"focus": focus, "method": name, **scored, "seconds": seconds})
    return rows


def unscored_frame_px(radius: Tensor) -> int:
    """Width of the frame that is not scored: what lies beyond the photo's border is anybody's guess."""
    return int(radius.abs().max()) + 2


def time_table(methods: dict[str, Method], slow: Iterable[str]) -> list[dict[str, Any]]:
    """Seconds for one megapixel: a ramp of radii over -R..R, the photo with its measured depth, and with that depth made soft
    (largest radius R).

    Medians of RUNS after one to warm up; a slow method runs once.
    """
    pictures = time_pictures()
    kernel = bokeh.make_kernel("circle")
    rows: list[dict[str, Any]] = []
    for name, method in methods.items():
        for r in RADII:
            if name in slow and r > 32:
                continue
            for kind, (picture, unit) in pictures.items():
                if name in slow and (kind == "soft" or (kind == "ramp" and r > 16)):
                    continue
                runs = range(1 if name in slow else 1 + RUNS)
                taken = [timed(method, picture, (unit * r).contiguous(), kernel)[1] for _ in runs]
                rows.append(time_row(name, kind, r, taken))
    return rows


def time_pictures() -> dict[str, tuple[Tensor, Tensor]]:
    """kind -> picture [3,h,w] in linear light and its signed radius [h,w], at most 1."""
    ramp = torch.linspace(-1, 1, 1024).expand(1024, 1024)
    photo, disparity = photo_and_disparity()
    photo = F.interpolate(photo[None], (872, 1200), mode="bicubic")[0].clamp_min(0)
    depth = F.interpolate(disparity[None, None], (872, 1200), mode="nearest")[0, 0]
    relative = float(depth.median()) - depth
    relative = relative / relative.abs().max()
    return {
        "ramp": (scenes.texture(1, 1024, 1024), ramp),
        "photo": (photo, relative),
        "soft": (photo, scenes.soften(relative[None] * 32)[0] / 32),
    }


def refocus_times(qualities: Iterable[str], device: torch.device) -> list[dict[str, Any]]:
    """Seconds of a rendering, and of the same one after another focus on that picture and depth, its surfaces kept. By turns: a
    machine's speed varies."""
    kernel = bokeh.make_kernel("circle")
    pictures = time_pictures()
    rows: list[dict[str, Any]] = []
    for quality in qualities:
        for r in RADII:
            for kind, (picture, unit) in pictures.items():
                disparity, gain, cache = -unit[None], torch.tensor([float(r)]), bokeh.SurfaceCache()
                first: list[float] = []
                again: list[float] = []
                for focus in (0.04, 0.0, -0.02, 0.02)[: 1 + RUNS]:
                    made = DefocusMap.from_law(disparity, BlurLaw.thin_lens(gain, torch.tensor([focus]))).to(device)
                    for kept, taken in ((None, first), (cache, again)):
                        method = functools.partial(bokeh.render, quality=quality, cache=kept)
                        taken.append(timed(method, picture[None].to(device), made, kernel)[1])
                rows += [time_row(f"ours, {quality}", kind, r, first), time_row(f"ours, {quality}, again", kind, r, again)]
    return rows


def time_row(name: str, kind: str, r: int, taken: list[float]) -> dict[str, Any]:
    """A row of the table, and a line on the terminal; the first run warms up."""
    seconds = statistics.median(taken[1:] or taken)
    print(f"time {name:20} {kind:6} R={r:3} {seconds:6.2f} s", file=sys.stderr, flush=True)
    return {"method": name, "map": kind, "radius": r, "seconds": seconds}


def report(data: dict[str, Any], cases: bool = True) -> str:
    """The tables as Markdown, with the rows of single cases or without."""
    parts = [
        "# The renderer, measured\n",
        f"`{data['command']}`: {reporting.describe(data['machine'])}\n",
        "PSNR in dB on display-encoded pictures, mean over cases. "
        + "; ".join(f"**{k}**: {v}" for k, v in metrics.REGION_TEXT.items())
        + ". **iou**: overlap of the highlights' discs. **s**: seconds per case (320 x 320 px).\n",
    ]
    for mode in MODES:
        rows = [r for r in data["quality"] if r["mode"] == mode]
        if not rows:
            continue
        parts.append(f"## Layered scenes, {MODE_TEXT[mode]} ({len({r['case'] for r in rows})} cases)\n")
        body: list[list[str]] = []
        for name in dict.fromkeys(r["method"] for r in rows):
            of = [r for r in rows if r["method"] == name]
            iou = metrics.mean([r["iou"] for r in of if "iou" in r])
            seconds = metrics.mean([r["seconds"] for r in of])
            quality = [number(metrics.mean([r[k] for r in of])) for k in metrics.REGIONS]
            body.append([name, *quality, number(iou, 3), number(seconds, 2)])
        parts.append(markdown(["method", *metrics.REGIONS, "iou", "s"], body) + "\n")
    for mode in MODES if cases else ():
        rows = [r for r in data["quality"] if r["mode"] == mode]
        if rows:
            names = list(dict.fromkeys(r["method"] for r in rows))
            found = {(r["case"], r["method"]): r["band"] for r in rows}
            body = [[c, *(number(found.get((c, n))) for n in names)] for c in dict.fromkeys(r["case"] for r in rows)]
            parts.append(f"Band PSNR of every case, {MODE_TEXT[mode]}:\n\n" + markdown(["case", *names], body) + "\n")
    if data["photo"]:
        parts.append(
            "## A real photo\n\nA part of the motorcycle photo against views warped by its measured disparity, without the "
            f"pixels that look behind something; radii over {PHOTO_RADIUS_PX:g} px. The oracle does not split pixels that mix "
            "near and far.\n"
        )
        keys = [k for k in metrics.REGIONS if k != "band"]
        body = [[r["focus"], r["method"], *(number(r[k]) for k in keys)] for r in data["photo"]]
        parts.append(markdown(["focus", "method", *keys], body) + "\n")
    if data["energy"]:
        parts.append(
            "## Energy\n\nLargest relative change of a picture's light on a single plane, radii 24, -24, 9.3, -3.1, 0.8 px.\n"
        )
        parts.append(markdown(["method", "error"], [[n, f"{100 * v:.3f} %"] for n, v in data["energy"].items()]) + "\n")
    if data["times"]:
        parts.append(
            "## Seconds for 1 megapixel\n\nA ramp of radii over -R..R / the photo with its measured depth / that depth as soft "
            "as a network's; largest radius R. **again**: another focus on the same picture and depth, their surfaces kept.\n"
        )
        found = {(r["method"], r["map"], r["radius"]): r["seconds"] for r in data["times"]}
        body = []
        for name in dict.fromkeys(r["method"] for r in data["times"]):
            body.append(
                [name, *(" / ".join(number(found.get((name, m, r)), 2) for m in ("ramp", "photo", "soft")) for r in RADII)]
            )
        parts.append(markdown(["method", *(f"R = {r}" for r in RADII)], body) + "\n")
    return "\n".join(parts)


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", default=["*"], help="names or patterns of scenes")
    parser.add_argument("--quality", nargs="+", default=list(bokeh.QUALITIES), choices=list(bokeh.QUALITIES))
    parser.add_argument("--soft", action="store_true", help="only the soft radius maps")
    parser.add_argument("--quick", action="store_true", help="a few scenes, one quality, no times")
    parser.add_argument("--no-times", action="store_true")
    parser.add_argument("--ours", action="store_true", help="without the rows of others")
    parser.add_argument("--device", default="cpu", help="where our renderer runs; the others run on the CPU")
    parser.add_argument("--write", action="store_true", help="put the summary into bench/results")
    options = parser.parse_args()
    device = torch.device(options.device)
    qualities = ["normal"] if options.quick else options.quality
    mine = {f"ours, {q}": ours(q, device) for q in qualities}
    everyone: dict[str, Method] = {**mine} if options.ours else {**mine, **baselines.BASELINES}
    cases = [
        c
        for c in scenes.CASES
        if any(fnmatch.fnmatch(c.name, p) for p in options.cases) and (not options.quick or c.name in QUICK)
    ]
    if not cases:
        parser.error(f"no scene is called {' '.join(options.cases)}; there are {', '.join(c.name for c in scenes.CASES)}")
    modes = ("soft",) if options.soft else MODES
    data: dict[str, Any] = {
        "command": " ".join(["python -m bench.run.render", *(a for a in sys.argv[1:] if a != "--write")]),
        "machine": reporting.machine(device),
        "quality": [],
        "photo": [],
        "energy": {},
        "times": [],
    }
    work: list[tuple[str, Callable[[], Any]]] = [
        ("quality", functools.partial(quality_table, mode, cases, everyone, device)) for mode in modes
    ]
    if not options.soft:
        # The oracle takes the map literally, pixel by pixel: a row that does so too.
        literal = {"ours, normal, unsnapped": ours(replace(bokeh.QUALITIES["normal"], snap=False), device)}
        work += [("photo", lambda: photo_table({**mine, **literal, **everyone})), ("energy", lambda: energy_errors(everyone))]
    if not (options.quick or options.no_times or options.soft):
        slow = ("ours, best", "scatter (BokehMe)", "gather 192 (game)")
        work.append(("times", lambda: refocus_times([q for q in qualities if q != "best"], device)))
        work.append(("times", lambda: time_table({n: m for n, m in mine.items() if n == "ours, best"}, slow)))
        if not options.ours:
            work.append(("times", lambda: time_table(baselines.BASELINES, slow)))
    for key, job in work:
        found = job()
        data[key] = data[key] + found if isinstance(found, list) else found
        reporting.save("render", data, report(data))  # a long run that is stopped leaves what it has
    print(report(data))
    if options.write:
        reporting.write_summary("render", report(data, cases=False))


if __name__ == "__main__":
    main()
