"""A model file fetched from the Hugging Face hub: resumed, checked, and only then given its name.

huggingface_hub throws away what an interrupted `hf_hub_download` has fetched (since 1.x), so its transfer function is used on a
partial file of our own, named after the hash, which a later call continues.
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from ..faults import is_write_fault, lock, not_written
from ..types import Progress
from .errors import WeightsMismatchError, WeightsMissingError
from .record import ModelEntry, ModelFile

log = logging.getLogger(__name__)

_CHUNK = 1 << 20
"""Bytes that are hashed at a time. More need more memory and are no quicker."""
_SHA256_DIGITS, _SHA1_DIGITS = 64, 40
"""Length of a hash in hex. The hub marks large files with SHA-256, and small ones with git's SHA-1 of the blob."""
_SECONDS_BETWEEN_LOOKS = 0.2
"""How often is looked whether another process has fetched a file. Less often makes cancelling and its end later."""
_NAME_DIGITS = 12
"""Digits of the hash in a partial file's name: enough to tell two publications apart."""


def file_hash(path: Path, digest: Any, prefix: bytes = b"") -> str:
    """Hash of `prefix` and a file's content, in hex. `digest` is an object of hashlib."""
    digest.update(prefix)
    with path.open("rb") as stream:
        while block := stream.read(_CHUNK):
            digest.update(block)
    return digest.hexdigest()


def download(entry: ModelEntry, file: ModelFile, folder: Path, progress: Progress | None) -> Path:
    """Fetch a file into FOLDER/<entry>/<file>.

    Args:
        progress: called with bytes done and in all. An exception from it stops the download; the next call goes on from there.

    Raises:
        WeightsMissingError: if it cannot be fetched. The message names the remedy.
        WeightsMismatchError: if the hub has another file than the one that is known, or what arrives is damaged.
        OSError: if there is no room or no leave to write, with the file's name and the remedy.
    """
    target = folder / entry.name / file.name
    published = _published(entry, file, target)
    part = target.with_name(f"{target.name}.{published.hash[:_NAME_DIGITS]}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _alone(part, target, published, progress) as stream:
            if stream is None:
                return target
            log.info("Downloading %s (%.0f MB, licence: %s) to %s", published.url, published.size / 1e6, entry.licence, target)
            _fetch(published, stream, target, progress)
        actual = _arrived(part, published)
    except FileNotFoundError:
        if target.exists():  # another process has given it its name
            return target
        raise
    except OSError as error:
        if is_write_fault(error) or isinstance(error, PermissionError):
            raise not_written(target, error) from error
        raise
    if actual != published.hash:
        part.unlink(missing_ok=True)
        raise WeightsMismatchError(
            f"What arrived from {published.url} is not the published file (got {actual}, expected {published.hash}). "
            "It was deleted; try again."
        )
    try:
        os.replace(part, target)
    except FileNotFoundError:
        if not target.exists():
            raise
    return target


@dataclass(frozen=True)
class _Published:
    """What the hub says of a file. `hash` is its SHA-256, or git's SHA-1 of a small file."""

    url: str
    location: str
    headers: dict[str, str]
    size: int
    hash: str


def _published(entry: ModelEntry, file: ModelFile, target: Path) -> _Published:
    """Ask the hub, and compare with what is known of the file."""
    if not file.repo_id:
        raise WeightsMissingError(f"{entry.label}: {file.name} cannot be downloaded by this program. Get it from {entry.url}.")
    try:
        from huggingface_hub import get_hf_file_metadata, hf_hub_url
        from huggingface_hub.utils import build_hf_headers
    except ImportError as e:
        raise WeightsMissingError(
            f"{file.name} is not here, and downloading needs huggingface_hub: pip install huggingface_hub, or get the file from "
            f"{entry.url} and put it in {target.parent}."
        ) from e

    # Read here as well: the library reads it once, when it is imported.
    url = hf_hub_url(file.repo_id, file.filename, revision=file.revision, endpoint=os.environ.get("HF_ENDPOINT"))
    headers = build_hf_headers()
    try:
        meta = get_hf_file_metadata(url)
    except Exception as e:
        raise WeightsMissingError(f"{url} could not be reached ({e}). Try again, or put the file at {target} by hand.") from e
    etag, size = meta.etag or "", meta.size
    if size is None:
        raise WeightsMissingError(f"The hub does not state the size of {url}. Put the file at {target} by hand.")
    changed = "The published file has changed; nothing was fetched."
    if file.bytes is not None and size != file.bytes:
        raise WeightsMismatchError(f"{url} has {size} bytes, expected {file.bytes}. {changed}")
    if file.sha256 is not None and len(etag) == _SHA256_DIGITS and etag.lower() != file.sha256.lower():
        raise WeightsMismatchError(f"{url} has the hash {etag}, expected {file.sha256}. {changed}")
    expected = (file.sha256 or etag).lower()
    if len(expected) not in (_SHA1_DIGITS, _SHA256_DIGITS):
        raise WeightsMismatchError(f"The hub states no hash for {url}. Put the file at {target} by hand if you trust it.")
    if meta.location != url:  # the store behind the hub takes a signed address, not the user's token
        headers = {k: v for k, v in headers.items() if k != "authorization"}
    return _Published(url, meta.location, headers, size, expected)


def _locked(stream: IO[bytes], part: Path) -> bool:
    """Lock the partial file, where the file system can; False if another process has it."""
    try:
        return lock(stream)
    except OSError as error:
        log.warning("%s cannot be locked (%s): let no other process fetch the same model meanwhile.", part, error)
        return True


@contextmanager
def _alone(part: Path, target: Path, published: _Published, progress: Progress | None) -> Generator[IO[bytes] | None]:
    """The partial file, which no other process writes meanwhile; None if another one has fetched the whole file by then.

    Two that write into one partial file spoil it. The lock is on the file itself, so that a killed process leaves none.
    """
    said = False
    while not target.exists():
        # Unbuffered: what does not fit fails once, where it is written, and not again on closing.
        with open(os.open(part, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666), "r+b", buffering=0) as stream:
            if _locked(stream, part):
                if part.exists() and os.path.samestat(part.stat(), os.fstat(stream.fileno())):
                    yield stream
                    return
                continue  # it has got its name, or was damaged and is gone: begin anew
            done = os.fstat(stream.fileno()).st_size
        if not said:
            log.info("Another process is fetching %s: waiting for it.", target)
            said = True
        if progress is not None:
            progress(min(done, published.size), published.size)
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    yield None


def _fetch(published: _Published, stream: IO[bytes], target: Path, progress: Progress | None) -> None:
    """Bring the partial file to its full size, from where it ends."""
    from huggingface_hub.file_download import http_get

    start = stream.seek(0, os.SEEK_END)
    if start > published.size:
        start = stream.seek(0)
        stream.truncate()
    if start == published.size:
        return  # stopped before it got its name
    # Not append mode: the transfer function rewinds when the server does not honour the range.
    sink = _Counted(stream, published.size, progress)
    try:
        cast("Callable[..., None]", http_get)(
            published.location, sink, resume_size=start, headers=published.headers, expected_size=published.size
        )
    except Exception as e:
        if sink.cancelled:
            raise
        if sink.fault is not None:
            raise not_written(target, sink.fault) from e
        raise WeightsMissingError(
            f"The download of {target.name} stopped after {stream.tell()} of {published.size} bytes ({e}). Run it "
            "again: it goes on from there."
        ) from e


def _arrived(part: Path, published: _Published) -> str:
    """Hash of what arrived, of the kind that the hub states; or its size where that is wrong."""
    size = part.stat().st_size
    if size != published.size:
        return f"{size} bytes"
    if len(published.hash) == _SHA256_DIGITS:
        return file_hash(part, hashlib.sha256())
    return file_hash(part, hashlib.sha1(usedforsecurity=False), b"blob %d\0" % size)


class _Counted:
    """A file that reports what is written to it; the hub's transfer function writes into it. Works with any hub version."""

    def __init__(self, stream: IO[bytes], total: int, progress: Progress | None) -> None:
        self._stream, self._total, self._progress = stream, total, progress
        self.cancelled = False
        self.fault: OSError | None = None

    def write(self, data: bytes) -> int:
        n = 0
        try:
            while n < len(data):  # a file without a buffer takes what fits
                n += self._stream.write(data[n:])
        except OSError as error:
            self.fault = error
            raise
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
