"""The graph "Depth from Depth Anything 3"."""

from __future__ import annotations

from tools.workflows.graph import Node, Workflow
from tools.workflows.parts import defocus, photo, reblur, save

WORKFLOW = Workflow(
    "Depth from Depth Anything 3",
    """### Depth from ComfyUI's own Depth Anything 3
- ComfyUI offers to download the model.
- The Mono model knows no metres: **strength** is in percent.
- With the Metric model choose **geometry_units** *metres*
- and give **focal_px**: then an f-number works.
""",
    {
        "photo": photo("coffee.png", title="Photo"),
        "model": Node(
            "LoadDA3Model",
            {"model_name": "depth_anything_3_mono_large.safetensors"},
            width=360,
            models=(
                {
                    "name": "depth_anything_3_mono_large.safetensors",
                    "url": "https://huggingface.co/Comfy-Org/Depth-Anything-3/resolve/main/geometry_estimation/"
                    "depth_anything_3_mono_large.safetensors",
                    "directory": "geometry_estimation",
                },
            ),
        ),
        "run": Node("DA3Inference", {"da3_model": ["model", 0], "image": ["photo", 0]}, width=360),
        "depth": Node(
            "RefocusDepthEstimate",
            {"image": ["photo", 0], "da3_geometry": ["run", 0], "source": "da3_geometry", "geometry_units": "relative"},
            width=340,
            height=700,
        ),
        "defocus": defocus({"image": ["photo", 0], "focus": "point", "x": 0.5, "y": 0.75, "percent": 2.6}),
        "reblur": reblur({"image": ["photo", 0], "defocus": ["defocus", 0]}),
        "save": save("reblur", "da3"),
    },
    [["note", "photo", "model", "run"], ["depth"], ["defocus"], ["reblur", "save"]],
    "save",
    graph_thumbnail=True,
    test_values={"run": {"resolution": 140}},
)
