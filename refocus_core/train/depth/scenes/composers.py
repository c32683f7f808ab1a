"""Scenes with exactly known depth, made up by rules and drawn by casting one ray per pixel. Any device, any number at a time.

A scene is a list of four kinds of bodies (ball, box, tapered tube, flat card with a cut-out outline), each under an affine map,
so that a ray is brought into the body's own space and met there in closed form. Rays are scaled to advance one metre of depth
per unit: the nearest meeting point *is* the depth, and disparity is exact to rounding. Lit by one light with shadows and by the
sky, with haze. Surfaces carry pieces of photographs or drawn patterns, filtered by distance.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ...common.loop import generator

Vec = tuple[float, ...]
"""Three numbers; in m where it is a place."""
Paint = dict[str, Any]
"""Of a `Body`: texture, texture_m, tint, gloss."""

BALL, BOX, TUBE, CARD = range(4)
TEXTURE_PX = 128
_TEXTURES = 14
_MASK_PX = 64
_NEAR_M = 0.02
_FAR_M = 1e6


class Rendered(NamedTuple):
    """image: [B,3,H,W] sRGB-encoded 0..1; disparity: [B,H,W] in 1/m, larger = nearer, 0 = sky."""

    image: Tensor
    disparity: Tensor


# --- what a scene is made of ----------------------------------------------------------------------------------------------


@dataclass
class Body:
    """One body. Its own space: unit ball; cube -1..1; tube along y in -1..1, radius 1 + taper·y; flat card -1..1 at z = 0.

    Attributes:
        kind: BALL, BOX, TUBE or CARD.
        centre: in m; x right, y up, z away.
        half: half the extent along its own axes, in m.
        turn: [3,3] its own axes in the world, as columns.
        texture, texture_m: which texture, and the length that one repeat covers.
        tint: factor of the texture's colour.
        gloss: strength of the highlight.
        taper: of a tube, -1..1.
        mask: outline of a card; 0 is the whole card.
        shadow: whether it keeps the light off others.
    """

    kind: int
    centre: Vec
    half: Vec
    turn: Tensor
    texture: int = 0
    texture_m: float = 1.0
    tint: Vec = (1.0, 1.0, 1.0)
    gloss: float = 0.0
    taper: float = 0.0
    mask: int = 0
    shadow: bool = True


@dataclass
class Scene:
    """Bodies, camera and light. `light`: position in m if `lamp`, else the direction towards it.

    `camera` is the camera's place, `look` [3,3] its axes (right, up, forward) in the world, as columns; `focal` in picture
    widths.
    """

    bodies: list[Body] = field(default_factory=list[Body])
    camera: Vec = (0.0, 1.5, 0.0)
    look: Tensor = field(default_factory=lambda: torch.eye(3))
    focal: float = 1.0
    light: Vec = (0.3, 1.0, -0.3)
    lamp: bool = False
    key: Vec = (1.0, 1.0, 1.0)
    ambient: Vec = (0.4, 0.4, 0.4)
    haze_per_m: float = 0.0
    sky: tuple[Vec, Vec] = ((0.8, 0.85, 0.9), (0.3, 0.5, 0.8))
    sky_texture: float = 0.0
    exposure: float = 0.4


def turned(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> Tensor:
    """[3,3] rotation: roll about z, then pitch about x (positive looks down), then yaw about y; radians."""
    cy, sy, cp, sp, cr, sr = (f(a) for a in (yaw, pitch, roll) for f in (math.cos, math.sin))
    y = torch.tensor([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    x = torch.tensor([[1.0, 0, 0], [0, cp, -sp], [0, sp, cp]])
    z = torch.tensor([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1.0]])
    return y @ x @ z


# --- rays and bodies ------------------------------------------------------------------------------------------------------

# Each takes o, d [B,3,X] (origin and direction in the body's space; X may be 1 in one of them), the taper [B,1] and the mask's
# number [B] and returns the ray parameter of the first meeting point beyond _NEAR_M, inf where there is none: [B,X].


def _first(near: Tensor, far: Tensor) -> Tensor:
    return torch.where(near > _NEAR_M, near, torch.where(far > _NEAR_M, far, math.inf))


def _ball(o: Tensor, d: Tensor, _taper: Tensor, _outline: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    a, b, c = (d * d).sum(1), (o * d).sum(1), (o * o).sum(1) - 1
    root = b * b - a * c
    hit = root > 0
    root = root.clamp_min(0).sqrt()
    return torch.where(hit, _first((-b - root) / a, (-b + root) / a), math.inf)


def _box(o: Tensor, d: Tensor, _taper: Tensor, _outline: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    inverse = 1 / torch.where(d.abs() < 1e-9, 1e-9, d)
    middle, reach = -o * inverse, inverse.abs()
    near, far = (middle - reach).amax(1), (middle + reach).amin(1)
    return torch.where(near <= far, _first(near, far), math.inf)


def _tube(o: Tensor, d: Tensor, taper: Tensor, _outline: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    ox, oy, oz = o.unbind(1)
    dx, dy, dz = d.unbind(1)
    radius = 1 + taper * oy
    slope = taper * dy
    a = dx * dx + dz * dz - slope * slope
    a = torch.where(a.abs() < 1e-9, 1e-9, a)
    b = ox * dx + oz * dz - slope * radius
    root = b * b - a * (ox * ox + oz * oz - radius * radius)
    hit = root > 0
    root = root.clamp_min(0).sqrt()
    best = torch.full_like(root, math.inf)
    for t in ((-b - root) / a, (-b + root) / a):
        y = oy + t * dy
        best = torch.where(hit & (t > _NEAR_M) & (y.abs() <= 1) & (1 + taper * y >= 0), torch.minimum(best, t), best)
    inverse = 1 / torch.where(dy.abs() < 1e-9, 1e-9, dy)
    for end in (-1.0, 1.0):
        t = (end - oy) * inverse
        x, z = ox + t * dx, oz + t * dz
        best = torch.where((t > _NEAR_M) & (x * x + z * z <= (1 + end * taper) ** 2), torch.minimum(best, t), best)
    return best


def _card(o: Tensor, d: Tensor, _taper: Tensor, outline: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    ox, oy, oz = o.unbind(1)
    dx, dy, dz = d.unbind(1)
    t = -oz / torch.where(dz.abs() < 1e-9, 1e-9, dz)
    x, y = ox + t * dx, oy + t * dy
    inside = (t > _NEAR_M) & (x.abs() <= 1) & (y.abs() <= 1)
    return torch.where(inside & outline(x, y), t, math.inf)


_MEET = (_ball, _box, _tube, _card)


@dataclass(frozen=True)
class _Packed:
    """Bodies of B scenes, by kind and padded: [B,N,...]."""

    kinds: Tensor  # [N], the same kind at the same place in every scene
    into: Tensor  # [B,N,3,3] world -> own space
    offset: Tensor  # [B,N,3]
    half: Tensor  # [B,N,3]
    taper: Tensor  # [B,N]
    mask: Tensor  # [B,N] int
    texture: Tensor  # [B,N] int
    texture_m: Tensor  # [B,N]
    tint: Tensor  # [B,N,3]
    gloss: Tensor  # [B,N]
    shadow: Tensor  # [B,N] bool
    present: Tensor  # [B,N] bool


def _pack(scenes: Sequence[Scene], device: torch.device) -> _Packed:
    slots: list[int] = []
    for kind in range(4):
        slots += [kind] * max(sum(b.kind == kind for b in s.bodies) for s in scenes)
    filler = Body(BALL, (0.0, -1e5, 0.0), (1e-3, 1e-3, 1e-3), torch.eye(3))
    table: list[list[tuple[Body, bool]]] = []
    for s in scenes:
        row: list[tuple[Body, bool]] = []
        for kind in range(4):
            have = [(b, True) for b in s.bodies if b.kind == kind]
            row += have + [(filler, False)] * (slots.count(kind) - len(have))
        table.append(row)

    def floats(get: Callable[[Body], object]) -> Tensor:
        return torch.tensor([[get(b) for b, _ in row] for row in table], dtype=torch.float32)

    turn = torch.stack([torch.stack([b.turn for b, _ in row]) for row in table])
    half = floats(lambda b: b.half)
    into = turn.transpose(-1, -2) / half[..., None]
    offset = -(into @ floats(lambda b: b.centre)[..., None])[..., 0]
    parts = (
        torch.tensor(slots),
        into,
        offset,
        half,
        floats(lambda b: b.taper),
        floats(lambda b: b.mask).long(),
        floats(lambda b: b.texture).long(),
        floats(lambda b: b.texture_m),
        floats(lambda b: b.tint),
        floats(lambda b: b.gloss),
        torch.tensor([[b.shadow and there for b, there in row] for row in table]),
        torch.tensor([[there for _, there in row] for row in table]),
    )
    return _Packed(*(p.to(device) for p in parts))


def _trace(bodies: _Packed, origin: Tensor, ray: Tensor, outlines: Tensor, *, casting: bool) -> tuple[Tensor, Tensor]:
    """Nearest meeting point of each ray: parameter [B,X] (inf = none) and number of the body [B,X].

    origin, ray: [B,3,X] or [B,3,1]; `casting` looks only at bodies that cast shadows.
    """
    b = origin.shape[0]
    x = max(origin.shape[2], ray.shape[2])
    best = torch.full((b, x), math.inf, device=origin.device)
    which = torch.zeros((b, x), dtype=torch.long, device=origin.device)
    counted = bodies.shadow if casting else bodies.present
    use = counted.any(0).tolist()
    for n, kind in enumerate(bodies.kinds.tolist()):
        if not use[n]:
            continue
        o = bodies.into[:, n] @ origin + bodies.offset[:, n, :, None]
        d = bodies.into[:, n] @ ray
        mask = bodies.mask[:, n, None]

        def outline(u: Tensor, v: Tensor, mask: Tensor = mask) -> Tensor:
            col = ((u.nan_to_num(0, 0, 0).clamp(-1, 1) * 0.5 + 0.5) * (_MASK_PX - 1) + 0.5).long()
            row = ((v.nan_to_num(0, 0, 0).clamp(-1, 1) * 0.5 + 0.5) * (_MASK_PX - 1) + 0.5).long()
            return outlines[mask, row, col]

        t = _MEET[kind](o, d, bodies.taper[:, n, None], outline)
        nearer = (t < best) & counted[:, n, None]
        best = torch.where(nearer, t, best)
        which = torch.where(nearer, n, which)
    return best, which


# --- surfaces -------------------------------------------------------------------------------------------------------------


class _Pyramid(NamedTuple):
    texels: Tensor  # [B, 3, all texels of all levels]
    starts: Tensor  # [levels] first texel of a level
    sizes: Tensor  # [levels]


def _pyramid(textures: Tensor) -> _Pyramid:
    """[B,T,3,S,S] -> means over squares of 1, 2, 4, ... texels."""
    b, t = textures.shape[:2]
    levels, starts, sizes, at = [], [], [], 0
    level = textures.flatten(0, 1)
    while True:
        s = level.shape[-1]
        levels.append(level.view(b, t, 3, s * s).transpose(1, 2).reshape(b, 3, -1))
        starts.append(at)
        sizes.append(s)
        at += t * s * s
        if s <= 4:
            break
        level = F.avg_pool2d(level, 2)
    device = textures.device
    return _Pyramid(torch.cat(levels, 2), torch.tensor(starts, device=device), torch.tensor(sizes, device=device))


def _sample(pyramid: _Pyramid, texture: Tensor, uv: Tensor, level: Tensor) -> Tensor:
    """Colour [B,3,X] of textures [B,X] at uv [B,2,X] (mirrored beyond 0..1), bilinear at the nearest level."""
    level = level.round().long().clamp(0, len(pyramid.sizes) - 1)
    size = pyramid.sizes[level]
    uv = 1 - ((uv % 2) - 1).abs()
    place = uv * (size[:, None] - 1)
    whole = place.floor()
    part = place - whole
    x0, y0 = whole.long().unbind(1)
    x1, y1 = torch.minimum(x0 + 1, size - 1), torch.minimum(y0 + 1, size - 1)
    base = pyramid.starts[level] + texture * size * size
    fx, fy = part[:, 0:1], part[:, 1:2]

    def take(x: Tensor, y: Tensor) -> Tensor:
        return pyramid.texels.gather(2, (base + y * size + x)[:, None].expand(-1, 3, -1))

    top = torch.lerp(take(x0, y0), take(x1, y0), fx)
    return torch.lerp(top, torch.lerp(take(x0, y1), take(x1, y1), fx), fy)


def render(scenes: Sequence[Scene], textures: Tensor, height: int, width: int) -> Rendered:
    """Draw scenes.

    Args:
        scenes: B of them.
        textures: [B,T,3,S,S] linear light, S a power of two; bodies refer to the T of their scene.
        height, width: of the pictures.

    Returns:
        Pictures and their disparity on the textures' device.
    """
    device = textures.device
    b = len(scenes)
    bodies = _pack(scenes, device)
    outlines = masks().to(device)
    v, u = torch.meshgrid(torch.arange(height, device=device), torch.arange(width, device=device), indexing="ij")
    focal = torch.tensor([s.focal * width for s in scenes], device=device)[:, None]
    x = ((u + 0.5 - width / 2).flatten()[None] / focal).float()
    y = ((height / 2 - v - 0.5).flatten()[None] / focal).float()
    look = torch.stack([s.look for s in scenes]).to(device)
    ray = look @ torch.stack([x, y, torch.ones_like(x)], 1)
    camera = torch.tensor([s.camera for s in scenes], device=device)[:, :, None]
    depth, which = _trace(bodies, camera, ray, outlines, casting=False)
    sky = ~(depth < _FAR_M)
    depth = torch.where(sky, _FAR_M, depth)
    disparity = torch.where(sky, 0.0, 1 / depth)

    rows = torch.arange(b, device=device)[:, None]
    point = camera + depth[:, None] * ray
    into = bodies.into[rows, which]  # [B,X,3,3]
    own = (into @ point.transpose(1, 2)[..., None])[..., 0] + bodies.offset[rows, which]
    kind = bodies.kinds[which]
    taper, half = bodies.taper[rows, which], bodies.half[rows, which]
    normal, uv = _surface(own, kind, taper, half)
    normal = (into.transpose(-1, -2) @ normal[..., None])[..., 0].transpose(1, 2)
    normal = normal * normal.square().sum(1, keepdim=True).clamp_min(1e-20).rsqrt()
    view = -ray * ray.square().sum(1, keepdim=True).rsqrt()
    facing = (normal * view).sum(1, keepdim=True)
    normal = torch.where(facing < 0, -normal, normal)
    facing = facing.abs()

    repeat = bodies.texture_m[rows, which]
    footprint = depth / focal / facing[:, 0].clamp_min(0.15) / repeat * textures.shape[-1]
    offset = torch.stack([which * 0.37, which * 0.73], 1) % 2
    pyramid = _pyramid(textures)
    albedo = _sample(pyramid, bodies.texture[rows, which], uv / repeat[:, None] + offset, footprint.clamp_min(1e-6).log2())
    albedo = albedo * bodies.tint[rows, which].transpose(1, 2)

    light = torch.tensor([s.light for s in scenes], device=device)[:, :, None]
    lamp = torch.tensor([s.lamp for s in scenes], device=device)[:, None, None]
    to_light = torch.where(lamp, light - point, light.expand_as(point))
    start = point + normal * (2e-3 * depth + 1e-3)[:, None]
    blocked, _ = _trace(bodies, start, to_light, outlines, casting=True)
    lit = ~(blocked < torch.where(lamp[:, 0], 1.0, math.inf))
    # A light of some size: the edge of a shadow is not a knife's.
    lit = F.avg_pool2d(lit.view(b, 1, height, width).float(), 3, 1, 1, count_include_pad=False).view(b, 1, -1)
    distance = to_light.square().sum(1, keepdim=True).sqrt()
    towards = to_light / distance.clamp_min(1e-6)
    fall = torch.where(lamp, 4 / (1 + distance.square()), 1.0)
    key = torch.tensor([s.key for s in scenes], device=device)[:, :, None] * fall * lit
    ambient = torch.tensor([s.ambient for s in scenes], device=device)[:, :, None]
    shade = key * (normal * towards).sum(1, keepdim=True).clamp_min(0) + ambient * (0.75 + 0.25 * normal[:, 1:2])
    middle = towards + view
    shine = (normal * middle).sum(1, keepdim=True) * middle.square().sum(1, keepdim=True).clamp_min(1e-6).rsqrt()
    shine = shine.clamp_min(0).pow(32) * bodies.gloss[rows, which][:, None]
    color = albedo * shade + key * shine

    low, high = (torch.tensor([s.sky[i] for s in scenes], device=device)[:, :, None] for i in (0, 1))
    up = (-view)[:, 1:2].clamp(0, 1)
    dome = torch.lerp(low, high, up.sqrt())
    mixed = torch.tensor([s.sky_texture for s in scenes], device=device)[:, None, None]
    bearing = torch.stack([torch.atan2(ray[:, 0], ray[:, 2]), up[:, 0] * 1.5], 1)
    clouds = _sample(pyramid, torch.zeros_like(which), bearing, torch.ones_like(depth))
    dome = dome * (1 + mixed * (clouds * 2 - 1))
    haze = torch.tensor([s.haze_per_m for s in scenes], device=device)[:, None]
    clear = torch.exp(-haze * depth.clamp_max(2000.0))[:, None]
    color = torch.where(sky[:, None], dome, color * clear + low * (1 - clear))

    level = color.mean((1, 2), keepdim=True).clamp_min(1e-4)
    color = color / level * torch.tensor([s.exposure for s in scenes], device=device)[:, None, None] * 0.5
    from ....color import linear_to_srgb

    image = linear_to_srgb(color.clamp(0, 4).view(b, 3, height, width)).clamp(0, 1)
    return Rendered(image, disparity.view(b, height, width))


def _surface(own: Tensor, kind: Tensor, taper: Tensor, half: Tensor) -> tuple[Tensor, Tensor]:
    """Outward direction [B,X,3] in the body's space (not of length 1) and place on its surface [B,2,X] in m."""
    x, y, z = own.unbind(-1)
    metres = own * half
    mx, my, mz = metres.unbind(-1)
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    size = own.abs()
    face = size.argmax(-1)
    box = F.one_hot(face, 3) * own.sign()
    end = (y.abs() > 0.999) & (x * x + z * z < (1 + taper * y) ** 2 * 0.999)
    tube = torch.where(end[..., None], torch.stack([zero, y.sign(), zero], -1), torch.stack([x, -taper * (1 + taper * y), z], -1))
    card = torch.stack([zero, zero, one], -1)
    k = kind[..., None]
    normal = torch.where(k == BALL, own, torch.where(k == BOX, box, torch.where(k == TUBE, tube, card)))
    around = torch.atan2(x, z) * half[..., 0]
    faces_u = torch.where(face == 0, mz, mx)
    faces_v = torch.where(face == 1, mz, my)
    round_u = torch.where((kind == TUBE) & end, mx, around)
    round_v = torch.where((kind == TUBE) & end, mz, my)
    flat = (kind == BOX) | (kind == CARD)
    u = torch.where(flat, torch.where(kind == BOX, faces_u, mx), round_u)
    v = torch.where(flat, torch.where(kind == BOX, faces_v, my), round_v)
    return normal, torch.stack([u, v], 1)


_MASKS: list[Tensor] = []


def masks() -> Tensor:
    """Outlines of cards, [M,64,64] bool: the whole card, leaves, fern, grass, blobs, foliage, grid, rails, ring, star."""
    if _MASKS:
        return _MASKS[0]
    g = torch.Generator().manual_seed(11)
    n = _MASK_PX
    y, x = torch.meshgrid(torch.linspace(-1, 1, n), torch.linspace(-1, 1, n), indexing="ij")
    r, angle = (x * x + y * y).sqrt(), torch.atan2(y, x)
    out = [torch.ones(n, n, dtype=torch.bool)]
    for width in (0.25, 0.45, 0.7):  # leaves, the stalk at y = -1
        out.append(x.abs() < width * torch.cos(y * math.pi / 2).clamp_min(0) ** 0.8)
    out.append((x.abs() < 0.9 * (1 - (y + 1) / 2)) & ((torch.sin((y + x.abs() * 0.6) * 28) > -0.2) | (x.abs() < 0.04)))  # fern
    grass = torch.zeros(n, n, dtype=torch.bool)
    for _ in range(16):
        root, lean, tall, wide = (torch.rand(4, generator=g) * torch.tensor([1.8, 0.8, 1.4, 0.1])).tolist()
        rise = (y + 1) / (0.5 + tall)
        grass |= ((x - (root - 0.9) - (lean - 0.4) * rise**2).abs() < (0.03 + wide) * (1 - rise)) & (rise <= 1)
    out.append(grass)
    for cells, level in ((3, 0.0), (4, -0.1), (5, 0.1), (9, 0.1), (14, 0.0), (20, 0.25)):  # blobs, then foliage
        noise = F.interpolate(torch.randn(1, 1, cells, cells, generator=g), (n, n), mode="bicubic")[0, 0]
        out.append(noise - level + (0.8 - 1.6 * r) * (1.2 if cells < 6 else 0.7) > 0)
    out.append((x * 4 % 1 < 0.16) | (y * 4 % 1 < 0.16))
    out.append((x * 5 % 1 < 0.3) | ((y - 0.6).abs() < 0.07) | ((y + 0.6).abs() < 0.07))
    out.append((r < 0.98) & (r > 0.7))
    out.append(r < 0.6 + 0.3 * torch.cos(5 * angle))
    out.append(r < 0.98)
    for _ in range(4):  # round outlines with lobes: pieces of photos
        lobes = sum(float(a) * torch.cos(k * angle + float(p)) for k, (a, p) in enumerate(torch.rand(5, 2, generator=g) * 0.3, 2))
        out.append(r < 0.72 + lobes * torch.tensor(0.35))
    _MASKS.append(torch.stack(out))
    return _MASKS[0]


WHOLE, LEAVES, FERN, GRASS, BLOBS, FOLIAGE, GRID, RAILS, RING, STAR, DISC, LOBES = (
    (0,),
    (1, 2, 3),
    (4,),
    (5,),
    (6, 7, 8),
    (9, 10, 11),
    (12,),
    (13,),
    (14,),
    (15,),
    (16,),
    (17, 18, 19, 20),
)


def pick_textures(photos: Sequence[Tensor], g: torch.Generator) -> Tensor:
    """[T,3,S,S] linear light: squares cut from photos ([3,h,w] uint8, sRGB) and drawn patterns; the first is always a photo."""
    from ....color import srgb_to_linear

    def number(low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=g))

    out: list[Tensor] = []
    while len(out) < _TEXTURES:
        kind = number(0, 1) if out else 0.0
        if kind < 0.6 and photos:
            photo = photos[int(torch.randint(len(photos), (1,), generator=g))]
            side = max(8, int(min(photo.shape[1:]) * number(0.15, 1.0)))
            top, left = (int(number(0, n - side + 0.999)) for n in photo.shape[1:])
            cut = photo[None, :, top : top + side, left : left + side].float() / 255
            t = srgb_to_linear(F.interpolate(cut, (TEXTURE_PX, TEXTURE_PX), mode="bilinear", antialias=True))[0]
        else:
            t = _pattern(g, number)
        out.append(t)
    return torch.stack(out)


def _pattern(g: torch.Generator, number: Callable[[float, float], float]) -> Tensor:
    n = TEXTURE_PX
    y, x = torch.meshgrid(torch.arange(n) / n, torch.arange(n) / n, indexing="ij")
    a, b = (
        torch.lerp(torch.rand(1, 1, 1, generator=g).expand(3, 1, 1), torch.rand(3, 1, 1, generator=g), number(0, 0.7))
        * number(0.2, 1.0)
        for _ in range(2)
    )
    kind = int(number(0, 6))
    count = round(number(2, 12))
    if kind == 0:  # plaster: one colour with noise
        b = a * number(0.6, 1.2)
        m = F.interpolate(torch.rand(1, 1, count * 3, count * 3, generator=g), (n, n), mode="bicubic")[0, 0].clamp(0, 1)
    elif kind == 1:  # tiles
        m = (((x * count) % 1 < 0.94) & ((y * count) % 1 < 0.94)).float()
    elif kind == 2:  # bricks
        m = (((x * count + (y * count * 2).floor() * 0.5) % 1 < 0.92) & ((y * count * 2) % 1 < 0.86)).float()
    elif kind == 3:  # boards with grain
        grain = F.interpolate(torch.rand(1, 1, 4, 64, generator=g), (n, n), mode="bilinear")[0, 0]
        m = grain * ((x * count) % 1 < 0.95)
    elif kind == 4:  # windows of a house
        m = 1 - (((x * count) % 1 - 0.5).abs() < 0.28).float() * (((y * count) % 1 - 0.5).abs() < 0.33)
    else:  # grain such as grass, gravel or cloth
        m = F.interpolate(torch.rand(1, 1, n // 2, n // 2, generator=g), (n, n), mode="bilinear")[0, 0]
    fine = 1 + 0.15 * (torch.rand(1, n, n, generator=g) - 0.5)
    return (torch.lerp(b.expand(3, n, n), a.expand(3, n, n), m) * fine).clamp(0, 1)


# --- composing ------------------------------------------------------------------------------------------------------------


class _Place:
    """Adds bodies in a frame of its own: at a point, turned about the vertical, scaled."""

    def __init__(self, scene: Scene, r: random.Random, at: Vec = (0.0, 0.0, 0.0), yaw: float = 0.0, scale: float = 1.0) -> None:
        self.scene, self.r, self.at, self.yaw, self.scale = scene, r, at, yaw, scale
        self._turn = turned(yaw)

    def sub(self, at: Vec, yaw: float = 0.0, scale: float = 1.0) -> _Place:
        return _Place(self.scene, self.r, self.world(at), self.yaw + yaw, self.scale * scale)

    def world(self, p: Vec) -> Vec:
        c, s = math.cos(self.yaw), math.sin(self.yaw)
        x, y, z = (v * self.scale for v in p)
        return (self.at[0] + c * x + s * z, self.at[1] + y, self.at[2] - s * x + c * z)

    def paint(self, saturation: float = 0.25) -> Paint:
        """A random surface; the same for all bodies it is given to."""
        r = self.r
        grey = r.uniform(0.35, 1.3)
        tint = tuple(max(0.05, grey * (1 + saturation * r.uniform(-1, 1))) for _ in range(3))
        return {
            "texture": r.randrange(_TEXTURES),
            "texture_m": r.choice((0.2, 0.5, 1.0, 2.0)) * r.uniform(0.7, 1.4) * max(self.scale, 0.3),
            "tint": tint,
            "gloss": r.uniform(0, 0.8) if r.random() < 0.25 else 0.0,
        }

    def add(self, kind: int, centre: Vec, half: Vec, paint: Paint, turn: Tensor | None = None, **more: Any) -> None:
        own = self._turn if turn is None else self._turn @ turn
        size = tuple(max(h * self.scale, 1e-4) for h in half)
        self.scene.bodies.append(Body(kind, self.world(centre), size, own, **{**paint, **more}))

    def box(self, centre: Vec, half: Vec, paint: Paint, turn: Tensor | None = None, **more: Any) -> None:
        self.add(BOX, centre, half, paint, turn, **more)

    def ball(self, centre: Vec, half: Vec | float, paint: Paint, turn: Tensor | None = None) -> None:
        self.add(BALL, centre, half if isinstance(half, tuple) else (half,) * 3, paint, turn)

    def card(self, centre: Vec, half: tuple[float, float], paint: Paint, turn: Tensor, mask: int) -> None:
        self.add(CARD, centre, (*half, min(half)), paint, turn, mask=mask)

    def tube(self, low: Vec, high: Vec, r0: float, r1: float, paint: Paint) -> None:
        """Between two points, of radius r0 at the first and r1 at the second."""
        a, b = torch.tensor(low), torch.tensor(high)
        axis = b - a
        length = float(axis.norm())
        up = axis / max(length, 1e-9)
        side = torch.linalg.cross(up, torch.tensor([0.0, 0.0, 1.0] if abs(float(up[2])) < 0.9 else [1.0, 0.0, 0.0]))
        side = side / side.norm()
        turn = torch.stack([side, up, torch.linalg.cross(side, up)], 1)
        middle = tuple(((a + b) / 2).tolist())
        mean = max((r0 + r1) / 2, 1e-4)
        self.add(TUBE, middle, (mean, length / 2, mean), paint, turn, taper=(r1 - r0) / (r0 + r1))


def _table(p: _Place, width: float, depth: float, height: float) -> None:
    top, legs = p.paint(), p.paint()
    p.box((0, height - 0.02, 0), (width / 2, 0.02, depth / 2), top)
    for x in (-1, 1):
        for z in (-1, 1):
            foot = (x * (width / 2 - 0.05), 0.0, z * (depth / 2 - 0.05))
            p.tube(foot, (foot[0], height - 0.03, foot[2]), 0.025, 0.03, legs)


def _chair(p: _Place) -> None:
    paint = p.paint()
    p.box((0, 0.45, 0), (0.22, 0.025, 0.22), paint)
    p.box((0, 0.75, 0.21), (0.21, 0.22, 0.02), paint)
    for x in (-0.19, 0.19):
        for z in (-0.19, 0.19):
            p.tube((x, 0, z), (x, 0.44 if z < 0 else 0.9, z), 0.018, 0.018, paint)


def _sofa(p: _Place) -> None:
    paint, width = p.paint(), p.r.uniform(0.7, 1.1)
    p.box((0, 0.22, 0), (width, 0.2, 0.4), paint)
    p.box((0, 0.55, 0.36), (width, 0.35, 0.1), paint)
    for x in (-1, 1):
        p.box((x * width, 0.33, 0), (0.1, 0.3, 0.42), paint)
    for _ in range(p.r.randrange(3)):
        p.ball((p.r.uniform(-0.8, 0.8) * width, 0.55, 0.15), (0.22, 0.2, 0.1), p.paint())


def _shelf(p: _Place) -> None:
    r, paint = p.r, p.paint()
    width, height = r.uniform(0.35, 0.8), r.uniform(0.8, 2.1)
    for x in (-1, 1):
        p.box((x * width, height / 2, 0), (0.015, height / 2, 0.15), paint)
    p.box((0, height / 2, 0.15), (width, height / 2, 0.01), paint)
    boards = r.randint(2, 5)
    for i in range(boards + 1):
        y = height * i / boards
        p.box((0, y, 0), (width, 0.012, 0.15), paint)
        x = -width + 0.05
        while i < boards and x < width - 0.1 and r.random() < 0.8 and len(p.scene.bodies) < 110:
            thick, tall = r.uniform(0.015, 0.09), r.uniform(0.3, 0.8) * height / boards / 2
            p.box((x + thick, y + tall + 0.012, r.uniform(-0.08, 0.05)), (thick, tall, 0.09), p.paint(0.8))
            x += 2 * thick + r.choice((0.0, 0.01, 0.15))


def _bed(p: _Place) -> None:
    sheet = p.paint()
    p.box((0, 0.15, 0), (0.8, 0.13, 1.0), p.paint())
    p.box((0, 0.36, 0), (0.78, 0.1, 0.97), sheet)
    p.box((0, 0.55, 1.0), (0.82, 0.5, 0.04), p.paint())
    for x in (-0.4, 0.4):
        p.ball((x, 0.52, 0.7), (0.3, 0.1, 0.2), p.paint())


def _lamp(p: _Place) -> None:
    height, paint = p.r.uniform(0.3, 1.6), p.paint()
    p.tube((0, 0, 0), (0, 0.02, 0), 0.14, 0.14, paint)
    p.tube((0, 0, 0), (0, height, 0), 0.012, 0.012, paint)
    p.tube((0, height, 0), (0, height + 0.25, 0), 0.2, 0.1, p.paint(0.2))


def _figure(p: _Place, *, sitting: bool = False) -> None:
    """A person of about 1.7 m, in any posture, facing -z."""
    r = p.r
    skin = {"texture": r.randrange(_TEXTURES), "texture_m": 3.0, "tint": (r.uniform(0.9, 1.4), r.uniform(0.6, 0.9), 0.6)}
    shirt, trousers, hair = p.paint(0.8), p.paint(), p.paint(0.3)
    hip = 0.5 if sitting else 0.9
    for x in (-0.1, 0.1):
        step = r.uniform(-0.25, 0.25)
        knee = (x, 0.5, -0.45) if sitting else (x, 0.47, step * 0.5)
        p.tube((x, hip, 0), knee, 0.085, 0.06, trousers)
        p.tube(knee, (x, 0.05, knee[2] + (0.0 if sitting else step * 0.5)), 0.06, 0.045, trousers)
        p.ball((x, 0.04, knee[2] - 0.06), (0.05, 0.04, 0.12), p.paint())
    p.ball((0, hip + 0.08, 0), (0.19, 0.16, 0.13), trousers)
    p.tube((0, hip + 0.05, 0), (0, hip + 0.5, 0), 0.15, 0.19, shirt)
    p.ball((0, hip + 0.47, 0), (0.22, 0.12, 0.13), shirt)
    for x in (-1, 1):
        elbow = (x * r.uniform(0.24, 0.45), hip + r.uniform(0.15, 0.55), r.uniform(-0.25, 0.1))
        hand = (elbow[0] + x * r.uniform(-0.25, 0.15), elbow[1] + r.uniform(-0.25, 0.25), elbow[2] - r.uniform(0, 0.25))
        p.tube((x * 0.2, hip + 0.48, 0), elbow, 0.06, 0.045, shirt)
        p.tube(elbow, hand, 0.045, 0.035, r.choice((skin, shirt)))
        p.ball(hand, 0.05, skin)
    p.tube((0, hip + 0.5, 0), (0, hip + 0.65, 0), 0.065, 0.06, skin)
    nod = turned(r.uniform(-0.7, 0.7), r.uniform(-0.3, 0.3))
    p.ball((0, hip + 0.75, -0.01), (0.085, 0.125, 0.1), skin, nod)
    p.ball((0, hip + 0.72, -0.11), (0.017, 0.03, 0.03), skin)
    if r.random() < 0.9:
        p.ball((0, hip + 0.79, 0.025), (0.098, 0.115, 0.105), hair)
        if r.random() < 0.4:
            p.ball((0, hip + 0.66, 0.06), (0.11, 0.2, 0.07), hair)
        for _ in range(r.choice((0, 0, 3, 6))):  # strands
            turn = turned(r.uniform(-1.5, 1.5), r.uniform(-0.4, 0.4), r.uniform(-0.6, 0.6) + math.pi)
            p.card((r.uniform(-0.1, 0.1), hip + r.uniform(0.7, 0.9), r.uniform(-0.05, 0.08)), (0.1, 0.15), hair, turn, GRASS[0])


def _car(p: _Place) -> None:
    r, paint, glass = p.r, p.paint(0.7), {"texture": p.r.randrange(_TEXTURES), "tint": (0.1, 0.12, 0.15), "gloss": 0.8}
    tall = r.uniform(0.25, 0.6)
    p.box((0, 0.55, 0), (0.85, 0.3, 2.1), paint, gloss=0.4)
    p.box((0, 0.85 + tall, r.uniform(-0.1, 0.5)), (0.75, tall, r.uniform(0.9, 1.4)), paint)
    p.box((0, 0.95 + tall, 0.2), (0.77, tall * 0.6, 0.9), glass)
    for x in (-0.8, 0.8):
        for z in (-1.3, 1.3):
            p.tube(
                (x - 0.12, 0.33, z), (x + 0.12, 0.33, z), 0.33, 0.33, {"tint": (0.08, 0.08, 0.08), "texture": paint["texture"]}
            )


def _green(p: _Place) -> Paint:
    r, paint = p.r, p.paint()
    lush = r.random() < 0.8
    paint["tint"] = (r.uniform(0.3, 0.9), r.uniform(0.6, 1.3), r.uniform(0.15, 0.5)) if lush else paint["tint"]
    return paint


def _leaves(p: _Place, count: int, spread: Vec, size: float, outlines: Sequence[int]) -> None:
    paints = [_green(p) for _ in range(3)]
    for _ in range(count):
        r = p.r
        at = tuple(r.gauss(0, 0.5) * s for s in spread)
        turn = turned(r.uniform(-math.pi, math.pi), r.uniform(-1.2, 1.2), r.uniform(-math.pi, math.pi))
        side = size * r.uniform(0.6, 1.4)
        p.card(at, (side, side), r.choice(paints), turn, r.choice(tuple(outlines)))


def _tree(p: _Place) -> None:
    r = p.r
    height, trunk = r.uniform(2.5, 9), p.paint(0.2)
    p.tube((0, 0, 0), (r.uniform(-0.3, 0.3), height * 0.7, 0), height * 0.035, height * 0.015, trunk)
    kind = r.random()
    top = p.sub((0, height * 0.75, 0))
    if kind < 0.3:
        p.tube((0, height * 0.25, 0), (0, height * 1.1, 0), height * 0.25, 0.05, _green(p))
    elif kind < 0.6:
        green = _green(p)
        for _ in range(r.randint(3, 6)):
            c = tuple(r.gauss(0, 0.14) * height for _ in range(3))
            top.ball(c, (height * r.uniform(0.12, 0.22),) * 3, green)
    if kind > 0.45:
        _leaves(top, r.randint(6, 12), (height * 0.35, height * 0.3, height * 0.35), height * 0.22, (*FOLIAGE, *BLOBS))


def _plant(p: _Place) -> None:
    r = p.r
    if r.random() < 0.6:
        p.tube((0, 0, 0), (0, 0.25, 0), 0.1, 0.14, p.paint())
    stem = p.sub((0, 0.25, 0))
    outlines = r.choice(((*LEAVES,), (*LEAVES, *FERN), (*FERN, *GRASS), (*FOLIAGE,)))
    paint = _green(p)
    for _ in range(r.randint(5, 12)):
        yaw, lean, length = r.uniform(-math.pi, math.pi), r.uniform(0.1, 1.3), r.uniform(0.12, 0.3)
        turn = turned(yaw, lean)
        axis = (turn @ torch.tensor([0.0, length, 0.0])).tolist()
        stem.card((axis[0], abs(axis[1]), axis[2]), (length * r.uniform(0.3, 0.8), length), paint, turn, r.choice(outlines))


def _flower(p: _Place) -> None:
    r = p.r
    height, paint = r.uniform(0.15, 0.5), p.paint(0.9)
    head = (r.uniform(-0.1, 0.1), height, r.uniform(-0.1, 0.1))
    p.tube((0, 0, 0), head, 0.006, 0.005, _green(p))
    tilt = turned(r.uniform(-3, 3), r.uniform(-1.4, 0.4))
    p.card(head, (0.09, 0.09), paint, tilt, r.choice((*STAR, *STAR, *LOBES, *DISC)))
    p.ball(head, 0.022, p.paint(0.9))
    _leaves(p.sub((0, height * 0.4, 0)), r.randint(1, 4), (0.05, 0.1, 0.05), 0.07, LEAVES)


def _animal(p: _Place) -> None:
    r, fur = p.r, p.paint(0.2)
    p.ball((0, 0.38, 0), (0.14, 0.15, 0.33), fur)
    p.ball((0, 0.55, -0.36), (0.1, 0.11, 0.12), fur)
    p.ball((0, 0.51, -0.47), (0.05, 0.05, 0.07), p.paint(0.2))
    for x in (-0.08, 0.08):
        p.tube((x, 0.6, -0.34), (x * 1.3, 0.73, -0.33), 0.04, 0.008, fur)
        for z in (-0.22, 0.22):
            p.tube((x, 0, z + r.uniform(-0.05, 0.05)), (x, 0.33, z), 0.03, 0.05, fur)
    p.tube((0, 0.42, 0.3), (r.uniform(-0.2, 0.2), r.uniform(0.3, 0.75), 0.55), 0.035, 0.015, fur)


def _house(p: _Place, width: float, height: float, depth: float) -> None:
    r = p.r
    wall = {**p.paint(0.3), "texture_m": r.uniform(2, 6)}
    p.box((0, height / 2, 0), (width / 2, height / 2, depth / 2), wall)
    if r.random() < 0.5:
        side = width / 2 / math.cos(0.6)
        for x in (-1, 1):
            p.box(
                (x * width / 4, height + width / 4 * math.tan(0.6), 0),
                (side / 2, 0.08, depth / 2 + 0.3),
                p.paint(0.3),
                turned(0, 0, -x * 0.6),
            )
    for _ in range(r.randrange(4)):
        at = (r.uniform(-0.4, 0.4) * width, r.uniform(0.1, 0.8) * height, -depth / 2)
        p.box(at, (r.uniform(0.3, 1.0), r.uniform(0.4, 1.0), r.uniform(0.05, 0.6)), p.paint(0.4))


def _thing(p: _Place) -> None:
    """Something that stands on a table, 3 to 30 cm."""
    r, paint = p.r, p.paint(0.7)
    kind = r.randrange(9)
    if kind == 0:  # bottle
        height, radius = r.uniform(0.15, 0.32), r.uniform(0.025, 0.045)
        p.tube((0, 0, 0), (0, height * 0.6, 0), radius, radius, paint)
        p.tube((0, height * 0.6, 0), (0, height * 0.75, 0), radius, radius * 0.35, paint)
        p.tube((0, height * 0.75, 0), (0, height, 0), radius * 0.35, radius * 0.35, p.paint())
    elif kind == 1:  # cup on a saucer
        p.tube((0, 0, 0), (0, 0.012, 0), 0.06, 0.08, paint)
        p.tube((0, 0.01, 0), (0, r.uniform(0.06, 0.11), 0), 0.03, 0.045, paint)
        p.card((0.06, 0.05, 0), (0.028, 0.028), paint, turned(), RING[0])
    elif kind == 2:  # books
        y = 0.0
        for _ in range(r.randint(1, 4)):
            thick = r.uniform(0.008, 0.03)
            p.box((0, y + thick, 0), (0.08, thick, 0.11), p.paint(0.8), turned(r.uniform(-0.4, 0.4)))
            y += 2 * thick
    elif kind == 3:  # fruit
        size = r.uniform(0.03, 0.06)
        for _ in range(r.randint(1, 4)):
            p.ball((r.uniform(-0.08, 0.08), size, r.uniform(-0.08, 0.08)), size * r.uniform(0.8, 1.1), p.paint(0.9))
    elif kind == 4:  # a box, straight or leaning
        half = (r.uniform(0.03, 0.12), r.uniform(0.03, 0.15), r.uniform(0.02, 0.08))
        p.box((0, half[1], 0), half, paint, turned(r.uniform(-1, 1)))
    elif kind == 5:  # vase with leaves or flowers
        p.ball((0, 0.08, 0), (0.06, 0.09, 0.06), paint)
        p.tube((0, 0.12, 0), (0, 0.2, 0), 0.03, 0.045, paint)
        _plant(p.sub((0, -0.06, 0), scale=0.9))
    elif kind == 6:  # picture frame or screen
        p.box((0, 0.13, 0), (r.uniform(0.08, 0.25), 0.12, 0.012), paint, turned(0, r.uniform(-0.3, 0.0)))
    elif kind == 7:  # cone, candle, pin
        p.tube((0, 0, 0), (0, r.uniform(0.08, 0.3), 0), r.uniform(0.02, 0.07), r.uniform(0.002, 0.03), paint)
    else:
        _animal(p.sub((0, 0, 0), r.uniform(-3, 3), r.uniform(0.2, 0.45)))


def _floor(p: _Place, texture_m: float, y: float = 0.0) -> None:
    p.card((0, y, 0), (3000.0, 3000.0), {**p.paint(0.4), "texture_m": texture_m}, turned(0, math.pi / 2), WHOLE[0])
    p.scene.bodies[-1].shadow = False


def _scatter(r: random.Random, near: float, far: float, spread: float) -> Vec:
    """A point on the ground before the camera (which looks along +z), nearer ones more often."""
    z = near * (far / near) ** r.random()
    return (r.uniform(-spread, spread) * z, 0.0, z)


def _furniture(p: _Place) -> None:
    r = p.r
    kind = r.randrange(9)
    if kind == 0:
        width, depth, height = r.uniform(0.8, 1.8), r.uniform(0.6, 1.0), r.uniform(0.4, 0.8)
        _table(p, width, depth, height)
        for _ in range(r.randint(0, 4)):
            _thing(p.sub((r.uniform(-0.4, 0.4) * width, height, r.uniform(-0.4, 0.4) * depth), r.uniform(-3, 3)))
        for x in (-1, 1):
            if r.random() < 0.5:
                _chair(p.sub((x * width * 0.4, 0, -depth * 0.6), math.pi + r.uniform(-0.5, 0.5)))
    elif kind == 1:
        _chair(p)
    elif kind == 2:
        _sofa(p)
    elif kind == 3:
        _shelf(p)
    elif kind == 4:
        _bed(p)
    elif kind == 5:
        _lamp(p)
    elif kind == 6:
        _plant(p.sub((0, 0, 0), scale=r.uniform(1, 3)))
    elif kind == 7:
        height = r.uniform(0.4, 2.0)
        p.box((0, height / 2, 0), (r.uniform(0.2, 0.8), height / 2, r.uniform(0.2, 0.4)), p.paint())
    else:
        _figure(p, sitting=r.random() < 0.4)


def _room(s: Scene, r: random.Random, *, things: int) -> tuple[float, float, float]:
    """Walls around the camera and what stands in the room; returns its half width, height and far end."""
    half, height, far = r.uniform(1.5, 4.5), r.uniform(2.3, 3.5), r.uniform(2.5, 9)
    p = _Place(s, r)
    near = -r.uniform(0.5, 3)
    thick = 0.1
    wall = {**p.paint(0.3), "texture_m": r.uniform(1, 4)}
    middle, length = (near + far) / 2, (far - near) / 2
    faces = (
        ((0, -thick, middle), (half, thick, length), {**p.paint(0.4), "texture_m": r.uniform(0.5, 3)}),
        ((0, height + thick, middle), (half, thick, length), p.paint(0.1)),
        ((-half - thick, height / 2, middle), (thick, height / 2, length), wall),
        ((half + thick, height / 2, middle), (thick, height / 2, length), wall if r.random() < 0.6 else p.paint(0.3)),
        ((0, height / 2, far + thick), (half, height / 2, thick), wall if r.random() < 0.6 else p.paint(0.3)),
        ((0, height / 2, near - thick), (half, height / 2, thick), wall),
    )
    missing = r.choice((None, None, 2, 3, 4, 1))
    for i, (centre, size, paint) in enumerate(faces):
        if i != missing:
            p.box(centre, size, paint, shadow=False)
    if missing is not None:
        _floor(p, r.uniform(0.5, 3), -0.02)
    for _ in range(r.randrange(5)):  # pictures, windows, doors
        side = r.choice((-1, 0, 1))
        size = (r.uniform(0.2, 0.9), r.uniform(0.2, 1.0))
        y = r.uniform(1.0, 2.0)
        if side:
            p.box((side * (half - 0.02), y, r.uniform(0.5, far)), (0.03, size[1], size[0]), p.paint(0.8))
        else:
            p.box((r.uniform(-half, half), y, far - 0.02), (*size, 0.03), p.paint(0.8))
    for _ in range(things):
        z = r.uniform(1.2, far - 0.4)
        x = r.uniform(-half + 0.3, half - 0.3)
        _furniture(p.sub((x, 0, z), r.choice((0, math.pi / 2, math.pi, -math.pi / 2, r.uniform(-3, 3)))))
    s.lamp = r.random() < 0.7
    s.light = (r.uniform(-half, half) * 0.8, r.uniform(0.7, 0.95) * height, r.uniform(-0.5, 0.8 * far)) if s.lamp else s.light
    s.ambient = (r.uniform(0.3, 0.8),) * 3
    return half, height, far


def _indoor(s: Scene, r: random.Random) -> None:
    half, height, _ = _room(s, r, things=r.randint(3, 9))
    s.camera = (r.uniform(-0.7, 0.7) * half, r.uniform(0.4, 0.8) * height, r.uniform(-0.4, 0.3))
    s.look = turned(r.uniform(-0.5, 0.5), r.gauss(0.12, 0.15), r.gauss(0, 0.03))


def _outdoor(s: Scene, r: random.Random) -> None:
    p = _Place(s, r)
    if r.random() < 0.75:
        _floor(p, r.uniform(1, 6))
    for _ in range(r.choice((0, 0, 2, 5))):  # hills, and the ground itself where there is no plane
        z = r.uniform(15, 300)
        size = z * r.uniform(0.2, 0.8)
        p.ball(
            (r.uniform(-1, 1) * z, -size * r.uniform(0.1, 0.7), z), (size * 2, size, size), {**_green(p), "texture_m": size / 4}
        )
    if not any(b.kind == CARD for b in s.bodies):
        p.ball((0, -400.0, 60), (900, 400, 400), {**_green(p), "texture_m": 4.0})
    for _ in range(r.randint(4, 12)):
        at = _scatter(r, 2.5, 60, 0.7)
        yaw = r.uniform(-3, 3)
        kind = r.random()
        if kind < 0.3:
            _tree(p.sub(at, yaw))
        elif kind < 0.45:
            _leaves(p.sub((at[0], 0.5, at[2])), r.randint(4, 9), (0.8, 0.5, 0.8), 0.6, (*FOLIAGE, *BLOBS))
        elif kind < 0.6:
            _figure(p.sub(at, yaw))
        elif kind < 0.7:
            _animal(p.sub(at, yaw, r.uniform(0.7, 2.5)))
        elif kind < 0.8:
            size = r.uniform(0.2, 1.2)
            p.ball((at[0], size * 0.3, at[2]), (size, size * 0.7, size * 1.2), p.paint(0.2), turned(yaw))
        elif kind < 0.87:
            p.card((at[0], 0.6, at[2]), (r.uniform(1, 4), 0.6), p.paint(), turned(yaw), r.choice((*GRID, *RAILS)))
        elif kind < 0.93:
            _car(p.sub(at, yaw))
        else:
            _house(p.sub((at[0] * 1.5, 0, at[2] + 12), yaw), r.uniform(4, 10), r.uniform(3, 7), r.uniform(4, 9))
    s.camera = (0.0, r.uniform(0.4, 2.2), 0.0)
    s.look = turned(0, r.gauss(0.05, 0.12), r.gauss(0, 0.03))
    s.haze_per_m = r.choice((0, 0.001, 0.004, 0.02))
    _daylight(s, r)


def _street(s: Scene, r: random.Random) -> None:
    p = _Place(s, r)
    _floor(p, r.uniform(1, 4))
    half = r.uniform(3, 9)
    for side in (-1, 1):
        p.box((side * (half - r.uniform(0.8, 2)), 0.07, 50), (1.0, 0.07, 60), p.paint(0.1))
        z = r.uniform(-2, 6)
        while z < 70 and r.random() < 0.93:
            length = r.uniform(5, 14)
            deep = r.uniform(5, 10)
            turn = math.pi / 2 * -side
            _house(p.sub((side * (half + deep / 2), 0, z + length / 2), turn), length, r.uniform(3, 16), deep)
            z += length + r.choice((0, 0, 1.5, 6))
    for _ in range(r.randint(2, 9)):
        at = _scatter(r, 3, 50, 0.3)
        x = max(-half, min(half, at[0] * 2))
        kind = r.random()
        if kind < 0.35:
            _car(p.sub((x, 0, at[2]), r.choice((0, math.pi, r.uniform(-3, 3)))))
        elif kind < 0.7:
            _figure(p.sub((x, 0, at[2]), r.uniform(-3, 3)))
        elif kind < 0.85:
            p.tube((x, 0, at[2]), (x, r.uniform(1, 6), at[2]), 0.06, 0.05, p.paint())
        else:
            _tree(p.sub((math.copysign(half * 0.8, x), 0, at[2])))
    s.camera = (r.uniform(-0.5, 0.5) * half, r.uniform(1.0, 2.5), 0.0)
    s.look = turned(r.uniform(-0.35, 0.35), r.gauss(-0.02, 0.1), r.gauss(0, 0.02))
    s.haze_per_m = r.choice((0, 0, 0.003, 0.01))
    _daylight(s, r)


def _tabletop(s: Scene, r: random.Random) -> None:
    height = 0.75
    p = _Place(s, r)
    half, _, far = _room(s, r, things=r.randint(1, 4))
    away = r.uniform(0.25, 0.9)
    if r.random() < 0.8:
        p.box(
            (0, height - 0.03, 0.75),
            (r.uniform(0.5, 1.5), 0.03, r.uniform(0.3, 0.7)),
            {**p.paint(), "texture_m": r.uniform(0.2, 1)},
        )
    else:
        p.box((0, height / 2, far / 2), (half, height / 2, far / 2), p.paint(), shadow=False)
    for _ in range(r.randint(3, 11)):
        z = away * 4 ** r.random()
        _thing(p.sub((r.uniform(-0.55, 0.55) * z, height, 0.1 + z), r.uniform(-3, 3), r.uniform(0.7, 1.5)))
    pitch = r.uniform(0.05, 0.9)
    s.camera = (r.uniform(-0.1, 0.1), height + 0.08 + away * math.tan(pitch) * 0.8, 0.1 - away * 0.3)
    s.look = turned(r.uniform(-0.2, 0.2), pitch, r.gauss(0, 0.04))


def _portrait(s: Scene, r: random.Random) -> None:
    behind = r.random()
    if behind < 0.45:
        _room(s, r, things=r.randint(1, 5))
    else:
        (_outdoor if behind < 0.8 else _street)(s, r)
    away = r.uniform(0.6, 3.0)
    p = _Place(s, r)
    for i in range(r.choice((1, 1, 1, 2, 3))):
        x = 0.0 if i == 0 else r.uniform(-0.8, 0.8)
        near = p.sub((x, 0, away + 0.6 * i), r.gauss(0, 0.6))
        _figure(near) if r.random() < 0.85 else _animal(p.sub((x, 0.7, away), r.gauss(0, 0.8), 1.2))
    s.camera = (r.uniform(-0.25, 0.25), r.uniform(1.2, 1.75), 0.0)
    s.look = turned(r.uniform(-0.15, 0.15), r.gauss(0.0, 0.1), r.gauss(0, 0.04))
    s.focal = r.uniform(0.9, 2.0)


def _foliage(s: Scene, r: random.Random) -> None:
    p = _Place(s, r)
    if r.random() < 0.7:
        _floor(p, r.uniform(0.1, 1))
    if r.random() < 0.5:
        far = r.uniform(1.5, 6)
        p.box((0, 2, far), (8, 4, 0.1), {**_green(p), "texture_m": r.uniform(0.5, 4)}, shadow=False)
    away = r.uniform(0.25, 1.2)
    for _ in range(r.randint(4, 10)):
        z = away * 5 ** r.random()
        at = p.sub((r.uniform(-0.6, 0.6) * z, r.uniform(0, 0.35), z), r.uniform(-3, 3), r.uniform(0.5, 1.6))
        kind = r.random()
        if kind < 0.35:
            _plant(at)
        elif kind < 0.65:
            _flower(at)
        elif kind < 0.95:
            _leaves(at, r.randint(4, 12), (0.4, 0.3, 0.4), 0.14, r.choice((LEAVES, FOLIAGE, FERN, (*LEAVES, *GRASS))))
        else:
            _thing(at)
    s.camera = (0.0, r.uniform(0.2, 0.8), -0.05)
    s.look = turned(0, r.uniform(-0.1, 0.8), r.gauss(0, 0.06))
    _daylight(s, r)


def _clutter(s: Scene, r: random.Random) -> None:
    p = _Place(s, r)
    if r.random() < 0.6:
        _floor(p, r.uniform(0.5, 5), r.uniform(-2, 0))
    if r.random() < 0.6:
        p.card((0, 0, r.uniform(4, 20)), (40, 40), {**p.paint(), "texture_m": r.uniform(2, 20)}, turned(), WHOLE[0])
    for _ in range(r.randint(10, 40)):
        z = 0.6 * 20 ** r.random()
        centre = (r.uniform(-0.7, 0.7) * z, 1 + r.uniform(-0.6, 0.6) * z, z)
        size = z * r.uniform(0.03, 0.25)
        half = tuple(size * r.uniform(0.3, 1.3) for _ in range(3))
        turn = turned(*(r.uniform(-3, 3) for _ in range(3)))
        kind = r.random()
        if kind < 0.3:
            p.box(centre, half, p.paint(), turn)
        elif kind < 0.5:
            p.ball(centre, half, p.paint(), turn)
        elif kind < 0.65:
            end = tuple(c + r.uniform(-2, 2) * size for c in centre)
            p.tube(centre, end, size * r.uniform(0.05, 0.6), size * r.uniform(0.05, 0.6), p.paint())
        else:
            p.card(centre, (half[0] * 1.5, half[1] * 1.5), {**p.paint(), "texture_m": size * 2}, turn, r.randrange(len(masks())))
    s.camera = (0.0, 1.0, 0.0)
    s.look = turned(0, r.gauss(0.05, 0.15), r.gauss(0, 0.1))
    _daylight(s, r)


def _daylight(s: Scene, r: random.Random) -> None:
    bearing, height = r.uniform(-math.pi, math.pi), r.uniform(0.15, 1.4)
    s.light = (math.cos(height) * math.sin(bearing), math.sin(height), math.cos(height) * math.cos(bearing))
    s.lamp = False
    strength = r.choice((0.2, 1.0, 2.0))  # from overcast to hard sun
    warm = r.uniform(-0.15, 0.15)
    s.key = (strength * (1 + warm), strength, strength * (1 - warm))
    s.ambient = (r.uniform(0.3, 0.8) * (1 - warm), 0.55, 0.55 * (1 + warm))
    if r.random() < 0.15:
        s.sky = (
            (r.uniform(0.4, 1), r.uniform(0.4, 1), r.uniform(0.4, 1)),
            (r.uniform(0.1, 1), r.uniform(0.2, 1), r.uniform(0.3, 1)),
        )
    s.sky_texture = r.choice((0.0, 0.5, 1.0))


KINDS: dict[str, tuple[Callable[[Scene, random.Random], None], float]] = {
    "indoor": (_indoor, 0.22),
    "outdoor": (_outdoor, 0.15),
    "street": (_street, 0.12),
    "table-top": (_tabletop, 0.18),
    "portrait": (_portrait, 0.14),
    "foliage": (_foliage, 0.12),
    "clutter": (_clutter, 0.07),
}
"""What is made up: composer and share."""


def compose(seed: int, index: int, attempt: int = 0, kind: str | None = None) -> Scene:
    """Scene `index` of `seed`: always the same. `attempt` gives another one in its place."""
    g = generator(seed, index, attempt, 7)
    r = random.Random(int(torch.randint(2**62, (1,), generator=g)))
    s = Scene()
    s.focal = 0.5 / math.tan(math.radians(r.uniform(28, 80)) / 2)
    s.exposure = r.uniform(0.2, 0.7)
    chosen = kind or r.choices(list(KINDS), [share for _, share in KINDS.values()])[0]
    KINDS[chosen][0](s, r)
    if r.random() < 0.1:  # a flash
        s.light, s.lamp, s.key = s.camera, True, (1.0, 1.0, 1.0)
    return s


def usable(disparity: Tensor) -> bool:
    """Whether a frame [H,W] is worth learning from: nothing right before the lens, and depth that varies."""
    near = disparity.flatten().kthvalue(int(disparity.numel() * 0.98)).values
    low, high = disparity.flatten()[::7].quantile(disparity.new_tensor([0.1, 0.9]))
    return bool((near < 8) & (high > 1.25 * low + 1e-6))


def example(photos: Sequence[Tensor], seed: int, index: int, side_px: int, device: torch.device | str = "cpu") -> Rendered:
    """Scene `index` drawn square, [1,...]; frames that are not `usable` are replaced by another attempt.

    photos: [3,h,w] uint8 sRGB, for the surfaces; may be empty.
    """
    for attempt in range(20):
        scene = compose(seed, index, attempt)
        textures = pick_textures(photos, generator(seed, index, attempt, 8))[None].to(device)
        out = render([scene], textures, side_px, side_px)
        if usable(out.disparity[0]):
            return out
    raise RuntimeError(f"Scene {index} of seed {seed} has no usable frame in 20 attempts.")
