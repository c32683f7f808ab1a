"""Node: shape of the aperture."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from comfy_api.latest import io, ui

from ..refocus_core import bokeh, options
from ..refocus_core.color import luminance, srgb_to_linear
from . import host
from .host import previews


class RefocusBokehKernel(io.ComfyNode):
    """Shape (or IMAGE, or MASK) -> REFOCUS_KERNEL, preview."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs and outputs as ComfyUI shows them."""
        return host.schema(
            node_id="RefocusBokehKernel",
            display_name="Bokeh Kernel",
            description="The shape that an out-of-focus light takes: a named aperture, or any picture or mask as the aperture.",
            search_aliases=["bokeh shape", "aperture", "iris", "heart bokeh", "star bokeh", "lens blur", "refocus"],
            inputs=[
                *host.widgets(
                    options.aperture.OPTIONS,
                    words={"shape": [options.aperture.IMAGE]},
                    texts={"shape": f"{options.aperture.IMAGE}: the connected aperture picture or mask."},
                ),
                io.Image.Input(
                    "aperture_image", optional=True, tooltip="Picture as the aperture: bright is open, black closed. First frame."
                ),
                io.Mask.Input("aperture_mask", optional=True, tooltip="Mask as the aperture: 1 is open. First frame."),
                io.Image.Input(
                    "texture_image",
                    optional=True,
                    tooltip="Dust, scratches or a pattern on the lens, for any shape: what is dark stops light. First frame.",
                ),
            ],
            outputs=[
                host.KernelType.Output("kernel", tooltip="Aperture for Reblur and All In Focus."),
                io.Image.Output(
                    "preview",
                    tooltip="How an out-of-focus light looks behind the focal plane, and beside it in front, where that differs; "
                    "then the same towards a corner.",
                ),
            ],
        )

    @classmethod
    @host.memory_in_words
    def execute(
        cls,
        shape: str,
        softness: float,
        color: bool,
        center: bool,
        preset: str,
        field: bool,
        aperture_image: torch.Tensor | None = None,
        aperture_mask: torch.Tensor | None = None,
        texture_image: torch.Tensor | None = None,
        **outline: Any,
    ) -> io.NodeOutput:
        """Make the kernel and show it; `outline` is what else `ApertureSettings` takes."""
        texture = None if texture_image is None else _opening(texture_image, None, in_color=False)
        settings = bokeh.ApertureSettings(softness=softness, **outline)
        if not field:
            settings = replace(settings, cat_eye=0.0, swirl=0.0, coma=0.0, barn_doors=0.0)
        if preset != options.aperture.OWN:
            kernel = bokeh.PRESETS[preset].kernel(texture)
        elif shape == options.aperture.IMAGE:
            opening = _opening(aperture_image, aperture_mask, in_color=color)
            made = bokeh.kernel_from_image(opening, softness=softness, center=center)
            kernel = settings.drawn(made, texture)
        else:
            kernel = replace(settings, shape=shape).kernel(texture)
        preview = host.to_image(bokeh.kernel_preview(kernel))
        page = {**ui.PreviewImage(preview, cls=cls).as_dict(), previews.KERNEL: [kernel.name]}
        return io.NodeOutput(kernel, preview, ui=page)


def _opening(image: torch.Tensor | None, mask: torch.Tensor | None, *, in_color: bool) -> torch.Tensor:
    """The connected picture or mask as linear transmission [C,h,w]."""
    if image is not None and mask is not None:
        raise ValueError("Both aperture_image and aperture_mask are connected. Disconnect one of them.")
    if mask is not None:
        return host.to_bhw(mask, "aperture_mask")[:1]
    if image is None:
        raise ValueError(
            "The shape is 'image', but nothing is connected. Connect aperture_image or aperture_mask, or choose a named shape."
        )
    picture, alpha = host.to_bchw(image, "aperture_image")
    linear = srgb_to_linear(picture[:1])
    if alpha is not None:
        linear = linear * alpha[:1]
    return linear[0] if in_color else luminance(linear)[0]
