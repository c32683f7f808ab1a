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

With a photo of your own, remove *Depth picture* and set **source** to *model*: switch on **allow_download** once, or put a depth
model into `models/refocus`. For a camera's f-number, near_m and far_m of Defocus Map then say how far the nearest and farthest
thing is; or set **strength** to *percent of long edge*.
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
2. The first time, switch on **allow_download** in Depth Estimate, or put a depth model into `models/refocus`.
3. Run. The median depth under the paint is in focus; **focus_range** keeps the whole face sharp, **percent** sets the strength.

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

Needs a checkpoint (here Stable Diffusion 1.5; connect any other) and a depth model: switch on **allow_download** in Depth
Estimate once, or put one into `models/refocus`. Asking for *deep focus* in the prompt gives Reblur a sharp picture to work on.
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

GENFOCUS = "https://huggingface.co/nycu-cplab/Genfocus-Model/resolve/main/"
ENCODERS = "https://huggingface.co/comfyanonymous/flux_text_encoders/resolve/main/"
FLUX_FILES = """Needs FLUX.1-dev (`models/diffusion_models` and `models/vae`; its licence is non-commercial), the adapters
`deblurNet.safetensors` and `bokehNet.safetensors` in `models/loras`, and a depth model (switch on **allow_download** in Depth
Estimate once). The text encoders are needed for the first run only; later they are not loaded, and the node can go."""


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
ADAPTERS = tuple(file(n, GENFOCUS + n, "loras") for n in ("deblurNet.safetensors", "bokehNet.safetensors"))


def compare(a: str, b: str, title: str) -> Node:
    return Node("ImageCompare", {"image_a": [a, 0], "image_b": [b, 0]}, title=title, width=520, height=430)


GENERATIVE = Workflow(
    "generative_refocus",
    f"""## Sharp everywhere, then another focus, by FLUX

**All In Focus** (*generative*) makes the photo sharp, **Depth Estimate** looks at the sharp picture, **Reblur** (*generative*)
blurs it anew. Drag the sliders to compare. Large photos run at **megapixels** and keep their own detail where nothing changes.

Try **quality** *hybrid* as well: the lens renderer does the blur, and FLUX redraws only the background that it reveals.

{FLUX_FILES}
""",
    {
        "photo": photo("coffee.png", title="Photo"),
        **flux(),
        "sharp": Node(
            "RefocusAllInFocus",
            {"image": ["photo", 0], "method": "generative", **FLUX_SOCKETS},
            width=360,
            height=620,
            models=ADAPTERS,
        ),
        "depth": Node("RefocusDepthEstimate", {"image": ["sharp", 0], "source": "model"}, width=360, height=760),
        "defocus": defocus({"image": ["sharp", 0], "focus": "point", "x": 0.5, "y": 0.75, "percent": 2.0}),
        "reblur": Node(
            "RefocusReblur",
            {"image": ["sharp", 0], "defocus": ["defocus", 0], "quality": "generative", **FLUX_SOCKETS},
            width=360,
            height=680,
        ),
        "first": compare("photo", "sharp", "Photo / sharp"),
        "second": compare("sharp", "reblur", "Sharp / refocused"),
        "save": save("reblur", "generative"),
    },
    [["photo", "flux", "vae", "clip"], ["sharp"], ["depth"], ["defocus"], ["reblur"], ["save"], ["first", "second"]],
    "save",
    real=False,
    exact=False,
    test_values={
        "depth": TINY_DEPTH,
        "flux": {"weight_dtype": "default"},
        "sharp": {"steps": 1, "megapixels": 0.1},
        "reblur": {"steps": 1, "megapixels": 0.1},
    },
)


def sampled(name: str, apply: str, seed: int) -> dict[str, Node]:
    """KSampler and VAE Decode after a Genfocus Apply."""
    return {
        f"{name}_sampler": Node(
            "KSampler",
            {
                "model": [apply, 0],
                "latent_image": [apply, 1],
                "positive": [apply, 2],
                "negative": [apply, 2],
                "seed": seed,
                "control_after_generate": "fixed",
                "steps": 28,
                "cfg": 1.0,
                "sampler_name": "euler",
                "scheduler": "simple",
            },
            title=f"Sample: {name}",
            width=340,
        ),
        name: Node("VAEDecode", {"samples": [f"{name}_sampler", 0], "vae": ["vae", 0]}, title=f"Picture: {name}", width=340),
    }


GENFOCUS_APPLY = Workflow(
    "genfocus_apply",
    f"""## DeblurNet and BokehNet with core's samplers

The same as *generative_refocus*, in single steps: **Genfocus Apply** lets the photo guide FLUX, core's KSampler and VAE Decode do
the rest. Change sampler, scheduler, precision, or put a LoRA for the whole model before it. Keep **cfg** at 1 and **positive** on
both inputs; the same seed keeps the picture while the defocus map changes.

*Scale Image* also makes the sides multiples of 16, as FLUX needs them. Without it Genfocus Apply pads the photo at right and
bottom; its **width** and **height** are for cutting that off.

{FLUX_FILES}
""",
    {
        "photo": photo("coffee.png", title="Photo"),
        **flux(),
        "size": Node(
            "ImageScaleToTotalPixels",
            {"image": ["photo", 0], "upscale_method": "area", "megapixels": 1.0, "resolution_steps": 16},
            width=340,
        ),
        "deblur": Node(
            "RefocusGenfocusApply",
            {"image": ["size", 0], "lora": "deblurNet.safetensors", **FLUX_SOCKETS},
            title="Genfocus Apply: deblur",
            width=340,
            models=ADAPTERS,
        ),
        **sampled("sharp", "deblur", 42),
        "depth": Node("RefocusDepthEstimate", {"image": ["sharp", 0], "source": "model"}, width=360, height=760),
        "defocus": defocus({"image": ["sharp", 0], "focus": "point", "x": 0.5, "y": 0.75, "percent": 2.0}),
        "blur": Node(
            "RefocusGenfocusApply",
            {"image": ["sharp", 0], "defocus": ["defocus", 0], "lora": "bokehNet.safetensors", **FLUX_SOCKETS},
            title="Genfocus Apply: bokeh",
            width=340,
        ),
        **sampled("refocused", "blur", 1234),
        "first": compare("size", "sharp", "Photo / sharp"),
        "second": compare("sharp", "refocused", "Sharp / refocused"),
        "save": save("refocused", "genfocus"),
    },
    [
        ["photo", "flux", "vae", "clip"],
        ["size", "deblur", "sharp_sampler", "sharp"],
        ["depth"],
        ["defocus"],
        ["blur", "refocused_sampler", "refocused"],
        ["save"],
        ["first", "second"],
    ],
    "save",
    real=False,
    exact=False,
    test_values={
        "depth": TINY_DEPTH,
        "flux": {"weight_dtype": "default"},
        "size": {"megapixels": 0.05},
        "sharp_sampler": {"steps": 1},
        "refocused_sampler": {"steps": 1},
    },
)

WORKFLOWS = (REFOCUS, PORTRAIT, APERTURE, SHARPEN, DEPTH_ANYTHING_3, TEXT_TO_IMAGE, GENERATIVE, GENFOCUS_APPLY)
