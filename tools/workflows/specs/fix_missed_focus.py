"""The graph "Fix missed focus"."""

from __future__ import annotations

from tools.workflows.graph import Node, Workflow
from tools.workflows.parts import AS_TAKEN, defocus, measured_depth, photo, reblur, save

WORKFLOW = Workflow(
    "Fix missed focus",
    """### The focus was in the wrong place
- *How it was taken* is the lens of the photo.
- **All In Focus** takes that blur out, as far as it is small.
- *How it shall be*: click on what shall be sharp.
""",
    {
        "photo": photo("missed_focus.jpg", title="Photo with missed focus"),
        "picture": photo("motorcycle_near_bright.png", title="Depth picture"),
        "depth": measured_depth("photo", "picture", collapsed=True),
        "was": defocus({"image": ["photo", 0], **AS_TAKEN}, "How it was taken"),
        "sharp": Node(
            "RefocusAllInFocus", {"image": ["photo", 0], "defocus": ["was", 0], "method": "deconvolution"}, width=340, height=480
        ),
        "wanted": defocus(
            {
                "image": ["sharp", 0],
                "focus": "point",
                "x": 0.62,
                "y": 0.45,
                "strength": "camera",
                "f_number": 2.0,
                "focal_mm": 50.0,
                "focus_range": 0.1,
            },
            "How it shall be",
        ),
        "reblur": reblur({"image": ["sharp", 0], "defocus": ["wanted", 0]}),
        "save": save("reblur", "fixed_focus"),
    },
    [["note", "photo", "picture", "depth"], ["was"], ["sharp"], ["wanted"], ["reblur", "save"]],
    "save",
    before="photo",
    show=(0.42, 0.1, 1.0, 0.68),
    halved=True,
)
