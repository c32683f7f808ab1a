"""All that knows ComfyUI's machinery, for every node.

    schema.py     sockets, schemas, widgets from `refocus_core.options`
    tensors.py    devices; IMAGE and MASK to the core's tensors and back
    execution.py  progress, interrupt, blocked outputs, lack of memory
    folders.py    model folders
    input_folder.py   photos that a person has uploaded
    memory.py     our models in ComfyUI's memory management
    previews.py   what the page draws from
    pictures_shown.py   the picture on a node
    preferences.py   what a person chose in ComfyUI's settings
    template_pictures.py   pictures of the example graphs into the input folder

What an older ComfyUI lacks is looked up by name, never assumed.
"""

from .execution import blocked, memory_in_words, progress
from .folders import FOLDER_KEY, model_files, model_folder, model_path
from .input_folder import fingerprint, photo_files, photo_path, photo_problem
from .memory import Managed, cached, cached_file
from .pictures_shown import show_meanwhile, shown
from .schema import Defocus, Depth, KernelType, LensType, schema, widgets
from .template_pictures import bring_examples
from .tensors import device, intermediate_device, surfaces, to_bchw, to_bhw, to_image, to_mask, transparency

__all__ = [
    "FOLDER_KEY",
    "Defocus",
    "Depth",
    "KernelType",
    "LensType",
    "Managed",
    "blocked",
    "bring_examples",
    "cached",
    "cached_file",
    "device",
    "fingerprint",
    "intermediate_device",
    "memory_in_words",
    "model_files",
    "model_folder",
    "model_path",
    "photo_files",
    "photo_path",
    "photo_problem",
    "progress",
    "schema",
    "show_meanwhile",
    "shown",
    "surfaces",
    "to_bchw",
    "to_bhw",
    "to_image",
    "to_mask",
    "transparency",
    "widgets",
]
