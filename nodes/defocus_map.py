"""Node: depth, a lens and a focus -> signed blur radius of every pixel."""

from __future__ import annotations

from typing import Any

import torch
from comfy_api.latest import io

from ..refocus_core import defocus, options
from ..refocus_core.files.pictures import CameraData
from ..refocus_core.optics import SENSORS_MM, Blur, Gain, Strength
from ..refocus_core.types import DepthMap
from . import host
from .host import previews

_ALIASES = [
    *("circle of confusion", "coc", "focus", "focus point", "rack focus", "depth of field", "dof", "aperture", "f-stop"),
    *("tilt-shift", "lens blur", "refocus"),
]
"""Words under which the page's search finds the node as well."""
_SENSORS = (*SENSORS_MM, options.defocus.OTHER_SENSOR, options.defocus.OWN_SENSOR)
"""Words of the sensor."""
_STRENGTH = ("strength", "percent", "f_number", "focal_mm", "sensor", "sensor_mm", "genfocus_k")
"""Widgets that say how strong the blur is."""
_TEXTS = {
    "f_number": "0: the photo's own, where lens is connected.",
    "distance_m": "0: what the camera was focused on, where lens is connected and knows it.",
    "sensor": f"{options.defocus.OWN_SENSOR}: what lens says.",
}
"""What only this host adds to options: 0 stands for what the photo's lens data say."""


class RefocusDefocusMap(io.ComfyNode):
    """REFOCUS_DEPTH -> REFOCUS_DEFOCUS, preview, mask of what is in focus."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs and outputs as ComfyUI shows them."""
        return host.schema(
            node_id="RefocusDefocusMap",
            display_name="Defocus Map",
            description="Where the focus lies and how strong the blur grows away from it. The preview shows what is in front of "
            "the focal plane in blue, what is behind it in red, and what is sharp in grey with a yellow outline.",
            search_aliases=_ALIASES,
            inputs=[
                host.Depth.Input("depth", tooltip="From Depth Estimate."),
                *host.widgets(options.defocus.OPTIONS, words={"sensor": _SENSORS}, texts=_TEXTS),
                io.Image.Input("image", optional=True, tooltip="The photo, for the preview only."),
                io.Mask.Input("focus_mask", optional=True, tooltip="White over what shall be sharp: its median depth."),
                io.Mask.Input(
                    "blur_mask",
                    optional=True,
                    tooltip="White where mask_blur adds blur, or takes it away. It shows in the outputs, not in the drawing "
                    "below.",
                ),
                host.LensType.Input(
                    "lens",
                    optional=True,
                    tooltip="From Load Photo: as this camera. It gives what is left open: f_number, focal_mm and distance_m "
                    f"at 0, sensor at {options.defocus.OWN_SENSOR}. What is set counts as it is.",
                ),
            ],
            outputs=[
                host.Defocus.Output(
                    "defocus", tooltip="Signed blur radius in px: 0 sharp, above 0 behind the focal plane, below 0 in front."
                ),
                io.Image.Output(
                    "preview", tooltip="For looking only: blue in front of the focal plane, red behind it, yellow in focus."
                ),
                io.Mask.Output("in_focus", tooltip="1 where the blur radius is at most half a pixel."),
            ],
        )

    @classmethod
    @host.memory_in_words
    def execute(
        cls,
        depth: DepthMap,
        near_gain: float,
        far_gain: float,
        focus_range: float,
        keyframes: str,
        tilt_deg: float,
        swing_deg: float,
        field_curvature: float,
        breathing: float,
        mask_blur: float,
        image: torch.Tensor | None = None,
        lens: CameraData | None = None,
        blur_mask: torch.Tensor | None = None,
        **given: Any,
    ) -> io.NodeOutput:
        """One call of `defocus.from_lens`, and its preview; `given` is what `_strength` and `host.focus_of` take."""
        depth = depth.to(host.device())
        of_strength = {name: given.pop(name) for name in _STRENGTH}
        tilt = None
        if given["focus"] == "point":
            tilt = defocus.Tilt(tilt_deg, swing_deg, given["x"], given["y"])
        photo = None if image is None else host.to_bchw(image)[0]
        focus = host.focus_of(camera=lens, **given) or defocus.FocusAuto(photo=_of_frames(photo, depth))
        defocus_map = defocus.from_lens(
            depth,
            _strength(depth, lens, **of_strength),
            focus,
            focus_range=focus_range,
            near_gain=near_gain,
            far_gain=far_gain,
            keyframes=defocus.parse_keyframes(keyframes),
            tilt=tilt,
            field_curvature=field_curvature,
            breathing=breathing if of_strength["strength"] == options.defocus.CAMERA else 0.0,
        )
        if blur_mask is not None:
            defocus_map = defocus.painted(defocus_map, host.to_bhw(blur_mask, "blur_mask"), mask_blur)
        preview = host.to_image(defocus.preview(defocus_map, photo, focus=focus))
        in_focus = host.to_mask(defocus_map.in_focus())
        page = previews.focus(preview, depth, photo, focus, lens)
        return io.NodeOutput(defocus_map.to(host.intermediate_device()), preview, in_focus, ui=page)


def _strength(
    depth: DepthMap,
    camera: CameraData | None,
    strength: str,
    percent: float,
    f_number: float,
    focal_mm: float,
    sensor: str,
    sensor_mm: float,
    genfocus_k: float,
) -> Strength:
    """How strong the blur is, by the widgets of that name."""
    if strength == options.defocus.GENFOCUS:
        return Gain(genfocus_k)
    if strength != options.defocus.CAMERA:
        return Blur(percent)
    long_side_mm = None if sensor == options.defocus.OWN_SENSOR else SENSORS_MM.get(sensor, sensor_mm)
    return defocus.lens_for(depth, f_number or None, focal_mm or None, long_side_mm, camera)


def _of_frames(photo: torch.Tensor | None, depth: DepthMap) -> torch.Tensor | None:
    """The photo's frames where depth has as many, else its first one."""
    return photo if photo is None or photo.shape[0] == depth.disparity.shape[0] else photo[:1]
