"""A clip, frame after frame, in constant memory: first what all frames together tell, then each of them.

The first pass finds the scale and shift of each frame's depth, the range of the clip and the depth under the keyframes' points;
the second one does what the single run does to each frame. What the first keeps are a few numbers a frame.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import opening
from .contradictions import check
from .given import check_inputs, check_metres
from .networks import Networks
from .parser import build_parser
from .stages import Stages, blurred, focus_of, lens_of, ranges_of, sharpened, tilt_of

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ..defocus import FocusLike, Key, Keyframes
    from ..depth import ClipScale
    from ..depth.model import FrameDepth
    from ..optics import Blur, Lens
    from ..types import DepthMap

NOT_FOR_CLIPS = (
    *("defocus", "bits", "exif_lens"),
    *("save_depth", "save_defocus", "save_sharp", "save_matte", "save_recipe", "save_aperture"),
)
"""Options that are about one photo."""


def run_clip(args: argparse.Namespace) -> None:
    """From a clip to a clip.

    Raises:
        ValueError, OSError, RuntimeError, ImportError, MemoryError: whatever stands in the way, in words for the user.
    """
    from ..files import clips

    check_clip_options(args, NOT_FOR_CLIPS)
    clips.check_clip_output(args.photo, args.output)
    device = check_inputs(args)
    work = Clip(args, Networks(), keyframes_of(args), device)
    total = clips.frame_count(args.photo)
    with bar("depth", total, args.quiet) as step:
        plan = work.planned(_counted(clips.frames(args.photo), step))
    with bar("rendering", total, args.quiet) as step:

        def change(number: int, frame: Tensor) -> Tensor:
            result, _ = work.frame(plan, number, frame, None)
            step(1)
            return result

        clips.rewrite(args.photo, args.output, change)
    if not args.quiet:
        print(f"{args.output}: {len(plan.scale.frames)} frames")


def check_clip_options(args: argparse.Namespace, not_for: Sequence[str]) -> None:
    """Refuse what is about one photo; `not_for` names such options.

    Raises:
        ValueError: on the first of it; the message names the option and the remedy.
    """
    check(args)
    plain = build_parser()
    for name in not_for:
        if getattr(args, name) != plain.get_default(name):
            raise ValueError(f"--{name.replace('_', '-')} is about one photo, and {args.photo} is a clip. Leave it out.")
    if Path(args.depth).is_file() and Path(args.depth).suffix != ".safetensors":
        raise ValueError(f"--depth {args.depth} is the depth of one photo. For a clip name a model.")
    if args.deblur == "deconvolution":
        raise ValueError("--deblur deconvolution is about one photo. Choose another --deblur for a clip, such as none.")


@contextmanager
def bar(name: str, total: int | None, quiet: bool) -> Generator[Callable[[int], object]]:
    """A bar of frames on the terminal, and what moves it on by so many."""
    from tqdm import tqdm

    hidden = True if quiet else None  # None: shown on a terminal only
    with tqdm(desc=name, total=total, unit="frame", file=sys.stderr, disable=hidden) as shown:
        yield shown.update


def _counted(frames: Iterable[Tensor], step: Callable[[int], object]) -> Iterator[Tensor]:
    for frame in frames:
        yield frame
        step(1)


def keyframes_text(args: argparse.Namespace) -> str | None:
    """The JSON of --keyframes, which names a file of it or is it.

    Raises:
        OSError: if the file cannot be read.
    """
    given: str | None = args.keyframes
    if given is None or given.lstrip().startswith("{"):
        return given
    return Path(given).read_text(encoding="utf-8")


def keyframes_of(args: argparse.Namespace) -> Keyframes | None:
    """The keyframes of --keyframes.

    Raises:
        ValueError: if they cannot be used.
        OSError: if their file cannot be read.
    """
    from .. import defocus

    text = keyframes_text(args)
    return None if text is None else defocus.parse_keyframes(text)


@dataclass(frozen=True)
class ClipPlan:
    """What the first pass found.

    Attributes:
        scale: of the depth.
        focus: disparity in focus of each frame [B] in the unit of the final depth, or None where no key sets it.
    """

    scale: ClipScale
    focus: Tensor | None

    def values(self) -> dict[str, Any]:
        """The same as JSON has it, exactly."""
        return {"scale": asdict(self.scale), "focus": None if self.focus is None else self.focus.tolist()}

    @classmethod
    def of(cls, values: dict[str, Any]) -> ClipPlan:
        """From `values`.

        Raises:
            KeyError, TypeError, ValueError: if they are none.
        """
        import torch

        from ..depth import ClipScale

        return cls(ClipScale.of(values["scale"]), None if values["focus"] is None else torch.tensor(values["focus"]))


class Clip:
    """What is the same for all frames, and the two passes."""

    def __init__(self, args: argparse.Namespace, networks: Networks, keyframes: Keyframes | None, device: torch.device) -> None:
        self.args, self.networks, self.keyframes, self.device = args, networks, keyframes, device
        self.model = networks.depth(args, self.device)
        check_metres(args, self.model.metric)
        self.kernel = opening.kernel(args)
        self.focus: FocusLike = focus_of(args)
        self.opening: Tensor | None = None
        self.silent = Stages(quiet=True)

    def _sharp_and_depth(self, image: Tensor) -> tuple[Tensor, FrameDepth]:
        from .. import depth

        sharp = sharpened(self.args, image.to(self.device), self.networks, self.silent)
        return sharp, depth.frame_depth(self.model, sharp)

    def _final(self, scale: ClipScale, number: int, found: FrameDepth, sharp: Tensor, *, metres: bool = True) -> DepthMap:
        from .. import depth

        on_range = scale.depth_map(number, found, self.model)
        refined = depth.refine(on_range, sharp, strength=self.args.refine)
        return depth.in_metres(refined, self.args.near_m or None, self.args.far_m or None) if metres else refined

    def planned(self, frames: Iterable[Tensor]) -> ClipPlan:
        """The first pass."""
        from .. import depth

        aligner = depth.ClipAligner(self.model.metric)
        keys = self.keyframes.focus_keys if self.keyframes is not None and self.keyframes.moves_focus else ()
        under: dict[int, tuple[int, float]] = {}
        sharp = found = None
        count = 0
        for image in frames:
            sharp, found = self._sharp_and_depth(image)
            aligner.add(found)
            for key in keys:
                if key.frame == count:
                    under[key.frame] = count, self._under(key, found, sharp)
            count += 1
        scale = aligner.result()
        if not keys or sharp is None or found is None:
            return ClipPlan(scale, None)
        for key in keys:
            if key.frame >= count:
                under[key.frame] = count - 1, self._under(key, found, sharp)
        values = [self._in_final_unit(scale, key, *under[key.frame]) for key in keys]
        assert self.keyframes is not None
        return ClipPlan(scale, self.keyframes.focus_track(values, count))

    def _under(self, key: Key, found: FrameDepth, sharp: Tensor) -> float:
        """What a key puts in focus: its disparity for a distance, else that of the network, whatever the clip's range will be."""
        from .. import depth

        aligner = depth.ClipAligner(self.model.metric)
        aligner.add(found)
        alone = aligner.result()
        value = key.disparity(self._final(alone, 0, found, sharp, metres=key.distance_m is not None))
        return value if self.model.metric or key.distance_m is not None else alone.low + value * (alone.high - alone.low)

    def _in_final_unit(self, scale: ClipScale, key: Key, number: int, value: float) -> float:
        if key.distance_m is not None:
            return value
        if self.model.metric:
            return value * scale.frames[number].scale
        relative = scale.relative(number, value)
        if not self.args.near_m:
            return relative
        return 1 / self.args.far_m + relative * (1 / self.args.near_m - 1 / self.args.far_m)

    def frame(self, plan: ClipPlan, number: int, image: Tensor, alpha: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """The second pass: one frame [1,3,H,W] and its transparency [1,1,H,W], refocused."""
        from .. import defocus
        from ..files.exif import NO_CAMERA_DATA

        args = self.args
        sharp, found = self._sharp_and_depth(image)
        depth_map = self._final(plan.scale, number, found, sharp)
        lens = self._opened(lens_of(args, NO_CAMERA_DATA, depth_map), number, len(plan.scale.frames))
        focus = self.focus if plan.focus is None else defocus.FocusDisparity(float(plan.focus[number]))
        focus = defocus.FocusAuto(photo=image) if focus is None else focus
        made = defocus.from_lens(depth_map, lens, focus, tilt=tilt_of(args), **ranges_of(args))
        return blurred(args, sharp, alpha, made, self.kernel, self.networks, self.silent, taken=image.to(self.device))

    def _opened(self, lens: Lens | Blur, number: int, count: int) -> Lens | Blur:
        """The lens at this frame's aperture."""
        from ..optics import Blur, Lens

        if self.keyframes is None:
            return lens
        if self.opening is None:  # all frames have one lens but for its aperture
            self.opening = self.keyframes.opening(lens, count)
        factor = float(self.opening[number])
        if isinstance(lens, Lens):
            return Lens(lens.focal_mm, lens.f_number / factor, lens.sensor_mm)
        return Blur(lens.percent * factor)
