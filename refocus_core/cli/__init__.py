"""The command line: the same rooms that the nodes use, composed without ComfyUI."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

from .parser import build_parser
from .stages import run

__all__ = ["build_parser", "main"]

log = logging.getLogger(__name__)

DONE, MISTAKE, STOPPED = 0, 2, 130
"""Exit codes: done, a mistake in what was given, stopped by the user (as shells count an interrupt)."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code: 0 done, 2 a mistake in what was given, 130 stopped by the user."""
    args = build_parser().parse_args(argv)
    level = logging.ERROR if args.quiet else logging.INFO if args.verbose else logging.WARNING
    logging.basicConfig(level=level, format="refocus: %(message)s", stream=sys.stderr)
    try:
        run(args)
    except KeyboardInterrupt:
        print("\nrefocus: stopped, nothing was written.", file=sys.stderr)
        return STOPPED
    except (ValueError, OSError, RuntimeError, ImportError, MemoryError) as error:
        if args.verbose:
            log.info("the error came from here:", exc_info=True)
        text = str(error).strip() or type(error).__name__
        print(f"refocus: {text}", file=sys.stderr)
        return MISTAKE
    return DONE
