"""The graph "Rack focus on a clip"."""

from __future__ import annotations

from tools.workflows.graph import Node, Workflow
from tools.workflows.parts import KEYFRAMES, WHEEL, defocus, measured_depth, photo, reblur


def repeated(picture: str, title: str) -> Node:
    return Node("RepeatImageBatch", {"image": [picture, 0], "amount": 8}, title=title, width=300, collapsed=True)


WORKFLOW = Workflow(
    "Rack focus on a clip",
    """### The focus wanders from near to far
- The keys below the picture: **Timeline** of Defocus Map.
- Choose a key, then click in the picture on what shall be sharp.
- Your clip: *Load Video* and *Get Video Components*; take its
- depth from a model, so that all frames share one range.
""",
    {
        "photo": photo("motorcycle.png", title="Photo"),
        "picture": photo("motorcycle_near_bright.png", title="Depth picture"),
        "clip": Node(
            "RepeatImageBatch", {"image": ["photo", 0], "amount": 8}, title="Photo, 8 frames", width=300, collapsed=True
        ),
        "depths": Node(
            "RepeatImageBatch", {"image": ["picture", 0], "amount": 8}, title="Depth, 8 frames", width=300, collapsed=True
        ),
        "depth": measured_depth("clip", "depths"),
        "defocus": defocus(
            {
                "image": ["clip", 0],
                "focus": "point",
                "x": WHEEL[0],
                "y": WHEEL[1],
                "strength": "camera",
                "f_number": 1.4,
                "focal_mm": 85.0,
                "keyframes": KEYFRAMES,
            }
        ),
        "reblur": reblur({"image": ["clip", 0], "defocus": ["defocus", 0], "quality": "draft"}),
        "save": Node(
            "SaveAnimatedWEBP", {"images": ["reblur", 0], "filename_prefix": "rack_focus", "fps": 8.0}, width=420, height=400
        ),
    },
    [["note", "photo", "picture", "clip", "depths"], ["depth"], ["defocus"], ["reblur", "save"]],
    "save",
    halved=True,
)
