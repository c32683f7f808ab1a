"""Write the numbers that the page shares with the core: `python -m tools.page_constants`.

The page (web_src/) draws on thumbnails what the core computes on the whole picture. Both take these numbers from the core.
"""

from __future__ import annotations

import importlib
from pathlib import Path

from refocus_core.defocus import FocusPoint

OUT = Path(__file__).resolve().parents[1] / "web_src" / "src" / "law" / "constants.ts"
"""What the page imports."""

NAMES = {
    "refocus_core.color": ("LUMA_WEIGHTS",),
    "refocus_core.optics": ("SHARP_RADIUS_PX",),
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


def text() -> str:
    """The TypeScript file, as prettier leaves it."""
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


if __name__ == "__main__":
    OUT.write_text(text(), encoding="utf-8")
