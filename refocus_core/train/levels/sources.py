"""What the views are made from: free games and pictures out of Debian's packages. Nothing of them is shipped.

Read from $REFOCUS_ASSETS (default ~/.cache/refocus/assets), a folder for each package; `fetch` fills it. The table with licences
is docs/depth-data.md.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ..common.package_files import Package, extract_all


@dataclass(frozen=True)
class Source:
    """A Debian package. `version` is the one that was used; `licence` what its copyright file states for the data."""

    name: str
    version: str
    licence: str
    holds: str


SOURCES: tuple[Source, ...] = (
    Source("openarena-data", "0.8.5split-14", "GPL-2+", "textures and models of the game OpenArena"),
    Source("openarena-081-maps", "0.8.5split-14", "GPL-2+", "50 levels"),
    Source("openarena-081-textures", "0.8.5split-14", "GPL-2+", "textures"),
    Source("openarena-081-players", "0.8.5split-14", "GPL-2+", "figures"),
    Source("openarena-081-misc", "0.8.5split-14", "GPL-2+", "models of things"),
    Source("openarena-085-data", "0.8.5split-14", "GPL-2+", "12 levels"),
    Source("openarena-088-data", "0.8.8-12", "GPL-2+", "38 levels, figures"),
    Source("openarena-oacmp1", "3-7", "GPL-2+", "13 levels"),
    Source("nexuiz-data", "2.5.2-12", "GPL-2+", "levels and models of the game Nexuiz"),
    Source("nexuiz-textures", "2.5.2-12", "GPL-2+", "textures"),
    Source("tuxpaint-stamps-default", "2022.06.04-1", "GPL-2+ and free licences picture by picture", "cut-out photographs"),
)
"""A later package's files go before an earlier one's, as in the game."""


def folder() -> Path:
    """Where the packages lie unpacked."""
    return Path(os.environ.get("REFOCUS_ASSETS") or Path.home() / ".cache" / "refocus" / "assets")


def fetch(packages: str = "") -> None:
    """Download and unpack what is missing (about 1.2 GB; nothing is installed).

    Args:
        packages: only those whose names begin with this.

    Raises:
        FetchError: if a package cannot be had.
    """
    for source in SOURCES:
        if not source.name.startswith(packages):
            continue
        target = folder() / source.name
        if not target.exists():
            extract_all(Package("debian", source.name, source.version), target)


def files(packages: str, ending: str) -> list[Path]:
    """Files of the packages whose names begin with `packages`, in the order of the table.

    Raises:
        FileNotFoundError: if there is none.
    """
    order = [folder() / p.name for p in SOURCES if p.name.startswith(packages)]
    found = [f for p in order for f in sorted(p.rglob(f"*{ending}"))]
    if not found:
        raise FileNotFoundError(f"{folder()} holds no {packages}*. Fetch it first: python -m refocus_core.train.levels fetch")
    return found
