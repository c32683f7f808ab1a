"""The depth models that can be run here, and which of them "auto" is. Their records are in `models.registry`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from .. import models
from ..models import ModelEntry

MODELS: Mapping[str, ModelEntry] = models.models_for("depth")
"""The depth models of the registry by name."""

SHIPPED = "refocus-depth-s"
"""The model that ships inside the package."""

AUTO_ORDER = ("depth-pro", "depth-anything-v2-large", "depth-anything-v2-base", "depth-anything-v2-small", SHIPPED)
"""What `model="auto"` takes: the first of these that is on this machine."""

AUTO_DOWNLOAD = "depth-anything-v2-small"
"""What "auto" downloads when no better model than the shipped one is here and the caller allows it: the smallest, and free for
any use."""


def entry(name: str) -> ModelEntry:
    """The registered model of this name.

    Raises:
        ValueError: if there is none.
    """
    if name not in MODELS:
        raise ValueError(f"There is no depth model called {name!r}. Choose one of: auto, {', '.join(MODELS)}.")
    return MODELS[name]


def available(folders: Iterable[Path | str] | None = None) -> tuple[str, ...]:
    """Names of the registered models whose files are on this machine, in the order in which "auto" tries them."""
    places = None if folders is None else tuple(folders)
    return tuple(n for n in AUTO_ORDER if models.find(MODELS[n], places) is not None)


def choose(name: str = "auto", folders: Iterable[Path | str] | None = None, *, allow_download: bool = False) -> ModelEntry:
    """The model that `name` stands for.

    "auto" is the first of `AUTO_ORDER` that is on this machine. If that is the shipped one and downloads are allowed, it is
    `AUTO_DOWNLOAD`.

    Raises:
        ValueError: if no model has this name.
    """
    if name != "auto":
        return entry(name)
    here = available(folders)
    chosen = here[0] if here else SHIPPED
    return MODELS[AUTO_DOWNLOAD if allow_download and chosen == SHIPPED else chosen]
