"""One range of depth for a clip whose frames come one after another.

A network gives each frame a scale and an offset of its own, and a clip that took each frame's own range would pump. So each frame
gets a scale and a shift that lay it onto the frames before it, and in the end one range holds for all. Frames are compared small;
what moves or comes into view is outvoted by what stays.

The scale is the ratio of weighted spreads, not the slope of a regression: noise makes slopes too flat, and over hundreds of
frames that would add up until the depth is flat. For the same reason a frame is laid onto each of the last frames, not onto
their mean.
"""

from __future__ import annotations

import statistics
from collections import deque
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..checks import check_image
from ..types import DepthMap
from .model import DepthModel, FrameDepth
from .ranges import FLAT, fill, robust_range

SMALL_PX = 96
"""Longest side at which frames are compared. More is slower, and says little more."""
LAST_FRAMES = 4
"""How many frames a frame is laid onto. More outlasts a bad frame, and follows a moving camera later."""
CUT_CORRELATION = 0.5
"""Weighted correlation below which two frames do not show one scene: a cut."""
_ROUNDS = 12
"""Rounds of reweighting. More changes the fourth digit."""
_SPREAD = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""
_FLAT_SHARE = 1e-6
"""Spans of disparity below this share of its size are rounding."""


class Affine(NamedTuple):
    """value * scale + shift."""

    scale: float
    shift: float


@dataclass(frozen=True)
class ClipScale:
    """Scale and shift of every frame, and the range of the clip.

    Attributes:
        frames: of each frame.
        low, high: farthest and nearest disparity of the clip after that, less outliers.
        focal_px: focal length in px for the whole clip, or None.
    """

    frames: tuple[Affine, ...]
    low: float
    high: float
    focal_px: float | None = None

    @classmethod
    def of(cls, values: dict[str, Any]) -> ClipScale:
        """From what `dataclasses.asdict` gives, also by way of JSON.

        Raises:
            KeyError, TypeError, ValueError: if it is none.
        """
        frames = tuple(Affine(*map(float, frame)) for frame in values["frames"])
        return cls(frames, float(values["low"]), float(values["high"]), values["focal_px"])

    def relative(self, number: int, value: float) -> float:
        """A disparity of a network's frame as the clip's 0..1."""
        own = self.frames[number]
        span = self.high - self.low
        if span <= _FLAT_SHARE * max(abs(self.low), abs(self.high)):
            return FLAT
        return min(max((own.scale * value + own.shift - self.low) / span, 0.0), 1.0)

    def depth_map(self, number: int, found: FrameDepth, model: DepthModel) -> DepthMap:
        """Depth of one frame on the clip's range: relative, or in 1/m from a model that knows metres.

        Args:
            number: the frame's, from 0.
            found: what the network says of it.
            model: the network.
        """
        own = self.frames[number]
        raw = found.disparity.float()[None]
        known = torch.isfinite(raw) & (raw >= 0)
        disparity = fill(raw, known) * own.scale + own.shift
        focal = None if self.focal_px is None else disparity.new_tensor([self.focal_px])
        valid = None if bool(known.all()) else known
        if model.metric:
            span = self.low, self.high
            return DepthMap(disparity.clamp_min(0), True, focal, valid, model.name, known_range=span, edge_px=found.edge_px)
        extent = self.high - self.low
        if extent <= _FLAT_SHARE * max(abs(self.low), abs(self.high)):
            disparity = torch.full_like(disparity, FLAT)
        else:
            disparity = ((disparity - self.low) / extent).clamp(0, 1)
        return DepthMap(disparity, False, focal, valid, model.name, edge_px=found.edge_px)


def frame_depth(model: DepthModel, image_srgb: Tensor) -> FrameDepth:
    """What the network says of one frame [1,3,H,W], on the frame's device.

    Raises:
        TypeError, ValueError: if it is not a finite picture.
        RuntimeError: if the network gives no finite value.
    """
    check_image(image_srgb)
    with torch.inference_mode():
        disparity, focal_px, edge_px = model(image_srgb[0], None)
    disparity = disparity.clone().to(device=image_srgb.device, dtype=torch.float32)
    if not bool((torch.isfinite(disparity) & (disparity >= 0)).any()):
        raise RuntimeError(f"{model.name} gave no finite depth for this frame. Leave the frame out, or use another model.")
    return FrameDepth(disparity, focal_px, edge_px)


class ClipAligner:
    """Takes the frames of a clip one after another, in constant memory, and gives the `ClipScale` of all.

    Args:
        metric: whether the network gives 1/m, which has a scale that may be off, but no offset.
    """

    def __init__(self, metric: bool) -> None:
        self._metric = metric
        self._last: deque[Tensor] = deque(maxlen=LAST_FRAMES)
        self._frames: list[Affine] = []
        self._focal_px: list[float] = []
        self._low, self._high = float("inf"), -float("inf")

    def add(self, found: FrameDepth, *, cut: bool = False) -> Affine:
        """Take the next frame; its scale and shift. After a `cut` it is laid onto none before it."""
        if cut:
            self._last.clear()
        raw = found.disparity
        known = torch.isfinite(raw) & (raw >= 0)
        low, high = robust_range(raw[known])
        small = _small(raw, known)
        own = self._fitted(small, low, high)
        self._frames.append(own)
        self._last.append(small * own.scale + own.shift)
        self._low = min(self._low, low * own.scale + own.shift)
        self._high = max(self._high, high * own.scale + own.shift)
        if found.focal_px is not None:
            self._focal_px.append(found.focal_px)
        return own

    def _fitted(self, small: Tensor, low: float, high: float) -> Affine:
        fits = [_fit(small, other, self._metric) for other in self._last]
        same = [fit for fit, correlation in fits if correlation >= CUT_CORRELATION]
        if len(same) * 2 > len(fits):
            return Affine(statistics.median(f.scale for f in same), statistics.median(f.shift for f in same))
        self._last.clear()
        if self._metric or not self._frames or high - low <= _FLAT_SHARE * max(abs(low), abs(high)):
            return Affine(1.0, 0.0)
        scale = (self._high - self._low) / (high - low)  # a cut: nothing to lay it onto, so it fills the clip's range
        return Affine(scale, self._low - scale * low) if scale > 0 else Affine(1.0, 0.0)

    def result(self) -> ClipScale:
        """The scales and the range of the frames so far.

        Raises:
            ValueError: if there is none.
        """
        if not self._frames:
            raise ValueError("The clip has no frame. Give a clip with at least one picture.")
        focal_px = statistics.median(self._focal_px) if self._focal_px else None
        low = max(self._low, 0.0) if self._metric else self._low
        return ClipScale(tuple(self._frames), low, self._high, focal_px)


def _small(raw: Tensor, known: Tensor) -> Tensor:
    """[n] float64 on the CPU, NaN where nothing is known."""
    share = SMALL_PX / max(raw.shape)
    height, width = (max(1, min(n, round(n * share))) for n in raw.shape)
    size = height, width
    weight = F.adaptive_avg_pool2d(known.float()[None], size)
    value = F.adaptive_avg_pool2d(torch.where(known, raw, torch.zeros_like(raw))[None], size)
    return torch.where(weight > 0, value / weight.clamp_min(1e-9), torch.nan).flatten().cpu().double()


def _fit(x: Tensor, y: Tensor, through_zero: bool) -> tuple[Affine, float]:
    """Scale and shift from x to y [n] each, robust against a minority of others, and their weighted correlation.

    Weights are those of Geman and McClure; the scale comes from weighted spreads, see above.
    """
    both = torch.isfinite(x) & torch.isfinite(y)
    x, y = x[both], y[both]
    if x.numel() < 2:
        return Affine(1.0, 0.0), 0.0
    middle_x, middle_y = x.median(), y.median()
    spread_x, spread_y = (x - middle_x).abs().median(), (y - middle_y).abs().median()
    tiny = _FLAT_SHARE * float(torch.maximum(x.abs().max(), y.abs().max()).clamp_min(1e-12))
    if float(x.max() - x.min()) <= tiny or float(y.max() - y.min()) <= tiny:
        return Affine(1.0, float(middle_y - middle_x) if not through_zero else 0.0), 1.0
    scale = float(spread_y / spread_x) if spread_x > tiny else float(y.std() / x.std())
    if through_zero:
        scale = float(middle_y / middle_x) if middle_x > tiny else 1.0
    shift = 0.0 if through_zero else float(middle_y - scale * middle_x)
    weight = torch.ones_like(x)
    for _ in range(_ROUNDS):
        off = (y - scale * x - shift).abs()
        noise = (_SPREAD * off.median()).clamp_min(tiny)
        weight = 1 / (1 + (off / (2 * noise)).square()).square()
        weight = weight / weight.sum()
        if through_zero:
            scale = float(((weight * y.square()).sum() / (weight * x.square()).sum()).sqrt())
            continue
        mean_x, mean_y = (weight * x).sum(), (weight * y).sum()
        var_x, var_y = (weight * (x - mean_x).square()).sum(), (weight * (y - mean_y).square()).sum()
        if float(var_x) <= tiny * tiny or float(var_y) <= tiny * tiny:
            break
        scale = float((var_y / var_x).sqrt())
        shift = float(mean_y - scale * mean_x)
    return Affine(scale, shift), _correlation(x, y, weight)


def _correlation(x: Tensor, y: Tensor, weight: Tensor) -> float:
    """Of all pixels, with half their robust weight: what is outvoted counts too, or any two frames would agree on some."""
    mixed = (weight / weight.max() + 1) / 2
    mixed = mixed / mixed.sum()
    dx, dy = x - (mixed * x).sum(), y - (mixed * y).sum()
    return float((mixed * dx * dy).sum() / ((mixed * dx.square()).sum() * (mixed * dy.square()).sum()).sqrt().clamp_min(1e-30))
