"""A clip through depth, focus and lens, in constant memory. Options are plain values, and no host is known.

two_passes  what all frames together tell, then each frame by it
steps       what is done to a frame beside that: sharpen and blur, handed in
whole_file  the two passes from a file to another one
"""

from __future__ import annotations

from .steps import Steps
from .two_passes import Camera, Clip, ClipOptions, ClipPlan
from .whole_file import plan_file, render_file

__all__ = ["Camera", "Clip", "ClipOptions", "ClipPlan", "Steps", "plan_file", "render_file"]
