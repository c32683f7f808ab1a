"""The graph "Cut out a subject"."""

from __future__ import annotations

from tools.workflows.graph import NOTE_WIDTH, Node, Workflow
from tools.workflows.parts import OWN_DEPTH, TINY_DEPTH, estimated_depth, photo, save

WORKFLOW = Workflow(
    "Cut out a subject",
    """### Cut out a subject
- **Depth Matte** keeps what lies between **near** and **far**.
- Something lost: lower **far**. Too much kept: raise it.
- The PNG is transparent; colours hold nothing of the backdrop.
- Better depth: switch on **allow_download** once.
""",
    {
        "photo": photo("bee.jpg"),
        "depth": estimated_depth("photo"),
        "matte": Node(
            "RefocusDepthMatte",
            {"image": ["photo", 0], "depth": ["depth", 0], "select": "limits", "near": 1.0, "far": 0.4},
            width=400,
            height=600,
        ),
        "save": save("matte", "cut_out", 1),
        "rest": Node("PreviewImage", {"images": ["matte", 2]}, title="The photo without it", width=NOTE_WIDTH, height=320),
    },
    [["note", "photo"], ["depth"], ["matte"], ["save", "rest"]],
    "save",
    before="photo",
    show=(0.0, 0.05, 1.0, 0.9),
    test_values={"depth": TINY_DEPTH},
    thumbnail_values={"depth": OWN_DEPTH},
    halved=True,
)
