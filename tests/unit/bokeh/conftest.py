"""What the tests of bokeh share: Triton's interpreter."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def interpreted(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The package of Triton kernels, run program by program in numpy: no GPU is needed, and pictures are small.

    Kernels are interpreted if TRITON_INTERPRET is set where they are defined, so nothing else here imports them.
    """
    pytest.importorskip("triton", reason="needs the package triton (Linux; scripts/requirements-tests.txt)")
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    from refocus_core.bokeh.engines.triton import engine

    return engine.kernels()
