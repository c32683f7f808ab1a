"""Simple bodies as triangles [n,13]: box, ellipsoid, cylinder, card. Texture coordinates count metres, times `repeat`."""

from __future__ import annotations

import math

import numpy as np

from .geometry import NORMAL, POSITION, TEXTURE, Array, vertices

ROUND = 20
"""Parts around a round body; more makes smoother outlines and more triangles."""


def _quads(corners: Array, normals: Array, texture: Array) -> Array:
    """Two triangles for each of [n,4,3] corners in order around; normals and texture coordinates [n,4,·] go along."""
    order = [0, 1, 2, 0, 2, 3]
    return vertices(corners[:, order].reshape(-1, 3), texture[:, order].reshape(-1, 2), normals[:, order].reshape(-1, 3))


def box(size: Array, repeat: float = 1.0) -> Array:
    """A box of `size` [3] (m), its middle at 0."""
    out: list[Array] = []
    for axis in range(3):
        u, v = (axis + 1) % 3, (axis + 2) % 3
        for side in (-1.0, 1.0):
            corners, texture = np.zeros((1, 4, 3), np.float32), np.zeros((1, 4, 2), np.float32)
            for i, (a, b) in enumerate(((-1, -1), (1, -1), (1, 1), (-1, 1))):
                corners[0, i, [axis, u, v]] = np.array([side, a, b]) * size[[axis, u, v]] / 2
                along = (corners[0, i, u], corners[0, i, v])
                texture[0, i] = np.array(along if axis != 1 else along[::-1]) * repeat
            normal = np.zeros((1, 4, 3), np.float32)
            normal[..., axis] = side
            out.append(_quads(corners, normal, texture))
    return np.concatenate(out)


def turned(profile: Array, repeat: float = 1.0, around: int = ROUND) -> Array:
    """A body of revolution about z: `profile` [p,2] holds radius and height (m) from below to above."""
    angle = np.linspace(0, 2 * math.pi, around + 1, dtype=np.float32)
    ring = np.stack([np.cos(angle), np.sin(angle)], 1)
    radius, height = profile[:, 0], profile[:, 1]
    points = np.concatenate(
        [radius[:, None, None] * ring, np.broadcast_to(height[:, None, None], (len(profile), around + 1, 1))], 2
    )
    slope = np.gradient(profile, axis=0)
    outward = np.concatenate(
        [slope[:, 1][:, None, None] * ring, np.broadcast_to(-slope[:, 0][:, None, None], (len(profile), around + 1, 1))], 2
    )
    outward /= np.maximum(np.linalg.norm(outward, axis=2, keepdims=True), 1e-6)
    widest, length = float(radius.max()), np.concatenate([[0], np.hypot(*np.diff(profile, axis=0).T).cumsum()])
    texture = np.stack(np.broadcast_arrays(angle[None] * widest, length[:, None]), 2) * repeat

    def around_each(a: Array) -> Array:
        return np.stack([a[:-1, :-1], a[:-1, 1:], a[1:, 1:], a[1:, :-1]], 2).reshape(-1, 4, a.shape[2])

    return _quads(*(around_each(a.astype(np.float32)) for a in (points, outward, texture)))


def ellipsoid(size: Array, repeat: float = 1.0) -> Array:
    """An ellipsoid of `size` [3] (m) from end to end, its middle at 0."""
    t = np.linspace(-math.pi / 2, math.pi / 2, ROUND // 2 + 1)
    out = turned(np.stack([np.cos(t), np.sin(t)], 1).astype(np.float32) / 2, 1.0)
    out[:, POSITION] *= size
    out[:, NORMAL] /= size
    out[:, NORMAL] /= np.linalg.norm(out[:, NORMAL], axis=1, keepdims=True)
    out[:, TEXTURE] *= float(np.mean(size)) * repeat
    return out


def cylinder(radius_m: float, height_m: float, repeat: float = 1.0, top_radius_m: float | None = None) -> Array:
    """A cylinder, or a cone where it is narrower at the top, standing on 0, closed at both ends."""
    top = radius_m if top_radius_m is None else top_radius_m
    e = 1e-3 * height_m
    rim = [(0, 0), (radius_m, 0), (radius_m, e), (top, height_m - e), (top, height_m), (0, height_m)]
    return turned(np.array(rim, np.float32), repeat)


def card(width_m: float, height_m: float, repeat: float | None = None) -> Array:
    """An upright rectangle over the x axis, standing on 0; the picture fills it once unless it repeats."""
    w, h = width_m / 2, height_m
    corners = np.array([[[-w, 0, 0], [w, 0, 0], [w, 0, h], [-w, 0, h]]], np.float32)
    normal = np.broadcast_to(np.array([0, -1, 0], np.float32), (1, 4, 3))
    across, up = (1.0, 1.0) if repeat is None else (width_m * repeat, height_m * repeat)
    texture = np.array([[[0, up], [across, up], [across, 0], [0, 0]]], np.float32)
    return _quads(corners, normal, texture)


def turn(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> Array:
    """Rotation [3,3] about z, then x, then y of the body (radians)."""
    cy, sy, cp, sp, cr, sr = (f(a) for a in (yaw, pitch, roll) for f in (math.cos, math.sin))
    about_z = np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_y = np.array([[cr, 0, sr], [0, 1, 0], [-sr, 0, cr]])
    return (about_z @ about_x @ about_y).astype(np.float32)


def moved(rows: Array, offset: Array | tuple[float, float, float], rotation: Array | None = None) -> Array:
    """Rows [n,13], turned about 0 and then moved."""
    out = rows.copy()
    if rotation is not None:
        out[:, POSITION] = out[:, POSITION] @ rotation.T
        out[:, NORMAL] = out[:, NORMAL] @ rotation.T
    out[:, POSITION] += np.asarray(offset, np.float32)
    return out
