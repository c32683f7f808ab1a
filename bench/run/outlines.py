"""Outlines whose depth is blurred by 2 to 7 px and up to 3 px off: PSNR of the rim, and specks that should be blurred.

    python -m bench.run.outlines [--quality draft normal best] [--of shapes meeting cutouts] [--write]

Twelve wavy and toothed shapes before textured walls, twelve pairs of such shapes that overlap, and twelve photographs cut
out (`bench.lib.soft_cutouts`: fur, feathers, leaves, legs) before photographs, in front of and behind the focus, against the lens
integrated over its aperture with all layers known. *Crumbs* is the 99th percentile of the picture's Laplacian in the rim over the
truth's. Cut-outs need `python -m refocus_core.train.levels fetch tuxpaint` once.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import torch

from bench.lib import metrics, oracle, soft_cutouts
from bench.lib import soft_outlines as outlines
from bench.lib.reporting import markdown, number, write_summary
from refocus_core import bokeh
from refocus_core.bokeh import reference
from refocus_core.types import DefocusMap

SETS = {
    "shapes": ("outline", outlines.make, (outlines, reference)),
    "meeting": ("meeting", outlines.make_meeting, (outlines, reference)),
    "cutouts": ("cutout", soft_cutouts.make, (soft_cutouts, outlines, reference)),
}
"""Of each set of outlines: the name under which its truths are kept, what makes one of a number, what that depends on."""


def outline(of: str, seed: int) -> outlines.Outline:
    """An outline of a set, made once and kept."""
    name, make, code = SETS[of]
    path = oracle.CACHE / f"{name}-{seed}-{oracle.code_key(*code)}.pt"
    if path.exists():
        return outlines.Outline(**torch.load(path, weights_only=True))
    print(f"integrating {name} {seed} ...", file=sys.stderr, flush=True)
    made = make(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(made.__dict__, path)
    return made


def scores(of: str, quality: str, seed: int, soft: bool) -> tuple[float, float]:
    """PSNR of the rim in dB, and its crumbs as a multiple of the truth's."""
    case = outline(of, seed)
    radius = case.soft if soft else case.exact
    picture = bokeh.render(case.image[None], DefocusMap.from_radius(radius), quality=quality)[0]
    shown, truth = metrics.display(picture), metrics.display(case.truth)
    return metrics.psnr(picture, case.truth, case.rim), outlines.crumbs(shown, case.rim) / outlines.crumbs(truth, case.rim)


def report(sets: Sequence[str], qualities: Sequence[str]) -> str:
    """outlines.md."""
    rows: list[list[str]] = []
    for of in sets:
        for quality in qualities:
            for soft in (False, True):
                scored = [scores(of, quality, seed, soft) for seed in range(outlines.COUNT)]
                psnr, crumbs = [s[0] for s in scored], [s[1] for s in scored]
                cells = [number(metrics.mean(psnr)), number(min(psnr)), number(max(crumbs), 2)]
                rows.append([of, f"ours, {quality}", "soft" if soft else "exact", *cells])
                print(*rows[-1], "|", *map(number, psnr), file=sys.stderr, flush=True)
    head = ["outlines", "method", "map", "rim, mean dB", "rim, worst dB", "crumbs, worst"]
    of_each = f"`python -m bench.run.outlines`: {outlines.COUNT} of each kind."
    return f"# Outlines with soft depth\n\n{of_each}\n\n{markdown(head, rows)}\n"


def main() -> None:
    """Print the table, and write it where asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quality", nargs="+", choices=tuple(bokeh.QUALITIES), default=["draft", "normal"])
    parser.add_argument("--of", nargs="+", choices=tuple(SETS), default=list(SETS))
    parser.add_argument("--write", action="store_true", help="into bench/results/outlines.md")
    args = parser.parse_args()
    text = report(args.of, args.quality)
    print(text)
    if args.write:
        write_summary("outlines", text)


if __name__ == "__main__":
    main()
