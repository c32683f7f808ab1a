"""The options of the command line, built from `refocus_core.options` and grouped as a photographer thinks of them."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from .. import __version__
from .. import options as o

DESCRIPTION = """\
Change the focus of a photo after it was taken: choose what is sharp, and how strongly and in which shape the rest blurs.
"""
"""The first words of --help."""

EPILOG = """\
examples
  Blur the background behind what is a bit left of the middle, as strong as 2 % of the picture's width:
    python -m refocus_core portrait.jpg --focus 0.4,0.5 --blur 2 -o out.jpg

  As an 85 mm lens at f/1.4 would have drawn it, from a depth picture whose white is 2.1 m and whose black is 5 m away:
    python -m refocus_core bike.png --depth bike_depth.png --near-m 2.1 --far-m 5 --f-number 1.4 --focal-mm 85 -o out.png

  Sharp under a painted mask, hearts in the background, 16 bits for further work:
    python -m refocus_core night.tif --focus-mask face.png --blur 3 --aperture heart --bits 16 -o out.tif

  Many photos by one recipe, a folder and what lies below it; see python -m refocus_core batch --help:
    python -m refocus_core portrait.jpg --blur 2 --aperture polygon -o out.jpg --save-recipe recipe.json
    python -m refocus_core batch photos out --recipe recipe.json

notes
  What the lens blurred is made sharp first, as far as it can be; --deblur none leaves the photo as it is.
  Depth decides everything. Without --depth the best model on this machine estimates it: the small one that ships with Refocus,
  unless there is a larger one. --download fetches a better one (99 MB).
  --depth FILE takes a grey picture of the same view: as made by most depth programs, near bright. A render's Z pass is
  --depth-kind depth --metres-per-unit 1; of an EXR with colour and Z, or with many layers, the layer called Z is taken, or the
  one that --layer names.
  --defocus FILE takes a finished map in place of depth, focus and lens: the signed radius of the blur in px, above 0 behind the
  focal plane, as --save-defocus writes it.
  Metres (--focus-distance, --f-number) need depth in metres: from such a file, from a model that knows metres (depth-pro), or
  by --near-m and --far-m.
  EXIF, XMP, IPTC, comments, PNG text, resolution and colour profile are kept where the file type of OUT can hold them.
  The arithmetic is done in linear light, to and from which the profile's own curve leads (sRGB's without a profile).
  Pictures of up to 500 megapixels are read; the environment variable REFOCUS_MAX_MEGAPIXELS sets another limit.
  Float files (.tif, .pfm, .exr with --bits 32f) hold linear light.
"""
"""The last words of --help."""


class Parser(argparse.ArgumentParser):
    """Mistakes end the program with one line."""

    def error(self, message: str) -> NoReturn:
        """Say it, and end with exit code 2."""
        self.exit(2, f"refocus: {message}. See {self.prog} --help.\n")


def _point(text: str) -> tuple[float, float]:
    parts = text.split(",")
    try:
        x, y = (float(p) for p in parts)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not X,Y, such as 0.4,0.5") from None
    if not (0 <= x <= 1 and 0 <= y <= 1):
        raise argparse.ArgumentTypeError(f"'{text}': X and Y go from 0 (left, top) to 1 (right, bottom); they are not pixels")
    return x, y


def _number(option: o.Number, low: float | None = None, high: float | None = None) -> Callable[[str], float]:
    lowest, highest = option.limits[0] if low is None else low, option.limits[1] if high is None else high
    whole = isinstance(option.default, int)

    def convert(text: str) -> float:
        try:
            value = int(text) if whole else float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"'{text}' is not a {'whole ' if whole else ''}number") from None
        if not lowest <= value <= highest:
            raise argparse.ArgumentTypeError(f"{text} must lie in {lowest:g}..{highest:g}")
        return value

    return convert


def _add(
    group: argparse._ArgumentGroup,  # pyright: ignore[reportPrivateUsage] - argparse has no public name for it
    option: o.Number | o.Choice,
    *,
    flag: str = "",
    unset: bool = False,
    low: float | None = None,
    high: float | None = None,
    note: str = "",
) -> None:
    """Add an option of `refocus_core.options`.

    Args:
        flag: another name than its own.
        unset: None, not its default, where it is not given.
        low, high: other limits than its own.
        note: what is to be said beside its text.
    """
    flag = flag or option.flag or "--" + option.name.replace("_", "-")
    default = None if unset else option.default
    text = option.full_text if isinstance(option, o.Choice) else option.text
    text = " ".join(filter(None, (text, note or ("" if unset else f"Default: {option.default}.")))).replace("%", "%%")
    if isinstance(option, o.Choice):
        group.add_argument(flag, choices=option.words, default=default, help=text)
    else:
        metavar = (option.unit or "n").upper()
        group.add_argument(flag, metavar=metavar, type=_number(option, low, high), default=default, help=text)


def build_parser(kind: type[Parser] = Parser) -> Parser:
    """All options of the single run."""
    p = kind(
        prog="python -m refocus_core",
        usage="%(prog)s PHOTO -o OUT [--focus X,Y] [--blur PERCENT] [--depth FILE|MODEL] [more options, below]",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    p.add_argument(
        "photo",
        metavar="PHOTO",
        type=Path,
        help="photo (JPEG, PNG, TIFF, WebP, float TIFF, PFM, EXR), clip (MP4, MOV, MKV, WebM, AVI) or folder of frames",
    )
    p.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        type=Path,
        required=True,
        help="the result; its ending decides the file type. Of a folder of frames: a folder",
    )
    p.add_argument("--version", action="version", version=__version__)
    for add in (_add_focus, _add_strength, _add_depth, _add_defocus, _add_aperture, _add_deblur, _add_method, _add_generative):
        add(p)
    _add_result(p)
    return p


def _add_focus(p: argparse.ArgumentParser) -> None:
    g = p.add_argument_group("what is sharp (default: the nearest large thing in the middle)")
    where = g.add_mutually_exclusive_group()
    where.add_argument(
        "--focus", metavar="X,Y", type=_point, help="a point: 0,0 is the upper left corner, 1,1 the lower right one"
    )
    where.add_argument("--focus-mask", metavar="FILE", type=Path, help="what is white in this picture (the median of its depth)")
    _add(where, o.defocus.DISTANCE_M, unset=True, low=1e-3, high=float("inf"))
    _add(g, o.defocus.FOCUS_RANGE)
    _add(g, o.defocus.TILT_DEG)
    _add(g, o.defocus.SWING_DEG)
    g.add_argument(
        "--keyframes", metavar="FILE|JSON", help="for a clip: focus and aperture over its frames, as docs/batch.md shows"
    )


def _add_strength(p: argparse.ArgumentParser) -> None:
    g = p.add_argument_group(f"how strong: percent, or a camera (default: --blur {o.defocus.PERCENT.default})")
    _add(g, o.defocus.PERCENT, unset=True)
    _add(g, o.defocus.F_NUMBER, unset=True, low=o.defocus.SMALLEST_F_NUMBER)
    _add(g, o.defocus.FOCAL_MM, unset=True, note="Default: from EXIF, else from the depth model.")
    _add(g, o.defocus.SENSOR_MM, unset=True, note="Default: from EXIF, else 36, full frame.")
    _add(g, o.defocus.GENFOCUS_K, unset=True)
    g.add_argument("--exif-lens", action="store_true", help="also take the f-number from EXIF: the lens as the photo was taken")
    _add(g, o.defocus.NEAR_GAIN)
    _add(g, o.defocus.FAR_GAIN)
    _add(g, o.defocus.FIELD_CURVATURE)
    g.add_argument("--blur-mask", metavar="FILE", type=Path, help="where --mask-blur changes the blur: white, all of it")
    _add(g, o.defocus.MASK_BLUR, unset=True, note=f"Default: {o.defocus.MASK_BLUR.default}.")
    _add(g, o.defocus.BREATHING)


def _add_depth(p: argparse.ArgumentParser) -> None:
    g = p.add_argument_group("depth")
    g.add_argument(
        o.depth.MODEL.flag,
        metavar="FILE|MODEL",
        default=o.depth.MODEL.default,
        help="a depth picture, or the name of a model (default: the first one found)",
    )
    _add(g, o.depth.DEPTH_KIND, unset=True, note="Default: disparity; depth for the layer Z of an EXR.")
    _add(g, o.depth.DEPTH_NEAR, unset=True)
    _add(g, o.depth.NEAR_M, unset=True)
    _add(g, o.depth.FAR_M, unset=True, high=float("inf"))
    _add(g, o.depth.METRES_PER_UNIT, unset=True, note="EXR in metres: 1; 16-bit PNG in millimetres: 65.535.")
    g.add_argument("--depth-unknown", metavar="V", type=float, help="value that means 'not measured', such as 0")
    g.add_argument(
        "--layer",
        metavar="NAME",
        help="layer or channel that is meant in the EXR of --depth or --defocus (default: Z for depth, else the picture)",
    )
    _add(g, o.depth.REFINE)
    _add(g, o.depth.STEADY_FRAMES, unset=True, note=f"Default: {o.depth.STEADY_FRAMES.default}.")
    g.add_argument(
        "--models", metavar="DIR", type=Path, action="append", help="where models lie (repeatable; default: ~/.cache/refocus)"
    )
    g.add_argument("--download", "--allow-download", action="store_true", help="allow to fetch a missing model from Hugging Face")


def _add_defocus(p: argparse.ArgumentParser) -> None:
    g = p.add_argument_group("a defocus map, in place of depth, focus and lens")
    g.add_argument(
        "--defocus", metavar="FILE", type=Path, help="signed blur radius in px (.tif/.pfm/.npy/.exr), as --save-defocus writes it"
    )


def _add_aperture(p: argparse.ArgumentParser) -> None:
    g = p.add_argument_group("aperture and light")
    shape = o.aperture.SHAPE
    shapes = ", ".join(shape.words)
    g.add_argument(shape.flag, metavar="SHAPE|FILE", default=shape.default, help=f"{shapes}, or a picture: white is open")
    corners = f"{o.aperture.BLADES.text} Or of the star. Default: {o.aperture.BLADES.default}, {o.aperture.POINTS.default}."
    g.add_argument("--blades", metavar="N", type=_number(o.aperture.BLADES), help=corners)
    for option in (o.aperture.CURVATURE, o.aperture.ROTATION_DEG, o.blur.HIGHLIGHT_BOOST, o.aperture.SOFTNESS):
        _add(g, option)
    for option in (o.aperture.SQUEEZE, o.aperture.SPHERICAL, o.aperture.FRINGE, o.aperture.ONION, o.aperture.PRESET):
        _add(g, option)
    for option in (o.aperture.CAT_EYE, o.aperture.SWIRL, o.aperture.COMA, o.aperture.BARN_DOORS):
        _add(g, option)
    for option in (o.blur.EXPOSURE, o.blur.GRAIN, o.blur.HIGHLIGHT_RECOVERY, o.blur.BLOOM, o.blur.LATERAL_COLOR):
        _add(g, option)
    g.add_argument(
        "--recover-in-focus", action="store_true", help="let --highlight-recovery change lights in focus, too (default: no)"
    )
    g.add_argument(
        "--aperture-texture",
        metavar="FILE",
        type=Path,
        help="dust or scratches on the lens, as a picture: what is dark stops light",
    )
    g.add_argument("--aperture-file", metavar="FILE", type=Path, help="all of these settings from a JSON file, in their place")
    g.add_argument("--save-aperture", metavar="FILE", type=Path, help="keep the settings of a named shape, for --aperture-file")


def _add_deblur(p: argparse.ArgumentParser) -> None:
    g = p.add_argument_group("blur that is already in the photo")
    method = o.restore.METHOD
    g.add_argument(
        method.flag,
        metavar="METHOD",
        default=method.default,
        help=f"{', '.join(method.words)}, or model:FILE (default: {method.default}, which is the network that comes along)",
    )
    g.add_argument(
        "--taken-focus", metavar="X,Y", type=_point, help="for deconvolution: where the photo is sharp (default: automatic)"
    )
    g.add_argument(
        "--taken-blur",
        metavar="PERCENT",
        type=_number(o.defocus.PERCENT),
        help="for deconvolution: how blurred the photo is, as --blur (default: the lens in EXIF)",
    )


def _add_method(p: argparse.ArgumentParser) -> None:
    g = p.add_argument_group("what blurs, and how finely")
    _add(g, o.blur.METHOD)
    _add(g, o.blur.QUALITY)


def _add_generative(p: argparse.ArgumentParser) -> None:
    g = p.add_argument_group(
        "generative and hybrid (experimental): FLUX.1-dev with Genfocus adapters, from files on this machine "
        "(pip install '.[generative]')"
    )
    g.add_argument("--flux", metavar="PATH", type=Path, help="FLUX.1-dev: a diffusers folder, or its transformer as one file")
    g.add_argument("--vae", metavar="DIR", type=Path, help="diffusers folder of its autoencoder (default: in --flux)")
    g.add_argument("--prompts", metavar="FILE", type=Path, help="embeddings of the two fixed prompts; written if not there yet")
    g.add_argument("--deblur-lora", metavar="FILE", type=Path, help="deblurNet.safetensors, for --deblur generative")
    g.add_argument("--bokeh-lora", metavar="FILE", type=Path, help="bokehNet.safetensors, for --method generative or hybrid")
    _add(g, o.genfocus.STEPS)
    _add(g, o.genfocus.START_NOISE)
    _add(g, o.genfocus.MEGAPIXELS)
    _add(g, o.genfocus.TILES_PER_BATCH)
    _add(g, o.blur.REDRAW)
    g.add_argument("--offload", action="store_true", help="keep only the model at work on the GPU")
    g.add_argument("--fp8", action="store_true", help="keep FLUX's weights in 8 bits")


def _add_result(p: argparse.ArgumentParser) -> None:
    g = p.add_argument_group("result")
    g.add_argument("--bits", choices=("8", "16", "32f"), help="per channel (default: as the photo, where the file type can)")
    g.add_argument(
        "--jpeg-quality", metavar="Q", type=int, choices=range(1, 101), default=95, help="of JPEG and WebP, 1..100 (default 95)"
    )
    g.add_argument(
        "--save-depth", metavar="FILE", type=Path, help="keep the depth: .png 16 bits near bright, .tif/.pfm/.npy/.exr as numbers"
    )
    g.add_argument(
        "--save-defocus", metavar="FILE", type=Path, help="keep the blur radius: .png/.jpg coloured, .tif/.pfm/.npy/.exr in px"
    )
    g.add_argument("--save-sharp", metavar="FILE", type=Path, help="keep the deblurred photo")
    g.add_argument(
        "--save-matte",
        metavar="FILE",
        type=Path,
        help="keep an alpha matte of what is as far as the focus: .png 16 bits, .tif/.pfm/.npy/.exr",
    )
    _add(g, o.matte.TOLERANCE, flag="--matte-tolerance")
    g.add_argument(
        "--save-recipe", metavar="FILE", type=Path, help="keep these options as JSON, for python -m refocus_core batch"
    )
    g.add_argument("--overwrite", action="store_true", help="allow a result to replace an input")
    g.add_argument("--device", metavar="NAME", help="cpu, cuda, mps ... (default: cuda where there is one)")
    g.add_argument("-q", "--quiet", action="store_true", help="say nothing but errors")
    g.add_argument("-v", "--verbose", action="store_true", help="say more; show where an error came from")
