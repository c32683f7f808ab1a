"""The real ComfyUI page in a headless Chromium. Every address but the server's is blocked."""

from __future__ import annotations

import mimetypes
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, sync_playwright

from tests.helpers import rig

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--no-first-run"]
FLAGS += ["--disable-features=LocalNetworkAccessChecks"]  # a page whose files the test gives is not local to Chromium
FLAGS += ["--enable-unsafe-swiftshader"]  # WebGL without a GPU

OPEN_MS = 240_000
"""The page may take this long to open: others may be at work on the machine."""


class Page:
    """One open page. `problems` collects what the browser complains about in our own files and nodes.

    `frontend` is the `static` folder of another version of ComfyUI's front end; its files then stand in for the server's own.
    """

    def __init__(self, page: Any, url: str, frontend: Path | None = None) -> None:
        self.page = page
        self.url = url
        self.frontend = None if frontend is None else frontend.resolve()
        self.problems: list[str] = []
        self.tag = ""
        """For the names of screenshots."""
        page.route("**/*", self._route)
        page.on("pageerror", self._error)
        page.on("console", self._console)
        self.open()

    def open(self) -> None:
        """Load the page, or load it again."""
        page = self.page
        page.goto(self.url, wait_until="domcontentloaded", timeout=OPEN_MS)
        page.wait_for_function("() => window.app?.extensionManager && window.app?.graph", timeout=OPEN_MS)
        page.wait_for_function("() => window.LiteGraph?.registered_node_types?.RefocusReblur", timeout=OPEN_MS)
        page.wait_for_timeout(1000)

    def _route(self, route: Any) -> None:
        address = route.request.url
        if not address.startswith((self.url, "data:", "blob:")):
            route.abort()
            return
        if self.frontend is not None and address.startswith(self.url):
            path = urlsplit(address).path.lstrip("/") or "index.html"
            file = self.frontend / path
            if file.is_file() and self.frontend in file.resolve().parents:
                kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
                route.fulfill(body=file.read_bytes(), content_type=kind)
                return
        route.continue_()

    def vue(self, on: bool) -> None:
        """Draw nodes as Nodes 2.0 (Vue components) or in the classic canvas."""
        self.page.evaluate("on => window.app.extensionManager.setting.set('Comfy.VueNodes.Enabled', on)", on)
        self.page.wait_for_timeout(500)

    def _error(self, error: Any) -> None:
        if f"/{rig.PACK}/" in (error.stack or ""):  # old front ends stumble over their own settings
            self.problems.append(f"page error: {error}\n{error.stack}")

    def _console(self, message: Any) -> None:
        where = (message.location or {}).get("url", "")
        if message.type == "error" and (f"/{rig.PACK}/" in where or "refocus" in message.text.lower()):
            self.problems.append(f"console: {message.text} ({where})")

    def load(self, workflow: dict[str, Any]) -> None:
        """Open a UI-format graph, as dropping its file on the page does."""
        self.page.evaluate("wf => window.app.loadGraphData(wf, true, true, null)", workflow)
        self.page.wait_for_timeout(500)

    def until(self, holds: Callable[[], bool], seconds: float = 10) -> bool:
        """Whether `holds` is true in time: the page undoes, redoes and draws when a busy machine lets it."""
        deadline = time.monotonic() + seconds
        while not (held := holds()) and time.monotonic() < deadline:
            self.page.wait_for_timeout(50)
        return held

    def sizes(self) -> dict[str, list[float]]:
        """Width and height of the nodes of the open graph, by id."""
        each = "window.app.graph.nodes.map(n => [n.id + ' ' + n.type, [...n.size]])"
        return self.page.evaluate(f"() => Object.fromEntries({each})")

    def missing(self) -> list[str]:
        """Types of nodes in the open graph that this ComfyUI does not have."""
        types = "window.app.graph.nodes.map(n => n.type).filter(t => !window.LiteGraph.registered_node_types[t])"
        return self.page.evaluate(f"() => {types}")

    def api(self) -> rig.Graph:
        """The open graph in API form, made by the page itself."""
        return self.page.evaluate("async () => (await window.app.graphToPrompt()).output")

    def run(self, seconds: float = 240) -> str:
        """Press Run and wait; the name of the event that ended it."""
        self.page.evaluate(
            """async () => {
              window.__end = null;
              for (const name of ['execution_success', 'execution_error', 'execution_interrupted'])
                window.app.api.addEventListener(name, () => { window.__end ??= name; }, {once: true});
              await window.app.queuePrompt(0, 1);
              const refused = window.app.lastNodeErrors;
              if (refused && Object.keys(refused).length) window.__end ??= 'refused: ' + JSON.stringify(refused);
            }"""
        )
        self.page.wait_for_function("() => window.__end", timeout=seconds * 1000)
        self.page.wait_for_timeout(1500)  # previews arrive
        return self.page.evaluate("() => window.__end")

    def fit(self) -> None:
        """Show the whole graph."""
        self.page.evaluate("() => window.app.extensionManager.command.execute('Comfy.Canvas.FitView')")
        self.page.wait_for_timeout(1200)


@contextmanager
def open_browser() -> Iterator[Browser]:
    """A headless Chromium; `Page(browser.new_page(), server.url)` opens ComfyUI in it, with a storage of its own.

    Raises:
        FileNotFoundError: if there is no Chromium.
    """
    executable = rig.chromium()
    if executable is None:
        raise FileNotFoundError("No Chromium: on Debian `sudo apt-get install chromium`, or set REFOCUS_CHROMIUM.")
    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=executable, headless=True, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def open_page(server: rig.Server, width: int = 1600, height: int = 900) -> Iterator[Page]:
    """A page on `server`, in a browser of its own.

    Raises:
        FileNotFoundError: if there is no Chromium.
    """
    with open_browser() as browser:
        yield Page(browser.new_page(viewport={"width": width, "height": height}), server.url)
