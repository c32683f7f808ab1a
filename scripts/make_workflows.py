"""Writes workflows/*.json: each graph is described here and put together by ComfyUI's own page, so that it is what a person
would have saved. Run it after a node's inputs change, look at the pictures, and commit what it wrote.

    .venv/bin/python scripts/make_workflows.py [NAME ...] [--pictures DIR]

writes the graphs, runs each one (with the tiny random models of the tests where a model is needed), and saves a thumbnail
beside it: the result where it is a real picture, else the graph itself. Screenshots go into DIR (default out/graphs).
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import tempfile
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image, ImageChops, ImageSequence

REPO = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPO / "tests" / "comfy"))

import rig  # noqa: E402
from page import Page, open_page  # noqa: E402

GAP = 60
"""Space between nodes, in graph pixels."""
THUMBNAIL = (480, 320)


@dataclass
class Node:
    """One node. `inputs`: name -> (key, output index) for a link, else a widget's value."""

    type: str
    inputs: dict[str, Any] = field(default_factory=dict)
    title: str = ""
    width: int = 0
    height: int = 0
    """0: as high as its widgets; more leaves room for the picture that it shows after a run."""
    models: tuple[dict[str, str], ...] = ()
    """What ComfyUI offers to download when the file is missing: name, url, directory."""


@dataclass
class Workflow:
    """`columns`: from left to right, the keys of the nodes from top to bottom. `name` is the file's, which the template browser
    shows as the title."""

    name: str
    note: str
    nodes: dict[str, Node]
    columns: list[list[str]]
    result: str
    """Key of the node that saves the result; its picture becomes the thumbnail."""
    real: bool = True
    """Whether the result is a real picture here: not where random weights stand in for a model."""
    before: str = ""
    """Key of a Load Image node: the thumbnail shows its picture on the left half, the result on the right."""
    show: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    """Part of the picture for the thumbnail: left, top, right, bottom in 0..1."""
    test_values: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Key -> widget values with which it is run here and in the tests, where the shipped ones need a real model."""


BUILD = """async (spec) => {
  const app = window.app, graph = app.graph, made = {};
  graph.clear();
  for (const [key, n] of Object.entries(spec.nodes)) {
    const node = window.LiteGraph.createNode(n.type);
    if (!node) throw new Error('no node type ' + n.type);
    graph.add(node);
    made[key] = node;
    if (n.title) node.title = n.title;
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


def set_test_values(page: Page, workflow: Workflow) -> None:
    """Change widgets in the open graph (after it was saved) to what can run here."""
    for key, values in workflow.test_values.items():
        title = workflow.nodes[key].title or None
        kind = workflow.nodes[key].type
        page.page.evaluate(
            """([type, title, values]) => {
              const node = window.app.graph.nodes.find(n => n.type === type && (!title || n.title === title));
              for (const [name, value] of Object.entries(values)) node.widgets.find(w => w.name === name).value = value;
            }""",
            [kind, title, values],
        )


def newest(server: rig.Server) -> list[Image.Image]:
    """The picture or the frames of the clip that was saved last."""
    file = max((p for p in (server.base / "output").iterdir() if p.suffix in (".png", ".webp")), key=lambda p: p.stat().st_mtime)
    return [frame.convert("RGB") for frame in ImageSequence.Iterator(Image.open(file))]


def fitted(picture: Image.Image, whole: bool = False) -> Image.Image:
    """A picture, cut to the thumbnails' shape, or `whole` within it."""
    w, h = THUMBNAIL
    scale = (min if whole else max)(w / picture.width, h / picture.height)
    picture = picture.resize((round(picture.width * scale), round(picture.height * scale)), Image.Resampling.LANCZOS)
    left, top = (picture.width - w) // 2, (picture.height - h) // 2
    return picture.crop((left, top, left + w, top + h))


def part(picture: Image.Image, show: tuple[float, float, float, float]) -> Image.Image:
    """What lies between the shares left, top, right, bottom."""
    w, h = picture.size
    return picture.crop((round(show[0] * w), round(show[1] * h), round(show[2] * w), round(show[3] * h)))


def side_by_side(before: Image.Image, after: Image.Image) -> Image.Image:
    """The left half of one picture and the right half of the other, with a white line between them."""
    picture, other, (w, h) = fitted(before), fitted(after), THUMBNAIL
    picture.paste(other.crop((w // 2, 0, w, h)), (w // 2, 0))
    picture.paste((255, 255, 255), (w // 2 - 1, 0, w // 2 + 1, h))
    return picture


def thumbnail(workflow: Workflow, server: rig.Server, graph: Path) -> Image.Image:
    """The result; half the photo and half the result; the first and the last frame of a clip. Random weights make no picture
    worth showing: then the screenshot of the graph."""
    if not workflow.real:
        return fitted(Image.open(graph).convert("RGB"), whole=True)
    frames = [part(frame, workflow.show) for frame in newest(server)]
    if len(frames) > 1:
        return side_by_side(frames[0], frames[-1])
    if workflow.before:
        file = server.base / "input" / workflow.nodes[workflow.before].inputs["image"]
        return side_by_side(part(Image.open(file).convert("RGB"), workflow.show), frames[0])
    return fitted(frames[0])


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
    from workflow_specs import WORKFLOWS

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
                shown = args.pictures / f"{workflow.name}_before.png"
                shoot(page, shown)
                set_test_values(page, workflow)
                end = "not run" if args.dry else page.run()
                print(f"{workflow.name}: {end}", *page.problems, sep="\n")
                if end == "execution_error":
                    print(server.log_text()[-3000:])
                shoot(page, args.pictures / f"{workflow.name}.png")
            if end == "execution_success":
                thumbnail(workflow, server, shown).save(path.with_suffix(".jpg"), quality=85, optimize=True)


if __name__ == "__main__":
    main()
