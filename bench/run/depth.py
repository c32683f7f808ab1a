"""How well depth models order real photographs, beside guesses that look at nothing.

    python -m bench.run.depth [--models NAME_OR_FILE ...] [--only PHOTO ...] [--previews FOLDER] [--write]

Photos with measured depth (`bench.lib.measured_photos`, and the motorcycle of tests/data) at a long edge of 640 px; none is
ever trained on. `--write` puts the table into bench/results/depth.md. Models: registered names, or
safetensors files with their config.json.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Generator
from pathlib import Path

import torch
from torch import Tensor

from bench.lib import measured_photos, reporting
from refocus_core import depth
from refocus_core.train.depth.scores import Scores, score
from refocus_core.types import DepthMap
from tests.helpers import motorcycle

LONG_EDGE_PX = 640
"""Photos are reduced to this: about what the models see anyway."""
SMOOTHED = ("pug", "face", "chin", "glasses")
"""Their depth was smoothed by the phone: its edges are no truth."""

Method = Callable[[Tensor], Tensor]
"""image [1,3,H,W] -> disparity [H,W]."""


def _grid(image: Tensor) -> tuple[Tensor, Tensor]:
    h, w = image.shape[-2:]
    y, x = torch.meshgrid((torch.arange(h) + 0.5) / h, (torch.arange(w) + 0.5) / w, indexing="ij")
    return y, x


def constant(image: Tensor) -> Tensor:
    """The same distance everywhere."""
    return torch.full(image.shape[-2:], 0.5)


def ramp(image: Tensor) -> Tensor:
    """Near at the lower edge, far at the upper one."""
    return _grid(image)[0]


def ramp_and_centre(image: Tensor) -> Tensor:
    """The ramp, with something near in the middle."""
    y, x = _grid(image)
    return y + torch.exp(-((x - 0.5) ** 2 + (y - 0.55) ** 2) / (2 * 0.22**2))


def network(name: str) -> Method:
    """A depth model, refined as the node does it."""

    def run(image: Tensor) -> Tensor:
        return depth.estimate(image, name).disparity[0]

    return run


def frames(only: list[str] | None) -> Generator[tuple[str, str, Tensor, DepthMap]]:
    """Name, kind, picture and measured depth."""
    if not only or "motorcycle" in only:
        metres, known = motorcycle.depth_m()
        disparity = torch.where(known, 1 / metres, 0)
        yield "motorcycle", "indoor", motorcycle.photo(), DepthMap(disparity, True, None, known, "structured light")
    for photo in measured_photos.PHOTOS:
        if not photo.synthetic and (not only or photo.name in only):
            image, truth = measured_photos.load(photo, LONG_EDGE_PX)
            yield photo.name, photo.kind, image, truth


def _cell(s: Scores) -> str:
    return f"{s.spearman:.3f} / {s.delta:.2f} / " + ("-" if s.edge_f != s.edge_f else f"{s.edge_f:.2f}")


def _mean(found: list[Scores]) -> Scores:
    edges = [s.edge_f for s in found if s.edge_f == s.edge_f]
    return Scores(
        statistics.mean(s.spearman for s in found),
        statistics.mean(s.delta for s in found),
        statistics.mean(edges) if edges else float("nan"),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Score depth models on real photographs with measured depth.")
    parser.add_argument("--models", nargs="+", default=["refocus-depth-s"], metavar="NAME_OR_FILE")
    parser.add_argument("--only", nargs="+", metavar="PHOTO")
    parser.add_argument("--previews", type=Path, metavar="FOLDER", help="write photo, measured and estimated depth")
    parser.add_argument("--write", action="store_true", help="put the table into bench/results")
    args = parser.parse_args()
    methods: dict[str, Method] = {"constant": constant, "ramp": ramp, "ramp + centre": ramp_and_centre}
    methods |= {name: network(name) for name in args.models}
    rows: list[str] = []
    found: dict[str, list[Scores]] = {m: [] for m in methods}
    for name, kind, image, truth in frames(args.only):
        known = truth.disparity[0] > 0 if truth.valid is None else truth.valid[0]
        cells: list[str] = []
        for method, run in methods.items():
            d = run(image)
            s = score(d, truth.disparity[0], known)
            s = s._replace(edge_f=float("nan")) if name in SMOOTHED else s
            found[method].append(s)
            cells.append(_cell(s))
            if args.previews and method in args.models:
                args.previews.mkdir(parents=True, exist_ok=True)
                row = measured_photos.preview(image, truth)
                ours = measured_photos.preview(image, DepthMap(d[None], False, None, None, method))
                row.paste(ours.crop((row.width // 3, 0, row.width // 3 * 2, row.height)), (row.width // 3 * 2, 0))
                row.save(args.previews / f"{name}.{Path(method).stem}.jpg", quality=88)
        rows.append(f"| {name} | {kind} | " + " | ".join(cells) + " |")
        print(rows[-1], flush=True)
    rows.append(f"| **mean of {len(rows)}** | | " + " | ".join(f"**{_cell(_mean(v))}**" for v in found.values()) + " |")
    print(rows[-1])
    if args.write:
        head = "| photo | kind | " + " | ".join(methods) + " |\n|" + "---|" * (len(methods) + 2)
        reporting.write_summary("depth", f"{_ABOUT}\n{head}\n" + "\n".join(rows) + "\n")


_ABOUT = f"""# Depth models on real photographs

Written by `python -m bench.run.depth --write`. Each cell: Spearman's rank correlation with the measured disparity / share of
pixels within a factor 1.25 of it after the best scale and offset (disparities below 2 % of the largest count as that) /
F-score of the depth edges within 2 px ("-" where the measured depth has none to compare with, or was smoothed by the phone that
took it). Photos
at a long edge of {LONG_EDGE_PX} px; unmeasured pixels are left out. None of them was ever trained on.
"""
"""Head of the table in bench/results."""


if __name__ == "__main__":
    main()
