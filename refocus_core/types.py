"""The values that pass between rooms and between nodes. Shapes, units and signs are fixed here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from types import NoneType

import torch
from torch import Tensor

from .checks import check_kind, check_map, check_number, check_range
from .optics import FIT_TOLERANCE_PX, SHARP_RADIUS_PX, BlurLaw, extreme_slope_px

Progress = Callable[[int, int], None]
"""`progress(done, total)`, called from long work. It may raise to cancel: the exception passes through untouched."""


@dataclass(frozen=True, eq=False)
class DepthMap:
    """Disparity of a picture or clip (socket `REFOCUS_DEPTH`).

    Attributes:
        disparity: [B,H,W] float32, larger = nearer. In 1/m where `metric`, else relative in 0..1 over the whole batch.
        metric: whether `disparity` is in 1/m.
        focal_px: [B] focal length in pixels of this image, or None where unknown.
        valid: [B,H,W] bool, False where the source knew no depth (the value there is a fill), or None where all are.
        source: where it came from, for people.
        known_range: (farthest, nearest) disparity that the scene may have, where something else than its pixels tells; relative
            depth always has (0, 1).
        edge_px: how far its edges are off from the picture's, as a standard deviation in px of this map; 0 where they are exact.

    Raises:
        TypeError, ValueError: on wrong shapes or types, non-finite or negative values, relative disparity above 1.
    """

    disparity: Tensor
    metric: bool
    focal_px: Tensor | None = None
    valid: Tensor | None = None
    source: str = ""
    known_range: tuple[float, float] | None = None
    edge_px: float = 0.0

    def __post_init__(self) -> None:
        d = check_map(self.disparity, "DepthMap.disparity")
        _check_edge_px(self.edge_px, "DepthMap")
        if d.dtype != torch.float32:
            raise TypeError(f"DepthMap.disparity must be float32, got {d.dtype}.")
        lo, hi = (float(v) for v in d.aminmax())
        if lo < 0:
            raise ValueError(f"DepthMap.disparity must not be negative, got {lo:.4g}. Depth beyond infinity does not exist.")
        if not self.metric and hi > 1 + 1e-5:
            raise ValueError(f"Relative disparity must lie in 0..1, got {hi:.4g}. Normalise it, or set metric=True for 1/m.")
        if self.focal_px is not None and self.focal_px.shape != (d.shape[0],):
            raise ValueError(f"DepthMap.focal_px must have the shape [{d.shape[0]}], got {list(self.focal_px.shape)}.")
        if self.valid is not None and (self.valid.shape != d.shape or self.valid.dtype != torch.bool):
            raise ValueError(f"DepthMap.valid must be a bool tensor of shape {list(d.shape)}.")

    def with_range(self, near_m: float, far_m: float) -> DepthMap:
        """Relative disparity as disparity in 1/m, given how far its ends are.

        1 becomes `near_m` and 0 becomes `far_m` metres: `1/far_m + disparity * (1/near_m - 1/far_m)`.

        Args:
            near_m: distance of relative disparity 1 in metres, above 0.
            far_m: distance of relative disparity 0 in metres, above `near_m`; may be infinite.

        Raises:
            ValueError: if the map is already metric, or not 0 < near_m < far_m.
        """
        if self.metric:
            raise ValueError(
                "near_m and far_m give relative depth a scale, but this depth is already in metres. Leave them unset."
            )
        check_range(near_m, far_m)
        near, far = 1.0 / near_m, 1.0 / far_m
        return replace(
            self,
            disparity=far + self.disparity * (near - far),
            metric=True,
            source=f"{self.source} scaled to {near_m:g}..{far_m:g} m".strip(),
            known_range=(far, near),
        )

    def extremes(self) -> tuple[Tensor, Tensor]:
        """Farthest and nearest disparity [B] among the pixels that are valid; (0, 0) for a frame that has none."""
        d = self.disparity
        if self.valid is None:
            return d.amin((1, 2)), d.amax((1, 2))
        none = ~self.valid.flatten(1).any(1)
        low = d.masked_fill(~self.valid, torch.inf).amin((1, 2)).masked_fill(none, 0)
        return low, d.masked_fill(~self.valid, 0).amax((1, 2))

    def span(self) -> Tensor:
        """The scene's whole span of disparity [B]: of its known range, 1 if relative, else from each frame's valid pixels."""
        if self.known_range is not None or not self.metric:
            far, near = self.known_range or (0.0, 1.0)
            return self.disparity.new_full((self.disparity.shape[0],), near - far)
        far, near = self.extremes()
        return near - far

    def to(self, device: torch.device | str) -> DepthMap:
        """The same map on another device."""
        return replace(
            self,
            disparity=self.disparity.to(device),
            focal_px=None if self.focal_px is None else self.focal_px.to(device),
            valid=None if self.valid is None else self.valid.to(device),
        )


@dataclass(frozen=True, eq=False)
class DefocusMap:
    """Signed defocus of a picture or clip (socket `REFOCUS_DEFOCUS`).

    Attributes:
        radius_px: [B,H,W] float32, signed radius of the circle of confusion in pixels of this image: 0 in focus,
            > 0 behind the focal plane (the aperture appears upright), < 0 in front of it (point-mirrored).
        disparity: [B,H,W] float32, larger = nearer, so that surfaces can be ordered.
        focus_disparity: [B], the disparity in focus.
        gain_px: [B], K of the lens law, px per unit of disparity. Without focus range and near or far gain,
            `radius_px == gain_px * (focus_disparity - disparity)`.
        law: how `disparity` becomes `radius_px` in each frame, or None where the radius is no such function of disparity.
        edge_px: as of `DepthMap`; the renderer looks for the picture's own edges as far from those of the map.
        magnification: [B], how many times as large as this image the lens shows the scene once it is blurred, as the focus moves
            (`defocus.imaged` applies it); None where it is this image's size.

    Raises:
        TypeError, ValueError: on wrong shapes or types, non-finite values, or a law that gives other radii.
    """

    radius_px: Tensor
    disparity: Tensor
    focus_disparity: Tensor
    gain_px: Tensor
    law: BlurLaw | None = None
    edge_px: float = 0.0
    magnification: Tensor | None = None

    def __post_init__(self) -> None:
        _check_edge_px(self.edge_px, "DefocusMap")
        r = check_map(self.radius_px, "DefocusMap.radius_px")
        d = check_map(self.disparity, "DefocusMap.disparity")
        if r.dtype != torch.float32 or d.dtype != torch.float32:
            raise TypeError(f"DefocusMap needs float32 maps, got {r.dtype} and {d.dtype}.")
        if d.shape != r.shape:
            raise ValueError(f"DefocusMap.disparity {list(d.shape)} and radius_px {list(r.shape)} differ in shape.")
        for name in ("focus_disparity", "gain_px"):
            value: Tensor = getattr(self, name)
            if value.shape != (r.shape[0],) or not bool(torch.isfinite(value).all()):
                raise ValueError(f"DefocusMap.{name} must hold {r.shape[0]} finite values, got {value.tolist()}.")
        if self.law is not None:
            _check_law(self.law, r, d)
        m = self.magnification
        if m is not None and (m.shape != (r.shape[0],) or not bool((torch.isfinite(m) & (m > 0)).all())):
            raise ValueError(f"DefocusMap.magnification must hold {r.shape[0]} finite values above 0, got {m.tolist()}.")

    @classmethod
    def from_law(cls, disparity: Tensor, law: BlurLaw) -> DefocusMap:
        """The map of disparity [B,H,W] under a law of which every frame is known.

        `focus_disparity` is the middle of the sharp zone, `gain_px` the steeper of the two slopes.
        """
        focus = 0.5 * (law.sharp_near + law.sharp_far)
        return cls(law.radius_px(disparity), disparity, focus, torch.maximum(law.front_px, law.behind_px), law)

    @classmethod
    def from_radius(cls, radius_px: Tensor, disparity: Tensor | None = None) -> DefocusMap:
        """Wrap a signed radius map [B,H,W] (or [H,W]) in pixels that was made elsewhere.

        Args:
            radius_px: signed as in the class docstring; converted to float32.
            disparity: [B,H,W], larger = nearer, to order surfaces. Without it a smaller signed radius counts as nearer.

        Returns:
            `law` is fitted (see `BlurLaw.fit`). In a frame that follows none, `focus_disparity` is that of the sharpest pixel
            and `gain_px` the slope between the most blurred ones.
        """
        r = (radius_px[None] if radius_px.ndim == 2 else radius_px).float()
        check_map(r, "radius_px")
        if disparity is None:
            zeros = r.new_zeros(r.shape[0])
            return cls(r, -r, zeros, zeros + 1, BlurLaw.thin_lens(zeros + 1, zeros))
        d = (disparity[None] if disparity.ndim == 2 else disparity).float()
        check_map(d, "disparity")
        law = BlurLaw.fit(r, d)
        focus = torch.stack([df.flatten()[rf.abs().argmin()] for rf, df in zip(r, d, strict=True)])
        gain = r.new_tensor([extreme_slope_px(rf, df) for rf, df in zip(r, d, strict=True)])
        if law is not None:
            known = law.front_px.isfinite()
            focus = torch.where(known, 0.5 * (law.sharp_near + law.sharp_far), focus)
            gain = torch.where(known, torch.maximum(law.front_px, law.behind_px), gain)
        return cls(r, d, focus, gain, law)

    def in_focus(self, tolerance_px: float = SHARP_RADIUS_PX) -> Tensor:
        """[B,H,W] float mask, 1 where the radius is at most `tolerance_px`."""
        return (self.radius_px.abs() <= tolerance_px).float()

    def to(self, device: torch.device | str) -> DefocusMap:
        """The same map on another device."""
        maps = (t.to(device) for t in (self.radius_px, self.disparity, self.focus_disparity, self.gain_px))
        law = None if self.law is None else self.law.to(device)
        magnified = None if self.magnification is None else self.magnification.to(device)
        return DefocusMap(*maps, law=law, edge_px=self.edge_px, magnification=magnified)


def _check_edge_px(edge_px: float, name: str) -> None:
    if not 0 <= edge_px < float("inf"):
        raise ValueError(f"{name}.edge_px must be a finite number of px, not negative, got {edge_px}.")


def _check_law(law: BlurLaw, radius_px: Tensor, disparity: Tensor) -> None:
    batch = radius_px.shape[0]
    if law.front_px.shape != (batch,):
        raise ValueError(f"DefocusMap.law must hold {batch} frames, got {law.front_px.shape[0]}.")
    for i in range(batch):
        one, r = law.frame(i), radius_px[i : i + 1]
        if one is None:
            continue
        # float32 rounds large radii by more than the tolerance for small ones.
        allowed = FIT_TOLERANCE_PX + 1e-5 * float(r.abs().max())
        if float((one.radius_px(disparity[i : i + 1]) - r).abs().max()) > allowed:
            raise ValueError("DefocusMap.radius_px is not what its law gives. For edited radii use DefocusMap.from_radius.")


@dataclass(frozen=True)
class PupilField:
    """How the pupil changes over the picture: nothing of it at the centre, all of it in the corners (see `bokeh.field`).

    Attributes:
        cat_eye: 0..1, by how much of its radius the disc that the lens barrel leaves open has moved over the pupil.
        swirl: -1..1, astigmatism: above 0, blurs are stretched around the centre behind the focal plane, and towards it in front.
        coma: -1..1: above 0, blurs have a tail that points away from the centre; below 0, towards it.
        barn_doors: 0..1, as cat_eye, by a square that encloses the pupil in place of a disc.

    Raises:
        TypeError, ValueError: on a value out of range.
    """

    cat_eye: float = 0.0
    swirl: float = 0.0
    coma: float = 0.0
    barn_doors: float = 0.0

    def __post_init__(self) -> None:
        for name, low in (("cat_eye", 0), ("swirl", -1), ("coma", -1), ("barn_doors", 0)):
            value: float = getattr(self, name)
            check_number(value, name)
            if not low <= value <= 1:
                raise ValueError(f"{name} must lie in {low}..1, got {value}.")


@dataclass(frozen=True, eq=False)
class Kernel:
    """Transmission of the aperture (socket `REFOCUS_KERNEL`).

    Attributes:
        raster: [C,n,n] float32, C = 1 or 3, not negative, sum 1 per channel. It spans the square [-1,1]^2 around the
            optical axis; the blur of radius r is this square scaled by r. Row 0 is up, as in a picture. Nothing is re-centred.
        name: what it is, for people.
        near: the raster in front of the focal plane, upright like `raster` (its blur is point-mirrored), where a lens's
            aberrations spread the light differently there; None where it is the same.
        field: how all of this changes from the centre of the picture, where the rasters hold, to its corners; None where it
            does not.

    Raises:
        TypeError, ValueError: on wrong shapes or types, negative or non-finite values, or a channel that does not sum to 1.
    """

    raster: Tensor
    name: str = "custom"
    near: Tensor | None = None
    field: PupilField | None = None

    def __post_init__(self) -> None:
        _check_raster(self.raster, "Kernel.raster")
        check_kind(self.field, (PupilField, NoneType), "Kernel.field")
        if self.near is not None:
            _check_raster(self.near, "Kernel.near")
            if self.near.shape != self.raster.shape:
                raise ValueError(f"Kernel.near {list(self.near.shape)} and raster {list(self.raster.shape)} differ in shape.")

    def side(self, radius_px: float) -> Tensor:
        """The raster [C,n,n] of a signed radius, upright."""
        return self.near if self.near is not None and radius_px < 0 else self.raster

    def to(self, device: torch.device | str) -> Kernel:
        """The same kernel on another device."""
        return replace(self, raster=self.raster.to(device), near=None if self.near is None else self.near.to(device))


def _check_raster(raster: Tensor, name: str) -> None:
    k = check_map(raster, name)
    if k.dtype != torch.float32:
        raise TypeError(f"{name} must be float32, got {k.dtype}.")
    if k.shape[0] not in (1, 3) or k.shape[1] != k.shape[2]:
        raise ValueError(f"{name} must have the shape [1,n,n] or [3,n,n], got {list(k.shape)}.")
    if float(k.min()) < 0:
        raise ValueError(f"{name} must not be negative: an aperture cannot remove light that is not there.")
    if bool(((k.sum((1, 2)) - 1).abs() > 1e-3).any()):
        raise ValueError(f"Every channel of {name} must sum to 1; use bokeh.kernel_from_image for any picture.")


@dataclass(frozen=True, eq=False)
class Restored:
    """Result of an all-in-focus method.

    Attributes:
        image: [B,3,H,W] sRGB-encoded.
        radius_px: [B,H,W] unsigned blur radius of the source in px that the method used or estimated, or None.
    """

    image: Tensor
    radius_px: Tensor | None = None
