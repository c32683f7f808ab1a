"""The graph "Sharpen a small subject"."""

from __future__ import annotations

from tools.workflows.graph import Node, Workflow
from tools.workflows.parts import AS_TAKEN, WHERE, defocus, measured_depth, photo, reblur, save

WORKFLOW = Workflow(
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
                "percent": 1.0,
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
