"""Fixtures: a real ComfyUI server with the pack in it, and the real page in a headless Chromium."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rig


@pytest.fixture(scope="session")
def comfy_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[rig.Server]:
    """ComfyUI on the CPU with our pack and the probe pack, the sample pictures in its input folder."""
    comfy = rig.comfy_dir()
    if comfy is None:
        pytest.skip("needs ComfyUI: run `bash scripts/setup.sh tests`, or set REFOCUS_COMFYUI to a checkout")
    base = tmp_path_factory.mktemp("comfyui")
    elsewhere = tmp_path_factory.mktemp("models_elsewhere")
    (base / "extra.yaml").write_text(f"elsewhere:\n  base_path: {elsewhere}\n  refocus: depth\n  upscale_models: restore\n")
    for name in ("depth", "restore"):
        (elsewhere / name).mkdir()
    server = rig.Server(
        base,
        comfy,
        links={rig.PACK: rig.REPO, "probe_pack": rig.HERE / "probe_pack"},
        arguments=("--extra-model-paths-config", str(base / "extra.yaml")),
    )
    server.elsewhere = elsewhere
    for picture in (rig.REPO / "tests" / "data").iterdir():
        if picture.suffix in (".png", ".jpg", ".exr"):
            shutil.copy(picture, base / "input")
    try:
        server.wait()
        yield server
    finally:
        server.stop()


class Page:
    """The ComfyUI page. `problems` collects what the page complains about in our own files and nodes."""

    def __init__(self, page: Any, url: str) -> None:
        self.page = page
        self.problems: list[str] = []
        page.route("**/*", lambda r: r.continue_() if r.request.url.startswith((url, "data:", "blob:")) else r.abort())
        page.on("pageerror", lambda e: self.problems.append(f"page error: {e}"))
        page.on("console", self._console)
        page.goto(url, wait_until="domcontentloaded")
        page.wait_for_function("() => window.app?.extensionManager && window.app?.graph", timeout=60_000)
        page.wait_for_function("() => window.LiteGraph?.registered_node_types?.RefocusReblur", timeout=60_000)
        page.wait_for_timeout(1000)

    def _console(self, message: Any) -> None:
        where = (message.location or {}).get("url", "")
        if message.type == "error" and (f"/{rig.PACK}/" in where or "refocus" in message.text.lower()):
            self.problems.append(f"console: {message.text} ({where})")

    def load(self, workflow: dict[str, Any]) -> None:
        """Open a UI-format graph, as dropping its file on the page does."""
        self.page.evaluate("wf => window.app.loadGraphData(wf, true, true, null)", workflow)
        self.page.wait_for_timeout(500)

    def missing(self) -> list[str]:
        """Types of nodes in the open graph that this ComfyUI does not have."""
        return self.page.evaluate(
            "() => window.app.graph.nodes.map(n => n.type).filter(t => !window.LiteGraph.registered_node_types[t])"
        )

    def api(self) -> rig.Graph:
        """The open graph in API form, made by the page itself."""
        return self.page.evaluate("async () => (await window.app.graphToPrompt()).output")


@pytest.fixture(scope="session")
def comfy_page(comfy_server: rig.Server) -> Iterator[Page]:
    """The page, with every address but the server's blocked."""
    executable = rig.chromium()
    if executable is None:
        pytest.skip("needs Chromium: on Debian `sudo apt-get install chromium`, or set REFOCUS_CHROMIUM")
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright: run `bash scripts/setup.sh tests`")
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--no-first-run"]
    with api.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=executable, headless=True, args=flags)
        try:
            yield Page(browser.new_page(viewport={"width": 1600, "height": 900}), comfy_server.url)
        finally:
            browser.close()


def workflows() -> list[Path]:
    """All shipped workflows."""
    return sorted((rig.REPO / "workflows").glob("*.json"))


def read(path: Path) -> dict[str, Any]:
    """A workflow's JSON."""
    return json.loads(path.read_text())
