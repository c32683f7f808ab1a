"""Only the inputs that count are shown: in real pages of several versions of the front end, classic and Nodes 2.0."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from refocus_core import options
from tests.helpers import rig
from tests.helpers.page import Page
from tests.helpers.ui import OUT, workflow

WITH = [("own", False), ("own", True), ("1.58.1", True)]
"""Front end (own: the one that this ComfyUI requires) and whether nodes are Vue components."""
if os.environ.get("REFOCUS_ALL_FRONTENDS"):
    WITH += [("1.58.1", False), ("1.27.10", False)]
MOST_SHOWN = 8
"""Widgets that a node shows as it is placed."""
FOCUS, DEPTH = "RefocusDefocusMap", "RefocusDepthEstimate"


class Graph:
    """An open graph of a page: its nodes by type, the first of it."""

    def __init__(self, page: Page, vue: bool, tag: str) -> None:
        self.pg, self.page, self.vue, self.tag = page, page.page, vue, tag

    def ask(self, what: str, kind: str, *rest: Any) -> Any:
        """`what`, with the node as n and further values as r; its widgets by name as w(name)."""
        script = f"""([kind, r]) => {{
          const n = app.canvas.graph.nodes.find(n => n.type === kind), w = name => n.widgets.find(w => w.name === name);
          {what} }}"""
        found = self.page.evaluate(script, [kind, list(rest)])
        # The page looks at nodes once for every picture that it draws, which a busy machine makes rare.
        for _ in range(3):
            self.page.evaluate("() => new Promise(requestAnimationFrame)")
        self.page.wait_for_timeout(300)
        return found

    def make(self, *kinds: str) -> None:
        """A graph of these nodes only."""
        self.page.evaluate(
            """async kinds => {
              // Nodes 2.0 remembers values by graph and node; another graph begins anew.
              await app.loadGraphData({id: crypto.randomUUID(), version: 0.4, nodes: [], links: []}, true, true, null);
              let x = 0;
              for (const kind of kinds) { const n = LiteGraph.createNode(kind); n.pos = [x, 60]; app.graph.add(n);
                x += Math.max(n.size[0], 300) + 60; } }""",
            list(kinds),
        )
        self.page.wait_for_timeout(600)

    def choose(self, kind: str, **values: Any) -> None:
        """Set widgets as a person does, as one step for undo."""
        self.ask(
            """app.canvas.emitBeforeChange();
            for (const [k, v] of Object.entries(r[0])) { w(k).value = v; w(k).callback?.(v, app.canvas, n); }
            app.canvas.emitAfterChange();""",
            kind,
            values,
        )

    def shown(self, kind: str) -> list[str]:
        """Names of the widgets that the page draws for a node, from top to bottom."""
        if not self.vue:
            return self.ask(
                "return n.widgets.filter(w => n.isWidgetVisible(w) && w.name !== 'refocus_view').map(w => w.name)", kind
            )
        self.page.wait_for_function(  # the page loads the parts of a widget when it first needs them
            """kind => { const n = app.canvas.graph.nodes.find(n => n.type === kind);
              const rows = [...document.querySelectorAll(`[data-node-id="${n.id}"] [data-testid="node-widget"]`)];
              return rows.length > 0 && rows.every(
                e => e.querySelector('[data-testid="widget-layout-field-label"], .rf-view, button')); }""",
            arg=kind,
        )
        return self.ask(
            """return [...document.querySelectorAll(`[data-node-id="${n.id}"] [data-testid="node-widget"]`)]
              .map(e => e.querySelector('[data-testid="widget-layout-field-label"]')?.textContent).filter(Boolean)""",
            kind,
        )

    def height(self, kind: str) -> float:
        return self.ask("return n.size[1]", kind)

    def shot(self, name: str) -> None:
        """A screenshot for people."""
        OUT.mkdir(parents=True, exist_ok=True)
        self.pg.fit()
        self.page.screenshot(path=str(OUT / f"inputs_{name}_{self.tag}.png"))


@pytest.fixture(scope="module", params=WITH, ids=lambda p: f"{p[0]}-{'vue' if p[1] else 'classic'}")
def graph(request: pytest.FixtureRequest, ui_page: Callable[[str], Page]) -> Iterator[Graph]:
    version, vue = request.param
    page = ui_page(version)
    page.vue(vue)
    yield Graph(page, vue, f"{version}-{'vue' if vue else 'classic'}")
    page.vue(False)
    assert page.problems == []


def test_a_node_shows_eight_inputs_at_most_as_it_is_placed(graph: Graph) -> None:
    graph.make(*rig.NODE_IDS)
    for kind in rig.NODE_IDS:
        assert 0 < len(graph.shown(kind)) <= MOST_SHOWN, kind
    folded = () if graph.vue else ("near_gain", "far_gain")  # the classic canvas folds nothing
    assert graph.shown(FOCUS)[: 4 + len(folded)] == ["focus", "strength", "percent", *folded, "focus_range"]
    graph.shot("placed")


def test_every_case_names_inputs_of_the_node(graph: Graph) -> None:
    graph.make(*rig.NODE_IDS)
    for node, given in options.NODES.items():
        names = set(graph.ask("return n.inputs.map(i => i.name).concat(n.widgets.map(w => w.name))", node))
        for option in given:
            for case in option.when:
                assert set(case) <= names, f"{node}.{option.name}"


def test_a_mode_brings_its_inputs_and_takes_those_of_others_away(graph: Graph) -> None:
    graph.make(FOCUS)
    first, height = graph.shown(FOCUS), graph.height(FOCUS)
    graph.choose(FOCUS, strength="camera", focus="point")
    assert {"x", "y", "f_number", "focal_mm", "sensor"} <= set(graph.shown(FOCUS))
    assert not {"percent", "sensor_mm", "x2", "distance_m"} & set(graph.shown(FOCUS))
    assert graph.height(FOCUS) > height
    graph.choose(FOCUS, sensor=options.defocus.OTHER_SENSOR)
    assert "sensor_mm" in graph.shown(FOCUS)
    graph.choose(FOCUS, strength="percent of long edge", focus="auto")
    assert graph.shown(FOCUS) == first
    assert graph.height(FOCUS) == height
    graph.ask("w('focus').value = 'distance'", FOCUS)  # as another extension would, without a word
    assert "distance_m" in graph.shown(FOCUS)


def test_what_is_hidden_keeps_its_value_and_its_place(graph: Graph) -> None:
    graph.make(FOCUS)
    graph.choose(FOCUS, strength="camera", f_number=2.8, sensor_mm=24)
    graph.choose(FOCUS, strength="percent of long edge")
    assert "f_number" not in graph.shown(FOCUS)
    names = [o.name for o in options.defocus.OPTIONS]
    saved = graph.ask("return n.serialize().widgets_values", FOCUS)
    assert len(saved) == len(names)
    assert saved[names.index("f_number")] == 2.8 and saved[names.index("sensor_mm")] == 24
    (node,) = graph.pg.api().values()
    assert list(node["inputs"]) == names and node["inputs"]["f_number"] == 2.8


def test_undo_and_redo_bring_back_what_was_shown(graph: Graph) -> None:
    graph.make(FOCUS)
    graph.page.evaluate("() => app.extensionManager.workflow.activeWorkflow.changeTracker.checkState?.()")
    first, height = graph.shown(FOCUS), graph.height(FOCUS)
    graph.choose(FOCUS, strength="camera")
    chosen = graph.shown(FOCUS)
    assert chosen != first
    graph.page.keyboard.press("Control+z")
    assert graph.pg.until(lambda: (graph.shown(FOCUS), graph.height(FOCUS)) == (first, height))
    graph.page.keyboard.press("Control+y")
    assert graph.pg.until(lambda: graph.shown(FOCUS) == chosen)


def test_a_click_on_the_picture_moves_nothing_before_it_is_released(graph: Graph) -> None:
    graph.pg.load(workflow("Refocus a photo"))
    graph.choose(FOCUS, focus="auto")
    graph.page.evaluate(
        f"""() => {{ const n = app.graph.nodes.find(n => n.type === '{FOCUS}'), ds = app.canvas.ds; ds.scale = 0.8;
          ds.offset = [-n.pos[0] + 350, -n.pos[1] + 90]; app.canvas.setDirty(true, true); }}"""
    )
    graph.page.wait_for_timeout(600)
    stage = graph.page.locator('[data-refocus="focus"] .rf-stage').last
    box, height = stage.bounding_box(), graph.height(FOCUS)
    assert box
    graph.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    graph.page.mouse.down()
    graph.page.wait_for_timeout(300)
    assert stage.bounding_box() == box
    graph.page.mouse.up()
    graph.page.wait_for_timeout(300)
    assert {"x", "y"} <= set(graph.shown(FOCUS)) and graph.height(FOCUS) > height
    graph.page.keyboard.press("Control+z")
    assert graph.pg.until(lambda: "x" not in graph.shown(FOCUS) and graph.height(FOCUS) == height), (
        "one click is one step for undo"
    )


def test_a_copy_shows_what_its_original_shows_until_one_of_them_changes(graph: Graph) -> None:
    graph.make(FOCUS)
    graph.choose(FOCUS, strength="camera", focus="two points")
    shown = graph.shown(FOCUS)
    graph.ask(
        """const c = app.canvas; c.deselectAll?.(); c.selectNode(n); c.copyToClipboard([n]); c.pasteFromClipboard();""",
        FOCUS,
    )
    graph.choose(FOCUS, strength="percent of long edge", focus="auto")
    assert "percent" in graph.shown(FOCUS)
    graph.ask("app.graph.remove(n)", FOCUS)
    assert graph.shown(FOCUS) == shown and "x2" in shown


def test_a_saved_graph_opens_with_its_mode_and_the_height_it_was_saved_with(graph: Graph) -> None:
    graph.make(FOCUS)
    graph.choose(FOCUS, strength="camera", focus="distance")
    graph.ask("n.setSize([500, 900])", FOCUS)
    shown, saved = graph.shown(FOCUS), graph.page.evaluate("() => app.graph.serialize()")
    for node in saved["nodes"]:  # as front ends before named values saved it
        node.pop("widgets_values_named", None)
    graph.make(DEPTH)
    graph.pg.load(saved)
    assert graph.shown(FOCUS) == shown and {"f_number", "distance_m"} <= set(shown)
    assert graph.height(FOCUS) == pytest.approx(900, abs=2)
    assert graph.ask("return n.serialize().widgets_values", FOCUS) == saved["nodes"][0]["widgets_values"]


def test_a_link_decides_where_the_depth_comes_from(graph: Graph) -> None:
    graph.make("LoadImage", DEPTH)
    assert {"model", "allow_download"} <= set(graph.shown(DEPTH)) and "depth_kind" not in graph.shown(DEPTH)
    graph.ask("app.graph.nodes.find(n => n.type === 'LoadImage').connect(0, n, n.findInputSlot('depth_image'))", DEPTH)
    assert {"depth_kind", "depth_near", "metres_per_unit"} <= set(graph.shown(DEPTH)) and "model" not in graph.shown(DEPTH)
    graph.ask("app.graph.nodes.find(n => n.type === 'LoadImage').mode = 4", DEPTH)
    assert {"depth_kind", "model"} <= set(graph.shown(DEPTH)), "a bypassed node may bring nothing"
    graph.ask("n.disconnectInput(n.findInputSlot('depth_image'))", DEPTH)
    assert "depth_kind" not in graph.shown(DEPTH) and "model" in graph.shown(DEPTH)


def test_an_input_with_a_link_is_not_hidden(graph: Graph) -> None:
    """Newer front ends show it as a socket alone."""
    graph.make("PrimitiveFloat", FOCUS)
    hidden = "return w('f_number').options.hidden ?? false"
    assert graph.ask(hidden, FOCUS)
    graph.ask("app.graph.nodes.find(n => n.type === 'PrimitiveFloat').connect(0, n, n.findInputSlot('f_number'))", FOCUS)
    assert not graph.ask(hidden, FOCUS)
    graph.ask("n.disconnectInput(n.findInputSlot('f_number'))", FOCUS)
    assert graph.ask(hidden, FOCUS) and "f_number" not in graph.shown(FOCUS)


def test_in_a_subgraph_the_inputs_follow_the_mode_too(graph: Graph) -> None:
    graph.make("LoadImage", DEPTH, FOCUS)
    graph.ask("app.graph.nodes.find(n => n.type === 'LoadImage').connect(0, n, n.findInputSlot('depth_image'))", DEPTH)
    graph.choose(FOCUS, strength="camera")
    shown = graph.shown(FOCUS)
    if not graph.page.evaluate("() => typeof app.graph.convertToSubgraph === 'function'"):
        pytest.skip("this front end makes no subgraphs")
    graph.page.evaluate(
        f"""() => {{ const made = app.graph.convertToSubgraph(new Set(app.graph.nodes.filter(n => n.type !== 'LoadImage')));
          app.canvas.openSubgraph(made.subgraph ?? made.node.subgraph, made.node ?? made); return '{FOCUS}'; }}"""
    )
    graph.page.wait_for_timeout(900)
    assert graph.shown(FOCUS) == shown
    assert {"depth_kind", "model"} <= set(graph.shown(DEPTH)), "what is connected outside is not known inside"
    graph.choose(FOCUS, strength="percent of long edge")
    assert "percent" in graph.shown(FOCUS) and "f_number" not in graph.shown(FOCUS)
