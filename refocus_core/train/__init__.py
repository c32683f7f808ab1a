"""How the networks of this package are made: a room for each, and `common` for what they share.

    common/     the training loop, checkpoints, settings files, optimisers, photos and how they are fetched
    depth/      refocus-depth-s: scenes with exact depth, loss, scores
    levels/     more of them: views of game levels and rooms
    deblur/     refocus-deblur-s: pairs made from photos
    genfocus/   LoRA adapters on FLUX.1: the data engine, latents, training

Each network's room is a command (`python -m refocus_core.train.depth`). Nothing else imports this room; it may import every
other one. Needs the extra `train` (`pip install .[train]`).
"""

from __future__ import annotations

from .common.batches import Examples
from .common.loop import fit
from .common.seeds import generator
from .common.settings import Settings

__all__ = ["Examples", "Settings", "fit", "generator"]
