"""What the command line is given, looked up before anything is read or computed: files, models, methods, the device."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from .. import options
from .networks import device_named

if TYPE_CHECKING:
    import torch

    from ..files.pictures import CameraData


def check_inputs(args: argparse.Namespace) -> torch.device:
    """Everything that can be known to be missing or unfit before the photo is read. Returns the device to compute on.

    Raises:
        ValueError, OSError, WeightsMissingError: on the first of it; the message names the option and the remedy.
    """
    named = {"PHOTO": args.photo, "--focus-mask": args.focus_mask, "--blur-mask": args.blur_mask, "--defocus": args.defocus}
    named |= {"--aperture-file": args.aperture_file, "--aperture-texture": args.aperture_texture}
    generative = {"--flux": args.flux, "--vae": args.vae, "--deblur-lora": args.deblur_lora, "--bokeh-lora": args.bokeh_lora}
    for name, path in {**named, **generative}.items():
        if path is not None and not path.exists():
            raise ValueError(f"{name} {path}: There is no file of this name.")
    _check_defocus_type(args.defocus)
    _check_aperture(args)
    if args.defocus is None:
        _check_depth(args)
    _check_deblur(args)
    return device_named(args.device)


def check_camera(args: argparse.Namespace, camera: CameraData) -> None:
    """What the options want of the photo's EXIF, before long work.

    Raises:
        ValueError: if the photo lacks it.
    """
    if args.exif_lens and args.f_number is None and camera.f_number is None:
        raise ValueError(f"{args.photo} has no f-number in its EXIF. Give --f-number.")
    if args.deblur == "deconvolution" and args.taken_blur is None and (camera.f_number is None or camera.focal_mm is None):
        raise ValueError(
            "Deconvolution must know how blurred the photo is, and its EXIF does not tell the lens: give --taken-blur PERCENT."
        )


def check_metres(args: argparse.Namespace, metric: bool) -> None:
    """What the options want of depth, before it is computed. `metric`: whether it will be in metres without further help.

    Raises:
        ValueError: if a distance or a camera's blur is asked for, and depth is relative and has no limits in metres.
    """
    if metric or args.near_m:
        return
    needs = {"--focus-distance": args.focus_distance, "--f-number": args.f_number, "--exif-lens": args.exif_lens}
    needs["--genfocus-k"] = args.genfocus_k
    needs["--deblur deconvolution without --taken-blur"] = args.deblur == "deconvolution" and args.taken_blur is None
    if name := next((name for name, value in needs.items() if value), None):
        raise ValueError(
            f"{name} needs depth in metres, and --depth {args.depth} is relative. Give --near-m and --far-m, the distances of "
            "the nearest and the farthest thing, or depth in metres; or set blur by --blur PERCENT and focus by --focus X,Y."
        )


def is_depth_model(name: str) -> bool:
    """Whether --depth names a model; a depth picture otherwise."""
    from .. import depth

    return name == "auto" or name in depth.MODELS or Path(name).suffix == ".safetensors"


def _check_defocus_type(path: Path | None) -> None:
    from ..files import pictures

    if path is None:
        return
    suffix = path.suffix.lower()
    if suffix in pictures.INTEGER_BITS and suffix not in pictures.FLOAT_SUFFIXES:
        raise ValueError(f"--defocus {path}: a {suffix} file holds no radii in px. Give a .tif, .pfm, .npy or .exr.")


def _check_aperture(args: argparse.Namespace) -> None:
    shapes = options.aperture.SHAPE.words
    if args.aperture in shapes:
        return
    if not Path(args.aperture).exists():
        raise ValueError(f"--aperture {args.aperture} is neither a shape ({', '.join(shapes)}) nor a file.")
    if args.rotation:
        raise ValueError("--rotation turns named shapes. Turn the aperture picture itself.")
    if args.save_aperture:
        raise ValueError("--save-aperture keeps the settings of named shapes. The aperture picture is a file already.")


def _check_depth(args: argparse.Namespace) -> None:
    from .. import depth, models
    from ..checks import check_range

    if args.near_m and args.far_m:
        check_range(args.near_m, args.far_m)
    if not is_depth_model(args.depth):
        if not Path(args.depth).exists():
            raise ValueError(f"--depth {args.depth} is neither a file nor a model (auto, {', '.join(depth.MODELS)}).")
        return
    used = {"--depth-kind": args.depth_kind, "--depth-near": args.depth_near, "--metres-per-unit": args.metres_per_unit}
    used |= {"--depth-unknown": args.depth_unknown, "--layer": args.layer}
    for name, value in used.items():
        if value is not None:
            raise ValueError(f"{name} is about a depth picture. Give one with --depth FILE.")
    if args.depth != "auto" and args.depth not in depth.MODELS:
        if not Path(args.depth).exists():
            raise ValueError(f"--depth {args.depth}: There is no file of this name.")
    elif not args.download:
        models.locate(depth.choose(args.depth, args.models), args.models)


def _check_deblur(args: argparse.Namespace) -> None:
    from .. import restore

    if args.deblur == "generative":
        return
    network = restore.choose(args.deblur, has_defocus=args.deblur == "deconvolution").network
    if network is not None:
        network.locate(args.models or ())
