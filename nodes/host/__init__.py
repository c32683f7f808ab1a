"""All that knows ComfyUI's machinery, for every node.

    schema.py     sockets, schemas, widgets from `refocus_core.options`
    tensors.py    devices; IMAGE and MASK to the core's tensors and back
    execution.py  progress, interrupt, blocked outputs, lack of memory
    folders.py    model folders
    depth_models.py   depth models by the words of a node
    restoration_models.py   restoration models, too
    focus_inputs.py   what is to be sharp, by widgets and mask
    input_folder.py   photos that a person has uploaded
    memory.py     our models in ComfyUI's memory management
    video_files.py   core's VIDEO as a file, and a file as VIDEO
    previews.py   what the page draws from
    pictures_shown.py   the picture on a node
    preferences.py   what a person chose in ComfyUI's settings
    template_pictures.py   pictures of the example graphs into the input folder

What an older ComfyUI lacks is looked up by name, never assumed.
"""

from .depth_models import DEPTH_MODELS_TEXT, depth_model, depth_model_words
from .execution import blocked, cancelling, memory_in_words, progress
from .focus_inputs import focus_of
from .folders import FOLDER_KEY, model_files, model_folder, model_path
from .input_folder import fingerprint, photo_files, photo_path, photo_problem
from .memory import Managed, cached, cached_file
from .pictures_shown import show_meanwhile, shown
from .restoration_models import restoration_model, restoration_words
from .schema import Defocus, Depth, KernelType, LensType, schema, widgets
from .template_pictures import bring_examples
from .tensors import device, intermediate_device, surfaces, to_bchw, to_bhw, to_image, to_mask, transparency
from .video_files import shown_video, to_video, video_source, video_target

__all__ = [
    "DEPTH_MODELS_TEXT",
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
    "cancelling",
    "depth_model",
    "depth_model_words",
    "device",
    "fingerprint",
    "focus_of",
    "intermediate_device",
    "memory_in_words",
    "model_files",
    "model_folder",
    "model_path",
    "photo_files",
    "photo_path",
    "photo_problem",
    "progress",
    "restoration_model",
    "restoration_words",
    "schema",
    "show_meanwhile",
    "shown",
    "shown_video",
    "surfaces",
    "to_bchw",
    "to_bhw",
    "to_image",
    "to_mask",
    "to_video",
    "transparency",
    "video_source",
    "video_target",
    "widgets",
]
