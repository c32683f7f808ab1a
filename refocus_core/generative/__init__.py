"""The generative route: FLUX.1 with Genfocus adapters that make a photo sharp or give it a lens (arXiv 2512.16923).

routes         what can be done to a photo: `deblur`, `blur`, `redraw`; a host gives the `Sample` that runs the model
transfer       large photos: the change is made at a working size and carried up
forward        the conditional forward pass;  backbones/ binds it to diffusers' or ComfyUI's FLUX.1
guide, tokens, sampling      conditions, packed latents, time steps and tiles
lora, prompts, checkpoint      files: adapters, embeddings of the fixed prompts, FLUX.1 itself
pipeline       the host without ComfyUI, on diffusers; the host in ComfyUI is nodes/flux
"""

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
