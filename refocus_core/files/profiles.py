"""Colour profiles. They travel with the picture; pixels are never converted between them."""

from __future__ import annotations

import io
import logging
from pathlib import Path

from PIL import ImageCms

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


def usable_profile(icc: bytes | None, path: Path) -> bytes | None:
    """The profile if it describes RGB; logs what a person should know about it."""
    if not icc:
        return None
    space = icc[_SPACE].decode("ascii", "replace").strip()
    if space != "RGB":
        log.warning("%s: its %s colour profile cannot describe the RGB result and is left out.", path, space)
        return None
    name = profile_name(icc)
    if name is None:
        log.warning("%s: its colour profile is damaged; it is kept as it is.", path)
    elif "srgb" not in name.lower():
        log.info("%s has the colour profile '%s'. It is kept; light is added as if its curve were that of sRGB.", path, name)
    return icc
