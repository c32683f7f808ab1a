"""The graph "Tilt-shift miniature"."""

from __future__ import annotations

from tools.workflows.graph import Node, Workflow
from tools.workflows.parts import defocus, photo, reblur, save

WORKFLOW = Workflow(
    "Tilt-shift miniature",
    """### A landscape becomes a model
- A ramp, bright below, stands in for depth: a tilted lens.
- **y** of Defocus Map is where the sharp line lies,
- **focus_range** how wide it is.
- Pictures from above look best.
""",
    {
        "photo": photo("life.jpg", title="Photo, from above"),
        "ramp": photo("ramp.png", title="Ramp: black above, white below"),
        "size": Node("GetImageSize", {"image": ["photo", 0]}, width=300, collapsed=True),
        "scaled": Node(
            "ImageScale",
            {"image": ["ramp", 0], "upscale_method": "bilinear", "width": ["size", 0], "height": ["size", 1], "crop": "disabled"},
            title="Ramp, as large as the photo",
            width=300,
            collapsed=True,
        ),
        "depth": Node(
            "RefocusDepthEstimate",
            {"image": ["photo", 0], "depth_image": ["scaled", 0], "source": "depth_image", "refine": 0.0},
            width=340,
            height=700,
        ),
        "defocus": defocus({"image": ["photo", 0], "focus": "point", "x": 0.5, "y": 0.6, "percent": 5.8, "focus_range": 0.12}),
        "reblur": reblur({"image": ["photo", 0], "defocus": ["defocus", 0]}),
        "save": save("reblur", "miniature"),
    },
    [["note", "photo", "ramp", "size", "scaled"], ["depth"], ["defocus"], ["reblur", "save"]],
    "save",
    before="photo",
    halved=True,
)
