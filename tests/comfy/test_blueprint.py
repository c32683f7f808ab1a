"""The subgraph blueprint: found in the page's node search, inserted, run in the real server, compared with the core."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.helpers import paths, rig, twin

if TYPE_CHECKING:
    from tests.helpers.page import Page

FILE = paths.REPO / "subgraphs" / "Refocus.json"
CONNECT = """() => {
  const graph = window.app.graph, node = graph.nodes[0], make = type => {
    const made = window.LiteGraph.createNode(type);
    graph.add(made);
    return made;
  };
  const set = (of, name, value) => { of.widgets.find(w => w.name === name).value = value; };
  const photo = make('LoadImage'), depth = make('LoadImage'), save = make('SaveImage');
  set(photo, 'image', 'motorcycle.png');
  set(depth, 'image', 'motorcycle_near_bright.png');
  photo.connect(0, node, node.findInputSlot('image'));
  depth.connect(0, node, node.findInputSlot('depth_image'));
  node.connect(0, save, 0);
  const values = {focus: 'point', x: 0.735, y: 0.31, percent: 1.3, aperture: 'heart', quality: 'draft'};
  for (const [name, value] of Object.entries(values)) set(node, name, value);
}"""


def test_it_is_one_node_that_holds_all_of_ours_and_nothing_else() -> None:
    saved = json.loads(FILE.read_text())
    (node,), (subgraph,) = saved["nodes"], saved["definitions"]["subgraphs"]
    assert node["type"] == subgraph["id"] and saved["links"] == []
    inside = [n["type"] for n in subgraph["nodes"]]
    assert sorted(inside) == sorted({*inside}) and set(inside) <= set(rig.NODE_IDS)
    assert {"RefocusAllInFocus", "RefocusDepthEstimate", "RefocusDefocusMap", "RefocusBokehKernel", "RefocusReblur"} <= set(
        inside
    )


@pytest.mark.timeout(300)
def test_inserted_from_the_search_it_gives_what_the_core_gives(comfy_server: rig.Server, comfy_page: Page) -> None:
    page = comfy_page.page
    page.keyboard.press("Escape")
    page.evaluate("() => window.app.graph.clear()")
    page.evaluate("() => window.app.extensionManager.command.execute('Workspace.SearchBox.Toggle')")
    page.wait_for_timeout(800)
    page.keyboard.type("refocus", delay=20)
    page.get_by_text("Subgraph Blueprints / Refocus").first.wait_for()
    page.keyboard.press("Enter")
    page.wait_for_function("() => window.app.graph.nodes.length === 1")
    page.mouse.click(500, 500)  # puts it down
    page.evaluate(CONNECT)
    graph = comfy_page.api()
    ours = {k: n for k, n in graph.items() if n["class_type"] in rig.NODE_IDS}
    assert len(ours) == 5
    (reblur,) = [k for k, n in ours.items() if n["class_type"] == "RefocusReblur"]
    (focus,) = [n["inputs"] for n in ours.values() if n["class_type"] == "RefocusDefocusMap"]
    assert "focus_mask" not in focus and (focus["focus"], focus["x"], focus["percent"]) == ("point", 0.735, 1.3)

    run = comfy_server.run(twin.probed(graph, (reblur, 0)))
    assert run.end == "execution_success", run.error
    expected = twin.Twin(comfy_server, graph).value([reblur, 0])
    exact = twin.read_probe(comfy_server, reblur).movedim(-1, 1)
    assert float((exact - expected).abs().max()) <= 1e-4
    assert comfy_page.problems == []
