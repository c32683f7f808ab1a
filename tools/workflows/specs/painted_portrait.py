"""The graph "Portrait with a painted focus"."""

from __future__ import annotations

from tools.workflows.graph import Node, Workflow
from tools.workflows.parts import OWN_DEPTH, TINY_DEPTH, defocus, photo, reblur, save

WORKFLOW = Workflow(
    "Portrait with a painted focus",
    """## Portrait with a painted focus

1. Load a portrait. Right-click **Load Image**, choose *Open in MaskEditor*, and paint roughly over the face.
2. Run. For better depth, switch on **allow_download** in Depth Estimate once, or put a larger model into `models/refocus`.
3. See: The median depth under the paint is in focus; **focus_range** keeps the whole face sharp, **percent** sets the strength.

For a try: `astronaut.png` in the pack's folder `tests/data`.
""",
    {
        "photo": photo("portrait.png", title="Portrait, with a painted mask"),
        "depth": Node("RefocusDepthEstimate", {"image": ["photo", 0], "source": "model"}, width=360, height=760),
        "defocus": defocus(
            {"image": ["photo", 0], "focus_mask": ["photo", 1], "focus": "mask", "percent": 2.2, "focus_range": 0.15}
        ),
        "reblur": reblur({"image": ["photo", 0], "defocus": ["defocus", 0]}),
        "save": save("reblur", "portrait"),
    },
    [["photo"], ["depth"], ["defocus"], ["reblur"], ["save"]],
    "save",
    show=(0.0, 0.0, 1.0, 0.7),
    before="photo",
    test_values={"depth": TINY_DEPTH},
    thumbnail_values={"depth": OWN_DEPTH},
)
