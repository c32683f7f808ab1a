"""Binds the forward pass to a host's FLUX.1 transformer: diffusers' or ComfyUI's. Neither is imported.

Layers are always called as modules, never read: quantised, streamed and patched weights work as their host meant them to.
"""

from .comfy import bind_comfy
from .diffusers import adapter_factors, bind_diffusers, conditional_forward

__all__ = ["adapter_factors", "bind_comfy", "bind_diffusers", "conditional_forward"]
