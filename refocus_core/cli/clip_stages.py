"""A clip from the command line: its options as those of `refocus_core.clip`, and bars on the terminal."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from .. import options
from . import opening
from .contradictions import check
from .given import check_inputs, check_metres
from .networks import Networks
from .parser import build_parser
from .stages import FULL_FRAME_MM, Stages, blurred, focus_of, ranges_of, sharpened, tilt_of

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ..clip import Clip, ClipOptions
    from ..defocus import Keyframes
    from ..types import DefocusMap, Progress

NOT_FOR_CLIPS = (
    *("defocus", "bits", "exif_lens", "blur_mask"),
    *("save_depth", "save_defocus", "save_sharp", "save_matte", "save_recipe", "save_aperture"),
)
"""Options that are about one photo."""


def run_clip(args: argparse.Namespace) -> None:
    """From a clip to a clip.

    Raises:
        ValueError, OSError, RuntimeError, ImportError, MemoryError: whatever stands in the way, in words for the user.
    """
    from .. import clip
    from ..files import clips

    check_clip_options(args, NOT_FOR_CLIPS)
    clips.check_clip_output(args.photo, args.output)
    work = clip_of(args, Networks(), check_inputs(args))
    total = clips.frame_count(args.photo)
    with bar("depth", total, args.quiet) as step:
        plan = clip.plan_file(work, args.photo, _moved(step))
    count = len(plan.scale.frames)
    with bar("rendering", count, args.quiet) as step:
        clip.render_file(work, plan, args.photo, args.output, _moved(step))
    if not args.quiet:
        print(f"{args.output}: {count} frames")


def clip_of(args: argparse.Namespace, networks: Networks, device: torch.device) -> Clip:
    """What the options want done to each frame.

    Raises:
        ValueError, OSError, RuntimeError, ImportError: if a network or a file cannot be had.
    """
    from .. import clip

    model = networks.depth(args, device)
    check_metres(args, model.metric)
    kernel, silent = opening.kernel(args), Stages(quiet=True)

    def sharpen(frame: Tensor) -> Tensor:
        return sharpened(args, frame, networks, silent)

    def blur(sharp: Tensor, taken: Tensor, alpha: Tensor | None, made: DefocusMap) -> tuple[Tensor, Tensor | None]:
        return blurred(args, sharp, alpha, made, kernel, networks, silent, taken=taken)

    return clip.Clip(clip.Steps(model, sharpen, blur), _options(args), device)


def _options(args: argparse.Namespace) -> ClipOptions:
    from .. import clip
    from ..optics import Blur, Gain

    percent = options.defocus.PERCENT.default if args.blur is None else args.blur
    strength = Blur(percent) if args.genfocus_k is None else Gain(args.genfocus_k)
    camera = args.f_number and clip.Camera(args.f_number, args.focal_mm, args.sensor_mm or FULL_FRAME_MM)
    return clip.ClipOptions(
        camera or strength,
        focus_of(args),
        keyframes_of(args),
        tilt_of(args),
        refine=args.refine,
        steady_frames=steady_frames_of(args),
        near_m=args.near_m or None,
        far_m=args.far_m or None,
        breathing=args.breathing,
        **ranges_of(args),
    )


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


def _moved(step: Callable[[int], object]) -> Progress:
    """The progress of a pass, in frames, as steps of a bar."""
    last = 0

    def progress(done: int, _total: int) -> None:
        nonlocal last
        step(done - last)
        last = done

    return progress


def steady_frames_of(args: argparse.Namespace) -> int:
    """How many frames to each side steady a frame's depth."""
    given: int | None = args.steady_frames
    return int(options.depth.STEADY_FRAMES.default) if given is None else given


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
