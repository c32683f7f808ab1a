"""The graph "Fix missed focus"."""

from __future__ import annotations

from tools.workflows.graph import Node, Workflow
from tools.workflows.parts import AS_TAKEN, WHERE, defocus, measured_depth, photo, reblur, save

WORKFLOW = Workflow(
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
