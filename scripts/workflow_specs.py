"""The example graphs, for make_workflows.py (which says how they become files) and for the tests (which run them)."""

from __future__ import annotations

import json

from make_workflows import Node, Workflow

# The bundled photograph's depth picture: white and black in metres (tests/data/LICENSES.md).
NEAR_M, FAR_M = 2.1103559, 5.01685
WHERE = "the pack's folder `tests/data`"
TINY_DEPTH = {"model": "tiny/model.safetensors"}
OWN_DEPTH = {"source": "model", "model": "auto"}


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
    "Refocus a photo",
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
    "Portrait with a painted focus",
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
    show=(0.0, 0.0, 1.0, 0.7),
    before="photo",
    test_values={"depth": TINY_DEPTH},
    thumbnail_values={"depth": OWN_DEPTH},
)

LIGHTS = Workflow(
    "Aperture shapes on city lights",
    f"""## City lights in the shape of the aperture

Load `city_lights.jpg` and `city_lights_depth.png` (both in {WHERE}) and run.

Every light out of focus takes the shape of the aperture: try *star*, *ring* or *polygon* in **Bokeh Kernel**. Any picture can be
the aperture as well: set **shape** to *image* and connect it to aperture_image, bright is open (for a try: `aperture_cat.png` in
the pack's folder `workflows`). Behind the focal plane the shape is upright, in front of it upside down.

A photo clips its lights at white. **highlight_boost** in Reblur gives them their light back, so that the shapes shine.
""",
    {
        "photo": photo("city_lights.jpg", title="Photo"),
        "picture": photo("city_lights_depth.png", title="Depth picture"),
        "depth": Node(
            "RefocusDepthEstimate",
            {"image": ["photo", 0], "depth_image": ["picture", 0], "source": "depth_image"},
            width=360,
            height=760,
        ),
        "defocus": defocus({"image": ["photo", 0], "focus": "point", "x": 0.71, "y": 0.65, "percent": 1.9}),
        "kernel": Node("RefocusBokehKernel", {"shape": "heart"}, width=320, height=560),
        "reblur": reblur({"image": ["photo", 0], "defocus": ["defocus", 0], "kernel": ["kernel", 0], "highlight_boost": 5.0}),
        "save": save("reblur", "city_lights"),
    },
    [["photo", "picture"], ["depth"], ["defocus"], ["kernel", "reblur"], ["save"]],
    "save",
)

AS_TAKEN = {"focus": "distance", "distance_m": 4.9, "strength": "camera", "f_number": 2.0, "focal_mm": 50.0}
"""How missed_focus.jpg was made: focused on the shelves behind the motorcycle."""

MISSED = Workflow(
    "Fix missed focus",
    f"""## The focus was in the wrong place

Load `missed_focus.jpg` and `motorcycle_near_bright.png` (both in {WHERE}) and run: the shelves were in focus, now the
motorcycle is.

*How it was taken* describes the lens of the photo, where it was focused and its f-number. **All In Focus** takes that blur out.
*How it shall be* is the same lens with the focus on the motorcycle, and **Reblur** draws it.

A few pixels of blur can be taken out well; what a strong blur has removed does not come back. With a restoration network in
`models/upscale_models`, choose it as **method**: then the first map is not needed.
""",
    {
        "photo": photo("missed_focus.jpg", title="Photo with missed focus"),
        "picture": photo("motorcycle_near_bright.png", title="Depth picture"),
        "depth": measured_depth("photo", "picture"),
        "was": defocus({"image": ["photo", 0], **AS_TAKEN}, "How it was taken"),
        "sharp": Node(
            "RefocusAllInFocus", {"image": ["photo", 0], "defocus": ["was", 0], "method": "deconvolution"}, width=360, height=480
        ),
        "wanted": defocus(
            {
                "image": ["sharp", 0],
                "focus": "point",
                "x": 0.62,
                "y": 0.45,
                "strength": "camera",
                "f_number": 2.0,
                "focal_mm": 50.0,
                "focus_range": 0.1,
            },
            "How it shall be",
        ),
        "reblur": reblur({"image": ["sharp", 0], "defocus": ["wanted", 0]}),
        "save": save("reblur", "fixed_focus"),
    },
    [["photo", "picture"], ["depth"], ["was"], ["sharp"], ["wanted"], ["reblur"], ["save"]],
    "save",
    before="photo",
    show=(0.42, 0.1, 1.0, 0.68),
    halved=True,
)

SMALL = Workflow(
    "Sharpen a small subject",
    f"""## Sharpen one thing, leave the rest

1. Load `missed_focus.jpg` as *Photo* and `motorcycle_near_bright.png` as *Depth picture* (both in {WHERE}).
2. Right-click *Photo*, choose *Open in MaskEditor*, and paint over the headlight and the dials.
3. Run.

**All In Focus** takes out the blur that *How it was taken* describes, **ImageCompositeMasked** keeps that under the paint
only, and **Reblur** calms what lies behind, so that the eye goes to the subject. The paint is also the focus of *How it
shall be*.
""",
    {
        "photo": photo("small_subject.png", title="Photo, with a painted mask"),
        "picture": photo("motorcycle_near_bright.png", title="Depth picture"),
        "depth": measured_depth("photo", "picture"),
        "was": defocus({"image": ["photo", 0], **AS_TAKEN}, "How it was taken"),
        "sharp": Node(
            "RefocusAllInFocus", {"image": ["photo", 0], "defocus": ["was", 0], "method": "deconvolution"}, width=360, height=480
        ),
        "grow": Node("GrowMask", {"mask": ["photo", 1], "expand": 4}, width=300),
        "merge": Node(
            "ImageCompositeMasked",
            {"destination": ["photo", 0], "source": ["sharp", 0], "mask": ["grow", 0]},
            title="Sharp under the paint only",
            width=300,
        ),
        "wanted": defocus(
            {
                "image": ["merge", 0],
                "focus_mask": ["photo", 1],
                "focus": "mask",
                "strength": "percent of long edge",
                "percent": 1.5,
                "focus_range": 0.2,
            },
            "How it shall be",
        ),
        "reblur": reblur({"image": ["merge", 0], "defocus": ["wanted", 0]}),
        "save": save("reblur", "small_subject"),
    },
    [["photo", "picture"], ["depth"], ["was"], ["sharp"], ["grow", "merge"], ["wanted"], ["reblur"], ["save"]],
    "save",
    before="photo",
    show=(0.5, 0.1, 0.94, 0.54),
    halved=True,
)

GROUP = Workflow(
    "Change the focus in a group photo",
    f"""## Who is sharp?

1. Load a photo of several people or animals. For a try: `friends.jpg` in {WHERE}.
2. For better depth, switch on **allow_download** in Depth Estimate once, or put a larger model into `models/refocus`.
3. Run. **x** and **y** of Defocus Map are the point in focus (0,0 is the upper left corner): here the upper dog. Try
0.92, 0.75, the post in front.

One plane is sharp, and everything at that distance. To keep two faces sharp that are not equally far away, put the point on one
and raise **focus_range** until both are grey in the preview, or click one in the photo and Shift+click the other. **near_gain** 0
leaves the foreground as it is.
""",
    {
        "photo": photo("friends.jpg", title="Group photo"),
        "depth": Node("RefocusDepthEstimate", {"image": ["photo", 0], "source": "model"}, width=360, height=860),
        "defocus": defocus({"image": ["photo", 0], "focus": "point", "x": 0.42, "y": 0.3, "percent": 2.0}),
        "kernel": Node(
            "RefocusBokehKernel", {"shape": "polygon", "blades": 7, "curvature": 0.7, "softness": 0.1}, width=320, height=560
        ),
        "reblur": reblur({"image": ["photo", 0], "defocus": ["defocus", 0], "kernel": ["kernel", 0]}),
        "save": save("reblur", "group"),
    },
    [["photo"], ["depth"], ["defocus"], ["kernel", "reblur"], ["save"]],
    "save",
    show=(0.0, 0.15, 1.0, 0.65),
    before="photo",
    test_values={"depth": TINY_DEPTH},
    thumbnail_values={"depth": OWN_DEPTH},
    halved=True,
)

TILT_SHIFT = Workflow(
    "Tilt-shift miniature",
    f"""## A landscape becomes a model

Load `life.jpg` and `ramp.png` (both in {WHERE}) and run.

A tilted lens is sharp along a line across the picture. Here no depth of the scene is used: a **ramp** from the top (dark, far) to
the bottom (bright, near), scaled to the photo, stands in for it, as seen from a tilted lens. **y** of Defocus Map is where the
line lies, **focus_range** how wide it is, **percent** how strong the blur. Pictures from above look best.
""",
    {
        "photo": photo("life.jpg", title="Photo, from above"),
        "ramp": photo("ramp.png", title="Ramp: black above, white below"),
        "size": Node("GetImageSize", {"image": ["photo", 0]}, width=300),
        "scaled": Node(
            "ImageScale",
            {"image": ["ramp", 0], "upscale_method": "bilinear", "width": ["size", 0], "height": ["size", 1], "crop": "disabled"},
            title="Ramp, as large as the photo",
            width=300,
        ),
        "depth": Node(
            "RefocusDepthEstimate",
            {"image": ["photo", 0], "depth_image": ["scaled", 0], "source": "depth_image", "refine": 0.0},
            width=360,
            height=760,
        ),
        "defocus": defocus({"image": ["photo", 0], "focus": "point", "x": 0.5, "y": 0.6, "percent": 3.5, "focus_range": 0.12}),
        "reblur": reblur({"image": ["photo", 0], "defocus": ["defocus", 0]}),
        "save": save("reblur", "miniature"),
    },
    [["photo", "ramp"], ["size", "scaled"], ["depth"], ["defocus"], ["reblur"], ["save"]],
    "save",
    halved=True,
)

WHEEL, TANK, SHELVES = (0.745, 0.72), (0.56, 0.42), (0.76, 0.16)
KEYFRAMES = json.dumps({"keys": [{"frame": f, "x": x, "y": y} for f, (x, y) in ((0, WHEEL), (4, TANK), (7, SHELVES))]})

RACK_FOCUS = Workflow(
    "Rack focus on a clip",
    f"""## The focus wanders from near to far

Load `motorcycle.png` and `motorcycle_near_bright.png` (both in {WHERE}) and run.

Open **Timeline** below the picture in Defocus Map: its keys put the focus on the front wheel, the tank and the shelves.
Move a key, click another point in the picture, change the aperture; between the keys focus and aperture are eased.

The two **RepeatImageBatch** make a clip from a still. With a clip of your own, remove them and connect its frames (*Load Video*,
then *Get Video Components*), and take the depth from a model: frames of a clip share one range of depth.
""",
    {
        "photo": photo("motorcycle.png", title="Photo"),
        "picture": photo("motorcycle_near_bright.png", title="Depth picture"),
        "clip": Node("RepeatImageBatch", {"image": ["photo", 0], "amount": 8}, title="Photo, 8 frames", width=300),
        "depths": Node("RepeatImageBatch", {"image": ["picture", 0], "amount": 8}, title="Depth, 8 frames", width=300),
        "depth": measured_depth("clip", "depths"),
        "defocus": defocus(
            {
                "image": ["clip", 0],
                "focus": "point",
                "x": WHEEL[0],
                "y": WHEEL[1],
                "strength": "camera",
                "f_number": 1.4,
                "focal_mm": 85.0,
                "keyframes": KEYFRAMES,
            }
        ),
        "reblur": reblur({"image": ["clip", 0], "defocus": ["defocus", 0], "quality": "draft"}),
        "save": Node(
            "SaveAnimatedWEBP", {"images": ["reblur", 0], "filename_prefix": "rack_focus", "fps": 8.0}, width=520, height=430
        ),
    },
    [["photo", "picture"], ["clip", "depths"], ["depth"], ["defocus"], ["reblur"], ["save"]],
    "save",
    halved=True,
)

DEPTH_ANYTHING_3 = Workflow(
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
        "defocus": defocus({"image": ["photo", 0], "focus": "point", "x": 0.5, "y": 0.75, "percent": 2.0}),
        "reblur": reblur({"image": ["photo", 0], "defocus": ["defocus", 0]}),
        "save": save("reblur", "da3"),
    },
    [["photo"], ["model", "run"], ["depth"], ["defocus"], ["reblur"], ["save"]],
    "save",
    card="depth from\nDepth Anything 3",
    test_values={"run": {"resolution": 140}},
)

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

TEXT_TO_IMAGE = Workflow(
    "Text to image, then a lens",
    """## Text to image, then through a lens

The last step after any text-to-image graph: the picture gets the depth of field of a real lens, with the focus where you want it.

Needs a checkpoint (here Stable Diffusion 1.5; connect any other). For better depth than the small network that ships with the
pack gives, switch on **allow_download** in Depth Estimate once. Asking for *deep focus* in the prompt gives Reblur a sharp
picture to work on.
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
        "depth": Node("RefocusDepthEstimate", {"image": ["decode", 0], "source": "model"}, width=360, height=760),
        "defocus": defocus({"image": ["decode", 0], "focus": "auto", "percent": 2.5}),
        "reblur": reblur({"image": ["decode", 0], "defocus": ["defocus", 0]}),
        "save": save("reblur", "text_to_image"),
    },
    [["checkpoint"], ["positive", "negative", "size"], ["sampler", "decode"], ["depth"], ["defocus"], ["reblur"], ["save"]],
    "save",
    card="text to image,\nthen a lens",
    test_values={"depth": TINY_DEPTH, "size": {"width": 128, "height": 128}, "sampler": {"steps": 1}},
)

MOGE = Workflow(
    "Depth from MoGe",
    """## Depth in metres from ComfyUI's own MoGe

Needs ComfyUI 0.24 or newer and `moge_2_vitl_normal_fp16.safetensors` in `models/geometry_estimation`; ComfyUI offers the download
when it opens this graph.

MoGe-2 knows metres and the focal length of the photo, so **strength** is *camera*: f-number, focal length and sensor mean what
they mean on a camera. **focal_mm** 0 takes the photo's own focal length. For a try: `coffee.png` in the pack's folder
`tests/data`.
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
            width=360,
            height=760,
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
    [["photo"], ["model", "run"], ["depth"], ["defocus"], ["reblur"], ["save"]],
    "save",
    card="depth from\nMoGe",
    test_values={"run": {"resolution_level": 0}, "defocus": {"focus": "auto"}},
)

IMAGE_TO_IMAGE = Workflow(
    "Refocus, then image to image",
    f"""## A lens first, then image to image

Load `motorcycle.png` and `motorcycle_near_bright.png` (both in {WHERE}).

What is blurred is repainted freely, what is sharp is kept closer: refocus before image to image and the model spends its detail
where you look. Needs a checkpoint (here Stable Diffusion 1.5; connect any other). **denoise** 0.35 keeps the picture; raise it
for more change.
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
        "encode": Node("VAEEncode", {"pixels": ["reblur", 0], "vae": ["checkpoint", 2]}, width=240),
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
        "decode": Node("VAEDecode", {"samples": ["sampler", 0], "vae": ["checkpoint", 2]}, width=240),
        "save": save("decode", "image_to_image"),
    },
    [
        ["photo", "picture"],
        ["depth"],
        ["defocus"],
        ["reblur", "checkpoint"],
        ["positive", "negative", "encode"],
        ["sampler", "decode"],
        ["save"],
    ],
    "save",
    card="a lens, then\nimage to image",
    test_values={"sampler": {"steps": 1, "denoise": 1.0}},
    halved=True,
)

GENFOCUS = "https://huggingface.co/nycu-cplab/Genfocus-Model/resolve/main/"
ENCODERS = "https://huggingface.co/comfyanonymous/flux_text_encoders/resolve/main/"
FLUX_FILES = """Needs FLUX.1-dev (`models/diffusion_models` and `models/vae`; its licence is non-commercial), the adapters
`deblurNet.safetensors` and `bokehNet.safetensors` in `models/loras`, and for better depth a larger model (switch on
**allow_download** in Depth Estimate once). The text encoders are needed for the first run only; later they are not loaded, and
the node can go."""


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
    "Generative refocus",
    f"""## Sharp everywhere, then another focus, by FLUX

**All In Focus** (*generative*) makes the photo sharp, **Depth Estimate** looks at the sharp picture, **Reblur** (*generative*)
blurs it anew. Drag the sliders to compare. Large photos run at **megapixels** and keep their own detail where nothing changes.

Try **quality** *hybrid* as well: the lens renderer does the blur, and FLUX redraws only the background that it reveals.

{FLUX_FILES}

For a try: `coffee.png` in {WHERE}.
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
    card="refocus by\nFLUX",
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
    "Genfocus, step by step",
    f"""## DeblurNet and BokehNet with core's samplers

The same as *Generative refocus*, in single steps: **Genfocus Apply** lets the photo guide FLUX, core's KSampler and VAE Decode do
the rest. Change sampler, scheduler, precision, or put a LoRA for the whole model before it. Keep **cfg** at 1 and **positive** on
both inputs; the same seed keeps the picture while the defocus map changes.

*Scale Image* also makes the sides multiples of 16, as FLUX needs them. Without it Genfocus Apply pads the photo at right and
bottom; its **width** and **height** are for cutting that off.

{FLUX_FILES}

For a try: `coffee.png` in {WHERE}.
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
        "save": save("refocused", "genfocus"),
    },
    [
        ["photo", "flux", "vae", "clip"],
        ["size", "deblur", "sharp_sampler", "sharp"],
        ["depth"],
        ["defocus"],
        ["blur", "refocused_sampler", "refocused"],
        ["save"],
    ],
    "save",
    card="Genfocus,\nstep by step",
    exact=False,
    test_values={
        "depth": TINY_DEPTH,
        "flux": {"weight_dtype": "default"},
        "size": {"megapixels": 0.05},
        "sharp_sampler": {"steps": 1},
        "refocused_sampler": {"steps": 1},
    },
)

WORKFLOWS = (
    REFOCUS,
    MISSED,
    GROUP,
    SMALL,
    PORTRAIT,
    LIGHTS,
    TILT_SHIFT,
    RACK_FOCUS,
    DEPTH_ANYTHING_3,
    MOGE,
    TEXT_TO_IMAGE,
    IMAGE_TO_IMAGE,
    GENERATIVE,
    GENFOCUS_APPLY,
)
