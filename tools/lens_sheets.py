"""Draws web/docs/*_lens.webp: what each control of a lens does, from example graphs of this repository.

Each graph is run in a real ComfyUI, once for each cell, with the values of some widgets changed; nothing else differs.

.venv/bin/python -m tools.lens_sheets [NODE_ID ...]
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from tests.helpers import rig, twin
from tests.helpers.graphs import node
from tools.help import GAP, OUT, WIDTH, image
from tools.workflows.graph import Workflow
from tools.workflows.parts import SHELVES, WHEEL
from tools.workflows.specs import WORKFLOWS

Values = dict[str, dict[str, Any]]
"""Key of a node -> widget values."""


@dataclass(frozen=True)
class Cell:
    """One run.

    Attributes:
        values: what differs from the sheet's own.
        frame: which of the frames is shown.
    """

    values: Values = field(default_factory=dict)
    frame: int = 0


@dataclass(frozen=True)
class Sheet:
    """Cells of one graph, in rows.

    Attributes:
        workflow: its name.
        box: the part that is shown, in px of the result; None is all of it.
        columns: cells in a row.
        values: of all cells.
    """

    workflow: str
    cells: tuple[Cell, ...]
    columns: int
    box: tuple[int, int, int, int] | None = None
    values: Values = field(default_factory=dict)


def _kernel(**values: float) -> Cell:
    return Cell({"kernel": {"shape": "circle", "field": True, **values}})


def _focus_from_near_to_far() -> str:
    points = enumerate((WHEEL, SHELVES))
    return json.dumps({"keys": [{"frame": frame, "x": x, "y": y} for frame, (x, y) in points]})


LIGHTS, RACK = "Aperture shapes on city lights", "Rack focus on a clip"
"""Example graphs."""
SHEETS = {
    "RefocusBokehKernel": Sheet(
        LIGHTS,
        (
            _kernel(),
            _kernel(cat_eye=1.0),
            _kernel(barn_doors=1.0),
            _kernel(swirl=1.0),
            _kernel(coma=1.0),
            _kernel(cat_eye=0.8, swirl=0.8),
        ),
        3,
        (0, 225, 240, 425),
    ),
    "RefocusReblur": Sheet(
        LIGHTS,
        (Cell(), Cell({"reblur": {"glass": True, "bloom": 0.3}}), Cell({"reblur": {"glass": True, "lateral_color": 1.0}})),
        3,
        (0, 225, 240, 425),
    ),
    "RefocusDefocusMap": Sheet(
        RACK,
        (
            Cell(),
            Cell({"defocus": {"field_curvature": 0.6}}),
            Cell({"defocus": {"breathing": 1.0}}, 0),
            Cell({"defocus": {"breathing": 1.0}}, 1),
        ),
        2,
        None,
        {
            "clip": {"amount": 2},
            "depths": {"amount": 2},
            "defocus": {"focal_mm": 200.0, "f_number": 8.0, "keyframes": _focus_from_near_to_far()},
        },
    ),
}
"""Node id -> what is shown of it."""


def api_graph(server: rig.Server, workflow: Workflow, values: Values) -> rig.Graph:
    """A graph as the server takes it, with PNG as its result."""
    graph = {
        key: node(server, n.type, **(n.inputs | values.get(key, {})))
        for key, n in workflow.nodes.items()
        if key != workflow.result
    }
    source = workflow.nodes[workflow.result].inputs["images"]
    return graph | {"result": node(server, "SaveImage", images=source)}


def draw(server: rig.Server, sheet: Sheet) -> Image.Image:
    """All cells of a sheet, as wide as the help panel.

    Raises:
        RuntimeError: if a graph does not run.
    """
    workflow = next(w for w in WORKFLOWS if w.name == sheet.workflow)
    shown: list[Image.Image] = []
    for cell in sheet.cells:
        values = {key: sheet.values.get(key, {}) | cell.values.get(key, {}) for key in workflow.nodes}
        run = server.run(api_graph(server, workflow, values), seconds=900)
        if run.end != "execution_success":
            raise RuntimeError(f"{sheet.workflow}: {run.error}")
        picture = image(twin.saved(server, run, "result")[cell.frame : cell.frame + 1])
        shown.append(picture if sheet.box is None else picture.crop(sheet.box))
    width = (WIDTH - GAP * (sheet.columns - 1)) // sheet.columns
    height = round(width * shown[0].height / shown[0].width)
    rows = -(-len(shown) // sheet.columns)
    whole = Image.new("RGB", (WIDTH, rows * (height + GAP) - GAP), (24, 24, 24))
    for k, picture in enumerate(shown):
        place = (k % sheet.columns * (width + GAP), k // sheet.columns * (height + GAP))
        whole.paste(picture.resize((width, height), Image.Resampling.LANCZOS), place)
    return whole


def main() -> None:
    comfy = rig.comfy_dir()
    if comfy is None:
        sys.exit("No ComfyUI: run scripts/setup.sh tests, or set REFOCUS_COMFYUI.")
    with tempfile.TemporaryDirectory() as base, rig.prepared_server(Path(base), comfy) as server:
        for node_id in sys.argv[1:] or SHEETS:
            draw(server, SHEETS[node_id]).save(OUT / f"{node_id}_lens.webp", quality=76, method=6)


if __name__ == "__main__":
    main()
