"""The graph "Aperture shapes on city lights"."""

from __future__ import annotations

from tools.workflows.graph import Node, Workflow
from tools.workflows.parts import defocus, photo, reblur, save

WORKFLOW = Workflow(
    "Aperture shapes on city lights",
    """### City lights in the shape of the aperture
- **Bokeh Kernel**: try *star*, *ring*, *polygon*.
- Any picture can be the aperture: choose **shape** *image* and
- connect a Load Image with `refocus_aperture_cat.png`.
- **highlight_boost** lets lights shine that the photo clips.
""",
    {
        "photo": photo("city_lights.jpg", title="Photo"),
        "picture": photo("city_lights_depth.png", title="Depth picture"),
        "depth": Node(
            "RefocusDepthEstimate",
            {"image": ["photo", 0], "depth_image": ["picture", 0], "source": "depth_image"},
            width=340,
            height=700,
        ),
        "defocus": defocus({"image": ["photo", 0], "focus": "point", "x": 0.71, "y": 0.65, "percent": 2.3}),
        "kernel": Node("RefocusBokehKernel", {"shape": "heart"}, width=320, height=520),
        "reblur": reblur({"image": ["photo", 0], "defocus": ["defocus", 0], "kernel": ["kernel", 0], "highlight_boost": 5.0}),
        "save": save("reblur", "city_lights"),
    },
    [["note", "photo", "picture"], ["depth"], ["defocus"], ["kernel"], ["reblur", "save"]],
    "save",
    before="photo",
)
