"""The graph "Mend depth by hand"."""

from __future__ import annotations

from tools.workflows.graph import Node, Workflow
from tools.workflows.parts import OWN_DEPTH, TINY_DEPTH, estimated_depth, photo, reblur, save

WORKFLOW = Workflow(
    "Mend depth by hand",
    """### Mend depth by hand
- The bench lies at the wall's depth: wrong, so it is painted.
- **Adjust Depth** pulls what is painted to **level**.
- Your photo: right-click **Load Image**, *Open in MaskEditor*.
- **plane** suits floors and walls; one node for each area.
""",
    {
        "photo": photo("mend_depth.png", title="Photo, wrong depth painted over"),
        "depth": estimated_depth("photo", collapsed=True),
        "mended": Node(
            "RefocusAdjustDepth",
            {
                "depth": ["depth", 0],
                "image": ["photo", 0],
                "mask": ["photo", 1],
                "action": "pull",
                "target": "level",
                "level": 0.3,
            },
            width=360,
            height=700,
        ),
        "defocus": Node(
            "RefocusDefocusMap",
            {"depth": ["mended", 0], "image": ["photo", 0], "focus": "point", "x": 0.12, "y": 0.3, "percent": 4.0},
            width=360,
            height=820,
        ),
        "reblur": reblur({"image": ["photo", 0], "defocus": ["defocus", 0]}),
        "save": save("reblur", "mended"),
    },
    [["note", "photo", "depth"], ["mended"], ["defocus"], ["reblur", "save"]],
    "save",
    show=(0.0, 0.05, 0.75, 0.8),
    test_values={"depth": TINY_DEPTH},
    thumbnail_values={"depth": OWN_DEPTH},
    halved=True,
)
