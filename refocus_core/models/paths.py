"""Names of model files: which are taken, and where a name leads."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath

from .errors import WeightsMissingError

WEIGHT_SUFFIXES = (".safetensors", ".sft")
"""Endings of files that weights are read from. Other formats can run code when they are opened."""

PACKAGE = Path(__file__).resolve().parents[1]
"""The folder of `refocus_core`: files that ship with it lie below."""

_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
"""Names that are the same on every system, and never hidden."""


def is_plain(name: str) -> bool:
    """Whether a name is one word of letters, digits, `.`, `_` and `-`, and so the same on every system."""
    return _PLAIN_NAME.fullmatch(name) is not None


def is_inside(name: str) -> bool:
    """Whether a relative name with / or \\ cannot lead out of the folder that it is joined to."""
    parts = PureWindowsPath(name).parts  # splits at both / and \
    rooted = PureWindowsPath(name).anchor or PurePosixPath(name).is_absolute()
    return bool(parts) and not rooted and ".." not in parts


def check_name(name: str) -> str:
    """Return `name` if it names a file of weights within a model folder, subfolders included.

    Raises:
        ValueError: if it is empty, absolute, leaves its folder, or is no safetensors file.
    """
    if not is_inside(name):
        raise ValueError(f"'{name}' is not a file inside the model folders. Give its name relative to one of them.")
    return check_suffix(name)


def check_suffix(name: str) -> str:
    """Return `name` if it ends as a safetensors file does.

    Raises:
        ValueError: if it does not; the message says how to convert the file.
    """
    if name.lower().endswith(WEIGHT_SUFFIXES):
        return name
    file = PureWindowsPath(name)
    raise ValueError(
        f"{file.name} is not read: files of this type can run code when they are opened, so weights are taken from "
        "safetensors only. Convert it once on a machine that you trust the file with:  import torch, safetensors.torch as s; "
        f"w = torch.load('{file.name}', map_location='cpu', weights_only=True); w = w.get('params_ema', w.get('params', w)); "
        f"s.save_file({{k: v.contiguous() for k, v in w.items()}}, '{file.stem}.safetensors')"
    )


def find_named(name: str, folders: Iterable[Path | str] | None = None) -> Path:
    """The file `name` in the first of the folders that has it; without folders (None) `name` is a path of any kind.

    Raises:
        ValueError: as `check_name`; without folders only if it is no safetensors file.
        WeightsMissingError: if there is no such file.
    """
    if folders is None:
        path = Path(check_suffix(name))
        if path.is_file():
            return path
        raise WeightsMissingError(f"There is no model file '{name}'. Give its path, or the folders to search.")
    roots = [Path(f) for f in folders]
    check_name(name)
    for root in roots:
        if (root / name).is_file():
            return root / name
    raise WeightsMissingError(
        f"There is no model file '{name}' in {', '.join(map(str, roots))}. Put it there, or choose another one."
    )
