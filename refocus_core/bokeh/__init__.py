"""Aperture shapes and the defocus renderer."""

from .highlights import boost_highlights
from .kernels import SHAPES, kernel_from_image, kernel_preview, make_kernel
from .plan import QUALITIES, Quality
from .prepared import SurfaceCache
from .renderer import Plate, render
from .revealed import revealed

__all__ = [
    "QUALITIES",
    "SHAPES",
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
