"""Aperture shapes and the defocus renderer.

apertures      `make_kernel`, `kernel_from_image`: the aperture as a raster
character      `through_lens`: aberrations, squeeze, onion rings and dust
aperture_settings      all of an aperture in one value, as JSON, and presets
field, lattice      how the aperture changes over the picture: at a place;  over the picture, for the renderer
shown          `kernel_preview`: the aperture as a picture
segments       the aperture cut into parts that are composited each by itself
renderer       `render`: checks, one frame after the other, part by part;  draft: at half the resolution
cutout         `render_with_alpha`: of pictures with transparency;  proxy: a small draft before a long rendering
frames, limits      one frame and its parts;  how much is worked on at a time
surfaces/      how a picture is cut into what is in front and what lies behind it
plan, bins     quality, bins of like radius, and the resolution each is blurred at
engines/       how bins are blurred and composited: plain torch, Triton
keying         `depth_matte`: what lies between two depths, cut out along the picture's edges
highlights, clipped      light given back to highlights by a factor;  to clipped lights by what their falloff tells
bloom, lateral      light that the lens scatters;  colours that it images in different sizes
revealed       what a rendering shows that the photo could not
grain          grain of the photo, measured, and put back where blur took it
reference      the slow twin of the renderer, an integral over the aperture, for tests and bench
"""

from .aperture_settings import PRESETS, ApertureSettings
from .apertures import SHAPES, kernel_from_image, make_kernel
from .bloom import bloomed
from .character import Character, through_lens
from .clipped import recover_highlights
from .cutout import render_with_alpha
from .field import kernel_at
from .grain import put_grain_back
from .highlights import boost_highlights
from .keying import DepthMatte, around, between, depth_matte
from .lateral import with_lateral_colour
from .limits import Limits
from .plan import QUALITIES, Quality
from .proxy import proxy
from .renderer import Plate, render
from .revealed import revealed
from .shown import kernel_preview
from .surfaces.cache import SurfaceCache

__all__ = [
    "PRESETS",
    "QUALITIES",
    "SHAPES",
    "ApertureSettings",
    "Character",
    "DepthMatte",
    "Limits",
    "Plate",
    "Quality",
    "SurfaceCache",
    "around",
    "between",
    "bloomed",
    "boost_highlights",
    "depth_matte",
    "kernel_at",
    "kernel_from_image",
    "kernel_preview",
    "make_kernel",
    "proxy",
    "put_grain_back",
    "recover_highlights",
    "render",
    "render_with_alpha",
    "revealed",
    "through_lens",
    "with_lateral_colour",
]
