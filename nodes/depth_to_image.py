"""Node: depth as a picture, for other nodes and programs."""

from __future__ import annotations

import math

from comfy_api.latest import io

from ..refocus_core import depth as depth_room
from ..refocus_core import options
from ..refocus_core.types import DepthMap
from . import host


class RefocusDepthToImage(io.ComfyNode):
    """REFOCUS_DEPTH -> IMAGE, MASK."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs and outputs as ComfyUI shows them."""
        return host.schema(
            node_id="RefocusDepthToImage",
            display_name="Depth to Image",
            description="Depth as a grey picture: near bright for ControlNet and other packs, or as numbers or metres for "
            "programs that calculate with it.",
            search_aliases=["depth map", "controlnet depth", "export depth", "save depth", "z pass", "disparity", "refocus"],
            has_intermediate_output=False,
            inputs=[
                host.Depth.Input("depth", tooltip="From Depth Estimate or Adjust Depth."),
                *host.widgets(options.interchange.DEPTH_TO_IMAGE),
            ],
            outputs=[
                io.Image.Output("picture", tooltip="Three equal channels; numbers and metres are not clamped."),
                io.Mask.Output("known", tooltip="1 where the source knew the depth, 0 where it was filled in."),
            ],
        )

    @classmethod
    @host.memory_in_words
    def execute(cls, depth: DepthMap, values: str, farthest_m: float) -> io.NodeOutput:
        """One call of `depth.to_image`."""
        picture = depth_room.to_image(depth, values, farthest_m=farthest_m or math.inf)
        return io.NodeOutput(host.to_image(picture), host.to_mask(depth_room.known_mask(depth)))
