"""How much depth, radius and output flicker over a clip: each frame by itself, on one scale, and steadied by those around it.

    python -m bench.run.clips [--frames 24] [--write]

Two clips of the motorcycle photo with its measured depth: the camera stands still, and it pans by whole pixels. In both a card
comes in near the camera, crosses and leaves, which changes what is the nearest, and each frame has noise of its own. So depth
and motion are known at every pixel. Temporal warping error: the mean difference from the frame before, moved by the true
motion, where both show the same thing. Error: the mean difference from the same chain with the measured depth.

The output moves by itself, with measured depth too. Most of that is noise of the frames where they stay sharp; so the output is
measured without it as well, as rendered from the frames before they get noise, with the depth that was found in the noisy ones.
The rest is blur of the card that passes over what stands still. It cancels in the difference from the output with a depth that
cannot flicker: the mean of the network's over the whole clip, taken along the true motion. That shows what depth alone makes
flicker.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from bench.lib.layered_scenes import texture
from bench.lib.reporting import describe, machine, markdown, save, write_summary
from refocus_core import bokeh, defocus, depth
from refocus_core.clip.two_passes import STEADY_FRAMES
from refocus_core.color import linear_to_srgb, srgb_to_linear
from refocus_core.files import pictures
from refocus_core.optics import Blur
from refocus_core.types import DepthMap
from tests.helpers.motorcycle import FAR_M, NEAR_M
from tests.helpers.paths import DATA

SIZE = (216, 320)
"""Height and width of a frame in px."""
PAN_PX = 4
"""What the camera moves a frame, to the right, in px."""
CARD_PX = (170, 110)
"""Height and width of the card in px."""
CARD_STEP_PX = 24
"""What the card moves a frame, to the right, in px: it crosses in some 16 frames."""
CARD_FROM = 4
"""The frame in which it comes in."""
CARD_M = 1.4
"""How far the card is, nearer than all else, in m."""
NOISE = 3 / 255
"""Of each frame: standard deviation, sRGB."""
PERCENT = 3.0
"""The aperture."""
FOCUS_PX = (110, 250)
"""Row and column of the photo's window that is in focus in the first frame: the motorcycle's tank."""
MODES = ("each frame by itself", "on one scale", "steadied", "mean along the true motion", "measured depth")
"""What is compared; the last but one cannot flicker, and the last one has no error."""
NOISY = "output, steps of 255"
"""What one sees, noise of the frames included."""
OUTPUT = "output without the frames' noise"
"""The same unit."""
ADDED = "that less the one of the mean along the true motion"
"""What flickers by depth alone."""


@dataclass(frozen=True)
class Frame:
    """One frame and what is known of it.

    Attributes:
        image: [1,3,H,W] sRGB.
        clean: the same without noise.
        disparity: [1,H,W] in 1/m.
        came_from: [2,H,W] row and column in the frame before; -1 where that does not show it.
        card: [H,W] bool, where the card is.
        left, card_left: column of the photo's window at the frame's left edge, and of the frame at the card's.
    """

    image: Tensor
    clean: Tensor
    disparity: Tensor
    came_from: Tensor
    card: Tensor
    left: int
    card_left: int


def clip(count: int, pan_px: int) -> list[Frame]:
    """The clip over the motorcycle photo, its left edge `pan_px` farther in each frame."""
    photo = pictures.load(DATA / "motorcycle.png").image
    true = depth.from_image(pictures.load_map(DATA / "motorcycle_near_bright.png"), near_m=NEAR_M, far_m=FAR_M).disparity
    scale = 1.5  # the photo's window holds most of the scene
    size = [round(n / scale) for n in photo.shape[-2:]]
    small = torch.nn.functional.interpolate(photo, size, mode="area")
    near = torch.nn.functional.interpolate(true[None], size, mode="nearest")[0]
    card = linear_to_srgb(texture(3, *CARD_PX, (0.5, 0.3, 0.2)))
    chance = torch.Generator().manual_seed(0)
    h, w = SIZE
    top, frames = 60, []
    before = None
    for number in range(count):
        left = pan_px * number
        image = small[:, :, top : top + h, left : left + w].clone()
        disparity = near[:, top : top + h, left : left + w].clone()
        at = CARD_STEP_PX * (number - CARD_FROM) - CARD_PX[1]
        on, shown = torch.zeros(h, w, dtype=torch.bool), slice(max(at, 0), max(min(at + CARD_PX[1], w), 0))
        rows = slice(h - CARD_PX[0], h)  # it stands on the lower edge, as what is near does
        if shown.start < shown.stop:
            image[0, :, rows, shown] = card[:, :, shown.start - at : shown.stop - at]
            disparity[0, rows, shown] = 1 / CARD_M
            on[rows, shown] = True
        noisy = (image + NOISE * torch.randn(image.shape, generator=chance)).clamp(0, 1)
        frames.append(Frame(noisy, image, disparity, _came_from(on, before, pan_px), on, left, at))
        before = on
    return frames


def _came_from(card: Tensor, before: Tensor | None, pan_px: int) -> Tensor:
    """[2,H,W], from where the card is and where it was."""
    h, w = card.shape
    row, column = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    column = torch.where(card, column - CARD_STEP_PX, column + pan_px)
    inside = (column >= 0) & (column < w)
    if before is None:
        inside = torch.zeros_like(inside)
    else:
        inside &= before[row, column.clamp(0, w - 1)] == card
    return torch.where(inside, torch.stack([row, column]), -1)


def warping_error(now: Tensor, before: Tensor, came_from: Tensor) -> float:
    """Mean difference of [C,H,W] from the frame before, moved."""
    known = came_from[0] >= 0
    row, column = came_from[:, known]
    return float((now[:, known] - before[:, row, column]).abs().mean())


def along_motion(frames: Sequence[Frame], maps: Sequence[DepthMap]) -> list[DepthMap]:
    """The mean of the maps over the clip, of the ground and of the card where they are in each frame."""
    h, w = SIZE
    ground, card = torch.zeros(2, h, w + frames[-1].left), torch.zeros(2, h, CARD_PX[1])
    for frame, depth_map in zip(frames, maps, strict=True):
        for total, there, shift in ((ground, ~frame.card, frame.left), (card, frame.card, -frame.card_left)):
            row, column = there.nonzero(as_tuple=True)
            total[0, row, column + shift] += depth_map.disparity[0, row, column]
            total[1, row, column + shift] += 1
    made: list[DepthMap] = []
    for frame, depth_map in zip(frames, maps, strict=True):
        d = torch.zeros(h, w)
        for total, there, shift in ((ground, ~frame.card, frame.left), (card, frame.card, -frame.card_left)):
            row, column = there.nonzero(as_tuple=True)
            d[row, column] = total[0, row, column + shift] / total[1, row, column + shift]
        made.append(replace(depth_map, disparity=d[None]))
    return made


def depths(frames: Sequence[Frame]) -> dict[str, list[DepthMap]]:
    """The depth of every frame by each of `MODES`."""
    model = depth.load("refocus-depth-s")
    aligner = depth.ClipAligner(model.metric)
    found = [depth.frame_depth(model, frame.image) for frame in frames]
    for one in found:
        aligner.add(one)
    together = aligner.result()

    def alone(number: int) -> DepthMap:
        own = depth.ClipAligner(model.metric)
        own.add(found[number])
        return own.result().depth_map(0, found[number], model)

    low, high = (min(f.disparity.min() for f in frames), max(f.disparity.max() for f in frames))
    on_one_scale = [together.depth_map(number, one, model) for number, one in enumerate(found)]
    steady = list(depth.steadied(((f.image, m) for f, m in zip(frames, on_one_scale, strict=True)), STEADY_FRAMES, 1.0))
    made: tuple[Callable[[int], DepthMap], ...] = (
        alone,
        lambda number: on_one_scale[number],
        lambda number: steady[number],
        lambda number: on_one_scale[number],
        lambda number: DepthMap((frames[number].disparity - low) / (high - low), False),
    )
    every = {
        mode: [depth.refine(make(n), frame.image) for n, frame in enumerate(frames)]
        for mode, make in zip(MODES, made, strict=True)
    }
    every[MODES[-2]] = along_motion(frames, every[MODES[-2]])
    return every


def on_measured(maps: Sequence[DepthMap], truth: Sequence[DepthMap]) -> list[Tensor]:
    """The depth of a clip [1,H,W] each, nearest to the measured one by one scale and shift: relative depth has none."""
    x, y = (torch.cat([m.disparity for m in given]).flatten().double() for given in (maps, truth))
    scale = ((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum()
    shift = y.mean() - scale * x.mean()
    return [(m.disparity * float(scale) + float(shift)) for m in maps]


def measured(frames: Sequence[Frame]) -> dict[str, dict[str, tuple[float, float]]]:
    """Mode -> measure -> its temporal warping error and its error, over all frames."""
    every = depths(frames)
    focus = defocus.FocusDisparity(float(every[MODES[-1]][0].disparity[0, FOCUS_PX[0], FOCUS_PX[1]]))
    results: dict[str, dict[str, list[Tensor]]] = {}
    for mode, maps in every.items():
        fitted = on_measured(maps, every[MODES[-1]])
        radii: list[Tensor] = []
        outputs: dict[str, list[Tensor]] = {NOISY: [], OUTPUT: []}
        for frame, values in zip(frames, fitted, strict=True):
            known = DepthMap(values.clamp(0, 1), False, edge_px=maps[0].edge_px)
            made = defocus.from_lens(known, Blur(PERCENT), focus)
            radii.append(made.radius_px)
            for name, image in ((NOISY, frame.image), (OUTPUT, frame.clean)):
                outputs[name].append(linear_to_srgb(bokeh.render(srgb_to_linear(image), made))[0] * 255)
        results[mode] = {"depth, % of the span": [f * 100 for f in fitted], "radius, px": radii, **outputs}
    truth = results[MODES[-1]]
    for values in results.values():
        values[ADDED] = [a - b for a, b in zip(values[OUTPUT], results[MODES[-2]][OUTPUT], strict=True)]
    found: dict[str, dict[str, tuple[float, float]]] = {}
    for mode, values in results.items():
        found[mode] = {}
        for name, series in values.items():
            pairs = zip(frames[1:], series[1:], series[:-1], strict=True)
            warping = [warping_error(now, before, frame.came_from) for frame, now, before in pairs]
            off = [float((a - b).abs().mean()) for a, b in zip(series, truth[name], strict=True)]
            found[mode][name] = sum(warping) / len(warping), sum(off) / len(off)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--write", action="store_true", help="renew bench/results/clips.md")
    args = parser.parse_args()
    where = machine(torch.device("cpu"))
    clips = {"static camera": 0, "moving camera": PAN_PX}
    found = {name: measured(clip(args.frames, pan)) for name, pan in clips.items()}
    rows = [
        [
            camera,
            measure,
            *(f"{modes[mode][measure][0]:.2f}" for mode in MODES),
            *(f"{modes[m][measure][1]:.2f}" for m in MODES[:-1]),
        ]
        for camera, modes in found.items()
        for measure in modes[MODES[0]]
    ]
    head = ["camera", "of", *(f"warping error, {mode}" for mode in MODES), *(f"error, {mode}" for mode in MODES[:-1])]
    table = markdown(head, rows)
    what = f"{args.frames} frames of {SIZE[1]} × {SIZE[0]} px, {PERCENT:g} % of the long edge, refocus-depth-s."
    text = f"{describe(where)}\n\n{what}\n\n{table}\n"
    save("clips", found, text)
    print(text)
    if args.write:
        write_summary("clips", text)


if __name__ == "__main__":
    main()
