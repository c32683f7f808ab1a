"""What tests of the page's views share: where a picture lies on the screen, what a node's widgets say, screenshots."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.helpers import paths
from tests.helpers.page import Page

OUT = paths.REPO / "out" / "ui"
"""Screenshots, for people."""
NODES = {"focus": "RefocusDefocusMap", "compare": "RefocusReblur", "kernel": "RefocusBokehKernel"}


class View:
    """One view (`data-refocus`) in an open page, and its node."""

    def __init__(self, page: Page, kind: str, tag: str) -> None:
        self.pg, self.page, self.kind, self.tag = page, page.page, kind, tag

    def show(self) -> None:
        """Bring the node to the middle of the window, at a scale that shows it whole."""
        self.page.evaluate(
            """type => { const n = app.graph.nodes.filter(n => n.type === type).at(-1), ds = app.canvas.ds;
              ds.scale = Math.min(1, 820 / (n.size[1] + 60));
              ds.offset = [-n.pos[0] + 350, -n.pos[1] + 90]; app.canvas.setDirty(true, true); }""",
            NODES[self.kind],
        )
        self.page.wait_for_timeout(400)

    def values(self, *names: str) -> list[Any]:
        """Values of widgets of the (last) node of this kind."""
        return self.page.evaluate(
            """([type, names]) => { const n = app.graph.nodes.filter(n => n.type === type).at(-1);
              return names.map(name => n.widgets.find(w => w.name === name).value); }""",
            [NODES[self.kind], list(names)],
        )

    def set(self, **values: Any) -> None:
        """Change widgets as another extension would, and wait for the next picture."""
        self.page.evaluate(
            """([type, values]) => { const n = app.graph.nodes.filter(n => n.type === type).at(-1);
              for (const [k, v] of Object.entries(values)) n.widgets.find(w => w.name === k).value = v;
              return new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r))); }""",
            [NODES[self.kind], values],
        )

    @property
    def root(self) -> Any:
        """The view's element."""
        return self.page.locator(f'[data-refocus="{self.kind}"]').last

    def box(self) -> tuple[float, float, float, float]:
        """Left, top, width and height of the picture on the screen."""
        stage = self.root.locator(".rf-stage")
        outer = stage.bounding_box()
        w, h = stage.locator("canvas").first.evaluate("c => [c.width, c.height]")
        width = min(outer["width"], outer["height"] * w / h)
        height = width * h / w
        return outer["x"] + (outer["width"] - width) / 2, outer["y"] + (outer["height"] - height) / 2, width, height

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Place on the screen of a position in 0..1 of the picture."""
        left, top, width, height = self.box()
        return left + x * width, top + y * height

    def click(self, x: float, y: float, *, shift: bool = False) -> None:
        """A click, with the mouse really moved there."""
        if shift:
            self.page.keyboard.down("Shift")
        self.page.mouse.click(*self.at(x, y))
        if shift:
            self.page.keyboard.up("Shift")
        self.page.wait_for_timeout(100)

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Press, move, release."""
        self.page.mouse.move(*self.at(*start))
        self.page.mouse.down()
        self.page.mouse.move(*self.at(*end), steps=6)
        self.page.mouse.up()
        self.page.wait_for_timeout(100)

    def pixels(self) -> list[int]:
        """A coarse copy of what the picture shows now."""
        return self.root.locator(".rf-stage canvas").first.evaluate(
            """c => { const s = new OffscreenCanvas(24, 16), g = s.getContext('2d');
              g.drawImage(c, 0, 0, 24, 16); return [...g.getImageData(0, 0, 24, 16).data]; }"""
        )

    def status(self) -> str:
        """The line below the picture."""
        return self.root.locator(".rf-status").inner_text()

    def shot(self, name: str) -> None:
        """A screenshot for people."""
        OUT.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=str(OUT / f"{self.kind}_{name}_{self.tag}.png"))


def workflow(name: str) -> dict[str, Any]:
    """A shipped graph."""
    return json.loads((Path(paths.REPO) / "workflows" / f"{name}.json").read_text())
