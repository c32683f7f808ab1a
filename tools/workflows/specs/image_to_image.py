"""The graph "Refocus, then image to image"."""

from __future__ import annotations

from tools.workflows.graph import Node, Workflow
from tools.workflows.parts import CHECKPOINT, defocus, measured_depth, photo, reblur, save

WORKFLOW = Workflow(
    "Refocus, then image to image",
    """### A lens first, then image to image
- What is blurred is repainted freely, what is sharp is kept.
- Click in **Defocus Map** on what shall be sharp.
- **denoise** 0.35 keeps the picture; more changes more.
- ComfyUI offers to download the checkpoint; any other will do.
""",
    {
        "photo": photo("motorcycle.png", title="Photo"),
        "picture": photo("motorcycle_near_bright.png", title="Depth picture"),
        "depth": measured_depth("photo", "picture", collapsed=True),
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
        "reblur": reblur({"image": ["photo", 0], "defocus": ["defocus", 0]}),
        "checkpoint": CHECKPOINT,
        "positive": Node(
            "CLIPTextEncode",
            {
                "clip": ["checkpoint", 1],
                "text": "a red motorcycle in a workshop, evening light, photograph, shallow depth of field",
            },
            title="What to show",
            width=360,
            height=140,
        ),
        "negative": Node(
            "CLIPTextEncode",
            {"clip": ["checkpoint", 1], "text": "drawing, text, watermark"},
            title="What to leave out",
            width=360,
            height=120,
        ),
        "encode": Node("VAEEncode", {"pixels": ["reblur", 0], "vae": ["checkpoint", 2]}, width=240, collapsed=True),
        "sampler": Node(
            "KSampler",
            {
                "model": ["checkpoint", 0],
                "positive": ["positive", 0],
                "negative": ["negative", 0],
                "latent_image": ["encode", 0],
                "seed": 7,
                "steps": 25,
                "cfg": 6.0,
                "sampler_name": "dpmpp_2m",
                "scheduler": "karras",
                "denoise": 0.35,
            },
            width=320,
        ),
        "decode": Node("VAEDecode", {"samples": ["sampler", 0], "vae": ["checkpoint", 2]}, width=240, collapsed=True),
        "save": save("decode", "image_to_image"),
    },
    [
        ["note", "photo", "picture", "depth"],
        ["defocus"],
        ["reblur", "checkpoint"],
        ["positive", "negative", "sampler", "encode", "decode"],
        ["save"],
    ],
    "save",
    graph_thumbnail=True,
    test_values={"sampler": {"steps": 1, "denoise": 1.0}},
    halved=True,
)
