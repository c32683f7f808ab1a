"""One picture at an address: fetched into a folder of its own, done as any other one, and its results brought to their place."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from .. import __version__
from ..files.unfinished import working_folder
from .jobs import PLACE, RESULT, Job, Naming, target_of
from .recipes import SIDECAR_SUFFIX, Recipe, Value, merged, read_recipe
from .storage import Place, is_done, mark_done, stamp_of
from .workers import Notes, Work, reason_of

DONE, NEWLY, FAILED = "done already", "done", "failed"
"""What became of a picture."""


@dataclass(frozen=True)
class Batch:
    """What is the same for all pictures.

    Attributes:
        out: of the results.
        recipe: options of all pictures; file names are relative to `recipe_folder`.
        naming, suffix: as of `plan`.
    """

    out: Place
    recipe: Recipe
    recipe_folder: Place
    naming: Naming
    suffix: str | None


@dataclass(frozen=True)
class Report:
    """What became of a picture.

    Attributes:
        source: its address.
        state: `DONE`, `NEWLY` or `FAILED`.
        reason: why it failed.
        notes: warnings of the log.
    """

    source: str
    state: str
    reason: str
    notes: tuple[str, ...]


class RemoteWorker:
    """Does pictures at addresses, one after the other, in one process.

    Args:
        setup: as of `run_jobs`.
        threads: of this process; None as many as there are.
    """

    def __init__(self, batch: Batch, setup: Callable[[int | None], Work], threads: int | None) -> None:
        self._batch, self._work, self._notes = batch, setup(threads), Notes()
        logging.getLogger().addHandler(self._notes)

    def __call__(self, place: Place, name: str) -> Report:
        """Do the picture `name` below `place`, if it is not done."""
        self._notes.texts.clear()
        with working_folder() as folder:
            here = _Here(self._batch, place, name, folder)
            try:
                state, reason = here.done(self._work), ""
            except Exception as error:  # whatever it is, it is not to stop the other pictures
                state, reason = FAILED, here.in_addresses(reason_of(error))
        return Report(place.shown(name), state, reason, tuple(self._notes.texts))


class _Here:
    """A picture, its results and the files that its options name, in a folder of this machine."""

    def __init__(self, batch: Batch, place: Place, name: str, folder: Path) -> None:
        self.batch, self.place, self.name, self.folder = batch, place, name, folder
        self.photo = folder / "in" / name
        self.named: dict[Path, tuple[Place, str]] = {}
        """Files that options name, and where they come from."""
        self.whole: list[tuple[Place, str]] = []
        """Those that they name by a whole path, which are read where they are."""

    def in_addresses(self, reason: str) -> str:
        """A reason with the addresses in place of this folder's files."""
        for path, (place, file) in self.named.items():
            reason = reason.replace(str(path), place.shown(file))
        for part, place in (("in", self.place), ("out", self.batch.out)):
            reason = reason.replace(f"{self.folder / part}/", place.shown(""))
        return reason

    def done(self, work: Work) -> str:
        """Do it, unless it is done; `DONE` or `NEWLY`.

        Raises:
            Exception: whatever stands in the way.
        """
        out = self.folder / "out"
        job = self._job(out)
        options = json.dumps(job.options, sort_keys=True).replace(str(self.folder), "")
        files = [[place.address, file, place.identity(file)] for place, file in (*self.named.values(), *self.whole)]
        results = {option: target.relative_to(out).as_posix() for option, target in job.targets.items()}
        now = stamp_of([__version__, self.name, self.place.identity(self.name), options, files, results])
        if is_done(self.batch.out, self.name, now):
            return DONE
        self.place.fetch(self.name, self.photo)
        for path, (place, file) in self.named.items():
            place.fetch(file, path)
        for target in job.targets.values():
            target.parent.mkdir(parents=True, exist_ok=True)
        work(job, job.targets)
        mark_done(self.batch.out, self.name, now, job.targets, out)
        return NEWLY

    def _job(self, out: Path) -> Job:
        batch, name = self.batch, PurePosixPath(self.name)
        beside = self.photo.with_name(self.photo.name + SIDECAR_SUFFIX)
        own: dict[str, Value] = {}
        if self.place.identity(self.name + SIDECAR_SUFFIX) is not None:
            self.place.fetch(self.name + SIDECAR_SUFFIX, beside)
            own = read_recipe(beside)
        options = merged(batch.recipe, own, batch.naming.replaces)
        result = Path(name.with_suffix(batch.suffix or name.suffix))
        targets = {RESULT: out / result}
        for option in batch.naming.results:
            if (value := options.pop(option, None)) is not None:
                targets[option] = target_of(option, value, out, result)
        for option in (*batch.naming.files, *batch.naming.maybe_files):
            value = options.get(option)
            if isinstance(value, str):
                options[option] = self._located(option, value, option in own)
            elif isinstance(value, list):
                options[option] = [self._located(option, v, option in own) if isinstance(v, str) else v for v in value]
        return Job(self.photo, targets, options)

    def _located(self, option: str, text: str, own: bool) -> str:
        """A file that an option names, as it will lie here: below the picture's folder, or the recipe's; or a word as it is."""
        if Path(text).is_absolute():
            self.whole.append((Place(str(Path(text).parent)), Path(text).name))
            return text
        name = PurePosixPath(self.name)
        file = text.replace(PLACE, name.with_suffix("").as_posix())
        place = self.place if own else self.batch.recipe_folder
        if own:
            file = (name.parent / file).as_posix()
        file = os.path.normpath(file).replace(os.sep, "/")
        if file.startswith("../"):
            raise ValueError(f'"{option}": {text!r} leads out of {place.address}. Give a file below it, or a whole path.')
        if option in self.batch.naming.maybe_files and place.identity(file) is None:
            return text
        path = self.folder / "named" / str(len(self.named)) / PurePosixPath(file).name
        self.named[path] = (place, file)
        return str(path)
