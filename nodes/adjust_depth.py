"""Node: depth mended by hand."""

from __future__ import annotations

from typing import Any

import torch
from comfy_api.latest import io

from ..refocus_core import depth as depth_room
from ..refocus_core import options
from ..refocus_core.types import DepthMap
from . import host

_ALIASES = [
    *("edit depth", "fix depth", "depth levels", "depth gamma", "invert depth", "flatten depth", "depth mask", "depth range"),
    *("isolate depth", "paint depth", "refocus"),
]
"""Words under which the page's search finds the node as well."""


class RefocusAdjustDepth(io.ComfyNode):
    """REFOCUS_DEPTH, IMAGE, MASK -> REFOCUS_DEPTH, MASK."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs and outputs as ComfyUI shows them."""
        return host.schema(
            node_id="RefocusAdjustDepth",
            display_name="Adjust Depth",
            description="Mends depth by hand: limits, gamma and smoothing of the whole map; what a mask marks is flattened, laid "
            "into a plane, or brought to another depth; and a mask of what lies at one depth.",
            search_aliases=_ALIASES,
            inputs=[
                host.Depth.Input("depth", tooltip="From Depth Estimate, or another Adjust Depth: chain one for each area."),
                *host.widgets(options.adjustment.OPTIONS),
                io.Image.Input(
                    "image", optional=True, tooltip="The photo: smoothing stops at its edges. Needed for nothing else."
                ),
                io.Mask.Input("mask", optional=True, tooltip="White over what action shall change; grey by that share."),
            ],
            outputs=[
                host.Depth.Output("adjusted_depth", tooltip="The mended depth, for Defocus Map."),
                io.Mask.Output("isolated", tooltip="With isolate on: 1 at the depth that target says; else 0 everywhere."),
            ],
        )

    @classmethod
    @host.memory_in_words
    def execute(
        cls,
        depth: DepthMap,
        action: Any,
        amount: float,
        feather: float,
        isolate: bool,
        tolerance: float,
        softness: float,
        target: str,
        x: float,
        y: float,
        level: float,
        distance_m: float,
        image: torch.Tensor | None = None,
        mask: torch.Tensor | None = None,
        **tones: Any,
    ) -> io.NodeOutput:
        """Adjust, isolate and show it; `tones` is what else `depth.adjust` takes."""
        at = _at(target, x, y, level, distance_m)
        area = None if mask is None else depth_room.Area(host.to_bhw(mask), action, amount, at, feather)
        photo = None if image is None else host.to_bchw(image)[0]
        adjusted = depth_room.adjust(depth.to(host.device()), image_srgb=photo, area=area, **tones)
        found = depth_room.isolate(adjusted, at if isolate else None, tolerance=tolerance, softness=softness)
        page = host.shown(host.to_image(depth_room.preview(adjusted)))
        return io.NodeOutput(adjusted.to(host.intermediate_device()), host.to_mask(found), ui=page)


def _at(target: str, x: float, y: float, level: float, distance_m: float) -> depth_room.At:
    """The depth that the widgets of that name mean."""
    if target == "point":
        return depth_room.At(point=(x, y))
    return depth_room.At(level=level) if target == "level" else depth_room.At(distance_m=distance_m)
