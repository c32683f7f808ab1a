"""The nodes, one to a file. This package needs ComfyUI; `refocus_core` does not.

A node file describes its inputs and outputs, converts, calls the core and converts back. What knows ComfyUI's machinery lies in
`host`; what the generative methods need of ComfyUI's FLUX.1 lies in `flux`.
"""

from __future__ import annotations

from comfy_api.latest import ComfyExtension, io

from .adjust_depth import RefocusAdjustDepth
from .all_in_focus import RefocusAllInFocus
from .bokeh_kernel import RefocusBokehKernel
from .defocus_from_image import RefocusDefocusFromImage
from .defocus_map import RefocusDefocusMap
from .defocus_to_image import RefocusDefocusToImage
from .depth_estimate import RefocusDepthEstimate
from .depth_matte import RefocusDepthMatte
from .depth_to_image import RefocusDepthToImage
from .genfocus_apply import RefocusGenfocusApply
from .genfocus_setup import RefocusGenfocusSetup
from .load_photo import RefocusLoadPhoto
from .reblur import RefocusReblur
from .refocus_video import RefocusVideo


class RefocusExtension(ComfyExtension):
    """Lists the nodes in the order in which a graph uses them."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        """The node classes that ComfyUI registers."""
        return [
            RefocusLoadPhoto,
            RefocusDepthEstimate,
            RefocusAdjustDepth,
            RefocusDepthToImage,
            RefocusDefocusMap,
            RefocusDefocusFromImage,
            RefocusDefocusToImage,
            RefocusAllInFocus,
            RefocusReblur,
            RefocusBokehKernel,
            RefocusDepthMatte,
            RefocusVideo,
            RefocusGenfocusSetup,
            RefocusGenfocusApply,
        ]
