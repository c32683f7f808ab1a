"""Writes workflows/*.json: each graph of `specs` is put together by ComfyUI's own page, so that it is what a person
would have saved. Run it after a node's inputs change, look at the pictures, and commit what it wrote.

    python -m tools.workflows.build [NAME ...] [--pictures DIR]

writes the graphs, runs each one (with the tiny random models of the tests where a model is needed), and saves a thumbnail
beside it. Screenshots go into DIR (default out/graphs).
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image, ImageChops

from tests.helpers import rig
from tests.helpers.page import Page, open_page
from tests.helpers.paths import REPO
from tools.workflows.covers import graph_thumbnail, thumbnail
from tools.workflows.graph import GAP, NOTE_WIDTH, TINT, Node, Workflow
from tools.workflows.specs import WORKFLOWS

RUN_S = 900
"""A run may take this long: the machine may be a slow one, the photo a large one."""
BUILD = """async (spec) => {
  const app = window.app, graph = app.graph, made = {};
  graph.clear();
  for (const [key, n] of Object.entries(spec.nodes)) {
    const node = window.LiteGraph.createNode(n.type);
    if (!node) throw new Error('no node type ' + n.type);
    graph.add(node);
    made[key] = node;
    if (n.title) node.title = n.title;
    if (n.type.startsWith('Refocus')) Object.assign(node, spec.tint);
    if (n.off) node.mode = 4;   // bypassed
    if (n.models.length) node.properties.models = n.models;
    for (const [name, value] of Object.entries(n.inputs)) {
      if (Array.isArray(value)) continue;
      const widget = node.widgets.find(w => w.name === name);
      if (!widget) throw new Error(n.type + ' has no widget ' + name);
      widget.value = value;
      widget.callback?.(value);
    }
  }
  await new Promise(r => setTimeout(r, 400));
  for (const [key, n] of Object.entries(spec.nodes))
    for (const [name, value] of Object.entries(n.inputs)) {
      if (!Array.isArray(value)) continue;
      const slot = made[key].findInputSlot(name);
      if (slot < 0) throw new Error(n.type + ' has no input ' + name);
      if (!made[value[0]].connect(value[1], made[key], slot)) throw new Error('cannot connect ' + n.type + '.' + name);
    }
  let x = 0;
  for (const column of spec.columns) {
    let y = 0, widest = 0;
    for (const key of column) {
      const n = spec.nodes[key], node = made[key], own = node.computeSize();
      node.setSize([n.width || Math.max(own[0], 300), Math.max(own[1], n.height)]);
      node.pos = [x, y];
      y += (n.collapsed ? 0 : node.size[1]) + 30 + spec.gap;   // 30: the title bar
      if (n.collapsed) node.collapse();
      widest = Math.max(widest, node.size[0]);
    }
    x += widest + spec.gap;
  }
  graph.setDirtyCanvas(true, true);
}"""
"""Runs in the page: makes the nodes, sets their widgets, connects them, and lays them out in columns."""


NAMED = """() => Object.fromEntries(window.app.graph.nodes.map(n => [n.id, Object.fromEntries(
  (n.widgets ?? []).filter(w => w.serialize !== false).map(w => [w.name, w.value]))]))"""
"""Runs in the page: node -> widget -> value, which newer pages save beside the values by position and prefer to them."""


def build(page: Page, workflow: Workflow) -> dict[str, Any]:
    """Put the graph together in the page and take what the page would save."""
    nodes = {"note": Node("MarkdownNote", {"": workflow.note}, title="Read me", width=NOTE_WIDTH, height=210), **workflow.nodes}
    spec = {
        "nodes": {
            k: {
                "type": n.type,
                "title": n.title,
                "inputs": n.inputs,
                "width": n.width,
                "height": n.height,
                "models": list(n.models),
                "off": n.off,
                "collapsed": n.collapsed,
            }
            for k, n in nodes.items()
        },
        "columns": workflow.columns,
        "gap": GAP,
        "tint": TINT,
    }
    note = spec["nodes"]["note"]
    note["inputs"] = {}
    page.page.evaluate(BUILD, spec)
    page.page.evaluate(
        "text => { window.app.graph.nodes.find(n => n.type === 'MarkdownNote').widgets[0].value = text; }", workflow.note
    )
    page.fit()
    saved = page.page.evaluate("async () => (await window.app.graphToPrompt()).workflow")
    del saved["id"]  # each opening gets one of its own, so that it does not show what an earlier one had run
    for group in ("nodes", "links"):
        saved[group].sort(key=lambda item: item["id"] if isinstance(item, dict) else item[0])
    for node in saved["nodes"]:
        node["pos"], node["size"] = ([round(v) for v in node[k]] for k in ("pos", "size"))
    saved.get("extra", {}).pop("ds", None)  # the page shows a template as a whole, whatever view was saved
    named = page.page.evaluate(NAMED)
    for node in saved["nodes"]:
        if "widgets_values" in node:
            node["widgets_values_named"] = named[str(node["id"])]
    return saved


def set_values(page: Page, workflow: Workflow, changed: dict[str, dict[str, Any]]) -> None:
    """Change widgets in the open graph (after it was saved), for example to what can run here."""
    for key, values in changed.items():
        title = workflow.nodes[key].title or None
        kind = workflow.nodes[key].type
        page.page.evaluate(
            """([type, title, values]) => {
              const node = window.app.graph.nodes.find(n => n.type === type && (!title || n.title === title));
              for (const [name, value] of Object.entries(values)) node.widgets.find(w => w.name === name).value = value;
            }""",
            [kind, title, values],
        )


def shoot(page: Page, out: Path) -> None:
    """A screenshot of the whole graph, without the page around it."""
    page.page.keyboard.press("Escape")
    page.page.evaluate("() => window.app.extensionManager.setting.set('Comfy.Minimap.Visible', false)")
    page.fit()
    picture = Image.open(io.BytesIO(page.page.screenshot())).convert("RGB")
    picture = picture.crop((70, 130, picture.width - 20, picture.height - 90))
    drawn = ImageChops.difference(picture, Image.new("RGB", picture.size, picture.getpixel((2, 2)))).convert("L")
    box = drawn.point(lambda v: 255 * (v > 24)).getbbox() or (0, 0, *picture.size)
    picture.crop((max(box[0] - 24, 0), max(box[1] - 24, 0), box[2] + 24, box[3] + 24)).save(out)


def run(server: rig.Server, workflow: Workflow, saved: dict[str, Any], picture: Path) -> None:
    """Run the graph as a person would who opens the file; its screenshot into `picture`, its result into the thumbnail."""
    with open_page(server, 2720, 1530) as page:
        page.load(saved)
        set_values(page, workflow, workflow.test_values | workflow.thumbnail_values)
        end = page.run(RUN_S)
        print(f"{workflow.name}: {end}", *page.problems, sep="\n")
        if end == "execution_error":
            print(server.log_text()[-3000:])
        page.page.wait_for_timeout(6000)  # the "Job completed" message goes
        shoot(page, picture)
    if end == "execution_success" and not workflow.graph_thumbnail:
        thumbnail(workflow, server).save(REPO / "workflows" / f"{workflow.name}.jpg", quality=85, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="workflows to write (default: all)")
    parser.add_argument("--pictures", type=Path, default=REPO / "out" / "graphs")
    parser.add_argument("--dry", action="store_true", help="write the graphs and the thumbnails that show graphs; run nothing")
    args = parser.parse_args()
    comfy = rig.comfy_dir()
    if comfy is None:
        sys.exit("No ComfyUI: run scripts/setup.sh tests, or set REFOCUS_COMFYUI.")
    args.pictures.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as base, rig.prepared_server(Path(base), comfy) as server:
        for workflow in WORKFLOWS:
            if args.names and workflow.name not in args.names:
                continue
            path = REPO / "workflows" / f"{workflow.name}.json"
            picture = args.pictures / f"{workflow.name}.png"
            # A fresh page for each: the page remembers widget values by node number, and would give them to the next graph.
            with open_page(server, 2720, 1530) as page:
                saved = build(page, workflow)
                path.write_text(json.dumps(saved, indent=1, ensure_ascii=False) + "\n")
                shoot(page, picture)
            if workflow.graph_thumbnail:
                graph_thumbnail(picture).save(path.with_suffix(".jpg"), quality=88, optimize=True)
            if not args.dry:
                run(server, workflow, saved, picture)


if __name__ == "__main__":
    main()
