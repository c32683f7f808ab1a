"""The graph "Refocus with a depth picture"."""

from __future__ import annotations

from tools.workflows.graph import Node, Workflow
from tools.workflows.parts import defocus, measured_depth, photo, reblur, save

WORKFLOW = Workflow(
    "Refocus with a depth picture",
    """### Refocus with a depth picture
- Any grey picture of depth will do; here it was measured.
- **near_m**, **far_m**: what its brightest and darkest mean.
- Click in **Defocus Map** on what shall be sharp.
- A smaller **f_number** opens the lens.
""",
    {
        "photo": photo("motorcycle.png", title="Photo"),
        "picture": photo("motorcycle_near_bright.png", title="Depth picture"),
        "depth": measured_depth("photo", "picture"),
        "defocus": defocus(
            {
                "image": ["photo", 0],
                "focus": "point",
                "x": 0.735,
                "y": 0.31,
                "strength": "camera",
                "f_number": 1.4,
                "focal_mm": 85.0,
            }
        ),
        "kernel": Node(
            "RefocusBokehKernel", {"shape": "polygon", "blades": 9, "curvature": 0.6, "softness": 0.1}, width=320, height=520
        ),
        "reblur": reblur({"image": ["photo", 0], "defocus": ["defocus", 0], "kernel": ["kernel", 0], "highlight_boost": 1.0}),
        "save": save("reblur", "refocus_depth_picture"),
    },
    [["note", "photo", "picture"], ["depth"], ["defocus"], ["kernel"], ["reblur", "save"]],
    "save",
    before="photo",
)
