"""Aperture shapes as transmission rasters over the unit disc."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from ..checks import check_kind, check_number
from ..types import Kernel

RASTER_PX = 256
"""Side of the rasters made here. A blur up to radius 128 px is drawn without enlarging it."""

SUPERSAMPLING = 4
"""Samples along a side of a cell. More of them smooth the rim of a raster and take longer to make."""

OUTLINE_POINTS = 4097
"""Points of half the heart's outline: far more than a raster has cells along it."""

LEAST_NOTCH = 0.1
"""Least radius of a star's notches. With a smaller one a star has next to no light."""

EDGE_LEVEL = 0.5
"""Transmission, of the brightest, that is the edge of a shape for its softness."""


def _circle(x: Tensor, y: Tensor) -> Tensor:
    return x.square() + y.square() <= 1


def _polygon(x: Tensor, y: Tensor, blades: int, curvature: float) -> Tensor:
    """Blades as circular arcs through neighbouring corners: curvature 0 = straight edges, 1 = the full circle."""
    sector = 2 * math.pi / blades
    angle = torch.remainder(torch.atan2(x, -y), sector) - sector / 2  # 0 in the middle of an edge, a corner points up
    rho = torch.hypot(x, y)
    apothem = math.cos(sector / 2)
    # The arc keeps both corners and bulges out between them. Written by its curvature 1/r and its sagitta: where it is nearly
    # straight, squares of its radius would leave nothing of the edge in float32.
    half_chord = math.sin(sector / 2)
    bulge = curvature * (1 - apothem)
    per_radius = 2 * bulge / (half_chord**2 + bulge**2)
    across = rho * angle.sin()
    sagitta = per_radius * across.square() / (1 + (1 - (per_radius * across).square()).clamp_min(0).sqrt())
    return rho * angle.cos() <= apothem + bulge - sagitta


def _star(x: Tensor, y: Tensor, points: int, inner: float) -> Tensor:
    sector = 2 * math.pi / points
    angle = (torch.remainder(torch.atan2(x, -y) + sector / 2, sector) - sector / 2).abs()
    rho = torch.hypot(x, y)
    px, py = rho * angle.cos(), rho * angle.sin()
    qx, qy = inner * math.cos(sector / 2), inner * math.sin(sector / 2)
    return (px - 1) * qy - (qx - 1) * py <= 0  # the side of the edge from the tip (1, 0) to the notch q that holds the centre


def _heart(x: Tensor, y: Tensor) -> Tensor:
    """x = 16 sin^3 t, y = 13 cos t - 5 cos 2t - 2 cos 3t - cos 4t, in the smallest disc around its bounding box's middle."""
    t = torch.linspace(0, math.pi, OUTLINE_POINTS, dtype=torch.float64)
    hx = 16 * t.sin() ** 3
    hy = 13 * t.cos() - 5 * (2 * t).cos() - 2 * (3 * t).cos() - (4 * t).cos()
    hy = hy - (hy.max() + hy.min()) / 2
    scale = torch.hypot(hx, hy).max()
    hx, hy = hx / scale, -hy / scale  # row 0 is up
    # |x| is inside where an odd number of crossings of the half outline with this row lies to its right.
    rows, inverse = torch.unique(y, return_inverse=True)
    a, b = hy[:-1], hy[1:]
    crossing = (a[None] <= rows[:, None]) != (b[None] <= rows[:, None])
    at = hx[:-1] + (rows[:, None] - a) / torch.where(a == b, torch.ones_like(a), b - a) * (hx[1:] - hx[:-1])
    at = torch.where(crossing, at, torch.full_like(at, -1.0))
    most = int(crossing.sum(1).max())
    nearest = at.topk(max(most, 1), 1).values
    return ((nearest[inverse] > x.abs()[..., None]).sum(-1) % 2) == 1


SHAPES = ("circle", "polygon", "ring", "heart", "star", "triangle")
"""Names of the shapes that `make_kernel` knows."""


def make_kernel(
    shape: str = "circle",
    *,
    blades: int = 6,
    curvature: float = 0.0,
    rotation_deg: float = 0.0,
    inner: float = 0.5,
    points: int = 5,
    softness: float = 0.0,
    size: int = RASTER_PX,
) -> Kernel:
    """An aperture of a named shape. Shapes touch the unit circle; radius_px of a defocus map is the radius of that circle.

    Args:
        shape: one of `SHAPES`.
        blades: corners of "polygon", 3..24.
        curvature: 0 = straight blades, 1 = a full circle ("polygon", "triangle").
        rotation_deg: clockwise; 0 = a corner, tip or lobe axis points up.
        inner: "ring": radius of the central obstruction, 0..0.95; "star": radius of the notches, 0.1..0.95.
        points: tips of "star", 3..24.
        softness: 0 = hard edge; up to 1, transmission falls smoothly over this share of the way from the edge to the middle.
        size: side of the raster in cells, 8..1024.

    Returns:
        Kernel with a [1,size,size] raster.

    Raises:
        ValueError: on an unknown shape or a value out of range.
    """
    check_kind(shape, str, "shape")
    within("blades", blades, 3, 24)
    within("points", points, 3, 24)
    within("curvature", curvature, 0, 1)
    within("softness", softness, 0, 1)
    within("size", size, 8, 1024)
    check_number(rotation_deg, "rotation_deg")
    if not math.isfinite(rotation_deg):
        raise ValueError(f"rotation_deg must be a finite angle, got {rotation_deg}.")
    inside = _outline(shape, blades, curvature, inner, points)
    n = size * SUPERSAMPLING
    axis = (torch.arange(n, dtype=torch.float64) + 0.5) * 2 / n - 1
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    turn = math.radians(rotation_deg)
    if shape == "heart" and turn:  # its outline is scanned by rows, so the raster is turned, not the coordinates
        hard = _rotated(inside(x, y).double(), turn)
    else:
        c, s = math.cos(turn), math.sin(turn)
        hard = inside(c * x + s * y, c * y - s * x).double()
    raster = F.avg_pool2d(hard[None, None], SUPERSAMPLING)[0]
    if softness > 0:
        raster = raster * _falloff(raster[0], softness)
    return Kernel((raster / raster.sum()).float(), name=shape)


def _outline(shape: str, blades: int, curvature: float, inner: float, points: int) -> Callable[[Tensor, Tensor], Tensor]:
    """What tells whether points (x, y) of the unit disc lie inside a shape; arguments as of `make_kernel`."""
    if shape == "circle":
        return _circle
    if shape == "polygon":
        return lambda x, y: _polygon(x, y, blades, curvature)
    if shape == "triangle":
        return lambda x, y: _polygon(x, y, 3, curvature)
    if shape == "ring":
        within("inner", inner, 0, 0.95)
        return lambda x, y: _circle(x, y) & (x.square() + y.square() >= inner**2)
    if shape == "star":
        within("inner", inner, LEAST_NOTCH, 0.95)
        return lambda x, y: _star(x, y, points, inner)
    if shape == "heart":
        return _heart
    raise ValueError(f"Unknown aperture shape {shape!r}. Choose one of: {', '.join(SHAPES)}; or use kernel_from_image.")


def kernel_from_image(raster: Tensor, *, softness: float = 0.0, center: bool = False, name: str = "image") -> Kernel:
    """Any picture as an aperture: bright is open.

    Args:
        raster: [h,w], [C,h,w] or [1,C,h,w] with C = 1 or 3, values >= 0 taken as linear transmission (decode sRGB pictures
            first). It is padded to a square around its middle, which is the optical axis. Each channel is scaled to sum 1, so a
            coloured aperture fringes highlights without tinting the picture.
        softness: as in `make_kernel`.
        center: move the centre of gravity to the optical axis, size kept. Off by default: an off-axis aperture shifts the
            blur, as in a lens.
        name: for people.

    Returns:
        Kernel with a [C,n,n] raster.

    Raises:
        TypeError, ValueError: on wrong shapes, negative or non-finite values, or a channel that is black everywhere.
    """
    check_kind(center, bool, "center")
    k = _square_raster(_checked(raster))
    within("softness", softness, 0, 1)
    if softness > 0:
        k = k * _falloff((k.amax(0) > EDGE_LEVEL * k.max()).double(), softness)
    total = k.sum((1, 2), keepdim=True)
    if bool((total <= 0).any()):
        which = "" if len(k) == 1 else f" in channel {'RGB'[int((total.flatten() <= 0).nonzero()[0])]}"
        raise ValueError(f"The aperture image is black{which}: no light would pass. Use a brighter picture, or its grey version.")
    k = k / total
    if center:
        k = _centred(k)
    return Kernel(k.float().contiguous(), name=name)


def _checked(raster: Tensor) -> Tensor:
    """The aperture image as [C,h,w] float64 on the CPU; errors as of `kernel_from_image`."""
    check_kind(raster, Tensor, "raster")
    if not raster.is_floating_point():
        raise TypeError(f"raster must be a floating-point tensor, the aperture image, got {raster.dtype}.")
    if raster.ndim == 4 and raster.shape[0] == 1:
        raster = raster[0]
    if raster.ndim == 2:
        raster = raster[None]
    if raster.ndim != 3 or raster.shape[0] not in (1, 3) or raster.numel() == 0:
        raise ValueError(f"The aperture image must have the shape [h,w], [1,h,w] or [3,h,w], got {list(raster.shape)}.")
    k = raster.cpu().double()
    if not bool(torch.isfinite(k).all()) or float(k.min()) < 0:
        raise ValueError("The aperture image holds negative, NaN or infinite values. Clamp it to 0..1 first.")
    return k


def _square_raster(k: Tensor) -> Tensor:
    """[C,h,w] padded to a square around its middle; shrunk where it has more detail than any blur shows."""
    h, w = k.shape[-2:]
    if max(h, w) > 2 * RASTER_PX:
        shrink = 2 * RASTER_PX / max(h, w)
        h, w = max(round(h * shrink), 1), max(round(w * shrink), 1)
        k = F.interpolate(k[None], (h, w), mode="area")[0]
    n = max(h, w)
    # A parity mismatch would put the picture's middle half a cell off the axis.
    k = F.interpolate(k[None], (h * 2, w * 2), mode="nearest")[0] if (n - h) % 2 or (n - w) % 2 else k
    h, w = k.shape[-2:]
    n = max(h, w)
    return F.pad(k, ((n - w) // 2, (n - w) // 2, (n - h) // 2, (n - h) // 2))


def within(name: str, value: float, low: float, high: float) -> None:
    """Raise a ValueError that names an option outside its limits."""
    check_number(value, name)
    if not (math.isfinite(value) and low <= value <= high):
        raise ValueError(f"{name} must lie in {low:g}..{high:g}, got {value}.")


def _falloff(mask: Tensor, softness: float) -> Tensor:
    """Smooth rise from the edge of `mask` inwards over `softness` times the largest inner distance."""
    closed = F.pad((mask > EDGE_LEVEL).cpu(), (1, 1, 1, 1))  # the raster's border is an edge too
    distance = np.asarray(ndimage.distance_transform_edt(closed.numpy()))
    depth = torch.from_numpy(distance[1:-1, 1:-1])
    t = (depth / (softness * depth.max().clamp_min(1))).clamp(0, 1)
    return t * t * (3 - 2 * t)


def _rotated(picture: Tensor, angle: float) -> Tensor:
    turned = ndimage.rotate(picture.numpy(), -math.degrees(angle), reshape=False, order=1)
    return torch.from_numpy(turned).clamp_min(0)


def _centred(k: Tensor) -> Tensor:
    """Shift (whole and part cells, energy kept) so that the centre of gravity of the sum of channels is the middle."""
    n = k.shape[-1]
    axis = torch.arange(n, dtype=k.dtype) - (n - 1) / 2
    mass = k.sum(0)
    cy, cx = float((mass.sum(1) * axis).sum() / mass.sum()), float((mass.sum(0) * axis).sum() / mass.sum())
    pad = math.ceil(max(abs(cy), abs(cx))) + 1
    k = F.pad(k, (pad, pad, pad, pad))
    moved = torch.from_numpy(ndimage.shift(k.numpy(), (0, -cy, -cx), order=1)).clamp_min(0)
    # The raster's side is the blur's scale: what was added is taken off again as far as it is dark, so the shape keeps its size.
    lit = (moved.amax(0) > 1e-9 * moved.max()).nonzero()
    spare = int(torch.minimum(lit.amin(), moved.shape[-1] - 1 - lit.amax()))
    cut = min(pad, spare)
    moved = moved[:, cut : moved.shape[1] - cut, cut : moved.shape[2] - cut]
    return moved / moved.sum((1, 2), keepdim=True)
