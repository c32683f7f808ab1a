"""All-in-focus: a photo with the blur of its own lens taken out, as far as it can be.

api            `all_in_focus`: checks, chooses a method, runs it
methods        the table of methods, each a function of a `Request`
deconvolution  by a defocus map of the photo;  blind: by the radii that the network finds
shipped        the network that ships here: its file, a run over a picture
network, filter_bank      its layers, and what they see
spectrum       the blur radius from the power spectrum, which corrects the network's estimate
restoration_model      networks of one's own, by spandrel;  tiling: any network over a picture in tiles
"""

from .api import all_in_focus
from .deconvolution import deconvolve, noise_level
from .methods import AUTO_ORDER, METHODS, MODEL_PREFIX, Method, NetworkSource, choose
from .restoration_model import RestorationModel, load_model, run_model
from .shipped import load_shipped

__all__ = [
    "AUTO_ORDER",
    "METHODS",
    "MODEL_PREFIX",
    "Method",
    "NetworkSource",
    "RestorationModel",
    "all_in_focus",
    "choose",
    "deconvolve",
    "load_model",
    "load_shipped",
    "noise_level",
    "run_model",
]
