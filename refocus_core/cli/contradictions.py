"""Options that contradict each other or lack another one."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from .. import options as o
from .parser import build_parser

REPLACED_BY_DEFOCUS = (
    *("--focus", "--focus-mask", "--focus-distance", "--focus-range", "--tilt", "--swing"),
    *("--blur", "--genfocus-k", "--f-number", "--focal-mm", "--sensor-mm", "--exif-lens"),
    *("--near-gain", "--far-gain", "--field-curvature", "--breathing"),
    *("--depth", "--depth-kind", "--depth-near", "--near-m", "--far-m", "--metres-per-unit", "--depth-unknown", "--refine"),
    *("--save-depth", "--save-matte", "--matte-tolerance"),
)
"""Options about depth, focus and lens, which have no effect beside `--defocus`."""


OF_APERTURE = (
    *("--aperture", "--blades", "--curvature", "--rotation", "--softness"),
    *("--squeeze", "--spherical", "--fringe", "--onion"),
    *("--cat-eye", "--barn-doors", "--swirl", "--coma"),
)
"""Options that a preset or a file stands for."""

GENERATIVE_LACKS = (
    *(*OF_APERTURE, "--aperture-preset", "--aperture-file", "--aperture-texture"),
    *("--highlights", "--highlight-recovery"),
)
"""Options that only the renderer knows."""


def check(args: argparse.Namespace) -> None:
    """Refuse options that contradict each other or lack another one, before anything is read.

    Raises:
        ValueError: on the first of them; the message names it and the remedy.
    """
    if args.defocus is not None:
        _check_defocus(args)
    if (args.tilt or args.swing) and args.focus is None:
        raise ValueError("--tilt and --swing lean the focal plane around a point: give it with --focus X,Y.")
    camera = {
        "--f-number": args.f_number,
        "--focal-mm": args.focal_mm,
        "--sensor-mm": args.sensor_mm,
        "--exif-lens": args.exif_lens,
    }
    given = [name for name, value in camera.items() if value]
    if args.mask_blur is not None and args.blur_mask is None:
        raise ValueError("--mask-blur needs --blur-mask, the picture that says where.")
    strengths = {"--blur": args.blur is not None, "--genfocus-k": args.genfocus_k is not None}
    both = [*(name for name, there in strengths.items() if there), *given[:1]]
    if len(both) > 1:
        raise ValueError(f"{both[0]} and {both[1]} both set the strength. Give one of them.")
    if given and not args.f_number and not args.exif_lens:
        raise ValueError(f"{given[0]} needs --f-number (or --exif-lens, to take it from the photo).")
    if args.deblur != "deconvolution" and (args.taken_blur is not None or args.taken_focus is not None):
        raise ValueError("--taken-focus and --taken-blur tell deconvolution about the photo: add --deblur deconvolution.")
    if args.breathing and not (args.keyframes and args.f_number):
        raise ValueError(
            "--breathing is how a camera's picture grows as --keyframes move the focus over a clip: give them and --f-number, or "
            "leave it out."
        )
    if args.recover_in_focus and not args.highlight_recovery:
        raise ValueError("--recover-in-focus needs --highlight-recovery: without it no light is changed.")
    if args.save_sharp and args.deblur == "none":
        raise ValueError("--save-sharp needs --deblur: without it nothing is made sharper.")
    _check_aperture(args)
    _check_generative(args)
    if bool(args.near_m) != bool(args.far_m):
        raise ValueError("Give both --near-m and --far-m, or neither.")
    every = (args.output, args.save_depth, args.save_defocus, args.save_sharp, args.save_matte, args.save_recipe)
    results = [p for p in (*every, args.save_aperture) if p is not None]
    if len({p.absolute() for p in results}) < len(results):
        raise ValueError("Two results would have the same name.")


def _given(args: argparse.Namespace, flags: Sequence[str]) -> str | None:
    """The first of these options that is not at its default."""
    defaults = build_parser()
    names = {flag: flag.removeprefix("--").replace("-", "_") for flag in flags}
    return next((flag for flag, name in names.items() if getattr(args, name) != defaults.get_default(name)), None)


def _check_aperture(args: argparse.Namespace) -> None:
    whole = ["--aperture-file"] if args.aperture_file else []
    whole += ["--aperture-preset"] if args.aperture_preset != o.aperture.OWN else []
    if len(whole) > 1:
        raise ValueError("--aperture-file and --aperture-preset both set the whole aperture. Give one of them.")
    if whole and (flag := _given(args, OF_APERTURE)):
        raise ValueError(f"{whole[0]} sets the whole aperture: leave out {flag}, or {whole[0]}.")


def _check_defocus(args: argparse.Namespace) -> None:
    if flag := _given(args, REPLACED_BY_DEFOCUS):
        raise ValueError(f"--defocus is a finished map, in place of depth, focus and lens: leave out {flag}, or --defocus.")
    if args.deblur == "deconvolution":
        raise ValueError("--deblur deconvolution needs depth, which --defocus replaces. Choose another --deblur.")


def _check_generative(args: argparse.Namespace) -> None:
    blurs, sharpens = args.method != "render", args.deblur == "generative"
    if not (blurs or sharpens):
        if args.flux or args.deblur_lora or args.bokeh_lora:
            raise ValueError("--flux and the adapters are for --deblur generative and --method generative or hybrid: add one.")
        return
    needs = {"--flux": args.flux, **({"--deblur-lora": args.deblur_lora} if sharpens else {})}
    needs |= {"--bokeh-lora": args.bokeh_lora} if blurs else {}
    if missing := [name for name, value in needs.items() if value is None]:
        raise ValueError(f"The generative method needs {' and '.join(missing)}: files on this machine, nothing is fetched.")
    if args.method == "generative" and (_given(args, GENERATIVE_LACKS)):
        raise ValueError(
            "--method generative knows no --aperture, --highlights or --highlight-recovery. Leave them out, or use "
            "--method hybrid."
        )
