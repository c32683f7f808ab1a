"""The command line: the same rooms that the nodes use, composed without ComfyUI."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Sequence

from ..faults import in_words
from ..files.formats import is_clip
from .batch_command import build_batch_parser, run_batch
from .clip_stages import run_clip
from .frame_stages import run_frames
from .parser import build_parser
from .stages import run

__all__ = ["build_parser", "main"]

log = logging.getLogger(__name__)

DONE, FAILED, MISTAKE, STOPPED = 0, 1, 2, 130
"""Exit codes: done, some of many pictures failed, a mistake in what was given, stopped by the user (as shells count it)."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code.

    0 done, 1 some pictures of a batch failed, 2 a mistake in what was given, 130 stopped by the user.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a console that lacks a character of a name still tells the rest
            stream.reconfigure(errors="backslashreplace")
    given = list(sys.argv[1:] if argv is None else argv)
    many = given[:1] == ["batch"]
    args = build_batch_parser().parse_args(given[1:]) if many else build_parser().parse_args(given)
    level = logging.ERROR if args.quiet else logging.INFO if args.verbose else logging.WARNING
    logging.basicConfig(level=level, format="refocus: %(message)s", stream=sys.stderr)
    logging.captureWarnings(True)  # of packages: as quiet as everything else
    try:
        if many:
            return DONE if run_batch(args) else FAILED
        if args.photo.is_dir():
            run_frames(args)
        else:
            run_clip(args) if is_clip(args.photo) else run(args)
    except KeyboardInterrupt:
        goes_on = many or args.photo.is_dir()
        said = "the same command goes on where it was" if goes_on else "nothing was written"
        print(f"\nrefocus: stopped, {said}.", file=sys.stderr)
        return STOPPED
    except (ValueError, OSError, RuntimeError, ImportError, MemoryError) as error:
        if args.verbose:
            log.info("the error came from here:", exc_info=True)
        print(f"refocus: {in_words(error)}", file=sys.stderr)
        return MISTAKE
    return DONE
