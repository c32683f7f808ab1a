"""A picture of a defocus map for people. It is never read back."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..checks import check_image, check_kind, match_batch
from ..color import linear_to_srgb, luminance, srgb_to_linear
from ..optics import SHARP_RADIUS_PX
from ..types import DefocusMap
from .focus import Focus, FocusPoint

NEAR_RGB = (0.05, 0.30, 1.00)
"""Colour of what lies in front of the focal plane."""
FAR_RGB = (1.00, 0.16, 0.06)
"""Colour of what lies behind it."""
FOCUS_RGB = (1.00, 0.93, 0.45)
"""Tint and outline of what is in focus."""
NO_PHOTO_GREY = 0.5
"""Brightness under the colours where there is no photo."""
SHARP_SHARE = 0.02
"""Share of the largest radius that is still shown as in focus, where that is more than `SHARP_RADIUS_PX`. A larger one shows a
broader focal plane under strong blur."""
LEAST_COLOUR = 0.15
"""Share of colour over the photo just outside the focus. More tells the sides apart better and hides more of the photo."""
MORE_COLOUR = 0.75
"""What the share of colour gains up to the largest radius, with the root of the radius. More hides more of the photo."""
SHADE_OVER_BLACK = 0.3
"""Brightness of a colour over black, 1 over white. Less keeps the photo more readable under full colour."""
FOCUS_TINT = 0.4
"""Share of the tint over what is in focus. More is seen sooner and hides more of the photo."""
FOCUS_OVER_BLACK = 0.25
"""Brightness of that tint over black, 1 over white. Less keeps more of the photo's contrast."""
OUTLINE_TINT = 0.85
"""Share of the outline's colour."""
LONG_EDGE_PER_LINE_PX = 900
"""The outline is one pixel wide for each so many pixels of the long edge. Larger draws finer lines."""
LEAST_SCALE_PX = 1e-6
"""Least radius that the colours are scaled to, so that a map without blur divides by no zero."""
_PX_AT_A_TIME = 1 << 18
"""A strip of the picture that stays in the processor's cache, and bounds the memory."""


def preview(defocus_map: DefocusMap, image_srgb: Tensor | None = None, *, focus: Focus | None = None) -> Tensor:
    """The photo in grey under colour: blue in front of the focal plane, red behind it, yellow where it is sharp.

    Colour grows with |radius_px| up to the largest of the whole batch, so frames of a clip can be compared. What is in focus
    keeps the grey photo with a yellow tint and an outline.

    Args:
        defocus_map: [B,H,W].
        image_srgb: [B,3,H,W] (or one frame for all) sRGB-encoded, of the same size; None for plain grey.
        focus: where the focus was set; a `FocusPoint` is marked with a ring.

    Returns:
        [B,3,H,W] float32 in 0..1, sRGB-encoded.

    Raises:
        TypeError, ValueError: if the image is not one, or its size or number of frames does not fit.
    """
    check_kind(defocus_map, DefocusMap, "defocus_map")
    radius = defocus_map.radius_px
    b, h, w = radius.shape
    image = None
    if image_srgb is not None:
        image = check_image(image_srgb, "image")
        if image.shape[-2:] != radius.shape[-2:]:
            raise ValueError(
                f"The image ({image.shape[3]} x {image.shape[2]}) and the defocus map ({w} x {h}) differ in size. "
                "Use the picture that the depth was made from."
            )
        image = match_batch(image.to(radius), b, "image")

    largest = radius.abs().max().clamp_min(LEAST_SCALE_PX)
    line_px = max(1, round(max(h, w) / LONG_EDGE_PER_LINE_PX))
    out = radius.new_empty((b, 3, h, w))
    height, beside = max(_PX_AT_A_TIME // w, 1), 4 * line_px  # how far an outline looks
    for frame in range(b):
        for top in range(0, h, height):
            stop, first = min(top + height, h), max(top - beside, 0)
            rows = (slice(frame, frame + 1), ..., slice(first, stop + beside), slice(None))
            shaded = _shaded(radius[rows], None if image is None else image[rows], largest, line_px)
            out[frame, :, top:stop] = shaded[0, :, top - first : stop - first]
    if isinstance(focus, FocusPoint):
        _ring(out, focus, line_px)
    return out.clamp_(0, 1)


def _shaded(radius: Tensor, image: Tensor | None, largest: Tensor, line_px: int) -> Tensor:
    """[B,3,H,W] the preview without the ring, of some rows."""
    if image is None:
        grey = torch.full_like(radius, NO_PHOTO_GREY)[:, None]
    else:
        grey = linear_to_srgb(luminance(srgb_to_linear(image))).clamp_(0, 1)
    strength = (radius.abs() / largest)[:, None]
    sharp_px = torch.clamp(SHARP_SHARE * largest, min=SHARP_RADIUS_PX)
    sharp = (radius.abs() <= sharp_px)[:, None].float()
    near = (radius < 0)[:, None]

    def colour(rgb: tuple[float, float, float]) -> Tensor:
        return grey.new_tensor(rgb).view(1, 3, 1, 1)

    tint = torch.where(near, colour(NEAR_RGB), colour(FAR_RGB))
    amount = (LEAST_COLOUR + MORE_COLOUR * strength.sqrt()) * (1 - sharp)
    shaded = tint * (SHADE_OVER_BLACK + (1 - SHADE_OVER_BLACK) * grey)
    out = grey * (1 - amount) + shaded * amount
    in_focus = colour(FOCUS_RGB) * (FOCUS_OVER_BLACK + (1 - FOCUS_OVER_BLACK) * grey)
    out = out + sharp * FOCUS_TINT * (in_focus - out)
    return out + _outline(sharp, line_px) * OUTLINE_TINT * (colour(FOCUS_RGB) - out)


def _outline(inside: Tensor, width_px: int) -> Tensor:
    """Inner border of the region [B,1,H,W]; specks and noise smaller than the line are left out of it."""
    eroded = -_widest(-inside, width_px)
    solid = _widest(eroded, 2 * width_px)  # near something that survives erosion
    return (inside - eroded).clamp_min(0) * solid


def _widest(x: Tensor, reach: int) -> Tensor:
    """Maximum over a square window, one axis after the other."""
    k = 2 * reach + 1
    return F.max_pool2d(F.max_pool2d(x, (k, 1), 1, (reach, 0)), (1, k), 1, (0, reach))


def _ring(image: Tensor, point: FocusPoint, width_px: int) -> None:
    """Draw a white ring with a dark edge around the area of a focus point."""
    h, w = image.shape[-2:]
    radius = max(point.radius * max(h, w), 4.0 * width_px)
    reach = radius + 2 * width_px + 1
    top, bottom = (min(max(round(point.y * h + s * reach), 0), h) for s in (-1, 1))
    left, right = (min(max(round(point.x * w + s * reach), 0), w) for s in (-1, 1))
    y = torch.arange(top, bottom, device=image.device).view(-1, 1) + 0.5 - point.y * h
    x = torch.arange(left, right, device=image.device).view(1, -1) + 0.5 - point.x * w
    from_ring = ((x.square() + y.square()).sqrt() - radius).abs()
    dark, white = from_ring <= 2.0 * width_px, from_ring <= 0.8 * width_px
    part = image[..., top:bottom, left:right]
    part.copy_(torch.where(white, 1.0, torch.where(dark, part * 0.2, part)))
