"""`all_in_focus`: one call over all methods."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from types import NoneType

import torch
from torch import Tensor, nn

from ..checks import check_image, check_kind, check_number
from ..types import DefocusMap, Kernel, Progress, Restored
from .methods import Method, choose
from .request import Request

MOST_STRENGTH = 4.0
"""Largest strength. Above it deconvolution shows more noise than detail."""
MOST_NOISE = 0.5
"""Largest standard deviation of noise, where white is 1."""


@torch.no_grad()
def all_in_focus(
    image_srgb: Tensor,
    method: str = "auto",
    defocus_map: DefocusMap | None = None,
    *,
    kernel: Kernel | None = None,
    strength: float = 1.0,
    noise: float | None = None,
    folders: Iterable[str | Path] = (),
    model: nn.Module | None = None,
    tile_px: int | None = None,
    progress: Progress | None = None,
) -> Restored:
    """Make a photo sharp everywhere. A batch gives what its frames give one by one.

    Args:
        image_srgb: [B,3,H,W] floating point, sRGB-encoded. Values above 1 are highlights and survive: deconvolution works on
            their light, and a network has them added to its answer again.
        method: "auto", a name of `methods.METHODS`, or "model:<file>" for a restoration network of one's own. "auto" is
            deconvolution when a defocus map is given, else refocus-deblur-s, the network that ships in this package.
        defocus_map: the blur that is *in this photo*, [B,H,W] or [1,H,W], not the blur wanted later. Deconvolution needs it,
            refocus-deblur-s takes it as advice, other networks do without.
        kernel: the aperture that made the blur; None is a disc. Used by "deconvolution" and "blind-deconvolution".
        strength: 0..4. 1 is the full result, below 1 it is mixed with the photo, 0 is the photo. Above 1 deconvolution
            regularises less (sharper, noisier); a network has no more than 1.
        noise: standard deviation of the photo's noise in sRGB units (0..1); None measures it. Used by deconvolution.
        folders: where "model:<file>" is looked for; empty means that the file is a path.
        model: the method's network if the caller has already loaded it (`Method.network`), on the device of the picture.
        tile_px: at least 64; None chooses. Bounds the memory.
        progress: called often, at each step of the work; may raise to cancel.

    Returns:
        Restored: `image` [B,3,H,W] float32 (the input itself where nothing is to be done), `radius_px` the unsigned radii of
        the photo's blur, found by the network or given by the map; None with other methods.

    Raises:
        TypeError, ValueError: on a wrong picture, map, number or model, or a method that lacks what it needs; the message
            names it.
        WeightsMissingError, WeightsMismatchError: if the network's file does not exist, or is another one.
    """
    check_image(image_srgb, "image")
    check_kind(method, str, "method")
    check_kind(defocus_map, (DefocusMap, NoneType), "defocus_map")
    _check_kernel(kernel)
    check_kind(tile_px, (int, NoneType), "tile_px")
    for name, value in (("strength", strength), ("noise", noise), ("tile_px", tile_px)):
        if value is not None or name == "strength":
            check_number(value, name)
    if not (math.isfinite(strength) and 0 <= strength <= MOST_STRENGTH):
        raise ValueError(f"strength must lie in 0..{MOST_STRENGTH:g}, got {strength}.")
    if noise is not None and not (math.isfinite(noise) and 0 <= noise <= MOST_NOISE):
        raise ValueError(
            f"noise must lie in 0..{MOST_NOISE} (standard deviation, where white is 1), or be None to measure it; got {noise}."
        )
    chosen = choose(method, has_defocus=defocus_map is not None)
    image = image_srgb.float()
    network = _network(chosen, model, folders, image.device)
    return chosen.run(Request(image, defocus_map, kernel, strength, noise, network, tile_px, progress))


def _check_kernel(kernel: Kernel | None) -> None:
    check_kind(kernel, (Kernel, NoneType), "kernel")
    if kernel is not None and kernel.field is not None:
        raise ValueError(
            "All in focus knows one aperture for the whole picture, and this one changes over it (cat_eye, barn_doors, swirl, "
            "coma). Set these to 0, or leave the kernel out."
        )


def _network(method: Method, given: nn.Module | None, folders: Iterable[str | Path], device: torch.device) -> nn.Module | None:
    """The network that the method runs: the one given if it is of its class, else read from its file."""
    if method.network is None:
        if given is not None:
            raise TypeError(f"method '{method.name}' runs no network, but model is a {type(given).__name__}. Leave model out.")
        return None
    if given is None:
        return method.network.load(method.network.locate(folders)).to(device)
    if not isinstance(given, method.network.kind):
        raise TypeError(
            f"method '{method.name}' runs a {method.network.kind.__name__}, but model is a {type(given).__name__}. Give one that "
            "the method's own `network.load` has read, or leave model out."
        )
    return given
