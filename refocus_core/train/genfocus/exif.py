"""From a photo's EXIF to K of the lens law (`optics`), and what speaks against believing it.

Every photo gets a verdict: "ok", "missing" (with the fields) or "contradictory" (with the reasons). Nothing is guessed: a field
that is not there is not replaced by a usual value.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from PIL import ExifTags, Image, UnidentifiedImageError

from ...optics import Lens, film_equivalent_sensor_mm, lens_gain_px

Status = Literal["ok", "missing", "contradictory"]
"""Verdict on what EXIF says of a lens."""

APERTURE_TOLERANCE = 0.12
"""FNumber and ApertureValue may differ by this share: cameras round one of them to a third of a stop (12 %)."""
SENSOR_TOLERANCE = 0.15
"""Two ways to the sensor's size may differ by this share: the equivalent focal length is a whole number of mm."""
ASPECT_TOLERANCE = 0.01
"""The file's aspect and the recorded one may differ by this share: cameras trim a few pixels."""
DISTANCE_FACTOR = 1.5
"""Recorded distance and the distance under the mask may differ by this factor: cameras quantise SubjectDistance."""
_FAR_PER_M = 0.05
"""Below this disparity, 1/m, distances may differ by any factor: beyond 20 m nothing that matters changes."""
_SENSOR_MM = (3, 80)
"""Range of the long side of sensors, from telephones to medium format."""
_F_NUMBER = (0.7, 64)
"""Range of f-numbers."""
_FOCAL_MM = (1, 2000)
"""Range of focal lengths."""
_ZOOM = 1.01
"""A larger DigitalZoomRatio shows a part of the sensor only."""
_MM_PER_UNIT = {2: 25.4, 3: 10.0, 4: 1.0}
"""Of FocalPlaneResolutionUnit."""
_INFINITE = 0xFFFFFFFF
"""Numerator of an infinite SubjectDistance (EXIF 2.32, tag 0x9206)."""


@dataclass(frozen=True)
class Exif:
    """What a file says of its exposure; None where it says nothing usable.

    Attributes:
        width_px, height_px: of the file as it is, upright or not.
        focal_mm, f_number: lens.
        film_focal_mm: FocalLengthIn35mmFilm.
        aperture_f_number: f-number by ApertureValue (APEX).
        plane_sensor_mm: long side of the sensor by FocalPlaneXResolution and the recorded size in pixels.
        recorded_px: width and height that EXIF states for the picture.
        subject_m: SubjectDistance; infinity where EXIF says so.
        digital_zoom: DigitalZoomRatio.
        camera: maker's name.
    """

    width_px: int
    height_px: int
    focal_mm: float | None = None
    f_number: float | None = None
    film_focal_mm: float | None = None
    aperture_f_number: float | None = None
    plane_sensor_mm: float | None = None
    recorded_px: tuple[int, int] | None = None
    subject_m: float | None = None
    digital_zoom: float | None = None
    camera: str = ""


@dataclass(frozen=True)
class LensReading:
    """The lens of a photo as far as EXIF knows it.

    Attributes:
        status: "ok" if `lens` can be believed.
        lens: focal length, f-number and sensor, or None.
        subject_m: focus distance in metres by EXIF, or None.
        missing: fields that are needed and not there.
        contradictions: what does not fit together.
        exif: what was read.
    """

    status: Status
    lens: Lens | None
    subject_m: float | None
    missing: tuple[str, ...]
    contradictions: tuple[str, ...]
    exif: Exif

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def read(path: Path) -> Exif:
    """Exposure data of a file.

    Raises:
        ValueError: if it is not a picture.
    """
    try:
        with Image.open(path) as im:
            width, height = im.size
            exif = im.getexif()
    except (UnidentifiedImageError, OSError) as error:
        raise ValueError(f"{path} is not a picture that can be read: {error}") from error
    details: Mapping[int, Any] = exif.get_ifd(ExifTags.IFD.Exif)

    def number(tag: int) -> float | None:
        try:
            value = float(details[tag])
        except (KeyError, TypeError, ValueError, ZeroDivisionError):
            return None
        return value if math.isfinite(value) and value > 0 else None

    base = ExifTags.Base
    recorded = (number(base.ExifImageWidth), number(base.ExifImageHeight))
    size = None if recorded[0] is None or recorded[1] is None else (int(recorded[0]), int(recorded[1]))
    aperture = number(base.ApertureValue)
    plane, unit = number(base.FocalPlaneXResolution), details.get(base.FocalPlaneResolutionUnit, 2)
    sensor = None if plane is None or size is None or unit not in _MM_PER_UNIT else max(size) / plane * _MM_PER_UNIT[unit]
    return Exif(
        width_px=width,
        height_px=height,
        focal_mm=number(base.FocalLength),
        f_number=number(base.FNumber),
        film_focal_mm=number(base.FocalLengthIn35mmFilm),
        aperture_f_number=None if aperture is None else 2 ** (aperture / 2),
        plane_sensor_mm=sensor,
        recorded_px=size,
        subject_m=_distance(details.get(base.SubjectDistance)),
        digital_zoom=number(base.DigitalZoomRatio),
        camera=str(exif.get(base.Model, "")).strip("\0 "),
    )


def _distance(value: Any) -> float | None:
    """SubjectDistance in m; None where it is 0, which means unknown."""
    if value is None:
        return None
    if getattr(value, "numerator", None) == _INFINITE:
        return math.inf
    try:
        distance = float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return distance if distance > 0 else None


def reading(exif: Exif) -> LensReading:
    """The lens, checked in every way that the fields allow."""
    missing = [n for n, v in (("FocalLength", exif.focal_mm), ("FNumber", exif.f_number)) if v is None]
    sensor, wrong = _sensor(exif)
    if sensor is None:
        missing.append("FocalLengthIn35mmFilm or FocalPlaneXResolution")
    wrong += _aperture_contradictions(exif)
    if exif.focal_mm and not _within(exif.focal_mm, _FOCAL_MM):
        wrong.append(f"FocalLength {exif.focal_mm:g} mm")
    wrong += _crop_contradictions(exif)
    if exif.subject_m and exif.focal_mm and exif.subject_m <= exif.focal_mm / 1000:
        wrong.append(f"SubjectDistance {exif.subject_m:g} m within the focal length {exif.focal_mm:g} mm")
    status: Status = "contradictory" if wrong else "missing" if missing else "ok"
    lens = Lens(exif.focal_mm or 1, exif.f_number or 1, sensor or 1) if status == "ok" else None
    return LensReading(status, lens, exif.subject_m, tuple(missing), tuple(wrong), exif)


def _sensor(exif: Exif) -> tuple[float | None, list[str]]:
    """Long side of the sensor in mm, by the focal plane's resolution or else by the equivalent focal length; contradictions."""
    wrong: list[str] = []
    film, plane = exif.film_focal_mm, exif.plane_sensor_mm
    width, height = exif.recorded_px or (exif.width_px, exif.height_px)
    by_film = None
    if exif.focal_mm and film:
        by_film = film_equivalent_sensor_mm(exif.focal_mm, film, max(width, height), min(width, height))
    by_plane = plane if plane is not None and _within(plane, _SENSOR_MM) else None
    if plane is not None and by_plane is None:
        wrong.append(f"FocalPlaneXResolution gives a sensor of {plane:.3g} mm")
    if by_film is not None and not _within(by_film, _SENSOR_MM):
        wrong.append(f"FocalLength {exif.focal_mm:g} mm and FocalLengthIn35mmFilm {film:g} mm give a sensor of {by_film:.3g} mm")
    if by_film and by_plane and _ratio(by_film, by_plane) > 1 + SENSOR_TOLERANCE:
        wrong.append(f"sensor of {by_film:.3g} mm by FocalLengthIn35mmFilm, {by_plane:.3g} mm by FocalPlaneXResolution")
    return by_plane or by_film, wrong


def _aperture_contradictions(exif: Exif) -> list[str]:
    wrong: list[str] = []
    if exif.f_number and not _within(exif.f_number, _F_NUMBER):
        wrong.append(f"FNumber {exif.f_number:g}")
    if exif.f_number and exif.aperture_f_number and _ratio(exif.f_number, exif.aperture_f_number) > 1 + APERTURE_TOLERANCE:
        wrong.append(f"FNumber {exif.f_number:.3g}, but ApertureValue says f/{exif.aperture_f_number:.3g}")
    return wrong


def _crop_contradictions(exif: Exif) -> list[str]:
    """Whether the picture shows a part of the sensor only."""
    wrong: list[str] = []
    if exif.recorded_px is not None and not exif.digital_zoom:
        width, height = exif.recorded_px
        stated, actual = _ratio(width, height), _ratio(exif.width_px, exif.height_px)
        if abs(stated / actual - 1) > ASPECT_TOLERANCE:
            wrong.append(f"EXIF says {width} x {height} px, the file has {exif.width_px} x {exif.height_px}: it was cropped")
    if exif.digital_zoom and exif.digital_zoom > _ZOOM:
        wrong.append(f"DigitalZoomRatio {exif.digital_zoom:g}: the picture shows a part of the sensor only")
    return wrong


def _within(value: float, bounds: tuple[float, float]) -> bool:
    return bounds[0] <= value <= bounds[1]


def _ratio(a: float, b: float) -> float:
    """Of the larger to the smaller."""
    return max(a, b) / min(a, b)


@dataclass(frozen=True)
class Gain:
    """K of a photo.

    Attributes:
        gain_px: K in px*m at the photo's size.
        focus_disparity: 1/m.
        distance_from: "mask" (median disparity) or "SubjectDistance".
        contradictions: where both are known and differ.
    """

    gain_px: float
    focus_disparity: float
    distance_from: Literal["mask", "SubjectDistance"]
    contradictions: tuple[str, ...] = ()


def gain(lens: LensReading, long_edge_px: int, focus_disparity: float | None = None) -> Gain:
    """K by the lens law. The disparity under a mask or an estimate counts more than SubjectDistance, which cameras quantise.

    Args:
        lens: with status "ok".
        long_edge_px: of the picture that K is for (K grows with its size).
        focus_disparity: in 1/m, from metric depth; None takes SubjectDistance.

    Raises:
        ValueError: without a lens, without any distance, or with the focus nearer than the focal length.
    """
    if lens.lens is None:
        raise ValueError(f"No lens: {'; '.join((*lens.contradictions, *('no ' + m for m in lens.missing)))}.")
    if focus_disparity is None and lens.subject_m is None:
        raise ValueError("Neither a focus disparity nor SubjectDistance is known.")
    wrong: list[str] = []
    if focus_disparity is None:
        assert lens.subject_m is not None
        disparity, origin = 1 / lens.subject_m, "SubjectDistance"
    else:
        disparity, origin = focus_disparity, "mask"
        if lens.subject_m is not None:
            stated = 1 / lens.subject_m
            low, high = sorted((stated, disparity))
            if high > _FAR_PER_M and high > DISTANCE_FACTOR * low:
                wrong.append(
                    f"SubjectDistance {lens.subject_m:.3g} m, depth says {1 / disparity if disparity else math.inf:.3g} m"
                )
    k = float(lens_gain_px(lens.lens, torch.tensor([disparity], dtype=torch.float64), long_edge_px))
    return Gain(k, disparity, "mask" if origin == "mask" else "SubjectDistance", tuple(wrong))


@dataclass
class Report:
    """Verdicts on many files."""

    files: dict[str, LensReading] = field(default_factory=dict[str, LensReading])
    unreadable: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def counts(self) -> dict[str, int]:
        """How often each verdict, missing field and kind of contradiction occurred."""
        counts: Counter[str] = Counter()
        for r in self.files.values():
            counts[r.status] += 1
            counts.update(f"missing: {m}" for m in r.missing)
            counts.update(f"contradictory: {_kind(c)}" for c in r.contradictions)
        if self.unreadable:
            counts["unreadable"] = len(self.unreadable)
        return dict(counts)

    def to_json(self) -> dict[str, Any]:
        return {
            "counts": self.counts,
            "files": {name: r.to_json() for name, r in self.files.items()},
            "unreadable": self.unreadable,
        }


def _kind(contradiction: str) -> str:
    """The field that a contradiction begins with, without its numbers."""
    return contradiction.split(",")[0].split(":")[0].rstrip("0123456789.xp ").split(" of ")[0].split(" gives ")[0]


def survey(paths: Iterable[Path]) -> Report:
    """Read and judge files."""
    report = Report()
    for path in paths:
        try:
            report.files[path.name] = reading(read(path))
        except ValueError as error:
            report.unreadable[path.name] = str(error)
    return report
