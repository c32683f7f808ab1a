"""Weights: what the models are, where their files lie, how they get here and how they are read."""

from .locate import (
    ModelEntry,
    ModelFile,
    WeightsMismatchError,
    WeightsMissingError,
    default_folders,
    find,
    locate,
    read_safetensors,
    verify,
)

__all__ = [
    "ModelEntry",
    "ModelFile",
    "WeightsMismatchError",
    "WeightsMissingError",
    "default_folders",
    "find",
    "locate",
    "read_safetensors",
    "verify",
]
