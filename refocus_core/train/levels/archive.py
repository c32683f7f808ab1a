"""Files of a Quake 3 kind of game: several zip archives laid over each other, materials, textures."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from PIL import Image

IMAGES = (".jpg", ".tga", ".png")
"""Endings of pictures in the order in which they are tried; materials often name one that is not there."""

TEXTURE_PX = 512
"""Longest side that a texture keeps; a larger one is sharper close by and takes more memory."""


@dataclass
class Material:
    """What a shader script says about a surface, as far as a still picture needs it.

    Attributes:
        images: names to try, the best first.
        sky: the surface is the sky.
        hidden: it is never drawn, or only adds light (flares, beams, fog).
    """

    images: list[str]
    sky: bool = False
    hidden: bool = False


class Archive:
    """The archives of a game as one tree of files. Names are lower-case; a later archive goes before an earlier one."""

    def __init__(self, files: Iterable[Path]) -> None:
        self._where: dict[str, tuple[zipfile.ZipFile, str]] = {}
        for path in files:
            package = zipfile.ZipFile(path)
            for name in package.namelist():
                self._where[name.lower()] = package, name

    def names(self, start: str, end: str) -> list[str]:
        """Sorted names with this start and end."""
        return sorted(n for n in self._where if n.startswith(start) and n.endswith(end))

    def read(self, name: str) -> bytes:
        """A file's bytes.

        Raises:
            KeyError: if there is none of this name.
        """
        package, original = self._where[name.lower()]
        return package.read(original)

    @cached_property
    def materials(self) -> dict[str, Material]:
        """Of all shader scripts, by name."""
        out: dict[str, Material] = {}
        for name in self.names("scripts/", ".shader"):
            out.update(materials(self.read(name).decode("latin1")))
        return out

    def image(self, name: str) -> Image.Image | None:
        """The picture of a material or of a file (with or without its ending), RGBA; None if it has none."""
        material = self.materials.get(name.lower())
        for candidate in (*(material.images if material else ()), name):
            stem = re.sub(r"\.(tga|jpg|jpeg|png)$", "", candidate.lower())
            for end in IMAGES:
                if stem + end in self._where:
                    try:
                        picture = Image.open(io.BytesIO(self.read(stem + end)))
                        picture.draft(None, (TEXTURE_PX, TEXTURE_PX))  # JPEG is decoded at half size where that is enough
                        picture = picture.convert("RGBA")
                    except OSError:  # a picture of a kind that Pillow cannot read: the next one does
                        continue
                    picture.thumbnail((TEXTURE_PX, TEXTURE_PX))
                    return picture
        return None


def materials(script: str) -> dict[str, Material]:
    """Materials of one shader script: a name, then a block of settings with one inner block for each layer of the surface."""
    out: dict[str, Material] = {}
    depth, current, editor, adds = 0, Material([]), "", False
    for line in re.sub(r"([{}])", r"\n\1\n", re.sub(r"//[^\n]*", "", script)).splitlines():
        words = line.lower().split()
        if not words:
            continue
        key, value = words[0], words[1] if len(words) > 1 else ""
        if key == "{":
            depth += 1
        elif key == "}":
            depth -= 1
            if depth == 0:
                current.hidden |= adds and len(current.images) < 2
                current.images += [editor] if editor else []
                editor, adds = "", False
        elif depth == 0:
            current = out[key] = Material([])
        elif key == "qer_editorimage":
            editor = value
        elif key == "surfaceparm":
            current.sky |= value == "sky"
            current.hidden |= value in ("nodraw", "fog")
        elif key in ("map", "clampmap", "animmap"):
            picture = words[2] if key == "animmap" and len(words) > 2 else value
            if not picture.startswith("$"):
                current.images.append(picture)
        elif key == "blendfunc" and len(current.images) == 1:
            adds |= value == "add" or words[1:3] == ["gl_one", "gl_one"]
    return out
