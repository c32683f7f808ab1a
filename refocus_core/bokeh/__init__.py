"""Aperture shapes and the defocus renderer."""

from .apertures import SHAPES, kernel_from_image, kernel_preview, make_kernel
from .highlights import boost_highlights
from .limits import Limits
from .plan import QUALITIES, Quality
from .renderer import Plate, render
from .revealed import revealed
from .surfaces.cache import SurfaceCache

__all__ = [
    "QUALITIES",
    "SHAPES",
    "Limits",
    "Plate",
    "Quality",
    "SurfaceCache",
    "boost_highlights",
    "kernel_from_image",
    "kernel_preview",
    "make_kernel",
    "render",
    "revealed",
]
