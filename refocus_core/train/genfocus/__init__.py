"""Data engine: pairs for training, from sharp photos with depth, from photos with EXIF and from real aperture series.

    python -m refocus_core.train.genfocus.data --help

Units: radii in px of the picture, K in px per unit of disparity (px*m where depth is metric). docs/training.md has the recipe.
"""

from __future__ import annotations

from .pairs import DeblurPairs, Series, Synthetic, Wild, spec_of
from .shards import Mixed, RejectedError, ShardExamples, Shards, write
from .synthetic import Aperture, LensRange, Lights, Pair, PairSpec, Recipe, Sources, draw, make

__all__ = [
    "Aperture",
    "DeblurPairs",
    "LensRange",
    "Lights",
    "Mixed",
    "Pair",
    "PairSpec",
    "Recipe",
    "RejectedError",
    "Series",
    "ShardExamples",
    "Shards",
    "Sources",
    "Synthetic",
    "Wild",
    "draw",
    "make",
    "spec_of",
    "write",
]
