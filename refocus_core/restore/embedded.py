"""Networks whose weights ship in this package."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import safe_open
from torch import Tensor

from .. import color
from ..types import Progress, check_image, check_map
from . import spectrum
from .models import Window, check_tile, run_tiled
from .network import CONTEXT_PX, MULTIPLE, DeblurNetwork, Shape
from .registry import Method

WEIGHTS = Path(__file__).parent / "weights"
TILE_PX = 768
DOUBT = 0.6
"""Of deconvolution by the network's radii, which are more exact than those of a map from depth."""
LEAST_SHARE, MOST_SHARE = 0.2, 0.85
"""Of deconvolution in blind deconvolution. All of it would gain .3 dB more on clean photos, and ring more on others."""
MEAN_PX, LEAST_PX = 65, 33
"""Sides of the windows over which `cautious` takes a mean, and the least radius."""


def load_embedded(method: Method) -> DeblurNetwork:
    """The network of a method of kind "embedded", on the CPU, in float32.

    Raises:
        FileNotFoundError: if the file is not there.
        ValueError: if it is not the file that belongs to this version.
    """
    assert method.weights is not None
    path = WEIGHTS / method.weights
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing. It is part of this package: install the package again.")
    if hashlib.sha256(path.read_bytes()).hexdigest() != method.sha256:
        raise ValueError(f"{path} is not the file that belongs to this version. Install the package again.")
    return read_network(path)


def read_network(path: Path) -> DeblurNetwork:
    """A network from a file that `python -m refocus_core.train.deblur export` wrote.

    Raises:
        ValueError: if it is another kind of file.
    """
    with safe_open(path, framework="pt") as file:
        about = file.metadata() or {}
        if "shape" not in about:
            raise ValueError(f"{path.name} is no file of refocus-deblur: its header does not tell the network's shape.")
        weights = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118 - no mapping
    network = DeblurNetwork(Shape.of(json.loads(about["shape"])))
    network.load_state_dict(weights)
    return network.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def run_embedded(
    network: DeblurNetwork,
    image_srgb: Tensor,
    radius_px: Tensor | None = None,
    *,
    tile_px: int | None = None,
    progress: Progress | None = None,
) -> tuple[Tensor, Tensor]:
    """Run it over a picture, in overlapping tiles that fade into each other.

    The network sees values clamped to 0..1; what was above 1 or below 0 is added to its answer again.

    Args:
        network: on the device of `image_srgb`.
        image_srgb: [B,3,H,W] float32, sRGB-encoded.
        radius_px: [B,H,W] blur radii that are known, signed or not.
        tile_px: side of a tile, at least 64; None is 768.

    Returns:
        The restored picture [B,3,H,W] and the estimated unsigned blur radius in px [B,H,W], both float32.
    """
    check_image(image_srgb, "image")
    if radius_px is not None:
        check_map(radius_px, "radius_px")
    image = image_srgb.float()

    def part(seen: Tensor, window: Window) -> Tensor:
        frame, rows, columns = window
        hint = None
        if radius_px is not None:
            sides = [-(-n // MULTIPLE) * MULTIPLE for n in seen.shape[-2:]]
            known = radius_px[frame : frame + 1, None, rows, columns].abs().float()
            known = F.pad(known, (0, sides[1] - known.shape[-1], 0, sides[0] - known.shape[-2]), "replicate")
            hint = F.avg_pool2d(known, 2)[:, 0]
        restored, radius = network(seen, hint)
        # As a change, so that a tile that changes nothing leaves the picture bit for bit as it is.
        return torch.cat([restored - seen, radius[:, None]], 1)

    made = run_tiled(
        part,
        image.clamp(0, 1),
        check_tile(tile_px, TILE_PX),
        name="refocus-deblur-s",
        overlap_px=CONTEXT_PX,
        overlap_share=4,
        step_px=spectrum.STEP_PX,
        progress=progress,
    )
    change, found = made[:, :3], made[:, 3]
    if not bool(torch.isfinite(made).all()):
        raise ValueError("refocus-deblur-s gave non-finite values. The picture or the file is damaged.")
    restored = torch.where(change == 0, image, (image.clamp(0, 1) + change).clamp(0, 1) + (image - image.clamp(0, 1)))
    return restored, found


def deconvolution_share(image_srgb: Tensor, radius_px: Tensor) -> Tensor:
    """[B], how much of blind deconvolution is deconvolution by the radii, the rest being the network's picture.

    Most where the power spectrum shows an even aperture. What poor lenses, sharpening and strong compression leave is not what
    deconvolution undoes; the network has seen some of it.

    Args:
        image_srgb: [B,3,H,W].
        radius_px: [B,H,W] unsigned.
    """
    sure = spectrum.disc_share(radius_px, color.srgb_to_linear(image_srgb.clamp(0, 1)).mean(1))
    sure = sure * sure * (3 - 2 * sure)
    return LEAST_SHARE + (MOST_SHARE - LEAST_SHARE) * sure


def cautious(radius_px: Tensor) -> Tensor:
    """Estimated radii [B,H,W] for deconvolution: none above the geometric mean around it, nor far above the least one nearby.

    With too large a radius it rings, with too small a one it only sharpens less. An estimate is least sure beside a surface of
    another radius, and there a sharp subject must not ring.
    """
    half = MEAN_PX // 2
    size, least = radius_px.clamp_min(0.3).log()[:, None], -radius_px[:, None]
    size = F.avg_pool2d(F.pad(size, (0, 0, half, half), "replicate"), (MEAN_PX, 1), 1)
    size = F.avg_pool2d(F.pad(size, (half, half, 0, 0), "replicate"), (1, MEAN_PX), 1)
    least = F.max_pool2d(least, (LEAST_PX, 1), 1, (LEAST_PX // 2, 0))
    least = F.max_pool2d(least, (1, LEAST_PX), 1, (0, LEAST_PX // 2))
    return torch.minimum(radius_px, torch.minimum(size.exp(), -1.25 * least)[:, 0])
