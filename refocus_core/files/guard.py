"""What keeps a file from outside within bounds: the largest picture that is read, and Pillow opened within it."""

from __future__ import annotations

import os
import struct
import threading
import warnings
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tokenize import TokenError
from typing import BinaryIO

from PIL import Image

from .formats import PictureError

LIMIT_VARIABLE = "REFOCUS_MAX_MEGAPIXELS"
"""Environment variable that sets the largest picture that is read, in megapixels."""
LARGEST_MEGAPIXELS = 500.0
"""Where the variable is not set: a small file may claim any size, and each pixel takes 12 bytes of memory once it is read."""

DECODER_FAULTS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    TokenError,
    struct.error,
    zlib.error,
)
"""What decoders, Pillow's and NumPy's among them, raise on broken files beside their own errors."""
_OPENING = threading.Lock()
"""Held while Pillow's own limit, which is one for the whole program, is set aside."""


def largest_megapixels() -> float:
    """Megapixels of the largest picture that is read.

    Raises:
        PictureError: if the environment variable is not a positive number.
    """
    text = os.environ.get(LIMIT_VARIABLE, "").strip()
    try:
        limit = float(text) if text else LARGEST_MEGAPIXELS
    except ValueError:
        limit = 0.0
    if not limit > 0:
        raise PictureError(f"{LIMIT_VARIABLE} is '{text}'. Give the largest picture to be read in megapixels, such as 800.")
    return limit


def check_size(path: Path, width: int, height: int) -> None:
    """Ask a file's header, before memory is taken for its pixels.

    Raises:
        PictureError: if there are no pixels, or more than the limit.
    """
    if width < 1 or height < 1:
        raise PictureError(f"{path} is damaged: it claims to be {width} x {height} px.")
    limit, found = largest_megapixels(), width * height / 1e6
    if found > limit:
        raise PictureError(
            f"{path} is {width} x {height} px, {found:.0f} megapixels; at most {limit:g} are read. "
            f"If it is no mistake, set the environment variable {LIMIT_VARIABLE} to {found + 1:.0f} or more."
        )


@contextmanager
def opened(file: Path | BinaryIO) -> Generator[Image.Image]:
    """A picture opened by Pillow, whatever its size: `check_size` is for the caller to ask. Nothing is decoded yet.

    Pillow's warnings about damaged EXIF are not shown; what is damaged is left out by `exif`.
    """
    with _OPENING, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            im = Image.open(file)
        finally:
            Image.MAX_IMAGE_PIXELS = before
    with im:
        yield im
