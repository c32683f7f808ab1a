"""Triangles as arrays: their layout, rays through them, curved patches made of them. Right-handed, z up, metres."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]
"""Of float32 or float64."""

POSITION, TEXTURE, LIGHTMAP, NORMAL, COLOUR = slice(0, 3), slice(3, 5), slice(5, 7), slice(7, 10), slice(10, 13)
"""Columns of a vertex: place, texture and light map coordinates, normal, colour."""
COLUMNS = 13
"""A vertex is one row [13]: position (m), texture coordinates, lightmap coordinates, unit normal, colour 0..1. Three rows in
order are one triangle."""

PATCH_STEPS = 5
"""Parts along each side of a quadratic patch; more makes rounder arches and more triangles."""


def vertices(position: Array, texture: Array, normal: Array, colour: Array | None = None, lightmap: Array | None = None) -> Array:
    """Rows [n,13] out of [n,3], [n,2], [n,3], [n,3] (white if None) and [n,2] (0 if None)."""
    out = np.zeros((len(position), COLUMNS), np.float32)
    out[:, POSITION], out[:, TEXTURE], out[:, NORMAL] = position, texture, normal
    out[:, COLOUR] = 1.0 if colour is None else colour
    if lightmap is not None:
        out[:, LIGHTMAP] = lightmap
    return out


def patch(control: Array, steps: int = PATCH_STEPS) -> Array:
    """Triangles [n,13] of a grid of quadratic Bézier patches whose control points are vertices [h,w,13], h and w odd.

    Raises:
        ValueError: if the grid has an even side.
    """
    height, width = control.shape[:2]
    if height % 2 == 0 or width % 2 == 0:
        raise ValueError(f"A patch has {height} × {width} control points; both must be odd.")
    t = np.linspace(0, 1, steps + 1, dtype=np.float32)
    bernstein = np.stack([(1 - t) ** 2, 2 * t * (1 - t), t * t], 1)  # [steps+1, 3]
    out: list[Array] = []
    for row in range(0, height - 2, 2):
        for column in range(0, width - 2, 2):
            surface = np.einsum("ai,bj,ijc->abc", bernstein, bernstein, control[row : row + 3, column : column + 3])
            a, b, c, d = surface[:-1, :-1], surface[1:, :-1], surface[:-1, 1:], surface[1:, 1:]
            out.append(np.stack([a, b, c, c, b, d], 2).reshape(-1, control.shape[2]))
    return np.concatenate(out).astype(np.float32)


def corners(rows: Array) -> Array:
    """Positions [t,3,3] of the triangles in rows [3t,13]."""
    return rows[:, POSITION].reshape(-1, 3, 3)


class Rays:
    """Distances along rays through a set of triangles [t,3,3] (Möller and Trumbore 1997)."""

    def __init__(self, triangles: Array) -> None:
        self._first = triangles[:, 0]
        self._edge1, self._edge2 = triangles[:, 1] - self._first, triangles[:, 2] - self._first
        self._low, self._high = triangles.min(1), triangles.max(1)

    def distance_m(self, origin: Array, direction: Array, farthest_m: float = 1e4) -> float:
        """To the first triangle along a unit `direction` [3] from `origin` [3], from either side; inf if there is none."""
        end = origin + direction * farthest_m
        low, high = np.minimum(origin, end), np.maximum(origin, end)
        near = np.flatnonzero(((self._low <= high) & (self._high >= low)).all(1))
        edge1, edge2 = self._edge1[near], self._edge2[near]
        across = np.cross(np.broadcast_to(direction, edge2.shape), edge2)
        determinant = (edge1 * across).sum(1)
        flat = np.abs(determinant) < 1e-12
        inverse = 1 / np.where(flat, 1.0, determinant)
        offset = origin - self._first[near]
        u = (offset * across).sum(1) * inverse
        beside = np.cross(offset, edge1)
        v = (beside @ direction) * inverse
        t = (edge2 * beside).sum(1) * inverse
        hit = ~flat & (u >= 0) & (v >= 0) & (u + v <= 1) & (t > 1e-4) & (t <= farthest_m)
        return float(t[hit].min()) if hit.any() else float("inf")
