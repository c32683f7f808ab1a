"""Node: shape of the aperture."""

from __future__ import annotations

import torch
from comfy_api.latest import io, ui

from ..refocus_core import bokeh, color
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
                io.Combo.Input(
                    "shape",
                    options=[*bokeh.SHAPES, "image"],
                    default="circle",
                    tooltip="Shape of the aperture. image: the connected aperture picture or mask.",
                ),
                io.Int.Input("blades", default=6, min=3, max=24, tooltip="Blades (corners) of the polygon."),
                io.Float.Input(
                    "curvature",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="Roundness of the polygon's blades: 0 straight, 1 a full circle.",
                ),
                io.Float.Input(
                    "rotation_deg",
                    default=0.0,
                    min=-360.0,
                    max=360.0,
                    step=1.0,
                    tooltip="Rotation of the named shapes in degrees, clockwise. 0: a corner or tip points up.",
                ),
                io.Float.Input(
                    "inner",
                    default=0.5,
                    min=0.0,
                    max=0.95,
                    step=0.01,
                    tooltip="Ring: radius of the dark middle (mirror lens). Star: radius of the notches, at least 0.1. "
                    "As a share of the outer radius.",
                ),
                io.Int.Input("points", default=5, min=3, max=24, tooltip="Tips of the star."),
                io.Float.Input(
                    "softness",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="Soft edge: transmission rises over this share of the way from the edge to the middle. 0: hard edge.",
                ),
                io.Boolean.Input(
                    "color",
                    default=False,
                    tooltip="Image only. On: a coloured aperture fringes highlights in its colours (no channel may be black). "
                    "Off: its brightness.",
                ),
                io.Boolean.Input(
                    "center",
                    default=False,
                    tooltip="Image or mask only. On: move its centre of gravity to the lens axis. "
                    "Off: keep it; off-centre shapes shift the blur.",
                ),
                io.Image.Input(
                    "aperture_image", optional=True, tooltip="Picture as the aperture: bright is open, black closed. First frame."
                ),
                io.Mask.Input("aperture_mask", optional=True, tooltip="Mask as the aperture: 1 is open. First frame."),
            ],
            outputs=[
                host.KernelType.Output("kernel", tooltip="Aperture for Reblur and All In Focus."),
                io.Image.Output("preview", tooltip="How an out-of-focus light behind the focal plane looks."),
            ],
        )

    @classmethod
    def execute(
        cls,
        shape: str,
        blades: int,
        curvature: float,
        rotation_deg: float,
        inner: float,
        points: int,
        softness: float,
        color: bool,
        center: bool,
        aperture_image: torch.Tensor | None = None,
        aperture_mask: torch.Tensor | None = None,
    ) -> io.NodeOutput:
        """Make the kernel and show it."""
        if shape == "image":
            kernel = bokeh.kernel_from_image(_opening(aperture_image, aperture_mask, color), softness=softness, center=center)
        else:
            kernel = bokeh.make_kernel(
                shape,
                blades=blades,
                curvature=curvature,
                rotation_deg=rotation_deg,
                inner=max(inner, 0.1) if shape == "star" else inner,
                points=points,
                softness=softness,
            )
        shown = host.to_image(bokeh.kernel_preview(kernel))
        page = {**ui.PreviewImage(shown, cls=cls).as_dict(), previews.KERNEL: [kernel.name]}
        return io.NodeOutput(kernel, shown, ui=page)


def _opening(image: torch.Tensor | None, mask: torch.Tensor | None, in_color: bool) -> torch.Tensor:
    """The connected picture or mask as linear transmission [C,h,w]."""
    if image is not None and mask is not None:
        raise ValueError("Both aperture_image and aperture_mask are connected. Disconnect one of them.")
    if mask is not None:
        return host.mask_in(mask, "aperture_mask")[:1]
    if image is None:
        raise ValueError(
            "The shape is 'image', but nothing is connected. Connect aperture_image or aperture_mask, or choose a named shape."
        )
    picture, alpha = host.to_bchw(image, "aperture_image")
    linear = color.srgb_to_linear(picture[:1])
    if alpha is not None:
        linear = linear * alpha[:1]
    return linear[0] if in_color else color.luminance(linear)[0]
