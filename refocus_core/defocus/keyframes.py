"""Focus and aperture over the frames of a clip, as keys that a person can read and edit.

The text is JSON:

    {"keys": [
      {"frame": 0, "x": 0.3, "y": 0.6, "f_number": 2.8, "ease": "ease"},
      {"frame": 48, "distance_m": 4.5}
    ]}

A key may set the focus (`x` and `y`: the surface under that point in that frame; or `distance_m`), the aperture (`f_number`, or
`percent` where the strength is in percent), or both. Focus and aperture are two tracks: each is joined from the keys that set it,
and holds its first value before and its last value after them. `ease` says how the way from a key to the next one runs: "linear",
"ease" (slow at both ends, the default) or "hold" (a cut at the next key). Focus moves in disparity, 1/distance, and the f-number
in stops: both as they look even to the eye.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeGuard, cast

import torch
from torch import Tensor

from ..checks import check_kind, check_number
from ..optics import Gain, Lens, Strength
from ..types import DepthMap
from .focus import FocusDistance, FocusPoint, focus_disparity

EASES = ("linear", "ease", "hold")
"""How the way from a key to the next one may run."""

_LARGEST = 1e30
"""Largest number that a key may hold; beyond it lies nothing that a lens knows."""

_NUMBERS = ("x", "y", "distance_m", "f_number", "percent")
"""What a key may set."""


@dataclass(frozen=True)
class Key:
    """What is set at one frame (0 is the first). None: this key does not set it.

    Attributes:
        frame: number of the frame, from 0.
        x, y: point of focus in 0..1 from the left and from the top; both or neither, and not together with `distance_m`.
        distance_m: distance in focus in metres, above 0.
        f_number: aperture, above 0.
        percent: strength in percent of the long edge, 0..50.
        ease: how the way to the next key runs, one of `EASES`.

    Raises:
        ValueError: if a value is out of its range, or the key sets nothing.
    """

    frame: int
    x: float | None = None
    y: float | None = None
    distance_m: float | None = None
    f_number: float | None = None
    percent: float | None = None
    ease: str = "ease"

    def __post_init__(self) -> None:
        check_number(self.frame, "The frame of a key")
        where = f"The key at frame {self.frame}"
        for name in _NUMBERS:
            if getattr(self, name) is not None:
                check_number(getattr(self, name), f"{where}: {name}")
        if self.frame < 0:
            raise ValueError(f"{where} lies before the clip. The first frame is 0.")
        if (self.x is None) != (self.y is None):
            raise ValueError(f"{where} has only one of x and y. Give both.")
        if self.x is not None and self.distance_m is not None:
            raise ValueError(f"{where} has both a point (x, y) and distance_m. Keep one of them.")
        if all(getattr(self, name) is None for name in _NUMBERS):
            raise ValueError(f"{where} sets nothing. Give x and y, distance_m, f_number or percent, or remove it.")
        for name, low, high in (("x", 0, 1), ("y", 0, 1), ("percent", 0, 50)):
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise ValueError(f"{where}: {name} must lie in {low}..{high}, got {value:g}.")
        for name in ("distance_m", "f_number"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise ValueError(f"{where}: {name} must be a number above 0, got {value:g}.")
        if self.ease not in EASES:
            raise ValueError(f"{where}: ease must be one of {', '.join(EASES)}, got {self.ease!r}.")

    @property
    def sets_focus(self) -> bool:
        """Whether it takes part in the focus track."""
        return self.x is not None or self.distance_m is not None

    def disparity(self, depth_map: DepthMap) -> float:
        """Disparity that this key puts in focus, from the depth of its own frame alone.

        Raises:
            ValueError: if it sets no focus, its point has no depth under it, or its distance meets relative depth.
        """
        if self.x is not None and self.y is not None:
            return float(focus_disparity(depth_map, FocusPoint(self.x, self.y)))
        if self.distance_m is None:
            raise ValueError(f"The key at frame {self.frame} sets no focus.")
        return float(focus_disparity(depth_map, FocusDistance(self.distance_m)))


@dataclass(frozen=True)
class Keyframes:
    """Keys in the order of their frames.

    Raises:
        ValueError: if there is none, or two lie at the same frame.
    """

    keys: tuple[Key, ...]

    def __post_init__(self) -> None:
        if not self.keys:
            raise ValueError('There is no key. Give at least one, or leave the keyframes empty: {"keys": [{"frame": 0, ...}]}.')
        object.__setattr__(self, "keys", tuple(sorted(self.keys, key=lambda k: k.frame)))
        for a, b in zip(self.keys, self.keys[1:], strict=False):
            if a.frame == b.frame:
                raise ValueError(f"Two keys lie at frame {a.frame}. Keep one of them.")

    @property
    def moves_focus(self) -> bool:
        """Whether any key sets the focus."""
        return any(k.sets_focus for k in self.keys)

    def focus_disparity(self, depth_map: DepthMap) -> Tensor:
        """Disparity in focus [B] for every frame of `depth_map`, in its unit.

        The point of a key is measured in the key's own frame (the last one, where the key lies beyond the end).

        Raises:
            ValueError: if no key sets the focus, a point has no depth under it, or a distance meets relative depth.
        """
        batch = depth_map.disparity.shape[0]
        values: list[float] = []
        for key in self.focus_keys:
            at = min(key.frame, batch - 1)
            valid = None if depth_map.valid is None else depth_map.valid[at : at + 1]
            values.append(key.disparity(DepthMap(depth_map.disparity[at : at + 1], depth_map.metric, valid=valid)))
        return self.focus_track(values, batch).to(depth_map.disparity)

    @property
    def focus_keys(self) -> tuple[Key, ...]:
        """The keys that set the focus.

        Raises:
            ValueError: if there is none.
        """
        keys = tuple(k for k in self.keys if k.sets_focus)
        if not keys:
            raise ValueError("No key sets the focus.")
        return keys

    def focus_track(self, values: Sequence[float], batch: int) -> Tensor:
        """Disparity in focus [B] float64 from those of `focus_keys`, for `batch` frames."""
        return _track(self.focus_keys, values, batch)

    def opening(self, lens: Strength, batch: int) -> Tensor:
        """Factor on K for each of `batch` frames [B]: the aperture of that frame over that of `lens`.

        Raises:
            ValueError: if the keys set the strength in another way than `lens` does, or `lens` has percent 0.
        """
        if isinstance(lens, Gain):
            if any(k.f_number is not None or k.percent is not None for k in self.keys):
                raise ValueError("A key sets the aperture, but K sets the strength. Give the strength by f_number or percent.")
            return torch.ones(batch, dtype=torch.float64)
        own, other = ("f_number", "percent") if isinstance(lens, Lens) else ("percent", "f_number")
        if any(getattr(k, other) is not None for k in self.keys):
            raise ValueError(
                f"A key sets {other}, but the strength is given by {own}. Set {own} in the keys, or change the strength."
            )
        keys = [k for k in self.keys if getattr(k, own) is not None]
        if not keys:
            return torch.ones(batch, dtype=torch.float64)
        values = [float(getattr(k, own)) for k in keys]
        if isinstance(lens, Lens):
            return lens.f_number / _track(keys, [math.log2(v) for v in values], batch).exp2()
        if lens.percent == 0:
            raise ValueError("percent is 0, so keys of percent have nothing to scale. Set percent above 0.")
        return _track(keys, values, batch) / lens.percent


def _track(keys: Sequence[Key], values: Sequence[float], batch: int) -> Tensor:
    """Values of every frame [B] float64."""
    out: list[float] = []
    for frame in range(batch):
        after = next((i for i, k in enumerate(keys) if k.frame > frame), len(keys))
        if after in (0, len(keys)):
            out.append(values[min(after, len(keys) - 1)])
            continue
        a, b = keys[after - 1], keys[after]
        t = (frame - a.frame) / (b.frame - a.frame)
        t = {"linear": t, "ease": t * t * (3 - 2 * t), "hold": 0.0}[a.ease]
        out.append(values[after - 1] + t * (values[after] - values[after - 1]))
    return torch.tensor(out, dtype=torch.float64)


def parse_keyframes(text: str) -> Keyframes | None:
    """Read the text of a keyframes input; None where it is empty.

    Raises:
        ValueError: if it is not JSON of the form above; the message says where and what to write.
    """
    check_kind(text, str, "text")
    if not text.strip():
        return None
    try:
        data = json.loads(text)
    except json.JSONDecodeError as e:
        raise ValueError(f"The keyframes are not JSON: {e.msg} in line {e.lineno}, column {e.colno}.") from None
    except (RecursionError, ValueError) as e:  # nested too deeply, or an integer of thousands of digits
        raise ValueError(f"The keyframes cannot be read ({e}). Write short numbers in one list of flat keys.") from None
    found = cast("dict[str, object]", data).get("keys") if isinstance(data, dict) else None
    if not isinstance(found, list):
        raise ValueError('The keyframes must look like {"keys": [{"frame": 0, "x": 0.5, "y": 0.5}, ...]}.')
    return Keyframes(tuple(_key(item, n) for n, item in enumerate(cast("list[object]", found))))


def _is_finite(value: object) -> TypeGuard[float]:
    """Whether it is a number that float32 holds; an integer may have any number of digits."""
    return not isinstance(value, bool) and isinstance(value, (int, float)) and abs(value) <= _LARGEST


def _key(item: object, number: int) -> Key:
    if not isinstance(item, dict):
        raise ValueError(f'Key {number + 1} of the keyframes must be an object such as {{"frame": 0, ...}}, got {item!r:.40}.')
    fields = cast("dict[str, object]", item)
    unknown = sorted(set(fields) - {"frame", "ease", *_NUMBERS})
    if unknown:
        raise ValueError(f"Key {number + 1} of the keyframes has unknown fields: {', '.join(unknown)}.")
    frame, ease = fields.get("frame"), fields.get("ease", "ease")
    if isinstance(frame, bool) or not isinstance(frame, int):
        raise ValueError(f"Key {number + 1} of the keyframes needs a whole number as its frame, got {frame!r:.40}.")
    if abs(frame) > _LARGEST:
        raise ValueError(f"Key {number + 1} of the keyframes: its frame is far beyond any clip. Write a usual number.")
    if not isinstance(ease, str):
        raise ValueError(f"The key at frame {frame}: ease must be one of {', '.join(EASES)}, got {ease!r:.40}.")
    numbers: dict[str, float | None] = {}
    for name in _NUMBERS:
        value = fields.get(name)
        if value is not None and not _is_finite(value):
            raise ValueError(f"The key at frame {frame}: {name} must be a number, got {value!r:.40}.")
        numbers[name] = None if value is None else float(value)
    return Key(frame, ease=ease, **numbers)
