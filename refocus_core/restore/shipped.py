"""`refocus-deblur-s`, the network whose weights ship in this package: its file, and a run over a whole picture."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from .. import color, images
from ..checks import check_image, check_map, match_batch, same_size
from ..models import WeightsMismatchError, locate, models_for, read_header, read_safetensors, verify
from ..progress import shares
from ..types import Progress, Restored
from . import spectrum
from .filter_bank import MULTIPLE
from .network import CLOSED_PX, CONTEXT_PX, DeblurNetwork, Shape
from .request import Request
from .tiling import Window, check_tile, run_tiled

ENTRY = models_for("deblur")["refocus-deblur-s"]
"""The network's record in the registry."""
TILE_PX = 768
"""Side of a tile where none is given. Larger ones need more memory and compute less twice."""
OVERLAP_SHARE = 4
"""Neighbouring tiles share what the network sees around a pixel, or this part of a tile where that is less: small tiles that
shared more would take several times as long."""
FLAT_PX = 8
"""A pixel stays as it is where nothing at all differs from it within this distance: no blur is to be undone there. More changes
more of drawn or clipped areas, by a third of an 8-bit step."""
WORK = (9.0, 1.0)
"""What the network's tiles and the refinement of its radii take of the time."""


def locate_shipped(folders: Iterable[str | Path] = ()) -> Path:
    """Path of the network's file: in the package, else in the model folders.

    Raises:
        WeightsMissingError: if it is not there.
    """
    (path,) = locate(ENTRY, folders)
    return path


def load_shipped(path: Path | None = None) -> DeblurNetwork:
    """The network from its file, on the CPU, in float32.

    Raises:
        WeightsMissingError: if the file is not there.
        WeightsMismatchError: if it is not the file that belongs to this version.
    """
    file = path or locate_shipped()
    verify(file, ENTRY.files[0])
    return read_network(file)


def read_network(path: Path) -> DeblurNetwork:
    """A network from a file that `python -m refocus_core.train.deblur export` wrote.

    Raises:
        WeightsMismatchError: if it is another kind of file.
    """
    shape = read_header(path).get("shape")
    if shape is None:
        raise WeightsMismatchError(f"{path.name} is no file of refocus-deblur: its header does not tell the network's shape.")
    network = DeblurNetwork(Shape.of(json.loads(shape)))
    network.load_state_dict({name: value.float() for name, value in read_safetensors(path).items()})
    return network.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def run(request: Request) -> Restored:
    """`all_in_focus` by this method."""
    result, radius = run_network(
        deblur_network(request), request.image, request.radius_px(), tile_px=request.tile_px, progress=request.progress
    )
    return Restored(request.mixed(result), radius)


def deblur_network(request: Request) -> DeblurNetwork:
    """The request's network, which `all_in_focus` has checked."""
    assert isinstance(request.network, DeblurNetwork)
    return request.network


def run_network(
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
        progress: called before each layer and after each tile.

    Returns:
        The restored picture [B,3,H,W] and the estimated unsigned blur radius in px [B,H,W], both float32.

    Raises:
        TypeError, ValueError: on a wrong picture, map or tile size, or if the network gives non-finite values.
    """
    batch, _, h, w = check_image(image_srgb, "image").shape
    if radius_px is not None:
        radius_px = match_batch(same_size(check_map(radius_px, "radius_px"), h, w, "defocus map"), batch, "The defocus map")
    image = image_srgb.float()
    inside = image.clamp(0, 1)

    tiles, refinement = shares(progress, WORK)

    def run_tile(tile: Tensor, window: Window, progress: Progress) -> Tensor:
        hint = None if radius_px is None else _hint(radius_px, window)
        restored, radius = network(tile, hint, progress=progress)
        # As a change, so that a tile that changes nothing leaves the picture bit for bit as it is.
        return torch.cat([restored - tile, radius[:, None]], 1)

    answer = run_tiled(
        run_tile,
        inside,
        check_tile(tile_px, TILE_PX),
        name=ENTRY.name,
        overlap_px=CONTEXT_PX,
        overlap_share=OVERLAP_SHARE,
        step_px=spectrum.STEP_PX,
        progress=tiles,
    )
    if not bool(torch.isfinite(answer).all()):
        raise ValueError(f"{ENTRY.name} gave non-finite values. The picture or the file is damaged.")
    change, estimate = answer[:, :3], answer[:, 3]
    radius = spectrum.refined(estimate, color.srgb_to_linear(inside).mean(1), CLOSED_PX, refinement)
    change = torch.where(images.window_range(inside, FLAT_PX).amax(1, keepdim=True) > 0, change, 0)
    restored = torch.where(change == 0, image, (inside + change).clamp(0, 1) + (image - inside))
    return restored, radius


def _hint(radius_px: Tensor, window: Window) -> Tensor:
    """[1,h,w] unsigned radii of a tile at half its size, as the network takes them."""
    frame, rows, columns = window
    known = radius_px[frame : frame + 1, None, rows, columns].abs().float()
    below, right = (-n % MULTIPLE for n in known.shape[-2:])
    return F.avg_pool2d(F.pad(known, (0, right, 0, below), "replicate"), 2)[:, 0]
