"""How long the page takes from a click in Defocus Map to the picture that shows its effect, on a photo of 24 megapixels.

    python -m bench.run.page_latency            # starts ComfyUI (scripts/setup.sh tests) and a headless Chromium

For the first click after the run, and for later ones. The browser draws without a GPU and shares the cores with ComfyUI: the time
to its next frame is an upper bound. Also how much the node sends to the page.
"""

from __future__ import annotations

import io
import json
import os
import statistics
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

from tests.helpers import rig
from tests.helpers.page import Page, open_browser
from tests.helpers.paths import REPO
from tests.helpers.ui import View

SIZE = (6000, 4000)
"""Of the photo: 24 megapixels."""
CLICKS = [(0.735, 0.31), (0.2, 0.2), (0.5, 0.6), (0.8, 0.8), (0.3, 0.7), (0.6, 0.4), (0.1, 0.9), (0.45, 0.55)]
"""Points that are clicked, one after the other."""
WATCH = """() => { window.__took = []; let drawn = 0;
  const stage = document.querySelector('[data-refocus=focus] .rf-stage');
  stage.addEventListener('pointerup', e => { drawn = performance.now() - e.timeStamp; });  // after the view's own listener
  addEventListener('pointerup', e => { const start = performance.now(); requestAnimationFrame(() => {
    const c = new MessageChannel(); c.port1.onmessage = () => window.__took.push(
      {waited: start - e.timeStamp, drawn, shown: performance.now() - e.timeStamp});
    c.port2.postMessage(0); }); }, true); }"""
"""Notes, in the page, when each click was heard, drawn and shown."""


def graph(page: Page) -> None:
    """Load Image (photo, depth) -> Depth Estimate -> Defocus Map -> Preview Image, made in the page."""
    page.page.evaluate(
        """() => { app.graph.clear(); const add = (type, x, y) => { const n = LiteGraph.createNode(type); n.pos = [x, y];
            app.graph.add(n); return n; }, set = (n, v) => { for (const [k, x] of Object.entries(v))
            n.widgets.find(w => w.name === k).value = x; };
          const photo = add('LoadImage', 0, 0), near = add('LoadImage', 0, 400), depth = add('RefocusDepthEstimate', 400, 0),
            map = add('RefocusDefocusMap', 800, 0), out = add('PreviewImage', 1250, 0);
          set(photo, {image: 'large.png'}); set(near, {image: 'large_near.png'});
          set(depth, {source: 'depth_image', refine: 0}); set(map, {focus: 'point', percent: 1.5});
          const to = (a, slot, b, name) => a.connect(slot, b, b.inputs.findIndex(i => i.name === name));
          to(photo, 0, depth, 'image'); to(near, 0, depth, 'depth_image'); to(depth, 0, map, 'depth');
          to(photo, 0, map, 'image'); to(map, 1, out, 'images'); }"""
    )


def measure(server: rig.Server, vue: bool) -> dict[str, Any]:
    """One page."""
    with open_browser() as browser:
        page = Page(browser.new_page(viewport={"width": 1600, "height": 1000}), server.url)
        page.vue(vue)
        graph(page)
        if page.run(600) != "execution_success":
            raise RuntimeError(server.log_text()[-2000:])
        view = View(page, "focus", "")
        view.show()
        page.page.wait_for_function("() => document.querySelector('[data-refocus=focus] .rf-stage canvas').width > 400")
        page.page.evaluate(WATCH)
        for x, y in CLICKS:
            view.click(x, y)
        took = page.page.evaluate("() => window.__took")
    return {"renderer": "vue" if vue else "classic", "clicks": took}


def main() -> None:
    """Print the figures."""
    comfy = rig.comfy_dir()
    if comfy is None:
        raise SystemExit("There is no ComfyUI: run `bash scripts/setup.sh tests` first.")
    with tempfile.TemporaryDirectory() as folder, rig.prepared_server(Path(folder), comfy) as server:
        for name, source in (("large.png", "motorcycle.png"), ("large_near.png", "motorcycle_near_bright.png")):
            picture = Image.open(REPO / "tests" / "data" / source)
            out = io.BytesIO()
            picture.resize(SIZE, Image.Resampling.BICUBIC).save(out, "PNG", compress_level=1)
            (server.base / "input" / name).write_bytes(out.getvalue())
        found = [measure(server, vue) for vue in (False, True)]
        sent = {f.suffix: f.stat().st_size for f in (server.base / "temp").glob("refocus_*")}
    print("ms from the pointer's event to: our code starts, the new picture is drawn, just after the browser's next frame")
    for f in found:
        first, *later = f["clicks"]
        for label, clicks in (("first click", [first]), ("later, median", later)):
            middle = [statistics.median(c[k] for c in clicks) for k in ("waited", "drawn", "shown")]
            print(f"{f['renderer']}, {label}: " + ", ".join(f"{v:.0f}" for v in middle))
    load = ", ".join(f"{v:.1f}" for v in os.getloadavg())
    print(f"load of the machine ({os.cpu_count()} cores): {load}")
    print("sent to the page:", json.dumps(sent))


if __name__ == "__main__":
    main()
