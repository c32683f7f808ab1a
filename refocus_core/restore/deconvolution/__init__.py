"""Non-blind deconvolution whose blur changes from pixel to pixel, driven by a defocus map of the photo.

Light that a lens spreads over a disc is gathered again in linear light. The radii of the map are sorted into bins (`bins`); for
each bin the picture that explains the pixels of about that radius is sought (`solver`), and the results are blended by radius
(`tiles`). For one bin it is

    min_x  1/2 sum_p w_p ((A x)_p - y_p)^2  +  lambda * sum_p |(P x)_p|,    lambda ~ noise level^1.5

where y is the photo, A the blur, P the gradient, over both directions and all three colours at once (edges of the colours
coincide), and w_p is

    0   outside the picture: what lies there is unknown and found along with the rest, so nothing rings at the border
    0   where the radius is another one: the sharp subject does not ring into the blurred background behind it. A pixel beside a
        subject in focus sees the whole background through the lens, also the part that the subject hides, so this is exact there
    one-sided where the sensor clipped: there the light was this much *or more*, and nothing becomes darker
    small where no picture explains the pixel, as the iterations find out: a hair in focus that the map does not know, a radius
    that is wrong. There the photo stays, and its surroundings do not ring (iteratively reweighted least squares with the
    weights of Geman & McClure, 1987)

The noise level is measured (`noise`).
"""

from .noise import noise_level
from .tiles import TILE_PX, deconvolve, run

__all__ = ["TILE_PX", "deconvolve", "noise_level", "run"]
