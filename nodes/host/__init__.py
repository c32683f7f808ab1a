"""The one file that knows ComfyUI: its devices, memory management, progress, interrupt and model folders.

Nodes convert with `to_bchw` and `to_image`, and ask here for everything else. Works with ComfyUI 0.3.64 and later: what an
older one lacks is looked up by name, never assumed.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import uuid
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

import comfy.model_management as mm
import comfy.model_patcher
import comfy.utils
import folder_paths
import torch
from comfy.patcher_extension import CallbacksMP
from comfy_api.latest import io
from comfy_execution.graph_utils import ExecutionBlocker
from torch import Tensor, nn
from torch.utils.weak import WeakTensorKeyDictionary

from ...refocus_core.bokeh import SurfaceCache
from ...refocus_core.models import WEIGHT_SUFFIXES, find_named
from ...refocus_core.types import Progress

log = logging.getLogger(__name__)

Depth = io.Custom("REFOCUS_DEPTH")
"""Socket of `refocus_core.types.DepthMap`."""
Defocus = io.Custom("REFOCUS_DEFOCUS")
"""Socket of `refocus_core.types.DefocusMap`."""
KernelType = io.Custom("REFOCUS_KERNEL")
"""Socket of `refocus_core.types.Kernel`."""

CATEGORY = "Refocus"
FOLDER_KEY = "refocus"
"""Name of our model folder, `models/refocus`, and of its entry in extra_model_paths.yaml."""


def schema(**kwargs: Any) -> io.Schema:
    """`io.Schema(**kwargs)` without the keywords that this ComfyUI does not know, in our category.

    `has_intermediate_output`: all our nodes show a preview, which shall be there again when the node is taken from the cache
    and the page was reloaded.
    """
    known = {f.name for f in dataclasses.fields(io.Schema)}
    given = {"category": CATEGORY, "has_intermediate_output": True, **kwargs}
    return io.Schema(**{k: v for k, v in given.items() if k in known})


def advanced(widget: Any) -> Any:
    """Fold an input away. Older ComfyUI has no keyword `advanced`, but passes `extra_dict` on to the page just the same."""
    widget.extra_dict = {**(widget.extra_dict or {}), "advanced": True}
    return widget


# --- devices and tensors ------------------------------------------------------------------------------------------------


def device() -> torch.device:
    """Where to compute."""
    return mm.get_torch_device()


def rest_device() -> torch.device:
    """Where values wait between nodes (the CPU, unless ComfyUI runs with --gpu-only)."""
    return mm.intermediate_device()


def _rest_dtype() -> torch.dtype:
    return mm.intermediate_dtype() if hasattr(mm, "intermediate_dtype") else torch.float32  # newer than 0.3.64


def to_bchw(image: Tensor, name: str = "image") -> tuple[Tensor, Tensor | None]:
    """IMAGE [B,H,W,C], C = 1, 3 or 4, any float type -> ([B,3,H,W] float32 on `device()`, alpha [B,1,H,W] or None).

    Raises:
        TypeError: if it is not a floating-point tensor.
        ValueError: if the shape is not that of an IMAGE.
    """
    if not isinstance(image, Tensor) or not image.is_floating_point():
        got = f"{image.dtype}" if isinstance(image, Tensor) else type(image).__name__
        raise TypeError(f"{name} must be an IMAGE of floating-point values, got {got}.")
    if image.ndim != 4 or image.shape[-1] not in (1, 3, 4) or image.numel() == 0:
        raise ValueError(
            f"{name} must be an IMAGE [B,H,W,C] with 1, 3 or 4 channels and at least one pixel, got {list(image.shape)}."
        )
    bchw = image.movedim(-1, 1).to(device=device(), dtype=torch.float32)
    alpha = bchw[:, 3:4].contiguous() if bchw.shape[1] == 4 else None
    return bchw[:, :3].expand(-1, 3, -1, -1).contiguous(), alpha


def to_image(bchw: Tensor, alpha: Tensor | None = None) -> Tensor:
    """[B,3,H,W] and optionally alpha [B,1,H,W] -> IMAGE [B,H,W,C] on ComfyUI's resting device and type; nothing is clamped."""
    if alpha is not None:
        bchw = torch.cat([bchw, alpha.to(bchw)], 1)
    return bchw.movedim(1, -1).to(device=rest_device(), dtype=_rest_dtype()).contiguous()


def mask_out(mask: Tensor) -> Tensor:
    """[B,H,W] in 0..1 -> MASK."""
    return mask.to(device=rest_device(), dtype=_rest_dtype()).contiguous()


def mask_in(mask: Tensor, name: str = "mask") -> Tensor:
    """MASK [B,H,W] or [H,W] -> [B,H,W] float32 on `device()`.

    Raises:
        ValueError: if the shape is not that of a MASK.
    """
    m = mask[None] if mask.ndim == 2 else mask
    if m.ndim != 3 or m.numel() == 0:
        raise ValueError(f"{name} must be a MASK [B,H,W] with at least one pixel, got {list(mask.shape)}.")
    return m.to(device=device(), dtype=torch.float32)


_surfaces = WeakTensorKeyDictionary()
_PICTURES_WITH_SURFACES = 2


def surfaces(image: Tensor) -> SurfaceCache:
    """What the renderer keeps of an IMAGE between runs. It goes when ComfyUI lets go of that picture, also on POST /free."""
    found = _surfaces.get(image)
    if found is None:
        while len(_surfaces) >= _PICTURES_WITH_SURFACES:
            _surfaces.pop(next(iter(_surfaces)))
        found = _surfaces[image] = SurfaceCache()
    return found


def temporary(name: str, data: bytes) -> dict[str, str]:
    """Write a file for the page into ComfyUI's temporary folder; the entry under which GET /view finds it.

    Args:
        name: its end, such as "photo.jpg"; something unique comes before it.
    """
    folder = Path(folder_paths.get_temp_directory())
    folder.mkdir(parents=True, exist_ok=True)
    unique = f"refocus_{uuid.uuid4().hex}_{name}"
    (folder / unique).write_bytes(data)
    return {"filename": unique, "subfolder": "", "type": "temp"}


def blocked(message: str) -> Any:
    """In place of an output that there is none of: what needs it does not run, and the message is shown there."""
    return ExecutionBlocker(message)


# --- progress and interrupt ---------------------------------------------------------------------------------------------


def progress(total_hint: int | None = None) -> Progress:
    """A `Progress` that moves ComfyUI's progress bar and stops the work when the user pressed the interrupt button.

    It raises ComfyUI's InterruptProcessingException, which must reach ComfyUI: never catch it.
    """
    bar = comfy.utils.ProgressBar(max(total_hint or 1, 1))

    def step(done: int, total: int) -> None:
        mm.throw_exception_if_processing_interrupted()
        bar.update_absolute(done, max(total, 1))

    return step


# --- model folders ------------------------------------------------------------------------------------------------------


def _register_folder() -> None:
    # Set as a whole: add_model_folder_path would leave the list of file types empty, which means "every file". Folders
    # from extra_model_paths.yaml are already in it, because ComfyUI reads that file before it loads custom nodes.
    paths = list(folder_paths.folder_names_and_paths.get(FOLDER_KEY, ([], set()))[0])
    default = os.path.join(folder_paths.models_dir, FOLDER_KEY)
    folder_paths.folder_names_and_paths[FOLDER_KEY] = (
        [*paths, *([] if default in paths else [default])],
        set(WEIGHT_SUFFIXES),
    )


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


# --- models in ComfyUI's memory management ------------------------------------------------------------------------------


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


_kept: dict[Hashable, Managed] = {}
_husks: list[Managed] = []


def kept(key: Hashable, build: Callable[[], nn.Module], memory_bytes: int = 0) -> Managed:
    """Like `managed(build())`, and kept for the next run with the same key until ComfyUI unloads it to free memory.

    Use the result at once (`with kept(...) as module:`); do not store it. `key` names everything that `build` depends on
    (file, its size and time, options).
    """
    _husks.clear()
    entry = _kept.get(key)
    if entry is None:
        entry = _kept[key] = managed(build(), memory_bytes)
        entry.patcher.add_callback(CallbacksMP.ON_DETACH, lambda _patcher, unpatch_all: _drop(key) if unpatch_all else None)
    entry.memory_bytes = memory_bytes
    return entry


def _drop(key: Hashable) -> None:
    """ComfyUI has taken the model off its device (another one needs room, or POST /free): free main memory as well.

    Nobody else would ever free it, and the file is quick to read again.
    """
    entry = _kept.pop(key, None)
    if entry is not None:
        del entry.patcher.model.module  # the weights
        # The empty patcher outlives this call: ComfyUI is still walking through its list of loaded models, and the end of
        # a patcher would change that list under its hands.
        _husks.append(entry)
        log.debug("Refocus: freed %s", key)
