"""The graph "Change the focus in a group photo"."""

from __future__ import annotations

from tools.workflows.graph import Node, Workflow
from tools.workflows.parts import OWN_DEPTH, TINY_DEPTH, WHERE, defocus, photo, reblur, save

WORKFLOW = Workflow(
    "Change the focus in a group photo",
    f"""## Who is sharp?

1. Load a photo of several people or animals. For a try: `friends.jpg` in {WHERE}.
2. For better depth, switch on **allow_download** in Depth Estimate once, or put a larger model into `models/refocus`.
3. Run. **x** and **y** of Defocus Map are the point in focus (0,0 is the upper left corner): here the upper dog. Try
0.92, 0.75, the post in front.

One plane is sharp, and everything at that distance. To keep two faces sharp that are not equally far away, put the point on one
and raise **focus_range** until both are grey in the preview, or click one in the photo and Shift+click the other. **near_gain** 0
leaves the foreground as it is.
""",
    {
        "photo": photo("friends.jpg", title="Group photo"),
        "depth": Node("RefocusDepthEstimate", {"image": ["photo", 0], "source": "model"}, width=360, height=860),
        "defocus": defocus({"image": ["photo", 0], "focus": "point", "x": 0.42, "y": 0.3, "percent": 2.8}),
        "kernel": Node(
            "RefocusBokehKernel", {"shape": "polygon", "blades": 7, "curvature": 0.7, "softness": 0.1}, width=320, height=560
        ),
        "reblur": reblur({"image": ["photo", 0], "defocus": ["defocus", 0], "kernel": ["kernel", 0]}),
        "save": save("reblur", "group"),
    },
    [["photo"], ["depth"], ["defocus"], ["kernel", "reblur"], ["save"]],
    "save",
    show=(0.0, 0.15, 1.0, 0.65),
    before="photo",
    test_values={"depth": TINY_DEPTH},
    thumbnail_values={"depth": OWN_DEPTH},
    halved=True,
)
