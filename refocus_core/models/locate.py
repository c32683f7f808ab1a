"""Model files: what they are, where they are, and how they get here.

A model is a `ModelEntry` of one or more `ModelFile`s. `locate` looks on this machine first (the package itself, the folders
given, the local Hugging Face cache) and touches the network only when the caller allows it. Only safetensors are read.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

from torch import Tensor

from ..types import Progress

log = logging.getLogger(__name__)

_PACKAGE = Path(__file__).resolve().parents[1]
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_CHUNK = 1 << 20


class WeightsMissingError(FileNotFoundError):
    """A model file is not on this machine, and downloading it was not allowed or not possible."""


class WeightsMismatchError(RuntimeError):
    """A model file is not the published one: its size or hash differs, or its content does not fit the model."""


@dataclass(frozen=True)
class ModelFile:
    """One file of a model.

    Attributes:
        name: file name on this machine, a plain name ending in `.safetensors`, distinct between models.
        bytes: exact size, or None where it could not be verified.
        sha256: hash in hex, or None where it could not be verified. Without it, a download is checked against the hash that
            the hub states for the file (its ETag) and a file already here only by whether it fits the model.
        repo_id, revision, filename: where it is published on the Hugging Face hub (`filename` within the repository).
        embedded: path relative to the `refocus_core` package when the file ships with it, else None.
        about_mb: size for people, in MB, where `bytes` is unknown.

    Raises:
        ValueError: if `name` is not a plain `.safetensors` name, or `embedded` leaves the package.
    """

    name: str
    bytes: int | None = None
    sha256: str | None = None
    repo_id: str | None = None
    revision: str = "main"
    filename: str = "model.safetensors"
    embedded: str | None = None
    about_mb: int | None = None

    def __post_init__(self) -> None:
        if not _PLAIN_NAME.fullmatch(self.name) or not self.name.endswith(".safetensors"):
            raise ValueError(f"A model file needs a plain name that ends in .safetensors, got {self.name!r}.")
        if any(part in ("", "..") or ":" in part or "\\" in part for part in self.filename.split("/")):
            raise ValueError(f"ModelFile.filename must be a path inside its repository, got {self.filename!r}.")
        if self.embedded is not None and not (_PACKAGE / self.embedded).resolve().is_relative_to(_PACKAGE):
            raise ValueError(f"ModelFile.embedded must stay inside the package, got {self.embedded!r}.")

    @property
    def size_text(self) -> str:
        """The size for people."""
        if self.bytes is not None:
            return f"{self.bytes / 1e6:.0f} MB"
        return f"about {self.about_mb} MB" if self.about_mb is not None else "size unknown"


@dataclass(frozen=True)
class ModelEntry:
    """A model that can be run.

    Attributes:
        name: identifier, a plain name; also the folder that the files may lie in.
        label: name for people.
        files: its files.
        licence: licence of the weights.
        url: where the model is published.
        loader: which loader of the room reads it.
        dtypes: floating-point types it may run in, the preferred one first.
        tiling: how large pictures are handled, for people.
        notes: what a user should know before choosing it.
        options: architecture options for the loader.
    """

    name: str
    label: str
    files: tuple[ModelFile, ...]
    licence: str
    url: str
    loader: str
    dtypes: tuple[str, ...] = ("float32",)
    tiling: str = "none"
    notes: str = ""
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        if not _PLAIN_NAME.fullmatch(self.name):
            raise ValueError(f"ModelEntry.name must be a plain name, got {self.name!r}.")
        if not self.files:
            raise ValueError(f"Model {self.name} has no file.")

    @property
    def size_text(self) -> str:
        """Size of all files for people."""
        return " + ".join(f.size_text for f in self.files)


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
    places = [_PACKAGE / file.embedded] if file.embedded else []
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
            if not allow_download:
                raise WeightsMissingError(_missing_text(entry, file, roots))
            path = _download(entry, file, roots[0], progress)
        else:
            verify(path, file, hashes=verify_hash)
        found.append(path)
    return tuple(found)


def verify(path: Path, file: ModelFile, *, hashes: bool = True) -> None:
    """Compare a file on disk with what is known of it: size and, with `hashes`, SHA-256.

    Raises:
        WeightsMismatchError: if they differ.
    """
    size = path.stat().st_size
    if file.bytes is not None and size != file.bytes:
        raise WeightsMismatchError(
            f"{path} has {size} bytes, the published {file.name} has {file.bytes}. It is incomplete or another file: delete it "
            "and fetch it again. A model of your own belongs in a folder of its own, with its config.json beside it."
        )
    if hashes and file.sha256 is not None and (actual := _hash(path, hashlib.sha256())) != file.sha256.lower():
        raise WeightsMismatchError(
            f"{path} has the SHA-256 {actual}, expected {file.sha256}. It is damaged or another "
            "file: delete it and fetch it again."
        )


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Tensors of a safetensors file, on the CPU.

    Raises:
        WeightsMismatchError: if the file is not safetensors (pickle files are never opened).
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(str(path))
    except (SafetensorError, ValueError) as e:
        raise WeightsMismatchError(
            f"{path} is not a readable safetensors file ({e}). Only safetensors are loaded: fetch the file again, or convert it."
        ) from e


def _missing_text(entry: ModelEntry, file: ModelFile, folders: Sequence[Path]) -> str:
    searched = "\n".join(f"  {f / file.name}\n  {f / entry.name / file.name}" for f in folders)
    where = f"{file.repo_id}, revision {file.revision}, {file.filename}" if file.repo_id else entry.url
    return (
        f"{entry.label} needs {file.name} ({file.size_text}, licence: {entry.licence}), which is not on this machine. Searched:\n"
        f"{searched}\n"
        + (f"  the local Hugging Face cache ({file.repo_id})\n" if file.repo_id else "")
        + f"Get it from {where} ({entry.url}) and put it in one of these places, or allow the download "
        "(switch allow_download in the node, --allow-download on the command line)."
    )


def _hash(path: Path, digest: Any, prefix: bytes = b"") -> str:
    digest.update(prefix)
    with path.open("rb") as stream:
        while block := stream.read(_CHUNK):
            digest.update(block)
    return digest.hexdigest()


class _Counted:
    """A file that reports what is written to it; the hub's transfer function writes into it. Works with any hub version."""

    def __init__(self, stream: IO[bytes], total: int, progress: Progress | None) -> None:
        self._stream, self._total, self._progress = stream, total, progress
        self.cancelled = False

    def write(self, data: bytes) -> int:
        n = self._stream.write(data)
        if self._progress is not None:
            self.cancelled = True  # stays so if the call below raises
            self._progress(min(self._stream.tell(), self._total), self._total)
            self.cancelled = False
        return n

    def tell(self) -> int:
        return self._stream.tell()

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset, whence)

    def truncate(self, size: int | None = None) -> int:
        return self._stream.truncate(size)

    def flush(self) -> None:
        self._stream.flush()


def _download(entry: ModelEntry, file: ModelFile, folder: Path, progress: Progress | None) -> Path:
    """Fetch a file into FOLDER/<entry>/<file>: resumed, checked, and only then given its name.

    huggingface_hub throws away what an interrupted `hf_hub_download` has fetched (since 1.x), so its transfer function is used
    on a partial file of our own, named after the hash, which a later call continues.
    """
    if not file.repo_id:
        raise WeightsMissingError(f"{entry.label}: {file.name} cannot be downloaded by this program. Get it from {entry.url}.")
    try:
        from huggingface_hub import get_hf_file_metadata, hf_hub_url
        from huggingface_hub.file_download import http_get
        from huggingface_hub.utils import build_hf_headers
    except ImportError as e:
        raise WeightsMissingError(
            f"{file.name} is not here, and downloading needs huggingface_hub: pip install huggingface_hub, or get the file from "
            f"{entry.url} and put it in {folder / entry.name}."
        ) from e

    target = folder / entry.name / file.name
    # Read here as well: the library reads it once, when it is imported.
    url = hf_hub_url(file.repo_id, file.filename, revision=file.revision, endpoint=os.environ.get("HF_ENDPOINT"))
    headers = build_hf_headers()
    try:
        meta = get_hf_file_metadata(url)
    except Exception as e:
        raise WeightsMissingError(f"{url} could not be reached ({e}). Try again, or put the file at {target} by hand.") from e
    etag, size, location = meta.etag or "", meta.size, meta.location
    if size is None:
        raise WeightsMissingError(f"The hub does not state the size of {url}. Put the file at {target} by hand.")
    if file.bytes is not None and size != file.bytes:
        raise WeightsMismatchError(
            f"{url} has {size} bytes, expected {file.bytes}. The published file has changed; nothing was fetched."
        )
    if file.sha256 is not None and len(etag) == 64 and etag.lower() != file.sha256.lower():
        raise WeightsMismatchError(
            f"{url} has the hash {etag}, expected {file.sha256}. The published file has changed; nothing was fetched."
        )
    expected = (file.sha256 or etag).lower()
    if len(expected) not in (40, 64):
        raise WeightsMismatchError(f"The hub states no hash for {url}. Put the file at {target} by hand if you trust it.")

    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.{expected[:12]}.part")
    start = part.stat().st_size if part.exists() else 0
    if start > size:
        part.unlink()
        start = 0
    log.info("Downloading %s (%.0f MB, licence: %s) to %s", url, size / 1e6, entry.licence, target)
    if "authorization" in headers and location != url:
        # The store behind the hub takes a signed address, not the user's token.
        headers = {k: v for k, v in headers.items() if k != "authorization"}
    # Not append mode: the transfer function rewinds when the server does not honour the range.
    with part.open("r+b" if start else "wb") as stream:
        stream.seek(start)
        sink = _Counted(stream, size, progress)
        try:
            cast("Callable[..., None]", http_get)(location, sink, resume_size=start, headers=headers, expected_size=size)
        except Exception as e:
            if sink.cancelled:
                raise
            raise WeightsMissingError(
                f"The download of {file.name} stopped after {stream.tell()} of {size} bytes ({e}). Run it "
                "again: it goes on from there."
            ) from e
    if part.stat().st_size != size:
        actual = f"{part.stat().st_size} bytes"
    elif len(expected) == 64:
        actual = _hash(part, hashlib.sha256())
    else:  # small files are stored in git: the ETag is the id of the blob
        actual = _hash(part, hashlib.sha1(usedforsecurity=False), b"blob %d\0" % size)
    if actual != expected:
        part.unlink()
        raise WeightsMismatchError(
            f"What arrived from {url} is not the published file (got {actual}, expected {expected}). It was deleted; try again."
        )
    os.replace(part, target)
    return target
