"""What is known of a model: its files, where they are published, on which terms, and how it is built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from .paths import is_inside, is_plain

Task = Literal["depth", "deblur"]
"""What a registered model is for."""


@dataclass(frozen=True)
class ModelFile:
    """One file of a model.

    Attributes:
        name: file name on this machine, a plain name ending in `.safetensors`, distinct between models.
        bytes: exact size, or None where it could not be verified.
        sha256: hash in hex, or None where it could not be verified. Without it, a download is checked against the hash that
            the hub states for the file (its ETag) and a file already here only by whether it fits the model.
        repo_id, revision, filename: where it is published on the Hugging Face hub (`filename` within the repository).
        shipped: path relative to the `refocus_core` package when the file ships with it, else None.
        about_mb: size for people, in MB, where `bytes` is unknown.

    Raises:
        ValueError: if `name` is not a plain `.safetensors` name, or `filename` or `shipped` leaves its folder.
    """

    name: str
    bytes: int | None = None
    sha256: str | None = None
    repo_id: str | None = None
    revision: str = "main"
    filename: str = "model.safetensors"
    shipped: str | None = None
    about_mb: int | None = None

    def __post_init__(self) -> None:
        if not is_plain(self.name) or not self.name.endswith(".safetensors"):
            raise ValueError(f"A model file needs a plain name that ends in .safetensors, got {self.name!r}.")
        if not is_inside(self.filename) or "\\" in self.filename:
            raise ValueError(f"ModelFile.filename must be a path inside its repository, got {self.filename!r}.")
        if self.shipped is not None and not is_inside(self.shipped):
            raise ValueError(f"ModelFile.shipped must stay inside the package, got {self.shipped!r}.")

    @property
    def size_text(self) -> str:
        """The size for people."""
        if self.bytes is not None:
            return f"{self.bytes / 1e6:.0f} MB"
        return f"about {self.about_mb} MB" if self.about_mb is not None else "size unknown"


@dataclass(frozen=True)
class ModelEntry:
    """A model that can be run.

    Attributes:
        name: identifier, a plain name; also the folder that the files may lie in.
        label: name for people.
        files: its files.
        licence: licence of the weights.
        url: where the model is published.
        task: what it is for; the room of that task loads it.
        notes: what a user should know before choosing it.
        options: architecture, in the words of the loader.

    Raises:
        ValueError: if `name` is not a plain name, or there is no file.
    """

    name: str
    label: str
    files: tuple[ModelFile, ...]
    licence: str
    url: str
    task: Task
    notes: str = ""
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        if not is_plain(self.name):
            raise ValueError(f"ModelEntry.name must be a plain name, got {self.name!r}.")
        if not self.files:
            raise ValueError(f"Model {self.name} has no file.")

    @property
    def size_text(self) -> str:
        """Size of all files for people."""
        return " + ".join(f.size_text for f in self.files)
