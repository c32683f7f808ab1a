"""The graph "Blur what you paint"."""

from __future__ import annotations

from tools.workflows.graph import Node, Workflow
from tools.workflows.parts import photo, reblur, save

WORKFLOW = Workflow(
    "Blur what you paint",
    """### Blur what you paint
- No depth: what is painted is blurred, the rest stays.
- **white** is the radius under full paint, in percent of width.
- Your photo: right-click **Load Image**, *Open in MaskEditor*.
- A soft brush makes the blur begin softly.
""",
    {
        "photo": photo("distraction.png", title="Photo, with painted distractions"),
        "defocus": Node(
            "RefocusDefocusFromImage",
            {"mask": ["photo", 1], "signs": "signed", "unit": "percent", "white": 1.5},
            width=360,
            height=560,
        ),
        "reblur": reblur({"image": ["photo", 0], "defocus": ["defocus", 0]}),
        "save": save("reblur", "painted_blur"),
    },
    [["note", "photo"], ["defocus"], ["reblur", "save"]],
    "save",
    before="photo",
    show=(0.15, 0.0, 1.0, 0.57),
)
