"""Node: a clip refocused from file to file, frame after frame."""

from __future__ import annotations

from typing import Any

import torch
from comfy_api.latest import io

from ..refocus_core import clip, defocus, options, progress
from ..refocus_core.optics import SENSORS_MM, Blur
from ..refocus_core.types import Kernel
from . import host

_ALIASES = "video, clip, rack focus, focus pull, lens blur, bokeh, depth of field, background blur, refocus"
"""Words under which the page's search finds the node as well."""
_SENSORS = (*SENSORS_MM, options.defocus.OTHER_SENSOR)
"""Words of the sensor."""
_PASSES = 1, 3
"""How long the first pass takes beside the second one, about."""


class RefocusVideo(io.ComfyNode):
    """VIDEO (+ REFOCUS_KERNEL) -> VIDEO."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs and outputs as ComfyUI shows them."""
        return host.schema(
            node_id="RefocusVideo",
            display_name="Refocus Video",
            description="Depth, focus and lens blur of a whole clip, frame after frame: memory does not grow with its length. "
            "Frames keep their times, sound is copied.",
            search_aliases=_ALIASES.split(", "),
            inputs=[
                io.Video.Input("video", tooltip="The clip, from Load Video. It is read twice, a frame at a time."),
                *host.widgets(
                    options.video.OPTIONS,
                    words={
                        "sensor": _SENSORS,
                        "model": [w for w in host.depth_model_words() if w not in options.video.MODEL.words],
                    },
                    texts={"model": host.DEPTH_MODELS_TEXT},
                ),
                host.KernelType.Input(
                    "kernel", optional=True, tooltip="Shape of the aperture, from Bokeh Kernel. None: a circle."
                ),
                io.Mask.Input(
                    "focus_mask",
                    optional=True,
                    tooltip="White over what shall be sharp: its median depth. One mask for all frames, or one for each; where "
                    "the clip is longer, the last one holds.",
                ),
            ],
            outputs=[
                io.Video.Output(
                    "refocused",
                    tooltip="The clip, same frames, times and sound: a file in ComfyUI's temporary folder until saved.",
                )
            ],
        )

    @classmethod
    @host.memory_in_words
    def execute(
        cls, video: io.Video.Type, model: str, allow_download: bool, deblur: str, kernel: Kernel | None = None, **given: Any
    ) -> io.NodeOutput:
        """From file to file, by the core's two passes; `given` is what `_options` and `_rendering` take."""
        planning, drawing = progress.shares(host.progress(), _PASSES)
        with (
            host.video_source(video) as source,
            host.depth_model(model, allow_download) as depth_model,
            host.restoration_model(deblur, False, options.restore.TILE_PX.default) as network,
            progress.watched(depth_model, host.cancelling),
        ):
            target = host.video_target(source)
            steps = clip.rendering_steps(depth_model, network, _rendering(deblur, given), kernel, host.cancelling)
            work = clip.Clip(steps, _options(**given), host.device())
            clip.render_file(work, clip.plan_file(work, source, planning), source, target, drawing)
        return io.NodeOutput(host.to_video(target), ui=host.shown_video(target))


def _tuned(options_of: tuple[options.Option, ...], given: dict[str, Any]) -> dict[str, Any]:
    """Values of options that fine_tuning shows; their defaults where it is off."""
    return {o.name: given[o.name] if given["fine_tuning"] else o.default for o in options_of}


def _rendering(deblur: str, given: dict[str, Any]) -> clip.Rendering:
    return clip.Rendering(deblur, given["quality"], **_tuned(options.video.OF_PICTURE, given))


def _options(
    focus: str,
    strength: str,
    percent: float,
    f_number: float,
    focal_mm: float,
    sensor: str,
    sensor_mm: float,
    keyframes: str,
    near_m: float,
    far_m: float,
    tilt_deg: float,
    swing_deg: float,
    focus_mask: torch.Tensor | None = None,
    **given: Any,
) -> clip.ClipOptions:
    """What is the same for all frames; of `given` what `host.focus_of` takes, and what fine_tuning shows."""
    where = {name: given[name] for name in ("x", "y", "distance_m", "focus_radius", "x2", "y2")}
    keyed = focus == options.video.KEYFRAMED
    sharp = None if keyed else host.focus_of(focus, **where, focus_mask=focus_mask)
    aperture: Blur | clip.Camera = Blur(percent)
    breathing = 0.0
    if strength == options.defocus.CAMERA:
        breathing = _tuned((options.video.BREATHING,), given)["breathing"]
        aperture = clip.Camera(f_number, focal_mm or None, SENSORS_MM.get(sensor, sensor_mm))
    return clip.ClipOptions(
        aperture,
        sharp.mask if isinstance(sharp, defocus.FocusMask) else sharp,
        _keys(keyframes) if keyed else None,
        defocus.Tilt(tilt_deg, swing_deg, given["x"], given["y"]) if focus == "point" else None,
        breathing=breathing,
        near_m=near_m or None,
        far_m=far_m or None,
        **_tuned((*options.video.OF_LENS, options.video.REFINE, options.video.STEADY_FRAMES), given),
    )


def _keys(keyframes: str) -> defocus.Keyframes:
    found = defocus.parse_keyframes(keyframes)
    if found is None:
        raise ValueError(
            "focus is set to keyframes, but the input keyframes is empty. Copy it from Defocus Map, where its Timeline makes it, "
            "or choose another focus."
        )
    return found
