"""Node: a defocus map from a picture that holds it."""

from __future__ import annotations

from typing import Any

import torch
from comfy_api.latest import io

from ..refocus_core import defocus, options
from ..refocus_core.types import DepthMap
from . import host


class RefocusDefocusFromImage(io.ComfyNode):
    """IMAGE or MASK (and REFOCUS_DEPTH) -> REFOCUS_DEFOCUS."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs and outputs as ComfyUI shows them."""
        return host.schema(
            node_id="RefocusDefocusFromImage",
            display_name="Defocus from Image",
            description="A defocus map from elsewhere: a picture or mask that holds the radius or diameter of the blur, for "
            "Reblur and All In Focus.",
            search_aliases=["circle of confusion", "coc map", "blur map", "defocus map", "mask to blur", "z-defocus", "refocus"],
            inputs=[
                *host.widgets(options.interchange.DEFOCUS_FROM_IMAGE),
                io.Image.Input(
                    "image", optional=True, tooltip="A grey picture of the blur, in the size of the photo. Not a colour map."
                ),
                io.Mask.Input("mask", optional=True, tooltip="The same as a mask, such as a painted one. Connect one of both."),
                host.Depth.Input(
                    "depth",
                    optional=True,
                    tooltip="Of the same photo: tells the sides of an unsigned picture, and what lies in front of what. Without "
                    "it what is less far behind the focal plane counts as nearer.",
                ),
            ],
            outputs=[host.Defocus.Output("defocus", tooltip="Signed blur radius in px, for Reblur and All In Focus.")],
        )

    @classmethod
    @host.memory_in_words
    def execute(
        cls,
        focus: str,
        x: float,
        y: float,
        image: torch.Tensor | None = None,
        mask: torch.Tensor | None = None,
        depth: DepthMap | None = None,
        **encoding: Any,
    ) -> io.NodeOutput:
        """Read and show it; `encoding` is what `defocus.Encoding` takes."""
        values = _values(image, mask)
        meaning = defocus.Encoding(**encoding)
        point = defocus.FocusPoint(x, y) if meaning.signs == "unsigned" and focus == "point" else None
        depth = None if depth is None else depth.to(values.device)
        made = defocus.from_image(values, meaning, depth_map=depth, focus=point)
        preview = host.shown(host.to_image(defocus.preview(made, focus=point)))
        return io.NodeOutput(made.to(host.intermediate_device()), ui=preview)


def _values(image: torch.Tensor | None, mask: torch.Tensor | None) -> torch.Tensor:
    """The connected picture [B,3,H,W] or mask [B,H,W]."""
    if image is not None and mask is None:
        return host.to_bchw(image)[0]
    if mask is not None and image is None:
        return host.to_bhw(mask)
    raise ValueError("Connect the picture of the blur to image, or to mask: one of them.")
