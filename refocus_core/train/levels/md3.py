"""Models in Quake 3's MD3 format: one frame of their triangles; figures of three of them, joined at their tags.

Format: Phaethon, "Description of MD3 Format" (2000).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from .archive import Archive
from .bsp import UNIT_M
from .geometry import NORMAL, POSITION, Array, vertices

XYZ_SCALE = 1 / 64
"""Positions are whole numbers of this part of a unit."""

STATURE_M = (1.2, 1.95)
"""How tall figures are made, of whatever height the game has them."""

FIRST_ALIVE = 90
"""Frames before this one show how the figure dies; games keep that order."""

_HEADER = struct.Struct("<4si64s9i")
"""Header of the file: mark, version, name, flags, four counts (frames, tags, surfaces, skins), four offsets in bytes."""
_SURFACE = struct.Struct("<4s64s10i")
"""Header of a surface: mark, name, flags, four counts (frames, shaders, vertices, triangles), five offsets in bytes."""
_TAG_BYTES, _NAME_BYTES = 112, 64
"""Sizes of a tag (name, origin, axes) and of a name that zeros fill up."""


@dataclass(frozen=True)
class Part:
    """Triangles [n,13] of one surface: `name` is what a skin dresses by, `shader` what it wears without one."""

    name: str
    shader: str
    rows: Array


@dataclass(frozen=True)
class Tag:
    """Where another model is joined: origin [3] (m) and axes [3,3], one a row."""

    origin: Array
    axes: Array


@dataclass(frozen=True)
class Model:
    """One frame of a model."""

    parts: list[Part]
    tags: dict[str, Tag]
    frames: int


def read(data: bytes, frame: int = 0) -> Model:
    """A frame of a model.

    Raises:
        ValueError: if the file is none of this format.
    """
    if data[:4] != b"IDP3" or len(data) < _HEADER.size:
        raise ValueError("This is no MD3 file.")
    _, _, _, _, frames, tags, surfaces, _, _, tags_at, surfaces_at, _ = _HEADER.unpack_from(data)
    frame = min(frame, frames - 1)
    joined: dict[str, Tag] = {}
    for i in range(tags):
        start = tags_at + _TAG_BYTES * (frame * tags + i)
        numbers = np.frombuffer(data, "<f4", 12, start + _NAME_BYTES)
        joined[_text(data[start : start + _NAME_BYTES])] = Tag(numbers[:3] * np.float32(UNIT_M), numbers[3:].reshape(3, 3))
    parts: list[Part] = []
    for _ in range(surfaces):
        part, size = _part(data, surfaces_at, frame)
        if len(part.rows):
            parts.append(part)
        surfaces_at += size
    return Model(parts, joined, frames)


def _text(raw: bytes) -> str:
    return raw.split(b"\0")[0].decode("latin1").lower()


def _part(data: bytes, at: int, frame: int) -> tuple[Part, int]:
    _, name, _, frames, shaders, count, triangles, triangles_at, shaders_at, texture_at, xyz_at, size = _SURFACE.unpack_from(
        data, at
    )
    frame = min(frame, frames - 1)
    raw = np.frombuffer(data, "<i2", 4 * count, at + xyz_at + 8 * count * frame).reshape(count, 4)
    latitude, longitude = ((raw[:, 3].view("<u2") >> s & 255) * (2 * np.pi / 255) for s in (8, 0))
    normal = np.stack([np.cos(latitude) * np.sin(longitude), np.sin(latitude) * np.sin(longitude), np.cos(longitude)], 1)
    texture = np.frombuffer(data, "<f4", 2 * count, at + texture_at).reshape(count, 2)
    rows = vertices(raw[:, :3] * np.float32(XYZ_SCALE * UNIT_M), texture, normal.astype(np.float32))
    index = np.frombuffer(data, "<i4", 3 * triangles, at + triangles_at)
    shader = _text(data[at + shaders_at : at + shaders_at + _NAME_BYTES]) if shaders else ""
    return Part(_text(name), shader, rows[index]), size


def joined(parts: list[Part], tag: Tag) -> list[Part]:
    """Parts of a model in the place of a tag of another one."""
    out: list[Part] = []
    for part in parts:
        rows = part.rows.copy()
        rows[:, POSITION] = rows[:, POSITION] @ tag.axes + tag.origin
        rows[:, NORMAL] = rows[:, NORMAL] @ tag.axes
        out.append(Part(part.name, part.shader, rows))
    return out


def figures(archive: Archive) -> list[str]:
    """Folders of the complete figures of a game."""
    folders = {n.rsplit("/", 1)[0] for n in archive.names("models/players/", "/lower.md3")}
    found = [{f"{f}/{p}.md3" for p in ("upper", "head")} for f in sorted(folders)]
    names = set(archive.names("models/players/", ".md3"))
    return [f for f, wanted in zip(sorted(folders), found, strict=True) if wanted <= names]


def _posed(data: bytes, random: np.random.Generator) -> Model:
    frames = read(data).frames
    first = FIRST_ALIVE if frames > FIRST_ALIVE + 10 else 0
    return read(data, int(random.integers(first, frames)))


def figure(archive: Archive, folder: str, random: np.random.Generator) -> list[Part]:
    """A figure in a random pose and dress, its feet on 0, facing x."""
    lower, upper = (_posed(archive.read(f"{folder}/{name}.md3"), random) for name in ("lower", "upper"))
    head = read(archive.read(f"{folder}/head.md3"))
    above = upper.parts + (joined(head.parts, upper.tags["tag_head"]) if "tag_head" in upper.tags else [])
    parts = lower.parts + (joined(above, lower.tags["tag_torso"]) if "tag_torso" in lower.tags else [])
    skins = archive.names(f"{folder}/lower_", ".skin")
    dress: dict[str, str] = {}
    if skins:
        chosen = skins[int(random.integers(len(skins)))].rsplit("lower_", 1)[1]
        for name in ("lower", "upper", "head"):
            if f"{folder}/{name}_{chosen}" in archive.names(folder, ".skin"):
                for line in archive.read(f"{folder}/{name}_{chosen}").decode("latin1").lower().splitlines():
                    surface, _, shader = line.partition(",")
                    dress[surface.strip()] = shader.strip()
    heights = np.concatenate([p.rows[:, 2] for p in parts])
    scale = random.uniform(*STATURE_M) / max(float(heights.max() - heights.min()), 0.1)
    for part in parts:
        part.rows[:, 2] -= heights.min()
        part.rows[:, POSITION] *= scale
    return [Part(p.name, dress.get(p.name, p.shader), p.rows) for p in parts]
