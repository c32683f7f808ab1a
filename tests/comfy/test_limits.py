"""Every widget of every node at its least and its most, and at each of its words: a finite result, or words that help."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from tests.helpers import rig, twin
from tests.helpers.graphs import fails, node, noise

WITH_MODELS = ("RefocusGenfocusSetup", "RefocusGenfocusApply")
"""Nodes that do nothing without FLUX.1; test_generative.py runs them."""
LARGE = 4096
"""Limits beyond it are there so that any number can be typed; this many is what is tried of them."""
MEANT = ("ValueError", "FileNotFoundError")
"""Errors that are meant for the user, beside the core's own classes."""


def graph_around(server: rig.Server, kind: str) -> rig.Graph:
    """A small graph with the node as "n", and everything that it can take linked."""
    graph = {
        "photo": noise(server, 40, 28, seed=1),
        "grey": noise(server, 40, 28, content="disc"),
        "mask": node(server, "ImageToMask", image=["grey", 0], channel="red"),
        "depth": node(server, "RefocusDepthEstimate", image=["photo", 0], depth_image=["grey", 0], source="depth_image"),
        "defocus": node(server, "RefocusDefocusMap", depth=["depth", 0], image=["photo", 0], focus="point", percent=6.0),
        "kernel": node(server, "RefocusBokehKernel"),
    }
    graph["video"] = node(server, "CreateVideo", images=["photo", 0])
    info = server.get(f"/object_info/{kind}")[kind]["input"]
    takes = {**info.get("required", {}), **info.get("optional", {})}
    types = {"IMAGE": "photo", "MASK": "mask", "VIDEO": "video"}
    types |= {"REFOCUS_DEPTH": "depth", "REFOCUS_DEFOCUS": "defocus", "REFOCUS_KERNEL": "kernel"}
    linked = {name: [types[spec[0]], 0] for name, spec in takes.items() if spec[0] in types}
    graph["n"] = node(server, kind, **linked)
    if server.get(f"/object_info/{kind}")[kind]["output"][0] == "VIDEO":
        graph["frames"] = node(server, "GetVideoComponents", video=["n", 0])
    return graph


def variations(server: rig.Server, kind: str) -> Iterator[tuple[str, Any]]:
    """Each widget's name, and a value at the limit of what ComfyUI lets through."""
    info = server.get(f"/object_info/{kind}")[kind]["input"]
    for name, (type_, *rest) in {**info.get("required", {}), **info.get("optional", {})}.items():
        options = rest[0] if rest else {}
        if type_ in ("INT", "FLOAT"):
            for limit in ("min", "max"):
                value = options.get(limit, math.copysign(LARGE, 1 if limit == "max" else -1))
                yield name, max(-LARGE, min(LARGE, value))
        elif type_ == "BOOLEAN":
            yield name, not options.get("default", False)
        elif type_ == "COMBO" or isinstance(type_, list):
            for word in type_ if isinstance(type_, list) else options["options"]:
                yield name, word
        elif type_ == "STRING":
            yield name, "{"


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", [k for k in rig.NODE_IDS if k not in WITH_MODELS])
def test_limits_of_every_widget_give_a_result_or_words_that_help(comfy_server: rig.Server, kind: str) -> None:
    graph = graph_around(comfy_server, kind)
    faults: list[str] = []
    last = "frames" if "frames" in graph else "n"
    for name, value in variations(comfy_server, kind):
        tried = {**graph, "n": {**graph["n"], "inputs": {**graph["n"]["inputs"], name: value}}}
        run = comfy_server.run(twin.probed(tried, (last, 0)))
        if run.end == "execution_success":
            found = twin.read_probe(comfy_server, last)
            tensors = [v for v in (found.values() if isinstance(found, dict) else [found]) if isinstance(v, torch.Tensor)]
            if not tensors or not all(bool(torch.isfinite(t.float()).all()) for t in tensors):
                faults.append(f"{name} = {value!r}: not finite")
        else:
            (error,) = run.of("execution_error")
            error_type, words = error["exception_type"], error["exception_message"]
            if (error_type not in MEANT and "refocus_core." not in error_type) or len(words) < 20:
                faults.append(f"{name} = {value!r}: {error_type}: {words}")
    assert faults == []


@pytest.mark.parametrize("kind", ["RefocusDepthEstimate", "RefocusAllInFocus", "RefocusDefocusFromImage"])
def test_a_picture_that_no_memory_holds_ends_in_a_sentence_and_the_next_run_works(comfy_server: rig.Server, kind: str) -> None:
    graph = {"grey": noise(comfy_server, 40, 28, content="disc"), "n": node(comfy_server, kind, image=["grey", 0])}
    graph["save"] = node(comfy_server, "ProbeSave", value=["n", 0], name="n")
    said = fails(comfy_server, {**graph, "grey": noise(comfy_server, 1 << 22, 1 << 22, content="endless")})
    assert "There is not enough memory for this (" in said and "smaller picture" in said
    after = comfy_server.run(graph)
    assert after.end == "execution_success", after.error
