"""Node: a photo made sharp everywhere, by a network or by deconvolution."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io, ui

from ..refocus_core import depth, generative, restore
from ..refocus_core.types import DefocusMap
from . import flux, host

_FOLDERS = ("upscale_models", host.FOLDER_KEY)
_BYTES_PER_TILE_PX = 3 * 4 * 384  # as core's upscale node estimates what such networks need beside their weights


def _models() -> dict[str, tuple[str, str]]:
    """Method name -> (folder key, file); the first folder wins, and depth models of our own folder are left out."""
    found: dict[str, tuple[str, str]] = {}
    for key in _FOLDERS:
        for name in host.model_files(key):
            if key != host.FOLDER_KEY or not depth.is_depth_file(host.model_path(key, name)):
                found.setdefault(restore.MODEL_PREFIX + name, (key, name))
    return found


def _no_blur(method: str) -> Any:
    return host.blocked(f"All In Focus: method '{method}' does not know the blur of the photo; choose another one.")


class RefocusAllInFocus(io.ComfyNode):
    """IMAGE (+ defocus map of that photo) -> IMAGE, sharp everywhere, and the blur that the photo had."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs and outputs as ComfyUI shows them."""
        return host.schema(
            node_id="RefocusAllInFocus",
            display_name="All In Focus",
            description="Takes the lens blur out of a photo, as far as that can be done: with the network that comes with this "
            "pack, by deconvolution, which needs a defocus map of this photo, or with a restoration model from a model folder.",
            search_aliases=[
                "deblur",
                "sharpen",
                "unblur",
                "out of focus",
                "deconvolution",
                "restoration",
                "all-in-focus",
                "refocus",
            ],
            has_intermediate_output=True,
            inputs=[
                io.Image.Input("image", tooltip="The photo or clip. Values above 1 survive. Alpha passes through untouched."),
                io.Combo.Input(
                    "method",
                    options=["auto", *(m.name for m in restore.METHODS if m.name != "none"), *_models(), "generative", "none"],
                    default="auto",
                    tooltip="auto: deconvolution when defocus is connected, otherwise refocus-deblur-s.\n"
                    "refocus-deblur-s: a small network of this pack; finds the blur by itself, useful up to about 5 px.\n"
                    "deconvolution: undoes the blur that defocus describes; weak beyond about 10 px.\n"
                    "blind-deconvolution: deconvolution by the blur that this network finds, mixed with its picture; "
                    "sharper, slower.\n"
                    "model:...: a 1x restoration network (safetensors, such as NAFNet) from models/upscale_models "
                    "or models/refocus.\n"
                    "generative (experimental): FLUX.1 with the DeblurNet adapter; invents what strong blur took away. "
                    "Needs genfocus.\n"
                    "none: the photo as it is.",
                ),
                io.Float.Input(
                    "strength",
                    default=1.0,
                    min=0.0,
                    max=4.0,
                    step=0.05,
                    tooltip="0: the photo, 1: full effect. Above 1 deconvolution is sharper and noisier; "
                    "a model has no more than 1.",
                ),
                host.advanced(
                    io.Float.Input(
                        "noise",
                        default=0.0,
                        min=0.0,
                        max=0.5,
                        step=0.001,
                        tooltip="Noise of the photo: standard deviation where white is 1 (one 8-bit step is 0.004). "
                        "Larger: smoother. 0: measure it. Deconvolution only.",
                    )
                ),
                host.advanced(
                    io.Int.Input(
                        "tile_px",
                        default=512,
                        min=64,
                        max=8192,
                        step=32,
                        tooltip="Side of the tiles in px. Larger: more memory, and a model sees more of the picture at once. "
                        "Halved by itself when a model runs out of memory.",
                    )
                ),
                host.Defocus.Input(
                    "defocus",
                    optional=True,
                    tooltip="Defocus map of this photo as it was taken: its own blur (radius in px of this photo), "
                    "not the blur you want later. Deconvolution needs it, refocus-deblur-s takes it as advice.",
                ),
                host.KernelType.Input(
                    "kernel",
                    optional=True,
                    tooltip="Shape of the aperture that blurred the photo. Not connected: a circle. Deconvolution only.",
                ),
                flux.GenfocusType.Input(
                    "genfocus", optional=True, lazy=True, tooltip="From Genfocus Setup, for the generative method (experimental)."
                ),
                io.Image.Input(
                    "pre_deblurred",
                    optional=True,
                    tooltip="The photo as another method deblurred it, same size. Only for a generative adapter trained with it.",
                ),
            ],
            outputs=[
                io.Image.Output("image", tooltip="The photo, same size, with what could be made sharp."),
                host.Defocus.Output(
                    "source_blur",
                    tooltip="The blur that was in the photo: radius in px, unsigned (front and back are not told apart). "
                    "Estimated by refocus-deblur-s, or the map that deconvolution used.",
                ),
            ],
        )

    @classmethod
    def check_lazy_status(cls, method: str, **inputs: Any) -> list[str]:
        """What the other methods do not need is not computed for them."""
        return flux.lazy(inputs, wanted=method == "generative")

    @classmethod
    def execute(
        cls,
        image: Any,
        method: str,
        strength: float,
        noise: float = 0.0,
        tile_px: int = 512,
        defocus: Any = None,
        kernel: Any = None,
        genfocus: flux.GenfocusSetup | None = None,
        pre_deblurred: Any = None,
    ) -> io.NodeOutput:
        """Convert, restore, convert back."""
        photo, alpha = host.to_bchw(image)
        if method == "generative":
            beside = None if pre_deblurred is None else host.to_bchw(pre_deblurred, "pre_deblurred")[0]
            sample = flux.sampler(genfocus, "deblur", host.progress(), pre_deblurred=beside is not None)
            sharp = generative.deblur(
                photo, sample, megapixels=genfocus.megapixels, pre_deblurred=beside, strength=min(strength, 1.0)
            )
            out = host.to_image(sharp, alpha)
            return io.NodeOutput(out, _no_blur(method), ui=ui.PreviewImage(out, cls=cls))
        options: dict[str, Any] = {"strength": strength, "tile_px": tile_px, "progress": host.progress()}
        if method.startswith(restore.MODEL_PREFIX):
            if method not in (models := _models()):
                raise FileNotFoundError(
                    f"There is no model file for '{method}' in {' or '.join(_FOLDERS)}. Choose another method."
                )
            path = host.model_path(*models[method])
            stat = path.stat()
            held = host.kept(
                ("restore", str(path), stat.st_size, stat.st_mtime_ns),
                lambda: restore.load_model(path),
                memory_bytes=tile_px * tile_px * _BYTES_PER_TILE_PX,
            )
            with held as model:
                restored = restore.all_in_focus(photo, method, model=model, **options)
        elif (chosen := restore.choose(method, has_defocus=defocus is not None)).weights:
            held = host.kept(
                ("restore", chosen.name),
                lambda: restore.load_embedded(chosen),
                memory_bytes=tile_px * tile_px * _BYTES_PER_TILE_PX,
            )
            with held as model:
                restored = restore.all_in_focus(
                    photo, chosen.name, defocus, kernel=kernel, noise=noise or None, model=model, **options
                )
        else:
            restored = restore.all_in_focus(photo, method, defocus, kernel=kernel, noise=noise or None, **options)
        out = host.to_image(restored.image, alpha)
        if restored.radius_px is None:
            blur = _no_blur(method)
        else:
            blur = DefocusMap.from_radius(restored.radius_px).to(host.rest_device())
        return io.NodeOutput(out, blur, ui=ui.PreviewImage(out, cls=cls))
