"""Writes subgraphs/Refocus.json: the five nodes behind one, as ComfyUI's own page makes and saves a subgraph. The page offers it
under Subgraph Blueprints and in its node search. Run it after an input changes that the blueprint shows.

    python -m tools.blueprint
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import uuid
from pathlib import Path
from typing import Any

from tests.helpers import rig
from tests.helpers.page import open_page
from tests.helpers.paths import REPO
from tools.workflows.build import BUILD
from tools.workflows.graph import GAP, TINT, Node

NAME = "Refocus"
"""Of the blueprint and its file."""
DESCRIPTION = (
    "Refocus a photo in one node: depth, defocus map, all-in-focus, aperture and reblur. Open it to reach everything else."
)
"""What the page says of it."""
ALIASES = ["refocus", "lens blur", "depth of field", "bokeh", "portrait mode", "tilt-shift", "background blur"]
"""Words by which the node search finds it."""

NODES = {
    "photo": Node("LoadImage"),
    "picture": Node("LoadImage"),
    "shape": Node("LoadImage"),
    "sharp": Node("RefocusAllInFocus", {"image": ["photo", 0], "method": "none"}, width=340, height=420),
    "depth": Node("RefocusDepthEstimate", {"image": ["sharp", 0], "depth_image": ["picture", 0]}, width=340, height=640),
    "defocus": Node(
        "RefocusDefocusMap", {"image": ["sharp", 0], "depth": ["depth", 0], "focus_mask": ["photo", 1]}, width=340, height=760
    ),
    "kernel": Node("RefocusBokehKernel", {"aperture_image": ["shape", 0]}, width=340, height=560),
    "reblur": Node(
        "RefocusReblur", {"image": ["sharp", 0], "defocus": ["defocus", 0], "kernel": ["kernel", 0]}, width=340, height=480
    ),
    "result": Node("SaveImage", {"images": ["reblur", 0]}),
    "mask": Node("MaskPreview", {"mask": ["reblur", 1]}),
}
"""The graph that becomes one node, with what its outer sockets come from and lead to."""
INSIDE = ("sharp", "depth", "defocus", "kernel", "reblur")
"""Keys of the nodes that go into it."""
COLUMNS = [["photo", "picture", "shape"], ["sharp"], ["depth"], ["defocus"], ["kernel"], ["reblur"], ["result", "mask"]]
"""From left to right, the keys of the nodes from top to bottom."""
SHOWN = (
    ("sharp", "method", "all_in_focus"),
    ("depth", "model", "depth_model"),
    ("depth", "allow_download", "allow_download"),
    ("defocus", "focus", "focus"),
    ("defocus", "x", "x"),
    ("defocus", "y", "y"),
    ("defocus", "strength", "strength"),
    ("defocus", "percent", "percent"),
    ("defocus", "f_number", "f_number"),
    ("defocus", "focal_mm", "focal_mm"),
    ("defocus", "focus_range", "focus_range"),
    ("kernel", "shape", "aperture"),
    ("reblur", "quality", "quality"),
    ("reblur", "highlight_boost", "highlight_boost"),
)
"""What the one node shows: node inside, its widget, the name outside."""
OUTSIDE = {
    "image": ("sharp", "image"),
    "depth_image": ("depth", "depth_image"),
    "focus_mask": ("defocus", "focus_mask"),
    "aperture_image": ("kernel", "aperture_image"),
}
"""Name of an input of the one node -> where it goes inside."""

CONVERT = """([name, inside, shown, outside, tint]) => {
  const graph = window.app.graph, canvas = window.app.canvas;
  const ours = Object.fromEntries(Object.entries(inside).map(([key, type]) => [key, graph.nodes.find(n => n.type === type)]));
  const others = graph.nodes.filter(n => !Object.values(ours).includes(n));
  const {subgraph, node} = graph.convertToSubgraph(new Set(Object.values(ours)));
  const within = key => subgraph.nodes.find(n => n.type === inside[key]);
  for (const [label, [key, input]] of Object.entries(outside)) {
    const slot = within(key).inputs.find(i => i.name === input);
    const entry = subgraph.inputs.find(i => i.linkIds.includes(slot.link));
    if (!entry) throw new Error('nothing leads to ' + input);
    subgraph.renameInput(entry, label);
  }
  for (const [key, widget, label] of shown) {
    const target = within(key), slot = target.inputs.find(i => i.widget?.name === widget);
    if (!slot) throw new Error(target.type + ' has no widget ' + widget);
    subgraph.addInput(label, slot.type).connect(slot, target);
  }
  for (const n of others) graph.remove(n);
  subgraph.name = name;
  node.title = name;
  Object.assign(node, tint);
  node.setSize(node.computeSize());
  const {nodes, subgraphs} = canvas._serializeItems([node]);
  return JSON.stringify({nodes, subgraphs});  // drops what is undefined
}"""
"""Runs in the page: makes the subgraph, names its sockets, shows widgets outside, and gives what the page would save."""


def build(page: Any) -> dict[str, Any]:
    """The blueprint, as the page would save it."""
    spec = {
        "nodes": {k: {**vars(n), "models": []} for k, n in NODES.items()},
        "columns": COLUMNS,
        "gap": GAP,
        "tint": TINT,
    }
    page.evaluate(BUILD, spec)
    made = json.loads(page.evaluate(CONVERT, [NAME, {k: NODES[k].type for k in INSIDE}, SHOWN, OUTSIDE, TINT]))
    (node,), (subgraph,) = made["nodes"], made["subgraphs"]
    subgraph["description"], subgraph["category"] = DESCRIPTION, "Refocus"
    node["pos"], node["id"] = [0, 0], 1
    saved = {
        "revision": 0,
        "last_node_id": 1,
        "last_link_id": 0,
        "nodes": [node],
        "links": [],
        "version": 0.4,
        "definitions": {"subgraphs": [subgraph]},
        "extra": {"BlueprintDescription": DESCRIPTION, "BlueprintSearchAliases": ALIASES},
    }
    return stable(saved)


def stable(saved: dict[str, Any]) -> dict[str, Any]:
    """The same ids every time: the page draws random ones."""
    text = json.dumps(saved, ensure_ascii=False)
    drawn = dict.fromkeys(re.findall(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", text))
    for k, found in enumerate(drawn):
        text = text.replace(found, str(uuid.uuid5(uuid.NAMESPACE_URL, f"refocus/blueprint/{k}")))
    return json.loads(text)


def main() -> None:
    comfy = rig.comfy_dir()
    if comfy is None:
        sys.exit("No ComfyUI: run scripts/setup.sh tests, or set REFOCUS_COMFYUI.")
    with tempfile.TemporaryDirectory() as base:
        server = rig.Server(Path(base), comfy, links={rig.PACK: REPO})
        try:
            rig.fill_inputs(Path(base) / "input")
            server.wait()
            with open_page(server, 1920, 1080) as page:
                saved = build(page.page)
        finally:
            server.stop()
    path = REPO / "subgraphs" / f"{NAME}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(saved, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
