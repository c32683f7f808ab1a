"""How noisy a photo is: deconvolution weighs sharpness against it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ...checks import check_image, check_kind, check_map, same_size

NOISE_FLOOR = 0.002
"""sRGB units. Less noise than half an 8-bit step is never claimed: the model of the blur is not that good."""
USABLE = (0.02, 0.98)
"""sRGB values between which noise is neither clipped nor squeezed by the tone curve's ends. A wider range counts more pixels, and
finds less noise than there is."""
BLURRED_PX = 1.5
"""Radius from which the finest scale holds no detail any more, only noise."""
ENOUGH_BLURRED = 1000
"""Pixels of that radius from which only they are heard. Fewer would make the estimate itself noisy."""
ENOUGH_USABLE = 20
"""Pixels without which `NOISE_FLOOR` is the estimate."""
MEDIAN_TO_SIGMA = 1.4826
"""Standard deviation of a normal distribution whose magnitude has the median 1."""
FILTER_NORM = 6.0
"""Root of the sum of squares of the filter's taps: what it makes of noise of standard deviation 1."""


def noise_level(image_srgb: Tensor, radius_px: Tensor | None = None) -> float:
    """Standard deviation of the noise of one frame in sRGB units (0..1).

    The median magnitude of a second-difference filter that is blind to slopes (Immerkaer, "Fast noise variance estimation",
    CVIU 1996), over blurred pixels where there are enough of them: what is left there at the finest scale is noise.

    Args:
        image_srgb: [3,H,W].
        radius_px: [H,W], signed or not.

    Raises:
        TypeError, ValueError: on a frame or radii of another shape, or that are not finite.
    """
    check_kind(image_srgb, Tensor, "image")
    h, w = check_image(image_srgb[None]).shape[-2:]
    if radius_px is not None:
        check_kind(radius_px, Tensor, "radius_px")
        same_size(check_map(radius_px[None], "radius_px"), h, w, "radius_px")
    if h < 3 or w < 3:
        return NOISE_FLOOR
    d = torch.tensor([1.0, -2.0, 1.0], device=image_srgb.device)
    response = F.conv2d(image_srgb[:, None], (d[:, None] * d[None])[None, None])[:, 0].abs() / FILTER_NORM
    middle = image_srgb[:, 1:-1, 1:-1]
    usable = (middle > USABLE[0]) & (middle < USABLE[1])
    if radius_px is not None:
        blurred = usable & (radius_px[None, 1:-1, 1:-1].abs() > BLURRED_PX)
        if int(blurred.sum()) >= ENOUGH_BLURRED:
            usable = blurred
    if int(usable.sum()) < ENOUGH_USABLE:
        return NOISE_FLOOR
    return max(MEDIAN_TO_SIGMA * float(response[usable].median()), NOISE_FLOOR)
