"""Where the focus lies: a point, a mask, a distance, a disparity, or found automatically.

Whatever is chosen, the answer is one disparity per frame, taken over an area and never from one pixel: a single pixel may
lie on a depth edge or be an outlier. Pixels that `DepthMap.valid` excludes take no part.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .. import images
from ..checks import LEAST_M, check_image, check_kind, check_map, check_number, match_batch
from ..color import luminance
from ..types import DepthMap

_VOTES = 256
"""About so many pixels of the long edge vote in automatic focus. More find smaller things, and noise."""
_PLACE = 9
"""Votes across one place, odd: detail is taken over it. Larger: smoother skin counts with the eyes in it, edges reach farther."""
_MOST_DETAIL = 4.0
"""Detail counts up to this multiple of the mean. More lets single lights and letters decide."""
_NO_DETAIL = 1e-5
"""A photo with less on average has none: rounding alone. The steps of 8 bits are a hundred times as much."""
_LEAST_DETAIL = 0.1
"""What a place without any detail counts for, as a share of the mean. Less ignores skies and walls altogether."""


@dataclass(frozen=True)
class FocusPoint:
    """Median disparity in a small disc around a point.

    Attributes:
        x, y: position in 0..1 of the width from the left and of the height from the top.
        radius: radius of the disc as a fraction of the long edge, 0..0.5. The pixel under the point always counts.

    The point stays where it is in every frame of a clip, and each frame focuses on what it finds there.

    Raises:
        ValueError: if a value is out of its range.
    """

    x: float = 0.5
    y: float = 0.5
    radius: float = 0.01

    def __post_init__(self) -> None:
        for name in ("x", "y"):
            value = getattr(self, name)
            check_number(value, f"FocusPoint.{name}")
            if not 0 <= value <= 1:
                raise ValueError(
                    f"FocusPoint.{name} must lie in 0..1 (a fraction of the picture's width or height, not pixels), got {value}."
                )
        check_number(self.radius, "FocusPoint.radius")
        if not 0 <= self.radius <= 0.5:
            raise ValueError(f"FocusPoint.radius must lie in 0..0.5 (a fraction of the long edge), got {self.radius}.")


@dataclass(frozen=True)
class FocusBetween:
    """Everything between two surfaces, each measured by a point: the focal plane lies in the middle of their disparities.

    `from_lens` keeps the whole way from one to the other sharp (see `focus_half_width`), and `focus_range` widens it.
    """

    first: FocusPoint
    second: FocusPoint

    def __post_init__(self) -> None:
        check_kind(self.first, FocusPoint, "FocusBetween.first")
        check_kind(self.second, FocusPoint, "FocusBetween.second")


@dataclass(frozen=True, eq=False)
class FocusMask:
    """Median disparity of the pixels whose mask value is above 0.5.

    Attributes:
        mask: [H,W] or [B,H,W] in 0..1, one for all frames or one for each. A mask of another size but the same shape of
            frame is resampled to the depth map's size (by area, so that thin strokes are not lost).
    """

    mask: Tensor

    def __post_init__(self) -> None:
        check_kind(self.mask, Tensor, "FocusMask.mask")


@dataclass(frozen=True)
class FocusDistance:
    """A distance from the camera in metres, above 0; infinity is allowed. Needs depth in metres.

    Raises:
        ValueError: if it is not above 0.
    """

    distance_m: float

    def __post_init__(self) -> None:
        check_number(self.distance_m, "FocusDistance.distance_m")
        if not self.distance_m >= LEAST_M:  # also refuses NaN
            raise ValueError(f"FocusDistance.distance_m must be above 0 m (at least {LEAST_M:g}), got {self.distance_m}.")


@dataclass(frozen=True)
class FocusDisparity:
    """A disparity in the depth map's own unit (1/m where metric, else 0..1), >= 0.

    Raises:
        ValueError: if it is negative or not finite.
    """

    disparity: float

    def __post_init__(self) -> None:
        check_number(self.disparity, "FocusDisparity.disparity")
        if not (math.isfinite(self.disparity) and self.disparity >= 0):
            raise ValueError(f"FocusDisparity.disparity must be finite and not negative, got {self.disparity}.")


@dataclass(frozen=True, eq=False)
class FocusAuto:
    """The nearest surface that is prominent in the middle of the picture, and sharp in the photo.

    Pixels vote with a Gaussian weight around the centre into a histogram of disparity; with a photo, that weight is multiplied
    by the square of how much fine detail it has there, as its camera was focused on the subject. Of the histogram's peaks,
    those that hold at least `prominence` times as much as the largest one count as surfaces; the nearest of them is in focus,
    at the weighted median of its pixels. A floor that runs through all distances makes no peak; a small near object at the
    border does not count.

    Attributes:
        prominence: 0..1; lower values accept smaller near objects.
        photo: [1,3,H,W] or [B,3,H,W] sRGB in 0..1, one for all frames or one for each, or None. Brought to the depth's size.

    Raises:
        ValueError: if `prominence` is not within 0..1.
    """

    prominence: float = 0.5
    photo: Tensor | None = None

    def __post_init__(self) -> None:
        check_number(self.prominence, "FocusAuto.prominence")
        if not 0 <= self.prominence <= 1:
            raise ValueError(f"FocusAuto.prominence must lie in 0..1, got {self.prominence}.")


Focus = FocusPoint | FocusBetween | FocusMask | FocusDistance | FocusDisparity | FocusAuto
FocusLike = Focus | tuple[float, float] | Tensor | float | str | None
"""What `from_lens` accepts: a `Focus`, or short for one: (x, y) a point, a tensor a mask, a number metres, None or "auto"."""


def as_focus(focus: FocusLike) -> Focus:
    """Resolve the shorthand of `FocusLike`.

    Raises:
        TypeError: for anything else.
    """
    if isinstance(focus, (FocusPoint, FocusBetween, FocusMask, FocusDistance, FocusDisparity, FocusAuto)):
        return focus
    if focus is None or focus == "auto":
        return FocusAuto()
    if isinstance(focus, Tensor):
        return FocusMask(focus)
    if isinstance(focus, tuple) and len(focus) == 2:
        return FocusPoint(*focus)
    if isinstance(focus, (int, float)) and not isinstance(focus, bool):
        return FocusDistance(focus)
    raise TypeError(
        f"focus must be (x, y) in 0..1, a mask tensor, a distance in metres, None, or a Focus... object, got {focus!r:.80}."
    )


def focus_disparity(depth_map: DepthMap, focus: FocusLike = None) -> Tensor:
    """Disparity [B] that `focus` selects in `depth_map`, in the map's unit.

    Raises:
        TypeError: if `focus` is none of `FocusLike`.
        ValueError: if nothing is selected (empty mask, only invalid depth there), a mask does not fit, or a distance is given
            but the map is not metric.
    """
    focus = as_focus(focus)
    d = depth_map.disparity
    if isinstance(focus, FocusDistance):
        if not depth_map.metric:
            raise ValueError(
                "A focus distance in metres needs depth in metres, but this depth is relative. Give the depth near_m and "
                "far_m, the distances of the nearest and the farthest thing, or focus by point or mask."
            )
        return d.new_full((d.shape[0],), 1.0 / focus.distance_m)
    if isinstance(focus, FocusDisparity):
        return d.new_full((d.shape[0],), focus.disparity)
    valid = torch.ones_like(d, dtype=torch.bool) if depth_map.valid is None else depth_map.valid
    if isinstance(focus, FocusAuto):
        sharp = None if focus.photo is None else _detail(focus.photo, d)
        return torch.stack(
            [_auto(d[i], valid[i], focus.prominence, None if sharp is None else sharp[i]) for i in range(d.shape[0])]
        )
    if isinstance(focus, FocusBetween):
        return (focus_disparity(depth_map, focus.first) + focus_disparity(depth_map, focus.second)) / 2
    if isinstance(focus, FocusPoint):
        selected = images.disc(focus.x, focus.y, focus.radius, d) & valid
        missing = (
            f"There is no known depth around the focus point ({focus.x:g}, {focus.y:g}){{frame}}. "
            "Choose another point or a larger focus radius."
        )
    else:
        selected = _resampled(focus.mask, d) & valid
        missing = "The focus mask covers only pixels without known depth{frame}. Paint it over a surface that has depth."
    return _medians(d, selected, missing)


def focus_half_width(depth_map: DepthMap, focus: FocusLike = None) -> Tensor:
    """Half the width [B] of what `focus` wants sharp around its disparity, in the map's unit; 0 for a single plane.

    Raises:
        TypeError, ValueError: as `focus_disparity`.
    """
    focus = as_focus(focus)
    if isinstance(focus, FocusBetween):
        return (focus_disparity(depth_map, focus.first) - focus_disparity(depth_map, focus.second)).abs() / 2
    return depth_map.disparity.new_zeros(depth_map.disparity.shape[0])


def _medians(d: Tensor, selected: Tensor, missing: str) -> Tensor:
    out: list[Tensor] = []
    for i in range(d.shape[0]):
        values = d[i][selected[i]]
        if values.numel() == 0:
            raise ValueError(missing.format(frame=f" in frame {i}" if d.shape[0] > 1 else ""))
        # torch.median takes the lower of two middle values: always the disparity of a surface that is really there.
        out.append(values.median())
    return torch.stack(out)


def _resampled(mask: Tensor, d: Tensor) -> Tensor:
    """The focus mask as bool [B,H,W] at the size of `d`.

    Raises:
        ValueError: if it is empty or its frame has another shape than that of `d`.
    """
    if isinstance(mask, Tensor) and not mask.is_floating_point():
        mask = mask.float()
    mask = check_map(mask[None] if mask.ndim == 2 else mask, "focus mask")
    h, w = d.shape[-2:]
    on = (mask.to(d.device) > 0.5).float()
    empty = [i for i in range(on.shape[0]) if not bool(on[i].any())]
    if empty:
        where = f" in frame {empty[0]}" if on.shape[0] > 1 else ""
        raise ValueError(
            f"The focus mask is empty{where}: no value is above 0.5. Paint the mask over what shall be sharp, "
            "or focus by point instead."
        )
    if on.shape[-2:] != d.shape[-2:]:
        on = images.fit_mask(on, h, w, "focus mask")
        if not bool(on.flatten(1).any(1).all()):  # nearest can miss a stroke when one side grows and the other shrinks
            raise ValueError(f"Nothing is left of the focus mask at the size of the depth map ({w} x {h}). Paint a larger area.")
        on = on / on.amax((1, 2), keepdim=True)  # a stroke thinner than a pixel still counts
    return match_batch(on > 0.5, d.shape[0], "focus mask")


def _detail(photo: Tensor, d: Tensor) -> Tensor:
    """Fine detail of the photo around each pixel of the grid of `_auto`: [B,h,w], 1 in the mean, `_MOST_DETAIL` at most.

    Detail is what a mean over 3 × 3 px takes away, as a root mean square over what counts as one place.

    Raises:
        ValueError: if the photo is none, or its batch is not that of the depth.
    """
    check_image(photo)
    photo = match_batch(photo, d.shape[0], "photo for automatic focus")
    if photo.shape[-2:] != d.shape[-2:]:
        photo = images.resized(photo, (d.shape[-2], d.shape[-1]))
    light = luminance(photo.cpu().float())
    fine = (light - F.avg_pool2d(F.pad(light, (1, 1, 1, 1), mode="replicate"), 3, 1)).square()
    stride = _stride(d)
    places = F.avg_pool2d(fine, stride, ceil_mode=True)
    reach = _PLACE // 2
    amount = F.avg_pool2d(F.pad(places, (reach,) * 4, mode="replicate"), _PLACE, 1)[:, 0].sqrt()
    mean = amount.mean((1, 2), keepdim=True)
    return torch.where(mean > _NO_DETAIL, amount / mean, torch.ones_like(amount)).clamp_max(_MOST_DETAIL).double()


def _stride(d: Tensor) -> int:
    """Every how manieth pixel votes: a surface that matters is larger than that."""
    return max(1, max(d.shape[-2:]) // _VOTES)


def _auto(d: Tensor, valid: Tensor, prominence: float, sharp: Tensor | None) -> Tensor:
    """See `FocusAuto`; one frame [H,W] -> scalar. On the CPU, so that every device gives the same answer."""
    stride = _stride(d)
    values = d[::stride, ::stride].cpu().double()
    ok = valid[::stride, ::stride].cpu()
    if not bool(ok.any()):
        raise ValueError("Automatic focus found no pixel with known depth. Focus by distance, or use another depth map.")
    sh, sw = values.shape
    y = (torch.arange(sh, dtype=torch.float64).view(-1, 1) + 0.5) / sh - 0.5
    x = (torch.arange(sw, dtype=torch.float64).view(1, -1) + 0.5) / sw - 0.5
    weight = torch.exp(-(x.square() + y.square()) / (2 * 0.25**2))  # sigma: a quarter of each edge
    if sharp is not None:
        weight = weight * (_LEAST_DETAIL + sharp).square()
    weight = weight[ok]
    values = values[ok]
    lo, hi = values.min(), values.max()
    if bool(hi <= lo):
        return hi.to(d)
    bins, reach = 64, 2  # a surface spans reach bins on both sides: 5/64 = 8 % of the scene's disparity
    index = ((values - lo) / (hi - lo) * bins).long().clamp_max(bins - 1)
    histogram = torch.zeros(bins, dtype=torch.float64).index_add_(0, index, weight)
    mass = F.conv1d(histogram.view(1, 1, -1), torch.ones(1, 1, 2 * reach + 1, dtype=torch.float64), padding=reach).view(-1)
    # A peak holds no less than anything within its reach.
    top = F.max_pool1d(mass.view(1, 1, -1), 2 * reach + 1, 1, reach).view(-1)
    peaks = torch.nonzero((mass >= top) & (mass >= prominence * mass.max())).view(-1)
    nearest = int(peaks.max())
    member = (index - nearest).abs() <= reach
    order = values[member].argsort()
    share = weight[member][order].cumsum(0)
    middle = int(torch.searchsorted(share, share[-1] / 2))
    return values[member][order][middle].to(d)
