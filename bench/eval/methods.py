"""What is compared, by name. Adding a method is one entry in `DEBLUR` or `BOKEH`.

A deblurring method takes a photo [1,3,H,W] sRGB and gives the same, sharp. A bokeh method takes a sharp photo, its depth, the
disparity in focus and K, and gives the photo [1,3,H,W] sRGB as that lens blurs it. Refocusing is one after the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from refocus_core import bokeh, generative, restore
from refocus_core.color import linear_to_srgb, srgb_to_linear
from refocus_core.optics import BlurLaw
from refocus_core.types import DefocusMap, DepthMap

Deblur = Callable[[Tensor], Tensor]
Bokeh = Callable[[Tensor, DepthMap, float, float], Tensor]
"""(sharp [1,3,H,W] sRGB, depth, focus disparity, K in px) -> [1,3,H,W] sRGB."""


@dataclass(frozen=True)
class Options:
    """What methods may need; see `--help`."""

    device: str = "cpu"
    quality: str = "normal"
    flux: Path | None = None
    vae: Path | None = None
    prompts: Path | None = None
    deblur_lora: Path | None = None
    bokeh_lora: Path | None = None
    steps: int = 28
    seed: int = 42
    megapixels: float = 1.0


class MethodError(ValueError):
    """A method is unknown or lacks what it needs; the message says what."""


def defocus_map(depth: DepthMap, focus: float, gain_px: float) -> DefocusMap:
    one = depth.disparity.new_ones(1)
    return DefocusMap.from_law(depth.disparity, BlurLaw.thin_lens(one * gain_px, one * focus))


@lru_cache(maxsize=1)
def _genfocus(options: Options) -> generative.Genfocus:
    if options.flux is None:
        raise MethodError("This method runs FLUX.1: give its folder with --flux (and --vae, --prompts where they lie elsewhere).")
    return generative.Genfocus.from_pretrained(
        options.flux,
        vae=options.vae,
        prompts=options.prompts,
        device=options.device,
        dtype=torch.float32 if options.device == "cpu" else torch.bfloat16,
    )


def _lora(path: Path | None, flag: str) -> Path:
    if path is None:
        raise MethodError(f"This method needs an adapter: give it with {flag}.")
    return path


def _generative_deblur(options: Options) -> Deblur:
    lora = _lora(options.deblur_lora, "--deblur-lora")
    sample = _genfocus(options).sampler(lora, "deblur", steps=options.steps, seed=options.seed)
    return lambda photo: generative.deblur(photo, sample, megapixels=options.megapixels)


def _physical(options: Options) -> Bokeh:
    cache = bokeh.SurfaceCache()

    def run(sharp: Tensor, depth: DepthMap, focus: float, gain_px: float) -> Tensor:
        m = defocus_map(depth, focus, gain_px)
        light = srgb_to_linear(sharp).to(options.device)
        return linear_to_srgb(bokeh.render(light, m.to(options.device), quality=options.quality, cache=cache)).cpu()

    return run


def _generative_bokeh(options: Options) -> Bokeh:
    lora = _lora(options.bokeh_lora, "--bokeh-lora")
    sample = _genfocus(options).sampler(lora, "bokeh", steps=options.steps, seed=options.seed)

    def run(sharp: Tensor, depth: DepthMap, focus: float, gain_px: float) -> Tensor:
        radius = defocus_map(depth, focus, gain_px).radius_px
        return generative.blur(sharp, radius, sample, megapixels=options.megapixels)

    return run


def _hybrid(options: Options) -> Bokeh:
    lora = _lora(options.bokeh_lora, "--bokeh-lora")
    sample = _genfocus(options).sampler(lora, "bokeh", steps=options.steps, seed=options.seed)
    physical = _physical(options)

    def run(sharp: Tensor, depth: DepthMap, focus: float, gain_px: float) -> Tensor:
        m = defocus_map(depth, focus, gain_px)
        rendered = physical(sharp, depth, focus, gain_px)
        revealed = generative.revealed_mask(bokeh.revealed(m, None))
        return generative.redraw(sharp, m.radius_px, rendered, revealed, sample, megapixels=options.megapixels)

    return run


DEBLUR: dict[str, Callable[[Options], Deblur]] = {
    "identity": lambda _options: lambda photo: photo,
    "generative": _generative_deblur,
}
"""Further names are those of `restore.all_in_focus`: a method with a network, or model:FILE."""
BOKEH: dict[str, Callable[[Options], Bokeh]] = {
    "identity": lambda _options: lambda sharp, _depth, _focus, _gain: sharp,
    "physical": _physical,
    "generative": _generative_bokeh,
    "hybrid": _hybrid,
}
"""Name of a bokeh method -> what makes it."""


def deblur(name: str, options: Options) -> Deblur:
    """A deblurring method.

    Raises:
        MethodError: if it is unknown or lacks something.
    """
    if name in DEBLUR:
        return DEBLUR[name](options)
    known = {name for name, method in restore.METHODS.items() if method.network is not None}
    if name in known or name.startswith("model:"):
        return lambda photo: restore.all_in_focus(photo.to(options.device), name).image.cpu()
    raise MethodError(f"Unknown deblurring method {name!r}. Known: {', '.join([*DEBLUR, *sorted(known)])}, model:FILE.")


def bokeh_method(name: str, options: Options) -> Bokeh:
    """A bokeh method.

    Raises:
        MethodError: if it is unknown or lacks something.
    """
    if name not in BOKEH:
        raise MethodError(f"Unknown bokeh method {name!r}. Known: {', '.join(BOKEH)}.")
    return BOKEH[name](options)
