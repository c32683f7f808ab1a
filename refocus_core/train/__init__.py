"""How the networks of this package are made. It composes the rooms as the command line does, and no room imports it.

common         the loop, checkpoints, settings files, optimisers, photos
depth          refocus-depth-s: scenes made by rules, loss, scores;  levels: views of game levels and rooms with exact depth
deblur         refocus-deblur-s: pairs made from photos
genfocus       pairs and fine-tuning for the adapters of the generative route

Needs the extra `train` (`pip install '.[train]'`).
"""

from __future__ import annotations

from .common.loop import Examples, Settings, fit, generator

__all__ = ["Examples", "Settings", "fit", "generator"]
