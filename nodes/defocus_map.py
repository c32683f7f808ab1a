"""Node: depth, a lens and a focus -> signed blur radius of every pixel."""

from __future__ import annotations

from typing import Any

import torch
from comfy_api.latest import io

from ..refocus_core import defocus
from ..refocus_core.optics import SENSORS_MM, Blur, Lens
from ..refocus_core.types import DepthMap
from . import host
from .host import previews

_PERCENT, _CAMERA = "percent of long edge", "camera"
_TWO_POINTS = "two points"
_OTHER_SENSOR = "other: sensor_mm"
_EMPTY_MASK = (
    "The focus mask is empty. Paint it over what shall be sharp (right-click the Load Image node, Open in MaskEditor): without "
    "that, Load Image gives an empty mask. Or set focus to point."
)


def _float(
    name: str,
    default: float,
    low: float,
    high: float,
    step: float,
    tooltip: str,
    *,
    advanced: bool = False,
    optional: bool = False,
) -> Any:
    made = io.Float.Input(name, default=default, min=low, max=high, step=step, tooltip=tooltip, optional=optional)
    return host.advanced(made) if advanced else made


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
            search_aliases=[
                "circle of confusion",
                "coc",
                "focus",
                "focus point",
                "rack focus",
                "depth of field",
                "dof",
                "aperture",
                "f-stop",
                "tilt-shift",
                "lens blur",
                "refocus",
            ],
            inputs=[
                host.Depth.Input("depth", tooltip="From Depth Estimate."),
                io.Combo.Input(
                    "focus",
                    options=["auto", "point", "mask", "distance", _TWO_POINTS],
                    default="auto",
                    tooltip="What is sharp. auto: under the focus mask if one is connected, else the nearest large thing in the "
                    "middle. point: at x, y. mask: median depth under the mask. distance: metres. two points: from x, y "
                    "to x2, y2. On the picture below: click, drag over what shall be sharp, Shift+click for the second point.",
                ),
                _float("x", 0.5, 0.0, 1.0, 0.001, "Focus point, for focus = point: 0 is the left edge, 1 the right edge."),
                _float("y", 0.5, 0.0, 1.0, 0.001, "Focus point, for focus = point: 0 is the top edge, 1 the bottom edge."),
                _float(
                    "distance_m",
                    2.0,
                    0.01,
                    1e5,
                    0.01,
                    "Distance in metres from the camera, for focus = distance. Needs depth in metres, or near_m and far_m.",
                ),
                io.Combo.Input(
                    "strength",
                    options=[_PERCENT, _CAMERA],
                    default=_PERCENT,
                    tooltip="percent of long edge: set by 'percent'. camera: by f_number, focal_mm and sensor, as that lens "
                    "would blur; needs depth in metres, or near_m and far_m.",
                ),
                _float(
                    "percent",
                    1.5,
                    0.0,
                    50.0,
                    0.1,
                    "Blur radius at infinity (relative depth: at the farthest thing), in percent of the picture's long edge. "
                    "More is stronger; 1 = 20 px on a picture of 2000 px.",
                ),
                _float("f_number", 1.8, 0.5, 64.0, 0.1, "Aperture of the camera, f/number. Smaller opens the lens: more blur."),
                _float(
                    "focal_mm",
                    50.0,
                    0.0,
                    2000.0,
                    1.0,
                    "Focal length of the camera in mm. Longer blurs more. 0: the photo's own, where the depth knows it.",
                ),
                io.Combo.Input(
                    "sensor",
                    options=[*SENSORS_MM, _OTHER_SENSOR],
                    default=next(iter(SENSORS_MM)),
                    tooltip="Size of the camera's sensor (its long side). With the same lens, a smaller sensor shows more blur.",
                ),
                _float(
                    "near_gain",
                    1.0,
                    0.0,
                    4.0,
                    0.05,
                    "Factor on the blur in front of the focal plane. 0: none, 1: as the lens does.",
                ),
                _float(
                    "far_gain", 1.0, 0.0, 4.0, 0.05, "Factor on the blur behind the focal plane. 0: none, 1: as the lens does."
                ),
                _float(
                    "focus_range",
                    0.0,
                    0.0,
                    1.0,
                    0.01,
                    "Width of the zone around the focal plane that stays perfectly sharp, as a share of the scene's whole depth "
                    "(in disparity). 0: a plane, as a lens has it. Blur starts softly at the zone's ends.",
                ),
                _float(
                    "focus_radius",
                    0.01,
                    0.0,
                    0.5,
                    0.005,
                    "Radius of the area that the focus point measures, as a fraction of the long edge.",
                    advanced=True,
                ),
                _float(
                    "sensor_mm",
                    36.0,
                    1.0,
                    500.0,
                    0.1,
                    f"Long side of the sensor in mm, for sensor = {_OTHER_SENSOR}.",
                    advanced=True,
                ),
                _float(
                    "near_m",
                    0.0,
                    0.0,
                    1e5,
                    0.01,
                    "Distance in metres of the nearest thing. Gives relative depth a scale; needs far_m. 0: not given.",
                    advanced=True,
                ),
                _float(
                    "far_m",
                    0.0,
                    0.0,
                    1e6,
                    0.1,
                    "Distance in metres of the farthest thing. Gives relative depth a scale; needs near_m. 0: not given.",
                    advanced=True,
                ),
                io.Image.Input("image", optional=True, tooltip="The photo, for the preview only."),
                io.Mask.Input(
                    "focus_mask", optional=True, tooltip="White over what shall be sharp; its median depth is in focus."
                ),
                _float(
                    "x2",
                    0.5,
                    0.0,
                    1.0,
                    0.001,
                    f"Second focus point, for focus = {_TWO_POINTS}: 0 is the left edge, 1 the right edge.",
                    advanced=True,
                    optional=True,  # new: a prompt of before is still complete
                ),
                _float(
                    "y2",
                    0.5,
                    0.0,
                    1.0,
                    0.001,
                    f"Second focus point, for focus = {_TWO_POINTS}: 0 is the top edge, 1 the bottom edge.",
                    advanced=True,
                    optional=True,  # new: a prompt of before is still complete
                ),
                host.advanced(
                    io.String.Input(
                        "keyframes",
                        default="",
                        optional=True,
                        tooltip="Focus and aperture over the frames of a clip, as JSON; empty: the same in all. Easiest made "
                        "with Timeline below the picture.",
                    )
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
    def execute(
        cls,
        depth: DepthMap,
        focus: str,
        x: float,
        y: float,
        distance_m: float,
        strength: str,
        percent: float,
        f_number: float,
        focal_mm: float,
        sensor: str,
        near_gain: float,
        far_gain: float,
        focus_range: float,
        focus_radius: float,
        sensor_mm: float,
        near_m: float,
        far_m: float,
        image: torch.Tensor | None = None,
        focus_mask: torch.Tensor | None = None,
        x2: float = 0.5,
        y2: float = 0.5,
        keyframes: str = "",
    ) -> io.NodeOutput:
        """One call of `defocus.from_lens`, and its preview."""
        depth = depth.to(host.device())
        chosen: defocus.Focus
        if focus == "mask" or (focus == "auto" and focus_mask is not None):
            if focus_mask is None:
                raise ValueError(
                    "focus is set to mask, but nothing is connected to focus_mask. Connect a mask, or choose another focus."
                )
            mask = host.mask_in(focus_mask, "focus_mask")
            if float(mask.max()) == 0:
                raise ValueError(_EMPTY_MASK)
            chosen = defocus.FocusMask(mask)
        elif focus == "point":
            chosen = defocus.FocusPoint(x, y, focus_radius)
        elif focus == _TWO_POINTS:
            chosen = defocus.FocusBetween(defocus.FocusPoint(x, y, focus_radius), defocus.FocusPoint(x2, y2, focus_radius))
        else:
            chosen = defocus.FocusDistance(distance_m) if focus == "distance" else defocus.FocusAuto()
        lens: Lens | Blur = Blur(percent)
        if strength == _CAMERA:
            lens = defocus.lens_for(depth, f_number, focal_mm or None, SENSORS_MM.get(sensor, sensor_mm))
        made = defocus.from_lens(
            depth,
            lens,
            chosen,
            focus_range=focus_range,
            near_gain=near_gain,
            far_gain=far_gain,
            near_m=near_m or None,
            far_m=far_m or None,
            keyframes=defocus.parse_keyframes(keyframes),
        )
        photo = None if image is None else host.to_bchw(image)[0]
        shown = host.to_image(defocus.preview(made, photo, focus=chosen))
        in_focus = host.mask_out(made.in_focus())
        page = previews.focus(shown, cls, depth, photo, chosen)
        return io.NodeOutput(made.to(host.rest_device()), shown, in_focus, ui=page)
