"""Node: FLUX.1 guided by a photo through a Genfocus adapter, for any sampler."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..refocus_core import generative, options
from . import flux, host


def _task(defocus: Any) -> generative.Task:
    return "deblur" if defocus is None else "bokeh"


class RefocusGenfocusApply(io.ComfyNode):
    """MODEL + VAE + IMAGE (+ defocus map) + LoRA -> patched MODEL, LATENT, CONDITIONING, size."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs and outputs as ComfyUI shows them."""
        return host.schema(
            node_id="RefocusGenfocusApply",
            display_name="Genfocus Apply",
            description="Lets FLUX.1-dev make a photo sharp (DeblurNet), or blur a sharp one by a defocus map (BokehNet): the "
            "photo guides the model through a Genfocus LoRA. Sample the result with KSampler at cfg 1, then VAE Decode. "
            "Experimental: not yet tried on the released weights.",
            search_aliases=["genfocus", "deblurnet", "bokehnet", "flux", "generative refocusing", "deblur", "bokeh"],
            has_intermediate_output=False,
            is_experimental=True,
            inputs=[
                io.Model.Input("model", tooltip="FLUX.1-dev (any precision). LoRAs for the whole model may be applied before."),
                io.Vae.Input("vae", tooltip="The autoencoder of FLUX.1 (ae.safetensors)."),
                io.Image.Input(
                    "image", tooltip="The photo or clip. Sizes that are no multiples of 16 are padded at right and bottom."
                ),
                *host.widgets(options.genfocus.APPLY, words={"lora": flux.lora_files()}),
                host.Defocus.Input(
                    "defocus",
                    optional=True,
                    tooltip="From Defocus Map, same size as the image: blur a sharp photo by it. Not connected: deblur.",
                ),
                io.Image.Input(
                    "pre_deblurred",
                    optional=True,
                    tooltip="The photo as another method deblurred it, same size. Only for the adapter that was trained with it.",
                ),
                io.Clip.Input(
                    "clip",
                    optional=True,
                    lazy=True,
                    tooltip="Text encoders of FLUX.1, for the fixed prompt. Asked once: its result is kept in models/refocus.",
                ),
                io.Conditioning.Input(
                    "conditioning",
                    optional=True,
                    tooltip="A prompt of your own instead. Guidance is set to the adapter's unless FluxGuidance has set it.",
                ),
            ],
            outputs=[
                io.Model.Output("guided_model", tooltip="FLUX.1, guided by the photo, with the time steps for its size."),
                io.Latent.Output("latent", tooltip="Empty, of the photo's padded size."),
                io.Conditioning.Output("positive", tooltip="The prompt and guidance that the adapter was trained with."),
                io.Int.Output("width", tooltip="Width of the photo: cut the decoded picture to it (ImageCrop at 0, 0)."),
                io.Int.Output("height", tooltip="Height of the photo."),
            ],
        )

    @classmethod
    def check_lazy_status(cls, **inputs: Any) -> list[str]:
        """The text encoders load only if the prompt's embedding is nowhere yet."""
        return flux.needs_clip(inputs, [_task(inputs.get("defocus"))])

    @classmethod
    @host.memory_in_words
    def execute(
        cls,
        model: Any,
        vae: Any,
        image: Any,
        lora: str,
        tiling: Any,
        tiles_per_batch: int,
        defocus: Any = None,
        pre_deblurred: Any = None,
        clip: Any = None,
        conditioning: Any = None,
    ) -> io.NodeOutput:
        """Read the adapter, encode its conditions, patch a clone of the model."""
        photo, _ = host.to_bchw(image)
        task = _task(defocus)
        found = generative.load_lora(flux.find_lora(lora, task))
        layout = found.layout(task, pre_deblurred=pre_deblurred is not None)
        guide = flux.make_guide(
            model,
            vae,
            layout,
            photo,
            radius_px=None if defocus is None else defocus.radius_px,
            pre_deblurred=None if pre_deblurred is None else host.to_bchw(pre_deblurred, "pre_deblurred")[0],
            tiling=generative.Tiling(tiling, tiles_per_batch),
        )
        positive = flux.positive(layout, flux.collect(None if conditioning is not None else clip, [task]), conditioning)
        height, width = photo.shape[-2:]
        guided, _ = flux.patched(model, guide, flux.Adapter(found))
        return io.NodeOutput(guided, flux.empty_latent(guide), positive, width, height)
