"""The graph "Refocus a video"."""

from __future__ import annotations

from tools.workflows.graph import NOTE_WIDTH, Node, Workflow
from tools.workflows.parts import PREFIX

KEYS = '{"keys": [{"frame": 0, "x": 0.7, "y": 0.8}, {"frame": 23, "x": 0.9, "y": 0.1}]}'
"""From the wheel to the shelves."""
WORKFLOW = Workflow(
    "Refocus a video",
    """### A clip, refocused from file to file
- Choose your clip in **Load Video**. Memory does not grow with it.
- **focus**: automatic, a point, a distance; or **keyframes**, as
- here: a frame number, and the point that is sharp there.
""",
    {
        "clip": Node("LoadVideo", {"file": PREFIX + "motorcycle_pan.mp4"}, width=NOTE_WIDTH, height=320),
        "refocus": Node(
            "RefocusVideo",
            {"video": ["clip", 0], "focus": "keyframes", "keyframes": KEYS, "percent": 2.5, "quality": "draft"},
            width=380,
            height=620,
        ),
        "save": Node("SaveVideo", {"video": ["refocus", 0], "filename_prefix": "refocused"}, width=420, height=400),
    },
    [["note", "clip"], ["refocus"], ["save"]],
    "save",
    graph_thumbnail=True,
    exact=False,
)
