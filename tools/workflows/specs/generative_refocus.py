"""The graph "Generative refocus"."""

from __future__ import annotations

from tools.workflows.graph import Node, Workflow
from tools.workflows.parts import (
    ADAPTERS,
    FLUX_FILES,
    FLUX_SOCKETS,
    TINY_DEPTH,
    defocus,
    estimated_depth,
    flux,
    photo,
    reblur,
    save,
)


def compare(a: str, b: str, title: str) -> Node:
    return Node("ImageCompare", {"image_a": [a, 0], "image_b": [b, 0]}, title=title, width=420, height=400)


WORKFLOW = Workflow(
    "Generative refocus",
    f"""### Sharp everywhere, then another focus, by FLUX
- Drag the sliders to compare.
- **method** *hybrid*: FLUX redraws only what the lens reveals.
{FLUX_FILES}
""",
    {
        "photo": photo("coffee.png", title="Photo"),
        **flux(),
        "setup": Node("RefocusGenfocusSetup", FLUX_SOCKETS, width=340, models=ADAPTERS),
        "sharp": Node(
            "RefocusAllInFocus",
            {"image": ["photo", 0], "method": "generative", "genfocus": ["setup", 0]},
            width=340,
            height=480,
        ),
        "depth": estimated_depth("sharp", collapsed=True),
        "defocus": defocus({"image": ["sharp", 0], "focus": "point", "x": 0.5, "y": 0.75, "percent": 2.6}),
        "reblur": reblur({"image": ["sharp", 0], "defocus": ["defocus", 0], "method": "generative", "genfocus": ["setup", 0]}),
        "first": compare("photo", "sharp", "Photo / sharp"),
        "second": compare("sharp", "reblur", "Sharp / refocused"),
        "save": save("reblur", "generative"),
    },
    [["note", "photo", "flux", "vae", "clip"], ["setup", "sharp", "depth"], ["defocus"], ["reblur", "second"], ["save", "first"]],
    "save",
    graph_thumbnail=True,
    exact=False,
    test_values={
        "depth": TINY_DEPTH,
        "flux": {"weight_dtype": "default"},
        "setup": {"steps": 1, "megapixels": 0.1},
    },
)
