"""Node: blur a sharp picture by a defocus map."""

from __future__ import annotations

from typing import Any

import torch
from comfy_api.latest import io

from ..refocus_core import bokeh, color, generative
from ..refocus_core.types import DefocusMap, Kernel
from . import flux, host
from .host import previews

_METHODS = ("render", "hybrid", "generative")


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
                    "method",
                    options=list(_METHODS),
                    default="render",
                    tooltip="render: the lens renderer of this pack.\n"
                    "hybrid (experimental): rendered, then FLUX.1 redraws only the background that the blur of foregrounds "
                    "reveals. Needs genfocus.\n"
                    "generative (experimental): FLUX.1 with the BokehNet adapter instead of the renderer. Needs genfocus.",
                ),
                io.Combo.Input(
                    "quality",
                    options=list(bokeh.QUALITIES),
                    default="normal",
                    tooltip="Of the renderer. draft: for setting up. normal: for keeps. "
                    "best: many times slower, for hard depth edges.",
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
                flux.GenfocusType.Input(
                    "genfocus", optional=True, lazy=True, tooltip="From Genfocus Setup, for hybrid and generative (experimental)."
                ),
                host.advanced(
                    io.Float.Input(
                        "redraw",
                        default=0.5,
                        min=0.05,
                        max=1.0,
                        step=0.05,
                        optional=True,
                        tooltip="hybrid only: how freely FLUX.1 redraws what was revealed (denoise). Low: near the fill.",
                    )
                ),
            ],
            outputs=[
                io.Image.Output("image", tooltip="The refocused picture, same size and frames."),
                io.Mask.Output("in_focus", tooltip="1 where the blur radius is at most half a pixel."),
            ],
        )

    @classmethod
    def check_lazy_status(cls, method: str, **inputs: Any) -> list[str]:
        """What the renderer does not need is not computed for it."""
        return flux.lazy(inputs, wanted=method != "render")

    @classmethod
    def execute(
        cls,
        image: torch.Tensor,
        defocus: DefocusMap,
        method: str,
        quality: str,
        highlight_boost: float,
        kernel: Kernel | None = None,
        background: torch.Tensor | None = None,
        matte: torch.Tensor | None = None,
        genfocus: flux.GenfocusSetup | None = None,
        redraw: float = 0.5,
    ) -> io.NodeOutput:
        """Decode, render, encode; or let FLUX draw the blur, or what the blur reveals."""
        photo, alpha = host.to_bchw(image)
        defocus = defocus.to(photo.device)
        result = photo
        sample = None if method == "render" else flux.sampler(genfocus, "bokeh", host.progress())
        if method == "generative" and (kernel is not None or background is not None or matte is not None or highlight_boost):
            raise ValueError(
                "The generative method knows no kernel, background, matte or highlight_boost. Disconnect them and set "
                "highlight_boost to 0, or choose another method (hybrid renders with them)."
            )
        if method == "hybrid" and background is not None:
            raise ValueError("hybrid invents the background behind foregrounds; with a background connected choose render.")
        if method != "generative":
            light = bokeh.render(
                color.srgb_to_linear(photo),
                defocus,
                kernel,
                quality=quality,
                background=None if background is None else color.srgb_to_linear(host.to_bchw(background, "background")[0]),
                matte=None if matte is None else host.mask_in(matte, "matte"),
                highlight_boost=highlight_boost,
                cache=host.surfaces(image),
                progress=host.progress(),
            )
            result = color.linear_to_srgb(light)
        if method == "generative":
            result = generative.blur(photo, defocus.radius_px, sample, megapixels=genfocus.megapixels)
        elif method == "hybrid":
            revealed = generative.revealed_mask(bokeh.revealed(defocus, kernel))
            result = generative.redraw(
                photo, defocus.radius_px, result, revealed, sample, strength=redraw, megapixels=genfocus.megapixels
            )
        shown = host.to_image(result, alpha)
        page = previews.compare(shown[..., :3], cls, photo, result, defocus)
        return io.NodeOutput(shown, host.mask_out(defocus.in_focus()), ui=page)
