"""Nodes of a graph in API form, and what a server says of a graph that fails."""

from __future__ import annotations

from typing import Any

from tests.helpers import rig

DEFAULTS: dict[str, dict[str, Any]] = {}


def node(server: rig.Server, kind: str, **inputs: Any) -> dict[str, Any]:
    """A node in API form; widgets that are not given have their defaults from /object_info."""
    if kind not in DEFAULTS:
        info = server.get(f"/object_info/{kind}")[kind]["input"]
        every = {**info.get("required", {}), **info.get("optional", {})}
        DEFAULTS[kind] = {}
        for name, (type_, *rest) in every.items():
            options = rest[0] if rest else {}
            if "default" in options:
                DEFAULTS[kind][name] = options["default"]
            elif isinstance(type_, list) or "options" in options:
                DEFAULTS[kind][name] = (type_ if isinstance(type_, list) else options["options"])[0]
    return {"class_type": kind, "inputs": {**DEFAULTS[kind], **inputs}}


def noise(server: rig.Server, width: int = 64, height: int = 48, **inputs: Any) -> dict[str, Any]:
    return node(server, "ProbeImage", **{"content": "noise", "width": width, "height": height, **inputs})


def fails(server: rig.Server, graph: rig.Graph) -> str:
    """The message of a graph that must fail while it runs."""
    run = server.run(graph)
    assert run.end == "execution_error", run.end
    return run.error
