"""Write what the page shares with the core: `python -m tools.page_constants`.

The page (web_src/) draws on thumbnails what the core computes on the whole picture. Both take these numbers from the core. And it
hides the inputs that have no effect, by the cases that the records of the options name.
"""

from __future__ import annotations

import importlib
import json
from dataclasses import asdict
from pathlib import Path

from refocus_core.bokeh import PRESETS
from refocus_core.defocus import FocusPoint
from refocus_core.options import NODES

SOURCES = Path(__file__).resolve().parents[1] / "web_src" / "src"
"""Where the page's sources lie."""

NAMES = {
    "refocus_core.color": ("LUMA_WEIGHTS",),
    "refocus_core.optics": ("SHARP_RADIUS_PX", "SHARP_PRINT"),
    "refocus_core.bokeh.character": ("MOST_SPHERICAL", "MOST_FRINGE", "ONION_RINGS"),
    "refocus_core.bokeh.field": ("MOST_SWIRL", "MOST_COMA", "LEAST_AREA", "MOST_MISS", "DARK"),
    "refocus_core.bokeh.shown": ("CORNER",),
    "refocus_core.defocus.from_lens": ("FLAT_SHARE",),
    "refocus_core.defocus.thumbnail": ("LEVELS",),
    "refocus_core.defocus.preview": (
        "NEAR_RGB",
        "FAR_RGB",
        "FOCUS_RGB",
        "NO_PHOTO_GREY",
        "SHARP_SHARE",
        "LEAST_COLOUR",
        "MORE_COLOUR",
        "SHADE_OVER_BLACK",
        "FOCUS_TINT",
        "FOCUS_OVER_BLACK",
        "OUTLINE_TINT",
        "LONG_EDGE_PER_LINE_PX",
        "LEAST_SCALE_PX",
    ),
}
"""Constants by the module that defines and explains them."""


def _typescript(value: float | tuple[float, ...]) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(repr, value))}] as const"
    return repr(value)


def numbers() -> str:
    """The numbers, as TypeScript."""
    lines = ["/** Numbers shared with the core. Made by `python -m tools.page_constants`; do not edit. */"]
    for module, names in NAMES.items():
        path = module.replace(".", "/") + ".py"
        lines += ["", f"// {path}"]
        lines += [f"export const {n} = {_typescript(getattr(importlib.import_module(module), n))};" for n in names]
    lines += [
        "",
        "// refocus_core/defocus/focus.py: FocusPoint.radius",
        f"export const FOCUS_POINT_RADIUS = {FocusPoint().radius!r};",
    ]
    return "\n".join(lines) + "\n"


def cases() -> str:
    """When an option has an effect, by node and option, as TypeScript; options that always have one are left out."""
    lines = [
        "/** When an input has an effect. Made by `python -m tools.page_constants` from refocus_core/options; do not edit. */",
        "",
        'import type { Case } from "./case";',
        "",
        "/** Node -> option -> cases in which it has an effect, any of them; always, where it is not listed. */",
        "export const WHEN: Record<string, Record<string, readonly Case[]>> = {",
    ]
    for node, options in NODES.items():
        listed = [f"    {o.name}: {json.dumps([dict(c) for c in o.when])}," for o in options if o.when]
        if listed:
            lines += [f"  {node}: {{", *listed, "  },"]
    return "\n".join([*lines, "};"]) + "\n"


def presets() -> str:
    """The presets of apertures, as TypeScript."""
    lines = [
        "/** Presets of Bokeh Kernel. Made by `python -m tools.page_constants` from `bokeh.PRESETS`; do not edit. */",
        "",
        'import type { Settings } from "./character";',
        "",
        "export const PRESETS: Record<string, Settings> = {",
        *(f"  {json.dumps(name)}: {json.dumps(asdict(settings))}," for name, settings in PRESETS.items()),
        "};",
    ]
    return "\n".join(lines) + "\n"


FILES = {
    SOURCES / "law" / "constants.ts": numbers,
    SOURCES / "inputs" / "when.ts": cases,
    SOURCES / "kernel" / "presets.ts": presets,
}
"""What the page imports, and what makes it."""

if __name__ == "__main__":
    for path, text in FILES.items():
        path.write_text(text(), encoding="utf-8")
