"""A clip of 240 frames whose depth and motion are known, with a rack of the focus and with a focus that follows a ball.

    python -m bench.run.shown_clip [--frames 240] [--write]

The clip is `bench.lib.rolling_balls`; the two passes of `refocus_core.clip` refocus it, draft, with refocus-depth-s. The
network's depth of a frame is found once and kept for all runs. Temporal warping error: as in `bench.run.clips`, along the true
motion; of the output rendered from frames without noise, so that it shows what the blur does. `--write` renews
bench/results/shown_clip.md and docs/clip.webp: above the rack, below the focus that follows, each with its depth steadied.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from bench.lib import rolling_balls
from bench.lib.reporting import describe, machine, markdown, save, write_summary
from bench.lib.rolling_balls import BallFrame
from refocus_core import bokeh, clip, defocus, depth
from refocus_core.clip.steps import Blurred
from refocus_core.color import linear_to_srgb, srgb_to_linear
from refocus_core.depth import ClipScale
from refocus_core.depth.clip_scale import Affine
from refocus_core.depth.model import FrameDepth
from refocus_core.optics import Blur
from refocus_core.types import DefocusMap
from tests.helpers.paths import REPO

PERCENT = 4.0
"""The aperture."""
KEYS = ((0, 1), (50, 1), (100, 0), (150, 0), (200, 2), (239, 2))
"""Frame and ball of each key of the rack."""
SHOWN = REPO / "docs" / "clip.webp"
"""The clip to look at."""
SHOWN_EVERY = 4
"""Of the frames one in so many is shown."""
SHOWN_MS = 110
"""How long each."""
MOST_BYTES = 400_000
"""Of that file."""


class Known(depth.DepthModel):
    """A network whose depth of each frame is known already."""

    def __init__(self, frames: Sequence[Tensor], found: Sequence[FrameDepth], name: str) -> None:
        torch.nn.Module.__init__(self)
        self.name, self.metric = name, False
        self._found = {_key(image[0]): one for image, one in zip(frames, found, strict=True)}

    def forward(self, frame: Tensor, focal_px: float | None = None) -> FrameDepth:
        """Look it up."""
        return self._found[_key(frame)]


def _key(frame: Tensor) -> int:
    return hash(frame.contiguous().numpy().tobytes())


@dataclass
class Run:
    """What came of a run, a frame each: depth and radius [1,H,W], output [3,H,W] in steps of 255."""

    depths: list[Tensor] = field(default_factory=list)
    radii: list[Tensor] = field(default_factory=list)
    outputs: list[Tensor] = field(default_factory=list)


def refocused(frames: Sequence[BallFrame], model: Known, options: clip.ClipOptions, *, own_range: bool = False) -> Run:
    """All frames by the two passes; `own_range`: each frame's depth on a range of its own, as if it were a photo."""
    done = Run()
    clean = {_key(f.image[0]): f.clean for f in frames}

    def blur(_sharp: Tensor, taken: Tensor, _alpha: Tensor | None, made: DefocusMap) -> Blurred:
        light = bokeh.render(srgb_to_linear(clean[_key(taken[0])]), made, quality="draft")
        done.depths.append(made.disparity)
        done.radii.append(made.radius_px)
        done.outputs.append(linear_to_srgb(light)[0] * 255)
        return light, None

    images = [f.image for f in frames]
    work = clip.Clip(clip.Steps(model, lambda image: image, blur), options, torch.device("cpu"))
    plan = work.planned(images)
    if own_range:
        plan = clip.ClipPlan(_own_ranges(model, images), plan.focus)
    in_order = work.in_order(plan, lambda first: iter(images[first:]))
    for number, image in enumerate(images):
        work.frame(plan, number, image, None, in_order)
        if number % 20 == 0:
            print(f"{model.name}: {number} of {len(images)} frames", flush=True)
    return done


def _own_ranges(model: Known, images: Sequence[Tensor]) -> ClipScale:
    ends = [tuple(float(v) for v in model(image[0]).disparity.aminmax()) for image in images]
    return ClipScale(tuple(Affine(1 / (high - low), -low / (high - low)) for low, high in ends), 0.0, 1.0)


def warping_error(frame: BallFrame, now: Tensor, before: Tensor) -> float:
    """Mean difference of [C,H,W] from the frame before, moved by the true motion."""
    h, w = frame.shown.shape
    row, column = frame.came_from
    grid = torch.stack([2 * (column + 0.5) / w - 1, 2 * (row + 0.5) / h - 1], -1)[None]
    moved = F.grid_sample(before[None], grid, padding_mode="border", align_corners=False)[0]
    return float((now - moved).abs()[:, row >= 0].mean())


def rack(frames: Sequence[BallFrame]) -> defocus.Keyframes:
    """Keys on the balls, as if clicked."""
    h, w = rolling_balls.SIZE
    keys = []
    for number, index in KEYS:
        at = min(number, len(frames) - 1)
        if keys and keys[-1]["frame"] >= at:
            break
        ball = frames[at].balls[index]
        keys.append({"frame": at, "x": ball.x / w, "y": ball.y / h})
    found = defocus.parse_keyframes(json.dumps({"keys": keys}))
    assert found is not None
    return found


def flicker(frames: Sequence[BallFrame], run: Run) -> tuple[float, ...]:
    """Temporal warping error of depth in % of its range, radius in px, output in steps."""

    def mean(series: Sequence[Tensor], unit: float = 1.0) -> float:
        pairs = zip(frames[1:], series[1:], series[:-1], strict=True)
        errors = [warping_error(frame, now, before) for frame, now, before in pairs]
        return unit * sum(errors) / len(errors)

    return mean(run.depths, 100), mean(run.radii), mean(run.outputs)


def depth_error(frames: Sequence[BallFrame], run: Run) -> float:
    """Mean difference from the true disparity in % of its span, by the one scale and shift that fit best."""
    x, y = torch.cat(run.depths).flatten().double(), torch.cat([f.disparity for f in frames]).flatten().double()
    scale = ((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum()
    return float(100 * (scale * (x - x.mean()) - (y - y.mean())).abs().mean() / (y.max() - y.min()))


def show(frames: Sequence[BallFrame], racked: Run, followed: Run) -> None:
    """The WebP for the docs."""
    h, w = rolling_balls.SIZE
    sheets: list[Image.Image] = []
    for number in range(0, len(frames), SHOWN_EVERY):
        pair = torch.cat([racked.outputs[number], torch.full((3, 4, w), 255.0), followed.outputs[number]], 1)
        sheets.append(Image.fromarray(pair.clamp(0, 255).round().byte().permute(1, 2, 0).contiguous().numpy()))
    for quality in range(80, 9, -10):
        sheets[0].save(
            SHOWN, "WEBP", save_all=True, append_images=sheets[1:], duration=SHOWN_MS, loop=0, quality=quality, method=6
        )
        if SHOWN.stat().st_size <= MOST_BYTES:
            print(f"Written: {SHOWN.relative_to(REPO)}, {len(sheets)} frames of {w} x {2 * h + 4}, {SHOWN.stat().st_size} bytes")
            return
    raise RuntimeError(f"{SHOWN} is larger than {MOST_BYTES} bytes at any quality.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=rolling_balls.FRAMES)
    parser.add_argument("--write", action="store_true", help="renew bench/results/shown_clip.md and docs/clip.webp")
    args = parser.parse_args()
    where = machine(torch.device("cpu"))
    frames = [rolling_balls.frame(number) for number in range(args.frames)]
    images = [f.image for f in frames]
    network = depth.load("refocus-depth-s")
    found: list[FrameDepth] = []
    for number, image in enumerate(images):
        found.append(depth.frame_depth(network, image))
        if number % 20 == 0:
            print(f"depth: {number} of {len(images)} frames", flush=True)
    model = Known(images, found, network.name)
    true = Known(images, [FrameDepth(f.disparity[0], None) for f in frames], "true depth")
    keyed = clip.ClipOptions(Blur(PERCENT), keyframes=rack(frames))
    ball = torch.stack([f.shown == 2 for f in frames]).float()
    alone = clip.ClipOptions(Blur(PERCENT), keyframes=keyed.keyframes, steady_frames=0)
    followed = refocused(frames, model, clip.ClipOptions(Blur(PERCENT), ball))
    runs = {
        "each frame by itself": refocused(frames, model, alone, own_range=True),
        "steadied": refocused(frames, model, keyed),
        "true depth": refocused(frames, true, alone),
    }
    on_ball = [float(r.abs()[0][b > 0].mean()) for r, b in zip(followed.radii, ball, strict=True)]
    rows = [[name, *(f"{v:.3f}" for v in flicker(frames, run)), f"{depth_error(frames, run):.2f}"] for name, run in runs.items()]
    table = markdown(["rack", "depth, % of the range", "radius, px", "output, steps of 255", "error of depth, %"], rows)
    h, w = rolling_balls.SIZE
    tracking = (
        f"The focus that follows the ball by its mask: the ball's mean radius of blur is {sum(on_ball) / len(on_ball):.2f} px "
        f"over all frames, {max(on_ball):.2f} px in the worst; the largest of the clip is "
        f"{max(float(r.abs().max()) for r in followed.radii):.1f} px."
    )
    what = (
        f"{args.frames} frames of {w} × {h} px, {PERCENT:g} % of the long edge, draft, refocus-depth-s. Temporal warping error."
    )
    text = f"{describe(where)}\n\n{what}\n\n{table}\n\n{tracking}\n"
    save("shown_clip", {name: flicker(frames, run) for name, run in runs.items()}, text)
    print(text)
    if args.write:
        write_summary("shown_clip", text)
        show(frames, runs["steadied"], followed)


if __name__ == "__main__":
    main()
