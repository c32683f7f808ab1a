"""Fixtures: a real ComfyUI server with the pack in it, and the real page in a headless Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
import rig

if TYPE_CHECKING:
    from page import Page

COMFY = rig.comfy_dir()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a server or a browser, so that `-m "not comfy"` leaves it out."""
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if fixtures & {"comfy_server", "comfy_page"}:
            item.add_marker(pytest.mark.comfy)
        if "comfy_page" in fixtures:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def comfy_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[rig.Server]:
    """ComfyUI on the CPU with our pack, the probe pack, the sample pictures and the tiny models."""
    if COMFY is None:
        pytest.skip("needs ComfyUI: run `bash scripts/setup.sh tests`, or set REFOCUS_COMFYUI to a checkout")
    with rig.prepared_server(tmp_path_factory.mktemp("comfyui"), COMFY) as server:
        yield server


@pytest.fixture(scope="session")
def comfy_page(comfy_server: rig.Server) -> Iterator[Page]:
    """The page of that server."""
    if rig.chromium() is None:
        pytest.skip("needs Chromium: on Debian `sudo apt-get install chromium`, or set REFOCUS_CHROMIUM")
    pytest.importorskip("playwright.sync_api", reason="needs playwright: run `bash scripts/setup.sh tests`")
    from page import open_page

    with open_page(comfy_server) as page:
        yield page
