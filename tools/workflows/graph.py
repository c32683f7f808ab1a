"""What describes an example graph."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

GAP = 40
"""Space between nodes, in graph pixels."""
NOTE_WIDTH = 480
"""Of the note that each graph opens with, and of the pictures below it."""
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
    off: bool = False
    """Bypassed: what comes in goes on as it is, until a person switches the node on with Ctrl+B."""
    collapsed: bool = False
    """Only its title is drawn: for what nobody needs to touch, so that the graph opens at a zoom at which texts are read."""


@dataclass
class Workflow:
    """`name` is the file's, which the template browser shows as the title. `note`: Markdown, a heading and at most four lines
    that need no wrapping; every graph opens with it. `columns`: from left to right, the keys of the nodes from top to bottom,
    "note" among them. The page shows a template as a whole with a quarter of the window around it: below a scale of 0.57 it
    draws no texts, so columns are few and what is rarely touched is collapsed."""

    name: str
    note: str
    nodes: dict[str, Node]
    columns: list[list[str]]
    result: str
    """Key of the node that saves the result; its picture becomes the thumbnail."""
    graph_thumbnail: bool = False
    """The thumbnail shows the graph: where the result needs a model that is not here."""
    thumbnail_values: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Key -> widget values for the thumbnail, in place of those of `test_values`: depth by the network that ships."""
    before: str = ""
    """Key of a Load Image node: the thumbnail shows its picture on the left half, the result on the right. The page knows one
    thumbnail for a graph of a pack, so that the sliding comparison of core's templates cannot be had."""
    show: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    """Part of the picture for the thumbnail: left, top, right, bottom in 0..1."""
    exact: bool = True
    """Whether the tests can compute the result themselves: not where a sampler of ComfyUI takes part in it."""
    test_values: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Key -> widget values with which it is run here and in the tests, where the shipped ones need a real model."""
    halved: bool = False
    """Whether the tests, to be quick, run it on pictures of half the size."""
