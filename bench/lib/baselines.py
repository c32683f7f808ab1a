"""What others do, written anew from its published description: the rows beside ours in `bench.run.render`.

All take a linear picture [3,H,W], a signed radius [H,W] px (> 0 behind focus) and an aperture `Kernel`, and return [3,H,W].
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from refocus_core import psf
from refocus_core.types import Kernel


def scatter(image: Tensor, radius: Tensor, kernel: Kernel) -> Tensor:
    """Pixel-wise scatter as in BokehMe (Peng et al., CVPR 2022), classical renderer: one sum, a soft disc of width 1/4 px, weight
    1/(r^2+0.2), no occlusion. Shapes scale the disc's radius by the aperture's outline and, as there, are never mirrored."""
    r = radius.abs()
    reach = math.ceil(float(r.max())) + 1
    outline = _outline(kernel)
    stack = F.pad(torch.cat([image, r[None], torch.ones_like(r)[None]])[None], (reach,) * 4, mode="replicate")[0]
    h, w = radius.shape
    out = torch.zeros(4, h, w)
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            d = math.hypot(dx, dy)
            if d > reach:
                continue
            rho = outline[int((math.atan2(dy, dx) + math.pi) / (2 * math.pi) * len(outline)) % len(outline)] if d > 0 else 1.0
            s = stack[:, reach - dy : reach - dy + h, reach - dx : reach - dx + w]
            weight = (0.5 + 0.5 * torch.tanh(4 * (s[3] * rho - d))) / (s[3].square() + 0.2)
            out[:3] += weight * s[:3]
            out[3] += weight
    return out[:3] / out[3].clamp_min(1e-9)


def _outline(kernel: Kernel, angles: int = 360) -> list[float]:
    """Radius of a star-shaped aperture at each angle."""
    raster = kernel.raster[0] > 0.5 * kernel.raster.max()
    n = raster.shape[0]
    t = torch.linspace(0, 1, 200)[1:]
    a = (torch.arange(angles) + 0.5) / angles * 2 * math.pi - math.pi
    x, y = a.cos()[:, None] * t, a.sin()[:, None] * t
    hit = raster[((y + 1) / 2 * n).long().clamp(0, n - 1), ((x + 1) / 2 * n).long().clamp(0, n - 1)]
    return (hit * t).amax(1).tolist()


def _convolved(planes: Tensor, kernel: Kernel, radius: float) -> Tensor:
    k = psf.rasterize(kernel.raster, radius).mean(0)
    m = k.shape[-1] // 2
    padded = F.pad(planes[None], (m,) * 4, mode="replicate")[0] if m else planes
    fh, fw = (math.ceil(n / 32) * 32 for n in padded.shape[-2:])
    full = torch.fft.irfft2(torch.fft.rfft2(padded, s=(fh, fw)) * torch.fft.rfft2(k, s=(fh, fw)), s=(fh, fw))
    h, w = planes.shape[-2:]
    return full[:, 2 * m : 2 * m + h, 2 * m : 2 * m + w]


def blur_stack(image: Tensor, radius: Tensor, kernel: Kernel, levels: int = 12) -> Tensor:
    """Blur the whole picture at a few radii and interpolate between them by each pixel's own radius: what other node packs do."""
    r = radius.abs()
    top = float(r.max())
    if top == 0:
        return image
    stack = [image, *(_convolved(image, kernel, top * i / (levels - 1)) for i in range(1, levels))]
    at = r / top * (levels - 1)
    low = at.floor().long().clamp(0, levels - 2)
    both = torch.stack(stack)
    a, b = (both.gather(0, (low + i)[None, None].expand(1, 3, -1, -1))[0] for i in (0, 1))
    return a + (at - low) * (b - a)


def gather(image: Tensor, radius: Tensor, kernel: Kernel, taps: int = 192) -> Tensor:
    """Near and far fields gathered in one pass over taps, as in games (Jimenez, SIGGRAPH course 2014): the near field reaches as
    far as the largest near radius around a pixel; a tap counts if its own blur reaches the pixel; the near field is laid over."""
    h, w = radius.shape
    near_radius = (-radius).clamp_min(0)
    tile = max(math.ceil(float(near_radius.max())), 1)
    widest = F.max_pool2d(near_radius[None, None], 2 * tile + 1, 1, tile)[0, 0]
    raster = kernel.raster[0]
    n = raster.shape[0]
    i = torch.arange(1, 6 * taps)
    u = torch.stack([(0.5 + i / 1.32471795724474602596) % 1, (0.5 + i / 1.7548776662466927) % 1], 1) * 2 - 1
    open_ = raster[((u[:, 1] + 1) / 2 * n).long(), ((u[:, 0] + 1) / 2 * n).long()] > 0.5 * raster.max()
    u = u[open_][:taps]
    y, x = torch.meshgrid(torch.arange(h).float(), torch.arange(w).float(), indexing="ij")
    stack = torch.cat([image, radius[None]])

    def taps_at(reach: Tensor, dx: float, dy: float) -> Tensor:
        grid = torch.stack([(x + dx * reach + 0.5) * 2 / w - 1, (y + dy * reach + 0.5) * 2 / h - 1], -1)
        return F.grid_sample(stack[None], grid[None], mode="nearest", padding_mode="border", align_corners=False)[0]

    far, near = torch.zeros(4, h, w), torch.zeros(4, h, w)
    own = radius.clamp_min(0)
    for dx, dy in u.tolist():
        d = math.hypot(dx, dy)
        s = taps_at(own, -dx, -dy)
        ok = ((s[3] >= d * own - 0.5) & (s[3] >= -0.5)).float()
        far += ok * torch.cat([s[:3], torch.ones(1, h, w)])
        s = taps_at(widest, dx, dy)
        blur = (-s[3]).clamp_min(0)
        ok = ((blur >= d * widest - 0.5) & (blur > 0.5)).float() * (widest / blur.clamp_min(0.5)).square()
        near += ok * torch.cat([s[:3], torch.ones(1, h, w)])
    base = torch.where(far[3] > 0, far[:3] / far[3].clamp_min(1e-6), image)
    base = torch.where(radius <= 0.5, image, base)
    alpha = (near[3] / len(u)).clamp(0, 1)
    return base + alpha * (near[:3] / near[3].clamp_min(1e-6) - base)


def layered_fft(image: Tensor, radius: Tensor, kernel: Kernel, layers: int = 32) -> Tensor:
    """Slices of equal radius, each convolved in the Fourier domain, far to near with `over`, divided by the coverage."""
    low, high = float(radius.min()), float(radius.max())
    index = ((radius - low) / max(high - low, 1e-6) * (layers - 1)).round().long()
    light, cover = torch.zeros_like(image), torch.zeros_like(radius)
    for i in reversed(range(layers)):
        mask = (index == i).float()
        if not bool(mask.any()):
            continue
        r = low + (high - low) * i / (layers - 1)
        blurred = _convolved(torch.cat([image * mask, mask[None]]), kernel, r)
        alpha = blurred[3].clamp(0, 1)
        light = light * (1 - alpha) + blurred[:3]
        cover = cover * (1 - alpha) + blurred[3]
    return light / cover.clamp_min(1e-6)


BASELINES = {
    "scatter (BokehMe)": scatter,
    "blur stack, disc": blur_stack,
    "gather 192 (game)": gather,
    "layered FFT 32": layered_fft,
}
"""Name in the tables -> method."""
