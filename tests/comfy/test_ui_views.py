"""The compare view, the live aperture, the timeline and the 3-D view, with real events in real pages."""

from __future__ import annotations

import json
import os
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from refocus_core import bokeh
from tests.helpers import rig
from tests.helpers.page import Page
from tests.helpers.ui import View, workflow

WITH = [("own", False), ("1.58.1", True)]
if os.environ.get("REFOCUS_ALL_FRONTENDS"):
    WITH += [("own", True), ("1.58.1", False), ("1.27.10", False)]


@pytest.fixture(scope="module", params=WITH, ids=lambda p: f"{p[0]}-{'vue' if p[1] else 'classic'}")
def page(request: pytest.FixtureRequest, ui_page: Callable[[str], Page]) -> Page:
    """A page in which the first example was run."""
    version, vue = request.param
    opened = ui_page(version)
    opened.vue(vue)
    opened.load(workflow("Refocus with a depth picture"))
    assert opened.run() == "execution_success"
    opened.tag = f"{version}-{'vue' if vue else 'classic'}"
    return opened


def view(page: Page, kind: str) -> View:
    found = View(page, kind, page.tag)
    found.show()
    page.page.wait_for_timeout(300)
    return found


def shown(found: View, width: int = 60, height: int = 40) -> np.ndarray:
    """What the picture shows, small: [height,width,3] in 0..255."""
    data = found.root.locator(".rf-stage canvas").first.evaluate(
        """(c, [w, h]) => { const s = new OffscreenCanvas(w, h), g = s.getContext('2d');
          g.drawImage(c, 0, 0, w, h); return [...g.getImageData(0, 0, w, h).data]; }""",
        [width, height],
    )
    return np.array(data).reshape(height, width, 4)[..., :3]


def test_compare_divider_and_focal_plane(page: Page) -> None:
    found = view(page, "compare")
    stage = found.root.locator(".rf-stage")
    half = shown(found)
    found.drag((0.5, 0.5), (0.98, 0.5))
    before = shown(found)
    assert int(stage.get_attribute("aria-valuenow") or 0) >= 96
    found.drag((0.98, 0.5), (0.0, 0.5))
    after = shown(found)
    assert np.abs(before[:, :28] - half[:, :28]).max() <= 2, "left of the divider is before"
    assert np.abs(after[:, 32:] - half[:, 32:]).max() <= 2, "right of it is after"
    assert np.abs(before - after).mean() > 1
    assert before.std((0, 1)).mean() > after.std((0, 1)).mean(), "the blurred picture has less contrast"
    page.page.keyboard.press("ArrowRight")
    assert stage.get_attribute("aria-valuenow") == "5"
    found.drag((0.05, 0.5), (0.5, 0.5))
    found.root.get_by_role("button", name="in focus").click()
    marked = shown(found)
    yellow = (marked[..., 0] > marked[..., 2] + 25) & (np.abs(marked - half).max(-1) > 10)
    assert 3 < yellow.sum() < 600, "a part of the picture is marked as in focus"
    found.shot("plane")
    found.root.get_by_role("button", name="in focus").click()
    assert np.abs(shown(found) - half).mean() < 1
    assert "741 × 500" in found.status()


def test_compare_shows_the_draft_of_a_running_node_until_the_run_ends(page: Page, comfy_server: rig.Server) -> None:
    found = view(page, "compare")
    before = shown(found)
    Image.new("RGB", (60, 40), (0xC0, 0x40, 0)).save(comfy_server.base / "temp" / "draft.png")
    send = "([type, detail]) => { window.comfyAPI.api.api.dispatchCustomEvent(type, detail); }"
    picture = {"filename": "draft.png", "subfolder": "", "type": "temp"}
    own = found.root.get_attribute("data-node")
    page.page.evaluate(send, ["refocus_meanwhile", {"node": "99", "image": picture}])
    page.page.wait_for_timeout(300)
    assert np.abs(shown(found) - before).max() <= 2, "another node's"
    sizes = page.sizes()
    page.page.evaluate(send, ["refocus_meanwhile", {"node": own, "image": picture}])
    assert page.until(lambda: "draft" in found.status())
    assert np.abs(shown(found) - [0xC0, 0x40, 0]).max() <= 2
    found.shot("draft")
    page.page.evaluate(send, ["execution_interrupted", {}])
    assert page.until(lambda: "741 × 500" in found.status())
    assert np.abs(shown(found) - before).max() <= 2
    assert page.sizes() == sizes


def test_aperture_is_redrawn_while_its_inputs_change(page: Page) -> None:
    found = view(page, "kernel")
    for options in ({"shape": "heart", "rotation_deg": 30}, {"shape": "star", "points": 7, "inner": 0.3, "softness": 0.2}):
        found.set(**options)
        got = shown(found, 128, 128)[..., 0] / 255
        usual = {"rotation_deg": found.values("rotation_deg")[0], "softness": found.values("softness")[0], "blades": 9}
        expected = bokeh.kernel_preview(bokeh.make_kernel(**{**usual, **options}, size=128), 128)[0, 0].numpy()
        assert np.abs(got - expected).mean() < 2e-3
        found.shot(str(options["shape"]))
    found.set(shape="image")
    assert "Run once" in found.root.locator(".rf-empty").inner_text()
    found.set(shape="polygon", rotation_deg=0, softness=0.1)


def test_timeline_sets_moves_and_removes_keys(page: Page) -> None:
    found = view(page, "focus")
    found.set(focus="point", x=0.735, y=0.31, strength="camera", f_number=2, keyframes="")
    found.root.get_by_role("button", name="Keyframes of focus").click()
    found.show()
    plot = found.root.locator(".rf-plot")

    def place(frame: float) -> tuple[float, float]:
        box = plot.bounding_box()
        zoom = box["width"] / plot.evaluate("e => e.clientWidth")
        return box["x"] + (10 + frame / 47 * (box["width"] / zoom - 20)) * zoom, box["y"] + box["height"] / 2

    def keys() -> list[dict[str, float]]:
        text = found.values("keyframes")[0]
        return json.loads(text)["keys"] if text else []

    def frames_become(wanted: list[int]) -> bool:
        return page.until(lambda: [k["frame"] for k in keys()] == wanted)

    page.page.mouse.click(*place(0))
    found.root.get_by_role("button", name="Set a key").click()
    assert keys() == [{"frame": 0, "x": 0.735, "y": 0.31, "f_number": 2, "ease": "ease"}]
    page.page.mouse.click(*place(30))
    found.click(0.2, 0.3)
    found.set(f_number=8)
    plot.focus()
    page.page.keyboard.press("Enter")
    assert [k["frame"] for k in keys()] == [0, 30] and keys()[1]["f_number"] == 8
    assert found.root.locator("path.rf-key").count() == 2
    page.page.mouse.click(*place(0))
    found.root.locator("select").select_option("hold")
    assert keys()[0]["ease"] == "hold"
    page.page.mouse.move(*place(30))
    page.page.mouse.down()
    page.page.mouse.move(*place(20), steps=5)
    page.page.mouse.up()
    assert [k["frame"] for k in keys()] == [0, 20]
    found.shot("timeline")
    page.page.keyboard.press("Control+z")
    assert frames_become([0, 30]), "a drag is one step for undo"
    found.show()
    page.page.keyboard.press("Control+y")
    assert frames_become([0, 20])
    found.show()
    assert found.root.locator("path.rf-key").count() == 2, "the timeline opens by itself where there are keys"
    page.page.mouse.click(*place(20))
    found.click(0.9, 0.9)
    assert keys()[1]["x"] == pytest.approx(0.9, abs=5e-3), "a click moves the key of the frame that is shown"
    page.page.mouse.click(*place(10))
    found.click(0.5, 0.1)
    assert "Set key" in found.status() and len(keys()) == 2
    page.page.mouse.click(*place(20))
    found.root.locator(".rf-plot").focus()
    page.page.keyboard.press("Delete")
    assert [k["frame"] for k in keys()] == [0]
    found.set(keyframes="not JSON")
    assert "keyframes" in found.status() and found.root.locator(".rf-status.rf-warn").count() == 1
    found.set(keyframes="")
    found.root.get_by_role("button", name="Keyframes of focus").click()


def test_sheet_in_depth_is_dragged_to_another_focus(page: Page) -> None:
    found = view(page, "focus")
    found.set(focus="point", x=0.735, y=0.31, keyframes="")
    found.root.get_by_role("button", name="photo in depth").click()
    found.show()
    page.page.wait_for_timeout(400)
    scene = found.root.locator(".rf-scene")
    found.shot("depth")
    box = scene.bounding_box()
    hit = None
    for k in range(60):  # from the left edge inwards, until the cursor says that this is the rim
        x, y = box["x"] + box["width"] * k / 120, box["y"] + box["height"] / 2
        page.page.mouse.move(x, y)
        if scene.evaluate("e => e.style.cursor") == "move":
            hit = (x + 2, y)
            break
    assert hit
    page.page.mouse.move(*hit)
    page.page.mouse.down()
    page.page.mouse.move(hit[0] - 40, hit[1] + 5, steps=5)
    page.page.mouse.up()
    focus, metres = found.values("focus", "distance_m")
    assert focus == "distance" and 2.1 <= metres <= 5
    scene.focus()
    page.page.keyboard.press("PageDown")
    nearer = found.values("distance_m")[0]
    page.page.keyboard.press("PageUp")
    page.page.keyboard.press("PageUp")
    assert found.values("distance_m")[0] > nearer
    found.shot("depth_dragged")
    found.root.get_by_role("button", name="The photo alone").click()
    assert found.root.locator(".rf-scene").count() == 0, "what the graphics card held is freed"
    assert len(set(found.pixels())) > 30


def test_without_webgl_the_depth_is_shown_with_the_reason(page: Page) -> None:
    found = view(page, "focus")
    page.page.evaluate(
        """() => { const real = window.realGetContext = HTMLCanvasElement.prototype.getContext;
          HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
            return kind === 'webgl2' ? null : real.call(this, kind, ...rest); }; }"""
    )
    found.root.get_by_role("button", name="photo in depth").click()
    page.page.evaluate("() => { HTMLCanvasElement.prototype.getContext = window.realGetContext; }")
    assert "no WebGL 2" in found.status()
    assert found.root.get_by_role("button", name="Near is bright").get_attribute("aria-pressed") == "true"
    found.root.get_by_role("button", name="Blue in front").click()
    assert "no WebGL 2" not in found.status()


def test_no_complaint_about_us(page: Page) -> None:
    """Runs last for each page."""
    page.vue(False)
    assert page.problems == []
