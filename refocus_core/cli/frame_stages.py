"""A folder of frames as a clip: pictures of every kind that is read, each written by itself, so that a stopped run goes on.

What all frames together tell is kept in `OUT/.refocus/plan.json`, and what is whole in the batch's journal beside it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from .. import batch
from ..batch import RESULT, Job, Journal
from .clip_stages import NOT_FOR_CLIPS, bar, check_clip_options, clip_of, keyframes_text, steady_frames_of
from .given import check_inputs
from .networks import Networks
from .outputs import bits_of
from .recipe_options import to_recipe

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from ..clip import Clip, ClipPlan
    from ..clip.steps import Blurred
    from ..files.pictures import Picture

NOT_FOR_FRAMES = tuple(name for name in NOT_FOR_CLIPS if name != "bits")
"""Options that are about one photo."""
PLAN = "plan.json"
"""What the first pass found, in the journal's folder."""


def run_frames(args: argparse.Namespace) -> None:
    """From a folder of frames to another one, in the order of their names, in which numbers count as numbers.

    Raises:
        ValueError, OSError, RuntimeError, ImportError, MemoryError: whatever stands in the way, in words for the user.
    """
    check_clip_options(args, NOT_FOR_FRAMES)
    files = frame_files(args.photo)
    _check_places(args, files)
    work = clip_of(args, Networks(), check_inputs(args))
    # These are no part of a recipe, but what a frame looks like depends on them: of keyframes on what their file says.
    of_clip = {"keyframes": keyframes_text(args) or "", "steady-frames": steady_frames_of(args)}
    options = {**to_recipe(args), **of_clip}
    with Journal(args.output) as journal:
        jobs = [Job(file.absolute(), {RESULT: journal.out / file.name}, options) for file in files]
        together = hashlib.sha256("".join(map(batch.stamp, jobs)).encode()).hexdigest()[:32]
        left = [(number, job) for number, job in enumerate(jobs) if not journal.is_done(job, together)]
        journal.clean()
        if left:
            plan = _plan(journal.folder / PLAN, together, work, files, args.quiet)
            frames = work.in_order(plan, lambda first: (_load(file).image for file in files[first:]))
            with bar("rendering", len(files), args.quiet) as step:
                step(len(files) - len(left))
                for number, job in left:
                    staged = journal.staged(job, number)
                    try:
                        _one(args, partial(work.frame, plan, number, frames=frames), job.source, staged[RESULT])
                    except OSError as error:  # tells of the file that stands for the frame
                        raise OSError(str(error).replace(str(staged[RESULT]), str(job.targets[RESULT]))) from error
                    journal.commit(job, together, staged)
                    step(1)
    if not args.quiet:
        print(f"{args.output}: {len(files)} frames, {len(files) - len(left)} of them done before")


def frame_files(folder: Path) -> list[Path]:
    """The pictures in a folder, in order: 9 comes before 10.

    Raises:
        ValueError: if there is none.
    """
    from ..files import pictures

    able = {*pictures.INTEGER_BITS, *pictures.FLOAT_SUFFIXES}
    found = [f for f in folder.iterdir() if f.suffix.lower() in able and not f.name.startswith(".")]
    if not found:
        raise ValueError(f"{folder} has no frame ({', '.join(sorted(able))}) in it. Give a photo, a clip or a folder of frames.")
    return sorted(found, key=_by_numbers)


def _by_numbers(file: Path) -> tuple[list[str | int], str]:
    parts = re.split(r"(\d+)", file.name)  # words and numbers by turns, so that like is compared with like
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], file.name


def _check_places(args: argparse.Namespace, files: Sequence[Path]) -> None:
    """Raises ValueError if the frames cannot be written to the folder of the results, which is made if it is missing."""
    from ..files import pictures

    out = args.output
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file. The frames of {args.photo} go into a folder: name one that is missing or has room.")
    if not out.absolute().parent.is_dir():
        raise ValueError(f"The folder {out.absolute().parent} does not exist. Create it first.")
    if out.exists() and out.samefile(args.photo):
        raise ValueError(f"{out} is the input. Choose another folder.")
    out.mkdir(exist_ok=True)
    for file in files:
        pictures.check_output(out / file.name, bits_of(args, file, None))


def _plan(kept: Path, together: str, work: Clip, files: Sequence[Path], quiet: bool) -> ClipPlan:
    """What the first pass finds, or found before for the same frames and options."""
    from ..clip import ClipPlan
    from ..files.output import write_whole

    if kept.exists():
        try:
            found = json.loads(kept.read_bytes())
            if found["of"] == together:
                return ClipPlan.of(found["plan"])
        except (ValueError, KeyError, TypeError):
            pass  # cut off by a kill, or another version's: found anew
    with bar("depth", len(files), quiet) as step:
        plan = work.planned(_frames(files, step))

    def write(file: BinaryIO) -> None:
        file.write(json.dumps({"of": together, "plan": plan.values()}).encode())

    write_whole(kept, write)
    return plan


def _frames(files: Sequence[Path], step: Callable[[int], object]) -> Iterator[Tensor]:
    """Each frame.

    Raises:
        ValueError: if one is of another size than the first.
    """
    size = None
    for file in files:
        image = _load(file).image
        if size is not None and image.shape != size:
            (h, w), (first_h, first_w) = image.shape[-2:], size[-2:]
            raise ValueError(
                f"{file} has {w} x {h} px, and {files[0].name} {first_w} x {first_h}. Frames of a clip are of one size; "
                "photos that are no clip are done by: python -m refocus_core batch IN OUT"
            )
        size = image.shape
        yield image
        step(1)


def _load(file: Path) -> Picture:
    from ..files import pictures

    return pictures.load(file)


def _one(args: argparse.Namespace, refocused: Callable[[Tensor, Tensor | None], Blurred], source: Path, target: Path) -> None:
    """One frame, written as its source is: bits, profile, transparency, what it says of itself."""
    from ..files import pictures

    photo = _load(source)
    result, alpha = refocused(photo.image, photo.alpha)
    pictures.save(
        target,
        result,
        alpha=alpha,
        bits=bits_of(args, source, photo),
        exif=photo.exif,
        icc=photo.icc,
        metadata=photo.metadata,
        quality=args.jpeg_quality,
    )
