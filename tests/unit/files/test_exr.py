"""EXR as renderers write it: further channels, layers, several parts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from refocus_core.color import linear_to_srgb
from refocus_core.files import pictures
from refocus_core.files.pictures import PictureError, depth_layer, load, load_map

OpenEXR = pytest.importorskip("OpenEXR", reason="needs OpenEXR: run `bash scripts/setup.sh tests`")

H, W = 3, 4
COLOUR = {name: np.full((H, W), value, np.float32) for name, value in zip("RGBA", (0.25, 0.5, 0.125, 0.5), strict=True)}
"""Multiplied by alpha, as EXR stores it."""
Z = np.linspace(1, 12, H * W, dtype=np.float32).reshape(H, W)


def written(path: Path, *parts: tuple[str, dict[str, np.ndarray]]) -> Path:
    """A file of these parts; one without a name is the only one."""
    made = [
        OpenEXR.Part({"type": OpenEXR.scanlineimage} | ({"name": name} if name else {}), dict(channels))
        for name, channels in parts
    ]
    with OpenEXR.File(made) as file:
        file.write(str(path))
    return path


def layered(layer: str, channels: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {f"{layer}.{name}": values for name, values in channels.items()}


def files(folder: Path) -> dict[str, Path]:
    """A colour pass with depth beside it, as different programs lay it out."""
    return {
        "Z": written(folder / "rgbaz.exr", ("", COLOUR | {"Z": Z})),
        "ViewLayer.Depth.Z": written(
            folder / "blender.exr",
            ("", layered("ViewLayer.Combined", COLOUR) | layered("ViewLayer.Depth", {"Z": Z}) | {"ViewLayer.Normal.X": -Z}),
        ),
        "depth.Z": written(folder / "nuke.exr", ("rgba", COLOUR), ("depth", {"Z": Z}), ("mask", {"Z2": -Z})),
        "CamA.Depth.V": written(
            folder / "parts.exr", ("CamA.Combined", layered("CamA.Combined", COLOUR)), ("CamA.Depth", {"CamA.Depth.V": Z})
        ),
    }


def test_colour_and_depth_of_one_file_are_told_apart(tmp_path: Path) -> None:
    for name, path in files(tmp_path).items():
        picture = load(path)
        straight = torch.tensor([0.5, 1.0, 0.25]).view(1, 3, 1, 1).expand(1, 3, H, W)
        assert torch.allclose(picture.image, linear_to_srgb(straight)), path.name
        assert picture.alpha is not None and bool((picture.alpha == 0.5).all())
        assert depth_layer(path) == name and pictures.is_distance(name)
        assert torch.equal(load_map(path, name)[0, 0], torch.from_numpy(Z)), path.name


def test_a_layer_is_found_by_its_own_name_or_by_its_channel(tmp_path: Path) -> None:
    grey = {name: Z for name in "RGB"}
    path = written(tmp_path / "p.exr", ("", COLOUR | layered("blur", {"V": Z}) | layered("grey", grey) | layered("n", COLOUR)))
    for layer in ("blur", "blur.V", "grey", "grey.G"):
        assert torch.equal(load_map(path, layer)[0, 0], torch.from_numpy(Z)), layer
    with pytest.raises(PictureError, match=r"layer 'n': there are 4 channels: n\.A, n\.B, n\.G, n\.R\. Give the name of one"):
        load_map(path, "n")
    with pytest.raises(PictureError, match=r"layer 'Z': there are none of this name, but A, B, G, R, blur\.V"):
        load_map(path, "Z")
    assert depth_layer(path) is None


def test_what_cannot_be_told_is_asked_for(tmp_path: Path) -> None:
    two = written(tmp_path / "two.exr", ("", COLOUR | layered("left", {"Z": Z}) | layered("right", {"Z": Z})))
    with pytest.raises(PictureError, match=r"several channels with depth: left\.Z, right\.Z"):
        depth_layer(two)
    own = written(tmp_path / "own.exr", ("", COLOUR | {"Z": Z} | layered("shadow", {"Z": -Z})))
    assert depth_layer(own) == "Z", "that of the picture itself"
    lights = written(tmp_path / "lights.exr", ("", layered("key", COLOUR) | layered("fill", COLOUR)))
    with pytest.raises(PictureError, match=r"one layer with R, G and B"):
        load(lights)
    pictures.save_map(tmp_path / "m.tif", torch.from_numpy(Z))
    with pytest.raises(PictureError, match=r"m\.tif has no layers"):
        load_map(tmp_path / "m.tif", "Z")
    assert depth_layer(tmp_path / "m.tif") is None


def test_a_claimed_size_is_refused_before_its_pixels_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "p.exr", ("", {"Z": np.zeros((1000, 1100), np.float32)}))
    monkeypatch.setenv("REFOCUS_MAX_MEGAPIXELS", "1")
    with pytest.raises(PictureError, match="1100 x 1000 px"):
        load_map(path)
