"""The graph "Generative refocus"."""

from __future__ import annotations

from tools.workflows.graph import Node, Workflow
from tools.workflows.parts import ADAPTERS, FLUX_FILES, FLUX_SOCKETS, TINY_DEPTH, WHERE, defocus, flux, photo, reblur, save


def compare(a: str, b: str, title: str) -> Node:
    return Node("ImageCompare", {"image_a": [a, 0], "image_b": [b, 0]}, title=title, width=520, height=430)


WORKFLOW = Workflow(
    "Generative refocus",
    f"""## Sharp everywhere, then another focus, by FLUX

**All In Focus** (*generative*) makes the photo sharp, **Depth Estimate** looks at the sharp picture, **Reblur** (*generative*)
blurs it anew; **Genfocus Setup** says with what. Drag the sliders to compare. Large photos run at **megapixels** and keep
their own detail where nothing changes.

Try Reblur's **method** *hybrid* as well: the lens renderer does the blur, and FLUX redraws only the background that it reveals.

{FLUX_FILES}

For a try: `coffee.png` in {WHERE}.
""",
    {
        "photo": photo("coffee.png", title="Photo"),
        **flux(),
        "setup": Node("RefocusGenfocusSetup", FLUX_SOCKETS, width=340, models=ADAPTERS),
        "sharp": Node(
            "RefocusAllInFocus",
            {"image": ["photo", 0], "method": "generative", "genfocus": ["setup", 0]},
            width=360,
            height=480,
        ),
        "depth": Node("RefocusDepthEstimate", {"image": ["sharp", 0], "source": "model"}, width=360, height=760),
        "defocus": defocus({"image": ["sharp", 0], "focus": "point", "x": 0.5, "y": 0.75, "percent": 2.6}),
        "reblur": reblur({"image": ["sharp", 0], "defocus": ["defocus", 0], "method": "generative", "genfocus": ["setup", 0]}),
        "first": compare("photo", "sharp", "Photo / sharp"),
        "second": compare("sharp", "reblur", "Sharp / refocused"),
        "save": save("reblur", "generative"),
    },
    [["photo", "flux", "vae", "clip"], ["setup", "sharp"], ["depth"], ["defocus"], ["reblur"], ["save"], ["first", "second"]],
    "save",
    card="refocus by\nFLUX",
    exact=False,
    test_values={
        "depth": TINY_DEPTH,
        "flux": {"weight_dtype": "default"},
        "setup": {"steps": 1, "megapixels": 0.1},
    },
)
