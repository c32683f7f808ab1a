"""Depth models by the words of a node."""

from __future__ import annotations

from ...refocus_core import depth, models
from .execution import progress
from .folders import FOLDER_KEY, model_files, model_folder, model_path
from .memory import Managed, cached_file

_RUN_BYTES = 3 << 30
"""What a network needs beside its weights; ComfyUI makes room for it."""
_LICENCES = "\n".join(f"{e.name}: {e.size_text}, {e.licence}. {e.notes}" for e in depth.MODELS.values())
"""A line for each model."""
DEPTH_MODELS_TEXT = f"auto: the first of {', '.join(depth.AUTO_ORDER)} that is on this machine.\n{_LICENCES}\n" + (
    "Files go to models/refocus; other models need their config.json beside them."
)
"""What only this host adds to the choice of a model."""


def depth_model_words() -> list[str]:
    """Models that can be named: those of the registry, and files of the model folder."""
    own = [n for n in model_files() if depth.is_depth_file(model_path(FOLDER_KEY, n))]
    return [*depth.MODELS, *own]


def depth_model(model: str, allow_download: bool) -> Managed:
    """The network of that name, found or fetched.

    Raises:
        ValueError, WeightsMissingError, WeightsMismatchError, FileNotFoundError: if it cannot be had.
    """
    folders = model_folder()
    if model == "auto" or model in depth.MODELS:
        entry = depth.choose(model, folders, allow_download=allow_download)
        (path,) = models.locate(entry, folders, allow_download=allow_download, progress=progress())
        config, name = entry.options, entry.label
    else:
        path, config, name = model_path(FOLDER_KEY, model), None, model
    return cached_file("depth", path, lambda file: depth.load_model(file, config, name=name), _RUN_BYTES)
