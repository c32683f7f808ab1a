"""The one reader of weights. Only safetensors: other formats can run code when they are opened."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from .errors import WeightsMismatchError


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Tensors of a safetensors file, on the CPU.

    Raises:
        WeightsMismatchError: if the file is not safetensors (pickle files are never opened).
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(str(path))
    except (SafetensorError, ValueError) as e:
        raise _unreadable(path, e) from e


def read_header(path: Path) -> dict[str, str]:
    """What the header of a safetensors file says besides names and shapes.

    Raises:
        WeightsMismatchError: if the file is not safetensors.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt") as file:
            return file.metadata() or {}
    except (SafetensorError, ValueError) as e:
        raise _unreadable(path, e) from e


def _unreadable(path: Path, error: Exception) -> WeightsMismatchError:
    return WeightsMismatchError(
        f"{path} is not a readable safetensors file ({error}). Only safetensors are loaded: fetch the file again, or convert it."
    )
