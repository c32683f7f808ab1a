"""`python -m refocus_core batch`: many photos by one recipe."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .. import batch
from ..batch import Failure, Job, Journal, Recipe
from .networks import Networks
from .parser import Parser
from .recipe_options import RESULTS, naming, parse_recipe
from .stages import run

log = logging.getLogger(__name__)

DESCRIPTION = """\
Many photos by one recipe. What is done already is left as it is, so the same command goes on after a stop or a kill; photos that
fail are listed at the end and stop no other. docs/batch.md tells more.
"""
"""The first words of --help."""

EPILOG = """\
a recipe is a JSON file of options of the single run, named as in its --help without the dashes:
  {"blur": 2, "aperture": "heart", "exif-lens": true, "save-depth": "{name}_depth.png"}
and so is PHOTO.refocus.json beside a photo, such as portrait.jpg.refocus.json; it goes before the recipe for that photo:
  {"focus": [0.4, 0.5]}
"""
"""The last words of --help."""

SECONDS_BETWEEN_LINES = 30.0
"""How often progress is said where there is no terminal to draw a bar on. Shorter fills log files."""

PLACEHOLDER = Path("photo.png"), Path("result.png")
"""Stand for a photo and its result while a recipe is checked."""


@dataclass
class _Work:
    """Does pictures in one process, whose networks stay loaded."""

    networks: Networks = field(default_factory=Networks)

    def __call__(self, job: Job, files: Mapping[str, Path]) -> None:
        further = {name: path for name, path in files.items() if name in RESULTS}
        run(parse_recipe(job.options, job.source, files[batch.RESULT], further), self.networks)


def set_up(threads: int | None) -> _Work:
    """What a worker process begins with: its share of the threads."""
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
    return _Work()


def build_batch_parser() -> Parser:
    """The options of a batch; those of its pictures are in the recipe."""
    p = Parser(
        prog="python -m refocus_core batch",
        usage="%(prog)s IN [IN ...] OUT [--recipe FILE] [--workers N] [--ending .ENDING] [--ray [ADDRESS]]",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    p.add_argument("inputs", metavar="IN", nargs="+", help="a folder, with all that lies below it, or photos")
    p.add_argument("output", metavar="OUT", help="folder of the results, which keep folders and names; made if missing")
    p.add_argument("--recipe", metavar="FILE", type=Path, help="options of all photos (default: those of the single run)")
    p.add_argument("--workers", metavar="N", type=_count, default=1, help="processes that share the processors (default: 1)")
    p.add_argument("--ending", metavar=".ENDING", type=_ending, help="file type of the results (default: as the photo's)")
    p.add_argument(
        "--ray",
        metavar="ADDRESS",
        nargs="?",
        const="local",
        help="run on Ray Data, at a cluster's address or, without one, on this machine; IN and OUT are then folders, also at "
        "s3:// or gs://. Give it last, or as --ray=ADDRESS",
    )
    p.add_argument("-q", "--quiet", action="store_true", help="say nothing but failures and errors")
    p.add_argument("-v", "--verbose", action="store_true", help="say more; show where an error came from")
    return p


def _count(text: str) -> int:
    if not (text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number above 0")
    return int(text)


def _ending(text: str) -> str:
    if not (text.startswith(".") and text[1:].isalnum()):
        raise argparse.ArgumentTypeError(f"'{text}' is not an ending such as .png")
    return text.lower()


def run_batch(args: argparse.Namespace) -> bool:
    """Do what is not done yet; whether nothing failed.

    Raises:
        ValueError, OSError: before any work, if the recipe or the names cannot be used.
    """
    if args.ray:
        from .ray_command import run_ray_batch

        return run_ray_batch(args)
    if address := next((given for given in (*args.inputs, args.output) if "://" in given), None):
        raise ValueError(f"{address} is no folder of this machine. Add --ray, which reads and writes storage at addresses.")
    recipe, folder = checked_recipe(args)
    out = Path(args.output)
    if out.exists() and not out.is_dir():
        raise ValueError(f"OUT, {out}, is a file. Give a folder for the results; it is made if it is missing.")
    jobs, failed = batch.plan(map(Path, args.inputs), out, recipe, folder, naming(), args.ending)
    if not jobs and not failed:
        raise ValueError(f"There is no photo in {' '.join(args.inputs)}.")
    with Journal(out) as journal:
        waiting, unreadable = _waiting(jobs, journal)
        failed += unreadable
        done = len(jobs) - len(waiting) - len(unreadable)
        progress = Progress(len(waiting), args.quiet)
        if done and not args.quiet:
            print(f"refocus: {done} of {len(jobs)} are done already.", file=sys.stderr)
        failed += _do(waiting, journal, args.workers, progress)
    report(failed, len(jobs), args.quiet)
    return not failed


def checked_recipe(args: argparse.Namespace) -> tuple[Recipe, Path]:
    """The recipe of all photos, and the folder that its file names are relative to.

    Raises:
        ValueError, OSError: if it cannot be used.
    """
    recipe = batch.read_recipe(args.recipe) if args.recipe else {}
    own = {name: value for name, value in recipe.items() if name not in RESULTS}
    parse_recipe(own, *PLACEHOLDER)
    return recipe, args.recipe.absolute().parent if args.recipe else Path.cwd()


def _waiting(jobs: Iterable[Job], journal: Journal) -> tuple[list[tuple[Job, str]], list[Failure]]:
    """Jobs that are not done, with their stamps."""
    waiting: list[tuple[Job, str]] = []
    failed: list[Failure] = []
    for job in jobs:
        try:
            now = batch.stamp(job)
        except OSError as error:
            failed.append(Failure(job.source, str(error)))
            continue
        if not journal.is_done(job, now):
            waiting.append((job, now))
    journal.clean()
    return waiting, failed


def _do(waiting: Sequence[tuple[Job, str]], journal: Journal, workers: int, progress: Progress) -> list[Failure]:
    tasks = [(job, journal.staged(job, number)) for number, (job, _) in enumerate(waiting)]
    failed: list[Failure] = []
    with progress:
        for outcome in batch.run_jobs(tasks, set_up, workers):
            (job, now), (_, staged) = waiting[outcome.number], tasks[outcome.number]
            reason = outcome.reason
            for note in outcome.notes:
                progress.say(f"refocus: {job.source}: {note}")
            if not reason:
                try:
                    journal.commit(job, now, staged)
                except OSError as error:
                    reason = str(error)
            if reason:
                failed.append(Failure(job.source, reason))
            progress.step(len(failed))
    return failed


def report(failed: Sequence[Failure], total: int, quiet: bool) -> None:
    """What failed and why, or that all is done."""
    if failed:
        print(f"refocus: {len(failed)} of {total} failed:", file=sys.stderr)
        for failure in failed:
            where = "" if str(failure.source) in failure.reason else f"{failure.source}: "
            print(f"  {where}{failure.reason}", file=sys.stderr)
    elif not quiet:
        print(f"refocus: all {total} are done.", file=sys.stderr)


class Progress:
    """A bar with the time that is left, on a terminal; elsewhere a line now and then."""

    def __init__(self, total: int, quiet: bool) -> None:
        from tqdm import tqdm

        hidden = quiet or not sys.stderr.isatty()
        self._bar = tqdm(total=total, desc="photos", unit="photo", file=sys.stderr, disable=hidden, smoothing=0.05)
        self._lines = not quiet and hidden
        self._total, self._quiet, self._done = total, quiet, 0
        self._began = self._said = time.monotonic()

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def say(self, text: str) -> None:
        """A line above the bar."""
        if not self._quiet:
            self._bar.write(text, file=sys.stderr)

    def step(self, failed: int) -> None:
        """One more is over."""
        self._done += 1
        self._bar.set_postfix_str(f"{failed} failed" if failed else "", refresh=False)
        self._bar.update()
        now = time.monotonic()
        if self._lines and now - self._said >= SECONDS_BETWEEN_LINES:
            self._said = now
            each = (now - self._began) / self._done
            left = round(each * (self._total - self._done))
            print(
                f"refocus: {self._done} of {self._total}, {failed} failed, {each:.1f} s each, about {left // 3600} h "
                f"{left // 60 % 60:02} min {left % 60:02} s left",
                file=sys.stderr,
            )
