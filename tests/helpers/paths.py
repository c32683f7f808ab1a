"""Where things lie in the project, and how a process of its own finds them."""

from __future__ import annotations

import os
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
TESTS = REPO / "tests"
DATA = TESTS / "data"
"""Bundled pictures, with their sources and licences in LICENSES.md."""


def environment(*folders: Path, **variables: str) -> dict[str, str]:
    """This process's environment for another one that imports from `folders` first."""
    python_path = [*map(str, folders), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in python_path if p), **variables}
