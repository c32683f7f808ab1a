"""Where the files of a registered model lie on this machine.

`locate` looks here first (the package itself, the folders given, the local Hugging Face cache) and touches the network only when
the caller allows it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..types import Progress
from .download import download, file_hash
from .errors import WeightsMismatchError, WeightsMissingError
from .paths import PACKAGE
from .record import ModelEntry, ModelFile


def default_folders() -> tuple[Path, ...]:
    """Where models are kept without ComfyUI: the folder in the environment variable REFOCUS_MODELS, else ~/.cache/refocus."""
    chosen = os.environ.get("REFOCUS_MODELS")
    return (Path(chosen).expanduser() if chosen else Path.home() / ".cache" / "refocus",)


def _candidates(entry: ModelEntry, file: ModelFile, folder: Path) -> list[Path]:
    """Places of a file below a folder: FOLDER/<file>, FOLDER/<entry>/<file>, FOLDER/<entry or repository>/<name on the hub>."""
    places = [folder / file.name, folder / entry.name / file.name, folder / entry.name / file.filename]
    if file.repo_id:
        places.append(folder / file.repo_id.rsplit("/", 1)[-1] / file.filename)
    return places


def _in_hub_cache(file: ModelFile) -> Path | None:
    if not file.repo_id:
        return None
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError:  # without the library nothing has written such a cache for us
        return None
    for revision in dict.fromkeys((file.revision, "main")):
        found = try_to_load_from_cache(file.repo_id, file.filename, revision=revision)
        if isinstance(found, str):
            return Path(found)
    return None


def _find_file(entry: ModelEntry, file: ModelFile, folders: Sequence[Path]) -> Path | None:
    places = [PACKAGE / file.shipped] if file.shipped else []
    for folder in folders:
        places += _candidates(entry, file, folder)
    for place in places:
        if place.is_file():
            return place
    return _in_hub_cache(file)


def _folders(folders: Iterable[Path | str] | None) -> tuple[Path, ...]:
    given = tuple(Path(f) for f in folders) if folders is not None else ()
    return given or default_folders()


def find(entry: ModelEntry, folders: Iterable[Path | str] | None = None) -> tuple[Path, ...] | None:
    """Paths of the entry's files, in their order, if all are on this machine; else None. Never touches the network."""
    places = [_find_file(entry, f, _folders(folders)) for f in entry.files]
    return tuple(p for p in places if p is not None) if all(p is not None for p in places) else None


def locate(
    entry: ModelEntry,
    folders: Iterable[Path | str] | None = None,
    *,
    allow_download: bool = False,
    progress: Progress | None = None,
    verify_hash: bool = False,
) -> tuple[Path, ...]:
    """Paths of the entry's files, in their order.

    Looks in the package, then in `folders` (default `default_folders()`), then in the local Hugging Face cache. What is there is
    used without any network access; its size is compared with the published one where that is known.

    Args:
        folders: model folders; a download goes to the first one, as FOLDER/<entry name>/<file name>.
        allow_download: whether a missing file may be fetched from the hub.
        progress: called with bytes done and in all during a download. An exception from it stops the download; what has
            arrived is kept and the next call goes on from there.
        verify_hash: also hash files that were already here (seconds per GB).

    Raises:
        WeightsMissingError: a file is not here and may not, or could not, be downloaded. The message names the remedy.
        WeightsMismatchError: a file differs from the published one. A wrong download leaves nothing behind.
    """
    roots = _folders(folders)
    found: list[Path] = []
    for file in entry.files:
        path = _find_file(entry, file, roots)
        if path is None:
            if file.shipped or not allow_download:
                raise WeightsMissingError(_missing_text(entry, file, roots))
            path = download(entry, file, roots[0], progress)
        else:
            verify(path, file, hashes=verify_hash)
        found.append(path)
    return tuple(found)


def verify(path: Path, file: ModelFile, *, hashes: bool = True) -> None:
    """Compare a file on disk with what is known of it: size and, with `hashes`, SHA-256.

    Raises:
        WeightsMismatchError: if they differ.
    """
    again = "install the package again" if file.shipped else "delete it and fetch it again"
    size = path.stat().st_size
    if file.bytes is not None and size != file.bytes:
        raise WeightsMismatchError(
            f"{path} has {size} bytes, the published {file.name} has {file.bytes}. It is incomplete or another file: "
            f"{again}. A model of your own belongs in a folder of its own, with its config.json beside it."
        )
    if hashes and file.sha256 is not None and (actual := file_hash(path, hashlib.sha256())) != file.sha256.lower():
        raise WeightsMismatchError(
            f"{path} has the SHA-256 {actual}, expected {file.sha256}. It is damaged or another file: {again}."
        )


def _missing_text(entry: ModelEntry, file: ModelFile, folders: Sequence[Path]) -> str:
    if file.shipped:
        return f"{PACKAGE / file.shipped} is missing. It is part of this package: install the package again."
    searched = "\n".join(f"  {f / file.name}\n  {f / entry.name / file.name}" for f in folders)
    where = f"{file.repo_id}, revision {file.revision}, {file.filename}" if file.repo_id else entry.url
    return (
        f"{entry.label} needs {file.name} ({file.size_text}, licence: {entry.licence}), which is not on this machine. Searched:\n"
        f"{searched}\n"
        + (f"  the local Hugging Face cache ({file.repo_id})\n" if file.repo_id else "")
        + f"Get it from {where} ({entry.url}) and put it in one of these places, or allow the download "
        "(switch allow_download in the node, --allow-download on the command line)."
    )
