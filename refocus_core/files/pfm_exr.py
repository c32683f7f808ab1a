"""Floating-point formats beside TIFF: PFM, and EXR with the package OpenEXR. Values are linear light; nothing is converted."""

from __future__ import annotations

import importlib
import os
import tempfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from .formats import Array, PictureError


def read_pfm(path: Path) -> Array:
    """Portable float map: 'PF' colour or 'Pf' grey, rows from the bottom up, negative scale = little-endian.

    Raises:
        PictureError: if it is another or an incomplete file.
    """
    data = path.read_bytes()
    try:
        kind, size, scale, body = data.split(b"\n", 3)
        w, h = (int(v) for v in size.split())
        channels = {b"PF": 3, b"Pf": 1}[kind.strip()]
        values = np.frombuffer(body, "<f4" if float(scale) < 0 else ">f4", w * h * channels)
    except (ValueError, KeyError) as error:
        raise PictureError(f"{path} is not a complete PFM file: {error}") from error
    return np.ascontiguousarray(values.reshape(h, w, channels)[::-1]).astype(np.float32)


def write_pfm(file: BinaryIO, values: Array) -> None:
    """[H,W,C] float32, C = 1 or 3."""
    h, w, c = values.shape
    file.write(b"%s\n%d %d\n-1.0\n" % (b"PF" if c == 3 else b"Pf", w, h))
    file.write(np.ascontiguousarray(values[::-1].astype("<f4")).tobytes())


def openexr(path: Path) -> Any:
    """The module OpenEXR.

    Raises:
        PictureError: if it is not installed; `path` is named in the message.
    """
    try:
        return importlib.import_module("OpenEXR")
    except ImportError as error:
        raise PictureError(
            f"{path}: EXR needs the package OpenEXR (pip install OpenEXR). Without it use .tif or .pfm."
        ) from error


def read_exr(path: Path) -> Array:
    """[H,W,C] float32 of R, G, B and A, or of one channel.

    Raises:
        PictureError: if it cannot be read, or has other channels.
    """
    exr = openexr(path)
    try:
        with exr.File(str(path), separate_channels=True) as file:
            channels = {name: np.asarray(c.pixels, np.float32) for name, c in file.channels().items()}
    except (OSError, RuntimeError) as error:
        raise PictureError(f"{path} is not an EXR file that can be read: {error}") from error
    if {"R", "G", "B"} <= channels.keys():
        names = ["R", "G", "B", *(["A"] if "A" in channels else [])]
    elif len(channels) == 1 or "Y" in channels or "Z" in channels:
        names = [next(n for n in ("Y", "Z", *channels) if n in channels)]
    else:
        raise PictureError(f"{path} has the channels {sorted(channels)}; R, G, B or one of Y, Z is needed.")
    pixels = np.stack([channels[n] for n in names], 2)
    if len(names) == 4:  # EXR stores colour multiplied by alpha
        pixels[..., :3] /= np.where(pixels[..., 3:] > 0, pixels[..., 3:], 1)
    return pixels


def write_exr(file: BinaryIO, values: Array) -> None:
    """[H,W,C] float32, C = 1, 3 or 4; colour is multiplied by alpha."""
    exr = openexr(Path("picture.exr"))
    names = {1: "Y", 3: "RGB", 4: "RGBA"}[values.shape[2]]
    if len(names) == 4:
        values = np.concatenate([values[..., :3] * values[..., 3:], values[..., 3:]], 2)
    channels = {n: np.ascontiguousarray(values[..., i]) for i, n in enumerate(names)}
    header = {"compression": exr.ZIP_COMPRESSION, "type": exr.scanlineimage}
    with tempfile.TemporaryDirectory() as folder:  # OpenEXR writes to names only
        name = os.path.join(folder, "picture.exr")
        try:
            with exr.File(header, channels) as out:
                out.write(name)
        except RuntimeError as error:
            raise OSError(f"OpenEXR: {error}") from error
        file.write(Path(name).read_bytes())
