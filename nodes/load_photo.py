"""Node: a photo and what its file knows: lens, focal length, depth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from comfy_api.latest import io

from ..refocus_core import depth, options
from ..refocus_core.files import pictures, stored_depth
from ..refocus_core.files.pictures import CameraData
from . import host


class RefocusLoadPhoto(io.ComfyNode):
    """File -> IMAGE, MASK, REFOCUS_LENS, focal length, REFOCUS_DEPTH."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs and outputs as ComfyUI shows them."""
        return host.schema(
            node_id="RefocusLoadPhoto",
            display_name="Load Photo",
            description="A photo from the input folder at its full bit depth, with what its file knows beside the pixels: the "
            "lens it was taken with, and the depth that phones store in portraits.",
            search_aliases=["load image", "open photo", "exif", "portrait mode", "gdepth", "dynamic depth", "refocus"],
            inputs=[
                io.Combo.Input(
                    "image",
                    options=host.photo_files(),
                    upload=io.UploadType.image,
                    tooltip="A picture in ComfyUI's input folder. Of several frames the first one is taken.",
                ),
                *host.widgets(options.photo.OPTIONS),
            ],
            outputs=[
                io.Image.Output("photo", tooltip="The photo, upright. 16 bits and floating point are kept."),
                io.Mask.Output("mask", tooltip="1 where the photo is transparent, as Load Image gives it. Empty without alpha."),
                host.LensType.Output(
                    "lens",
                    tooltip="For Defocus Map: f-number, focal length, sensor and subject distance, where the file says them.",
                ),
                io.Float.Output(
                    "focal_length_px",
                    tooltip="Focal length in pixels of this picture, for focal_px of Depth Estimate; 0 where unknown.",
                ),
                host.Depth.Output(
                    "stored_depth",
                    tooltip="Depth that the file holds (a phone's, or an EXR's Z), at the photo's size. Without any, a node that "
                    "needs it does not run and says why.",
                ),
            ],
            has_intermediate_output=False,
        )

    @classmethod
    def validate_inputs(cls, image: str) -> bool | str:
        """Whether the file may be read."""
        return host.photo_problem(image) or True

    @classmethod
    def fingerprint_inputs(cls, image: str, **_: Any) -> str:
        """Changes with the file."""
        return host.fingerprint(image)

    @classmethod
    @host.memory_in_words
    def execute(cls, image: str, refine: float) -> io.NodeOutput:
        """Read the picture and what lies beside it."""
        path = host.photo_path(image)
        photo = pictures.load(path)
        focal_px = photo.camera.focal_px(max(photo.image.shape[-2:])) or 0.0
        stored = _stored(path, photo.image, photo.camera, refine)
        return io.NodeOutput(host.to_image(photo.image), host.transparency(photo.alpha), photo.camera, focal_px, stored)


def _stored(path: Path, photo: torch.Tensor, camera: CameraData, refine: float) -> Any:
    """The file's depth at the photo's size, or in its place why there is none: only a graph that uses it shall fail."""
    try:
        found = stored_depth.read_stored_depth(path, camera)
        if found is None:
            return host.blocked(
                f"Load Photo: {path.name} holds no depth (a phone's in JPEG or HEIC, or the Z of an EXR). "
                "Use Depth Estimate instead."
            )
        photo = photo.to(host.device())
        found = depth.refine(depth.fit(found.to(photo.device), photo), photo, strength=refine, progress=host.progress())
    except ValueError as error:
        return host.blocked(f"Load Photo: {error}")
    return found.to(host.intermediate_device())
