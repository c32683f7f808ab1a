"""All settings of an aperture in one value, presets of them, and the same as a JSON file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from torch import Tensor

from ..types import Kernel, PupilField
from .apertures import LEAST_NOTCH, make_kernel
from .character import Character, through_lens


@dataclass(frozen=True)
class ApertureSettings:
    """A named shape and how the lens draws it. Attributes: as of `make_kernel`, `Character` and `types.PupilField`."""

    shape: str = "circle"
    blades: int = 6
    curvature: float = 0.0
    rotation_deg: float = 0.0
    inner: float = 0.5
    points: int = 5
    softness: float = 0.0
    squeeze: float = 1.0
    spherical: float = 0.0
    fringe: float = 0.0
    onion: float = 0.0
    cat_eye: float = 0.0
    swirl: float = 0.0
    coma: float = 0.0
    barn_doors: float = 0.0

    def kernel(self, texture: Tensor | None = None) -> Kernel:
        """The aperture; errors as of `make_kernel` and `drawn`."""
        outline = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in _OF_CHARACTER + _OF_FIELD}
        if self.shape == "star":
            outline["inner"] = max(self.inner, LEAST_NOTCH)
        return self.drawn(make_kernel(**outline), texture)

    def drawn(self, opening: Kernel, texture: Tensor | None = None) -> Kernel:
        """An opening of any other shape as this lens draws it; errors as of `Character` and `PupilField`."""
        field = PupilField(**{name: getattr(self, name) for name in _OF_FIELD})
        return replace(through_lens(opening, self.character(texture)), field=None if field == PupilField() else field)

    def character(self, texture: Tensor | None = None) -> Character:
        """How the lens draws an opening."""
        return Character(texture=texture, **{name: getattr(self, name) for name in _OF_CHARACTER})

    def to_json(self) -> str:
        """The settings as JSON, for `from_json`."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> ApertureSettings:
        """Settings from JSON: an object with any of the attributes; those that it lacks are as they are without it.

        Raises:
            ValueError: if it is no such object, names something unknown, or holds a value of a wrong type.
        """
        try:
            given: Any = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"The aperture file is no JSON ({error}).") from error
        if not isinstance(given, dict):
            raise ValueError('The aperture file must hold an object such as {"shape": "polygon", "blades": 5}.')
        usual = asdict(cls())
        values: dict[str, Any] = {}
        for name, value in given.items():  # pyright: ignore[reportUnknownVariableType] - JSON
            if name not in usual:
                raise ValueError(f"The aperture file names {name!r}, which is unknown. Known: {', '.join(usual)}.")
            values[name] = _converted(str(name), value, usual[name])  # pyright: ignore[reportUnknownArgumentType] - JSON
        return replace(cls(), **values)


def _converted(name: str, value: Any, usual: str | float) -> Any:
    """A value of a JSON file in the type of the usual value."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(usual, str):
        kind, fits = "word", isinstance(value, str)
    elif isinstance(usual, int):
        kind, fits = "whole number", is_number and value == int(value)
    else:
        kind, fits = "number", is_number
    if not fits:
        raise ValueError(f"{name} in the aperture file must be a {kind}, got {value!r}.")
    return type(usual)(value)


_OF_CHARACTER = ("squeeze", "spherical", "fringe", "onion")
"""What the lens adds to an outline."""
_OF_FIELD = ("cat_eye", "swirl", "coma", "barn_doors")
"""What changes over the picture."""

PRESETS: dict[str, ApertureSettings] = {
    "soft portrait": ApertureSettings(softness=0.9),
    "bright-edged bubbles": ApertureSettings(spherical=0.9, fringe=0.15),
    "creamy background": ApertureSettings(spherical=-0.7),
    "mirror lens": ApertureSettings("ring", inner=0.45),
    "classic five blades": ApertureSettings("polygon", blades=5, curvature=0.25, spherical=0.35),
    "modern nine blades": ApertureSettings("polygon", blades=9, curvature=0.4),
    "old triplet": ApertureSettings("polygon", blades=10, curvature=0.9, spherical=1.0, fringe=0.4),
    "swirling portrait": ApertureSettings(cat_eye=0.7, swirl=0.7, spherical=0.3),
    "cinema prime": ApertureSettings("polygon", blades=11, curvature=0.9, cat_eye=0.6),
    "fast prime wide open": ApertureSettings(fringe=0.7, spherical=0.25),
    "moulded aspheric": ApertureSettings("polygon", blades=9, curvature=0.8, onion=0.5),
    "anamorphic": ApertureSettings(squeeze=2.0, fringe=0.2),
}
"""Apertures by what they look like or by the family of lenses that draws so."""
