"""From one picture and its signed radius map to a layered picture: what is seen, and what lies behind it near depth edges.

Every pixel has a front element (colour, coverage, radius) and, within reach of a depth jump on its nearer side, a back element
with the farther side's radius and a colour filled in from that side (a layered depth image: Shade et al., SIGGRAPH 1998).
Pixels that mix both sides of a jump are split between the two.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

JUMP_PX = 1.0
JUMP_RELATIVE = 0.12
"""Neighbours belong to different surfaces when their radii differ by more than JUMP_PX + JUMP_RELATIVE * the smaller |radius|."""

SNAP_REACH_PX = 3


@dataclass(frozen=True, eq=False)
class Layers:
    """Front and back elements of one picture; colours are premultiplied by coverage.

    Attributes:
        front: [4,H,W] RGBA, front_radius: [H,W] px.
        back: [4,H,W] RGBA (coverage 0 where nothing lies behind), back_radius: [H,W] px.
        edge: [H,W] bool, pixels that were split or have a back element.
    """

    front: Tensor
    front_radius: Tensor
    back: Tensor
    back_radius: Tensor
    edge: Tensor


def jump_threshold(a: Tensor, b: Tensor) -> Tensor:
    """Smallest difference of radius that separates two surfaces, for radii a and b of neighbouring pixels."""
    return JUMP_PX + JUMP_RELATIVE * torch.minimum(a.abs(), b.abs())


def _neighbours(x: Tensor) -> list[tuple[tuple[slice, slice], tuple[slice, slice]]]:
    """Index pairs of all horizontally and vertically adjacent pixels of [..., H, W], in both directions."""
    a, z, full = slice(None, -1), slice(1, None), slice(None)
    pairs = [((full, a), (full, z)), ((a, full), (z, full))]
    return pairs + [(q, p) for p, q in pairs]


def window_extreme(x: Tensor, reach: int, largest: bool) -> Tensor:
    """Maximum (or minimum) of [H,W] over the square window of side 2*reach+1, as two separable passes of shifted extremes."""
    op = torch.maximum if largest else torch.minimum
    for dim in (-1, -2):
        done, span = x, 1
        # doubling: a window of width w from windows of width about w/2
        size = 2 * reach + 1
        pad = [reach, reach, 0, 0] if dim == -1 else [0, 0, reach, reach]
        done = F.pad(x[None, None], pad, mode="replicate")[0, 0]
        while span < size:
            step = min(span, size - span)
            n = done.shape[dim]
            done = op(done.narrow(dim, 0, n - step), done.narrow(dim, step, n - step))
            span += step
        x = done
    return x


def snap(image: Tensor, radius: Tensor, reach: int = SNAP_REACH_PX) -> Tensor:
    """Turn soft transitions between two surfaces into a step at the photo's edge.

    In windows where the radius changes steeply over several pixels, every pixel takes the near or the far level of its window,
    whichever side has the more similar colour. Sharp steps and smooth slopes are left as they are.

    Args:
        image: [3,H,W] linear; radius: [H,W] px.

    Returns:
        [H,W] radius.
    """
    near, far = window_extreme(radius, reach, False), window_extreme(radius, reach, True)
    span = far - near
    threshold = jump_threshold(near, far)
    wide = span > threshold * 1.5
    if not bool(wide.any()):
        return radius
    level = (radius - near) / span.clamp_min(1e-6)
    between = wide & (level > 0.12) & (level < 0.88)
    # A soft transition has pixels between the levels; an exact step has none, a slope has almost only such pixels.
    k = 2 * reach + 1
    share = F.avg_pool2d(F.pad(between.float()[None, None], (reach,) * 4, mode="replicate"), k, 1)[0, 0]
    soft = wide & (share > 0.12) & (share < 0.75)
    index = soft.nonzero()
    if index.numel() == 0:
        return radius
    return _vote(image, radius, index, reach)


def _vote(image: Tensor, radius: Tensor, index: Tensor, reach: int) -> Tensor:
    """Assign each listed pixel to the near or far level of its window by colour, weighted by distance and certainty."""
    h, w = radius.shape
    far_reach = reach + 2
    offsets = torch.arange(-far_reach, far_reach + 1, device=radius.device)
    oy, ox = (o.flatten() for o in torch.meshgrid(offsets, offsets, indexing="ij"))
    yy = (index[:, :1] + oy).clamp_(0, h - 1)
    xx = (index[:, 1:] + ox).clamp_(0, w - 1)
    flat = yy * w + xx
    r = radius.flatten()[flat]
    near, far = r.amin(1, keepdim=True), r.amax(1, keepdim=True)
    level = (r - near) / (far - near).clamp_min(1e-6)
    # perceptual values: equal steps count equally in shadows and lights
    display = image.clamp_min(0).pow(1 / 2.2).flatten(1)
    colors = display[:, flat]
    own = display[:, index[:, 0] * w + index[:, 1]][:, :, None]
    distance2 = (oy**2 + ox**2).to(r)
    weight = torch.exp(-distance2 / (2 * (0.6 * far_reach) ** 2))
    near_w = weight * (level < 0.25)
    far_w = weight * (level > 0.75)
    difference2 = (colors - own).square().sum(0)
    scale = 2 * 0.04**2

    def likeness(side: Tensor) -> Tensor:
        return (side * torch.exp(-difference2 / scale)).sum(1) / side.sum(1).clamp_min(1e-6) + 1e-6

    middle = level[:, level.shape[1] // 2]
    prior = (1 - middle).clamp(0.05, 0.95) / middle.clamp(0.05, 0.95)
    is_near = likeness(near_w) / likeness(far_w) * prior > 1

    def mean(side: Tensor, fallback: Tensor) -> Tensor:
        total = side.sum(1)
        return torch.where(total > 1e-6, (side * r).sum(1) / total.clamp_min(1e-6), fallback.squeeze(1))

    out = radius.clone()
    value = torch.where(is_near, mean(near_w * (level < 0.1), near), mean(far_w * (level > 0.9), far))
    out[index[:, 0], index[:, 1]] = value
    return out


def _nearest_far_side(radius: Tensor, reach: int) -> tuple[Tensor, Tensor]:
    """For every pixel on the near side of a jump, and those behind it up to `reach` deep: the far pixel across the nearest jump.

    A jump flood (Rong & Tan, I3D 2006) that only accepts seeds farther away than the pixel itself.

    Returns:
        [H,W] flat index of the far pixel (-1: none) and [H,W] distance in px.
    """
    h, w = radius.shape
    device = radius.device
    position = torch.arange(h * w, device=device, dtype=torch.int32).view(h, w)
    seed = torch.full((h, w), -1, device=device, dtype=torch.int32)
    best = torch.full((h, w), -float("inf"), device=device)
    for here, there in _neighbours(radius):
        rise = radius[there] - radius[here]
        take = (rise > jump_threshold(radius[here], radius[there])) & (rise > best[here])
        seed[here] = torch.where(take, position[there], seed[here])
        best[here] = torch.where(take, rise, best[here])
    ys = torch.arange(h, device=device, dtype=torch.float32).view(h, 1)
    xs = torch.arange(w, device=device, dtype=torch.float32).view(1, w)
    flat_radius = radius.flatten()

    def distance2(s: Tensor, y: Tensor, x: Tensor) -> Tensor:
        safe = s.clamp_min(0)
        sy = torch.div(safe, w, rounding_mode="floor")
        d = (sy - y).square() + ((safe - sy * w) - x).square()
        return torch.where(s >= 0, d, torch.full_like(d, float("inf")))

    dist = distance2(seed, ys, xs)
    if not bool((seed >= 0).any()):
        return seed, dist
    step = 1 << max(math.ceil(math.log2(max(reach, 1))), 0)
    steps = [1]
    while step >= 1:
        steps.append(step)
        step //= 2
    for step in [*steps, 1]:
        for dy in (-step, 0, step):
            for dx in (-step, 0, step):
                if dy == dx == 0 or abs(dy) >= h or abs(dx) >= w:
                    continue
                here = (slice(max(-dy, 0), h - max(dy, 0)), slice(max(-dx, 0), w - max(dx, 0)))
                there = (slice(max(dy, 0), h - max(-dy, 0)), slice(max(dx, 0), w - max(-dx, 0)))
                candidate = seed[there]
                d = distance2(candidate, ys[here[0]], xs[:, here[1]])
                r_seed = flat_radius[candidate.clamp_min(0).long()]
                take = (d < dist[here]) & (r_seed - radius[here] > jump_threshold(r_seed, radius[here]))
                seed[here] = torch.where(take, candidate, seed[here])
                dist[here] = torch.where(take, d, dist[here])
    return seed, dist.sqrt()


def push_pull(values: Tensor, weight: Tensor) -> Tensor:
    """Fill holes by a pyramid of weighted means (Gortler et al., SIGGRAPH 1996): [C,H,W] values with [H,W] weights 0..1."""
    levels: list[tuple[Tensor, Tensor]] = []
    v, w = values * weight, weight
    while True:
        levels.append((v, w))
        if max(w.shape) <= 1:
            break
        h2, w2 = w.shape
        pad = (0, w2 % 2, 0, h2 % 2)
        both = F.pad(torch.cat([v, w[None]]), pad)
        down = F.avg_pool2d(both[None], 2)[0] * 4
        total = down[-1]
        w = total.clamp_max(1)
        v = down[:-1] / total.clamp_min(1e-9) * w
    v, w = levels[-1]
    filled = v / w.clamp_min(1e-9)
    for v, w in reversed(levels[:-1]):
        up = F.interpolate(filled[None], scale_factor=2, mode="bilinear", align_corners=False)[0, :, : w.shape[0], : w.shape[1]]
        filled = v + (1 - w) * up
    return filled


def _unmix(image: Tensor, radius: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Split pixels beside a jump into near and far side.

    Returns:
        index [n,2] of the pixels, alpha [n] of the near side, near colour [3,n], far colour [3,n], near radius [n], far radius [n].
    """
    h, w = radius.shape
    beside = torch.zeros_like(radius, dtype=torch.bool)
    for here, there in _neighbours(radius):
        beside[here] |= (radius[there] - radius[here]).abs() > jump_threshold(radius[here], radius[there])
    index = beside.nonzero()
    reach = 3
    offsets = torch.arange(-reach, reach + 1, device=radius.device)
    oy, ox = (o.flatten() for o in torch.meshgrid(offsets, offsets, indexing="ij"))
    flat = (index[:, :1] + oy).clamp_(0, h - 1) * w + (index[:, 1:] + ox).clamp_(0, w - 1)
    r = radius.flatten()[flat]
    own_r = radius[index[:, 0], index[:, 1]]
    ring = (oy.abs() <= 1) & (ox.abs() <= 1)
    nearest = r[:, ring].amin(1)
    farthest = r[:, ring].amax(1)
    # the two surfaces of this pixel: its own, and the one across its largest jump
    own_is_near = (farthest - own_r) >= (own_r - nearest)
    near_r = torch.where(own_is_near, own_r, nearest)
    far_r = torch.where(own_is_near, farthest, own_r)
    tolerance = 0.5 * (far_r - near_r)[:, None]
    is_near = (r - near_r[:, None]).abs() < tolerance
    is_far = (r - far_r[:, None]).abs() < tolerance
    pure = ~beside.flatten()[flat]
    weight = torch.exp(-(oy**2 + ox**2).to(r) / (2 * 1.6**2))
    colors = image.flatten(1)[:, flat]

    def side(mask: Tensor) -> tuple[Tensor, Tensor]:
        clean = weight * (mask & pure)
        usable = clean.sum(1, keepdim=True) > 1e-3
        # a structure thinner than two pixels has no clean pixels: take what there is
        ww = torch.where(usable, clean, weight * mask * 1.0)
        total = ww.sum(1).clamp_min(1e-9)
        mean = (colors * ww).sum(2) / total
        variance = ((colors - mean[:, :, None]).square() * ww).sum(2).sum(0) / total
        return mean, variance

    near_c, near_v = side(is_near)
    far_c, far_v = side(is_far)
    own = image[:, index[:, 0], index[:, 1]]
    axis = near_c - far_c
    length2 = axis.square().sum(0)
    estimate = ((own - far_c) * axis).sum(0) / length2.clamp_min(1e-9)
    hard = own_is_near.float()
    # a pixel on its own side is at least half of it: the map says where the edge lies, colour says by how much
    estimate = torch.where(own_is_near, estimate.clamp(0.5, 1), estimate.clamp(0, 0.5))
    confidence = length2 / (length2 + 2.0 * (near_v + far_v) + 1e-5)
    confidence = ((confidence - 0.5) / 0.4).clamp(0, 1)
    alpha = hard + confidence * (estimate - hard)
    return index, alpha, near_c, far_c, near_r, far_r


def build(image: Tensor, radius: Tensor) -> Layers:
    """Split a picture [3,H,W] (linear) with signed radius [H,W] px into front and back elements."""
    h, w = radius.shape
    front = torch.cat([image, torch.ones_like(image[:1])])
    front_radius = radius
    back = torch.zeros_like(front)
    back_radius = radius.clone()
    edge = torch.zeros_like(radius, dtype=torch.bool)
    span = float(radius.max() - radius.min())
    seed, dist = _nearest_far_side(radius, math.ceil(span) + 2)
    if not bool((seed >= 0).any()):
        return Layers(front, front_radius, back, back_radius, edge)

    index, alpha, near_c, far_c, near_r, far_r = _unmix(image, radius)
    y, x = index[:, 0], index[:, 1]
    own = image[:, y, x]
    mostly_far = alpha < 0.5
    near_part = torch.where(mostly_far, alpha * near_c, (own - (1 - alpha) * far_c).clamp_min(0))
    far_color = torch.where(mostly_far, ((own - alpha * near_c) / (1 - alpha).clamp_min(0.5)).clamp_min(0), far_c)

    # Far colours, seen: all pixels, and the far part of mixed ones. Filled behind near surfaces slab by slab of far radius.
    hidden = (seed >= 0) & (dist <= radius.flatten()[seed.clamp_min(0).long()] - radius + 2)
    far_radius = radius.flatten()[seed.clamp_min(0).long()]
    back_radius = torch.where(hidden, far_radius, back_radius)
    seen_color, seen_weight, seen_radius = image.clone(), torch.ones_like(radius), radius.clone()
    seen_color[:, y, x] = far_color
    seen_radius[y, x] = far_r
    seen_weight[y, x] = (1 - alpha).clamp_min(0)
    back[:3] = _fill(seen_color, seen_weight, seen_radius, back_radius, hidden)
    back[3] = hidden.float()
    edge |= hidden

    back_radius = back_radius.clone()
    front = front.clone()
    front_radius = radius.clone()
    front[:3, y, x] = near_part
    front[3, y, x] = alpha
    front_radius[y, x] = near_r
    # mixed pixels: the far part is seen and fills the whole pixel behind the near part
    seen_part = mostly_far | (alpha < 1)
    ys, xs = y[seen_part], x[seen_part]
    back[:3, ys, xs] = far_color[:, seen_part]
    back[3, ys, xs] = 1.0
    back_radius[ys, xs] = far_r[seen_part]
    edge[y, x] = True
    return Layers(front, front_radius, back, back_radius, edge)


def build_with_plate(image: Tensor, radius: Tensor, plate: Tensor, plate_radius: Tensor | None, matte: Tensor | None) -> Layers:
    """As `build`, with the hidden background given.

    Args:
        image: [3,H,W]; radius: [H,W].
        plate: [3,H,W] linear, the picture without its foreground.
        plate_radius: [H,W], or None to continue the radius seen beside the foreground.
        matte: [H,W] coverage of the foreground, or None to split edges by colour.
    """
    if matte is None:
        layers = build(image, radius)
        lies = layers.back[3] > 0
        mixed = (layers.front[3] < 1) | ~lies
        back = torch.where(mixed, layers.back, torch.cat([plate, torch.ones_like(plate[:1])]))
        back_radius = layers.back_radius if plate_radius is None else torch.where(lies & ~mixed, plate_radius, layers.back_radius)
        return Layers(layers.front, layers.front_radius, back, back_radius, layers.edge)
    solid = (matte > 0.95).float()
    empty = (matte < 0.02).float()
    if float(solid.sum()) == 0:
        solid = (matte >= 0.5 * matte.max()).float()
    front_radius = torch.where(solid > 0, radius, push_pull(radius[None], solid)[0])
    if plate_radius is None:
        plate_radius = torch.where(empty > 0, radius, push_pull(radius[None], empty)[0])
    front_color = (image - (1 - matte) * plate).clamp_min(0) * (matte > 0)
    # where the plate is seen alone, the photo itself is the better plate
    back_color = torch.where(matte <= 0, image, plate)
    front = torch.cat([front_color, matte[None]])
    back = torch.cat([back_color, torch.ones_like(matte[None])])
    return Layers(front, front_radius, back, plate_radius, matte > 0)


MAX_SLABS = 8


def _fill(color: Tensor, weight: Tensor, radius: Tensor, wanted: Tensor, where: Tensor) -> Tensor:
    """Colour [3,H,W] at `where` of the surface with radius `wanted`, spread from pixels of like radius (soft slabs)."""
    values = wanted[where]
    low, high = float(values.min()), float(values.max())
    if high - low < 2:
        centres = torch.tensor([(low + high) / 2])
    else:
        centres = torch.linspace(low, high, min(MAX_SLABS, max(2, math.ceil((high - low) / 3))))
    width = float(centres[1] - centres[0]) if len(centres) > 1 else max(2.0, high - low)
    out = torch.zeros_like(color)
    total = torch.zeros_like(weight)
    for c in centres.tolist():
        want = where * (1 - (wanted - c).abs() / width).clamp_min(0) if len(centres) > 1 else where.float()
        if not bool((want > 0).any()):
            continue
        supply = weight * (1 - ((radius - c).abs() / width - 0.5).clamp_min(0)).clamp(0, 1)
        out += want * push_pull(color, supply)
        total += want
    return out / total.clamp_min(1e-6)
