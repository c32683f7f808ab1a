"""Click to focus: with real events in real pages of several versions of the front end, classic and Nodes 2.0."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from tests.helpers.page import Page
from tests.helpers.ui import View, workflow

WITH = [("own", False), ("own", True), ("1.58.1", True)]
"""Front end (own: the one that this ComfyUI requires) and whether nodes are Vue components."""
if os.environ.get("REFOCUS_ALL_FRONTENDS"):
    WITH += [("1.58.1", False), ("1.27.10", False)]


@pytest.fixture(scope="module", params=WITH, ids=lambda p: f"{p[0]}-{'vue' if p[1] else 'classic'}")
def view(request: pytest.FixtureRequest, ui_page: Callable[[str], Page]) -> Iterator[View]:
    """The Defocus Map of a graph that was run once."""
    version, vue = request.param
    page = ui_page(version)
    page.vue(vue)
    page.load(workflow("Refocus with a depth picture"))
    assert page.run() == "execution_success"
    found = View(page, "focus", f"{version}-{'vue' if vue else 'classic'}")
    found.show()
    yield found
    page.vue(False)
    assert page.problems == []


@pytest.fixture(autouse=True)
def start(view: View) -> None:
    """Every test begins with a point in the middle, and shows the node."""
    view.set(focus="point", x=0.5, y=0.5, focus_radius=0.01, focus_range=0, f_number=1.4, keyframes="")
    view.show()


def test_click_sets_the_point_and_the_picture_follows_without_a_run(view: View) -> None:
    asked: list[str] = []
    view.page.on("request", lambda r: asked.append(r.url) if r.url.endswith("/prompt") else None)
    before = view.pixels()
    view.click(0.735, 0.31)
    assert view.values("focus", "x", "y") == ["point", pytest.approx(0.735, abs=4e-3), pytest.approx(0.31, abs=4e-3)]
    near = view.pixels()
    assert near != before
    assert view.root.locator("circle.rf-ring").count() == 1
    assert "Focus" in view.status() or "Here" in view.status()
    view.set(f_number=16)
    assert view.pixels() != near, "the aperture changes the picture too"
    view.shot("click")
    graph = view.pg.api()
    (node,) = [n for n in graph.values() if n["class_type"] == "RefocusDefocusMap"]
    assert node["inputs"]["x"] == view.values("x")[0] and "refocus_view" not in node["inputs"]
    assert not asked


def test_drag_sets_the_area_and_the_range_that_covers_it(view: View) -> None:
    view.drag((0.45, 0.6), (0.55, 0.7))
    focus, x, y, radius, span = view.values("focus", "x", "y", "focus_radius", "focus_range")
    assert (focus, x, y) == ("point", pytest.approx(0.45, abs=5e-3), pytest.approx(0.6, abs=5e-3))
    assert radius == pytest.approx((0.1**2 + (0.1 * 500 / 741) ** 2) ** 0.5, abs=6e-3)
    assert 0 < span < 0.6
    view.shot("drag")
    view.drag((x, y), (0.7, 0.35))  # from the point itself: moves it
    assert view.values("x", "y", "focus_radius") == [pytest.approx(0.7, abs=5e-3), pytest.approx(0.35, abs=5e-3), radius]
    view.click(0.3, 0.3)
    assert view.values("focus_radius", "focus_range") == [0.01, 0], "a plain click is a plain point again"


def test_shift_click_adds_a_second_point(view: View) -> None:
    view.click(0.735, 0.31)
    view.click(0.2, 0.2, shift=True)
    assert view.values("focus", "x2", "y2") == ["two points", pytest.approx(0.2, abs=4e-3), pytest.approx(0.2, abs=4e-3)]
    assert view.root.locator("circle.rf-ring").count() == 2
    view.page.mouse.move(*view.at(0.2, 0.2))
    view.page.wait_for_timeout(50)
    assert "sharp" in view.status(), "the range covers the second point"
    view.page.mouse.move(*view.at(0.735, 0.31))
    view.page.wait_for_timeout(50)
    assert "sharp" in view.status()
    view.shot("shift_click")
    view.click(0.5, 0.5)
    assert view.values("focus") == ["point"], "a plain click is one point again"


def test_keys_move_the_point_and_change_the_range(view: View) -> None:
    view.click(0.5, 0.5)
    for key in ("ArrowRight", "ArrowDown", "Shift+ArrowLeft", "+", "+", "-"):
        view.page.keyboard.press(key)
    wanted = [pytest.approx(0.46, abs=6e-3), pytest.approx(0.51, abs=6e-3), 0.01]
    spoken = view.root.locator(".rf-sr")
    assert view.pg.until(lambda: view.values("x", "y", "focus_range") == wanted)
    assert view.pg.until(lambda: spoken.inner_text().startswith("x 0.4"))
    stage = view.root.locator(".rf-stage")
    assert stage.evaluate("e => e === document.activeElement && e.tabIndex === 0")
    assert stage.get_attribute("aria-label")
    assert view.page.evaluate("() => app.graph.nodes.filter(n => n.type === 'RefocusDefocusMap').length") == 1
    view.shot("keys")


def test_undo_takes_back_one_gesture_and_the_picture_stays(view: View) -> None:
    view.click(0.3, 0.3)
    view.drag((0.6, 0.4), (0.66, 0.46))
    assert view.values("x")[0] == pytest.approx(0.6, abs=5e-3)
    sizes = view.pg.sizes()
    view.page.keyboard.press("Control+z")
    before = [pytest.approx(0.3, abs=5e-3), pytest.approx(0.3, abs=5e-3), 0.01]
    assert view.pg.until(lambda: view.values("x", "y", "focus_radius") == before)
    view.show()
    assert view.pg.sizes() == sizes
    # A key that is let go has ComfyUI look for a change; should it find one, nothing is left to redo.
    view.page.keyboard.press("Shift", delay=100)
    assert len(set(view.pixels())) > 30, "the picture is there again without a run"
    assert view.root.locator("circle.rf-ring").get_attribute("cx") == str(round(view.values("x")[0] * 1000))
    view.page.keyboard.press("Control+y")
    assert view.pg.until(lambda: view.values("x")[0] == pytest.approx(0.6, abs=5e-3)), "undo left something to redo"
    view.show()
    view.shot("undo")
    view.click(0.8, 0.2)
    assert view.values("x")[0] == pytest.approx(0.8, abs=5e-3), "the node was made anew; its view must be the new one"


def test_copy_and_paste_takes_the_focus_along(view: View) -> None:
    view.click(0.25, 0.75)
    view.page.evaluate(
        """() => { const c = app.canvas, n = app.graph.nodes.find(n => n.type === 'RefocusDefocusMap');
          c.deselectAll?.(); c.selectNode(n); c.copyToClipboard([n]); c.pasteFromClipboard({connectInputs: true}); }"""
    )
    view.page.wait_for_timeout(600)
    kind = "app.graph.nodes.filter(n => n.type === 'RefocusDefocusMap')"
    assert view.page.evaluate(f"() => {kind}.length") == 2
    assert view.values("focus", "x", "y") == ["point", pytest.approx(0.25, abs=4e-3), pytest.approx(0.75, abs=4e-3)]
    view.show()
    view.shot("paste")
    view.click(0.6, 0.2)  # the copy has its own view
    xs = view.page.evaluate(f"() => {kind}.map(n => n.widgets.find(w => w.name === 'x').value)")
    assert xs == [pytest.approx(0.25, abs=4e-3), pytest.approx(0.6, abs=6e-3)]
    view.page.evaluate(f"() => app.graph.remove({kind}[1])")
    view.page.wait_for_timeout(300)


def test_touch_focuses_as_a_mouse_does(view: View) -> None:
    x, y = view.at(0.65, 0.55)
    view.root.locator(".rf-stage").evaluate(
        """(e, [x, y]) => { for (const type of ['pointerdown', 'pointerup']) e.dispatchEvent(new PointerEvent(type,
          {bubbles: true, clientX: x, clientY: y, pointerId: 1, pointerType: 'touch', isPrimary: true, button: 0})); }""",
        [x, y],
    )
    assert view.values("x", "y") == [pytest.approx(0.65, abs=4e-3), pytest.approx(0.55, abs=4e-3)]
    assert view.root.locator(".rf-stage").evaluate("e => getComputedStyle(e).touchAction") == "none"


def test_reload_brings_picture_and_focus_back(view: View) -> None:
    """Last: the page is loaded anew. The workflow comes back from the browser's store, the picture from the last run."""
    view.click(0.4, 0.65)
    view.page.wait_for_timeout(1500)  # the page saves its draft
    view.pg.open()
    view.page.wait_for_selector('[data-refocus="focus"]', timeout=20_000)
    view.show()
    assert view.values("x", "y") == [pytest.approx(0.4, abs=4e-3), pytest.approx(0.65, abs=4e-3)]
    view.page.wait_for_timeout(500)
    assert len(set(view.pixels())) > 30
    view.click(0.735, 0.31)
    assert view.root.locator("circle.rf-ring").count() == 1
    view.shot("reload")
    assert view.pg.run() == "execution_success"  # taken from the cache, or the changed part of it
    assert len(set(view.pixels())) > 30
