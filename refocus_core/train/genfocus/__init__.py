"""Training of DeblurNet and BokehNet, the adapters of the generative route.

Data, `python -m refocus_core.train.genfocus.data --help`: pairs from sharp photos with depth (`synthetic`), from photos with EXIF
(`exif`, `focus`) and from real aperture series (`series`), in tar files (`shards`). Fine-tuning of FLUX.1 on them is in `run`,
`python -m refocus_core.train.genfocus --help`.

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
