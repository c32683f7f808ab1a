"""The generative route: FLUX.1 with Genfocus adapters that make a photo sharp or give it a lens (arXiv 2512.16923)."""

from .backbones import adapter_factors, bind_comfy, bind_diffusers, conditional_forward
from .forward import Backbone, run
from .guide import Guide
from .lora import LAYOUTS, RELEASED_MODULES, Layout, Lora, Task, load_lora, save_lora
from .pipeline import Genfocus
from .prompts import FILE_NAME as PROMPTS_FILE
from .prompts import Prompt, load_prompts, save_prompts
from .routes import Sample, SampleRequest, blur, deblur, redraw
from .sampling import Tiling, integrate, noise, shift, sigmas, velocity
from .tokens import defocus_picture, pack, pad, position_ids, unpack
from .transfer import revealed_mask, transfer, working_size

__all__ = [
    "LAYOUTS",
    "PROMPTS_FILE",
    "RELEASED_MODULES",
    "Backbone",
    "Genfocus",
    "Guide",
    "Layout",
    "Lora",
    "Prompt",
    "Sample",
    "SampleRequest",
    "Task",
    "Tiling",
    "adapter_factors",
    "bind_comfy",
    "bind_diffusers",
    "blur",
    "conditional_forward",
    "deblur",
    "defocus_picture",
    "integrate",
    "load_lora",
    "load_prompts",
    "noise",
    "pack",
    "pad",
    "position_ids",
    "redraw",
    "revealed_mask",
    "run",
    "save_lora",
    "save_prompts",
    "shift",
    "sigmas",
    "transfer",
    "unpack",
    "velocity",
    "working_size",
]
