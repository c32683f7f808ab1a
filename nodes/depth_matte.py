"""Node: what lies between two depths, cut out along the photo's own edges."""

from __future__ import annotations

import torch
from comfy_api.latest import io

from ..refocus_core import bokeh, defocus, options
from ..refocus_core import depth as depths
from ..refocus_core.color import linear_to_srgb, srgb_to_linear
from ..refocus_core.types import DepthMap
from . import host


class RefocusDepthMatte(io.ComfyNode):
    """IMAGE + REFOCUS_DEPTH -> MASK, foreground RGBA IMAGE, background IMAGE."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs and outputs as ComfyUI shows them."""
        return host.schema(
            node_id="RefocusDepthMatte",
            display_name="Depth Matte",
            description="Cuts out what lies between two depths: an alpha matte that follows hair and outlines in the photo, the "
            "cut-out with its own colours, and the photo without it.",
            search_aliases=["matte", "cut out", "mask from depth", "depth key", "remove background", "layers", "refocus"],
            inputs=[
                io.Image.Input("image", tooltip="The photo or clip. Alpha is not used."),
                host.Depth.Input("depth", tooltip="From Depth Estimate: one frame, or one for each."),
                *host.widgets(options.matte.OPTIONS),
            ],
            outputs=[
                io.Mask.Output("matte", tooltip="Coverage of what is selected, 1 inside. For Reblur's matte, or to composite."),
                io.Image.Output("foreground", tooltip="The cut-out, RGBA: colours without the background's, alpha is the matte."),
                io.Image.Output("background", tooltip="The photo without it; what it hides is filled in from around it."),
            ],
        )

    @classmethod
    @host.memory_in_words
    def execute(
        cls,
        image: torch.Tensor,
        depth: DepthMap,
        select: str,
        x: float,
        y: float,
        tolerance: float,
        near: float,
        far: float,
        softness: float,
    ) -> io.NodeOutput:
        """Select depths, cut out, and show the cut-out."""
        photo, _ = host.to_bchw(image)
        depth_map = depths.fit(depth.to(photo.device), photo)
        if select == options.matte.POINT:
            at_point = defocus.focus_disparity(depth_map, defocus.FocusPoint(x, y))
            nearest, farthest = bokeh.around(depth_map, at_point, tolerance)
        else:
            nearest, farthest = bokeh.between(depth_map, near, far)
        light, progress = srgb_to_linear(photo), host.progress()
        cut = bokeh.depth_matte(light, depth_map, nearest, farthest, softness=softness, progress=progress)
        alpha = cut.coverage[:, None]
        foreground = host.to_image(linear_to_srgb(cut.foreground), alpha)
        background = host.to_image(linear_to_srgb(cut.background))
        return io.NodeOutput(host.to_mask(cut.coverage), foreground, background, ui=host.shown(foreground))
