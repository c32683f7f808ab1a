"""The graph "Genfocus, step by step"."""

from __future__ import annotations

from tools.workflows.graph import Node, Workflow
from tools.workflows.parts import ADAPTERS, FLUX_FILES, FLUX_SOCKETS, TINY_DEPTH, defocus, estimated_depth, flux, photo, save


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
        name: Node(
            "VAEDecode",
            {"samples": [f"{name}_sampler", 0], "vae": ["vae", 0]},
            title=f"Picture: {name}",
            width=340,
            collapsed=True,
        ),
    }


WORKFLOW = Workflow(
    "Genfocus, step by step",
    f"""### DeblurNet and BokehNet with core's samplers
- *Generative refocus* in single steps.
- Keep **cfg** at 1, and sides at multiples of 16 (*Scale Image*).
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
        "depth": estimated_depth("sharp", collapsed=True),
        "defocus": defocus({"image": ["sharp", 0], "focus": "point", "x": 0.5, "y": 0.75, "percent": 2.6}),
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
        ["note", "photo", "flux", "vae", "clip"],
        ["size", "deblur", "sharp_sampler", "sharp", "depth"],
        ["defocus"],
        ["blur", "refocused_sampler", "refocused"],
        ["save"],
    ],
    "save",
    graph_thumbnail=True,
    exact=False,
    test_values={
        "depth": TINY_DEPTH,
        "flux": {"weight_dtype": "default"},
        "size": {"megapixels": 0.05},
        "sharp_sampler": {"steps": 1},
        "refocused_sampler": {"steps": 1},
    },
)
