"""Our models in ComfyUI's memory management."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable
from pathlib import Path

import comfy.model_management as mm
import comfy.model_patcher
import torch
from comfy.patcher_extension import CallbacksMP
from torch import nn

log = logging.getLogger(__name__)


class _Holder(nn.Module):
    """ModelPatcher sets attributes such as `device` on what it patches; a transformers model refuses that one."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module


class Managed:
    """A module under ComfyUI's memory management. `with managed(m) as module:` has it on `load_device`, ready to run.

    ComfyUI may move it to the offload device at any time outside the block; entering again brings it back.
    """

    def __init__(self, module: nn.Module, memory_bytes: int = 0) -> None:
        self.load_device: torch.device = mm.get_torch_device()
        self.memory_bytes = memory_bytes
        offload = mm.unet_offload_device()
        module.eval().requires_grad_(False)
        # CoreModelPatcher is the newer one, which streams weights; 0.3.64 has ModelPatcher only.
        patcher = getattr(comfy.model_patcher, "CoreModelPatcher", comfy.model_patcher.ModelPatcher)
        self.patcher = patcher(_Holder(module.to(offload)), load_device=self.load_device, offload_device=offload)

    def __enter__(self) -> nn.Module:
        # In full: modules that were not built from comfy.ops cannot run with a part of their weights elsewhere.
        mm.load_models_gpu([self.patcher], memory_required=self.memory_bytes, force_full_load=True)
        return self.patcher.model.module

    def __exit__(self, *exc: object) -> None:
        return None


def managed(module: nn.Module, memory_bytes: int = 0) -> Managed:
    """Put `module` under ComfyUI's memory management for as long as the caller holds the result.

    Args:
        module: any module; it is switched to inference and moved to the offload device until used.
        memory_bytes: what a run needs beside the weights, so that ComfyUI can make room.
    """
    return Managed(module, memory_bytes)


_cached: dict[Hashable, Managed] = {}
_detached: list[Managed] = []


def cached(key: Hashable, build: Callable[[], nn.Module], memory_bytes: int = 0) -> Managed:
    """Like `managed(build())`, and kept for the next run with the same key until ComfyUI unloads it to free memory.

    Use the result at once (`with cached(...) as module:`); do not store it. `key` names everything that `build` depends on
    (file, its size and time, options).
    """
    _detached.clear()
    entry = _cached.get(key)
    if entry is None:
        entry = _cached[key] = managed(build(), memory_bytes)
        entry.patcher.add_callback(CallbacksMP.ON_DETACH, lambda _patcher, unpatch_all: _drop(key) if unpatch_all else None)
    entry.memory_bytes = memory_bytes
    return entry


def cached_file(kind: str, path: Path, load: Callable[[Path], nn.Module], memory_bytes: int = 0) -> Managed:
    """`cached` for the model in a file, which is read again when the file changes. `kind` tells apart what reads it."""
    stat = path.stat()
    return cached((kind, str(path), stat.st_size, stat.st_mtime_ns), lambda: load(path), memory_bytes)


def _drop(key: Hashable) -> None:
    """ComfyUI has taken the model off its device (another one needs room, or POST /free): free main memory as well.

    Nobody else would ever free it, and the file is quick to read again.
    """
    entry = _cached.pop(key, None)
    if entry is not None:
        del entry.patcher.model.module  # the weights
        # The empty patcher outlives this call: ComfyUI is still walking through its list of loaded models, and the end of
        # a patcher would change that list under its hands.
        _detached.append(entry)
        log.debug("Refocus: freed %s", key)
