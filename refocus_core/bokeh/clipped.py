"""The radiance of small lights that the camera clipped, from their size, the falloff around them and their colour there.

Near its edge the picture of a light falls off as its point-spread function does, about as exp(-x^2): the logarithm of its light
is a parabola. With g the slope of that logarithm where the light is cut off, and k its curvature, light at the depth t inside
the clipped area is

    ln I(t) = g t - k t^2 / 2  up to t = g / k,  and  ln I = g^2 / (2 k)  from there on

For a point of light (a normal distribution) this is exact: the parabola ends in its middle, so that k = g / R with R the radius
of the clipped area, which its size tells. A light of some size is a plateau with such edges, and there the falloff tells k: so k
is the larger of the two. The colour is that of the rim just outside, above the surroundings: it is not clipped.

What is large (a wall, the sky) or reaches the picture's border, so that its size is not seen, stays as it is.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from ..checks import check_image, check_kind, check_map, check_number, match_batch, same_size
from ..color import srgb_to_linear
from .highlights import blurred_share

CLIPPED = 250 / 255
"""sRGB value from which on a channel counts as clipped. A smaller one takes bright surfaces for lights."""

MEASURED = 1.05
"""Linear value above which light was measured, not clipped at white."""

SMALL, LARGE = 0.01, 0.02
"""Radius of a clipped area, as a share of the long edge, up to which it counts as a light, and from which on as a surface."""

RIM_PX, AROUND_PX = 3, (5.0, 9.0)
"""Rings of a pixel in which the falloff is measured, and distances at which the surroundings are."""

LEAST_LIGHT = 1 / 255
"""Light above the surroundings below which a ring says no more than that there is none."""

MOST_STOPS = 5.0
"""Most that a clipped light may be brighter than white, in f-stops."""

Array = np.ndarray[Any, np.dtype[Any]]


def recover_highlights(image_linear: Tensor, radius_px: Tensor, amount: float = 1.0, *, in_focus: bool = False) -> Tensor:
    """Give small clipped lights the radiance that their size and the falloff around them tell of, in their own colour.

    Args:
        image_linear: [B,3,H,W] linear light, clipped at 1.
        radius_px: [B,H,W] or [1,H,W] signed radius of the blur to come.
        amount: 0..1 of the f-stops that were lost. 0 returns the picture itself.
        in_focus: also what is in focus; otherwise nothing changes there, and all of it counts from 4 px of radius on.

    Returns:
        [B,3,H,W] linear, nowhere below the picture. Channels that are not clipped stay, bit for bit.

    Raises:
        TypeError, ValueError: on wrong shapes or sizes, or an amount outside 0..1.
    """
    check_number(amount, "highlight_recovery")
    check_kind(in_focus, bool, "in_focus")
    if not 0 <= amount <= 1:
        raise ValueError(f"highlight_recovery must lie in 0..1, got {amount}. 0 leaves lights as they are.")
    batch, _, h, w = check_image(image_linear, "image_linear").shape
    radius = match_batch(same_size(check_map(radius_px, "radius_px"), h, w, "defocus map"), batch, "The defocus map")
    if amount == 0:
        return image_linear
    out = image_linear.clone()
    for picture, r in zip(out, radius, strict=True):
        found = _recovered(picture.detach().cpu().float().numpy())
        gain = torch.from_numpy(found).to(picture) / picture.clamp_min(LEAST_LIGHT)
        share = amount if in_focus else amount * blurred_share(r).to(picture)
        picture.copy_(torch.where(gain > 1, picture * gain.clamp_min(1).pow(share), picture))
    return out


def _recovered(image: Array) -> Array:
    """[3,H,W] the picture with every clipped light at its radiance."""
    level = float(srgb_to_linear(torch.tensor(CLIPPED)))
    labels, _ = ndimage.label(image.max(0) >= level, np.ones((3, 3)))  # pyright: ignore[reportGeneralTypeIssues] - scipy has no types
    out, (h, w) = image.copy(), image.shape[1:]
    margin = math.ceil(AROUND_PX[1])
    for number, (rows, columns) in enumerate(ndimage.find_objects(labels), 1):
        if rows.start == 0 or columns.start == 0 or rows.stop == h or columns.stop == w:
            continue
        part = (
            slice(max(rows.start - margin, 0), rows.stop + margin),
            slice(max(columns.start - margin, 0), columns.stop + margin),
        )
        ours = labels[part] == number
        fade = (LARGE - math.sqrt(ours.sum() / math.pi) / max(h, w)) / (LARGE - SMALL)
        pixels = image[(slice(None), *part)]
        if fade > 0 and pixels[:, ours].max() <= MEASURED:
            free = labels[part] == 0
            light = _light(pixels, ours, free, min(fade, 1.0))
            clipped = ours & (pixels >= level)
            target = out[(slice(None), *part)]
            np.copyto(target, np.maximum(target, light), where=clipped)
    return out


def _light(pixels: Array, ours: Array, free: Array, share: float) -> Array:
    """[3,h,w] the light of a clipped area in its own colour, from pixels [h,w] around it that no other covers."""
    away = np.asarray(ndimage.distance_transform_edt(~ours))
    depth = np.maximum(np.asarray(ndimage.distance_transform_edt(ours)) - 0.5, 0)
    around = pixels[:, free & (away >= AROUND_PX[0]) & (away < AROUND_PX[1])]
    if around.shape[1] == 0:  # between other lights: nothing tells how far it stands out
        return np.zeros_like(pixels)
    excess = np.maximum(pixels - np.median(around, 1)[:, None, None], 0)
    rim = free & (away < 2)
    colour = excess[:, rim].sum(1) if rim.any() else np.zeros(3)
    if colour.max() <= 0:
        return np.zeros_like(pixels)
    colour = colour / colour.max()
    slope, curvature = _falloff(excess.max(0), away, free)
    # A parabola that ends in the middle of the area is the least curved one that it can hold.
    curvature = max(curvature, slope / math.sqrt(ours.sum() / math.pi))
    if slope <= 0:
        return np.zeros_like(pixels)
    reach = np.minimum(depth, slope / curvature)
    stops = (slope * reach - curvature * reach**2 / 2) / math.log(2)
    # Another channel's radiance is the strongest one's times the colour; what is clipped has at least white's.
    return np.exp2(np.minimum(stops, MOST_STOPS) * share)[None] * colour[:, None, None]


def _falloff(excess: Array, away: Array, free: Array) -> tuple[float, float]:
    """Slope at the clipped edge and curvature, both as a fall, of the logarithm of light [h,w] over the distance from it."""
    at, fall = [0.0], [0.0]
    for ring in range(1, RIM_PX + 1):
        here = free & (away > ring - 0.5) & (away <= ring + 0.5)
        if not here.any():
            continue
        at.append(float(away[here].mean()) - 0.5)
        mean = float(excess[here].mean())
        fall.append(-math.log(min(max(mean, LEAST_LIGHT), 1.0)))
        if mean < LEAST_LIGHT:
            break
    if len(at) < 3:
        return (fall[-1] / at[-1], 0.0) if len(at) == 2 else (0.0, 0.0)
    x, y = np.array(at), np.array(fall)
    (slope, half), *_ = np.linalg.lstsq(np.stack([x[1:], x[1:] ** 2], 1), y[1:], rcond=None)
    return (float(slope), 2 * float(half)) if slope > 0 and half > 0 else (y[1] / x[1], 0.0)
