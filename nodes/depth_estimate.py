"""Node: depth of a picture, from a model run here, from core's geometry nodes, or from a picture that holds it."""

from __future__ import annotations

from typing import Any

import torch
from comfy_api.latest import io, ui

from ..refocus_core import depth, models
from ..refocus_core.types import DepthMap
from . import host

_RUN_BYTES = 3 << 30  # what a network needs beside its weights; ComfyUI makes room for it
_LICENCES = "\n".join(f"{e.name}: {e.size_text}, {e.licence}. {e.notes}" for e in depth.MODELS.values())


class RefocusDepthEstimate(io.ComfyNode):
    """IMAGE -> REFOCUS_DEPTH, preview, focal length."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs and outputs as ComfyUI shows them."""
        own = [n for n in host.model_files() if depth.is_depth_file(host.model_path(host.FOLDER_KEY, n))]
        return host.schema(
            node_id="RefocusDepthEstimate",
            display_name="Depth Estimate",
            description="Depth of a photo or clip: from a model, from core's Depth Anything 3 or MoGe nodes, or from a depth "
            "picture. Best taken on the all-in-focus picture.",
            search_aliases=["depth", "depth map", "disparity", "depth anything", "depth pro", "moge", "portrait mode", "refocus"],
            inputs=[
                io.Image.Input("image", tooltip="The photo or clip. Frames of a clip share one depth range. Alpha is not used."),
                io.Combo.Input(
                    "source",
                    options=["auto", "model", "da3_geometry", "moge_geometry", "depth_image"],
                    default="auto",
                    tooltip="Where the depth comes from. auto: the input below that is connected, else a model run here.",
                ),
                io.Combo.Input(
                    "model",
                    options=["auto", *depth.MODELS, *own],
                    default="auto",
                    tooltip=f"Model to run. auto: the first of {', '.join(depth.AUTO_ORDER)} that is on this machine.\n"
                    f"{_LICENCES}\nFiles go to models/refocus; other models need their config.json beside them.",
                ),
                io.Boolean.Input(
                    "allow_download",
                    default=False,
                    tooltip="On: fetch a missing model from Hugging Face into models/refocus (resumed, hash checked). "
                    "Off: no network.",
                ),
                io.Float.Input(
                    "refine",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="Move depth edges onto the photo's edges. 0: leave the depth as it is, 1: full effect.",
                ),
                io.Float.Input(
                    "focal_px",
                    default=0.0,
                    min=0.0,
                    max=1e6,
                    step=1.0,
                    tooltip="Focal length in pixels of this picture, where you know it. 0: unknown, take what the source says.",
                ),
                host.advanced(
                    io.Combo.Input(
                        "geometry_units",
                        options=["auto", "metres", "relative"],
                        default="auto",
                        tooltip="What the connected geometry holds. auto: metres for MoGe-2, and for Depth Anything 3 if "
                        "focal_px is given and the model is Mono or Metric. Choose metres for DA3 Metric, relative for DA3 Mono.",
                    )
                ),
                host.advanced(
                    io.Int.Input(
                        "da3_resolution",
                        default=504,
                        min=0,
                        max=16384,
                        step=1,
                        tooltip="Long side in px at which Depth Anything 3 ran: 'resolution' of its node. Metres depend on it. "
                        "0: it ran at the picture's own size.",
                    )
                ),
                host.advanced(
                    io.Combo.Input(
                        "depth_kind",
                        options=["disparity", "depth"],
                        default="disparity",
                        tooltip="What depth_image holds. disparity: inverse depth, as most depth maps. "
                        "depth: distance, as a render's Z pass.",
                    )
                ),
                host.advanced(
                    io.Combo.Input(
                        "depth_near",
                        options=["auto", "bright", "dark"],
                        default="auto",
                        tooltip="Which end of depth_image is near; swap to invert. auto: bright for disparity, dark for depth.",
                    )
                ),
                host.advanced(
                    io.Float.Input(
                        "near_m",
                        default=0.0,
                        min=0.0,
                        max=1e6,
                        step=0.01,
                        tooltip="Metres that the near end (of 0..1) of depth_image stands for. 0: unknown. Needs far_m.",
                    )
                ),
                host.advanced(
                    io.Float.Input(
                        "far_m",
                        default=0.0,
                        min=0.0,
                        max=1e6,
                        step=0.1,
                        tooltip="Metres that the far end (of 0..1) of depth_image stands for. 0: unknown. Needs near_m.",
                    )
                ),
                host.advanced(
                    io.Float.Input(
                        "metres_per_unit",
                        default=0.0,
                        min=0.0,
                        max=1e6,
                        step=0.001,
                        tooltip="For depth_image as depth in real units, such as an EXR: metres per 1.0. 0: unknown.",
                    )
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
                io.Float.Output("focal_px", tooltip="Focal length in pixels of this picture; 0 where unknown."),
            ],
        )

    @classmethod
    def execute(
        cls,
        image: torch.Tensor,
        source: str,
        model: str,
        allow_download: bool,
        refine: float,
        focal_px: float,
        geometry_units: str,
        da3_resolution: int,
        depth_kind: Any,
        depth_near: Any,
        near_m: float,
        far_m: float,
        metres_per_unit: float,
        depth_image: torch.Tensor | None = None,
        da3_geometry: dict[str, Any] | None = None,
        moge_geometry: dict[str, Any] | None = None,
    ) -> io.NodeOutput:
        """Take the depth, bring it to the picture's size, refine and show it."""
        photo, _ = host.to_bchw(image)
        given = {"da3_geometry": da3_geometry, "moge_geometry": moge_geometry, "depth_image": depth_image}
        chosen = _source(source, given)
        focal = focal_px or None
        metric = {"auto": None, "metres": True, "relative": False}[geometry_units]
        if da3_geometry is not None and chosen == "da3_geometry":
            found = depth.from_da3(da3_geometry, focal, metric=metric, resolution=da3_resolution or None)
        elif moge_geometry is not None and chosen == "moge_geometry":
            found = depth.from_moge(moge_geometry, focal, metric=metric)
        elif depth_image is not None and chosen == "depth_image":
            found = depth.from_image(
                host.to_bchw(depth_image, "depth_image")[0],
                depth_kind,
                None if depth_near == "auto" else depth_near,
                near_m=near_m or None,
                far_m=far_m or None,
                metres_per_unit=metres_per_unit or None,
                focal_px=focal,
            )
        else:
            found = _run(model, allow_download, photo, focal)
        found = depth.refine(depth.fit(found.to(photo.device), photo), photo, strength=refine).to(host.rest_device())
        shown = host.to_image(depth.preview(found))
        length = 0.0 if found.focal_px is None else float(found.focal_px[0])
        return io.NodeOutput(found, shown, length, ui=ui.PreviewImage(shown, cls=cls))


def _source(source: str, given: dict[str, Any]) -> str:
    connected = [k for k, v in given.items() if v is not None]
    if source == "auto":
        if len(connected) > 1:
            raise ValueError(f"{' and '.join(connected)} are connected. Choose one of them as source.")
        return connected[0] if connected else "model"
    if source != "model" and source not in connected:
        raise ValueError(f"The source is {source}, but nothing is connected to that input. Connect it, or set source to auto.")
    return source


def _run(model: str, allow_download: bool, photo: torch.Tensor, focal_px: float | None) -> DepthMap:
    folders = host.model_folder()
    if model == "auto" or model in depth.MODELS:
        entry = depth.choose(model, folders, allow_download=allow_download)
        (path,) = models.locate(entry, folders, allow_download=allow_download, progress=host.progress())
        config, name = entry.options, entry.label
    else:
        path, config, name = host.model_path(host.FOLDER_KEY, model), None, model
    stamp = path.stat()
    key = ("depth", str(path), stamp.st_size, stamp.st_mtime_ns)
    with host.kept(key, lambda: depth.load_model(path, config, name=name), _RUN_BYTES) as net:
        return depth.predict(net, photo, focal_px=focal_px, progress=host.progress(photo.shape[0]))
