"""Pictures and results at addresses (folders, s3://, gs://, ...), by fsspec; what is done there, one small file a picture.

A marker, `OUT/.refocus/done/<name>.json`, is written after the results of its picture. A picture is done if its marker has the
stamp that the picture would have today, and its results are those of the marker. So several machines may write into one OUT,
and what a kill leaves half done does not count.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from ..files.output import write_whole
from .journal import OWN_FOLDER

_CHANGES = ("ETag", "etag", "md5Hash", "mtime", "LastModified", "last_modified", "updated")
"""What file systems call what changes with a file, the surest first."""
_HIDDEN = "."
"""How files and folders begin that are no input."""


@dataclass(frozen=True)
class Place:
    """A folder at an address.

    Attributes:
        address: as it was given, such as `s3://bucket/photos` or `photos`.
    """

    address: str

    def _system(self) -> tuple[Any, str]:
        """The file system, and the folder's path in it.

        Raises:
            ImportError: if fsspec or what it needs for this kind of address is missing.
            ValueError: if there is no such kind.
        """
        try:
            from fsspec.core import url_to_fs
        except ImportError as error:
            raise ImportError("Addresses of storage need fsspec: pip install 'refocus-optics[batch]'.") from error
        made: tuple[Any, str] = url_to_fs(self.address)
        return made[0], str(made[1]).rstrip("/")

    def _path(self, name: str) -> tuple[Any, str]:
        system, folder = self._system()
        return system, f"{folder}/{name}" if name else folder

    def names(self, endings: tuple[str, ...], without: Place) -> list[str]:
        """Paths below this folder of all files with these endings, in order; neither hidden ones nor those of `without`.

        Raises:
            ValueError: if there is no such folder, or it is `without`.
        """
        system, folder = self._system()
        other, out = without._system()
        if type(other) is type(system) and out == folder:
            raise ValueError(f"{self.address} is both IN and OUT, so results would replace the photos. Choose another OUT.")
        if not system.isdir(folder):
            raise ValueError(f"There is no folder {self.address}.")
        paths = [str(path) for path in system.find(folder)]
        if type(other) is type(system):
            paths = [path for path in paths if not path.startswith(out + "/")]
        names = [path[len(folder) + 1 :] for path in paths]
        hidden = [name for name in names if any(part.startswith(_HIDDEN) for part in name.split("/"))]
        return sorted(n for n in set(names) - set(hidden) if os.path.splitext(n)[1].lower() in endings)

    def identity(self, name: str) -> list[str] | None:
        """What changes with a file: its size, and its time of change or its storage's hash; None if it is not there."""
        system, path = self._path(name)
        system.invalidate_cache()
        try:
            found = cast("dict[str, Any]", system.info(path))
        except FileNotFoundError:
            return None
        changes = next((found[key] for key in _CHANGES if key in found), "")
        return [str(found.get("size", "")), str(changes)]

    def fetch(self, name: str, into: Path) -> None:
        """Copy a file of this folder to `into`, whose folder is made."""
        system, path = self._path(name)
        into.parent.mkdir(parents=True, exist_ok=True)
        system.get_file(path, str(into))

    def put(self, source: Path, name: str) -> None:
        """Copy a file to a name below this folder, whole or not at all."""
        system, path = self._path(name)
        system.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
        if "file" not in system.protocol:  # stores of objects show a file when it is whole
            system.put_file(str(source), path)
            return
        with source.open("rb") as file:
            write_whole(Path(path), functools.partial(shutil.copyfileobj, file))

    def read(self, name: str) -> bytes | None:
        """A small file's content; None if it is not there."""
        system, path = self._path(name)
        try:
            return cast("bytes", system.cat_file(path))
        except FileNotFoundError:
            return None

    def shown(self, name: str) -> str:
        """The address of a file, for people."""
        return f"{self.address.rstrip('/')}/{name}"


def stamp_of(known: object) -> str:
    """What a result depends on, as a hash of values that JSON holds."""
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:32]


def _marker(name: str) -> str:
    return f"{OWN_FOLDER}/done/{name}.json"


def is_done(out: Place, name: str, stamp: str) -> bool:
    """Whether the results of the picture `name` are whole and are what `stamp` asks for."""
    data = out.read(_marker(name))
    try:
        found = json.loads(data) if data else None
    except ValueError:
        return False
    if not isinstance(found, dict):
        return False
    marker = cast("dict[str, Any]", found)
    files = cast("dict[str, list[str]]", marker.get("files", {}))
    return marker.get("stamp") == stamp and all(out.identity(file) == identity for file, identity in files.items())


def mark_done(out: Place, name: str, stamp: str, results: Mapping[str, Path], folder: Path) -> None:
    """Bring whole results to their names, and say so.

    Args:
        results: files below `folder`, whose paths below `out` are the same.
    """
    files: dict[str, list[str] | None] = {}
    for path in results.values():
        target = path.relative_to(folder).as_posix()
        out.put(path, target)
        files[target] = out.identity(target)
    marker = folder / "marker.json"
    marker.write_text(json.dumps({"stamp": stamp, "files": files}), encoding="utf-8")
    out.put(marker, _marker(name))
