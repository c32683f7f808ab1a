"""The graph "Refocus a photo"."""

from __future__ import annotations

from tools.workflows.graph import Node, Workflow
from tools.workflows.parts import WHERE, defocus, measured_depth, photo, reblur, save

WORKFLOW = Workflow(
    "Refocus a photo",
    f"""## Refocus a photo

Load `motorcycle.png` and `motorcycle_near_bright.png` (both in {WHERE}) and run.

**Defocus Map** decides what is sharp: move the point with **x** and **y** (0,0 is the upper left corner), open the lens with a
smaller **f_number**. Blue in its preview is in front of the focal plane, red behind it.

With a photo of your own, remove *Depth picture* and set **source** to *model*. A small network that ships with the pack does
the rest; a larger one is better: switch on **allow_download** once, or put one into `models/refocus`. For a camera's f-number,
near_m and far_m of Depth Estimate then say how far the nearest and farthest thing is; or set **strength** to *percent of long
edge*.
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
            "RefocusBokehKernel", {"shape": "polygon", "blades": 9, "curvature": 0.6, "softness": 0.1}, width=320, height=560
        ),
        "reblur": reblur({"image": ["photo", 0], "defocus": ["defocus", 0], "kernel": ["kernel", 0], "highlight_boost": 1.0}),
        "save": save("reblur", "refocus"),
    },
    [["photo", "picture"], ["depth"], ["defocus"], ["kernel", "reblur"], ["save"]],
    "save",
)
