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
import uuid
from pathlib import Path
from typing import Any

from PIL import Image, ImageChops

from tests.helpers import rig
from tests.helpers.page import Page, open_page
from tests.helpers.paths import REPO
from tools.workflows.cards import thumbnail
from tools.workflows.graph import GAP, TINT, Node, Workflow
from tools.workflows.specs import WORKFLOWS

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
      y += node.size[1] + 30 + spec.gap;   // 30: the title bar
      widest = Math.max(widest, node.size[0]);
    }
    x += widest + spec.gap;
  }
  graph.setDirtyCanvas(true, true);
}"""
"""Runs in the page: makes the nodes, sets their widgets, connects them, and lays them out in columns."""


def build(page: Page, workflow: Workflow) -> dict[str, Any]:
    """Put the graph together in the page and take what the page would save."""
    nodes = {"note": Node("MarkdownNote", {"": workflow.note}, title="Read me", width=360, height=330), **workflow.nodes}
    spec = {
        "nodes": {
            k: {
                "type": n.type,
                "title": n.title,
                "inputs": n.inputs,
                "width": n.width,
                "height": n.height,
                "models": list(n.models),
            }
            for k, n in nodes.items()
        },
        "columns": [["note", *workflow.columns[0]], *workflow.columns[1:]],
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
    saved["id"] = str(uuid.uuid5(uuid.NAMESPACE_URL, f"refocus/{workflow.name}"))  # the same every time
    for group in ("nodes", "links"):
        saved[group].sort(key=lambda item: item["id"] if isinstance(item, dict) else item[0])
    for node in saved["nodes"]:
        node["pos"], node["size"] = ([round(v) for v in node[k]] for k in ("pos", "size"))
    ds = saved.get("extra", {}).get("ds")
    if ds:
        ds["scale"], ds["offset"] = round(ds["scale"], 3), [round(v) for v in ds["offset"]]
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
    page.page.wait_for_timeout(6000)  # the "Job completed" message goes
    picture = Image.open(io.BytesIO(page.page.screenshot())).convert("RGB")
    picture = picture.crop((70, 130, picture.width - 20, picture.height - 90))
    drawn = ImageChops.difference(picture, Image.new("RGB", picture.size, picture.getpixel((2, 2)))).convert("L")
    box = drawn.point(lambda v: 255 * (v > 24)).getbbox() or (0, 0, *picture.size)
    picture.crop((max(box[0] - 24, 0), max(box[1] - 24, 0), box[2] + 24, box[3] + 24)).save(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="workflows to write (default: all)")
    parser.add_argument("--pictures", type=Path, default=REPO / "out" / "graphs")
    parser.add_argument("--dry", action="store_true", help="only build and take screenshots")
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
            # A fresh page for each: the page remembers widget values by node number, and would give them to the next graph.
            with open_page(server, 1920, 1080) as page:
                saved = build(page, workflow)
            path.write_text(json.dumps(saved, indent=1, ensure_ascii=False) + "\n")
            with open_page(server, 2720, 1530) as page:
                page.load(saved)
                set_values(page, workflow, workflow.test_values)
                end = "not run" if args.dry else page.run()
                print(f"{workflow.name}: {end}", *page.problems, sep="\n")
                if end == "execution_error":
                    print(server.log_text()[-3000:])
                shoot(page, args.pictures / f"{workflow.name}.png")
                if end == "execution_success" and workflow.thumbnail_values:
                    set_values(page, workflow, workflow.thumbnail_values)
                    end = page.run()
                    print(f"{workflow.name}, for the thumbnail: {end}")
            if end == "execution_success":
                thumbnail(workflow, server).save(path.with_suffix(".jpg"), quality=85, optimize=True)


if __name__ == "__main__":
    main()
