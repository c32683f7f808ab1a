"""The command line: the same rooms that the nodes use, composed without ComfyUI."""

from __future__ import annotations

import argparse
import functools
import logging
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from .. import __version__

if TYPE_CHECKING:  # torch takes seconds to import; --help and a mistyped option must not wait for it
    import torch
    from torch import Tensor

    from .. import generative
    from ..defocus import FocusLike
    from ..files.pictures import CameraData, Picture
    from ..optics import Blur, Lens
    from ..types import DefocusMap, DepthMap, Kernel, Progress

log = logging.getLogger(__name__)

SHAPES = ("circle", "polygon", "ring", "heart", "star")
QUALITIES = ("draft", "normal", "best")
METHODS = ("render", "generative", "hybrid")
DEFAULT_BLUR_PERCENT = 1.5

DESCRIPTION = """\
Change the focus of a photo after it was taken: choose what is sharp, and how strongly and in which shape the rest blurs.
"""

EPILOG = """\
examples
  Blur the background behind what is a bit left of the middle, as strong as 2 % of the picture's width:
    python -m refocus_core portrait.jpg --focus 0.4,0.5 --blur 2 -o out.jpg

  As an 85 mm lens at f/1.4 would have drawn it, from a depth picture whose white is 2.1 m and whose black is 5 m away:
    python -m refocus_core bike.png --depth bike_depth.png --near-m 2.1 --far-m 5 --f-number 1.4 --focal-mm 85 -o out.png

  Sharp under a painted mask, hearts in the background, 16 bits for further work:
    python -m refocus_core night.tif --focus-mask face.png --blur 3 --aperture heart --bits 16 -o out.tif

notes
  What the lens blurred is made sharp first, as far as it can be; --deblur none leaves the photo as it is.
  Depth decides everything. Without --depth the best model on this machine estimates it: the small one that ships with Refocus,
  unless there is a larger one. --download fetches a better one (99 MB).
  --depth FILE takes a grey picture of the same view: as made by most depth programs, near bright. A render's Z pass is
  --depth-kind depth --metres-per-unit 1.
  Metres (--focus-distance, --f-number) need depth in metres: from such a file, from a model that knows metres (depth-pro), or
  by --near-m and --far-m.
  EXIF and colour profile are kept. The arithmetic is done in linear light and takes the profile's curve to be like sRGB's.
  Float files (.tif, .pfm, .exr with --bits 32f) hold linear light.
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"refocus: {message}. See python -m refocus_core --help.\n")


def _point(text: str) -> tuple[float, float]:
    parts = text.split(",")
    try:
        x, y = (float(p) for p in parts)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not X,Y, such as 0.4,0.5") from None
    if not (0 <= x <= 1 and 0 <= y <= 1):
        raise argparse.ArgumentTypeError(f"'{text}': X and Y go from 0 (left, top) to 1 (right, bottom); they are not pixels")
    return x, y


def _number(low: float, high: float, what: str) -> Callable[[str], float]:
    def convert(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"'{text}' is not a number") from None
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text}: {what} must lie in {low:g}..{high:g}")
        return value

    return convert


def build_parser() -> argparse.ArgumentParser:
    """The options, grouped as a photographer thinks of them."""
    p = _Parser(
        prog="python -m refocus_core",
        usage="%(prog)s PHOTO -o OUT [--focus X,Y] [--blur PERCENT] [--depth FILE|MODEL] [more options, below]",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    p.add_argument(
        "photo", metavar="PHOTO", type=Path, help="the photo: JPEG, PNG, TIFF, WebP (8 or 16 bits), float TIFF, PFM, EXR"
    )
    p.add_argument("-o", "--output", metavar="OUT", type=Path, required=True, help="the result; its ending decides the file type")
    p.add_argument("--version", action="version", version=__version__)

    g = p.add_argument_group("what is sharp (default: the nearest large thing in the middle)")
    where = g.add_mutually_exclusive_group()
    where.add_argument(
        "--focus", metavar="X,Y", type=_point, help="a point: 0,0 is the upper left corner, 1,1 the lower right one"
    )
    where.add_argument("--focus-mask", metavar="FILE", type=Path, help="what is white in this picture (the median of its depth)")
    where.add_argument(
        "--focus-distance", metavar="M", type=_number(1e-3, float("inf"), "the distance"), help="metres from the camera"
    )
    g.add_argument(
        "--focus-range",
        metavar="R",
        type=_number(0, 1, "the range"),
        default=0.0,
        help="share of the scene's depth, 0..1, that stays perfectly sharp",
    )

    g = p.add_argument_group(f"how strong: percent, or a camera (default: --blur {DEFAULT_BLUR_PERCENT})")
    g.add_argument(
        "--blur",
        metavar="PERCENT",
        type=_number(0, 50, "the blur"),
        help="blur radius at infinity (or at the farthest thing) in percent of the picture's long edge",
    )
    g.add_argument("--f-number", metavar="N", type=_number(0.1, 1000, "the f-number"), help="aperture: 1.4 blurs more than 8")
    g.add_argument(
        "--focal-mm",
        metavar="F",
        type=_number(0.1, 5000, "the focal length"),
        help="focal length (default: from EXIF, else from the depth model)",
    )
    g.add_argument(
        "--sensor-mm",
        metavar="W",
        type=_number(0.5, 1000, "the sensor"),
        help="long side of the sensor (default: from EXIF, else 36, full frame)",
    )
    g.add_argument("--exif-lens", action="store_true", help="also take the f-number from EXIF: the lens as the photo was taken")
    g.add_argument(
        "--near-gain", metavar="X", type=_number(0, 100, "the gain"), default=1.0, help="factor on the blur in front of the focus"
    )
    g.add_argument(
        "--far-gain", metavar="X", type=_number(0, 100, "the gain"), default=1.0, help="factor on the blur behind the focus"
    )

    g = p.add_argument_group("depth")
    g.add_argument(
        "--depth",
        metavar="FILE|MODEL",
        default="auto",
        help="a depth picture, or the name of a model (default: the first one found)",
    )
    g.add_argument(
        "--depth-kind",
        choices=("disparity", "depth"),
        default="disparity",
        help="what the file holds: inverse depth (most do), or distance",
    )
    g.add_argument(
        "--depth-near", choices=("bright", "dark"), help="which end is near (default: bright for disparity, dark for depth)"
    )
    g.add_argument("--near-m", metavar="M", type=_number(1e-3, 1e6, "near"), help="distance of the nearest value in metres")
    g.add_argument(
        "--far-m", metavar="M", type=_number(1e-3, float("inf"), "far"), help="distance of the farthest value in metres"
    )
    g.add_argument(
        "--metres-per-unit",
        metavar="M",
        type=_number(1e-9, 1e9, "the scale"),
        help="for --depth-kind depth: metres per 1.0 (EXR in metres: 1; 16-bit PNG in millimetres: 65.535)",
    )
    g.add_argument("--depth-unknown", metavar="V", type=float, help="value that means 'not measured', such as 0")
    g.add_argument(
        "--refine",
        metavar="S",
        type=_number(0, 1, "the refinement"),
        default=1.0,
        help="fit depth edges to the photo's edges: 0 off .. 1 (default)",
    )
    g.add_argument(
        "--models", metavar="DIR", type=Path, action="append", help="where models lie (repeatable; default: ~/.cache/refocus)"
    )
    g.add_argument("--download", "--allow-download", action="store_true", help="allow to fetch a missing model from Hugging Face")

    g = p.add_argument_group("aperture and highlights")
    g.add_argument("--aperture", metavar="SHAPE|FILE", default="circle", help=f"{', '.join(SHAPES)}, or a picture: white is open")
    g.add_argument("--blades", metavar="N", type=int, help="corners of 'polygon' (default 6), or tips of 'star' (default 5)")
    g.add_argument("--curvature", metavar="C", type=float, default=0.0, help="of the polygon's blades: 0 straight .. 1 round")
    g.add_argument("--rotation", metavar="DEG", type=float, default=0.0, help="turn the shape clockwise")
    g.add_argument(
        "--highlights",
        metavar="STOPS",
        type=float,
        default=0.0,
        help="give clipped highlights light back, in f-stops: 0 none (default), 2 to 4 for city lights",
    )
    g.add_argument("--softness", metavar="S", type=float, default=0.0, help="soft edge: 0 hard .. 1")

    g = p.add_argument_group("blur that is already in the photo")
    g.add_argument(
        "--deblur",
        metavar="METHOD",
        default="auto",
        help="auto (default): refocus-deblur-s, the network that comes along; none, deconvolution, blind-deconvolution, "
        "generative, or model:FILE",
    )
    g.add_argument(
        "--taken-focus", metavar="X,Y", type=_point, help="for deconvolution: where the photo is sharp (default: automatic)"
    )
    g.add_argument(
        "--taken-blur",
        metavar="PERCENT",
        type=_number(0, 50, "the blur"),
        help="for deconvolution: how blurred the photo is at infinity, as --blur (default: the lens in EXIF)",
    )

    g = p.add_argument_group(
        "generative: FLUX.1-dev with Genfocus adapters, from files on this machine (pip install '.[generative]')"
    )
    g.add_argument(
        "--method",
        choices=METHODS,
        default="render",
        help="how to blur: render (default), generative, or hybrid (rendered; FLUX redraws the background that blur reveals)",
    )
    g.add_argument("--flux", metavar="PATH", type=Path, help="FLUX.1-dev: a diffusers folder, or its transformer as one file")
    g.add_argument("--vae", metavar="DIR", type=Path, help="diffusers folder of its autoencoder (default: in --flux)")
    g.add_argument("--prompts", metavar="FILE", type=Path, help="embeddings of the two fixed prompts; written if not there yet")
    g.add_argument("--deblur-lora", metavar="FILE", type=Path, help="deblurNet.safetensors, for --deblur generative")
    g.add_argument("--bokeh-lora", metavar="FILE", type=Path, help="bokehNet.safetensors, for --method generative or hybrid")
    g.add_argument("--steps", metavar="N", type=int, default=28, help="steps from noise to picture (default 28)")
    g.add_argument("--seed", metavar="N", type=int, default=42, help="of the noise; the same one keeps the picture (default 42)")
    g.add_argument(
        "--megapixels",
        metavar="MP",
        type=_number(0.01, 64, "the size"),
        default=1.0,
        help="larger photos run at it (default 1)",
    )
    g.add_argument("--tiles-per-batch", metavar="N", type=int, default=4, help="more is faster and takes more memory (default 4)")
    g.add_argument("--offload", action="store_true", help="keep only the model at work on the GPU")
    g.add_argument("--fp8", action="store_true", help="keep FLUX's weights in 8 bits")

    g = p.add_argument_group("result")
    g.add_argument("--bits", choices=("8", "16", "32f"), help="per channel (default: as the photo, where the file type can)")
    g.add_argument(
        "--jpeg-quality", metavar="Q", type=int, choices=range(1, 101), default=95, help="of JPEG and WebP, 1..100 (default 95)"
    )
    g.add_argument("--quality", choices=QUALITIES, default="normal", help="of the rendering: draft is faster, best is finer")
    g.add_argument(
        "--save-depth", metavar="FILE", type=Path, help="keep the depth: .png 16 bits near bright, .tif/.pfm/.npy/.exr as numbers"
    )
    g.add_argument(
        "--save-defocus", metavar="FILE", type=Path, help="keep the blur radius: .png/.jpg coloured, .tif/.pfm/.npy/.exr in px"
    )
    g.add_argument("--save-sharp", metavar="FILE", type=Path, help="keep the deblurred photo")
    g.add_argument("--overwrite", action="store_true", help="allow a result to replace an input")
    g.add_argument("--device", metavar="NAME", help="cpu, cuda, mps ... (default: cuda where there is one)")
    g.add_argument("-q", "--quiet", action="store_true", help="say nothing but errors")
    g.add_argument("-v", "--verbose", action="store_true", help="say more; show where an error came from")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code: 0 done, 2 a mistake in what was given, 130 stopped by the user."""
    args = build_parser().parse_args(argv)
    level = logging.ERROR if args.quiet else logging.INFO if args.verbose else logging.WARNING
    logging.basicConfig(level=level, format="refocus: %(message)s", stream=sys.stderr)
    try:
        _run(args)
    except KeyboardInterrupt:
        print("\nrefocus: stopped, nothing was written.", file=sys.stderr)
        return 130
    except (ValueError, OSError, RuntimeError, ImportError, MemoryError) as error:
        if args.verbose:
            log.info("the error came from here:", exc_info=True)
        text = str(error).strip() or type(error).__name__
        print(f"refocus: {text}", file=sys.stderr)
        return 2
    return 0


# --- the graph -----------------------------------------------------------------------------------------------------------


@dataclass
class _Stages:
    """Progress bars on the terminal, and how long each stage took."""

    quiet: bool

    @contextmanager
    def __call__(self, name: str) -> Generator[Progress]:
        from tqdm import tqdm

        start = time.perf_counter()
        hidden = True if self.quiet else None  # None: shown on a terminal only
        with tqdm(
            desc=name, total=1, file=sys.stderr, disable=hidden, leave=False, bar_format="{desc:<10} {bar:30} {elapsed}"
        ) as bar:

            def step(done: int, total: int) -> None:
                bar.total = max(total, 1)
                bar.n = min(done, bar.total)
                bar.refresh()

            yield step
        if not self.quiet:
            print(f"{name:<10} {time.perf_counter() - start:6.1f} s", file=sys.stderr)


def _run(args: argparse.Namespace) -> None:
    import torch

    from .. import bokeh, defocus, generative, restore
    from ..color import linear_to_srgb, srgb_to_linear
    from ..files import pictures

    stages = _Stages(args.quiet)
    _check_options(args)
    with stages("reading"):
        photo = pictures.load(args.photo)
        writers = _check_outputs(args, photo)
        device = torch.device(args.device or ("cuda" if torch.cuda.is_available() else "cpu"))
        image = photo.image.to(device)
        kernel = _kernel(args)
        focus = _focus(args)
        file = _depth_file(args)
        taken_lens = _taken_lens(args, photo.camera) if args.deblur == "deconvolution" else None
        genfocus = functools.cache(functools.partial(_genfocus, args, device))

    # Depth is best taken on the sharp picture. Deconvolution is the exception: it needs depth to know the blur.
    sharp, source_depth = image, None
    if taken_lens is not None:
        source_depth = _depth(args, image, file, stages)
        with stages("deblurring") as progress:
            near_m, far_m = _scale(args, source_depth)
            taken = defocus.from_lens(source_depth, taken_lens, args.taken_focus, near_m=near_m, far_m=far_m)
            sharp = restore.all_in_focus(image, args.deblur, taken, progress=progress).image
    elif args.deblur == "generative":
        with stages("deblurring") as progress:
            sample = genfocus().sampler(args.deblur_lora, "deblur", steps=args.steps, seed=args.seed, progress=progress)
            sharp = generative.deblur(image, sample, megapixels=args.megapixels)
    elif args.deblur != "none":
        with stages("deblurring") as progress:
            sharp = restore.all_in_focus(image, args.deblur, folders=args.models or (), progress=progress).image
    depth_map = source_depth if source_depth is not None else _depth(args, sharp, file, stages)

    with stages("defocus"):
        lens = _lens(args, photo.camera, depth_map)
        near_m, far_m = _scale(args, depth_map)
        made = defocus.from_lens(
            depth_map,
            lens,
            focus,
            focus_range=args.focus_range,
            near_gain=args.near_gain,
            far_gain=args.far_gain,
            near_m=near_m,
            far_m=far_m,
        )
    result = sharp
    if args.method != "generative":
        with stages("rendering") as progress:
            light = bokeh.render(
                srgb_to_linear(sharp), made, kernel, quality=args.quality, highlight_boost=args.highlights, progress=progress
            )
            result = linear_to_srgb(light)
    if args.method != "render":
        with stages(args.method) as progress:
            sample = genfocus().sampler(args.bokeh_lora, "bokeh", steps=args.steps, seed=args.seed, progress=progress)
            if args.method == "generative":
                result = generative.blur(sharp, made.radius_px, sample, megapixels=args.megapixels)
            else:
                revealed = generative.revealed_mask(bokeh.revealed(made, kernel))
                result = generative.redraw(sharp, made.radius_px, result, revealed, sample, megapixels=args.megapixels)

    with stages("writing"):

        def write(path: Path, image: Tensor) -> None:
            pictures.save(
                path, image, alpha=photo.alpha, bits=writers[path], exif=photo.exif, icc=photo.icc, quality=args.jpeg_quality
            )

        if args.save_depth:
            _save_depth(args.save_depth, depth_map)
        if args.save_defocus:
            if args.save_defocus.suffix.lower() in pictures.INTEGER_BITS and not _as_numbers(args.save_defocus):
                pictures.save(args.save_defocus, defocus.preview(made, sharp.clamp(0, 1), focus=defocus.as_focus(focus)))
            else:
                pictures.save_map(args.save_defocus, made.radius_px[0])
        if args.save_sharp:
            write(args.save_sharp, sharp)
        write(args.output, result)
    print(_summary(args.output, lens, made, depth_map))


def _check_options(args: argparse.Namespace) -> None:
    camera = {
        "--f-number": args.f_number,
        "--focal-mm": args.focal_mm,
        "--sensor-mm": args.sensor_mm,
        "--exif-lens": args.exif_lens,
    }
    given = [name for name, value in camera.items() if value]
    if given and args.blur is not None:
        raise ValueError(f"--blur and {given[0]} both set the strength. Give one of them.")
    if given and not args.f_number and not args.exif_lens:
        raise ValueError(f"{given[0]} needs --f-number (or --exif-lens, to take it from the photo).")
    if args.deblur != "deconvolution" and (args.taken_blur is not None or args.taken_focus is not None):
        raise ValueError("--taken-focus and --taken-blur tell deconvolution about the photo: add --deblur deconvolution.")
    if args.save_sharp and args.deblur == "none":
        raise ValueError("--save-sharp needs --deblur: without it nothing is made sharper.")
    _check_generative(args)
    if (args.near_m is None) != (args.far_m is None):
        raise ValueError("Give both --near-m and --far-m, or neither.")
    results = [p for p in (args.output, args.save_depth, args.save_defocus, args.save_sharp) if p is not None]
    if len({p.absolute() for p in results}) < len(results):
        raise ValueError("Two results would have the same name.")


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
    if args.steps < 1 or args.tiles_per_batch < 1:
        raise ValueError("--steps and --tiles-per-batch must be at least 1.")
    if args.method == "generative" and (args.aperture != "circle" or args.highlights):
        raise ValueError("--method generative knows no --aperture and no --highlights. Leave them out, or use --method hybrid.")


def _genfocus(args: argparse.Namespace, device: torch.device) -> generative.Genfocus:
    import torch

    from .. import generative

    made = generative.Genfocus.from_pretrained(
        args.flux,
        vae=args.vae,
        prompts=args.prompts,
        device=device,
        dtype=torch.float32 if device.type == "cpu" else torch.bfloat16,
        offload=args.offload,
        fp8=args.fp8,
    )
    made.tiling = generative.Tiling(per_batch=args.tiles_per_batch)
    return made


def _as_numbers(path: Path) -> bool:
    return path.suffix.lower() in (".tif", ".tiff")


def _check_outputs(args: argparse.Namespace, photo: Picture) -> dict[Path, int]:
    """Can everything be written? Bits of each picture. Before the long work, so that it is not done for nothing."""
    from ..files import pictures

    given = [args.photo, args.focus_mask, Path(args.depth), Path(args.aperture)]
    protect = () if args.overwrite else tuple(p for p in given if p is not None)
    bits: dict[Path, int] = {}
    for path in (args.output, args.save_sharp):
        if path is not None:
            bits[path] = pictures.check_output(path, _bits(args, path, photo), photo.alpha is not None, protect)
    if args.save_depth:
        pictures.check_map_output(args.save_depth, protect)
    if args.save_defocus:
        if args.save_defocus.suffix.lower() in pictures.INTEGER_BITS and not _as_numbers(args.save_defocus):
            pictures.check_output(args.save_defocus, 8, False, protect)
        else:
            pictures.check_map_output(args.save_defocus, protect)
    return bits


def _bits(args: argparse.Namespace, path: Path, photo: Picture) -> int | None:
    from ..files import pictures

    if args.bits:
        return int(args.bits.removesuffix("f"))
    suffix = path.suffix.lower()
    able = {*pictures.INTEGER_BITS.get(suffix, ()), *((32,) if suffix in pictures.FLOAT_SUFFIXES else ())}
    return max((b for b in able if b <= photo.bits), default=None)


def _kernel(args: argparse.Namespace) -> Kernel:
    from .. import bokeh
    from ..color import srgb_to_linear
    from ..files import pictures

    if args.aperture in SHAPES:
        turn = {"rotation_deg": args.rotation, "softness": args.softness}
        if args.aperture == "polygon":
            return bokeh.make_kernel("polygon", blades=args.blades or 6, curvature=args.curvature, **turn)
        if args.aperture == "star":
            return bokeh.make_kernel("star", points=args.blades or 5, **turn)
        return bokeh.make_kernel(args.aperture, **turn)
    path = Path(args.aperture)
    if not path.exists():
        raise ValueError(f"--aperture {args.aperture} is neither a shape ({', '.join(SHAPES)}) nor a file.")
    if args.rotation:
        raise ValueError("--rotation turns named shapes. Turn the aperture picture itself.")
    picture = pictures.load(path)
    raster = srgb_to_linear(picture.image)
    if bool((raster == raster[:, :1]).all()):
        raster = raster[:, :1]
    if picture.alpha is not None:
        raster = raster * picture.alpha
    return bokeh.kernel_from_image(raster.clamp_min(0), softness=args.softness, name=path.stem)


def _focus(args: argparse.Namespace) -> FocusLike:
    from ..files import pictures

    if args.focus_mask is not None:
        mask = pictures.load_map(args.focus_mask)
        return (mask[:, :3] if mask.shape[1] > 2 else mask[:, :1]).mean(1)  # alpha, if any, is not what was painted
    return args.focus if args.focus is not None else args.focus_distance


def _depth_file(args: argparse.Namespace) -> Tensor | None:
    """The depth picture, or None for a model.

    Raises:
        ValueError: if --depth is neither.
    """
    from .. import depth
    from ..files import pictures

    path = Path(args.depth)
    if args.depth == "auto" or args.depth in depth.MODELS or path.suffix == ".safetensors":
        used = {"--depth-near": args.depth_near, "--metres-per-unit": args.metres_per_unit, "--depth-unknown": args.depth_unknown}
        for name, value in used.items():
            if value is not None:
                raise ValueError(f"{name} is about a depth picture. Give one with --depth FILE.")
        return None
    if not path.exists():
        raise ValueError(f"--depth {args.depth} is neither a file nor a model (auto, {', '.join(depth.MODELS)}).")
    return pictures.load_map(path)


def _depth(args: argparse.Namespace, image: Tensor, file: Tensor | None, stages: _Stages) -> DepthMap:
    from .. import depth

    with stages("depth") as progress:
        if file is None:
            return depth.estimate(
                image, args.depth, folders=args.models, allow_download=args.download, progress=progress, refine=args.refine
            )
        found = depth.from_image(
            file,
            args.depth_kind,
            args.depth_near,
            near_m=args.near_m,
            far_m=args.far_m,
            metres_per_unit=args.metres_per_unit,
            unknown=args.depth_unknown,
        )
        return depth.refine(depth.fit(found.to(image.device), image), image, strength=args.refine)


def _scale(args: argparse.Namespace, depth_map: DepthMap) -> tuple[float | None, float | None]:
    """near_m and far_m, unless the depth picture has already been read with them."""
    if depth_map.metric and args.near_m is not None and _is_file(args.depth):
        return None, None
    return args.near_m, args.far_m


def _is_file(name: str) -> bool:
    return Path(name).suffix != ".safetensors" and Path(name).exists()


def _lens(args: argparse.Namespace, camera: CameraData, depth_map: DepthMap) -> Lens | Blur:
    from .. import defocus
    from ..optics import Blur

    f_number = args.f_number or (camera.f_number if args.exif_lens else None)
    if f_number is None:
        if args.exif_lens:
            raise ValueError(f"{args.photo} has no f-number in its EXIF. Give --f-number.")
        return Blur(DEFAULT_BLUR_PERCENT if args.blur is None else args.blur)
    sensor_mm = args.sensor_mm or camera.sensor_mm or 36.0
    return defocus.lens_for(depth_map, f_number, args.focal_mm or camera.focal_mm, sensor_mm)


def _taken_lens(args: argparse.Namespace, camera: CameraData) -> Lens | Blur:
    """The lens that the photo was taken with. A `Lens` from EXIF; `from_lens` says what to do if depth is not in metres."""
    from ..optics import Blur, Lens

    if args.taken_blur is not None:
        return Blur(args.taken_blur)
    if camera.f_number is None or camera.focal_mm is None:
        raise ValueError(
            "Deconvolution must know how blurred the photo is, and its EXIF does not tell the lens: give --taken-blur PERCENT."
        )
    return Lens(camera.focal_mm, camera.f_number, args.sensor_mm or camera.sensor_mm or 36.0)


def _save_depth(path: Path, depth_map: DepthMap) -> None:
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
    far = f"{1 / lo:.6g}" if lo > 0 else "inf"
    print(
        f"{path}: white is {1 / hi:.6g} m, black {far} m. Read it again with --near-m {1 / hi:.6g} --far-m {far}", file=sys.stderr
    )


def _summary(path: Path, lens: Lens | Blur, made: DefocusMap, depth_map: DepthMap) -> str:
    from ..optics import Lens

    r = made.radius_px
    h, w = r.shape[-2:]
    metric = depth_map.metric or isinstance(lens, Lens)
    focus = float(made.focus_disparity[0])
    where = f"focus at {1 / focus:.2f} m, " if metric and focus > 0 else ""
    camera = f"{lens.focal_mm:.3g} mm f/{lens.f_number:g} on {lens.sensor_mm:.3g} mm, " if isinstance(lens, Lens) else ""
    near, far = max(-float(r.min()), 0.0), max(float(r.max()), 0.0)
    blur = f"blur radius up to {near:.1f} px in front and {far:.1f} px behind"
    return f"{path}: {w} x {h} px, {camera}{where}{blur}, depth: {depth_map.source}"
