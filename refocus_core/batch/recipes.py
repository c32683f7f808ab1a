"""Options as a JSON file: one object, whose names are the command line's without the leading dashes.

    {"blur": 2.5, "focus": [0.4, 0.5], "aperture": "heart", "exif-lens": true}

A number or a text is the option's value, a list several of them, true a switch; false and null stand for an option that is not
given. A file beside a picture, its name and `SIDECAR_SUFFIX`, holds what is different for that picture.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import cast

from ..files.output import write_whole

Value = bool | int | float | str | list[int | float | str] | None
"""What an option may be in a recipe."""
Recipe = Mapping[str, Value]
"""Option without its dashes -> value."""

SIDECAR_SUFFIX = ".refocus.json"
"""What is added to a picture's whole name: portrait.jpg.refocus.json."""


def read_recipe(path: Path) -> dict[str, Value]:
    """A recipe from its file. Names and values are not checked here, only that they have the form of a recipe.

    Raises:
        ValueError: if it is no JSON object of plain values; the message names the file and the place.
        OSError: if it cannot be read.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=_once)
    except json.JSONDecodeError as e:
        raise ValueError(f"{path} is not JSON: {e.msg} in line {e.lineno}, column {e.colno}.") from None
    except (UnicodeDecodeError, RecursionError, ValueError) as e:
        raise ValueError(f"{path} cannot be read as a recipe: {e}") from None
    if not isinstance(data, dict):
        raise ValueError(f'{path} must hold one object of options, such as {{"blur": 2, "focus": [0.4, 0.5]}}.')
    for name, value in cast("dict[str, object]", data).items():
        if not _is_value(value):
            raise ValueError(f"{path}: '{name}' must be a number, a text, true, false, null or a list, got {value!r:.60}.")
    return cast("dict[str, Value]", data)


def write_recipe(path: Path, recipe: Recipe) -> None:
    """The file of a recipe, whole or not at all."""
    text = json.dumps(recipe, indent=2, ensure_ascii=False) + "\n"
    write_whole(path, lambda file: file.writelines([text.encode("utf-8")]))


def merged(recipe: Recipe, own: Recipe, replaces: Mapping[str, Iterable[str]]) -> dict[str, Value]:
    """The options of one picture: its own ones over those of the recipe.

    Args:
        replaces: option -> others that do not hold where a picture's own file sets it, as a point replaces a mask.
    """
    gone = {other for name in _set(own) for other in replaces.get(name, ())}
    return _set({**{name: value for name, value in recipe.items() if name not in gone}, **own})


def _set(recipe: Recipe) -> dict[str, Value]:
    return {name: value for name, value in recipe.items() if value is not None and value is not False}


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"'{next(n for n in names if names.count(n) > 1)}' is there twice. Keep one.")
    return found


def _is_value(value: object) -> bool:
    if isinstance(value, list):
        return all(isinstance(v, (int, float, str)) and not isinstance(v, bool) for v in cast("list[object]", value))
    return value is None or isinstance(value, (bool, int, float, str))
