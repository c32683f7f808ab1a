"""From noise to a picture: time steps, tiles, and the loop. What is done at each step is `velocity`, for every host."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ..types import Progress
from . import forward
from .forward import Backbone
from .tokens import position_ids

TILE = 32
"""Side of a tile in tokens, 512 px as released: Genfocus was trained at that size."""
STRIDE = 28
"""Step from tile to tile in tokens, 448 px as released. A smaller one hides seams better and takes more tiles."""


@dataclass(frozen=True)
class Tiling:
    """How a picture is cut for each step.

    Attributes:
        mode: "auto" tiles where both sides are at least 32 tokens (512 px), as released; "off" never does.
        per_batch: tiles that go through the model at once. The result is the same; more is faster and takes more memory.
    """

    mode: Literal["auto", "off"] = "auto"
    per_batch: int = 4

    def __post_init__(self) -> None:
        if self.mode not in ("auto", "off"):
            raise ValueError(f"tiling must be 'auto' or 'off', got {self.mode!r}.")
        if self.per_batch < 1:
            raise ValueError(f"per_batch must be at least 1, got {self.per_batch}.")

    def corners(self, rows: int, columns: int) -> list[tuple[int, int]]:
        """Upper left corners (row, column) of the tiles of a picture of this many tokens; empty: it is not tiled."""
        if self.mode == "off" or rows < TILE or columns < TILE:
            return []
        return [(r, c) for c in _starts(columns) for r in _starts(rows)]


def _starts(length: int) -> list[int]:
    starts = list(range(0, length - TILE + 1, STRIDE))
    return starts if starts[-1] + TILE == length else [*starts, length - TILE]


def blend_weights(dtype: torch.dtype = torch.float32, device: torch.device | str | None = None) -> Tensor:
    """[32,32] weights of a tile's prediction: exp(-(x²+y²)), x and y from -2 to 2."""
    x = torch.linspace(-2, 2, TILE, dtype=dtype, device=device)
    return torch.exp(-(x[:, None].square() + x.square()))


@dataclass(frozen=True, eq=False)
class _Step:
    """What one step asks of the model beside tokens and their positions; batches as those of the tokens."""

    backbone: Backbone
    text: Tensor
    pooled: Tensor
    timestep: Tensor
    guidance: Tensor | None

    def predict(self, tokens: Sequence[Tensor], ids: Sequence[Tensor]) -> Tensor:
        """Velocity [B,N,C]; tokens and their position ids: the image's first, then those of each condition."""
        return forward.run(
            self.backbone,
            latents=tokens[0],
            conditions=tokens[1:],
            text=self.text,
            pooled=self.pooled,
            timestep=self.timestep,
            guidance=self.guidance,
            image_ids=ids[0],
            condition_ids=ids[1:],
        )

    def repeated(self, count: int) -> _Step:
        """The same for a batch of so many tiles, one after the other."""

        def each(values: Tensor) -> Tensor:
            return values.repeat(count, *[1] * (values.ndim - 1))

        guidance = None if self.guidance is None else each(self.guidance)
        return _Step(self.backbone, each(self.text), each(self.pooled), each(self.timestep), guidance)


def velocity(
    backbone: Backbone,
    *,
    latents: Tensor,
    conditions: Sequence[Tensor],
    columns_right: Sequence[int],
    text: Tensor,
    pooled: Tensor,
    timestep: Tensor,
    guidance: Tensor | None,
    rows: int,
    columns: int,
    tiling: Tiling,
    progress: Progress | None = None,
) -> Tensor:
    """One step's prediction for a picture of `rows` x `columns` tokens, tiled or whole.

    Tiles are predicted with the same positions, those of a 512 px picture, for image and conditions alike (so an offset of a
    condition has no effect in them, as in the released code), and blended by `blend_weights`.

    Args:
        latents: [B,rows*columns,64] noisy tokens; `conditions` of the same shape.
        columns_right: offset of each condition's positions, in tokens.
        text, pooled, timestep, guidance: as in `conditional_forward`.
        progress: (tiles done, tiles) within this step.

    Returns:
        [B,rows*columns,64].
    """
    batch = latents.shape[0]
    step = _Step(
        backbone,
        text,
        pooled,
        timestep.reshape(-1).expand(batch),
        None if guidance is None else guidance.reshape(-1).expand(batch),
    )
    tokens = (latents, *conditions)
    corners = tiling.corners(rows, columns)
    if not corners:
        return step.predict(tokens, [position_ids(rows, columns, right, latents.device) for right in (0, *columns_right)])
    grids = [t.unflatten(1, (rows, columns)) for t in tokens]
    return _tiled(step, grids, corners, tiling.per_batch, progress).flatten(1, 2)


def _tiled(
    step: _Step, grids: Sequence[Tensor], corners: Sequence[tuple[int, int]], per_batch: int, progress: Progress | None
) -> Tensor:
    """Velocity [B,rows,columns,C] of tokens of that shape, image and conditions: the weighted mean of its tiles."""
    image = grids[0]
    batch, rows, columns, channels = image.shape
    ids = [position_ids(TILE, TILE, device=image.device)] * len(grids)
    weights = blend_weights(image.dtype, image.device)[:, :, None]
    total = image.new_zeros(batch, rows, columns, channels)
    weight = image.new_zeros(rows, columns, 1)
    for at in range(0, len(corners), per_batch):
        part = corners[at : at + per_batch]
        cut = [torch.cat([g[:, r : r + TILE, c : c + TILE].flatten(1, 2) for r, c in part]) for g in grids]
        predicted = step.repeated(len(part)).predict(cut, ids)
        for (r, c), tile in zip(part, predicted.split(batch), strict=True):
            total[:, r : r + TILE, c : c + TILE] += tile.unflatten(1, (TILE, TILE)) * weights
            weight[r : r + TILE, c : c + TILE] += weights
        if progress is not None:
            progress(at + len(part), len(corners))
    return total / weight


def shift(tokens: int) -> float:
    """FLUX.1's shift mu of the time steps: 0.5 at 256 tokens to 1.15 at 4096, a line beyond both."""
    return 0.5 + (tokens - 256) * (1.15 - 0.5) / (4096 - 256)


def sigmas(steps: int, tokens: int, strength: float = 1.0) -> Tensor:
    """Noise levels from 1 (or less) down to 0, [n+1] float32, as diffusers' FlowMatchEulerDiscreteScheduler makes them for FLUX.

    Args:
        steps: number of steps of a whole run.
        tokens: number of image tokens of the whole picture.
        strength: below 1, only the last share of the steps is left.

    Raises:
        ValueError: if steps or strength leave none.
    """
    if steps < 1 or not 0 < strength <= 1:
        raise ValueError(f"steps must be at least 1 and strength in (0, 1], got {steps} and {strength}.")
    t = torch.linspace(1, 1 / steps, steps, dtype=torch.float64)
    e = math.exp(shift(tokens))
    shifted = torch.cat([e / (e + (1 / t - 1)), t.new_zeros(1)]).float()
    return shifted[steps - max(1, round(steps * strength)) :]


def noise(shape: Sequence[int], seed: int, device: torch.device | str = "cpu") -> Tensor:
    """Normal noise [B,...] float32; every frame has the same one, and it is the same on every device."""
    one = torch.randn(1, *shape[1:], generator=torch.Generator().manual_seed(seed))
    return one.to(device).expand(*shape)


def integrate(
    predict: Callable[[Tensor, float, Progress | None], Tensor],
    start: Tensor,
    levels: Tensor,
    *,
    keep: Tensor | None = None,
    known: Tensor | None = None,
    seed_noise: Tensor | None = None,
    progress: Progress | None = None,
) -> Tensor:
    """Follow the velocity from noise to picture (Euler).

    Args:
        predict: (tokens [B,N,C], level, progress of the step) -> velocity.
        start: [B,N,C] at the first level.
        levels: noise levels, falling, the last one 0.
        keep: [B,N,1] in 0..1; where 1, the tokens are those of `known`, at every level with its share of `seed_noise`.
        known, seed_noise: [B,N,C], needed with `keep`.
        progress: over all steps (and the tiles within).
    """
    x = start.float()
    count = len(levels) - 1
    for i in range(count):
        level, following = float(levels[i]), float(levels[i + 1])

        def within(done: int, total: int, step: int = i) -> None:
            if progress is not None:
                progress(step * total + done, count * total)

        x = x + (following - level) * predict(x, level, within).float()
        if keep is not None and known is not None and seed_noise is not None:
            x = torch.lerp(x, (1 - following) * known + following * seed_noise, keep)
        if progress is not None:
            progress(i + 1, count)
    return x
