"""The graph "Depth from MoGe"."""

from __future__ import annotations

from tools.workflows.graph import Node, Workflow
from tools.workflows.parts import defocus, photo, reblur, save

WORKFLOW = Workflow(
    "Depth from MoGe",
    """### Depth in metres from ComfyUI's own MoGe
- ComfyUI offers to download the model.
- MoGe knows metres: **f_number** means what it does on a camera.
- **focal_mm** 0 takes the focal length that MoGe finds.
""",
    {
        "photo": photo("coffee.png", title="Photo"),
        "model": Node(
            "LoadMoGeModel",
            {"model_name": "moge_2_vitl_normal_fp16.safetensors"},
            width=360,
            models=(
                {
                    "name": "moge_2_vitl_normal_fp16.safetensors",
                    "url": "https://huggingface.co/Comfy-Org/MoGe/resolve/main/geometry_estimation/"
                    "moge_2_vitl_normal_fp16.safetensors",
                    "directory": "geometry_estimation",
                },
            ),
        ),
        "run": Node("MoGeInference", {"moge_model": ["model", 0], "image": ["photo", 0]}, width=360),
        "depth": Node(
            "RefocusDepthEstimate",
            {"image": ["photo", 0], "moge_geometry": ["run", 0], "source": "moge_geometry"},
            width=340,
            height=700,
        ),
        "defocus": defocus(
            {
                "image": ["photo", 0],
                "focus": "point",
                "x": 0.5,
                "y": 0.75,
                "strength": "camera",
                "f_number": 1.4,
                "focal_mm": 50.0,
            }
        ),
        "reblur": reblur({"image": ["photo", 0], "defocus": ["defocus", 0]}),
        "save": save("reblur", "moge"),
    },
    [["note", "photo", "model", "run"], ["depth"], ["defocus"], ["reblur", "save"]],
    "save",
    graph_thumbnail=True,
    test_values={"run": {"resolution_level": 0}, "defocus": {"focus": "auto"}},
)
