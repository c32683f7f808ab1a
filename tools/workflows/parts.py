"""Nodes and words that several of the example graphs share."""

from __future__ import annotations

import json

from tests.helpers.motorcycle import FAR_M, NEAR_M
from tools.workflows.graph import NOTE_WIDTH, Node

PREFIX = "refocus_"
"""Before the names of the pack's pictures in ComfyUI's input folder (`nodes/host/template_pictures.py`)."""
REBLUR_HEIGHT = 830
"""How high Reblur becomes by a picture in portrait format with all its inputs shown, so that it covers nothing below it."""
TINY_DEPTH = {"model": "tiny/model.safetensors"}
"""Widgets of Depth Estimate with the tests' random model."""
OWN_DEPTH = {"source": "model", "model": "auto"}
"""Widgets of Depth Estimate with the network that ships."""


def photo(file: str, title: str = "") -> Node:
    """Load Image with a picture of tests/data, as the pack brings it into the input folder."""
    return Node("LoadImage", {"image": PREFIX + file}, title=title, width=NOTE_WIDTH, height=320)


def save(source: str, prefix: str, output: int = 0) -> Node:
    return Node("SaveImage", {"images": [source, output], "filename_prefix": prefix}, width=420, height=400)


def estimated_depth(image: str, *, collapsed: bool = False) -> Node:
    return Node("RefocusDepthEstimate", {"image": [image, 0], "source": "model"}, width=340, height=700, collapsed=collapsed)


def measured_depth(image: str, picture: str, *, collapsed: bool = False) -> Node:
    return Node(
        "RefocusDepthEstimate",
        {"image": [image, 0], "depth_image": [picture, 0], "source": "depth_image", "near_m": NEAR_M, "far_m": FAR_M},
        width=340,
        height=700,
        collapsed=collapsed,
    )


def defocus(inputs: dict[str, object], title: str = "") -> Node:
    return Node("RefocusDefocusMap", {"depth": ["depth", 0], **inputs}, title=title, width=360, height=820)


def reblur(inputs: dict[str, object], title: str = "") -> Node:
    return Node("RefocusReblur", inputs, title=title, width=340, height=REBLUR_HEIGHT)


AS_TAKEN = {"focus": "distance", "distance_m": 4.9, "strength": "camera", "f_number": 2.0, "focal_mm": 50.0}
"""How missed_focus.jpg was made: focused on the shelves behind the motorcycle."""


WHEEL, TANK, SHELVES = (0.745, 0.72), (0.56, 0.42), (0.76, 0.16)
"""Points of the motorcycle photo on which the keys put the focus."""


KEYFRAMES = json.dumps({"keys": [{"frame": f, "x": x, "y": y} for f, (x, y) in ((0, WHEEL), (4, TANK), (7, SHELVES))]})
"""The keys of a timeline, as the page saves them."""


CHECKPOINT = Node(
    "CheckpointLoaderSimple",
    {"ckpt_name": "v1-5-pruned-emaonly-fp16.safetensors"},
    width=360,
    models=(
        {
            "name": "v1-5-pruned-emaonly-fp16.safetensors",
            "url": "https://huggingface.co/Comfy-Org/stable-diffusion-v1-5-archive/resolve/main/"
            "v1-5-pruned-emaonly-fp16.safetensors",
            "directory": "checkpoints",
        },
    ),
)
"""Stable Diffusion 1.5, as ComfyUI offers it for download."""


GENFOCUS = "https://huggingface.co/nycu-cplab/Genfocus-Model/resolve/main/"
"""Where the adapters are published."""


ENCODERS = "https://huggingface.co/comfyanonymous/flux_text_encoders/resolve/main/"
"""Where the text encoders of FLUX.1 are published."""


FLUX_FILES = """- Needs FLUX.1-dev (non-commercial) in `models`, and two adapters.
- The text encoders are needed for the first run only."""
"""What a note says of the files that FLUX.1 needs."""


def file(name: str, url: str, directory: str) -> dict[str, str]:
    return {"name": name, "url": url, "directory": directory}


def flux() -> dict[str, Node]:
    """The loaders of FLUX.1-dev."""
    return {
        "flux": Node("UNETLoader", {"unet_name": "flux1-dev.safetensors", "weight_dtype": "fp8_e4m3fn"}, width=340),
        "vae": Node("VAELoader", {"vae_name": "ae.safetensors"}, width=340),
        "clip": Node(
            "DualCLIPLoader",
            {"clip_name1": "clip_l.safetensors", "clip_name2": "t5xxl_fp16.safetensors", "type": "flux"},
            title="Text encoders (first run only)",
            width=340,
            models=(
                file("clip_l.safetensors", ENCODERS + "clip_l.safetensors", "text_encoders"),
                file("t5xxl_fp16.safetensors", ENCODERS + "t5xxl_fp16.safetensors", "text_encoders"),
            ),
        ),
    }


FLUX_SOCKETS = {"model": ["flux", 0], "vae": ["vae", 0], "clip": ["clip", 0]}
"""Links from the loaders of `flux`."""


ADAPTERS = tuple(file(n, GENFOCUS + n, "loras") for n in ("deblurNet.safetensors", "bokehNet.safetensors"))
"""The adapters, as ComfyUI offers them for download."""
