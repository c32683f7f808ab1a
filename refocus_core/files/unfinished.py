"""Hidden files and working folders that have no name yet: a process locks its own, and removes those that dead ones left.

The lock is on the file itself, so it ends with the process, whatever ends that, and holds between machines that share a disk as
far as their file system has locks. Where it has none, nothing is removed.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from ..faults import lock

PREFIX = ".refocus-"
"""How hidden files beside results begin."""
_HIDDEN = re.compile(re.escape(PREFIX) + r"[a-z0-9_]{8}(\.[^.]+)?")
"""Whole names of them, as `tempfile` makes them: nothing else is ever removed."""
_FOLDER_PREFIX = "refocus-"
"""How working folders begin."""
_FOLDER = re.compile(re.escape(_FOLDER_PREFIX) + r"[a-z0-9_]{8}")
"""Whole names of them."""
_LOCK = "lock"
"""The file in a working folder that its process has locked."""
MOVES_OPEN_FILES = sys.platform != "win32"
"""Whether a file can get another name, or go, while it is open. Where not, it is closed for a moment before it gets its name."""
_CLOSED_S = 60.0
"""There, how long a file has not been written to before it counts as left behind. A longer time leaves it longer."""

log = logging.getLogger(__name__)


def new_file(target: Path) -> tuple[IO[bytes], Path]:
    """A hidden file beside `target`, open for reading and writing and locked, and its path.

    Raises:
        OSError: if none can be made there.
    """
    while True:
        handle, name = tempfile.mkstemp(prefix=PREFIX, suffix=target.suffix, dir=target.parent)
        file = os.fdopen(handle, "w+b")
        if _is_ours(file, Path(name)):
            return file, Path(name)
        file.close()
        Path(name).unlink(missing_ok=True)


def remove_left_files(folder: Path) -> None:
    """Remove hidden files in `folder` whose process is dead; those of living ones, and those of other users, stay."""
    with suppress(OSError):
        left = [folder / name for name in os.listdir(folder) if _HIDDEN.fullmatch(name)]
        for path in left:
            with suppress(OSError):  # it has got its name meanwhile, or is another user's
                _remove_if_left(path, path)


@contextmanager
def working_folder(beside: Path | None = None) -> Generator[Path]:
    """A folder that goes with the block, or in the next such block after the process is killed.

    Args:
        beside: folder in which it is made; None for the system's temporary one.

    Raises:
        OSError: if none can be made there.
    """
    place = Path(beside or tempfile.gettempdir())
    for path in place.glob(f"{_FOLDER_PREFIX}*"):
        if _FOLDER.fullmatch(path.name):
            with suppress(OSError):  # another process's that has just gone, or another user's
                _remove_if_left(path / _LOCK, path)
            with suppress(OSError):
                path.rmdir()  # killed before there was a lock: empty
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_FOLDER_PREFIX, dir=place))
        with suppress(FileNotFoundError):  # taken for a dead one's before it was locked
            locked = open(folder / _LOCK, "w+b")  # noqa: SIM115 - it is closed when the folder goes
            if _is_ours(locked, folder / _LOCK):
                break
            locked.close()
    try:
        yield folder
    finally:
        if not MOVES_OPEN_FILES:
            locked.close()
        with suppress(FileNotFoundError):
            _remove(folder)
        locked.close()


def _is_ours(file: IO[bytes], path: Path) -> bool:
    """Lock a file that was just made; False if another process has taken it for a dead one's in the moment before."""
    try:
        return lock(file) and _is_at(file, path)
    except FileNotFoundError:
        return False
    except OSError as error:
        log.debug("%s cannot be locked (%s): if this process is killed, it stays.", path, error)
        return True


def _remove_if_left(locked: Path, path: Path) -> None:
    """Remove `path`, a file or folder, if no process has locked `locked`, the file or one in the folder.

    Raises:
        OSError: if it is not there any more, is another user's, or lies where there are no locks.
    """
    with open(locked, "r+b") as file:
        if not lock(file) or not _is_at(file, locked):
            return
        if MOVES_OPEN_FILES:
            log.debug("%s was left by a process that was killed: removed.", path)
            _remove(path)
            return
        last = os.fstat(file.fileno()).st_mtime
    if time.time() - last > _CLOSED_S:
        _remove(path)


def _remove(path: Path) -> None:
    """Remove a file, or a folder with its lock last: a kill meanwhile leaves what can be told from a living one's."""
    if not path.is_dir():
        path.unlink()
        return
    for part in path.iterdir():
        if part.is_dir() and not part.is_symlink():
            shutil.rmtree(part)
        elif part.name != _LOCK:
            part.unlink()
    (path / _LOCK).unlink()
    path.rmdir()


def _is_at(file: IO[bytes], path: Path) -> bool:
    """Whether the open file still has this name."""
    return os.path.samestat(os.stat(path), os.fstat(file.fileno()))
