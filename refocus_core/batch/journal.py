"""Which results are whole, so that a run that was killed goes on where it was.

A result is made under another name in `OUT/.refocus`, then a line of `journal.jsonl` there says what it will be, then it gets its
name. A picture is done if its last line has the stamp that it would have today, and its results are those of that line by size
and time of change. What a kill leaves between the line and the name is given its name by the next run. So nothing is done twice,
and nothing half done counts.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, cast

from .. import __version__
from ..faults import lock, not_written
from .jobs import RESULT, Job

OWN_FOLDER = ".refocus"
"""Folder in OUT of the journal and of results that have no name yet."""
JOURNAL = "journal.jsonl"
"""The journal in that folder."""


def stamp(job: Job) -> str:
    """What a result depends on, as a hash: options, the picture and the files that its options name, this version.

    Files count by size and time of change. Raises OSError if the picture cannot be read.
    """
    named = [v for value in job.options.values() for v in (value if isinstance(value, list) else [value])]
    files = {v: _identity(Path(v)) for v in named if isinstance(v, str) and os.path.isabs(v) and Path(v).exists()}
    options = {**job.options, **{name: path.suffix for name, path in job.targets.items()}}
    known = [__version__, str(job.source), _identity(job.source), options, files]
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:32]


def _identity(path: Path) -> list[int]:
    found = path.stat()
    return [found.st_size, found.st_mtime_ns]


class Journal:
    """The journal of a folder of results; one run at a time holds it.

    Use it in a `with` statement: that takes the folder, and gives it back.

    Raises:
        ValueError: on entering, if another run works on this folder.
        OSError: if it cannot be written.
    """

    def __init__(self, out: Path) -> None:
        self.out = out.absolute()
        self.folder = self.out / OWN_FOLDER
        self.staging = self.folder / f"staged-{os.getpid()}-{os.urandom(4).hex()}"
        self._lines: dict[str, dict[str, Any]] = {}

    def __enter__(self) -> Journal:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = open(self.folder / "lock", "ab")
        except OSError as error:
            raise not_written(self.folder, error) from error
        if not lock(self._lock):
            self._lock.close()
            raise ValueError(f"Another run is at work on {self.out}. Wait for it, or choose another folder as OUT.")
        file = self.folder / JOURNAL
        torn = self._read(file)
        try:
            self._file = open(file, "ab", buffering=0)  # what does not fit must not wait to fail again
            if torn:
                self._file.write(b"\n")
            self.staging.mkdir()
        except OSError as error:
            self._lock.close()
            raise not_written(file, error) from error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()
        shutil.rmtree(self.staging, ignore_errors=True)
        self._lock.close()

    def _read(self, file: Path) -> bool:
        """Take in the lines; whether the last one was cut off by a kill."""
        data = file.read_bytes() if file.exists() else b""
        for text in data.splitlines():
            try:
                line: object = json.loads(text)
            except ValueError:
                continue  # cut off: what it would have said is not done
            if isinstance(line, dict) and {"name", "stamp", "staged", "files"} <= set(cast("dict[str, Any]", line)):
                self._lines[line["name"]] = cast("dict[str, Any]", line)
        return bool(data) and not data.endswith(b"\n")

    def _name(self, path: Path) -> str:
        return path.relative_to(self.out).as_posix()

    def is_done(self, job: Job, now: str) -> bool:
        """Whether all results of `job` are whole and are what `now`, its stamp, asks for; see above."""
        line = self._lines.get(self._name(job.targets[RESULT]))
        if line is None or line["stamp"] != now or set(line["files"]) != set(map(self._name, job.targets.values())):
            return False
        return all(
            self._is_there(self.out / name, self.out / line["staged"] / staged, identity)
            for name, (staged, *identity) in line["files"].items()
        )

    @staticmethod
    def _is_there(final: Path, staged: Path, identity: list[int]) -> bool:
        for path in (final, staged):
            if path.is_file() and _identity(path) == identity:
                if path != final:
                    _rename(path, final)
                return True
        return False

    def clean(self) -> None:
        """Remove what earlier runs have left unfinished; after all of `is_done`, which still finds use for some of it."""
        for left in self.folder.glob("staged-*"):
            if left != self.staging:
                shutil.rmtree(left, ignore_errors=True)

    def staged(self, job: Job, number: int) -> dict[str, Path]:
        """Where to write the results of `job`, the `number`-th of this run, until they get their names."""
        return {name: self.staging / f"{number}-{name}{path.suffix}" for name, path in job.targets.items()}

    def commit(self, job: Job, now: str, staged: Mapping[str, Path]) -> None:
        """Give whole results their names.

        Raises:
            OSError: if one is missing or cannot be renamed, or there is no room for the journal's line.
        """
        files = {self._name(target): [staged[name].name, *_identity(staged[name])] for name, target in job.targets.items()}
        name = self._name(job.targets[RESULT])
        line = {"name": name, "stamp": now, "staged": self._name(self.staging), "files": files}
        self._append(json.dumps(line).encode() + b"\n")
        for option, target in job.targets.items():
            try:
                _rename(staged[option], target)
            except OSError as error:
                raise not_written(target, error) from error

    def _append(self, line: bytes) -> None:
        """Write a line to the journal; what did not fit is taken out again, for the next line begins where it would end."""
        end = self._file.seek(0, os.SEEK_END)
        try:
            while line:
                line = line[self._file.write(line) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            self._file.truncate(end)
            raise not_written(self.folder / JOURNAL, error) from error


def _rename(path: Path, final: Path) -> None:
    final.parent.mkdir(parents=True, exist_ok=True)
    os.replace(path, final)
