"""The graph "Generative refocus"."""

from __future__ import annotations

from tools.workflows.graph import Node, Workflow
from tools.workflows.parts import ADAPTERS, FLUX_FILES, FLUX_SOCKETS, TINY_DEPTH, WHERE, defocus, flux, photo, save


def compare(a: str, b: str, title: str) -> Node:
    return Node("ImageCompare", {"image_a": [a, 0], "image_b": [b, 0]}, title=title, width=520, height=430)


WORKFLOW = Workflow(
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
