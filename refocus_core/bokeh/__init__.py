"""Aperture shapes and the defocus renderer."""

from .highlights import boost_highlights
from .kernels import SHAPES, kernel_from_image, kernel_preview, make_kernel
from .renderer import QUALITIES, Plate, Quality, render

__all__ = [
    "QUALITIES",
    "SHAPES",
    "Plate",
    "Quality",
    "boost_highlights",
    "kernel_from_image",
    "kernel_preview",
    "make_kernel",
    "render",
]
