"""Defocus maps as pictures: read from other programs, and written for them. Numbers, not the preview for people."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from ..checks import check_kind, check_map, check_number, match_batch, same_size, single_channel
from ..optics import SHARP_RADIUS_PX
from ..types import DefocusMap, DepthMap
from .focus import FocusLike, focus_disparity

SIGNS = ("signed", "grey", "unsigned")
"""How a picture tells the sides of the focal plane; see `Encoding`."""
MIDDLE_GREY = 0.5
"""What is in focus where a picture is signed around grey."""
STEPS_OF_8_BITS = 255
"""Steps from black to white in 8 bits, which hold no middle grey: both values beside it, 127 and 128, stand for it."""
ROUNDING = 1e-4
"""Of one such step: floats that came from 8 bits differ by less. Larger takes finer pictures for 8 bits."""


@dataclass(frozen=True)
class Encoding:
    """What the values of a picture of defocus mean.

    Attributes:
        signs: "signed": 0 is in focus, the two sides have their signs; "grey": middle grey (0.5) is in focus, the sides are
            brighter and darker; "unsigned": 0 is in focus, and the picture does not tell the sides.
        measure: whether it holds radii or diameters of the circle of confusion.
        unit: whether in px of this picture, or in percent of its width.
        white: what a value of 1 stands for, in that measure and unit, above 0. For "grey", white is this and black its opposite.
        above: the side of the focal plane on which values above 0, or above middle grey, lie.

    Raises:
        ValueError: if a value is none of these.
    """

    signs: Literal["signed", "grey", "unsigned"] = "signed"
    measure: Literal["radius", "diameter"] = "radius"
    unit: Literal["px", "percent"] = "px"
    white: float = 1.0
    above: Literal["behind", "in front"] = "behind"

    def __post_init__(self) -> None:
        known = {"signs": SIGNS, "measure": ("radius", "diameter"), "unit": ("px", "percent"), "above": ("behind", "in front")}
        for name, words in known.items():
            if getattr(self, name) not in words:
                raise ValueError(f"{name} must be one of {', '.join(words)}, got {getattr(self, name)!r}.")
        check_number(self.white, "white")
        if not (math.isfinite(self.white) and self.white > 0):
            raise ValueError(f"white, what a value of 1 stands for, must be above 0, got {self.white}.")

    def radius_px(self, width_px: int) -> float:
        """Radius in px that a value of 1 stands for, in a picture of this width; < 0 where it lies in front."""
        radius = self.white * (0.5 if self.measure == "diameter" else 1.0)
        radius = radius * width_px / 100 if self.unit == "percent" else radius
        return radius if self.above == "behind" or self.signs == "unsigned" else -radius


def from_image(
    image: Tensor, encoding: Encoding | None = None, *, depth_map: DepthMap | None = None, focus: FocusLike = None
) -> DefocusMap:
    """A defocus map from a picture that holds it.

    Args:
        image: [B,C,H,W] or [B,H,W] floating point, C = 1, 3 (equal channels) or 4 (the fourth is ignored).
        encoding: what its values mean; by default signed radii in px.
        depth_map: of the same size, B maps or one. It orders the surfaces, and tells the sides where the picture does not: what
            is nearer than the focus lies in front.
        focus: for unsigned pictures, what is in focus. None: the median disparity of the sharpest pixels.

    Raises:
        TypeError: if it is not a floating-point tensor.
        ValueError: on a colour picture, NaN, infinity, negative unsigned values, a depth map that does not fit or is missing, or
            a focus that the picture does not need.
    """
    encoding = encoding or Encoding()
    values = check_map(single_channel(image, "defocus picture"), "The defocus picture")
    batch, height, width = values.shape
    disparity = None
    if depth_map is not None:
        disparity = match_batch(same_size(depth_map.disparity, height, width, "depth map"), batch, "The depth map")
    if encoding.signs != "unsigned":
        if focus is not None:
            raise ValueError("The defocus picture tells the sides of the focal plane by itself. Leave the focus out.")
        radius = (_around_grey(values) if encoding.signs == "grey" else values) * encoding.radius_px(width)
        made = DefocusMap.from_radius(radius, disparity)
    else:
        if depth_map is None or disparity is None:
            raise ValueError(
                "An unsigned defocus picture does not tell what lies in front of the focal plane. Connect the depth of the same "
                "picture, or say that its values are signed."
            )
        if float(values.min()) < 0:
            raise ValueError(
                f"An unsigned defocus picture must not be negative, got {float(values.min()):.4g}. Say that its values are "
                "signed."
            )
        radius = values * encoding.radius_px(width)
        focused = _sharpest(radius, disparity, depth_map) if focus is None else focus_disparity(depth_map, focus)
        made = DefocusMap.from_radius(torch.where(disparity > focused.view(-1, 1, 1), -radius, radius), disparity)
    return made if depth_map is None else replace(made, edge_px=depth_map.edge_px)


def to_image(defocus_map: DefocusMap, encoding: Encoding | None = None, *, fill_range: bool = False) -> tuple[Tensor, float]:
    """A defocus map as a grey picture; `from_image` reads it back.

    Args:
        encoding: what the values shall mean; by default signed radii in px.
        fill_range: white stands for the largest radius of all frames, in place of `encoding.white`.

    Returns:
        The picture [B,3,H,W] float32, not clamped, and what white stands for, in the encoding's measure and unit.

    Raises:
        TypeError: if an argument is of another kind.
    """
    check_kind(defocus_map, DefocusMap, "defocus_map")
    check_kind(encoding, (Encoding, type(None)), "encoding")
    check_kind(fill_range, bool, "fill_range")
    encoding = encoding or Encoding()
    radius = defocus_map.radius_px
    if fill_range:
        largest = float(radius.abs().max())
        one = abs(replace(encoding, white=1.0).radius_px(radius.shape[-1]))
        encoding = replace(encoding, white=largest / one if largest > 0 else 1.0)
    values = radius / encoding.radius_px(radius.shape[-1])
    if encoding.signs == "unsigned":
        values = values.abs()
    elif encoding.signs == "grey":
        values = MIDDLE_GREY * (1 + values)
    return values[:, None].expand(-1, 3, -1, -1).contiguous(), encoding.white


def _around_grey(values: Tensor) -> Tensor:
    """Values around middle grey as -1..1; in a picture of 8 bits the two values beside middle grey are 0."""
    steps = values * STEPS_OF_8_BITS
    from_grey = values - MIDDLE_GREY
    if bool(((steps - steps.round()).abs() <= ROUNDING).all()):
        from_grey = torch.where(from_grey.abs() * STEPS_OF_8_BITS < 1, torch.zeros_like(from_grey), from_grey)
    return from_grey / MIDDLE_GREY


def _sharpest(radius_px: Tensor, disparity: Tensor, depth_map: DepthMap) -> Tensor:
    """[B] median disparity of what is as sharp as can be seen, among the pixels with known depth."""
    known = torch.ones_like(radius_px, dtype=torch.bool)
    if depth_map.valid is not None:
        known = depth_map.valid.expand_as(known)
    found: list[Tensor] = []
    for radius, d, ok in zip(radius_px, disparity, known, strict=True):
        if not bool(ok.any()):
            raise ValueError("No pixel has known depth, so it cannot tell the sides of the focal plane. Use another depth map.")
        found.append(d[ok & (radius <= radius[ok].min() + SHARP_RADIUS_PX)].median())
    return torch.stack(found)
