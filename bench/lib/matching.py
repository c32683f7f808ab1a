"""Disparity of a rectified stereo pair, for the photos of the bench that come as two pictures.

Semi-global matching (Hirschmüller 2008) over the census transform (Zabih and Woodfill 1994), with a parabola for fractions of a
pixel. What the right picture does not confirm, and small islands, are not valid. Edges are right within about two pixels and
surfaces without texture are often missing: measured depth, but not ground truth.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

Array = NDArray[Any]
WINDOW = 3
"""Half size of the census window, in px."""
P_SLOPE, P_JUMP = 8, 48
"""Cost of a step of one disparity between neighbours, and of any larger one, in bits of the census code."""
ISLAND_PX = 300
"""Connected surfaces of fewer pixels are not trusted."""
PATHS = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1))
"""Directions (rows, columns) along which costs are added up."""


def match(left: Tensor, right: Tensor, low: int, high: int) -> tuple[Tensor, Tensor]:
    """Disparity x_left - x_right of two pictures [3,H,W] in px, and where it is confirmed.

    Args:
        low: smallest disparity searched (may be negative), inclusive.
        high: largest disparity searched, inclusive.

    Returns:
        [H,W] float32 and [H,W] bool.

    Raises:
        ValueError: if the pictures differ in size or the range is empty or wider than the picture.
    """
    if left.shape != right.shape or left.ndim != 3:
        raise ValueError(f"A stereo pair needs two pictures [3,H,W] of one size, got {list(left.shape)} and {list(right.shape)}.")
    if not low < high or high - low >= left.shape[2]:
        raise ValueError(f"The disparity range {low}..{high} px is empty or wider than the picture ({left.shape[2]} px).")
    cost = _cost(_census(left), _census(right), low, high)
    total: Array = np.zeros(cost.shape, np.uint16)
    for path in PATHS:
        _aggregate(cost, *path, total)
    best = total.argmin(2)
    d = low + best + _fraction(total, best)
    # The same volume, read along the rays of the right picture.
    h, w, n = cost.shape[0], cost.shape[1], cost.shape[2]
    x = np.arange(w)
    other = np.zeros((h, w), np.int64)
    least = np.full((h, w), np.iinfo(np.uint16).max, np.uint16)
    for i in range(n):
        source = x + low + i
        ok = (source >= 0) & (source < w)
        seen = np.full((h, w), np.iinfo(np.uint16).max, np.uint16)
        seen[:, ok] = total[:, source[ok], i]
        nearer = seen < least
        least[nearer], other[nearer] = seen[nearer], i
    target = x[None] - (low + best)
    inside = (target >= 0) & (target < w)
    back = np.take_along_axis(other, target.clip(0, w - 1), 1)
    valid = inside & (np.abs(back - best) <= 1) & (best > 0) & (best < n - 1)
    return torch.from_numpy(d.astype(np.float32)), torch.from_numpy(_without_islands(d, valid))


def _census(picture: Tensor) -> Array:
    """[H,W] uint64: which pixels of the window are darker than the middle one."""
    grey = picture.mean(0)
    r = WINDOW
    padded = F.pad(grey[None, None], (r,) * 4, mode="replicate")[0, 0].numpy()
    h, w = grey.shape
    middle = padded[r : r + h, r : r + w]
    code = np.zeros((h, w), np.uint64)
    for dy in range(2 * r + 1):
        for dx in range(2 * r + 1):
            if (dy, dx) != (r, r):
                code = (code << np.uint64(1)) | (padded[dy : dy + h, dx : dx + w] < middle)
    return code


def _cost(left: Array, right: Array, low: int, high: int) -> Array:
    """[H,W,D] uint16: bits that differ; the costliest outside the right picture."""
    h, w = left.shape
    bits = (2 * WINDOW + 1) ** 2 - 1
    cost = np.full((h, w, high - low + 1), bits, np.uint16)
    for i, d in enumerate(range(low, high + 1)):
        a, b = max(d, 0), min(w, w + d)
        if a < b:
            cost[:, a:b, i] = np.bitwise_count(left[:, a:b] ^ right[:, a - d : b - d])
    return cost


def _aggregate(cost: Array, dy: int, dx: int, total: Array) -> None:
    """Add the cheapest way along one direction to `total`."""
    if dy == 0:
        _aggregate(cost.transpose(1, 0, 2), dx, 0, total.transpose(1, 0, 2))
        return
    rows = range(cost.shape[0]) if dy > 0 else range(cost.shape[0] - 1, -1, -1)
    previous: Array | None = None
    for y in rows:
        here = cost[y].astype(np.uint16)
        if previous is not None:
            come = previous if dx == 0 else np.roll(previous, dx, 0)
            if dx:
                come[0 if dx > 0 else -1] = here[0 if dx > 0 else -1]
            least = come.min(1, keepdims=True)
            way = np.minimum(come, least + np.uint16(P_JUMP))
            np.minimum(way[:, 1:], come[:, :-1] + np.uint16(P_SLOPE), out=way[:, 1:])
            np.minimum(way[:, :-1], come[:, 1:] + np.uint16(P_SLOPE), out=way[:, :-1])
            here += way - least
        total[y] += here
        previous = here


def _fraction(total: Array, best: Array) -> Array:
    """[H,W] in -0.5..0.5: the minimum of the parabola through the three costs around the best."""
    n = total.shape[2]
    around = [np.take_along_axis(total, (best + k).clip(0, n - 1)[..., None], 2)[..., 0].astype(np.float32) for k in (-1, 0, 1)]
    bend = around[0] - 2 * around[1] + around[2]
    return np.where(bend > 0, (around[0] - around[2]) / (2 * np.maximum(bend, 1)), 0).clip(-0.5, 0.5)


def _without_islands(d: Array, valid: Array) -> Array:
    """Drop connected surfaces that are small. A surface is cut into slabs of disparity two px thick; a pixel stays if its part
    of the slab is large in one of two ways to cut, so that a cut through a surface does not count against it."""
    keep = np.zeros_like(valid)
    for phase in (0.0, 1.0):
        slab = np.floor((d + phase) / 2).astype(np.int32)
        for value in np.unique(slab[valid]):
            found: Any = ndimage.label(valid & (slab == value))
            label: Array = found[0]
            size = np.bincount(label.ravel())
            size[0] = 0
            keep |= size[label] >= ISLAND_PX
    return keep
