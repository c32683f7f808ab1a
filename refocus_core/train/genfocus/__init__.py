"""LoRA adapters on FLUX.1 (Genfocus, arXiv 2512.16923): the pairs they are trained on, and their training.

    python -m refocus_core.train.genfocus --help

The data engine makes pairs from sharp photos with depth (`recipe`, `photo_folder`, `synthetic`), from photos with EXIF and from
real aperture series (`real`; `exif`, `focus`, `series`, `measure`), and keeps them in shards (`sample_files`, `shards`, `order`,
`sheet`). Training takes their latents (`latents`) through FLUX with an adapter (`network`, `validation`, `run`), as the settings
of a stage say (`training`).

Units: radii in px of the picture, K in px per unit of disparity (px*m where depth is metric). docs/training.md has the recipe.
"""

from __future__ import annotations

from .order import Mixed, ShardExamples
from .pairs import DeblurPairs, Synthetic, spec_of
from .photo_folder import Sources
from .real import Series, Wild
from .recipe import Aperture, LensRange, Lights, Pair, PairSpec, Recipe
from .sample_files import RejectedError
from .shards import Shards, write
from .synthetic import draw, make
from .training import Data, Training, Validation

__all__ = [
    "Aperture",
    "Data",
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
    "Training",
    "Validation",
    "Wild",
    "draw",
    "make",
    "spec_of",
    "write",
]
