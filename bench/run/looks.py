"""How long each long step works without looking for cancel, on the motorcycle photo.

    python -m bench.run.looks [--only NAME] [--size 1000x1500]

Prints, for each step, its processor time on one thread, the longest time between two calls of `progress`, and how far the bar
is at a quarter, a half and three quarters of the time, which tells how evenly it moves. Processor time does not count what other
programs do on the machine.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F

from refocus_core import bokeh, defocus, depth, restore
from refocus_core.color import srgb_to_linear
from refocus_core.files import pictures
from refocus_core.optics import Blur
from refocus_core.types import DefocusMap, DepthMap, Progress
from tests.helpers import motorcycle

BLUR_PERCENT = 2.0
"""Strength of Reblur, in percent of the long edge."""
SOURCE_RADII_PX = (2.0, 8.0)
"""Radius of the blur that deconvolution undoes, at the nearest and at the farthest."""
QUARTERS = (0.25, 0.5, 0.75)
"""Shares of the time at which is asked how far the bar is."""


def steps(image: torch.Tensor, near: torch.Tensor) -> dict[str, Callable[[Progress], object]]:
    """What may take long, by name, on a photo [1,3,H,W] and its relative disparity [1,H,W]."""
    light, depth_map = srgb_to_linear(image), DepthMap(near, False, None, None, "measured")
    least, most = SOURCE_RADII_PX
    taken = DefocusMap.from_radius(least + (most - least) * (1 - near))
    wanted = defocus.from_lens(depth_map, Blur(BLUR_PERCENT))
    selected = bokeh.between(depth_map, 1.0, 0.6)
    work: dict[str, Callable[[Progress], object]] = {
        "depth": lambda p: depth.estimate(image, "refocus-depth-s", progress=p),
        "refine": lambda p: depth.refine(depth_map, image, progress=p),
        "matte": lambda p: bokeh.depth_matte(light, depth_map, *selected, progress=p),
    }
    for quality in bokeh.QUALITIES:
        work[quality] = lambda p, quality=quality: bokeh.render(light, wanted, quality=quality, progress=p)
    for method, by in (("deconvolution", taken), ("refocus-deblur-s", None), ("blind-deconvolution", None)):
        work[method] = lambda p, method=method, by=by: restore.all_in_focus(image, method, by, progress=p)
    return work


def measured(work: Callable[[Progress], object]) -> tuple[float, float, list[float]]:
    """Seconds of processor time, the longest between two looks, and how far the bar is at each of `QUARTERS`."""
    start = time.process_time()
    looks: list[tuple[float, float]] = [(0.0, 0.0)]
    work(lambda done, total: looks.append((time.process_time() - start, done / total)))
    whole = time.process_time() - start
    times = [t for t, _ in looks] + [whole]
    longest = max(b - a for a, b in itertools.pairwise(times))
    return whole, longest, [max(at for t, at in looks if t <= q * whole) for q in QUARTERS]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="one step")
    parser.add_argument("--size", default="1000x1500", help="height and width")
    args = parser.parse_args()
    torch.set_num_threads(1)
    size = tuple(map(int, args.size.split("x")))
    image = F.interpolate(pictures.load(motorcycle.PHOTO).image, size, mode="bilinear").clamp(0, 1)
    near = F.interpolate(pictures.load_map(motorcycle.NEAR_BRIGHT)[:, :1], size, mode="bilinear")[:, 0]
    print("| step | seconds | longest without a look | bar at a quarter, half, three quarters of the time |\n|---|---|---|---|")
    for name, work in steps(image, near).items():
        if args.only in (None, name):
            whole, longest, bar = measured(work)
            print(f"| {name} | {whole:.1f} | {longest:.2f} | {', '.join(f'{at:.2f}' for at in bar)} |", flush=True)


if __name__ == "__main__":
    main()
