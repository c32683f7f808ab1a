"""The graph "Change the focus in a group photo"."""

from __future__ import annotations

from tools.workflows.graph import Node, Workflow
from tools.workflows.parts import OWN_DEPTH, TINY_DEPTH, defocus, estimated_depth, photo, reblur, save

WORKFLOW = Workflow(
    "Change the focus in a group photo",
    """### Who is sharp?
- Click on somebody in **Defocus Map**; Shift+click a second one.
- **focus_range** widens what is sharp.
- **near_gain** 0 leaves the foreground as it is.
- Better depth: switch on **allow_download** once.
""",
    {
        "photo": photo("friends.jpg", title="Group photo"),
        "depth": estimated_depth("photo"),
        "defocus": defocus({"image": ["photo", 0], "focus": "point", "x": 0.42, "y": 0.3, "percent": 2.8}),
        "kernel": Node(
            "RefocusBokehKernel", {"shape": "polygon", "blades": 7, "curvature": 0.7, "softness": 0.1}, width=320, height=520
        ),
        "reblur": reblur({"image": ["photo", 0], "defocus": ["defocus", 0], "kernel": ["kernel", 0]}),
        "save": save("reblur", "group"),
    },
    [["note", "photo"], ["depth"], ["defocus"], ["kernel"], ["reblur", "save"]],
    "save",
    show=(0.0, 0.15, 1.0, 0.65),
    before="photo",
    test_values={"depth": TINY_DEPTH},
    thumbnail_values={"depth": OWN_DEPTH},
    halved=True,
)
