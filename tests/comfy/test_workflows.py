"""Every shipped graph, opened in the real page, converted by it to API form, run in the real server, compared with the core."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
import pytest
import torch
from PIL import Image

from tests.helpers import paths, rig, twin
from tools.workflows.specs import WORKFLOWS

if TYPE_CHECKING:
    from tests.helpers.page import Page

FILES = sorted((paths.REPO / "workflows").glob("*.json"))
ONE_STEP = 1.5 / 255
"""SaveImage cuts to 8 bits, which is less than one step; the rest is room for rounding."""

NOTE_CHARACTERS = 66
"""So many fit in one line of a note, as wide as tools.workflows makes it."""
FIRST_SCALE = 0.7
"""The graph for beginners is shown at least this large in a window of 1920 × 1080."""
PICTURE_LOADERS = {"LoadImage", "RefocusLoadPhoto"}
"""Their first widget names a picture."""
MODEL_LOADERS = {"CheckpointLoaderSimple", "UNETLoader", "LoadDA3Model", "LoadMoGeModel"}
"""Their files are not part of the pack; ComfyUI offers the download."""


def needs_models(path: Path) -> bool:
    """Whether the graph needs models that a user must download first."""
    return any(n["type"] in MODEL_LOADERS for n in json.loads(path.read_text())["nodes"])


def specs() -> dict[str, Any]:
    """The descriptions that the files were built from: they say what to change where a graph needs a real model."""
    return {w.name: w for w in WORKFLOWS}


def ours(graph: rig.Graph) -> set[str]:
    return {n["class_type"] for n in graph.values() if n["class_type"] in rig.NODE_IDS}


def test_every_node_is_in_a_workflow_and_every_workflow_is_small_and_has_a_thumbnail() -> None:
    nodes = {f: json.loads(f.read_text())["nodes"] for f in FILES}
    assert set(rig.NODE_IDS) <= {n["type"] for found in nodes.values() for n in found}
    assert {f.stem for f in FILES} == set(specs())
    for f, found in nodes.items():
        assert [n["type"] for n in found].count("MarkdownNote") == 1
        assert len(found) - 1 < 15, f"{f.stem} has {len(found) - 1} nodes beside its note"
        assert f.with_suffix(".jpg").stat().st_size < 100_000


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_a_note_has_at_most_five_lines_that_need_no_wrapping(path: Path) -> None:
    (note,) = [n["widgets_values"][0] for n in json.loads(path.read_text())["nodes"] if n["type"] == "MarkdownNote"]
    assert note.strip() == specs()[path.stem].note.strip(), (
        "the file is older than its description: run python -m tools.workflows.build"
    )
    lines = note.strip().splitlines()
    assert len(lines) <= 5
    assert max(len(re.sub(r"[*`#]", "", line)) for line in lines) <= NOTE_CHARACTERS


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_every_widget_has_its_value_by_name_too(path: Path) -> None:
    """Newer pages read these first, so that an option in between moves nothing."""
    for node in json.loads(path.read_text())["nodes"]:
        assert list(node.get("widgets_values_named", {}).values()) == node.get("widgets_values", []), node["type"]


def test_the_pack_brings_every_picture_that_a_workflow_loads_and_no_other(comfy_server: rig.Server) -> None:
    named = {n["widgets_values"][0] for f in FILES for n in json.loads(f.read_text())["nodes"] if n["type"] in PICTURE_LOADERS}
    noted = {name for f in FILES for name in re.findall(r"`(\w+\.(?:png|jpg))`", specs()[f.stem].note)}
    named |= {n["widgets_values"][0] for f in FILES for n in json.loads(f.read_text())["nodes"] if n["type"] == "LoadVideo"}
    (listed, _) = comfy_server.get("/object_info/LoadImage")["LoadImage"]["input"]["required"]["image"]
    (_, films) = comfy_server.get("/object_info/LoadVideo")["LoadVideo"]["input"]["required"]["file"]
    assert {name for name in (*listed, *films["options"]) if name.startswith("refocus_")} == named | noted
    for name in named | noted:
        brought, own = comfy_server.base / "input" / name, paths.DATA / name.removeprefix("refocus_")
        assert brought.read_bytes() == own.read_bytes()


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_nodes_do_not_overlap(path: Path) -> None:
    """A title bar is 30 high and lies above `pos`."""
    check_apart(json.loads(path.read_text())["nodes"])


@pytest.mark.timeout(600)
@pytest.mark.parametrize("vue", [False, True], ids=["classic", "vue"])
def test_a_picture_in_portrait_format_makes_no_node_cover_another(comfy_server: rig.Server, comfy_page: Page, vue: bool) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (160, 90, 3), dtype=np.uint8)
    Image.fromarray(noise).save(comfy_server.base / "input" / "tall.png")
    comfy_page.vue(vue)
    try:
        open_template(comfy_page, paths.REPO / "workflows" / "Change the focus in a group photo.json")
        comfy_page.page.evaluate(
            "() => { const load = app.graph.nodes.find(n => n.type === 'LoadImage'); load.widgets[0].value = 'tall.png'; }"
        )
        assert comfy_page.run() == "execution_success", comfy_server.log_text()[-2000:]
        comfy_page.page.wait_for_timeout(1500)
        check_apart(comfy_page.page.evaluate("() => JSON.parse(JSON.stringify(app.graph.serialize())).nodes"))
    finally:
        comfy_page.vue(False)


def check_apart(nodes: list[dict[str, Any]]) -> None:
    boxes = [(*n["pos"], n["size"][0], 0 if n["flags"].get("collapsed") else n["size"][1], n["type"]) for n in nodes]
    for k, (x, y, w, h, kind) in enumerate(boxes):
        for x2, y2, w2, h2, kind2 in boxes[k + 1 :]:
            apart = x + w <= x2 or x2 + w2 <= x or y + h <= y2 - 30 or y2 + h2 <= y - 30
            assert apart, f"{kind} and {kind2} overlap"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_workflow_gives_what_the_core_gives(path: Path, comfy_server: rig.Server, comfy_page: Page) -> None:
    comfy_page.load(json.loads(path.read_text()))
    assert comfy_page.missing() == []
    graph = comfy_page.api()
    assert ours(graph), "the page dropped our nodes"

    changed = specs()[path.stem]
    for key, values in changed.test_values.items():
        spec = changed.nodes[key]
        (node,) = [n for n in graph.values() if n["class_type"] == spec.type and spec.title in ("", n["_meta"]["title"])]
        assert set(values) <= set(node["inputs"])
        node["inputs"].update(values)

    for node in graph.values():
        if changed.halved and node["class_type"] == "LoadImage":
            node["inputs"]["image"] = f"half_{Path(node['inputs']['image']).stem.removeprefix('refocus_')}.png"

    if "RefocusVideo" in ours(graph):
        plays(comfy_server, graph)
        return
    saves = {k: tuple(n["inputs"]["images"]) for k, n in graph.items() if n["class_type"].startswith("Save")}
    if not changed.exact:
        (save,) = saves
        runs(comfy_server, graph, save)
        return
    wanted = results(graph)
    run = comfy_server.run(twin.probed(graph, *wanted))
    assert run.end == "execution_success", run.error
    computed = twin.Twin(comfy_server, graph)
    for node, slot in wanted:
        expected = computed.value([node, slot])
        exact = twin.read_probe(comfy_server, node, slot).movedim(-1, 1)
        assert exact.shape == expected.shape
        assert float((exact - expected).abs().max()) <= 1e-4
        assert float(torch.std(expected)) > 0.02  # not flat
        if graph[node]["class_type"] == "RefocusReblur":  # and not what went in
            assert float((expected - computed.picture(graph[node]["inputs"]["image"])).abs().mean()) > 2e-3
    for save, source in saves.items():
        if source not in wanted or graph[save]["class_type"] != "SaveImage":  # a clip is compressed
            continue
        expected = computed.value(list(source))[:, :3].clamp(0, 1)
        picture = twin.saved(comfy_server, run, save)
        assert picture.shape == expected.shape
        assert float((picture - expected).abs().max()) <= ONE_STEP


def results(graph: rig.Graph) -> list[tuple[str, int]]:
    """Pictures that our last nodes give: what Reblur gives and no node of ours takes, else what is saved or shown."""
    links = {
        kind: {
            tuple(v)
            for n in graph.values()
            if (n["class_type"] in rig.NODE_IDS) == kind
            for v in n["inputs"].values()
            if isinstance(v, list)
        }
        for kind in (True, False)
    }
    refocused = [(k, 0) for k, n in graph.items() if n["class_type"] == "RefocusReblur" and (k, 0) not in links[True]]
    return refocused or sorted(link for link in links[False] if graph[link[0]]["class_type"] in rig.NODE_IDS)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("path", [f for f in FILES if not needs_models(f)], ids=lambda p: p.stem)
def test_workflow_runs_as_it_opens(path: Path, comfy_server: rig.Server, comfy_page: Page) -> None:
    """Nothing is uploaded, chosen or typed between the template browser and Run."""
    open_template(comfy_page, path)
    assert comfy_page.run(1000) == "execution_success", comfy_server.log_text()[-2000:]


def test_workflows_open_at_a_zoom_at_which_texts_are_drawn(comfy_page: Page) -> None:
    comfy_page.page.set_viewport_size({"width": 1920, "height": 1080})
    try:
        found: dict[str, float] = {}
        for path in FILES:
            open_template(comfy_page, path)
            found[path.stem] = comfy_page.page.evaluate("() => window.app.canvas.ds.scale")
            assert not comfy_page.page.evaluate("() => window.app.canvas.low_quality"), found
        assert found["Refocus a photo"] >= FIRST_SCALE, found
    finally:
        comfy_page.page.set_viewport_size({"width": 1600, "height": 900})


def test_opening_what_was_saved_changes_no_node_s_size(comfy_page: Page) -> None:
    """Undo opens the graph of before in the same way, and takes a size that differs for a change: nothing is left to redo."""
    comfy_page.vue(True)
    try:
        for path in FILES:
            open_template(comfy_page, path)
            sizes = comfy_page.sizes()
            comfy_page.load(comfy_page.page.evaluate("() => JSON.parse(JSON.stringify(window.app.graph.serialize()))"))
            assert comfy_page.until(lambda sizes=sizes: comfy_page.sizes() == sizes), path.stem
    finally:
        comfy_page.vue(False)


def open_template(page: Page, path: Path) -> None:
    """As a click in the template browser does."""
    page.page.evaluate(
        "([wf, name]) => window.app.loadGraphData(wf, true, true, name, {openSource: 'template'})",
        [json.loads(path.read_text()), path.stem],
    )
    page.page.wait_for_timeout(700)


def runs(server: rig.Server, graph: rig.Graph, save: str) -> None:
    """A graph with FLUX: it ends with a picture, without a text encoder. What its nodes compute is in test_generative.py."""
    run = server.run(graph)
    assert run.end == "execution_success", run.error
    types = {graph[n]["class_type"] for n in run.executed}
    assert types >= ours(graph) and "DualCLIPLoader" not in types
    (picture,) = twin.saved(server, run, save)
    assert float(torch.std(picture)) > 0.02
    assert all(run.ui(n) for n in graph if graph[n]["class_type"] == "ImageCompare")


def plays(server: rig.Server, graph: rig.Graph) -> None:
    """A graph of videos ends with a clip of as many frames, another one than went in; test_video.py compares what is in it."""
    from refocus_core.files import clips

    run = server.run(graph)
    assert run.end == "execution_success", run.error
    (save,) = (k for k, n in graph.items() if n["class_type"] == "SaveVideo")
    (shown,) = run.ui(save)["images"]
    (loaded,) = (n["inputs"]["file"] for n in graph.values() if n["class_type"] == "LoadVideo")
    made, taken = server.base / "output" / shown["subfolder"] / shown["filename"], server.base / "input" / loaded
    for after, before in zip(clips.frames(made), clips.frames(taken), strict=True):
        assert float((after - before).abs().mean()) > 2e-3


def test_page_has_no_complaint_about_us(comfy_page: Page) -> None:
    """Runs last in this file: after every graph was opened."""
    assert comfy_page.problems == []


def test_template_browser_lists_the_workflows_and_serves_their_thumbnails(comfy_server: rig.Server) -> None:
    assert sorted(comfy_server.get("/workflow_templates")[rig.PACK]) == [f.stem for f in FILES]
    for f in FILES:
        address = f"/api/workflow_templates/{rig.PACK}/{quote(f.stem)}"
        assert comfy_server.raw(address + ".jpg")[:2] == b"\xff\xd8"
        assert comfy_server.get(address + ".json")["nodes"]
