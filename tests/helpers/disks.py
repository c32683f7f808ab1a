"""Faults of disks, for real: no room beyond a size, and a folder that is closed to whoever writes."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .paths import REPO, environment

NOBODY = 65534
"""User without rights; whoever may do everything becomes that one where a folder is to be closed."""


@contextmanager
def room(size: int) -> Iterator[None]:
    """No file of this process can become larger than `size` bytes: writing beyond fails as on a full disk (EFBIG)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def run_program(program: str, *given: object, cwd: Path, stdin: int | None = None) -> subprocess.Popen[str]:
    """A Python program as a process of its own, whose output and errors are read as text."""
    command = [sys.executable, "-c", program, *map(str, given)]
    streams = {"stdin": stdin, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=cwd, env=environment(REPO), **streams, text=True)


def become_nobody() -> None:
    """Give up the right to write anywhere, if this process has it."""
    if os.geteuid() == 0:
        os.setuid(NOBODY)
