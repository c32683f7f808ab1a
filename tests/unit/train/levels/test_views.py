"""Drawn views: exact depth, shadows, slices that come out the same. Software OpenGL does it (scripts/setup.sh installs it)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from safetensors.numpy import load_file

from refocus_core.train.levels import meshes, shards
from refocus_core.train.levels.archive import Archive
from refocus_core.train.levels.camera import Camera
from refocus_core.train.levels.cutouts import Cutout, collection
from refocus_core.train.levels.drawing import Canvas, Item, Light, Lit
from refocus_core.train.levels.rooms import Rooms
from refocus_core.train.levels.stage import Wardrobe
from refocus_core.train.levels.view import View
from refocus_core.train.levels.visit import Cast, Visit
from tests.helpers import tiny_game as tiny

SIDE = 64


@pytest.fixture(scope="module")
def canvas() -> Canvas:
    pytest.importorskip("moderngl", reason="pip install '.[train]'")
    return Canvas(SIDE)


@pytest.fixture
def game(tmp_path: Path) -> shards.Game:
    return shards.Game(Archive([tiny.game(tmp_path)]), Cast(_cutouts(tmp_path), [], []), ["maps/room.bsp"])


def _cutouts(folder: Path) -> list[Cutout]:
    picture = Image.new("RGBA", (200, 240))
    ImageDraw.Draw(picture).ellipse((20, 40, 180, 240), fill="orange")
    picture.save(folder / "orange.png")
    return list(collection([folder / "orange.png"]))


def test_cutout_is_cropped_to_its_outline(tmp_path: Path) -> None:
    (cutout,) = _cutouts(tmp_path)
    assert cutout.picture.size == (161, 200)


def test_depth_of_a_slanted_plane_is_exact(canvas: Canvas) -> None:
    camera = Camera.looking(np.array([0.5, 0.0, 1.4]), math.pi / 2, -0.4, 0.05, 1.0)
    floor = meshes.moved(meshes.card(200, 200, 1.0), (0, 0, 0), meshes.turn(0, -math.pi / 2))
    item = Item(canvas.mesh(floor), canvas.white, Lit.EVENLY)
    _, disparity = canvas.draw(camera, [item], Light(np.array([0.0, 0.0, 1.0])))
    at = (np.arange(SIDE) + 0.5) / SIDE * 2 - 1
    x, y = np.meshgrid(at, -at)
    slope = camera.forward[2] + camera.half_tan * (x * camera.right[2] + y * camera.up[2])
    expected = -slope / camera.position[2]  # the floor is where position + depth * slope = 0
    seen = disparity > 0
    assert seen.sum() > 0.6 * seen.size and np.array_equal(seen, disparity > 0)
    assert np.abs(disparity - expected)[seen].max() < 2e-4


def test_shadow_lies_under_what_casts_it(canvas: Canvas) -> None:
    camera = Camera.looking(np.array([0.0, 0.0, 2.0]), math.pi / 2, -0.6, 0.0, 1.2)
    floor = meshes.moved(meshes.card(8, 8, 1.0), (0, 0, 0), meshes.turn(0, -math.pi / 2))
    ball = meshes.moved(meshes.ellipsoid(np.full(3, 0.6)), (0, 3, 0.8))
    items = [Item(canvas.mesh(floor), canvas.white, Lit.EVENLY), Item(canvas.mesh(ball), canvas.white, Lit.EVENLY, None, True)]
    light = Light(np.array([0.0, 0.0, 1.0]), shade=0.5)
    (lit, _), (shaded, _) = (canvas.draw(camera, items, light, casters) for casters in ([], [ball]))
    darker = (shaded - lit).mean(2)
    x, y, _ = camera.seen(np.array([0.0, 3.0, 0.0]))
    row, column = round((1 - y) / 2 * SIDE), round((x + 1) / 2 * SIDE)
    assert darker[row, column] < -0.3 and (darker > -0.01).mean() > 0.85


def test_levels_give_views_and_slices_repeat(canvas: Canvas, game: shards.Game, tmp_path: Path) -> None:
    form = shards.Format(views=3, side_px=48)

    def views(random: np.random.Generator) -> Iterator[View]:
        return shards.level_views(canvas, game, [], form.side_px, random)

    first, second = tmp_path / "first", tmp_path / "second"
    shards.fill(first, "tiny", range(2), 7, views, form)
    shards.fill(second, "tiny", [1], 7, views, form)
    name = "scenes-tiny-7-00001.safetensors"
    assert (first / name).read_bytes() == (second / name).read_bytes()
    slice_ = load_file(first / name)
    assert slice_["image"].shape == (3, 3, 48, 48) and slice_["disparity"].shape == (3, 48, 48)
    assert (slice_["disparity"] >= 0).all() and slice_["image"].std() > 5


def test_a_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    form = shards.Format(views=2, side_px=8, blurred=0.0)
    photo, ramp = np.zeros((8, 8, 3), np.uint8), np.linspace(0.1, 1, 64, dtype=np.float32).reshape(8, 8)

    def views(random: np.random.Generator) -> Iterator[View]:
        while True:
            yield View(photo + random.integers(255, dtype=np.uint8), ramp)

    def stopped(random: np.random.Generator) -> Iterator[View]:
        yield from (next(views(random)) for _ in range(1))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shards.fill(tmp_path, "x", range(2), 1, stopped, form)
    assert not list(tmp_path.glob("*.safetensors"))
    shards.fill(tmp_path, "x", range(1), 1, views, form)
    kept = (tmp_path / "scenes-x-1-00000.safetensors").stat().st_mtime_ns
    shards.fill(tmp_path, "x", range(2), 1, views, form)
    assert (tmp_path / "scenes-x-1-00000.safetensors").stat().st_mtime_ns == kept
    assert len(list(tmp_path.glob("*.safetensors"))) == 2


def test_light_that_lies_beside_a_level(canvas: Canvas, tmp_path: Path) -> None:
    lit = Visit(canvas, Archive([tiny.game(tmp_path, lightmap=200)]), "maps/room.bsp")
    dark = Visit(canvas, Archive([tiny.game(tmp_path, lightmap=30)]), "maps/room.bsp")
    pictures = [v.scene(Cast([], [], []), np.random.default_rng(1)) for v in (lit, dark)]
    bright, dim = (canvas.draw(s.camera, s.items, s.light)[0].mean() for s in pictures if s is not None)
    assert bright > 4 * dim


def test_rooms_repeat_and_hold_something_near(canvas: Canvas, game: shards.Game) -> None:
    rooms = Rooms(canvas, Wardrobe(canvas, game.archive, []), game.cast.cutouts)
    drawn = []
    for _ in range(2):
        random = np.random.default_rng(5)
        views = shards.room_views(rooms, [], 48, random)
        drawn.append([next(views) for _ in range(3)])
    for a, b in zip(*drawn, strict=True):
        assert np.array_equal(a.photo, b.photo) and np.array_equal(a.disparity, b.disparity)
        assert np.isfinite(a.disparity).all()
