"""Scores of a rendered picture against the truth: where, and how much. Definitions are those of `bench/results/render.md`."""

from __future__ import annotations

import torch
from scipy import ndimage
from torch import Tensor

from refocus_core import color

HIDDEN_SHARE = 0.04
"""A pixel counts as visible where less than this share of its light comes from content the photo does not show."""
HIGHLIGHT = 0.15
"""Linear light of the brightest channel from which on a pixel belongs to a highlight's disc."""
FEWEST_PIXELS = 50
"""Regions of fewer pixels give no score."""

REGIONS = ("whole", "band", "bandv", "sharp", "smooth")
"""Names of the regions, in the order of the tables."""
REGION_TEXT = {
    "whole": "all pixels but a frame of the largest radius",
    "band": "within one local radius of a depth edge",
    "bandv": f"of these, where under {HIDDEN_SHARE:.0%} of the true light comes from content hidden in the photo",
    "sharp": "of the band, pixels in focus (bleeding and fringes)",
    "smooth": "away from edges",
}
"""What each is, for the reports."""


def regions(radius_px: Tensor, hidden: Tensor, frame_px: int) -> dict[str, Tensor]:
    """Masks [H,W] of where to score, from the exact radius map [H,W] and the hidden share [H,W].

    An edge is where the radii of two neighbours differ by more than 1 px plus 12 % of the smaller one.
    """
    edge = torch.zeros_like(radius_px, dtype=torch.bool)
    local = torch.zeros_like(radius_px)
    for dim in (0, 1):
        n = radius_px.shape[dim] - 1
        a, b = radius_px.narrow(dim, 0, n), radius_px.narrow(dim, 1, n)
        jump = (a - b).abs() > 1 + 0.12 * torch.minimum(a.abs(), b.abs())
        reach = torch.where(jump, torch.maximum(a.abs(), b.abs()), torch.zeros_like(a))
        for start in (0, 1):
            edge.narrow(dim, start, n).logical_or_(jump)
            part = local.narrow(dim, start, n)
            part.copy_(torch.maximum(part, reach))
    inner = torch.zeros_like(edge)
    inner[frame_px : inner.shape[0] - frame_px, frame_px : inner.shape[1] - frame_px] = True
    if bool(edge.any()):
        distance, nearest = ndimage.distance_transform_edt(~edge.numpy(), return_indices=True)
        band = inner & torch.from_numpy(distance <= local.numpy()[nearest[0], nearest[1]] + 1)
    else:
        band = torch.zeros_like(inner)
    return {
        "whole": inner,
        "band": band,
        "bandv": band & (hidden < HIDDEN_SHARE),
        "sharp": band & (radius_px.abs() < 0.5),
        "smooth": inner & ~band,
    }


def display(linear: Tensor) -> Tensor:
    """What a screen shows: sRGB-encoded, clipped to 0..1."""
    return color.linear_to_srgb(linear.clamp(0, 1))


def psnr(a: Tensor, b: Tensor, mask: Tensor | None = None) -> float:
    """dB between two linear pictures [3,H,W] as displayed, over `mask` [H,W]; NaN where it holds too few pixels."""
    error = (display(a) - display(b)).double().square().mean(0)
    if mask is not None:
        error = error[mask]
    if error.numel() < FEWEST_PIXELS:
        return float("nan")
    return float(-10 * torch.log10(error.mean() + 1e-10))


def scores(picture: Tensor, truth: Tensor, where: dict[str, Tensor]) -> dict[str, float]:
    """PSNR [dB] in every region."""
    return {name: psnr(picture, truth, mask) for name, mask in where.items()}


def highlight_iou(picture: Tensor, truth: Tensor, where: Tensor) -> float:
    """Intersection over union of the highlights' discs (linear light above `HIGHLIGHT`) within `where` [H,W]."""
    a, b = picture.amax(0) > HIGHLIGHT, truth.amax(0) > HIGHLIGHT
    both, either = (a & b & where).sum(), ((a | b) & where).sum()
    return float(both / either) if int(either) else float("nan")


def mean(values: list[float]) -> float:
    """Mean of the numbers that are not NaN; NaN if none is."""
    known = [v for v in values if v == v]
    return sum(known) / len(known) if known else float("nan")
