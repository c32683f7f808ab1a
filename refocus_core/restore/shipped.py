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
from ..checks import check_image, check_map
from ..types import Progress
from . import spectrum
from .methods import Method
from .network import CLOSED_PX, CONTEXT_PX, MULTIPLE, DeblurNetwork, Shape
from .restoration_model import Window, check_tile, run_tiled

WEIGHTS = Path(__file__).parent / "weights"
TILE_PX = 768
LEADS = (2.5, 7.0)
"""`spectrum.disc_lead` up to which nothing speaks for an even aperture, and from which it is certain."""
SHARES = (0.45, 1.0)
DOUBTS = (1.3, 0.13)
"""Of deconvolution in blind deconvolution, without and with that certainty."""
LEAST_PX, OVER_LEAST = 17, 1.25
"""Side of the windows over which `cautious` takes the least radius, and how far above it a radius may be."""


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
    found = spectrum.refined(found, color.srgb_to_linear(image.clamp(0, 1)).mean(1), CLOSED_PX)
    restored = torch.where(change == 0, image, (image.clamp(0, 1) + change).clamp(0, 1) + (image - image.clamp(0, 1)))
    return restored, found


def certainty(image_srgb: Tensor, radius_px: Tensor) -> Tensor:
    """[B], 0 to 1, how surely a picture shows the blur of an even aperture, which deconvolution undoes.

    Less of it than the network's picture is wanted where poor lenses, sharpening, tone curves, noise or strong compression have
    filled the zeros of the disc: of such the network has seen some.

    Args:
        image_srgb: [B,3,H,W].
        radius_px: [B,H,W] unsigned.
    """
    lead = spectrum.disc_lead(radius_px, color.srgb_to_linear(image_srgb.clamp(0, 1)).mean(1))
    return ((lead - LEADS[0]) / (LEADS[1] - LEADS[0])).clamp(0, 1)


def cautious(radius_px: Tensor) -> Tensor:
    """Estimated radii [B,H,W] for deconvolution: none far above the least one nearby.

    With too large a radius it rings, with too small a one it only sharpens less. An estimate is least sure beside a surface of
    another radius, and there a sharp subject must not ring.
    """
    half = LEAST_PX // 2
    least = F.max_pool2d(-radius_px[:, None], (LEAST_PX, 1), 1, (half, 0))
    least = F.max_pool2d(least, (1, LEAST_PX), 1, (0, half))
    return torch.minimum(radius_px, -OVER_LEAST * least[:, 0])
