"""The steps of a frame that run on the networks of this pack and its renderer, for hosts without a command line."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from .. import bokeh, defocus, restore
from ..color import exposed, linear_to_srgb, srgb_to_linear
from ..depth import DepthModel
from ..progress import silent
from ..types import DefocusMap, Kernel, Progress
from .steps import Blurred, Steps

UNSHARPENED = "none"
"""The method of `restore` that leaves frames as they are."""


@dataclass(frozen=True)
class Rendering:
    """How frames are sharpened and blurred.

    Attributes:
        deblur: a method of `restore.all_in_focus` that needs no defocus map.
        quality, highlight_boost: as of `bokeh.render`.
        highlight_recovery, recover_in_focus: as `amount` and `in_focus` of `bokeh.recover_highlights`.
        bloom, lateral_color: as `amount` of `bokeh.bloomed` and `percent` of `bokeh.with_lateral_colour`.
        exposure: f-stops, of the result.
        grain: as `amount` of `bokeh.put_grain_back`.
    """

    deblur: str = UNSHARPENED
    quality: str = "normal"
    highlight_boost: float = 0.0
    highlight_recovery: float = 0.0
    recover_in_focus: bool = False
    bloom: float = 0.0
    lateral_color: float = 0.0
    exposure: float = 0.0
    grain: float = 0.0


def rendering_steps(
    model: DepthModel,
    network: nn.Module | None,
    rendering: Rendering,
    kernel: Kernel | None = None,
    progress: Progress = silent,
) -> Steps:
    """The steps by these choices.

    Args:
        model: the network of depth, on the device on which frames are worked on.
        network: that of `rendering.deblur` on the same device; None for a method without one.
        kernel: shape of the aperture; None is a circle.
        progress: called often within each frame, as of this frame alone. It may raise to cancel.
    """

    def sharpen(frame: Tensor) -> Tensor:
        if rendering.deblur == UNSHARPENED:
            return frame
        return restore.all_in_focus(frame, rendering.deblur, model=network, progress=progress).image

    def blur(sharp: Tensor, taken: Tensor, alpha: Tensor | None, made: DefocusMap) -> Blurred:
        amount, everywhere = rendering.highlight_recovery, rendering.recover_in_focus
        light, blurred_alpha = bokeh.render_with_alpha(
            bokeh.recover_highlights(srgb_to_linear(sharp), made.radius_px, amount, in_focus=everywhere),
            alpha,
            made,
            kernel,
            quality=rendering.quality,
            highlight_boost=rendering.highlight_boost,
            progress=progress,
        )
        made, result, blurred_alpha = defocus.imaged(made, linear_to_srgb(light), blurred_alpha)
        result = bokeh.bloomed(bokeh.with_lateral_colour(result, rendering.lateral_color), rendering.bloom, blurred_alpha)
        result = bokeh.put_grain_back(result, taken, made.radius_px, rendering.grain)
        return exposed(result, rendering.exposure), blurred_alpha

    return Steps(model, sharpen, blur)
