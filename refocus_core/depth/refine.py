"""Depth edges moved onto the photo's edges.

Networks (and resizing) turn the step between two surfaces into a ramp, and often put it a pixel off. Every pixel near such a
ramp takes the weighted median of the disparities around it. Weights fall with colour difference and distance, and, what matters
most, with the local slope of the disparity: values from inside a ramp belong to no surface and hardly vote. The median picks
a value that a neighbour has, so nothing is invented between the surfaces or beyond their range, and on an even slope it is the
pixel itself. (Weighted median as depth filter: Ma et al., "Constant Time Weighted Median Filtering", ICCV 2013.)
"""

from __future__ import annotations

from dataclasses import replace
from types import NoneType

import torch
import torch.nn.functional as F
from torch import Tensor

from .. import images
from ..checks import check_image, check_kind, check_number, match_batch
from ..progress import counted, shares
from ..types import DepthMap, Progress
from .ranges import robust_range

_NETWORK_SHORT_PX = 518
"""Depth networks see the short side at about this size; in larger pictures their ramps are wider in proportion."""
_HALF_RAMP_PX = 3.0
"""How far a pixel looks at that size: half a ramp of usual networks. More mends wider ramps and takes more time."""
_MAX_TAPS_RADIUS = 4
"""Most steps that a pixel looks to each side; a longer way is taken in larger steps. More is finer and slower, by the square."""
_HALF_TRUST_SLOPE = 0.01
"""Share of the disparity range, per step, at which a pixel's vote is halved. Smaller trusts flat surfaces only."""
_COLOUR = 0.10
"""Difference of colour in sRGB units at which a vote is small. Larger lets surfaces of like colour vote for each other."""
_CHUNK = 1 << 15
"""Pixels that are worked on at a time; more is quicker on a GPU and takes more memory."""


def refine(
    depth_map: DepthMap,
    image_srgb: Tensor,
    *,
    strength: float = 1.0,
    radius_px: int | None = None,
    progress: Progress | None = None,
) -> DepthMap:
    """Turn ramps between surfaces into steps at the photo's colour edges.

    Args:
        depth_map: B maps; relative or metric.
        image_srgb: [B,3,H,W] or [1,3,H,W] of the same size, sRGB-encoded, any floating-point type.
        strength: 0 changes nothing, 1 is the full effect, between them a mix.
        radius_px: how far a pixel looks; by default 3 px at a short side of 518 px and in proportion above it.
        progress: called often, along each frame; may raise to cancel.

    Returns:
        The map with new disparity. No value leaves the range of its neighbourhood; pixels away from depth edges, and pixels that
        are not `valid`, keep theirs bit for bit.

    Raises:
        TypeError, ValueError: if the picture does not fit the map or `strength` lies outside 0..1.
    """
    check_kind(depth_map, DepthMap, "depth_map")
    check_number(strength, "strength")
    check_kind(radius_px, (int, NoneType), "radius_px")
    if not 0 <= strength <= 1:
        raise ValueError(f"strength must lie in 0..1, got {strength}.")
    if radius_px is not None:
        check_number(radius_px, "radius_px")
    if radius_px is not None and radius_px < 1:
        raise ValueError(f"radius_px must be at least 1, got {radius_px}.")
    check_image(image_srgb)
    d = depth_map.disparity
    if image_srgb.shape[-2:] != d.shape[-2:]:
        raise ValueError(
            f"The picture is {image_srgb.shape[-1]}x{image_srgb.shape[-2]} but the depth map is {d.shape[-1]}x{d.shape[-2]}. Use "
            "the picture that the depth was made from, or resize one of them."
        )
    guide = match_batch(image_srgb, d.shape[0], "image")
    lo, hi = robust_range(d.flatten())
    if strength == 0 or hi <= lo:
        return depth_map
    reach = radius_px or _HALF_RAMP_PX * max(1.0, min(d.shape[-2:]) / _NETWORK_SHORT_PX)
    step = max(1, round(reach / _MAX_TAPS_RADIUS))
    taps = max(1, round(reach / step))
    frames: list[Tensor] = []
    slope = (hi - lo) * _HALF_TRUST_SLOPE
    for i, part in enumerate(shares(progress, [1] * len(d))):
        known = None if depth_map.valid is None else depth_map.valid[i]
        frames.append(_frame(d[i], guide[i].to(device=d.device, dtype=torch.float32), known, slope, taps, step, part))
        part(1, 1)
    out = torch.stack(frames)
    return replace(depth_map, disparity=out if strength == 1 else torch.lerp(d, out, strength))


def _frame(d: Tensor, rgb: Tensor, known: Tensor | None, slope: float, taps: int, step: int, progress: Progress) -> Tensor:
    """One frame: d [H,W], rgb [3,H,W]; `slope` is in the unit of d per step."""
    h, w = d.shape
    rise = images.window_range(d, step)
    trust = 1 / (1 + (rise / slope).square())
    if known is not None:
        trust = trust * known
    # Pixels in a ramp and beside it.
    near = images.window_max(rise, step) > slope
    if known is not None:
        near = near & known
    todo = near.flatten().nonzero()[:, 0]
    if todo.numel() == 0:
        return d

    margin = taps * step
    wide = w + 2 * margin
    pad = [margin] * 4
    # Beyond the border nothing votes.
    votes = F.pad(trust[None, None], pad).flatten()
    values = F.pad(d[None, None], pad).flatten()
    colours = F.pad(rgb[None], pad)[0].flatten(1) * (1 / (_COLOUR * 2**0.5))
    reach = torch.arange(-taps, taps + 1, device=d.device) * step
    dy, dx = (g.flatten() for g in torch.meshgrid(reach, reach, indexing="ij"))
    # Every other one, as on a chessboard: half the time, 1 % more error.
    keep = (dy + dx) % (2 * step) == 0
    dy, dx = dy[keep], dx[keep]
    offset = dy * wide + dx
    falloff = -(dy * dy + dx * dx) / (2 * (0.7 * margin) ** 2)

    out = d.flatten().clone()
    chunks = todo.split(_CHUNK)
    progress(0, len(chunks))
    for part in counted(chunks, len(chunks), progress):
        centre = (part // w + margin) * wide + part % w + margin
        around = centre[:, None] + offset
        exponent = falloff.expand(around.shape).clone()
        for c in colours:
            exponent -= (c[around] - c[centre][:, None]).square()
        weight = exponent.exp_() * votes[around]
        value, order = values[around].sort(1)
        total = weight.gather(1, order).cumsum(1)
        pick = (total < total[:, -1:] * 0.5).sum(1, keepdim=True).clamp_max(offset.numel() - 1)
        chosen = value.gather(1, pick)[:, 0]
        # Without any vote worth the name (an isolated colour in the middle of a ramp) the pixel stays.
        out[part] = torch.where(total[:, -1] > 1e-12, chosen, values[centre])
    return out.view(h, w)
