"""EXR, with the package OpenEXR: linear light, multiplied by alpha, and any number of further channels in layers.

A channel is called by its layer and what it is, such as `ViewLayer.Depth.Z`; those of the picture itself often by a letter alone.
In a file of several parts, as Blender and Nuke write them too, the part's name comes first unless the channel begins with it.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from .formats import Array, PictureError
from .guard import check_size
from .unfinished import working_folder

_PICTURE_LAYERS = ("", "combined", "rgba", "rgb", "beauty", "image", "default")
"""Ends of the names of layers that hold the picture, in the order in which they are looked for."""
_DEPTH_ENDS = ("z", "depth", "depth.v", "depth.y", "depth.r", "z.v", "z.y", "z.r")
"""Ends of the names of channels with the distance of what each pixel shows."""
_COLOURS = ("R", "G", "B")
"""Channels of a colour."""


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
    """The picture [H,W,C] float32: R, G, B, and A if there; else Y, or the only channel.

    Raises:
        PictureError: if it cannot be read, or no layer of it is a picture.
    """
    channels = _channels(path)
    layers = {name[: -len("R")] for name in channels if _last(name) == "R"}
    found = [layer for layer in layers if all(layer + colour in channels for colour in _COLOURS)]
    for wanted in _PICTURE_LAYERS:
        found_here = [layer for layer in found if layer.rstrip(".").lower().rpartition(".")[2] == wanted]
        if len(found_here) == 1:
            found = found_here
            break
    if len(found) == 1:
        names = [found[0] + colour for colour in (*_COLOURS, "A") if found[0] + colour in channels]
    elif not found and (len(channels) == 1 or "Y" in channels or "Z" in channels):
        names = [next(n for n in ("Y", "Z", *channels) if n in channels)]
    else:
        raise PictureError(f"{path} has the channels {_listed(channels)}; one layer with R, G and B, or Y, is needed.")
    pixels = _stacked(path, [channels[n] for n in names])
    if len(names) == 4:  # EXR stores colour multiplied by alpha
        pixels[..., :3] /= np.where(pixels[..., 3:] > 0, pixels[..., 3:], 1)
    return pixels


def read_exr_layer(path: Path, layer: str) -> Array:
    """[H,W,1] float32: the channel called `layer`, or the only one of the layer of this name, or its R, G, B if they are equal.

    Raises:
        PictureError: if it cannot be read, or there is none or more than one such channel.
    """
    channels = _channels(path)
    names = [layer] if layer in channels else [name for name in channels if name.startswith(f"{layer}.")]
    if len(names) > 1:
        colours = [name for name in names if _last(name) in _COLOURS]
        equal = len(colours) == 3 and all(np.array_equal(channels[colours[0]], channels[n], equal_nan=True) for n in colours)
        names = colours[:1] if equal else names
    if len(names) != 1:
        told = f"{len(names)} channels: {_listed(names)}" if names else f"none of this name, but {_listed(channels)}"
        raise PictureError(f"{path}, layer {layer!r}: there are {told}. Give the name of one channel.")
    return _stacked(path, [channels[names[0]]])


def depth_channel(path: Path) -> str | None:
    """Name of the channel with the distance of each pixel, by its name; None where the file has none beside a picture.

    Raises:
        PictureError: if it cannot be read, or there are several.
    """
    found = [name for name, _ in _opened(path, header_only=True) if is_distance(name)]
    found = ["Z"] if "Z" in found else found
    if len(found) > 1:
        raise PictureError(f"{path} has several channels with depth: {_listed(found)}. Name one of them as the layer.")
    return found[0] if found else None


def is_distance(name: str) -> bool:
    """Whether a channel or layer of this name holds the distance of what each pixel shows."""
    return name.lower() in _DEPTH_ENDS or name.lower().endswith(tuple(f".{end}" for end in _DEPTH_ENDS))


def write_exr(file: BinaryIO, values: Array) -> None:
    """[H,W,C] float32, C = 1, 3 or 4; colour is multiplied by alpha."""
    exr = openexr(Path("picture.exr"))
    names = {1: "Y", 3: "RGB", 4: "RGBA"}[values.shape[2]]
    if len(names) == 4:
        values = np.concatenate([values[..., :3] * values[..., 3:], values[..., 3:]], 2)
    channels = {n: np.ascontiguousarray(values[..., i]) for i, n in enumerate(names)}
    header = {"compression": exr.ZIP_COMPRESSION, "type": exr.scanlineimage}
    with working_folder() as folder:  # OpenEXR writes to names only
        name = folder / "picture.exr"
        try:
            with exr.File(header, channels) as out:
                out.write(str(name))
        except RuntimeError as error:
            raise OSError(f"OpenEXR: {error}") from error
        file.write(name.read_bytes())


def _channels(path: Path) -> dict[str, Array]:
    """All channels of all parts, [h,w] float32 by name."""
    return {name: _pixels(path, name, channel.pixels) for name, channel in _opened(path, header_only=False)}


def _opened(path: Path, *, header_only: bool) -> list[tuple[str, Any]]:
    """All channels of all parts as OpenEXR has them, with their names within the file."""
    exr = openexr(path)
    found: dict[str, Any] = {}
    try:
        with exr.File(str(path), separate_channels=True, header_only=True) as file:
            for part in file.parts:  # before memory is taken for pixels
                (left, top), (right, bottom) = (corner.tolist() for corner in part.header["dataWindow"])
                check_size(path, right - left + 1, bottom - top + 1)
        with exr.File(str(path), separate_channels=True, header_only=header_only) as file:
            for part in file.parts:
                own = part.name() if len(file.parts) > 1 else ""
                channels = {c.name: c for c in part.header["channels"]} if header_only else part.channels
                found |= {_full_name(own, name, found): channel for name, channel in channels.items()}
    except (OSError, RuntimeError) as error:
        raise PictureError(f"{path} is not an EXR file that can be read: {error}") from error
    return list(found.items())


def _pixels(path: Path, name: str, stored: Any) -> Array:
    pixels = np.asarray(stored)
    if pixels.dtype.kind not in "fiu" or pixels.ndim != 2:
        raise PictureError(f"{path}: the channel {name} holds no plain picture (deep data?). Flatten it first.")
    return pixels.astype(np.float32)


def _full_name(part: str, channel: str, taken: dict[str, Any]) -> str:
    """A channel's name within the file: with its part's where the channel's own does not tell it apart."""
    if part and not channel.startswith(part) and (channel in taken or "." not in channel) and part.lower() not in _PICTURE_LAYERS:
        return f"{part}.{channel}"
    return channel


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _listed(names: Any) -> str:
    return ", ".join(sorted(names))


def _stacked(path: Path, channels: list[Array]) -> Array:
    sizes = {c.shape for c in channels}
    if len(sizes) > 1:
        raise PictureError(f"{path} stores its channels in different sizes, {sorted(sizes)}. Save them in one size.")
    return np.stack(channels, 2)
