"""Non-blind deconvolution by a defocus map of the photo."""

from .solver import TILE_PX, deconvolve, noise_level

__all__ = ["TILE_PX", "deconvolve", "noise_level"]
