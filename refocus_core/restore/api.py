"""`all_in_focus`: one call over all methods."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from ..types import DefocusMap, Kernel, Progress, Restored, check_image, match_batch
from . import deconvolution, models, registry


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
    model: models.RestorationModel | None = None,
    tile_px: int | None = None,
    progress: Progress | None = None,
) -> Restored:
    """Make a photo sharp everywhere. A batch gives what its frames give one by one.

    Args:
        image_srgb: [B,3,H,W] floating point, sRGB-encoded. Values above 1 are highlights and survive: deconvolution works on
            their light, and a network has them added to its answer again.
        method: "auto", "none", "deconvolution" or "model:<file>" (see `registry`). "auto" is deconvolution when a defocus map is
            given; there is no other choice yet, and it raises without one.
        defocus_map: the blur that is *in this photo*, [B,H,W] or [1,H,W], not the blur wanted later. Used by
            "deconvolution" only.
        kernel: the aperture that made the blur; None is a disc. Used by "deconvolution" only.
        strength: 0..4. 1 is the full result, below 1 it is mixed with the photo, 0 is the photo. Above 1 "deconvolution"
            regularises less (sharper, noisier); a network has no more than 1.
        noise: standard deviation of the photo's noise in sRGB units (0..1); None measures it. Used by "deconvolution" only.
        folders: where "model:<file>" is looked for; empty means that the file is a path.
        model: the network of "model:<file>" if the caller has already loaded it, on the device of the picture.
        tile_px: at least 64; None chooses. Bounds the memory.
        progress: `progress(done, total)` over tiles.

    Returns:
        Restored: `image` [B,3,H,W] float32 (the input itself where nothing is to be done), `radius_px` the unsigned radii that
        deconvolution used, else None.

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
    chosen = registry.choose(method, has_defocus=defocus_map is not None)
    image = image_srgb.float()
    if chosen.kind == "identity":
        return Restored(image)
    if chosen.kind == "model_file":
        if model is None:
            model = models.load_model(registry.find_model(chosen.name, folders)).to(image.device)
        result = models.run_model(model, image, tile_px=tile_px, progress=progress)
        return Restored(result if strength >= 1 else torch.lerp(image, result, strength))
    assert defocus_map is not None  # `choose` refuses deconvolution without one
    radius = defocus_map.radius_px.to(image.device)
    if radius.shape[-2:] != image.shape[-2:]:
        raise ValueError(
            f"defocus_map is {radius.shape[-1]}x{radius.shape[-2]} but image is {image.shape[-1]}x{image.shape[-2]} "
            "(width x height). Make the defocus map from this photo, at this size: its radii are pixels of it."
        )
    radius = match_batch(radius, image.shape[0], "defocus_map")
    result = deconvolution.deconvolve(
        image,
        radius,
        kernel=kernel,
        strength=strength,
        noise=noise,
        tile_px=models.check_tile(tile_px, deconvolution.TILE_PX),
        progress=progress,
    )
    return Restored(result, radius.abs())
