"""Pictures, their options, and where their results go."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .recipes import SIDECAR_SUFFIX, Recipe, Value, merged, read_recipe

PLACE = "{name}"
"""Stands in a recipe's file names for a picture's path below IN without its ending, as in `masks/{name}.png`."""

RESULT = "output"
"""Name among a job's targets of the picture itself; the others are options of the recipe."""


@dataclass(frozen=True)
class Naming:
    """Which files are pictures, and what in a recipe names files.

    Attributes:
        pictures: endings, lower case, of the files that are taken from a folder.
        results: options that name a further result, below OUT.
        files: options whose value is a file that is read.
        maybe_files: options whose value is a file if there is one of that name, else a word.
        replaces: option -> those of the recipe in whose place it is, where it is a picture's own.
    """

    pictures: tuple[str, ...]
    results: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    maybe_files: tuple[str, ...] = ()
    replaces: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])


@dataclass(frozen=True)
class Job:
    """One picture.

    Attributes:
        source: the picture.
        targets: "output" and further results -> file below OUT, absolute.
        options: its own, without those that name results; file names are absolute.
    """

    source: Path
    targets: Mapping[str, Path]
    options: Recipe


@dataclass(frozen=True)
class Failure:
    """A picture, by its path or its address, that could not be done, and why."""

    source: Path | str
    reason: str


def plan(
    inputs: Iterable[Path], out: Path, recipe: Recipe, folder: Path, naming: Naming, suffix: str | None = None
) -> tuple[list[Job], list[Failure]]:
    """What is to be done, in the order of the names; and pictures whose own file of options cannot be used.

    Args:
        inputs: pictures, or folders whose pictures are taken, those in folders below too.
        out: folder of the results: `out/a/b.jpg` for `b.jpg` in the folder `a` of an input folder, `out/b.jpg` for a picture.
        recipe: options of all pictures; its file names are relative to `folder`.
        suffix: ending of the results; None keeps each picture's own.

    Raises:
        ValueError: before any work, if an input is missing or two results would have one name, or the name of a picture; or
            if a further result does not say where the picture's name belongs.
        OSError: if a folder cannot be read.
    """
    out = out.absolute()
    for option in naming.results:
        if (value := recipe.get(option)) is not None:
            target_of(option, value, out, Path("photo.png"))  # the recipe's mistake stops the run; a picture's own only that one
    jobs: list[Job] = []
    failed: list[Failure] = []
    sources: list[Path] = []
    for source, name in pictures(inputs, out, naming.pictures):
        sources.append(source)
        try:
            jobs.append(_job(source, out, name.with_suffix(suffix or source.suffix), recipe, folder, naming))
        except (ValueError, OSError) as error:
            failed.append(Failure(source, str(error)))
    _refuse_collisions(jobs, sources)
    return jobs, failed


def _job(source: Path, out: Path, name: Path, recipe: Recipe, folder: Path, naming: Naming) -> Job:
    """The job of one picture.

    Args:
        name: of its result, below `out`.

    Raises:
        ValueError, OSError: if its own file of options cannot be used.
    """
    own = _own(source)
    where = {option: source.parent if option in own else folder for option in (*naming.files, *naming.maybe_files)}
    options = merged(recipe, own, naming.replaces)
    targets = {RESULT: out / name}
    for option in naming.results:
        if (value := options.pop(option, None)) is not None:
            targets[option] = target_of(option, value, out, name)
    return Job(source, targets, _located(options, name, where, naming))


def pictures(inputs: Iterable[Path], out: Path, endings: tuple[str, ...]) -> Iterator[tuple[Path, Path]]:
    """Absolute path of every picture, and its path below OUT, in order.

    Folders are followed down; OUT itself and hidden files are not.

    Raises:
        ValueError: if an input is missing, or a folder is OUT.
    """
    for given in inputs:
        path = given.absolute()
        if path.is_file():
            yield path, Path(path.name)
            continue
        if not path.is_dir():
            raise ValueError(f"There is no file or folder {given}.")
        if path.resolve() == out.resolve():
            raise ValueError(f"{given} is both IN and OUT, so results would replace the photos. Choose another folder as OUT.")
        for base, folders, names in os.walk(path, onerror=_stop):
            below = (f for f in folders if not f.startswith(".") and (Path(base) / f).resolve() != out.resolve())
            folders[:] = sorted(below)
            for name in sorted(names):
                if not name.startswith(".") and Path(name).suffix.lower() in endings:
                    yield Path(base) / name, (Path(base) / name).relative_to(path)


def _stop(error: OSError) -> None:
    raise error  # os.walk would leave the folder out without a word


def _own(source: Path) -> dict[str, Value]:
    """Options of the picture's own file; empty where there is none."""
    beside = source.with_name(source.name + SIDECAR_SUFFIX)
    return read_recipe(beside) if beside.exists() else {}


def target_of(option: str, value: Value, out: Path, name: Path) -> Path:
    """Where a further result goes.

    Args:
        name: of the picture's result, below `out`.

    Raises:
        ValueError: if it does not say where the picture's name belongs, or leads out of `out`.
    """
    if not isinstance(value, str) or PLACE not in value:
        raise ValueError(
            f'"{option}": {value!r} would be one file for all pictures. Write {PLACE} where the picture\'s name belongs, such as '
            f'"{PLACE}_{option.removeprefix("save-")}.png"; it lies below OUT.'
        )
    target = Path(os.path.normpath(out / value.replace(PLACE, name.with_suffix("").as_posix())))
    if not target.is_relative_to(out):
        raise ValueError(f'"{option}": {value!r} lies outside OUT. Leave out what leads there.')
    return target


def _located(options: Recipe, name: Path, where: Mapping[str, Path], naming: Naming) -> dict[str, Value]:
    """Options with the picture's name filled in and file names made absolute."""

    def located(option: str, text: str) -> str:
        path = where[option] / text.replace(PLACE, name.with_suffix("").as_posix())
        return str(path.absolute()) if option in naming.files or path.exists() else text

    found: dict[str, Value] = dict(options)
    for option in where:
        value = found.get(option)
        if isinstance(value, str):
            found[option] = located(option, value)
        elif isinstance(value, list):
            found[option] = [located(option, v) if isinstance(v, str) else v for v in value]
    return found


def _refuse_collisions(jobs: Iterable[Job], sources: Iterable[Path]) -> None:
    inputs = {_same(path) for path in sources}
    taken: dict[str, Path] = {}
    for job in jobs:
        for target in job.targets.values():
            key = _same(target)
            if key in inputs:
                raise ValueError(f"The result {target} would replace a photo that is read. Choose another folder as OUT.")
            if key in taken:
                other = "one photo" if taken[key] == job.source else f"{taken[key]} and {job.source}"
                raise ValueError(f"{target} would be the result of {other}, twice. Rename one, or give another OUT or ending.")
            taken[key] = job.source


def _same(path: Path) -> str:
    """Equal for names that are one file; folders that are links are followed, so that a roundabout OUT is seen through."""
    return os.path.normcase(path.parent.resolve() / path.name)
