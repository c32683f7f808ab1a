"""The aperture that the options name: a shape, a picture, a preset or a file of settings."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import options

if TYPE_CHECKING:  # torch takes seconds to import; a contradiction in the options must not wait for it
    from torch import Tensor

    from ..bokeh import ApertureSettings
    from ..types import Kernel


def kernel(args: argparse.Namespace) -> Kernel:
    """The aperture.

    Raises:
        ValueError, OSError: if a file cannot be read or holds something else.
    """
    from .. import bokeh

    texture = None if args.aperture_texture is None else _picture(args.aperture_texture).mean(0, keepdim=True)
    settings = _settings(args)
    if settings is not None:
        return settings.kernel(texture)
    path = Path(args.aperture)
    made = bokeh.kernel_from_image(_picture(path), softness=args.softness, name=path.stem)
    return bokeh.ApertureSettings(**_character(args)).drawn(made, texture)


def save(path: Path, args: argparse.Namespace) -> None:
    """Write the settings of the aperture, which is no picture (see `given.check_inputs`)."""
    from ..files.output import write_whole

    settings = _settings(args)
    assert settings is not None
    text = settings.to_json().encode()
    write_whole(path, lambda file: file.writelines([text]))


def _settings(args: argparse.Namespace) -> ApertureSettings | None:
    """The settings, or None for an aperture picture."""
    from .. import bokeh

    if args.aperture_file is not None:
        return bokeh.ApertureSettings.from_json(args.aperture_file.read_text(encoding="utf-8"))
    if args.aperture_preset != options.aperture.OWN:
        return bokeh.PRESETS[args.aperture_preset]
    if args.aperture not in options.aperture.SHAPE.words:
        return None
    outline: dict[str, Any] = {"curvature": args.curvature, "rotation_deg": args.rotation, "softness": args.softness}
    if args.blades is not None:
        outline["points" if args.aperture == "star" else "blades"] = args.blades
    return bokeh.ApertureSettings(args.aperture, **outline, **_character(args))


def _character(args: argparse.Namespace) -> dict[str, Any]:
    names = ("squeeze", "spherical", "fringe", "onion", "cat_eye", "swirl", "coma", "barn_doors")
    return {name: getattr(args, name) for name in names}


def _picture(path: Path) -> Tensor:
    """[1 or 3,h,w] linear light of a picture, one channel if it is grey."""
    from ..color import srgb_to_linear
    from ..files import pictures

    picture = pictures.load(path)
    raster = srgb_to_linear(picture.image)
    if bool((raster == raster[:, :1]).all()):
        raster = raster[:, :1]
    if picture.alpha is not None:
        raster = raster * picture.alpha
    return raster[0].clamp_min(0)
