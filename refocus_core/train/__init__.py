"""How the networks of this package are made. Nothing else imports this room; it may import every other one.

Needs the extra `train` (`pip install .[train]`).
"""

from __future__ import annotations

from .common.loop import Examples, Settings, fit, generator

__all__ = ["Examples", "Settings", "fit", "generator"]
