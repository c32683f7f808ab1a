"""What the system refuses, in words with a remedy: files that cannot be written, memory that is not there. A lock on a file."""

from __future__ import annotations

import errno
import sys
from pathlib import Path
from typing import IO

_NO_ROOM = frozenset({errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)})
"""The disk is full, the file is larger than the file system or a limit of the process takes, the user's share is used up."""
_NO_LEAVE = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
"""The folder is closed to this user, or the disk is read-only."""

_TAKEN = frozenset({errno.EACCES, errno.EAGAIN, errno.EDEADLK})
"""A lock that another process has."""
_LOCKED_BYTE = 2**31 - 2
"""Where Windows locks, which keeps others from reading and writing what is locked."""
OUT_OF_MEMORY = "There is not enough memory for this"
"""How a lack of memory is told."""
MEMORY_REMEDY = "Close other programs, or use a smaller picture or fewer --workers; --quality draft takes the least."
"""What helps on the command line."""
_NO_MEMORY = ("can't allocate memory", "not enough memory", "out of memory", "bad_alloc", "Cannot allocate memory")
"""How torch, its libraries and C++ tell of it."""
_QUOTED_LETTERS = 200
"""Of a library's own words, which may go on with a list of its functions."""


def is_write_fault(error: OSError) -> bool:
    """Whether it tells of a write that failed, where reading another file might have failed as well.

    NumPy says that less was written than wanted without a number of the system.
    """
    return error.errno in {*_NO_ROOM, errno.EROFS, errno.EIO} or (type(error) is OSError and error.errno is None)


def not_written(path: Path, error: OSError) -> OSError:
    """The same error in words for the user: which file, why, what to do. Keeps the number of the system."""
    if error.errno in _NO_ROOM:
        remedy = "Free space on that disk, or choose a folder on another one."
    elif error.errno in _NO_LEAVE:
        remedy = "Allow writing there, or choose another folder."
    else:
        remedy = "See whether that disk has space and can be written to, or choose another folder."
    told = OSError(f"{path} could not be written ({error.strerror or error}). {remedy}")
    told.errno = error.errno
    return told


def lock(file: IO[bytes]) -> bool:
    """Lock an open file for whoever has it open; False if another one has. The system lets go when it is closed, or on any end.

    Raises:
        OSError: if its file system has no locks.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(_LOCKED_BYTE)  # beyond what is written: others may read and write it
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _TAKEN:
            return False
        raise
    return True


def is_out_of_memory(error: BaseException) -> bool:
    """Whether it tells of memory that was not there: Python's, NumPy's, or torch's on any device.

    On a CPU torch raises a bare RuntimeError; its text is all that tells.
    """
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and any(said in str(error) for said in _NO_MEMORY)


def in_words(error: BaseException, remedy: str = MEMORY_REMEDY) -> str:
    """What is told of an error: its own words, but for memory, of which libraries tell in theirs. `remedy` helps against that."""
    text = str(error).strip() or type(error).__name__
    if not is_out_of_memory(error) or OUT_OF_MEMORY in text or "fit into memory" in text:
        return text
    return f"{OUT_OF_MEMORY} ({' '.join(text.split())[:_QUOTED_LETTERS]}). {remedy}"
