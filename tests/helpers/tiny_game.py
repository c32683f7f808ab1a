"""A Quake 3 kind of game of one room, written byte by byte: a level, a texture and a model."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

LUMPS = 17
SKY = 0x4


def texture_lump(names: Sequence[tuple[str, int]]) -> bytes:
    """Names and surface flags."""
    return b"".join(struct.pack("<64sii", name.encode(), flags, 1) for name, flags in names)


def vertex(position: Sequence[float], at: Sequence[float] = (0, 0), normal: Sequence[float] = (0, 0, 1)) -> bytes:
    """One vertex, white."""
    return struct.pack("<10f4B", *position, *at, 0.5, 0.5, *normal, 255, 255, 255, 255)


def face(
    kind: int,
    texture: int,
    first: int,
    count: int,
    index: int = 0,
    indices: int = 0,
    size: tuple[int, int] = (0, 0),
    lightmap: int = -1,
) -> bytes:
    """One face: 1 polygon, 2 patch, 3 mesh, 4 billboard."""
    head = struct.pack("<8i", texture, -1, kind, first, count, index, indices, lightmap)
    return head + struct.pack("<4i12f2i", 0, 0, 0, 0, *([0.0] * 12), *size)


def level(entities: str, textures: bytes, vertices: bytes, indices: Sequence[int], faces: bytes, lightmaps: bytes = b"") -> bytes:
    """A BSP file of these parts."""
    lumps = [b""] * LUMPS
    lumps[0], lumps[1], lumps[10] = entities.encode(), textures, vertices
    lumps[11], lumps[13], lumps[14] = struct.pack(f"<{len(indices)}i", *indices), faces, lightmaps
    start, table = 8 + 8 * LUMPS, b""
    for lump in lumps:
        table += struct.pack("<ii", start, len(lump))
        start += len(lump)
    return b"IBSP" + struct.pack("<i", 46) + table + b"".join(lumps)


def room(side: float = 512.0, height: float = 160.0, lightmap: int = -1) -> bytes:
    """A room with four players' places 24 units above its floor, one polygon a wall."""
    s, corners = side / 2, []
    for axis, low, high in ((2, 0.0, height), (0, -s, s), (1, -s, s)):
        for value in (low, high):
            for a, b in ((0, 0), (1, 0), (1, 1), (0, 1)):
                point = [0.0, 0.0, 0.0]
                others = [i for i in range(3) if i != axis]
                point[axis] = value
                for i, end in zip(others, (a, b), strict=True):
                    lows, highs = ((-s, s), (-s, s), (0.0, height))[i]
                    point[i] = highs if end else lows
                corners.append(vertex(point, (4 * a, 4 * b)))
    faces = b"".join(face(1, n % 2, 4 * n, 4, 0, 6, lightmap=lightmap) for n in range(6))
    places = "".join(f'{{ "classname" "info_player_deathmatch" "origin" "{x} {y} 24" }}' for x in (-90, 60) for y in (-70, 80))
    return level(
        places, texture_lump([("textures/a/stone", 0), ("textures/a/wood", 0)]), b"".join(corners), [0, 1, 2, 0, 2, 3], faces
    )


def model(points: Sequence[Sequence[float]], shader: str, tags: Sequence[tuple[str, Sequence[float]]] = ()) -> bytes:
    """An MD3 file of one frame: triangles of successive points (in units), and tags that only move."""
    count = len(points)
    index = np.arange(count, dtype="<i4").tobytes()
    xyz = b"".join(struct.pack("<3hH", *(round(64 * n) for n in p), 0) for p in points)
    parts = [index, struct.pack("<64si", shader.encode(), 0), struct.pack("<2f", 0, 0) * count, xyz]
    offsets, at = [], 108
    for part in parts:
        offsets.append(at)
        at += len(part)
    surface = struct.pack("<4s64s10i", b"IDP3", b"body", 0, 1, 1, count, count // 3, *offsets, at) + b"".join(parts)
    tag_bytes = b"".join(struct.pack("<64s12f", n.encode(), *origin, 1, 0, 0, 0, 1, 0, 0, 0, 1) for n, origin in tags)
    tags_at, surfaces_at = 108, 108 + len(tag_bytes)
    head = struct.pack(
        "<4si64s9i", b"IDP3", 15, b"tiny", 0, 1, len(tags), 1, 0, 0, tags_at, surfaces_at, surfaces_at + len(surface)
    )
    return head + tag_bytes + surface


def picture(seed: int, side: int = 64) -> bytes:
    """A PNG of coloured noise."""
    pixels = np.random.default_rng(seed).integers(40, 220, (side // 8, side // 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def write(path: Path, files: dict[str, bytes]) -> Path:
    """An archive of these files."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def game(folder: Path, lightmap: int | None = None) -> Path:
    """The archive of the room; lit by a picture of this grey beside it, if one is wanted."""
    files = {
        "maps/room.bsp": room(lightmap=-1 if lightmap is None else 0),
        "textures/a/stone.png": picture(1),
        "textures/a/wood.png": picture(2),
    }
    if lightmap is not None:
        file = io.BytesIO()
        Image.new("RGB", (32, 32), (lightmap,) * 3).save(file, "PNG")
        files["maps/room/lm_0000.png"] = file.getvalue()
    return write(folder / "pak0.pk3", files)
