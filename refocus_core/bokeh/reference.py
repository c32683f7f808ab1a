"""The renderer's slow, obvious twin: a thin lens integrated over aperture samples on scenes whose hidden parts are known.

A scene is a stack of textured planes. The picture at pixel p through the aperture point u (unit disc) sees a plane of signed
radius r at q = p - r u; on a slanted plane r changes along the plane, and q solves q = p - r(q) u exactly. Planes are
composited front to back for every aperture point by itself, so partial occlusion is exact and nothing is assumed
independent. It is the oracle of tests and of `bench/run/render.py`, never a production path.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..types import Kernel

SUBPIXELS = 2
"""Every plane is stored and traced at SUBPIXELS x SUBPIXELS points per pixel."""

PHASE_SHIFT = 0.137
"""Shift of the aperture samples from one sub-pixel to the next: any that does not repeat."""


@dataclass(frozen=True, eq=False)
class Plane:
    """One plane of a scene, stored on the sub-pixel grid with a margin on all sides.

    Attributes:
        color: [3,h,w] linear light, straight (not premultiplied).
        alpha: [h,w] in 0..1.
        radius_px: signed radius of the circle of confusion at the image centre, in pixels (> 0 behind the focal plane).
        slope: change of the radius per pixel along x and y, (0, 0) for a plane that faces the camera.
    """

    color: Tensor
    alpha: Tensor
    radius_px: float
    slope: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, eq=False)
class LayeredScene:
    """Planes of one size, nearest first; with `sort` they are ordered anew for every aperture point (crossing planes).

    Attributes:
        margin_px: texture beyond each border of the picture; at least the largest radius plus one.
        samples: aperture points for each sub-pixel.
    """

    planes: tuple[Plane, ...]
    margin_px: int
    sort: bool = False
    samples: int = 256

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the picture in pixels."""
        h, w = self.planes[0].alpha.shape
        return h // SUBPIXELS - 2 * self.margin_px, w // SUBPIXELS - 2 * self.margin_px

    def radius_maps(self) -> Tensor:
        """[n,h,w] signed radius of every plane on the picture's sub-pixel grid."""
        height, width = self.size
        y = (torch.arange(height * SUBPIXELS) + 0.5) / SUBPIXELS - height / 2
        x = (torch.arange(width * SUBPIXELS) + 0.5) / SUBPIXELS - width / 2
        return torch.stack([p.radius_px + p.slope[0] * x[None, :] + p.slope[1] * y[:, None] for p in self.planes])


def aperture_samples(kernel: Kernel, count: int, seed: float = 0.5) -> tuple[Tensor, Tensor]:
    """About `count` points of the R2 low-discrepancy sequence (Roberts 2018) inside the aperture.

    Returns:
        [m,2] points (x, y) in -1..1, and [C,m] weights, sum 1 per channel.

    Raises:
        ValueError: if the aperture differs in front of the focus, where one ray has two places in it.
    """
    if kernel.near is not None:
        raise ValueError("The reference knows one aperture for both sides of the focus. Give Kernel(kernel.side(radius_px)).")
    raster = kernel.raster.double()
    channels, n, _ = raster.shape
    open_share = float((raster.sum(0) > 0).double().mean())
    total = max(int(count / max(open_share, 1e-3)), 1)
    g = 1.32471795724474602596
    i = torch.arange(1, total + 1, dtype=torch.float64)
    points = torch.stack([(seed + i / g) % 1.0, (seed + i / g**2) % 1.0], 1) * 2 - 1
    cells = ((points + 1) / 2 * n).long().clamp_(0, n - 1)
    weights = raster[:, cells[:, 1], cells[:, 0]]
    keep = weights.sum(0) > 0
    weights = weights[:, keep]
    return points[keep].float(), (weights / weights.sum(1, keepdim=True)).float().view(channels, -1)


def _premultiplied(scene: LayeredScene) -> Tensor:
    """[n,5,h,w]: premultiplied colour, alpha, and alpha where the plane is seen by the pinhole camera."""
    transmittance = torch.ones_like(scene.planes[0].alpha)
    out: list[Tensor] = []
    if scene.sort:
        visible = _pinhole_weights_full(scene)
    for i, plane in enumerate(scene.planes):
        seen = visible[i] if scene.sort else plane.alpha * transmittance  # pyright: ignore[reportPossiblyUnboundVariable]
        out.append(torch.cat([plane.color * plane.alpha, plane.alpha[None], seen[None]]))
        transmittance = transmittance * (1 - plane.alpha)
    return torch.stack(out)


def _pinhole_weights_full(scene: LayeredScene) -> Tensor:
    m = scene.margin_px
    height, width = scene.size
    y = (torch.arange((height + 2 * m) * SUBPIXELS) + 0.5) / SUBPIXELS - m - height / 2
    x = (torch.arange((width + 2 * m) * SUBPIXELS) + 0.5) / SUBPIXELS - m - width / 2
    radius = torch.stack([p.radius_px + p.slope[0] * x[None, :] + p.slope[1] * y[:, None] for p in scene.planes])
    return _composite_weights(torch.stack([p.alpha for p in scene.planes]), radius)


def _composite_weights(alpha: Tensor, radius: Tensor) -> Tensor:
    """Share of every plane [n,...] in the picture when they are stacked by radius, nearest (smallest) first."""
    order = radius.argsort(dim=0, stable=True)
    a = alpha.gather(0, order)
    transmittance = torch.cat([torch.ones_like(a[:1]), (1 - a).cumprod(0)[:-1]])
    return torch.zeros_like(alpha).scatter(0, order, a * transmittance)


def pinhole(scene: LayeredScene) -> tuple[Tensor, Tensor]:
    """The all-in-focus photo, and the map that goes with it.

    Returns:
        [1,3,H,W] linear, box-filtered, and [1,H,W] the radius of the plane that fills most of each pixel.
    """
    m = scene.margin_px * SUBPIXELS
    crop = (slice(m, -m), slice(m, -m))
    alpha = torch.stack([p.alpha[crop] for p in scene.planes])
    radius = scene.radius_maps()
    weights = _composite_weights(alpha, radius if scene.sort else torch.arange(len(scene.planes)).view(-1, 1, 1).expand_as(alpha))
    color = torch.stack([w * p.color[:, m:-m, m:-m] for w, p in zip(weights, scene.planes, strict=True)]).sum(0)
    share = F.avg_pool2d(weights[None], SUBPIXELS)[0]
    majority = share.argmax(0, keepdim=True)
    return F.avg_pool2d(color[None], SUBPIXELS), F.avg_pool2d(radius[None], SUBPIXELS)[0].gather(0, majority)


def render_reference(scene: LayeredScene, kernel: Kernel, seed: float = 0.5) -> tuple[Tensor, Tensor]:
    """Integrate the lens.

    Args:
        seed: 0..1, shifts the aperture samples; two seeds tell how exact a rendering is.

    Returns:
        The picture [1,3,H,W] in linear light, and the share [1,H,W] of its light that comes from content hidden in `pinhole`.
    """
    height, width = scene.size
    layers = _premultiplied(scene)
    radius = scene.radius_maps()
    out = torch.zeros(5, height, width)
    for phase in range(SUBPIXELS**2):
        py, px = divmod(phase, SUBPIXELS)
        points, weights = aperture_samples(kernel, scene.samples, seed=seed + PHASE_SHIFT * phase)
        rgb_weights = weights.expand(3, -1)
        phase_radius = radius[:, py::SUBPIXELS, px::SUBPIXELS]
        for k in range(points.shape[0]):
            color, visible = _trace(scene, layers, phase_radius, points[k], py, px)
            out[:3] += rgb_weights[:, k].view(3, 1, 1) * color
            out[3] += weights.mean(0)[k] * visible
    out /= SUBPIXELS**2
    return out[None, :3], (1 - out[None, 3]).clamp(0, 1)


def _trace(scene: LayeredScene, layers: Tensor, radius: Tensor, u: Tensor, py: int, px: int) -> tuple[Tensor, Tensor]:
    height, width = scene.size
    color, visible = torch.zeros(3, height, width), torch.zeros(height, width)
    hits: list[Tensor] = []
    depths: list[Tensor] = []
    transmittance = torch.ones(height, width)
    for i, plane in enumerate(scene.planes):
        slope = 1 + plane.slope[0] * float(u[0]) + plane.slope[1] * float(u[1])
        if plane.slope == (0.0, 0.0):
            hit = _translated(layers[i], plane.radius_px * float(u[0]), plane.radius_px * float(u[1]), py, px, scene)
        else:
            hit = _sampled(layers[i], radius[i] / slope, u, py, px, scene)
        if scene.sort:
            hits.append(hit)
            depths.append((radius[i] / slope).expand(height, width))
            continue
        color += transmittance * hit[:3]
        visible += transmittance * hit[4]
        transmittance = transmittance * (1 - hit[3])
        if float(transmittance.max()) <= 0:
            break
    if not scene.sort:
        return color, visible
    stack, depth = torch.stack(hits), torch.stack(depths)
    share = _composite_weights(stack[:, 3], depth)
    per_alpha = share / stack[:, 3].clamp_min(1e-9)
    return (per_alpha[:, None] * stack[:, :3]).sum(0), (per_alpha * stack[:, 4]).sum(0)


def _translated(layer: Tensor, dx_px: float, dy_px: float, py: int, px: int, scene: LayeredScene) -> Tensor:
    """`layer` at q = p - (dx, dy), bilinear on the sub-pixel grid, for one sub-pixel phase of all pixels."""
    height, width = scene.size
    y = scene.margin_px * SUBPIXELS + py - dy_px * SUBPIXELS
    x = scene.margin_px * SUBPIXELS + px - dx_px * SUBPIXELS
    y0, x0 = int(y // 1), int(x // 1)
    fy, fx = y - y0, x - x0
    out = torch.zeros(layer.shape[0], height, width)
    for oy, wy in ((0, 1 - fy), (1, fy)):
        for ox, wx in ((0, 1 - fx), (1, fx)):
            if wy * wx > 0:
                ys, xs = y0 + oy, x0 + ox
                tile = layer[:, ys : ys + SUBPIXELS * height : SUBPIXELS, xs : xs + SUBPIXELS * width : SUBPIXELS]
                out.add_(tile, alpha=wy * wx)
    return out


def _sampled(layer: Tensor, radius: Tensor, u: Tensor, py: int, px: int, scene: LayeredScene) -> Tensor:
    height, width = scene.size
    _, h, w = layer.shape
    y = scene.margin_px * SUBPIXELS + py + SUBPIXELS * torch.arange(height)[:, None] - SUBPIXELS * radius * u[1]
    x = scene.margin_px * SUBPIXELS + px + SUBPIXELS * torch.arange(width)[None, :] - SUBPIXELS * radius * u[0]
    grid = torch.stack([(x + 0.5) * 2 / w - 1, (y + 0.5) * 2 / h - 1], -1)
    return F.grid_sample(layer[None], grid[None], align_corners=False, padding_mode="border")[0]
