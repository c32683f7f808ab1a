"""ComfyUI's model folders."""

from __future__ import annotations

import os
from pathlib import Path

import folder_paths

from ...refocus_core.models import WEIGHT_SUFFIXES, find_named

FOLDER_KEY = "refocus"
"""Name of our model folder, `models/refocus`, and of its entry in extra_model_paths.yaml."""


def _register_folder() -> None:
    # Set as a whole: add_model_folder_path would leave the list of file types empty, which means "every file". Folders
    # from extra_model_paths.yaml are already in it, because ComfyUI reads that file before it loads custom nodes.
    paths = list(folder_paths.folder_names_and_paths.get(FOLDER_KEY, ([], set()))[0])
    default = os.path.join(folder_paths.models_dir, FOLDER_KEY)
    folder_paths.folder_names_and_paths[FOLDER_KEY] = ([*paths, *([] if default in paths else [default])], set(WEIGHT_SUFFIXES))


_register_folder()


def model_folder(key: str = FOLDER_KEY) -> list[Path]:
    """All folders that ComfyUI searches for `key`, existing or not; the first is where a download goes.

    Raises:
        KeyError: if ComfyUI has no such key.
    """
    return [Path(p) for p in folder_paths.get_folder_paths(key)]


def model_files(key: str = FOLDER_KEY) -> list[str]:
    """Names (relative to their folder, with subfolders) of the safetensors files under `key`, sorted."""
    for folder in model_folder(key):
        if folder.is_dir():
            break
    else:
        return []
    return sorted(n for n in folder_paths.get_filename_list(key) if n.lower().endswith(WEIGHT_SUFFIXES))


def model_path(key: str, name: str) -> Path:
    """The file `name` (relative, as listed by `model_files`) in the folders of `key`.

    Raises:
        ValueError: if `name` is empty, absolute, leaves its folder, or is no safetensors file.
        FileNotFoundError: if no folder has it.
    """
    return find_named(name, model_folder(key))
