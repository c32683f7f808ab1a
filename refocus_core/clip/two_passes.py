"""A clip, frame after frame, in constant memory: first what all frames together tell, then each of them.

The first pass finds the scale and shift of each frame's depth, the range of the clip and the depth under the keyframes' points;
the second one does to each frame what is done to a photo, once its depth is steadied by the frames around it. What the first
keeps are a few numbers a frame; the second holds the frames that it looks ahead.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from .. import defocus, depth
from ..depth import ClipScale, DepthModel
from ..depth.model import FrameDepth
from ..optics import Blur, Gain, Lens, Strength
from ..types import DepthMap
from .in_order import InOrder, Read
from .steps import Steps

STEADY_FRAMES = 8
"""How many frames to each side steady the depth of one. More flickers less, and takes longer."""


@dataclass(frozen=True)
class Camera:
    """A lens whose focal length may be left to the depth model.

    Attributes:
        f_number: its aperture.
        focal_mm: in mm; None takes what the depth model finds.
        sensor_mm: long side of the sensor in mm.
    """

    f_number: float
    focal_mm: float | None
    sensor_mm: float


@dataclass(frozen=True)
class ClipOptions:
    """What is the same for all frames.

    Attributes:
        aperture: how strong the blur is.
        focus: what is sharp where no keyframe says so; None finds it in each frame. A mask [B,H,W] follows the frames, and its
            last one holds where the clip is longer.
        keyframes: focus and aperture over the frames, or None.
        tilt: how the focal plane leans, or None.
        focus_range, near_gain, far_gain, field_curvature, breathing: as of `defocus.from_lens`; breathing goes by the keyframes.
        refine: strength of `depth.refine`.
        near_m, far_m: distances in metres of the nearest and the farthest thing of the clip, both or neither.
        steady_frames: how many frames before and after each one steady its depth, as `radius` of `depth.steadied`.
    """

    aperture: Blur | Gain | Camera
    focus: defocus.FocusLike = None
    keyframes: defocus.Keyframes | None = None
    tilt: defocus.Tilt | None = None
    focus_range: float = 0.0
    near_gain: float = 1.0
    far_gain: float = 1.0
    field_curvature: float = 0.0
    breathing: float = 0.0
    refine: float = 1.0
    near_m: float | None = None
    far_m: float | None = None
    steady_frames: int = STEADY_FRAMES


@dataclass(frozen=True)
class ClipPlan:
    """What the first pass found.

    Attributes:
        scale: of the depth.
        focus: disparity in focus of each frame [B] in the unit of the final depth, or None where no key sets it.
    """

    scale: ClipScale
    focus: Tensor | None

    def values(self) -> dict[str, Any]:
        """The same as JSON has it, exactly."""
        return {"scale": asdict(self.scale), "focus": None if self.focus is None else self.focus.tolist()}

    @classmethod
    def of(cls, values: dict[str, Any]) -> ClipPlan:
        """From `values`.

        Raises:
            KeyError, TypeError, ValueError: if they are none.
        """
        return cls(ClipScale.of(values["scale"]), None if values["focus"] is None else torch.tensor(values["focus"]))


class Clip:
    """The two passes over the frames of one clip.

    Raises:
        ValueError: if metres are asked for, and depth will be relative; or if only one of `near_m` and `far_m` is given.
    """

    def __init__(self, steps: Steps, options: ClipOptions, device: torch.device) -> None:
        _check_metres(options, steps.model)
        self.steps, self.options, self.device = steps, options, device
        self._opening: Tensor | None = None

    def _sharp_and_depth(self, image: Tensor) -> tuple[Tensor, FrameDepth]:
        sharp = self.steps.sharpen(image.to(self.device))
        return sharp, depth.frame_depth(self.steps.model, sharp)

    def _final(self, on_range: DepthMap, sharp: Tensor, *, metres: bool = True) -> DepthMap:
        refined = depth.refine(on_range, sharp, strength=self.options.refine)
        return depth.in_metres(refined, self.options.near_m, self.options.far_m) if metres else refined

    def planned(self, frames: Iterable[Tensor]) -> ClipPlan:
        """The first pass.

        Args:
            frames: every frame [1,3,H,W] sRGB 0..1.

        Raises:
            ValueError: if there is no frame, or a key's point has no depth under it.
        """
        metric = self.steps.model.metric
        aligner = depth.ClipAligner(metric)
        keyframes = self.options.keyframes
        keys = keyframes.focus_keys if keyframes is not None and keyframes.moves_focus else ()
        under: dict[int, tuple[int, float]] = {}
        sharp = found = None
        count = 0
        for image in frames:
            sharp, found = self._sharp_and_depth(image)
            aligner.add(found)
            for key in keys:
                if key.frame == count:
                    under[key.frame] = count, self._under(key, found, sharp)
            count += 1
        scale = aligner.result()
        if keyframes is None or not keys or sharp is None or found is None:
            return ClipPlan(scale, None)
        for key in keys:
            if key.frame >= count:
                under[key.frame] = count - 1, self._under(key, found, sharp)
        values = [self._in_final_unit(scale, key, *under[key.frame]) for key in keys]
        return ClipPlan(scale, keyframes.focus_track(values, count))

    def _under(self, key: defocus.Key, found: FrameDepth, sharp: Tensor) -> float:
        """What a key puts in focus: its disparity for a distance, else that of the network, whatever the clip's range will be."""
        metric = self.steps.model.metric
        aligner = depth.ClipAligner(metric)
        aligner.add(found)
        alone = aligner.result()
        on_range = alone.depth_map(0, found, self.steps.model)
        value = key.disparity(self._final(on_range, sharp, metres=key.distance_m is not None))
        return value if metric or key.distance_m is not None else alone.low + value * (alone.high - alone.low)

    def _in_final_unit(self, scale: ClipScale, key: defocus.Key, number: int, value: float) -> float:
        if key.distance_m is not None:
            return value
        if self.steps.model.metric:
            return value * scale.frames[number].scale
        relative = scale.relative(number, value)
        near_m, far_m = self.options.near_m, self.options.far_m
        return relative if near_m is None or far_m is None else 1 / far_m + relative * (1 / near_m - 1 / far_m)

    def in_order(self, plan: ClipPlan, read: Read) -> InOrder:
        """The frames of the clip as the second pass takes them.

        Args:
            plan: what the first pass found.
            read: the frames from one on; as in the first pass.
        """

        def look(number: int, image: Tensor) -> tuple[Tensor, DepthMap]:
            sharp, found = self._sharp_and_depth(image)
            return sharp, plan.scale.depth_map(number, found, self.steps.model)

        span = plan.scale.high - plan.scale.low if self.steps.model.metric else 1.0
        return InOrder(look, read, self.options.steady_frames, span)

    def frame(
        self, plan: ClipPlan, number: int, image: Tensor, alpha: Tensor | None, frames: InOrder
    ) -> tuple[Tensor, Tensor | None]:
        """The second pass: one frame [1,3,H,W] and its transparency [1,1,H,W], refocused; `frames` as of `in_order`."""
        sharp, on_range = frames.at(number)
        depth_map = self._final(on_range, sharp)
        made = defocus.from_lens(
            depth_map,
            self._opened(self._lens(depth_map), number, len(plan.scale.frames)),
            self._focus(plan, number, image),
            tilt=self.options.tilt,
            focus_range=self.options.focus_range,
            near_gain=self.options.near_gain,
            far_gain=self.options.far_gain,
            field_curvature=self.options.field_curvature,
            breathing=0.0 if plan.focus is None else self.options.breathing,
            farthest_focus=None if plan.focus is None else float(plan.focus.min()),
        )
        return self.steps.blur(sharp, image.to(self.device), alpha, made)

    def _focus(self, plan: ClipPlan, number: int, image: Tensor) -> defocus.FocusLike:
        if plan.focus is not None:
            return defocus.FocusDisparity(float(plan.focus[number]))
        focus = self.options.focus
        if isinstance(focus, Tensor) and focus.ndim == 3:
            return focus[min(number, len(focus) - 1)]
        return defocus.FocusAuto(photo=image) if focus is None else focus

    def _lens(self, depth_map: DepthMap) -> Strength:
        given = self.options.aperture
        if not isinstance(given, Camera):
            return given
        return defocus.lens_for(depth_map, given.f_number, given.focal_mm, given.sensor_mm)

    def _opened(self, lens: Strength, number: int, count: int) -> Strength:
        """The lens at this frame's aperture."""
        if self.options.keyframes is None:
            return lens
        if self._opening is None:  # all frames have one lens but for its aperture
            self._opening = self.options.keyframes.opening(lens, count)
        factor = float(self._opening[number])
        if isinstance(lens, Lens):
            return Lens(lens.focal_mm, lens.f_number / factor, lens.sensor_mm)
        return Blur(lens.percent * factor) if isinstance(lens, Blur) else lens


def _check_metres(options: ClipOptions, model: DepthModel) -> None:
    """Refuse before the first pass what would fail in the second one."""
    if (options.near_m is None) != (options.far_m is None):
        raise ValueError("Give both near_m and far_m, the distances in metres of the nearest and the farthest thing, or neither.")
    if model.metric or options.near_m is not None:
        return
    keys = options.keyframes.keys if options.keyframes is not None else ()
    needs = {
        "The blur of a camera": isinstance(options.aperture, Camera),
        "K": isinstance(options.aperture, Gain),
        "A focus distance": isinstance(options.focus, (float, int, defocus.FocusDistance)),
        "A key with distance_m": any(key.distance_m is not None for key in keys),
    }
    if name := next((name for name, asked in needs.items() if asked), None):
        raise ValueError(
            f"{name} needs depth in metres, and {model.name} gives relative depth. Give near_m and far_m, the distances of the "
            "nearest and the farthest thing, or take a model that knows metres; or set blur in percent and focus by a point."
        )
