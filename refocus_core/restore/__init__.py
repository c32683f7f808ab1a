"""All-in-focus: a photo with the blur of its own lens taken out, as far as it can be."""

from .api import all_in_focus
from .deconvolution import deconvolve, noise_level
from .methods import METHODS, MODEL_PREFIX, Method, choose, find_model
from .restoration_model import RestorationModel, load_model, run_model
from .shipped import load_embedded

__all__ = [
    "METHODS",
    "MODEL_PREFIX",
    "Method",
    "RestorationModel",
    "all_in_focus",
    "choose",
    "deconvolve",
    "find_model",
    "load_embedded",
    "load_model",
    "noise_level",
    "run_model",
]
