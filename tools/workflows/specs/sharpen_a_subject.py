"""The graph "Sharpen a small subject"."""

from __future__ import annotations

from tools.workflows.graph import Node, Workflow
from tools.workflows.parts import AS_TAKEN, defocus, measured_depth, photo, reblur, save

WORKFLOW = Workflow(
    "Sharpen a small subject",
    """### Sharpen one thing, leave the rest
- The headlight is painted: it gets sharp and takes the focus.
- Elsewhere: right-click *Photo*, *Open in MaskEditor*.
- *How it was taken* is the blur that **All In Focus** takes out.
- **Reblur** calms what lies behind.
""",
    {
        "photo": photo("small_subject.png", title="Photo, with a painted mask"),
        "picture": photo("motorcycle_near_bright.png", title="Depth picture"),
        "depth": measured_depth("photo", "picture", collapsed=True),
        "was": defocus({"image": ["photo", 0], **AS_TAKEN}, "How it was taken"),
        "sharp": Node(
            "RefocusAllInFocus", {"image": ["photo", 0], "defocus": ["was", 0], "method": "deconvolution"}, width=340, height=480
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
                "percent": 1.0,
                "focus_range": 0.2,
            },
            "How it shall be",
        ),
        "reblur": reblur({"image": ["merge", 0], "defocus": ["wanted", 0]}),
        "save": save("reblur", "small_subject"),
    },
    [["note", "photo", "picture", "depth"], ["was"], ["sharp", "grow", "merge"], ["wanted"], ["reblur", "save"]],
    "save",
    before="photo",
    show=(0.5, 0.1, 0.94, 0.54),
    halved=True,
)
