"""Memory of a long clip: 1,000 frames of 1920 × 1080 from file to file, and what is resident as they pass.

    python -m bench.run.long_clip [--frames 1000] [--width 1920] [--height 1080] [--steady-frames 8] [--write]

The clip is a pan over the motorcycle photo, enlarged; draft, refocus-depth-s, both passes. Memory is what the process has
resident, read after every frame: the highest of each tenth of a pass. In constant memory the last tenth is as high as the
second one.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from bench.lib.reporting import describe, machine, markdown, save, write_summary
from bench.lib.resident import resident_mib
from refocus_core import clip, depth
from refocus_core.defocus import FocusPoint
from refocus_core.files import clips
from refocus_core.optics import Blur
from tests.helpers import clip_files, motorcycle

STEP_PX = 2
"""What the camera moves a frame; at the end of the photo it turns."""
PARTS = 10
"""Into how many parts a pass is divided."""


def source(path: Path, count: int, width: int, height: int) -> Path:
    """The clip as a file."""
    with Image.open(motorcycle.PHOTO) as im:
        whole = im.convert("RGB")
    factor = 1.25 * max(width / whole.width, height / whole.height)
    large = np.asarray(whole.resize((round(whole.width * factor), round(whole.height * factor)), Image.Resampling.BICUBIC))
    room = large.shape[1] - width
    top = (large.shape[0] - height) // 2

    def frames() -> Iterator[np.ndarray]:
        for number in range(count):
            at = STEP_PX * number % (2 * room)
            left = at if at < room else 2 * room - at
            yield np.ascontiguousarray(large[top : top + height, left : left + width])

    return clip_files.written(path, frames(), [40 * n for n in range(count)])


class Watched:
    """The progress of a pass, and what was resident meanwhile."""

    def __init__(self, name: str, count: int) -> None:
        self.name, self.count = name, count
        self.highest = [0.0] * PARTS
        self.begun = time.perf_counter()
        self.seconds = 0.0

    def __call__(self, done: int, _total: int) -> None:
        part = min(done * PARTS // self.count, PARTS - 1)
        now = resident_mib()
        if now > self.highest[part] or done == self.count:
            self.highest[part] = max(now, self.highest[part])
        self.seconds = time.perf_counter() - self.begun
        if done % max(self.count // PARTS, 1) == 0:
            print(f"{self.name}: {done} of {self.count} frames, {now:.0f} MiB, {self.seconds:.0f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=1000)
    parser.add_argument("--width", type=int, default=1920)
    parser.add_argument("--height", type=int, default=1080)
    parser.add_argument("--steady-frames", type=int, default=clip.ClipOptions(Blur(1)).steady_frames)
    parser.add_argument("--write", action="store_true", help="renew bench/results/long_clip.md")
    args = parser.parse_args()
    where = machine(torch.device("cpu"))
    with tempfile.TemporaryDirectory() as folder:
        path = source(Path(folder) / "in.mp4", args.frames, args.width, args.height)
        start = resident_mib()
        options = clip.ClipOptions(Blur(2.0), FocusPoint(0.5, 0.6), steady_frames=args.steady_frames)
        steps = clip.rendering_steps(depth.load("refocus-depth-s"), None, clip.Rendering(quality="draft"))
        work = clip.Clip(steps, options, torch.device("cpu"))
        passes = [Watched("depth", args.frames), Watched("rendering", args.frames)]
        plan = clip.plan_file(work, path, passes[0])
        passes[1].begun = time.perf_counter()
        clip.render_file(work, plan, path, Path(folder) / "out.mp4", passes[1])
        written = sum(1 for _ in clips.frames(Path(folder) / "out.mp4"))
    if written != args.frames:
        raise RuntimeError(f"{written} frames were written of {args.frames}.")
    head = ["pass", *(f"to {100 * (n + 1) // PARTS} %" for n in range(PARTS)), "s per frame"]
    rows = [[p.name, *(f"{mib:.0f}" for mib in p.highest), f"{p.seconds / args.frames:.1f}"] for p in passes]
    what = (
        f"{args.frames} frames of {args.width} × {args.height} px, draft, depth steadied over {args.steady_frames} frames to "
        f"each side. Highest resident memory of each tenth, MiB; {start:.0f} before the model was loaded."
    )
    text = f"{describe(where)}\n\n{what}\n\n{markdown(head, rows)}\n"
    save("long_clip", {p.name: p.highest for p in passes}, text)
    print(text)
    if args.write:
        write_summary("long_clip", text)


if __name__ == "__main__":
    main()
