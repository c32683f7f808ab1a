"""Makes docs/click_to_focus.webp: the views of the nodes in use, recorded in a real page.

    python -m tools.film

Needs what the tests need (scripts/setup.sh tests). Every picture is a screenshot; only the pointer is drawn in.
"""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from tests.helpers import rig
from tests.helpers.page import Page, open_browser
from tests.helpers.paths import REPO
from tests.helpers.ui import View, workflow

OUT = REPO / "docs" / "click_to_focus.webp"
"""The film of the README."""
CLIP = {"x": 66.0, "y": 96.0, "width": 820.0, "height": 770.0}
"""Part of the page that is filmed, in px."""
WIDTH = 640
"""Of the film, in px; a larger one makes a larger file."""
STEP_MS = 110
"""Duration of a frame while something moves."""
LAYOUT = """() => { const by = t => app.graph.nodes.find(n => n.type === t);
  const keep = ['RefocusDefocusMap', 'RefocusReblur']; let far = 3000;
  for (const n of app.graph.nodes) if (!keep.includes(n.type)) n.pos = [far += 900, 4000];
  const map = by('RefocusDefocusMap'), reblur = by('RefocusReblur');
  map.pos = [0, 0]; reblur.pos = [460, 0]; map.setSize([420, 820]); reblur.setSize([440, 690]);
  app.canvas.ds.scale = 0.86; app.canvas.ds.offset = [90, 160]; app.canvas.links_render_mode = -1;
  app.canvas.setDirty(true, true); }"""
"""Runs in the page: puts both nodes into the clip and everything else far away."""


class Film:
    """Frames, and the pointer in them."""

    def __init__(self, page: Page) -> None:
        self.page = page.page
        self.frames: list[Image.Image] = []
        self.times: list[int] = []
        self.at = (500.0, 400.0)

    def frame(self, ms: int = STEP_MS, *, down: bool = False) -> None:
        """One screenshot with the pointer."""
        shot = Image.open(io.BytesIO(self.page.screenshot(clip=CLIP))).convert("RGB")
        pen = ImageDraw.Draw(shot)
        x, y = self.at[0] - CLIP["x"], self.at[1] - CLIP["y"]
        if down:
            pen.ellipse((x - 14, y - 14, x + 14, y + 14), outline=(242, 214, 75), width=3)
        arrow = [(0, 0), (0, 19), (4.5, 15), (8, 22), (11, 20.5), (7.5, 14), (13.5, 14)]
        pen.polygon([(x + a, y + b) for a, b in arrow], fill="white", outline="black")
        height = round(shot.height * WIDTH / shot.width)
        self.frames.append(shot.resize((WIDTH, height), Image.Resampling.LANCZOS))
        self.times.append(ms)

    def move(self, x: float, y: float, steps: int = 4, *, down: bool = False) -> None:
        """Move the pointer there."""
        start = self.at
        for k in range(1, steps + 1):
            self.at = (start[0] + (x - start[0]) * k / steps, start[1] + (y - start[1]) * k / steps)
            self.page.mouse.move(*self.at)
            self.page.wait_for_timeout(40)
            self.frame(down=down)

    def click(self, x: float, y: float, hold_ms: int = 900) -> None:
        """Go there and click."""
        self.move(x, y)
        self.page.mouse.down()
        self.frame(down=True)
        self.page.mouse.up()
        self.page.wait_for_timeout(80)
        self.frame(hold_ms)

    def drag(self, start: tuple[float, float], end: tuple[float, float], steps: int = 8, hold_ms: int = 900) -> None:
        """Press, move, release."""
        self.move(*start)
        self.page.mouse.down()
        self.move(*end, steps=steps, down=True)
        self.page.mouse.up()
        self.page.wait_for_timeout(80)
        self.frame(hold_ms)


def middle(locator: Any) -> tuple[float, float]:
    """Centre of an element on the screen."""
    box = locator.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def play(page: Page, film: Film) -> None:
    """Click, drag, second point, aperture, 3-D, compare."""
    focus, compare = View(page, "focus", ""), View(page, "compare", "")
    film.frame(600)
    film.click(*focus.at(0.735, 0.31))
    film.click(*focus.at(0.12, 0.3))
    film.drag(focus.at(0.8, 0.6), focus.at(0.86, 0.72))
    film.click(*focus.at(0.735, 0.31), hold_ms=500)
    page.page.keyboard.down("Shift")
    film.click(*focus.at(0.2, 0.62), hold_ms=1200)
    page.page.keyboard.up("Shift")
    film.click(*focus.at(0.735, 0.31), hold_ms=400)
    for f_number in (1.6, 2, 2.8, 4, 5.6, 8, 5.6, 2.8, 1.4):
        focus.set(f_number=f_number)
        film.frame(150)
    film.click(*middle(focus.root.get_by_role("button", name="photo in depth")), hold_ms=700)
    scene = focus.root.locator(".rf-scene").bounding_box()
    x, y = scene["x"] + scene["width"] * 0.5, scene["y"] + scene["height"] * 0.5
    film.drag((x, y), (x + 60, y - 12), hold_ms=300)
    edge = next(
        x
        for x in (scene["x"] + scene["width"] * k / 120 for k in range(60))
        if page.page.mouse.move(x, y) or focus.root.locator(".rf-scene").evaluate("e => e.style.cursor") == "move"
    )
    film.drag((edge + 2, y), (edge + 46, y + 10), hold_ms=700)
    film.click(*middle(focus.root.get_by_role("button", name="red behind it")), hold_ms=300)
    film.click(*focus.at(0.735, 0.31), hold_ms=300)
    film.drag(compare.at(0.5, 0.6), compare.at(0.15, 0.6), hold_ms=300)
    film.drag(compare.at(0.15, 0.6), compare.at(0.9, 0.6), hold_ms=300)
    film.drag(compare.at(0.9, 0.6), compare.at(0.45, 0.6), hold_ms=300)
    film.click(*middle(compare.root.get_by_role("button", name="in focus")), hold_ms=1500)


def main() -> None:
    """Record and write."""
    comfy = rig.comfy_dir()
    if comfy is None:
        raise SystemExit("There is no ComfyUI: run `bash scripts/setup.sh tests` first.")
    with (
        tempfile.TemporaryDirectory() as folder,
        rig.prepared_server(Path(folder), comfy) as server,
        open_browser() as browser,
    ):
        page = Page(browser.new_page(viewport={"width": 1500, "height": 900}), server.url)
        page.vue(True)
        page.load(workflow("Refocus with a depth picture"))
        page.run()
        page.page.evaluate(LAYOUT)
        page.page.wait_for_timeout(1500)
        film = Film(page)
        play(page, film)
    film.frames[0].save(
        OUT,
        save_all=True,
        append_images=film.frames[1:],
        duration=film.times,
        loop=0,
        quality=62,
        method=6,
        minimize_size=True,
    )
    print(f"{OUT.relative_to(REPO)}: {len(film.frames)} frames, {OUT.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
