"""What the generative route needs of ComfyUI: its FLUX, autoencoder, text encoders and samplers.

    inputs.py    the REFOCUS_GENFOCUS socket and the value behind it; adapters in models/loras
    prompts.py   the two fixed prompts: from file, else from CLIP
    patch.py     an adapter and its guide on a clone of the MODEL
    sampler.py   pictures to latents and back, and ComfyUI's sampler as the core's `Sample`

Nothing global is patched: a clone of the MODEL carries the adapter, its guide and one wrapper of the forward pass.
"""

from .inputs import AUTO, GenfocusSetup, GenfocusType, find_lora, lazy, lora_files
from .patch import Adapter, patched
from .prompts import collect, needs_clip, positive
from .sampler import empty_latent, make_guide, sampler

__all__ = [
    "AUTO",
    "Adapter",
    "GenfocusSetup",
    "GenfocusType",
    "collect",
    "empty_latent",
    "find_lora",
    "lazy",
    "lora_files",
    "make_guide",
    "needs_clip",
    "patched",
    "positive",
    "sampler",
]
