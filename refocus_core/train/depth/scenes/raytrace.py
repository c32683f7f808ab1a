"""Where rays meet bodies. Every solid is met in closed form in its own space, so a depth is exact to rounding.

Rays are scaled to advance one metre of depth per unit of their parameter: the parameter of the nearest meeting point *is* the
depth. Shapes: B scenes, N bodies of each, X rays of each.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .bodies import Body, Primitive, Scene
from .outlines import OUTLINE_PX

NEAR_M = 0.02
"""What is nearer than this on a ray is not met: it keeps a surface from shadowing itself; larger looks through near things."""
_PARALLEL = 1e-9
"""Least slope of a ray in a body's space; a smaller one would divide by nothing."""
_FAR_BELOW_M = -1e5
"""Height of the bodies that fill up scenes with fewer than others; they are never met."""

OutlineTest = Callable[[Tensor, Tensor], Tensor]
"""(x, y) on a card in -1..1 -> whether its outline covers the place."""

# Each `_meet_*` takes origin and direction [B,3,X] in the body's space (X may be 1 in one of them), the taper [B,1] and the
# outline, and returns the ray parameter [B,X] of the first meeting point beyond NEAR_M, inf where there is none.


def _first(near: Tensor, far: Tensor) -> Tensor:
    """The nearer of two meeting points that lies beyond NEAR_M."""
    return torch.where(near > NEAR_M, near, torch.where(far > NEAR_M, far, math.inf))


def _sloped(d: Tensor) -> Tensor:
    return torch.where(d.abs() < _PARALLEL, _PARALLEL, d)


def _meet_sphere(o: Tensor, d: Tensor, _taper: Tensor, _covers: OutlineTest) -> Tensor:
    """|o + t d| = 1, a quadratic a t² + 2 b t + c = 0."""
    a, b, c = (d * d).sum(1), (o * d).sum(1), (o * o).sum(1) - 1
    discriminant = b * b - a * c
    root = discriminant.clamp_min(0).sqrt()
    return torch.where(discriminant > 0, _first((-b - root) / a, (-b + root) / a), math.inf)


def _meet_box(o: Tensor, d: Tensor, _taper: Tensor, _covers: OutlineTest) -> Tensor:
    """The slab method: inside all three pairs of planes at once."""
    inverse = 1 / _sloped(d)
    middle, half = -o * inverse, inverse.abs()
    near, far = (middle - half).amax(1), (middle + half).amin(1)
    return torch.where(near <= far, _first(near, far), math.inf)


def _meet_tube(o: Tensor, d: Tensor, taper: Tensor, _covers: OutlineTest) -> Tensor:
    """The side x² + z² = (1 + taper y)², |y| <= 1, and the two round ends."""
    ox, oy, oz = o.unbind(1)
    dx, dy, dz = d.unbind(1)
    radius = 1 + taper * oy
    slope = taper * dy
    a = _sloped(dx * dx + dz * dz - slope * slope)
    b = ox * dx + oz * dz - slope * radius
    discriminant = b * b - a * (ox * ox + oz * oz - radius * radius)
    root = discriminant.clamp_min(0).sqrt()
    best = torch.full_like(root, math.inf)
    for t in ((-b - root) / a, (-b + root) / a):
        y = oy + t * dy
        met = (discriminant > 0) & (t > NEAR_M) & (y.abs() <= 1) & (1 + taper * y >= 0)
        best = torch.where(met, torch.minimum(best, t), best)
    inverse = 1 / _sloped(dy)
    for end in (-1.0, 1.0):
        t = (end - oy) * inverse
        x, z = ox + t * dx, oz + t * dz
        best = torch.where((t > NEAR_M) & (x * x + z * z <= (1 + end * taper) ** 2), torch.minimum(best, t), best)
    return best


def _meet_card(o: Tensor, d: Tensor, _taper: Tensor, covers: OutlineTest) -> Tensor:
    """The plane z = 0 within -1..1, where the outline covers it."""
    ox, oy, oz = o.unbind(1)
    dx, dy, dz = d.unbind(1)
    t = -oz / _sloped(dz)
    x, y = ox + t * dx, oy + t * dy
    inside = (t > NEAR_M) & (x.abs() <= 1) & (y.abs() <= 1)
    return torch.where(inside & covers(x, y), t, math.inf)


_MEET = {
    Primitive.SPHERE: _meet_sphere,
    Primitive.BOX: _meet_box,
    Primitive.TUBE: _meet_tube,
    Primitive.CARD: _meet_card,
}
"""How a ray meets each solid."""


@dataclass(frozen=True)
class PackedBodies:
    """Bodies of B scenes as tensors: sorted by primitive, and padded so that body n is the same primitive in every scene.

    Attributes:
        primitive: [N].
        to_own, to_own_offset: [B,N,3,3] and [B,N,3], the affine map from the world into a body's own space.
        half_size: [B,N,3] in m.
        taper: [B,N].
        outline, texture: [B,N] int.
        texture_m: [B,N].
        tint: [B,N,3].
        gloss: [B,N].
        casts_shadow, present: [B,N] bool; padding is not present.
    """

    primitive: Tensor
    to_own: Tensor
    to_own_offset: Tensor
    half_size: Tensor
    taper: Tensor
    outline: Tensor
    texture: Tensor
    texture_m: Tensor
    tint: Tensor
    gloss: Tensor
    casts_shadow: Tensor
    present: Tensor


def pack(scenes: Sequence[Scene], device: torch.device) -> PackedBodies:
    """The bodies of scenes, on `device`."""
    slots: list[int] = []
    for primitive in Primitive:
        slots += [primitive.value] * max(sum(b.primitive == primitive for b in s.bodies) for s in scenes)
    filler = Body(Primitive.SPHERE, (0.0, _FAR_BELOW_M, 0.0), (1e-3, 1e-3, 1e-3), torch.eye(3))
    table: list[list[tuple[Body, bool]]] = []
    for s in scenes:
        row: list[tuple[Body, bool]] = []
        for primitive in Primitive:
            have = [(b, True) for b in s.bodies if b.primitive == primitive]
            row += have + [(filler, False)] * (slots.count(primitive.value) - len(have))
        table.append(row)

    def floats(get: Callable[[Body], object]) -> Tensor:
        return torch.tensor([[get(b) for b, _ in row] for row in table], dtype=torch.float32)

    rotation = torch.stack([torch.stack([b.rotation for b, _ in row]) for row in table])
    half_size = floats(lambda b: b.half_size)
    to_own = rotation.transpose(-1, -2) / half_size[..., None]
    parts = (
        torch.tensor(slots),
        to_own,
        -(to_own @ floats(lambda b: b.centre)[..., None])[..., 0],
        half_size,
        floats(lambda b: b.taper),
        floats(lambda b: b.outline).long(),
        floats(lambda b: b.paint.texture).long(),
        floats(lambda b: b.paint.texture_m),
        floats(lambda b: b.paint.tint),
        floats(lambda b: b.paint.gloss),
        torch.tensor([[b.casts_shadow and present for b, present in row] for row in table]),
        torch.tensor([[present for _, present in row] for row in table]),
    )
    return PackedBodies(*(p.to(device) for p in parts))


def trace(bodies: PackedBodies, origin: Tensor, ray: Tensor, masks: Tensor, *, for_shadow: bool) -> tuple[Tensor, Tensor]:
    """The nearest meeting point of each ray.

    Args:
        bodies: of B scenes.
        origin, ray: [B,3,X] or [B,3,1].
        masks: of all outlines [M,S,S].
        for_shadow: look only at bodies that cast shadows.

    Returns:
        Ray parameter [B,X] (inf = none) and number of the body [B,X].
    """
    shape = (origin.shape[0], max(origin.shape[2], ray.shape[2]))
    best = torch.full(shape, math.inf, device=origin.device)
    which = torch.zeros(shape, dtype=torch.long, device=origin.device)
    counted = bodies.casts_shadow if for_shadow else bodies.present
    in_any_scene = counted.any(0).tolist()
    for n, primitive in enumerate(bodies.primitive.tolist()):
        if not in_any_scene[n]:
            continue
        o = bodies.to_own[:, n] @ origin + bodies.to_own_offset[:, n, :, None]
        d = bodies.to_own[:, n] @ ray
        covers = _outline_test(masks, bodies.outline[:, n, None])
        t = _MEET[Primitive(primitive)](o, d, bodies.taper[:, n, None], covers)
        nearer = (t < best) & counted[:, n, None]
        best = torch.where(nearer, t, best)
        which = torch.where(nearer, n, which)
    return best, which


def _outline_test(masks: Tensor, number: Tensor) -> OutlineTest:
    def cell(x: Tensor) -> Tensor:
        return ((x.nan_to_num(0, 0, 0).clamp(-1, 1) * 0.5 + 0.5) * (OUTLINE_PX - 1) + 0.5).long()

    return lambda x, y: masks[number, cell(y), cell(x)]
