"""Node: blur a sharp picture by a defocus map."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from comfy_api.latest import io

from ..refocus_core import bokeh, generative, options
from ..refocus_core.color import exposed, linear_to_srgb, srgb_to_linear
from ..refocus_core.defocus import imaged
from ..refocus_core.progress import share
from ..refocus_core.types import DefocusMap, Kernel, Progress
from . import flux, host
from .host import previews

_ALIASES = "lens blur, bokeh, depth of field, dof, background blur, portrait mode, tilt-shift, miniature, refocus"
"""Words under which the page's search finds the node as well."""


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
            search_aliases=_ALIASES.split(", "),
            inputs=[
                io.Image.Input(
                    "image",
                    tooltip="The sharp (all-in-focus) photo or clip. Values above 1 are highlights and are kept. "
                    "Transparent pictures: alpha is blurred along, but by generative it passes.",
                ),
                host.Defocus.Input(
                    "defocus", tooltip="From Defocus Map: radius of blur in pixels of this image, one frame or one for each."
                ),
                *host.widgets(options.blur.OPTIONS, texts={"method": "hybrid and generative need genfocus."}),
                *_optional_inputs(),
            ],
            outputs=[
                io.Image.Output("refocused", tooltip="The refocused picture, same size and frames."),
                io.Mask.Output("in_focus", tooltip="1 where the blur radius is at most half a pixel."),
            ],
        )

    @classmethod
    def check_lazy_status(cls, method: str, **inputs: Any) -> list[str]:
        """What the renderer does not need is not computed for it."""
        return flux.lazy(inputs, wanted=method != "render")

    @classmethod
    @host.memory_in_words
    def execute(
        cls,
        image: torch.Tensor,
        defocus: DefocusMap,
        method: str,
        redraw: float,
        exposure: float,
        grain: float,
        highlight_recovery: float,
        glass: bool,
        bloom: float,
        lateral_color: float,
        genfocus: flux.GenfocusSetup | None = None,
        photo: torch.Tensor | None = None,
        **lens: Any,
    ) -> io.NodeOutput:
        """Render; or let FLUX draw the blur, or what the blur reveals. `lens` is what else `_render` takes."""
        _check(method, highlight_recovery=highlight_recovery, **lens)
        sharp, alpha = host.to_bchw(image)
        taken = sharp if photo is None else host.to_bchw(photo, "photo")[0]
        defocus = defocus.to(sharp.device)

        def through_glass(picture: torch.Tensor, coverage: torch.Tensor | None = None) -> torch.Tensor:
            return bokeh.bloomed(bokeh.with_lateral_colour(picture, lateral_color), bloom, coverage) if glass else picture

        sample = None if method == "render" else flux.sampler(genfocus, "bokeh", host.progress())
        if method == "generative":
            result = generative.blur(sharp, defocus.radius_px, sample, megapixels=genfocus.megapixels)
        else:
            seen = lambda draft: exposed(through_glass(draft), exposure)  # noqa: E731
            result, alpha = _render(image, sharp, alpha, defocus, seen, highlight_recovery, **lens)
        if method == "hybrid":
            revealed = generative.revealed_mask(bokeh.revealed(defocus, lens.get("kernel")))
            result = generative.redraw(
                sharp, defocus.radius_px, result, revealed, sample, strength=redraw, megapixels=genfocus.megapixels
            )
        defocus, result, alpha = imaged(defocus, result, alpha)
        result = bokeh.put_grain_back(through_glass(result, alpha), taken, defocus.radius_px, grain)
        result = exposed(result, exposure)
        preview = host.to_image(result, alpha)
        page = previews.compare(preview[..., :3], sharp, result, defocus)
        return io.NodeOutput(preview, host.to_mask(defocus.in_focus()), ui=page)


def _optional_inputs() -> list[io.Input]:
    """What may be connected besides photo and defocus."""
    return [
        host.KernelType.Input("kernel", optional=True, tooltip="Shape of the aperture, from Bokeh Kernel. None: a circle."),
        io.Image.Input(
            "background",
            optional=True,
            tooltip="The scene without its foreground, from an inpainting graph, same size. Shows through the "
            "foreground's blurred edge. None: filled in here.",
        ),
        io.Mask.Input(
            "matte",
            optional=True,
            tooltip="Coverage of the foreground, 1 = foreground (hair, fur). Without a background that is filled in. "
            "None: edges are split by colour.",
        ),
        flux.GenfocusType.Input(
            "genfocus", optional=True, lazy=True, tooltip="From Genfocus Setup, for hybrid and generative (experimental)."
        ),
        io.Image.Input(
            "photo",
            optional=True,
            tooltip="The photo as it was taken, where image comes from All In Focus: its grain is measured there. None: image's.",
        ),
    ]


def _check(
    method: str,
    highlight_boost: float,
    highlight_recovery: float,
    kernel: Any = None,
    background: Any = None,
    matte: Any = None,
    **_: Any,
) -> None:
    """Refuse what a method would ignore."""
    connected = any(given is not None for given in (kernel, background, matte))
    if method == "generative" and (connected or highlight_boost or highlight_recovery):
        raise ValueError(
            "The generative method knows no kernel, background, matte, highlight_boost or highlight_recovery. Disconnect them "
            "and set both numbers to 0, or choose another method (hybrid renders with them)."
        )
    if method == "hybrid" and background is not None:
        raise ValueError("hybrid invents the background behind foregrounds; with a background connected choose render.")


def _render(
    image: torch.Tensor,
    photo: torch.Tensor,
    alpha: torch.Tensor | None,
    defocus: DefocusMap,
    seen: Callable[[torch.Tensor], torch.Tensor],
    highlight_recovery: float,
    quality: str,
    highlight_boost: float,
    recover_in_focus: bool,
    kernel: Kernel | None = None,
    background: torch.Tensor | None = None,
    matte: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Decode, render, encode: [B,3,H,W] sRGB, and alpha [B,1,H,W]. `seen` makes of a draft what is shown meanwhile."""
    light, progress = srgb_to_linear(photo), host.progress()
    light = bokeh.recover_highlights(light, defocus.radius_px, highlight_recovery, in_focus=recover_in_focus)
    host.show_meanwhile(lambda: _draft(light, defocus, kernel, seen, quality, highlight_boost, share(progress, 0, 0)))
    light, alpha = bokeh.render_with_alpha(
        light,
        alpha,
        defocus,
        kernel,
        quality=quality,
        background=None if background is None else srgb_to_linear(host.to_bchw(background, "background")[0]),
        matte=None if matte is None else host.to_bhw(matte, "matte"),
        highlight_boost=highlight_boost,
        cache=host.surfaces(image),
        progress=progress,
    )
    return linear_to_srgb(light), alpha


def _draft(
    light: torch.Tensor,
    defocus: DefocusMap,
    kernel: Kernel | None,
    seen: Callable[[torch.Tensor], torch.Tensor],
    quality: str,
    highlight_boost: float,
    progress: Progress,
) -> torch.Tensor | None:
    """[1,3,h,w] sRGB for the time of a long run."""
    draft = bokeh.proxy(light, defocus, kernel, quality=quality, highlight_boost=highlight_boost, progress=progress)
    return None if draft is None else seen(linear_to_srgb(draft))
