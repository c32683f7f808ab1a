"""The graph "Export depth and blur"."""

from __future__ import annotations

from tools.workflows.graph import Node, Workflow
from tools.workflows.parts import SHELVES, defocus, measured_depth, photo, save


def exr(source: str, prefix: str, title: str) -> Node:
    """Core's Save Image (Advanced): numbers as they are, in a file of floating point."""
    numbers = {"format": "exr", "format.bit_depth": "32-bit float", "format.input_color_space": "linear"}
    return Node("SaveImageAdvanced", {"images": [source, 0], "filename_prefix": prefix, **numbers}, title=title, width=420)


WORKFLOW = Workflow(
    "Export depth and blur",
    """### Export depth and blur
- **near bright**: grey, for ControlNet and other packs.
- **metres** as EXR; needs near_m and far_m, or a metric model.
- **Defocus to Image** as EXR: signed radius of blur in px.
- *Defocus from Image* and *Depth Estimate* read them again.
""",
    {
        "photo": photo("motorcycle.png", title="Photo"),
        "picture": photo("motorcycle_near_bright.png", title="Depth picture"),
        "depth": measured_depth("photo", "picture", collapsed=True),
        "defocus": defocus({"image": ["photo", 0], "focus": "point", "x": SHELVES[0], "y": SHELVES[1], "percent": 4.0}),
        "near": Node(
            "RefocusDepthToImage", {"depth": ["depth", 0], "values": "near bright"}, title="Depth, near bright", width=340
        ),
        "metres": Node(
            "RefocusDepthToImage",
            {"depth": ["depth", 0], "values": "metres", "farthest_m": 100.0},
            title="Depth in metres",
            width=340,
        ),
        "radius": Node("RefocusDefocusToImage", {"defocus": ["defocus", 0], "signs": "signed", "measure": "radius"}, width=340),
        "save": save("near", "depth_near_bright"),
        "save_metres": exr("metres", "depth_metres", "Metres as EXR"),
        "save_radius": exr("radius", "blur_radius_px", "Blur radius as EXR"),
    },
    [["note", "photo", "picture"], ["depth", "defocus"], ["near", "metres", "radius"], ["save", "save_metres", "save_radius"]],
    "save",
    before="photo",
)
