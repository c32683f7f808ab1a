"""Nodes and words that several of the example graphs share."""

from __future__ import annotations

import json

from tests.helpers.motorcycle import FAR_M, NEAR_M
from tools.workflows.graph import Node

WHERE = "the pack's folder `tests/data`"
"""Where the notes send people for pictures."""
TINY_DEPTH = {"model": "tiny/model.safetensors"}
"""Widgets of Depth Estimate with the tests' random model."""
OWN_DEPTH = {"source": "model", "model": "auto"}
"""Widgets of Depth Estimate with the network that ships."""


def photo(file: str, **kwargs: object) -> Node:
    return Node("LoadImage", {"image": file}, width=320, height=340, **kwargs)


def save(source: str, prefix: str) -> Node:
    return Node("SaveImage", {"images": [source, 0], "filename_prefix": prefix}, width=520, height=430)


def measured_depth(image: str, picture: str) -> Node:
    return Node(
        "RefocusDepthEstimate",
        {"image": [image, 0], "depth_image": [picture, 0], "source": "depth_image", "near_m": NEAR_M, "far_m": FAR_M},
        width=360,
        height=760,
    )


def defocus(inputs: dict[str, object], title: str = "") -> Node:
    return Node("RefocusDefocusMap", {"depth": ["depth", 0], **inputs}, title=title, width=360, height=820)


def reblur(inputs: dict[str, object], title: str = "") -> Node:
    return Node("RefocusReblur", inputs, title=title, width=360, height=480)


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


FLUX_FILES = """Needs FLUX.1-dev (`models/diffusion_models` and `models/vae`; its licence is non-commercial), the adapters
`deblurNet.safetensors` and `bokehNet.safetensors` in `models/loras`, and for better depth a larger model (switch on
**allow_download** in Depth Estimate once). The text encoders are needed for the first run only; later they are not loaded, and
the node can go."""
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
