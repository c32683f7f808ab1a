"""What the command line writes: checked before the long work, written after it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from . import opening
from .recipe_options import check_json_output, save_recipe

if TYPE_CHECKING:
    from torch import Tensor

    from ..defocus import FocusLike
    from ..files.pictures import Picture
    from ..optics import Lens, Strength
    from ..types import DefocusMap, DepthMap


def check_outputs(args: argparse.Namespace, photo: Picture | None = None) -> dict[Path, int]:
    """Can everything be written? Bits of each picture. Before the long work, so that it is not done for nothing.

    Args:
        photo: None as long as it is not read: then its size, bits and transparency are not asked.
    """
    from ..files import pictures

    given = [args.photo, args.focus_mask, args.blur_mask, args.defocus, Path(args.depth), Path(args.aperture)]
    given += [args.aperture_file, args.aperture_texture]
    protect = () if args.overwrite else tuple(p for p in given if p is not None)
    size = None if photo is None else (photo.image.shape[-2], photo.image.shape[-1])
    has_alpha = photo is not None and photo.alpha is not None
    bits: dict[Path, int] = {}
    for path in (args.output, args.save_sharp):
        if path is not None:
            bits[path] = pictures.check_output(path, bits_of(args, path, photo), has_alpha, protect, size)
    if args.save_depth:
        pictures.check_map_output(args.save_depth, protect)
    if args.save_matte:
        pictures.check_map_output(args.save_matte, protect)
    for what, path in (("a recipe", args.save_recipe), ("an aperture", args.save_aperture)):
        if path is not None:
            check_json_output(path, what, protect)
    if args.save_defocus:
        if _is_picture(args.save_defocus):
            pictures.check_output(args.save_defocus, 8, False, protect, size)
        else:
            pictures.check_map_output(args.save_defocus, protect)
    return bits


def bits_of(args: argparse.Namespace, path: Path, photo: Picture | None) -> int | None:
    """Bits per channel of a picture: those of --bits, else the photo's, as far as the file type holds them; None: its default."""
    from ..files import pictures

    if args.bits:
        return int(args.bits.removesuffix("f"))
    if photo is None:
        return None
    suffix = path.suffix.lower()
    able = {*pictures.INTEGER_BITS.get(suffix, ()), *((32,) if suffix in pictures.FLOAT_SUFFIXES else ())}
    return max((b for b in able if b <= photo.bits), default=None)


def _is_picture(path: Path) -> bool:
    """Whether a map is written there in colours; as numbers otherwise."""
    from ..files import pictures

    return path.suffix.lower() in pictures.INTEGER_BITS and path.suffix.lower() not in (".tif", ".tiff")


def write(
    args: argparse.Namespace,
    bits: dict[Path, int],
    photo: Picture,
    *,
    sharp: Tensor,
    result: Tensor,
    alpha: Tensor | None,
    depth_map: DepthMap | None,
    defocus_map: DefocusMap,
    focus: FocusLike,
) -> None:
    """Write everything that was asked for.

    Args:
        bits: of each picture, from `check_outputs`.
        sharp, result: [1,3,H,W] sRGB.
        depth_map: None where a defocus map was given in its place; check refuses to save it then.
        focus: for the picture of the defocus map.
    """
    from .. import defocus
    from ..files import pictures

    def save(path: Path, image: Tensor, alpha: Tensor | None) -> None:
        pictures.save(
            path,
            image,
            alpha=alpha,
            bits=bits[path],
            exif=photo.exif,
            icc=photo.icc,
            metadata=photo.metadata,
            quality=args.jpeg_quality,
        )

    if args.save_depth and depth_map is not None:
        _save_depth(args.save_depth, depth_map, args.quiet)
    if args.save_defocus:
        if _is_picture(args.save_defocus):
            chosen = None if depth_map is None else defocus.as_focus(focus)
            preview = defocus.preview(defocus_map, sharp.clamp(0, 1), focus=chosen)
            pictures.save(args.save_defocus, preview)
        else:
            pictures.save_map(args.save_defocus, defocus_map.radius_px[0])
    if args.save_matte and depth_map is not None:
        pictures.save_map(args.save_matte, _matte(sharp, depth_map, focus, args.matte_tolerance))
    if args.save_sharp:
        save(args.save_sharp, sharp, photo.alpha)
    save(args.output, result, alpha)
    if args.save_recipe:
        save_recipe(args.save_recipe, args)
    if args.save_aperture:
        opening.save(args.save_aperture, args)


def _matte(sharp: Tensor, depth_map: DepthMap, focus: FocusLike, tolerance: float) -> Tensor:
    """Coverage [1,H,W] of what is as far as the focus."""
    from .. import bokeh, defocus
    from ..color import srgb_to_linear

    selected = bokeh.around(depth_map, defocus.focus_disparity(depth_map, focus), tolerance)
    return bokeh.depth_matte(srgb_to_linear(sharp), depth_map, *selected).coverage


def _save_depth(path: Path, depth_map: DepthMap, quiet: bool) -> None:
    from ..files import pictures

    d = depth_map.disparity[0]
    if path.suffix.lower() != ".png":
        pictures.save_map(path, 1 / d if depth_map.metric else d)
        return
    lo, hi = (float(v) for v in d.aminmax())
    if not depth_map.metric:
        pictures.save_map(path, d.clamp(0, 1))
        return
    pictures.save_map(path, (d - lo) / max(hi - lo, 1e-12))
    if quiet:
        return
    far = f"{1 / lo:.6g}" if lo > 0 else "inf"
    print(
        f"{path}: white is {1 / hi:.6g} m, black {far} m. Read it again with --near-m {1 / hi:.6g} --far-m {far}", file=sys.stderr
    )


def summary(path: Path, lens: Strength | None, defocus_map: DefocusMap, depth_map: DepthMap | None) -> str:
    """One line on what was done; lens and depth are None where a defocus map was given in their place."""
    from ..optics import Lens

    r = defocus_map.radius_px
    h, w = r.shape[-2:]
    metric = depth_map is not None and depth_map.metric
    focus = float(defocus_map.focus_disparity[0])
    where = f"focus at {1 / focus:.2f} m, " if metric and focus > 0 else ""
    camera = ""
    if isinstance(lens, Lens):
        camera = f"{lens.focal_mm:.3g} mm f/{lens.f_number:g} on {lens.sensor_mm:.3g} mm, "
        where += _depth_of_field(lens, float(defocus_map.gain_px[0]), focus, max(h, w))
    near, far = max(-float(r.min()), 0.0), max(float(r.max()), 0.0)
    blur = f"blur radius up to {near:.1f} px in front and {far:.1f} px behind"
    source = "defocus map as given" if depth_map is None else f"depth: {depth_map.source}"
    return f"{path}: {w} x {h} px, {camera}{where}{blur}, {source}"


def _depth_of_field(lens: Lens, gain_px: float, focus_disparity: float, long_edge_px: int) -> str:
    from ..optics import depth_of_field_m, hyperfocal_m

    near, far = depth_of_field_m(gain_px, focus_disparity, long_edge_px)
    hyperfocal = hyperfocal_m(gain_px, focus_disparity, lens.focal_mm, long_edge_px)
    return f"depth of field {near:.3g} to {far:.3g} m, hyperfocal distance {hyperfocal:.3g} m, "
