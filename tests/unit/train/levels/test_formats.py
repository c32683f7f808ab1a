"""Archives, materials, levels and models in Quake 3's formats, on files made here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from refocus_core.train.levels import bsp, md3
from refocus_core.train.levels.archive import Archive, materials
from refocus_core.train.levels.geometry import POSITION
from tests.helpers import tiny_game as tiny

SCRIPT = """
// a comment { that is no block }
textures/a/sky { surfaceparm sky
  qer_editorimage textures/a/blue.tga }
textures/a/glow
{
  { map textures/a/glow.jpg
    blendFunc add }
}
textures/a/wall
{
  qer_editorimage textures/a/editor.tga
  { map $lightmap }
  { map textures/a/wall.tga
    blendfunc filter }
  { animmap 4 textures/a/fire1.tga textures/a/fire2.tga
    blendfunc add }
}
"""


def test_materials() -> None:
    found = materials(SCRIPT)
    assert found["textures/a/sky"].sky and found["textures/a/glow"].hidden
    wall = found["textures/a/wall"]
    assert not wall.sky and not wall.hidden
    assert wall.images == ["textures/a/wall.tga", "textures/a/fire1.tga", "textures/a/editor.tga"]


def test_later_archive_goes_first(tmp_path: Path) -> None:
    first = tiny.write(tmp_path / "0.pk3", {"Textures/A.png": tiny.picture(1), "scripts/x.shader": SCRIPT.encode()})
    second = tiny.write(tmp_path / "1.pk3", {"textures/a.png": tiny.picture(2), "textures/a/editor.png": tiny.picture(3, 32)})
    archive = Archive([first, second])
    assert archive.read("textures/a.png") == tiny.picture(2)
    assert archive.names("textures/", ".png") == ["textures/a.png", "textures/a/editor.png"]
    wall = archive.image("textures/a/wall")  # its first two pictures are missing
    assert wall is not None and wall.size == (32, 32)
    assert archive.image("textures/none") is None


def test_room() -> None:
    level = bsp.read(tiny.room(side=512, height=160))
    rows = np.concatenate([s.rows for s in level.surfaces])
    assert {s.material for s in level.surfaces} == {"textures/a/stone", "textures/a/wood"}
    assert rows.shape == (36, 13)
    assert np.allclose(rows[:, POSITION].min(0), (-8, -8, 0)) and np.allclose(rows[:, POSITION].max(0), (8, 8, 5))
    assert level.places.shape == (4, 3) and np.allclose(level.places[:, 2], 24 * bsp.UNIT_M)


def test_patch_mesh_and_sky() -> None:
    grid = b"".join(tiny.vertex((32 * x, 32 * y, 32.0 * (x == 1)), (x, y)) for y in range(3) for x in range(3))
    triangle = b"".join(tiny.vertex(p) for p in ((0, 0, 0), (32, 0, 0), (0, 32, 0)))
    faces = tiny.face(2, 0, 0, 9, size=(3, 3)) + tiny.face(3, 0, 9, 3, 0, 3) + tiny.face(1, 1, 9, 3, 0, 3) + tiny.face(4, 0, 0, 1)
    textures = tiny.texture_lump([("wall", 0), ("sky", tiny.SKY)])
    level = bsp.read(tiny.level("", textures, grid + triangle, [0, 1, 2], faces))
    assert [s.material for s in level.surfaces] == ["wall"]
    heights = level.surfaces[0].rows[:, 2]
    assert len(heights) == 6 * 25 + 3
    # Of control heights 0, 1, 0 m the curve t -> 2 t (1 - t) comes nearest to 1/2 at t = .4 and .6.
    assert float(heights.max()) == pytest.approx(0.48, abs=1e-5)
    assert level.places.shape == (0, 3)


def test_other_files_are_refused() -> None:
    for reader, name in ((bsp.read, "BSP"), (md3.read, "MD3")):
        with pytest.raises(ValueError, match=name):
            reader(b"RIFF" + bytes(400))


def test_figure_is_joined_at_its_tags(tmp_path: Path) -> None:
    triangle = [(0, 0, 0), (8, 0, 0), (0, 0, 20)]
    files = {
        "models/players/x/lower.md3": tiny.model(triangle, "models/players/x/skin", [("tag_torso", (0, 0, 20))]),
        "models/players/x/upper.md3": tiny.model(triangle, "models/players/x/skin", [("tag_head", (0, 0, 20))]),
        "models/players/x/head.md3": tiny.model(triangle, "models/players/x/skin"),
        "models/players/y/lower.md3": b"",
    }
    archive = Archive([tiny.write(tmp_path / "0.pk3", files)])
    assert md3.figures(archive) == ["models/players/x"]
    parts = md3.figure(archive, "models/players/x", np.random.default_rng(1))
    tops = [float(p.rows[:, 2].max()) for p in parts]
    assert [p.shader for p in parts] == ["models/players/x/skin"] * 3
    assert min(float(p.rows[:, 2].min()) for p in parts) == pytest.approx(0, abs=1e-5)
    assert md3.STATURE_M[0] <= tops[2] <= md3.STATURE_M[1]
    assert np.allclose(np.array(tops) / tops[2], (1 / 3, 2 / 3, 1), atol=1e-4)
