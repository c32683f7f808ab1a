"""The graph "Aperture shapes on city lights"."""

from __future__ import annotations

from tools.workflows.graph import Node, Workflow
from tools.workflows.parts import WHERE, defocus, photo, reblur, save

WORKFLOW = Workflow(
    "Aperture shapes on city lights",
    f"""## City lights in the shape of the aperture

Load `city_lights.jpg` and `city_lights_depth.png` (both in {WHERE}) and run.

Every light out of focus takes the shape of the aperture: try *star*, *ring* or *polygon* in **Bokeh Kernel**. Any picture can be
the aperture as well: set **shape** to *image* and connect it to aperture_image, bright is open (for a try: `aperture_cat.png` in
the pack's folder `workflows`). Behind the focal plane the shape is upright, in front of it upside down.

A photo clips its lights at white. **highlight_boost** in Reblur gives them their light back, so that the shapes shine.
""",
    {
        "photo": photo("city_lights.jpg", title="Photo"),
        "picture": photo("city_lights_depth.png", title="Depth picture"),
        "depth": Node(
            "RefocusDepthEstimate",
            {"image": ["photo", 0], "depth_image": ["picture", 0], "source": "depth_image"},
            width=360,
            height=760,
        ),
        "defocus": defocus({"image": ["photo", 0], "focus": "point", "x": 0.71, "y": 0.65, "percent": 2.3}),
        "kernel": Node("RefocusBokehKernel", {"shape": "heart"}, width=320, height=560),
        "reblur": reblur({"image": ["photo", 0], "defocus": ["defocus", 0], "kernel": ["kernel", 0], "highlight_boost": 5.0}),
        "save": save("reblur", "city_lights"),
    },
    [["photo", "picture"], ["depth"], ["defocus"], ["kernel", "reblur"], ["save"]],
    "save",
)
