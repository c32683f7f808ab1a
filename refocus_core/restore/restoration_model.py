"""Restoration networks of any architecture that spandrel recognises, in overlapping tiles."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..checks import check_image
from ..models import WEIGHT_SUFFIXES
from ..types import Progress

log = logging.getLogger(__name__)

TILE_PX = 512
MIN_TILE_PX = 64
_OutOfMemoryError: type[RuntimeError] = getattr(torch, "OutOfMemoryError", torch.cuda.OutOfMemoryError)  # its older name
OVERLAP_PX = 32
"""Neighbouring tiles share this many pixels (an eighth of the tile where that is less) and fade into each other."""


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
    """Read a restoration network from a safetensors file.

    Raises:
        FileNotFoundError: if there is no such file.
        ImportError: if spandrel is not installed.
        ValueError: if it is no safetensors file, no network that spandrel recognises, or one that does not restore at 1x.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no model file {path}.")
    if path.suffix.lower() not in WEIGHT_SUFFIXES:
        raise ValueError(
            f"{path.name} is not read: files of this type can run code when they are opened, so weights are taken from "
            "safetensors only. Convert it once on a machine that you trust the file with:  import torch, safetensors.torch as s; "
            f"w = torch.load('{path.name}', map_location='cpu', weights_only=True); w = w.get('params_ema', w.get('params', w)); "
            f"s.save_file({{k: v.contiguous() for k, v in w.items()}}, '{path.stem}.safetensors')"
        )
    try:
        import spandrel
    except ImportError as error:
        raise ImportError("Restoration models need the package 'spandrel': pip install spandrel (ComfyUI brings it).") from error
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        weights = load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path.name} is not a valid safetensors file ({error}). Download it again.") from error
    try:
        descriptor = spandrel.ModelLoader().load_from_state_dict(weights)
    except spandrel.UnsupportedModelError as error:
        raise ValueError(
            f"{path.name} holds no network that spandrel {getattr(spandrel, '__version__', '')} recognises. Choose a 1x "
            "restoration model such as NAFNet, Uformer, KBNet, FFTformer, SCUNet or DRUNet, or use method 'deconvolution'."
        ) from error
    except RuntimeError as error:  # load_state_dict: keys or shapes do not fit
        raise ValueError(f"{path.name} looks like a known network, but its weights do not fit: {error}") from error
    what = f"{path.name} ({descriptor.architecture.name})"
    if not isinstance(descriptor, spandrel.ImageModelDescriptor):
        raise ValueError(f"{what} fills in holes under a mask; it cannot sharpen a photo. Choose a 1x restoration model.")
    if descriptor.scale != 1:
        raise ValueError(
            f"{what} is a super-resolution model: it enlarges {descriptor.scale}x, and all-in-focus keeps the size. Choose a 1x "
            "restoration model, or use it in ComfyUI's 'Upscale Image (using Model)' node."
        )
    if descriptor.purpose == "FaceSR":
        raise ValueError(f"{what} redraws faces; it cannot sharpen a photo. Choose a 1x restoration model.")
    if (descriptor.input_channels, descriptor.output_channels) not in ((3, 3), (1, 1)):
        raise ValueError(
            f"{what} takes {descriptor.input_channels} and gives {descriptor.output_channels} channels; "
            "a photo has 3 (or 1 each)."
        )
    descriptor.model.eval().requires_grad_(False)
    log.info("restoration model %s: %s %s", path.name, descriptor.architecture.name, " ".join(descriptor.tags))
    return RestorationModel(descriptor, path.name)


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
        progress: called after each tile. When the tile is halved the count starts again.

    Returns:
        [B,3,H,W] float32.

    Raises:
        TypeError, ValueError: on a wrong picture or tile size, or if the network gives non-finite values.
        torch.OutOfMemoryError: if even the smallest tile does not fit.
    """
    check_image(image_srgb, "image")
    image = image_srgb.float()

    def part(seen: Tensor, window: Window) -> Tensor:
        return _restore(model, seen)

    restored = run_tiled(part, image.clamp(0, 1), check_tile(tile_px, TILE_PX), name=model.name, progress=progress)
    return restored + (image - image.clamp(0, 1))


Window = tuple[int, slice, slice]
"""Frame, rows and columns of a tile."""


def run_tiled(
    part: Callable[[Tensor, Window], Tensor],
    image: Tensor,
    tile_px: int,
    *,
    name: str,
    overlap_px: int = OVERLAP_PX,
    overlap_share: int = 8,
    step_px: int = 1,
    progress: Progress | None = None,
) -> Tensor:
    """Apply a network to overlapping tiles that fade into each other; on running out of memory, to tiles of half the side.

    Args:
        part: (tile [1,3,h,w], where it lies) -> [1,C,h,w].
        image: [B,3,H,W].
        tile_px: side of the tiles.
        name: of the network, for people.
        overlap_px: what neighbours share, or 1/`overlap_share` of the tile where that is less.
        step_px: tiles begin at multiples of this, for networks that work on a grid. The last ones are larger by less than it.
        progress: called after each tile. When the tile is halved the count starts again.

    Returns:
        [B,C,H,W].

    Raises:
        torch.OutOfMemoryError: if even the smallest tile does not fit.
    """
    while True:
        try:
            return _tiled(part, image, tile_px, min(overlap_px, tile_px // overlap_share), step_px, progress)
        except _OutOfMemoryError as error:
            # No frame of the failed attempt may stay alive: its tensors are the memory that is missing.
            error.__traceback__ = None
            if tile_px // 2 < MIN_TILE_PX:
                raise _OutOfMemoryError(
                    f"{name} does not fit into memory even in tiles of {tile_px} px. Free memory, or choose a smaller model."
                ) from error
            tile_px //= 2
            log.warning("%s: out of memory, trying again in tiles of %d px", name, tile_px)
        if image.is_cuda:
            torch.cuda.empty_cache()


def check_tile(tile_px: int | None, default_px: int) -> int:
    """`tile_px`, or the default where it is None.

    Raises:
        ValueError: if it is below `MIN_TILE_PX`.
    """
    if tile_px is None:
        return default_px
    if tile_px < MIN_TILE_PX:
        raise ValueError(f"tile_px must be at least {MIN_TILE_PX}, got {tile_px}.")
    return tile_px


def _spans(length: int, tile: int, overlap: int, step: int) -> list[slice]:
    """Where tiles lie: evenly spread, sharing at least `overlap` pixels (less by up to `step`), beginning at multiples of it."""
    if length <= tile:
        return [slice(0, length)]
    n = -(-(length - overlap) // (tile - overlap))
    starts = [round(i * (length - tile) / (n - 1)) // step * step for i in range(n)]
    return [slice(start, start + tile) for start in starts[:-1]] + [slice(starts[-1], length)]


def _ramp(span: slice, length: int, overlap: int, like: Tensor) -> Tensor:
    """Weights over a tile, 0 at its very rim towards a neighbour: what a network makes there has seen the least."""
    size = span.stop - span.start
    p = torch.arange(size, device=like.device, dtype=like.dtype) + 0.5
    weight = torch.ones_like(p)
    if span.start > 0:
        weight = weight * (p / overlap).clamp(0, 1)
    if span.stop < length:
        weight = weight * ((size - p) / overlap).clamp(0, 1)
    return weight


@torch.no_grad()
def _tiled(
    part: Callable[[Tensor, Window], Tensor], image: Tensor, tile: int, overlap: int, step: int, progress: Progress | None
) -> Tensor:
    batch, _, height, width = image.shape
    places = list(itertools.product(_spans(height, tile, overlap, step), _spans(width, tile, overlap, step)))
    total, done = batch * len(places), 0
    frames: list[Tensor] = []
    weights = torch.zeros_like(image[:1, :1])
    for frame in range(batch):
        out = image.new_zeros(0)
        for rows, columns in places:
            ramp = _ramp(rows, height, overlap, image)[:, None] * _ramp(columns, width, overlap, image)[None]
            made = part(image[frame : frame + 1, :, rows, columns], (frame, rows, columns))
            if not out.numel():
                out = image.new_zeros(1, made.shape[1], height, width)
            out[:, :, rows, columns] += made * ramp
            if frame == 0:
                weights[:, :, rows, columns] += ramp
            done += 1
            if progress is not None:
                progress(done, total)
        frames.append(out / weights)
    return torch.cat(frames)


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
