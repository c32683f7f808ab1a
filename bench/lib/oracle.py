"""Truths to compare renderers with, integrated once and kept, and our renderer in the form in which others are compared."""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.lib import layered_scenes as scenes
from bench.lib import warped_views
from refocus_core import bokeh, color
from refocus_core.bokeh import reference
from refocus_core.types import DefocusMap, Kernel
from tests.helpers import motorcycle
from tests.helpers.paths import REPO

CACHE = REPO / "bench" / ".cache"
"""Truths stay here; git ignores it."""
PHOTO_CROP = (slice(90, 410), slice(150, 590))
"""Rows and columns of the motorcycle photo that are scored: headlight, tank and shelves."""
PHOTO_RADIUS_PX = 12.0
"""Radius over the whole span of the photo\'s disparity."""
FOCI = {"near": 0.97, "middle": 0.55, "far": 0.03}
"""Quantile of the photo's disparity that is in focus."""
Method = Callable[[Tensor, Tensor, Kernel], Tensor]
"""(image [3,H,W], radius [H,W], kernel) -> [3,H,W]."""


@dataclass(frozen=True, eq=False)
class Truth:
    """image [3,H,W], radius [H,W], truth [3,H,W], hidden share [H,W]."""

    image: Tensor
    radius: Tensor
    truth: Tensor
    hidden: Tensor


def code_key(*modules: Any) -> str:
    """Changes when the code that a cached truth depends on changes; not with its comments, docstrings and layout."""
    trees = [ast.parse(Path(m.__file__).read_bytes()) for m in modules]
    for node in (n for tree in trees for n in ast.walk(tree)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            node.body = [n for n in node.body if not (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant))]
    return hashlib.sha256("".join(map(ast.dump, trees)).encode()).hexdigest()[:12]


def cached(name: str, make: Callable[[], Truth]) -> Truth:
    """The truth kept under this name, made if it is not there."""
    path = CACHE / f"{name}.pt"
    if path.exists():
        return Truth(**torch.load(path, weights_only=True))
    made = make()
    CACHE.mkdir(parents=True, exist_ok=True)
    torch.save(made.__dict__, path.with_suffix(".part"))
    path.with_suffix(".part").replace(path)
    return made


def truth_of(case: scenes.Case) -> Truth:
    """Photo, map and truth of a scene."""

    def make() -> Truth:
        print(f"integrating {case.name} ...", file=sys.stderr, flush=True)
        scene, kernel = case.build(), bokeh.make_kernel(case.shape)
        image, radius = reference.pinhole(scene)
        picture, hidden = reference.render_reference(scene, kernel)
        return Truth(image[0], radius[0], picture[0], hidden[0])

    return cached(f"{case.name}-{code_key(scenes, reference)}", make)


def layers_of(case: scenes.Case) -> tuple[bokeh.Plate, Tensor]:
    """Background plate with its radius, and matte [1,H,W], of a scene of two planes."""
    front, back = case.build().planes
    alone = reference.LayeredScene((back,), scenes.MARGIN)
    image, radius = reference.pinhole(alone)
    m = scenes.MARGIN * reference.SUBPIXELS
    matte = F.avg_pool2d(front.alpha[None, m:-m, m:-m], reference.SUBPIXELS)
    return bokeh.Plate(image, radius), matte


def ours(quality: str, device: torch.device, **layers: Any) -> Method:
    """Our renderer as a method."""

    def render(image: Tensor, radius: Tensor, kernel: Kernel) -> Tensor:
        on = DefocusMap.from_radius(radius).to(device)
        return bokeh.render(image[None].to(device), on, kernel, quality=quality, **layers)[0].cpu()

    return render


def photo_and_disparity() -> tuple[Tensor, Tensor]:
    """A part of the motorcycle photo [3,h,w] in linear light, and its measured disparity [h,w] in 1/m."""
    rows, cols = PHOTO_CROP
    image = color.srgb_to_linear(motorcycle.photo())[0, :, rows, cols]
    return image.contiguous(), motorcycle.depth_map().disparity[0, rows, cols].contiguous()


def photo_truth(focus: str) -> Truth:
    """The motorcycle photo through many views warped by its measured disparity."""
    image, disparity = photo_and_disparity()
    gain = PHOTO_RADIUS_PX / float(disparity.max() - disparity.min())
    radius = gain * (float(torch.quantile(disparity.flatten()[::7], FOCI[focus])) - disparity)

    def make() -> Truth:
        print(f"warping views of the photo, {focus} focus ...", file=sys.stderr, flush=True)
        picture, hidden = warped_views.average_views(image, radius, bokeh.make_kernel("circle"))
        return Truth(image, radius, picture, hidden)

    return cached(f"photo-{focus}-{code_key(warped_views)}", make)
