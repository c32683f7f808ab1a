"""From a clip's file to another one, as it is read: no more frames are held than steadying looks ahead."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from torch import Tensor

from ..files import clips
from ..progress import silent
from ..types import Progress
from .two_passes import Clip, ClipPlan


def plan_file(work: Clip, source: Path, progress: Progress = silent) -> ClipPlan:
    """The first pass over a clip's file.

    Args:
        work: what is done to it.
        source: the file.
        progress: frames done, of as many as the file says that it has (0: it does not say). It may raise to cancel.

    Raises:
        PictureError, ImportError: as `files.clips.frames`.
        ValueError, RuntimeError: as `Clip.planned`.
    """
    total = clips.frame_count(source) or 0

    def told() -> Iterator[Tensor]:
        for done, frame in enumerate(clips.frames(source)):
            progress(done, total)
            yield frame

    plan = work.planned(told())
    progress(len(plan.scale.frames), len(plan.scale.frames))
    return plan


def render_file(work: Clip, plan: ClipPlan, source: Path, target: Path, progress: Progress = silent) -> None:
    """The second pass: write `source`, refocused, whole or not at all; frames keep their times, sound is copied.

    Args:
        work, source: as of `plan_file`.
        plan: what that found.
        target: the file, as `files.clips.check_clip_output` has found it to fit.
        progress: frames done, of all. It may raise to cancel.

    Raises:
        PictureError, ImportError: as `files.clips.rewrite`.
        ValueError, RuntimeError: if a frame cannot be used.
    """
    count = len(plan.scale.frames)
    in_order = work.in_order(plan, lambda first: islice(clips.frames(source), first, None))

    def change(number: int, frame: Tensor) -> Tensor:
        result, _ = work.frame(plan, number, frame, None, in_order)
        progress(number + 1, count)
        return result

    clips.rewrite(source, target, change)
