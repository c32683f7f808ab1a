"""`all_in_focus`: one call over all methods."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from ..checks import check_image, match_batch
from ..types import DefocusMap, Kernel, Progress, Restored
from . import deconvolution, methods, restoration_model, shipped
from .network import DeblurNetwork


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
    model: restoration_model.RestorationModel | DeblurNetwork | None = None,
    tile_px: int | None = None,
    progress: Progress | None = None,
) -> Restored:
    """Make a photo sharp everywhere. A batch gives what its frames give one by one.

    Args:
        image_srgb: [B,3,H,W] floating point, sRGB-encoded. Values above 1 are highlights and survive: deconvolution works on
            their light, and a network has them added to its answer again.
        method: "auto", "refocus-deblur-s", "deconvolution", "blind-deconvolution", "none" or "model:<file>" (see
            `methods`). "auto" is deconvolution when a defocus map is given, else refocus-deblur-s, the network that ships in
            this package.
        defocus_map: the blur that is *in this photo*, [B,H,W] or [1,H,W], not the blur wanted later. Deconvolution needs it,
            refocus-deblur-s takes it as advice, other networks do without.
        kernel: the aperture that made the blur; None is a disc. Used by "deconvolution" and "blind-deconvolution".
        strength: 0..4. 1 is the full result, below 1 it is mixed with the photo, 0 is the photo. Above 1 deconvolution
            regularises less (sharper, noisier); a network has no more than 1.
        noise: standard deviation of the photo's noise in sRGB units (0..1); None measures it. Used by deconvolution.
        folders: where "model:<file>" is looked for; empty means that the file is a path.
        model: the network of the method (`load_model`, `load_embedded`) if the caller has already loaded it, on the device of
            the picture.
        tile_px: at least 64; None chooses. Bounds the memory.
        progress: `progress(done, total)` over tiles.

    Returns:
        Restored: `image` [B,3,H,W] float32 (the input itself where nothing is to be done), `radius_px` the unsigned radii of
        the photo's blur, found by the network or given by the map; None with other methods.

    Raises:
        TypeError, ValueError: on a wrong picture, map or number, or a method that lacks what it needs; the message names it.
        FileNotFoundError: if the model file does not exist.
    """
    check_image(image_srgb, "image")
    if not (math.isfinite(strength) and 0 <= strength <= 4):
        raise ValueError(f"strength must lie in 0..4, got {strength}.")
    if noise is not None and not (math.isfinite(noise) and 0 <= noise <= 0.5):
        raise ValueError(
            f"noise must lie in 0..0.5 (standard deviation, where white is 1), or be None to measure it; got {noise}."
        )
    chosen = methods.choose(method, has_defocus=defocus_map is not None)
    image = image_srgb.float()
    if chosen.kind == "identity":
        return Restored(image)
    if chosen.kind == "model_file":
        if not isinstance(model, restoration_model.RestorationModel):
            model = restoration_model.load_model(methods.find_model(chosen.name, folders)).to(image.device)
        result = restoration_model.run_model(model, image, tile_px=tile_px, progress=progress)
        return Restored(result if strength >= 1 else torch.lerp(image, result, strength))
    radius = None if defocus_map is None else _radii(defocus_map, image)
    if chosen.kind in ("embedded", "blind_deconvolution"):
        network = model if isinstance(model, DeblurNetwork) else shipped.load_embedded(chosen).to(image.device)
        alone = chosen.kind == "embedded"
        result, found = shipped.run_embedded(network, image, radius, tile_px=tile_px, progress=progress if alone else None)
        if not alone:
            certain = shipped.certainty(image, found)
            by_radius = deconvolution.deconvolve(
                image,
                shipped.cautious(found),
                kernel=kernel,
                strength=max(strength, 1.0),
                noise=noise,
                doubt=(shipped.DOUBTS[0] + (shipped.DOUBTS[1] - shipped.DOUBTS[0]) * certain).tolist(),
                tile_px=restoration_model.check_tile(tile_px, deconvolution.TILE_PX),
                progress=progress,
            )
            least, most = shipped.SHARES
            result = torch.lerp(result, by_radius, (least + (most - least) * certain)[:, None, None, None])
        return Restored(result if strength >= 1 else torch.lerp(image, result, strength), found)
    assert radius is not None  # `choose` refuses deconvolution without one
    result = deconvolution.deconvolve(
        image,
        radius,
        kernel=kernel,
        strength=strength,
        noise=noise,
        tile_px=restoration_model.check_tile(tile_px, deconvolution.TILE_PX),
        progress=progress,
    )
    return Restored(result, radius.abs())


def _radii(defocus_map: DefocusMap, image: Tensor) -> Tensor:
    """The map's radii, a frame for each of the picture's."""
    radius = defocus_map.radius_px.to(image.device)
    if radius.shape[-2:] != image.shape[-2:]:
        raise ValueError(
            f"defocus_map is {radius.shape[-1]}x{radius.shape[-2]} but image is {image.shape[-1]}x{image.shape[-2]} "
            "(width x height). Make the defocus map from this photo, at this size: its radii are pixels of it."
        )
    return match_batch(radius, image.shape[0], "defocus_map")
