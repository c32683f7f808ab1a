"""Node: blur a sharp picture by a defocus map."""

from __future__ import annotations

import torch
from comfy_api.latest import io, ui

from ..refocus_core import bokeh, color
from ..refocus_core.types import DefocusMap, Kernel
from . import host


class RefocusReblur(io.ComfyNode):
    """IMAGE + REFOCUS_DEFOCUS (+ REFOCUS_KERNEL) -> IMAGE, MASK."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs and outputs as ComfyUI shows them."""
        return host.schema(
            node_id="RefocusReblur",
            display_name="Reblur",
            description="Renders the photo through a lens: blur by the defocus map, with foregrounds that spread over what is "
            "behind them, in linear light.",
            search_aliases=[
                "lens blur",
                "bokeh",
                "depth of field",
                "dof",
                "background blur",
                "portrait mode",
                "tilt-shift",
                "miniature",
                "refocus",
            ],
            inputs=[
                io.Image.Input(
                    "image",
                    tooltip="The sharp (all-in-focus) photo or clip. Values above 1 are highlights and are kept. Alpha passes.",
                ),
                host.Defocus.Input(
                    "defocus", tooltip="From Defocus Map: radius of blur in pixels of this image, one frame or one for each."
                ),
                io.Combo.Input(
                    "quality",
                    options=list(bokeh.QUALITIES),
                    default="normal",
                    tooltip="draft: for setting up. normal: for keeps. best: many times slower, for hard depth edges.",
                ),
                io.Float.Input(
                    "highlight_boost",
                    default=0.0,
                    min=0.0,
                    max=8.0,
                    step=0.1,
                    tooltip="Light given back to clipped highlights out of focus, in f-stops. 0: none. 2 to 4 suits city lights.",
                ),
                host.KernelType.Input(
                    "kernel", optional=True, tooltip="Shape of the aperture, from Bokeh Kernel. None: a circle."
                ),
                io.Image.Input(
                    "background",
                    optional=True,
                    tooltip="The scene without its foreground, from an inpainting graph, same size. Shows through the "
                    "foreground's blurred edge. None: filled in here.",
                ),
                io.Mask.Input(
                    "matte",
                    optional=True,
                    tooltip="Coverage of the foreground, 1 = foreground (hair, fur). Needs the background. "
                    "None: edges are split by colour.",
                ),
            ],
            outputs=[
                io.Image.Output("image", tooltip="The refocused picture, same size and frames."),
                io.Mask.Output("in_focus", tooltip="1 where the blur radius is at most half a pixel."),
            ],
        )

    @classmethod
    def execute(
        cls,
        image: torch.Tensor,
        defocus: DefocusMap,
        quality: str,
        highlight_boost: float,
        kernel: Kernel | None = None,
        background: torch.Tensor | None = None,
        matte: torch.Tensor | None = None,
    ) -> io.NodeOutput:
        """Decode, render, encode."""
        photo, alpha = host.to_bchw(image)
        plate = None if background is None else color.srgb_to_linear(host.to_bchw(background, "background")[0])
        linear = bokeh.render(
            color.srgb_to_linear(photo),
            defocus.to(photo.device),
            kernel,
            quality=quality,
            background=plate,
            matte=None if matte is None else host.mask_in(matte, "matte"),
            highlight_boost=highlight_boost,
            cache=host.surfaces(image),
            progress=host.progress(),
        )
        shown = host.to_image(color.linear_to_srgb(linear), alpha)
        return io.NodeOutput(shown, host.mask_out(defocus.in_focus()), ui=ui.PreviewImage(shown[..., :3], cls=cls))
