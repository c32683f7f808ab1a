"""What describes an example graph."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

GAP = 60
"""Space between nodes, in graph pixels."""
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
