"""What the camera wrote beside the pixels: lens data, orientation, and the block that travels on with an upright picture."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from PIL import ExifTags, Image

from ..optics import film_equivalent_sensor_mm
from .formats import Array
from .tiff import BULK_TAGS, LAYOUT_TAGS

log = logging.getLogger(__name__)

EXIF_LIMIT = 65500
"""Bytes of an EXIF block that fit into a JPEG, whose segments end at 64 KiB."""
LARGEST_VALUE = 1e5
"""Focal lengths and f-numbers from here on are taken for damaged."""
TURNED_ORIENTATIONS = (5, 6, 7, 8)
"""EXIF orientations that exchange width and height."""


@dataclass(frozen=True)
class CameraData:
    """What the camera wrote into EXIF; None where it wrote nothing usable.

    Attributes:
        focal_mm: focal length in mm.
        f_number: f-number the photo was taken with.
        sensor_mm: long side of the sensor in mm, from the 35 mm equivalent focal length and the picture's shape.
        model: maker's name of the camera, for people.
        subject_m: distance of what the camera was focused on, in m.
    """

    focal_mm: float | None = None
    f_number: float | None = None
    sensor_mm: float | None = None
    model: str = ""
    subject_m: float | None = None

    def focal_px(self, long_edge_px: int) -> float | None:
        """Focal length in px of the whole photo at this size; None where focal length or sensor is not known."""
        if self.focal_mm is None or self.sensor_mm is None:
            return None
        return self.focal_mm * long_edge_px / self.sensor_mm


def camera_data(exif: Image.Exif, height_px: int, width_px: int) -> CameraData:
    """Lens data of a picture of this size."""
    details = exif.get_ifd(ExifTags.IFD.Exif)

    def positive(tag: int) -> float | None:
        try:
            value = float(details[tag])
        except (KeyError, TypeError, ValueError, ZeroDivisionError):
            return None
        return value if 0 < value < LARGEST_VALUE else None

    focal, film = positive(ExifTags.Base.FocalLength), positive(ExifTags.Base.FocalLengthIn35mmFilm)
    sensor = film_equivalent_sensor_mm(focal, film, width_px, height_px) if focal and film else None
    model = str(exif.get(ExifTags.Base.Model, "")).strip("\0 ")
    return CameraData(focal, positive(ExifTags.Base.FNumber), sensor, model, positive(ExifTags.Base.SubjectDistance))


def orientation(exif: Image.Exif) -> int:
    """EXIF orientation 1..8; 1 where there is none."""
    return int(exif.get(ExifTags.Base.Orientation, 1))


def turn_upright(pixels: Array, exif: Image.Exif) -> Array:
    """Apply the EXIF orientation to [H,W,C]."""
    turn = orientation(exif)
    if turn in TURNED_ORIENTATIONS:
        pixels = pixels.transpose(1, 0, 2)
    if turn in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if turn in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def upright_block(exif: Image.Exif) -> bytes | None:
    """The EXIF block of the picture once it is upright, or None. The thumbnail, which shows the old picture, is not kept."""
    if not len(exif):
        return None
    turned = orientation(exif) in TURNED_ORIENTATIONS
    if ExifTags.Base.Orientation in exif:
        exif[ExifTags.Base.Orientation] = 1
    details = exif.get_ifd(ExifTags.IFD.Exif)
    width, height = ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight
    if turned and width in details and height in details:
        details[width], details[height] = details[height], details[width]
    for tag in [t for t in exif if t in LAYOUT_TAGS or t in BULK_TAGS]:  # in a TIFF these describe the old file's pixels
        del exif[tag]
    block = exif.tobytes()
    if len(block) > EXIF_LIMIT and ExifTags.Base.MakerNote in details:
        log.warning("The camera maker's private EXIF notes are left out: %d bytes are more than a JPEG can hold.", len(block))
        del details[ExifTags.Base.MakerNote]
        block = exif.tobytes()
    return block
