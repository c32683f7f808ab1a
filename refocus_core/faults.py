"""What the system refuses, in words with a remedy: files that cannot be written, memory that is not there."""

from __future__ import annotations

import errno
from pathlib import Path

_NO_ROOM = frozenset({errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)})
"""The disk is full, the file is larger than the file system or a limit of the process takes, the user's share is used up."""
_NO_LEAVE = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
"""The folder is closed to this user, or the disk is read-only."""


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
