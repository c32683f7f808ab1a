"""The example graphs, for make_workflows.py (which says how they become files) and for the tests (which run them)."""

from __future__ import annotations

from make_workflows import Node, Workflow

# The bundled photograph's depth picture: white and black in metres (tests/data/LICENSES.md).
NEAR_M, FAR_M = 2.1103559, 5.01685
WHERE = "the pack's folder `tests/data`"
TINY_DEPTH = {"model": "tiny/model.safetensors"}


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


REFOCUS = Workflow(
    "refocus_photo",
    f"""## Refocus a photo

Load `motorcycle.png` and `motorcycle_near_bright.png` (both in {WHERE}) and run.

**Defocus Map** decides what is sharp: move the point with **x** and **y** (0,0 is the upper left corner), open the lens with a
smaller **f_number**. Blue in its preview is in front of the focal plane, red behind it.

With a photo of your own, remove *Depth picture* and set **source** to *model*. A small network that ships with the pack does
the rest; a larger one is better: switch on **allow_download** once, or put one into `models/refocus`. For a camera's f-number,
near_m and far_m of Defocus Map then say how far the nearest and farthest thing is; or set **strength** to *percent of long
edge*.
""",
    {
        "photo": photo("motorcycle.png", title="Photo"),
        "picture": photo("motorcycle_near_bright.png", title="Depth picture"),
        "depth": measured_depth("photo", "picture"),
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
        "kernel": Node(
            "RefocusBokehKernel", {"shape": "polygon", "blades": 9, "curvature": 0.6, "softness": 0.1}, width=320, height=560
        ),
        "reblur": reblur({"image": ["photo", 0], "defocus": ["defocus", 0], "kernel": ["kernel", 0], "highlight_boost": 1.0}),
        "save": save("reblur", "refocus"),
    },
    [["photo", "picture"], ["depth"], ["defocus"], ["kernel", "reblur"], ["save"]],
    "save",
)

PORTRAIT = Workflow(
    "portrait_with_mask",
    """## Portrait with a painted focus

1. Load a portrait. Right-click **Load Image**, choose *Open in MaskEditor*, and paint roughly over the face.
2. Run. For better depth, switch on **allow_download** in Depth Estimate once, or put a larger model into `models/refocus`.
3. See: The median depth under the paint is in focus; **focus_range** keeps the whole face sharp, **percent** sets the strength.

For a try: `astronaut.png` in the pack's folder `tests/data`.
""",
    {
        "photo": photo("portrait.png", title="Portrait, with a painted mask"),
        "depth": Node("RefocusDepthEstimate", {"image": ["photo", 0], "source": "model"}, width=360, height=760),
        "defocus": defocus(
            {"image": ["photo", 0], "focus_mask": ["photo", 1], "focus": "mask", "percent": 2.0, "focus_range": 0.15}
        ),
        "reblur": reblur({"image": ["photo", 0], "defocus": ["defocus", 0]}),
        "save": save("reblur", "portrait"),
    },
    [["photo"], ["depth"], ["defocus"], ["reblur"], ["save"]],
    "save",
    real=False,
    test_values={"depth": TINY_DEPTH},
)

APERTURE = Workflow(
    "custom_aperture",
    f"""## Any shape as the aperture

Load `motorcycle.png` and `motorcycle_near_bright.png` (in {WHERE}) and `aperture_cat.png` (in the pack's folder `workflows`),
and run.

Any picture can be the aperture: bright is open, black is closed. Every light out of focus takes its shape; behind the focal plane
it is upright, in front of it, as here, upside down. **highlight_boost** in Reblur gives clipped highlights their light back,
so that the shapes show.
""",
    {
        "photo": photo("motorcycle.png", title="Photo"),
        "picture": photo("motorcycle_near_bright.png", title="Depth picture"),
        "shape": photo("aperture_cat.png", title="Aperture"),
        "depth": measured_depth("photo", "picture"),
        "defocus": defocus({"image": ["photo", 0], "focus": "distance", "distance_m": 4.9, "percent": 1.8}),
        "kernel": Node("RefocusBokehKernel", {"aperture_image": ["shape", 0], "shape": "image"}, width=320, height=560),
        "reblur": reblur({"image": ["photo", 0], "defocus": ["defocus", 0], "kernel": ["kernel", 0], "highlight_boost": 4.5}),
        "save": save("reblur", "aperture"),
    },
    [["photo", "picture", "shape"], ["depth"], ["defocus"], ["kernel", "reblur"], ["save"]],
    "save",
)

SHARPEN = Workflow(
    "sharpen_then_refocus",
    f"""## A photo with the focus in the wrong place

Load `motorcycle.png` and `motorcycle_near_bright.png` (in {WHERE}) and run.

*As taken* stands in for your own photo: it puts the focus on the shelves behind. Delete it and connect your photo instead.
**All In Focus** then takes the blur out, as far as the map *How it was taken* describes it, and **Reblur** puts the focus on the
motorcycle. A few pixels of blur can be taken out well; what a strong blur has removed does not come back.
""",
    {
        "photo": photo("motorcycle.png", title="Photo"),
        "picture": photo("motorcycle_near_bright.png", title="Depth picture"),
        "depth": measured_depth("photo", "picture"),
        "was": defocus(
            {
                "image": ["photo", 0],
                "focus": "distance",
                "distance_m": 4.8,
                "strength": "camera",
                "f_number": 4.0,
                "focal_mm": 50.0,
            },
            "How it was taken",
        ),
        "wanted": defocus(
            {
                "image": ["sharp", 0],
                "focus": "point",
                "x": 0.735,
                "y": 0.31,
                "strength": "camera",
                "f_number": 1.4,
                "focal_mm": 50.0,
            },
            "How it shall be",
        ),
        "taken": reblur({"image": ["photo", 0], "defocus": ["was", 0]}, "As taken"),
        "sharp": Node(
            "RefocusAllInFocus", {"image": ["taken", 0], "defocus": ["was", 0], "method": "deconvolution"}, width=360, height=480
        ),
        "reblur": reblur({"image": ["sharp", 0], "defocus": ["wanted", 0]}),
        "save": save("reblur", "sharpened"),
    },
    [["photo", "picture"], ["depth"], ["was"], ["taken", "sharp"], ["wanted"], ["reblur"], ["save"]],
    "save",
)

DEPTH_ANYTHING_3 = Workflow(
    "depth_anything_3",
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
        "defocus": defocus({"image": ["photo", 0], "focus": "point", "x": 0.5, "y": 0.75, "percent": 2.0}),
        "reblur": reblur({"image": ["photo", 0], "defocus": ["defocus", 0]}),
        "save": save("reblur", "da3"),
    },
    [["photo"], ["model", "run"], ["depth"], ["defocus"], ["reblur"], ["save"]],
    "save",
    real=False,
    test_values={"run": {"resolution": 140}},
)

TEXT_TO_IMAGE = Workflow(
    "text_to_image_reblur",
    """## Text to image, then through a lens

The last step after any text-to-image graph: the picture gets the depth of field of a real lens, with the focus where you want it.

Needs a checkpoint (here Stable Diffusion 1.5; connect any other). For better depth than the small network that ships with the
pack gives, switch on **allow_download** in Depth Estimate once. Asking for *deep focus* in the prompt gives Reblur a sharp
picture to work on.
""",
    {
        "checkpoint": Node(
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
        ),
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
        "depth": Node("RefocusDepthEstimate", {"image": ["decode", 0], "source": "model"}, width=360, height=760),
        "defocus": defocus({"image": ["decode", 0], "focus": "auto", "percent": 2.5}),
        "reblur": reblur({"image": ["decode", 0], "defocus": ["defocus", 0]}),
        "save": save("reblur", "text_to_image"),
    },
    [["checkpoint"], ["positive", "negative", "size"], ["sampler", "decode"], ["depth"], ["defocus"], ["reblur"], ["save"]],
    "save",
    real=False,
    test_values={"depth": TINY_DEPTH, "size": {"width": 128, "height": 128}, "sampler": {"steps": 1}},
)

WORKFLOWS = (REFOCUS, PORTRAIT, APERTURE, SHARPEN, DEPTH_ANYTHING_3, TEXT_TO_IMAGE)
