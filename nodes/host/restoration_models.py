"""Restoration models by the words of a node."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from ...refocus_core import depth, restore
from .folders import FOLDER_KEY, model_files, model_folder, model_path
from .memory import cached_file

_FOLDERS = ("upscale_models", FOLDER_KEY)
"""ComfyUI's keys of the folders that may hold restoration models."""
_BYTES_PER_TILE_PX = 3 * 4 * 384
"""What a network needs beside its weights for each pixel of a tile, as core's upscale node estimates it."""


def restoration_words() -> list[str]:
    """Methods that are files in the model folders; depth models of our own folder are left out."""
    names: dict[str, None] = {}
    for key in _FOLDERS:
        for name in model_files(key):
            if key != FOLDER_KEY or not depth.is_depth_file(model_path(key, name)):
                names[restore.MODEL_PREFIX + name] = None
    return list(names)


def restoration_model(method: str, has_defocus: bool, tile_px: int) -> AbstractContextManager[Any]:
    """The method's network, on its device; None for a method without one."""
    network = restore.choose(method, has_defocus=has_defocus).network
    if network is None:
        return nullcontext()
    path = network.locate([folder for key in _FOLDERS for folder in model_folder(key)])
    return cached_file("restore", path, network.load, tile_px * tile_px * _BYTES_PER_TILE_PX)
