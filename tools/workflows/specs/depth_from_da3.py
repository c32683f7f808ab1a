"""The graph "Depth from Depth Anything 3"."""

from __future__ import annotations

from tools.workflows.graph import Node, Workflow
from tools.workflows.parts import defocus, photo, reblur, save

WORKFLOW = Workflow(
    "Depth from Depth Anything 3",
    """## Depth from ComfyUI's own Depth Anything 3

Needs ComfyUI 0.24 or newer and `depth_anything_3_mono_large.safetensors` in `models/geometry_estimation`; ComfyUI offers the
download when it opens this graph.

The Mono model knows no metres, so **geometry_units** is *relative* and the strength is in percent. With the Metric model choose
*metres* and give **focal_px**; then a camera's f-number works. For a try: `coffee.png` in the pack's folder `tests/data`.
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
            width=360,
            height=760,
        ),
        "defocus": defocus({"image": ["photo", 0], "focus": "point", "x": 0.5, "y": 0.75, "percent": 2.6}),
        "reblur": reblur({"image": ["photo", 0], "defocus": ["defocus", 0]}),
        "save": save("reblur", "da3"),
    },
    [["photo"], ["model", "run"], ["depth"], ["defocus"], ["reblur"], ["save"]],
    "save",
    card="depth from\nDepth Anything 3",
    test_values={"run": {"resolution": 140}},
)
