"""The stages from a photo to a refocused one: the graph of the nodes, without ComfyUI."""

from __future__ import annotations

import argparse
import functools
import logging
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import options
from . import opening
from .contradictions import check
from .given import check_camera, check_inputs, check_metres, is_depth_model
from .networks import Networks
from .outputs import check_outputs, summary, write

if TYPE_CHECKING:  # torch takes seconds to import; a contradiction in the options must not wait for it
    from torch import Tensor

    from ..defocus import FocusLike, Tilt
    from ..files.pictures import CameraData
    from ..optics import Strength
    from ..types import DefocusMap, DepthMap, Kernel, Progress

log = logging.getLogger(__name__)

FULL_FRAME_MM = 36.0
"""Long side of the sensor where neither the user nor EXIF tells another one."""

LEAST_LIKELY_PX = 1.0
"""A defocus map without any larger radius is rather one that was scaled to 0..1. Larger: warns of more maps that are right."""


@dataclass
class Stages:
    """Progress bars on the terminal, and how long each stage took."""

    quiet: bool

    @contextmanager
    def __call__(self, name: str) -> Generator[Progress]:
        if self.quiet:
            yield _silent
            return
        from tqdm import tqdm

        start = time.perf_counter()
        # disable=None: shown on a terminal only
        with tqdm(
            desc=name, total=1, file=sys.stderr, disable=None, leave=False, bar_format="{desc:<10} {bar:30} {elapsed}"
        ) as bar:

            def step(done: int, total: int) -> None:
                bar.total = max(total, 1)
                bar.update(min(done, bar.total) - bar.n)

            yield step
        print(f"{name:<10} {time.perf_counter() - start:6.1f} s", file=sys.stderr)


def _silent(done: int, total: int) -> None:
    """Progress that nobody sees; that of `progress` would import torch."""


def run(args: argparse.Namespace, networks: Networks | None = None) -> None:
    """From the photo to the result, as the options say.

    Args:
        networks: kept between runs; None loads them for this one.

    Raises:
        ValueError, OSError, RuntimeError, ImportError, MemoryError: whatever stands in the way, in words for the user.
    """
    check(args)
    if name := next((n for n in ("keyframes", "steady_frames") if getattr(args, n) is not None), None):
        raise ValueError(f"--{name.replace('_', '-')} is for the frames of a clip, and {args.photo} is a photo. Leave it out.")
    from .. import defocus
    from ..files import pictures

    stages = Stages(args.quiet)
    with stages("reading") as progress:
        device = check_inputs(args)
        check_outputs(args)
        photo = pictures.load(args.photo)
        bits = check_outputs(args, photo)
        check_camera(args, photo.camera)
        image = photo.image.to(device)
        kernel = opening.kernel(args)
        focus = focus_of(args)
        given = None if args.defocus is None else _defocus_file(args.defocus, image, args.layer)
        painted = None if args.blur_mask is None else _painted(args.blur_mask).to(device)
        depth_file = None if given is not None else _depth_file(args)
        kept = networks or Networks()
        if given is None:
            check_metres(args, kept.depth(args, device, progress).metric if depth_file is None else depth_file.metric)
    estimate = functools.partial(_depth, args, file=depth_file, networks=kept, stages=stages)
    depth_map = lens = None
    if given is not None:
        sharp, defocus_map = sharpened(args, image, kept, stages), given
    else:
        sharp, depth_map = _sharp_and_depth(args, image, photo.camera, estimate, kept, stages)
        with stages("defocus"):
            lens = lens_of(args, photo.camera, depth_map)
            focus = defocus.FocusAuto(photo=image) if focus is None else focus
            defocus_map = defocus.from_lens(depth_map, lens, focus, tilt=tilt_of(args), **ranges_of(args))
    if painted is not None:
        percent = options.defocus.MASK_BLUR.default if args.mask_blur is None else args.mask_blur
        defocus_map = defocus.painted(defocus_map, painted, percent)
    result, alpha = blurred(args, sharp, photo.alpha, defocus_map, kernel, kept, stages, taken=image)
    with stages("writing"):
        write(
            args, bits, photo, sharp=sharp, result=result, alpha=alpha, depth_map=depth_map, defocus_map=defocus_map, focus=focus
        )
    if not args.quiet:
        print(summary(args.output, lens, defocus_map, depth_map))


def _sharp_and_depth(
    args: argparse.Namespace,
    image: Tensor,
    camera: CameraData,
    estimate: Callable[[Tensor], DepthMap],
    networks: Networks,
    stages: Stages,
) -> tuple[Tensor, DepthMap]:
    """The photo, all in focus, and its depth.

    Depth is best taken on the sharp picture. Deconvolution is the exception: it needs depth to know the blur.
    """
    from .. import defocus, restore

    if args.deblur == "deconvolution":
        lens = _taken_lens(args, camera)
        depth_map = estimate(image)
        with stages("deblurring") as progress:
            taken = defocus.from_lens(depth_map, lens, args.taken_focus)
            return restore.all_in_focus(image, args.deblur, taken, progress=progress).image, depth_map
    sharp = sharpened(args, image, networks, stages)
    return sharp, estimate(sharp)


def sharpened(args: argparse.Namespace, image: Tensor, networks: Networks, stages: Stages) -> Tensor:
    """The photo, all in focus, by a method that needs no depth."""
    from .. import generative, restore

    if args.deblur == "none":
        return image
    with stages("deblurring") as progress:
        if args.deblur == "generative":
            genfocus = networks.genfocus(args, image.device)
            sample = genfocus.sampler(args.deblur_lora, "deblur", steps=args.steps, seed=args.seed, progress=progress)
            return generative.deblur(image, sample, megapixels=args.megapixels)
        network = networks.restoration(args, image.device)
        return restore.all_in_focus(image, args.deblur, folders=args.models or (), model=network, progress=progress).image


def blurred(
    args: argparse.Namespace,
    sharp: Tensor,
    alpha: Tensor | None,
    defocus_map: DefocusMap,
    kernel: Kernel,
    networks: Networks,
    stages: Stages,
    *,
    taken: Tensor,
) -> tuple[Tensor, Tensor | None]:
    """The sharp photo, blurred, as the glass and the sensor show it, and its alpha [1,1,H,W], blurred along."""
    from .. import bokeh, defocus
    from ..color import exposed

    result, alpha = _by_method(args, sharp, alpha, defocus_map, kernel, networks, stages)
    defocus_map, result, alpha = defocus.imaged(defocus_map, result, alpha)
    result = bokeh.bloomed(bokeh.with_lateral_colour(result, args.lateral_color), args.bloom, alpha)
    result = bokeh.put_grain_back(result, taken, defocus_map.radius_px, args.grain)
    return exposed(result, args.exposure), alpha


def _by_method(
    args: argparse.Namespace,
    sharp: Tensor,
    alpha: Tensor | None,
    defocus_map: DefocusMap,
    kernel: Kernel,
    networks: Networks,
    stages: Stages,
) -> tuple[Tensor, Tensor | None]:
    """Blurred by `--method`."""
    from .. import bokeh, generative
    from ..color import linear_to_srgb, srgb_to_linear

    result = sharp
    if args.method != "generative":
        with stages("rendering") as progress:
            radius_px, amount, everywhere = defocus_map.radius_px, args.highlight_recovery, args.recover_in_focus
            light, alpha = bokeh.render_with_alpha(
                bokeh.recover_highlights(srgb_to_linear(sharp), radius_px, amount, in_focus=everywhere),
                alpha,
                defocus_map,
                kernel,
                quality=args.quality,
                highlight_boost=args.highlights,
                progress=progress,
            )
            result = linear_to_srgb(light)
    if args.method == "render":
        return result, alpha
    with stages(args.method) as progress:
        genfocus = networks.genfocus(args, sharp.device)
        sample = genfocus.sampler(args.bokeh_lora, "bokeh", steps=args.steps, seed=args.seed, progress=progress)
        radius_px, megapixels = defocus_map.radius_px, args.megapixels
        if args.method == "generative":
            return generative.blur(sharp, radius_px, sample, megapixels=megapixels), alpha
        revealed = generative.revealed_mask(bokeh.revealed(defocus_map, kernel))
        drawn = generative.redraw(sharp, radius_px, result, revealed, sample, strength=args.redraw, megapixels=megapixels)
        return drawn, alpha


def tilt_of(args: argparse.Namespace) -> Tilt | None:
    """How the focal plane leans around the focus point; None without a point."""
    from .. import defocus

    return None if args.focus is None else defocus.Tilt(args.tilt, args.swing, *args.focus)


def ranges_of(args: argparse.Namespace) -> dict[str, Any]:
    """What else of the focal plane `defocus.from_lens` takes by the options' names."""
    return {name: getattr(args, name) for name in ("focus_range", "near_gain", "far_gain", "field_curvature")}


def focus_of(args: argparse.Namespace) -> FocusLike:
    """What is sharp, as the options say; None is for automatic focus to find."""
    if args.focus_mask is not None:
        return _painted(args.focus_mask)
    return args.focus if args.focus is not None else args.focus_distance


def _painted(path: Path) -> Tensor:
    """The mask [1,H,W] that a picture holds; alpha, if any, is not what was painted."""
    from ..files import pictures

    mask = pictures.load_map(path)
    return (mask[:, :3] if mask.shape[1] > 2 else mask[:, :1]).mean(1)


def _defocus_file(path: Path, image: Tensor, layer: str | None) -> DefocusMap:
    """The map of signed radii in px that --defocus names, for a picture [1,3,H,W].

    Raises:
        ValueError: if the file has another size than the picture.
    """
    from .. import defocus
    from ..checks import same_size
    from ..files import pictures

    given = defocus.from_image(same_size(pictures.load_map(path, layer), image.shape[-2], image.shape[-1], "defocus map"))
    largest = float(given.radius_px.abs().max())
    if largest <= LEAST_LIKELY_PX:
        log.warning("%s: no radius is larger than %.3g px, which is next to no blur. The map holds px, not 0..1.", path, largest)
    return given.to(image.device)


def _depth_file(args: argparse.Namespace) -> DepthMap | None:
    """What the depth picture says, in its own size, or None for a model."""
    from .. import depth
    from ..files import pictures

    if is_depth_model(args.depth):
        return None
    layer = args.layer or pictures.depth_layer(Path(args.depth))
    is_distance = layer is not None and pictures.is_distance(layer)
    return depth.from_image(
        pictures.load_map(args.depth, layer),
        args.depth_kind or ("depth" if is_distance else "disparity"),
        None if args.depth_near == "auto" else args.depth_near,
        near_m=args.near_m or None,
        far_m=args.far_m or None,
        metres_per_unit=args.metres_per_unit or None,
        unknown=args.depth_unknown,
    )


def _depth(args: argparse.Namespace, image: Tensor, *, file: DepthMap | None, networks: Networks, stages: Stages) -> DepthMap:
    from .. import depth

    with stages("depth") as progress:
        if file is None:
            estimated = depth.estimate(image, networks.depth(args, image.device), progress=progress, refine=args.refine)
            return depth.in_metres(estimated, args.near_m or None, args.far_m or None)
        return depth.refine(depth.fit(file.to(image.device), image), image, strength=args.refine, progress=progress)


def lens_of(args: argparse.Namespace, camera: CameraData, depth_map: DepthMap) -> Strength:
    """The lens of the options, and of the photo's EXIF where they ask for it."""
    from .. import defocus
    from ..optics import Blur, Gain

    if args.genfocus_k is not None:
        return Gain(args.genfocus_k)
    f_number = args.f_number or (camera.f_number if args.exif_lens else None)
    if f_number is None:
        return Blur(options.defocus.PERCENT.default if args.blur is None else args.blur)
    sensor_mm = args.sensor_mm or camera.sensor_mm or FULL_FRAME_MM
    return defocus.lens_for(depth_map, f_number, args.focal_mm or camera.focal_mm, sensor_mm)


def _taken_lens(args: argparse.Namespace, camera: CameraData) -> Strength:
    """The lens that the photo was taken with. A `Lens` from EXIF; `from_lens` says what to do if depth is not in metres."""
    from ..optics import Blur, Lens

    if args.taken_blur is not None:
        return Blur(args.taken_blur)
    assert camera.focal_mm is not None and camera.f_number is not None  # `check_camera` has refused it
    return Lens(camera.focal_mm, camera.f_number, args.sensor_mm or camera.sensor_mm or FULL_FRAME_MM)
