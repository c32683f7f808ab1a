"""The graph "Portrait with a painted focus"."""

from __future__ import annotations

from tools.workflows.graph import Workflow
from tools.workflows.parts import OWN_DEPTH, TINY_DEPTH, defocus, estimated_depth, photo, reblur, save

WORKFLOW = Workflow(
    "Portrait with a painted focus",
    """### Portrait with a painted focus
- The face is painted: what lies under the paint is sharp.
- Your photo: right-click **Load Image**, *Open in MaskEditor*.
- **focus_range** keeps all of the face sharp.
- Better depth: switch on **allow_download** once.
""",
    {
        "photo": photo("portrait.png", title="Portrait, with a painted mask"),
        "depth": estimated_depth("photo"),
        "defocus": defocus(
            {"image": ["photo", 0], "focus_mask": ["photo", 1], "focus": "mask", "percent": 2.2, "focus_range": 0.15}
        ),
        "reblur": reblur({"image": ["photo", 0], "defocus": ["defocus", 0]}),
        "save": save("reblur", "portrait"),
    },
    [["note", "photo"], ["depth"], ["defocus"], ["reblur", "save"]],
    "save",
    show=(0.0, 0.0, 1.0, 0.7),
    before="photo",
    test_values={"depth": TINY_DEPTH},
    thumbnail_values={"depth": OWN_DEPTH},
)
