"""Colour profiles. They travel with the picture; pixels are never converted between them."""

from __future__ import annotations

import io
import logging
from pathlib import Path

from PIL import ImageCms

from .tone_curves import tone_curve

log = logging.getLogger(__name__)

_SPACE = slice(16, 20)
"""Where an ICC profile's header names the space of its pixels (ICC.1:2022, table 17)."""


def profile_name(icc: bytes) -> str | None:
    """A profile's own description, or None if it is damaged."""
    try:
        return ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(icc))).strip()
    except (ImageCms.PyCMSError, OSError):
        return None


def is_srgb(icc: bytes) -> bool:
    """Whether a profile calls itself sRGB."""
    return "srgb" in (profile_name(icc) or "").lower()


def is_grey(icc: bytes | None) -> bool:
    """Whether a profile describes grey."""
    return icc is not None and _space(icc) == "GRAY"


def _space(icc: bytes) -> str:
    return icc[_SPACE].decode("ascii", "replace").strip()


def usable_profile(icc: bytes | None, path: Path, channels: int) -> bytes | None:
    """The profile if it describes pixels of so many channels; logs what a person should know about it."""
    if not icc:
        return None
    space, curve = _space(icc), tone_curve(icc)
    if space != "RGB" and not (space == "GRAY" and channels <= 2 and curve):
        log.warning("%s: its %s colour profile cannot describe the picture and is left out.", path, space)
        return None
    name = profile_name(icc)
    if name is None:
        log.warning("%s: its colour profile is damaged; it is kept as it is.", path)
    elif curve is None:
        log.warning("%s: its colour profile '%s' has no curve; it is kept, and light is added as if it were sRGB's.", path, name)
    elif "srgb" not in name.lower():
        log.info("%s has the colour profile '%s'. It is kept, and light is added by its own curve.", path, name)
    return icc
