"""Folders of sharp photos with depth."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from ...files import pictures
from .recipe import FileId

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff")
"""Files that count as photos."""
DEPTH_FILE = "depth.json"
"""Beside the depth: whether it is metric, and what made it."""
_ROUNDING_PX = 1.5
"""A resized depth map may miss its photo's shape by this much."""


class Sources:
    """A folder of sharp photos with depth.

        FOLDER/photos/NAME.jpg            (or any of `PHOTO_SUFFIXES`)
        FOLDER/depth/NAME.npy             disparity [H,W], larger = nearer (or .pfm, .tif, .exr, .png)
        FOLDER/depth/depth.json           {"metric": true or false}: whether disparity is in 1/m

    `python -m refocus_core.train.genfocus depth` fills the second part from the first.

    Raises:
        ValueError: if there is no photo, a photo has no depth, or it is not said whether depth is metric.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        photos = photos_in(folder / "photos")
        note = folder / "depth" / DEPTH_FILE
        if not photos:
            raise ValueError(f"{folder / 'photos'} holds no photo ({', '.join(PHOTO_SUFFIXES)}).")
        if not note.is_file():
            raise ValueError(
                f"{note} is missing. Make depth with `python -m refocus_core.train.genfocus depth {folder}`, or write "
                '{"metric": true} there if your depth files hold disparity in 1/m, else {"metric": false}.'
            )
        self.metric = bool(json.loads(note.read_text())["metric"])
        self.files: list[tuple[Path, Path]] = []
        for photo in photos:
            maps = [p for s in pictures.MAP_SUFFIXES if (p := folder / "depth" / (photo.stem + s)).is_file()]
            if not maps:
                raise ValueError(f"{photo} has no depth in {folder / 'depth'}. Make it, or remove the photo.")
            self.files.append((photo, maps[0]))

    def __len__(self) -> int:
        return len(self.files)

    def identify(self, path: Path) -> FileId:
        return FileId(path.relative_to(self.folder).as_posix(), _digest(path))

    def read(self, photo: FileId, depth: FileId) -> tuple[Tensor, Tensor]:
        """Photo [3,H,W] sRGB-encoded and disparity [H,W] at its size.

        Raises:
            ValueError: if a file is not the one that is meant.
        """
        paths = [self.folder / f.file for f in (photo, depth)]
        for path, wanted in zip(paths, (photo, depth), strict=True):
            if not path.resolve().is_relative_to(self.folder.resolve()):
                raise ValueError(f"{wanted.file} leads out of {self.folder}.")
            if not path.is_file():
                raise ValueError(f"{path} is not there; the pair was made from it.")
            if _digest(path) != wanted.sha256:
                raise ValueError(f"{path} is not the file that the pair was made from (its SHA-256 differs).")
        return _loaded(paths[0], paths[1])


def photos_in(folder: Path) -> list[Path]:
    """Photos in a folder, sorted by name."""
    return sorted(p for p in folder.glob("*") if p.suffix.lower() in PHOTO_SUFFIXES)


@lru_cache(maxsize=4096)
def _digest_of(path: Path, _size: int, _time_ns: int) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _digest(path: Path) -> str:
    """SHA-256 of a file; kept until its size or time changes."""
    stat = path.stat()
    return _digest_of(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=4)
def _loaded(photo: Path, depth: Path) -> tuple[Tensor, Tensor]:
    image = pictures.load(photo).image[0].clamp(0, 1)
    disparity = pictures.load_map(depth)[0, 0]
    if not bool(torch.isfinite(disparity).all()) or float(disparity.min()) < 0:
        raise ValueError(f"{depth} holds negative, NaN or infinite disparity. Fill those pixels first.")
    if disparity.shape != image.shape[1:]:
        h, w = image.shape[1:]
        dh, dw = disparity.shape
        if abs(dw * h - w * dh) > max(w, h, dw, dh) * _ROUNDING_PX:
            raise ValueError(f"{depth} ({dw} x {dh}) does not have the shape of {photo} ({w} x {h}).")
        disparity = F.interpolate(disparity[None, None], (h, w), mode="bilinear", align_corners=False)[0, 0]
    return image, disparity
