"""How a photo is loaded."""

from __future__ import annotations

from .depth import REFINE
from .records import Option

OPTIONS: tuple[Option, ...] = (REFINE,)
"""Of Load Photo."""
