"""What every room asks of the tensors that it is given; each error names the input and the remedy."""

from __future__ import annotations

import math
from numbers import Real

import torch
from torch import Tensor

_GREY_SPREAD = 0.05
"""Channels of a grey picture differ by at most this share of its largest value. More lets pale colour maps pass for grey."""
_COLOURED_SHARE = 0.01
"""Share of the pixels that may differ more, as compression makes some. More lets small coloured things in."""
_LEAST_SCALE = 1e-6
"""Least value that the differences are compared with, so that a black picture is grey."""
_LARGEST = torch.finfo(torch.float32).max
"""Largest number of float32, which tensors hold."""
LEAST_M = 1e-6
"""Least distance from the camera, and least length of a unit, in metres: none is shorter, and float32 holds 1/m of it."""


def check_image(image: Tensor, name: str = "image") -> Tensor:
    """Return `image` if it is a finite floating-point [B,3,H,W] tensor with at least one pixel.

    Raises:
        TypeError: if it is not a floating-point tensor.
        ValueError: if the shape is wrong, it is empty, or it holds NaN or infinity.
    """
    if not isinstance(image, Tensor) or not image.is_floating_point():
        raise TypeError(f"{name} must be a floating-point tensor [B,3,H,W], got {_describe(image)}.")
    if image.ndim != 4 or image.shape[1] != 3 or image.numel() == 0:
        raise ValueError(f"{name} must have the shape [B,3,H,W] with at least one pixel, got {list(image.shape)}.")
    if not bool(torch.isfinite(image).all()):
        raise ValueError(f"{name} holds NaN or infinite values. Repair the picture before this step (clamp it, or re-export it).")
    return image


def check_map(values: Tensor, name: str, *, finite: bool = True) -> Tensor:
    """Return `values` if it is a floating-point [B,H,W] tensor with at least one pixel, finite unless told otherwise.

    Raises:
        TypeError: if it is not a floating-point tensor.
        ValueError: if the shape is wrong, it is empty, or (with `finite`) it holds NaN or infinity.
    """
    if not isinstance(values, Tensor) or not values.is_floating_point():
        raise TypeError(f"{name} must be a floating-point tensor [B,H,W], got {_describe(values)}.")
    if values.ndim != 3 or values.numel() == 0:
        raise ValueError(f"{name} must have the shape [B,H,W] with at least one pixel, got {list(values.shape)}.")
    if finite and not bool(torch.isfinite(values).all()):
        raise ValueError(f"{name} holds NaN or infinite values. Mark those pixels as invalid or fill them first.")
    return values


def check_number(value: object, name: str) -> None:
    """Refuse what is no number that a float32 holds; NaN and infinity pass, which the caller's own limits are for.

    Raises:
        TypeError: if it is no real number.
        ValueError: if it is too large.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, got {_describe(value)}.")
    try:
        number = float(value)
    except OverflowError:
        number = _LARGEST + _LARGEST
    if _LARGEST < abs(number) < math.inf:
        raise ValueError(f"{name} is a number too large for any use.")


def check_kind(value: object, kind: type | tuple[type, ...], name: str) -> None:
    """Refuse what is not of the wanted kind.

    Raises:
        TypeError: if it is of another one.
    """
    if not isinstance(value, kind):
        kinds = kind if isinstance(kind, tuple) else (kind,)
        words = " or ".join("None" if k is type(None) else k.__name__ for k in kinds)
        raise TypeError(f"{name} must be of type {words}, got {_describe(value)}.")


def match_batch(values: Tensor, batch: int, name: str) -> Tensor:
    """Expand a leading dimension of 1 to `batch`.

    Raises:
        ValueError: if it is neither 1 nor `batch`.
    """
    if values.shape[0] == batch:
        return values
    if values.shape[0] != 1:
        raise ValueError(f"{name} has {values.shape[0]} frames but the picture has {batch}. Give one frame, or one for each.")
    return values.expand(batch, *values.shape[1:])


def same_size(values: Tensor, height: int, width: int, name: str) -> Tensor:
    """Return `values` [...,H,W] if its last two dimensions are the picture's.

    Raises:
        ValueError: if they are not.
    """
    if values.shape[-2:] != (height, width):
        raise ValueError(
            f"The {name} is {values.shape[-1]}x{values.shape[-2]} px but the picture is {width}x{height} px. "
            f"Resize the {name} to the picture."
        )
    return values


def check_range(near_m: float, far_m: float) -> None:
    """Refuse distances in metres that are not `LEAST_M` <= near_m < far_m; far_m may be infinite.

    Raises:
        ValueError: if they are not.
    """
    if not (0 < near_m < far_m and math.isfinite(near_m)):
        raise ValueError(f"near_m must be above 0 and below far_m (both in metres), got near_m={near_m:g} and far_m={far_m:g}.")
    if near_m < LEAST_M:
        raise ValueError(f"near_m must be at least {LEAST_M:g} m, got {near_m:g}.")


def single_channel(image: Tensor, name: str) -> Tensor:
    """The numbers [B,H,W] float32 that a grey picture [B,C,H,W] or [B,H,W] holds; NaN and infinity included.

    Args:
        image: floating point, C = 1, 3 (equal channels, but for compression noise) or 4 (the fourth is ignored).
        name: what it is, such as "depth picture".

    Raises:
        TypeError: if it is not a floating-point tensor.
        ValueError: if the shape is wrong or the picture is in colour.
    """
    if not isinstance(image, Tensor) or not image.is_floating_point():
        raise TypeError(f"The {name} must be a floating-point tensor [B,C,H,W], got {_describe(image)}.")
    if image.ndim == 3:
        image = image[:, None]
    if image.ndim != 4 or image.shape[1] not in (1, 3, 4) or image.numel() == 0:
        raise ValueError(f"The {name} must have the shape [B,C,H,W] with 1, 3 or 4 channels, got {list(image.shape)}.")
    rgb = image[:, :3].float()
    first = rgb[:, 0]
    if rgb.shape[1] == 1:
        return first
    spread = (rgb.amax(1) - rgb.amin(1)).nan_to_num(0.0, 0.0, 0.0)
    # Compared with the values' own size: a map in metres or px is not limited to 0..1.
    finite = first[torch.isfinite(first)]
    scale = finite.abs().max().clamp_min(_LEAST_SCALE) if finite.numel() else first.new_tensor(1.0)
    if float(spread.max()) == 0:
        return first
    if float((spread > _GREY_SPREAD * scale).float().mean()) > _COLOURED_SHARE:
        raise ValueError(
            f"The {name} is in colour. A colour map cannot be read back into numbers: connect the grey picture, or the raw "
            "values of the node that made it."
        )
    return rgb.mean(1)  # grey with compression noise in its channels


def _describe(value: object) -> str:
    return f"a {value.dtype} tensor" if isinstance(value, Tensor) else type(value).__name__
