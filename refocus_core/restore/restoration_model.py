"""Restoration networks in files of one's own, of any architecture that spandrel recognises."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..checks import check_image
from ..models import WeightsMismatchError, find_named, read_safetensors
from ..progress import watched
from ..types import Progress, Restored
from .request import Request
from .tiling import Window, check_tile, run_tiled

log = logging.getLogger(__name__)

TILE_PX = 512
"""Side of a tile where none is given. Larger ones need more memory; some networks then see more of the picture at once."""


class RestorationModel(nn.Module):
    """A loaded network: RGB [1,3,h,w] in 0..1 -> the same, any size.

    A module, so that a host can put it under its memory management; it computes on the device of its picture.

    Attributes:
        name: file name, for people.
        architecture: spandrel's name of it.
        descriptor: spandrel's `ImageModelDescriptor`; it pads to the sizes that the network accepts, by reflection.
    """

    def __init__(self, descriptor: Any, name: str) -> None:
        super().__init__()
        self.net: nn.Module = descriptor.model
        self.descriptor = descriptor
        self.name = name
        self.architecture: str = str(descriptor.architecture.name)
        self.grey: bool = descriptor.input_channels == 1
        self.half_dtype: torch.dtype | None = (
            torch.float16 if descriptor.supports_half else torch.bfloat16 if descriptor.supports_bfloat16 else None
        )

    def forward(self, image: Tensor) -> Tensor:
        """One picture [1,3,h,w] in 0..1. A grey network restores each colour by itself."""
        if self.grey:
            return torch.cat([self.descriptor(c) for c in image.split(1, dim=1)], 1)
        return self.descriptor(image)


def load_model(path: str | Path) -> RestorationModel:
    """Read a restoration network from a safetensors file, on the CPU.

    Raises:
        ImportError: if spandrel is not installed.
        WeightsMissingError: if there is no such file.
        WeightsMismatchError: if it is no safetensors file, or no network that spandrel recognises and that restores at 1x.
        ValueError: if it is a file of another type.
    """
    path = find_named(str(path))
    try:
        import spandrel
    except ImportError as error:
        raise ImportError("Restoration models need the package 'spandrel': pip install spandrel (ComfyUI brings it).") from error
    state = read_safetensors(path)
    try:
        descriptor = spandrel.ModelLoader().load_from_state_dict(state)
    except spandrel.UnsupportedModelError as error:
        raise WeightsMismatchError(
            f"{path.name} holds no network that spandrel {getattr(spandrel, '__version__', '')} recognises. Choose a 1x "
            "restoration model such as NAFNet, Uformer, KBNet, FFTformer, SCUNet or DRUNet, or use method 'deconvolution'."
        ) from error
    except RuntimeError as error:  # load_state_dict: keys or shapes do not fit
        raise WeightsMismatchError(f"{path.name} looks like a known network, but its weights do not fit: {error}") from error
    if not isinstance(descriptor, spandrel.ImageModelDescriptor):
        what = f"{path.name} ({descriptor.architecture.name})"
        raise WeightsMismatchError(
            f"{what} fills in holes under a mask; it cannot sharpen a photo. Choose a 1x restoration model."
        )
    _check_restores(descriptor, path.name)
    descriptor.model.eval().requires_grad_(False)
    log.info("restoration model %s: %s %s", path.name, descriptor.architecture.name, " ".join(descriptor.tags))
    return RestorationModel(descriptor, path.name)


def _check_restores(descriptor: Any, name: str) -> None:
    """Raise if a network that spandrel has read is not a restorer of photos at their own size."""
    what = f"{name} ({descriptor.architecture.name})"
    if descriptor.scale != 1:
        raise WeightsMismatchError(
            f"{what} is a super-resolution model: it enlarges {descriptor.scale}x, and all-in-focus keeps the size. Choose a 1x "
            "restoration model, or use it in ComfyUI's 'Upscale Image (using Model)' node."
        )
    if descriptor.purpose == "FaceSR":
        raise WeightsMismatchError(f"{what} redraws faces; it cannot sharpen a photo. Choose a 1x restoration model.")
    if (descriptor.input_channels, descriptor.output_channels) not in ((3, 3), (1, 1)):
        raise WeightsMismatchError(
            f"{what} takes {descriptor.input_channels} and gives {descriptor.output_channels} channels; "
            "a photo has 3 (or 1 each)."
        )


def run(request: Request) -> Restored:
    """`all_in_focus` by this method."""
    assert isinstance(request.network, RestorationModel)  # `all_in_focus` has checked it
    result = run_model(request.network, request.image, tile_px=request.tile_px, progress=request.progress)
    return Restored(request.mixed(result))


def run_model(
    model: RestorationModel, image_srgb: Tensor, *, tile_px: int | None = None, progress: Progress | None = None
) -> Tensor:
    """Run a network over a picture in overlapping tiles that fade into each other.

    The network sees values clamped to 0..1, which is all it knows. What was above 1 (or below 0) is added to its answer again,
    so highlights keep their excess: 8.0 over a restored 1.0 stays 8.0. On CUDA the network runs under autocast to the
    half-precision type that its architecture supports; sums stay in float32. When memory runs out the tile is halved,
    down to 64 px.

    Args:
        model: from `load_model`, on the device of `image_srgb`.
        image_srgb: [B,3,H,W] float32, sRGB-encoded.
        tile_px: side of a tile, at least 64; None is 512. A picture that fits into one tile is not tiled.
        progress: called before each layer and after each tile. When the tile is halved the count starts again.

    Returns:
        [B,3,H,W] float32.

    Raises:
        TypeError, ValueError: on a wrong picture or tile size, or if the network gives non-finite values.
        torch.OutOfMemoryError: if even the smallest tile does not fit.
    """
    check_image(image_srgb, "image")
    image = image_srgb.float()

    def run_tile(tile: Tensor, window: Window, progress: Progress) -> Tensor:
        with watched(model.net, progress):
            return _restore(model, tile)

    restored = run_tiled(run_tile, image.clamp(0, 1), check_tile(tile_px, TILE_PX), name=model.name, progress=progress)
    return restored + (image - image.clamp(0, 1))


def _restore(model: RestorationModel, part: Tensor) -> Tensor:
    """One tile through the network, in float32 where half precision overflows."""
    h, w = part.shape[-2:]
    part = F.pad(part, (0, max(2 - w, 0), 0, max(2 - h, 0)), "replicate")  # a single row or column cannot be reflected
    if part.is_cuda and model.half_dtype is not None:
        with torch.autocast("cuda", model.half_dtype):
            result = model(part).float()
        if bool(torch.isfinite(result).all()):
            return result[..., :h, :w]
        log.warning("%s: %s overflowed, this tile runs in float32", model.name, model.half_dtype)
    result = model(part)
    if result.shape != part.shape:
        raise ValueError(
            f"{model.name} gave {list(result.shape)} for a tile of {list(part.shape)}; it is not a 1x restoration model."
        )
    if not bool(torch.isfinite(result).all()):
        raise ValueError(f"{model.name} gave non-finite values. The file is damaged or not meant for photos: choose another one.")
    return result[..., :h, :w]
