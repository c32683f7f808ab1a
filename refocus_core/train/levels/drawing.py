"""Colour and depth of textured triangles by OpenGL: moderngl on EGL, which needs no display; Mesa's llvmpipe draws on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .camera import Camera
from .geometry import COLUMNS, POSITION, Array

if TYPE_CHECKING:
    import moderngl

NEAR_M, FAR_M = 0.04, 2000.0
"""Nothing nearer or farther is drawn."""

KEPT_TEXTURES = 2000
"""Textures that stay on the device from level to level: more take memory (about 0.5 MB each) and save decoding."""

SHADOW_PX = 640
"""Side of the shadow map; more gives sharper shadows and takes longer."""

SHADOW_RADIUS_M = 8.0
"""Shadows fall within this distance of the middle of what casts them."""


class Lit(IntEnum):
    """Where the light on a surface comes from."""

    LIGHTMAP = 0
    VERTICES = 1
    LAMP = 2
    EVENLY = 3


@dataclass(frozen=True)
class Light:
    """Light of a picture.

    Attributes:
        towards: [3], unit vector to the lamp that casts shadows.
        lamp, ambient: [3] each, light on a surface that faces the lamp, and on every surface.
        shade: 0..1, how much of other light a shadow takes away.
        corners: 0..1, how dark the corners of the box `low`..`high` are.
        fog: 1/m; `fog_colour` is what it ends in.
    """

    towards: Array
    lamp: Array = field(default_factory=lambda: np.ones(3, np.float32))
    ambient: Array = field(default_factory=lambda: np.full(3, 0.5, np.float32))
    shade: float = 0.5
    corners: float = 0.0
    low: tuple[float, float, float] = (-1e4, -1e4, -1e4)
    high: tuple[float, float, float] = (1e4, 1e4, 1e4)
    fog: float = 0.0
    fog_colour: tuple[float, float, float] = (0.7, 0.75, 0.8)


@dataclass(frozen=True)
class Mesh:
    """Triangles on the device, laid out for the picture and for the shadow map."""

    buffer: moderngl.Buffer
    seen: moderngl.VertexArray
    cast: moderngl.VertexArray

    def release(self) -> None:
        """Give the device's memory back."""
        for part in (self.seen, self.cast, self.buffer):
            part.release()


@dataclass(frozen=True)
class Item:
    """Triangles that are drawn in one go. `casts`: they throw a shadow."""

    mesh: Mesh
    texture: moderngl.Texture
    lit: Lit
    lightmap: moderngl.Texture | None = None
    casts: bool = False


_VERTEX = """#version 330
uniform mat4 view; uniform mat4 shadow; uniform vec3 eye; uniform vec3 forward;
in vec3 position; in vec2 texture_at; in vec2 lightmap_at; in vec3 normal; in vec3 colour;
out vec2 at; out vec2 light_at; out vec3 n; out vec3 tint; out vec3 place; out vec3 in_shadow; out float depth;
void main() {
    gl_Position = view * vec4(position, 1);
    at = texture_at; light_at = lightmap_at; n = normal; tint = colour; place = position;
    in_shadow = (shadow * vec4(position + 0.01 * normal, 1)).xyz * 0.5 + 0.5;
    depth = dot(position - eye, forward);
}"""
"""Vertex shader of the picture: place in the picture and in the shadow map, and depth in m along the optical axis."""

_FRAGMENT = """#version 330
uniform sampler2D picture; uniform sampler2D baked; uniform sampler2DShadow shadows;
uniform int lit; uniform vec3 towards; uniform vec3 lamp; uniform vec3 ambient; uniform float shade;
uniform float corners; uniform vec3 low; uniform vec3 high; uniform float fog; uniform vec3 fog_colour; uniform vec3 eye;
in vec2 at; in vec2 light_at; in vec3 n; in vec3 tint; in vec3 place; in vec3 in_shadow; in float depth;
layout(location = 0) out vec4 colour; layout(location = 1) out float disparity;
void main() {
    vec4 surface = texture(picture, at);
    if (surface.a < 0.5) discard;
    float clear = 1.0;
    if (shade > 0.0 && all(greaterThan(in_shadow, vec3(0))) && all(lessThan(in_shadow, vec3(1)))) {
        clear = 0.0;
        for (int i = 0; i < 4; i++)
            clear += texture(shadows, vec3(in_shadow.xy + vec2(i % 2, i / 2) * 0.003 - 0.0015, in_shadow.z - 0.002)) / 4.0;
    }
    vec3 faced = normalize(n) * sign(dot(n, eye - place) + 1e-6);
    vec3 light = vec3(1);
    if (lit == 0) light = texture(baked, light_at).rgb * 2.0;
    if (lit == 1) light = tint * 1.6;
    if (lit == 2) light = tint * (ambient * (0.8 + 0.2 * faced.z) + lamp * max(dot(faced, towards), 0.0) * clear);
    else light *= 1.0 - shade * (1.0 - clear);
    if (lit == 3) light *= tint;
    vec3 l = max(place - low, 0.0), h = max(high - place, 0.0);
    vec3 walls = (1.0 - corners * exp(-l * 3.0)) * (1.0 - corners * exp(-h * 3.0));
    light *= walls.x * walls.y * walls.z;
    colour = vec4(mix(fog_colour, surface.rgb * light, exp(-depth * fog)), 1);
    disparity = 1.0 / depth;
}"""
"""Fragment shader of the picture: light on the texture's colour, fog over it, and disparity in 1/m."""

_CAST_VERTEX = """#version 330
uniform mat4 shadow; in vec3 position; in vec2 texture_at; out vec2 at;
void main() { gl_Position = shadow * vec4(position, 1); at = texture_at; }"""
"""Vertex shader of the shadow map."""
_CAST_FRAGMENT = """#version 330
uniform sampler2D picture; in vec2 at;
void main() { if (texture(picture, at).a < 0.5) discard; }"""
"""Fragment shader of the shadow map, for depth alone: what is transparent casts no shadow."""

_LAYOUT, _CAST_LAYOUT = "3f 2f 2f 3f 3f", "3f 2f 32x"
"""A vertex of `geometry` as moderngl describes it: whole, and up to the texture coordinates (the rest is skipped)."""
_NAMES = ("position", "texture_at", "lightmap_at", "normal", "colour")
"""What the vertex shaders call the parts of `_LAYOUT`; the shadow map's takes the first two."""


class Canvas:
    """A square picture that triangles are drawn on."""

    def __init__(self, side_px: int) -> None:
        import moderngl

        self._gl = moderngl
        self.side_px = side_px
        # By name: without them it looks for the links that only development packages have.
        options: dict[str, Any] = {"backend": "egl", "libgl": "libGL.so.1", "libegl": "libEGL.so.1"}
        self.context = moderngl.create_standalone_context(**options)
        self._program = self.context.program(_VERTEX, _FRAGMENT)
        self._caster = self.context.program(_CAST_VERTEX, _CAST_FRAGMENT)
        size = (side_px, side_px)
        self._colour = self.context.texture(size, 4, dtype="f2")
        self._disparity = self.context.texture(size, 1, dtype="f4")
        self._frame = self.context.framebuffer([self._colour, self._disparity], self.context.depth_renderbuffer(size))
        self._shadows = self.context.depth_texture((SHADOW_PX, SHADOW_PX))
        self._shadows.compare_func = "<="
        self._shadow_frame = self.context.framebuffer([], self._shadows)
        self._kept: dict[str, moderngl.Texture | None] = {}
        self._white = self.texture(Image.new("RGBA", (1, 1), "white"))
        for name, unit in (("picture", 0), ("baked", 1), ("shadows", 2)):
            self._program[name] = unit

    def texture(self, picture: Image.Image) -> moderngl.Texture:
        """Of an RGBA picture; it repeats."""
        texture = self.context.texture(picture.size, 4, picture.convert("RGBA").tobytes())
        # No anisotropic filter: llvmpipe then looks at each texel that a pixel covers, minutes for a plane up to the horizon.
        texture.build_mipmaps()
        texture.filter = (self._gl.LINEAR_MIPMAP_LINEAR, self._gl.LINEAR)
        return texture

    def lightmap(self, pixels: NDArray[np.uint8]) -> moderngl.Texture:
        """Of baked light [h,w,3]."""
        return self.context.texture(pixels.shape[1::-1], 3, np.ascontiguousarray(pixels).tobytes())

    def named_texture(self, name: str, load: Callable[[], Image.Image | None]) -> moderngl.Texture | None:
        """The texture of this name, loaded the first time; None where nothing can be loaded.

        It stays until `forget` finds too many of them.
        """
        if name not in self._kept:
            picture = load()
            self._kept[name] = None if picture is None else self.texture(picture)
        return self._kept[name]

    def forget(self) -> None:
        """Give back the textures that were made first, down to `KEPT_TEXTURES`. Call it while nothing is about to be drawn."""
        while len(self._kept) > KEPT_TEXTURES:
            texture = self._kept.pop(next(iter(self._kept)))
            if texture is not None:
                texture.release()

    @property
    def white(self) -> moderngl.Texture:
        """A texture that shows the colours of the vertices alone."""
        return self._white

    def mesh(self, rows: Array) -> Mesh:
        """Triangles [3t,13], on the device. Release it when it is drawn no more."""
        if rows.shape[1] != COLUMNS:
            raise ValueError(f"Vertices have {rows.shape[1]} columns, expected {COLUMNS}.")
        buffer = self.context.buffer(np.ascontiguousarray(rows, np.float32).tobytes())
        seen = self.context.vertex_array(self._program, [(buffer, _LAYOUT, *_NAMES)])
        cast = self.context.vertex_array(self._caster, [(buffer, _CAST_LAYOUT, *_NAMES[:2])])
        return Mesh(buffer, seen, cast)

    def draw(self, camera: Camera, items: Sequence[Item], light: Light, casters: Sequence[Array] = ()) -> tuple[Array, Array]:
        """The picture: light [S,S,3] and disparity in 1/m [S,S], both 0 where there is nothing.

        `casters`: rows of what casts shadows, for the place of the shadow map; the items that do say so themselves.
        """
        shadow = _shadow_matrix(light.towards, casters)
        self._shadow_frame.use()
        self._shadow_frame.clear(depth=1.0)
        self.context.enable_only(self._gl.DEPTH_TEST)
        if casters:
            _write(self._caster, "shadow", shadow)
            for item in items:
                if item.casts:
                    item.texture.use(0)
                    item.mesh.cast.render()
        self._frame.use()
        self._frame.clear(0.0, 0.0, 0.0, 0.0, depth=1.0)
        self._set(camera, light, shadow, light.shade if casters else 0.0)
        self._shadows.use(2)
        for item in items:
            self._program["lit"] = int(item.lit)
            item.texture.use(0)
            (item.lightmap or self._white).use(1)
            item.mesh.seen.render()
        side = self.side_px
        colour = np.frombuffer(self._colour.read(), np.float16).reshape(side, side, 4)[::-1, :, :3]
        disparity = np.frombuffer(self._disparity.read(), np.float32).reshape(side, side)[::-1]
        return colour.astype(np.float32), disparity.copy()

    def _set(self, camera: Camera, light: Light, shadow: Array, shade: float) -> None:
        p = self._program
        _write(p, "view", camera.matrix(NEAR_M, FAR_M))
        _write(p, "shadow", shadow)
        p["eye"], p["forward"] = tuple(map(float, camera.position)), tuple(map(float, camera.forward))
        p["towards"], p["lamp"], p["ambient"] = (tuple(map(float, v)) for v in (light.towards, light.lamp, light.ambient))
        p["shade"], p["corners"], p["low"], p["high"] = shade, light.corners, light.low, light.high
        p["fog"], p["fog_colour"] = light.fog, light.fog_colour


def _write(program: moderngl.Program, name: str, matrix: Array) -> None:
    """A uniform matrix [4,4]; OpenGL keeps columns together."""
    cast("moderngl.Uniform", program[name]).write(matrix.T.astype(np.float32).tobytes())


def _shadow_matrix(towards: Array, casters: Sequence[Array]) -> Array:
    """[4,4] from the world to the shadow map of a far lamp: a box around the middle of what casts shadows."""
    middle = np.mean([np.mean(rows[:, POSITION], 0) for rows in casters], 0) if casters else np.zeros(3)
    side = np.cross(towards, (0.0, 0.0, 1.0) if abs(towards[2]) < 0.9 else (1.0, 0.0, 0.0))
    side /= np.linalg.norm(side)
    out = np.eye(4)
    out[:3, :3] = side, np.cross(side, towards), -np.asarray(towards)
    out[:3, :3] /= SHADOW_RADIUS_M
    out[:3, 3] = -out[:3, :3] @ middle
    return out.astype(np.float32)
