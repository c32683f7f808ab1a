"""Pictures of scenes: one ray per pixel, one light with shadows, light from the sky, haze.

Shapes: B scenes, X = H·W pixels of each.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ....color import linear_to_srgb
from .bodies import Primitive, Scene
from .outlines import outlines
from .raytrace import PackedBodies, pack, trace
from .textures import Pyramid, build_pyramid, sample

_FAR_M = 1e6
"""What is farther is sky."""
_HAZE_END_M = 2000.0
"""Haze does not thicken beyond this distance, so that the sky keeps some of its own colour."""
_GRAZING = 0.15
"""Least cosine between view and surface for the size of a texel: smaller would blur grazing surfaces along both directions."""
_HIGHLIGHT_EXPONENT = 32
"""Of the half-vector highlight (Blinn 1977); larger gives smaller highlights."""
_SHADOW_BIAS = (2e-3, 1e-3)
"""Shadow rays start this share of the depth, and this many m, off the surface; less lets surfaces shadow themselves."""
_SHADOW_EDGE_PX = 3
"""Window over which shadows are averaged: a light of some size has no knife-edge shadow."""
_SKY_FROM_BELOW = 0.75
"""Share of the ambient light that a vertical wall gets; the ground gets 1, a ceiling half."""
_BRIGHTEST = 4.0
"""Linear light is cut here before it is encoded and cut at white."""


class Rendered(NamedTuple):
    """image: [B,3,H,W] sRGB-encoded 0..1; disparity: [B,H,W] in 1/m, larger = nearer, 0 = sky."""

    image: Tensor
    disparity: Tensor


@dataclass(frozen=True)
class _Rays:
    """One ray for each pixel.

    Attributes:
        camera: [B,3,1] where they start.
        ray: [B,3,X] direction, one metre of depth long.
        focal_px: [B,1].
    """

    camera: Tensor
    ray: Tensor
    focal_px: Tensor


@dataclass(frozen=True)
class _Hits:
    """What the pixels see; undefined where they see the sky.

    Attributes:
        body: [B,X] number of the body.
        point: [B,3,X] in m.
        normal: [B,3,X] of length 1, towards the camera.
        view: [B,3,X] of length 1, towards the camera.
        cosine: [B,1,X] of the angle between these two, >= 0.
        surface_m: [B,2,X] place on the body's surface.
        depth: [B,X] in m.
    """

    body: Tensor
    point: Tensor
    normal: Tensor
    view: Tensor
    cosine: Tensor
    surface_m: Tensor
    depth: Tensor


@dataclass(frozen=True)
class _Batch:
    """Scenes and what all steps need of them."""

    scenes: Sequence[Scene]
    bodies: PackedBodies
    masks: Tensor
    pyramid: Pyramid
    texture_px: int
    height: int
    width: int

    def each(self, get: Callable[[Scene], object]) -> Tensor:
        """A value of every scene, [B,...]."""
        return torch.tensor([get(s) for s in self.scenes], device=self.masks.device)

    @property
    def rows(self) -> Tensor:
        """[B,1] number of each scene, to pick a body's values with `body` [B,X]."""
        return torch.arange(len(self.scenes), device=self.masks.device)[:, None]


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
    batch = _Batch(
        scenes,
        pack(scenes, device),
        outlines().masks.to(device),
        build_pyramid(textures),
        textures.shape[-1],
        height,
        width,
    )
    rays = _camera_rays(batch)
    depth, body = trace(batch.bodies, rays.camera, rays.ray, batch.masks, for_shadow=False)
    is_sky = ~(depth < _FAR_M)
    depth = torch.where(is_sky, _FAR_M, depth)
    disparity = torch.where(is_sky, 0.0, 1 / depth)
    hits = _surfaces(batch, rays, depth, body)
    surface = _lit(batch, hits, _albedo(batch, rays, hits))
    color = torch.where(is_sky[:, None], _sky(batch, rays, hits), _hazed(batch, surface, depth))
    image = linear_to_srgb(_exposed(batch, color).clamp(0, _BRIGHTEST).view(-1, 3, height, width)).clamp(0, 1)
    return Rendered(image, disparity.view(-1, height, width))


def _camera_rays(batch: _Batch) -> _Rays:
    height, width, device = batch.height, batch.width, batch.masks.device
    v, u = torch.meshgrid(torch.arange(height, device=device), torch.arange(width, device=device), indexing="ij")
    focal_px = batch.each(lambda s: s.focal_widths * width)[:, None]
    x = ((u + 0.5 - width / 2).flatten()[None] / focal_px).float()
    y = ((height / 2 - v - 0.5).flatten()[None] / focal_px).float()
    axes = torch.stack([s.camera_axes for s in batch.scenes]).to(device)
    ray = axes @ torch.stack([x, y, torch.ones_like(x)], 1)
    return _Rays(batch.each(lambda s: s.camera)[:, :, None], ray, focal_px)


def _surfaces(batch: _Batch, rays: _Rays, depth: Tensor, body: Tensor) -> _Hits:
    bodies, rows = batch.bodies, batch.rows
    point = rays.camera + depth[:, None] * rays.ray
    to_own = bodies.to_own[rows, body]  # [B,X,3,3]
    own = (to_own @ point.transpose(1, 2)[..., None])[..., 0] + bodies.to_own_offset[rows, body]
    primitive, taper, half_size = bodies.primitive[body], bodies.taper[rows, body], bodies.half_size[rows, body]
    normal = _own_normal(own, primitive, taper)
    normal = (to_own.transpose(-1, -2) @ normal[..., None])[..., 0].transpose(1, 2)
    normal = normal * normal.square().sum(1, keepdim=True).clamp_min(1e-20).rsqrt()
    view = -rays.ray * rays.ray.square().sum(1, keepdim=True).rsqrt()
    cosine = (normal * view).sum(1, keepdim=True)
    normal = torch.where(cosine < 0, -normal, normal)
    return _Hits(body, point, normal, view, cosine.abs(), _surface_m(own, primitive, taper, half_size), depth)


def _is_round_end(own: Tensor, taper: Tensor) -> Tensor:
    """Whether a place on a tube [B,X,3] lies on one of its ends."""
    x, y, z = own.unbind(-1)
    return (y.abs() > 0.999) & (x * x + z * z < (1 + taper * y) ** 2 * 0.999)


def _own_normal(own: Tensor, primitive: Tensor, taper: Tensor) -> Tensor:
    """Outward direction [B,X,3] in the body's space, not of length 1, at places on it [B,X,3]."""
    x, y, z = own.unbind(-1)
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    box = F.one_hot(own.abs().argmax(-1), 3) * own.sign()
    side, end = torch.stack([x, -taper * (1 + taper * y), z], -1), torch.stack([zero, y.sign(), zero], -1)
    tube = torch.where(_is_round_end(own, taper)[..., None], end, side)
    card = torch.stack([zero, zero, one], -1)
    k = primitive[..., None]
    return torch.where(
        k == Primitive.SPHERE, own, torch.where(k == Primitive.BOX, box, torch.where(k == Primitive.TUBE, tube, card))
    )


def _surface_m(own: Tensor, primitive: Tensor, taper: Tensor, half_size: Tensor) -> Tensor:
    """Place on the surface [B,2,X] in m, of places on the body [B,X,3] in its space: round bodies are unrolled about y."""
    x, _, z = own.unbind(-1)
    mx, my, mz = (own * half_size).unbind(-1)
    face = own.abs().argmax(-1)
    on_end = (primitive == Primitive.TUBE) & _is_round_end(own, taper)
    unrolled = torch.atan2(x, z) * half_size[..., 0]
    round_u, round_v = torch.where(on_end, mx, unrolled), torch.where(on_end, mz, my)
    is_box = primitive == Primitive.BOX
    flat = is_box | (primitive == Primitive.CARD)
    u = torch.where(flat, torch.where(is_box, torch.where(face == 0, mz, mx), mx), round_u)
    v = torch.where(flat, torch.where(is_box, torch.where(face == 1, mz, my), my), round_v)
    return torch.stack([u, v], 1)


def _albedo(batch: _Batch, rays: _Rays, hits: _Hits) -> Tensor:
    """Colour [B,3,X] of the surfaces themselves, with the texture at the level whose texels are as large as a pixel."""
    bodies, at = batch.bodies, (batch.rows, hits.body)
    repeat_m = bodies.texture_m[at]
    texels = hits.depth / rays.focal_px / hits.cosine[:, 0].clamp_min(_GRAZING) / repeat_m * batch.texture_px
    # Bodies with the same texture show other parts of it.
    offset = torch.stack([hits.body * 0.37, hits.body * 0.73], 1) % 2
    uv = hits.surface_m / repeat_m[:, None] + offset
    return sample(batch.pyramid, bodies.texture[at], uv, texels.clamp_min(1e-6).log2()) * bodies.tint[at].transpose(1, 2)


def _lit(batch: _Batch, hits: _Hits, albedo: Tensor) -> Tensor:
    """Light [B,3,X] from the surfaces: diffuse, ambient and a highlight."""
    light = batch.each(lambda s: s.light)[:, :, None]
    is_near = batch.each(lambda s: s.light_is_near)[:, None, None]
    to_light = torch.where(is_near, light - hits.point, light.expand_as(hits.point))
    visible = _visibility(batch, hits, to_light, is_near)
    distance = to_light.square().sum(1, keepdim=True).sqrt()
    towards = to_light / distance.clamp_min(1e-6)
    falloff = torch.where(is_near, 4 / (1 + distance.square()), 1.0)
    key = batch.each(lambda s: s.light_color)[:, :, None] * falloff * visible
    ambient = batch.each(lambda s: s.ambient)[:, :, None]
    from_sky = _SKY_FROM_BELOW + (1 - _SKY_FROM_BELOW) * hits.normal[:, 1:2]
    diffuse = key * (hits.normal * towards).sum(1, keepdim=True).clamp_min(0) + ambient * from_sky
    half = towards + hits.view
    shine = (hits.normal * half).sum(1, keepdim=True) * half.square().sum(1, keepdim=True).clamp_min(1e-6).rsqrt()
    shine = shine.clamp_min(0).pow(_HIGHLIGHT_EXPONENT) * batch.bodies.gloss[batch.rows, hits.body][:, None]
    return albedo * diffuse + key * shine


def _visibility(batch: _Batch, hits: _Hits, to_light: Tensor, is_near: Tensor) -> Tensor:
    """Share [B,1,X] of the light that reaches each point."""
    start = hits.point + hits.normal * (_SHADOW_BIAS[0] * hits.depth + _SHADOW_BIAS[1])[:, None]
    blocker, _ = trace(batch.bodies, start, to_light, batch.masks, for_shadow=True)
    visible = ~(blocker < torch.where(is_near[:, 0], 1.0, math.inf))
    picture = visible.view(-1, 1, batch.height, batch.width).float()
    return F.avg_pool2d(picture, _SHADOW_EDGE_PX, 1, _SHADOW_EDGE_PX // 2, count_include_pad=False).flatten(2)


def _sky(batch: _Batch, rays: _Rays, hits: _Hits) -> Tensor:
    """Light [B,3,X] of the sky: a gradient from the horizon to the zenith, with clouds from the first texture."""
    horizon, zenith = (batch.each(lambda s, i=i: s.sky[i])[:, :, None] for i in (0, 1))
    up = (-hits.view)[:, 1:2].clamp(0, 1)
    clear = torch.lerp(horizon, zenith, up.sqrt())
    bearing = torch.stack([torch.atan2(rays.ray[:, 0], rays.ray[:, 2]), up[:, 0] * 1.5], 1)
    clouds = sample(batch.pyramid, torch.zeros_like(hits.body), bearing, torch.ones_like(hits.depth))
    return clear * (1 + batch.each(lambda s: s.sky_texture)[:, None, None] * (clouds * 2 - 1))


def _hazed(batch: _Batch, color: Tensor, depth: Tensor) -> Tensor:
    """Light [B,3,X] after the air has replaced part of it by the horizon's."""
    horizon = batch.each(lambda s: s.sky[0])[:, :, None]
    transmittance = torch.exp(-batch.each(lambda s: s.haze_per_m)[:, None] * depth.clamp_max(_HAZE_END_M))[:, None]
    return color * transmittance + horizon * (1 - transmittance)


def _exposed(batch: _Batch, color: Tensor) -> Tensor:
    mean = color.mean((1, 2), keepdim=True).clamp_min(1e-4)
    return color / mean * batch.each(lambda s: s.exposure)[:, None, None] * 0.5
