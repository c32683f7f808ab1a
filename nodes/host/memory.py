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
    """A module under ComfyUI's memory management: `with Managed(m) as module:` has it on `load_device`, ready to run.

    Outside the block ComfyUI may move it to the offload device at any time; entering again brings it back.

    Args:
        module: any module; it is switched to inference and moved to the offload device until used.
        memory_bytes: what a run needs beside the weights, so that ComfyUI can make room.
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


_cached: dict[Hashable, Managed] = {}
"""Models that the next run may use again."""
_detached: list[Managed] = []
"""Models whose weights are freed, until ComfyUI has finished with their patchers; see `_drop`."""


def cached(key: Hashable, build: Callable[[], nn.Module], memory_bytes: int = 0) -> Managed:
    """`Managed(build())`, kept for the next run with the same key until ComfyUI unloads it to free memory.

    Use the result at once (`with cached(...) as module:`); do not store it. `key` names everything that `build` depends on
    (file, its size and time, options).
    """
    _detached.clear()
    entry = _cached.get(key)
    if entry is None:
        entry = _cached[key] = Managed(build(), memory_bytes)
        entry.patcher.add_callback(CallbacksMP.ON_DETACH, lambda _patcher, unpatch_all: _drop(key) if unpatch_all else None)
    entry.memory_bytes = memory_bytes
    return entry


def cached_file(kind: str, path: Path, load: Callable[[Path], nn.Module], memory_bytes: int = 0) -> Managed:
    """`cached` for the model in a file, which is read again when the file changes. `kind` tells apart what reads it."""
    stat = path.stat()
    return cached((kind, str(path), stat.st_size, stat.st_mtime_ns), lambda: load(path), memory_bytes)


def _drop(key: Hashable) -> None:
    """Free the main memory of a model that ComfyUI has taken off its device, for another one or on POST /free.

    Nothing else would free it, and the file is quick to read again.
    """
    entry = _cached.pop(key, None)
    if entry is not None:
        del entry.patcher.model.module  # the weights
        # The empty patcher must outlive this call: ComfyUI is iterating over its list of loaded models, and a patcher that
        # is collected removes itself from that list.
        _detached.append(entry)
        log.debug("Refocus: freed %s", key)
