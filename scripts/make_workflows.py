"""Writes workflows/*.json: each graph is described here and put together by ComfyUI's own page, so that it is what a person
would have saved. Run it after a node's inputs change, look at the pictures, and commit what it wrote.

    .venv/bin/python scripts/make_workflows.py [NAME ...] [--pictures DIR]

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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageChops, ImageDraw, ImageFont, ImageSequence

REPO = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPO), str(REPO / "scripts")]

from refocus_core import bokeh, color  # noqa: E402
from refocus_core.types import DefocusMap  # noqa: E402
from tests.helpers import rig  # noqa: E402
from tests.helpers.page import Page, open_page  # noqa: E402

GAP = 60
"""Space between nodes, in graph pixels."""
THUMBNAIL = (480, 320)
TINT = {"color": "#2a363b", "bgcolor": "#3f5159"}
"""Of our nodes among core's: the page's own "pale blue"."""


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
    card: str = ""
    """Words for a drawn thumbnail, where no picture can be had here: a generated one."""
    thumbnail_values: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Key -> widget values of a second run, only for the thumbnail: the pack's own depth in place of a model that is not here."""
    before: str = ""
    """Key of a Load Image node: the thumbnail shows its picture on the left half, the result on the right."""
    show: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    """Part of the picture for the thumbnail: left, top, right, bottom in 0..1."""
    exact: bool = True
    """Whether the tests can compute the result themselves: not where a sampler of ComfyUI takes part in it."""
    test_values: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Key -> widget values with which it is run here and in the tests, where the shipped ones need a real model."""
    halved: bool = False
    """Whether the tests, to be quick, run it on pictures of half the size."""


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


def newest(server: rig.Server) -> list[Image.Image]:
    """The picture or the frames of the clip that was saved last."""
    file = max((p for p in (server.base / "output").iterdir() if p.suffix in (".png", ".webp")), key=lambda p: p.stat().st_mtime)
    return [frame.convert("RGB") for frame in ImageSequence.Iterator(Image.open(file))]


def fitted(picture: Image.Image) -> Image.Image:
    """A picture, cut to the thumbnails' shape."""
    w, h = THUMBNAIL
    scale = max(w / picture.width, h / picture.height)
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


def card(words: str) -> Image.Image:
    """Lights out of focus, drawn by the renderer itself, and words over them."""
    w, h = THUMBNAIL
    rng = np.random.default_rng(len(words))
    lights = torch.full((1, 3, h, w), 0.004)
    for _ in range(70):
        x, y = rng.integers(0, w), rng.integers(0, h)
        tint = torch.tensor(rng.choice([[1, 0.5, 0.15], [1, 0.8, 0.5], [0.3, 0.5, 1], [0.9, 0.2, 0.4]]), dtype=torch.float32)
        lights[0, :, y, x] += tint * float(rng.uniform(40, 240))
    blades = bokeh.make_kernel("polygon", blades=6, curvature=0.4)
    blurred = bokeh.render(lights, DefocusMap.from_radius(torch.full((1, h, w), 22.0)), blades)
    pixels = (color.linear_to_srgb(blurred).clamp(0, 1)[0].movedim(0, -1) * 255).round().to(torch.uint8).numpy()
    picture = Image.fromarray(pixels)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(40)
    draw.multiline_text((w / 2, h / 2), words, "white", font, "mm", 14, "center", stroke_width=3, stroke_fill=(10, 10, 20))
    return picture


def thumbnail(workflow: Workflow, server: rig.Server) -> Image.Image:
    """A card; else the result; half the photo and half the result; the first and the last frame of a clip."""
    if workflow.card:
        return card(workflow.card)
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
