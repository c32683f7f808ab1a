"""The graph "Text to image, then a lens"."""

from __future__ import annotations

from tools.workflows.graph import Node, Workflow
from tools.workflows.parts import CHECKPOINT, TINY_DEPTH, defocus, estimated_depth, reblur, save

WORKFLOW = Workflow(
    "Text to image, then a lens",
    """### Text to image, then through a lens
- ComfyUI offers to download the checkpoint; any other will do.
- *deep focus* in the prompt gives Reblur a sharp picture.
- Click in **Defocus Map** on what shall be sharp.
- Better depth: switch on **allow_download** once.
""",
    {
        "checkpoint": CHECKPOINT,
        "positive": Node(
            "CLIPTextEncode",
            {
                "clip": ["checkpoint", 1],
                "text": "a fox on a mossy stone in a forest, a stream far behind it, deep focus, everything sharp, photograph",
            },
            title="What to show",
            width=360,
            height=160,
        ),
        "negative": Node(
            "CLIPTextEncode",
            {"clip": ["checkpoint", 1], "text": "blurry, bokeh, shallow depth of field, text, watermark"},
            title="What to leave out",
            width=360,
            height=140,
        ),
        "size": Node("EmptyLatentImage", {"width": 512, "height": 512}, width=300),
        "sampler": Node(
            "KSampler",
            {
                "model": ["checkpoint", 0],
                "positive": ["positive", 0],
                "negative": ["negative", 0],
                "latent_image": ["size", 0],
                "seed": 7,
                "steps": 25,
                "cfg": 7.0,
                "sampler_name": "dpmpp_2m",
                "scheduler": "karras",
            },
            width=320,
        ),
        "decode": Node("VAEDecode", {"samples": ["sampler", 0], "vae": ["checkpoint", 2]}, width=240),
        "depth": estimated_depth("decode"),
        "defocus": defocus({"image": ["decode", 0], "focus": "auto", "percent": 3.5}),
        "reblur": reblur({"image": ["decode", 0], "defocus": ["defocus", 0]}),
        "save": save("reblur", "text_to_image"),
    },
    [["note", "checkpoint", "positive", "negative"], ["size", "sampler", "decode"], ["depth"], ["defocus"], ["reblur", "save"]],
    "save",
    graph_thumbnail=True,
    test_values={
        "depth": TINY_DEPTH,
        "size": {"width": 128, "height": 128},
        "sampler": {"steps": 1},
        "defocus": {"percent": 10.0},  # a random network paints little that blur could change
    },
)
