"""The generative route: FLUX.1 with Genfocus adapters that make a photo sharp or give it a lens (arXiv 2512.16923)."""

from .backbones import adapter_factors, bind_comfy, bind_diffusers, conditional_forward
from .forward import Backbone, run
from .lora import LAYOUTS, RELEASED_MODULES, Layout, Lora, load_lora, save_lora

__all__ = [
    "LAYOUTS",
    "RELEASED_MODULES",
    "Backbone",
    "Layout",
    "Lora",
    "adapter_factors",
    "bind_comfy",
    "bind_diffusers",
    "conditional_forward",
    "load_lora",
    "run",
    "save_lora",
]
