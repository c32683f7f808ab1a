"""Scenes with exactly known depth, made up by rules."""

from __future__ import annotations

from .composers import (
    BALL,
    BOX,
    CARD,
    KINDS,
    RING,
    TUBE,
    Body,
    Rendered,
    Scene,
    compose,
    example,
    masks,
    pick_textures,
    render,
    turned,
    usable,
)

__all__ = [
    "BALL",
    "BOX",
    "CARD",
    "KINDS",
    "RING",
    "TUBE",
    "Body",
    "Rendered",
    "Scene",
    "compose",
    "example",
    "masks",
    "pick_textures",
    "render",
    "turned",
    "usable",
]
