"""Photos in ComfyUI's input folder, chosen as core's Load Image does."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import folder_paths

from ...refocus_core.files.formats import FLOAT_SUFFIXES, INTEGER_BITS, RAW_SUFFIXES

_MORE_SUFFIXES = (".heic", ".heif", ".avif", *RAW_SUFFIXES)
"""Photos that some machines do not list among the pictures, beside the formats of the core."""
_NO_PHOTOS = (".svg",)
"""Pictures without pixels."""


def photo_files() -> list[str]:
    """Names of the pictures that lie in the input folder itself, sorted."""
    folder = Path(folder_paths.get_input_directory())
    names = [entry.name for entry in folder.iterdir() if entry.is_file()] if folder.is_dir() else []
    pictures = set(folder_paths.filter_files_content_types(names, ["image"]))
    known = (*INTEGER_BITS, *FLOAT_SUFFIXES, *_MORE_SUFFIXES)
    return sorted(n for n in names if (n in pictures or _suffix(n) in known) and _suffix(n) not in _NO_PHOTOS)


def photo_path(name: str) -> Path:
    """The file that a name stands for: in the input folder, or in the one that ComfyUI's ending names ("x.png [output]").

    Raises:
        ValueError: if it lies outside that folder, or is not there.
    """
    problem = photo_problem(name)
    if problem:
        raise ValueError(problem)
    return _path(name)[0]


def photo_problem(name: str) -> str:
    """Why a name stands for no file that may be read; empty where it does."""
    # ComfyUI checks the folder too, but not 0.3.64, whose get_annotated_filepath only joins the parts.
    try:
        path, folder = _path(name)
        inside = Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))
    except ValueError:
        inside = False
    if not inside:
        return f"image: {name!r} does not lie in ComfyUI's input folder. Upload the photo, or copy it there."
    return "" if path.is_file() else f"image: there is no photo {name!r} in ComfyUI's input folder. Upload it."


def fingerprint(name: str) -> str:
    """Changes when the file does."""
    return hashlib.sha256(photo_path(name).read_bytes()).hexdigest()


def _path(name: str) -> tuple[Path, Path]:
    """File and folder; not yet known to lie in it."""
    folder = folder_paths.annotated_filepath(name)[1] or folder_paths.get_input_directory()
    return Path(folder_paths.get_annotated_filepath(name)), Path(folder)


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()
