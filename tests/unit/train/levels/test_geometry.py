"""Rays, patches, bodies and cameras against closed forms; no drawing."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refocus_core.train.levels import meshes
from refocus_core.train.levels.camera import Camera
from refocus_core.train.levels.exposure import Exposure, developed
from refocus_core.train.levels.geometry import NORMAL, POSITION, Rays, corners, patch
from refocus_core.train.levels.view import relief, smaller

angles = st.floats(-1.2, 1.2)


def test_flat_patch_is_flat() -> None:
    control = np.zeros((5, 3, 13), np.float32)
    control[..., 0], control[..., 1] = np.meshgrid(np.arange(3), np.arange(5))
    rows = patch(control)
    assert np.allclose(rows[:, 2], 0)
    edges = corners(rows)[:, 1:] - corners(rows)[:, :1]
    assert np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=1).sum() / 2 == pytest.approx(8, abs=1e-4)
    with pytest.raises(ValueError, match="odd"):
        patch(control[:4])


@given(angles, angles)
def test_ray_to_a_box(yaw: float, pitch: float) -> None:
    rays = Rays(corners(meshes.box(np.array([2.0, 2.0, 2.0]))))
    direction = np.array([math.cos(yaw) * math.cos(pitch), math.sin(yaw) * math.cos(pitch), math.sin(pitch)])
    expected = 1 / np.abs(direction).max()
    assert rays.distance_m(np.zeros(3), direction) == pytest.approx(expected, rel=1e-4)
    assert rays.distance_m(np.zeros(3), direction, 0.9 * expected) == math.inf


@pytest.mark.parametrize("rows", [meshes.ellipsoid(np.array([1.0, 2.0, 3.0])), meshes.cylinder(0.5, 2.0), meshes.box(np.ones(3))])
def test_bodies_are_closed_and_face_outwards(rows: np.ndarray) -> None:
    triangles = corners(rows)
    middle = rows[:, POSITION].mean(0)
    # Volume by the divergence theorem: 0 for a surface with holes or mixed sides only by accident.
    faces = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    area = np.linalg.norm(faces, axis=1)
    outward = (rows[:, NORMAL].reshape(-1, 3, 3).mean(1) * (triangles.mean(1) - middle)).sum(1)
    assert (outward[area > 1e-6] > -1e-3).all()
    assert np.allclose(np.linalg.norm(rows[:, NORMAL], axis=1), 1, atol=1e-3)


@given(angles, angles, angles, st.floats(-0.9, 0.9), st.floats(-0.9, 0.9), st.floats(0.1, 50))
def test_camera_sees_what_it_points_at(yaw: float, pitch: float, roll: float, x: float, y: float, depth_m: float) -> None:
    camera = Camera.looking(np.array([1.0, -2.0, 3.0]), yaw, pitch, roll, 1.0)
    point = camera.point(x, y, depth_m)
    assert camera.seen(point) == pytest.approx((x, y, depth_m), rel=1e-3, abs=1e-3)
    clip = camera.matrix(0.05, 100.0) @ np.array([*point, 1.0])
    assert clip[3] == pytest.approx(depth_m, rel=1e-3)
    assert clip[0] / clip[3] == pytest.approx(x, abs=1e-3) and clip[1] / clip[3] == pytest.approx(y, abs=1e-3)


def test_level_camera_is_upright() -> None:
    camera = Camera.looking(np.zeros(3), 0.7, 0.0, 0.0, 1.0)
    assert camera.up == pytest.approx((0, 0, 1), abs=1e-6)
    assert np.cross(camera.forward, camera.up) == pytest.approx(camera.right, abs=1e-6)


def test_exposure_keeps_order_and_highlights() -> None:
    light = np.linspace(0.01, 4.0, 64, dtype=np.float32)[None, :, None].repeat(64, 0).repeat(3, 2)
    for gain in (0.1, 1.0, 10.0):
        photo = developed(light * gain, Exposure(0.45, 1.0))
        assert (np.diff(photo[0, :, 0].astype(int)) >= 0).all()
        assert photo.max() < 255 and 60 < photo.mean() < 180
    once, four = (developed(light * gain, Exposure(0.45, 1.0)).astype(int) for gain in (1, 4))
    assert np.abs(once - four).max() <= 4


def test_relief_is_zero_for_a_plane() -> None:
    y, x = np.mgrid[:64, :64] / 64
    plane = 0.3 + 0.2 * x + 0.5 * y
    assert relief(plane) < 1e-9
    assert relief(plane + 0.3 * (x > 0.5)) > 0.05


def test_smaller_keeps_the_mean() -> None:
    picture = np.random.default_rng(1).random((80, 80, 3)).astype(np.float32)
    assert smaller(picture, 40).mean() == pytest.approx(picture.mean(), abs=2e-3)
