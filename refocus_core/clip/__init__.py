"""A clip through depth, focus and lens, in constant memory. Options are plain values, and no host is known.

in_order    the frames of the second pass, their depth steadied by those around them
two_passes  what all frames together tell, then each frame by it
steps       what is done to a frame beside that: sharpen and blur, handed in
rendering   these steps by this pack's networks and renderer
whole_file  the two passes from a file to another one
"""

from __future__ import annotations

from .rendering import Rendering, rendering_steps
from .steps import Steps
from .two_passes import Camera, Clip, ClipOptions, ClipPlan
from .whole_file import plan_file, render_file

__all__ = [
    "Camera",
    "Clip",
    "ClipOptions",
    "ClipPlan",
    "Rendering",
    "Steps",
    "plan_file",
    "render_file",
    "rendering_steps",
]
