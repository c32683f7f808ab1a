"""What can be wrong with a model file."""

from __future__ import annotations


class WeightsMissingError(FileNotFoundError):
    """A model file is not on this machine, and downloading it was not allowed or not possible."""


class WeightsMismatchError(ValueError):
    """A model file is not the published one: its size or hash differs, or its content does not fit the model."""
