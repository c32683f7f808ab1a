"""Depth: from a network, from another node's geometry, or from a picture; refined to the photo's edges; shown.

estimate(image) -> DepthMap                  locate, load and run a registered model; load(model) -> DepthModel for several runs
load_model(path) -> DepthModel, predict(model, image) -> DepthMap      the same in two steps
frame_depth(model, frame), ClipAligner -> ClipScale                    the frames of a clip one by one, on one range
steadied(frames, radius, span)               each frame's depth by that of the frames around it, along the motion between them
from_da3, from_moge, from_image              adapters
fit(depth_map, image) -> DepthMap            to the picture's size
refine(depth_map, image) -> DepthMap         edges moved onto the photo's edges
adjust(depth_map) -> DepthMap                mended by hand: tones, and areas under a mask (Area, At)
isolate(depth_map, at) -> mask               of what lies at a depth
in_metres(depth_map, near_m, far_m)          relative depth scaled by the distances of its ends
to_image(depth_map) -> picture               of numbers, for other programs; known_mask(depth_map): where they are
preview(depth_map) -> picture                for people only, never read back
"""

from .adapters import fit, from_da3, from_image, from_moge
from .adjust import AREA_WORDS, Area, At, adjust, isolate
from .clip_scale import ClipAligner, ClipScale, frame_depth
from .display import preview
from .estimate import estimate, load, predict
from .export import EXPORTS, known_mask, to_image
from .model import DepthModel, is_depth_file, load_entry, load_model
from .ranges import in_metres
from .refine import refine
from .registry import AUTO_ORDER, MODELS, available, choose, entry
from .steady import steadied

__all__ = [
    "AREA_WORDS",
    "AUTO_ORDER",
    "EXPORTS",
    "MODELS",
    "Area",
    "At",
    "ClipAligner",
    "ClipScale",
    "DepthModel",
    "adjust",
    "available",
    "choose",
    "entry",
    "estimate",
    "fit",
    "frame_depth",
    "from_da3",
    "from_image",
    "from_moge",
    "in_metres",
    "is_depth_file",
    "isolate",
    "known_mask",
    "load",
    "load_entry",
    "load_model",
    "predict",
    "preview",
    "refine",
    "steadied",
    "to_image",
]
