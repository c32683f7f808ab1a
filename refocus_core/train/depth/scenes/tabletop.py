"""Things of 3 to 30 cm that stand on a table. Builders put them at a frame's origin; lengths are in m."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .bodies import Paint, rotation
from .creatures import animal
from .frame import Frame, pick_evenly
from .outlines import outlines
from .plants import plant


def _bottle(f: Frame, paint: Paint) -> None:
    height, radius = f.r.uniform(0.15, 0.32), f.r.uniform(0.025, 0.045)
    f.tube((0, 0, 0), (0, height * 0.6, 0), radius, radius, paint)
    f.tube((0, height * 0.6, 0), (0, height * 0.75, 0), radius, radius * 0.35, paint)
    f.tube((0, height * 0.75, 0), (0, height, 0), radius * 0.35, radius * 0.35, f.paint())


def _cup_and_saucer(f: Frame, paint: Paint) -> None:
    f.tube((0, 0, 0), (0, 0.012, 0), 0.06, 0.08, paint)
    f.tube((0, 0.01, 0), (0, f.r.uniform(0.06, 0.11), 0), 0.03, 0.045, paint)
    f.card((0.06, 0.05, 0), (0.028, 0.028), paint, rotation(), outlines().ring[0])


def _books(f: Frame, _paint: Paint) -> None:
    r, y = f.r, 0.0
    for _ in range(r.randint(1, 4)):
        half_height = r.uniform(0.008, 0.03)
        f.box((0, y + half_height, 0), (0.08, half_height, 0.11), f.paint(0.8), rotation(r.uniform(-0.4, 0.4)))
        y += 2 * half_height


def _fruit(f: Frame, _paint: Paint) -> None:
    r = f.r
    size = r.uniform(0.03, 0.06)
    for _ in range(r.randint(1, 4)):
        f.sphere((r.uniform(-0.08, 0.08), size, r.uniform(-0.08, 0.08)), size * r.uniform(0.8, 1.1), f.paint(0.9))


def _parcel(f: Frame, paint: Paint) -> None:
    r = f.r
    half_size = (r.uniform(0.03, 0.12), r.uniform(0.03, 0.15), r.uniform(0.02, 0.08))
    f.box((0, half_size[1], 0), half_size, paint, rotation(r.uniform(-1, 1)))


def _vase(f: Frame, paint: Paint) -> None:
    f.sphere((0, 0.08, 0), (0.06, 0.09, 0.06), paint)
    f.tube((0, 0.12, 0), (0, 0.2, 0), 0.03, 0.045, paint)
    plant(f.sub((0, -0.06, 0), scale=0.9))


def _picture_frame(f: Frame, paint: Paint) -> None:
    f.box((0, 0.13, 0), (f.r.uniform(0.08, 0.25), 0.12, 0.012), paint, rotation(0, f.r.uniform(-0.3, 0.0)))


def _candle(f: Frame, paint: Paint) -> None:
    f.tube((0, 0, 0), (0, f.r.uniform(0.08, 0.3), 0), f.r.uniform(0.02, 0.07), f.r.uniform(0.002, 0.03), paint)


def _toy_animal(f: Frame, _paint: Paint) -> None:
    animal(f.sub((0, 0, 0), f.r.uniform(-3, 3), f.r.uniform(0.2, 0.45)))


SMALL_THINGS: Mapping[str, Callable[[Frame, Paint], None]] = {
    "bottle": _bottle,
    "cup": _cup_and_saucer,
    "books": _books,
    "fruit": _fruit,
    "parcel": _parcel,
    "vase": _vase,
    "picture": _picture_frame,
    "candle": _candle,
    "animal": _toy_animal,
}
"""What stands on tables, all as often; each gets a surface to use."""


def small_thing(f: Frame) -> None:
    """Any of `SMALL_THINGS`."""
    paint = f.paint(0.7)
    pick_evenly(f.r, SMALL_THINGS)(f, paint)
