"""The graph "Rack focus on a clip"."""

from __future__ import annotations

from tools.workflows.graph import Node, Workflow
from tools.workflows.parts import KEYFRAMES, WHEEL, WHERE, defocus, measured_depth, photo, reblur

WORKFLOW = Workflow(
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
