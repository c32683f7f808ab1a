"""Settings files (YAML or JSON) as dataclasses: an unknown key or a value of another kind is an error that names its place."""

from __future__ import annotations

import copy
import json
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import yaml

T = TypeVar("T")


def read(path: str | Path, kind: type[T], shipped: Path | None = None) -> T:
    """A `kind` from a YAML or JSON file.

    Args:
        path: the file; a name without a folder and ending is one of those in `shipped`.
        kind: a dataclass.
        shipped: folder of settings files that have names.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is neither, or does not describe a `kind`.
    """
    file = Path(path)
    if shipped is not None and not file.suffix and file.parent == Path() and (shipped / f"{file}.yaml").is_file():
        file = shipped / f"{file}.yaml"
    return build(kind, read_plain(file, shipped), str(file))


def read_plain(file: Path, shipped: Path | None = None) -> dict[str, Any]:
    """What a YAML or JSON file holds, as plain values.

    Raises:
        FileNotFoundError: if there is no such file; the message names those in `shipped`.
        ValueError: if it is neither.
    """
    if not file.is_file():
        known = "" if shipped is None else f", or one of: {', '.join(sorted(p.stem for p in shipped.glob('*.yaml')))}"
        raise FileNotFoundError(f"There is no settings file {file}. Give a YAML file{known}.")
    text = file.read_text(encoding="utf-8")
    try:
        return (json.loads(text) if file.suffix == ".json" else yaml.safe_load(text)) or {}
    except (json.JSONDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"{file} is not {'JSON' if file.suffix == '.json' else 'YAML'}: {error}") from error


def changed(values: Mapping[str, Any], changes: Sequence[str]) -> dict[str, Any]:
    """Plain values with changes such as `training.steps=100`, whose right side is JSON or else text.

    Raises:
        ValueError: if a change leads through a name that is not there.
    """
    out = copy.deepcopy(dict(values))
    for change in changes:
        key, _, value = change.partition("=")
        *path, last = key.split(".")
        at: Any = out
        for name in path:
            if not isinstance(at, dict) or name not in at:
                raise ValueError(f"The configuration has no value {key}.")
            at = cast("dict[str, Any]", at)[name]
        try:
            at[last] = json.loads(value)
        except json.JSONDecodeError:
            at[last] = value
    return out


def build(kind: type[T], values: Any, where: str = "settings") -> T:
    """A `kind` (a dataclass) from plain values; lists become tuples, mappings become nested dataclasses.

    Raises:
        ValueError: on unknown or missing keys and values of another kind.
    """
    if not isinstance(values, Mapping):
        raise ValueError(f"{where} must be a mapping of names to values, got {type(values).__name__}.")
    hints = typing.get_type_hints(kind)
    known = {f.name: f for f in fields(cast(Any, kind)) if f.init}
    unknown = [str(k) for k in values if k not in known]
    if unknown:
        raise ValueError(f"{where}: unknown name(s) {', '.join(unknown)}. Known: {', '.join(known)}.")
    missing = [n for n, f in known.items() if n not in values and f.default is MISSING and f.default_factory is MISSING]
    if missing:
        raise ValueError(f"{where}: {', '.join(missing)} must be given.")
    return kind(**{str(name): _convert(hints[str(name)], value, f"{where}: {name}") for name, value in values.items()})


def _convert(hint: Any, value: Any, where: str) -> Any:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        if value is None and type(None) in args:
            return None
        errors: list[str] = []
        for option in args:
            try:
                return _convert(option, value, where)
            except ValueError as error:
                errors.append(str(error))
        raise ValueError(errors[0])
    if is_dataclass(hint):
        return build(cast("type[Any]", hint), value, where)
    if origin is tuple and isinstance(value, (list, tuple)):
        items = cast("list[Any]", list(value))
        if len(args) == 2 and args[1] is Ellipsis:
            return tuple(_convert(args[0], v, where) for v in items)
        if len(args) == len(items):
            return tuple(_convert(a, v, where) for a, v in zip(args, items, strict=True))
    elif origin in (dict, Mapping, typing.get_origin(Mapping[str, int])) and isinstance(value, Mapping):
        return {str(k): _convert(args[1], v, f"{where}.{k}") for k, v in value.items()}
    elif hint is Any:
        return value
    elif hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    elif isinstance(hint, type) and isinstance(value, hint) and not (hint is int and isinstance(value, bool)):
        return value
    raise ValueError(f"{where}: expected {hint}, got {value!r}.")
