"""Slices of views on the disk. A slice depends on its kind and number alone: it can be made again, in any order, by anybody.

A slice is a safetensors file of `image` and `blurred` [n,3,S,S] uint8 (the same view, some of them out of focus, drawn by our own
renderer) and `disparity` [n,S,S] float16, 1 at the near end (its 99th percentile), 0 in the sky.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from ..common import photos
from ..common.seeds import generator
from ..depth.shards import defocused
from . import md3, skies, sources
from .archive import Archive
from .cutouts import Cutout, collection
from .drawing import Canvas
from .rooms import Rooms
from .stage import Wardrobe
from .view import View, taken
from .visit import Cast, Visit

log = logging.getLogger(__name__)

DRAWN_PX = 400
"""Side at which a view is drawn before it is averaged to its own; more is smoother and takes longer."""

PER_LEVEL = 32
"""Views that are taken in one level before the next one is loaded: more is quicker, and a slice holds fewer levels."""

TRIES = 8
"""Tries for each view wanted in a level; a level that gives less is left."""

HELD_OUT = 11
"""Every so many levels one is never trained on."""

ROOMS = "rooms"
"""Name of the kind of slices whose scenes are made by rules."""
KINDS = ("openarena", "nexuiz", ROOMS)
"""Kinds of slices: levels of a game whose packages' names begin so, and scenes by rules."""

THINGS = ("models/mapobjects", "models/weapons", "models/powerups", "models/ammo", "models/items")
"""Folders of models that can stand on a floor."""


@dataclass(frozen=True)
class Format:
    """What a slice is.

    Attributes:
        views: how many.
        side_px: of each; a larger one takes more disk and lets training see finer.
        blurred: share of the views that also exist out of focus; rendering that takes longer than drawing the view.
    """

    views: int = 64
    side_px: int = 320
    blurred: float = 0.25


@dataclass(frozen=True)
class Game:
    """A game's levels and what can be set into them."""

    archive: Archive
    cast: Cast
    levels: Sequence[str]

    @staticmethod
    def open(name: str, cutouts: Sequence[Cutout], *, held_out: bool) -> Game:
        """`name` begins the names of its packages; `held_out` picks the levels that are never trained on."""
        archive = Archive(sources.files(name, ".pk3"))
        levels = [n for i, n in enumerate(archive.names("maps/", ".bsp")) if (i % HELD_OUT == 0) is held_out]
        things = [n for n in archive.names("models/", ".md3") if n.startswith(THINGS)]
        return Game(archive, Cast(cutouts, md3.figures(archive), things), levels)


def level_views(
    canvas: Canvas, game: Game, backdrops: Sequence[Image.Image], side_px: int, random: np.random.Generator
) -> Generator[View]:
    """Views of one level after the other, without end."""
    while True:
        name = game.levels[int(random.integers(len(game.levels)))]
        try:
            visit = Visit(canvas, game.archive, name)
        except ValueError as error:
            log.warning("%s is left out: %s", name, error)
            continue
        try:
            yield from islice(_visit_views(visit, game.cast, backdrops, side_px, random), PER_LEVEL)
        finally:
            visit.release()


def _visit_views(
    visit: Visit, cast: Cast, backdrops: Sequence[Image.Image], side_px: int, random: np.random.Generator
) -> Generator[View]:
    for _ in range(TRIES * PER_LEVEL if len(visit.places) else 0):
        scene = visit.scene(cast, random)
        if scene is None:
            continue
        view = taken(scene, backdrops, side_px, random)
        scene.release()
        if view is not None:
            yield view


def room_views(rooms: Rooms, backdrops: Sequence[Image.Image], side_px: int, random: np.random.Generator) -> Generator[View]:
    """Views of scenes by rules, without end."""
    while True:
        scene = rooms.scene(random)
        view = taken(scene, backdrops, side_px, random)
        scene.release()
        rooms.canvas.forget()
        if view is not None:
            yield view


def write(path: Path, views: Iterator[View], seed: int, number: int, form: Format) -> None:
    """A slice of the next views; complete or not at all."""
    images: list[Tensor] = []
    blurred: list[Tensor] = []
    disparities: list[Tensor] = []
    for index in range(form.views):
        view = next(views)
        image = torch.from_numpy(view.photo.copy()).permute(2, 0, 1)
        disparity = torch.from_numpy(view.disparity.copy())
        disparity = (disparity / disparity.quantile(0.99).clamp_min(1e-6)).clamp(0, 20)
        g = generator(seed, number, index, 9)
        soft = image
        if float(torch.rand((), generator=g)) < form.blurred:
            soft = (defocused(image[None].float() / 255, disparity[None], g)[0] * 255).round().byte()
        images.append(image)
        blurred.append(soft)
        disparities.append(disparity.half())
    part = path.with_suffix(".part")
    save_file({"image": torch.stack(images), "blurred": torch.stack(blurred), "disparity": torch.stack(disparities)}, part)
    os.replace(part, path)


def fill(
    folder: Path,
    kind: str,
    numbers: Sequence[int],
    seed: int,
    views: Callable[[np.random.Generator], Iterator[View]],
    form: Format | None = None,
) -> None:
    """Write the slices of these numbers that are missing, each of the first views that its own random numbers give."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        path = folder / f"scenes-{kind}-{seed}-{number:05d}.safetensors"
        if not path.exists():
            with torch.inference_mode():
                write(path, views(np.random.default_rng((seed, number))), seed, number, form or Format())
            log.info("%s", path)


def make(folder: Path, kind: str, numbers: Sequence[int], seed: int, *, held_out: bool = False) -> None:
    """Slices of a kind of `KINDS`, as far as they are missing; see `fill`.

    `held_out`: of the levels, cut-outs and photos that are never trained on.
    """
    canvas = Canvas(DRAWN_PX)
    cutouts = collection(sources.files("tuxpaint-stamps", ".png"))
    cutouts = [c for i, c in enumerate(cutouts) if (i % HELD_OUT == 0) is held_out]
    pictures = skies.pieces(photos.held_out() if held_out else photos.training())
    backdrops = skies.collection(pictures)
    game = Game.open("openarena" if kind == ROOMS else kind, cutouts, held_out=held_out)
    rooms = Rooms(canvas, Wardrobe(canvas, game.archive, pictures), cutouts)
    form = Format()
    by_rules = partial(room_views, rooms, backdrops, form.side_px)
    in_levels = partial(level_views, canvas, game, backdrops, form.side_px)
    fill(folder, kind, numbers, seed, by_rules if kind == ROOMS else in_levels, form)
