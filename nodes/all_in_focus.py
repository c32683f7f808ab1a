"""Node: a photo made sharp everywhere, by a network or by deconvolution."""

from __future__ import annotations

from typing import Any

import torch
from comfy_api.latest import io

from ..refocus_core import generative, options, restore
from ..refocus_core.types import DefocusMap, Kernel, Restored
from . import flux, host

_ALIASES = "deblur, sharpen, unblur, out of focus, deconvolution, restoration, all-in-focus, refocus"
"""Words under which the page's search finds the node as well."""
_METHOD_TEXT = (
    "model:...: a 1x restoration network (safetensors, such as NAFNet) from models/upscale_models or models/refocus.\n"
    "generative needs genfocus."
)
"""What only this host adds to the methods."""


class RefocusAllInFocus(io.ComfyNode):
    """IMAGE (+ defocus map of that photo) -> IMAGE, sharp everywhere, and the blur that the photo had."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs and outputs as ComfyUI shows them."""
        return host.schema(
            node_id="RefocusAllInFocus",
            display_name="All In Focus",
            description="Takes the lens blur out of a photo, as far as that can be done: with the network that comes with this "
            "pack, by deconvolution, which needs a defocus map of this photo, or with a restoration model from a model folder.",
            search_aliases=_ALIASES.split(", "),
            inputs=[
                io.Image.Input("image", tooltip="The photo or clip. Values above 1 survive. Alpha passes through untouched."),
                *host.widgets(
                    options.restore.OPTIONS, words={"method": host.restoration_words()}, texts={"method": _METHOD_TEXT}
                ),
                host.Defocus.Input(
                    "defocus",
                    optional=True,
                    tooltip="Defocus map of this photo as it was taken: its own blur (radius in px of this photo), "
                    "not the blur you want later. Deconvolution needs it, refocus-deblur-s takes it as advice.",
                ),
                host.KernelType.Input(
                    "kernel",
                    optional=True,
                    tooltip="Shape of the aperture that blurred the photo. Not connected: a circle. Deconvolution only.",
                ),
                flux.GenfocusType.Input(
                    "genfocus", optional=True, lazy=True, tooltip="From Genfocus Setup, for the generative method (experimental)."
                ),
                io.Image.Input(
                    "pre_deblurred",
                    optional=True,
                    tooltip="The photo as another method deblurred it, same size. Only for a generative adapter trained with it.",
                ),
            ],
            outputs=[
                io.Image.Output("all_in_focus", tooltip="The photo, same size, with what could be made sharp."),
                host.Defocus.Output(
                    "source_blur",
                    tooltip="The blur that was in the photo: radius in px, unsigned (front and back are not told apart). "
                    "Estimated by refocus-deblur-s, or the map that deconvolution used.",
                ),
            ],
        )

    @classmethod
    def check_lazy_status(cls, method: str, **inputs: Any) -> list[str]:
        """What the other methods do not need is not computed for them."""
        return flux.lazy(inputs, wanted=method == "generative")

    @classmethod
    @host.memory_in_words
    def execute(
        cls,
        image: torch.Tensor,
        method: str,
        strength: float,
        noise: float,
        tile_px: int,
        defocus: DefocusMap | None = None,
        kernel: Kernel | None = None,
        genfocus: flux.GenfocusSetup | None = None,
        pre_deblurred: torch.Tensor | None = None,
    ) -> io.NodeOutput:
        """Convert, restore, convert back."""
        photo, alpha = host.to_bchw(image)
        if method == "generative":
            restored = Restored(_generated(photo, pre_deblurred, strength, genfocus), None)
        else:
            with host.restoration_model(method, defocus is not None, tile_px) as model:
                restored = restore.all_in_focus(
                    photo,
                    method,
                    defocus,
                    kernel=kernel,
                    strength=strength,
                    noise=noise or None,
                    model=model,
                    tile_px=tile_px,
                    progress=host.progress(),
                )
        sharp = host.to_image(restored.image, alpha)
        if restored.radius_px is None:
            blur = host.blocked(f"All In Focus: method '{method}' does not know the blur of the photo; choose another one.")
        else:
            blur = DefocusMap.from_radius(restored.radius_px).to(host.intermediate_device())
        return io.NodeOutput(sharp, blur, ui=host.shown(sharp))


def _generated(
    photo: torch.Tensor, pre_deblurred: torch.Tensor | None, strength: float, genfocus: flux.GenfocusSetup | None
) -> torch.Tensor:
    beside = None if pre_deblurred is None else host.to_bchw(pre_deblurred, "pre_deblurred")[0]
    sample = flux.sampler(genfocus, "deblur", host.progress(), pre_deblurred=beside is not None)
    return generative.deblur(photo, sample, megapixels=genfocus.megapixels, pre_deblurred=beside, strength=min(strength, 1.0))
