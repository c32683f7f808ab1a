"""Node: depth of a picture, from a model run here, from core's geometry nodes, or from a picture that holds it."""

from __future__ import annotations

from typing import Any

import torch
from comfy_api.latest import io

from ..refocus_core import depth, options
from ..refocus_core.progress import shares
from ..refocus_core.types import DepthMap, Progress
from . import host


class RefocusDepthEstimate(io.ComfyNode):
    """IMAGE -> REFOCUS_DEPTH, preview, focal length."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs and outputs as ComfyUI shows them."""
        return host.schema(
            node_id="RefocusDepthEstimate",
            display_name="Depth Estimate",
            description="Depth of a photo or clip: from a model, from core's Depth Anything 3 or MoGe nodes, or from a depth "
            "picture. Best taken on the all-in-focus picture.",
            search_aliases=["depth", "depth map", "disparity", "depth anything", "depth pro", "moge", "portrait mode", "refocus"],
            inputs=[
                io.Image.Input("image", tooltip="The photo or clip. Frames of a clip share one depth range. Alpha is not used."),
                *host.widgets(
                    options.depth.OPTIONS,
                    words={"model": host.depth_model_words()},
                    texts={"model": host.DEPTH_MODELS_TEXT},
                ),
                io.Image.Input(
                    "depth_image",
                    optional=True,
                    tooltip="A grey picture of depth or disparity, same aspect as the photo. Not a colour map. "
                    "Floats keep their precision.",
                ),
                io.Custom("DA3_GEOMETRY").Input("da3_geometry", optional=True, tooltip="From core's Run Depth Anything 3."),
                io.Custom("MOGE_GEOMETRY").Input("moge_geometry", optional=True, tooltip="From core's Run MoGe Inference."),
            ],
            outputs=[
                host.Depth.Output("depth", tooltip="Disparity: larger is nearer; in 1/m where the source knows metres."),
                io.Image.Output("preview", tooltip="For looking only: near is warm and bright, far cold and dark."),
                io.Float.Output("focal_length_px", tooltip="Focal length in pixels of this picture; 0 where unknown."),
            ],
        )

    @classmethod
    @host.memory_in_words
    def execute(
        cls,
        image: torch.Tensor,
        source: str,
        model: str,
        allow_download: bool,
        refine: float,
        focal_px: float,
        near_m: float,
        far_m: float,
        steady_frames: int,
        **given: Any,
    ) -> io.NodeOutput:
        """Take the depth, bring it to the picture's size, refine and show it. `given`: see `_read`."""
        photo, _ = host.to_bchw(image)
        focal = focal_px or None
        source = _source(source, {name: given.get(name) for name in options.depth.INPUTS})
        ends_m = near_m or None, far_m or None
        running, refining = shares(host.progress(), (3, 1))
        if source == "model":
            depth_map = _run(model, allow_download, photo, focal, running, steady_frames)
        else:
            depth_map = _read(source, focal, ends_m, **given)
        if source != "depth_image":
            depth_map = depth.in_metres(depth_map, *ends_m)
        depth_map = depth.refine(depth.fit(depth_map.to(photo.device), photo), photo, strength=refine, progress=refining)
        depth_map = depth_map.to(host.intermediate_device())
        preview = host.to_image(depth.preview(depth_map))
        length = 0.0 if depth_map.focal_px is None else float(depth_map.focal_px[0])
        return io.NodeOutput(depth_map, preview, length, ui=host.shown(preview))


def _read(
    source: str,
    focal_px: float | None,
    ends_m: tuple[float | None, float | None],
    geometry_units: str,
    da3_resolution: int,
    depth_kind: Any,
    depth_near: Any,
    metres_per_unit: float,
    **connected: Any,
) -> DepthMap:
    """Depth from what is connected to the input `source`."""
    metric = {"auto": None, "metres": True, "relative": False}[geometry_units]
    if source == "da3_geometry":
        return depth.from_da3(connected[source], focal_px, metric=metric, resolution=da3_resolution or None)
    if source == "moge_geometry":
        return depth.from_moge(connected[source], focal_px, metric=metric)
    return depth.from_image(
        host.to_bchw(connected[source], source)[0],
        depth_kind,
        None if depth_near == "auto" else depth_near,
        near_m=ends_m[0],
        far_m=ends_m[1],
        metres_per_unit=metres_per_unit or None,
        focal_px=focal_px,
    )


def _source(source: str, given: dict[str, Any]) -> str:
    connected = [k for k, v in given.items() if v is not None]
    if source == "auto":
        if len(connected) > 1:
            raise ValueError(f"{' and '.join(connected)} are connected. Choose one of them as source.")
        return connected[0] if connected else "model"
    if source != "model" and source not in connected:
        raise ValueError(f"The source is {source}, but nothing is connected to that input. Connect it, or set source to auto.")
    return source


def _run(
    model: str, allow_download: bool, photo: torch.Tensor, focal_px: float | None, progress: Progress, steady_frames: int
) -> DepthMap:
    with host.depth_model(model, allow_download) as net:
        return depth.predict(net, photo, focal_px=focal_px, progress=progress, steady_frames=steady_frames)
