"""A model file fetched from the Hugging Face hub: resumed, checked, and only then given its name.

huggingface_hub throws away what an interrupted `hf_hub_download` has fetched (since 1.x), so its transfer function is used on a
partial file of our own, named after the hash, which a later call continues.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from ..types import Progress
from .errors import WeightsMismatchError, WeightsMissingError
from .record import ModelEntry, ModelFile

log = logging.getLogger(__name__)

_CHUNK = 1 << 20
"""Bytes that are hashed at a time. More need more memory and are no quicker."""
_SHA256_DIGITS, _SHA1_DIGITS = 64, 40
"""Length of a hash in hex. The hub marks large files with SHA-256, and small ones with git's SHA-1 of the blob."""
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
    """
    target = folder / entry.name / file.name
    published = _published(entry, file, target)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.{published.hash[:_NAME_DIGITS]}.part")
    log.info("Downloading %s (%.0f MB, licence: %s) to %s", published.url, published.size / 1e6, entry.licence, target)
    _fetch(published, part, file.name, progress)
    actual = _arrived(part, published)
    if actual != published.hash:
        part.unlink()
        raise WeightsMismatchError(
            f"What arrived from {published.url} is not the published file (got {actual}, expected {published.hash}). "
            "It was deleted; try again."
        )
    os.replace(part, target)
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


def _fetch(published: _Published, part: Path, name: str, progress: Progress | None) -> None:
    """Bring the partial file to its full size, from where it ends."""
    from huggingface_hub.file_download import http_get

    start = part.stat().st_size if part.exists() else 0
    if start > published.size:
        part.unlink()
        start = 0
    # Not append mode: the transfer function rewinds when the server does not honour the range.
    with part.open("r+b" if start else "wb") as stream:
        stream.seek(start)
        sink = _Counted(stream, published.size, progress)
        try:
            cast("Callable[..., None]", http_get)(
                published.location, sink, resume_size=start, headers=published.headers, expected_size=published.size
            )
        except Exception as e:
            if sink.cancelled:
                raise
            raise WeightsMissingError(
                f"The download of {name} stopped after {stream.tell()} of {published.size} bytes ({e}). Run it "
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
