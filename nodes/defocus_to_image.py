"""Node: a defocus map as a picture, for other nodes and programs."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..refocus_core import defocus as defocus_room
from ..refocus_core import options
from ..refocus_core.types import DefocusMap
from . import host


class RefocusDefocusToImage(io.ComfyNode):
    """REFOCUS_DEFOCUS -> IMAGE, what white stands for."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs and outputs as ComfyUI shows them."""
        return host.schema(
            node_id="RefocusDefocusToImage",
            display_name="Defocus to Image",
            description="A defocus map as a grey picture of numbers, for other packs and programs. Defocus from Image reads it "
            "back.",
            search_aliases=["circle of confusion", "coc map", "blur map", "export defocus", "save defocus", "refocus"],
            has_intermediate_output=False,
            inputs=[
                host.Defocus.Input("defocus", tooltip="From Defocus Map or All In Focus."),
                *host.widgets(options.interchange.DEFOCUS_TO_IMAGE),
            ],
            outputs=[
                io.Image.Output("picture", tooltip="The numbers, three equal channels, not clamped. Not for looking at."),
                io.Float.Output("white_value", tooltip="What a value of 1 stands for, in the measure and unit chosen."),
            ],
        )

    @classmethod
    @host.memory_in_words
    def execute(cls, defocus: DefocusMap, white: float, **encoding: Any) -> io.NodeOutput:
        """One call of `defocus.to_image`; `encoding` is what else `defocus.Encoding` takes."""
        meaning = defocus_room.Encoding(white=white or 1.0, **encoding)
        picture, stands_for = defocus_room.to_image(defocus, meaning, fill_range=white == 0)
        return io.NodeOutput(host.to_image(picture), stands_for)
