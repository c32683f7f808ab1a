"""A network over a picture in overlapping tiles that fade into each other, in smaller ones when memory runs out."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable

import torch
from torch import Tensor

from .. import images
from ..checks import check_kind, check_number
from ..faults import is_out_of_memory
from ..progress import share
from ..types import Progress

log = logging.getLogger(__name__)

MIN_TILE_PX = 64
"""Smallest side of a tile. Below it a network sees too little, and most is computed several times."""
OVERLAP_PX = 32
"""What neighbouring tiles share where nothing else is said. More hides seams of networks that see far, and takes longer."""
OVERLAP_SHARE = 8
"""Neighbouring tiles share this part of a tile where that is less."""

_OutOfMemoryError: type[RuntimeError] = getattr(torch, "OutOfMemoryError", torch.cuda.OutOfMemoryError)
"""The error by its name, or its older name."""

Window = tuple[int, slice, slice]
"""Frame, rows and columns of a tile."""


def check_tile(tile_px: int | None, default_px: int) -> int:
    """`tile_px`, or the default where it is None.

    Raises:
        TypeError, ValueError: if it is no whole number, or below `MIN_TILE_PX`.
    """
    if tile_px is None:
        return default_px
    check_kind(tile_px, int, "tile_px")
    check_number(tile_px, "tile_px")
    if tile_px < MIN_TILE_PX:
        raise ValueError(f"tile_px must be at least {MIN_TILE_PX}, got {tile_px}.")
    return tile_px


def run_tiled(
    run_tile: Callable[[Tensor, Window, Progress], Tensor],
    image: Tensor,
    tile_px: int,
    *,
    name: str,
    overlap_px: int = OVERLAP_PX,
    overlap_share: int = OVERLAP_SHARE,
    step_px: int = 1,
    progress: Progress | None = None,
) -> Tensor:
    """Apply a network to overlapping tiles that fade into each other; on running out of memory, to tiles of half the side.

    Args:
        run_tile: (tile [1,3,h,w], where it lies, progress of the tile) -> [1,C,h,w].
        image: [B,3,H,W].
        tile_px: side of the tiles.
        name: of the network, for people.
        overlap_px: what neighbours share, or 1/`overlap_share` of the tile where that is less.
        step_px: tiles begin at multiples of this, for networks that work on a grid. The last ones are larger by less than it.
        progress: called after each tile, and within it by `run_tile`. When the tile is halved the count starts again.

    Returns:
        [B,C,H,W].

    Raises:
        torch.OutOfMemoryError: if even the smallest tile does not fit.
    """
    while True:
        try:
            return _run_tiles(run_tile, image, tile_px, min(overlap_px, tile_px // overlap_share), step_px, progress)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
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


def _spans(length: int, tile: int, overlap: int, step: int) -> list[slice]:
    """Where tiles lie: evenly spread, sharing at least `overlap` pixels (less by up to `step`), beginning at multiples of it."""
    if length <= tile:
        return [slice(0, length)]
    n = -(-(length - overlap) // (tile - overlap))
    starts = [round(i * (length - tile) / (n - 1)) // step * step for i in range(n)]
    return [slice(start, start + tile) for start in starts[:-1]] + [slice(starts[-1], length)]


@torch.no_grad()
def _run_tiles(
    run_tile: Callable[[Tensor, Window, Progress], Tensor],
    image: Tensor,
    tile: int,
    overlap: int,
    step: int,
    progress: Progress | None,
) -> Tensor:
    batch, _, height, width = image.shape
    places = list(itertools.product(_spans(height, tile, overlap, step), _spans(width, tile, overlap, step)))
    total, done = batch * len(places), 0
    frames: list[Tensor] = []
    weights = torch.zeros_like(image[:1, :1])
    for frame in range(batch):
        out = image.new_zeros(0)
        for rows, columns in places:
            # 0 at the very rim towards a neighbour: what a network makes there has seen the least.
            fade_y, fade_x = (
                images.crossfade(span, span.start, span.stop, overlap, length, image)
                for span, length in ((rows, height), (columns, width))
            )
            fade = fade_y[:, None] * fade_x[None]
            within = share(progress, done / total, (done + 1) / total)
            answer = run_tile(image[frame : frame + 1, :, rows, columns], (frame, rows, columns), within)
            if not out.numel():
                out = image.new_zeros(1, answer.shape[1], height, width)
            out[:, :, rows, columns] += answer * fade
            if frame == 0:
                weights[:, :, rows, columns] += fade
            done += 1
            within(1, 1)
        frames.append(out / weights)
    return torch.cat(frames)
