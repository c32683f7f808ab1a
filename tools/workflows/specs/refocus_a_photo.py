"""The graph "Refocus a photo"."""

from __future__ import annotations

from dataclasses import replace

from tools.workflows.graph import Node, Workflow
from tools.workflows.parts import OWN_DEPTH, TINY_DEPTH, defocus, estimated_depth, photo, reblur, save

WORKFLOW = Workflow(
    "Refocus a photo",
    """### Refocus a photo
- Choose your photo in **Load Image** and run.
- Click in **Defocus Map** on what shall be sharp, set **percent**.
- Photo blurred already: switch on **All In Focus** (Ctrl+B).
- Better depth: switch on **allow_download** once.
""",
    {
        "photo": photo("wine.jpg"),
        "sharp": Node("RefocusAllInFocus", {"image": ["photo", 0]}, width=340, off=True),
        "depth": estimated_depth("sharp"),
        "defocus": defocus({"image": ["sharp", 0], "focus": "point", "x": 0.42, "y": 0.62, "percent": 3.0}),
        "reblur": reblur({"image": ["sharp", 0], "defocus": ["defocus", 0]}),
        "save": replace(save("reblur", "refocus"), width=300, height=300),
    },
    [["note", "photo", "sharp"], ["depth"], ["defocus"], ["reblur"], ["save"]],
    "save",
    before="photo",
    show=(0.0, 0.26, 1.0, 0.705),
    test_values={"depth": TINY_DEPTH},
    thumbnail_values={"depth": OWN_DEPTH},
    halved=True,
)
