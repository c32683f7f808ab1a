"""What each control of lens and light costs, on the motorcycle photo: processor time on one thread.

    python -m bench.run.lens [--size 480x720] [--repeat 2] [--write]

Prints a Markdown table and keeps it in out/bench; `--write` puts it into bench/results/lens.md. Times are the least of the
repeats, and as a factor of the plain rendering by a round aperture. Processor time does not count what other programs do on the
machine.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.lib import reporting
from refocus_core import bokeh, defocus
from refocus_core.color import exposed, linear_to_srgb, srgb_to_linear
from refocus_core.files import pictures
from refocus_core.optics import Blur
from refocus_core.types import DepthMap
from tests.helpers import motorcycle

BLUR_PERCENT = 2.0
"""Strength, in percent of the long edge."""
LAMPS = 60
"""Clipped lamps that are put into the photo, for what is done to lights."""
FLAT_PX, GRAIN = 128, 0.02
"""Side of a grey square that is put in as well, and the grain over all, so that there is grain to measure."""
ALONE: dict[str, dict[str, Any]] = {
    "plain": {},
    "squeeze": {"squeeze": 2.0},
    "spherical": {"spherical": 0.7},
    "fringe": {"fringe": 0.5},
    "onion": {"onion": 0.5},
    "cat_eye": {"cat_eye": 0.7},
    "barn_doors": {"barn_doors": 0.7},
    "swirl": {"swirl": 0.7},
    "coma": {"coma": 0.7},
    "tilt_deg": {"tilt_deg": 30.0},
    "field_curvature": {"field_curvature": 0.3},
    "highlight_boost": {"highlight_boost": 3.0},
    "highlight_recovery": {"highlight_recovery": 1.0},
    "grain": {"grain": 1.0},
    "bloom": {"bloom": 0.1},
    "lateral_color": {"lateral_color": 0.1},
    "exposure": {"exposure": 1.0},
}
"""Control -> its option."""
TOGETHER = {name: value for options in ALONE.values() for name, value in options.items()}
"""All of them."""


def rendered(image: Tensor, depth_map: DepthMap, options: dict[str, Any]) -> Tensor:
    """As node and command line compose it."""
    o = dict(options)
    boost, recovery, grain, stops = (o.pop(n, 0.0) for n in ("highlight_boost", "highlight_recovery", "grain", "exposure"))
    bloom, lateral = o.pop("bloom", 0.0), o.pop("lateral_color", 0.0)
    tilt, bent = defocus.Tilt(o.pop("tilt_deg", 0.0)), o.pop("field_curvature", 0.0)
    made = defocus.from_lens(depth_map, Blur(BLUR_PERCENT), (0.5, 0.5), tilt=tilt, field_curvature=bent)
    light = bokeh.recover_highlights(srgb_to_linear(image), made.radius_px, recovery)
    out = linear_to_srgb(bokeh.render(light, made, bokeh.ApertureSettings(**o).kernel(), highlight_boost=boost))
    out = bokeh.bloomed(bokeh.with_lateral_colour(out, lateral), bloom)
    return exposed(bokeh.put_grain_back(out, image, made.radius_px, grain), stops)


def seconds(work: Callable[[], object], repeat: int) -> float:
    """Processor time of the quickest run."""
    times: list[float] = []
    for _ in range(repeat):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def scene(size: tuple[int, int]) -> tuple[Tensor, DepthMap]:
    """The photo [1,3,H,W] with clipped lamps, and its measured depth."""
    image = F.interpolate(motorcycle.photo(), size, mode="area").clone()
    generator = torch.Generator().manual_seed(1)
    image[:, :, :FLAT_PX, :FLAT_PX] = 0.5
    image = (image + GRAIN * torch.randn(image.shape, generator=generator)).clamp(0, 1)
    for _ in range(LAMPS):
        y, x = (int(torch.randint(8, n - 8, (), generator=generator)) for n in size)
        image[:, :, y - 1 : y + 2, x - 1 : x + 2] = torch.tensor([1.0, 0.9, 0.7]).view(1, 3, 1, 1)
    near = F.interpolate(pictures.load_map(motorcycle.NEAR_BRIGHT)[:, :1], size, mode="bilinear")[:, 0]
    return image, DepthMap(near.clamp(0, 1), metric=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="480x720", help="height and width")
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    height, width = map(int, args.size.split("x"))
    image, depth_map = scene((height, width))
    found = {name: seconds(lambda o=o: rendered(image, depth_map, o), args.repeat) for name, o in ALONE.items()}
    found["all of them"] = seconds(lambda: rendered(image, depth_map, TOGETHER), args.repeat)
    rows = [(name, f"{s:.2f}", f"{s / found['plain']:.2f}") for name, s in found.items()]
    machine = reporting.machine(torch.device("cpu"))
    head = f"{reporting.describe(machine)}\n\nReblur of {width} x {height} px, normal quality, processor time on one thread.\n\n"
    text = head + reporting.markdown(("control", "seconds", "of plain"), rows) + "\n"
    print(text)
    reporting.save("lens", {"machine": machine, "seconds": found}, text)
    if args.write:
        reporting.write_summary("lens", text)


if __name__ == "__main__":
    main()
