"""Node: FLUX.1 and its Genfocus adapters, for the generative methods of All In Focus and Reblur."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from . import flux, host


class RefocusGenfocusSetup(io.ComfyNode):
    """MODEL + VAE + CLIP or CONDITIONING + LoRAs + sampling -> REFOCUS_GENFOCUS."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs and outputs as ComfyUI shows them."""
        return host.schema(
            node_id="RefocusGenfocusSetup",
            display_name="Genfocus Setup",
            description="FLUX.1-dev and the Genfocus adapters, for the methods generative and hybrid of All In Focus and Reblur. "
            "Experimental: not yet tried on the released weights.",
            search_aliases=["genfocus", "deblurnet", "bokehnet", "flux", "generative refocusing"],
            has_intermediate_output=False,
            is_experimental=True,
            inputs=[
                io.Model.Input("model", tooltip="FLUX.1-dev (any precision). LoRAs for the whole model may be applied before."),
                io.Vae.Input("vae", tooltip="The autoencoder of FLUX.1 (ae.safetensors)."),
                io.Combo.Input(
                    "deblur_lora",
                    options=flux.lora_choices(),
                    default=flux.AUTO,
                    tooltip="DeblurNet adapter from models/loras, for All In Focus. auto: the first with 'deblur' in its name.",
                ),
                io.Combo.Input(
                    "bokeh_lora",
                    options=flux.lora_choices(),
                    default=flux.AUTO,
                    tooltip="BokehNet adapter from models/loras, for Reblur. auto: the first with 'bokeh' in its name.",
                ),
                io.Int.Input("steps", default=28, min=1, max=200, tooltip="Steps from noise to picture (Euler)."),
                io.Int.Input(
                    "start_noise",
                    default=42,
                    min=0,
                    max=0xFFFFFFFF,
                    tooltip="Seed of the noise to start from. The same number keeps the picture while focus changes.",
                ),
                io.Float.Input(
                    "megapixels",
                    default=1.0,
                    min=0.1,
                    max=16.0,
                    step=0.1,
                    tooltip="Larger photos are worked on at this size, and the change is carried over to all pixels.",
                ),
                io.Int.Input(
                    "tiles_per_batch",
                    default=4,
                    min=1,
                    max=64,
                    tooltip="Tiles that go through the model at once. More: faster, more memory, the same result.",
                ),
                io.Clip.Input(
                    "clip",
                    optional=True,
                    lazy=True,
                    tooltip="Text encoders of FLUX.1, for the fixed prompts. Asked once: their result is kept in models/refocus.",
                ),
                io.Conditioning.Input("conditioning", optional=True, tooltip="A prompt of your own instead of the fixed ones."),
            ],
            outputs=[
                flux.GenfocusType.Output("genfocus", tooltip="For All In Focus and Reblur."),
            ],
        )

    @classmethod
    def check_lazy_status(cls, **inputs: Any) -> list[str]:
        """The text encoders load only if the prompts' embeddings are nowhere yet."""
        return flux.needs_clip(inputs)

    @classmethod
    def execute(
        cls,
        model: Any,
        vae: Any,
        deblur_lora: str,
        bokeh_lora: str,
        steps: int,
        start_noise: int,
        megapixels: float,
        tiles_per_batch: int,
        clip: Any = None,
        conditioning: Any = None,
    ) -> io.NodeOutput:
        """Collect; nothing is loaded but the prompts."""
        return io.NodeOutput(
            flux.GenfocusSetup(
                model=model,
                vae=vae,
                conditioning=conditioning,
                prompts=flux.collect(None if conditioning is not None else clip),
                loras={"deblur": deblur_lora, "bokeh": bokeh_lora},
                steps=steps,
                start_noise=start_noise,
                megapixels=megapixels,
                tiles_per_batch=tiles_per_batch,
            )
        )
