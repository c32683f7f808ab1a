"""Where pictures go: what can be written there, asked before long work, and files that appear only when they are complete."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, cast

from ..faults import is_write_fault, not_written
from .exr import openexr
from .formats import ALPHA_SUFFIXES, FLOAT_SUFFIXES, INTEGER_BITS, LARGEST_SIDE_PX, MAP_SUFFIXES, PictureError
from .unfinished import MOVES_OPEN_FILES, new_file, remove_left_files

FLOAT_BITS = 32
"""Bits per channel of floating point."""
LONGEST_NAME_BYTES = 255
"""What the usual file systems hold."""
ANY_MAY_WRITE = 0o222
"""Bits of a file's mode, of which none is set where it is write-protected, also against who may do everything."""


def check_output(
    path: str | Path,
    bits: int | None = None,
    alpha: bool = False,
    protect: tuple[Path, ...] = (),
    size: tuple[int, int] | None = None,
) -> int:
    """Before long work: can a picture be written there? Returns the bits per channel to write.

    Args:
        bits: 8, 16 or 32 (floating point); None for the most common of the file type: 32 for PFM and EXR, else 8.
        alpha: whether the picture has transparency.
        protect: inputs that must not be overwritten.
        size: height and width in px of the picture.

    Raises:
        PictureError: if the type is unknown or cannot hold `bits`, alpha or a side as long, the folder is missing or closed, the
            package for it is missing, or the file is one of `protect`.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in INTEGER_BITS and suffix not in FLOAT_SUFFIXES:
        known = ", ".join(dict.fromkeys([*INTEGER_BITS, *FLOAT_SUFFIXES]))
        raise PictureError(f"{path}: pictures are written as {known}. Choose one of these endings.")
    if bits is None:
        bits = 8 if suffix in INTEGER_BITS else FLOAT_BITS
    able = FLOAT_SUFFIXES if bits == FLOAT_BITS else tuple(s for s, b in INTEGER_BITS.items() if bits in b)
    if suffix not in able:
        raise PictureError(f"{path}: a {suffix} file cannot hold {_named(bits)}. Choose {' or '.join(able)}, or other bits.")
    if alpha and suffix not in ALPHA_SUFFIXES:
        raise PictureError(
            f"{path}: the photo has transparency, which {suffix} cannot hold. Choose {' or '.join(ALPHA_SUFFIXES)}."
        )
    longest = LARGEST_SIDE_PX.get(suffix)
    if size is not None and longest is not None and max(size) > longest:
        shape = f"{size[1]} x {size[0]} px"
        raise PictureError(f"{path}: the picture is {shape}; sides of a {suffix} file hold {longest}. Choose .png or .tif.")
    check_place(path, protect)
    return bits


def check_map_output(path: str | Path, protect: tuple[Path, ...] = ()) -> None:
    """Like `check_output`, for maps.

    Raises:
        PictureError: as `check_output`.
    """
    path = Path(path)
    if path.suffix.lower() not in MAP_SUFFIXES:
        raise PictureError(f"{path}: maps are written as {', '.join(MAP_SUFFIXES)}. Choose one of these endings.")
    check_place(path, protect)


def check_place(path: Path, protect: tuple[Path, ...]) -> None:
    """Raise PictureError unless a file can be written there that is none of `protect`."""
    if path.suffix.lower() == ".exr":
        openexr(path)
    if len(os.fsencode(path.name)) > LONGEST_NAME_BYTES:
        raise PictureError(f"{path}: names of files hold {LONGEST_NAME_BYTES} bytes. Choose a shorter one.")
    if path.is_dir():
        raise PictureError(f"{path} is a folder. Give the name of a file in it.")
    if not path.absolute().parent.is_dir():
        raise PictureError(f"The folder {path.absolute().parent} does not exist. Create it first.")
    path = path.resolve()  # a link stays one: what it points to is written
    if not path.parent.is_dir():
        raise PictureError(f"{path}: the folder that a link leads to does not exist. Create it first.")
    if not os.access(path.parent, os.W_OK):
        raise PictureError(f"The folder {path.parent} cannot be written to.")
    if path.exists() and not path.stat().st_mode & ANY_MAY_WRITE:
        raise PictureError(f"{path} is write-protected. Take the protection off, or choose another name.")
    for source in protect:
        if path.exists() and source.exists() and path.samefile(source):
            raise PictureError(f"{path} is the input. Choose another name for the output, or allow --overwrite.")


def _named(bits: int) -> str:
    return "32-bit floating point" if bits == FLOAT_BITS else f"{bits} bits per channel"


def write_whole(path: Path, write: Callable[[BinaryIO], None]) -> None:
    """Write to a hidden neighbour, then rename: nobody ever sees half a file, and a failure keeps the old one.

    A link stays one, and what it points to is written. Hidden neighbours of processes that were killed are removed first.

    Raises:
        OSError: if there is no room or no leave to write, with the file's name and the remedy; and whatever `write` raises.
    """
    target = path.resolve()
    remove_left_files(target.parent)
    try:
        file, hidden = new_file(target)
    except OSError as error:
        raise not_written(path, error) from error
    whole = False
    try:
        with file:
            write(cast("BinaryIO", file))
            file.flush()
            os.fsync(file.fileno())
            whole = True
            if MOVES_OPEN_FILES:  # while it is locked: else another process might take it for a dead one's
                _take_name(hidden, target)
        if not MOVES_OPEN_FILES:
            _take_name(hidden, target)
    except BaseException as error:
        hidden.unlink(missing_ok=True)
        if isinstance(error, OSError) and (whole or is_write_fault(error)):
            raise not_written(path, error) from error
        raise


def _take_name(hidden: Path, path: Path) -> None:
    """Give a whole file its name, and the permissions of the one that was there or of any file."""
    if path.exists():
        mode = path.stat().st_mode & 0o777
    else:
        umask = os.umask(0)
        os.umask(umask)
        mode = 0o666 & ~umask
    os.chmod(hidden, mode)  # hidden files are made such that only their owner reads them
    os.replace(hidden, path)
