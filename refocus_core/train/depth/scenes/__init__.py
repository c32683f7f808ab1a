"""Scenes with exactly known depth, made up by rules and drawn by casting one ray per pixel. Any device, any number at a time.

A scene (`bodies`) is composed of props (`composers`, `indoor`, `outdoor`; `furniture`, `tabletop`, `creatures`, `plants`,
`buildings`), each a few solids in a `frame` of its own, some of them cards cut out along `outlines`. `raytrace` finds what each
ray meets, `shading` draws it with the colours of `textures`. Everything is a function of a seed and the scene's number.
"""

from __future__ import annotations

from .bodies import Body, Paint, Primitive, Scene, rotation
from .composers import KINDS, compose, example, usable
from .outlines import Outlines, outlines
from .shading import Rendered, render
from .textures import pick_textures

__all__ = [
    "KINDS",
    "Body",
    "Outlines",
    "Paint",
    "Primitive",
    "Rendered",
    "Scene",
    "compose",
    "example",
    "outlines",
    "pick_textures",
    "render",
    "rotation",
    "usable",
]
