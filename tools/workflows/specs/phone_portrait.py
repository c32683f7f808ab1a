"""The graph "A phone portrait with its own depth"."""

from __future__ import annotations

from tools.workflows.graph import NOTE_WIDTH, Node, Workflow
from tools.workflows.parts import PREFIX, reblur, save

WORKFLOW = Workflow(
    "A phone portrait with its own depth",
    """### A phone portrait with its own depth
- Choose a portrait-mode JPEG: depth and lens are in the file.
- Focus: where the phone had it (**distance_m** 0).
- Blur: that of a full-frame camera at **f_number**.
- A file without depth says so; then use **Depth Estimate**.
""",
    {
        "photo": Node("RefocusLoadPhoto", {"image": PREFIX + "phone_photo.jpg"}, width=NOTE_WIDTH, height=420),
        "defocus": Node(
            "RefocusDefocusMap",
            {
                "depth": ["photo", 4],
                "image": ["photo", 0],
                "lens": ["photo", 2],
                "focus": "distance",
                "distance_m": 0.0,
                "strength": "camera",
                "f_number": 0.95,
                "focal_mm": 0.0,
            },
            width=360,
            height=820,
        ),
        "reblur": reblur({"image": ["photo", 0], "defocus": ["defocus", 0]}),
        "save": save("reblur", "portrait_mode"),
    },
    [["note", "photo"], ["defocus"], ["reblur", "save"]],
    "save",
    before="photo",
)
