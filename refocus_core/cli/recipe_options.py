"""Recipes and the options of the command line, which mean the same: one becomes the other."""

from __future__ import annotations

import argparse
import difflib
import logging
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NoReturn, cast

from ..batch import Naming, Recipe, Value, write_recipe
from ..files.formats import FLOAT_SUFFIXES, INTEGER_BITS, RAW_SUFFIXES
from .contradictions import check
from .parser import Parser, build_parser

log = logging.getLogger(__name__)

OF_CLIPS = ("keyframes", "steady-frames")
"""Options of a clip."""
OF_THE_RUN = ("help", "version", "output", "overwrite", "quiet", "verbose", "save-recipe", "save-aperture", *OF_CLIPS)
"""Options of one run, which are not of a recipe."""
RESULTS = ("save-depth", "save-defocus", "save-sharp", "save-matte")
"""Options that name a further result."""
MAYBE_FILES = ("depth", "aperture")
"""Options whose value is a word or a file."""
REPEATABLE = ("models",)
"""Options that may be given several times."""
REPLACES = {
    "focus": ("focus-mask", "focus-distance"),
    "focus-mask": ("focus", "focus-distance"),
    "focus-distance": ("focus", "focus-mask"),
    "blur": ("genfocus-k", "f-number", "focal-mm", "sensor-mm", "exif-lens"),
    "f-number": ("blur", "genfocus-k"),
    "exif-lens": ("blur", "genfocus-k"),
    "genfocus-k": ("blur", "f-number", "focal-mm", "sensor-mm", "exif-lens"),
}
"""Option of one picture -> options of the recipe in whose place it is: what is sharp, how strong the blur is."""
ONLY_READ = (".heic", ".heif", ".hif", ".avif", ".bmp", *RAW_SUFFIXES)
"""Endings of pictures beside those that are written too."""


class _RecipeParser(Parser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message}.")


@cache
def _parser() -> Parser:
    return build_parser(_RecipeParser)


@cache
def recipe_options() -> Mapping[str, argparse.Action]:
    """Every option of a recipe by its name, the first long flag without dashes."""
    found: dict[str, argparse.Action] = {}
    for action in _parser()._actions:  # pyright: ignore[reportPrivateUsage] - argparse has no public list of them
        flags = [flag for flag in action.option_strings if flag.startswith("--")]
        if flags and (name := flags[0].removeprefix("--")) not in OF_THE_RUN:
            found[name] = action
    return found


def naming() -> Naming:
    """What in a recipe names files, and which files of a folder are pictures."""
    files = tuple(n for n, action in recipe_options().items() if action.type is Path and n not in RESULTS)
    return Naming(tuple({*INTEGER_BITS, *FLOAT_SUFFIXES, *ONLY_READ}), RESULTS, files, MAYBE_FILES, REPLACES)


def parse_recipe(recipe: Recipe, photo: Path, output: Path, results: Mapping[str, Path] | None = None) -> argparse.Namespace:
    """The options of a recipe, for one photo.

    Args:
        recipe: without further results.
        output, results: where the picture goes, and further results by their options.

    Raises:
        ValueError: if an option is unknown, has a wrong value, contradicts another one or lacks one; the message names it.
    """
    further = {name: str(path) for name, path in (results or {}).items()}
    args = _parser().parse_args([f"--output={output}", *to_arguments({**recipe, **further}), "--quiet", "--", str(photo)])
    check(args)
    return args


def to_arguments(recipe: Recipe) -> list[str]:
    """A recipe as the command line takes it.

    Raises:
        ValueError: if there is no such option, or it takes another kind of value.
    """
    known = recipe_options()
    arguments: list[str] = []
    for name, value in recipe.items():
        if name not in known:
            raise ValueError(_unknown(name))
        if value is None or value is False:
            continue
        action = known[name]
        is_switch = action.nargs == 0
        if is_switch != (value is True):
            wanted = "true or false" if is_switch else "its value, not true"
            raise ValueError(f"'{name}' in a recipe takes {wanted}, got {value!r}.")
        if is_switch:
            arguments.append(f"--{name}")
        elif isinstance(value, list) and name in REPEATABLE:
            arguments += [f"--{name}={v}" for v in value]
        else:
            arguments.append(f"--{name}={','.join(map(str, value)) if isinstance(value, list) else value}")
    return arguments


def _unknown(name: str) -> str:
    if name in OF_THE_RUN:
        return f"'{name}' belongs to a run and not to a recipe. Leave it out there."
    near = difflib.get_close_matches(name.replace("_", "-").lstrip("-"), recipe_options(), 1)
    hint = f"Did you mean '{near[0]}'?" if near else "Names are those of --help, without the dashes."
    return f"A recipe has no option '{name}'. {hint}"


def to_recipe(args: argparse.Namespace) -> dict[str, Value]:
    """The options that were given, where they differ from their defaults; files by their whole paths.

    What names further results of this one photo is left out, and the log says so.
    """
    recipe: dict[str, Value] = {}
    for name, action in recipe_options().items():
        value = getattr(args, action.dest)
        if value == action.default:
            continue
        if name in RESULTS:
            log.warning("The recipe is without --%s, which names a file of this photo. See docs/batch.md to add it.", name)
            continue
        recipe[name] = _plain(name, value)
    return recipe


def _plain(name: str, value: object) -> Value:
    if isinstance(value, Path) or (name in MAYBE_FILES and Path(str(value)).is_file()):
        return str(Path(str(value)).absolute())
    if isinstance(value, list | tuple):
        items = cast("Sequence[object]", value)
        return [str(v.absolute()) if isinstance(v, Path) else cast("float", v) for v in items]
    return cast("Value", value)


def check_json_output(path: Path, what: str, protect: tuple[Path, ...]) -> None:
    """Before long work: can a recipe or another file of settings be written there?

    Raises:
        ValueError: if it is no .json file in a folder that exists, or one of `protect`.
    """
    if path.suffix.lower() != ".json":
        raise ValueError(f"{path}: {what} is written as .json. Choose this ending.")
    if not path.absolute().parent.is_dir():
        raise ValueError(f"The folder {path.absolute().parent} does not exist. Create it first.")
    if any(path.exists() and p.exists() and path.samefile(p) for p in protect):
        raise ValueError(f"{path} is an input. Choose another name for {what}.")


def save_recipe(path: Path, args: argparse.Namespace) -> None:
    """Write the recipe of the options that were given."""
    write_recipe(path, to_recipe(args))
