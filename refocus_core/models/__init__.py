"""Weights: what the models are, where their files lie, how they get here and how they are read.

registry       the models that can be run, each a `ModelEntry` of one or more `ModelFile`s (`record`)
locate, find   the files of an entry: in the package, in model folders, in the hub's cache, or fetched (`download`)
find_named     a file that a person names, inside the model folders (`paths`)
read_safetensors, read_header      the only reader of weights

Foundation: the rooms build their networks from what is read here; nothing here knows a network.
"""

from .errors import WeightsMismatchError, WeightsMissingError
from .locate import default_folders, find, locate, verify
from .paths import WEIGHT_SUFFIXES, check_name, find_named
from .record import ModelEntry, ModelFile, Task
from .registry import ENTRIES, models_for
from .safetensors import read_header, read_safetensors

__all__ = [
    "ENTRIES",
    "WEIGHT_SUFFIXES",
    "ModelEntry",
    "ModelFile",
    "Task",
    "WeightsMismatchError",
    "WeightsMissingError",
    "check_name",
    "default_folders",
    "find",
    "find_named",
    "locate",
    "models_for",
    "read_header",
    "read_safetensors",
    "verify",
]
