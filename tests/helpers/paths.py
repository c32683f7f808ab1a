"""Where things lie in the project."""

from __future__ import annotations

from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
TESTS = REPO / "tests"
DATA = TESTS / "data"
"""Bundled pictures, with their sources and licences in LICENSES.md."""
