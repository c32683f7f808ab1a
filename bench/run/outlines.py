"""Outlines whose depth is blurred by 2 to 7 px and up to 3 px off: PSNR of the rim, and specks that should be blurred.

    python -m bench.run.outlines [--quality draft normal best] [--write]

Twelve wavy and toothed shapes before textured walls, in front of and behind the focus, against the lens integrated over its
aperture with both layers known. *Crumbs* is the 99th percentile of the picture's Laplacian in the rim over
the truth's.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import torch

from bench.lib import metrics, oracle
from bench.lib import soft_outlines as outlines
from bench.lib.reporting import markdown, number, write_summary
from refocus_core import bokeh
from refocus_core.bokeh import reference
from refocus_core.types import DefocusMap


def outline(seed: int) -> outlines.Outline:
    """An outline, made once and kept."""
    path = oracle.CACHE / f"outline-{seed}-{oracle.code_key(outlines, reference)}.pt"
    if path.exists():
        return outlines.Outline(**torch.load(path, weights_only=True))
    print(f"integrating outline {seed} ...", file=sys.stderr, flush=True)
    made = outlines.make(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(made.__dict__, path)
    return made


def scores(quality: str, seed: int, soft: bool) -> tuple[float, float]:
    """PSNR of the rim in dB, and its crumbs as a multiple of the truth's."""
    case = outline(seed)
    radius = case.soft if soft else case.exact
    picture = bokeh.render(case.image[None], DefocusMap.from_radius(radius), quality=quality)[0]
    shown, truth = metrics.display(picture), metrics.display(case.truth)
    return metrics.psnr(picture, case.truth, case.rim), outlines.crumbs(shown, case.rim) / outlines.crumbs(truth, case.rim)


def report(qualities: Sequence[str]) -> str:
    """outlines.md."""
    rows: list[list[str]] = []
    for quality in qualities:
        for soft in (False, True):
            of = [scores(quality, seed, soft) for seed in range(outlines.COUNT)]
            psnr, crumbs = [s[0] for s in of], [s[1] for s in of]
            cells = [number(metrics.mean(psnr)), number(min(psnr)), number(max(crumbs), 2)]
            rows.append([f"ours, {quality}", "soft" if soft else "exact", *cells])
            print(*rows[-1], file=sys.stderr, flush=True)
    head = ["method", "map", "rim, mean dB", "rim, worst dB", "crumbs, worst"]
    return f"# Outlines with soft depth\n\n`python -m bench.run.outlines`: {outlines.COUNT} outlines.\n\n{markdown(head, rows)}\n"


def main() -> None:
    """Print the table, and write it where asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quality", nargs="+", choices=tuple(bokeh.QUALITIES), default=["draft", "normal"])
    parser.add_argument("--write", action="store_true", help="into bench/results/outlines.md")
    args = parser.parse_args()
    text = report(args.quality)
    print(text)
    if args.write:
        write_summary("outlines", text)


if __name__ == "__main__":
    main()
