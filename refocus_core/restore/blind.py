"""Blind deconvolution: by the radii that `refocus-deblur-s` finds, as far as the photo shows an even aperture's blur.

Deconvolution undoes the blur of an even aperture. Where poor lenses, sharpening, tone curves, noise or strong compression have
filled the zeros of the disc, it rings, and the network, which has seen some of that, gives the better picture. So the two are
mixed by how surely the power spectrum tells a disc.

    photo -> network -> picture, radii -> spectrum: how certain is a disc?
                             |                       | share, doubt
                             +-> cautious radii -> deconvolution -> mix
"""

from __future__ import annotations

import torch
from torch import Tensor

from .. import color, images
from ..progress import shares, silent
from ..types import Progress, Restored
from . import deconvolution, shipped, spectrum
from .request import Request
from .tiling import check_tile

DISC_LEAD = (2.5, 7.0)
"""`spectrum.disc_lead` up to which nothing speaks for an even aperture, and from which it is certain. Higher values give more
photos the network's picture, which is softer."""
DECONVOLVED_SHARE = (0.45, 1.0)
"""Share of deconvolution in the result, without and with that certainty. More is sharper, and rings where the blur is no
disc's."""
RADIUS_DOUBT = (1.3, 0.13)
"""`doubt` of deconvolution, without and with that certainty. More smooths more."""
CAUTION_WINDOW_PX = 17
"""Side of the windows over which `cautious_radius` takes the least radius. A wider one keeps more beside a sharp subject
unchanged."""
OVER_LEAST = 1.25
"""How far above the least radius nearby one may be. More sharpens more beside another surface, and rings there."""
WORK = (4.0, 1.0, 10.0)
"""What the network, the judgement of its radii and deconvolution take of the time."""


def run(request: Request) -> Restored:
    """`all_in_focus` by this method."""
    image, network = request.image, shipped.deblur_network(request)
    learning, judging, solving = shares(request.progress, WORK)
    learned, radius = shipped.run_network(network, image, request.radius_px(), tile_px=request.tile_px, progress=learning)
    certain = certainty(image, radius, judging)
    by_radius = deconvolution.deconvolve(
        image,
        cautious_radius(radius),
        kernel=request.kernel,
        strength=max(request.strength, 1.0),
        noise=request.noise,
        doubt=_between(RADIUS_DOUBT, certain).tolist(),
        tile_px=check_tile(request.tile_px, deconvolution.TILE_PX),
        progress=solving,
    )
    result = torch.lerp(learned, by_radius, _between(DECONVOLVED_SHARE, certain)[:, None, None, None])
    return Restored(request.mixed(result), radius)


def certainty(image_srgb: Tensor, radius_px: Tensor, progress: Progress = silent) -> Tensor:
    """[B], 0 to 1, how surely a picture shows the blur of an even aperture, which deconvolution undoes.

    Args:
        image_srgb: [B,3,H,W].
        radius_px: [B,H,W] unsigned.
    """
    lead = spectrum.disc_lead(radius_px, color.srgb_to_linear(image_srgb.clamp(0, 1)).mean(1), progress)
    return ((lead - DISC_LEAD[0]) / (DISC_LEAD[1] - DISC_LEAD[0])).clamp(0, 1)


def cautious_radius(radius_px: Tensor) -> Tensor:
    """Estimated radii [B,H,W] for deconvolution: none far above the least one nearby.

    With too large a radius it rings, with too small a one it only sharpens less. An estimate is least sure beside a surface of
    another radius, and there a sharp subject must not ring.
    """
    return torch.minimum(radius_px, OVER_LEAST * images.window_min(radius_px, CAUTION_WINDOW_PX // 2))


def _between(ends: tuple[float, float], at: Tensor) -> Tensor:
    """From the first value, where `at` is 0, to the second, where it is 1."""
    return ends[0] + (ends[1] - ends[0]) * at
