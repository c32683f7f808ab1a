"""Depth of a picture or clip from a network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from ..checks import check_image, check_number
from ..progress import shares, watched
from ..types import DepthMap, Progress
from .clip_scale import ClipAligner
from .model import DepthModel, FrameDepth, load_entry, load_model
from .ranges import fill, to_relative
from .refine import refine as refine_edges
from .registry import MODELS, choose
from .steady import same_scene, steadied


def predict(
    model: DepthModel,
    image_srgb: Tensor,
    *,
    focal_px: float | None = None,
    progress: Progress | None = None,
    steady_frames: int = 0,
) -> DepthMap:
    """Run a depth network on every frame, one at a time.

    Args:
        model: on the device to compute on.
        image_srgb: [B,3,H,W] sRGB-encoded, any floating-point type, any size from 1x1. Values beyond 0..1 are clipped for the
            network only.
        focal_px: focal length in px of this picture where known; Depth Pro then uses it for its metres.
        progress: called before each layer and after every frame; may raise to cancel.
        steady_frames: for a clip, how many frames before and after each one steady its depth (`steadied`); each gets a scale and
            a shift that lay it onto the frames before, too (`ClipAligner`). 0 takes each frame by itself.

    Returns:
        A map of the picture's size on the picture's device. Metric models give 1/m and [B] focal lengths, others one relative
        range 0..1 over all frames (a flat result is 0.5). Pixels where the network fails are filled and marked in `valid`.

    Raises:
        TypeError, ValueError: if the image is not a finite [B,3,H,W] tensor, `focal_px` is not positive or `steady_frames` is
            negative.
        RuntimeError: if the network gives no finite value at all.
    """
    check_image(image_srgb)
    if focal_px is not None and not focal_px > 0:
        raise ValueError(f"focal_px must be positive (pixels of this picture), got {focal_px}.")
    check_number(steady_frames, "steady_frames")
    if steady_frames < 0:
        raise ValueError(f"steady_frames must not be negative (frames to each side), got {steady_frames}.")
    found = _run(model, image_srgb, focal_px, progress)
    disparity = torch.stack([frame.disparity for frame in found])
    known = torch.isfinite(disparity) & (disparity >= 0)
    if not bool(known.any()):
        raise RuntimeError(
            f"{model.name} gave no finite depth for this picture. In float16 a network can overflow: "
            "run it in float32 or bfloat16."
        )
    if steady_frames and len(found) > 1 and bool(known.flatten(1).any(1).all()):
        return _as_clip(model, image_srgb, found, steady_frames)
    disparity = fill(disparity, known)
    if not model.metric:
        disparity = to_relative(disparity, known)
    valid = None if bool(known.all()) else known
    return DepthMap(disparity, model.metric, _lengths(found, disparity), valid, model.name, edge_px=found[-1].edge_px)


def _run(model: DepthModel, image_srgb: Tensor, focal_px: float | None, progress: Progress | None) -> list[FrameDepth]:
    found: list[FrameDepth] = []
    with torch.inference_mode():
        for i, part in enumerate(shares(progress, [1] * len(image_srgb))):
            with watched(model, part):
                frame = model(image_srgb[i], focal_px)
            found.append(frame._replace(disparity=frame.disparity.to(device=image_srgb.device, dtype=torch.float32)))
            part(1, 1)
    return found


def _lengths(found: Sequence[FrameDepth], like: Tensor) -> Tensor | None:
    """Focal lengths [B], where the network knows that of every frame."""
    known = [frame.focal_px for frame in found if frame.focal_px is not None]
    return like.new_tensor(known) if len(known) == len(found) else None


def _as_clip(model: DepthModel, image_srgb: Tensor, found: Sequence[FrameDepth], radius: int) -> DepthMap:
    """The frames on one scale and steadied. Pictures that motion does not connect are no clip: each keeps its own metres."""
    aligner = ClipAligner(model.metric)
    for number, frame in enumerate(found):
        aligner.add(frame, cut=number > 0 and not same_scene(image_srgb[number - 1], image_srgb[number]))
    scale = aligner.result()
    maps = (scale.depth_map(number, frame, model) for number, frame in enumerate(found))
    span = scale.high - scale.low if model.metric else 1.0
    steady = list(steadied(zip(image_srgb.split(1), maps, strict=True), radius, span))
    disparity = torch.cat([m.disparity for m in steady])
    valid = torch.cat([torch.ones_like(m.disparity, dtype=torch.bool) if m.valid is None else m.valid for m in steady])
    return replace(
        steady[0], disparity=disparity, focal_px=_lengths(found, disparity), valid=None if bool(valid.all()) else valid
    )


def load(
    model: str | Path = "auto",
    folders: Iterable[Path | str] | None = None,
    *,
    allow_download: bool = False,
    progress: Progress | None = None,
    dtype: torch.dtype = torch.float32,
) -> DepthModel:
    """Locate a model and build it, on the CPU; arguments as of `estimate`.

    Raises:
        ValueError, WeightsMissingError, WeightsMismatchError: there is no such model, it is not here or not what it should be.
    """
    places = None if folders is None else tuple(folders)
    if isinstance(model, Path) or (model != "auto" and model not in MODELS and Path(model).suffix == ".safetensors"):
        return load_model(model, dtype=dtype)
    chosen = choose(model, places, allow_download=allow_download)
    return load_entry(chosen, places, allow_download=allow_download, progress=progress, dtype=dtype)


def estimate(
    image_srgb: Tensor,
    model: str | Path | DepthModel = "auto",
    *,
    folders: Iterable[Path | str] | None = None,
    allow_download: bool = False,
    progress: Progress | None = None,
    refine: bool | float = True,
    focal_px: float | None = None,
    device: torch.device | str | None = None,
    dtype: torch.dtype = torch.float32,
    steady_frames: int = 0,
) -> DepthMap:
    """Locate, load and run a depth model: the convenience for scripts and the command line.

    Args:
        image_srgb: [B,3,H,W] sRGB-encoded, any floating-point type.
        model: a registered name, "auto" (see `registry.AUTO_ORDER`), the path of a safetensors file with its config.json, or
            one that `load` has built.
        folders: where models lie (default `models.default_folders()`), then the local Hugging Face cache.
        allow_download: whether a missing model may be fetched.
        progress: called during a download, before each layer, and along the refinement; may raise to cancel.
        refine: move depth edges onto the picture's edges; a number 0..1 sets how far.
        focal_px: focal length in px where known.
        device, dtype: where and how to compute (default: the picture's device, float32).
        steady_frames: as of `predict`.

    Raises:
        WeightsMissingError, WeightsMismatchError: the model is not here or is not what it should be.
        TypeError, ValueError, RuntimeError: as `predict`.
    """
    check_image(image_srgb)
    target = image_srgb.device if device is None else torch.device(device)
    net = model
    if not isinstance(net, DepthModel):
        net = load(net, folders, allow_download=allow_download, progress=progress, dtype=dtype)
    predicting, refining = shares(progress, (3, 1 if refine else 0))
    result = predict(net.to(target), image_srgb, focal_px=focal_px, progress=predicting, steady_frames=steady_frames)
    return refine_edges(result, image_srgb, strength=float(refine), progress=refining) if refine else result
