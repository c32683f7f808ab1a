"""Fixtures: a real ComfyUI server with the pack in it, and the real page in a headless Chromium."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from tests.helpers import rig

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.helpers.page import Page

SIZE = {"width": 1600, "height": 900}
COMFY = rig.comfy_dir()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a server or a browser, so that `-m "not comfy"` leaves it out."""
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if fixtures & {"comfy_server", "comfy_page", "ui_page"}:
            item.add_marker(pytest.mark.comfy)
        if fixtures & {"comfy_page", "ui_page"}:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def comfy_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[rig.Server]:
    """ComfyUI on the CPU with our pack, the probe pack, the sample pictures and the tiny models."""
    if COMFY is None:
        pytest.skip("needs ComfyUI: run `bash scripts/setup.sh tests`, or set REFOCUS_COMFYUI to a checkout")
    with rig.prepared_server(tmp_path_factory.mktemp("comfyui"), COMFY) as server:
        yield server


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One headless Chromium for all pages."""
    if rig.chromium() is None:
        pytest.skip("needs Chromium: on Debian `sudo apt-get install chromium`, or set REFOCUS_CHROMIUM")
    pytest.importorskip("playwright.sync_api", reason="needs playwright: run `bash scripts/setup.sh tests`")
    from tests.helpers.page import open_browser

    with open_browser() as opened:
        yield opened


@pytest.fixture(scope="session")
def ui_page(comfy_server: rig.Server, browser: Browser) -> Callable[[str], Page]:
    """A page of that server by version of the front end; "own" is the one that this ComfyUI requires."""
    from tests.helpers.page import Page

    @functools.cache
    def opened(version: str) -> Page:
        frontend = None if version == "own" else rig.FRONTENDS / version
        if frontend is not None and not (frontend / "index.html").is_file():
            pytest.skip(f"needs front end {version}: run `bash scripts/setup.sh tests`")
        return Page(browser.new_page(viewport=SIZE), comfy_server.url, frontend)

    return opened


@pytest.fixture(scope="session")
def comfy_page(comfy_server: rig.Server, browser: Browser) -> Page:
    """A page of that server with its own front end, in which whole graphs are opened."""
    from tests.helpers.page import Page

    return Page(browser.new_page(viewport=SIZE), comfy_server.url)
