"""ComfyUI's devices, and its pictures and masks as the core takes them."""

from __future__ import annotations

import comfy.model_management as mm
import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from ...refocus_core.bokeh import SurfaceCache


def device() -> torch.device:
    """Where to compute."""
    return mm.get_torch_device()


def intermediate_device() -> torch.device:
    """Where values wait between nodes (the CPU, unless ComfyUI runs with --gpu-only)."""
    return mm.intermediate_device()


def _intermediate_dtype() -> torch.dtype:
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
    return bchw.movedim(1, -1).to(device=intermediate_device(), dtype=_intermediate_dtype()).contiguous()


def to_mask(mask: Tensor) -> Tensor:
    """[B,H,W] in 0..1 -> MASK."""
    return mask.to(device=intermediate_device(), dtype=_intermediate_dtype()).contiguous()


def transparency(alpha: Tensor | None) -> Tensor:
    """Alpha [1,1,H,W] of a photo -> MASK as core's Load Image gives it: 1 where transparent; [1,64,64] of 0 without alpha."""
    return to_mask(torch.zeros(1, 64, 64) if alpha is None else 1 - alpha[:, 0])


def to_bhw(mask: Tensor, name: str = "mask") -> Tensor:
    """MASK [B,H,W] or [H,W] -> [B,H,W] float32 on `device()`.

    Raises:
        ValueError: if the shape is not that of a MASK.
    """
    m = mask[None] if mask.ndim == 2 else mask
    if m.ndim != 3 or m.numel() == 0:
        raise ValueError(f"{name} must be a MASK [B,H,W] with at least one pixel, got {list(mask.shape)}.")
    return m.to(device=device(), dtype=torch.float32)


_surfaces = WeakTensorKeyDictionary()
"""IMAGE -> `SurfaceCache`."""
_PICTURES_WITH_SURFACES = 2
"""Pictures whose surfaces are kept. More: switching between them stays quick, more memory."""


def surfaces(image: Tensor) -> SurfaceCache:
    """What the renderer keeps of an IMAGE between runs, until ComfyUI drops that picture, also on POST /free."""
    cache = _surfaces.get(image)
    if cache is None:
        while len(_surfaces) >= _PICTURES_WITH_SURFACES:
            _surfaces.pop(next(iter(_surfaces)))
        cache = _surfaces[image] = SurfaceCache()
    return cache
