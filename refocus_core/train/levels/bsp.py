"""Levels in Quake 3's BSP format, version 46: surfaces with their baked light, places where players and things stand.

Format: id Software's `qfiles.h` as described by Kekoa Proudfoot, "Unofficial Quake 3 Map Specs" (2000). Lengths become metres.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .geometry import Array, patch, vertices

UNIT_M = 1 / 32
"""Metres of one unit of the game: a player, 56 units tall, measures 1.75 m."""

LIGHTMAP_PX = 128
"""Side of a lightmap, fixed by the format."""
SURFACE_SKY, SURFACE_NODRAW = 0x4, 0x80
"""Flags of textures whose surfaces are not drawn: sky, and what only has a function in the game."""

_LUMPS = 17
"""Sections of the file, listed in its header by offset and size in bytes."""
_ENTITIES, _TEXTURES, _VERTICES, _INDICES, _FACES, _LIGHTMAPS = 0, 1, 10, 11, 13, 14
"""Numbers of the sections that are read."""
_TEXTURE_BYTES = 72
"""Size of a texture's record: name of 64 bytes, flags, contents."""
_POLYGON, _PATCH, _MESH = 1, 2, 3
"""Types of faces with a surface: flat, a grid of Bézier control points, a model."""

_VERTEX = np.dtype(
    [("position", "<f4", 3), ("texture", "<f4", 2), ("lightmap", "<f4", 2), ("normal", "<f4", 3), ("colour", "u1", 4)]
)
"""Record of a vertex in the file; lengths in units of the game."""
_FACE = np.dtype(
    [
        *((n, "<i4") for n in ("texture", "effect", "type", "vertex", "vertices", "index", "indices", "lightmap")),
        ("corner", "<i4", 2),
        ("extent", "<i4", 2),
        ("origin", "<f4", 3),
        ("axes", "<f4", 6),
        ("normal", "<f4", 3),
        ("size", "<i4", 2),
    ]
)
"""Record of a face: its first vertex and index and how many, its place in the lightmap, width and height of a patch's grid."""


@dataclass(frozen=True)
class Surfaces:
    """All triangles [n,13] of one material under one lightmap (-1: lit by the colours of its vertices)."""

    material: str
    lightmap: int
    rows: Array


@dataclass(frozen=True)
class Level:
    """A level.

    Attributes:
        surfaces: what is drawn; the sky is left out.
        lightmaps: [n,128,128,3] uint8, half as bright as the light they stand for.
        places: [m,3], m; where players appear and things lie: near a floor, inside the level.
    """

    surfaces: list[Surfaces]
    lightmaps: NDArray[np.uint8]
    places: Array


def read(data: bytes) -> Level:
    """A level from its file.

    Raises:
        ValueError: if the file is none of this format.
    """
    if data[:4] != b"IBSP" or len(data) < 8 + 8 * _LUMPS or struct.unpack_from("<i", data, 4)[0] not in (46, 47):
        raise ValueError("This is no BSP file of Quake 3's version 46 or 47.")
    spans = [struct.unpack_from("<ii", data, 8 + 8 * i) for i in range(_LUMPS)]
    lumps = [data[start : start + size] for start, size in spans]
    textures = [_texture(lumps[_TEXTURES], i) for i in range(len(lumps[_TEXTURES]) // _TEXTURE_BYTES)]
    rows = _rows(np.frombuffer(lumps[_VERTICES], _VERTEX))
    indices = np.frombuffer(lumps[_INDICES], "<i4")
    groups: dict[tuple[str, int], list[Array]] = {}
    for face in np.frombuffer(lumps[_FACES], _FACE):
        name, flags = textures[face["texture"]]
        if flags & (SURFACE_SKY | SURFACE_NODRAW):
            continue
        triangles = _triangles(face, rows, indices)
        if triangles is not None:
            groups.setdefault((name, int(face["lightmap"])), []).append(triangles)
    surfaces = [Surfaces(name, light, np.concatenate(parts)) for (name, light), parts in groups.items()]
    whole = len(lumps[_LIGHTMAPS]) // (LIGHTMAP_PX * LIGHTMAP_PX * 3) * LIGHTMAP_PX * LIGHTMAP_PX * 3
    lightmaps = np.frombuffer(lumps[_LIGHTMAPS][:whole], "u1").reshape(-1, LIGHTMAP_PX, LIGHTMAP_PX, 3)
    return Level(surfaces, lightmaps, _places(lumps[_ENTITIES].decode("latin1")))


def _texture(lump: bytes, index: int) -> tuple[str, int]:
    raw, flags, _ = struct.unpack_from("<64sii", lump, index * _TEXTURE_BYTES)
    return raw.split(b"\0")[0].decode("latin1").lower(), flags


def _rows(raw: NDArray[np.void]) -> Array:
    colour = raw["colour"][:, :3].astype(np.float32) / 255
    return vertices(raw["position"] * np.float32(UNIT_M), raw["texture"], raw["normal"], colour, raw["lightmap"])


def _triangles(face: np.void, rows: Array, indices: NDArray[np.int32]) -> Array | None:
    """[n,13] of one face; None for what has no surface."""
    first = int(face["vertex"])
    if face["type"] in (_POLYGON, _MESH):
        start = int(face["index"])
        picked = rows[indices[start : start + int(face["indices"])] + first]
        return picked[: len(picked) // 3 * 3] if len(picked) >= 3 else None
    width, height = (int(n) for n in face["size"])
    if face["type"] == _PATCH and width >= 3 and height >= 3:
        return patch(rows[first : first + int(face["vertices"])].reshape(height, width, -1))
    return None


def _places(entities: str) -> Array:
    """Origins of all entities but lights and speakers, which hang in the air."""
    out: list[list[float]] = []
    for block in re.findall(r"\{([^{}]*)\}", entities):
        settings = {k.lower(): v for k, v in re.findall(r'"([^"]*)"\s+"([^"]*)"', block)}
        kind, origin = settings.get("classname", ""), settings.get("origin", "").split()
        if len(origin) == 3 and kind.startswith(("info_player", "item_", "weapon_", "ammo_", "holdable_", "team_", "info_null")):
            out.append([float(n) * UNIT_M for n in origin])
    return np.array(out, np.float32).reshape(-1, 3)
