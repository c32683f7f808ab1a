"""Node: FLUX.1 and its Genfocus adapters, for the generative methods of All In Focus and Reblur."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..refocus_core import generative, options
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
                *host.widgets(options.genfocus.SETUP, words=dict.fromkeys(("deblur_lora", "bokeh_lora"), flux.lora_files())),
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
    @host.memory_in_words
    def execute(
        cls,
        model: Any,
        vae: Any,
        deblur_lora: str,
        bokeh_lora: str,
        clip: Any = None,
        conditioning: Any = None,
        **sampling: Any,
    ) -> io.NodeOutput:
        """Collect; nothing is loaded but the prompts. `sampling`: the widgets of that name in `GenfocusSetup`."""
        prompts = flux.collect(None if conditioning is not None else clip)
        loras: dict[generative.Task, str] = {"deblur": deblur_lora, "bokeh": bokeh_lora}
        return io.NodeOutput(
            flux.GenfocusSetup(model=model, vae=vae, conditioning=conditioning, prompts=prompts, loras=loras, **sampling)
        )
