"""Pinhole cameras: where they stand, how they look, and how far what they see is."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .geometry import Array


@dataclass(frozen=True)
class Camera:
    """A square picture taken from a point.

    Attributes:
        position: [3], m.
        forward, right, up: [3] each, unit vectors at right angles; disparity is 1 / distance along `forward`.
        half_tan: tangent of half the field of view.
    """

    position: Array
    forward: Array
    right: Array
    up: Array
    half_tan: float

    @staticmethod
    def looking(position: Array, yaw: float, pitch: float, roll: float, field: float) -> Camera:
        """From angles in radians: yaw from x to y, pitch up, roll to the right, `field` of view from side to side."""
        forward = np.array([math.cos(yaw) * math.cos(pitch), math.sin(yaw) * math.cos(pitch), math.sin(pitch)])
        level = np.array([math.sin(yaw), -math.cos(yaw), 0.0])
        upright = np.cross(level, forward)
        right = level * math.cos(roll) - upright * math.sin(roll)
        up = upright * math.cos(roll) + level * math.sin(roll)
        position, forward, right, up = (np.asarray(a, np.float32) for a in (position, forward, right, up))
        return Camera(position, forward, right, up, math.tan(field / 2))

    def matrix(self, near_m: float, far_m: float) -> Array:
        """[4,4] from the world (column vectors) to clip space, as OpenGL has it."""
        view = np.eye(4)
        view[:3, :3] = self.right, self.up, -self.forward
        view[:3, 3] = -view[:3, :3] @ self.position
        k, depth = 1 / self.half_tan, near_m - far_m
        projection = np.array(
            [[k, 0, 0, 0], [0, k, 0, 0], [0, 0, (far_m + near_m) / depth, 2 * far_m * near_m / depth], [0, 0, -1, 0]]
        )
        return (projection @ view).astype(np.float32)

    def point(self, x: float, y: float, depth_m: float) -> Array:
        """The point [3] at picture coordinates -1..1 (right, up) and `depth_m` along `forward`."""
        return self.position + depth_m * (self.forward + self.half_tan * (x * self.right + y * self.up))

    def seen(self, point: Array) -> tuple[float, float, float]:
        """Inverse of `point`: x, y and depth of a point [3] before the camera."""
        away = point - self.position
        depth_m = float(away @ self.forward)
        scale = max(depth_m, 1e-6) * self.half_tan
        return float(away @ self.right) / scale, float(away @ self.up) / scale, depth_m
