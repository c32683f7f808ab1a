"""The graph "Tilt-shift miniature"."""

from __future__ import annotations

from tools.workflows.graph import Workflow
from tools.workflows.parts import OWN_DEPTH, TINY_DEPTH, defocus, estimated_depth, photo, reblur, save

WORKFLOW = Workflow(
    "Tilt-shift miniature",
    """### A landscape becomes a model
- **tilt_deg** of Defocus Map leans the plane that is sharp.
- Below 0 it leans away from the ground: a miniature.
- Click in Defocus Map on what shall be sharp.
- Pictures from above look best.
""",
    {
        "photo": photo("life.jpg", title="Photo, from above"),
        "depth": estimated_depth("photo"),
        "defocus": defocus(
            {"image": ["photo", 0], "focus": "point", "x": 0.5, "y": 0.6, "percent": 5.0, "focus_range": 0.1, "tilt_deg": -60.0}
        ),
        "reblur": reblur({"image": ["photo", 0], "defocus": ["defocus", 0]}),
        "save": save("reblur", "miniature"),
    },
    [["note", "photo"], ["depth"], ["defocus"], ["reblur", "save"]],
    "save",
    before="photo",
    test_values={"depth": TINY_DEPTH},
    thumbnail_values={"depth": OWN_DEPTH},
    halved=True,
)
